//! Numeric instructions (specification: "Numeric Instructions" and "Numerics").
//!
//! Every arithmetic result that is a NaN is the canonical one, as the specification's
//! deterministic profile asks; operations that only move bits (`neg`, `abs`, `copysign`,
//! reinterpretations, loads) keep them.

use super::frame::{get, get_wide, set, set_wide};
use super::{Pc, Slots};
use crate::code::Instr;
use crate::error::TrapKind;
use crate::machine::Machine;

/// A number in a slot.
pub(crate) trait Number: Copy {
    fn from_slot(bits: u64) -> Self;
    fn into_slot(self) -> u64;
}

macro_rules! numbers {
    ($($t:ty: |$bits:ident| $from:expr, |$v:ident| $into:expr;)*) => {
        $(impl Number for $t {
            #[inline(always)]
            fn from_slot($bits: u64) -> Self { $from }
            #[inline(always)]
            fn into_slot(self) -> u64 { let $v = self; $into }
        })*
    };
}

// 32-bit values stand zero-extended in their slots, so that an i32 address can be used as
// an i64 one.
numbers! {
    i32: |bits| bits as i32, |v| u64::from(v as u32);
    u32: |bits| bits as u32, |v| u64::from(v);
    i64: |bits| bits as i64, |v| v as u64;
    u64: |bits| bits, |v| v;
    bool: |bits| bits as u32 != 0, |v| u64::from(v);
    f32: |bits| f32::from_bits(bits as u32), |v| u64::from(v.to_bits());
    f64: |bits| f64::from_bits(bits), |v| v.to_bits();
}

/// Replaces any NaN by the canonical one.
#[inline(always)]
pub(crate) fn canon32(v: f32) -> f32 {
    if v.is_nan() { nan32() } else { v }
}

/// Replaces any NaN by the canonical one.
#[inline(always)]
pub(crate) fn canon64(v: f64) -> f64 {
    if v.is_nan() { nan64() } else { v }
}

// Calls, so that numbers pass by a branch that is hardly ever taken instead of waiting for
// a selection.

#[cold]
#[inline(never)]
fn nan32() -> f32 {
    f32::from_bits(0x7fc0_0000)
}

#[cold]
#[inline(never)]
fn nan64() -> f64 {
    f64::from_bits(0x7ff8_0000_0000_0000)
}

macro_rules! unary {
    ($($name:ident: $t:ty => |$x:ident| $e:expr;)*) => {
        $(pub(crate) fn $name(_: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
            let $x = <$t>::from_slot(get(f, i.a));
            set(f, i.c, Number::into_slot($e));
            pc + 1
        })*
    };
}

/// Handlers of two operands; where there is a second name, it is the handler whose second
/// operand is the constant in `b`, sign-extended.
macro_rules! binary {
    ($($name:ident $(, $with_constant:ident)?: $t:ty => |$x:ident, $y:ident| $e:expr;)*) => {
        $(pub(crate) fn $name(_: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
            let $x = <$t>::from_slot(get(f, i.a));
            let $y = <$t>::from_slot(get(f, i.b));
            set(f, i.c, Number::into_slot($e));
            pc + 1
        }
        $(pub(crate) fn $with_constant(_: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
            let $x = <$t>::from_slot(get(f, i.a));
            let $y = <$t>::from_slot(constant(i));
            set(f, i.c, Number::into_slot($e));
            pc + 1
        })?)*
    };
}

/// The constant in `b`.
#[inline(always)]
pub(super) fn constant(i: &Instr) -> u64 {
    i64::from(i.b as i32) as u64
}

