//! Functions, as the embedder sees them.

use super::store::{AsContext, AsContextMut, Caller};
use super::typed::{IntoFunc, TypedFunc, WasmParams, WasmResults};
use super::val::{NumberKind, Val};
use crate::error::Error;
use crate::runtime::entry;
use crate::runtime::host::{HostFunc, HostParts, run_array};
use crate::runtime::layout::{FuncRef, ValRaw};
use crate::runtime::store::StoreInner;
use crate::types::{FuncType, ValType};
use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::Arc;

/// A function of a store. A handle is small and may be copied; using it with another store panics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Func {
    pub(crate) store_id: u64,
    pub(crate) func_ref: NonNull<FuncRef>,
}

// SAFETY: a handle is a name. What it points to is only looked at by those who hold its store, whose number is compared first, and
// a store stays on one thread.
unsafe impl Send for Func {}
// SAFETY: as above.
unsafe impl Sync for Func {}

impl Func {
    /// A host function. `closure` gets the arguments and a slice to put the results in, which holds default values (zero or
    /// null) at first.
    ///
    /// It runs on the stack of the Wasm code that calls it, which may be a continuation's: there it has
    /// [`Config::host_stack_headroom`](crate::Config::host_stack_headroom) bytes at least, and no more may be counted on.
    ///
    /// What it returns as an error ends the Wasm code that called it: an [`Error::Exception`] can be caught by that code, every
    /// other error goes on to the host unchanged. A panic goes on to the host as well.
    pub fn new<T: 'static>(
        mut store: impl AsContextMut<Data = T>,
        ty: FuncType,
        closure: impl Fn(Caller<'_, T>, &[Val], &mut [Val]) -> Result<(), Error> + 'static,
    ) -> Func {
        let store = store.inner_mut().0;
        let func_ref = HostFunc::create(store, untyped_parts(ty, Arc::new(closure)), ptr::null());
        Func::from_raw(store.id, func_ref)
    }

