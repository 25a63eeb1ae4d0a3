//! What comes of an operation.

use super::operation::{Operation, STORES};
use switchback_engine::TrapKind;

/// What comes of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// It is not possible at the moment.
    Skipped,
    Done,
    /// Results of a call: a value, and whether it was suspended.
    Values(i32, i32),
    Number(i64),
    /// A limit that a declaration sets.
    Refused,
    /// The stacks in use after a collection; expected are so many at least, because the collector is conservative.
    Alive(usize),
    Failed(Failure),
    /// The engine's limit, which is no one's fault: what follows is not compared.
    Exhausted,
}

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    Trap(TrapKind),
    /// The guest's exception, with its value.
    Exception(i32),
    Suspended,
    /// The host function's own error.
    Host,
}

impl Reply {
    /// What the host function makes of it.
    pub fn value(self) -> i32 {
        match self {
            Reply::Values(value, suspended) => value.wrapping_add(suspended),
            Reply::Number(number) => number as i32,
            Reply::Skipped | Reply::Done | Reply::Alive(_) => 7,
            Reply::Refused => 8,
            Reply::Failed(_) | Reply::Exhausted => 9,
        }
    }

    /// Whether this is what the model says.
    pub fn is(self, expected: Reply) -> bool {
        match (self, expected) {
            (Reply::Alive(there), Reply::Alive(at_least)) => there >= at_least,
            // A host function cannot count them.
            (Reply::Done, Reply::Alive(_)) => true,
            (one, other) => one == other,
        }
    }
}

impl Operation {
    /// The store that it is about.
    pub fn store_index(&self) -> Option<usize> {
        match self {
            Operation::Open { .. } => None,
            Operation::Close { store } | Operation::On { store, .. } => {
                Some(usize::from(*store) % STORES)
            }
        }
    }
}
