//! Parametric instructions, constants, and the copies that translation puts in where the
//! specification's operand stack would move values.

use super::frame::{get, get_wide, set, set_wide};
use super::{Pc, Slots};
use crate::code::Instr;
use crate::machine::Machine;

/// Writes a constant.
pub(crate) fn const_(_: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    set(f, i.c, i.imm());
    pc + 1
}

/// Copies one slot.
pub(crate) fn copy(_: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    let v = get(f, i.a);
    set(f, i.c, v);
    pc + 1
}

/// Copies a vector.
pub(crate) fn copy_wide(_: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    let v = get_wide(f, i.a);
    set_wide(f, i.c, v);
    pc + 1
}

/// Copies `b` slots that may overlap their destination.
pub(crate) fn copy_span(_: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    let from = i.a as usize;
    f.copy_within(from..from + i.b as usize, i.c as usize);
    pc + 1
}

/// `select`: the first operand is in the result's slot already, `b` is the second one,
/// `a` the condition.
pub(crate) fn select(_: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    if get(f, i.a) as u32 == 0 {
        let v = get(f, i.b);
        set(f, i.c, v);
    }
    pc + 1
}

/// `select` on vectors.
pub(crate) fn select_wide(_: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    if get(f, i.a) as u32 == 0 {
        let v = get_wide(f, i.b);
        set_wide(f, i.c, v);
    }
    pc + 1
}
