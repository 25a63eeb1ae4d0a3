//! Joining the instruction that is to be emitted with the one before it.
//!
//! The one before it is taken back, which is allowed if nothing jumps to the place behind it.

use wasmparser::{MemArg, MemArgTarget};

use super::FunctionTranslator;
use super::control::Condition;
use super::fuse::{self, Add, Pair, Width};
use super::operands::{Operand, Place};
use super::operators::fits;
use crate::code::Instr;
use crate::exec::ops::Op;

impl FunctionTranslator<'_> {
    /// Takes the last instruction back, which stands at `at`.
    pub(super) fn unemit(&mut self, at: u32) {
        debug_assert_eq!(at as usize + 1, self.code.instrs.len());
        self.code.instrs.pop();
        self.code.offsets.pop();
        self.operator_start = self.operator_start.min(at);
        self.producer = None;
    }

    /// A binary operation, joined with the operation at `at` that does nothing but make one of
    /// its operands; the result's slot is left open.
    pub(super) fn join_pair(
        &mut self,
        at: u32,
        op: Op,
        first: Operand,
        second: Operand,
    ) -> Option<Instr> {
        let made = self.code.instrs[at as usize];
        let is_made = |o: Operand| o.place == Place::Home && o.home == made.c;
        let joined = if is_made(second) {
            let Pair::ThirdOperand(joined) = fuse::pair(made.op, op, true)? else {
                return None;
            };
            let d = third(first)?;
            Instr {
                op: joined,
                d,
                ..made
            }
        } else if is_made(first) {
            if let (Some(op), Place::Const(bits)) = (fuse::with_constant(op), second.place) {
                match fuse::pair(made.op, op, false)? {
                    // Shifts and rotations look at six bits of their distance at most.
                    Pair::ThirdConstant(op) => Instr {
                        op,
                        d: bits as u16 & 63,
                        ..made
                    },
                    Pair::TwoConstants(joined) if fits(op, bits) => Instr {
                        op: joined,
                        d: made.b as u16 & 63,
                        b: bits as u32,
                        ..made
                    },
                    _ => return None,
                }
            } else {
                let Pair::ThirdOperand(joined) = fuse::pair(made.op, op, false)? else {
                    return None;
                };
                let d = third(second)?;
                Instr {
                    op: joined,
                    d,
                    ..made
                }
            }
        } else {
            return None;
        };
        self.unemit(at);
        Some(joined)
    }

    /// A load from memory 0, joined with the operation at `at` that makes its address.
    pub(super) fn join_address(
        &mut self,
        at: u32,
        load: Op,
        operand: Operand,
        memarg: &MemArg,
    ) -> Option<Instr> {
        let made = self.code.instrs[at as usize];
        if operand.place != Place::Home
            || operand.home != made.c
            || memarg.target != MemArgTarget::Memory(0)
        {
            return None;
        }
        let (sum, scaled) = fuse::with_address(load)?;
        let joined = match made.op {
            Op::I32Add => Instr {
                op: sum,
                d: u16::try_from(memarg.offset).ok()?,
                ..made
            },
            Op::I32ShlAdd if memarg.offset == 0 => Instr { op: scaled, ..made },
            _ => return None,
        };
        self.unemit(at);
        Some(joined)
    }

    /// Emits a branch joined with the addition before it, if that changes the very slot that
    /// the branch looks at; returns its place. The target is left open, in `c`.
    pub(super) fn join_counting(&mut self, condition: Condition, holds: bool) -> Option<u32> {
        let (branch, a, b) = match condition {
            Condition::Compare { op, inverse, a, b } => (if holds { op } else { inverse }, a, b),
            Condition::Test { op, a, .. } => {
                let not_zero = match op {
                    Op::BrIf => holds,
                    Op::BrUnless => !holds,
                    _ => return None,
                };
                let branch = if not_zero {
                    Op::BrIfI32NeConst
                } else {
                    Op::BrIfI32EqConst
                };
                (branch, a, 0)
            }
        };
        let at = (self.code.instrs.len() as u32).checked_sub(1)?;
        if self.bound > at {
            return None;
        }
        let made = self.code.instrs[at as usize];
        if made.c != a {
            return None;
        }
        let (add, d) = match made.op {
            Op::I32Add | Op::I64Add => {
                let other = if made.a == a {
                    made.b
                } else if made.b == a {
                    made.a
                } else {
                    return None;
                };
                (Add::Slot(width(made.op)), u16::try_from(other).ok()?)
            }
            Op::I32AddConst | Op::I64AddConst if made.a == a => {
                let by = i16::try_from(made.b as i32).ok()?;
                (Add::Constant(width(made.op)), by as u16)
            }
            Op::I32SubConst | Op::I64SubConst if made.a == a => {
                let by = i16::try_from((made.b as i32).checked_neg()?).ok()?;
                (Add::Constant(width(made.op)), by as u16)
            }
            _ => return None,
        };
        let op = fuse::counting(add, branch)?;
        self.unemit(at);
        Some(self.emit(Instr { op, d, a, b, c: 0 }))
    }

    /// If a loop begins with a comparing branch, by which it ends, then a jump to its beginning
    /// can as well look at once whether the loop goes on, and continue behind that branch.
    pub(super) fn branch_behind_head(&mut self, start: u32) {
        let is_check = |i: &&Instr| i.op == Op::Check;
        let code = &self.code.instrs[start as usize..];
        let head = code.iter().take_while(is_check).count();
        let Some(&Instr { op, a, b, .. }) = code.get(head) else {
            return;
        };
        let Some(inverse) = fuse::inverse(op) else {
            return;
        };
        let condition = Condition::Compare {
            op: inverse,
            inverse: op,
            a,
            b,
        };
        let target = start + head as u32 + 1;
        let at = match self.join_counting(condition, true) {
            Some(at) => at,
            None => self.emit_abc(inverse, a, b, 0),
        };
        self.code.instrs[at as usize].c = target;
    }
}

/// An operand's slot, if it has one that fits `d` and that nothing has to be written to first.
fn third(operand: Operand) -> Option<u16> {
    let slot = match operand.place {
        Place::Home => operand.home,
        Place::Local(slot) => slot,
        Place::Const(_) => return None,
    };
    u16::try_from(slot).ok()
}

fn width(op: Op) -> Width {
    match op {
        Op::I32Add | Op::I32AddConst | Op::I32SubConst => Width::I32,
        _ => Width::I64,
    }
}
