//! Values, as hosts see them, and their form in the slots that compiled code reads.
//!
//! In a slot a number is its bits, and a reference one word: 0 for null, the address of a [`FuncRef`] or of an exception
//! object, a word of the `any` and `extern` hierarchies (see [`heap::object`](crate::runtime::heap::object)), or a
//! continuation's slot and generation.

use super::exn::ExnRef;
use super::extern_::check_store;
use super::func::Func;
use super::reference::{AnyRef, ExternRef, Reference};
use super::store::AsContext;
use crate::error::Error;
use crate::runtime::host::ensure_wasm_call;
use crate::runtime::layout::{FuncRef, ValRaw};
use crate::runtime::roots::Rooted;
use crate::runtime::store::StoreInner;
use crate::types::{HeapTop, HeapType, RefType, ValType};
use std::mem::MaybeUninit;
use std::ptr::NonNull;

/// A value. Floats are given as their bits, so that every NaN keeps its payload.
// The representation is for `NumberKind`.
#[derive(Clone, Copy, Debug)]
#[repr(u32)]
pub enum Val {
    /// A 32-bit integer.
    I32(i32) = Number::I32,
    /// A 64-bit integer.
    I64(i64) = Number::I64,
    /// The bits of a 32-bit float.
    F32(u32) = Number::F32,
    /// The bits of a 64-bit float.
    F64(u64) = Number::F64,
    /// The bits of a vector.
    V128(u128),
    /// A function, or null.
    FuncRef(Option<Func>),
    /// A host's reference, or null.
    ExternRef(Option<ExternRef>),
    /// An internal reference, or null.
    AnyRef(Option<AnyRef>),
    /// An exception, or null.
    ExnRef(Option<ExnRef>),
    /// A continuation, or null.
    ContRef(Option<ContRef>),
}

/// A type of numbers, for host functions that know theirs beforehand: what handles a number by this has no branch that would depend
/// on which type it is. (A table of jumps for each value took a good part of a call's time.)
#[derive(Clone, Copy, Debug)]
pub(crate) struct NumberKind(u32);

/// How a [`Val`] lies in memory if it is a number: its representation makes it a structure of the tag and of the variant's field.
#[repr(C)]
struct Number {
    /// One of the constants below.
    tag: u32,
    /// What an `I32` and an `F32` hold.
    narrow: u32,
    /// What an `I64` and an `F64` hold.
    wide: u64,
}

// A value has room for it, and is aligned well enough.
const _: () =
    assert!(size_of::<Number>() <= size_of::<Val>() && align_of::<Number>() <= align_of::<Val>());

impl Number {
    const I32: u32 = 0;
    const I64: u32 = 1;
    const F32: u32 = 2;
    const F64: u32 = 3;
}

impl NumberKind {
    /// `None` for vectors and references.
    pub fn of(ty: &ValType) -> Option<NumberKind> {
        Some(NumberKind(match ty {
            ValType::I32 => Number::I32,
            ValType::I64 => Number::I64,
            ValType::F32 => Number::F32,
            ValType::F64 => Number::F64,
            ValType::V128 | ValType::Ref(_) => return None,
        }))
    }

    /// Writes the number in a slot to its place.
    ///
    /// # Safety
    /// `place` may be written.
    #[inline]
    pub unsafe fn write(self, place: *mut Val, raw: &ValRaw) {
        let number = Number {
            tag: self.0,
            narrow: raw.lo as u32,
            wide: raw.lo,
        };
        // SAFETY: the caller's promise. The tag is one of a number, of which the fields hold the bits wherever it has them; a number
        // may have any.
        unsafe { place.cast::<Number>().write(number) };
    }

    /// Writes `value` to its slot; `false` if it is not a number of this type.
    ///
    /// # Safety
    /// `slot` may be written.
    #[inline]
    pub unsafe fn read(self, value: &Val, slot: *mut ValRaw) -> bool {
        let number = (&raw const *value).cast::<Number>();
        // SAFETY: every value begins with its tag. Once that is known, the field that is read is the variant's.
        let lo = unsafe {
            if (*number).tag != self.0 {
                return false;
            }
            // Of the tags of numbers, those of the wide ones are odd.
            if self.0 & 1 == 1 {
                (*number).wide
            } else {
                u64::from((*number).narrow)
            }
        };
        // SAFETY: the caller's promise.
        unsafe { slot.write(ValRaw { lo, hi: 0 }) };
        true
    }
}

