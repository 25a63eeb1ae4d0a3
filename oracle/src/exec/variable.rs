//! Variable instructions. Locals are slots of the frame, so that only globals are left.

use super::frame::{get, get_wide, set, set_wide};
use super::{Pc, Slots};
use crate::code::Instr;
use crate::machine::Machine;

/// `global.get`: `a` is the global's index.
pub(crate) fn global_get(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    let addr = m.instance().globals[i.a as usize];
    let v = m.globals[addr as usize].value[0];
    set(f, i.c, v);
    pc + 1
}

/// `global.set`: `b` is the global's index.
pub(crate) fn global_set(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    let addr = m.instance().globals[i.b as usize];
    m.globals[addr as usize].value[0] = get(f, i.a);
    pc + 1
}

/// `global.get` of a vector.
pub(crate) fn global_get_wide(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    let addr = m.instance().globals[i.a as usize];
    let v = m.globals[addr as usize].value;
    set_wide(f, i.c, v);
    pc + 1
}

/// `global.set` of a vector.
pub(crate) fn global_set_wide(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    let addr = m.instance().globals[i.b as usize];
    m.globals[addr as usize].value = get_wide(f, i.a);
    pc + 1
}
