//! Loads and stores of vectors, of parts that become vectors, and of single lanes.

use super::super::FuncTranslator;
use cranelift_codegen::ir::types::{F32, F64, I8, I8X16, I16, I16X8, I32, I32X4, I64, I64X2};
use cranelift_codegen::ir::{InstBuilder, Type};
use wasmparser::{MemArg, Operator};

impl FuncTranslator<'_, '_> {
    pub(super) fn translate_vector_access(&mut self, op: &Operator<'_>) -> bool {
        use Operator::*;
        match op {
            V128Load { memarg } => self.load_vector(memarg),
            V128Store { memarg } => self.store_vector(memarg),

            V128Load8x8S { memarg } => self.load_extended(memarg, I8, true),
            V128Load8x8U { memarg } => self.load_extended(memarg, I8, false),
            V128Load16x4S { memarg } => self.load_extended(memarg, I16, true),
            V128Load16x4U { memarg } => self.load_extended(memarg, I16, false),
            V128Load32x2S { memarg } => self.load_extended(memarg, I32, true),
            V128Load32x2U { memarg } => self.load_extended(memarg, I32, false),

            V128Load8Splat { memarg } => self.load_splat(memarg, I8X16),
            V128Load16Splat { memarg } => self.load_splat(memarg, I16X8),
            V128Load32Splat { memarg } => self.load_splat(memarg, I32X4),
            V128Load64Splat { memarg } => self.load_splat(memarg, I64X2),
            // As floats, whose registers they will be in.
            V128Load32Zero { memarg } => self.load_zero(memarg, F32),
            V128Load64Zero { memarg } => self.load_zero(memarg, F64),

            V128Load8Lane { memarg, lane } => self.load_lane(memarg, I8X16, *lane),
            V128Load16Lane { memarg, lane } => self.load_lane(memarg, I16X8, *lane),
            V128Load32Lane { memarg, lane } => self.load_lane(memarg, I32X4, *lane),
            V128Load64Lane { memarg, lane } => self.load_lane(memarg, I64X2, *lane),
            V128Store8Lane { memarg, lane } => self.store_lane(memarg, I8X16, *lane),
            V128Store16Lane { memarg, lane } => self.store_lane(memarg, I16X8, *lane),
            V128Store32Lane { memarg, lane } => self.store_lane(memarg, I32X4, *lane),
            V128Store64Lane { memarg, lane } => self.store_lane(memarg, I64X2, *lane),
            _ => return false,
        }
        true
    }

    fn load_vector(&mut self, memarg: &MemArg) {
        let place = self.place(memarg, I8X16);
        let value = self.load_at(place, I8X16);
        self.push1(value);
    }

    fn store_vector(&mut self, memarg: &MemArg) {
        let value = self.pop1();
        let place = self.place(memarg, I8X16);
        self.store_at(place, value);
    }

    /// Loads 64 bits as lanes of type `lane`, each extended to twice its width.
    fn load_extended(&mut self, memarg: &MemArg, lane: Type, signed: bool) {
        let place = self.place(memarg, I64);
        let (flags, base, offset) = (place.flags, place.base, place.offset);
        let ins = self.b.ins();
        let value = match (lane, signed) {
            (I8, true) => ins.sload8x8(flags, base, offset),
            (I8, false) => ins.uload8x8(flags, base, offset),
            (I16, true) => ins.sload16x4(flags, base, offset),
            (I16, false) => ins.uload16x4(flags, base, offset),
            (I32, true) => ins.sload32x2(flags, base, offset),
            (I32, false) => ins.uload32x2(flags, base, offset),
            _ => unreachable!("there is no load of lanes of type {lane}"),
        };
        self.push_lanes(value);
    }

    fn load_splat(&mut self, memarg: &MemArg, lanes: Type) {
        let place = self.place(memarg, lanes.lane_type());
        let value = self.load_at(place, lanes.lane_type());
        let vector = self.b.ins().splat(lanes, value);
        self.push_lanes(vector);
    }

    /// Loads the lowest lane; the others are 0.
    fn load_zero(&mut self, memarg: &MemArg, lane: Type) {
        let place = self.place(memarg, lane);
        let value = self.load_at(place, lane);
        let lanes = lane.by(128 / lane.bits()).expect("a vector of floats");
        let vector = self.b.ins().scalar_to_vector(lanes, value);
        self.push_lanes(vector);
    }

    fn load_lane(&mut self, memarg: &MemArg, lanes: Type, lane: u8) {
        let vector = self.pop_lanes(lanes);
        let place = self.place(memarg, lanes.lane_type());
        let value = self.load_at(place, lanes.lane_type());
        let vector = self.b.ins().insertlane(vector, value, lane);
        self.push_lanes(vector);
    }

    fn store_lane(&mut self, memarg: &MemArg, lanes: Type, lane: u8) {
        let vector = self.pop_lanes(lanes);
        let value = self.b.ins().extractlane(vector, lane);
        let place = self.place(memarg, lanes.lane_type());
        self.store_at(place, value);
    }
}
