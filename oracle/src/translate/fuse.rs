//! Which internal instructions can be joined into one: an operation with a constant for its
//! second operand, a branch with the comparison that decides it, and what often follows one
//! another in addresses, sums of products, and at the end of loops.

use crate::exec::ops::Op;

/// The operation whose second operand (the value, of a store) is a constant of 32 bits, sign-extended.
pub(super) fn with_constant(op: Op) -> Option<Op> {
    Some(match op {
        Op::I32Eq => Op::I32EqConst,
        Op::I32Ne => Op::I32NeConst,
        Op::I32LtS => Op::I32LtSConst,
        Op::I32LtU => Op::I32LtUConst,
        Op::I32GtS => Op::I32GtSConst,
        Op::I32GtU => Op::I32GtUConst,
        Op::I32LeS => Op::I32LeSConst,
        Op::I32LeU => Op::I32LeUConst,
        Op::I32GeS => Op::I32GeSConst,
        Op::I32GeU => Op::I32GeUConst,
        Op::I32Add => Op::I32AddConst,
        Op::I32Sub => Op::I32SubConst,
        Op::I32Mul => Op::I32MulConst,
        Op::I32And => Op::I32AndConst,
        Op::I32Or => Op::I32OrConst,
        Op::I32Xor => Op::I32XorConst,
        Op::I32Shl => Op::I32ShlConst,
        Op::I32ShrS => Op::I32ShrSConst,
        Op::I32ShrU => Op::I32ShrUConst,
        Op::I32Rotl => Op::I32RotlConst,
        Op::I32Rotr => Op::I32RotrConst,
        Op::I64Eq => Op::I64EqConst,
        Op::I64Ne => Op::I64NeConst,
        Op::I64LtS => Op::I64LtSConst,
        Op::I64LtU => Op::I64LtUConst,
        Op::I64GtS => Op::I64GtSConst,
        Op::I64GtU => Op::I64GtUConst,
        Op::I64LeS => Op::I64LeSConst,
        Op::I64LeU => Op::I64LeUConst,
        Op::I64GeS => Op::I64GeSConst,
        Op::I64GeU => Op::I64GeUConst,
        Op::I64Add => Op::I64AddConst,
        Op::I64Sub => Op::I64SubConst,
        Op::I64Mul => Op::I64MulConst,
        Op::I64And => Op::I64AndConst,
        Op::I64Or => Op::I64OrConst,
        Op::I64Xor => Op::I64XorConst,
        Op::I64Shl => Op::I64ShlConst,
        Op::I64ShrS => Op::I64ShrSConst,
        Op::I64ShrU => Op::I64ShrUConst,
        Op::I64Rotl => Op::I64RotlConst,
        Op::I64Rotr => Op::I64RotrConst,
        Op::I32Store => Op::I32StoreConst,
        Op::I32Store8 => Op::I32Store8Const,
        Op::I32Store16 => Op::I32Store16Const,
        Op::I64Store => Op::I64StoreConst,
        Op::I64Store8 => Op::I64Store8Const,
        Op::I64Store16 => Op::I64Store16Const,
        Op::I64Store32 => Op::I64Store32Const,
        Op::F32Store => Op::F32StoreConst,
        Op::F64Store => Op::F64StoreConst,
        _ => return None,
    })
}

