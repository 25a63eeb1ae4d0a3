//! What compiled code runs on: stores, stacks, entries, traps, exceptions.
//!
//! `unsafe` lives here, in the code regions of [`compile`](crate::compile), and in the handles of [`api`](crate::api) where they
//! touch the memory that compiled code shares.

pub(crate) mod aggregate;
pub(crate) mod backtrace;
pub(crate) mod checks;
pub(crate) mod collect;
pub(crate) mod constant;
pub(crate) mod entry;
pub(crate) mod exn;
pub(crate) mod fiber;
pub(crate) mod heap;
pub(crate) mod host;
pub(crate) mod instance;
pub(crate) mod instantiate;
pub(crate) mod layout;
pub(crate) mod libcalls;
pub(crate) mod objects;
pub(crate) mod owned;
#[cfg(feature = "planted-bugs")]
pub(crate) mod planted;
pub(crate) mod roots;
pub(crate) mod sanitizer;
pub(crate) mod stack_cache;
pub(crate) mod stacks;
pub(crate) mod store;
pub(crate) mod stubs;
pub(crate) mod switch;
pub(crate) mod thread;
pub(crate) mod tracer;
pub(crate) mod traps;
pub(crate) mod unwind;
