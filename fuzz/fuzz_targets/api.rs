//! Embedders' operations on the compiling engine, against a model.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| switchback::embedding::check(bytes));
