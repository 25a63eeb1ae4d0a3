// What targets include whose inputs are modules that run: the typed mutator and crossover, or libFuzzer's own mutations where no
// module fits.

libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let mutated = switchback::fuzzing::mutate(data, size, max_size, seed);
    mutated.unwrap_or_else(|| libfuzzer_sys::fuzzer_mutate(data, size, max_size))
});

libfuzzer_sys::fuzz_crossover!(|left: &[u8], right: &[u8], out: &mut [u8], seed: u32| {
    switchback::fuzzing::cross_over(left, right, out, seed)
});
