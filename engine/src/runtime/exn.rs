//! Exception objects.
//!
//! An exception's word, as compiled code handles it, is the address of its [`ExnObject`], an object of the store's heap.

use super::heap::object::{EXCEPTION, Header};
use super::layout::{ValRaw, VmStore, VmTag};
use super::store::StoreInner;

/// What a non-null exception reference points to. The tag's parameters follow, `header.length` slots. Compiled code reads
/// them and `tag`.
#[repr(C, align(16))]
pub(crate) struct ExnObject {
    header: Header,
    /// Identity of the tag.
    pub tag: *const VmTag,
}

/// Offset of the values.
pub(crate) const EXN_VALUES: i32 = size_of::<ExnObject>() as i32;

impl ExnObject {
    /// The payload.
    ///
    /// # Safety
    /// `exception` is an object of a heap that lives for `'a`, and is not collected meanwhile.
    pub unsafe fn payload<'a>(exception: *const ExnObject) -> &'a [ValRaw] {
        // SAFETY: `exn_new` allocates every exception with that many slots behind it, all initialised.
        unsafe {
            let length = (*exception).header.length as usize;
            std::slice::from_raw_parts(exception.add(1).cast(), length)
        }
    }
}

/// Store address of the tag of the exception behind a non-null word.
pub(crate) fn tag_address(word: u64) -> u32 {
    // SAFETY: a non-null exception word that somebody holds is the address of an object, whose tag lives as long as its store.
    unsafe { (*(*(word as *const ExnObject)).tag).address }
}

/// Allocates an exception with `count` values, which are zero. Returns null, with the reason pending, at the store's limits.
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
    let header = Header {
        type_id: EXCEPTION,
        length: u32::try_from(count).expect("validation bounds the number of parameters"),
    };
    let bytes = size_of::<ExnObject>() + count * size_of::<ValRaw>();
    match store.allocate_object(header, bytes as u64) {
        Ok(object) => {
            let exception = object.cast::<ExnObject>();
            // SAFETY: allocated just now, with room for the object.
            unsafe { (*exception).tag = tag };
            exception
        }
        Err(what) => {
            store.exhaust(what);
            std::ptr::null_mut()
        }
    }
}
