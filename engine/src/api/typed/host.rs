//! Closures as host functions.

use super::params::{WasmParams, WasmResults, for_each_arity};
use super::values::{Abi, WasmTy};
use crate::api::store::Caller;
use crate::error::Error;
use crate::runtime::host::{HostParts, run_array, run_typed};
use crate::runtime::layout::{ArrayCall, FuncRef, ValRaw};
use crate::runtime::store::StoreInner;
use crate::types::FuncType;
use std::ffi::c_void;
use std::ptr;
use std::sync::Arc;

/// What a host function's closure returns: its results, or a `Result` of them.
pub trait WasmRet {
    #[doc(hidden)]
    type Results: WasmResults;
    #[doc(hidden)]
    fn into_result(self) -> Result<Self::Results, Error>;
}

impl<R: WasmResults> WasmRet for R {
    type Results = R;
    fn into_result(self) -> Result<R, Error> {
        Ok(self)
    }
}

impl<R: WasmResults> WasmRet for Result<R, Error> {
    type Results = R;
    fn into_result(self) -> Result<R, Error> {
        self
    }
}

/// A closure that can be a host function of stores of `T`: `Fn(params…) -> results`, or `Fn(Caller<'_, T>, params…) -> results`, with
/// up to 16 parameters.
pub trait IntoFunc<T, P, R>: 'static {
    #[doc(hidden)]
    fn parts(this: Arc<Self>) -> HostParts;
}

/// A host function out of a closure and its entries. The number of results says which of the typed ones it has.
fn parts<P: WasmParams, R: WasmResults, F: 'static>(
    closure: Arc<F>,
    array_call: ArrayCall,
    in_registers: *const u8,
    in_memory: *const u8,
) -> HostParts {
    HostParts {
        ty: FuncType::new(P::val_types(), R::val_types()),
        array_call,
        native_call: if R::COUNT > 1 {
            in_memory
        } else {
            in_registers
        },
        closure,
    }
}

/// Puts results where an `array_call` has them.
///
/// # Safety
/// `slots` has room for the results.
unsafe fn give_slots<R: WasmResults>(
    results: R,
    store: &mut StoreInner,
    slots: *mut ValRaw,
) -> Result<(), Error> {
    // SAFETY: the caller's promise.
    unsafe {
        let returned = results.give(store, slots)?;
        if R::COUNT == 1 {
            slots.write(R::slots(&returned, slots)[0]);
        }
    }
    Ok(())
}

macro_rules! into_func {
    (@ ($($caller:ident)?) ($store:ident => $caller_value:expr) $($ty:ident $value:ident),*) => {
        #[allow(
            unused,
            non_snake_case,
            clippy::extra_unused_type_parameters,
            reason = "there may be no parameters, and no caller"
        )]
        impl<T: 'static, Closure, R, $($ty: WasmTy),*> IntoFunc<T, ($($caller<'_, T>,)? $($ty,)*), R>
            for Closure
        where
            Closure: for<'a> Fn($($caller<'a, T>,)? $($ty),*) -> R + 'static,
            R: WasmRet,
        {
            fn parts(this: Arc<Self>) -> HostParts {
                /// # Safety
                /// As for `FuncRef::native_call`, with the closure as the host function's data.
                unsafe extern "C" fn in_registers<T: 'static, Closure, R, $($ty: WasmTy),*>(
                    callee: *const c_void,
                    _: *mut c_void,
                    $($value: $ty::Abi),*
                ) -> <R::Results as WasmResults>::Returned
                where
                    Closure: for<'a> Fn($($caller<'a, T>,)? $($ty),*) -> R,
                    R: WasmRet,
                {
                    // SAFETY: compiled code of the store, or a host that holds it, calls this with arguments of the types; `data` is
                    // the closure that `parts` was given.
                    unsafe {
                        run_typed(callee, ptr::null_mut(), move || vec![$($value.to_slot()),*], |$store, data| {
                            let closure = &*data.cast::<Closure>();
                            $(let $value = $ty::from_abi(&*$store, $value);)*
                            closure($($caller_value as $caller<'_, T>,)? $($value),*).into_result()
                        })
                    }
                }
                /// # Safety
                /// As above, with room for the results in `slots`.
                unsafe extern "C" fn in_memory<T: 'static, Closure, R, $($ty: WasmTy),*>(
                    callee: *const c_void,
                    _: *mut c_void,
                    slots: *mut ValRaw,
                    $($value: $ty::Abi),*
                ) -> <R::Results as WasmResults>::Returned
                where
                    Closure: for<'a> Fn($($caller<'a, T>,)? $($ty),*) -> R,
                    R: WasmRet,
                {
                    // SAFETY: as above.
                    unsafe {
                        run_typed(callee, slots, move || vec![$($value.to_slot()),*], |$store, data| {
                            let closure = &*data.cast::<Closure>();
                            $(let $value = $ty::from_abi(&*$store, $value);)*
                            closure($($caller_value as $caller<'_, T>,)? $($value),*).into_result()
                        })
                    }
                }
                /// # Safety
                /// As for `FuncRef::array_call`, with the closure as the host function's.
                unsafe extern "C" fn in_array<T: 'static, Closure, R, $($ty: WasmTy),*>(
                    callee: *const FuncRef,
                    _: *mut c_void,
                    values: *mut ValRaw,
                    len: usize,
                ) -> bool
                where
                    Closure: for<'a> Fn($($caller<'a, T>,)? $($ty),*) -> R,
                    R: WasmRet,
                {
                    // SAFETY: as above; `values` holds arguments of the types, and has room for the results.
                    unsafe {
                        run_array(callee, values, len, |$store, _, data| {
                            let closure = &*data.cast::<Closure>();
                            let slots = values;
                            $(
                                let $value = $ty::from_abi(&*$store, Abi::from_slot(*slots));
                                let slots = slots.add(1);
                            )*
                            let results = closure($($caller_value as $caller<'_, T>,)? $($value),*).into_result()?;
                            give_slots(results, &mut *$store, values)
                        })
                    }
                }
                parts::<($($ty,)*), R::Results, Closure>(
                    this,
                    in_array::<T, Closure, R, $($ty),*>,
                    in_registers::<T, Closure, R, $($ty),*> as *const u8,
                    in_memory::<T, Closure, R, $($ty),*> as *const u8,
                )
            }
        }
    };
    ($($ty:ident $value:ident),*) => {
        into_func!(@ () (store => ()) $($ty $value),*);
        into_func!(@ (Caller) (store => Caller::new(store)) $($ty $value),*);
    };
}

for_each_arity!(into_func);