/// A reference to a continuation.
///
/// Every method panics when it is used with another store than the one that the continuation belongs to, and when the scope of the
/// reference has ended: see [`Store`](crate::Store).
#[derive(Clone, Copy, Debug)]
pub struct ContRef {
    handle: Rooted,
    /// Canonical number of the continuation type under which it came to the host; none for `contref`.
    type_id: Option<u32>,
}

impl ContRef {
    /// Whether the continuation has been resumed, bound, thrown into or switched to since this reference was made.
    pub fn is_consumed(&self, store: impl AsContext) -> bool {
        let store = store.inner().0;
        let (_, current) = store.stacks.lookup(self.word(store));
        !current
    }

    /// The number that traces give the continuation; `None` when the engine does not trace.
    pub fn number(&self, store: impl AsContext) -> Option<u64> {
        let store = store.inner().0;
        store.tracer.as_ref()?.number(self.word(store))
    }

    fn word(&self, store: &StoreInner) -> u64 {
        check_store(store, self.handle.store_id(), "continuation");
        store.roots.borrow().word(&self.handle)
    }
}

impl Val {
    /// The null of the hierarchy that `ty` belongs to, or the number zero: the default value of a defaultable type. `None`
    /// for a reference that is not nullable.
    pub fn default_for(ty: &ValType) -> Option<Val> {
        Some(match ty {
            ValType::I32 => Val::I32(0),
            ValType::I64 => Val::I64(0),
            ValType::F32 => Val::F32(0),
            ValType::F64 => Val::F64(0),
            ValType::V128 => Val::V128(0),
            ValType::Ref(ty) if ty.is_nullable() => Val::null(ty.heap_type()),
            ValType::Ref(_) => return None,
        })
    }

    /// The null of the hierarchy that `heap` belongs to.
    pub fn null(heap: &HeapType) -> Val {
        match heap.top() {
            HeapTop::Func => Val::FuncRef(None),
            HeapTop::Extern => Val::ExternRef(None),
            HeapTop::Any => Val::AnyRef(None),
            HeapTop::Exn => Val::ExnRef(None),
            HeapTop::Cont => Val::ContRef(None),
        }
    }

    /// Whether it is a null reference.
    pub fn is_null(&self) -> bool {
        matches!(
            self,
            Val::FuncRef(None)
                | Val::ExternRef(None)
                | Val::AnyRef(None)
                | Val::ExnRef(None)
                | Val::ContRef(None)
        )
    }

    /// The slot's contents for a value that must be of type `ty`. A host function gets its compiled entry on the way, since
    /// compiled code may call it from now on.
    ///
    /// # Errors
    /// [`Error::Type`], when it is not of that type; what compiling an entry may fail with.
    ///
    /// # Panics
    /// When it belongs to another store.
    pub(crate) fn to_raw(self, store: &mut StoreInner, ty: &ValType) -> Result<ValRaw, Error> {
        if let Some(raw) = self.number(ty) {
            return Ok(raw);
        }
        match ty {
            ValType::Ref(reference) if self.matches(store, reference) => {
                let lo = self.ref_word(store)?;
                Ok(ValRaw { lo, hi: 0 })
            }
            ty => Err(Error::Type(format!(
                "expected a value of type {ty}, found {self:?}"
            ))),
        }
    }

    /// The slot's contents for a number or vector of type `ty`; `None` for references, and for a value of another type.
    #[inline]
    pub(crate) fn number(&self, ty: &ValType) -> Option<ValRaw> {
        let lo = match (self, ty) {
            (Val::I32(value), ValType::I32) => u64::from(*value as u32),
            (Val::I64(value), ValType::I64) => *value as u64,
            (Val::F32(bits), ValType::F32) => u64::from(*bits),
            (Val::F64(bits), ValType::F64) => *bits,
            (Val::V128(bits), ValType::V128) => return Some(ValRaw::from_bits(*bits)),
            _ => return None,
        };
        Some(ValRaw { lo, hi: 0 })
    }

