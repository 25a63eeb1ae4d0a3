//! Integer vector instructions, and those on a vector's bits.

use super::{Lanes, compare, map, whole, whole2, zip, zip3};
use crate::code::Instr;
use crate::exec::frame::{get, get_wide, set, set_wide};
use crate::exec::{Pc, Slots};
use crate::machine::Machine;

compare! {
    i8x16_eq: i8, i8; 16 => ==;
    i8x16_ne: i8, i8; 16 => !=;
    i8x16_lt_s: i8, i8; 16 => <;
    i8x16_lt_u: u8, i8; 16 => <;
    i8x16_gt_s: i8, i8; 16 => >;
    i8x16_gt_u: u8, i8; 16 => >;
    i8x16_le_s: i8, i8; 16 => <=;
    i8x16_le_u: u8, i8; 16 => <=;
    i8x16_ge_s: i8, i8; 16 => >=;
    i8x16_ge_u: u8, i8; 16 => >=;
    i16x8_eq: i16, i16; 8 => ==;
    i16x8_ne: i16, i16; 8 => !=;
    i16x8_lt_s: i16, i16; 8 => <;
    i16x8_lt_u: u16, i16; 8 => <;
    i16x8_gt_s: i16, i16; 8 => >;
    i16x8_gt_u: u16, i16; 8 => >;
    i16x8_le_s: i16, i16; 8 => <=;
    i16x8_le_u: u16, i16; 8 => <=;
    i16x8_ge_s: i16, i16; 8 => >=;
    i16x8_ge_u: u16, i16; 8 => >=;
    i32x4_eq: i32, i32; 4 => ==;
    i32x4_ne: i32, i32; 4 => !=;
    i32x4_lt_s: i32, i32; 4 => <;
    i32x4_lt_u: u32, i32; 4 => <;
    i32x4_gt_s: i32, i32; 4 => >;
    i32x4_gt_u: u32, i32; 4 => >;
    i32x4_le_s: i32, i32; 4 => <=;
    i32x4_le_u: u32, i32; 4 => <=;
    i32x4_ge_s: i32, i32; 4 => >=;
    i32x4_ge_u: u32, i32; 4 => >=;
    i64x2_eq: i64, i64; 2 => ==;
    i64x2_ne: i64, i64; 2 => !=;
    i64x2_lt_s: i64, i64; 2 => <;
    i64x2_gt_s: i64, i64; 2 => >;
    i64x2_le_s: i64, i64; 2 => <=;
    i64x2_ge_s: i64, i64; 2 => >=;
}

map! {
    i8x16_abs: i8; 16 => |x| x.wrapping_abs();
    i8x16_neg: i8; 16 => |x| x.wrapping_neg();
    i16x8_abs: i16; 8 => |x| x.wrapping_abs();
    i16x8_neg: i16; 8 => |x| x.wrapping_neg();
    i32x4_abs: i32; 4 => |x| x.wrapping_abs();
    i32x4_neg: i32; 4 => |x| x.wrapping_neg();
    i64x2_abs: i64; 2 => |x| x.wrapping_abs();
    i64x2_neg: i64; 2 => |x| x.wrapping_neg();
    i8x16_popcnt: u8; 16 => |x| x.count_ones() as u8;
    v128_not: u64; 2 => |x| !x;
}

