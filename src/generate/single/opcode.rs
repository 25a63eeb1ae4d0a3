//! The instructions, with what each needs, takes and gives.
//!
//! One table, by the shape of the immediates: what stands in it under `plain` to `lane_stores` is described by its line alone; what
//! is under `special` has a form of its own, in [`super::form`]. A test compares it with the operators that the parser knows.

use super::super::Features;
use serde::{Deserialize, Serialize};
use wasm_encoder::{Instruction, MemArg, ValType};

/// What an instruction needs of the features.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need {
    Base,
    Floats,
    Simd,
    SimdFloats,
    Relaxed,
    RelaxedFloats,
    RelaxedDot,
    RelaxedMadd,
    Wide,
    Tail,
    TailByReference,
    /// Typed function references.
    References,
    Gc,
    Exceptions,
    Switching,
    Switches,
}

impl Need {
    fn is_met(self, features: &Features) -> bool {
        let simd = features.simd;
        let relaxed = simd && features.relaxed_simd;
        match self {
            Need::Base => true,
            Need::Floats => features.floats,
            Need::Simd => simd,
            Need::SimdFloats => simd && features.floats,
            Need::Relaxed => relaxed,
            Need::RelaxedFloats => relaxed && features.floats,
            Need::RelaxedDot => relaxed && features.relaxed_choices,
            Need::RelaxedMadd => relaxed && features.floats && features.relaxed_choices,
            Need::Wide => features.wide_arithmetic,
            Need::Tail => features.tail_calls,
            Need::TailByReference => features.tail_calls && Need::References.is_met(features),
            Need::References => features.gc || features.stack_switching,
            Need::Gc => features.gc,
            Need::Exceptions => features.exceptions,
            // Handlers and exceptions go together in what the instructions do.
            Need::Switching => features.stack_switching && features.exceptions,
            Need::Switches => Need::Switching.is_met(features) && features.late_switch_types,
        }
    }
}

/// What an instruction is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// No immediates: operands and results.
    Plain(&'static [ValType], &'static [ValType]),
    /// One of so many lanes.
    Lane(u8, &'static [ValType], &'static [ValType]),
    /// Reads a value of this type from so many bytes.
    Load(ValType, u64),
    /// Writes so many bytes of a value of this type.
    Store(ValType, u64),
    /// Reads so many bytes into a lane.
    LaneLoad(u64),
    /// Writes a lane of so many bytes.
    LaneStore(u64),
    /// None of these.
    Special,
}

