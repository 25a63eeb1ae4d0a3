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

/// Copies values to where `to` begins. They are few as a rule.
#[inline(always)]
pub(crate) fn copy(to: &mut [u64], from: &[u64]) {
    match from {
        [] => {}
        [value] => to[0] = *value,
        _ => to[..from.len()].copy_from_slice(from),
    }
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
