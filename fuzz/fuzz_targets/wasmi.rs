//! A case on the oracle and wasmi: bytes that are a WebAssembly module are the case, all others are what the generator makes
//! a module of.

#![no_main]

include!("../case_target.rs");
case_target!(switchback::fuzzing::wasmi);
