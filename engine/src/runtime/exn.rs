//! Exception objects.
//!
//! An exception's word, as compiled code handles it, is the address of its [`ExnObject`]. Objects live as long as their
//! store, which bounds their number.

use super::layout::{ValRaw, VmStore, VmTag};
use super::store::StoreInner;
use crate::error::Exhaustion;

/// What a non-null exception reference points to. Compiled code reads `tag` and `values`.
#[repr(C)]
pub(crate) struct ExnObject {
    /// Identity of the tag.
    pub tag: *const VmTag,
    /// The tag's parameters: an allocation of `len` slots that this object owns.
    pub values: *mut ValRaw,
    len: usize,
}

impl ExnObject {
    pub fn new(tag: *const VmTag, len: usize) -> Box<ExnObject> {
        let values = Box::into_raw(vec![ValRaw::ZERO; len].into_boxed_slice()).cast::<ValRaw>();
        Box::new(ExnObject { tag, values, len })
    }

    /// The payload.
    pub fn payload(&self) -> &[ValRaw] {
        // SAFETY: `new` allocated `len` slots at `values`, and only `drop` frees them.
        unsafe { std::slice::from_raw_parts(self.values, self.len) }
    }
}

impl Drop for ExnObject {
    fn drop(&mut self) {
        // SAFETY: made by `Box::into_raw` of a slice of this length.
        drop(unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(self.values, self.len)) });
    }
}

/// Store address of the tag of the exception behind a non-null word.
pub(crate) fn tag_address(word: u64) -> u32 {
    // SAFETY: a non-null exception word is the address of an object that lives as long as its store, and so does its tag.
    unsafe { (*(*(word as *const ExnObject)).tag).address }
}

/// Allocates an exception with `count` values, which are zero. Returns null, with the reason pending, at the store's limit.
///
/// # Safety
/// Called by compiled code of the store, with one of its tags, which has `count` parameters.
pub(crate) unsafe extern "C" fn exn_new(
    vm: *mut VmStore,
    tag: *const VmTag,
    count: usize,
) -> *mut ExnObject {
    // SAFETY: a `VmStore` is the first field of its `StoreInner`; compiled code waits for us.
    let store = unsafe { &mut *vm.cast::<StoreInner>() };
    if store.exceptions.len() >= store.engine.config().limits.exceptions as usize {
        store.exhaust(Exhaustion::Exceptions);
        return std::ptr::null_mut();
    }
    let mut exception = ExnObject::new(tag, count);
    let address = &raw mut *exception;
    store.exceptions.push(exception);
    address
}
