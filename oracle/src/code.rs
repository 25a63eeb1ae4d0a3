//! The internal representation of functions: what translation writes and execution reads.
//!
//! An internal instruction names its operands by *slots*: 8-byte cells of the running
//! stack, counted from the current frame's base. A frame is laid out as
//!
//! ```text
//!   fp ─▶ parameters │ other locals │ operands, at the heights that validation gives them
//! ```
//!
//! and a callee's frame begins at the caller's first argument, so that arguments and
//! results are handed over without a copy. A vector takes two slots.
//!
//! Structured control is gone: branch targets are indices into [`Code::instrs`], and what
//! a branch carries has been moved to its label's slots by copies before it.

use std::sync::Arc;

use crate::exec::aggregate::Width;
use crate::exec::ops::Op;
use crate::types::registry::Storage;
use crate::types::{DefinedType, RefType, ValType};

/// One internal instruction. Unless its handler says otherwise, `a` and `b` are operand
/// slots and `c` is the slot of the result.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Instr {
    pub op: Op,
    /// A small immediate: the memory's index, a lane.
    pub d: u16,
    pub a: u32,
    pub b: u32,
    pub c: u32,
}

impl Instr {
    /// The 64-bit immediate of constants, spread over `a` and `b`.
    pub fn imm(self) -> u64 {
        u64::from(self.a) | u64::from(self.b) << 32
    }
}

/// The code of a module: all functions, one after another.
#[derive(Debug, Default)]
pub(crate) struct Code {
    pub instrs: Arc<[Instr]>,
    /// Module offset of the source instruction, for each internal instruction.
    pub offsets: Vec<u32>,
    /// The module's own functions, in index order, then its constant expressions.
    pub bodies: Vec<Body>,
    pub branches: Vec<u32>,
    pub indirect: Vec<IndirectSite>,
    pub tries: Vec<Try>,
    pub catches: Vec<Catch>,
    pub sites: Vec<ContSite>,
    pub aggregates: Vec<AggregateSite>,
    /// Targets of casts.
    pub ref_types: Vec<RefType>,
    /// What instructions that check look at.
    pub checks: Vec<Vec<Slot>>,
    /// Lanes of `i8x16.shuffle`.
    pub shuffles: Vec<[u8; 16]>,
}

/// A translated function or constant expression.
#[derive(Clone, Debug)]
pub(crate) struct Body {
    /// Function index in the module; none for a constant expression.
    pub function: Option<u32>,
    /// Its instructions.
    pub start: u32,
    pub end: u32,
    /// Its regions in [`Code::tries`], inner before outer.
    pub tries: (u32, u32),
    /// For coverage: each source instruction's offset and where its code begins
    /// (unreachable ones are not translated and begin nowhere).
    pub sources: Vec<(u32, Option<u32>)>,
}

/// A slot, and the type of what is in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    pub slot: u32,
    pub ty: ValType,
}

/// The immediates of `call_indirect`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IndirectSite {
    pub table: u32,
    pub ty: DefinedType,
}

/// The extent of a `try_table` block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Try {
    pub start: u32,
    pub end: u32,
    /// Its clauses in [`Code::catches`].
    pub catches: (u32, u32),
}

/// A catch clause of `try_table`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Catch {
    /// Tag index; none catches everything.
    pub tag: Option<u32>,
    /// Whether the label also gets the exception's reference.
    pub with_ref: bool,
    pub target: u32,
    /// Slot of the first value for the label.
    pub slot: u32,
}

/// The immediates of `cont.bind`, `resume`, `resume_throw`, `resume_throw_ref` and `switch`.
#[derive(Clone, Debug)]
pub(crate) struct ContSite {
    /// Types of the values given by this instruction, and their slots.
    pub args: Arc<[ValType]>,
    pub arg_slots: u32,
    /// Tag index of `resume_throw` and `switch`.
    pub tag: u32,
    /// Types of what the continuation returns, and their slots.
    pub results: Arc<[ValType]>,
    pub result_slots: u32,
    /// The handler list.
    pub clauses: Vec<Clause>,
}

/// The immediates of instructions that make structures and arrays, and of those that fill
/// arrays from segments.
#[derive(Clone, Debug)]
pub(crate) struct AggregateSite {
    pub ty: DefinedType,
    /// A structure's slots.
    pub slots: u32,
    /// A structure's packed fields.
    pub packed: Vec<(u32, Width)>,
    /// An array's element.
    pub element: Storage,
    pub segment: u32,
}

/// A handler clause.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clause {
    /// Tag index.
    pub tag: u32,
    /// The label of `(on $tag $label)`; none for `(on $tag switch)`.
    pub label: Option<Label>,
}

/// Where a suspension goes on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Label {
    pub target: u32,
    /// Slot of the first value for the label.
    pub slot: u32,
}

impl Code {
    /// The body that an internal instruction belongs to.
    pub fn body_at(&self, pc: usize) -> Option<&Body> {
        let i = self.bodies.partition_point(|b| (b.end as usize) <= pc);
        self.bodies.get(i).filter(|b| (b.start as usize) <= pc)
    }
}
