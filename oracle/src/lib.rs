//! The reference interpreter that Switchback compares engines against.
//!
//! It executes WebAssembly 3.0 in the specification's deterministic profile, stack switching,
//! wide arithmetic and custom page sizes, and is written to be read beside the
//! specification. Threads are refused. The embedding API has the shape of the `wasmtime`
//! crate.
//!
//! # Map
//!
//! | module | part of the specification |
//! | --- | --- |
//! | `types` | Types; Matching; type equivalence by canonical recursion groups |
//! | `module`, `features` | Modules, Binary Format and Validation (done by wasmparser) |
//! | `translate`, `code` | none: functions become flat internal code, read once |
//! | `machine` | Runtime Structure: store, frames, the thread that executes |
//! | `stacks`, `heap` | Stack switching: stacks, continuations; Exception and Aggregate Instances; reclaiming them |
//! | `exec` | Execution of instructions, one file per section |
//! | `instance` | Instantiation, External Typing |
//! | `store`, `externs`, `value` | Embedding |
//! | `trace`, `coverage` | none: what observers see |
//! | `checks` | none: what the oracle checks about itself |
//!
//! # Example
//!
//! ```
//! use switchback_oracle::{Config, Engine, Instance, Module, Store, Val, Extern};
//!
//! # fn main() -> Result<(), switchback_oracle::Error> {
//! let wasm = wat::parse_str(r#"(module (func (export "double") (param i32) (result i32)
//!     (i32.add (local.get 0) (local.get 0))))"#).unwrap();
//! let engine = Engine::new(&Config::new())?;
//! let module = Module::new(&engine, &wasm)?;
//! let mut store = Store::new(&engine, ());
//! let instance = Instance::new(&mut store, &module, &[])?;
//! let Some(Extern::Func(double)) = instance.get_export(&store, "double") else { panic!() };
//! let mut results = [Val::I32(0)];
//! double.call(&mut store, &[Val::I32(21)], &mut results)?;
//! assert!(matches!(results, [Val::I32(42)]));
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod checks;
mod code;
mod config;
mod coverage;
mod error;
mod exec;
mod externs;
mod features;
mod heap;
mod instance;
mod machine;
mod module;
mod stacks;
mod store;
mod trace;
mod translate;
mod types;
mod value;

pub use config::{Config, Dispatch, Engine, Limits};
pub use coverage::{Executions, FunctionCoverage};
pub use error::{Error, Exception, Exhausted, Location, Trap, TrapKind};
pub use externs::{Extern, Func, Global, Memory, Table, Tag};
pub use instance::Instance;
pub use module::Module;
pub use store::{AsContext, AsContextMut, Caller, Store};
pub use trace::{Event, EventKind, Value};
pub use types::{
    DefinedKind, DefinedType, ExportType, ExternType, FuncType, GlobalType, HeapType, ImportType,
    MemoryType, RefType, TableType, TagType, ValType,
};
pub use value::{AnyKind, AnyRef, ContRef, ExnRef, ExternRef, Val};
