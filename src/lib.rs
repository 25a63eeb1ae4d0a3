//! Switchback: differential testing and fuzzing of WebAssembly stack switching.
//!
//! The library is the toolkit: it runs a module on several engines behind one
//! trait ([`engines`]), records what each of them shows ([`observe`]), compares
//! the records ([`compare`]) and explains the first difference ([`report`]).
//! [`fuzzing`] does this in bulk, [`wast`] runs specification scripts, [`stats`]
//! says what modules execute.
//!
//! A test case is a WebAssembly module, complete in itself: it is instantiated
//! with a standard host (and with the module that it carries along, if it is a
//! [`linked`] one), then its exported functions without parameters are
//! called in export order.

#![warn(missing_docs)]
#![forbid(unsafe_code)]

mod binary;
pub mod compare;
pub mod embedding;
pub mod engines;
pub mod fuzzing;
pub mod generate;
pub mod linked;
pub mod mutate;
pub mod observe;
pub mod reduce;
pub mod report;
pub mod stats;
pub mod wast;
