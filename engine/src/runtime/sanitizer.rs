//! What AddressSanitizer must be told of every switch of stacks.
//!
//! It keeps, for the running thread, the bounds of the stack and a heap of stand-in frames; both belong to a stack. `leave` is
//! the last thing that runtime code does before it lets a stub switch, `arrive` the first thing that code does on the
//! other side. Without the sanitizer both are empty, and stubs do not call `arrive` at all.

use super::fiber::Fiber;
use super::layout::VmStore;
use super::store::StoreInner;

/// Whether this build needs [`arrive`] called after every switch.
pub(crate) const ENABLED: bool = cfg!(switchback_asan);

/// The running stack will be left for `to`. Null stands for the stack that the host entered on.
///
/// # Safety
/// `from` is the stack that this is called on, and `to` the one that runs next.
#[cfg_attr(not(switchback_asan), inline(always))]
pub(crate) unsafe fn leave(store: &mut StoreInner, from: *mut Fiber, to: *mut Fiber) {
    #[cfg(switchback_asan)]
    // SAFETY: the caller's promise is the sanitizer's condition.
    unsafe {
        asan::leave(store, from, to)
    };
    #[cfg(not(switchback_asan))]
    let _ = (store, from, to);
}

/// The running stack was reached after a [`leave`]; without one, nothing happens.
///
/// # Safety
/// `vm` is the store whose code runs.
pub(crate) unsafe extern "C" fn arrive(vm: *mut VmStore) {
    #[cfg(switchback_asan)]
    // SAFETY: the caller's promise.
    unsafe {
        asan::arrive(vm)
    };
    #[cfg(not(switchback_asan))]
    let _ = vm;
}

/// The stand-in frames of a stack that is not arrived at any more go. Those of a stack that is only freed stay with it, for its next
/// use.
///
/// # Safety
/// `fiber` has a valid header, and no code runs on it now or later.
#[cfg_attr(not(switchback_asan), inline(always))]
pub(crate) unsafe fn forget(fiber: *mut Fiber) {
    #[cfg(switchback_asan)]
    // SAFETY: the caller's promise.
    unsafe {
        asan::forget(&mut *fiber)
    };
    #[cfg(not(switchback_asan))]
    let _ = fiber;
}

#[cfg(switchback_asan)]
mod asan {
    use super::*;
    use std::ffi::c_void;
    use std::ptr;

    unsafe extern "C" {
        fn __sanitizer_start_switch_fiber(
            save: *mut *mut c_void,
            bottom: *const c_void,
            size: usize,
        );
        fn __sanitizer_finish_switch_fiber(
            save: *mut c_void,
            old_bottom: *mut *const c_void,
            old_size: *mut usize,
        );
    }

    /// The slot for the sanitizer's frames of a stack, and the stack's bounds.
    unsafe fn stack_of(
        store: &mut StoreInner,
        fiber: *mut Fiber,
    ) -> (*mut *mut c_void, usize, usize) {
        if fiber.is_null() {
            // SAFETY: code runs, so an activation exists.
            let activation = unsafe { &mut *store.vm.activation };
            // SAFETY: as above; the activations around it have not ended.
            let home = unsafe { activation.stack() };
            let (bottom, size) = if home.is_null() {
                let stack = super::super::thread::stack();
                (stack.start, stack.len())
            } else {
                store.stacks.usable(home)
            };
            (&raw mut activation.fake_stack, bottom, size)
        } else {
            let (bottom, size) = store.stacks.usable(fiber);
            // SAFETY: stacks of a chain have valid headers.
            (unsafe { &raw mut (*fiber).fake_stack }, bottom, size)
        }
    }

    pub(super) unsafe fn leave(store: &mut StoreInner, from: *mut Fiber, to: *mut Fiber) {
        // SAFETY: the caller's promise.
        unsafe {
            let (save, ..) = stack_of(store, from);
            let (_, bottom, size) = stack_of(store, to);
            store.switching = true;
            __sanitizer_start_switch_fiber(save, bottom as *const c_void, size);
        }
    }

    pub(super) unsafe fn forget(fiber: &mut Fiber) {
        let dead = std::mem::replace(&mut fiber.fake_stack, ptr::null_mut());
        if dead.is_null() {
            return;
        }
        let (mut own, mut bottom, mut size) = (ptr::null_mut(), ptr::null(), 0);
        // Only a stack that is left for good gives its frames back. So we are on the dead one for a moment, as far as the sanitizer
        // knows; its bounds do not matter, since nothing but these calls happens there.
        // SAFETY: each switch that is announced is finished, the second one where the first began; the caller vouches that nothing
        // needs the dead frames.
        unsafe {
            __sanitizer_start_switch_fiber(&raw mut own, ptr::null(), 0);
            __sanitizer_finish_switch_fiber(dead, &raw mut bottom, &raw mut size);
            __sanitizer_start_switch_fiber(ptr::null_mut(), bottom, size);
            __sanitizer_finish_switch_fiber(own, ptr::null_mut(), ptr::null_mut());
        }
    }

    pub(super) unsafe fn arrive(vm: *mut VmStore) {
        // SAFETY: the caller's promise.
        unsafe {
            let store = &mut *vm.cast::<StoreInner>();
            if std::mem::take(&mut store.switching) {
                let running = store.vm.current;
                let (save, ..) = stack_of(store, running);
                let fake = ptr::replace(save, ptr::null_mut());
                __sanitizer_finish_switch_fiber(fake, ptr::null_mut(), ptr::null_mut());
            }
        }
    }
}
