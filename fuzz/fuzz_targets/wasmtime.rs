//! A case on the compiling engine, the oracle and Wasmtime: bytes that are a WebAssembly module are the case, all others are what
//! the generator makes a module of.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| -> libfuzzer_sys::Corpus {
    match switchback::fuzzing::wasmtime(bytes) {
        true => libfuzzer_sys::Corpus::Keep,
        false => libfuzzer_sys::Corpus::Reject,
    }
});

include!("../typed_mutations.rs");
