//! Leaving frames: from a raised exception, or any other end of an activation, to the place where execution goes on.
//!
//! Frames are walked by their frame pointers, which compiled code, trampolines and stubs all keep. The walk needs to
//! know two kinds of return address, one with an exception handler (from the module's tables) and the base of a
//! continuation's stack ([`start_return_address`]), and the frame of the host's entry, which the activation names. At the base of a stack the
//! continuation is dead: its stack is freed, and the walk goes on in its resumer, at the resume site. No frame of Rust lies
//! on the way: runtime functions return to the stub that called them, which then jumps to the [`Target`].

use super::entry::Status;
use super::fiber::{Control, start_return_address};
use super::layout::VmStore;
use super::store::StoreInner;
use super::switch::{abandon_current, stack_left};
use super::tracer::EventKind;
use crate::planted::planted;

/// Where to go on, and with what in which register.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(crate) struct Target {
    pub sp: usize,
    pub fp: usize,
    pub pc: usize,
    /// rax: a landing pad's exception, a resume site's control word, or the entry's [`Status`].
    pub payload: u64,
}

/// A call that an exception can leave through a handler, in a module's code.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallSite {
    /// Offset of the return address in the code region.
    pub return_address: u32,
    /// Bytes from the caller's frame pointer down to its stack pointer at the call.
    pub frame_size: u32,
    /// Offset of the landing pad.
    pub handler: u32,
}

/// Raises what is pending: called by compiled code and stubs (Tail convention, one argument in rdi), never returns.
#[unsafe(naked)]
pub(crate) extern "C" fn raise() {
    core::arch::naked_asm!(
        "push rbp",
        "mov rbp, rsp",
        "mov rsi, rbp",
        "call {find}",
        "jmp {leave}",
        find = sym find_target,
        leave = sym super::fiber::leave_to,
    )
}

/// Finds where what is pending goes, and unlinks and frees the stacks that it leaves.
///
/// # Safety
/// Called by [`raise`] or at the base of a running stack, with the frame pointer of the frame that is being left.
pub(crate) unsafe extern "C" fn find_target(vm: *mut VmStore, fp: usize) -> *const Target {
    // SAFETY: a `VmStore` is the first field of its `StoreInner`; compiled code of this store called us and waits.
    let store = unsafe { &mut *vm.cast::<StoreInner>() };
    // The exception may have come to this stack by a switch.
    // SAFETY: as above.
    unsafe { super::sanitizer::arrive(vm) };
    let target = if store.vm.pending_exn != 0 {
        // SAFETY: `fp` is a live frame of this activation, as the caller vouches.
        unsafe { find_handler_frame(store, fp) }
    } else {
        exit(store, Status::Pending)
    };
    store.target = target;
    &raw const store.target
}

/// The way out of the innermost activation.
pub(crate) fn exit(store: &mut StoreInner, status: Status) -> Target {
    // SAFETY: compiled code runs, so an activation exists: `entry::invoke` keeps it on its frame until it has left.
    let activation = unsafe { &*store.vm.activation };
    Target {
        sp: activation.sp,
        fp: activation.fp,
        pc: activation.pc,
        payload: status as u64,
    }
}

/// Walks from the frame at `fp` outwards to the first frame that handles exceptions.
///
/// # Safety
/// `fp` is a frame of the running stack of `store`'s innermost activation.
unsafe fn find_handler_frame(store: &mut StoreInner, mut fp: usize) -> Target {
    let exception = store.vm.pending_exn;
    // For a bug, if it is planted: the frames up to a resume's site that are still to be passed by.
    let mut skipped = 0;
    loop {
        // SAFETY: every frame from here to the host's entry keeps its caller's frame pointer and its return address at its
        // frame pointer: compiled code by `preserve_frame_pointers`, stubs by hand, the base of a stack by its context.
        let (caller_fp, return_address) =
            unsafe { (*(fp as *const usize), *((fp + 8) as *const usize)) };
        // SAFETY: compiled code runs, so an activation exists; see `exit`.
        if caller_fp == unsafe { (*store.vm.activation).fp } {
            return exit(store, Status::Exception);
        }
        if return_address == start_return_address() && planted!(&store.vm, ExceptionStopsAtBase) {
            return exit(store, Status::Exception);
        }
        if return_address == start_return_address() {
            // SAFETY: the walk stands at the base of the running stack.
            unsafe { abandon_current(store) };
            store.record(
                EventKind::Unwind {
                    tag: super::exn::tag_address(exception),
                },
                None,
            );
            if planted!(&store.vm, ResumeSiteSkipped) {
                skipped = 2;
            }
        } else if let Some((code, site)) = store.handler_at(return_address)
            && skipped == 0
        {
            store.vm.pending_exn = 0;
            let target = Target {
                sp: caller_fp - site.frame_size as usize,
                fp: caller_fp,
                pc: code + site.handler as usize,
                payload: exception,
            };
            stack_left(store);
            return target;
        }
        skipped -= u32::from(skipped > 0);
        fp = caller_fp;
    }
}

/// Back to the resumer of a stack whose function has returned.
pub(crate) fn returned(context: super::fiber::Context) -> Target {
    Target {
        sp: context.sp,
        fp: context.fp,
        pc: context.ip,
        payload: Control::RETURN,
    }
}
