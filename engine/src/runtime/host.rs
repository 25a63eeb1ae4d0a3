//! Host functions: how compiled code and fresh continuations call a Rust closure.

use super::layout::{FuncRef, ValRaw, VmStore};
use super::owned::Owned;
use super::store::{Pending, StoreInner};
use super::tracer::EventKind;
use crate::compile::signature::AbiSignature;
use crate::error::Error;
use crate::module::Module;
use crate::types::FuncType;
use std::cell::UnsafeCell;
use std::ffi::c_void;
use std::mem::offset_of;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;

/// A host function with its types erased: works on argument and result slots of the store.
pub(crate) type HostClosure = Box<dyn Fn(*mut StoreInner, &mut [ValRaw]) -> Result<(), Error>>;

/// What a host function's [`FuncRef::vmctx`] points to. The store stands where an instance's vmctx has it.
#[repr(C)]
pub(crate) struct HostFunc {
    magic: u64,
    store: *mut VmStore,
    /// In a cell: a module may supply `wasm_call` while somebody looks at the rest.
    func_ref: UnsafeCell<FuncRef>,
    pub ty: FuncType,
    closure: HostClosure,
}

/// `HostFunc` starts with this.
const HOST_MAGIC: u64 = u64::from_le_bytes(*b"sbhost\0\0");

/// Offset of the [`FuncRef`] in what a host function's vmctx points to, for trampolines.
pub(crate) const HOST_FUNC_REF: i32 = offset_of!(HostFunc, func_ref) as i32;

impl HostFunc {
    /// Allocates a host function in `store` and returns its function reference.
    pub fn create(store: &mut StoreInner, ty: FuncType, closure: HostClosure) -> NonNull<FuncRef> {
        let type_id = store.types.canonical_func(&ty);
        let address = store.allocate_function_address();
        let host = Owned::new(HostFunc {
            magic: HOST_MAGIC,
            store: &raw mut store.vm,
            func_ref: UnsafeCell::new(FuncRef {
                wasm_call: std::ptr::null(),
                array_call: host_array_call,
                vmctx: std::ptr::null_mut(),
                type_id,
                address,
            }),
            ty,
            closure,
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
    let Some(host) = host.filter(|_| !filled) else {
        return Ok(());
    };
    let signature = AbiSignature::of(&host.ty);
    let found = module
        .into_iter()
        .chain(&store.modules)
        .find_map(|module| module.wasm_to_array(&signature));
    let entry = match found {
        Some(address) => address,
        None => {
            let code = store.engine.compile_wasm_to_array(&signature)?;
            let address = code.memory.address(0);
            store.extra_code.push(code);
            address
        }
    };
    // SAFETY: the caller's promise; the reference stands in a cell, so `host` does not forbid it.
    unsafe { (*func).wasm_call = entry };
    Ok(())
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
        Ok(Err(Error::Exception(_))) if store.vm.pending_exn != 0 => {}
        Ok(Err(error)) => store.pending = Some(Pending::Error(error)),
        Err(panic) => store.pending = Some(Pending::Panic(panic)),
    }
    false
}
