//! Modules: from bytes to what can be instantiated (specification: "Modules", "Binary
//! Format", "Validation").
//!
//! What a module consists of once it is validated and translated; [`reader`] does both.

mod reader;

use std::collections::HashMap;
use std::sync::Arc;

use wasmparser::{ExternalKind, FuncValidatorAllocations, Parser, ValidPayload, Validator};

use reader::Reader;

use crate::code::Code;
use crate::config::Engine;
use crate::error::Error;
use crate::features;
use crate::types::convert::ModuleTypes;
use crate::types::registry::Types;
use crate::types::{
    ExportType, ExternType, FuncType, GlobalType, HeapType, ImportType, MemoryType, RefType,
    TableType, TagType, ValType,
};

/// The types of everything in a module's index spaces.
#[derive(Debug, Default)]
pub(crate) struct ModuleInfo {
    pub types: ModuleTypes,
    pub known: Types,
    /// Type index of each function.
    pub funcs: Vec<u32>,
    pub imported_funcs: u32,
    pub tables: Vec<TableType>,
    pub memories: Vec<MemoryType>,
    pub globals: Vec<GlobalType>,
    pub tags: Vec<FuncType>,
}

impl ModuleInfo {
    /// The function type that a type index stands for, be it of a function or of a
    /// continuation.
    pub fn func_type(&self, index: u32) -> FuncType {
        self.known.func(self.types.get(index))
    }

    /// The function type of what a reference refers to.
    pub fn func_of(&self, ty: ValType) -> FuncType {
        match ty {
            ValType::Ref(RefType {
                heap: HeapType::Concrete(defined),
                ..
            }) => self.known.func(defined),
            _ => unreachable!("validated as a reference to a continuation type"),
        }
    }

    fn extern_type(&self, kind: ExternalKind, index: u32) -> ExternType {
        let i = index as usize;
        match kind {
            ExternalKind::Func | ExternalKind::FuncExact => {
                ExternType::Func(self.func_type(self.funcs[i]))
            }
            ExternalKind::Table => ExternType::Table(self.tables[i]),
            ExternalKind::Memory => ExternType::Memory(self.memories[i]),
            ExternalKind::Global => ExternType::Global(self.globals[i]),
            ExternalKind::Tag => ExternType::Tag(TagType {
                func: self.tags[i].clone(),
            }),
        }
    }
}

/// When a segment is used.
#[derive(Debug)]
pub(crate) enum Mode {
    Passive,
    Declarative,
    /// Copied at instantiation into this memory or table, at an offset that this constant
    /// expression (by its body) gives.
    Active {
        index: u32,
        offset: u32,
    },
}

/// An element segment.
#[derive(Debug)]
pub(crate) struct ElementSegment {
    pub mode: Mode,
    pub items: Items,
}

/// What an element segment consists of.
#[derive(Debug)]
pub(crate) enum Items {
    /// Function indices.
    Functions(Vec<u32>),
    /// Constant expressions, by their bodies.
    Expressions(Vec<u32>),
}

/// A data segment.
#[derive(Debug)]
pub(crate) struct DataSegment {
    pub mode: Mode,
    pub bytes: Vec<u8>,
}

/// A module, ready to be instantiated.
#[derive(Debug)]
pub(crate) struct ModuleData {
    pub info: ModuleInfo,
    pub imports: Vec<ImportType>,
    pub exports: Vec<(String, ExternalKind, u32)>,
    /// Index of each export in the list above.
    pub export_names: HashMap<String, usize>,
    pub start: Option<u32>,
    pub code: Code,
    /// Initial value of each own table (none: null) and each own global: bodies.
    pub table_inits: Vec<Option<u32>>,
    pub global_inits: Vec<u32>,
    pub elements: Vec<ElementSegment>,
    pub data: Vec<DataSegment>,
}

impl ModuleData {
    pub fn imported_funcs(&self) -> u32 {
        self.info.imported_funcs
    }
}

/// A validated and translated module. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Module {
    pub(crate) engine: Engine,
    pub(crate) data: Arc<ModuleData>,
}

impl Module {
    /// Validates and translates a module in the binary format.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] or [`Error::Unsupported`].
    pub fn new(engine: &Engine, bytes: &[u8]) -> Result<Module, Error> {
        let mut reader = Reader::new(engine);
        let mut validator = Validator::new_with_features(features::validated());
        let mut allocations = FuncValidatorAllocations::default();
        for payload in Parser::new(0).parse_all(bytes) {
            let payload = payload?;
            match validator.payload(&payload)? {
                ValidPayload::Func(func, body) => {
                    allocations = reader.function(func, &body, allocations)?;
                }
                ValidPayload::Ok | ValidPayload::End(_) => reader.section(payload)?,
                ValidPayload::Parser(_) => {
                    unreachable!("components are not among the validated features")
                }
            }
        }
        reader.finish()
    }

    /// Its imports, in order.
    pub fn imports(&self) -> impl ExactSizeIterator<Item = ImportType> + '_ {
        self.data.imports.iter().cloned()
    }

    /// Its exports, in order.
    pub fn exports(&self) -> impl ExactSizeIterator<Item = ExportType> + '_ {
        self.data
            .exports
            .iter()
            .map(|(name, kind, index)| ExportType {
                name: name.clone(),
                ty: self.data.info.extern_type(*kind, *index),
            })
    }

    /// The engine it was made for.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }
}
