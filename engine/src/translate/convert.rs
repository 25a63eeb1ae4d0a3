//! Conversions between the number types.
//!
//! No trap is checked here, unless there are to be no signals (see `trapping.rs`). Cranelift's float-to-integer conversions trap exactly where the specification does, under
//! its own codes: `BAD_CONVERSION_TO_INTEGER` for NaN, `INTEGER_OVERFLOW` for a number whose truncation does not fit.

use super::FuncTranslator;
use cranelift_codegen::ir::types::{F32, F64, I32, I64};
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Type};
use wasmparser::Operator;

impl FuncTranslator<'_, '_> {
    /// Translates `op` if it is a conversion between number types; `false` means that it is none and that nothing was
    /// done.
    pub(super) fn translate_conversion(&mut self, op: &Operator<'_>) -> bool {
        use Operator::*;
        match op {
            I32WrapI64 => self.unary(|ins, x| ins.ireduce(I32, x)),
            I64ExtendI32S => self.unary(|ins, x| ins.sextend(I64, x)),
            I64ExtendI32U => self.unary(|ins, x| ins.uextend(I64, x)),
            F32DemoteF64 => self.unary(|ins, x| ins.fdemote(F32, x)),
            F64PromoteF32 => self.unary(|ins, x| ins.fpromote(F64, x)),

            I32TruncF32S | I32TruncF64S => self.truncate(I32, true),
            I32TruncF32U | I32TruncF64U => self.truncate(I32, false),
            I64TruncF32S | I64TruncF64S => self.truncate(I64, true),
            I64TruncF32U | I64TruncF64U => self.truncate(I64, false),
            I32TruncSatF32S | I32TruncSatF64S => self.unary(|ins, x| ins.fcvt_to_sint_sat(I32, x)),
            I32TruncSatF32U | I32TruncSatF64U => self.unary(|ins, x| ins.fcvt_to_uint_sat(I32, x)),
            I64TruncSatF32S | I64TruncSatF64S => self.unary(|ins, x| ins.fcvt_to_sint_sat(I64, x)),
            I64TruncSatF32U | I64TruncSatF64U => self.unary(|ins, x| ins.fcvt_to_uint_sat(I64, x)),

            F32ConvertI32S | F32ConvertI64S => self.unary(|ins, x| ins.fcvt_from_sint(F32, x)),
            F32ConvertI32U | F32ConvertI64U => self.unary(|ins, x| ins.fcvt_from_uint(F32, x)),
            F64ConvertI32S | F64ConvertI64S => self.unary(|ins, x| ins.fcvt_from_sint(F64, x)),
            F64ConvertI32U | F64ConvertI64U => self.unary(|ins, x| ins.fcvt_from_uint(F64, x)),

            I32ReinterpretF32 => self.reinterpret(I32),
            I64ReinterpretF64 => self.reinterpret(I64),
            F32ReinterpretI32 => self.reinterpret(F32),
            F64ReinterpretI64 => self.reinterpret(F64),
            _ => return false,
        }
        true
    }

    fn reinterpret(&mut self, to: Type) {
        // The flags would name a byte order; between scalars there is none to choose.
        self.unary(|ins, x| ins.bitcast(to, MemFlagsData::new(), x));
    }
}
