//! What the stack-switching instructions do to the chain of stacks.
//!
//! The running chain is a list from `VmStore::current` through `Fiber::parent` to null, which stands for the stack that the
//! host entered on. Each stack in it runs under the handlers of the resume that started or resumed it. [`stubs`](super::stubs) call the
//! `*_prepare` functions here, which do all bookkeeping, and then exchange registers with the context that they name:
//!
//! * `resume` splices a captured chain below the running stack and swaps the chain's outermost context;
//! * `suspend` cuts the chain above the outermost stack that the handler's resume site had started, and swaps the same context back;
//! * `switch` does both at once: the target takes the place of the captured chain under the same handlers, so the context of the
//!   handler's resume site moves from one chain's outermost stack to the other's.
//!
//! One context swapped in place thus holds, at any time, the state of whichever side does not run.
//!
//! Continuations are made in `making`, and stacks begin and end in `ends`; `handlers` says who handles what is suspended.

mod ends;
mod handlers;
mod making;

pub(crate) use ends::{abandon_current, fiber_finished, fiber_started, stack_left};
pub(crate) use handlers::find_handler;
#[cfg(feature = "planted-bugs")]
pub(super) use handlers::same_type;
pub(crate) use making::{cont_bind, cont_new};

use super::exn::tag_address;
use super::fiber::{ClauseKind, Control, Fiber, HandlerList, StartFrame, State};
use super::layout::{ValRaw, VmStore, VmTag};
use super::store::StoreInner;
use super::tracer::EventKind;
use crate::error::Exhaustion;
use crate::planted::planted;
use std::ffi::c_void;
use std::ptr;

impl StoreInner {
    /// The stack limit of the running stack.
    fn limit_of(&self, fiber: *mut Fiber) -> usize {
        if fiber.is_null() {
            // SAFETY: code runs, so an activation exists.
            unsafe { (*self.vm.activation).base_limit }
        } else {
            // SAFETY: `fiber` is part of the running chain.
            unsafe { (*fiber).limit }
        }
    }

    /// Makes `fiber` (null: the host's stack) the running one.
    fn run_on(&mut self, fiber: *mut Fiber) {
        self.vm.current = fiber;
        self.vm.stack_limit = self.limit_of(fiber);
    }
}

/// The store behind a vmctx's or stub's pointer.
///
/// # Safety
/// `vm` is the first field of a [`StoreInner`], and no other reference to that store is in use.
unsafe fn store<'a>(vm: *mut VmStore) -> &'a mut StoreInner {
    // SAFETY: the caller's promise.
    unsafe { &mut *vm.cast::<StoreInner>() }
}

/// The bookkeeping of `resume`. Returns the stack whose context is to be exchanged, or null with the reason pending.
///
/// # Safety
/// `fiber` was named by a reference that is not consumed; its buffer holds all values; `handlers` and `vmctx` belong to the
/// resume site, and `results` has room for the results.
pub(crate) unsafe extern "C" fn resume_prepare(
    vm: *mut VmStore,
    fiber: *mut Fiber,
    handlers: *const HandlerList,
    vmctx: *mut c_void,
    results: *mut ValRaw,
) -> *mut Fiber {
    // SAFETY: the caller's promise.
    unsafe {
        store(vm).collection_point(&[(*fiber).word]);
        prepare_resumption(vm, fiber, handlers, vmctx, results)
    }
}

/// [`resume_prepare`] without the collection.
///
/// # Safety
/// As for [`resume_prepare`].
unsafe fn prepare_resumption(
    vm: *mut VmStore,
    fiber: *mut Fiber,
    handlers: *const HandlerList,
    vmctx: *mut c_void,
    results: *mut ValRaw,
) -> *mut Fiber {
    // SAFETY: the caller's promise.
    let (store, header) = unsafe { (store(vm), &mut *fiber) };
    store.check_running();
    store.check_captured(fiber, 0);
    if trace_ends(store) {
        return ptr::null_mut();
    }
    if !header.consume() {
        store.exhaust(Exhaustion::Continuations);
        return ptr::null_mut();
    }
    if planted!(vm, LongArgumentsCut) && header.is_fresh() {
        // SAFETY: the start frame is where the context's stack pointer is, and counts the slots at `values`.
        let len = unsafe { (*(header.context.sp as *const StartFrame)).len };
        for index in 8..len {
            // SAFETY: as above.
            unsafe { header.values.add(index).write(ValRaw::ZERO) };
        }
    }
    header.handlers = handlers;
    header.handler_vmctx = vmctx;
    header.results = results;
    header.parent = store.vm.current;
    let innermost = header.innermost;
    // SAFETY: the caller's promise.
    unsafe { splice(store, fiber) };
    // SAFETY: `innermost` is the running stack now.
    unsafe { super::sanitizer::leave(store, header.parent, innermost) };
    fiber
}

