//! Control instructions within a function (specification: "Control Instructions").

use super::Step;
use crate::code::Instr;
use crate::error::{Exhausted, TrapKind};
use crate::machine::{Machine, Stop};
use crate::value::NULL;

/// `unreachable`
pub(crate) fn unreachable(_: &mut Machine, _: Instr) -> Step {
    Err(Stop::Trap(TrapKind::Unreachable))
}

/// `nop`; also what stands for a source instruction without code when coverage is on.
pub(crate) fn nop(_: &mut Machine, _: Instr) -> Step {
    Ok(())
}

/// Every function's first instruction: `a` slots of parameters are there, `b` slots of
/// other locals are set to their default value, `c` slots are the whole frame.
pub(crate) fn enter(m: &mut Machine, i: Instr) -> Step {
    if m.depth > m.limits.call_depth {
        return Err(Stop::Exhausted(Exhausted::CallStack));
    }
    m.reserve(m.fp + i.c as usize)?;
    let locals = m.fp + i.a as usize;
    // Zero is the default of every type that has one.
    m.values[locals..locals + i.b as usize].fill(0);
    Ok(())
}

/// `br` to `b`.
pub(crate) fn br(m: &mut Machine, i: Instr) -> Step {
    m.pc = i.b as usize;
    Ok(())
}

/// `br_if` to `b`.
pub(crate) fn br_if(m: &mut Machine, i: Instr) -> Step {
    if m.get(i.a) as u32 != 0 {
        m.pc = i.b as usize;
    }
    Ok(())
}

/// The opposite of `br_if`: `if`, and branches that have to move values first.
pub(crate) fn br_unless(m: &mut Machine, i: Instr) -> Step {
    if m.get(i.a) as u32 == 0 {
        m.pc = i.b as usize;
    }
    Ok(())
}

/// `br_on_null` to `b`.
pub(crate) fn br_on_null(m: &mut Machine, i: Instr) -> Step {
    if m.get(i.a) == NULL {
        m.pc = i.b as usize;
    }
    Ok(())
}

/// `br_on_non_null` to `b`.
pub(crate) fn br_on_non_null(m: &mut Machine, i: Instr) -> Step {
    if m.get(i.a) != NULL {
        m.pc = i.b as usize;
    }
    Ok(())
}

/// `br_table`: `b` is the first of `c` targets, the last one being the default.
pub(crate) fn br_table(m: &mut Machine, i: Instr) -> Step {
    let index = (m.get(i.a) as u32).min(i.c - 1);
    m.pc = m.code().branches[(i.b + index) as usize] as usize;
    Ok(())
}

/// `return`, and the end of a function: the results stand at the frame's base, which is
/// where the caller expects them.
pub(crate) fn return_(m: &mut Machine, _: Instr) -> Step {
    m.return_to_caller()
}
