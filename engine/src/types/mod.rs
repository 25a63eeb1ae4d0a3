//! The types of the embedding interface: values, references, functions, and what modules import and export.
//!
//! These types can leave a module: a concrete type in them carries the module's type section with it, as a [`DefinedType`].
//! Whether two of them match is decided in a store, by [`registry`], which also holds the rules of matching.

mod externs;
pub(crate) mod registry;
pub(crate) mod section;
pub(crate) mod shape;
#[cfg(test)]
mod tests;

pub(crate) use externs::PAGE_SIZE_LOG2;
pub use externs::{ExportType, ExternType, GlobalType, ImportType, MemoryType, TableType, TagType};
pub(crate) use registry::TypeRegistry;
pub(crate) use section::TypeSection;

use std::fmt;
use std::sync::Arc;
use wasmparser::{AbstractHeapType, CompositeInnerType};

/// A type defined in some module's type section.
///
/// Two `DefinedType`s are equal (`==`) when they are the same index of the same loaded module. Types of different modules may be
/// the same type all the same; stores decide that when they check imports and values.
#[derive(Clone)]
pub struct DefinedType {
    section: Arc<TypeSection>,
    index: u32,
}

impl DefinedType {
    pub(crate) fn new(section: &Arc<TypeSection>, index: u32) -> Self {
        DefinedType {
            section: section.clone(),
            index,
        }
    }

    pub(crate) fn section(&self) -> &Arc<TypeSection> {
        &self.section
    }

    /// The type's index in its module.
    pub fn index(&self) -> u32 {
        self.index
    }
}

impl PartialEq for DefinedType {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.section, &other.section) && self.index == other.index
    }
}

impl Eq for DefinedType {}

impl fmt::Debug for DefinedType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DefinedType({})", self.index)
    }
}

impl fmt::Display for DefinedType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.index)
    }
}

/// The hierarchies of heap types. All references of one hierarchy look alike to compiled code; a word of another never meets
/// them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeapTop {
    Func,
    Extern,
    Any,
    Exn,
    Cont,
}

/// Heap types (specification, section 2.3.4, and the stack-switching proposal's `cont` and `nocont`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeapType {
    /// Every function.
    Func,
    /// No function: only null has this type.
    NoFunc,
    /// Every host value.
    Extern,
    /// No host value.
    NoExtern,
    /// Every internal value.
    Any,
    /// Every internal value that can be compared.
    Eq,
    /// Unboxed 31-bit integers.
    I31,
    /// Every structure.
    Struct,
    /// Every array.
    Array,
    /// No internal value.
    None,
    /// Every exception.
    Exn,
    /// No exception.
    NoExn,
    /// Every continuation.
    Cont,
    /// No continuation.
    NoCont,
    /// A defined type.
    Concrete(DefinedType),
}

impl HeapType {
    /// The heap type that `heap` is in the module of `section`. A shared or exact type is taken for its plain form:
    /// parsing has refused the module in which it stands.
    pub(crate) fn in_section(section: &Arc<TypeSection>, heap: wasmparser::HeapType) -> Self {
        match heap {
            wasmparser::HeapType::Abstract { ty, .. } => match ty {
                AbstractHeapType::Func => HeapType::Func,
                AbstractHeapType::NoFunc => HeapType::NoFunc,
                AbstractHeapType::Extern => HeapType::Extern,
                AbstractHeapType::NoExtern => HeapType::NoExtern,
                AbstractHeapType::Any => HeapType::Any,
                AbstractHeapType::Eq => HeapType::Eq,
                AbstractHeapType::I31 => HeapType::I31,
                AbstractHeapType::Struct => HeapType::Struct,
                AbstractHeapType::Array => HeapType::Array,
                AbstractHeapType::None => HeapType::None,
                AbstractHeapType::Exn => HeapType::Exn,
                AbstractHeapType::NoExn => HeapType::NoExn,
                AbstractHeapType::Cont => HeapType::Cont,
                AbstractHeapType::NoCont => HeapType::NoCont,
            },
            wasmparser::HeapType::Concrete(index) | wasmparser::HeapType::Exact(index) => {
                HeapType::Concrete(DefinedType::new(section, section::module_index(index)))
            }
        }
    }

    /// The hierarchy that the type belongs to.
    pub(crate) fn top(&self) -> HeapTop {
        match self {
            HeapType::Func | HeapType::NoFunc => HeapTop::Func,
            HeapType::Extern | HeapType::NoExtern => HeapTop::Extern,
            HeapType::Any
            | HeapType::Eq
            | HeapType::I31
            | HeapType::Struct
            | HeapType::Array
            | HeapType::None => HeapTop::Any,
            HeapType::Exn | HeapType::NoExn => HeapTop::Exn,
            HeapType::Cont | HeapType::NoCont => HeapTop::Cont,
            HeapType::Concrete(ty) => match ty.section.get(ty.index).composite_type.inner {
                CompositeInnerType::Func(_) => HeapTop::Func,
                CompositeInnerType::Cont(_) => HeapTop::Cont,
                CompositeInnerType::Struct(_) | CompositeInnerType::Array(_) => HeapTop::Any,
            },
        }
    }
}

