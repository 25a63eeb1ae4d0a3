//! What a module contains apart from its code: the result of parsing, in the module's own indices.
//!
//! Types in here are wasmparser's, whose indices are module type indices. The methods at the end give them in the terms of the
//! embedding interface.

use crate::runtime::layout::{Counts, VmOffsets};
use crate::types::{
    ExportType, ExternType, FuncType, GlobalType, ImportType, MemoryType, PAGE_SIZE_LOG2, RefType,
    TableType, TagType, TypeSection, ValType,
};
use std::sync::Arc;

/// The declarations of one module. All index spaces start with the imports.
#[derive(Debug, Default)]
pub(crate) struct ModuleInfo {
    pub types: Arc<TypeSection>,
    pub imports: Vec<Import>,
    /// Type index of every function.
    pub functions: Vec<u32>,
    pub globals: Vec<GlobalInfo>,
    pub memories: Vec<wasmparser::MemoryType>,
    pub tables: Vec<TableInfo>,
    /// Type index of every tag.
    pub tags: Vec<u32>,
    pub exports: Vec<Export>,
    pub start: Option<u32>,
    pub elements: Vec<ElementSegment>,
    pub data: Vec<DataSegment>,
    pub num_imported_funcs: u32,
    pub num_imported_globals: u32,
    pub num_imported_memories: u32,
    pub num_imported_tables: u32,
    pub num_imported_tags: u32,
    /// For every function, whether something outside the code section may call it or refer to it: exports, the start
    /// function, element segments, constant expressions. (`ref.func` in a body may only name functions of which this holds.)
    pub escaping: Vec<bool>,
    pub counts: Counts,
    pub offsets: VmOffsets,
    /// The contents of the name section, which nobody has looked at.
    pub names: Box<[u8]>,
}

/// An import.
#[derive(Debug)]
pub(crate) struct Import {
    pub module: String,
    pub name: String,
    pub kind: ImportKind,
}

/// What an import must be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ImportKind {
    /// A function of the type at this index.
    Func(u32),
    Global(wasmparser::GlobalType),
    Memory(wasmparser::MemoryType),
    Table(wasmparser::TableType),
    /// A tag of the function type at this index.
    Tag(u32),
}

/// A global; only a defined one has an initial value.
#[derive(Debug)]
pub(crate) struct GlobalInfo {
    pub ty: wasmparser::GlobalType,
    pub init: Option<ConstExpr>,
}

/// A table; without an initial value, its elements start as null.
#[derive(Debug)]
pub(crate) struct TableInfo {
    pub ty: wasmparser::TableType,
    pub init: Option<ConstExpr>,
}

/// The kinds of things that have an index space of their own and can be exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExternKind {
    Func,
    Global,
    Memory,
    Table,
    Tag,
}

/// An export.
#[derive(Debug)]
pub(crate) struct Export {
    pub name: String,
    pub kind: ExternKind,
    pub index: u32,
}

/// An element segment.
#[derive(Debug)]
pub(crate) struct ElementSegment {
    pub mode: ElementMode,
    pub items: ElementItems,
}

/// When an element segment is used.
#[derive(Debug)]
pub(crate) enum ElementMode {
    Passive,
    Declared,
    Active { table: u32, offset: ConstExpr },
}

/// What an element segment holds.
#[derive(Debug)]
pub(crate) enum ElementItems {
    Functions(Vec<u32>),
    Expressions(Vec<ConstExpr>),
}

/// A data segment.
#[derive(Debug)]
pub(crate) struct DataSegment {
    pub mode: DataMode,
    pub bytes: Box<[u8]>,
}

/// When a data segment is used.
#[derive(Debug)]
pub(crate) enum DataMode {
    Passive,
    Active { memory: u32, offset: ConstExpr },
}

/// A constant expression: a sequence of instructions that leaves one value.
#[derive(Debug, Default)]
pub(crate) struct ConstExpr(pub Vec<ConstOp>);