unary! {
    i32_eqz: i32 => |x| x == 0;
    i32_clz: u32 => |x| x.leading_zeros();
    i32_ctz: u32 => |x| x.trailing_zeros();
    i32_popcnt: u32 => |x| x.count_ones();
    i32_extend8_s: i32 => |x| i32::from(x as i8);
    i32_extend16_s: i32 => |x| i32::from(x as i16);
    i64_eqz: i64 => |x| x == 0;
    i64_clz: u64 => |x| u64::from(x.leading_zeros());
    i64_ctz: u64 => |x| u64::from(x.trailing_zeros());
    i64_popcnt: u64 => |x| u64::from(x.count_ones());
    i64_extend8_s: i64 => |x| i64::from(x as i8);
    i64_extend16_s: i64 => |x| i64::from(x as i16);
    i64_extend32_s: i64 => |x| i64::from(x as i32);
    i32_wrap_i64: u64 => |x| x as u32;
    i64_extend_i32_s: i32 => |x| i64::from(x);

    f32_abs: f32 => |x| x.abs();
    f32_neg: f32 => |x| -x;
    f32_ceil: f32 => |x| canon32(x.ceil());
    f32_floor: f32 => |x| canon32(x.floor());
    f32_trunc: f32 => |x| canon32(x.trunc());
    f32_nearest: f32 => |x| canon32(x.round_ties_even());
    f32_sqrt: f32 => |x| canon32(x.sqrt());
    f64_abs: f64 => |x| x.abs();
    f64_neg: f64 => |x| -x;
    f64_ceil: f64 => |x| canon64(x.ceil());
    f64_floor: f64 => |x| canon64(x.floor());
    f64_trunc: f64 => |x| canon64(x.trunc());
    f64_nearest: f64 => |x| canon64(x.round_ties_even());
    f64_sqrt: f64 => |x| canon64(x.sqrt());

    f32_demote_f64: f64 => |x| canon32(x as f32);
    f64_promote_f32: f32 => |x| canon64(f64::from(x));
    f32_convert_i32_s: i32 => |x| x as f32;
    f32_convert_i32_u: u32 => |x| x as f32;
    f32_convert_i64_s: i64 => |x| x as f32;
    f32_convert_i64_u: u64 => |x| x as f32;
    f64_convert_i32_s: i32 => |x| f64::from(x);
    f64_convert_i32_u: u32 => |x| f64::from(x);
    f64_convert_i64_s: i64 => |x| x as f64;
    f64_convert_i64_u: u64 => |x| x as f64;

    // Rust's `as` saturates and turns NaN into 0, which is what these are defined to do.
    i32_trunc_sat_f32_s: f32 => |x| x as i32;
    i32_trunc_sat_f32_u: f32 => |x| x as u32;
    i32_trunc_sat_f64_s: f64 => |x| x as i32;
    i32_trunc_sat_f64_u: f64 => |x| x as u32;
    i64_trunc_sat_f32_s: f32 => |x| x as i64;
    i64_trunc_sat_f32_u: f32 => |x| x as u64;
    i64_trunc_sat_f64_s: f64 => |x| x as i64;
    i64_trunc_sat_f64_u: f64 => |x| x as u64;
}

