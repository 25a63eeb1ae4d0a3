//! Vector instructions on float lanes, and conversions between float and integer lanes.
//!
//! As with numbers, nothing here touches the bits of a NaN beyond what the specification allows.

use super::super::FuncTranslator;
use cranelift_codegen::ir::condcodes::FloatCC;
use cranelift_codegen::ir::types::{F32X4, F64X2, I8X16, I32X4, I64X2};
use cranelift_codegen::ir::{InstBuilder, Type};
use wasmparser::Operator;

impl FuncTranslator<'_, '_> {
    pub(super) fn translate_vector_float(&mut self, op: &Operator<'_>) -> bool {
        self.translate_float_lanes(op)
            || self.translate_float_choice(op)
            || self.translate_vector_conversion(op)
    }

    fn translate_float_lanes(&mut self, op: &Operator<'_>) -> bool {
        use Operator::*;
        match op {
            F32x4Abs => self.lanes1(F32X4, |ins, x| ins.fabs(x)),
            F64x2Abs => self.lanes1(F64X2, |ins, x| ins.fabs(x)),
            F32x4Neg => self.lanes1(F32X4, |ins, x| ins.fneg(x)),
            F64x2Neg => self.lanes1(F64X2, |ins, x| ins.fneg(x)),
            F32x4Sqrt => self.lanes1(F32X4, |ins, x| ins.sqrt(x)),
            F64x2Sqrt => self.lanes1(F64X2, |ins, x| ins.sqrt(x)),
            F32x4Ceil => self.lanes1(F32X4, |ins, x| ins.ceil(x)),
            F64x2Ceil => self.lanes1(F64X2, |ins, x| ins.ceil(x)),
            F32x4Floor => self.lanes1(F32X4, |ins, x| ins.floor(x)),
            F64x2Floor => self.lanes1(F64X2, |ins, x| ins.floor(x)),
            F32x4Trunc => self.lanes1(F32X4, |ins, x| ins.trunc(x)),
            F64x2Trunc => self.lanes1(F64X2, |ins, x| ins.trunc(x)),
            F32x4Nearest => self.lanes1(F32X4, |ins, x| ins.nearest(x)),
            F64x2Nearest => self.lanes1(F64X2, |ins, x| ins.nearest(x)),

            F32x4Add => self.lanes2(F32X4, |ins, x, y| ins.fadd(x, y)),
            F64x2Add => self.lanes2(F64X2, |ins, x, y| ins.fadd(x, y)),
            F32x4Sub => self.lanes2(F32X4, |ins, x, y| ins.fsub(x, y)),
            F64x2Sub => self.lanes2(F64X2, |ins, x, y| ins.fsub(x, y)),
            F32x4Mul => self.lanes2(F32X4, |ins, x, y| ins.fmul(x, y)),
            F64x2Mul => self.lanes2(F64X2, |ins, x, y| ins.fmul(x, y)),
            F32x4Div => self.lanes2(F32X4, |ins, x, y| ins.fdiv(x, y)),
            F64x2Div => self.lanes2(F64X2, |ins, x, y| ins.fdiv(x, y)),

            F32x4RelaxedMadd => self.multiply_add(F32X4, false),
            F64x2RelaxedMadd => self.multiply_add(F64X2, false),
            F32x4RelaxedNmadd => self.multiply_add(F32X4, true),
            F64x2RelaxedNmadd => self.multiply_add(F64X2, true),
            _ => return false,
        }
        true
    }

    /// Minimum and maximum.
    fn translate_float_choice(&mut self, op: &Operator<'_>) -> bool {
        use Operator::*;
        match op {
            F32x4Min | F32x4RelaxedMin => self.lanes2(F32X4, |ins, x, y| ins.fmin(x, y)),
            F64x2Min | F64x2RelaxedMin => self.lanes2(F64X2, |ins, x, y| ins.fmin(x, y)),
            F32x4Max | F32x4RelaxedMax => self.lanes2(F32X4, |ins, x, y| ins.fmax(x, y)),
            F64x2Max | F64x2RelaxedMax => self.lanes2(F64X2, |ins, x, y| ins.fmax(x, y)),
            F32x4PMin => self.pseudo_choice(F32X4, FloatCC::LessThan),
            F64x2PMin => self.pseudo_choice(F64X2, FloatCC::LessThan),
            F32x4PMax => self.pseudo_choice(F32X4, FloatCC::GreaterThan),
            F64x2PMax => self.pseudo_choice(F64X2, FloatCC::GreaterThan),
            _ => return false,
        }
        true
    }

