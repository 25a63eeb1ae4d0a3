//! The embedding interface, in the shape of the `wasmtime` crate's.

pub(crate) mod exn;
pub(crate) mod extern_;
pub(crate) mod func;
pub(crate) mod global;
pub(crate) mod instance;
pub(crate) mod linker;
pub(crate) mod memory;
pub(crate) mod reference;
pub(crate) mod store;
pub(crate) mod table;
pub(crate) mod tag;
pub(crate) mod typed;
pub(crate) mod val;
