//! Relaxed vector instructions, in the specification's deterministic profile: of the
//! allowed results, always the first one ("Relaxed Operations"). Those whose first choice is
//! another instruction's result have no handler of their own.

use super::{Lanes, whole2, zip3};
use crate::code::Instr;
use crate::exec::frame::{get_wide, set_wide};
use crate::exec::numeric::{canon32, canon64};
use crate::exec::{Pc, Slots};
use crate::machine::Machine;

zip3! {
    // Two roundings.
    f32x4_relaxed_madd: f32; 4 => |x, y, z| canon32(x * y + z);
    f32x4_relaxed_nmadd: f32; 4 => |x, y, z| canon32(-x * y + z);
    f64x2_relaxed_madd: f64; 2 => |x, y, z| canon64(x * y + z);
    f64x2_relaxed_nmadd: f64; 2 => |x, y, z| canon64(-x * y + z);
}

/// The sum of two neighbouring products of signed numbers. Only -128 in all four places is
/// out of range.
fn dot(x: [i8; 16], y: [i8; 16], lane: usize) -> i16 {
    let product = |lane: usize| i16::from(x[lane]) * i16::from(y[lane]);
    product(2 * lane).saturating_add(product(2 * lane + 1))
}

whole2! {
    i16x8_relaxed_dot_i8x16_i7x16_s: i8; 16 => i16; 8, |x, y, lane| dot(x, y, lane);
}

/// `i32x4.relaxed_dot_i8x16_i7x16_add_s`: as `i16x8.relaxed_dot_i8x16_i7x16_s`, then
/// neighbours are added to each other and to the third operand.
pub(crate) fn i32x4_relaxed_dot_i8x16_i7x16_add_s(
    _: &mut Machine,
    f: &mut Slots,
    i: &Instr,
    pc: Pc,
) -> Pc {
    let x = <[i8; 16]>::split(get_wide(f, i.c));
    let y = <[i8; 16]>::split(get_wide(f, i.a));
    let z = <[i32; 4]>::split(get_wide(f, i.b));
    let lanes: [i32; 4] = std::array::from_fn(|lane| {
        let sum = i32::from(dot(x, y, 2 * lane)) + i32::from(dot(x, y, 2 * lane + 1));
        sum.wrapping_add(z[lane])
    });
    set_wide(f, i.c, lanes.join());
    pc + 1
}