zip! {
    i8x16_add: u8; 16 => |x, y| x.wrapping_add(y);
    i8x16_sub: u8; 16 => |x, y| x.wrapping_sub(y);
    i8x16_add_sat_s: i8; 16 => |x, y| x.saturating_add(y);
    i8x16_add_sat_u: u8; 16 => |x, y| x.saturating_add(y);
    i8x16_sub_sat_s: i8; 16 => |x, y| x.saturating_sub(y);
    i8x16_sub_sat_u: u8; 16 => |x, y| x.saturating_sub(y);
    i8x16_min_s: i8; 16 => |x, y| x.min(y);
    i8x16_min_u: u8; 16 => |x, y| x.min(y);
    i8x16_max_s: i8; 16 => |x, y| x.max(y);
    i8x16_max_u: u8; 16 => |x, y| x.max(y);
    i8x16_avgr_u: u8; 16 => |x, y| ((u16::from(x) + u16::from(y)).div_ceil(2)) as u8;
    i16x8_add: u16; 8 => |x, y| x.wrapping_add(y);
    i16x8_sub: u16; 8 => |x, y| x.wrapping_sub(y);
    i16x8_mul: u16; 8 => |x, y| x.wrapping_mul(y);
    i16x8_add_sat_s: i16; 8 => |x, y| x.saturating_add(y);
    i16x8_add_sat_u: u16; 8 => |x, y| x.saturating_add(y);
    i16x8_sub_sat_s: i16; 8 => |x, y| x.saturating_sub(y);
    i16x8_sub_sat_u: u16; 8 => |x, y| x.saturating_sub(y);
    i16x8_min_s: i16; 8 => |x, y| x.min(y);
    i16x8_min_u: u16; 8 => |x, y| x.min(y);
    i16x8_max_s: i16; 8 => |x, y| x.max(y);
    i16x8_max_u: u16; 8 => |x, y| x.max(y);
    i16x8_avgr_u: u16; 8 => |x, y| ((u32::from(x) + u32::from(y)).div_ceil(2)) as u16;
    i32x4_add: u32; 4 => |x, y| x.wrapping_add(y);
    i32x4_sub: u32; 4 => |x, y| x.wrapping_sub(y);
    i32x4_mul: u32; 4 => |x, y| x.wrapping_mul(y);
    i32x4_min_s: i32; 4 => |x, y| x.min(y);
    i32x4_min_u: u32; 4 => |x, y| x.min(y);
    i32x4_max_s: i32; 4 => |x, y| x.max(y);
    i32x4_max_u: u32; 4 => |x, y| x.max(y);
    i64x2_add: u64; 2 => |x, y| x.wrapping_add(y);
    i64x2_sub: u64; 2 => |x, y| x.wrapping_sub(y);
    i64x2_mul: u64; 2 => |x, y| x.wrapping_mul(y);
    i16x8_q15mulr_sat_s: i16; 8 => |x, y| q15mulr_sat(x, y);
    v128_and: u64; 2 => |x, y| x & y;
    v128_andnot: u64; 2 => |x, y| x & !y;
    v128_or: u64; 2 => |x, y| x | y;
    v128_xor: u64; 2 => |x, y| x ^ y;
}

zip3! {
    v128_bitselect: u64; 2 => |x, y, mask| x & mask | y & !mask;
}

/// The product of two numbers of 15 fractional bits, rounded; only the smallest number's
/// square is out of range.
pub(super) fn q15mulr_sat(x: i16, y: i16) -> i16 {
    let product = (i32::from(x) * i32::from(y) + 0x4000) >> 15;
    product.min(i32::from(i16::MAX)) as i16
}

