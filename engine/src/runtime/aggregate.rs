//! What the instructions of structures and arrays need of the runtime: allocation, and operations on many elements.
//!
//! Compiled code checks for null, reads and writes single fields itself, and traps when a function here reports failure with a
//! value that is not 0. The contract that the SAFETY comments refer to: compiled code of an instance calls, with that instance's
//! vmctx or its store, and with operands that validation has typed and that are not null.

use super::heap::object::Header;
use super::instance::instance_of;
use super::layout::{ValRaw, VmStore};
use super::store::StoreInner;
use crate::planted::planted;
use crate::types::shape::{ArrayShape, Shape};
use std::ffi::c_void;
use std::ptr;
use wasmparser::{FieldType, StorageType, ValType};

/// Allocates an object, all fields zero: `header` is the [`Header`] in one word, and `bytes` counts it. Returns 0, with the reason pending, when
/// there is no room.
///
/// # Safety
/// The contract; `bytes` is what the type's shape says.
pub(crate) unsafe extern "C" fn object_new(vm: *mut VmStore, header: u64, bytes: u64) -> u64 {
    // SAFETY: the contract.
    let store = unsafe { &mut *vm.cast::<StoreInner>() };
    match store.allocate_object(Header::from_word(header), bytes) {
        Ok(object) => object as u64,
        Err(what) => {
            store.exhaust(what);
            0
        }
    }
}

/// Writes a value into a field.
///
/// # Safety
/// The object has a field of type `field` at byte `offset`, and `value` is of that type.
pub(crate) unsafe fn write(object: *mut Header, offset: u64, field: &FieldType, value: ValRaw) {
    // SAFETY: the caller's promise; shapes align fields to their size, and objects are aligned to 16.
    unsafe {
        let place = object.byte_add(offset as usize);
        match field.element_type {
            StorageType::I8 => place.cast::<u8>().write(value.lo as u8),
            StorageType::I16 => place.cast::<u16>().write(value.lo as u16),
            StorageType::Val(ValType::I32 | ValType::F32) => {
                place.cast::<u32>().write(value.lo as u32)
            }
            StorageType::Val(ValType::I64 | ValType::F64 | ValType::Ref(_)) => {
                place.cast::<u64>().write(value.lo)
            }
            StorageType::Val(ValType::V128) => place.cast::<[u64; 2]>().write([value.lo, value.hi]),
        }
    }
}

/// Reads a field; what is packed comes zero-extended.
///
/// # Safety
/// The object has a field of type `field` at byte `offset`.
pub(crate) unsafe fn read(object: *const Header, offset: u64, field: &FieldType) -> ValRaw {
    // SAFETY: as in `write`.
    unsafe {
        let place = object.byte_add(offset as usize);
        let (lo, hi) = match field.element_type {
            StorageType::I8 => (place.cast::<u8>().read().into(), 0),
            StorageType::I16 => (place.cast::<u16>().read().into(), 0),
            StorageType::Val(ValType::I32 | ValType::F32) => (place.cast::<u32>().read().into(), 0),
            StorageType::Val(ValType::I64 | ValType::F64 | ValType::Ref(_)) => {
                (place.cast::<u64>().read(), 0)
            }
            StorageType::Val(ValType::V128) => {
                let [lo, hi] = place.cast::<[u64; 2]>().read();
                (lo, hi)
            }
        };
        ValRaw { lo, hi }
    }
}

/// The shape of an array, and its address as bytes.
///
/// # Safety
/// `array` is an array of the store.
unsafe fn array_of(store: &StoreInner, array: u64) -> (ArrayShape, *mut u8) {
    // SAFETY: the caller's promise.
    let type_id = unsafe { (*(array as *const Header)).type_id };
    match store.types.shape(type_id) {
        Shape::Array(shape) => (*shape, array as *mut u8),
        Shape::Struct(_) => unreachable!("validation asks for an array"),
    }
}

