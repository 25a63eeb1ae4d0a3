//! Operators: parametric, variable, reference, table, memory, numeric and control ones here,
//! the others by the tables and files that this one asks.

use wasmparser::{MemArg, MemArgTarget, Operator};

use super::control::Kind;
use super::operands::{Operand, Place};
use super::plain::{self, Plain};
use super::{FunctionTranslator, Unsupported, fuse};
use crate::code::Instr;
use crate::error::Error;
use crate::exec::ops::Op;
use crate::types::ValType;

impl FunctionTranslator<'_> {
    /// Translates an operator in reachable code; the errors are those of `operator`.
    pub(super) fn reachable_operator(
        &mut self,
        op: &Operator<'_>,
    ) -> Result<Result<(), Unsupported>, Error> {
        if let Some(plain) = plain::plain(op) {
            self.plain(plain);
            return Ok(Ok(()));
        }
        match op {
            Operator::Unreachable => {
                self.emit_abc(Op::Unreachable, 0, 0, 0);
                self.set_unreachable();
            }
            Operator::Nop => {}
            Operator::Block { blockty } => self.begin_block(*blockty, |_| Kind::Block),
            Operator::Loop { blockty } => self.begin_loop(*blockty),
            Operator::If { blockty } => self.begin_if(*blockty),
            Operator::Else => self.else_(),
            Operator::End => self.end(),
            Operator::TryTable { try_table } => self.begin_try_table(try_table),
            Operator::Br { relative_depth } => self.br(*relative_depth),
            Operator::BrIf { relative_depth } => self.br_if(*relative_depth),
            Operator::BrOnNull { relative_depth } => self.br_on_null(*relative_depth),
            Operator::BrOnNonNull { relative_depth } => self.br_on_non_null(*relative_depth),
            Operator::BrTable { targets } => self.br_table(targets)?,
            Operator::Return => self.br(self.controls.len() as u32 - 1),

            Operator::Drop => {
                self.pop_operand();
            }
            Operator::Select | Operator::TypedSelect { .. } => self.select(),
            Operator::LocalGet { local_index } => {
                let (slot, ty) = self.locals[*local_index as usize];
                self.push_local(slot, ty == ValType::V128);
            }
            Operator::LocalSet { local_index } => {
                self.local_set(*local_index);
            }
            Operator::LocalTee { local_index } => {
                let (slot, wide) = self.local_set(*local_index);
                self.push_local(slot, wide);
            }
            Operator::GlobalGet { global_index } => {
                let wide = self.info.globals[*global_index as usize].content == ValType::V128;
                let op = if wide {
                    Op::GlobalGetWide
                } else {
                    Op::GlobalGet
                };
                self.produce(op, 0, *global_index, 0, wide);
            }
            Operator::GlobalSet { global_index } => {
                let wide = self.info.globals[*global_index as usize].content == ValType::V128;
                let op = if wide {
                    Op::GlobalSetWide
                } else {
                    Op::GlobalSet
                };
                let value = self.pop();
                self.emit_abc(op, value, *global_index, 0);
            }

            Operator::I32Const { value } => self.push_const(u64::from(*value as u32)),
            Operator::I64Const { value } => self.push_const(*value as u64),
            Operator::F32Const { value } => self.push_float(u64::from(value.bits())),
            Operator::F64Const { value } => self.push_float(value.bits()),
            // The slots hold the same bits before and after.
            Operator::I32ReinterpretF32
            | Operator::I64ReinterpretF64
            | Operator::F32ReinterpretI32
            | Operator::F64ReinterpretI64
            | Operator::I64ExtendI32U => {}

            Operator::I64Add128 => self.wide_arithmetic(Op::I64Add128, 4),
            Operator::I64Sub128 => self.wide_arithmetic(Op::I64Sub128, 4),
            Operator::I64MulWideS => self.wide_arithmetic(Op::I64MulWideS, 2),
            Operator::I64MulWideU => self.wide_arithmetic(Op::I64MulWideU, 2),

            Operator::RefNull { .. } => self.push_const(crate::value::NULL),
            Operator::RefFunc { function_index } => {
                self.produce(Op::RefFunc, 0, *function_index, 0, false);
            }
            Operator::RefIsNull => self.plain(Plain::Unary(Op::RefIsNull)),
            Operator::RefAsNonNull => {
                let operand = self.pop_operand();
                let slot = self.slot_of(operand);
                self.emit_abc(Op::RefAsNonNull, slot, 0, 0);
                self.push_back(operand);
            }

            Operator::TableGet { table } => {
                let index = self.pop();
                self.produce(Op::TableGet, 0, index, *table, false);
            }
            Operator::TableSet { table } => {
                let value = self.pop();
                let index = self.pop();
                self.emit_abc(Op::TableSet, index, *table, value);
            }
            Operator::TableSize { table } => self.produce(Op::TableSize, 0, 0, *table, false),
            Operator::TableGrow { table } => {
                let base = self.pop_consecutive(2);
                self.produce(Op::TableGrow, 0, base, *table, false);
            }
            Operator::TableFill { table } => {
                let base = self.pop_consecutive(3);
                self.emit_abc(Op::TableFill, base, *table, 0);
            }
            Operator::TableCopy {
                dst_table,
                src_table,
            } => {
                let base = self.pop_consecutive(3);
                self.emit_abc(Op::TableCopy, base, *dst_table, *src_table);
            }
            Operator::TableInit { elem_index, table } => {
                let base = self.pop_consecutive(3);
                self.emit_abc(Op::TableInit, base, *table, *elem_index);
            }
            Operator::ElemDrop { elem_index } => {
                self.emit_abc(Op::ElemDrop, 0, *elem_index, 0);
            }

            Operator::MemorySize { mem } => {
                self.produce(Op::MemorySize, *mem as u16, 0, 0, false);
            }
            Operator::MemoryGrow { mem } => {
                let by = self.pop();
                self.produce(Op::MemoryGrow, *mem as u16, by, 0, false);
            }
            Operator::MemoryFill { mem } => self.bulk(Op::MemoryFill, *mem, 0),
            Operator::MemoryCopy { dst_mem, src_mem } => {
                self.bulk(Op::MemoryCopy, *dst_mem, *src_mem);
            }
            Operator::MemoryInit { data_index, mem } => {
                self.bulk(Op::MemoryInit, *mem, *data_index);
            }
            Operator::DataDrop { data_index } => {
                self.emit_abc(Op::DataDrop, 0, *data_index, 0);
            }

            Operator::Throw { tag_index } => {
                let params = self.info.tags[*tag_index as usize].params.len();
                let base = self.pop_consecutive(params);
                self.emit_abc(Op::Throw, base, *tag_index, 0);
                self.set_unreachable();
            }
            Operator::ThrowRef => {
                let exception = self.pop();
                self.emit_abc(Op::ThrowRef, exception, 0, 0);
                self.set_unreachable();
            }
            op => {
                if !self.call_operator(op)
                    && !self.continuation_operator(op)
                    && !self.aggregate_operator(op)
                    && !self.vector_operator(op)
                {
                    return Ok(Err(Unsupported {
                        feature: crate::features::feature_of(op),
                        offset: self.offset,
                    }));
                }
            }
        }
        Ok(Ok(()))
    }

    pub(super) fn plain(&mut self, plain: Plain<'_>) {
        match plain {
            Plain::Unary(op) => {
                let a = self.pop();
                self.produce(op, 0, a, 0, false);
            }
            Plain::Binary(op) => {
                let producer = self.producer;
                let second = self.pop_operand();
                let first = self.pop_operand();
                let joined = producer.and_then(|at| self.join_pair(at, op, first, second));
                let Instr { op, d, a, b, .. } = joined.unwrap_or_else(|| {
                    let (op, b) = self.constant_or_slot(op, second);
                    let a = self.slot_of(first);
                    Instr {
                        op,
                        d: 0,
                        a,
                        b,
                        c: 0,
                    }
                });
                self.produce(op, d, a, b, false);
            }
            Plain::Load(op, memarg) => {
                let producer = self.producer;
                let operand = self.pop_operand();
                let joined = producer.and_then(|at| self.join_address(at, op, operand, memarg));
                let Instr { op, d, a, b, .. } = joined.unwrap_or_else(|| {
                    let address = self.slot_of(operand);
                    let (d, a, b) = self.address(memarg, address);
                    Instr { op, d, a, b, c: 0 }
                });
                self.produce(op, d, a, b, false);
            }
            Plain::Store(op, memarg) => {
                let value = self.pop_operand();
                let (op, b) = self.constant_or_slot(op, value);
                let address = self.pop();
                let (d, a, c) = self.address(memarg, address);
                self.emit(Instr { op, d, a, b, c });
            }
        }
    }

    /// The second operand of an operation: the operation with a constant and that, if the
    /// operand is one, or the operation as it is and the operand's slot.
    fn constant_or_slot(&mut self, op: Op, operand: Operand) -> (Op, u32) {
        match (fuse::with_constant(op), operand.place) {
            (Some(op), Place::Const(bits)) if fits(op, bits) => (op, bits as u32),
            _ => (op, self.slot_of(operand)),
        }
    }

    /// The first of the slots that an instruction made of several may use in between: above
    /// the operands, the popped ones (an address and at most a vector) included.
    pub(super) fn scratch(&mut self) -> u32 {
        let first = self.height() + 3;
        self.frame_slots = self.frame_slots.max(first + 3);
        first
    }

    /// Memory index, address slot and offset of an access. A large offset is added by code.
    pub(super) fn address(&mut self, memarg: &MemArg, address: u32) -> (u16, u32, u32) {
        let memory = match memarg.target {
            MemArgTarget::Memory(index) => index as u16,
            MemArgTarget::Array(_) => unreachable!("validated without multibyte array access"),
        };
        match u32::try_from(memarg.offset) {
            Ok(offset) => (memory, address, offset),
            Err(_) => {
                let sum = self.scratch();
                self.emit_const(memarg.offset, sum + 1);
                self.emit_abc(Op::EffectiveAddress, address, sum + 1, sum);
                (memory, sum, 0)
            }
        }
    }

    /// Pops operands, sends them home and returns the first one's home.
    pub(super) fn pop_consecutive(&mut self, count: usize) -> u32 {
        self.flush_top(count);
        let base = self.top(count).first().map_or(self.height(), |o| o.home);
        self.truncate(self.operands.len() - count);
        base
    }

    fn wide_arithmetic(&mut self, op: Op, operands: usize) {
        let base = self.pop_consecutive(operands);
        self.emit_abc(op, base, 0, 0);
        self.push(false);
        self.push(false);
    }

    fn bulk(&mut self, op: Op, memory: u32, b: u32) {
        let a = self.pop_consecutive(3);
        self.emit(Instr {
            op,
            d: memory as u16,
            a,
            b,
            c: 0,
        });
    }

    /// Writes the topmost operand to a local; returns the local's slot and whether it is a
    /// vector. If the last instruction made the operand, it writes to the local instead.
    fn local_set(&mut self, index: u32) -> (u32, bool) {
        let (slot, ty) = self.locals[index as usize];
        let operand = self.pop_operand();
        if self.mentions_local(slot) {
            self.flush_local(slot);
        }
        self.deliver(operand, slot);
        (slot, ty == ValType::V128)
    }

    fn select(&mut self) {
        let condition = self.pop();
        let second = self.pop();
        let first: Operand = self.pop_operand();
        // The condition may stand at its home above; the first operand's home is below.
        self.move_to(first, first.home);
        let op = if first.wide {
            Op::SelectWide
        } else {
            Op::Select
        };
        let c = self.push(first.wide);
        self.emit_abc(op, condition, second, c);
    }
}

/// Whether a constant is its lower 32 bits, sign-extended; a narrow one is always what the
/// lower 32 bits say.
pub(super) fn fits(op: Op, bits: u64) -> bool {
    let narrow = bits <= u64::from(u32::MAX) && !fuse::is_i64(op);
    narrow || i64::from(bits as i32) as u64 == bits
}
