//! Which numbers are interesting: zeros, limits, what is next to a limit, and lanes of all these.

use wasm_encoder::ValType;

/// A number, by its bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Number {
    I32(i32),
    I64(i64),
    F32(u32),
    F64(u64),
    V128(u128),
}

const INTEGERS: [i64; 56] = [
    0,
    1,
    -1,
    2,
    -2,
    3,
    5,
    7,
    8,
    15,
    16,
    31,
    32,
    33,
    63,
    64,
    65,
    0x7f,
    0x80,
    -0x80,
    -0x81,
    0xff,
    0x100,
    0x7fff,
    0x8000,
    -0x8000,
    -0x8001,
    0xffff,
    0x1_0000,
    0x00ff_00ff,
    0x0102_0304,
    0x3fff_ffff,
    0x4000_0000,
    0x5555_5555,
    0x7fff_ffff,
    0x7fff_fffe,
    0x8000_0000,
    -0x8000_0000,
    -0x7fff_ffff,
    -0x8000_0001,
    0xffff_ffff,
    0x1_0000_0000,
    0x0100_0001,
    0x7f7f_7f7f,
    -0x7f7f_7f80,
    0x20_0000_0000_0001,
    0x7fff_ffbf_ffff_ffff,
    0x7fff_ff40_0000_0001,
    0x0102_0304_0506_0708,
    0x5555_5555_5555_5555,
    -0x5555_5555_5555_5556,
    i64::MAX,
    i64::MAX - 1,
    i64::MIN,
    i64::MIN + 1,
    -0x0123_4567_89ab_cdef,
];

/// Around where counts of shifts and rotations begin anew.
const COUNTS: [i64; 24] = [
    0,
    1,
    2,
    3,
    7,
    8,
    9,
    15,
    16,
    17,
    24,
    31,
    32,
    33,
    40,
    48,
    63,
    64,
    65,
    95,
    127,
    128,
    -1,
    i64::MIN,
];

/// Halves of wide numbers, of which two make a carry, a borrow or a high half more often than not.
const HALVES: [i64; 12] = [
    0,
    1,
    -1,
    -1,
    -2,
    i64::MIN,
    i64::MIN + 1,
    i64::MAX,
    0x1_0000_0000,
    -0x1_0000_0000,
    0x0123_4567_89ab_cdef,
    -0x0123_4567_89ab_cdef,
];

const FLOATS: [f64; 52] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    -0.5,
    1.5,
    -1.5,
    2.5,
    -2.5,
    0.499_999_97,
    -0.999_999_9,
    0.1,
    3.0,
    1e10,
    -1e10,
    127.0,
    128.0,
    -128.5,
    -129.0,
    255.5,
    256.0,
    32_767.5,
    -32_769.0,
    65_535.5,
    8_388_607.5,
    8_388_608.0,
    16_777_216.0,
    16_777_217.0,
    2_147_483_647.0,
    2_147_483_647.5,
    2_147_483_648.0,
    -2_147_483_648.0,
    -2_147_483_648.9,
    -2_147_483_649.0,
    4_294_967_295.0,
    4_294_967_295.9,
    4_294_967_296.0,
    4_503_599_627_370_495.5,
    9_007_199_254_740_992.0,
    9_223_372_036_854_774_784.0,
    9_223_372_036_854_775_808.0,
    -9_223_372_036_854_775_808.0,
    -9_223_372_036_854_777_856.0,
    18_446_744_073_709_549_568.0,
    18_446_744_073_709_551_616.0,
    3.402_823_466_385_288_6e38,
    3.402_823_567_797_336_6e38,
    -1e300,
    7.006_492_321_624_085e-46,
    1.175_494_350_822_287_5e-38,
    f64::MAX,
];

/// Bits of what no sum of digits gives: the smallest numbers, infinities, and NaNs that are canonical, that are not, and that signal.
const BITS_32: [u32; 14] = [
    1,
    0x8000_0001,
    0x007f_ffff,
    0x0080_0000,
    0x7f7f_ffff,
    0x7f80_0000,
    0xff80_0000,
    0x7fc0_0000,
    0xffc0_0000,
    0x7f80_0001,
    0xffa1_2345,
    0x7fff_ffff,
    0x4eff_ffff,
    0xcf00_0001,
];
const BITS_64: [u64; 14] = [
    1,
    0x8000_0000_0000_0001,
    0x000f_ffff_ffff_ffff,
    0x0010_0000_0000_0000,
    0x7fef_ffff_ffff_ffff,
    0x7ff0_0000_0000_0000,
    0xfff0_0000_0000_0000,
    0x7ff8_0000_0000_0000,
    0xfff8_0000_0000_0000,
    0x7ff0_0000_0000_0001,
    0xfff4_1234_5678_9abc,
    0x7fff_ffff_ffff_ffff,
    0x41ef_ffff_ffff_ffff,
    0xc1e0_0000_001f_ffff,
];

/// Bits that look random, by a number.
pub(super) fn scattered(number: u64) -> u64 {
    xxhash_rust::xxh3::xxh3_64(&number.to_le_bytes())
}

/// From this value of an operand on, it is like the one before it.
const LIKE_BEFORE: u8 = 196;
/// From this value on, it is any number.
const ANY: u8 = 228;

