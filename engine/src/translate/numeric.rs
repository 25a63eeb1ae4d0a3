//! Numeric instructions: constants, tests, comparisons, unary and binary operators. The conversions are in
//! `convert.rs`.
//!
//! No trap is checked here, unless there are to be no signals (see `trapping.rs`). Cranelift's own integer division has the cases that the specification leaves undefined, and
//! reports them under its own codes: `INTEGER_DIVISION_BY_ZERO` for a zero divisor (`*.div_*`, `*.rem_*`),
//! `INTEGER_OVERFLOW` for `*.div_s` of the smallest number by -1. On x86-64 both can arrive as a `#DE` of the division
//! itself (SIGFPE), the first also as a `ud2` before it.
//!
//! Nothing here touches the bits of a NaN beyond what the specification allows: `neg`, `abs` and `copysign` change the
//! sign bit only, and constants are kept by bits.

use super::FuncTranslator;
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::immediates::{Ieee32, Ieee64};
use cranelift_codegen::ir::types::{I8, I16, I32, I64};
use cranelift_codegen::ir::{InstBuilder, Type, Value};
use cranelift_frontend::FuncInstBuilder;
use wasmparser::Operator;

impl FuncTranslator<'_, '_> {
    /// Translates `op` if it is a numeric instruction (core specification, "Numeric Instructions"); `false` means that
    /// it is none and that nothing was done.
    pub(super) fn translate_numeric(&mut self, op: &Operator<'_>) -> bool {
        self.translate_const(op)
            || self.translate_relation(op)
            || self.translate_integer(op)
            || self.translate_wide(op)
            || self.translate_float(op)
            || self.translate_conversion(op)
    }

    fn translate_const(&mut self, op: &Operator<'_>) -> bool {
        let value = match *op {
            // `iconst` wants the bits above its type's width to be zero.
            Operator::I32Const { value } => {
                self.b.ins().iconst(I32, i64::from(value.cast_unsigned()))
            }
            Operator::I64Const { value } => self.b.ins().iconst(I64, value),
            Operator::F32Const { value } => self.b.ins().f32const(Ieee32::with_bits(value.bits())),
            Operator::F64Const { value } => self.b.ins().f64const(Ieee64::with_bits(value.bits())),
            _ => return false,
        };
        self.push1(value);
        true
    }

    /// Test and comparison operators.
    fn translate_relation(&mut self, op: &Operator<'_>) -> bool {
        use Operator::*;
        match op {
            I32Eqz | I64Eqz => {
                let x = self.pop1();
                let truth = self.b.ins().icmp_imm_u(IntCC::Equal, x, 0);
                self.push_bool(truth);
            }

            I32Eq | I64Eq => self.compare(IntCC::Equal),
            I32Ne | I64Ne => self.compare(IntCC::NotEqual),
            I32LtS | I64LtS => self.compare(IntCC::SignedLessThan),
            I32LtU | I64LtU => self.compare(IntCC::UnsignedLessThan),
            I32GtS | I64GtS => self.compare(IntCC::SignedGreaterThan),
            I32GtU | I64GtU => self.compare(IntCC::UnsignedGreaterThan),
            I32LeS | I64LeS => self.compare(IntCC::SignedLessThanOrEqual),
            I32LeU | I64LeU => self.compare(IntCC::UnsignedLessThanOrEqual),
            I32GeS | I64GeS => self.compare(IntCC::SignedGreaterThanOrEqual),
            I32GeU | I64GeU => self.compare(IntCC::UnsignedGreaterThanOrEqual),

            // Ordered, all but `ne`, which is the negation of `eq` and so holds when an operand is NaN.
            F32Eq | F64Eq => self.compare_float(FloatCC::Equal),
            F32Ne | F64Ne => self.compare_float(FloatCC::NotEqual),
            F32Lt | F64Lt => self.compare_float(FloatCC::LessThan),
            F32Gt | F64Gt => self.compare_float(FloatCC::GreaterThan),
            F32Le | F64Le => self.compare_float(FloatCC::LessThanOrEqual),
            F32Ge | F64Ge => self.compare_float(FloatCC::GreaterThanOrEqual),
            _ => return false,
        }
        true
    }

    fn translate_integer(&mut self, op: &Operator<'_>) -> bool {
        use Operator::*;
        match op {
            I32Clz | I64Clz => self.unary(|ins, x| ins.clz(x)),
            I32Ctz | I64Ctz => self.unary(|ins, x| ins.ctz(x)),
            I32Popcnt | I64Popcnt => self.unary(|ins, x| ins.popcnt(x)),

            I32Add | I64Add => self.binary(|ins, x, y| ins.iadd(x, y)),
            I32Sub | I64Sub => self.binary(|ins, x, y| ins.isub(x, y)),
            I32Mul | I64Mul => self.binary(|ins, x, y| ins.imul(x, y)),
            I32DivS | I64DivS => self.divide(true, |ins, x, y| ins.sdiv(x, y)),
            I32DivU | I64DivU => self.divide(false, |ins, x, y| ins.udiv(x, y)),
            // The smallest number modulo -1 is 0 for `srem` too, although the division underneath would overflow.
            I32RemS | I64RemS => self.divide(false, |ins, x, y| ins.srem(x, y)),
            I32RemU | I64RemU => self.divide(false, |ins, x, y| ins.urem(x, y)),

            I32And | I64And => self.binary(|ins, x, y| ins.band(x, y)),
            I32Or | I64Or => self.binary(|ins, x, y| ins.bor(x, y)),
            I32Xor | I64Xor => self.binary(|ins, x, y| ins.bxor(x, y)),
            // CLIF, like the specification, takes the distance modulo the width.
            I32Shl | I64Shl => self.binary(|ins, x, y| ins.ishl(x, y)),
            I32ShrS | I64ShrS => self.binary(|ins, x, y| ins.sshr(x, y)),
            I32ShrU | I64ShrU => self.binary(|ins, x, y| ins.ushr(x, y)),
            I32Rotl | I64Rotl => self.binary(|ins, x, y| ins.rotl(x, y)),
            I32Rotr | I64Rotr => self.binary(|ins, x, y| ins.rotr(x, y)),

            I32Extend8S => self.extend_low(I8, I32),
            I32Extend16S => self.extend_low(I16, I32),
            I64Extend8S => self.extend_low(I8, I64),
            I64Extend16S => self.extend_low(I16, I64),
            I64Extend32S => self.extend_low(I32, I64),
            _ => return false,
        }
        true
    }