    /// A host function whose type is the closure's: parameters and results are numbers and nullable references
    /// ([`WasmTy`]), several results a tuple. The closure may take a [`Caller`] first, and may return a `Result` with
    /// [`Error`]; errors and panics go on as those of [`new`](Self::new) do. Compiled code calls it with its arguments in
    /// registers.
    pub fn wrap<T: 'static, P, R>(
        mut store: impl AsContextMut<Data = T>,
        closure: impl IntoFunc<T, P, R>,
    ) -> Func {
        let store = store.inner_mut().0;
        let func_ref = HostFunc::create(store, IntoFunc::parts(Arc::new(closure)), ptr::null());
        Func::from_raw(store.id, func_ref)
    }

    /// A handle that calls the function with its arguments in registers. The types must be the function's own, nullable
    /// references to the whole of their hierarchies included.
    ///
    /// # Errors
    /// [`Error::Type`] when `P` and `R` are not the function's parameters and results.
    ///
    /// # Panics
    /// The handle belongs to another store.
    pub fn typed<P: WasmParams, R: WasmResults>(
        &self,
        store: impl AsContext,
    ) -> Result<TypedFunc<P, R>, Error> {
        let ty = self.ty(store);
        if P::val_types() == ty.params() && R::val_types() == ty.results() {
            return Ok(TypedFunc::new(*self));
        }
        let asked = FuncType::new(P::val_types(), R::val_types());
        Err(Error::Type(format!(
            "a function of type {ty} is asked for as {asked}"
        )))
    }

    /// A handle of a function of the store with this id.
    pub(crate) fn from_raw(store_id: u64, func_ref: NonNull<FuncRef>) -> Func {
        Func { store_id, func_ref }
    }

    /// The function's reference. Panics if the handle belongs to another store.
    pub(crate) fn func_ref(&self, store: &StoreInner) -> *mut FuncRef {
        assert_eq!(
            self.store_id, store.id,
            "a function is used with a store that it does not belong to"
        );
        self.func_ref.as_ptr()
    }

    /// The function's type.
    pub fn ty(&self, store: impl AsContext) -> FuncType {
        self.ty_in(store.inner().0).clone()
    }

    /// The function's type. Cloning it takes longer than calling a function.
    fn ty_in<'a>(&self, store: &'a StoreInner) -> &'a FuncType {
        // SAFETY: the handle is this store's.
        let func_ref = unsafe { &*self.func_ref(store) };
        // SAFETY: as above.
        match unsafe { HostFunc::of(func_ref) } {
            Some(host) => &host.ty,
            None => store.types.func_type(func_ref.type_id),
        }
    }

    /// The function's address in the specification's sense: functions are numbered in the order in which a store allocates
    /// them.
    pub fn address(&self, store: impl AsContext) -> u32 {
        // SAFETY: the handle is this store's.
        unsafe { (*self.func_ref(store.inner().0)).address }
    }

    /// Calls the function.
    ///
    /// # Errors
    /// [`Error::Type`] when `params` or the length of `results` do not fit the function's type; [`Error::Engine`] when a host
    /// function makes the call from another stack than the one that it runs on (see [`Store`](crate::Store)); otherwise however
    /// the call ended. After an error the store can be used as before.
    ///
    /// # Panics
    /// The handle, or a reference in `params`, belongs to another store; or a host function panicked.
    pub fn call(
        &self,
        mut store: impl AsContextMut,
        params: &[Val],
        results: &mut [Val],
    ) -> Result<(), Error> {
        let inner = store.inner_mut().0;
        let ty = self.ty_in(inner);
        if params.len() != ty.params().len() || results.len() != ty.results().len() {
            return Err(wrong_count(ty, params, results));
        }
        let len = params.len().max(results.len());
        let (mut few, mut many);
        let values = if len <= FEW {
            few = [ValRaw::ZERO; FEW];
            &mut few[..len]
        } else {
            many = vec![ValRaw::ZERO; len];
            &mut many[..]
        };
        let mut numbers = params.iter().zip(ty.params()).zip(&mut *values);
        if !numbers.all(|((param, ty), slot)| param.number(ty).map(|raw| *slot = raw).is_some()) {
            check_params(inner, ty.clone(), params, values)?;
        }
        let func_ref = self.func_ref(inner);
        let inner: *mut StoreInner = inner;
        // SAFETY: `store` is borrowed for the call, and only `inner` refers to it meanwhile; the function is the store's; the
        // values have been checked against its type.
        unsafe { entry::invoke(inner, func_ref, values.as_mut_ptr(), values.len()) }?;
        // SAFETY: the call is over.
        let inner = unsafe { &*inner };
        for ((ty, result), raw) in self.ty_in(inner).results().iter().zip(results).zip(values) {
            // SAFETY: the function has left values of its result types.
            unsafe { Val::write_raw(result, inner, raw, ty) };
        }
        Ok(())
    }
}

#[cold]
fn wrong_count(ty: &FuncType, params: &[Val], results: &[Val]) -> Error {
    Error::Type(format!(
        "a function of type {ty} is called with {} arguments for {} results",
        params.len(),
        results.len()
    ))
}

/// Puts `params` into `values` where some are no numbers of their types: references, which need the store, or mistakes.
#[inline(never)]
fn check_params(
    store: &mut StoreInner,
    ty: FuncType,
    params: &[Val],
    values: &mut [ValRaw],
) -> Result<(), Error> {
    for ((ty, param), slot) in ty.params().iter().zip(params).zip(values) {
        *slot = param.to_raw(store, ty)?;
    }
    Ok(())
}

/// So many arguments, and so many results, are handed over without an allocation, which would take longer than the rest of a call.
const FEW: usize = 4;

/// What an untyped host function runs.
struct Untyped<F> {
    closure: Arc<F>,
    /// Those of its parameters and of its results, if all of them are numbers: then nothing has to be asked.
    numbers: Option<[Box<[NumberKind]>; 2]>,
}

