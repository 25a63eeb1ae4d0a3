//! Vector instructions on integer lanes.

use super::super::FuncTranslator;
use cranelift_codegen::ir::types::{I8X16, I16X8, I32X4, I64X2};
use cranelift_codegen::ir::{InstBuilder, Type, Value};
use cranelift_frontend::FuncInstBuilder;
use wasmparser::Operator;

/// How the lanes of one half of a vector become lanes of twice the width.
#[derive(Clone, Copy)]
enum Widening {
    LowSigned,
    LowUnsigned,
    HighSigned,
    HighUnsigned,
}

impl FuncTranslator<'_, '_> {
    pub(super) fn translate_vector_integer(&mut self, op: &Operator<'_>) -> bool {
        self.translate_integer_lanes(op)
            || self.translate_narrow_lanes(op)
            || self.translate_vector_shift(op)
            || self.translate_widening(op)
            || self.translate_dot(op)
    }

    /// What exists for lanes of (almost) every width.
    fn translate_integer_lanes(&mut self, op: &Operator<'_>) -> bool {
        use Operator::*;
        match op {
            I8x16Abs => self.lanes1(I8X16, |ins, x| ins.iabs(x)),
            I16x8Abs => self.lanes1(I16X8, |ins, x| ins.iabs(x)),
            I32x4Abs => self.lanes1(I32X4, |ins, x| ins.iabs(x)),
            I64x2Abs => self.lanes1(I64X2, |ins, x| ins.iabs(x)),
            I8x16Neg => self.lanes1(I8X16, |ins, x| ins.ineg(x)),
            I16x8Neg => self.lanes1(I16X8, |ins, x| ins.ineg(x)),
            I32x4Neg => self.lanes1(I32X4, |ins, x| ins.ineg(x)),
            I64x2Neg => self.lanes1(I64X2, |ins, x| ins.ineg(x)),
            I8x16Popcnt => self.lanes1(I8X16, |ins, x| ins.popcnt(x)),

            I8x16Add => self.lanes2(I8X16, |ins, x, y| ins.iadd(x, y)),
            I16x8Add => self.lanes2(I16X8, |ins, x, y| ins.iadd(x, y)),
            I32x4Add => self.lanes2(I32X4, |ins, x, y| ins.iadd(x, y)),
            I64x2Add => self.lanes2(I64X2, |ins, x, y| ins.iadd(x, y)),
            I8x16Sub => self.lanes2(I8X16, |ins, x, y| ins.isub(x, y)),
            I16x8Sub => self.lanes2(I16X8, |ins, x, y| ins.isub(x, y)),
            I32x4Sub => self.lanes2(I32X4, |ins, x, y| ins.isub(x, y)),
            I64x2Sub => self.lanes2(I64X2, |ins, x, y| ins.isub(x, y)),
            I16x8Mul => self.lanes2(I16X8, |ins, x, y| ins.imul(x, y)),
            I32x4Mul => self.lanes2(I32X4, |ins, x, y| ins.imul(x, y)),
            I64x2Mul => self.lanes2(I64X2, |ins, x, y| ins.imul(x, y)),

            I8x16MinS => self.lanes2(I8X16, |ins, x, y| ins.smin(x, y)),
            I16x8MinS => self.lanes2(I16X8, |ins, x, y| ins.smin(x, y)),
            I32x4MinS => self.lanes2(I32X4, |ins, x, y| ins.smin(x, y)),
            I8x16MinU => self.lanes2(I8X16, |ins, x, y| ins.umin(x, y)),
            I16x8MinU => self.lanes2(I16X8, |ins, x, y| ins.umin(x, y)),
            I32x4MinU => self.lanes2(I32X4, |ins, x, y| ins.umin(x, y)),
            I8x16MaxS => self.lanes2(I8X16, |ins, x, y| ins.smax(x, y)),
            I16x8MaxS => self.lanes2(I16X8, |ins, x, y| ins.smax(x, y)),
            I32x4MaxS => self.lanes2(I32X4, |ins, x, y| ins.smax(x, y)),
            I8x16MaxU => self.lanes2(I8X16, |ins, x, y| ins.umax(x, y)),
            I16x8MaxU => self.lanes2(I16X8, |ins, x, y| ins.umax(x, y)),
            I32x4MaxU => self.lanes2(I32X4, |ins, x, y| ins.umax(x, y)),
            _ => return false,
        }
        true
    }

