//! Host functions: how compiled code and fresh continuations call a Rust closure.

use super::layout::{FuncRef, ValRaw, VmStore};
use super::owned::Owned;
use super::store::{Pending, StoreInner};
use super::tracer::EventKind;
use crate::api::typed::WasmResults;
use crate::compile::entries::Trampolines;
use crate::compile::signature::AbiSignature;
use crate::error::Error;
use crate::module::Module;
use crate::types::FuncType;
use std::any::Any;
use std::cell::UnsafeCell;
use std::ffi::c_void;
use std::mem::offset_of;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;

/// A host function with its types erased: works on argument and result slots of the store.
pub type HostClosure = Box<dyn Fn(*mut StoreInner, &mut [ValRaw]) -> Result<(), Error>>;

/// What makes a host function.
pub struct HostParts {
    pub(crate) ty: FuncType,
    /// What `array_call` runs.
    pub(crate) closure: HostClosure,
    /// The typed entry, if there is one: a function of the signature that [`FuncRef::native_call`] describes.
    pub(crate) native_call: *const u8,
    /// What the typed entry calls. It lives as long as `closure`.
    pub(crate) native_data: *const c_void,
}

/// What a host function's [`FuncRef::vmctx`] points to. The store stands where an instance's vmctx has it.
#[repr(C)]
pub(crate) struct HostFunc {
    magic: u64,
    store: *mut VmStore,
    /// In a cell: a module may supply `wasm_call` while somebody looks at the rest.
    func_ref: UnsafeCell<FuncRef>,
    pub ty: FuncType,
    closure: HostClosure,
    native_data: *const c_void,
}

/// `HostFunc` starts with this.
const HOST_MAGIC: u64 = u64::from_le_bytes(*b"sbhost\0\0");

/// Offset of the [`FuncRef`] in what a host function's vmctx points to, for trampolines.
pub(crate) const HOST_FUNC_REF: i32 = offset_of!(HostFunc, func_ref) as i32;

impl HostFunc {
    /// Allocates a host function in `store` and returns its function reference.
    ///
    /// `wasm_call` is the trampoline of the parts' signature for the entry that they have, which the store keeps alive, or null:
    /// then [`ensure_wasm_call`] supplies it.
    pub fn create(
        store: &mut StoreInner,
        parts: HostParts,
        wasm_call: *const u8,
    ) -> NonNull<FuncRef> {
        let HostParts {
            ty,
            closure,
            native_call,
            native_data,
        } = parts;
        let type_id = store.types.canonical_func(&ty);
        let address = store.allocate_function_address();
        let host = Owned::new(HostFunc {
            magic: HOST_MAGIC,
            store: &raw mut store.vm,
            func_ref: UnsafeCell::new(FuncRef {
                wasm_call,
                array_call: host_array_call,
                native_call,
                vmctx: std::ptr::null_mut(),
                type_id,
                address,
            }),
            ty,
            closure,
            native_data,
        });
        let func_ref = host.func_ref.get();
        // SAFETY: a cell's contents, which nobody else knows of yet.
        unsafe { (*func_ref).vmctx = host.as_ptr().cast::<c_void>() };
        store.host_funcs.push(host);
        NonNull::new(func_ref).expect("a field of an allocation")
    }

    /// The host function behind a function reference, if it is one.
    ///
    /// # Safety
    /// `func` is a function of a live store.
    pub unsafe fn of<'a>(func: *const FuncRef) -> Option<&'a HostFunc> {
        // SAFETY: every vmctx starts with a magic number that says what it is, and lives as long as the store.
        unsafe {
            let vmctx = (*func).vmctx;
            (vmctx.cast::<u64>().read() == HOST_MAGIC).then(|| &*vmctx.cast::<HostFunc>())
        }
    }
}

/// Gives a host function its compiled entry, the trampoline of its signature: from `module`, else from a module instantiated
/// earlier, else one compiled for it.
///
/// # Errors
/// The trampoline's compilation failed.
///
/// # Safety
/// `func` is a function of `store`; the caller keeps `module` alive as long as the store.
pub(crate) unsafe fn ensure_wasm_call(
    store: &mut StoreInner,
    func: *mut FuncRef,
    module: Option<&Module>,
) -> Result<(), Error> {
    // SAFETY: the caller's promise.
    let (host, filled) = unsafe { (HostFunc::of(func), !(*func).wasm_call.is_null()) };
    // SAFETY: as above.
    let native = unsafe { !(*func).native_call.is_null() };
    let Some(host) = host.filter(|_| !filled) else {
        return Ok(());
    };
    let signature = AbiSignature::of(&host.ty);
    let found = module
        .into_iter()
        .chain(&store.modules)
        .find_map(|module| exit(module.trampolines(&signature)?, native));
    let found = found.or_else(|| {
        let mut extra = store.extra_code.iter();
        extra.find_map(|code| exit(code.get(&signature)?, native))
    });
    let entry = match found {
        Some(address) => address,
        None => {
            let code = store.engine.compile_exits(&signature)?;
            let address = code
                .get(&signature)
                .and_then(|trampolines| exit(trampolines, native));
            store.extra_code.push(code);
            address.expect("compiled just now")
        }
    };
    // SAFETY: the caller's promise; the reference stands in a cell, so `host` does not forbid it.
    unsafe { (*func).wasm_call = entry };
    Ok(())
}

