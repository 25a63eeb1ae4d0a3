//! The calling thread's own stack.

use std::cell::Cell;
use std::ops::Range;

/// Addresses of the calling thread's own stack; empty when the system does not tell. Asked for once a thread.
pub(crate) fn stack() -> Range<usize> {
    thread_local!(static STACK: Cell<Option<(usize, usize)>> = const { Cell::new(None) });
    let (start, end) = STACK.get().unwrap_or_else(|| {
        let bounds = query().unwrap_or_default();
        STACK.set(Some(bounds));
        bounds
    });
    start..end
}

fn query() -> Option<(usize, usize)> {
    let mut attributes = std::mem::MaybeUninit::uninit();
    let mut bottom = std::ptr::null_mut();
    let mut size = 0;
    // SAFETY: asks about the calling thread; the attributes are initialised by the first call if it succeeds, read by the
    // second and destroyed once.
    unsafe {
        if libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr()) != 0 {
            return None;
        }
        let known = libc::pthread_attr_getstack(attributes.as_ptr(), &mut bottom, &mut size) == 0;
        libc::pthread_attr_destroy(attributes.as_mut_ptr());
        known.then_some((bottom as usize, bottom as usize + size))
    }
}