impl fmt::Display for HeapType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            HeapType::Func => "func",
            HeapType::NoFunc => "nofunc",
            HeapType::Extern => "extern",
            HeapType::NoExtern => "noextern",
            HeapType::Any => "any",
            HeapType::Eq => "eq",
            HeapType::I31 => "i31",
            HeapType::Struct => "struct",
            HeapType::Array => "array",
            HeapType::None => "none",
            HeapType::Exn => "exn",
            HeapType::NoExn => "noexn",
            HeapType::Cont => "cont",
            HeapType::NoCont => "nocont",
            HeapType::Concrete(ty) => return fmt::Display::fmt(ty, f),
        })
    }
}

/// Reference types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefType {
    pub(crate) nullable: bool,
    pub(crate) heap: HeapType,
}

impl RefType {
    /// `(ref null func)`.
    pub const FUNCREF: RefType = RefType {
        nullable: true,
        heap: HeapType::Func,
    };
    /// `(ref null extern)`.
    pub const EXTERNREF: RefType = RefType {
        nullable: true,
        heap: HeapType::Extern,
    };
    /// `(ref null exn)`.
    pub const EXNREF: RefType = RefType {
        nullable: true,
        heap: HeapType::Exn,
    };
    /// `(ref null cont)`.
    pub const CONTREF: RefType = RefType {
        nullable: true,
        heap: HeapType::Cont,
    };

    /// A reference to `heap`, or also null.
    pub fn new(nullable: bool, heap: HeapType) -> Self {
        RefType { nullable, heap }
    }

    pub(crate) fn in_section(section: &Arc<TypeSection>, ty: wasmparser::RefType) -> Self {
        RefType {
            nullable: ty.is_nullable(),
            heap: HeapType::in_section(section, ty.heap_type()),
        }
    }

    /// Whether null is one of the type's values.
    pub fn is_nullable(&self) -> bool {
        self.nullable
    }

    /// What the reference refers to.
    pub fn heap_type(&self) -> &HeapType {
        &self.heap
    }
}

impl fmt::Display for RefType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "(ref {}{})",
            if self.nullable { "null " } else { "" },
            self.heap
        )
    }
}

/// Value types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValType {
    /// 32-bit integers.
    I32,
    /// 64-bit integers.
    I64,
    /// 32-bit floats.
    F32,
    /// 64-bit floats.
    F64,
    /// 128-bit vectors.
    V128,
    /// References.
    Ref(RefType),
}

impl ValType {
    /// `(ref null func)`.
    pub const FUNCREF: ValType = ValType::Ref(RefType::FUNCREF);
    /// `(ref null extern)`.
    pub const EXTERNREF: ValType = ValType::Ref(RefType::EXTERNREF);
    /// `(ref null exn)`.
    pub const EXNREF: ValType = ValType::Ref(RefType::EXNREF);
    /// `(ref null cont)`.
    pub const CONTREF: ValType = ValType::Ref(RefType::CONTREF);

    pub(crate) fn in_section(section: &Arc<TypeSection>, ty: wasmparser::ValType) -> Self {
        match ty {
            wasmparser::ValType::I32 => ValType::I32,
            wasmparser::ValType::I64 => ValType::I64,
            wasmparser::ValType::F32 => ValType::F32,
            wasmparser::ValType::F64 => ValType::F64,
            wasmparser::ValType::V128 => ValType::V128,
            wasmparser::ValType::Ref(ty) => ValType::Ref(RefType::in_section(section, ty)),
        }
    }

    /// The reference type, if it is one.
    pub fn as_ref(&self) -> Option<&RefType> {
        match self {
            ValType::Ref(ty) => Some(ty),
            _ => None,
        }
    }
}

impl fmt::Display for ValType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ValType::I32 => "i32",
            ValType::I64 => "i64",
            ValType::F32 => "f32",
            ValType::F64 => "f64",
            ValType::V128 => "v128",
            ValType::Ref(ty) => return fmt::Display::fmt(ty, f),
        })
    }
}

/// Function types.
///
/// Two are equal (`==`) when their parameters and results are, wherever they were declared.
#[derive(Clone, Debug)]
pub struct FuncType {
    params: Arc<[ValType]>,
    results: Arc<[ValType]>,
    defined: Option<DefinedType>,
}

impl FuncType {
    /// A function type that no module declared: the same type as a final one without supertype, alone in its recursion group.
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

    /// The function type at `index` of a module. Panics if another kind of type stands there.
    pub(crate) fn in_section(section: &Arc<TypeSection>, index: u32) -> Self {
        let ty = section.func(index);
        let convert = |types: &[wasmparser::ValType]| {
            types
                .iter()
                .map(|&ty| ValType::in_section(section, ty))
                .collect()
        };
        FuncType {
            params: convert(ty.params()),
            results: convert(ty.results()),
            defined: Some(DefinedType::new(section, index)),
        }
    }

    /// Types of the parameters.
    pub fn params(&self) -> &[ValType] {
        &self.params
    }

    /// Types of the results.
    pub fn results(&self) -> &[ValType] {
        &self.results
    }

    /// The declaration in a module that this type comes from.
    pub fn defined(&self) -> Option<&DefinedType> {
        self.defined.as_ref()
    }
}

impl PartialEq for FuncType {
    fn eq(&self, other: &Self) -> bool {
        self.params == other.params && self.results == other.results
    }
}

impl Eq for FuncType {}

impl fmt::Display for FuncType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(func")?;
        for (keyword, types) in [("param", &self.params), ("result", &self.results)] {
            if !types.is_empty() {
                write!(f, " ({keyword}")?;
                types.iter().try_for_each(|ty| write!(f, " {ty}"))?;
                f.write_str(")")?;
            }
        }
        f.write_str(")")
    }
}
