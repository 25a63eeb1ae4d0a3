//! Traps: by hardware, or by explicit checks where the configuration wants no signals.
//!
//! A fault of compiled code is found by its pc in the tables of the store that runs on the thread. The handler then edits the
//! interrupted context so that the thread goes on at the exit of the innermost entry; frames of compiled code need no
//! clean-up, and no frame of Rust lies between. Every other fault is passed on to whoever handled the signal before.

use super::entry::Status;
use super::layout::VmStore;
use super::store::StoreInner;
use super::unwind::{Target, exit};
use crate::compile::trap_codes::{self, TrapReason};
use crate::config::OptLevel;
use crate::error::{Exhaustion, Trap, TrapKind};
#[cfg(feature = "planted-bugs")]
use crate::planted::planted;
use cranelift_codegen::ir::TrapCode;
use std::cell::Cell;
use std::mem::MaybeUninit;
use std::num::NonZeroU8;
use std::ptr;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

const SIGNALS: [libc::c_int; 4] = [libc::SIGILL, libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE];

static INSTALL: Once = Once::new();
/// Whether a previous handler that wanted to run once only (`SA_RESETHAND`) has done so.
static SPENT: [AtomicBool; SIGNALS.len()] = [const { AtomicBool::new(false) }; SIGNALS.len()];
static mut PREVIOUS: [MaybeUninit<libc::sigaction>; SIGNALS.len()] =
    [const { MaybeUninit::uninit() }; SIGNALS.len()];

thread_local! {
    /// The store whose code this thread executes.
    static RUNNING: Cell<*mut StoreInner> = const { Cell::new(ptr::null_mut()) };
}

/// Marks a store as running on this thread, until dropped.
pub(crate) struct Running {
    previous: *mut StoreInner,
}

impl Running {
    pub fn enter(store: *mut StoreInner) -> Self {
        Running {
            previous: RUNNING.replace(store),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.set(self.previous);
    }
}

/// The store whose code this thread executes, or waits in for a host function.
pub(crate) fn running() -> Option<*mut StoreInner> {
    let store = RUNNING.get();
    (!store.is_null()).then_some(store)
}

/// Installs the handlers, once per process. Handlers installed before keep getting what is not ours.
pub(crate) fn install() {
    INSTALL.call_once(|| {
        for (index, &signal) in SIGNALS.iter().enumerate() {
            // SAFETY: `handler` has the signature that SA_SIGINFO asks for and does only what a handler may. `PREVIOUS` is
            // written here only, before the handler that reads this element is in place, and `Once` keeps writers apart.
            unsafe {
                let mut action: libc::sigaction = std::mem::zeroed();
                action.sa_sigaction = handler as *const () as usize;
                // On another stack, because the fault may be the exhaustion of this one; not deferred, because the handler
                // leaves for other code, and a fault there is a fault of its own.
                action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER;
                libc::sigemptyset(&mut action.sa_mask);
                // Asked for first: the handler may run on another thread the moment it is in place.
                let previous = (&raw mut PREVIOUS[index]).cast::<libc::sigaction>();
                let known = libc::sigaction(signal, ptr::null(), previous) == 0;
                let installed = libc::sigaction(signal, &action, ptr::null_mut()) == 0;
                assert!(known && installed, "signal handlers can be installed");
            }
        }
    });
}

unsafe extern "C" fn handler(
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    // SAFETY: the kernel passes a `ucontext_t` with SA_SIGINFO.
    let registers = unsafe { &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs };
    let pc = registers[libc::REG_RIP as usize] as usize;
    let store = RUNNING.get();
    // SAFETY: a non-null `RUNNING` is the store that `entry::invoke` runs code of on this thread; the fault is synchronous,
    // so nothing is half-way through changing the tables read here.
    if !store.is_null() && unsafe { (*store).trap_at(pc) }.is_some() {
        // SAFETY: as above; compiled code runs, so there is an activation.
        let activation = unsafe {
            let fp = registers[libc::REG_RBP as usize] as usize;
            let entry = (*(*store).vm.activation).fp;
            (*store).trap.note(pc, None, fp, entry);
            &*(*store).vm.activation
        };
        registers[libc::REG_RSP as usize] = activation.sp as i64;
        registers[libc::REG_RBP as usize] = activation.fp as i64;
        registers[libc::REG_RIP as usize] = activation.pc as i64;
        registers[libc::REG_RAX as usize] = Status::Trapped as i64;
        return;
    }
    // SAFETY: `info` is the kernel's; the stacks' bounds are read only, and nobody changes them while a fault is handled.
    let exhausted = signal == libc::SIGSEGV
        && !store.is_null()
        && unsafe { (*info).si_code > 0 && (*store).stacks.is_guard((*info).si_addr() as usize) };
    if exhausted {
        let message =
            b"switchback: a host function has used up its part of a continuation's stack; \
            see Config::host_stack_headroom\n";
        // SAFETY: `write` may be called by a signal handler, and the message is valid for its length. That it may fail
        // changes nothing.
        let _ = unsafe { libc::write(libc::STDERR_FILENO, message.as_ptr().cast(), message.len()) };
    }
    // SAFETY: passing on what the kernel gave us.
    unsafe { pass_on(signal, info, context) };
}

/// Does what would have happened without us.
///
/// # Safety
/// The arguments are those of a signal handler.
unsafe fn pass_on(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let index = SIGNALS
        .iter()
        .position(|&s| s == signal)
        .expect("only our signals arrive here");
    // SAFETY: `install` has written this element before it installed the handler, and nobody writes it again.
    let previous = unsafe {
        (&raw const PREVIOUS[index])
            .cast::<libc::sigaction>()
            .read()
    };
    // SAFETY: the kernel passes a valid `siginfo_t` with SA_SIGINFO.
    let sent = unsafe { (*info).si_code } <= 0;
    let spent = previous.sa_flags & libc::SA_RESETHAND != 0
        && !matches!(previous.sa_sigaction, libc::SIG_DFL | libc::SIG_IGN)
        && SPENT[index].swap(true, Ordering::Relaxed);
    match previous.sa_sigaction {
        // Nothing happens to a signal that is ignored. (The kernel does not let a process ignore its own faults.)
        libc::SIG_IGN if sent => return,
        libc::SIG_DFL | libc::SIG_IGN => {}
        _ if spent => {}
        address => {
            // SAFETY: the arguments are those of a signal handler, and `address` was registered with these flags.
            unsafe { call_previous(&previous, address, signal, info, context) };
            return;
        }
    }
    // Let the instruction fault again, without us: by default that ends the process.
    // SAFETY: zero bytes are a valid `sigaction`, whose mask and flags are empty.
    let mut default: libc::sigaction = unsafe { std::mem::zeroed() };
    default.sa_sigaction = libc::SIG_DFL;
    // SAFETY: installs the system's default disposition.
    unsafe { libc::sigaction(signal, &default, ptr::null_mut()) };
    if sent {
        // Somebody sent the signal, and no instruction will bring it again.
        // SAFETY: sends a signal to the calling thread, for which the default disposition is in place.
        unsafe { libc::raise(signal) };
    }
}

/// Calls a handler that was installed before ours, with the signals blocked that it asked for. The mask is not restored here: the
/// kernel does that when the signal is over, as it would have done after the handler alone. That it runs on another stack than it
/// asked for (`SA_ONSTACK`) is all that it can see of us.
///
/// # Safety
/// `address` is a handler that was registered with `previous`; the other arguments are those of a signal handler.
unsafe fn call_previous(
    previous: &libc::sigaction,
    address: libc::sighandler_t,
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    let mut blocked = previous.sa_mask;
    // SAFETY: changes the mask of the calling thread by a valid set.
    unsafe {
        if previous.sa_flags & libc::SA_NODEFER == 0 {
            libc::sigaddset(&mut blocked, signal);
        }
        libc::pthread_sigmask(libc::SIG_BLOCK, &blocked, ptr::null_mut());
    }
    if previous.sa_flags & libc::SA_SIGINFO != 0 {
        // SAFETY: the previous owner registered a handler of this signature.
        let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) =
            unsafe { std::mem::transmute(address) };
        handler(signal, info, context);
    } else {
        // SAFETY: the previous owner registered a handler of this signature.
        let handler: extern "C" fn(libc::c_int) = unsafe { std::mem::transmute(address) };
        handler(signal);
    }
}

