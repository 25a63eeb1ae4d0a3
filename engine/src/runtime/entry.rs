//! The way from the host into Wasm and back.
//!
//! Every entry is an [`Activation`] on the Rust stack. It saves everything of the store that belongs to the running stack, so
//! a host function may re-enter on any continuation's stack; the new activation begins with an empty chain, which makes the
//! host's frame a barrier for `suspend` and `switch`. There are two ways in: [`switchback_enter`] calls any `array_call`; the
//! `native_call` of a Wasm function is an entry itself. However an activation ends, control arrives at one place in the entry,
//! with a [`Status`] in rax: by return, or by a jump that restores the stack pointer saved here.

use super::fiber::{Fiber, HandlerList};
use super::layout::{FuncRef, ValRaw, VmStore};
use super::store::{Pending, StoreInner};
use super::switch::abandon_current;
use super::tracer::EventKind;
use super::traps;
use crate::api::exn::Exception;
use crate::config::Config;
use crate::error::{Error, Exhaustion};
use crate::planted::planted;
use std::ffi::c_void;
use std::mem::offset_of;
use std::ptr;

/// One host entry that has not ended.
#[repr(C)]
pub(crate) struct Activation {
    /// Where the entry goes on, for those who do not return to it. Its frame pointer also tells the unwinder that it has
    /// reached the entry.
    pub sp: usize,
    pub fp: usize,
    pub pc: usize,
    /// The stack limit of the stack that the host entered on.
    pub base_limit: usize,
    /// The continuation's stack that the host entered on; null for the thread's own.
    pub home: *mut Fiber,
    /// The host entry around this one; null for the outermost.
    pub previous: *mut Activation,
    /// AddressSanitizer's frames of the stack that the host entered on, while a continuation runs.
    pub fake_stack: *mut c_void,
}

impl Activation {
    /// The continuation's stack that the host's frame of this entry is on; null for the thread's own. A host that was called by
    /// code on the stack of an entry, and not of a continuation, is on the stack of that entry's host.
    ///
    /// # Safety
    /// The activations around this one have not ended.
    pub unsafe fn stack(&self) -> *mut Fiber {
        let mut activation = self;
        loop {
            // SAFETY: the caller's promise.
            match unsafe { activation.previous.as_ref() } {
                Some(previous) if activation.home.is_null() => activation = previous,
                _ => return activation.home,
            }
        }
    }
}

/// How control came back to the entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub(crate) enum Status {
    /// A host function failed, and there was no frame of Wasm between it and the entry.
    HostFailed = 0,
    /// The function returned.
    Returned = 1,
    /// An instruction trapped; the store knows where.
    Trapped = 2,
    /// An exception found no handler.
    Exception = 3,
    /// `StoreInner::pending` says why.
    Pending = 4,
}

impl Status {
    fn decode(status: u64) -> Status {
        match status {
            0 => Status::HostFailed,
            1 => Status::Returned,
            2 => Status::Trapped,
            3 => Status::Exception,
            4 => Status::Pending,
            other => unreachable!("{other} is not a status"),
        }
    }
}

/// Calls `array_call(func, caller, values, len)` from a frame that a trap can return to. The result is a [`Status`].
#[unsafe(naked)]
#[unsafe(no_mangle)]
unsafe extern "C" fn switchback_enter(
    activation: *mut Activation,
    func: *const FuncRef,
    caller: *mut c_void,
    values: *mut ValRaw,
    len: usize,
) -> u64 {
    core::arch::naked_asm!(
        // The numbers are the unwinder's: 3 is rbx, 6 is rbp, 12 to 15 are r12 to r15.
        ".cfi_startproc",
        "push rbp",
        ".cfi_def_cfa_offset 16",
        ".cfi_offset 6, -16",
        "mov rbp, rsp",
        ".cfi_def_cfa_register 6",
        // Whoever jumps to the exit below has saved no register of ours.
        "push rbx",
        ".cfi_offset 3, -24",
        "push r12",
        ".cfi_offset 12, -32",
        "push r13",
        ".cfi_offset 13, -40",
        "push r14",
        ".cfi_offset 14, -48",
        "push r15",
        ".cfi_offset 15, -56",
        // The call needs a stack pointer divisible by 16.
        "sub rsp, 8",
        "mov [rdi + {sp}], rsp",
        "mov [rdi + {fp}], rbp",
        "lea rax, [rip + 2f]",
        "mov [rdi + {pc}], rax",
        "mov rdi, rsi",
        "mov rsi, rdx",
        "mov rdx, rcx",
        "mov rcx, r8",
        "call qword ptr [rdi + {array_call}]",
        "movzx eax, al",
        "2:",
        "add rsp, 8",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        "pop rbp",
        ".cfi_def_cfa 7, 8",
        "ret",
        ".cfi_endproc",
        sp = const offset_of!(Activation, sp),
        fp = const offset_of!(Activation, fp),
        pc = const offset_of!(Activation, pc),
        array_call = const offset_of!(FuncRef, array_call),
    )
}