/// The `wasm_call` of host functions with or without a typed entry.
pub(crate) fn exit(trampolines: Trampolines, native: bool) -> Option<*const u8> {
    if native {
        trampolines.wasm_to_native
    } else {
        trampolines.wasm_to_array
    }
}

/// Runs a typed host function: the body of every typed entry. `slots` is where several results go; `args` gives the arguments'
/// words, for traces.
///
/// # Safety
/// `callee` is a reference to a host function whose code is running on behalf of its store, and `slots` has room for its
/// results if there are several.
#[inline]
pub(crate) unsafe fn run_typed<R: WasmResults>(
    callee: *const c_void,
    slots: *mut ValRaw,
    args: impl FnOnce() -> Vec<ValRaw>,
    body: impl FnOnce(*mut StoreInner, *const c_void) -> Result<R, Error>,
) -> R::Returned {
    // SAFETY: the caller's promise.
    let (host, function) = unsafe {
        let callee = callee.cast::<FuncRef>();
        (&*(*callee).vmctx.cast::<HostFunc>(), (*callee).address)
    };
    debug_assert_eq!(host.magic, HOST_MAGIC);
    let store = host.store.cast::<StoreInner>();
    // What the host gets as a reference from here on is a handle of this call.
    // SAFETY: the store's code calls us.
    let scope = unsafe { &mut *store }.roots.get_mut().enter();
    // Recording is inside, because a panic must not leave this function.
    let result = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: as above; this reference ends here.
        let tracing = unsafe { (*store).tracer.is_some() };
        if tracing {
            // SAFETY: as above.
            unsafe { &mut *store }.record_values(host.ty.params(), &args(), |values| {
                EventKind::HostCall { function, values }
            });
        }
        let result = body(store, host.native_data);
        // A handle whose scope has ended is a panic, and belongs inside as well.
        if let Err(Error::Exception(exception)) = &result {
            // SAFETY: the closure is over.
            let store = unsafe { &mut *store };
            if exception.belongs_to(store) {
                store.vm.pending_exn = exception.word(store);
            }
        }
        // SAFETY: the closure is over; the slots are the caller's promise.
        let returned = unsafe { result?.give(&mut *store, slots) }?;
        if tracing {
            // SAFETY: as above, and `give` has written the results.
            let values = unsafe { R::slots(&returned, slots) };
            // SAFETY: as above.
            unsafe { &mut *store }.record_values(host.ty.results(), &values, |values| {
                EventKind::HostReturn { function, values }
            });
        }
        Ok(returned)
    }));
    // SAFETY: as above.
    let store = unsafe { &mut *store };
    store.roots.get_mut().leave(scope);
    let failed = match result {
        Ok(Ok(returned)) => return returned,
        Ok(Err(error)) => Ok(Err(error)),
        Err(panic) => Err(panic),
    };
    fail(store, failed);
    R::failed()
}

/// Leaves pending what a host function failed with.
#[cold]
fn fail(store: &mut StoreInner, result: Result<Result<(), Error>, Box<dyn Any + Send>>) {
    match result {
        Ok(Ok(())) => {}
        // Its word is pending already.
        Ok(Err(Error::Exception(_))) if store.vm.pending_exn != 0 => {}
        Ok(Err(error)) => store.pending = Some(Pending::Error(error)),
        Err(panic) => store.pending = Some(Pending::Panic(panic)),
    }
}

/// `array_call` of every host function.
///
/// # Safety
/// See [`ArrayCall`](super::layout::ArrayCall): `callee` is a host function's reference, `values` has `len` slots, enough for its
/// parameters and its results.
unsafe extern "C" fn host_array_call(
    callee: *const FuncRef,
    _caller: *mut c_void,
    values: *mut ValRaw,
    len: usize,
) -> bool {
    // SAFETY: the caller's promise.
    let (host, function, values) = unsafe {
        debug_assert_eq!((*callee).vmctx.cast::<u64>().read(), HOST_MAGIC);
        (
            &*(*callee).vmctx.cast::<HostFunc>(),
            (*callee).address,
            std::slice::from_raw_parts_mut(values, len),
        )
    };
    let store = host.store.cast::<StoreInner>();
    // What the host gets as a reference from here on is a handle of this call.
    // SAFETY: the store's code calls us.
    let scope = unsafe { &mut *store }.roots.get_mut().enter();
    // Recording is inside, because a panic must not leave this function.
    let result = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: as above; this reference ends before the closure runs.
        unsafe { &mut *store }.record_values(host.ty.params(), values, |values| {
            EventKind::HostCall { function, values }
        });
        let result = (host.closure)(store, values);
        // SAFETY: the closure has returned.
        let store = unsafe { &mut *store };
        match &result {
            Ok(()) => store.record_values(host.ty.results(), values, |values| {
                EventKind::HostReturn { function, values }
            }),
            // A handle whose scope has ended is a panic, and belongs inside as well.
            Err(Error::Exception(exception)) if exception.belongs_to(store) => {
                store.vm.pending_exn = exception.word(store);
            }
            Err(_) => {}
        }
        result
    }));
    // SAFETY: as above.
    let store = unsafe { &mut *store };
    store.roots.get_mut().leave(scope);
    match result {
        Ok(Ok(())) => return true,
        failed => fail(store, failed),
    }
    false
}
