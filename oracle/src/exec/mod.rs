//! Execution of instructions (specification: "Execution", "Instructions").
//!
//! One file per section; a handler is named after its instruction. What a stop means is
//! decided by the callers of the dispatch loop in [`dispatch`].
//!
//! A handler gets the machine and the current frame's operands as a slice, so that it needs
//! not look for them. It follows that the dispatch loop holds the running stack's values, and
//! that they are not in the [`Machine`](crate::machine::Machine) meanwhile; nor are memory 0's bytes
//! in their place. A stack that a handler lets run still has its values itself until the loop
//! has seen the handler's answer. What needs all values of the running stack (to grow it, to collect, to unwind) is
//! done outside of the loop, on a handler's request: see [`Stop`](crate::machine::Stop).
//!
//! | file | section of the specification |
//! | --- | --- |
//! | `numeric` | Numeric Instructions |
//! | `parametric`, `variable`, `reference` | Parametric, Variable, Reference Instructions |
//! | `vector` | Vector Instructions |
//! | `table`, `memory` | Table and Memory Instructions |
//! | `control`, `call` | Control Instructions, Function Calls |
//! | `exception` | Exceptions: `throw`, `throw_ref`, `try_table` |
//! | `aggregate` | Aggregate Reference Instructions |
//! | `cast` | Reference Instructions: tests, casts, `i31` |
//! | `fused` | none: two or three numeric, memory or control instructions in one |
//! | `continuation` | the stack-switching proposal |

pub(crate) mod aggregate;
pub(crate) mod call;
pub(crate) mod cast;
pub(crate) mod continuation;
pub(crate) mod control;
pub(crate) mod dispatch;
pub(crate) mod exception;
pub(crate) mod frame;
pub(crate) mod fused;
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

/// The same, and the running stack or the instance may have changed.
pub(crate) const CHANGE: Pc = usize::MAX - 1;

/// Stop, for the reason that is in the machine.
pub(crate) const STOP: Pc = usize::MAX;

/// Something that may stop execution.
pub(crate) type Step = Result<(), crate::machine::Stop>;