    /// Arithmetic on 128-bit numbers, each in two `i64`s with the lower half first.
    fn translate_wide(&mut self, op: &Operator<'_>) -> bool {
        use Operator::*;
        match op {
            I64Add128 => self.wide_binary(|ins, x, y| ins.iadd(x, y)),
            I64Sub128 => self.wide_binary(|ins, x, y| ins.isub(x, y)),
            I64MulWideS => self.wide_product(|ins, x, y| ins.smulhi(x, y)),
            I64MulWideU => self.wide_product(|ins, x, y| ins.umulhi(x, y)),
            _ => return false,
        }
        true
    }

    fn wide_binary(&mut self, emit: impl FnOnce(FuncInstBuilder<'_, '_>, Value, Value) -> Value) {
        let (low, high) = self.pop2();
        let y = self.b.ins().iconcat(low, high);
        let (low, high) = self.pop2();
        let x = self.b.ins().iconcat(low, high);
        let result = emit(self.b.ins(), x, y);
        let (low, high) = self.b.ins().isplit(result);
        self.push1(low);
        self.push1(high);
    }

    fn wide_product(&mut self, high: impl FnOnce(FuncInstBuilder<'_, '_>, Value, Value) -> Value) {
        let (x, y) = self.pop2();
        let low = self.b.ins().imul(x, y);
        let high = high(self.b.ins(), x, y);
        self.push1(low);
        self.push1(high);
    }

    fn translate_float(&mut self, op: &Operator<'_>) -> bool {
        use Operator::*;
        match op {
            F32Abs | F64Abs => self.unary(|ins, x| ins.fabs(x)),
            F32Neg | F64Neg => self.unary(|ins, x| ins.fneg(x)),
            F32Sqrt | F64Sqrt => self.unary(|ins, x| ins.sqrt(x)),
            F32Ceil | F64Ceil => self.unary(|ins, x| ins.ceil(x)),
            F32Floor | F64Floor => self.unary(|ins, x| ins.floor(x)),
            F32Trunc | F64Trunc => self.unary(|ins, x| ins.trunc(x)),
            F32Nearest | F64Nearest => self.unary(|ins, x| ins.nearest(x)),

            F32Add | F64Add => self.binary(|ins, x, y| ins.fadd(x, y)),
            F32Sub | F64Sub => self.binary(|ins, x, y| ins.fsub(x, y)),
            F32Mul | F64Mul => self.binary(|ins, x, y| ins.fmul(x, y)),
            F32Div | F64Div => self.binary(|ins, x, y| ins.fdiv(x, y)),
            // Unlike the machine's `minss` and its kin, these return NaN for any NaN operand and order the two zeros.
            F32Min | F64Min => self.binary(|ins, x, y| ins.fmin(x, y)),
            F32Max | F64Max => self.binary(|ins, x, y| ins.fmax(x, y)),
            F32Copysign | F64Copysign => self.binary(|ins, x, y| ins.fcopysign(x, y)),
            _ => return false,
        }
        true
    }

    /// Replaces the topmost operand by what `emit` makes of it.
    pub(super) fn unary(&mut self, emit: impl FnOnce(FuncInstBuilder<'_, '_>, Value) -> Value) {
        let x = self.pop1();
        let result = emit(self.b.ins(), x);
        self.push1(result);
    }

    fn binary(&mut self, emit: impl FnOnce(FuncInstBuilder<'_, '_>, Value, Value) -> Value) {
        let (x, y) = self.pop2();
        let result = emit(self.b.ins(), x, y);
        self.push1(result);
    }

    fn compare(&mut self, condition: IntCC) {
        let (x, y) = self.pop2();
        let truth = self.b.ins().icmp(condition, x, y);
        self.push_bool(truth);
    }

    fn compare_float(&mut self, condition: FloatCC) {
        let (x, y) = self.pop2();
        let truth = self.b.ins().fcmp(condition, x, y);
        self.push_bool(truth);
    }

    /// Pushes a truth value, an `i8` in CLIF and an `i32` in WebAssembly.
    fn push_bool(&mut self, truth: Value) {
        let truth = self.b.ins().uextend(I32, truth);
        self.push1(truth);
    }

    /// Sign-extends the low bits, as many as `narrow` has, to `wide`.
    fn extend_low(&mut self, narrow: Type, wide: Type) {
        let x = self.pop1();
        let low = self.b.ins().ireduce(narrow, x);
        let extended = self.b.ins().sextend(wide, low);
        self.push1(extended);
    }
}
