//! A value at an address that never changes.

use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// Owns a value as a `Box` does, and unlike one may be moved while raw pointers to the value are in use: moving a `Box` asserts
/// that nobody else has a way to its contents.
pub(crate) struct Owned<T>(NonNull<T>);

impl<T> Owned<T> {
    pub fn new(value: T) -> Self {
        Owned(NonNull::from(Box::leak(Box::new(value))))
    }

    /// The address, for as long as the owner lives.
    pub fn as_ptr(&self) -> *mut T {
        self.0.as_ptr()
    }
}

impl<T> Deref for Owned<T> {
    type Target = T;
    fn deref(&self) -> &T {
        // SAFETY: allocated in `new`, freed in `drop`; who uses the raw pointer keeps Rust's rules for references.
        unsafe { self.0.as_ref() }
    }
}

impl<T> DerefMut for Owned<T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`.
        unsafe { self.0.as_mut() }
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: made by `Box::leak` in `new`, and dropped once.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}
