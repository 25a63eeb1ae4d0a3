//! Arbitrary bytes as a module: every engine validates, compiles and instantiates
//! them, or refuses.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| switchback::fuzzing::compile(bytes));
