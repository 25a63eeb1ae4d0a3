//! Vector instructions (core specification, "Vector Instructions"), relaxed ones included.
//!
//! On the operand stack every `v128` has the type `i8x16`; an instruction views its operands as the lanes that it works on,
//! and its result goes back as `i8x16`. These casts cost nothing: a vector register has no lane type.
//!
//! Relaxed instructions follow the specification's deterministic profile, in which each of them is an ordinary instruction or
//! a combination of some. Multiplication and addition are rounded separately, whatever the processor could do in one step, so
//! that results never depend on the machine.
//!
//! | file | instructions |
//! |---|---|
//! | this one | constants, lanes, bits, comparisons |
//! | [`integer`] | arithmetic on integer lanes |
//! | [`float`] | arithmetic on float lanes, conversions |
//! | [`access`] | loads and stores |

mod access;
mod float;
mod integer;

use super::FuncTranslator;
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::types::{F32X4, F64X2, I8, I8X16, I16, I16X8, I32, I32X4, I64X2};
use cranelift_codegen::ir::{Endianness, InstBuilder, MemFlagsData, Type, Value};
use cranelift_frontend::FuncInstBuilder;
use wasmparser::Operator;

/// What `extract_lane` does with a lane that is narrower than its result.
#[derive(Clone, Copy)]
enum Extension {
    Signed,
    Unsigned,
}

impl FuncTranslator<'_, '_> {
    /// Translates `op` if it is a vector instruction; `false` means that it is none and that nothing was done.
    pub(super) fn translate_vector(&mut self, op: &Operator<'_>) -> bool {
        self.translate_lanes(op)
            || self.translate_bits(op)
            || self.translate_vector_relation(op)
            || self.translate_vector_integer(op)
            || self.translate_vector_float(op)
            || self.translate_vector_access(op)
    }

    /// Constants, and what moves lanes without changing them.
    fn translate_lanes(&mut self, op: &Operator<'_>) -> bool {
        use Extension::{Signed, Unsigned};
        use Operator::*;
        match *op {
            V128Const { value } => {
                let value = self.vector_const(*value.bytes(), I8X16);
                self.push1(value);
            }
            I8x16Shuffle { lanes } => {
                let mask = self.b.func.dfg.immediates.push(lanes.to_vec().into());
                self.lanes2(I8X16, |ins, x, y| ins.shuffle(x, y, mask));
            }
            // An index outside gives 0, for the relaxed instruction as well.
            I8x16Swizzle | I8x16RelaxedSwizzle => self.lanes2(I8X16, |ins, x, y| ins.swizzle(x, y)),

            I8x16Splat => self.splat(I8X16),
            I16x8Splat => self.splat(I16X8),
            I32x4Splat => self.splat(I32X4),
            I64x2Splat => self.splat(I64X2),
            F32x4Splat => self.splat(F32X4),
            F64x2Splat => self.splat(F64X2),

            I8x16ExtractLaneS { lane } => self.extract_lane(I8X16, lane, Some(Signed)),
            I8x16ExtractLaneU { lane } => self.extract_lane(I8X16, lane, Some(Unsigned)),
            I16x8ExtractLaneS { lane } => self.extract_lane(I16X8, lane, Some(Signed)),
            I16x8ExtractLaneU { lane } => self.extract_lane(I16X8, lane, Some(Unsigned)),
            I32x4ExtractLane { lane } => self.extract_lane(I32X4, lane, None),
            I64x2ExtractLane { lane } => self.extract_lane(I64X2, lane, None),
            F32x4ExtractLane { lane } => self.extract_lane(F32X4, lane, None),
            F64x2ExtractLane { lane } => self.extract_lane(F64X2, lane, None),

            I8x16ReplaceLane { lane } => self.replace_lane(I8X16, lane),
            I16x8ReplaceLane { lane } => self.replace_lane(I16X8, lane),
            I32x4ReplaceLane { lane } => self.replace_lane(I32X4, lane),
            I64x2ReplaceLane { lane } => self.replace_lane(I64X2, lane),
            F32x4ReplaceLane { lane } => self.replace_lane(F32X4, lane),
            F64x2ReplaceLane { lane } => self.replace_lane(F64X2, lane),
            _ => return false,
        }
        true
    }