/// The branch that is taken if a comparison holds, and the one taken if it does not.
pub(super) fn branch_on(op: Op) -> Option<(Op, Op)> {
    Some(match op {
        Op::I32Eq => (Op::BrIfI32Eq, Op::BrIfI32Ne),
        Op::I32EqConst => (Op::BrIfI32EqConst, Op::BrIfI32NeConst),
        Op::I32Ne => (Op::BrIfI32Ne, Op::BrIfI32Eq),
        Op::I32NeConst => (Op::BrIfI32NeConst, Op::BrIfI32EqConst),
        Op::I32LtS => (Op::BrIfI32LtS, Op::BrIfI32GeS),
        Op::I32LtSConst => (Op::BrIfI32LtSConst, Op::BrIfI32GeSConst),
        Op::I32LtU => (Op::BrIfI32LtU, Op::BrIfI32GeU),
        Op::I32LtUConst => (Op::BrIfI32LtUConst, Op::BrIfI32GeUConst),
        Op::I32GtS => (Op::BrIfI32GtS, Op::BrIfI32LeS),
        Op::I32GtSConst => (Op::BrIfI32GtSConst, Op::BrIfI32LeSConst),
        Op::I32GtU => (Op::BrIfI32GtU, Op::BrIfI32LeU),
        Op::I32GtUConst => (Op::BrIfI32GtUConst, Op::BrIfI32LeUConst),
        Op::I32LeS => (Op::BrIfI32LeS, Op::BrIfI32GtS),
        Op::I32LeSConst => (Op::BrIfI32LeSConst, Op::BrIfI32GtSConst),
        Op::I32LeU => (Op::BrIfI32LeU, Op::BrIfI32GtU),
        Op::I32LeUConst => (Op::BrIfI32LeUConst, Op::BrIfI32GtUConst),
        Op::I32GeS => (Op::BrIfI32GeS, Op::BrIfI32LtS),
        Op::I32GeSConst => (Op::BrIfI32GeSConst, Op::BrIfI32LtSConst),
        Op::I32GeU => (Op::BrIfI32GeU, Op::BrIfI32LtU),
        Op::I32GeUConst => (Op::BrIfI32GeUConst, Op::BrIfI32LtUConst),
        Op::I64Eq => (Op::BrIfI64Eq, Op::BrIfI64Ne),
        Op::I64EqConst => (Op::BrIfI64EqConst, Op::BrIfI64NeConst),
        Op::I64Ne => (Op::BrIfI64Ne, Op::BrIfI64Eq),
        Op::I64NeConst => (Op::BrIfI64NeConst, Op::BrIfI64EqConst),
        Op::I64LtS => (Op::BrIfI64LtS, Op::BrIfI64GeS),
        Op::I64LtSConst => (Op::BrIfI64LtSConst, Op::BrIfI64GeSConst),
        Op::I64LtU => (Op::BrIfI64LtU, Op::BrIfI64GeU),
        Op::I64LtUConst => (Op::BrIfI64LtUConst, Op::BrIfI64GeUConst),
        Op::I64GtS => (Op::BrIfI64GtS, Op::BrIfI64LeS),
        Op::I64GtSConst => (Op::BrIfI64GtSConst, Op::BrIfI64LeSConst),
        Op::I64GtU => (Op::BrIfI64GtU, Op::BrIfI64LeU),
        Op::I64GtUConst => (Op::BrIfI64GtUConst, Op::BrIfI64LeUConst),
        Op::I64LeS => (Op::BrIfI64LeS, Op::BrIfI64GtS),
        Op::I64LeSConst => (Op::BrIfI64LeSConst, Op::BrIfI64GtSConst),
        Op::I64LeU => (Op::BrIfI64LeU, Op::BrIfI64GtU),
        Op::I64LeUConst => (Op::BrIfI64LeUConst, Op::BrIfI64GtUConst),
        Op::I64GeS => (Op::BrIfI64GeS, Op::BrIfI64LtS),
        Op::I64GeSConst => (Op::BrIfI64GeSConst, Op::BrIfI64LtSConst),
        Op::I64GeU => (Op::BrIfI64GeU, Op::BrIfI64LtU),
        Op::I64GeUConst => (Op::BrIfI64GeUConst, Op::BrIfI64LtUConst),
        Op::F32Eq => (Op::BrIfF32Eq, Op::BrUnlessF32Eq),
        Op::F32Ne => (Op::BrIfF32Ne, Op::BrUnlessF32Ne),
        Op::F32Lt => (Op::BrIfF32Lt, Op::BrUnlessF32Lt),
        Op::F32Gt => (Op::BrIfF32Gt, Op::BrUnlessF32Gt),
        Op::F32Le => (Op::BrIfF32Le, Op::BrUnlessF32Le),
        Op::F32Ge => (Op::BrIfF32Ge, Op::BrUnlessF32Ge),
        Op::F64Eq => (Op::BrIfF64Eq, Op::BrUnlessF64Eq),
        Op::F64Ne => (Op::BrIfF64Ne, Op::BrUnlessF64Ne),
        Op::F64Lt => (Op::BrIfF64Lt, Op::BrUnlessF64Lt),
        Op::F64Gt => (Op::BrIfF64Gt, Op::BrUnlessF64Gt),
        Op::F64Le => (Op::BrIfF64Le, Op::BrUnlessF64Le),
        Op::F64Ge => (Op::BrIfF64Ge, Op::BrUnlessF64Ge),
        _ => return None,
    })
}

/// Whether an operation with a constant looks at all 64 bits of it.
pub(super) fn is_i64(op: Op) -> bool {
    matches!(
        op,
        Op::I64EqConst
            | Op::I64NeConst
            | Op::I64LtSConst
            | Op::I64LtUConst
            | Op::I64GtSConst
            | Op::I64GtUConst
            | Op::I64LeSConst
            | Op::I64LeUConst
            | Op::I64GeSConst
            | Op::I64GeUConst
            | Op::I64AddConst
            | Op::I64SubConst
            | Op::I64MulConst
            | Op::I64AndConst
            | Op::I64OrConst
            | Op::I64XorConst
            | Op::I64ShlConst
            | Op::I64ShrSConst
            | Op::I64ShrUConst
            | Op::I64RotlConst
            | Op::I64RotrConst
            | Op::I64StoreConst
            | Op::F64StoreConst
    )
}