    fn translate_vector_conversion(&mut self, op: &Operator<'_>) -> bool {
        use Operator::*;
        match op {
            // Relaxed truncations saturate, as the others do.
            I32x4TruncSatF32x4S | I32x4RelaxedTruncF32x4S => {
                self.lanes1(F32X4, |ins, x| ins.fcvt_to_sint_sat(I32X4, x));
            }
            I32x4TruncSatF32x4U | I32x4RelaxedTruncF32x4U => {
                self.lanes1(F32X4, |ins, x| ins.fcvt_to_uint_sat(I32X4, x));
            }
            I32x4TruncSatF64x2SZero | I32x4RelaxedTruncF64x2SZero => self.truncate_doubles(true),
            I32x4TruncSatF64x2UZero | I32x4RelaxedTruncF64x2UZero => self.truncate_doubles(false),
            F32x4ConvertI32x4S => self.lanes1(I32X4, |ins, x| ins.fcvt_from_sint(F32X4, x)),
            F32x4ConvertI32x4U => self.lanes1(I32X4, |ins, x| ins.fcvt_from_uint(F32X4, x)),
            F64x2ConvertLowI32x4S => {
                let x = self.pop_lanes(I32X4);
                let wide = self.b.ins().swiden_low(x);
                let result = self.b.ins().fcvt_from_sint(F64X2, wide);
                self.push_lanes(result);
            }
            F64x2ConvertLowI32x4U => {
                let x = self.pop_lanes(I32X4);
                let wide = self.b.ins().uwiden_low(x);
                let result = self.b.ins().fcvt_from_uint(F64X2, wide);
                self.push_lanes(result);
            }
            F32x4DemoteF64x2Zero => self.lanes1(F64X2, |ins, x| ins.fvdemote(x)),
            F64x2PromoteLowF32x4 => self.lanes1(F32X4, |ins, x| ins.fvpromote_low(x)),
            _ => return false,
        }
        true
    }

    /// `x * y + z`, or `-x * y + z`, with two roundings.
    fn multiply_add(&mut self, lanes: Type, negated: bool) {
        let z = self.pop_lanes(lanes);
        let (mut x, y) = self.pop_lanes2(lanes);
        if negated {
            x = self.b.ins().fneg(x);
        }
        let product = self.b.ins().fmul(x, y);
        let sum = self.b.ins().fadd(product, z);
        self.push_lanes(sum);
    }

    /// The second operand's lane where it compares to the first's so, else the first's: neither NaN nor zero is special.
    fn pseudo_choice(&mut self, lanes: Type, condition: FloatCC) {
        let (x, y) = self.pop_lanes2(lanes);
        let second = self.b.ins().fcmp(condition, y, x);
        let (second, x, y) = (
            self.view(second, I8X16),
            self.view(x, I8X16),
            self.view(y, I8X16),
        );
        let result = self.b.ins().bitselect(second, y, x);
        self.push1(result);
    }

    /// Two floats as 32-bit integers, and two zeroes. Cranelift has this in one piece only: the conversion to 64 bits joined
    /// with the narrowing.
    fn truncate_doubles(&mut self, signed: bool) {
        let x = self.pop_lanes(F64X2);
        let zero = self.vector_const([0; 16], I64X2);
        let result = if signed {
            let wide = self.b.ins().fcvt_to_sint_sat(I64X2, x);
            self.b.ins().snarrow(wide, zero)
        } else {
            let wide = self.b.ins().fcvt_to_uint_sat(I64X2, x);
            self.b.ins().uunarrow(wide, zero)
        };
        self.push_lanes(result);
    }
}