/// A host function that works on values, as [`Func::new`] describes.
pub(crate) fn untyped_parts<T: 'static, F>(ty: FuncType, closure: Arc<F>) -> HostParts
where
    F: Fn(Caller<'_, T>, &[Val], &mut [Val]) -> Result<(), Error> + 'static,
{
    let kinds = |types: &[ValType]| -> Option<_> { types.iter().map(NumberKind::of).collect() };
    let numbers = kinds(ty.params()).zip(kinds(ty.results()));
    let numbers = numbers.map(|(params, results)| [params, results]);
    HostParts {
        ty,
        array_call: untyped_array_call::<T, F>,
        native_call: ptr::null(),
        closure: Arc::new(Untyped { closure, numbers }),
    }
}

/// The `array_call` of host functions that work on values.
///
/// # Safety
/// As for [`ArrayCall`](crate::runtime::layout::ArrayCall), for a host function of a store of `T` that runs an `Untyped<F>`.
unsafe extern "C" fn untyped_array_call<T: 'static, F>(
    callee: *const FuncRef,
    _caller: *mut c_void,
    values: *mut ValRaw,
    len: usize,
) -> bool
where
    F: Fn(Caller<'_, T>, &[Val], &mut [Val]) -> Result<(), Error> + 'static,
{
    let body = |store: *mut StoreInner, ty: &FuncType, untyped: *const c_void| {
        // SAFETY: the caller's promise.
        let Untyped { closure, numbers } = unsafe { &*untyped.cast::<Untyped<F>>() };
        let (params, results) = (ty.params().len(), ty.results().len());
        debug_assert!(len >= params.max(results));
        let mut few = [const { MaybeUninit::<Val>::uninit() }; 2 * FEW];
        let mut many = None;
        let places = if params + results <= few.len() {
            few.as_mut_ptr()
        } else {
            room(&mut many, params + results)
        };
        let args = places.cast::<Val>();
        // SAFETY: there is room for arguments and results.
        let returned = unsafe { args.add(params) };
        // SAFETY: a host function runs while its store's code waits for it, and nothing else refers to the store. `values` has slots
        // for arguments and results, as there are places, and holds arguments of the parameter types. So both slices are
        // written before they are taken for values.
        let (args, returned) = unsafe {
            if let Some([params, results]) = numbers {
                for (index, kind) in params.iter().enumerate() {
                    kind.write(args.add(index), &*values.add(index));
                }
                for (index, kind) in results.iter().enumerate() {
                    kind.write(returned.add(index), &ValRaw::ZERO);
                }
            } else {
                write_vals(&*store, ty, values, args, returned);
            }
            (
                slice::from_raw_parts(args, params),
                slice::from_raw_parts_mut(returned, results),
            )
        };
        // SAFETY: the store's data is a `T`.
        closure(unsafe { Caller::new(store) }, args, returned)?;
        // SAFETY: as above; the `Caller` is gone.
        unsafe {
            if let Some([_, results]) = numbers {
                let mut read = results.iter().zip(&*returned).enumerate();
                if read.all(|(index, (kind, result))| kind.read(result, values.add(index))) {
                    return Ok(());
                }
            }
            read_vals(&mut *store, ty, returned, values)
        }
    };
    // SAFETY: the caller's promise.
    unsafe { run_array(callee, values, len, body) }
}

/// Writes the arguments of a host function of type `ty` to `args`, and the results that it is going to overwrite to `returned`: zero
/// or null.
///
/// # Safety
/// `values` holds arguments of these types, of `store`; there is room for arguments and results.
#[inline(never)]
unsafe fn write_vals(
    store: &StoreInner,
    ty: &FuncType,
    values: *const ValRaw,
    args: *mut Val,
    returned: *mut Val,
) {
    // SAFETY: the caller's promise, and a slot of zeros is null.
    unsafe {
        for (index, ty) in ty.params().iter().enumerate() {
            Val::write_raw(args.add(index), store, &*values.add(index), ty);
        }
        for (index, ty) in ty.results().iter().enumerate() {
            Val::write_raw(returned.add(index), store, &ValRaw::ZERO, ty);
        }
    }
}

/// Writes the results of a host function of type `ty` to `values`.
///
/// # Safety
/// `values` has room for them.
#[inline(never)]
unsafe fn read_vals(
    store: &mut StoreInner,
    ty: &FuncType,
    returned: &[Val],
    values: *mut ValRaw,
) -> Result<(), Error> {
    for (index, (result, ty)) in returned.iter().zip(ty.results()).enumerate() {
        let raw = result.to_raw(store, ty)?;
        // SAFETY: the caller's promise.
        unsafe { values.add(index).write(raw) };
    }
    Ok(())
}

/// Room for `count` values, which stays as long as `owner`.
#[cold]
fn room(owner: &mut Option<Box<[MaybeUninit<Val>]>>, count: usize) -> *mut MaybeUninit<Val> {
    owner.insert(Box::new_uninit_slice(count)).as_mut_ptr()
}
