//! What must be true of the stacks at every switch, checked where [`Config::check_switches`](crate::Config::check_switches) asks
//! for it: a mistake in the bookkeeping shows at the next switch and not when a wild jump has destroyed the evidence.
//!
//! A check that fails panics, which in the functions that stubs call ends the process, with its message.

#[cfg(test)]
mod tests;

use super::fiber::{CANARY, Fiber, State};
use super::layout::ValRaw;
use super::stacks::StackPool;
use super::store::StoreInner;

/// How many stacks of a chain are looked at. Longer chains are resumed and suspended over and over, and a check of all would make
/// that cost the square of their length.
const DEPTH: usize = 256;

/// What fills the memory of a freed stack that nobody may read: no reference and no address looks like it.
pub(crate) const POISON: u8 = 0xd5;

impl StoreInner {
    pub(crate) fn checks(&self) -> bool {
        self.engine.config().check_switches
    }

    /// Checks that compiled code runs where the store says that it does, and the chain of running stacks.
    #[inline]
    pub(crate) fn check_running(&self) {
        if self.checks() {
            let sp = super::entry::stack_pointer();
            // SAFETY: code runs, so an activation exists.
            let home = unsafe { (*self.vm.activation).stack() };
            running(&self.stacks, self.vm.current, home, sp);
        }
    }

    /// Checks a continuation that is about to be resumed or switched to with `values` more values in its buffer.
    #[inline]
    pub(crate) fn check_captured(&self, outermost: *mut Fiber, values: usize) {
        if self.checks() {
            captured(&self.stacks, outermost, values);
        }
    }
}

/// The header at `fiber`, which must be one of the pool's, whole, and of a stack in one of `states`.
fn header<'a>(pool: &'a StackPool, fiber: *mut Fiber, states: &[State]) -> &'a Fiber {
    assert!(
        pool.is_header(fiber),
        "{fiber:p} is not the header of a stack"
    );
    // SAFETY: the header of a slot that has been used, which stays mapped as long as the pool.
    let header = unsafe { &*fiber };
    assert!(
        (header.canary, header.canary_above) == (CANARY, CANARY),
        "the header of stack {:#x} was overwritten",
        header.word
    );
    assert!(
        states.contains(&header.state),
        "stack {:#x} is {:?} where it should be one of {states:?}",
        header.word,
        header.state
    );
    header
}

/// Checks that `sp` is on the stack that is recorded as running: `current`, or, if that is null, the one that the host entered on,
/// which is `home` or none of the pool's.
fn running(pool: &StackPool, current: *mut Fiber, home: *mut Fiber, sp: usize) {
    let own = if current.is_null() { home } else { current };
    if own.is_null() {
        assert!(
            !pool.contains(sp),
            "sp {sp:#x} is on a continuation's stack, and none is recorded as running"
        );
    } else {
        let bounds = pool.bounds(own);
        assert!(
            bounds.contains(&sp),
            "sp {sp:#x} is not on the stack recorded as running, {bounds:#x?}"
        );
    }
    let (mut fiber, mut depth) = (current, 0);
    while !fiber.is_null() && depth < DEPTH {
        let header = header(pool, fiber, &[State::Running]);
        assert!(
            !header.handlers.is_null(),
            "stack {:#x} runs under no handler list",
            header.word
        );
        fiber = header.parent;
        depth += 1;
        assert!(
            depth <= pool.used() as usize,
            "the chain of running stacks is a circle"
        );
    }
}

/// Checks a captured or fresh continuation, and that its buffer has room for `values`.
fn captured(pool: &StackPool, outermost: *mut Fiber, values: usize) {
    let named = header(pool, outermost, &[State::Fresh, State::Suspended]);
    let innermost = named.innermost;
    let bounds = pool.bounds(innermost);
    let sp = named.context.sp;
    assert!(
        bounds.contains(&sp),
        "stack {:#x} would go on at sp {sp:#x}, outside of {bounds:#x?}",
        named.word
    );
    assert!(
        named.context.ip != 0,
        "stack {:#x} would go on nowhere",
        named.word
    );
    // A suspended function's slot is in its frame; the buffer of a fresh stack ends at the header.
    let (start, end) = (
        named.buffer as usize,
        (named.buffer as usize).checked_add(values * size_of::<ValRaw>()),
    );
    assert!(
        values == 0 || start >= bounds.start && end.is_some_and(|end| end <= bounds.end),
        "{values} values do not fit into the buffer of stack {:#x}",
        named.word
    );
    let (mut fiber, mut depth) = (innermost, 1);
    while fiber != outermost && depth < DEPTH {
        fiber = header(pool, fiber, &[State::Suspended]).parent;
        depth += 1;
        assert!(
            depth <= pool.used() as usize,
            "the chain of stack {:#x} does not lead back to it",
            named.word
        );
    }
}

/// Fills what a finished or abandoned continuation's values were in.
///
/// # Safety
/// The stack is being freed; frames that still run on it lie below its values.
pub(crate) unsafe fn poison_values(fiber: *mut Fiber) {
    // SAFETY: the caller's promise: `values` was laid out on this stack, below the header, or was never set.
    unsafe {
        let values = (*fiber).values.cast::<u8>();
        if !values.is_null() {
            values.write_bytes(POISON, fiber as usize - values as usize);
        }
    }
}