whole! {
    i16x8_extend_low_i8x16_s: i8; 16 => i16; 8, |x, lane| i16::from(x[lane]);
    i16x8_extend_high_i8x16_s: i8; 16 => i16; 8, |x, lane| i16::from(x[lane + 8]);
    i16x8_extadd_pairwise_i8x16_s: i8; 16 => i16; 8, |x, lane| i16::from(x[2 * lane]) + i16::from(x[2 * lane + 1]);
    i16x8_extend_low_i8x16_u: u8; 16 => u16; 8, |x, lane| u16::from(x[lane]);
    i16x8_extend_high_i8x16_u: u8; 16 => u16; 8, |x, lane| u16::from(x[lane + 8]);
    i16x8_extadd_pairwise_i8x16_u: u8; 16 => u16; 8, |x, lane| u16::from(x[2 * lane]) + u16::from(x[2 * lane + 1]);
    i32x4_extend_low_i16x8_s: i16; 8 => i32; 4, |x, lane| i32::from(x[lane]);
    i32x4_extend_high_i16x8_s: i16; 8 => i32; 4, |x, lane| i32::from(x[lane + 4]);
    i32x4_extadd_pairwise_i16x8_s: i16; 8 => i32; 4, |x, lane| i32::from(x[2 * lane]) + i32::from(x[2 * lane + 1]);
    i32x4_extend_low_i16x8_u: u16; 8 => u32; 4, |x, lane| u32::from(x[lane]);
    i32x4_extend_high_i16x8_u: u16; 8 => u32; 4, |x, lane| u32::from(x[lane + 4]);
    i32x4_extadd_pairwise_i16x8_u: u16; 8 => u32; 4, |x, lane| u32::from(x[2 * lane]) + u32::from(x[2 * lane + 1]);
    i64x2_extend_low_i32x4_s: i32; 4 => i64; 2, |x, lane| i64::from(x[lane]);
    i64x2_extend_high_i32x4_s: i32; 4 => i64; 2, |x, lane| i64::from(x[lane + 2]);
    i64x2_extend_low_i32x4_u: u32; 4 => u64; 2, |x, lane| u64::from(x[lane]);
    i64x2_extend_high_i32x4_u: u32; 4 => u64; 2, |x, lane| u64::from(x[lane + 2]);
}

whole2! {
    i16x8_extmul_low_i8x16_s: i8; 16 => i16; 8, |x, y, lane| i16::from(x[lane]) * i16::from(y[lane]);
    i16x8_extmul_high_i8x16_s: i8; 16 => i16; 8, |x, y, lane| i16::from(x[lane + 8]) * i16::from(y[lane + 8]);
    i16x8_extmul_low_i8x16_u: u8; 16 => u16; 8, |x, y, lane| u16::from(x[lane]) * u16::from(y[lane]);
    i16x8_extmul_high_i8x16_u: u8; 16 => u16; 8, |x, y, lane| u16::from(x[lane + 8]) * u16::from(y[lane + 8]);
    i32x4_extmul_low_i16x8_s: i16; 8 => i32; 4, |x, y, lane| i32::from(x[lane]) * i32::from(y[lane]);
    i32x4_extmul_high_i16x8_s: i16; 8 => i32; 4, |x, y, lane| i32::from(x[lane + 4]) * i32::from(y[lane + 4]);
    i32x4_extmul_low_i16x8_u: u16; 8 => u32; 4, |x, y, lane| u32::from(x[lane]) * u32::from(y[lane]);
    i32x4_extmul_high_i16x8_u: u16; 8 => u32; 4, |x, y, lane| u32::from(x[lane + 4]) * u32::from(y[lane + 4]);
    i64x2_extmul_low_i32x4_s: i32; 4 => i64; 2, |x, y, lane| i64::from(x[lane]) * i64::from(y[lane]);
    i64x2_extmul_high_i32x4_s: i32; 4 => i64; 2, |x, y, lane| i64::from(x[lane + 2]) * i64::from(y[lane + 2]);
    i64x2_extmul_low_i32x4_u: u32; 4 => u64; 2, |x, y, lane| u64::from(x[lane]) * u64::from(y[lane]);
    i64x2_extmul_high_i32x4_u: u32; 4 => u64; 2, |x, y, lane| u64::from(x[lane + 2]) * u64::from(y[lane + 2]);
    i32x4_dot_i16x8_s: i16; 8 => i32; 4, |x, y, lane| dot(x, y, 2 * lane).wrapping_add(dot(x, y, 2 * lane + 1));
    i8x16_narrow_i16x8_s: i16; 8 => i8; 16, |x, y, lane| { let v = if lane < 8 { x[lane] } else { y[lane - 8] }; v.clamp(i16::from(i8::MIN), i16::from(i8::MAX)) as i8 };
    i8x16_narrow_i16x8_u: i16; 8 => u8; 16, |x, y, lane| { let v = if lane < 8 { x[lane] } else { y[lane - 8] }; v.clamp(i16::from(u8::MIN), i16::from(u8::MAX)) as u8 };
    i16x8_narrow_i32x4_s: i32; 4 => i16; 8, |x, y, lane| { let v = if lane < 4 { x[lane] } else { y[lane - 4] }; v.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16 };
    i16x8_narrow_i32x4_u: i32; 4 => u16; 8, |x, y, lane| { let v = if lane < 4 { x[lane] } else { y[lane - 4] }; v.clamp(i32::from(u16::MIN), i32::from(u16::MAX)) as u16 };
    i8x16_swizzle: u8; 16 => u8; 16, |x, y, lane| x.get(usize::from(y[lane])).copied().unwrap_or(0);
}

