//! Arbitrary bytes as a module on the oracle: it refuses or runs them, and never panics.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| switchback::fuzzing::oracle_bytes(bytes));