fn integer(value: u8, noise: u8) -> i64 {
    match value {
        ANY.. => {
            let bits = scattered(u64::from(value) << 8 | u64::from(noise));
            bits.cast_signed() >> (noise % 64)
        }
        _ => INTEGERS[usize::from(value) % INTEGERS.len()],
    }
}

fn float_32(value: u8, noise: u8) -> u32 {
    let index = usize::from(value) % (FLOATS.len() + BITS_32.len());
    match (value, FLOATS.get(index)) {
        (ANY.., _) => scattered(u64::from(value) << 8 | u64::from(noise)) as u32,
        (_, Some(float)) => (*float as f32).to_bits(),
        _ => BITS_32[index - FLOATS.len()],
    }
}

fn float_64(value: u8, noise: u8) -> u64 {
    let index = usize::from(value) % (FLOATS.len() + BITS_64.len());
    match (value, FLOATS.get(index)) {
        (ANY.., _) => scattered(u64::from(value) << 8 | u64::from(noise)),
        (_, Some(float)) => float.to_bits(),
        _ => BITS_64[index - FLOATS.len()],
    }
}

/// Lanes of one width, each an interesting number of that width.
fn vector(value: u8, noise: u8) -> u128 {
    // Which width, and how different the lanes are.
    let step = noise / 8;
    let lanes = |bits: u32, number: &dyn Fn(u8) -> u64| {
        (0..128 / bits).fold(0u128, |vector, lane| {
            let which = value.wrapping_add(step.wrapping_mul(lane as u8));
            let number = u128::from(number(which)) & (u128::MAX >> (128 - bits));
            vector | number << (lane * bits)
        })
    };
    let number = |which: u8| integer(which, noise).cast_unsigned();
    match noise % 8 {
        0 => lanes(8, &number),
        1 => lanes(16, &number),
        2 | 3 => lanes(32, &number),
        4 => lanes(64, &number),
        5 => lanes(32, &|which| float_32(which, noise).into()),
        6 => lanes(64, &|which| float_64(which, noise)),
        _ => lanes(8, &|which| scattered(which.into())),
    }
}

impl Number {
    /// The number of a type that an operand's bytes stand for. `before` is the number of the operand before it.
    pub(super) fn of(ty: ValType, value: u8, noise: u8, before: Option<Number>) -> Number {
        if (LIKE_BEFORE..ANY).contains(&value)
            && let Some(before) = before.filter(|before| before.ty() == ty)
        {
            return before.beside(value);
        }
        match ty {
            ValType::I64 => Number::I64(integer(value, noise)),
            ValType::F32 => Number::F32(float_32(value, noise)),
            ValType::F64 => Number::F64(float_64(value, noise)),
            ValType::V128 => Number::V128(vector(value, noise)),
            _ => Number::I32(integer(value, noise) as i32),
        }
    }

    /// A count for a shift or a rotation.
    pub(super) fn count(ty: ValType, value: u8) -> Number {
        let count = COUNTS[usize::from(value) % COUNTS.len()];
        match ty {
            ValType::I64 => Number::I64(count),
            _ => Number::I32(count as i32),
        }
    }

    /// A half of a wide number.
    pub(super) fn half(value: u8) -> Number {
        Number::I64(HALVES[usize::from(value) % HALVES.len()])
    }

    /// An address or an index of this type, cut off if it is too large for it.
    pub(super) fn address(ty: ValType, address: u64) -> Number {
        match ty {
            ValType::I64 => Number::I64(address.cast_signed()),
            _ => Number::I32(address as i32),
        }
    }

    pub(super) fn ty(self) -> ValType {
        match self {
            Number::I32(_) => ValType::I32,
            Number::I64(_) => ValType::I64,
            Number::F32(_) => ValType::F32,
            Number::F64(_) => ValType::F64,
            Number::V128(_) => ValType::V128,
        }
    }

    /// The same number, the next, or its opposite.
    fn beside(self, value: u8) -> Number {
        match (self, value % 4) {
            (_, 0 | 1) => self,
            (Number::I32(x), 2) => Number::I32(x.wrapping_add(1)),
            (Number::I32(x), _) => Number::I32(x.wrapping_neg()),
            (Number::I64(x), 2) => Number::I64(x.wrapping_add(1)),
            (Number::I64(x), _) => Number::I64(x.wrapping_neg()),
            (Number::F32(x), 2) => Number::F32(x.wrapping_add(1)),
            (Number::F32(x), _) => Number::F32(x ^ 1 << 31),
            (Number::F64(x), 2) => Number::F64(x.wrapping_add(1)),
            (Number::F64(x), _) => Number::F64(x ^ 1 << 63),
            (Number::V128(x), 2) => Number::V128(x ^ 1 << (value % 128)),
            (Number::V128(x), _) => Number::V128(!x),
        }
    }

    /// The bytes that it has in a memory.
    pub(super) fn to_bytes(self) -> Vec<u8> {
        match self {
            Number::I32(x) => x.to_le_bytes().to_vec(),
            Number::I64(x) => x.to_le_bytes().to_vec(),
            Number::F32(x) => x.to_le_bytes().to_vec(),
            Number::F64(x) => x.to_le_bytes().to_vec(),
            Number::V128(x) => x.to_le_bytes().to_vec(),
        }
    }
}
