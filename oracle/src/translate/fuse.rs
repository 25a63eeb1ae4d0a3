//! Which internal instructions can be joined into one: an operation with a constant for its
//! second operand, and a branch with the comparison that decides it.

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