binary! {
    i32_eq, i32_eq_const: i32 => |x, y| x == y;
    i32_ne, i32_ne_const: i32 => |x, y| x != y;
    i32_lt_s, i32_lt_s_const: i32 => |x, y| x < y;
    i32_lt_u, i32_lt_u_const: u32 => |x, y| x < y;
    i32_gt_s, i32_gt_s_const: i32 => |x, y| x > y;
    i32_gt_u, i32_gt_u_const: u32 => |x, y| x > y;
    i32_le_s, i32_le_s_const: i32 => |x, y| x <= y;
    i32_le_u, i32_le_u_const: u32 => |x, y| x <= y;
    i32_ge_s, i32_ge_s_const: i32 => |x, y| x >= y;
    i32_ge_u, i32_ge_u_const: u32 => |x, y| x >= y;
    i32_add, i32_add_const: u32 => |x, y| x.wrapping_add(y);
    i32_sub, i32_sub_const: u32 => |x, y| x.wrapping_sub(y);
    i32_mul, i32_mul_const: u32 => |x, y| x.wrapping_mul(y);
    i32_and, i32_and_const: u32 => |x, y| x & y;
    i32_or, i32_or_const: u32 => |x, y| x | y;
    i32_xor, i32_xor_const: u32 => |x, y| x ^ y;
    i32_shl, i32_shl_const: u32 => |x, y| x.wrapping_shl(y);
    i32_shr_u, i32_shr_u_const: u32 => |x, y| x.wrapping_shr(y);
    i32_shr_s, i32_shr_s_const: i32 => |x, y| x.wrapping_shr(y as u32);
    i32_rotl, i32_rotl_const: u32 => |x, y| x.rotate_left(y % 32);
    i32_rotr, i32_rotr_const: u32 => |x, y| x.rotate_right(y % 32);

    i64_eq, i64_eq_const: i64 => |x, y| x == y;
    i64_ne, i64_ne_const: i64 => |x, y| x != y;
    i64_lt_s, i64_lt_s_const: i64 => |x, y| x < y;
    i64_lt_u, i64_lt_u_const: u64 => |x, y| x < y;
    i64_gt_s, i64_gt_s_const: i64 => |x, y| x > y;
    i64_gt_u, i64_gt_u_const: u64 => |x, y| x > y;
    i64_le_s, i64_le_s_const: i64 => |x, y| x <= y;
    i64_le_u, i64_le_u_const: u64 => |x, y| x <= y;
    i64_ge_s, i64_ge_s_const: i64 => |x, y| x >= y;
    i64_ge_u, i64_ge_u_const: u64 => |x, y| x >= y;
    i64_add, i64_add_const: u64 => |x, y| x.wrapping_add(y);
    i64_sub, i64_sub_const: u64 => |x, y| x.wrapping_sub(y);
    i64_mul, i64_mul_const: u64 => |x, y| x.wrapping_mul(y);
    i64_and, i64_and_const: u64 => |x, y| x & y;
    i64_or, i64_or_const: u64 => |x, y| x | y;
    i64_xor, i64_xor_const: u64 => |x, y| x ^ y;
    i64_shl, i64_shl_const: u64 => |x, y| x.wrapping_shl(y as u32);
    i64_shr_u, i64_shr_u_const: u64 => |x, y| x.wrapping_shr(y as u32);
    i64_shr_s, i64_shr_s_const: i64 => |x, y| x.wrapping_shr(y as u32);
    i64_rotl, i64_rotl_const: u64 => |x, y| x.rotate_left((y % 64) as u32);
    i64_rotr, i64_rotr_const: u64 => |x, y| x.rotate_right((y % 64) as u32);

    f32_eq: f32 => |x, y| x == y;
    f32_ne: f32 => |x, y| x != y;
    f32_lt: f32 => |x, y| x < y;
    f32_gt: f32 => |x, y| x > y;
    f32_le: f32 => |x, y| x <= y;
    f32_ge: f32 => |x, y| x >= y;
    f32_add: f32 => |x, y| canon32(x + y);
    f32_sub: f32 => |x, y| canon32(x - y);
    f32_mul: f32 => |x, y| canon32(x * y);
    f32_div: f32 => |x, y| canon32(x / y);
    f32_min: f32 => |x, y| min32(x, y);
    f32_max: f32 => |x, y| max32(x, y);
    f32_copysign: f32 => |x, y| x.copysign(y);
    f64_eq: f64 => |x, y| x == y;
    f64_ne: f64 => |x, y| x != y;
    f64_lt: f64 => |x, y| x < y;
    f64_gt: f64 => |x, y| x > y;
    f64_le: f64 => |x, y| x <= y;
    f64_ge: f64 => |x, y| x >= y;
    f64_add: f64 => |x, y| canon64(x + y);
    f64_sub: f64 => |x, y| canon64(x - y);
    f64_mul: f64 => |x, y| canon64(x * y);
    f64_div: f64 => |x, y| canon64(x / y);
    f64_min: f64 => |x, y| min64(x, y);
    f64_max: f64 => |x, y| max64(x, y);
    f64_copysign: f64 => |x, y| x.copysign(y);
}

macro_rules! min_max {
    ($min:ident, $max:ident, $t:ty, $canon:ident) => {
        /// The smaller one; NaN if either is, and -0 below +0.
        #[inline(always)]
        pub(crate) fn $min(x: $t, y: $t) -> $t {
            if x.is_nan() || y.is_nan() {
                $canon(<$t>::NAN)
            } else if x == y {
                // Equal numbers differ in the zero's sign at most.
                <$t>::from_bits(x.to_bits() | y.to_bits())
            } else if x < y {
                x
            } else {
                y
            }
        }

        /// The larger one; NaN if either is, and +0 above -0.
        #[inline(always)]
        pub(crate) fn $max(x: $t, y: $t) -> $t {
            if x.is_nan() || y.is_nan() {
                $canon(<$t>::NAN)
            } else if x == y {
                <$t>::from_bits(x.to_bits() & y.to_bits())
            } else if x > y {
                x
            } else {
                y
            }
        }
    };
}

min_max!(min32, max32, f32, canon32);
min_max!(min64, max64, f64, canon64);