    /// What exists for lanes of 8 and 16 bits only: saturation, averages, narrowing.
    fn translate_narrow_lanes(&mut self, op: &Operator<'_>) -> bool {
        use Operator::*;
        match op {
            I8x16AddSatS => self.lanes2(I8X16, |ins, x, y| ins.sadd_sat(x, y)),
            I16x8AddSatS => self.lanes2(I16X8, |ins, x, y| ins.sadd_sat(x, y)),
            I8x16AddSatU => self.lanes2(I8X16, |ins, x, y| ins.uadd_sat(x, y)),
            I16x8AddSatU => self.lanes2(I16X8, |ins, x, y| ins.uadd_sat(x, y)),
            I8x16SubSatS => self.lanes2(I8X16, |ins, x, y| ins.ssub_sat(x, y)),
            I16x8SubSatS => self.lanes2(I16X8, |ins, x, y| ins.ssub_sat(x, y)),
            I8x16SubSatU => self.lanes2(I8X16, |ins, x, y| ins.usub_sat(x, y)),
            I16x8SubSatU => self.lanes2(I16X8, |ins, x, y| ins.usub_sat(x, y)),
            I8x16AvgrU => self.lanes2(I8X16, |ins, x, y| ins.avg_round(x, y)),
            I16x8AvgrU => self.lanes2(I16X8, |ins, x, y| ins.avg_round(x, y)),
            // The relaxed instruction saturates as well.
            I16x8Q15MulrSatS | I16x8RelaxedQ15mulrS => {
                self.lanes2(I16X8, |ins, x, y| ins.sqmul_round_sat(x, y));
            }
            I8x16NarrowI16x8S => self.lanes2(I16X8, |ins, x, y| ins.snarrow(x, y)),
            I16x8NarrowI32x4S => self.lanes2(I32X4, |ins, x, y| ins.snarrow(x, y)),
            I8x16NarrowI16x8U => self.lanes2(I16X8, |ins, x, y| ins.unarrow(x, y)),
            I16x8NarrowI32x4U => self.lanes2(I32X4, |ins, x, y| ins.unarrow(x, y)),
            _ => return false,
        }
        true
    }

    /// Shifts. CLIF, like the specification, takes the distance modulo the width of a lane.
    fn translate_vector_shift(&mut self, op: &Operator<'_>) -> bool {
        use Operator::*;
        match op {
            I8x16Shl => self.shift(I8X16, |ins, x, by| ins.ishl(x, by)),
            I16x8Shl => self.shift(I16X8, |ins, x, by| ins.ishl(x, by)),
            I32x4Shl => self.shift(I32X4, |ins, x, by| ins.ishl(x, by)),
            I64x2Shl => self.shift(I64X2, |ins, x, by| ins.ishl(x, by)),
            I8x16ShrS => self.shift(I8X16, |ins, x, by| ins.sshr(x, by)),
            I16x8ShrS => self.shift(I16X8, |ins, x, by| ins.sshr(x, by)),
            I32x4ShrS => self.shift(I32X4, |ins, x, by| ins.sshr(x, by)),
            I64x2ShrS => self.shift(I64X2, |ins, x, by| ins.sshr(x, by)),
            I8x16ShrU => self.shift(I8X16, |ins, x, by| ins.ushr(x, by)),
            I16x8ShrU => self.shift(I16X8, |ins, x, by| ins.ushr(x, by)),
            I32x4ShrU => self.shift(I32X4, |ins, x, by| ins.ushr(x, by)),
            I64x2ShrU => self.shift(I64X2, |ins, x, by| ins.ushr(x, by)),
            _ => return false,
        }
        true
    }

    fn shift(
        &mut self,
        lanes: Type,
        emit: impl FnOnce(FuncInstBuilder<'_, '_>, Value, Value) -> Value,
    ) {
        let distance = self.pop1();
        let x = self.pop_lanes(lanes);
        let result = emit(self.b.ins(), x, distance);
        self.push_lanes(result);
    }

