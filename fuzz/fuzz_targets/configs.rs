//! A case on two configurations of the compiling engine: bytes that are a WebAssembly module are the case, all others are what
//! the generator makes a module of.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| -> libfuzzer_sys::Corpus {
    match switchback::fuzzing::configs(bytes) {
        true => libfuzzer_sys::Corpus::Keep,
        false => libfuzzer_sys::Corpus::Reject,
    }
});

libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let mutated = switchback::fuzzing::mutate(data, size, max_size, seed);
    mutated.unwrap_or_else(|| libfuzzer_sys::fuzzer_mutate(data, size, max_size))
});

libfuzzer_sys::fuzz_crossover!(|left: &[u8], right: &[u8], out: &mut [u8], seed: u32| {
    switchback::fuzzing::cross_over(left, right, out, seed)
});
