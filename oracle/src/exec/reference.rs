//! Reference instructions on functions and on any reference.

use super::frame::{get, set};
use super::{Pc, Slots};
use crate::code::Instr;
use crate::error::TrapKind;
use crate::machine::Machine;
use crate::value::{NULL, func_word};

/// `ref.func`: `a` is the function's index.
pub(crate) fn ref_func(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    let addr = m.instance().funcs[i.a as usize];
    set(f, i.c, func_word(addr));
    pc + 1
}

/// `ref.is_null`
pub(crate) fn ref_is_null(_: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    let null = get(f, i.a) == NULL;
    set(f, i.c, u64::from(null));
    pc + 1
}

/// `ref.as_non_null`: the reference stays where it is.
pub(crate) fn ref_as_non_null(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    if get(f, i.a) == NULL {
        return m.trap(pc, TrapKind::NullReference);
    }
    pc + 1
}
