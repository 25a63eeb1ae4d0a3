//! Instructions that stand for two or three of the specification's, where one's result is
//! used by the next one only. Which ones are joined is decided in
//! [`translate::fuse`](crate::translate); here is what they do.
//!
//! `d` is a third operand's slot, or a small constant.

use super::control::branch;
use super::frame::{get, set};
use super::memory::chunk;
use super::numeric::{Number, canon32, canon64, constant};
use super::{Pc, Slots};
use crate::code::Instr;
use crate::error::TrapKind;
use crate::machine::Machine;

/// Two operations: `$x` and `$y` are in slots `a` and `b`, `$z` in slot `d`.
macro_rules! ternary {
    ($($name:ident: $t:ty => |$x:ident, $y:ident, $z:ident| $e:expr;)*) => {
        $(pub(crate) fn $name(_: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
            let $x = <$t>::from_slot(get(f, i.a));
            let $y = <$t>::from_slot(get(f, i.b));
            let $z = <$t>::from_slot(get(f, u32::from(i.d)));
            set(f, i.c, Number::into_slot($e));
            pc + 1
        })*
    };
}

// Between the two operations floats are rounded, but a NaN needs to be the canonical one only
// in the end.
ternary! {
    i32_mul_add: u32 => |x, y, z| x.wrapping_mul(y).wrapping_add(z);
    i64_mul_add: u64 => |x, y, z| x.wrapping_mul(y).wrapping_add(z);
    f32_mul_add: f32 => |x, y, z| canon32(x * y + z);
    f32_mul_sub: f32 => |x, y, z| canon32(x * y - z);
    f32_sub_mul: f32 => |x, y, z| canon32(z - x * y);
    f64_mul_add: f64 => |x, y, z| canon64(x * y + z);
    f64_mul_sub: f64 => |x, y, z| canon64(x * y - z);
    f64_sub_mul: f64 => |x, y, z| canon64(z - x * y);
}

macro_rules! with_constants {
    ($($t:ty: $shl_add:ident, $xor_rotl:ident, $shr_and:ident;)*) => {
        $(
        /// `shl` of `a` by the constant `b`, then `add` of slot `d`.
        pub(crate) fn $shl_add(_: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
            let x = <$t>::from_slot(get(f, i.a)).wrapping_shl(i.b);
            let z = <$t>::from_slot(get(f, u32::from(i.d)));
            set(f, i.c, x.wrapping_add(z).into_slot());
            pc + 1
        }

        /// `xor` of `a` and `b`, then `rotl` by the constant `d`.
        pub(crate) fn $xor_rotl(_: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
            let x = <$t>::from_slot(get(f, i.a) ^ get(f, i.b));
            set(f, i.c, x.rotate_left(u32::from(i.d)).into_slot());
            pc + 1
        }

        /// `shr_u` of `a` by the constant `d`, then `and` with the constant `b`.
        pub(crate) fn $shr_and(_: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
            let x = <$t>::from_slot(get(f, i.a)).wrapping_shr(u32::from(i.d));
            set(f, i.c, (x & <$t>::from_slot(constant(i))).into_slot());
            pc + 1
        })*
    };
}

with_constants! {
    u32: i32_shl_add, i32_xor_rotl, i32_shr_and;
    u64: i64_shl_add, i64_xor_rotl, i64_shr_and;
}

/// What loops end with: `add` to `a` in place, and a branch to `c` if the sum compares to `b`.
/// The first two handlers add slot `d`, the others the constant `d`; the second and the fourth
/// one compare with the constant `b`.
macro_rules! counting {
    ($($add:ident, $add_const:ident, $inc:ident, $inc_const:ident: $u:ty, $t:ty => $op:tt;)*) => {
        $(counting!($add: $u, $t => $op, by_slot, slot);
        counting!($add_const: $u, $t => $op, by_slot, constant_bits);
        counting!($inc: $u, $t => $op, by_constant, slot);
        counting!($inc_const: $u, $t => $op, by_constant, constant_bits);)*
    };
    ($name:ident: $u:ty, $t:ty => $op:tt, $step:ident, $bound:ident) => {
        pub(crate) fn $name(_: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
            let x = <$u>::from_slot(get(f, i.a)).wrapping_add(<$u>::from_slot($step(f, i)));
            set(f, i.a, x.into_slot());
            let y = <$t>::from_slot($bound(f, i));
            branch((x as $t) $op y, i.c, pc)
        }
    };
}

#[inline(always)]
fn by_slot(f: &Slots, i: &Instr) -> u64 {
    get(f, u32::from(i.d))
}

#[inline(always)]
fn by_constant(_: &Slots, i: &Instr) -> u64 {
    i64::from(i.d as i16) as u64
}

#[inline(always)]
fn slot(f: &Slots, i: &Instr) -> u64 {
    get(f, i.b)
}

#[inline(always)]
fn constant_bits(_: &Slots, i: &Instr) -> u64 {
    constant(i)
}

