//! Exception objects.
//!
//! An exception's word, as compiled code handles it, is the address of its [`ExnObject`]. Objects live as long as their
//! store, which bounds their number and size.

use super::layout::{ValRaw, VmStore, VmTag};
use super::owned::Owned;
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
    /// An exception with `len` values, which are zero; `None` when there is no memory for them.
    fn new(tag: *const VmTag, len: usize) -> Option<Owned<ExnObject>> {
        let mut values = Vec::new();
        values.try_reserve_exact(len).ok()?;
        values.resize(len, ValRaw::ZERO);
        let values = Box::into_raw(values.into_boxed_slice()).cast::<ValRaw>();
        Some(Owned::new(ExnObject { tag, values, len }))
    }

    /// What an exception with `len` values takes of [`Limits::exception_bytes`](crate::Limits::exception_bytes).
    fn bytes(len: usize) -> usize {
        size_of::<ExnObject>() + len * size_of::<ValRaw>()
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
    let limits = &store.engine.config().limits;
    let bytes = store
        .exception_bytes
        .saturating_add(ExnObject::bytes(count));
    let room =
        store.exceptions.len() < limits.exceptions as usize && bytes <= limits.exception_bytes;
    let Some(exception) = room.then(|| ExnObject::new(tag, count)).flatten() else {
        store.exhaust(Exhaustion::Exceptions);
        return std::ptr::null_mut();
    };
    let address = exception.as_ptr();
    store.exceptions.push(exception);
    store.exception_bytes = bytes;
    address
}
