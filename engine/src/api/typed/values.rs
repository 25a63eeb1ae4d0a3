//! Rust types that are Wasm types.

use crate::api::exn::ExnRef;
use crate::api::func::Func;
use crate::api::reference::ExternRef;
use crate::api::val::{ContRef, Val};
use crate::error::Error;
use crate::runtime::layout::ValRaw;
use crate::runtime::store::StoreInner;
use crate::types::{HeapType, RefType, ValType};

/// A Rust type that stands for one Wasm type. Integers of either signedness stand for Wasm's; `Option<Func>` is `funcref`, and so on.
///
/// # Safety
/// `Abi` is what Cranelift passes for `val_type()` in C's registers.
pub unsafe trait WasmTy: Copy + 'static {
    #[doc(hidden)]
    type Abi: Abi;
    #[doc(hidden)]
    fn val_type() -> ValType;
    #[doc(hidden)]
    fn into_abi(self, store: &mut StoreInner) -> Result<Self::Abi, Error>;
    /// # Safety
    /// `abi` is a value of the type, and a reference belongs to `store`.
    #[doc(hidden)]
    unsafe fn from_abi(store: &StoreInner, abi: Self::Abi) -> Self;
}

/// A value as it travels in a register.
#[doc(hidden)]
pub trait Abi: Copy {
    const ZERO: Self;
    fn to_slot(self) -> ValRaw;
    fn from_slot(slot: ValRaw) -> Self;
}

macro_rules! abi {
    ($ty:ty, $zero:literal, $value:ident => $to:expr, $word:ident => $from:expr) => {
        impl Abi for $ty {
            const ZERO: Self = $zero;
            fn to_slot(self) -> ValRaw {
                let $value = self;
                ValRaw { lo: $to, hi: 0 }
            }
            fn from_slot(slot: ValRaw) -> Self {
                let $word = slot.lo;
                $from
            }
        }
    };
}

abi!(u32, 0, value => u64::from(value), word => word as u32);
abi!(u64, 0, value => value, word => word);
abi!(f32, 0.0, value => u64::from(value.to_bits()), word => f32::from_bits(word as u32));
abi!(f64, 0.0, value => value.to_bits(), word => f64::from_bits(word));

macro_rules! number {
    ($ty:ty, $abi:ty, $val_type:ident) => {
        // SAFETY: the register type has the size and the class of the Wasm type.
        unsafe impl WasmTy for $ty {
            type Abi = $abi;
            fn val_type() -> ValType {
                ValType::$val_type
            }
            #[inline]
            fn into_abi(self, _: &mut StoreInner) -> Result<$abi, Error> {
                Ok(self as $abi)
            }
            #[inline]
            unsafe fn from_abi(_: &StoreInner, abi: $abi) -> Self {
                abi as $ty
            }
        }
    };
}

number!(i32, u32, I32);
number!(u32, u32, I32);
number!(i64, u64, I64);
number!(u64, u64, I64);
number!(f32, f32, F32);
number!(f64, f64, F64);

macro_rules! reference {
    ($ty:ident, $variant:ident, $heap:ident) => {
        // SAFETY: all references are one word.
        unsafe impl WasmTy for Option<$ty> {
            type Abi = u64;
            fn val_type() -> ValType {
                ValType::Ref(RefType::new(true, HeapType::$heap))
            }
            fn into_abi(self, store: &mut StoreInner) -> Result<u64, Error> {
                Ok(Val::$variant(self).to_raw(store, &Self::val_type())?.lo)
            }
            unsafe fn from_abi(store: &StoreInner, abi: u64) -> Self {
                // SAFETY: the caller's promise.
                match unsafe { Val::from_raw(store, Abi::to_slot(abi), &Self::val_type()) } {
                    Val::$variant(value) => value,
                    other => unreachable!("{other:?} is not of the type that was asked for"),
                }
            }
        }
    };
}

reference!(Func, FuncRef, Func);
reference!(ExternRef, ExternRef, Extern);
reference!(ExnRef, ExnRef, Exn);
reference!(ContRef, ContRef, Cont);