    /// Instructions whose result has lanes of twice the operands' width.
    fn translate_widening(&mut self, op: &Operator<'_>) -> bool {
        use Operator::*;
        use Widening::*;
        match op {
            I16x8ExtendLowI8x16S => self.extend_lanes(I8X16, LowSigned),
            I16x8ExtendLowI8x16U => self.extend_lanes(I8X16, LowUnsigned),
            I16x8ExtendHighI8x16S => self.extend_lanes(I8X16, HighSigned),
            I16x8ExtendHighI8x16U => self.extend_lanes(I8X16, HighUnsigned),
            I32x4ExtendLowI16x8S => self.extend_lanes(I16X8, LowSigned),
            I32x4ExtendLowI16x8U => self.extend_lanes(I16X8, LowUnsigned),
            I32x4ExtendHighI16x8S => self.extend_lanes(I16X8, HighSigned),
            I32x4ExtendHighI16x8U => self.extend_lanes(I16X8, HighUnsigned),
            I64x2ExtendLowI32x4S => self.extend_lanes(I32X4, LowSigned),
            I64x2ExtendLowI32x4U => self.extend_lanes(I32X4, LowUnsigned),
            I64x2ExtendHighI32x4S => self.extend_lanes(I32X4, HighSigned),
            I64x2ExtendHighI32x4U => self.extend_lanes(I32X4, HighUnsigned),

            I16x8ExtMulLowI8x16S => self.extended_product(I8X16, LowSigned),
            I16x8ExtMulLowI8x16U => self.extended_product(I8X16, LowUnsigned),
            I16x8ExtMulHighI8x16S => self.extended_product(I8X16, HighSigned),
            I16x8ExtMulHighI8x16U => self.extended_product(I8X16, HighUnsigned),
            I32x4ExtMulLowI16x8S => self.extended_product(I16X8, LowSigned),
            I32x4ExtMulLowI16x8U => self.extended_product(I16X8, LowUnsigned),
            I32x4ExtMulHighI16x8S => self.extended_product(I16X8, HighSigned),
            I32x4ExtMulHighI16x8U => self.extended_product(I16X8, HighUnsigned),
            I64x2ExtMulLowI32x4S => self.extended_product(I32X4, LowSigned),
            I64x2ExtMulLowI32x4U => self.extended_product(I32X4, LowUnsigned),
            I64x2ExtMulHighI32x4S => self.extended_product(I32X4, HighSigned),
            I64x2ExtMulHighI32x4U => self.extended_product(I32X4, HighUnsigned),

            I16x8ExtAddPairwiseI8x16S => self.pairwise_sum(I8X16, LowSigned, HighSigned),
            I16x8ExtAddPairwiseI8x16U => self.pairwise_sum(I8X16, LowUnsigned, HighUnsigned),
            I32x4ExtAddPairwiseI16x8S => self.pairwise_sum(I16X8, LowSigned, HighSigned),
            I32x4ExtAddPairwiseI16x8U => self.pairwise_sum(I16X8, LowUnsigned, HighUnsigned),
            _ => return false,
        }
        true
    }

    fn translate_dot(&mut self, op: &Operator<'_>) -> bool {
        use Operator::*;
        match op {
            I32x4DotI16x8S => {
                let (x, y) = self.pop_lanes2(I16X8);
                let low = self.product(x, y, Widening::LowSigned);
                let high = self.product(x, y, Widening::HighSigned);
                let sums = self.b.ins().iadd_pairwise(low, high);
                self.push_lanes(sums);
            }
            I16x8RelaxedDotI8x16I7x16S => {
                let (x, y) = self.pop_lanes2(I8X16);
                let sums = self.relaxed_dot(x, y);
                self.push_lanes(sums);
            }
            I32x4RelaxedDotI8x16I7x16AddS => {
                let addend = self.pop_lanes(I32X4);
                let (x, y) = self.pop_lanes2(I8X16);
                let sums = self.relaxed_dot(x, y);
                let sums = self.sum_pairs(sums, Widening::LowSigned, Widening::HighSigned);
                let result = self.b.ins().iadd(sums, addend);
                self.push_lanes(result);
            }
            _ => return false,
        }
        true
    }

    /// The relaxed dot product of 8-bit lanes: both operands are signed, and the sum of two products saturates.
    fn relaxed_dot(&mut self, x: Value, y: Value) -> Value {
        let low = self.product(x, y, Widening::LowSigned);
        let high = self.product(x, y, Widening::HighSigned);
        // The products fit into 16 bits; the sums of two are exact in 32, and saturate when they are narrowed.
        let low = self.sum_pairs(low, Widening::LowSigned, Widening::HighSigned);
        let high = self.sum_pairs(high, Widening::LowSigned, Widening::HighSigned);
        self.b.ins().snarrow(low, high)
    }

    fn widen(&mut self, x: Value, widening: Widening) -> Value {
        match widening {
            Widening::LowSigned => self.b.ins().swiden_low(x),
            Widening::LowUnsigned => self.b.ins().uwiden_low(x),
            Widening::HighSigned => self.b.ins().swiden_high(x),
            Widening::HighUnsigned => self.b.ins().uwiden_high(x),
        }
    }

    fn extend_lanes(&mut self, lanes: Type, widening: Widening) {
        let x = self.pop_lanes(lanes);
        let result = self.widen(x, widening);
        self.push_lanes(result);
    }

    /// The lanes of one half, multiplied without loss.
    fn product(&mut self, x: Value, y: Value, widening: Widening) -> Value {
        let (x, y) = (self.widen(x, widening), self.widen(y, widening));
        self.b.ins().imul(x, y)
    }

    fn extended_product(&mut self, lanes: Type, widening: Widening) {
        let (x, y) = self.pop_lanes2(lanes);
        let result = self.product(x, y, widening);
        self.push_lanes(result);
    }

    /// The sums of neighbouring lanes, without loss.
    fn sum_pairs(&mut self, x: Value, low: Widening, high: Widening) -> Value {
        let (low, high) = (self.widen(x, low), self.widen(x, high));
        self.b.ins().iadd_pairwise(low, high)
    }

    fn pairwise_sum(&mut self, lanes: Type, low: Widening, high: Widening) {
        let x = self.pop_lanes(lanes);
        let result = self.sum_pairs(x, low, high);
        self.push_lanes(result);
    }
}
