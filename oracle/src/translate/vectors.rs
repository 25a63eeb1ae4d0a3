//! Vector operators.

use wasmparser::Operator;

use super::FunctionTranslator;
use super::vector::{Vector, vector};
use crate::code::Instr;
use crate::exec::ops::Op;

impl FunctionTranslator<'_> {
    /// Translates a vector operator; false if it is none.
    pub(super) fn vector_operator(&mut self, op: &Operator<'_>) -> bool {
        match op {
            Operator::V128Const { value } => {
                let both = value.i128() as u128;
                let home = self.push(true);
                self.emit_const(both as u64, home);
                self.emit_const((both >> 64) as u64, home + 1);
                return true;
            }
            Operator::I8x16Shuffle { lanes } => {
                let second = self.pop();
                let first = self.pop_home();
                let place = self.code.shuffles.len() as u32;
                self.code.shuffles.push(*lanes);
                self.push(true);
                self.emit_abc(Op::I8x16Shuffle, second, place, first);
                return true;
            }
            _ => {}
        }
        let Some(vector) = vector(op) else {
            return false;
        };
        match vector {
            Vector::Unary { op, lane, wide } => {
                let a = self.pop();
                self.produce(op, lane, a, 0, wide);
            }
            Vector::Binary { op, lane } => {
                let b = self.pop();
                let a = self.pop();
                self.produce(op, lane, a, b, true);
            }
            Vector::Ternary(op) => {
                let third = self.pop();
                let second = self.pop();
                let first = self.pop_home();
                self.push(true);
                self.emit_abc(op, second, third, first);
            }
            Vector::Load(op, memarg) => {
                let address = self.pop();
                let (memory, address, offset) = self.address(memarg, address);
                self.produce(op, memory, address, offset, true);
            }
            Vector::Store(op, memarg) => {
                let value = self.pop();
                let address = self.pop();
                let (d, a, c) = self.address(memarg, address);
                self.emit(Instr {
                    op,
                    d,
                    a,
                    b: value,
                    c,
                });
            }
            Vector::LoadLane {
                load,
                replace,
                memarg,
                lane,
            } => {
                let vector = self.pop();
                let address = self.pop();
                let scalar = self.scratch() + 2;
                let (d, a, b) = self.address(memarg, address);
                self.emit(Instr {
                    op: load,
                    d,
                    a,
                    b,
                    c: scalar,
                });
                self.produce(replace, lane, vector, scalar, true);
            }
            Vector::StoreLane {
                extract,
                store,
                memarg,
                lane,
            } => {
                let vector = self.pop();
                let address = self.pop();
                let scalar = self.scratch() + 2;
                self.emit(Instr {
                    op: extract,
                    d: lane,
                    a: vector,
                    b: 0,
                    c: scalar,
                });
                let (d, a, c) = self.address(memarg, address);
                self.emit(Instr {
                    op: store,
                    d,
                    a,
                    b: scalar,
                    c,
                });
            }
        }
        true
    }
}
