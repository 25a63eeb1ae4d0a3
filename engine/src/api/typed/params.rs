//! Lists of types: parameters and results.

use super::values::{Abi, WasmTy};
use crate::error::Error;
use crate::runtime::entry::Status;
use crate::runtime::layout::ValRaw;
use crate::runtime::store::StoreInner;
use crate::types::ValType;
use std::ffi::c_void;

/// The parameters of a function: one [`WasmTy`] or a tuple of up to 16.
///
/// # Safety
/// `call` passes the parameters as `FuncRef::native_call` says.
pub unsafe trait WasmParams {
    #[doc(hidden)]
    const COUNT: usize;
    #[doc(hidden)]
    type Abi: Copy;
    #[doc(hidden)]
    fn val_types() -> Vec<ValType>;
    #[doc(hidden)]
    fn into_abi(self, store: &mut StoreInner) -> Result<Self::Abi, Error>;
    /// # Safety
    /// `code` is the `native_call` of `callee`, a function of these parameters and results, `context` what it takes as its
    /// context, and `slots` has room for its results.
    #[doc(hidden)]
    unsafe fn call<R: WasmResults>(
        words: Self::Abi,
        code: *const u8,
        callee: *const c_void,
        context: *mut c_void,
        slots: *mut ValRaw,
    ) -> R::Returned;
    /// Writes the parameters to `slots`.
    ///
    /// # Safety
    /// `slots` has room for them.
    #[doc(hidden)]
    unsafe fn write_slots(words: &Self::Abi, slots: *mut ValRaw);
}

/// The results of a function: nothing (`()`), one [`WasmTy`], or a tuple of up to 16.
///
/// # Safety
/// `Returned` is what `FuncRef::native_call` returns for these results.
pub unsafe trait WasmResults: Sized {
    #[doc(hidden)]
    const COUNT: usize;
    #[doc(hidden)]
    type Returned: Copy;
    #[doc(hidden)]
    fn val_types() -> Vec<ValType>;
    #[doc(hidden)]
    fn status(returned: &Self::Returned) -> u64;
    /// The results after a typed call that has returned.
    ///
    /// # Safety
    /// The call was to a function of these results in `store`; if there are several, `slots` is what it was given.
    #[doc(hidden)]
    unsafe fn take(store: &StoreInner, returned: Self::Returned, slots: *const ValRaw) -> Self;
    /// The results after an untyped call that has returned.
    ///
    /// # Safety
    /// `slots` holds results of these types, of `store`.
    #[doc(hidden)]
    unsafe fn from_slots(store: &StoreInner, slots: *const ValRaw) -> Self;
    /// What a typed host function returns. Several results are written to `slots`.
    ///
    /// # Safety
    /// `slots` has room for the results if there are several.
    #[doc(hidden)]
    unsafe fn give(
        self,
        store: &mut StoreInner,
        slots: *mut ValRaw,
    ) -> Result<Self::Returned, Error>;
    /// What a typed host function returns that has failed.
    #[doc(hidden)]
    fn failed() -> Self::Returned;
    /// The results that [`give`](Self::give) has given.
    ///
    /// # Safety
    /// `slots` is what `give` was called with.
    #[doc(hidden)]
    unsafe fn slots(returned: &Self::Returned, slots: *const ValRaw) -> Vec<ValRaw>;
}

/// What `native_call` returns: C gives a structure of two words back in two registers.
#[doc(hidden)]
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Returned<T> {
    status: u64,
    value: T,
}

impl<T> Returned<T> {
    fn new(status: Status, value: T) -> Self {
        let status = status as u64;
        Returned { status, value }
    }
}

// SAFETY: without a result, the status alone is returned.
unsafe impl WasmResults for () {
    const COUNT: usize = 0;
    type Returned = Returned<()>;
    fn val_types() -> Vec<ValType> {
        Vec::new()
    }
    fn status(returned: &Returned<()>) -> u64 {
        returned.status
    }
    unsafe fn take(_: &StoreInner, _: Returned<()>, _: *const ValRaw) {}
    unsafe fn from_slots(_: &StoreInner, _: *const ValRaw) {}
    unsafe fn give(self, _: &mut StoreInner, _: *mut ValRaw) -> Result<Returned<()>, Error> {
        Ok(Returned::new(Status::Returned, ()))
    }
    fn failed() -> Returned<()> {
        Returned::new(Status::HostFailed, ())
    }
    unsafe fn slots(_: &Returned<()>, _: *const ValRaw) -> Vec<ValRaw> {
        Vec::new()
    }
}

