//! Execution of instructions (specification: "Execution", "Instructions").
//!
//! One file per section; a handler is named after its instruction. What a stop means is
//! decided by the callers of the dispatch loop in [`dispatch`].
//!
//! A handler gets the current frame's operands as a slice, so that it needs not look for
//! them; meanwhile the running stack is not in the [`Machine`](crate::machine::Machine), nor are
//! memory 0's bytes in their place. Instructions that change stacks, that may call the host,
//! collect or touch any memory have a second handler, which finds everything in the machine.
//!
//! | file | section of the specification |
//! | --- | --- |
//! | `numeric` | Numeric Instructions |
//! | `parametric`, `variable`, `reference` | Parametric, Variable, Reference Instructions |
//! | `vector` | Vector Instructions |
//! | `table`, `memory` | Table and Memory Instructions |
//! | `control`, `call` | Control Instructions, Function Calls |
//! | `exception` | Exceptions: `throw`, `throw_ref`, `try_table` |
//! | `aggregate` | Aggregate Reference Instructions, casts |
//! | `continuation` | the stack-switching proposal |

pub(crate) mod aggregate;
pub(crate) mod call;
pub(crate) mod continuation;
pub(crate) mod control;
pub(crate) mod dispatch;
pub(crate) mod exception;
pub(crate) mod frame;
pub(crate) mod memory;
pub(crate) mod numeric;
pub(crate) mod ops;
pub(crate) mod parametric;
pub(crate) mod reference;
pub(crate) mod table;
pub(crate) mod variable;
pub(crate) mod vector;

/// Operands of the current frame, and what is above it.
pub(crate) type Slots = [u64];

/// Index of an instruction. A handler answers with the next one's, or with one of the three
/// numbers below, which are no instruction's.
pub(crate) type Pc = usize;

/// The frame has changed: go on at the machine's `pc`, with its `fp`.
pub(crate) const RELOAD: Pc = usize::MAX - 2;

/// Execute this instruction's other handler, with the running stack in the machine.
pub(crate) const LEAVE: Pc = usize::MAX - 1;

/// Stop, for the reason that is in the machine.
pub(crate) const STOP: Pc = usize::MAX;

/// What a handler answers that works on the machine as a whole: go on at its `pc`, or stop
/// for a reason.
pub(crate) type Step = Result<(), crate::machine::Stop>;