/// Ends the activation with a trap that an explicit check has found: called by compiled code (Tail convention: the store, and the
/// raw trap code), never returns.
#[unsafe(naked)]
pub(crate) extern "C" fn trap() {
    core::arch::naked_asm!(
        "push rbp",
        "mov rbp, rsp",
        "mov rdx, [rbp + 8]",
        "mov rcx, [rbp]",
        "call {note}",
        "jmp {leave}",
        note = sym explicit_trap,
        leave = sym super::fiber::leave_to,
    )
}

/// # Safety
/// Called by [`trap`] only, with the return address and the frame pointer of the compiled code that called it.
unsafe extern "C" fn explicit_trap(
    vm: *mut VmStore,
    code: u8,
    return_address: usize,
    fp: usize,
) -> *const Target {
    // SAFETY: a `VmStore` is the first field of its `StoreInner`; compiled code of this store called us and waits.
    let store = unsafe { &mut *vm.cast::<StoreInner>() };
    let code = TrapCode::from_raw(NonZeroU8::new(code).expect("trap codes are not zero"));
    // SAFETY: the caller's promise. The address before the return address belongs to the call.
    unsafe {
        let entry = (*store.vm.activation).fp;
        store.trap.note(return_address - 1, Some(code), fp, entry);
    }
    #[cfg(feature = "planted-bugs")]
    if planted!(&store.vm, ExplicitTrapReturns)
        && !store.vm.current.is_null()
        && code != TrapCode::STACK_OVERFLOW
    {
        // SAFETY: compiled code runs on the running stack, whose function ends here.
        return unsafe { super::planted::return_zeroes(store) };
    }
    store.target = exit(store, Status::Trapped);
    &raw const store.target
}

/// What the trap that ended the activation was, and where, if the code still tells: an optimiser that joins a branch with the
/// `unreachable` that it leads to leaves the branch's place on the result, and an access that faults may have become part of the
/// instruction that uses what it loads.
pub(crate) fn describe(store: &StoreInner) -> Result<Trap, Exhaustion> {
    let explicit = store.trap.code;
    let code = explicit
        .or_else(|| store.trap_at(store.trap.pc))
        .expect("the handler has looked this address up");
    let kind = match trap_codes::reason(code) {
        TrapReason::Trap(kind) => kind,
        TrapReason::StackOverflow => return Err(Exhaustion::CallStack),
    };
    let config = store.engine.config();
    let exact = explicit.is_some()
        || match kind {
            TrapKind::Unreachable => config.opt_level == OptLevel::None,
            TrapKind::MemoryOutOfBounds => code != trap_codes::memory_fault(),
            _ => true,
        };
    let location = store.location_at(store.trap.pc).map(|(_, at)| at);
    Ok(Trap {
        kind,
        location: location.filter(|_| exact),
        backtrace: store.trap_backtrace(),
    })
}