// SAFETY: the result is the second value.
unsafe impl<A: WasmTy> WasmResults for A {
    const COUNT: usize = 1;
    type Returned = Returned<A::Abi>;
    fn val_types() -> Vec<ValType> {
        vec![A::val_type()]
    }
    fn status(returned: &Self::Returned) -> u64 {
        returned.status
    }
    unsafe fn take(store: &StoreInner, returned: Self::Returned, _: *const ValRaw) -> Self {
        // SAFETY: the caller's promise.
        unsafe { A::from_abi(store, returned.value) }
    }
    unsafe fn from_slots(store: &StoreInner, slots: *const ValRaw) -> Self {
        // SAFETY: the caller's promise.
        unsafe { A::from_abi(store, A::Abi::from_slot(*slots)) }
    }
    unsafe fn give(self, store: &mut StoreInner, _: *mut ValRaw) -> Result<Self::Returned, Error> {
        Ok(Returned::new(Status::Returned, self.into_abi(store)?))
    }
    fn failed() -> Self::Returned {
        Returned::new(Status::HostFailed, A::Abi::ZERO)
    }
    unsafe fn slots(returned: &Self::Returned, _: *const ValRaw) -> Vec<ValRaw> {
        vec![returned.value.to_slot()]
    }
}

// SAFETY: as of the type itself.
unsafe impl<A: WasmTy> WasmResults for (A,) {
    const COUNT: usize = 1;
    type Returned = <A as WasmResults>::Returned;
    fn val_types() -> Vec<ValType> {
        <A as WasmResults>::val_types()
    }
    fn status(returned: &Self::Returned) -> u64 {
        <A as WasmResults>::status(returned)
    }
    unsafe fn take(store: &StoreInner, returned: Self::Returned, slots: *const ValRaw) -> Self {
        // SAFETY: the caller's promise.
        (unsafe { <A as WasmResults>::take(store, returned, slots) },)
    }
    unsafe fn from_slots(store: &StoreInner, slots: *const ValRaw) -> Self {
        // SAFETY: the caller's promise.
        (unsafe { <A as WasmResults>::from_slots(store, slots) },)
    }
    unsafe fn give(
        self,
        store: &mut StoreInner,
        slots: *mut ValRaw,
    ) -> Result<Self::Returned, Error> {
        // SAFETY: the caller's promise.
        unsafe { self.0.give(store, slots) }
    }
    fn failed() -> Self::Returned {
        <A as WasmResults>::failed()
    }
    unsafe fn slots(returned: &Self::Returned, slots: *const ValRaw) -> Vec<ValRaw> {
        // SAFETY: the caller's promise.
        unsafe { <A as WasmResults>::slots(returned, slots) }
    }
}

// SAFETY: one parameter is passed as a list of one.
unsafe impl<A: WasmTy> WasmParams for A {
    const COUNT: usize = 1;
    type Abi = <(A,) as WasmParams>::Abi;
    fn val_types() -> Vec<ValType> {
        <(A,) as WasmParams>::val_types()
    }
    #[inline]
    fn into_abi(self, store: &mut StoreInner) -> Result<Self::Abi, Error> {
        WasmParams::into_abi((self,), store)
    }
    #[inline]
    unsafe fn call<R: WasmResults>(
        words: Self::Abi,
        code: *const u8,
        callee: *const c_void,
        context: *mut c_void,
        slots: *mut ValRaw,
    ) -> R::Returned {
        // SAFETY: the caller's promise.
        unsafe { <(A,) as WasmParams>::call::<R>(words, code, callee, context, slots) }
    }
    unsafe fn write_slots(words: &Self::Abi, slots: *mut ValRaw) {
        // SAFETY: the caller's promise.
        unsafe { <(A,) as WasmParams>::write_slots(words, slots) }
    }
}

