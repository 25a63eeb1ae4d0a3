//! Calls (specification: "Function Calls").
//!
//! The arguments stand in consecutive slots from `a` on; the callee's frame begins there.
//! A tail call finds them moved to its own frame's base.

use super::Step;
use crate::code::Instr;
use crate::error::TrapKind;
use crate::machine::{Machine, Stop};
use crate::value::{NULL, word_func};

/// `call` of one of the module's own functions: `b` is its place among them.
pub(crate) fn call(m: &mut Machine, i: Instr) -> Step {
    let entry = m.code().bodies[i.b as usize].start;
    m.push_frame();
    m.fp += i.a as usize;
    m.pc = entry as usize;
    Ok(())
}

/// `call` of an imported function: `b` is its index.
pub(crate) fn call_import(m: &mut Machine, i: Instr) -> Step {
    let addr = m.instance().funcs[i.b as usize];
    m.call(addr, m.fp + i.a as usize)
}

/// `call_indirect`: `b` is the site, `c` has the table index.
pub(crate) fn call_indirect(m: &mut Machine, i: Instr) -> Step {
    let addr = callee_of_table(m, i)?;
    m.call(addr, m.fp + i.a as usize)
}

/// `call_ref`: `c` has the reference.
pub(crate) fn call_ref(m: &mut Machine, i: Instr) -> Step {
    let addr = callee_of_ref(m, i)?;
    m.call(addr, m.fp + i.a as usize)
}

/// `return_call`: `b` is the function's index.
pub(crate) fn return_call(m: &mut Machine, i: Instr) -> Step {
    let addr = m.instance().funcs[i.b as usize];
    m.invoke(addr)
}

/// `return_call_indirect`: as `call_indirect`.
pub(crate) fn return_call_indirect(m: &mut Machine, i: Instr) -> Step {
    let addr = callee_of_table(m, i)?;
    m.invoke(addr)
}

/// `return_call_ref`: as `call_ref`.
pub(crate) fn return_call_ref(m: &mut Machine, i: Instr) -> Step {
    let addr = callee_of_ref(m, i)?;
    m.invoke(addr)
}

fn callee_of_ref(m: &Machine, i: Instr) -> Result<u32, Stop> {
    match m.get(i.c) {
        NULL => Err(Stop::Trap(TrapKind::NullFunctionReference)),
        word => Ok(word_func(word)),
    }
}

fn callee_of_table(m: &Machine, i: Instr) -> Result<u32, Stop> {
    let instance = m.instance();
    let site = instance.module.code.indirect[i.b as usize];
    let table = &m.tables[instance.tables[site.table as usize] as usize];
    let Some(&word) = usize::try_from(m.get(i.c))
        .ok()
        .and_then(|index| table.elements.get(index))
    else {
        return Err(Stop::Trap(TrapKind::UndefinedElement));
    };
    if word == NULL {
        return Err(Stop::Trap(TrapKind::UninitializedElement));
    }
    let addr = word_func(word);
    if !m.types.is_sub(m.funcs[addr as usize].ty, site.ty) {
        return Err(Stop::Trap(TrapKind::IndirectCallTypeMismatch));
    }
    Ok(addr)
}