macro_rules! division {
    ($($name:ident: $t:ty => $checked:ident;)*) => {
        $(pub(crate) fn $name(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
            let x = <$t>::from_slot(get(f, i.a));
            let y = <$t>::from_slot(get(f, i.b));
            if y == 0 {
                return m.trap(pc, TrapKind::IntegerDivideByZero);
            }
            let Some(z) = x.$checked(y) else {
                return m.trap(pc, TrapKind::IntegerOverflow);
            };
            set(f, i.c, z.into_slot());
            pc + 1
        })*
    };
}

division! {
    i32_div_s: i32 => checked_div;
    i32_div_u: u32 => checked_div;
    i32_rem_u: u32 => checked_rem;
    i64_div_s: i64 => checked_div;
    i64_div_u: u64 => checked_div;
    i64_rem_u: u64 => checked_rem;
}

macro_rules! signed_remainder {
    ($($name:ident: $t:ty;)*) => {
        $(pub(crate) fn $name(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
            let x = <$t>::from_slot(get(f, i.a));
            let y = <$t>::from_slot(get(f, i.b));
            if y == 0 {
                return m.trap(pc, TrapKind::IntegerDivideByZero);
            }
            // The remainder of the smallest number by -1 is 0, unlike the quotient.
            set(f, i.c, x.wrapping_rem(y).into_slot());
            pc + 1
        })*
    };
}

signed_remainder! {
    i32_rem_s: i32;
    i64_rem_s: i64;
}

macro_rules! truncation {
    ($($name:ident: $f:ty => $t:ty, $low:expr, $high:expr;)*) => {
        $(pub(crate) fn $name(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
            let x = <$f>::from_slot(get(f, i.a));
            if x.is_nan() {
                return m.trap(pc, TrapKind::InvalidConversionToInteger);
            }
            // Both bounds are exact in the float type; the truncated number must lie
            // between them, the upper one excluded.
            let whole = x.trunc();
            if !($low..$high).contains(&whole) {
                return m.trap(pc, TrapKind::IntegerOverflow);
            }
            set(f, i.c, (whole as $t).into_slot());
            pc + 1
        })*
    };
}

const P31: f64 = 2_147_483_648.0;
const P32: f64 = 4_294_967_296.0;
const P63: f64 = 9_223_372_036_854_775_808.0;
const P64: f64 = 18_446_744_073_709_551_616.0;

truncation! {
    i32_trunc_f32_s: f32 => i32, -P31 as f32, P31 as f32;
    i32_trunc_f32_u: f32 => u32, 0.0, P32 as f32;
    i32_trunc_f64_s: f64 => i32, -P31, P31;
    i32_trunc_f64_u: f64 => u32, 0.0, P32;
    i64_trunc_f32_s: f32 => i64, -P63 as f32, P63 as f32;
    i64_trunc_f32_u: f32 => u64, 0.0, P64 as f32;
    i64_trunc_f64_s: f64 => i64, -P63, P63;
    i64_trunc_f64_u: f64 => u64, 0.0, P64;
}

fn wide(words: [u64; 2]) -> u128 {
    u128::from(words[0]) | u128::from(words[1]) << 64
}

fn halves(value: u128) -> [u64; 2] {
    [value as u64, (value >> 64) as u64]
}

/// `i64.add128`: four halves stand from `a` on, and the result's two after it.
pub(crate) fn i64_add128(_: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    let sum = wide(get_wide(f, i.a)).wrapping_add(wide(get_wide(f, i.a + 2)));
    set_wide(f, i.a, halves(sum));
    pc + 1
}

/// `i64.sub128`: as `i64.add128`.
pub(crate) fn i64_sub128(_: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    let difference = wide(get_wide(f, i.a)).wrapping_sub(wide(get_wide(f, i.a + 2)));
    set_wide(f, i.a, halves(difference));
    pc + 1
}

/// `i64.mul_wide_s`: two factors stand from `a` on, and the result's halves after it.
pub(crate) fn i64_mul_wide_s(_: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    let [x, y] = get_wide(f, i.a);
    let product = i128::from(x as i64) * i128::from(y as i64);
    set_wide(f, i.a, halves(product as u128));
    pc + 1
}

/// `i64.mul_wide_u`: as `i64.mul_wide_s`.
pub(crate) fn i64_mul_wide_u(_: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    let [x, y] = get_wide(f, i.a);
    set_wide(f, i.a, halves(u128::from(x) * u128::from(y)));
    pc + 1
}
