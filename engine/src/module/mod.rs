//! Compiled modules.

pub(crate) mod info;
pub(crate) mod parse;

use crate::compile::entries::Trampolines;
use crate::compile::signature::AbiSignature;
use crate::compile::{CompiledModule, Engine, compile};
use crate::error::Error;
use crate::types::{ExportType, ImportType};
use info::ModuleInfo;
use std::sync::Arc;

/// A module, compiled and ready to be instantiated in any store of its engine. Cheap to clone.
#[derive(Clone)]
pub struct Module(Arc<ModuleInner>);

struct ModuleInner {
    engine: Engine,
    info: ModuleInfo,
    compiled: CompiledModule,
}

impl std::fmt::Debug for Module {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Module")
            .field("functions", &self.0.info.functions.len())
            .finish_non_exhaustive()
    }
}

impl Module {
    /// Validates and compiles a module in the binary format.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the module does not validate, else [`Error::Unsupported`] if it uses what the engine does
    /// not implement.
    pub fn new(engine: &Engine, bytes: &[u8]) -> Result<Module, Error> {
        let (info, compiled) = compile(engine, parse::parse(bytes)?)?;
        Ok(Module(Arc::new(ModuleInner {
            engine: engine.clone(),
            info,
            compiled,
        })))
    }

    /// The engine that compiled the module.
    pub fn engine(&self) -> &Engine {
        &self.0.engine
    }

    /// What the module asks for, in its order.
    pub fn imports(&self) -> impl ExactSizeIterator<Item = ImportType<'_>> {
        self.0.info.import_types()
    }

    /// What the module offers, in its order.
    pub fn exports(&self) -> impl ExactSizeIterator<Item = ExportType<'_>> {
        self.0.info.export_types()
    }

    /// Bytes of machine code, trampolines included.
    pub fn code_size(&self) -> usize {
        self.0.compiled.code.size
    }

    pub(crate) fn info(&self) -> &ModuleInfo {
        &self.0.info
    }

    pub(crate) fn compiled(&self) -> &CompiledModule {
        &self.0.compiled
    }

    /// The trampolines of a signature, if the module has them or its engine does.
    pub(crate) fn trampolines(&self, signature: &AbiSignature) -> Option<Trampolines> {
        let own = self.0.compiled.trampolines(signature);
        own.or_else(|| self.0.engine.trampolines(signature))
    }
}

impl ModuleInfo {
    /// The machine signature of the function type at `type_index`.
    pub fn abi_signature(&self, type_index: u32) -> AbiSignature {
        let ty = crate::types::FuncType::in_section(&self.types, type_index);
        AbiSignature::of(&ty)
    }

    /// The continuation type that a reference type names.
    ///
    /// # Panics
    /// `ty` is not a reference to a concrete type, which validation excludes where this is used.
    pub fn continuation_type(&self, ty: wasmparser::ValType) -> u32 {
        match ty {
            wasmparser::ValType::Ref(reference) => match reference.heap_type() {
                wasmparser::HeapType::Concrete(index) => crate::types::section::module_index(index),
                other => panic!("{other:?} is not a concrete type"),
            },
            other => panic!("{other} is not a reference type"),
        }
    }
}
