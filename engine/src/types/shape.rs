//! How structures and arrays lie in memory, header included.
//!
//! Fields stand in the order of their declaration, each aligned to its own size. So the fields that a subtype shares with its
//! supertype are at the same offsets, and code for the supertype works on both.

use super::{HeapTop, HeapType, TypeSection};
use std::sync::Arc;
use wasmparser::{CompositeInnerType, FieldType, StorageType, ValType};

/// Bytes of the header before the first field: the type's canonical number, and an array's length.
const HEADER: u32 = 8;

/// The layout of a structure type or an array type.
#[derive(Debug)]
pub(crate) enum Shape {
    Struct(StructShape),
    Array(ArrayShape),
}

/// The layout of a structure.
#[derive(Debug)]
pub(crate) struct StructShape {
    /// Byte offset of every field.
    pub offsets: Box<[u32]>,
    /// Bytes of an object.
    pub size: u32,
    /// Byte offsets of the fields through which the collector finds other objects.
    pub references: Box<[u32]>,
}

/// The layout of an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ArrayShape {
    /// Byte offset of the first element.
    pub base: u32,
    /// log2 of an element's size in bytes.
    pub shift: u32,
    /// Whether the collector finds other objects through the elements.
    pub references: bool,
}

impl Shape {
    /// The layout of the type at `index`; `None` for functions and continuations.
    pub fn of(section: &Arc<TypeSection>, index: u32) -> Option<Shape> {
        match &section.get(index).composite_type.inner {
            CompositeInnerType::Struct(_) => Some(Shape::Struct(StructShape::of(section, index))),
            CompositeInnerType::Array(_) => Some(Shape::Array(ArrayShape::of(section, index))),
            CompositeInnerType::Func(_) | CompositeInnerType::Cont(_) => None,
        }
    }
}

impl StructShape {
    /// The layout of the structure type at `index`. Panics if another kind of type stands there.
    pub fn of(section: &Arc<TypeSection>, index: u32) -> StructShape {
        let fields = &section.get(index).unwrap_struct().fields;
        let mut size = HEADER;
        let (mut offsets, mut references) = (Vec::with_capacity(fields.len()), Vec::new());
        for field in fields {
            let bytes = 1 << shift(field);
            size = size.next_multiple_of(bytes);
            offsets.push(size);
            if is_traced(section, field) {
                references.push(size);
            }
            size += bytes;
        }
        StructShape {
            offsets: offsets.into(),
            size,
            references: references.into(),
        }
    }
}

impl ArrayShape {
    /// The layout of the array type at `index`. Panics if another kind of type stands there.
    pub fn of(section: &Arc<TypeSection>, index: u32) -> ArrayShape {
        let field = section.get(index).unwrap_array().0;
        let shift = shift(&field);
        ArrayShape {
            base: HEADER.next_multiple_of(1 << shift),
            shift,
            references: is_traced(section, &field),
        }
    }

    /// Bytes of an array of `length` elements.
    pub fn size(&self, length: u32) -> u64 {
        u64::from(self.base) + (u64::from(length) << self.shift)
    }
}

/// log2 of a field's size in bytes.
fn shift(field: &FieldType) -> u32 {
    match field.element_type {
        StorageType::I8 => 0,
        StorageType::I16 => 1,
        StorageType::Val(ValType::I32 | ValType::F32) => 2,
        StorageType::Val(ValType::I64 | ValType::F64 | ValType::Ref(_)) => 3,
        StorageType::Val(ValType::V128) => 4,
    }
}

/// Whether a field may refer to something that is collected. Functions live as long as their store.
fn is_traced(section: &Arc<TypeSection>, field: &FieldType) -> bool {
    match field.element_type {
        StorageType::Val(ValType::Ref(ty)) => {
            HeapType::in_section(section, ty.heap_type()).top() != HeapTop::Func
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(text: &str) -> Arc<TypeSection> {
        let wasm = wat::parse_str(text).expect("the text parses");
        crate::module::parse::parse(&wasm)
            .expect("the module is valid")
            .info
            .types
    }

    #[test]
    fn fields_are_aligned_and_those_of_a_supertype_come_first() {
        let section = section(
            "(module
               (type $a (sub (struct (field i8) (field i64) (field (mut i16)))))
               (type $b (sub $a (struct (field i8) (field i64) (field (mut i16)) (field anyref) (field funcref) (field v128)))))",
        );
        let (a, b) = (StructShape::of(&section, 0), StructShape::of(&section, 1));
        assert_eq!(*a.offsets, [8, 16, 24]);
        assert_eq!(a.size, 26);
        assert_eq!(*b.offsets, [8, 16, 24, 32, 40, 48]);
        assert_eq!(*b.references, [32]);
        assert_eq!(b.size, 64);
    }

    #[test]
    fn elements_are_aligned() {
        let section = section(
            "(module (type (array i8)) (type (array v128)) (type $f (func)) (type $k (cont $f)) (type (array (ref null $k)))
               (type (array (ref null $f))))",
        );
        let shape = |index| ArrayShape::of(&section, index);
        assert_eq!((shape(0).base, shape(0).size(3)), (8, 11));
        assert_eq!((shape(1).base, shape(1).size(2)), (16, 48));
        assert!(shape(4).references);
        assert!(!shape(5).references);
    }
}
