//! Which internal instruction a vector operator becomes.

use wasmparser::{MemArg, Operator};

use crate::exec::ops::Op;

/// How a vector operator is translated. `wide` says that the result is a vector.
pub(super) enum Vector<'a> {
    /// One operand.
    Unary { op: Op, lane: u16, wide: bool },
    /// Two operands, a vector for result.
    Binary { op: Op, lane: u16 },
    /// Three vectors.
    Ternary(Op),
    /// An address, a vector for result.
    Load(Op, &'a MemArg),
    /// An address and a vector.
    Store(Op, &'a MemArg),
    /// A scalar load, and the lane's replacement.
    LoadLane {
        load: Op,
        replace: Op,
        memarg: &'a MemArg,
        lane: u16,
    },
    /// The lane's extraction, and a scalar store.
    StoreLane {
        extract: Op,
        store: Op,
        memarg: &'a MemArg,
        lane: u16,
    },
}

/// The translation of a vector operator; none if it is not one, or one of the two with
/// immediates of 16 bytes.
pub(super) fn vector<'a>(op: &'a Operator<'_>) -> Option<Vector<'a>> {
    use Vector::{Binary, Load, LoadLane, Store, StoreLane, Ternary, Unary};
    Some(match op {
        Operator::V128Load { memarg } => Load(Op::V128Load, memarg),
        Operator::V128Load8x8S { memarg } => Load(Op::V128Load8x8S, memarg),
        Operator::V128Load8x8U { memarg } => Load(Op::V128Load8x8U, memarg),
        Operator::V128Load16x4S { memarg } => Load(Op::V128Load16x4S, memarg),
        Operator::V128Load16x4U { memarg } => Load(Op::V128Load16x4U, memarg),
        Operator::V128Load32x2S { memarg } => Load(Op::V128Load32x2S, memarg),
        Operator::V128Load32x2U { memarg } => Load(Op::V128Load32x2U, memarg),
        Operator::V128Load8Splat { memarg } => Load(Op::V128Load8Splat, memarg),
        Operator::V128Load16Splat { memarg } => Load(Op::V128Load16Splat, memarg),
        Operator::V128Load32Splat { memarg } => Load(Op::V128Load32Splat, memarg),
        Operator::V128Load64Splat { memarg } => Load(Op::V128Load64Splat, memarg),
        Operator::V128Load32Zero { memarg } => Load(Op::V128Load32Zero, memarg),
        Operator::V128Load64Zero { memarg } => Load(Op::V128Load64Zero, memarg),
        Operator::V128Store { memarg } => Store(Op::V128Store, memarg),
        Operator::V128Load8Lane { memarg, lane } => LoadLane {
            load: Op::I32Load8U,
            replace: Op::I8x16ReplaceLane,
            memarg,
            lane: u16::from(*lane),
        },
        Operator::V128Load16Lane { memarg, lane } => LoadLane {
            load: Op::I32Load16U,
            replace: Op::I16x8ReplaceLane,
            memarg,
            lane: u16::from(*lane),
        },
        Operator::V128Load32Lane { memarg, lane } => LoadLane {
            load: Op::I32Load,
            replace: Op::I32x4ReplaceLane,
            memarg,
            lane: u16::from(*lane),
        },
        Operator::V128Load64Lane { memarg, lane } => LoadLane {
            load: Op::I64Load,
            replace: Op::I64x2ReplaceLane,
            memarg,
            lane: u16::from(*lane),
        },
        Operator::V128Store8Lane { memarg, lane } => StoreLane {
            extract: Op::I8x16ExtractLaneU,
            store: Op::I32Store8,
            memarg,
            lane: u16::from(*lane),
        },
        Operator::V128Store16Lane { memarg, lane } => StoreLane {
            extract: Op::I16x8ExtractLaneU,
            store: Op::I32Store16,
            memarg,
            lane: u16::from(*lane),
        },
        Operator::V128Store32Lane { memarg, lane } => StoreLane {
            extract: Op::I32x4ExtractLane,
            store: Op::I32Store,
            memarg,
            lane: u16::from(*lane),
        },
        Operator::V128Store64Lane { memarg, lane } => StoreLane {
            extract: Op::I64x2ExtractLane,
            store: Op::I64Store,
            memarg,
            lane: u16::from(*lane),
        },
        Operator::I8x16ExtractLaneS { lane } => Unary {
            op: Op::I8x16ExtractLaneS,
            lane: u16::from(*lane),
            wide: false,
        },
        Operator::I8x16ExtractLaneU { lane } => Unary {
            op: Op::I8x16ExtractLaneU,
            lane: u16::from(*lane),
            wide: false,
        },
        Operator::I8x16ReplaceLane { lane } => Binary {
            op: Op::I8x16ReplaceLane,
            lane: u16::from(*lane),
        },
        Operator::I16x8ExtractLaneS { lane } => Unary {
            op: Op::I16x8ExtractLaneS,
            lane: u16::from(*lane),
            wide: false,
        },
        Operator::I16x8ExtractLaneU { lane } => Unary {
            op: Op::I16x8ExtractLaneU,
            lane: u16::from(*lane),
            wide: false,
        },
        Operator::I16x8ReplaceLane { lane } => Binary {
            op: Op::I16x8ReplaceLane,
            lane: u16::from(*lane),
        },
        Operator::I32x4ExtractLane { lane } | Operator::F32x4ExtractLane { lane } => Unary {
            op: Op::I32x4ExtractLane,
            lane: u16::from(*lane),
            wide: false,
        },
        Operator::I32x4ReplaceLane { lane } | Operator::F32x4ReplaceLane { lane } => Binary {
            op: Op::I32x4ReplaceLane,
            lane: u16::from(*lane),
        },
        Operator::I64x2ExtractLane { lane } | Operator::F64x2ExtractLane { lane } => Unary {
            op: Op::I64x2ExtractLane,
            lane: u16::from(*lane),
            wide: false,
        },
        Operator::I64x2ReplaceLane { lane } | Operator::F64x2ReplaceLane { lane } => Binary {
            op: Op::I64x2ReplaceLane,
            lane: u16::from(*lane),
        },
        Operator::I8x16Swizzle | Operator::I8x16RelaxedSwizzle => Binary {
            op: Op::I8x16Swizzle,
            lane: 0,
        },
        Operator::I8x16Splat => Unary {
            op: Op::I8x16Splat,
            lane: 0,
            wide: true,
        },
        Operator::I16x8Splat => Unary {
            op: Op::I16x8Splat,
            lane: 0,
            wide: true,
        },
        Operator::I32x4Splat | Operator::F32x4Splat => Unary {
            op: Op::I32x4Splat,
            lane: 0,
            wide: true,
        },
        Operator::I64x2Splat | Operator::F64x2Splat => Unary {
            op: Op::I64x2Splat,
            lane: 0,
            wide: true,
        },
        Operator::I8x16Eq => Binary {
            op: Op::I8x16Eq,
            lane: 0,
        },
        Operator::I8x16Ne => Binary {
            op: Op::I8x16Ne,
            lane: 0,
        },
        Operator::I8x16LtS => Binary {
            op: Op::I8x16LtS,
            lane: 0,
        },
        Operator::I8x16LtU => Binary {
            op: Op::I8x16LtU,
            lane: 0,
        },
        Operator::I8x16GtS => Binary {
            op: Op::I8x16GtS,
            lane: 0,
        },
        Operator::I8x16GtU => Binary {
            op: Op::I8x16GtU,
            lane: 0,
        },
        Operator::I8x16LeS => Binary {
            op: Op::I8x16LeS,
            lane: 0,
        },
        Operator::I8x16LeU => Binary {
            op: Op::I8x16LeU,
            lane: 0,
        },
        Operator::I8x16GeS => Binary {
            op: Op::I8x16GeS,
            lane: 0,
        },
        Operator::I8x16GeU => Binary {
            op: Op::I8x16GeU,
            lane: 0,
        },
        Operator::I16x8Eq => Binary {
            op: Op::I16x8Eq,
            lane: 0,
        },
        Operator::I16x8Ne => Binary {
            op: Op::I16x8Ne,
            lane: 0,
        },
        Operator::I16x8LtS => Binary {
            op: Op::I16x8LtS,
            lane: 0,
        },
        Operator::I16x8LtU => Binary {
            op: Op::I16x8LtU,
            lane: 0,
        },
        Operator::I16x8GtS => Binary {
            op: Op::I16x8GtS,
            lane: 0,
        },
        Operator::I16x8GtU => Binary {
            op: Op::I16x8GtU,
            lane: 0,
        },
        Operator::I16x8LeS => Binary {
            op: Op::I16x8LeS,
            lane: 0,
        },
        Operator::I16x8LeU => Binary {
            op: Op::I16x8LeU,
            lane: 0,
        },
        Operator::I16x8GeS => Binary {
            op: Op::I16x8GeS,
            lane: 0,
        },
        Operator::I16x8GeU => Binary {
            op: Op::I16x8GeU,
            lane: 0,
        },
        Operator::I32x4Eq => Binary {
            op: Op::I32x4Eq,
            lane: 0,
        },
        Operator::I32x4Ne => Binary {
            op: Op::I32x4Ne,
            lane: 0,
        },
        Operator::I32x4LtS => Binary {
            op: Op::I32x4LtS,
            lane: 0,
        },
        Operator::I32x4LtU => Binary {
            op: Op::I32x4LtU,
            lane: 0,
        },
        Operator::I32x4GtS => Binary {
            op: Op::I32x4GtS,
            lane: 0,
        },
        Operator::I32x4GtU => Binary {
            op: Op::I32x4GtU,
            lane: 0,
        },
        Operator::I32x4LeS => Binary {
            op: Op::I32x4LeS,
            lane: 0,
        },
        Operator::I32x4LeU => Binary {
            op: Op::I32x4LeU,
            lane: 0,
        },
        Operator::I32x4GeS => Binary {
            op: Op::I32x4GeS,
            lane: 0,
        },
        Operator::I32x4GeU => Binary {
            op: Op::I32x4GeU,
            lane: 0,
        },
        Operator::I64x2Eq => Binary {
            op: Op::I64x2Eq,
            lane: 0,
        },
        Operator::I64x2Ne => Binary {
            op: Op::I64x2Ne,
            lane: 0,
        },
        Operator::I64x2LtS => Binary {
            op: Op::I64x2LtS,
            lane: 0,
        },
        Operator::I64x2GtS => Binary {
            op: Op::I64x2GtS,
            lane: 0,
        },
        Operator::I64x2LeS => Binary {
            op: Op::I64x2LeS,
            lane: 0,
        },
        Operator::I64x2GeS => Binary {
            op: Op::I64x2GeS,
            lane: 0,
        },
        Operator::F32x4Eq => Binary {
            op: Op::F32x4Eq,
            lane: 0,
        },
        Operator::F32x4Ne => Binary {
            op: Op::F32x4Ne,
            lane: 0,
        },
        Operator::F32x4Lt => Binary {
            op: Op::F32x4Lt,
            lane: 0,
        },
        Operator::F32x4Gt => Binary {
            op: Op::F32x4Gt,
            lane: 0,
        },
        Operator::F32x4Le => Binary {
            op: Op::F32x4Le,
            lane: 0,
        },
        Operator::F32x4Ge => Binary {
            op: Op::F32x4Ge,
            lane: 0,
        },
        Operator::F64x2Eq => Binary {
            op: Op::F64x2Eq,
            lane: 0,
        },
        Operator::F64x2Ne => Binary {
            op: Op::F64x2Ne,
            lane: 0,
        },
        Operator::F64x2Lt => Binary {
            op: Op::F64x2Lt,
            lane: 0,
        },
        Operator::F64x2Gt => Binary {
            op: Op::F64x2Gt,
            lane: 0,
        },
        Operator::F64x2Le => Binary {
            op: Op::F64x2Le,
            lane: 0,
        },
        Operator::F64x2Ge => Binary {
            op: Op::F64x2Ge,
            lane: 0,
        },
        Operator::V128Not => Unary {
            op: Op::V128Not,
            lane: 0,
            wide: true,
        },
        Operator::V128And => Binary {
            op: Op::V128And,
            lane: 0,
        },
        Operator::V128AndNot => Binary {
            op: Op::V128AndNot,
            lane: 0,
        },
        Operator::V128Or => Binary {
            op: Op::V128Or,
            lane: 0,
        },
        Operator::V128Xor => Binary {
            op: Op::V128Xor,
            lane: 0,
        },
        Operator::V128Bitselect
        | Operator::I8x16RelaxedLaneselect
        | Operator::I16x8RelaxedLaneselect
        | Operator::I32x4RelaxedLaneselect
        | Operator::I64x2RelaxedLaneselect => Ternary(Op::V128Bitselect),
        Operator::V128AnyTrue => Unary {
            op: Op::V128AnyTrue,
            lane: 0,
            wide: false,
        },
        Operator::I8x16Abs => Unary {
            op: Op::I8x16Abs,
            lane: 0,
            wide: true,
        },
        Operator::I8x16Neg => Unary {
            op: Op::I8x16Neg,
            lane: 0,
            wide: true,
        },
        Operator::I8x16Popcnt => Unary {
            op: Op::I8x16Popcnt,
            lane: 0,
            wide: true,
        },
        Operator::I8x16AllTrue => Unary {
            op: Op::I8x16AllTrue,
            lane: 0,
            wide: false,
        },
        Operator::I8x16Bitmask => Unary {
            op: Op::I8x16Bitmask,
            lane: 0,
            wide: false,
        },
        Operator::I8x16NarrowI16x8S => Binary {
            op: Op::I8x16NarrowI16x8S,
            lane: 0,
        },
        Operator::I8x16NarrowI16x8U => Binary {
            op: Op::I8x16NarrowI16x8U,
            lane: 0,
        },
        Operator::I8x16Shl => Binary {
            op: Op::I8x16Shl,
            lane: 0,
        },
        Operator::I8x16ShrS => Binary {
            op: Op::I8x16ShrS,
            lane: 0,
        },
        Operator::I8x16ShrU => Binary {
            op: Op::I8x16ShrU,
            lane: 0,
        },
        Operator::I8x16Add => Binary {
            op: Op::I8x16Add,
            lane: 0,
        },
        Operator::I8x16AddSatS => Binary {
            op: Op::I8x16AddSatS,
            lane: 0,
        },
        Operator::I8x16AddSatU => Binary {
            op: Op::I8x16AddSatU,
            lane: 0,
        },
        Operator::I8x16Sub => Binary {
            op: Op::I8x16Sub,
            lane: 0,
        },
        Operator::I8x16SubSatS => Binary {
            op: Op::I8x16SubSatS,
            lane: 0,
        },
        Operator::I8x16SubSatU => Binary {
            op: Op::I8x16SubSatU,
            lane: 0,
        },
        Operator::I8x16MinS => Binary {
            op: Op::I8x16MinS,
            lane: 0,
        },
        Operator::I8x16MinU => Binary {
            op: Op::I8x16MinU,
            lane: 0,
        },
        Operator::I8x16MaxS => Binary {
            op: Op::I8x16MaxS,
            lane: 0,
        },
        Operator::I8x16MaxU => Binary {
            op: Op::I8x16MaxU,
            lane: 0,
        },
        Operator::I8x16AvgrU => Binary {
            op: Op::I8x16AvgrU,
            lane: 0,
        },
        Operator::I16x8ExtAddPairwiseI8x16S => Unary {
            op: Op::I16x8ExtAddPairwiseI8x16S,
            lane: 0,
            wide: true,
        },
        Operator::I16x8ExtAddPairwiseI8x16U => Unary {
            op: Op::I16x8ExtAddPairwiseI8x16U,
            lane: 0,
            wide: true,
        },
        Operator::I16x8Abs => Unary {
            op: Op::I16x8Abs,
            lane: 0,
            wide: true,
        },
        Operator::I16x8Neg => Unary {
            op: Op::I16x8Neg,
            lane: 0,
            wide: true,
        },
        Operator::I16x8Q15MulrSatS | Operator::I16x8RelaxedQ15mulrS => Binary {
            op: Op::I16x8Q15MulrSatS,
            lane: 0,
        },
        Operator::I16x8AllTrue => Unary {
            op: Op::I16x8AllTrue,
            lane: 0,
            wide: false,
        },
        Operator::I16x8Bitmask => Unary {
            op: Op::I16x8Bitmask,
            lane: 0,
            wide: false,
        },
        Operator::I16x8NarrowI32x4S => Binary {
            op: Op::I16x8NarrowI32x4S,
            lane: 0,
        },
        Operator::I16x8NarrowI32x4U => Binary {
            op: Op::I16x8NarrowI32x4U,
            lane: 0,
        },
        Operator::I16x8ExtendLowI8x16S => Unary {
            op: Op::I16x8ExtendLowI8x16S,
            lane: 0,
            wide: true,
        },
        Operator::I16x8ExtendHighI8x16S => Unary {
            op: Op::I16x8ExtendHighI8x16S,
            lane: 0,
            wide: true,
        },
        Operator::I16x8ExtendLowI8x16U => Unary {
            op: Op::I16x8ExtendLowI8x16U,
            lane: 0,
            wide: true,
        },
        Operator::I16x8ExtendHighI8x16U => Unary {
            op: Op::I16x8ExtendHighI8x16U,
            lane: 0,
            wide: true,
        },
        Operator::I16x8Shl => Binary {
            op: Op::I16x8Shl,
            lane: 0,
        },
        Operator::I16x8ShrS => Binary {
            op: Op::I16x8ShrS,
            lane: 0,
        },
        Operator::I16x8ShrU => Binary {
            op: Op::I16x8ShrU,
            lane: 0,
        },
        Operator::I16x8Add => Binary {
            op: Op::I16x8Add,
            lane: 0,
        },
        Operator::I16x8AddSatS => Binary {
            op: Op::I16x8AddSatS,
            lane: 0,
        },
        Operator::I16x8AddSatU => Binary {
            op: Op::I16x8AddSatU,
            lane: 0,
        },
        Operator::I16x8Sub => Binary {
            op: Op::I16x8Sub,
            lane: 0,
        },
        Operator::I16x8SubSatS => Binary {
            op: Op::I16x8SubSatS,
            lane: 0,
        },
        Operator::I16x8SubSatU => Binary {
            op: Op::I16x8SubSatU,
            lane: 0,
        },
        Operator::I16x8Mul => Binary {
            op: Op::I16x8Mul,
            lane: 0,
        },
        Operator::I16x8MinS => Binary {
            op: Op::I16x8MinS,
            lane: 0,
        },
        Operator::I16x8MinU => Binary {
            op: Op::I16x8MinU,
            lane: 0,
        },
        Operator::I16x8MaxS => Binary {
            op: Op::I16x8MaxS,
            lane: 0,
        },
        Operator::I16x8MaxU => Binary {
            op: Op::I16x8MaxU,
            lane: 0,
        },
        Operator::I16x8AvgrU => Binary {
            op: Op::I16x8AvgrU,
            lane: 0,
        },
        Operator::I16x8ExtMulLowI8x16S => Binary {
            op: Op::I16x8ExtMulLowI8x16S,
            lane: 0,
        },
        Operator::I16x8ExtMulHighI8x16S => Binary {
            op: Op::I16x8ExtMulHighI8x16S,
            lane: 0,
        },
        Operator::I16x8ExtMulLowI8x16U => Binary {
            op: Op::I16x8ExtMulLowI8x16U,
            lane: 0,
        },
        Operator::I16x8ExtMulHighI8x16U => Binary {
            op: Op::I16x8ExtMulHighI8x16U,
            lane: 0,
        },
        Operator::I32x4ExtAddPairwiseI16x8S => Unary {
            op: Op::I32x4ExtAddPairwiseI16x8S,
            lane: 0,
            wide: true,
        },
        Operator::I32x4ExtAddPairwiseI16x8U => Unary {
            op: Op::I32x4ExtAddPairwiseI16x8U,
            lane: 0,
            wide: true,
        },
        Operator::I32x4Abs => Unary {
            op: Op::I32x4Abs,
            lane: 0,
            wide: true,
        },
        Operator::I32x4Neg => Unary {
            op: Op::I32x4Neg,
            lane: 0,
            wide: true,
        },
        Operator::I32x4AllTrue => Unary {
            op: Op::I32x4AllTrue,
            lane: 0,
            wide: false,
        },
        Operator::I32x4Bitmask => Unary {
            op: Op::I32x4Bitmask,
            lane: 0,
            wide: false,
        },
        Operator::I32x4ExtendLowI16x8S => Unary {
            op: Op::I32x4ExtendLowI16x8S,
            lane: 0,
            wide: true,
        },
        Operator::I32x4ExtendHighI16x8S => Unary {
            op: Op::I32x4ExtendHighI16x8S,
            lane: 0,
            wide: true,
        },
        Operator::I32x4ExtendLowI16x8U => Unary {
            op: Op::I32x4ExtendLowI16x8U,
            lane: 0,
            wide: true,
        },
        Operator::I32x4ExtendHighI16x8U => Unary {
            op: Op::I32x4ExtendHighI16x8U,
            lane: 0,
            wide: true,
        },
        Operator::I32x4Shl => Binary {
            op: Op::I32x4Shl,
            lane: 0,
        },
        Operator::I32x4ShrS => Binary {
            op: Op::I32x4ShrS,
            lane: 0,
        },
        Operator::I32x4ShrU => Binary {
            op: Op::I32x4ShrU,
            lane: 0,
        },
        Operator::I32x4Add => Binary {
            op: Op::I32x4Add,
            lane: 0,
        },
        Operator::I32x4Sub => Binary {
            op: Op::I32x4Sub,
            lane: 0,
        },
        Operator::I32x4Mul => Binary {
            op: Op::I32x4Mul,
            lane: 0,
        },
        Operator::I32x4MinS => Binary {
            op: Op::I32x4MinS,
            lane: 0,
        },
        Operator::I32x4MinU => Binary {
            op: Op::I32x4MinU,
            lane: 0,
        },
        Operator::I32x4MaxS => Binary {
            op: Op::I32x4MaxS,
            lane: 0,
        },
        Operator::I32x4MaxU => Binary {
            op: Op::I32x4MaxU,
            lane: 0,
        },
        Operator::I32x4DotI16x8S => Binary {
            op: Op::I32x4DotI16x8S,
            lane: 0,
        },
        Operator::I32x4ExtMulLowI16x8S => Binary {
            op: Op::I32x4ExtMulLowI16x8S,
            lane: 0,
        },
        Operator::I32x4ExtMulHighI16x8S => Binary {
            op: Op::I32x4ExtMulHighI16x8S,
            lane: 0,
        },
        Operator::I32x4ExtMulLowI16x8U => Binary {
            op: Op::I32x4ExtMulLowI16x8U,
            lane: 0,
        },
        Operator::I32x4ExtMulHighI16x8U => Binary {
            op: Op::I32x4ExtMulHighI16x8U,
            lane: 0,
        },
        Operator::I64x2Abs => Unary {
            op: Op::I64x2Abs,
            lane: 0,
            wide: true,
        },
        Operator::I64x2Neg => Unary {
            op: Op::I64x2Neg,
            lane: 0,
            wide: true,
        },
        Operator::I64x2AllTrue => Unary {
            op: Op::I64x2AllTrue,
            lane: 0,
            wide: false,
        },
        Operator::I64x2Bitmask => Unary {
            op: Op::I64x2Bitmask,
            lane: 0,
            wide: false,
        },
        Operator::I64x2ExtendLowI32x4S => Unary {
            op: Op::I64x2ExtendLowI32x4S,
            lane: 0,
            wide: true,
        },
        Operator::I64x2ExtendHighI32x4S => Unary {
            op: Op::I64x2ExtendHighI32x4S,
            lane: 0,
            wide: true,
        },
        Operator::I64x2ExtendLowI32x4U => Unary {
            op: Op::I64x2ExtendLowI32x4U,
            lane: 0,
            wide: true,
        },
        Operator::I64x2ExtendHighI32x4U => Unary {
            op: Op::I64x2ExtendHighI32x4U,
            lane: 0,
            wide: true,
        },
        Operator::I64x2Shl => Binary {
            op: Op::I64x2Shl,
            lane: 0,
        },
        Operator::I64x2ShrS => Binary {
            op: Op::I64x2ShrS,
            lane: 0,
        },
        Operator::I64x2ShrU => Binary {
            op: Op::I64x2ShrU,
            lane: 0,
        },
        Operator::I64x2Add => Binary {
            op: Op::I64x2Add,
            lane: 0,
        },
        Operator::I64x2Sub => Binary {
            op: Op::I64x2Sub,
            lane: 0,
        },
        Operator::I64x2Mul => Binary {
            op: Op::I64x2Mul,
            lane: 0,
        },
        Operator::I64x2ExtMulLowI32x4S => Binary {
            op: Op::I64x2ExtMulLowI32x4S,
            lane: 0,
        },
        Operator::I64x2ExtMulHighI32x4S => Binary {
            op: Op::I64x2ExtMulHighI32x4S,
            lane: 0,
        },
        Operator::I64x2ExtMulLowI32x4U => Binary {
            op: Op::I64x2ExtMulLowI32x4U,
            lane: 0,
        },
        Operator::I64x2ExtMulHighI32x4U => Binary {
            op: Op::I64x2ExtMulHighI32x4U,
            lane: 0,
        },
        Operator::F32x4Ceil => Unary {
            op: Op::F32x4Ceil,
            lane: 0,
            wide: true,
        },
        Operator::F32x4Floor => Unary {
            op: Op::F32x4Floor,
            lane: 0,
            wide: true,
        },
        Operator::F32x4Trunc => Unary {
            op: Op::F32x4Trunc,
            lane: 0,
            wide: true,
        },
        Operator::F32x4Nearest => Unary {
            op: Op::F32x4Nearest,
            lane: 0,
            wide: true,
        },
        Operator::F32x4Abs => Unary {
            op: Op::F32x4Abs,
            lane: 0,
            wide: true,
        },
        Operator::F32x4Neg => Unary {
            op: Op::F32x4Neg,
            lane: 0,
            wide: true,
        },
        Operator::F32x4Sqrt => Unary {
            op: Op::F32x4Sqrt,
            lane: 0,
            wide: true,
        },
        Operator::F32x4Add => Binary {
            op: Op::F32x4Add,
            lane: 0,
        },
        Operator::F32x4Sub => Binary {
            op: Op::F32x4Sub,
            lane: 0,
        },
        Operator::F32x4Mul => Binary {
            op: Op::F32x4Mul,
            lane: 0,
        },
        Operator::F32x4Div => Binary {
            op: Op::F32x4Div,
            lane: 0,
        },
        Operator::F32x4Min | Operator::F32x4RelaxedMin => Binary {
            op: Op::F32x4Min,
            lane: 0,
        },
        Operator::F32x4Max | Operator::F32x4RelaxedMax => Binary {
            op: Op::F32x4Max,
            lane: 0,
        },
        Operator::F32x4PMin => Binary {
            op: Op::F32x4PMin,
            lane: 0,
        },
        Operator::F32x4PMax => Binary {
            op: Op::F32x4PMax,
            lane: 0,
        },
        Operator::F64x2Ceil => Unary {
            op: Op::F64x2Ceil,
            lane: 0,
            wide: true,
        },
        Operator::F64x2Floor => Unary {
            op: Op::F64x2Floor,
            lane: 0,
            wide: true,
        },
        Operator::F64x2Trunc => Unary {
            op: Op::F64x2Trunc,
            lane: 0,
            wide: true,
        },
        Operator::F64x2Nearest => Unary {
            op: Op::F64x2Nearest,
            lane: 0,
            wide: true,
        },
        Operator::F64x2Abs => Unary {
            op: Op::F64x2Abs,
            lane: 0,
            wide: true,
        },
        Operator::F64x2Neg => Unary {
            op: Op::F64x2Neg,
            lane: 0,
            wide: true,
        },
        Operator::F64x2Sqrt => Unary {
            op: Op::F64x2Sqrt,
            lane: 0,
            wide: true,
        },
        Operator::F64x2Add => Binary {
            op: Op::F64x2Add,
            lane: 0,
        },
        Operator::F64x2Sub => Binary {
            op: Op::F64x2Sub,
            lane: 0,
        },
        Operator::F64x2Mul => Binary {
            op: Op::F64x2Mul,
            lane: 0,
        },
        Operator::F64x2Div => Binary {
            op: Op::F64x2Div,
            lane: 0,
        },
        Operator::F64x2Min | Operator::F64x2RelaxedMin => Binary {
            op: Op::F64x2Min,
            lane: 0,
        },
        Operator::F64x2Max | Operator::F64x2RelaxedMax => Binary {
            op: Op::F64x2Max,
            lane: 0,
        },
        Operator::F64x2PMin => Binary {
            op: Op::F64x2PMin,
            lane: 0,
        },
        Operator::F64x2PMax => Binary {
            op: Op::F64x2PMax,
            lane: 0,
        },
        Operator::I32x4TruncSatF32x4S | Operator::I32x4RelaxedTruncF32x4S => Unary {
            op: Op::I32x4TruncSatF32x4S,
            lane: 0,
            wide: true,
        },
        Operator::I32x4TruncSatF32x4U | Operator::I32x4RelaxedTruncF32x4U => Unary {
            op: Op::I32x4TruncSatF32x4U,
            lane: 0,
            wide: true,
        },
        Operator::F32x4ConvertI32x4S => Unary {
            op: Op::F32x4ConvertI32x4S,
            lane: 0,
            wide: true,
        },
        Operator::F32x4ConvertI32x4U => Unary {
            op: Op::F32x4ConvertI32x4U,
            lane: 0,
            wide: true,
        },
        Operator::I32x4TruncSatF64x2SZero | Operator::I32x4RelaxedTruncF64x2SZero => Unary {
            op: Op::I32x4TruncSatF64x2SZero,
            lane: 0,
            wide: true,
        },
        Operator::I32x4TruncSatF64x2UZero | Operator::I32x4RelaxedTruncF64x2UZero => Unary {
            op: Op::I32x4TruncSatF64x2UZero,
            lane: 0,
            wide: true,
        },
        Operator::F64x2ConvertLowI32x4S => Unary {
            op: Op::F64x2ConvertLowI32x4S,
            lane: 0,
            wide: true,
        },
        Operator::F64x2ConvertLowI32x4U => Unary {
            op: Op::F64x2ConvertLowI32x4U,
            lane: 0,
            wide: true,
        },
        Operator::F32x4DemoteF64x2Zero => Unary {
            op: Op::F32x4DemoteF64x2Zero,
            lane: 0,
            wide: true,
        },
        Operator::F64x2PromoteLowF32x4 => Unary {
            op: Op::F64x2PromoteLowF32x4,
            lane: 0,
            wide: true,
        },
        Operator::F32x4RelaxedMadd => Ternary(Op::F32x4RelaxedMadd),
        Operator::F32x4RelaxedNmadd => Ternary(Op::F32x4RelaxedNmadd),
        Operator::F64x2RelaxedMadd => Ternary(Op::F64x2RelaxedMadd),
        Operator::F64x2RelaxedNmadd => Ternary(Op::F64x2RelaxedNmadd),
        Operator::I16x8RelaxedDotI8x16I7x16S => Binary {
            op: Op::I16x8RelaxedDotI8x16I7x16S,
            lane: 0,
        },
        Operator::I32x4RelaxedDotI8x16I7x16AddS => Ternary(Op::I32x4RelaxedDotI8x16I7x16AddS),
        _ => return None,
    })
}