/// Makes the captured chain that `outermost` names part of the running one and lets its innermost stack run.
///
/// # Safety
/// `outermost` names a captured (or fresh) chain whose `parent` is the stack that runs.
unsafe fn splice(store: &mut StoreInner, outermost: *mut Fiber) {
    // SAFETY: the stacks of a captured chain are linked from the innermost one to `outermost`.
    unsafe {
        let innermost = (*outermost).innermost;
        if store.checks() {
            let mut fiber = innermost;
            (*fiber).state = State::Running;
            while fiber != outermost {
                fiber = (*fiber).parent;
                (*fiber).state = State::Running;
            }
        }
        store.run_on(innermost);
    }
}

/// Cuts off the chain from the running stack out to `outermost`, and returns the stack that had resumed it.
///
/// # Safety
/// `outermost` is part of the running chain.
unsafe fn capture(
    store: &mut StoreInner,
    outermost: *mut Fiber,
    buffer: *mut ValRaw,
) -> *mut Fiber {
    let lost = planted!(&store.vm, InnerHandlersLost);
    let marks = store.checks();
    // SAFETY: all stacks between the running one and `outermost` are valid headers of the running chain.
    unsafe {
        let innermost = store.vm.current;
        let mut fiber = innermost;
        if marks || lost {
            loop {
                if marks {
                    (*fiber).state = State::Suspended;
                }
                if fiber == outermost {
                    break;
                }
                if lost {
                    (*fiber).handlers = HandlerList::none();
                }
                fiber = (*fiber).parent;
            }
        }
        let parent = (*outermost).parent;
        (*outermost).innermost = innermost;
        (*outermost).buffer = buffer;
        (*outermost).handlers = ptr::null();
        parent
    }
}

/// The bookkeeping of `suspend`: `payload` holds the tag's parameters and takes its results. Returns the stack whose context is to
/// be exchanged, or null when no handler is found (which is pending then).
///
/// # Safety
/// Called by compiled code of the store on the running stack; `payload` stays valid until the suspension ends.
pub(crate) unsafe extern "C" fn suspend_prepare(
    vm: *mut VmStore,
    tag: *const VmTag,
    payload: *mut ValRaw,
) -> *mut Fiber {
    // SAFETY: the caller's promise.
    let store = unsafe { store(vm) };
    store.collection_point(&[]);
    store.check_running();
    // SAFETY: the store's code runs.
    let Some(handler) = (unsafe { find_handler(&store.vm, tag, ClauseKind::Suspend) }) else {
        // SAFETY: `tag` is one of the store's.
        unhandled(store, unsafe { (*tag).address });
        return ptr::null_mut();
    };
    let left = store.vm.current;
    #[cfg(feature = "planted-bugs")]
    // SAFETY: as below.
    super::planted::captured(&store.vm, unsafe { &mut *handler.captured });
    // SAFETY: the handler was found in the running chain.
    let parent = unsafe { capture(store, handler.captured, payload) };
    // SAFETY: as above.
    let header = unsafe { &mut *handler.captured };
    store.vm.payload = payload;
    store.vm.suspended = header.word;
    store.vm.control = Control::suspend(handler.clause);
    store.run_on(parent);
    if planted!(vm, RoundingModeLost) {
        crate::planted::round_towards_zero(true);
    }
    // SAFETY: `parent` is the running stack now.
    unsafe { super::sanitizer::leave(store, left, parent) };
    handler.captured
}

