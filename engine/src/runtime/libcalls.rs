//! The runtime functions behind operators that compiled code does not do itself: growth, bulk operations, type tests.
//!
//! Each is called by compiled code of an instance with that instance's vmctx and with operands that validation has typed: that
//! is the contract that the SAFETY comments refer to. Those that can fail return 0 for success, and compiled code traps.

use super::instance::{InstanceInner, instance_of};
use super::layout::VMCTX_STORE;
use super::store::StoreInner;
use crate::error::TrapKind;
use crate::planted::planted;
use std::ffi::c_void;

/// # Safety
/// The contract.
unsafe fn instance<'a>(vmctx: *mut c_void) -> &'a mut InstanceInner {
    // SAFETY: a vmctx names its instance, which the store keeps; compiled code waits for us, so nobody else refers to it.
    unsafe { &mut *instance_of(vmctx) }
}

/// # Safety
/// The contract.
unsafe fn store<'a>(vmctx: *mut c_void) -> &'a mut StoreInner {
    // SAFETY: a vmctx names its store, of which `VmStore` is the first field; nobody else refers to it now.
    unsafe {
        &mut **vmctx
            .byte_add(VMCTX_STORE as usize)
            .cast::<*mut StoreInner>()
    }
}

fn failed(result: Result<(), TrapKind>) -> u32 {
    u32::from(result.is_err())
}

pub(crate) unsafe extern "C" fn memory_grow(vmctx: *mut c_void, memory: u32, delta: u64) -> u64 {
    // SAFETY: the contract.
    unsafe { instance(vmctx) }
        .memory_grow(memory, delta)
        .unwrap_or(u64::MAX)
}

pub(crate) unsafe extern "C" fn memory_copy(
    vmctx: *mut c_void,
    to: u32,
    from: u32,
    destination: u64,
    source: u64,
    len: u64,
) -> u32 {
    // SAFETY: the contract.
    if planted!(unsafe { &store(vmctx).vm }, CopyForwards) {
        // SAFETY: the contract.
        let instance = unsafe { instance(vmctx) };
        let bytes = |at| instance.memory_copy(to, from, destination + at, source + at, 1);
        let check = instance.memory_copy(to, from, destination, source, 0);
        return failed(check.and_then(|()| (0..len).try_for_each(bytes)));
    }
    // SAFETY: the contract.
    failed(unsafe { instance(vmctx) }.memory_copy(to, from, destination, source, len))
}

pub(crate) unsafe extern "C" fn memory_fill(
    vmctx: *mut c_void,
    memory: u32,
    destination: u64,
    value: u32,
    len: u64,
) -> u32 {
    // SAFETY: the contract.
    failed(unsafe { instance(vmctx) }.memory_fill(memory, destination, value as u8, len))
}

pub(crate) unsafe extern "C" fn memory_init(
    vmctx: *mut c_void,
    memory: u32,
    segment: u32,
    destination: u64,
    source: u32,
    len: u32,
) -> u32 {
    // SAFETY: the contract.
    failed(unsafe { instance(vmctx) }.memory_init(
        memory,
        segment,
        destination,
        source.into(),
        len.into(),
    ))
}

pub(crate) unsafe extern "C" fn data_drop(vmctx: *mut c_void, segment: u32) {
    // SAFETY: the contract.
    unsafe { instance(vmctx) }.data_drop(segment);
}

pub(crate) unsafe extern "C" fn table_grow(
    vmctx: *mut c_void,
    table: u32,
    value: u64,
    delta: u64,
) -> u64 {
    // SAFETY: the contract.
    unsafe { instance(vmctx) }
        .table_grow(table, delta, value)
        .unwrap_or(u64::MAX)
}

pub(crate) unsafe extern "C" fn table_fill(
    vmctx: *mut c_void,
    table: u32,
    start: u64,
    value: u64,
    len: u64,
) -> u32 {
    // SAFETY: the contract.
    failed(unsafe { instance(vmctx) }.table_fill(table, start, value, len))
}

pub(crate) unsafe extern "C" fn table_copy(
    vmctx: *mut c_void,
    to: u32,
    from: u32,
    destination: u64,
    source: u64,
    len: u64,
) -> u32 {
    // SAFETY: the contract.
    failed(unsafe { instance(vmctx) }.table_copy(to, from, destination, source, len))
}

pub(crate) unsafe extern "C" fn table_init(
    vmctx: *mut c_void,
    table: u32,
    segment: u32,
    destination: u64,
    source: u32,
    len: u32,
) -> u32 {
    // SAFETY: the contract.
    failed(unsafe { instance(vmctx) }.table_init(
        table,
        segment,
        destination,
        source.into(),
        len.into(),
    ))
}

pub(crate) unsafe extern "C" fn elem_drop(vmctx: *mut c_void, segment: u32) {
    // SAFETY: the contract.
    unsafe { instance(vmctx) }.elem_drop(segment);
}

pub(crate) unsafe extern "C" fn is_subtype(vmctx: *mut c_void, actual: u32, expected: u32) -> u32 {
    // SAFETY: the contract.
    u32::from(unsafe { store(vmctx) }.types.is_subtype(actual, expected))
}
