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

use super::exn::tag_address;
use super::fiber::{CANARY, ClauseKind, Control, Fiber, HandlerList, StartFrame, State};
use super::layout::{FuncRef, ValRaw, VmStore, VmTag};
use super::stacks::START_RESERVE;
use super::store::StoreInner;
use super::tracer::EventKind;
use super::unwind::{Target, find_target, returned};
use crate::error::Exhaustion;
use crate::planted::planted;
use std::ffi::c_void;
use std::ptr;

/// Where a suspension is handled.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Handler {
    /// The outermost stack that is captured: the handling resume site is in its parent.
    pub captured: *mut Fiber,
    /// Index of the clause in the site's list.
    pub clause: u32,
    /// Handler lists passed over.
    pub distance: u32,
}

/// Finds the innermost clause of kind `kind` for `tag` in the running chain.
///
/// # Safety
/// `vm` is the store whose code runs.
pub(crate) unsafe fn find_handler(
    vm: &VmStore,
    tag: *const VmTag,
    kind: ClauseKind,
) -> Option<Handler> {
    let mut fiber = vm.current;
    let mut distance = 0;
    while !fiber.is_null() {
        // SAFETY: the chain consists of running stacks, whose headers are valid, whose handler lists belong to modules that
        // the store keeps, and whose `handler_vmctx` is the instance that executes the resume.
        let (list, vmctx, parent) = unsafe {
            debug_assert_eq!((*fiber).canary, CANARY);
            (&*(*fiber).handlers, (*fiber).handler_vmctx, (*fiber).parent)
        };
        let mut found = None;
        for (index, clause) in list.clauses().iter().enumerate() {
            // SAFETY: as above.
            let clause_tag = unsafe { super::instance::tag_of(vmctx, clause.tag) };
            #[cfg(feature = "planted-bugs")]
            // SAFETY: as above.
            let clause_tag =
                unsafe { super::planted::tag_of_maker(vm, fiber, clause.tag, clause_tag) };
            // SAFETY: as above.
            let same = clause_tag == tag
                || planted!(vm, TagsComparedByType) && unsafe { same_type(vm, clause_tag, tag) };
            if same && clause.kind == kind {
                found = Some(index as u32);
                if !planted!(vm, LastClauseTaken) {
                    break;
                }
            }
            if planted!(vm, FirstClauseOnly) {
                break;
            }
        }
        #[cfg(feature = "planted-bugs")]
        if found.is_none() && kind == ClauseKind::Suspend && planted!(vm, HandlersStayActive) {
            // SAFETY: as above.
            found = unsafe { super::planted::handler_that_stayed(vm, fiber, tag) };
        }
        if let Some(clause) = found {
            return Some(Handler {
                captured: fiber,
                clause,
                distance,
            });
        }
        fiber = parent;
        distance += 1;
    }
    None
}

/// Whether two tags of a store have the same type.
///
/// # Safety
/// Both are tags of the store that `vm` belongs to.
pub(super) unsafe fn same_type(vm: &VmStore, one: *const VmTag, other: *const VmTag) -> bool {
    // SAFETY: the caller's promise; a `VmStore` is the first field of its `StoreInner`.
    unsafe {
        let store = &*(&raw const *vm).cast::<StoreInner>();
        store.tag(one).type_id == store.tag(other).type_id
    }
}

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

/// `cont.new`: a fresh stack on which `func` will be called with `capacity` slots for arguments and results. Returns the
/// reference, or 0 with the reason pending.
///
/// # Safety
/// Called by compiled code of the store; `func` is not null and has a type with `num_results` results and at most `capacity`
/// parameters.
pub(crate) unsafe extern "C" fn cont_new(
    vm: *mut VmStore,
    caller: *mut c_void,
    func: *const FuncRef,
    capacity: usize,
    num_results: usize,
) -> u64 {
    // SAFETY: the caller's promise.
    let store = unsafe { store(vm) };
    if trace_ends(store) {
        return 0;
    }
    let Some(fiber) = store.allocate_stack() else {
        store.exhaust(Exhaustion::Continuations);
        return 0;
    };
    // SAFETY: the pool hands out valid headers.
    let header = unsafe { &mut *fiber };
    debug_assert_eq!((header.state, header.canary), (State::Free, CANARY));
    debug_assert!(header.handlers.is_null());
    header.state = State::Fresh;
    header.num_results = num_results as u32;
    header.innermost = fiber;
    #[cfg(feature = "planted-bugs")]
    super::planted::fresh(header, caller);
    let frame = StartFrame {
        func,
        caller,
        values: ptr::null_mut(),
        len: capacity,
        store: vm,
        inlined: store.engine.config().inlines_switches().into(),
    };
    let prepared = header.prepare(frame, capacity, START_RESERVE);
    if prepared.is_some() && planted!(vm, ThrowEntersFresh) {
        // Arguments that were never given must not be wild references.
        // SAFETY: `prepare` has made room for as many slots.
        unsafe { header.values.write_bytes(0, capacity) };
    }
    if prepared.is_none() {
        // SAFETY: allocated above, and its reference was not handed out.
        unsafe { store.stacks.release(&mut store.vm, fiber) };
        store.exhaust(Exhaustion::CallStack);
        return 0;
    }
    header.word
}