#[inline(always)]
pub(crate) fn stack_pointer() -> usize {
    let sp: usize;
    // SAFETY: reads a register.
    unsafe {
        std::arch::asm!("mov {}, rsp", out(reg) sp, options(nomem, nostack, preserves_flags))
    };
    sp
}

/// The lowest stack pointer that Wasm may reach when the host enters it at `sp`.
///
/// Under a host function, whichever store called that, the limit of the stack that it was called on holds: the stack may be a
/// continuation's. Otherwise the thread's own stack is under us, and may be shorter than the configuration hopes; if `sp` is
/// not on it either, an embedder's own stack is, of which only the embedder knows how far it reaches.
///
/// # Errors
/// [`Error::Engine`], if a host function has left the stack that it was called on: its own frames, and those of the code
/// that called it, would be found by nobody.
fn entry_limit(config: &Config, sp: usize) -> Result<usize, Error> {
    let limit = sp.saturating_sub(config.max_wasm_stack);
    if let Some(outer) = traps::running() {
        // SAFETY: a store that is marked as running stays valid until the entry that marked it is over, as does its innermost
        // activation; while a host function runs nobody changes its stack limit and its current stack.
        let (lowest, top) = unsafe {
            let vm = &(*outer).vm;
            let top = if vm.current.is_null() {
                (*vm.activation).sp
            } else {
                vm.current as usize
            };
            (vm.stack_limit, top)
        };
        if sp >= top {
            return Err(Error::Engine(
                "a host function called back from another stack than the one it was called on"
                    .to_owned(),
            ));
        }
        return Ok(limit.max(lowest));
    }
    let stack = super::thread::stack();
    Ok(if stack.contains(&sp) {
        limit.max(stack.start + GUARD + config.host_stack_headroom)
    } else {
        limit
    })
}

/// Bytes at the low end of a thread's stack that the system may keep as its guard.
const GUARD: usize = 64 * 1024;

/// Calls `func` with `values` (arguments, then results) and brings back how it ended. A host function's panic goes on here.
///
/// # Safety
/// `store` is valid and no reference to it is in use; `func` is one of its functions; `values` has `len` slots, enough for
/// its parameters and for its results, and holds arguments of its parameter types.
pub(crate) unsafe fn invoke(
    store: *mut StoreInner,
    func: *const FuncRef,
    values: *mut ValRaw,
    len: usize,
) -> Result<(), Error> {
    // SAFETY: the caller's promise; the activation outlives the call.
    unsafe {
        invoke_with(store, |activation| {
            switchback_enter(activation, func, ptr::null_mut(), values, len)
        })
    }
}

