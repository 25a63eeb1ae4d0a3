//! Actions: the steps of scripts and splices, and what they name.

use super::{Linkage, Object};
use serde::{Deserialize, Serialize};

/// Where a continuation of the loop type comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// `cont.new` of a task, and the binds that lead to the loop type.
    Fresh(u8),
    /// The family's stack (a table); a fresh one if that is empty.
    Stack,
    /// The family's global; a fresh one if that is null.
    Global,
    /// What came last as a payload; a fresh one if there is none.
    Received,
    /// Such an object of the family's, which gives it away; a fresh one if it holds none.
    Object(Object),
}

/// What becomes of a continuation that a [`Action::Once`] saw suspended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum After {
    /// Kept on the family's stack.
    Park,
    /// Kept in the family's global.
    ParkGlobal,
    /// Given to a driver.
    Drive(u8),
    /// `resume` once more, under no handler.
    Resume,
    /// `resume_throw` with this tag.
    Throw(u8),
    /// `resume_throw_ref` with the exception kept last, or a new one of this tag.
    ThrowRef(u8),
    /// Resumed, and then used again although it is consumed: traps. Now and then the reference that was consumed first comes before.
    Twice,
    /// Bound, and then used by its old reference: traps.
    BindTwice,
    /// Forgotten.
    Leak,
    /// Kept in such an object of the family's.
    ParkObject(Object),
}

/// A `try_table` around an action. Nothing is caught if `tags` is empty and `all` is false.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Catch {
    /// Tags with a clause of their own; all have the first one's parameters, the same may stand twice.
    pub tags: Vec<u8>,
    /// A `catch_all` at the end.
    pub all: bool,
    /// `catch_ref` and `catch_all_ref`: the exception is kept for a later `throw_ref` or `resume_throw_ref`.
    pub refs: bool,
}

impl Catch {
    pub(in crate::generate) fn is_empty(&self) -> bool {
        self.tags.is_empty() && !self.all
    }
}

/// The exception that [`Action::Inject`] throws into a continuation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Injected {
    /// `resume_throw` with this tag.
    Tag(u8),
    /// `resume_throw_ref` with the exception kept last, or a new one of this tag.
    Ref(u8),
}

/// An instruction that traps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TrapKind {
    /// `unreachable`
    Unreachable,
    /// Division by zero.
    DivideByZero,
    /// A load behind the end of memory.
    OutOfBounds,
    /// `resume` of a null reference.
    NullContinuation,
    /// `cont.new` of a null reference.
    NullFunction,
    /// `resume_throw_ref` of a null exception.
    NullException,
    /// `throw_ref` of a null exception.
    ThrowNull,
    /// `call_indirect` of a null element.
    Uninitialized,
    /// `cont.bind` of a null reference.
    BindNull,
}

/// How [`Action::Dead`] consumes the continuation that it then resumes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Consumer {
    /// A driver ran it to its end.
    Drive(u8),
    /// `cont.bind`
    Bind,
    /// `resume_throw` with this tag, caught.
    Throw(u8),
    /// `switch` to it (symmetric families), after which somebody switched back.
    Switch,
}

/// One step of a script or a splice. It leaves the operand stack as it was. Nesting is by counting the actions that follow,
/// so that a list of actions is flat to a decoder and to a mutator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// `suspend`
    Suspend(u8),
    /// `switch` in this family, to a continuation from this source.
    Switch(u8, Source),
    /// Hand a continuation to a driver.
    Drive {
        /// The driver.
        driver: u8,
        /// The continuation.
        source: Source,
        /// A `try_table` around the call.
        catch: Catch,
    },
    /// Resume a continuation once, here, under a small handler list.
    Once {
        /// The family.
        family: u8,
        /// The continuation.
        source: Source,
        /// Tags of the `(on t $l)` clauses; all have the first one's type, the same may stand twice.
        tags: Vec<u8>,
        /// An `(on t switch)` clause in front.
        switch: bool,
        /// What becomes of it when it suspends.
        after: After,
        /// A `try_table` around all of it.
        catch: Catch,
    },
    /// Throw into a continuation without resuming it first.
    Inject {
        /// The family.
        family: u8,
        /// The continuation.
        source: Source,
        /// The exception.
        exception: Injected,
        /// A `try_table` around it.
        catch: Catch,
    },
    /// Call a task as an ordinary function.
    Call(u8, Linkage),
    /// `throw`
    Throw(u8),
    /// `throw_ref` of the exception kept last, if there is one.
    Rethrow,
    /// Call the n-th log import with values.
    Log(u8),
    /// Call the host with a callback, which it calls.
    Reenter(u8),
    /// `memory.grow` by one.
    Grow,
    /// Write to the last bytes of the memory and read them back.
    Touch,
    /// Trap.
    Trap(TrapKind),
    /// Use a consumed continuation: traps.
    Dead(u8, Consumer),
    /// The next so many actions, only if this mask and the fuel have no bit in common.
    When(u8, u8),
    /// This many times: the next so many actions.
    Repeat(u8, u8),
    /// Inside a `try_table`: the next so many actions.
    Try(Catch, u8),
}

impl Action {
    /// How many of the actions that follow belong to this one.
    pub(in crate::generate) fn counted(&self) -> usize {
        match self {
            Action::When(_, count) | Action::Repeat(_, count) | Action::Try(_, count) => {
                usize::from(*count)
            }
            _ => 0,
        }
    }
}
