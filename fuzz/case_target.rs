// What targets include that run cases.

/// A target with this body, which returns whether the case could be compared: what could not is nothing to make mutants of, so it
/// stays out of the corpus.
macro_rules! case_target {
    ($body:path) => {
        libfuzzer_sys::fuzz_target!(|bytes: &[u8]| -> libfuzzer_sys::Corpus {
            match $body(bytes) {
                true => libfuzzer_sys::Corpus::Keep,
                false => libfuzzer_sys::Corpus::Reject,
            }
        });
    };
}
