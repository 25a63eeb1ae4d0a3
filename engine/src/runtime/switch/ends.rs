//! The beginning and the end of a stack: what stands before and after the function of a continuation, and what becomes of a
//! stack whose function has ended.

use super::super::exn::tag_address;
use super::super::fiber::CANARY;
use super::super::layout::VmStore;
#[cfg(feature = "planted-bugs")]
use super::super::planted;
use super::super::store::StoreInner;
use super::super::tracer::EventKind;
use super::super::unwind::{self, Target, find_target, returned};
use super::super::{checks, entry, sanitizer};
use super::store;
use crate::planted::planted;
use std::ptr;

/// First thing on every fresh stack.
///
/// # Safety
/// Called by the start stub only.
pub(crate) unsafe extern "C" fn fiber_started(vm: *mut VmStore) {
    // SAFETY: the start frame names the store.
    unsafe {
        sanitizer::arrive(vm);
        store(vm).check_running();
    }
}

/// Last thing on every stack: hands the results to the resumer and frees the stack, or, if a host function failed, raises what
/// is pending. Returns where to go.
///
/// # Safety
/// Called by the start stub only, with the frame pointer at the base of the running stack.
pub(crate) unsafe extern "C" fn fiber_finished(
    vm: *mut VmStore,
    ok: bool,
    fp: usize,
) -> *const Target {
    // SAFETY: the start frame names the store.
    let store = unsafe { store(vm) };
    store.check_running();
    let fiber = store.vm.current;
    // SAFETY: the running stack has a valid header.
    let header = unsafe { &mut *fiber };
    debug_assert_eq!(
        fp,
        header.base_frame(),
        "the running stack is not the recorded one"
    );
    debug_assert_eq!(header.canary, CANARY);
    if !ok && store.vm.pending_exn != 0 && planted!(vm, HostBodyEscapes) {
        store.target = unwind::exit(store, entry::Status::Exception);
        return &raw const store.target;
    }
    if !ok && planted!(vm, HostTrapIsReturn) {
        store.pending = None;
        store.vm.pending_exn = 0;
    } else if !ok {
        // SAFETY: the stack that has ended is still the running one.
        return unsafe { raise_at_base(store) };
    }
    if planted!(vm, ResultsReadAfterFree) {
        // SAFETY: the results' slots belong to this stack.
        unsafe { header.values.write_bytes(0, header.num_results as usize) };
    }
    // SAFETY: the function's results lie at `values`, and the resumer's slot has room for them.
    unsafe { ptr::copy_nonoverlapping(header.values, header.results, header.num_results as usize) };
    let context = header.context;
    // SAFETY: the function has returned.
    unsafe { abandon_current(store) };
    store.target = returned(context);
    stack_left(store);
    &raw const store.target
}

/// Raises what is pending at the base of the running stack, whose frame has no return address of its own to start from.
///
/// # Safety
/// Called on the running stack, which is not the host's.
unsafe fn raise_at_base(store: &mut StoreInner) -> *const Target {
    let vm = &raw mut store.vm;
    // SAFETY: the running stack has a valid header.
    let header = unsafe { &mut *store.vm.current };
    let base = header.base_frame();
    if store.vm.pending_exn != 0 {
        let tag = tag_address(store.vm.pending_exn);
        // SAFETY: the function has ended.
        unsafe { abandon_current(store) };
        store.record(EventKind::Unwind { tag }, None);
    }
    // SAFETY: `base` is a frame whose saved frame pointer and return address are those of the resume site's stub.
    unsafe { find_target(vm, base) }
}

/// Unlinks the running stack from the chain and frees it; its resumer becomes the running stack. The caller may still be
/// executing on the freed stack: nothing reuses it before the next `cont.new`.
///
/// # Safety
/// The running stack is not the host's, and its function has ended.
pub(crate) unsafe fn abandon_current(store: &mut StoreInner) {
    let fiber = store.vm.current;
    // SAFETY: the running stack has a valid header.
    let parent = unsafe { (*fiber).parent };
    #[cfg(feature = "planted-bugs")]
    // SAFETY: the caller's promise.
    unsafe {
        planted::resume_is_over(&store.vm, fiber)
    };
    store.left.get_or_insert(fiber);
    store.run_on(parent);
    if store.engine.config().check_switches {
        // SAFETY: the function has ended, and the values lie above all frames that may still run.
        unsafe { checks::poison_values(fiber) };
    }
    // SAFETY: its reference was consumed when it was resumed.
    unsafe { store.stacks.release(&mut store.vm, fiber) };
}

/// Tells the sanitizer, once the walk is over, that the stack on which it began is left for the running one.
pub(crate) fn stack_left(store: &mut StoreInner) {
    if let Some(left) = store.left.take() {
        let running = store.vm.current;
        // SAFETY: both are stacks of this store, and the target is on `running`.
        unsafe { sanitizer::leave(store, left, running) };
    }
}
