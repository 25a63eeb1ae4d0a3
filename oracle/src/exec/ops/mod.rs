//! The table of internal instructions: each name, and the handler that executes it.
//!
//! All handlers have one signature, [`Handler`]. The rows stand in files by chapter; each of
//! these adds its rows to those before it and hands them on, for an `enum` and a table are
//! made of all of them at once.

use super::vector::{float, integer, lane, relaxed};
use super::{
    Pc, Slots, aggregate, call, cast, continuation, control, exception, fused, memory, numeric,
    parametric, reference, table, variable,
};
use crate::checks;
use crate::code::Instr;
use crate::machine::Machine;

#[macro_use]
mod control_rows;
#[macro_use]
mod aggregate_rows;
#[macro_use]
mod access_rows;
#[macro_use]
mod vector_rows;
#[macro_use]
mod numeric_rows;
#[macro_use]
mod fused_rows;

/// What every instruction's handler looks like: it gets the frame's operands and its own
/// index, and answers with the next instruction's.
pub(crate) type Handler = fn(&mut Machine, &mut Slots, &Instr, Pc) -> Pc;

macro_rules! define {
    ({ $($name:ident => $handler:path;)* }) => {
        /// An internal instruction's name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u16)]
        pub(crate) enum Op { $($name,)* }

        const COUNT: usize = [$(Op::$name,)*].len();

        /// The handlers, in the order of [`Op`].
        pub(crate) static HANDLERS: [Handler; COUNT] = [$($handler,)*];

        /// Executes an instruction by a central `match`.
        #[inline(always)]
        pub(crate) fn execute(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
            match i.op {
                $(Op::$name => $handler(m, f, i, pc),)*
            }
        }
    };
}

control_ops! { {} aggregate_ops access_ops vector_ops numeric_ops fused_ops define }
