//! A WebAssembly engine that compiles with Cranelift and switches stacks: exceptions, tail calls, function references and the
//! whole stack-switching proposal, on x86-64 Linux.
//!
//! The interface has the shape of the `wasmtime` crate's: a [`Config`] makes an [`Engine`], which compiles a [`Module`], which
//! is instantiated in a [`Store`] as an [`Instance`], whose exports are called as [`Func`]s.
//!
//! ```
//! use switchback_engine::{Config, Engine, Instance, Module, Store, Val};
//!
//! let wasm = wat::parse_str(
//!     r#"(module
//!       (type $f (func (result i32)))
//!       (type $k (cont $f))
//!       (type $g (func (param i32) (result i32)))
//!       (type $l (cont $g))
//!       (tag $ask (result i32))
//!       (func $body (type $f) (i32.add (suspend $ask) (i32.const 1)))
//!       (elem declare func $body)
//!       (func (export "run") (result i32) (local $captured (ref null $l))
//!         (block $on_ask (result (ref $l))
//!           (return (resume $k (on $ask $on_ask) (cont.new $k (ref.func $body)))))
//!         (local.set $captured)
//!         (resume $l (i32.const 41) (local.get $captured))))"#,
//! )?;
//! let engine = Engine::new(&Config::new())?;
//! let module = Module::new(&engine, &wasm)?;
//! let mut store = Store::new(&engine, ());
//! let instance = Instance::new(&mut store, &module, &[])?;
//! let run = instance.get_func(&mut store, "run").expect("the module exports it");
//! let mut results = [Val::I32(0)];
//! run.call(&mut store, &[], &mut results)?;
//! assert!(matches!(results, [Val::I32(42)]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![warn(missing_docs)]
#![allow(
    clippy::vec_box,
    reason = "compiled code and handles know objects by addresses that must not change"
)]

mod api;
mod compile;
mod config;
mod error;
mod module;
mod planted;
mod runtime;
pub mod trace;
mod translate;
mod types;

pub use api::exn::{Exception, ExnRef};
pub use api::extern_::Extern;
pub use api::func::Func;
pub use api::global::Global;
pub use api::instance::Instance;
pub use api::linker::{InstancePre, Linker};
pub use api::memory::Memory;
pub use api::reference::{AnyKind, AnyRef, ExternRef};
pub use api::store::{AsContext, AsContextMut, Caller, Store};
pub use api::table::Table;
pub use api::tag::Tag;
pub use api::typed::{IntoFunc, TypedFunc, WasmParams, WasmResults, WasmRet, WasmTy};
pub use api::val::{ContRef, Val};
pub use compile::Engine;
pub use config::{Config, CpuFeatures, Limits, OptLevel, RegallocAlgorithm};
pub use error::{Backtrace, Error, Exhaustion, FrameInfo, Location, Trap, TrapKind, Unsupported};
pub use module::Module;
#[cfg(feature = "planted-bugs")]
pub use planted::PlantedBug;
pub use types::{
    DefinedType, ExportType, ExternType, FuncType, GlobalType, HeapType, ImportType, MemoryType,
    RefType, TableType, TagType, ValType,
};