/// What two operations become whose first one's result is an operand of the second one.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pair {
    /// The first one's operands, and the second one's other operand in slot `d`.
    ThirdOperand(Op),
    /// The first one's operands, and the second one's constant in `d`.
    ThirdConstant(Op),
    /// The second one's constant in `b`, and the first one's in `d`.
    TwoConstants(Op),
}

/// An operation whose first (or second, if `second`) operand is another one's result.
pub(super) fn pair(first: Op, then: Op, second: bool) -> Option<Pair> {
    use Pair::{ThirdConstant, ThirdOperand, TwoConstants};
    Some(match (first, then, second) {
        (Op::I32Mul, Op::I32Add, _) => ThirdOperand(Op::I32MulAdd),
        (Op::I64Mul, Op::I64Add, _) => ThirdOperand(Op::I64MulAdd),
        (Op::F32Mul, Op::F32Add, _) => ThirdOperand(Op::F32MulAdd),
        (Op::F32Mul, Op::F32Sub, false) => ThirdOperand(Op::F32MulSub),
        (Op::F32Mul, Op::F32Sub, true) => ThirdOperand(Op::F32SubMul),
        (Op::F64Mul, Op::F64Add, _) => ThirdOperand(Op::F64MulAdd),
        (Op::F64Mul, Op::F64Sub, false) => ThirdOperand(Op::F64MulSub),
        (Op::F64Mul, Op::F64Sub, true) => ThirdOperand(Op::F64SubMul),
        (Op::I32ShlConst, Op::I32Add, _) => ThirdOperand(Op::I32ShlAdd),
        (Op::I64ShlConst, Op::I64Add, _) => ThirdOperand(Op::I64ShlAdd),
        (Op::I32Xor, Op::I32RotlConst, false) => ThirdConstant(Op::I32XorRotl),
        (Op::I64Xor, Op::I64RotlConst, false) => ThirdConstant(Op::I64XorRotl),
        (Op::I32ShrUConst, Op::I32AndConst, false) => TwoConstants(Op::I32ShrAnd),
        (Op::I64ShrUConst, Op::I64AndConst, false) => TwoConstants(Op::I64ShrAnd),
        _ => return None,
    })
}

macro_rules! loads {
    ($($load:ident => $sum:ident, $scaled:ident;)*) => {
        /// The load whose address is the sum of two slots, and the one whose address is a slot
        /// shifted and added to another one.
        pub(super) fn with_address(load: Op) -> Option<(Op, Op)> {
            Some(match load {
                $(Op::$load => (Op::$sum, Op::$scaled),)*
                _ => return None,
            })
        }
    };
}

loads! {
    I32Load => I32LoadSum, I32LoadScaled;
    I32Load8S => I32Load8SSum, I32Load8SScaled;
    I32Load8U => I32Load8USum, I32Load8UScaled;
    I32Load16S => I32Load16SSum, I32Load16SScaled;
    I32Load16U => I32Load16USum, I32Load16UScaled;
    I64Load => I64LoadSum, I64LoadScaled;
    I64Load8S => I64Load8SSum, I64Load8SScaled;
    I64Load8U => I64Load8USum, I64Load8UScaled;
    I64Load16S => I64Load16SSum, I64Load16SScaled;
    I64Load16U => I64Load16USum, I64Load16UScaled;
    I64Load32S => I64Load32SSum, I64Load32SScaled;
    I64Load32U => I64Load32USum, I64Load32UScaled;
    F32Load => F32LoadSum, F32LoadScaled;
    F64Load => F64LoadSum, F64LoadScaled;
}

macro_rules! counting {
    ($($branch:ident, $with_constant:ident: $t:ident =>
        $add:ident, $add_const:ident, $inc:ident, $inc_const:ident;)*) => {
        /// The instruction that adds in place (a constant, if `constant`) and then branches.
        pub(super) fn counting(add: Add, branch: Op) -> Option<Op> {
            Some(match (branch, add) {
                $((Op::$branch, Add::Slot(Width::$t)) => Op::$add,
                (Op::$with_constant, Add::Slot(Width::$t)) => Op::$add_const,
                (Op::$branch, Add::Constant(Width::$t)) => Op::$inc,
                (Op::$with_constant, Add::Constant(Width::$t)) => Op::$inc_const,)*
                _ => return None,
            })
        }
    };
}

/// The type of an addition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    I32,
    I64,
}

/// An addition: of two slots, or of a constant to a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Add {
    Slot(Width),
    Constant(Width),
}

