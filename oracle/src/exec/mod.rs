//! Execution of instructions (specification: "Execution", "Instructions").
//!
//! One file per section; a handler is named after its instruction. Handlers change the
//! [`Machine`](crate::machine::Machine) and say whether execution goes on; what a stop
//! means is decided by the callers of the dispatch loop in [`dispatch`].
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
pub(crate) mod memory;
pub(crate) mod numeric;
pub(crate) mod ops;
pub(crate) mod parametric;
pub(crate) mod reference;
pub(crate) mod table;
pub(crate) mod variable;
pub(crate) mod vector;

/// What a handler answers: go on, or stop for a reason.
pub(crate) type Step = Result<(), crate::machine::Stop>;
