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

macro_rules! table {
    ($op:ident; $($category:ident: [$($name:ident)*] renamed [$($from:ident as $to:ident)*];)*) => {
        match $op {
            $($(Operator::$name { .. } => return Some(table!(@$category $name)),)*
            $(Operator::$from { .. } => return Some(table!(@$category $to)),)*)*
            _ => {}
        }
    };
    (@unary $name:ident) => { Vector::Unary { op: Op::$name, lane: 0, wide: true } };
    (@test $name:ident) => { Vector::Unary { op: Op::$name, lane: 0, wide: false } };
    (@binary $name:ident) => { Vector::Binary { op: Op::$name, lane: 0 } };
    (@ternary $name:ident) => { Vector::Ternary(Op::$name) };
}

/// The translation of a vector operator; none if it is not one, or one of the two with
/// immediates of 16 bytes.
pub(super) fn vector<'a>(op: &'a Operator<'_>) -> Option<Vector<'a>> {
    table! { op;
        unary: [
            I8x16Splat I16x8Splat I32x4Splat I64x2Splat V128Not I8x16Abs I8x16Neg
            I8x16Popcnt I16x8ExtAddPairwiseI8x16S I16x8ExtAddPairwiseI8x16U I16x8Abs
            I16x8Neg I16x8ExtendLowI8x16S I16x8ExtendHighI8x16S I16x8ExtendLowI8x16U
            I16x8ExtendHighI8x16U I32x4ExtAddPairwiseI16x8S
            I32x4ExtAddPairwiseI16x8U I32x4Abs I32x4Neg I32x4ExtendLowI16x8S
            I32x4ExtendHighI16x8S I32x4ExtendLowI16x8U I32x4ExtendHighI16x8U
            I64x2Abs I64x2Neg I64x2ExtendLowI32x4S I64x2ExtendHighI32x4S
            I64x2ExtendLowI32x4U I64x2ExtendHighI32x4U F32x4Ceil F32x4Floor
            F32x4Trunc F32x4Nearest F32x4Abs F32x4Neg F32x4Sqrt F64x2Ceil F64x2Floor
            F64x2Trunc F64x2Nearest F64x2Abs F64x2Neg F64x2Sqrt I32x4TruncSatF32x4S
            I32x4TruncSatF32x4U F32x4ConvertI32x4S F32x4ConvertI32x4U
            I32x4TruncSatF64x2SZero I32x4TruncSatF64x2UZero F64x2ConvertLowI32x4S
            F64x2ConvertLowI32x4U F32x4DemoteF64x2Zero F64x2PromoteLowF32x4
        ] renamed [
            F32x4Splat as I32x4Splat
            F64x2Splat as I64x2Splat
            I32x4RelaxedTruncF32x4S as I32x4TruncSatF32x4S
            I32x4RelaxedTruncF32x4U as I32x4TruncSatF32x4U
            I32x4RelaxedTruncF64x2SZero as I32x4TruncSatF64x2SZero
            I32x4RelaxedTruncF64x2UZero as I32x4TruncSatF64x2UZero
        ];
        test: [
            V128AnyTrue I8x16AllTrue I8x16Bitmask I16x8AllTrue I16x8Bitmask
            I32x4AllTrue I32x4Bitmask I64x2AllTrue I64x2Bitmask
        ] renamed [];
        binary: [
            I8x16Swizzle I8x16Eq I8x16Ne I8x16LtS I8x16LtU I8x16GtS I8x16GtU
            I8x16LeS I8x16LeU I8x16GeS I8x16GeU I16x8Eq I16x8Ne I16x8LtS I16x8LtU
            I16x8GtS I16x8GtU I16x8LeS I16x8LeU I16x8GeS I16x8GeU I32x4Eq I32x4Ne
            I32x4LtS I32x4LtU I32x4GtS I32x4GtU I32x4LeS I32x4LeU I32x4GeS I32x4GeU
            I64x2Eq I64x2Ne I64x2LtS I64x2GtS I64x2LeS I64x2GeS F32x4Eq F32x4Ne
            F32x4Lt F32x4Gt F32x4Le F32x4Ge F64x2Eq F64x2Ne F64x2Lt F64x2Gt F64x2Le
            F64x2Ge V128And V128AndNot V128Or V128Xor I8x16NarrowI16x8S
            I8x16NarrowI16x8U I8x16Shl I8x16ShrS I8x16ShrU I8x16Add I8x16AddSatS
            I8x16AddSatU I8x16Sub I8x16SubSatS I8x16SubSatU I8x16MinS I8x16MinU
            I8x16MaxS I8x16MaxU I8x16AvgrU I16x8Q15MulrSatS I16x8NarrowI32x4S
            I16x8NarrowI32x4U I16x8Shl I16x8ShrS I16x8ShrU I16x8Add I16x8AddSatS
            I16x8AddSatU I16x8Sub I16x8SubSatS I16x8SubSatU I16x8Mul I16x8MinS
            I16x8MinU I16x8MaxS I16x8MaxU I16x8AvgrU I16x8ExtMulLowI8x16S
            I16x8ExtMulHighI8x16S I16x8ExtMulLowI8x16U I16x8ExtMulHighI8x16U
            I32x4Shl I32x4ShrS I32x4ShrU I32x4Add I32x4Sub I32x4Mul I32x4MinS
            I32x4MinU I32x4MaxS I32x4MaxU I32x4DotI16x8S I32x4ExtMulLowI16x8S
            I32x4ExtMulHighI16x8S I32x4ExtMulLowI16x8U I32x4ExtMulHighI16x8U
            I64x2Shl I64x2ShrS I64x2ShrU I64x2Add I64x2Sub I64x2Mul
            I64x2ExtMulLowI32x4S I64x2ExtMulHighI32x4S I64x2ExtMulLowI32x4U
            I64x2ExtMulHighI32x4U F32x4Add F32x4Sub F32x4Mul F32x4Div F32x4Min
            F32x4Max F32x4PMin F32x4PMax F64x2Add F64x2Sub F64x2Mul F64x2Div
            F64x2Min F64x2Max F64x2PMin F64x2PMax I16x8RelaxedDotI8x16I7x16S
        ] renamed [
            I8x16RelaxedSwizzle as I8x16Swizzle
            I16x8RelaxedQ15mulrS as I16x8Q15MulrSatS
            F32x4RelaxedMin as F32x4Min
            F32x4RelaxedMax as F32x4Max
            F64x2RelaxedMin as F64x2Min
            F64x2RelaxedMax as F64x2Max
        ];
        ternary: [
            V128Bitselect F32x4RelaxedMadd F32x4RelaxedNmadd F64x2RelaxedMadd
            F64x2RelaxedNmadd I32x4RelaxedDotI8x16I7x16AddS
        ] renamed [
            I8x16RelaxedLaneselect as V128Bitselect
            I16x8RelaxedLaneselect as V128Bitselect
            I32x4RelaxedLaneselect as V128Bitselect
            I64x2RelaxedLaneselect as V128Bitselect
        ];
    }
    Some(match op {
        Operator::V128Load { memarg } => Vector::Load(Op::V128Load, memarg),
        Operator::V128Load8x8S { memarg } => Vector::Load(Op::V128Load8x8S, memarg),
        Operator::V128Load8x8U { memarg } => Vector::Load(Op::V128Load8x8U, memarg),
        Operator::V128Load16x4S { memarg } => Vector::Load(Op::V128Load16x4S, memarg),
        Operator::V128Load16x4U { memarg } => Vector::Load(Op::V128Load16x4U, memarg),
        Operator::V128Load32x2S { memarg } => Vector::Load(Op::V128Load32x2S, memarg),
        Operator::V128Load32x2U { memarg } => Vector::Load(Op::V128Load32x2U, memarg),
        Operator::V128Load8Splat { memarg } => Vector::Load(Op::V128Load8Splat, memarg),
        Operator::V128Load16Splat { memarg } => Vector::Load(Op::V128Load16Splat, memarg),
        Operator::V128Load32Splat { memarg } => Vector::Load(Op::V128Load32Splat, memarg),
        Operator::V128Load64Splat { memarg } => Vector::Load(Op::V128Load64Splat, memarg),
        Operator::V128Load32Zero { memarg } => Vector::Load(Op::V128Load32Zero, memarg),
        Operator::V128Load64Zero { memarg } => Vector::Load(Op::V128Load64Zero, memarg),
        Operator::V128Store { memarg } => Vector::Store(Op::V128Store, memarg),
        Operator::I8x16ExtractLaneS { lane } => extract(Op::I8x16ExtractLaneS, *lane),
        Operator::I8x16ExtractLaneU { lane } => extract(Op::I8x16ExtractLaneU, *lane),
        Operator::I16x8ExtractLaneS { lane } => extract(Op::I16x8ExtractLaneS, *lane),
        Operator::I16x8ExtractLaneU { lane } => extract(Op::I16x8ExtractLaneU, *lane),
        Operator::I32x4ExtractLane { lane } | Operator::F32x4ExtractLane { lane } => {
            extract(Op::I32x4ExtractLane, *lane)
        }
        Operator::I64x2ExtractLane { lane } | Operator::F64x2ExtractLane { lane } => {
            extract(Op::I64x2ExtractLane, *lane)
        }
        Operator::I8x16ReplaceLane { lane } => replace(Op::I8x16ReplaceLane, *lane),
        Operator::I16x8ReplaceLane { lane } => replace(Op::I16x8ReplaceLane, *lane),
        Operator::I32x4ReplaceLane { lane } | Operator::F32x4ReplaceLane { lane } => {
            replace(Op::I32x4ReplaceLane, *lane)
        }
        Operator::I64x2ReplaceLane { lane } | Operator::F64x2ReplaceLane { lane } => {
            replace(Op::I64x2ReplaceLane, *lane)
        }
        Operator::V128Load8Lane { memarg, lane } => {
            load_lane(Op::I32Load8U, Op::I8x16ReplaceLane, memarg, *lane)
        }
        Operator::V128Load16Lane { memarg, lane } => {
            load_lane(Op::I32Load16U, Op::I16x8ReplaceLane, memarg, *lane)
        }
        Operator::V128Load32Lane { memarg, lane } => {
            load_lane(Op::I32Load, Op::I32x4ReplaceLane, memarg, *lane)
        }
        Operator::V128Load64Lane { memarg, lane } => {
            load_lane(Op::I64Load, Op::I64x2ReplaceLane, memarg, *lane)
        }
        Operator::V128Store8Lane { memarg, lane } => {
            store_lane(Op::I8x16ExtractLaneU, Op::I32Store8, memarg, *lane)
        }
        Operator::V128Store16Lane { memarg, lane } => {
            store_lane(Op::I16x8ExtractLaneU, Op::I32Store16, memarg, *lane)
        }
        Operator::V128Store32Lane { memarg, lane } => {
            store_lane(Op::I32x4ExtractLane, Op::I32Store, memarg, *lane)
        }
        Operator::V128Store64Lane { memarg, lane } => {
            store_lane(Op::I64x2ExtractLane, Op::I64Store, memarg, *lane)
        }
        _ => return None,
    })
}

fn extract(op: Op, lane: u8) -> Vector<'static> {
    Vector::Unary {
        op,
        lane: u16::from(lane),
        wide: false,
    }
}

fn replace(op: Op, lane: u8) -> Vector<'static> {
    Vector::Binary {
        op,
        lane: u16::from(lane),
    }
}

fn load_lane(load: Op, replace: Op, memarg: &MemArg, lane: u8) -> Vector<'_> {
    Vector::LoadLane {
        load,
        replace,
        memarg,
        lane: u16::from(lane),
    }
}

fn store_lane(extract: Op, store: Op, memarg: &MemArg, lane: u8) -> Vector<'_> {
    Vector::StoreLane {
        extract,
        store,
        memarg,
        lane: u16::from(lane),
    }
}