counting! {
    i32_add_br_eq, i32_add_br_eq_const, i32_inc_br_eq, i32_inc_br_eq_const: u32, i32 => ==;
    i32_add_br_ne, i32_add_br_ne_const, i32_inc_br_ne, i32_inc_br_ne_const: u32, i32 => !=;
    i32_add_br_lt_s, i32_add_br_lt_s_const, i32_inc_br_lt_s, i32_inc_br_lt_s_const: u32, i32 => <;
    i32_add_br_lt_u, i32_add_br_lt_u_const, i32_inc_br_lt_u, i32_inc_br_lt_u_const: u32, u32 => <;
    i32_add_br_gt_s, i32_add_br_gt_s_const, i32_inc_br_gt_s, i32_inc_br_gt_s_const: u32, i32 => >;
    i32_add_br_gt_u, i32_add_br_gt_u_const, i32_inc_br_gt_u, i32_inc_br_gt_u_const: u32, u32 => >;
    i32_add_br_le_s, i32_add_br_le_s_const, i32_inc_br_le_s, i32_inc_br_le_s_const: u32, i32 => <=;
    i32_add_br_le_u, i32_add_br_le_u_const, i32_inc_br_le_u, i32_inc_br_le_u_const: u32, u32 => <=;
    i32_add_br_ge_s, i32_add_br_ge_s_const, i32_inc_br_ge_s, i32_inc_br_ge_s_const: u32, i32 => >=;
    i32_add_br_ge_u, i32_add_br_ge_u_const, i32_inc_br_ge_u, i32_inc_br_ge_u_const: u32, u32 => >=;
    i64_add_br_eq, i64_add_br_eq_const, i64_inc_br_eq, i64_inc_br_eq_const: u64, i64 => ==;
    i64_add_br_ne, i64_add_br_ne_const, i64_inc_br_ne, i64_inc_br_ne_const: u64, i64 => !=;
    i64_add_br_lt_s, i64_add_br_lt_s_const, i64_inc_br_lt_s, i64_inc_br_lt_s_const: u64, i64 => <;
    i64_add_br_lt_u, i64_add_br_lt_u_const, i64_inc_br_lt_u, i64_inc_br_lt_u_const: u64, u64 => <;
    i64_add_br_gt_s, i64_add_br_gt_s_const, i64_inc_br_gt_s, i64_inc_br_gt_s_const: u64, i64 => >;
    i64_add_br_gt_u, i64_add_br_gt_u_const, i64_inc_br_gt_u, i64_inc_br_gt_u_const: u64, u64 => >;
    i64_add_br_le_s, i64_add_br_le_s_const, i64_inc_br_le_s, i64_inc_br_le_s_const: u64, i64 => <=;
    i64_add_br_le_u, i64_add_br_le_u_const, i64_inc_br_le_u, i64_inc_br_le_u_const: u64, u64 => <=;
    i64_add_br_ge_s, i64_add_br_ge_s_const, i64_inc_br_ge_s, i64_inc_br_ge_s_const: u64, i64 => >=;
    i64_add_br_ge_u, i64_add_br_ge_u_const, i64_inc_br_ge_u, i64_inc_br_ge_u_const: u64, u64 => >=;
}

/// Loads from memory 0. The first handler's address is `i32.add` of `a` and `b`, and `d` the
/// offset; the second one's is `i32.shl` of `a` by the constant `b`, then `i32.add` of slot `d`.
macro_rules! loads {
    ($($sum:ident, $scaled:ident: $memory:ty => $value:ty;)*) => {
        $(pub(crate) fn $sum(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
            let address = (get(f, i.a) as u32).wrapping_add(get(f, i.b) as u32);
            let Some(bytes) = chunk(&m.memory, u64::from(address), u32::from(i.d)) else {
                return m.trap(pc, TrapKind::MemoryOutOfBounds);
            };
            let v = <$memory>::from_le_bytes(bytes);
            set(f, i.c, <$value>::from(v).into_slot());
            pc + 1
        }
        pub(crate) fn $scaled(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
            let scaled = (get(f, i.a) as u32).wrapping_shl(i.b);
            let address = scaled.wrapping_add(get(f, u32::from(i.d)) as u32);
            let Some(bytes) = chunk(&m.memory, u64::from(address), 0) else {
                return m.trap(pc, TrapKind::MemoryOutOfBounds);
            };
            let v = <$memory>::from_le_bytes(bytes);
            set(f, i.c, <$value>::from(v).into_slot());
            pc + 1
        })*
    };
}

loads! {
    i32_load_sum, i32_load_scaled: u32 => u32;
    i32_load8_s_sum, i32_load8_s_scaled: i8 => i32;
    i32_load8_u_sum, i32_load8_u_scaled: u8 => u32;
    i32_load16_s_sum, i32_load16_s_scaled: i16 => i32;
    i32_load16_u_sum, i32_load16_u_scaled: u16 => u32;
    i64_load_sum, i64_load_scaled: u64 => u64;
    i64_load8_s_sum, i64_load8_s_scaled: i8 => i64;
    i64_load8_u_sum, i64_load8_u_scaled: u8 => u64;
    i64_load16_s_sum, i64_load16_s_scaled: i16 => i64;
    i64_load16_u_sum, i64_load16_u_scaled: u16 => u64;
    i64_load32_s_sum, i64_load32_s_scaled: i32 => i64;
    i64_load32_u_sum, i64_load32_u_scaled: u32 => u64;
    f32_load_sum, f32_load_scaled: u32 => u32;
    f64_load_sum, f64_load_scaled: u64 => u64;
}