    /// Whether a reference is of type `ty`.
    fn matches(&self, store: &mut StoreInner, ty: &RefType) -> bool {
        let heap = ty.heap_type();
        match self {
            Val::FuncRef(Some(func)) => {
                check_store(store, func.store_id, "function");
                // SAFETY: function references live as long as their store, and the store is the function's.
                let id = unsafe { func.func_ref.as_ref() }.type_id;
                store.types.id_matches_heap(id, heap)
            }
            Val::ExternRef(Some(_)) => *heap == HeapType::Extern,
            Val::AnyRef(Some(reference)) => reference.0.matches_any(store, heap),
            Val::ExnRef(Some(exn)) => {
                exn.word(store);
                *heap == HeapType::Exn
            }
            Val::ContRef(Some(cont)) => {
                cont.word(store);
                *heap == HeapType::Cont
                    || cont
                        .type_id
                        .is_some_and(|id| store.types.id_matches_heap(id, heap))
            }
            Val::FuncRef(None) => ty.is_nullable() && heap.top() == HeapTop::Func,
            Val::ExternRef(None) => ty.is_nullable() && heap.top() == HeapTop::Extern,
            Val::AnyRef(None) => ty.is_nullable() && heap.top() == HeapTop::Any,
            Val::ExnRef(None) => ty.is_nullable() && heap.top() == HeapTop::Exn,
            Val::ContRef(None) => ty.is_nullable() && heap.top() == HeapTop::Cont,
            Val::I32(_) | Val::I64(_) | Val::F32(_) | Val::F64(_) | Val::V128(_) => false,
        }
    }

    /// The word of a reference of this store; 0 for null and for what is none.
    fn ref_word(self, store: &mut StoreInner) -> Result<u64, Error> {
        Ok(match self {
            Val::FuncRef(Some(func)) => {
                let func = func.func_ref.as_ptr();
                // SAFETY: a function of this store; without a module there is none to keep alive.
                unsafe { ensure_wasm_call(store, func, None)? };
                func as u64
            }
            Val::ExternRef(Some(ExternRef(reference))) | Val::AnyRef(Some(AnyRef(reference))) => {
                reference.word(store)
            }
            Val::ExnRef(Some(exn)) => exn.word(store),
            Val::ContRef(Some(cont)) => cont.word(store),
            _ => 0,
        })
    }

    /// The value in a slot.
    ///
    /// # Safety
    /// The slot holds a value of type `ty`, and a reference in it belongs to `store`.
    pub(crate) unsafe fn from_raw(store: &StoreInner, raw: ValRaw, ty: &ValType) -> Val {
        let mut value = MaybeUninit::uninit();
        // SAFETY: the caller's promise; the value is written.
        unsafe {
            Val::write_raw(value.as_mut_ptr(), store, &raw, ty);
            value.assume_init()
        }
    }

    /// Writes the value in a slot to its place. A value is larger than what it mostly holds, and a processor waits when all of it is
    /// copied right after a part of it was written: that would take longer than the rest of a call.
    ///
    /// # Safety
    /// `place` may be written; the rest is as for [`from_raw`](Self::from_raw).
    #[inline]
    pub(crate) unsafe fn write_raw(
        place: *mut Val,
        store: &StoreInner,
        raw: &ValRaw,
        ty: &ValType,
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            match ty {
                ValType::I32 => place.write(Val::I32(raw.lo as i32)),
                ValType::I64 => place.write(Val::I64(raw.lo as i64)),
                ValType::F32 => place.write(Val::F32(raw.lo as u32)),
                ValType::F64 => place.write(Val::F64(raw.lo)),
                ValType::V128 => place.write(Val::V128(raw.bits())),
                ValType::Ref(ty) => place.write(Val::from_word(store, raw.lo, ty.heap_type())),
            }
        }
    }

    /// The value of a reference's word.
    ///
    /// # Safety
    /// The word is a reference of type `heap`, or null, and belongs to `store`.
    #[inline(never)]
    unsafe fn from_word(store: &StoreInner, word: u64, heap: &HeapType) -> Val {
        match heap.top() {
            HeapTop::Func => Val::FuncRef(
                NonNull::new(word as *mut FuncRef).map(|func| Func::from_raw(store.id, func)),
            ),
            HeapTop::Extern => {
                Val::ExternRef((word != 0).then(|| ExternRef(Reference::from_word(store, word))))
            }
            HeapTop::Any => {
                Val::AnyRef((word != 0).then(|| AnyRef(Reference::from_word(store, word))))
            }
            HeapTop::Exn => Val::ExnRef((word != 0).then(|| ExnRef::from_word(store, word))),
            HeapTop::Cont => Val::ContRef((word != 0).then(|| {
                let type_id = match heap {
                    HeapType::Concrete(ty) => store.types.known(ty),
                    _ => None,
                };
                ContRef {
                    handle: store.root(word),
                    type_id,
                }
            })),
        }
    }
}

impl From<i32> for Val {
    fn from(value: i32) -> Self {
        Val::I32(value)
    }
}

impl From<i64> for Val {
    fn from(value: i64) -> Self {
        Val::I64(value)
    }
}

impl From<f32> for Val {
    fn from(value: f32) -> Self {
        Val::F32(value.to_bits())
    }
}

impl From<f64> for Val {
    fn from(value: f64) -> Self {
        Val::F64(value.to_bits())
    }
}