/// `cont.bind`, after the values have been written: consumes the reference and returns the new one, or 0 with the reason
/// pending.
///
/// # Safety
/// `fiber` was named by a reference that is not consumed, and `count` more values fit into its buffer.
pub(crate) unsafe extern "C" fn cont_bind(
    vm: *mut VmStore,
    fiber: *mut Fiber,
    count: usize,
) -> u64 {
    // SAFETY: the caller's promise.
    unsafe {
        store(vm).collection_point(&[(*fiber).word]);
        store(vm).check_captured(fiber, count);
    }
    // SAFETY: the caller's promise.
    let header = unsafe { &mut *fiber };
    // SAFETY: the buffer has room for all values that the continuation takes.
    header.buffer = unsafe { header.buffer.add(count) };
    if planted!(vm, BindKeepsReference) && count == 0 {
        return header.word;
    }
    if !header.consume() {
        // SAFETY: the caller's promise.
        unsafe { store(vm) }.exhaust(Exhaustion::Continuations);
        return 0;
    }
    header.word
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

/// First thing on every fresh stack.
///
/// # Safety
/// Called by the start stub only.
pub(crate) unsafe extern "C" fn fiber_started(vm: *mut VmStore) {
    // SAFETY: the start frame names the store.
    unsafe {
        super::sanitizer::arrive(vm);
        store(vm).check_running();
    }
}

/// Last thing on every stack: hands the results to the resumer and frees the stack, or, if a host function failed, raises what
/// is pending. Returns where to go.
///
/// # Safety
/// Called by the start stub only, with the frame pointer at the base of the running stack.
pub(crate) unsafe extern "C" fn fiber_finished(
    vm: *mut VmStore,
    ok: bool,
    fp: usize,
) -> *const Target {
    // SAFETY: the start frame names the store.
    let store = unsafe { store(vm) };
    store.check_running();
    let fiber = store.vm.current;
    // SAFETY: the running stack has a valid header.
    let header = unsafe { &mut *fiber };
    debug_assert_eq!(
        fp,
        header.base_frame(),
        "the running stack is not the recorded one"
    );
    debug_assert_eq!(header.canary, CANARY);
    if !ok && store.vm.pending_exn != 0 && planted!(vm, HostBodyEscapes) {
        store.target = super::unwind::exit(store, super::entry::Status::Exception);
        return &raw const store.target;
    }
    if !ok && planted!(vm, HostTrapIsReturn) {
        store.pending = None;
        store.vm.pending_exn = 0;
    } else if !ok {
        // SAFETY: the stack that has ended is still the running one.
        return unsafe { raise_at_base(store) };
    }
    if planted!(vm, ResultsReadAfterFree) {
        // SAFETY: the results' slots belong to this stack.
        unsafe { header.values.write_bytes(0, header.num_results as usize) };
    }
    // SAFETY: the function's results lie at `values`, and the resumer's slot has room for them.
    unsafe { ptr::copy_nonoverlapping(header.values, header.results, header.num_results as usize) };
    let context = header.context;
    // SAFETY: the function has returned.
    unsafe { abandon_current(store) };
    store.target = returned(context);
    stack_left(store);
    &raw const store.target
}

/// Raises what is pending at the base of the running stack, whose frame has no return address of its own to start from.
///
/// # Safety
/// Called on the running stack, which is not the host's.
unsafe fn raise_at_base(store: &mut StoreInner) -> *const Target {
    let vm = &raw mut store.vm;
    // SAFETY: the running stack has a valid header.
    let header = unsafe { &mut *store.vm.current };
    let base = header.base_frame();
    if store.vm.pending_exn != 0 {
        let tag = tag_address(store.vm.pending_exn);
        // SAFETY: the function has ended.
        unsafe { abandon_current(store) };
        store.record(EventKind::Unwind { tag }, None);
    }
    // SAFETY: `base` is a frame whose saved frame pointer and return address are those of the resume site's stub.
    unsafe { find_target(vm, base) }
}

/// Unlinks the running stack from the chain and frees it; its resumer becomes the running stack. The caller may still be
/// executing on the freed stack: nothing reuses it before the next `cont.new`.
///
/// # Safety
/// The running stack is not the host's, and its function has ended.
pub(crate) unsafe fn abandon_current(store: &mut StoreInner) {
    let fiber = store.vm.current;
    // SAFETY: the running stack has a valid header.
    let parent = unsafe { (*fiber).parent };
    #[cfg(feature = "planted-bugs")]
    // SAFETY: the caller's promise.
    unsafe {
        super::planted::resume_is_over(&store.vm, fiber)
    };
    store.left.get_or_insert(fiber);
    store.run_on(parent);
    if store.engine.config().check_switches {
        // SAFETY: the function has ended, and the values lie above all frames that may still run.
        unsafe { super::checks::poison_values(fiber) };
    }
    // SAFETY: its reference was consumed when it was resumed.
    unsafe { store.stacks.release(&mut store.vm, fiber) };
}

/// Tells the sanitizer, once the walk is over, that the stack on which it began is left for the running one.
pub(crate) fn stack_left(store: &mut StoreInner) {
    if let Some(left) = store.left.take() {
        let running = store.vm.current;
        // SAFETY: both are stacks of this store, and the target is on `running`.
        unsafe { super::sanitizer::leave(store, left, running) };
    }
}
