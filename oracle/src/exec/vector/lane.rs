//! Vector instructions that move lanes: from and to memory, from and to scalars.
//!
//! Loads and stores of single lanes have no handlers: they are a scalar access and a lane's
//! replacement or extraction.

use super::Lanes;
use crate::code::Instr;
use crate::error::TrapKind;
use crate::exec::frame::{get, get_wide, set, set_wide};
use crate::exec::memory::store;
use crate::exec::numeric::Number;
use crate::exec::{Pc, Slots};
use crate::machine::Machine;

macro_rules! loads {
    ($($name:ident: $n:literal => |$x:ident| $e:expr;)*) => {
        $(pub(crate) fn $name(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
            let Some($x) = m.load::<$n>(f, i) else {
                return m.trap(pc, TrapKind::MemoryOutOfBounds);
            };
            set_wide(f, i.c, $e);
            pc + 1
        })*
    };
}

/// Memory bytes as lanes of a type, each of which is then converted.
macro_rules! extend {
    ($bytes:ident, $t:ty => $r:ty; $n:literal) => {{
        const SIZE: usize = 8 / $n;
        let lanes: [$r; $n] = std::array::from_fn(|lane| {
            let mut one = [0; SIZE];
            one.copy_from_slice(&$bytes[lane * SIZE..][..SIZE]);
            <$r>::from(<$t>::from_le_bytes(one))
        });
        lanes.join()
    }};
}

loads! {
    v128_load: 16 => |x| x.join();
    v128_load8x8_s: 8 => |x| extend!(x, i8 => i16; 8);
    v128_load8x8_u: 8 => |x| extend!(x, u8 => u16; 8);
    v128_load16x4_s: 8 => |x| extend!(x, i16 => i32; 4);
    v128_load16x4_u: 8 => |x| extend!(x, u16 => u32; 4);
    v128_load32x2_s: 8 => |x| extend!(x, i32 => i64; 2);
    v128_load32x2_u: 8 => |x| extend!(x, u32 => u64; 2);
    v128_load8_splat: 1 => |x| [u8::from_le_bytes(x); 16].join();
    v128_load16_splat: 2 => |x| [u16::from_le_bytes(x); 8].join();
    v128_load32_splat: 4 => |x| [u32::from_le_bytes(x); 4].join();
    v128_load64_splat: 8 => |x| [u64::from_le_bytes(x); 2].join();
    v128_load32_zero: 4 => |x| [u64::from(u32::from_le_bytes(x)), 0];
    v128_load64_zero: 8 => |x| [u64::from_le_bytes(x), 0];
}

/// `v128.store`
pub(crate) fn v128_store(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    store(m, f, i, pc, super::bytes(get_wide(f, i.b)))
}

/// `i8x16.shuffle`: the first operand is in the result's slots already, `a` is the second
/// one, `b` the lanes' place.
pub(crate) fn i8x16_shuffle(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    let x = super::bytes(get_wide(f, i.c));
    let y = super::bytes(get_wide(f, i.a));
    let lanes = m.code().shuffles[i.b as usize];
    let chosen = lanes.map(|lane| match usize::from(lane) {
        lane @ 0..16 => x[lane],
        lane => y[lane - 16],
    });
    set_wide(f, i.c, super::vector(chosen));
    pc + 1
}

macro_rules! splats {
    ($($name:ident: $t:ty; $n:literal;)*) => {
        $(pub(crate) fn $name(_: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
            let value = get(f, i.a) as $t;
            set_wide(f, i.c, [value; $n].join());
            pc + 1
        })*
    };
}

splats! {
    i8x16_splat: u8; 16;
    i16x8_splat: u16; 8;
    i32x4_splat: u32; 4;
    i64x2_splat: u64; 2;
}

/// Extractions: `d` is the lane.
macro_rules! extractions {
    ($($name:ident: $t:ty; $n:literal => $r:ty;)*) => {
        $(pub(crate) fn $name(_: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
            let lanes = <[$t; $n]>::split(get_wide(f, i.a));
            set(f, i.c, <$r>::from(lanes[usize::from(i.d)]).into_slot());
            pc + 1
        })*
    };
}

extractions! {
    i8x16_extract_lane_s: i8; 16 => i32;
    i8x16_extract_lane_u: u8; 16 => u32;
    i16x8_extract_lane_s: i16; 8 => i32;
    i16x8_extract_lane_u: u16; 8 => u32;
    i32x4_extract_lane: u32; 4 => u32;
    i64x2_extract_lane: u64; 2 => u64;
}

/// Replacements: `d` is the lane, `a` the vector, `b` the new value.
macro_rules! replacements {
    ($($name:ident: $t:ty; $n:literal;)*) => {
        $(pub(crate) fn $name(_: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
            let mut lanes = <[$t; $n]>::split(get_wide(f, i.a));
            lanes[usize::from(i.d)] = get(f, i.b) as $t;
            set_wide(f, i.c, lanes.join());
            pc + 1
        })*
    };
}

replacements! {
    i8x16_replace_lane: u8; 16;
    i16x8_replace_lane: u16; 8;
    i32x4_replace_lane: u32; 4;
    i64x2_replace_lane: u64; 2;
}
