//! What makes continuations: `cont.new`, and `cont.bind`, which makes a new reference to one.

use super::super::fiber::{CANARY, Fiber, StartFrame, State};
use super::super::layout::{FuncRef, VmStore};
#[cfg(feature = "planted-bugs")]
use super::super::planted;
use super::super::stacks::START_RESERVE;
use super::{store, trace_ends};
use crate::error::Exhaustion;
use crate::planted::planted;
use std::ffi::c_void;
use std::ptr;

/// `cont.new`: a fresh stack on which `func` will be called with `capacity` slots for arguments and results. Returns the
/// reference, or 0 with the reason pending.
///
/// # Safety
/// Called by compiled code of the store; `func` is not null and has a type with `num_results` results and at most `capacity`
/// parameters.
pub(crate) unsafe extern "C" fn cont_new(
    vm: *mut VmStore,
    caller: *mut c_void,
    func: *const FuncRef,
    capacity: usize,
    num_results: usize,
) -> u64 {
    // SAFETY: the caller's promise.
    let store = unsafe { store(vm) };
    if trace_ends(store) {
        return 0;
    }
    let Some(fiber) = store.allocate_stack() else {
        store.exhaust(Exhaustion::Continuations);
        return 0;
    };
    // SAFETY: the pool hands out valid headers.
    let header = unsafe { &mut *fiber };
    debug_assert_eq!((header.state, header.canary), (State::Free, CANARY));
    debug_assert!(header.handlers.is_null());
    header.state = State::Fresh;
    header.num_results = num_results as u32;
    header.innermost = fiber;
    #[cfg(feature = "planted-bugs")]
    planted::fresh(header, caller);
    let frame = StartFrame {
        func,
        caller,
        values: ptr::null_mut(),
        len: capacity,
        store: vm,
        inlined: store.engine.config().inlines_switches().into(),
    };
    let prepared = header.prepare(frame, capacity, START_RESERVE);
    if prepared.is_some() && planted!(vm, ThrowEntersFresh) {
        // Arguments that were never given must not be wild references.
        // SAFETY: `prepare` has made room for as many slots.
        unsafe { header.values.write_bytes(0, capacity) };
    }
    if prepared.is_none() {
        // SAFETY: allocated above, and its reference was not handed out.
        unsafe { store.stacks.release(&mut store.vm, fiber) };
        store.exhaust(Exhaustion::CallStack);
        return 0;
    }
    header.word
}

/// `cont.bind`, after the values have been written: consumes the reference and returns the new one, or 0 with the reason
/// pending.
///
/// # Safety
/// `fiber` was named by a reference that is not consumed, and `count` more values fit into its buffer.
pub(crate) unsafe extern "C" fn cont_bind(
    vm: *mut VmStore,
    fiber: *mut Fiber,
    count: usize,
) -> u64 {
    // SAFETY: the caller's promise.
    unsafe {
        store(vm).collection_point(&[(*fiber).word]);
        store(vm).check_captured(fiber, count);
    }
    // SAFETY: the caller's promise.
    let header = unsafe { &mut *fiber };
    // SAFETY: the buffer has room for all values that the continuation takes.
    header.buffer = unsafe { header.buffer.add(count) };
    if planted!(vm, BindKeepsReference) && count == 0 {
        return header.word;
    }
    if !header.consume() {
        // SAFETY: the caller's promise.
        unsafe { store(vm) }.exhaust(Exhaustion::Continuations);
        return 0;
    }
    header.word
}
