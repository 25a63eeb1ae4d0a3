//! Vector instructions (specification: "Vector Instructions").
//!
//! A vector stands in two slots, low half first. Handlers see it as an array of lanes of
//! the shape that the instruction's name gives; lane 0 is in the lowest bits.

pub(crate) mod float;
pub(crate) mod integer;
pub(crate) mod lane;
pub(crate) mod relaxed;

/// A vector as lanes of one type.
pub(super) trait Lanes {
    fn split(vector: [u64; 2]) -> Self;
    fn join(self) -> [u64; 2];
}

/// The vector's bytes, lowest first.
fn bytes(vector: [u64; 2]) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&vector[0].to_le_bytes());
    bytes[8..].copy_from_slice(&vector[1].to_le_bytes());
    bytes
}

fn vector(bytes: [u8; 16]) -> [u64; 2] {
    let both = u128::from_le_bytes(bytes);
    [both as u64, (both >> 64) as u64]
}

macro_rules! lanes {
    ($($t:ty, $n:literal;)*) => {
        $(impl Lanes for [$t; $n] {
            #[inline(always)]
            fn split(vector: [u64; 2]) -> Self {
                const SIZE: usize = 16 / $n;
                let bytes = bytes(vector);
                std::array::from_fn(|lane| {
                    let mut one = [0; SIZE];
                    one.copy_from_slice(&bytes[lane * SIZE..][..SIZE]);
                    <$t>::from_le_bytes(one)
                })
            }

            #[inline(always)]
            fn join(self) -> [u64; 2] {
                const SIZE: usize = 16 / $n;
                let mut bytes = [0; 16];
                for (place, lane) in bytes.chunks_exact_mut(SIZE).zip(self) {
                    place.copy_from_slice(&lane.to_le_bytes());
                }
                vector(bytes)
            }
        })*
    };
}

lanes! {
    i8, 16;
    u8, 16;
    i16, 8;
    u16, 8;
    i32, 4;
    u32, 4;
    i64, 2;
    u64, 2;
    f32, 4;
    f64, 2;
}

/// Handlers that work on each lane of one vector.
macro_rules! map {
    ($($name:ident: $t:ty; $n:literal => |$x:ident| $e:expr;)*) => {
        $(pub(crate) fn $name(_: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
            let lanes = <[$t; $n]>::split(get_wide(f, i.a));
            set_wide(f, i.c, lanes.map(|$x| $e).join());
            pc + 1
        })*
    };
}

/// Handlers that work on the lanes of two vectors, pair by pair.
macro_rules! zip {
    ($($name:ident: $t:ty; $n:literal => |$x:ident, $y:ident| $e:expr;)*) => {
        $(pub(crate) fn $name(_: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
            let a = <[$t; $n]>::split(get_wide(f, i.a));
            let b = <[$t; $n]>::split(get_wide(f, i.b));
            let lanes: [_; $n] = std::array::from_fn(|lane| {
                let ($x, $y) = (a[lane], b[lane]);
                $e
            });
            set_wide(f, i.c, lanes.join());
            pc + 1
        })*
    };
}

/// Handlers that compare lanes pair by pair: all ones for true, all zeros for false.
macro_rules! compare {
    ($($name:ident: $t:ty, $mask:ty; $n:literal => $op:tt;)*) => {
        zip! { $($name: $t; $n => |x, y| if x $op y { -1 as $mask } else { 0 };)* }
    };
}

/// Handlers that make each lane of the result from one whole vector.
macro_rules! whole {
    ($($name:ident: $t:ty; $n:literal => $r:ty; $k:literal, |$x:ident, $lane:ident| $e:expr;)*) => {
        $(pub(crate) fn $name(_: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
            let $x = <[$t; $n]>::split(get_wide(f, i.a));
            let lanes: [$r; $k] = std::array::from_fn(|$lane| $e);
            set_wide(f, i.c, lanes.join());
            pc + 1
        })*
    };
}

/// Handlers that make each lane of the result from two whole vectors.
macro_rules! whole2 {
    ($($name:ident: $t:ty; $n:literal => $r:ty; $k:literal, |$x:ident, $y:ident, $lane:ident| $e:expr;)*) => {
        $(pub(crate) fn $name(_: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
            let $x = <[$t; $n]>::split(get_wide(f, i.a));
            let $y = <[$t; $n]>::split(get_wide(f, i.b));
            let lanes: [$r; $k] = std::array::from_fn(|$lane| $e);
            set_wide(f, i.c, lanes.join());
            pc + 1
        })*
    };
}

/// Handlers of three vectors, the first of which is in the result's slots already.
macro_rules! zip3 {
    ($($name:ident: $t:ty; $n:literal => |$x:ident, $y:ident, $z:ident| $e:expr;)*) => {
        $(pub(crate) fn $name(_: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
            let a = <[$t; $n]>::split(get_wide(f, i.c));
            let b = <[$t; $n]>::split(get_wide(f, i.a));
            let c = <[$t; $n]>::split(get_wide(f, i.b));
            let lanes: [_; $n] = std::array::from_fn(|lane| {
                let ($x, $y, $z) = (a[lane], b[lane], c[lane]);
                $e
            });
            set_wide(f, i.c, lanes.join());
            pc + 1
        })*
    };
}

use {compare, map, whole, whole2, zip, zip3};
