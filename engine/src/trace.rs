//! The events that a store with tracing records, in execution order.
//!
//! Continuations are named by the addresses that the specification's store would give them: `cont.new`, `cont.bind`, `suspend`
//! and `switch` each allocate the next number, whatever the engine reuses. Functions and tags are named by store
//! address.

use crate::error::{Location, TrapKind};

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// The instruction that did it, for the kinds that have one.
    pub at: Option<Location>,
}

/// A value in an event. References are named by what they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Value {
    /// An `i32`.
    I32(i32),
    /// An `i64`.
    I64(i64),
    /// The bits of an `f32`.
    F32(u32),
    /// The bits of an `f64`.
    F64(u64),
    /// The bits of a `v128`.
    V128(u128),
    /// A null reference of any type.
    Null,
    /// A function, by store address.
    Func(u32),
    /// A continuation, by number.
    Cont(u64),
    /// An exception, by its tag's store address.
    Exn(u32),
    /// A host's reference, by the host's number.
    Extern(u64),
    /// An `i31`, sign-extended.
    I31(i32),
    /// A structure, by its type: the index of the type's first declaration that the store has met.
    Struct(u32),
    /// An array, by its type as for structures.
    Array(u32),
}

/// What an [`Event`] records.
///
/// `depth` counts the stacks of the running chain after the step, from the innermost host entry, whose own stack counts 1.
/// `distance` is the number of handler lists passed over to find the handler.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "the fields are described by the enumeration's and the variants' documentation"
)]
pub enum EventKind {
    /// `cont.new`
    New { cont: u64, function: u32 },
    /// `cont.bind`: continuation `from` is consumed, `values` are those bound now.
    Bind {
        from: u64,
        to: u64,
        values: Vec<Value>,
    },
    /// `resume`, with the values that this instruction gives.
    Resume {
        cont: u64,
        values: Vec<Value>,
        depth: u32,
    },
    /// `resume_throw` or `resume_throw_ref`; `depth` counts the continuation's stacks, before any of them is left.
    ResumeThrow {
        cont: u64,
        tag: u32,
        values: Vec<Value>,
        depth: u32,
    },
    /// `suspend`, with a handler: continuation `cont` is the captured one.
    Suspend {
        tag: u32,
        values: Vec<Value>,
        cont: u64,
        distance: u32,
        clause: u32,
    },
    /// `switch`, with a handler: `target` is consumed, `cont` is the captured one, which `values` does not contain.
    Switch {
        tag: u32,
        target: u64,
        values: Vec<Value>,
        cont: u64,
        distance: u32,
    },
    /// `suspend` or `switch` without a handler.
    Unhandled { tag: u32, values: Vec<Value> },
    /// A continuation's function returned to its resumer.
    Return { values: Vec<Value>, depth: u32 },
    /// An exception left a continuation for its resumer.
    Unwind { tag: u32 },
    /// `throw` or `throw_ref`
    Throw { tag: u32, values: Vec<Value> },
    /// A clause of a `try_table` caught an exception.
    Catch { tag: u32, clause: u32 },
    /// A host function is called.
    HostCall { function: u32, values: Vec<Value> },
    /// A host function returned.
    HostReturn { function: u32, values: Vec<Value> },
    /// An instruction trapped.
    Trap { kind: TrapKind },
}

impl EventKind {
    /// The values that the event carries.
    pub fn values(&self) -> &[Value] {
        match self {
            EventKind::Bind { values, .. }
            | EventKind::Resume { values, .. }
            | EventKind::ResumeThrow { values, .. }
            | EventKind::Suspend { values, .. }
            | EventKind::Switch { values, .. }
            | EventKind::Unhandled { values, .. }
            | EventKind::Return { values, .. }
            | EventKind::Throw { values, .. }
            | EventKind::HostCall { values, .. }
            | EventKind::HostReturn { values, .. } => values,
            EventKind::New { .. }
            | EventKind::Unwind { .. }
            | EventKind::Catch { .. }
            | EventKind::Trap { .. } => &[],
        }
    }
}