counting! {
    BrIfI32Eq, BrIfI32EqConst: I32 => I32AddBrEq, I32AddBrEqConst, I32IncBrEq, I32IncBrEqConst;
    BrIfI32Ne, BrIfI32NeConst: I32 => I32AddBrNe, I32AddBrNeConst, I32IncBrNe, I32IncBrNeConst;
    BrIfI32LtS, BrIfI32LtSConst: I32 => I32AddBrLtS, I32AddBrLtSConst, I32IncBrLtS, I32IncBrLtSConst;
    BrIfI32LtU, BrIfI32LtUConst: I32 => I32AddBrLtU, I32AddBrLtUConst, I32IncBrLtU, I32IncBrLtUConst;
    BrIfI32GtS, BrIfI32GtSConst: I32 => I32AddBrGtS, I32AddBrGtSConst, I32IncBrGtS, I32IncBrGtSConst;
    BrIfI32GtU, BrIfI32GtUConst: I32 => I32AddBrGtU, I32AddBrGtUConst, I32IncBrGtU, I32IncBrGtUConst;
    BrIfI32LeS, BrIfI32LeSConst: I32 => I32AddBrLeS, I32AddBrLeSConst, I32IncBrLeS, I32IncBrLeSConst;
    BrIfI32LeU, BrIfI32LeUConst: I32 => I32AddBrLeU, I32AddBrLeUConst, I32IncBrLeU, I32IncBrLeUConst;
    BrIfI32GeS, BrIfI32GeSConst: I32 => I32AddBrGeS, I32AddBrGeSConst, I32IncBrGeS, I32IncBrGeSConst;
    BrIfI32GeU, BrIfI32GeUConst: I32 => I32AddBrGeU, I32AddBrGeUConst, I32IncBrGeU, I32IncBrGeUConst;
    BrIfI64Eq, BrIfI64EqConst: I64 => I64AddBrEq, I64AddBrEqConst, I64IncBrEq, I64IncBrEqConst;
    BrIfI64Ne, BrIfI64NeConst: I64 => I64AddBrNe, I64AddBrNeConst, I64IncBrNe, I64IncBrNeConst;
    BrIfI64LtS, BrIfI64LtSConst: I64 => I64AddBrLtS, I64AddBrLtSConst, I64IncBrLtS, I64IncBrLtSConst;
    BrIfI64LtU, BrIfI64LtUConst: I64 => I64AddBrLtU, I64AddBrLtUConst, I64IncBrLtU, I64IncBrLtUConst;
    BrIfI64GtS, BrIfI64GtSConst: I64 => I64AddBrGtS, I64AddBrGtSConst, I64IncBrGtS, I64IncBrGtSConst;
    BrIfI64GtU, BrIfI64GtUConst: I64 => I64AddBrGtU, I64AddBrGtUConst, I64IncBrGtU, I64IncBrGtUConst;
    BrIfI64LeS, BrIfI64LeSConst: I64 => I64AddBrLeS, I64AddBrLeSConst, I64IncBrLeS, I64IncBrLeSConst;
    BrIfI64LeU, BrIfI64LeUConst: I64 => I64AddBrLeU, I64AddBrLeUConst, I64IncBrLeU, I64IncBrLeUConst;
    BrIfI64GeS, BrIfI64GeSConst: I64 => I64AddBrGeS, I64AddBrGeSConst, I64IncBrGeS, I64IncBrGeSConst;
    BrIfI64GeU, BrIfI64GeUConst: I64 => I64AddBrGeU, I64AddBrGeUConst, I64IncBrGeU, I64IncBrGeUConst;
}

/// The comparing branch that is taken exactly if this one is not.
pub(super) fn inverse(branch: Op) -> Option<Op> {
    COMPARISONS
        .iter()
        .find_map(|&comparison| match branch_on(comparison)? {
            (holds, fails) if holds == branch => Some(fails),
            (holds, fails) if fails == branch => Some(holds),
            _ => None,
        })
}

/// Comparisons, of each two opposite ones at least one.
const COMPARISONS: &[Op] = &[
    Op::I32Eq,
    Op::I32EqConst,
    Op::I32LtS,
    Op::I32LtSConst,
    Op::I32LtU,
    Op::I32LtUConst,
    Op::I32GtS,
    Op::I32GtSConst,
    Op::I32GtU,
    Op::I32GtUConst,
    Op::I64Eq,
    Op::I64EqConst,
    Op::I64LtS,
    Op::I64LtSConst,
    Op::I64LtU,
    Op::I64LtUConst,
    Op::I64GtS,
    Op::I64GtSConst,
    Op::I64GtU,
    Op::I64GtUConst,
    Op::F32Eq,
    Op::F32Ne,
    Op::F32Lt,
    Op::F32Gt,
    Op::F32Le,
    Op::F32Ge,
    Op::F64Eq,
    Op::F64Ne,
    Op::F64Lt,
    Op::F64Gt,
    Op::F64Le,
    Op::F64Ge,
];
