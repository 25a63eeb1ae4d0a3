//! Types of what modules import and export: globals, memories, tables, tags, and the sum of them all.

use super::{FuncType, RefType, ValType};
use std::fmt;

/// Types of globals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GlobalType {
    content: ValType,
    mutable: bool,
}

impl GlobalType {
    /// A global that holds `content`.
    pub fn new(content: ValType, mutable: bool) -> Self {
        GlobalType { content, mutable }
    }

    /// The value's type.
    pub fn content(&self) -> &ValType {
        &self.content
    }

    /// Whether the value may change.
    pub fn is_mutable(&self) -> bool {
        self.mutable
    }
}

impl fmt::Display for GlobalType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.mutable {
            write!(f, "(global (mut {}))", self.content)
        } else {
            write!(f, "(global {})", self.content)
        }
    }
}

/// Types of memories, with sizes in pages of 64 KiB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryType {
    minimum: u64,
    maximum: Option<u64>,
}

impl MemoryType {
    /// A memory that starts with `minimum` pages and grows to at most `maximum` (65,536 if there is none).
    pub fn new(minimum: u64, maximum: Option<u64>) -> Self {
        MemoryType { minimum, maximum }
    }

    /// Pages at first; for an existing memory, pages now.
    pub fn minimum(&self) -> u64 {
        self.minimum
    }

    /// Pages at most.
    pub fn maximum(&self) -> Option<u64> {
        self.maximum
    }
}

impl fmt::Display for MemoryType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "(memory {})",
            Limits {
                minimum: self.minimum,
                maximum: self.maximum
            }
        )
    }
}

/// Types of tables, with sizes in elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableType {
    element: RefType,
    minimum: u64,
    maximum: Option<u64>,
}

impl TableType {
    /// A table of `element`s that starts with `minimum` of them and grows to at most `maximum` (4,294,967,295 if there is none).
    pub fn new(element: RefType, minimum: u64, maximum: Option<u64>) -> Self {
        TableType {
            element,
            minimum,
            maximum,
        }
    }

    /// The elements' type.
    pub fn element(&self) -> &RefType {
        &self.element
    }

    /// Elements at first; for an existing table, elements now.
    pub fn minimum(&self) -> u64 {
        self.minimum
    }

    /// Elements at most.
    pub fn maximum(&self) -> Option<u64> {
        self.maximum
    }
}

impl fmt::Display for TableType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "(table {} {})",
            Limits {
                minimum: self.minimum,
                maximum: self.maximum
            },
            self.element
        )
    }
}

/// How the text format writes the limits of memories and tables.
struct Limits {
    minimum: u64,
    maximum: Option<u64>,
}

impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.maximum {
            Some(maximum) => write!(f, "{} {maximum}", self.minimum),
            None => write!(f, "{}", self.minimum),
        }
    }
}

/// Types of tags: functions from what a `throw` or `suspend` sends to what a `resume` answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagType {
    ty: FuncType,
}

impl TagType {
    /// A tag of type `ty`.
    pub fn new(ty: FuncType) -> Self {
        TagType { ty }
    }

    /// The function type.
    pub fn ty(&self) -> &FuncType {
        &self.ty
    }
}

impl fmt::Display for TagType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "(tag {})", self.ty)
    }
}

/// Types of what can be imported and exported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExternType {
    /// A function.
    Func(FuncType),
    /// A global.
    Global(GlobalType),
    /// A memory.
    Memory(MemoryType),
    /// A table.
    Table(TableType),
    /// A tag.
    Tag(TagType),
}

impl fmt::Display for ExternType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExternType::Func(ty) => fmt::Display::fmt(ty, f),
            ExternType::Global(ty) => fmt::Display::fmt(ty, f),
            ExternType::Memory(ty) => fmt::Display::fmt(ty, f),
            ExternType::Table(ty) => fmt::Display::fmt(ty, f),
            ExternType::Tag(ty) => fmt::Display::fmt(ty, f),
        }
    }
}

/// An import of a module.
#[derive(Clone, Debug)]
pub struct ImportType<'m> {
    pub(crate) module: &'m str,
    pub(crate) name: &'m str,
    pub(crate) ty: ExternType,
}

impl<'m> ImportType<'m> {
    /// The name of the module that it is imported from.
    pub fn module(&self) -> &'m str {
        self.module
    }

    /// Its name there.
    pub fn name(&self) -> &'m str {
        self.name
    }

    /// Its type.
    pub fn ty(&self) -> &ExternType {
        &self.ty
    }
}

/// An export of a module.
#[derive(Clone, Debug)]
pub struct ExportType<'m> {
    pub(crate) name: &'m str,
    pub(crate) ty: ExternType,
}

impl<'m> ExportType<'m> {
    /// Its name.
    pub fn name(&self) -> &'m str {
        self.name
    }

    /// Its type.
    pub fn ty(&self) -> &ExternType {
        &self.ty
    }
}