/// `array.fill`, after the check of its range, and the second half of `array.new`.
///
/// # Safety
/// The contract; the elements from `start` on, `len` of them, exist, and `value` holds one of their type.
pub(crate) unsafe extern "C" fn array_fill(
    vm: *mut VmStore,
    array: u64,
    start: u64,
    value: *const ValRaw,
    len: u64,
) {
    // SAFETY: the contract.
    unsafe {
        let (shape, base) = array_of(&*vm.cast::<StoreInner>(), array);
        let first = base.add(shape.base as usize + ((start as usize) << shape.shift));
        let len = len as usize;
        let value = value.cast::<u8>();
        match shape.shift {
            0 => first.write_bytes(value.read(), len),
            1 => std::slice::from_raw_parts_mut(first.cast(), len).fill(value.cast::<u16>().read()),
            2 => std::slice::from_raw_parts_mut(first.cast(), len).fill(value.cast::<u32>().read()),
            3 => std::slice::from_raw_parts_mut(first.cast(), len).fill(value.cast::<u64>().read()),
            _ => std::slice::from_raw_parts_mut(first.cast(), len)
                .fill(value.cast::<ValRaw>().read()),
        }
    }
}

/// `array.copy`, after the checks of both ranges.
///
/// # Safety
/// The contract; both ranges exist, and the elements are of the same size.
pub(crate) unsafe extern "C" fn array_copy(
    vm: *mut VmStore,
    target: u64,
    to: u64,
    source: u64,
    from: u64,
    len: u64,
) {
    // SAFETY: the contract; `copy` allows the ranges to overlap.
    unsafe {
        let (shape, target) = array_of(&*vm.cast::<StoreInner>(), target);
        let at = |index: u64| shape.base as usize + ((index as usize) << shape.shift);
        if planted!(vm, ArrayCopyForwards) {
            for index in 0..len {
                ptr::copy(
                    (source as *const u8).add(at(from + index)),
                    target.add(at(to + index)),
                    1 << shape.shift,
                );
            }
            return;
        }
        ptr::copy(
            (source as *const u8).add(at(from)),
            target.add(at(to)),
            (len as usize) << shape.shift,
        );
    }
}

/// Whether `len` elements of `1 << shift` bytes from byte `from` lie outside of a data segment.
///
/// # Safety
/// The contract.
pub(crate) unsafe extern "C" fn data_outside(
    vmctx: *mut c_void,
    segment: u32,
    from: u64,
    len: u64,
    shift: u32,
) -> u32 {
    // SAFETY: the contract.
    let size = unsafe { (*instance_of(vmctx)).data(segment) }.len() as u64;
    // Both were 32-bit operands, so nothing overflows.
    u32::from(from + (len << shift) > size)
}

/// Whether `len` words from word `from` lie outside of an element segment.
///
/// # Safety
/// The contract.
pub(crate) unsafe extern "C" fn elements_outside(
    vmctx: *mut c_void,
    segment: u32,
    from: u64,
    len: u64,
) -> u32 {
    // SAFETY: the contract.
    let size = unsafe { (&(*instance_of(vmctx)).elements)[segment as usize].len() };
    u32::from(from + len > size as u64)
}

/// `array.init_data`, after all checks, and the second half of `array.new_data`.
///
/// # Safety
/// The contract; both ranges exist.
pub(crate) unsafe extern "C" fn array_init_data(
    vmctx: *mut c_void,
    segment: u32,
    array: u64,
    to: u64,
    from: u64,
    len: u64,
) {
    // SAFETY: the contract.
    unsafe {
        let (shape, base) = array_of(store_of(vmctx), array);
        let bytes =
            &(*instance_of(vmctx)).data(segment)[from as usize..][..(len as usize) << shape.shift];
        let first = base.add(shape.base as usize + ((to as usize) << shape.shift));
        ptr::copy_nonoverlapping(bytes.as_ptr(), first, bytes.len());
    }
}

/// `array.init_elem`, after all checks, and the second half of `array.new_elem`.
///
/// # Safety
/// The contract; both ranges exist.
pub(crate) unsafe extern "C" fn array_init_elem(
    vmctx: *mut c_void,
    segment: u32,
    array: u64,
    to: u64,
    from: u64,
    len: u64,
) {
    // SAFETY: the contract; elements of an array of references are words.
    unsafe {
        let (shape, base) = array_of(store_of(vmctx), array);
        let words =
            &(&(*instance_of(vmctx)).elements)[segment as usize][from as usize..][..len as usize];
        let first = base.add(shape.base as usize).cast::<u64>().add(to as usize);
        ptr::copy_nonoverlapping(words.as_ptr(), first, words.len());
    }
}

/// # Safety
/// The contract.
unsafe fn store_of<'a>(vmctx: *mut c_void) -> &'a StoreInner {
    // SAFETY: a vmctx names its store, of which `VmStore` is the first field; nobody changes it now.
    unsafe {
        &**vmctx
            .byte_add(super::layout::VMCTX_STORE as usize)
            .cast::<*const StoreInner>()
    }
}
