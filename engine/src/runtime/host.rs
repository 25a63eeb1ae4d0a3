//! Host functions: how compiled code and fresh continuations call a Rust closure.

use super::layout::{ArrayCall, FuncRef, ValRaw, VmStore};
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
use std::sync::Arc;

/// What makes a host function.
pub struct HostParts {
    pub(crate) ty: FuncType,
    pub(crate) array_call: ArrayCall,
    /// The typed entry, if there is one: a function of the signature that [`FuncRef::native_call`] describes.
    pub(crate) native_call: *const u8,
    /// What both entries call.
    pub(crate) closure: Arc<dyn Any>,
}

/// What a host function's [`FuncRef::vmctx`] points to. The store stands where an instance's vmctx has it.
#[repr(C)]
pub(crate) struct HostFunc {
    magic: u64,
    store: *mut VmStore,
    /// In a cell: a module may supply `wasm_call` while somebody looks at the rest.
    func_ref: UnsafeCell<FuncRef>,
    pub ty: FuncType,
    /// What the entries call: the contents of `_owner`, of a type that they know.
    closure: *const c_void,
    _owner: Arc<dyn Any>,
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
            array_call,
            native_call,
            closure,
        } = parts;
        let type_id = store.types.canonical_func(&ty);
        let address = store.allocate_function_address();
        let host = Owned::new(HostFunc {
            magic: HOST_MAGIC,
            store: &raw mut store.vm,
            func_ref: UnsafeCell::new(FuncRef {
                wasm_call,
                array_call,
                native_call,
                vmctx: std::ptr::null_mut(),
                type_id,
                address,
            }),
            ty,
            closure: Arc::as_ptr(&closure).cast::<c_void>(),
            _owner: closure,
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

/// Runs a host function: the body of every entry. `body` is given the store, the function's type and its closure. What it fails with
/// is left pending, and so is its panic. `args` and `results` give the values for traces.
///
/// # Safety
/// `callee` is a reference to a host function whose code is running on behalf of its store.
#[inline]
unsafe fn run<R: Copy>(
    callee: *const FuncRef,
    args: impl FnOnce() -> Vec<ValRaw>,
    body: impl FnOnce(*mut StoreInner, &FuncType, *const c_void) -> Result<R, Error>,
    results: impl FnOnce(&R) -> Vec<ValRaw>,
) -> Option<R> {
    // SAFETY: the caller's promise.
    let (host, function) = unsafe { (&*(*callee).vmctx.cast::<HostFunc>(), (*callee).address) };
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
            apart(move || {
                // SAFETY: as above.
                unsafe { &mut *store }.record_values(host.ty.params(), &args(), |values| {
                    EventKind::HostCall { function, values }
                })
            });
        }
        let returned = match body(store, &host.ty, host.closure) {
            Ok(returned) => returned,
            Err(error) => {
                // SAFETY: as above; the closure is over.
                fail(unsafe { &mut *store }, error);
                return None;
            }
        };
        if tracing {
            apart(move || {
                let values = results(&returned);
                // SAFETY: as above.
                unsafe { &mut *store }.record_values(host.ty.results(), &values, |values| {
                    EventKind::HostReturn { function, values }
                });
            });
        }
        Some(returned)
    }));
    // SAFETY: as above.
    let store = unsafe { &mut *store };
    store.roots.get_mut().leave(scope);
    result.unwrap_or_else(|panic| {
        store.pending = Some(Pending::Panic(panic));
        None
    })
}

/// Does what is rarely asked for, in a function of its own: the registers are for the rest. (And so is what `rare` owns, or it would
/// have to be in memory always.)
#[cold]
#[inline(never)]
fn apart(rare: impl FnOnce()) {
    rare();
}

/// The body of every typed entry, see [`run`]. `slots` is where several results go.
///
/// # Safety
/// As for [`run`], and `slots` has room for the results if there are several.
#[inline]
pub(crate) unsafe fn run_typed<R: WasmResults>(
    callee: *const c_void,
    slots: *mut ValRaw,
    args: impl FnOnce() -> Vec<ValRaw>,
    body: impl FnOnce(*mut StoreInner, *const c_void) -> Result<R, Error>,
) -> R::Returned {
    // SAFETY: the caller's promise; once the body is over nobody uses the store.
    let returned = unsafe {
        run(
            callee.cast::<FuncRef>(),
            args,
            |store, _, closure| body(store, closure)?.give(&mut *store, slots),
            |returned| R::slots(returned, slots),
        )
    };
    returned.unwrap_or_else(R::failed)
}

/// The body of every `array_call`, see [`run`]. `body` takes the arguments out of `values` and puts the results there.
///
/// # Safety
/// As for [`run`], and `values` has `len` slots, enough for the function's parameters and for its results, and holds its arguments.
#[inline]
pub(crate) unsafe fn run_array(
    callee: *const FuncRef,
    values: *const ValRaw,
    len: usize,
    body: impl FnOnce(*mut StoreInner, &FuncType, *const c_void) -> Result<(), Error>,
) -> bool {
    // SAFETY: the caller's promise; nobody else uses the slots when these are read.
    let slots = move || unsafe { std::slice::from_raw_parts(values, len) }.to_vec();
    // SAFETY: as above.
    unsafe { run(callee, slots, body, move |()| slots()) }.is_some()
}

/// Leaves pending what a host function has returned as an error. Panics for an exception's handle whose scope has ended, so it
/// belongs to where panics are caught.
#[cold]
fn fail(store: &mut StoreInner, error: Error) {
    match error {
        Error::Exception(exception) if exception.belongs_to(store) => {
            store.vm.pending_exn = exception.word(store);
        }
        error => store.pending = Some(Pending::Error(error)),
    }
}
