//! Values: where operands come from and where what arrives is kept, and the fuel.

use super::body::Body;
use super::cx::{Cx, EXCEPTION, FUEL};
use super::features::SEVEN_BITS;
use super::helper::Helper;
use super::types::ANYREF;
use wasm_encoder::{BlockType, HeapType, Ieee32, Ieee64, ValType};

impl Cx<'_> {
    /// The family whose loop type this reference type refers to.
    fn family_of(&self, ty: ValType) -> Option<u8> {
        let ValType::Ref(reference) = ty else {
            return None;
        };
        let HeapType::Concrete(index) = reference.heap_type else {
            return None;
        };
        self.types
            .families
            .iter()
            .position(|family| family.main.cont == index)
            .map(|family| family as u8)
    }

    /// Returns default values where the fuel is used up, and uses up one of it otherwise.
    pub(super) fn tick(&mut self, body: &mut Body, results: &[ValType]) {
        body.emit().global_get(FUEL).i32_eqz().if_(BlockType::Empty);
        self.defaults(body, results);
        body.emit()
            .return_()
            .end()
            .global_get(FUEL)
            .i32_const(1)
            .i32_sub()
            .global_set(FUEL);
    }

    /// Pushes the default value of each type.
    pub(super) fn defaults(&self, body: &mut Body, types: &[ValType]) {
        for ty in types {
            match ty {
                ValType::I32 => body.emit().i32_const(0),
                ValType::I64 => body.emit().i64_const(0),
                ValType::F32 => body.emit().f32_const(Ieee32::new(0)),
                ValType::F64 => body.emit().f64_const(Ieee64::new(0)),
                ValType::V128 => body.emit().v128_const(0),
                ValType::Ref(reference) => body.emit().ref_null(reference.heap_type),
            };
        }
    }

    /// Pushes a value of each type, from wherever the body's choices say.
    pub(super) fn push(&mut self, body: &mut Body, types: &[ValType]) {
        // Wide lists would be most of the module: they repeat what is at hand.
        let wide = types.len() > 8;
        for &ty in types {
            let choice = if wide { body.pick(2) } else { body.pick(6) };
            let at_hand = match choice {
                0 => body.existing_scratch(ty),
                1 => body.param(ty),
                _ => None,
            };
            match (at_hand, self.family_of(ty)) {
                (Some(local), None) if choice == 0 && self.is_object(ty) && body.pick(4) > 0 => {
                    // What is handed on keeps it alive alone.
                    self.take_local(body, local, ty);
                }
                // A continuation moves: whoever hands it on must not keep it, or it would be used twice.
                (Some(local), Some(_)) => {
                    self.take_local(body, local, ty);
                }
                (Some(local), None) => {
                    body.emit().local_get(local);
                }
                (None, Some(family)) if choice == 2 => {
                    let grab = self.helper(Helper::Grab(family));
                    body.emit().call(grab);
                }
                (None, _) => self.constant(body, ty, wide),
            }
        }
    }

    pub(super) fn take_local(&mut self, body: &mut Body, local: u32, ty: ValType) {
        let ValType::Ref(reference) = ty else { return };
        body.emit()
            .local_get(local)
            .ref_null(reference.heap_type)
            .local_set(local);
    }

    fn constant(&mut self, body: &mut Body, ty: ValType, wide: bool) {
        const SMALL: [i32; 8] = [0, 1, -1, 7, 63, i32::MIN, i32::MAX, 1 << 16];
        let choice = body.pick(8) as usize;
        match ty {
            ValType::I32 if choice == 0 && !wide => {
                body.emit().global_get(FUEL);
            }
            ValType::I32 => {
                body.emit().i32_const(SMALL[choice]);
            }
            ValType::I64 if choice == 0 && !wide => {
                body.emit().global_get(FUEL).i64_extend_i32_u();
            }
            ValType::I64 => {
                body.emit()
                    .i64_const(i64::from(SMALL[choice]) << (choice * 4));
            }
            ValType::F32 => {
                const BITS: [u32; 8] = [
                    0,
                    0x8000_0000,
                    0x3f80_0000,
                    0x7fc0_0000,
                    0x7f80_0000,
                    0xffc0_0001,
                    1,
                    0xc2f7_3333,
                ];
                body.emit().f32_const(Ieee32::new(BITS[choice]));
            }
            ValType::F64 if choice < 5 || wide => {
                body.emit().i32_const(SMALL[choice]).f64_convert_i32_s();
            }
            ValType::F64 => {
                const BITS: [u64; 3] = [
                    0x7ff8_0000_0000_0000,
                    0x8000_0000_0000_0000,
                    0x3ff3_c0ca_428c_59fb,
                ];
                body.emit().f64_const(Ieee64::new(BITS[choice - 5]));
            }
            ValType::V128 => {
                // Lanes that are small numbers of every width, and some that are none.
                const HALVES: [u64; 8] = [
                    0,
                    0x0102_0304_0506_0708,
                    u64::MAX,
                    0x8000_7fff_0080_ff01,
                    0x7fc0_0000_3f80_0000,
                    0x3ff3_c0ca_428c_59fb,
                    0x8000_0000_8000_0000,
                    0x7ff8_0000_0000_0000,
                ];
                let (low, high) = (HALVES[choice], HALVES[(choice * 5 + 3) % 8]);
                let bits = u128::from(low) | u128::from(high) << 64;
                body.emit().v128_const(bits.cast_signed());
            }
            ValType::FUNCREF if choice > 1 => {
                let functions = &self.indices.tasks;
                let function = functions[choice % functions.len()];
                body.emit().ref_func(function);
            }
            ValType::EXTERNREF if choice > 3 && !wide && self.plan.features.gc => {
                self.object(body, ANYREF, false);
                body.emit().extern_convert_any();
            }
            ValType::EXNREF if choice > 3 => {
                body.emit().global_get(EXCEPTION);
            }
            other if self.is_object(other) => self.object(body, other, wide),
            other => self.defaults(body, &[other]),
        }
    }

    /// Mixes the local into the `i64` on top of the operand stack.
    fn mix64(&mut self, body: &mut Body, local: u32) {
        body.emit().local_get(local);
        if !self.plan.features.wide_arithmetic {
            body.emit().i64_sub();
            return;
        }
        // Few instructions of a leaf are wide ones; here they meet values that come from everywhere.
        let choice = body.pick(4);
        match choice {
            0 => body.emit().i64_mul_wide_s(),
            1 => body.emit().i64_mul_wide_u(),
            _ => body
                .emit()
                .global_get(FUEL)
                .i64_extend_i32_s()
                .local_get(local),
        };
        match choice {
            2 => body.emit().i64_add128().i64_xor(),
            3 => body.emit().i64_sub128().i64_xor(),
            _ => body.emit().i64_xor(),
        };
    }

    /// Mixes the local into the `v128` on top of the operand stack by a relaxed instruction.
    fn mix128(&mut self, body: &mut Body, local: u32) {
        body.emit().local_get(local);
        let choice = body.pick(if self.plan.features.floats { 10 } else { 6 });
        if matches!(choice, 2 | 5) && !self.plan.features.relaxed_choices {
            body.emit().v128_const(SEVEN_BITS).v128_and();
        }
        match choice {
            0 => body.emit().i8x16_relaxed_swizzle(),
            1 => body.emit().i16x8_relaxed_q15mulr_s(),
            2 => body.emit().i16x8_relaxed_dot_i8x16_i7x16_s(),
            3 => body.emit().local_get(local).i8x16_relaxed_laneselect(),
            4 => body.emit().local_get(local).i64x2_relaxed_laneselect(),
            5 => body
                .emit()
                .local_get(local)
                .i32x4_relaxed_dot_i8x16_i7x16_add_s(),
            6 => body.emit().i32x4_relaxed_trunc_f32x4_s().v128_xor(),
            7 => body.emit().i32x4_relaxed_trunc_f64x2_u_zero().v128_xor(),
            8 => body.emit().f32x4_relaxed_min(),
            _ => body.emit().f64x2_relaxed_max(),
        };
        if choice > 7 {
            let lanes = [Helper::Canonical32x4, Helper::Canonical64x2];
            let canonical = self.helper(lanes[choice as usize - 8]);
            body.emit().call(canonical);
        }
    }

    /// Pops values of these types into the scratch locals.
    pub(super) fn sink(&mut self, body: &mut Body, types: &[ValType]) {
        let mixed = types.len() < 5 && body.pick(2) == 0;
        for &ty in types.iter().rev() {
            let local = body.scratch(ty);
            match ty {
                // Mixed instead of replaced, so that the order in which values arrive shows in the results.
                ValType::I32 if mixed => {
                    body.emit().local_get(local).i32_sub();
                }
                ValType::I64 if mixed => self.mix64(body, local),
                ValType::V128 if types.len() < 5 && self.plan.features.relaxed_simd => {
                    self.mix128(body, local);
                }
                _ => {}
            }
            body.emit().local_set(local);
            let external = ty == ValType::EXTERNREF && self.plan.features.gc;
            if (external || self.is_object(ty)) && (types.len() < 5 || body.pick(4) == 0) {
                self.inspect(body, local, ty);
            }
        }
    }
}
