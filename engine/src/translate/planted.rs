//! Planted bugs whose place is the translation of one operator.

use super::FuncTranslator;
use crate::PlantedBug as Bug;
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::types::{F32, F64, I32, I64};
use cranelift_codegen::ir::{InstBuilder, Type, Value};
use wasmparser::Operator;

impl FuncTranslator<'_, '_> {
    /// Translates an operator as the planted bug has it; `false` if it is to be translated as always, perhaps with other operands.
    pub(super) fn translate_wrongly(&mut self, op: &Operator<'_>) -> bool {
        let Some(bug) = self.env.engine.config.planted else {
            return false;
        };
        if bug == Bug::GlobalKept {
            return self.keep_globals(op);
        }
        self.reachable
            && (self.wrong_operands(bug, op)
                || self.wrong_number(bug, op)
                || self.wrong_operator(bug, op))
    }

    /// Globals that were read or written stay known until control arrives from elsewhere or a function is called. A suspension
    /// changes nothing: that is the bug.
    fn keep_globals(&mut self, op: &Operator<'_>) -> bool {
        use Operator::*;
        match *op {
            GlobalGet { global_index } if self.reachable => {
                match self.kept_globals.get(&global_index) {
                    Some(&value) => self.push1(value),
                    None => {
                        self.translate_global_get(global_index);
                        let value = *self.stack.last().expect("pushed just now");
                        self.kept_globals.insert(global_index, value);
                    }
                }
                return true;
            }
            GlobalSet { global_index } if self.reachable => {
                let value = *self.stack.last().expect("validated");
                self.kept_globals.insert(global_index, value);
            }
            Block { .. }
            | Loop { .. }
            | If { .. }
            | Else
            | End
            | TryTable { .. }
            | Call { .. }
            | CallIndirect { .. }
            | CallRef { .. }
            | Resume { .. }
            | ResumeThrow { .. }
            | ResumeThrowRef { .. } => self.kept_globals.clear(),
            _ => {}
        }
        false
    }

    /// Bugs of the order or the range of operands.
    fn wrong_operands(&mut self, bug: Bug, op: &Operator<'_>) -> bool {
        use Operator::*;
        match (bug, op) {
            (Bug::SubtractionReversed, I64Sub)
            | (Bug::CopysignReversed, F32Copysign | F64Copysign)
            | (Bug::AndNotReversed, V128AndNot) => {
                let (first, second) = self.pop2();
                self.stack.extend([second, first]);
            }
            (Bug::RotationBy32, I64Rotl | I64Rotr) => {
                let distance = self.pop1();
                let distance = self.b.ins().band_imm_u(distance, 31);
                self.push1(distance);
            }
            (Bug::TableGrownByNull, TableGrow { .. }) => {
                let (_, delta) = self.pop2();
                let null = self.iconst(0);
                self.stack.extend([null, delta]);
            }
            _ => {}
        }
        false
    }

    fn wrong_number(&mut self, bug: Bug, op: &Operator<'_>) -> bool {
        use Operator::*;
        match (bug, op) {
            (Bug::ShiftNotMasked, I32Shl) => {
                let (x, distance) = self.pop2();
                let shifted = self.b.ins().ishl(x, distance);
                let width = self.i32const(32);
                let fits = self.b.ins().icmp(IntCC::UnsignedLessThan, distance, width);
                let none = self.i32const(0);
                let result = self.b.ins().select(fits, shifted, none);
                self.push1(result);
            }
            (Bug::NanIsLess, F32Lt | F64Lt) => self.relation(FloatCC::UnorderedOrLessThan),
            (Bug::NanIsLess, F32Gt | F64Gt) => self.relation(FloatCC::UnorderedOrGreaterThan),
            (Bug::MinimumBySelect, F32Min | F64Min) => self.choice(FloatCC::LessThan),
            (Bug::MinimumBySelect, F32Max | F64Max) => self.choice(FloatCC::GreaterThan),
            (Bug::TruncationSigned, I32TruncSatF32U | I32TruncSatF64U) => {
                self.unary(|ins, x| ins.fcvt_to_sint_sat(I32, x));
            }
            (Bug::ConversionSigned, F32ConvertI64U) => self.convert_signed(F32),
            (Bug::ConversionSigned, F64ConvertI64U) => self.convert_signed(F64),
            (Bug::CarryLost, I64Add128) => {
                let high = self.pop1();
                let (first_high, low) = self.pop2();
                let first_low = self.pop1();
                let low = self.b.ins().iadd(first_low, low);
                let high = self.b.ins().iadd(first_high, high);
                self.stack.extend([low, high]);
            }
            _ => return false,
        }
        true
    }

