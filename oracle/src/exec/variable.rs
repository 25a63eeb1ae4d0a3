//! Variable instructions. Locals are slots of the frame, so that only globals are left.

use super::Step;
use crate::code::Instr;
use crate::machine::Machine;

/// `global.get`: `a` is the global's index.
pub(crate) fn global_get(m: &mut Machine, i: Instr) -> Step {
    let addr = m.instance().globals[i.a as usize];
    let v = m.globals[addr as usize].value[0];
    m.set(i.c, v);
    Ok(())
}

/// `global.set`: `b` is the global's index.
pub(crate) fn global_set(m: &mut Machine, i: Instr) -> Step {
    let addr = m.instance().globals[i.b as usize];
    m.globals[addr as usize].value[0] = m.get(i.a);
    Ok(())
}

/// `global.get` of a vector.
pub(crate) fn global_get_wide(m: &mut Machine, i: Instr) -> Step {
    let addr = m.instance().globals[i.a as usize];
    let v = m.globals[addr as usize].value;
    m.set_wide(i.c, v);
    Ok(())
}

/// `global.set` of a vector.
pub(crate) fn global_set_wide(m: &mut Machine, i: Instr) -> Step {
    let addr = m.instance().globals[i.b as usize];
    m.globals[addr as usize].value = m.get_wide(i.a);
    Ok(())
}