/// Makes an activation, lets `call` run code under it, and brings back how that ended. A host function's panic goes on here.
///
/// # Safety
/// `store` is valid and no reference to it is in use. `call` runs a function of the store, by [`switchback_enter`] or by its
/// `native_call`, returns the [`Status`] that this ends with, and does not unwind.
#[inline]
pub(crate) unsafe fn invoke_with(
    store: *mut StoreInner,
    call: impl FnOnce(*mut Activation) -> u64,
) -> Result<(), Error> {
    // SAFETY: the caller's promise, also for all uses of `store` below: between them only `call` touches it.
    let vm = unsafe { &mut (*store).vm };
    let (saved_current, saved_limit, saved_activation) =
        (vm.current, vm.stack_limit, vm.activation);
    let sp = stack_pointer();
    // SAFETY: as above.
    let limit = unsafe { entry_limit((*store).engine.config(), sp) }?;
    if sp < limit {
        return Err(Error::Exhausted(Exhaustion::CallStack));
    }
    vm.stack_limit = limit;
    let mut activation = Activation {
        // Compiled code puts its entry's own here; a host function that is called directly has no other.
        sp,
        fp: 0,
        pc: 0,
        base_limit: vm.stack_limit,
        home: saved_current,
        previous: saved_activation,
        fake_stack: ptr::null_mut(),
    };
    let activation = &raw mut activation;
    vm.activation = activation;
    vm.current = ptr::null_mut();
    let thread = traps::Running::enter(store);
    let status = call(activation);
    drop(thread);

    // SAFETY: as above.
    let store = unsafe { &mut *store };
    // A trace may have to be looked at.
    let returned = status == Status::Returned as u64 && store.tracer.is_none();
    let on_home = store.vm.current.is_null() && store.left.is_none() && !store.switching;
    let restore = |vm: &mut VmStore| {
        if planted!(vm, RoundingModeLost) {
            crate::planted::round_towards_zero(false);
        }
        if planted!(vm, HandlersLostOnReentry) {
            let mut fiber = saved_current;
            while !fiber.is_null() {
                // SAFETY: the chain that the host was called on consists of running stacks.
                fiber = unsafe {
                    (*fiber).handlers = HandlerList::none();
                    (*fiber).parent
                };
            }
        }
        vm.current = saved_current;
        vm.stack_limit = saved_limit;
        vm.activation = saved_activation;
    };
    // At once, because the result of the other way is large, and would be copied.
    if returned && on_home {
        restore(&mut store.vm);
        return Ok(());
    }
    let result = leave(store, status);
    restore(&mut store.vm);
    match result {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// What an activation ended with; frees the stacks that it has left.
#[cold]
fn leave(store: &mut StoreInner, status: u64) -> Result<Result<(), Error>, Panic> {
    let result = outcome(store, status);
    if !store.vm.current.is_null() || store.left.is_some() || store.switching {
        leave_dead_chain(store);
    }
    result
}

type Panic = Box<dyn std::any::Any + Send>;

fn outcome(store: &mut StoreInner, status: u64) -> Result<Result<(), Error>, Panic> {
    let result = untraced_outcome(store, status);
    match result {
        // A trace that lacks something must not pass for a whole one.
        Ok(Ok(()) | Err(Error::Trap(_) | Error::Exception(_))) if store.trace_overflowed() => {
            Ok(Err(Error::Exhausted(Exhaustion::Trace)))
        }
        result => result,
    }
}

fn untraced_outcome(store: &mut StoreInner, status: u64) -> Result<Result<(), Error>, Panic> {
    Ok(Err(match Status::decode(status) {
        Status::Returned => return Ok(Ok(())),
        Status::Trapped => match traps::describe(store) {
            Ok(trap) => {
                store.record(EventKind::Trap { kind: trap.kind }, trap.location);
                Error::Trap(trap)
            }
            Err(exhaustion) => Error::Exhausted(exhaustion),
        },
        Status::Exception | Status::HostFailed if store.vm.pending_exn != 0 => {
            let exception = std::mem::take(&mut store.vm.pending_exn);
            Error::Exception(Exception::from_word(store, exception))
        }
        Status::Exception | Status::HostFailed | Status::Pending => match store
            .pending
            .take()
            .expect("an activation ended without a reason")
        {
            Pending::Error(error) => error,
            Pending::Panic(panic) => return Err(panic),
        },
    }))
}

/// Frees the stacks that were running when the activation ended other than by return, and tells the sanitizer where we are.
fn leave_dead_chain(store: &mut StoreInner) {
    let last = store.left.take().unwrap_or(store.vm.current);
    while !store.vm.current.is_null() {
        // SAFETY: the activation is over, so the function on every stack of its chain has ended.
        unsafe { abandon_current(store) };
    }
    store.left = None;
    if super::sanitizer::ENABLED && !last.is_null() && !store.switching {
        // SAFETY: `last` is the stack that was running, and the entry's own stack runs now.
        unsafe { super::sanitizer::leave(store, last, ptr::null_mut()) };
    }
    // SAFETY: the entry's own stack runs.
    unsafe { super::sanitizer::arrive(&raw mut store.vm) };
}