macro_rules! opcodes {
    (
        plain { $($plain_need:ident [$($plain_param:ident)*] -> [$($plain_result:ident)*]: $($plain:ident)*;)* }
        lanes { $($lane_need:ident $lanes:literal [$($lane_param:ident)*] -> [$lane_result:ident]: $($lane:ident)*;)* }
        loads { $($load_need:ident $load_type:ident $load_width:literal: $($load:ident)*;)* }
        stores { $($store_need:ident $store_type:ident $store_width:literal: $($store:ident)*;)* }
        lane_loads { $($lane_load_width:literal: $lane_load:ident;)* }
        lane_stores { $($lane_store_width:literal: $lane_store:ident;)* }
        special { $($special_need:ident: $($special:ident)*;)* }
    ) => {
        /// An instruction, without immediates. (`else` and `end` are part of `if` and `block`; `select` with other than one type is
        /// in no version of the specification.) In files with plans these are numbers: new ones go to the end.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[allow(missing_docs, reason = "the names are the specification's")]
        pub enum Opcode {
            $($($plain,)*)* $($($lane,)*)* $($($load,)*)* $($($store,)*)* $($lane_load,)* $($lane_store,)* $($($special,)*)*
        }

        impl Opcode {
            /// All of them.
            pub const ALL: &'static [Opcode] = &[
                $($(Opcode::$plain,)*)* $($(Opcode::$lane,)*)* $($(Opcode::$load,)*)* $($(Opcode::$store,)*)*
                $(Opcode::$lane_load,)* $(Opcode::$lane_store,)* $($(Opcode::$special,)*)*
            ];

            fn need(self) -> Need {
                match self {
                    $($(Opcode::$plain)|* => Need::$plain_need,)*
                    $($(Opcode::$lane)|* => Need::$lane_need,)*
                    $($(Opcode::$load)|* => Need::$load_need,)*
                    $($(Opcode::$store)|* => Need::$store_need,)*
                    $(Opcode::$lane_load => Need::Simd,)*
                    $(Opcode::$lane_store => Need::Simd,)*
                    $($(Opcode::$special)|* => Need::$special_need,)*
                }
            }

            pub(super) fn shape(self) -> Shape {
                match self {
                    $($(Opcode::$plain)|* =>
                        Shape::Plain(&[$(ValType::$plain_param),*], &[$(ValType::$plain_result),*]),)*
                    $($(Opcode::$lane)|* =>
                        Shape::Lane($lanes, &[$(ValType::$lane_param),*], &[ValType::$lane_result]),)*
                    $($(Opcode::$load)|* => Shape::Load(ValType::$load_type, $load_width),)*
                    $($(Opcode::$store)|* => Shape::Store(ValType::$store_type, $store_width),)*
                    $(Opcode::$lane_load => Shape::LaneLoad($lane_load_width),)*
                    $(Opcode::$lane_store => Shape::LaneStore($lane_store_width),)*
                    _ => Shape::Special,
                }
            }

            /// The instruction with these immediates, as far as its shape has them; `None` if it is special.
            pub(super) fn instruction(self, memarg: MemArg, lane: u8) -> Option<Instruction<'static>> {
                Some(match self {
                    $($(Opcode::$plain => Instruction::$plain,)*)*
                    $($(Opcode::$lane => Instruction::$lane(lane),)*)*
                    $($(Opcode::$load => Instruction::$load(memarg),)*)*
                    $($(Opcode::$store => Instruction::$store(memarg),)*)*
                    $(Opcode::$lane_load => Instruction::$lane_load { memarg, lane },)*
                    $(Opcode::$lane_store => Instruction::$lane_store { memarg, lane },)*
                    _ => return None,
                })
            }
        }
    };
}