    fn relation(&mut self, condition: FloatCC) {
        let (x, y) = self.pop2();
        let truth = self.b.ins().fcmp(condition, x, y);
        let truth = self.b.ins().uextend(I32, truth);
        self.push1(truth);
    }

    fn choice(&mut self, condition: FloatCC) {
        let (x, y) = self.pop2();
        let first = self.b.ins().fcmp(condition, x, y);
        let result = self.b.ins().select(first, x, y);
        self.push1(result);
    }

    fn convert_signed(&mut self, float: Type) {
        self.unary(|ins, x| ins.fcvt_from_sint(float, x));
    }

    /// Bugs that take one operator for another.
    fn wrong_operator(&mut self, bug: Bug, op: &Operator<'_>) -> bool {
        use Operator::*;
        match (bug, op.clone()) {
            (Bug::LoadNotExtended, I32Load8S { memarg }) => {
                self.translate_memory(&I32Load8U { memarg })
            }
            (Bug::LoadNotExtended, I64Load8S { memarg }) => {
                self.translate_memory(&I64Load8U { memarg })
            }
            (Bug::StoreTooNarrow, I64Store32 { memarg }) => {
                self.translate_memory(&I64Store16 { memarg })
            }
            (Bug::GrowFailureHidden, MemoryGrow { .. }) => {
                self.translate_memory(op);
                let pages = self.pop1();
                let failed = self.icmp_imm(IntCC::Equal, pages, -1);
                let none = self.zero(self.b.func.dfg.value_type(pages));
                let pages = self.b.ins().select(failed, none, pages);
                self.push1(pages);
                true
            }
            (Bug::SizeOfFirstMemory, MemorySize { mem }) => {
                self.translate_memory(&MemorySize { mem: 0 });
                let pages = self.pop1();
                let pages = self.sized(pages, self.env.info.memories[mem as usize].memory64);
                self.push1(pages);
                true
            }
            (Bug::WideProductSigned, I64MulWideU) => self.translate_numeric(&I64MulWideS),
            (Bug::LaneBeside, I16x8ExtractLaneS { lane }) => {
                self.translate_vector(&I16x8ExtractLaneS { lane: lane ^ 1 })
            }
            (Bug::LaneBeside, I16x8ExtractLaneU { lane }) => {
                self.translate_vector(&I16x8ExtractLaneU { lane: lane ^ 1 })
            }
            (Bug::ShuffleOfOne, I8x16Shuffle { lanes }) => {
                let lanes = lanes.map(|lane| lane & 15);
                self.translate_vector(&I8x16Shuffle { lanes })
            }
            (
                Bug::PackedNotExtended,
                StructGetS {
                    struct_type_index,
                    field_index,
                },
            ) => self.translate_aggregate(&StructGetU {
                struct_type_index,
                field_index,
            }),
            (Bug::PackedNotExtended, ArrayGetS { array_type_index }) => {
                self.translate_aggregate(&ArrayGetU { array_type_index })
            }
            (Bug::I31AlwaysSigned, I31GetU) => self.translate_aggregate(&I31GetS),
            (
                Bug::ThrowsLastTag,
                ResumeThrow {
                    cont_type_index,
                    tag_index,
                    ref resume_table,
                },
            ) => {
                let ty = self.env.info.tags[tag_index as usize];
                let tags = &self.env.info.tags;
                let last = tags.iter().rposition(|&other| other == ty);
                let last = last.expect("the tag itself is there") as u32;
                self.translate_resume_throw(cont_type_index, last, resume_table);
                true
            }
            _ => false,
        }
    }

    /// A size of a memory in the type of another's addresses.
    fn sized(&mut self, pages: Value, is64: bool) -> Value {
        match (self.b.func.dfg.value_type(pages) == I64, is64) {
            (false, true) => self.b.ins().uextend(I64, pages),
            (true, false) => self.b.ins().ireduce(I32, pages),
            _ => pages,
        }
    }
}