    /// Bitwise operators, and tests that make a number of a vector.
    fn translate_bits(&mut self, op: &Operator<'_>) -> bool {
        use Operator::*;
        match op {
            V128Not => self.lanes1(I8X16, |ins, x| ins.bnot(x)),
            V128And => self.lanes2(I8X16, |ins, x, y| ins.band(x, y)),
            V128Or => self.lanes2(I8X16, |ins, x, y| ins.bor(x, y)),
            V128Xor => self.lanes2(I8X16, |ins, x, y| ins.bxor(x, y)),
            V128AndNot => {
                let (x, y) = self.pop2();
                let y = self.b.ins().bnot(y);
                let result = self.b.ins().band(x, y);
                self.push1(result);
            }
            // The relaxed lane selections are the bitwise one, whatever their lanes.
            V128Bitselect
            | I8x16RelaxedLaneselect
            | I16x8RelaxedLaneselect
            | I32x4RelaxedLaneselect
            | I64x2RelaxedLaneselect => {
                let (x, y, mask) = self.pop3();
                let result = self.b.ins().bitselect(mask, x, y);
                self.push1(result);
            }

            V128AnyTrue => self.test(I8X16, |ins, x| ins.vany_true(x)),
            I8x16AllTrue => self.test(I8X16, |ins, x| ins.vall_true(x)),
            I16x8AllTrue => self.test(I16X8, |ins, x| ins.vall_true(x)),
            I32x4AllTrue => self.test(I32X4, |ins, x| ins.vall_true(x)),
            I64x2AllTrue => self.test(I64X2, |ins, x| ins.vall_true(x)),

            I8x16Bitmask => self.bitmask(I8X16),
            I16x8Bitmask => self.bitmask(I16X8),
            I32x4Bitmask => self.bitmask(I32X4),
            I64x2Bitmask => self.bitmask(I64X2),
            _ => return false,
        }
        true
    }

    /// Comparisons: a lane of the result is all ones or all zeroes.
    fn translate_vector_relation(&mut self, op: &Operator<'_>) -> bool {
        use Operator::*;
        let (lanes, condition) = match op {
            I8x16Eq => (I8X16, IntCC::Equal),
            I8x16Ne => (I8X16, IntCC::NotEqual),
            I8x16LtS => (I8X16, IntCC::SignedLessThan),
            I8x16LtU => (I8X16, IntCC::UnsignedLessThan),
            I8x16GtS => (I8X16, IntCC::SignedGreaterThan),
            I8x16GtU => (I8X16, IntCC::UnsignedGreaterThan),
            I8x16LeS => (I8X16, IntCC::SignedLessThanOrEqual),
            I8x16LeU => (I8X16, IntCC::UnsignedLessThanOrEqual),
            I8x16GeS => (I8X16, IntCC::SignedGreaterThanOrEqual),
            I8x16GeU => (I8X16, IntCC::UnsignedGreaterThanOrEqual),
            I16x8Eq => (I16X8, IntCC::Equal),
            I16x8Ne => (I16X8, IntCC::NotEqual),
            I16x8LtS => (I16X8, IntCC::SignedLessThan),
            I16x8LtU => (I16X8, IntCC::UnsignedLessThan),
            I16x8GtS => (I16X8, IntCC::SignedGreaterThan),
            I16x8GtU => (I16X8, IntCC::UnsignedGreaterThan),
            I16x8LeS => (I16X8, IntCC::SignedLessThanOrEqual),
            I16x8LeU => (I16X8, IntCC::UnsignedLessThanOrEqual),
            I16x8GeS => (I16X8, IntCC::SignedGreaterThanOrEqual),
            I16x8GeU => (I16X8, IntCC::UnsignedGreaterThanOrEqual),
            I32x4Eq => (I32X4, IntCC::Equal),
            I32x4Ne => (I32X4, IntCC::NotEqual),
            I32x4LtS => (I32X4, IntCC::SignedLessThan),
            I32x4LtU => (I32X4, IntCC::UnsignedLessThan),
            I32x4GtS => (I32X4, IntCC::SignedGreaterThan),
            I32x4GtU => (I32X4, IntCC::UnsignedGreaterThan),
            I32x4LeS => (I32X4, IntCC::SignedLessThanOrEqual),
            I32x4LeU => (I32X4, IntCC::UnsignedLessThanOrEqual),
            I32x4GeS => (I32X4, IntCC::SignedGreaterThanOrEqual),
            I32x4GeU => (I32X4, IntCC::UnsignedGreaterThanOrEqual),
            I64x2Eq => (I64X2, IntCC::Equal),
            I64x2Ne => (I64X2, IntCC::NotEqual),
            I64x2LtS => (I64X2, IntCC::SignedLessThan),
            I64x2GtS => (I64X2, IntCC::SignedGreaterThan),
            I64x2LeS => (I64X2, IntCC::SignedLessThanOrEqual),
            I64x2GeS => (I64X2, IntCC::SignedGreaterThanOrEqual),
            _ => return self.translate_float_relation(op),
        };
        self.lanes2(lanes, |ins, x, y| ins.icmp(condition, x, y));
        true
    }

