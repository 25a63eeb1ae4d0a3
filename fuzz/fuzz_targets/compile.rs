//! Arbitrary bytes as a module: every engine validates, compiles and instantiates
//! them, or refuses.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| switchback::fuzzing::compile(bytes));

// Half of the mutations are libFuzzer's own, since most of what is to be refused is no valid module.
libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let mutated = match seed % 2 {
        0 => switchback::fuzzing::mutate(data, size, max_size, seed),
        _ => None,
    };
    mutated.unwrap_or_else(|| libfuzzer_sys::fuzzer_mutate(data, size, max_size))
});

libfuzzer_sys::fuzz_crossover!(|left: &[u8], right: &[u8], out: &mut [u8], seed: u32| {
    switchback::fuzzing::cross_over(left, right, out, seed)
});
