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

/// log2 of the size of a page, where a type says nothing else: 64 KiB.
pub(crate) const PAGE_SIZE_LOG2: u32 = 16;

/// Types of memories. Sizes are in the memory's own pages, which have 64 KiB unless the type says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryType {
    minimum: u64,
    maximum: Option<u64>,
    is_64: bool,
    page_size_log2: u32,
}

impl MemoryType {
    /// A memory with 32-bit addresses that starts with `minimum` pages and grows to at most `maximum` (65,536 if there is none).
    pub fn new(minimum: u64, maximum: Option<u64>) -> Self {
        MemoryType {
            minimum,
            maximum,
            is_64: false,
            page_size_log2: PAGE_SIZE_LOG2,
        }
    }

    /// A memory with 64-bit addresses that starts with `minimum` pages and grows to at most `maximum`.
    pub fn new64(minimum: u64, maximum: Option<u64>) -> Self {
        MemoryType {
            is_64: true,
            ..Self::new(minimum, maximum)
        }
    }

    /// The same type with pages of `1 << log2` bytes. Only 0 and 16 make a type of which a memory can be made (proposal
    /// "custom page sizes").
    pub fn with_page_size_log2(mut self, log2: u32) -> Self {
        self.page_size_log2 = log2;
        self
    }

    /// Pages at first; for an existing memory, pages now.
    pub fn minimum(&self) -> u64 {
        self.minimum
    }

    /// Pages at most.
    pub fn maximum(&self) -> Option<u64> {
        self.maximum
    }

    /// Whether addresses have 64 bits.
    pub fn is_64(&self) -> bool {
        self.is_64
    }

    /// log2 of the bytes of a page.
    pub fn page_size_log2(&self) -> u32 {
        self.page_size_log2
    }

    /// The most pages that addresses reach (specification, section 3.2.14); none for a size of pages that does not exist.
    pub(crate) fn addressable(&self) -> Option<u64> {
        Some(match (self.page_size_log2, self.is_64) {
            (PAGE_SIZE_LOG2, false) => 1 << 16,
            (PAGE_SIZE_LOG2, true) => 1 << 48,
            (0, false) => u32::MAX.into(),
            (0, true) => u64::MAX,
            _ => return None,
        })
    }

    /// The same type for a memory that has `pages` pages now.
    pub(crate) fn at_size(&self, pages: u64) -> Self {
        MemoryType {
            minimum: pages,
            ..self.clone()
        }
    }
}

impl fmt::Display for MemoryType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limits = Limits {
            minimum: self.minimum,
            maximum: self.maximum,
        };
        write!(f, "(memory {}{limits}", index_type(self.is_64))?;
        if self.page_size_log2 != PAGE_SIZE_LOG2 {
            write!(f, " (pagesize {})", 1_u64 << self.page_size_log2)?;
        }
        f.write_str(")")
    }
}

/// How the text format says that addresses or indices have 64 bits.
fn index_type(is_64: bool) -> &'static str {
    if is_64 { "i64 " } else { "" }
}

/// Types of tables, with sizes in elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableType {
    element: RefType,
    minimum: u64,
    maximum: Option<u64>,
    is_64: bool,
}

impl TableType {
    /// A table of `element`s with 32-bit indices that starts with `minimum` of them and grows to at most `maximum`
    /// (4,294,967,295 if there is none).
    pub fn new(element: RefType, minimum: u64, maximum: Option<u64>) -> Self {
        TableType {
            element,
            minimum,
            maximum,
            is_64: false,
        }
    }

    /// A table of `element`s with 64-bit indices that starts with `minimum` of them and grows to at most `maximum`.
    pub fn new64(element: RefType, minimum: u64, maximum: Option<u64>) -> Self {
        TableType {
            is_64: true,
            ..Self::new(element, minimum, maximum)
        }
    }

    /// Whether indices have 64 bits.
    pub fn is_64(&self) -> bool {
        self.is_64
    }

    /// The most elements that indices reach.
    pub(crate) fn addressable(&self) -> u64 {
        if self.is_64 {
            u64::MAX
        } else {
            u32::MAX.into()
        }
    }

    /// The same type for a table that has `elements` elements now.
    pub(crate) fn at_size(&self, elements: u64) -> Self {
        TableType {
            minimum: elements,
            ..self.clone()
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
            "(table {}{} {})",
            index_type(self.is_64),
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