fn dot(x: [i16; 8], y: [i16; 8], lane: usize) -> i32 {
    i32::from(x[lane]) * i32::from(y[lane])
}

/// Shifts: the distance is an i32, taken modulo the lane's width.
macro_rules! shifts {
    ($($name:ident: $t:ty; $n:literal => $shift:ident;)*) => {
        $(pub(crate) fn $name(_: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
            let lanes = <[$t; $n]>::split(get_wide(f, i.a));
            let by = get(f, i.b) as u32;
            set_wide(f, i.c, lanes.map(|x| x.$shift(by)).join());
            pc + 1
        })*
    };
}

shifts! {
    i8x16_shl: u8; 16 => wrapping_shl;
    i8x16_shr_s: i8; 16 => wrapping_shr;
    i8x16_shr_u: u8; 16 => wrapping_shr;
    i16x8_shl: u16; 8 => wrapping_shl;
    i16x8_shr_s: i16; 8 => wrapping_shr;
    i16x8_shr_u: u16; 8 => wrapping_shr;
    i32x4_shl: u32; 4 => wrapping_shl;
    i32x4_shr_s: i32; 4 => wrapping_shr;
    i32x4_shr_u: u32; 4 => wrapping_shr;
    i64x2_shl: u64; 2 => wrapping_shl;
    i64x2_shr_s: i64; 2 => wrapping_shr;
    i64x2_shr_u: u64; 2 => wrapping_shr;
}

/// Tests: a vector to an i32.
macro_rules! tests {
    ($($name:ident: $t:ty; $n:literal => |$x:ident| $e:expr;)*) => {
        $(pub(crate) fn $name(_: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
            let $x = <[$t; $n]>::split(get_wide(f, i.a));
            let answer: u32 = $e;
            set(f, i.c, u64::from(answer));
            pc + 1
        })*
    };
}

tests! {
    v128_any_true: u64; 2 => |x| u32::from(x != [0; 2]);
    i8x16_all_true: i8; 16 => |x| u32::from(x.iter().all(|lane| *lane != 0));
    i8x16_bitmask: i8; 16 => |x| (0..).zip(x).map(|(bit, lane)| u32::from(lane < 0) << bit).sum();
    i16x8_all_true: i16; 8 => |x| u32::from(x.iter().all(|lane| *lane != 0));
    i16x8_bitmask: i16; 8 => |x| (0..).zip(x).map(|(bit, lane)| u32::from(lane < 0) << bit).sum();
    i32x4_all_true: i32; 4 => |x| u32::from(x.iter().all(|lane| *lane != 0));
    i32x4_bitmask: i32; 4 => |x| (0..).zip(x).map(|(bit, lane)| u32::from(lane < 0) << bit).sum();
    i64x2_all_true: i64; 2 => |x| u32::from(x.iter().all(|lane| *lane != 0));
    i64x2_bitmask: i64; 2 => |x| (0..).zip(x).map(|(bit, lane)| u32::from(lane < 0) << bit).sum();
}