opcodes! {
    plain {
        Base [I32] -> [I32]:
            I32Eqz I32Clz I32Ctz I32Popcnt I32Extend8S I32Extend16S;
        Base [I32 I32] -> [I32]:
            I32Eq I32Ne I32LtS I32LtU I32GtS I32GtU I32LeS I32LeU I32GeS I32GeU I32Add I32Sub I32Mul I32DivS I32DivU
            I32RemS I32RemU I32And I32Or I32Xor I32Shl I32ShrS I32ShrU I32Rotl I32Rotr;
        Base [I64] -> [I32]:
            I64Eqz I32WrapI64;
        Base [I64 I64] -> [I32]:
            I64Eq I64Ne I64LtS I64LtU I64GtS I64GtU I64LeS I64LeU I64GeS I64GeU;
        Floats [F32 F32] -> [I32]:
            F32Eq F32Ne F32Lt F32Gt F32Le F32Ge;
        Floats [F64 F64] -> [I32]:
            F64Eq F64Ne F64Lt F64Gt F64Le F64Ge;
        Base [I64] -> [I64]:
            I64Clz I64Ctz I64Popcnt I64Extend8S I64Extend16S I64Extend32S;
        Base [I64 I64] -> [I64]:
            I64Add I64Sub I64Mul I64DivS I64DivU I64RemS I64RemU I64And I64Or I64Xor I64Shl I64ShrS I64ShrU I64Rotl
            I64Rotr;
        Floats [F32] -> [F32]:
            F32Abs F32Neg F32Ceil F32Floor F32Trunc F32Nearest F32Sqrt;
        Floats [F32 F32] -> [F32]:
            F32Add F32Sub F32Mul F32Div F32Min F32Max F32Copysign;
        Floats [F64] -> [F64]:
            F64Abs F64Neg F64Ceil F64Floor F64Trunc F64Nearest F64Sqrt;
        Floats [F64 F64] -> [F64]:
            F64Add F64Sub F64Mul F64Div F64Min F64Max F64Copysign;
        Floats [F32] -> [I32]:
            I32TruncF32S I32TruncF32U I32ReinterpretF32 I32TruncSatF32S I32TruncSatF32U;
        Floats [F64] -> [I32]:
            I32TruncF64S I32TruncF64U I32TruncSatF64S I32TruncSatF64U;
        Base [I32] -> [I64]:
            I64ExtendI32S I64ExtendI32U;
        Floats [F32] -> [I64]:
            I64TruncF32S I64TruncF32U I64TruncSatF32S I64TruncSatF32U;
        Floats [F64] -> [I64]:
            I64TruncF64S I64TruncF64U I64ReinterpretF64 I64TruncSatF64S I64TruncSatF64U;
        Floats [I32] -> [F32]:
            F32ConvertI32S F32ConvertI32U F32ReinterpretI32;
        Floats [I64] -> [F32]:
            F32ConvertI64S F32ConvertI64U;
        Floats [F64] -> [F32]:
            F32DemoteF64;
        Floats [I32] -> [F64]:
            F64ConvertI32S F64ConvertI32U;
        Floats [I64] -> [F64]:
            F64ConvertI64S F64ConvertI64U F64ReinterpretI64;
        Floats [F32] -> [F64]:
            F64PromoteF32;
        Simd [V128 V128] -> [V128]:
            I8x16Swizzle I8x16Eq I8x16Ne I8x16LtS I8x16LtU I8x16GtS I8x16GtU I8x16LeS I8x16LeU I8x16GeS I8x16GeU
            I16x8Eq I16x8Ne I16x8LtS I16x8LtU I16x8GtS I16x8GtU I16x8LeS I16x8LeU I16x8GeS I16x8GeU I32x4Eq I32x4Ne
            I32x4LtS I32x4LtU I32x4GtS I32x4GtU I32x4LeS I32x4LeU I32x4GeS I32x4GeU I64x2Eq I64x2Ne I64x2LtS I64x2GtS
            I64x2LeS I64x2GeS V128And V128AndNot V128Or V128Xor I8x16NarrowI16x8S I8x16NarrowI16x8U I8x16Add
            I8x16AddSatS I8x16AddSatU I8x16Sub I8x16SubSatS I8x16SubSatU I8x16MinS I8x16MinU I8x16MaxS I8x16MaxU
            I8x16AvgrU I16x8Q15MulrSatS I16x8NarrowI32x4S I16x8NarrowI32x4U I16x8Add I16x8AddSatS I16x8AddSatU
            I16x8Sub I16x8SubSatS I16x8SubSatU I16x8Mul I16x8MinS I16x8MinU I16x8MaxS I16x8MaxU I16x8AvgrU
            I16x8ExtMulLowI8x16S I16x8ExtMulHighI8x16S I16x8ExtMulLowI8x16U I16x8ExtMulHighI8x16U I32x4Add I32x4Sub
            I32x4Mul I32x4MinS I32x4MinU I32x4MaxS I32x4MaxU I32x4DotI16x8S I32x4ExtMulLowI16x8S I32x4ExtMulHighI16x8S
            I32x4ExtMulLowI16x8U I32x4ExtMulHighI16x8U I64x2Add I64x2Sub I64x2Mul I64x2ExtMulLowI32x4S
            I64x2ExtMulHighI32x4S I64x2ExtMulLowI32x4U I64x2ExtMulHighI32x4U;
        Simd [I32] -> [V128]:
            I8x16Splat I16x8Splat I32x4Splat;
        Simd [I64] -> [V128]:
            I64x2Splat;
        SimdFloats [F32] -> [V128]:
            F32x4Splat;
        SimdFloats [F64] -> [V128]:
            F64x2Splat;
        SimdFloats [V128 V128] -> [V128]:
            F32x4Eq F32x4Ne F32x4Lt F32x4Gt F32x4Le F32x4Ge F64x2Eq F64x2Ne F64x2Lt F64x2Gt F64x2Le F64x2Ge F32x4Add
            F32x4Sub F32x4Mul F32x4Div F32x4Min F32x4Max F32x4PMin F32x4PMax F64x2Add F64x2Sub F64x2Mul F64x2Div
            F64x2Min F64x2Max F64x2PMin F64x2PMax;
        Simd [V128] -> [V128]:
            V128Not I8x16Abs I8x16Neg I8x16Popcnt I16x8ExtAddPairwiseI8x16S I16x8ExtAddPairwiseI8x16U I16x8Abs
            I16x8Neg I16x8ExtendLowI8x16S I16x8ExtendHighI8x16S I16x8ExtendLowI8x16U I16x8ExtendHighI8x16U
            I32x4ExtAddPairwiseI16x8S I32x4ExtAddPairwiseI16x8U I32x4Abs I32x4Neg I32x4ExtendLowI16x8S
            I32x4ExtendHighI16x8S I32x4ExtendLowI16x8U I32x4ExtendHighI16x8U I64x2Abs I64x2Neg I64x2ExtendLowI32x4S
            I64x2ExtendHighI32x4S I64x2ExtendLowI32x4U I64x2ExtendHighI32x4U;
        Simd [V128 V128 V128] -> [V128]:
            V128Bitselect;
        Simd [V128] -> [I32]:
            V128AnyTrue I8x16AllTrue I8x16Bitmask I16x8AllTrue I16x8Bitmask I32x4AllTrue I32x4Bitmask I64x2AllTrue
            I64x2Bitmask;
        Simd [V128 I32] -> [V128]:
            I8x16Shl I8x16ShrS I8x16ShrU I16x8Shl I16x8ShrS I16x8ShrU I32x4Shl I32x4ShrS I32x4ShrU I64x2Shl I64x2ShrS
            I64x2ShrU;
        SimdFloats [V128] -> [V128]:
            F32x4Ceil F32x4Floor F32x4Trunc F32x4Nearest F32x4Abs F32x4Neg F32x4Sqrt F64x2Ceil F64x2Floor F64x2Trunc
            F64x2Nearest F64x2Abs F64x2Neg F64x2Sqrt I32x4TruncSatF32x4S I32x4TruncSatF32x4U F32x4ConvertI32x4S
            F32x4ConvertI32x4U I32x4TruncSatF64x2SZero I32x4TruncSatF64x2UZero F64x2ConvertLowI32x4S
            F64x2ConvertLowI32x4U F32x4DemoteF64x2Zero F64x2PromoteLowF32x4;
        Relaxed [V128 V128] -> [V128]:
            I8x16RelaxedSwizzle I16x8RelaxedQ15mulrS;
        RelaxedDot [V128 V128] -> [V128]:
            I16x8RelaxedDotI8x16I7x16S;
        RelaxedFloats [V128] -> [V128]:
            I32x4RelaxedTruncF32x4S I32x4RelaxedTruncF32x4U I32x4RelaxedTruncF64x2SZero I32x4RelaxedTruncF64x2UZero;
        RelaxedMadd [V128 V128 V128] -> [V128]:
            F32x4RelaxedMadd F32x4RelaxedNmadd F64x2RelaxedMadd F64x2RelaxedNmadd;
        Relaxed [V128 V128 V128] -> [V128]:
            I8x16RelaxedLaneselect I16x8RelaxedLaneselect I32x4RelaxedLaneselect I64x2RelaxedLaneselect;
        RelaxedDot [V128 V128 V128] -> [V128]:
            I32x4RelaxedDotI8x16I7x16AddS;
        RelaxedFloats [V128 V128] -> [V128]:
            F32x4RelaxedMin F32x4RelaxedMax F64x2RelaxedMin F64x2RelaxedMax;
        Wide [I64 I64 I64 I64] -> [I64 I64]:
            I64Add128 I64Sub128;
        Wide [I64 I64] -> [I64 I64]:
            I64MulWideS I64MulWideU;
    }
    lanes {
        Simd 16 [V128] -> [I32]: I8x16ExtractLaneS I8x16ExtractLaneU;
        Simd 16 [V128 I32] -> [V128]: I8x16ReplaceLane;
        Simd 8 [V128] -> [I32]: I16x8ExtractLaneS I16x8ExtractLaneU;
        Simd 8 [V128 I32] -> [V128]: I16x8ReplaceLane;
        Simd 4 [V128] -> [I32]: I32x4ExtractLane;
        Simd 4 [V128 I32] -> [V128]: I32x4ReplaceLane;
        Simd 2 [V128] -> [I64]: I64x2ExtractLane;
        Simd 2 [V128 I64] -> [V128]: I64x2ReplaceLane;
        SimdFloats 4 [V128] -> [F32]: F32x4ExtractLane;
        SimdFloats 4 [V128 F32] -> [V128]: F32x4ReplaceLane;
        SimdFloats 2 [V128] -> [F64]: F64x2ExtractLane;
        SimdFloats 2 [V128 F64] -> [V128]: F64x2ReplaceLane;
    }
    loads {
        Base I32 4: I32Load;
        Base I64 8: I64Load;
        Floats F32 4: F32Load;
        Floats F64 8: F64Load;
        Base I32 1: I32Load8S I32Load8U;
        Base I32 2: I32Load16S I32Load16U;
        Base I64 1: I64Load8S I64Load8U;
        Base I64 2: I64Load16S I64Load16U;
        Base I64 4: I64Load32S I64Load32U;
        Simd V128 16: V128Load;
        Simd V128 8: V128Load8x8S V128Load8x8U V128Load16x4S V128Load16x4U V128Load32x2S V128Load32x2U V128Load64Splat V128Load64Zero;
        Simd V128 1: V128Load8Splat;
        Simd V128 2: V128Load16Splat;
        Simd V128 4: V128Load32Splat V128Load32Zero;
    }
    stores {
        Base I32 4: I32Store;
        Base I64 8: I64Store;
        Floats F32 4: F32Store;
        Floats F64 8: F64Store;
        Base I32 1: I32Store8;
        Base I32 2: I32Store16;
        Base I64 1: I64Store8;
        Base I64 2: I64Store16;
        Base I64 4: I64Store32;
        Simd V128 16: V128Store;
    }
    lane_loads {
        1: V128Load8Lane;
        2: V128Load16Lane;
        4: V128Load32Lane;
        8: V128Load64Lane;
    }
    lane_stores {
        1: V128Store8Lane;
        2: V128Store16Lane;
        4: V128Store32Lane;
        8: V128Store64Lane;
    }
    special {
        Base:
            Unreachable Nop Block Loop If Br BrIf BrTable Return Call CallIndirect Drop Select TypedSelect LocalGet
            LocalSet LocalTee GlobalGet GlobalSet I32Const I64Const MemorySize MemoryGrow MemoryFill MemoryCopy
            MemoryInit DataDrop TableGet TableSet TableSize TableGrow TableFill TableCopy TableInit ElemDrop RefNull
            RefIsNull RefFunc;
        Floats:
            F32Const F64Const;
        Simd:
            V128Const I8x16Shuffle;
        Tail:
            ReturnCall ReturnCallIndirect;
        TailByReference:
            ReturnCallRef;
        References:
            CallRef RefAsNonNull BrOnNull BrOnNonNull;
        Gc:
            RefEq StructNew StructNewDefault StructGet StructGetS StructGetU StructSet ArrayNew ArrayNewDefault
            ArrayNewFixed ArrayNewData ArrayNewElem ArrayGet ArrayGetS ArrayGetU ArraySet ArrayLen ArrayFill ArrayCopy
            ArrayInitData ArrayInitElem RefTestNonNull RefTestNullable RefCastNonNull RefCastNullable BrOnCast
            BrOnCastFail AnyConvertExtern ExternConvertAny RefI31 I31GetS I31GetU;
        Exceptions:
            TryTable Throw ThrowRef;
        Switching:
            ContNew ContBind Suspend Resume ResumeThrow ResumeThrowRef;
        Switches:
            Switch;
    }
}

impl Opcode {
    /// Whether a module with these features may have it.
    pub(super) fn is_allowed(self, features: &Features) -> bool {
        // Values are carried by tables of branches here.
        let carries = self != Opcode::BrTable || features.vectors_by_br_table;
        carries && self.need().is_met(features)
    }
}
