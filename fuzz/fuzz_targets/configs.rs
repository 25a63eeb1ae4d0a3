//! A case on two configurations of the compiling engine: bytes that are a WebAssembly module are the case, all others are what
//! the generator makes a module of.

#![no_main]

include!("../case_target.rs");
case_target!(switchback::fuzzing::configs);

include!("../typed_mutations.rs");
