//! Floating-point vector instructions. NaNs that they compute are canonical, as those of
//! the scalar instructions are.

use super::{Lanes, compare, map, whole, zip};
use crate::code::Instr;
use crate::exec::frame::{get_wide, set_wide};
use crate::exec::numeric::{canon32, canon64, max32, max64, min32, min64};
use crate::exec::{Pc, Slots};
use crate::machine::Machine;

compare! {
    f32x4_eq: f32, i32; 4 => ==;
    f32x4_ne: f32, i32; 4 => !=;
    f32x4_lt: f32, i32; 4 => <;
    f32x4_gt: f32, i32; 4 => >;
    f32x4_le: f32, i32; 4 => <=;
    f32x4_ge: f32, i32; 4 => >=;
    f64x2_eq: f64, i64; 2 => ==;
    f64x2_ne: f64, i64; 2 => !=;
    f64x2_lt: f64, i64; 2 => <;
    f64x2_gt: f64, i64; 2 => >;
    f64x2_le: f64, i64; 2 => <=;
    f64x2_ge: f64, i64; 2 => >=;
}

map! {
    f32x4_abs: u32; 4 => |x| x & (u32::MAX >> 1);
    f32x4_neg: u32; 4 => |x| x ^ !(u32::MAX >> 1);
    f32x4_ceil: f32; 4 => |x| canon32(x.ceil());
    f32x4_floor: f32; 4 => |x| canon32(x.floor());
    f32x4_trunc: f32; 4 => |x| canon32(x.trunc());
    f32x4_nearest: f32; 4 => |x| canon32(x.round_ties_even());
    f32x4_sqrt: f32; 4 => |x| canon32(x.sqrt());
    f64x2_abs: u64; 2 => |x| x & (u64::MAX >> 1);
    f64x2_neg: u64; 2 => |x| x ^ !(u64::MAX >> 1);
    f64x2_ceil: f64; 2 => |x| canon64(x.ceil());
    f64x2_floor: f64; 2 => |x| canon64(x.floor());
    f64x2_trunc: f64; 2 => |x| canon64(x.trunc());
    f64x2_nearest: f64; 2 => |x| canon64(x.round_ties_even());
    f64x2_sqrt: f64; 2 => |x| canon64(x.sqrt());
    i32x4_trunc_sat_f32x4_s: f32; 4 => |x| x as i32;
    i32x4_trunc_sat_f32x4_u: f32; 4 => |x| x as u32;
    f32x4_convert_i32x4_s: i32; 4 => |x| x as f32;
    f32x4_convert_i32x4_u: u32; 4 => |x| x as f32;
}

zip! {
    f32x4_add: f32; 4 => |x, y| canon32(x + y);
    f32x4_sub: f32; 4 => |x, y| canon32(x - y);
    f32x4_mul: f32; 4 => |x, y| canon32(x * y);
    f32x4_div: f32; 4 => |x, y| canon32(x / y);
    f32x4_min: f32; 4 => |x, y| min32(x, y);
    f32x4_max: f32; 4 => |x, y| max32(x, y);
    f64x2_add: f64; 2 => |x, y| canon64(x + y);
    f64x2_sub: f64; 2 => |x, y| canon64(x - y);
    f64x2_mul: f64; 2 => |x, y| canon64(x * y);
    f64x2_div: f64; 2 => |x, y| canon64(x / y);
    f64x2_min: f64; 2 => |x, y| min64(x, y);
    f64x2_max: f64; 2 => |x, y| max64(x, y);
}

// The pseudo-minimum and -maximum choose one of their operands as it is, NaNs included.
zip! {
    f32x4_pmin: u32; 4 => |x, y| if f32::from_bits(y) < f32::from_bits(x) { y } else { x };
    f32x4_pmax: u32; 4 => |x, y| if f32::from_bits(x) < f32::from_bits(y) { y } else { x };
    f64x2_pmin: u64; 2 => |x, y| if f64::from_bits(y) < f64::from_bits(x) { y } else { x };
    f64x2_pmax: u64; 2 => |x, y| if f64::from_bits(x) < f64::from_bits(y) { y } else { x };
}

whole! {
    i32x4_trunc_sat_f64x2_s_zero: f64; 2 => i32; 4, |x, lane| x.get(lane).map_or(0, |x| *x as i32);
    i32x4_trunc_sat_f64x2_u_zero: f64; 2 => u32; 4, |x, lane| x.get(lane).map_or(0, |x| *x as u32);
    f64x2_convert_low_i32x4_s: i32; 4 => f64; 2, |x, lane| f64::from(x[lane]);
    f64x2_convert_low_i32x4_u: u32; 4 => f64; 2, |x, lane| f64::from(x[lane]);
    f32x4_demote_f64x2_zero: f64; 2 => f32; 4, |x, lane| x.get(lane).map_or(0.0, |x| canon32(*x as f32));
    f64x2_promote_low_f32x4: f32; 4 => f64; 2, |x, lane| canon64(f64::from(x[lane]));
}