    fn translate_float_relation(&mut self, op: &Operator<'_>) -> bool {
        use Operator::*;
        let (lanes, condition) = match op {
            F32x4Eq => (F32X4, FloatCC::Equal),
            F32x4Ne => (F32X4, FloatCC::NotEqual),
            F32x4Lt => (F32X4, FloatCC::LessThan),
            F32x4Gt => (F32X4, FloatCC::GreaterThan),
            F32x4Le => (F32X4, FloatCC::LessThanOrEqual),
            F32x4Ge => (F32X4, FloatCC::GreaterThanOrEqual),
            F64x2Eq => (F64X2, FloatCC::Equal),
            F64x2Ne => (F64X2, FloatCC::NotEqual),
            F64x2Lt => (F64X2, FloatCC::LessThan),
            F64x2Gt => (F64X2, FloatCC::GreaterThan),
            F64x2Le => (F64X2, FloatCC::LessThanOrEqual),
            F64x2Ge => (F64X2, FloatCC::GreaterThanOrEqual),
            _ => return false,
        };
        self.lanes2(lanes, |ins, x, y| ins.fcmp(condition, x, y));
        true
    }

    /// A vector of these bytes.
    pub(super) fn vector_const(&mut self, bytes: [u8; 16], lanes: Type) -> Value {
        let constant = self.b.func.dfg.constants.insert(bytes.to_vec().into());
        self.b.ins().vconst(lanes, constant)
    }

    /// A vector seen as other lanes. Lane 0 is in the lowest bytes.
    fn view(&mut self, vector: Value, lanes: Type) -> Value {
        if self.b.func.dfg.value_type(vector) == lanes {
            return vector;
        }
        let flags = MemFlagsData::new().with_endianness(Endianness::Little);
        self.b.ins().bitcast(lanes, flags, vector)
    }

    fn pop_lanes(&mut self, lanes: Type) -> Value {
        let vector = self.pop1();
        self.view(vector, lanes)
    }

    fn pop_lanes2(&mut self, lanes: Type) -> (Value, Value) {
        let (x, y) = self.pop2();
        (self.view(x, lanes), self.view(y, lanes))
    }

    fn push_lanes(&mut self, vector: Value) {
        let vector = self.view(vector, I8X16);
        self.push1(vector);
    }

    /// Replaces the topmost vector by what `emit` makes of its lanes.
    fn lanes1(&mut self, lanes: Type, emit: impl FnOnce(FuncInstBuilder<'_, '_>, Value) -> Value) {
        let x = self.pop_lanes(lanes);
        let result = emit(self.b.ins(), x);
        self.push_lanes(result);
    }

    /// Replaces the two topmost vectors by what `emit` makes of their lanes.
    fn lanes2(
        &mut self,
        lanes: Type,
        emit: impl FnOnce(FuncInstBuilder<'_, '_>, Value, Value) -> Value,
    ) {
        let (x, y) = self.pop_lanes2(lanes);
        let result = emit(self.b.ins(), x, y);
        self.push_lanes(result);
    }

    /// Replaces the topmost vector by a truth value.
    fn test(&mut self, lanes: Type, emit: impl FnOnce(FuncInstBuilder<'_, '_>, Value) -> Value) {
        let x = self.pop_lanes(lanes);
        let truth = emit(self.b.ins(), x);
        let truth = self.b.ins().uextend(I32, truth);
        self.push1(truth);
    }

    fn bitmask(&mut self, lanes: Type) {
        let x = self.pop_lanes(lanes);
        let mask = self.b.ins().vhigh_bits(I32, x);
        self.push1(mask);
    }

    /// A number as a lane: the low bits of an `i32` for the two narrow kinds of lanes.
    fn as_lane(&mut self, value: Value, lanes: Type) -> Value {
        match lanes.lane_type() {
            narrow @ (I8 | I16) => self.b.ins().ireduce(narrow, value),
            _ => value,
        }
    }

    fn splat(&mut self, lanes: Type) {
        let value = self.pop1();
        let value = self.as_lane(value, lanes);
        let result = self.b.ins().splat(lanes, value);
        self.push_lanes(result);
    }

    fn extract_lane(&mut self, lanes: Type, lane: u8, extension: Option<Extension>) {
        let x = self.pop_lanes(lanes);
        let value = self.b.ins().extractlane(x, lane);
        let value = match extension {
            Some(Extension::Signed) => self.b.ins().sextend(I32, value),
            Some(Extension::Unsigned) => self.b.ins().uextend(I32, value),
            None => value,
        };
        self.push1(value);
    }

    fn replace_lane(&mut self, lanes: Type, lane: u8) {
        let value = self.pop1();
        let value = self.as_lane(value, lanes);
        let x = self.pop_lanes(lanes);
        let result = self.b.ins().insertlane(x, value, lane);
        self.push_lanes(result);
    }
}
