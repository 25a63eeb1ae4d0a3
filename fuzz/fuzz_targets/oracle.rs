//! Valid modules of every proposal on the oracle: it runs them under limits, and never panics.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| switchback::fuzzing::oracle(bytes));
