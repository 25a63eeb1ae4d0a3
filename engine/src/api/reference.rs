//! References to what a store creates and collects, as hosts see them: objects, and what `extern` stands for.

use super::extern_::check_store;
use super::store::AsContext;
use super::val::Val;
use crate::runtime::aggregate;
use crate::runtime::heap::object::{AnyWord, Header};
use crate::runtime::roots::Rooted;
use crate::runtime::store::StoreInner;
use crate::types::shape::Shape;
use crate::types::{DefinedType, HeapType, ValType};
use wasmparser::{FieldType, StorageType};

/// A reference of the `any` hierarchy: a structure, an array, an `i31`, or a host's reference that was made internal.
///
/// Every method that takes a store panics when that is another one than the object's, and when the scope of the reference has ended:
/// see [`Store`](crate::Store).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AnyRef(pub(crate) Reference);

/// A reference of the `extern` hierarchy: a number of the host's choice, or what `extern.convert_any` made external.
///
/// As an [`AnyRef`] it belongs to a store, unless it stands for a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ExternRef(pub(crate) Reference);

/// What both hierarchies refer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reference {
    /// Sign-extended from 31 bits.
    I31(i32),
    Host(u64),
    Object(Rooted),
}

/// What an [`AnyRef`] refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnyKind {
    /// An unboxed integer, sign-extended.
    I31(i32),
    /// A host's reference.
    Extern(ExternRef),
    /// A structure of this type.
    Struct(DefinedType),
    /// An array of this type.
    Array(DefinedType),
}

impl ExternRef {
    /// The reference that stands for `value`.
    pub fn new(value: u64) -> Self {
        ExternRef(Reference::Host(value))
    }

    /// What it stands for; `None` for what was made external.
    pub fn value(&self) -> Option<u64> {
        match self.0 {
            Reference::Host(value) => Some(value),
            Reference::I31(_) | Reference::Object(_) => None,
        }
    }

    /// `any.convert_extern`
    pub fn to_any(&self) -> AnyRef {
        AnyRef(self.0)
    }
}

impl AnyRef {
    /// `ref.i31`: the low 31 bits of `value`.
    pub fn i31(value: i32) -> Self {
        AnyRef(Reference::I31(value << 1 >> 1))
    }

    /// `extern.convert_any`
    pub fn to_extern(&self) -> ExternRef {
        ExternRef(self.0)
    }

    /// What it refers to. The type is the first declaration of an object's type that the store has met.
    pub fn kind(&self, store: impl AsContext) -> AnyKind {
        match self.0 {
            Reference::I31(value) => AnyKind::I31(value),
            Reference::Host(_) => AnyKind::Extern(self.to_extern()),
            Reference::Object(handle) => {
                let store = store.inner().0;
                let declared = store.types.declaration(header(store, &handle).1.type_id);
                match shape_of(declared) {
                    Shape::Struct(_) => AnyKind::Struct(declared.clone()),
                    Shape::Array(_) => AnyKind::Array(declared.clone()),
                }
            }
        }
    }

    /// The fields of a structure or the elements of an array, packed ones zero-extended; empty for what is neither.
    pub fn fields(&self, store: impl AsContext) -> Vec<Val> {
        let Reference::Object(handle) = self.0 else {
            return Vec::new();
        };
        let store = store.inner().0;
        let (object, Header { type_id, length }) = header(store, &handle);
        let declared = store.types.declaration(type_id);
        let ty = declared.section().get(declared.index());
        let value = |offset: u64, field: &FieldType| {
            let ty = match field.element_type {
                StorageType::I8 | StorageType::I16 => ValType::I32,
                StorageType::Val(ty) => ValType::in_section(declared.section(), ty),
            };
            // SAFETY: the object is alive, as `header` has checked, and has this field, by its type's shape.
            unsafe { Val::from_raw(store, aggregate::read(object, offset, field), &ty) }
        };
        match store.types.shape(type_id) {
            Shape::Struct(shape) => {
                let fields = ty.unwrap_struct().fields.iter();
                fields
                    .zip(&shape.offsets)
                    .map(|(field, &offset)| value(offset.into(), field))
                    .collect()
            }
            Shape::Array(shape) => {
                let element = ty.unwrap_array().0;
                (0..u64::from(length))
                    .map(|index| value(u64::from(shape.base) + (index << shape.shift), &element))
                    .collect()
            }
        }
    }
}

/// The object behind a handle, and its header.
fn header(store: &StoreInner, handle: &Rooted) -> (*const Header, Header) {
    check_store(store, handle.store_id(), "object");
    let object = store.roots.borrow().word(handle) as *const Header;
    // SAFETY: the handle's scope has not ended, so the object is alive.
    (object, unsafe { *object })
}

fn shape_of(declared: &DefinedType) -> Shape {
    Shape::of(declared.section(), declared.index()).expect("objects are structures and arrays")
}

impl Reference {
    /// What a word of the `any` or `extern` hierarchy that is not null refers to.
    pub fn from_word(store: &StoreInner, word: u64) -> Reference {
        match AnyWord::decode(word) {
            AnyWord::I31(value) => Reference::I31(value),
            AnyWord::Host(index) => Reference::Host(store.externs[index]),
            AnyWord::Object(_) => Reference::Object(store.root(word)),
        }
    }

    /// The word. Panics if the reference is another store's, or its scope has ended.
    pub fn word(&self, store: &mut StoreInner) -> u64 {
        match self {
            Reference::I31(value) => AnyWord::I31(*value).encode(),
            Reference::Host(value) => store.extern_word(*value),
            Reference::Object(handle) => header(store, handle).0 as u64,
        }
    }

    /// Whether it is one of the references of the `any` hierarchy's type `heap`.
    pub fn matches_any(&self, store: &mut StoreInner, heap: &HeapType) -> bool {
        match self {
            Reference::I31(_) => matches!(heap, HeapType::I31 | HeapType::Eq | HeapType::Any),
            Reference::Host(_) => *heap == HeapType::Any,
            Reference::Object(handle) => {
                let id = header(store, handle).1.type_id;
                store.types.id_matches_heap(id, heap)
            }
        }
    }
}