/// An instruction of a constant expression. Floats are bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConstOp {
    I32Const(i32),
    I64Const(i64),
    F32Const(u32),
    F64Const(u64),
    V128Const(u128),
    I32Add,
    I32Sub,
    I32Mul,
    I64Add,
    I64Sub,
    I64Mul,
    RefNull,
    RefFunc(u32),
    GlobalGet(u32),
    RefI31,
    /// Type index.
    StructNew(u32),
    /// Type index.
    StructNewDefault(u32),
    /// Type index.
    ArrayNew(u32),
    /// Type index.
    ArrayNewDefault(u32),
    /// Type index and length.
    ArrayNewFixed(u32, u32),
}

impl ModuleInfo {
    /// The embedding interface's view of function `index`.
    pub fn func_type(&self, index: u32) -> FuncType {
        FuncType::in_section(&self.types, self.functions[index as usize])
    }

    /// The embedding interface's view of a global's type.
    pub fn global_type(&self, ty: wasmparser::GlobalType) -> GlobalType {
        GlobalType::new(
            ValType::in_section(&self.types, ty.content_type),
            ty.mutable,
        )
    }

    /// The embedding interface's view of a memory's type.
    pub fn memory_type(&self, ty: wasmparser::MemoryType) -> MemoryType {
        let new = if ty.memory64 {
            MemoryType::new64
        } else {
            MemoryType::new
        };
        new(ty.initial, ty.maximum).with_page_size_log2(ty.page_size_log2.unwrap_or(PAGE_SIZE_LOG2))
    }

    /// The embedding interface's view of a table's type.
    pub fn table_type(&self, ty: wasmparser::TableType) -> TableType {
        let new = if ty.table64 {
            TableType::new64
        } else {
            TableType::new
        };
        new(
            RefType::in_section(&self.types, ty.element_type),
            ty.initial,
            ty.maximum,
        )
    }

    /// The embedding interface's view of a tag whose function type is at `type_index`.
    pub fn tag_type(&self, type_index: u32) -> TagType {
        TagType::new(FuncType::in_section(&self.types, type_index))
    }

    /// The type that an import must match.
    pub fn import_type(&self, kind: ImportKind) -> ExternType {
        match kind {
            ImportKind::Func(ty) => ExternType::Func(FuncType::in_section(&self.types, ty)),
            ImportKind::Global(ty) => ExternType::Global(self.global_type(ty)),
            ImportKind::Memory(ty) => ExternType::Memory(self.memory_type(ty)),
            ImportKind::Table(ty) => ExternType::Table(self.table_type(ty)),
            ImportKind::Tag(ty) => ExternType::Tag(self.tag_type(ty)),
        }
    }

    /// The type of what an export names.
    pub fn export_type(&self, export: &Export) -> ExternType {
        let index = export.index as usize;
        match export.kind {
            ExternKind::Func => ExternType::Func(self.func_type(export.index)),
            ExternKind::Global => ExternType::Global(self.global_type(self.globals[index].ty)),
            ExternKind::Memory => ExternType::Memory(self.memory_type(self.memories[index])),
            ExternKind::Table => ExternType::Table(self.table_type(self.tables[index].ty)),
            ExternKind::Tag => ExternType::Tag(self.tag_type(self.tags[index])),
        }
    }

    /// The imports, in order.
    pub fn import_types(&self) -> impl ExactSizeIterator<Item = ImportType<'_>> {
        self.imports.iter().map(|import| ImportType {
            module: &import.module,
            name: &import.name,
            ty: self.import_type(import.kind),
        })
    }

    /// The exports, in order.
    pub fn export_types(&self) -> impl ExactSizeIterator<Item = ExportType<'_>> {
        self.exports.iter().map(|export| ExportType {
            name: &export.name,
            ty: self.export_type(export),
        })
    }
}

impl ModuleInfo {
    /// The name that the name section gives a function. Names are needed rarely, so they are looked for when they are.
    pub fn function_name(&self, function: u32) -> Option<String> {
        let reader = wasmparser::BinaryReader::new(&self.names, 0);
        let names = wasmparser::NameSectionReader::new(reader);
        for subsection in names {
            if let wasmparser::Name::Function(map) = subsection.ok()? {
                let mut found = map.into_iter().map_while(Result::ok);
                return found
                    .find(|naming| naming.index == function)
                    .map(|naming| naming.name.to_owned());
            }
        }
        None
    }
}
