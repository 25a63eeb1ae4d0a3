//! Functions whose types Rust knows: calls with arguments in registers, in both directions.
//!
//! | file | what |
//! |---|---|
//! | [`values`] | which Rust types are Wasm types, and as what they travel in registers |
//! | [`params`] | lists of them as parameters and as results |
//! | [`host`] | closures as host functions |

mod host;
mod params;
mod values;

pub use host::{IntoFunc, WasmRet};
pub use params::{WasmParams, WasmResults};
pub use values::WasmTy;

use super::func::Func;
use super::store::AsContextMut;
use crate::error::Error;
use crate::runtime::entry;
use crate::runtime::layout::ValRaw;
use crate::runtime::store::StoreInner;
use std::marker::PhantomData;
use std::mem::MaybeUninit;

/// The most parameters, and the most results, of typed functions. Other functions are called and made untyped, with any number.
pub(crate) const MAX: usize = 16;

/// A function of a store whose parameters are `P` and whose results are `R`. Using it with another store panics.
pub struct TypedFunc<P, R> {
    func: Func,
    types: PhantomData<fn(P) -> R>,
}

impl<P, R> Clone for TypedFunc<P, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P, R> Copy for TypedFunc<P, R> {}

impl<P, R> std::fmt::Debug for TypedFunc<P, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("TypedFunc").field(&self.func).finish()
    }
}

impl<P: WasmParams, R: WasmResults> TypedFunc<P, R> {
    /// The types have been compared.
    pub(crate) fn new(func: Func) -> Self {
        TypedFunc {
            func,
            types: PhantomData,
        }
    }

    /// The function, untyped.
    pub fn func(&self) -> Func {
        self.func
    }

    /// Calls the function.
    ///
    /// # Errors
    /// However the call ended if not by return. After an error the store can be used as before.
    ///
    /// # Panics
    /// The handle, or a reference in `params`, belongs to another store; or a host function panicked.
    #[inline]
    pub fn call(&self, mut store: impl AsContextMut, params: P) -> Result<R, Error> {
        let inner = store.inner_mut().0;
        let func_ref = self.func.func_ref(inner);
        let words = params.into_abi(inner)?;
        let mut slots = [const { MaybeUninit::<ValRaw>::uninit() }; MAX];
        let slots = slots.as_mut_ptr().cast::<ValRaw>();
        let inner: *mut StoreInner = inner;
        // SAFETY: the handle is the store's.
        let native_call = unsafe { (*func_ref).native_call };
        if native_call.is_null() {
            let len = P::COUNT.max(R::COUNT);
            // SAFETY: `store` is borrowed for the call, and only `inner` refers to it meanwhile; the function is the store's, and
            // `typed` has compared its type; `MAX` slots are enough for either side.
            unsafe {
                P::write_slots(&words, slots);
                entry::invoke(inner, func_ref, slots, len)?;
                return Ok(R::from_slots(&*inner, slots));
            }
        }
        let mut returned = None;
        // SAFETY: as above. The entry has been generated, or written, for exactly these types: see `FuncRef::native_call`.
        unsafe {
            entry::invoke_with(inner, |activation| {
                let (callee, context) = (func_ref.cast(), activation.cast());
                let result = P::call::<R>(words, native_call, callee, context, slots);
                let status = R::status(&result);
                returned = Some(result);
                status
            })?;
            let returned = returned.expect("the call has come back");
            Ok(R::take(&*inner, returned, slots))
        }
    }
}
