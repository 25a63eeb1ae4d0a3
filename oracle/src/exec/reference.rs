//! Reference instructions on functions and on any reference.

use super::Step;
use crate::code::Instr;
use crate::error::TrapKind;
use crate::machine::{Machine, Stop};
use crate::value::{NULL, func_word};

/// `ref.func`: `a` is the function's index.
pub(crate) fn ref_func(m: &mut Machine, i: Instr) -> Step {
    let addr = m.instance().funcs[i.a as usize];
    m.set(i.c, func_word(addr));
    Ok(())
}

/// `ref.is_null`
pub(crate) fn ref_is_null(m: &mut Machine, i: Instr) -> Step {
    let null = m.get(i.a) == NULL;
    m.set(i.c, u64::from(null));
    Ok(())
}

/// `ref.as_non_null`: the reference stays where it is.
pub(crate) fn ref_as_non_null(m: &mut Machine, i: Instr) -> Step {
    if m.get(i.a) == NULL {
        return Err(Stop::Trap(TrapKind::NullReference));
    }
    Ok(())
}