/// The bookkeeping of `switch`: `payload` takes the values of the captured continuation's next resume; the `count` values for
/// the target are in its buffer already, and the new reference is added behind them. Returns the stack whose context is to be stored
/// to (the one to load is `VmStore::switch_context`), or null when no handler is found (which is pending then).
///
/// # Safety
/// As for [`suspend_prepare`] and [`resume_prepare`].
pub(crate) unsafe extern "C" fn switch_prepare(
    vm: *mut VmStore,
    target: *mut Fiber,
    tag: *const VmTag,
    payload: *mut ValRaw,
    count: usize,
) -> *mut Fiber {
    // SAFETY: the caller's promise.
    let store = unsafe { store(vm) };
    // SAFETY: the caller's promise.
    store.collection_point(&[unsafe { (*target).word }]);
    store.check_running();
    store.check_captured(target, count + 1);
    // SAFETY: the store's code runs.
    let Some(handler) = (unsafe { find_handler(&store.vm, tag, ClauseKind::Switch) }) else {
        // The target is not consumed: the specification's rule for `switch` consumes it when a handler is there.
        // SAFETY: `tag` is one of the store's.
        unhandled(store, unsafe { (*tag).address });
        return ptr::null_mut();
    };
    // SAFETY: the caller's promise; the captured chain runs and the target does not, so they are different stacks.
    let (header, captured) = unsafe { (&mut *target, &mut *handler.captured) };
    if !header.consume() {
        store.exhaust(Exhaustion::Continuations);
        return ptr::null_mut();
    }
    #[cfg(feature = "planted-bugs")]
    {
        super::planted::captured(&store.vm, captured);
        super::planted::switched_to(header);
    }
    // SAFETY: the target's buffer has room for all its values, of which the reference is the last.
    unsafe {
        header.buffer.add(count).write(ValRaw {
            lo: captured.word,
            hi: 0,
        })
    };
    let left = store.vm.current;
    header.handlers = captured.handlers;
    header.handler_vmctx = captured.handler_vmctx;
    header.results = captured.results;
    store.vm.switch_context = header.context;
    header.context = captured.context;
    // SAFETY: the handler was found in the running chain.
    let parent = unsafe { capture(store, handler.captured, payload) };
    header.parent = parent;
    // SAFETY: `target` names a captured chain, whose parent is the handler's stack now.
    unsafe { splice(store, target) };
    let running = store.vm.current;
    // SAFETY: `running` is the running stack now.
    unsafe { super::sanitizer::leave(store, left, running) };
    handler.captured
}

/// Whether the activation must end because its trace has reached its limit, which is pending then.
fn trace_ends(store: &mut StoreInner) -> bool {
    let ends = store.trace_overflowed();
    if ends {
        store.exhaust(Exhaustion::Trace);
    }
    ends
}

fn unhandled(store: &mut StoreInner, tag: u32) {
    use super::store::Pending;
    store.pending = Some(Pending::Error(crate::Error::Suspended { tag }));
}

/// The bookkeeping of `resume_throw` and `resume_throw_ref`: `exception` becomes pending, and is raised where the continuation
/// stands suspended. Returns the stack whose context is to be exchanged; null when the continuation never started (it is dropped without being
/// entered, and the exception is raised at the resume site) or cannot be resumed.
///
/// # Safety
/// As for [`resume_prepare`]; `exception` is not null.
pub(crate) unsafe extern "C" fn resume_throw_prepare(
    vm: *mut VmStore,
    fiber: *mut Fiber,
    handlers: *const HandlerList,
    vmctx: *mut c_void,
    results: *mut ValRaw,
    exception: u64,
) -> *mut Fiber {
    // SAFETY: the caller's promise.
    unsafe { store(vm).collection_point(&[(*fiber).word, exception]) };
    // SAFETY: the caller's promise.
    let fresh = unsafe { (*fiber).is_fresh() };
    if !fresh || planted!(vm, ThrowEntersFresh) {
        // SAFETY: the caller's promise.
        let prepared = unsafe { prepare_resumption(vm, fiber, handlers, vmctx, results) };
        if !prepared.is_null() && !fresh {
            // SAFETY: the caller's promise.
            unsafe { (*vm).pending_exn = exception };
        }
        return prepared;
    }
    // SAFETY: the caller's promise.
    let (store, header) = unsafe { (store(vm), &mut *fiber) };
    if !header.consume() {
        store.exhaust(Exhaustion::Continuations);
        return ptr::null_mut();
    }
    // SAFETY: consumed just now, so no reference to it is good.
    unsafe { store.stacks.release(&mut store.vm, fiber) };
    store.vm.pending_exn = exception;
    store.record(
        EventKind::Unwind {
            tag: tag_address(exception),
        },
        None,
    );
    ptr::null_mut()
}
