//! Access to the operands of the current frame.

use super::Slots;

/// An operand.
#[inline(always)]
pub(crate) fn get(f: &Slots, slot: u32) -> u64 {
    f[slot as usize]
}

/// Writes an operand.
#[inline(always)]
pub(crate) fn set(f: &mut Slots, slot: u32, value: u64) {
    f[slot as usize] = value;
}

/// A vector operand: low half, high half.
#[inline(always)]
pub(crate) fn get_wide(f: &Slots, slot: u32) -> [u64; 2] {
    [f[slot as usize], f[slot as usize + 1]]
}

/// Writes a vector operand.
#[inline(always)]
pub(crate) fn set_wide(f: &mut Slots, slot: u32, value: [u64; 2]) {
    f[slot as usize] = value[0];
    f[slot as usize + 1] = value[1];
}
