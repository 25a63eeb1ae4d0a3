//! Parametric instructions, constants, and the copies that translation puts in where the
//! specification's operand stack would move values.

use super::Step;
use crate::code::Instr;
use crate::machine::Machine;

/// Writes a constant.
pub(crate) fn const_(m: &mut Machine, i: Instr) -> Step {
    m.set(i.c, i.imm());
    Ok(())
}

/// Copies one slot.
pub(crate) fn copy(m: &mut Machine, i: Instr) -> Step {
    let v = m.get(i.a);
    m.set(i.c, v);
    Ok(())
}

/// Copies a vector.
pub(crate) fn copy_wide(m: &mut Machine, i: Instr) -> Step {
    let v = m.get_wide(i.a);
    m.set_wide(i.c, v);
    Ok(())
}

/// Copies `b` slots that may overlap their destination.
pub(crate) fn copy_span(m: &mut Machine, i: Instr) -> Step {
    let from = m.fp + i.a as usize;
    let to = m.fp + i.c as usize;
    m.values.copy_within(from..from + i.b as usize, to);
    Ok(())
}

/// `select`: the first operand is in the result's slot already, `b` is the second one,
/// `a` the condition.
pub(crate) fn select(m: &mut Machine, i: Instr) -> Step {
    if m.get(i.a) as u32 == 0 {
        let v = m.get(i.b);
        m.set(i.c, v);
    }
    Ok(())
}

/// `select` on vectors.
pub(crate) fn select_wide(m: &mut Machine, i: Instr) -> Step {
    if m.get(i.a) as u32 == 0 {
        let v = m.get_wide(i.b);
        m.set_wide(i.c, v);
    }
    Ok(())
}
