//! Types as embedders see them (specification: "Types").
//!
//! Defined types are named by their canonical form, so that two types are the same
//! exactly when these values are equal. How they become canonical, and which is a
//! subtype of which, is in [`registry`]. All of them display as the text format writes them.

pub(crate) mod convert;
pub(crate) mod registry;
mod text;

use std::sync::Arc;

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ValType {
    /// 32-bit integer.
    I32,
    /// 64-bit integer.
    I64,
    /// 32-bit float.
    F32,
    /// 64-bit float.
    F64,
    /// 128-bit vector.
    V128,
    /// A reference.
    Ref(RefType),
}

impl ValType {
    /// Whether a local of this type has a default value.
    pub fn is_defaultable(self) -> bool {
        !matches!(
            self,
            ValType::Ref(RefType {
                nullable: false,
                ..
            })
        )
    }

    /// Operand slots a value takes: two for a vector, one for everything else.
    pub(crate) fn slots(self) -> u32 {
        if self == ValType::V128 { 2 } else { 1 }
    }
}

/// Slots of a sequence of values.
pub(crate) fn slots(types: &[ValType]) -> u32 {
    types.iter().map(|t| t.slots()).sum()
}

/// A reference type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RefType {
    /// Whether null is one of its values.
    pub nullable: bool,
    /// What it refers to.
    pub heap: HeapType,
}

impl RefType {
    /// `funcref`
    pub const FUNCREF: RefType = RefType {
        nullable: true,
        heap: HeapType::Func,
    };
    /// `externref`
    pub const EXTERNREF: RefType = RefType {
        nullable: true,
        heap: HeapType::Extern,
    };
}

/// A heap type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // each name is the specification's
pub enum HeapType {
    Func,
    NoFunc,
    Extern,
    NoExtern,
    Any,
    Eq,
    I31,
    Struct,
    Array,
    None,
    Exn,
    NoExn,
    Cont,
    NoCont,
    /// A defined type.
    Concrete(DefinedType),
}

impl HeapType {
    /// The top of the hierarchy this type belongs to.
    pub fn top(self) -> HeapType {
        match self {
            HeapType::Func | HeapType::NoFunc => HeapType::Func,
            HeapType::Extern | HeapType::NoExtern => HeapType::Extern,
            HeapType::Exn | HeapType::NoExn => HeapType::Exn,
            HeapType::Cont | HeapType::NoCont => HeapType::Cont,
            HeapType::Any
            | HeapType::Eq
            | HeapType::I31
            | HeapType::Struct
            | HeapType::Array
            | HeapType::None => HeapType::Any,
            HeapType::Concrete(t) => match t.kind {
                DefinedKind::Func => HeapType::Func,
                DefinedKind::Cont => HeapType::Cont,
                DefinedKind::Struct | DefinedKind::Array => HeapType::Any,
            },
        }
    }
}

/// A defined type in canonical form, valid within one [`Engine`](crate::Engine).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DefinedType {
    pub(crate) id: u32,
    pub(crate) kind: DefinedKind,
}

impl DefinedType {
    /// What kind of type it defines.
    pub fn kind(self) -> DefinedKind {
        self.kind
    }
}

/// The kinds of composite types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // each name is the specification's
pub enum DefinedKind {
    Func,
    Cont,
    Struct,
    Array,
}

/// The type of a function, or of what a tag carries.
///
/// Two of them are equal when parameters and results are. One that comes from a module
/// also remembers which defined type it is, so that a host function created with an
/// import's type can be linked to that import whatever recursion group it stands in.
#[derive(Clone, Debug)]
pub struct FuncType {
    pub(crate) params: Arc<[ValType]>,
    pub(crate) results: Arc<[ValType]>,
    pub(crate) defined: Option<DefinedType>,
}

impl FuncType {
    /// A function type of its own (final, in a recursion group of one).
    pub fn new(
        params: impl IntoIterator<Item = ValType>,
        results: impl IntoIterator<Item = ValType>,
    ) -> Self {
        FuncType {
            params: params.into_iter().collect(),
            results: results.into_iter().collect(),
            defined: None,
        }
    }

    /// The parameters' types.
    pub fn params(&self) -> &[ValType] {
        &self.params
    }

    /// The results' types.
    pub fn results(&self) -> &[ValType] {
        &self.results
    }
}

impl PartialEq for FuncType {
    fn eq(&self, other: &Self) -> bool {
        self.params == other.params && self.results == other.results
    }
}

impl Eq for FuncType {}

/// The type of a global.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GlobalType {
    /// Type of its value.
    pub content: ValType,
    /// Whether it can be set.
    pub mutable: bool,
}

/// The type of a memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MemoryType {
    /// Size in pages when created.
    pub minimum: u64,
    /// Size in pages it may grow to.
    pub maximum: Option<u64>,
    /// Whether it is addressed by `i64`.
    pub memory64: bool,
    /// Logarithm of the page size in bytes: 16 unless the module says otherwise.
    pub page_size_log2: u32,
}

/// The type of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TableType {
    /// Type of its elements.
    pub element: RefType,
    /// Number of elements when created.
    pub minimum: u64,
    /// Number of elements it may grow to.
    pub maximum: Option<u64>,
    /// Whether it is indexed by `i64`.
    pub table64: bool,
}

/// The type of a tag: the parameters are what it carries to the handler, the results
/// what a resumption carries back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagType {
    /// Parameters and results.
    pub func: FuncType,
}

/// The type of something imported or exported.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // each name is the specification's
pub enum ExternType {
    Func(FuncType),
    Global(GlobalType),
    Memory(MemoryType),
    Table(TableType),
    Tag(TagType),
}

/// An import of a module.
#[derive(Clone, Debug)]
pub struct ImportType {
    /// First name.
    pub module: String,
    /// Second name.
    pub name: String,
    /// What is wanted.
    pub ty: ExternType,
}

/// An export of a module.
#[derive(Clone, Debug)]
pub struct ExportType {
    /// The export's name.
    pub name: String,
    /// What it is.
    pub ty: ExternType,
}