macro_rules! params {
    ($($ty:ident $value:ident),*) => {
        // SAFETY: the function types below are `native_call`'s.
        #[allow(non_snake_case, unused, reason = "there may be no parameters")]
        unsafe impl<$($ty: WasmTy),*> WasmParams for ($($ty,)*) {
            const COUNT: usize = { const NAMES: &[&str] = &[$(stringify!($ty)),*]; NAMES.len() };
            type Abi = ($($ty::Abi,)*);
            fn val_types() -> Vec<ValType> {
                vec![$($ty::val_type()),*]
            }
            #[inline]
            fn into_abi(self, store: &mut StoreInner) -> Result<Self::Abi, Error> {
                let ($($value,)*) = self;
                Ok(($($value.into_abi(store)?,)*))
            }
            #[inline]
            unsafe fn call<R: WasmResults>(
                ($($value,)*): Self::Abi,
                code: *const u8,
                callee: *const c_void,
                context: *mut c_void,
                slots: *mut ValRaw,
            ) -> R::Returned {
                if R::COUNT > 1 {
                    type InMemory<R, $($ty),*> = unsafe extern "C" fn(
                        *const c_void, *mut c_void, *mut ValRaw, $($ty),*
                    ) -> R;
                    // SAFETY: the caller's promise.
                    unsafe {
                        let code = std::mem::transmute::<
                            *const u8, InMemory<R::Returned, $($ty::Abi),*>
                        >(code);
                        code(callee, context, slots, $($value),*)
                    }
                } else {
                    type InRegisters<R, $($ty),*> = unsafe extern "C" fn(
                        *const c_void, *mut c_void, $($ty),*
                    ) -> R;
                    // SAFETY: the caller's promise.
                    unsafe {
                        let code = std::mem::transmute::<
                            *const u8, InRegisters<R::Returned, $($ty::Abi),*>
                        >(code);
                        code(callee, context, $($value),*)
                    }
                }
            }
            unsafe fn write_slots(words: &Self::Abi, slots: *mut ValRaw) {
                let ($($value,)*) = *words;
                let values: &[ValRaw] = &[$($value.to_slot()),*];
                // SAFETY: the caller's promise.
                unsafe { slots.copy_from_nonoverlapping(values.as_ptr(), values.len()) };
            }
        }
    };
}

macro_rules! results {
    ($($ty:ident $index:tt),*) => {
        // SAFETY: the status is returned, the results are in memory.
        unsafe impl<$($ty: WasmTy),*> WasmResults for ($($ty,)*) {
            const COUNT: usize = { const NAMES: &[&str] = &[$(stringify!($ty)),*]; NAMES.len() };
            type Returned = Returned<()>;
            fn val_types() -> Vec<ValType> {
                vec![$($ty::val_type()),*]
            }
            fn status(returned: &Self::Returned) -> u64 {
                returned.status
            }
            unsafe fn take(
                store: &StoreInner,
                _: Self::Returned,
                slots: *const ValRaw,
            ) -> Self {
                // SAFETY: the caller's promise.
                unsafe { Self::from_slots(store, slots) }
            }
            unsafe fn from_slots(store: &StoreInner, slots: *const ValRaw) -> Self {
                // SAFETY: the caller's promise.
                unsafe { ($($ty::from_abi(store, $ty::Abi::from_slot(*slots.add($index))),)*) }
            }
            unsafe fn give(
                self,
                store: &mut StoreInner,
                slots: *mut ValRaw,
            ) -> Result<Self::Returned, Error> {
                // SAFETY: the caller's promise.
                unsafe { $(slots.add($index).write(self.$index.into_abi(store)?.to_slot());)* }
                Ok(Returned::new(Status::Returned, ()))
            }
            fn failed() -> Self::Returned {
                Returned::new(Status::HostFailed, ())
            }
            unsafe fn slots(_: &Self::Returned, slots: *const ValRaw) -> Vec<ValRaw> {
                // SAFETY: the caller's promise.
                unsafe { std::slice::from_raw_parts(slots, <Self as WasmResults>::COUNT) }.to_vec()
            }
        }
    };
}

/// Calls `$macro` with every list of up to sixteen types.
macro_rules! for_each_arity {
    ($macro:ident) => {
        for_each_arity!(@ $macro []
            A1 a1, A2 a2, A3 a3, A4 a4, A5 a5, A6 a6, A7 a7, A8 a8,
            A9 a9, A10 a10, A11 a11, A12 a12, A13 a13, A14 a14, A15 a15, A16 a16,);
    };
    (@ $macro:ident [$($done:ident $value:ident),*]) => {
        $macro!($($done $value),*);
    };
    (@ $macro:ident [$($done:ident $value:ident),*] $next:ident $next_value:ident, $($rest:tt)*) => {
        $macro!($($done $value),*);
        for_each_arity!(@ $macro [$($done $value,)* $next $next_value] $($rest)*);
    };
}
pub(super) use for_each_arity;

for_each_arity!(params);

results!(A 0, B 1);
results!(A 0, B 1, C 2);
results!(A 0, B 1, C 2, D 3);
results!(A 0, B 1, C 2, D 3, E 4);
results!(A 0, B 1, C 2, D 3, E 4, F 5);
results!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
results!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
results!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8);
results!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9);
results!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10);
results!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11);
results!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11, M 12);
results!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11, M 12, N 13);
results!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11, M 12, N 13, O 14);
results!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11, M 12, N 13, O 14, P 15);
