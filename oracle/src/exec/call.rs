//! Calls (specification: "Function Calls").
//!
//! The arguments stand in consecutive slots from `a` on; the callee's frame begins there.
//! A tail call finds them moved to its own frame's base.

use super::frame::get;
use super::{Pc, RELOAD, Slots};
use crate::code::Instr;
use crate::error::TrapKind;
use crate::machine::{FuncKind, Machine, Stop};
use crate::value::{NULL, word_func};

/// `call` of one of the module's own functions: `b` is where its code begins.
pub(crate) fn call(m: &mut Machine, _: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    m.push_frame(pc + 1);
    m.fp += i.a as usize;
    m.pc = i.b as usize;
    RELOAD
}

/// `call` of an imported function: `b` is its index.
pub(crate) fn call_import(m: &mut Machine, _: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    let addr = m.instance().funcs[i.b as usize];
    call_address(m, addr, i, pc)
}

/// `call_indirect`: `b` is the site, `c` has the table index.
pub(crate) fn call_indirect(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    match callee_of_table(m, i.b, get(f, i.c)) {
        Ok(addr) => call_address(m, addr, i, pc),
        Err(kind) => m.trap(pc, kind),
    }
}

/// `call_ref`: `c` has the reference.
pub(crate) fn call_ref(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    match callee_of_ref(get(f, i.c)) {
        Ok(addr) => call_address(m, addr, i, pc),
        Err(kind) => m.trap(pc, kind),
    }
}

/// Calls a function by its store address.
#[inline(always)]
fn call_address(m: &mut Machine, addr: u32, i: &Instr, pc: Pc) -> Pc {
    match m.funcs[addr as usize].kind {
        FuncKind::Wasm { instance, body } if instance == m.instance => {
            m.push_frame(pc + 1);
            m.fp += i.a as usize;
            m.pc = m.code().bodies[body as usize].start as usize;
            RELOAD
        }
        _ => call_across(m, addr, i, pc),
    }
}

/// Calls another instance's function or a host function.
#[cold]
fn call_across(m: &mut Machine, addr: u32, i: &Instr, pc: Pc) -> Pc {
    m.change(pc, |m| m.call(addr, m.fp + i.a as usize))
}

/// `return_call`: `b` is the function's index.
pub(crate) fn return_call(m: &mut Machine, _: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    let addr = m.instance().funcs[i.b as usize];
    m.change(pc, |m| m.invoke(addr))
}

/// `return_call_indirect`: as `call_indirect`.
pub(crate) fn return_call_indirect(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    m.change(pc, |m| {
        let addr = callee_of_table(m, i.b, get(f, i.c)).map_err(Stop::Trap)?;
        m.invoke(addr)
    })
}

/// `return_call_ref`: as `call_ref`.
pub(crate) fn return_call_ref(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    m.change(pc, |m| {
        let addr = callee_of_ref(get(f, i.c)).map_err(Stop::Trap)?;
        m.invoke(addr)
    })
}

fn callee_of_ref(word: u64) -> Result<u32, TrapKind> {
    match word {
        NULL => Err(TrapKind::NullFunctionReference),
        word => Ok(word_func(word)),
    }
}

fn callee_of_table(m: &Machine, site: u32, index: u64) -> Result<u32, TrapKind> {
    let instance = m.instance();
    let site = instance.module.code.indirect[site as usize];
    let table = &m.tables[instance.tables[site.table as usize] as usize];
    let element = usize::try_from(index).ok();
    let element = element.and_then(|index| table.elements.get(index));
    let word = *element.ok_or(TrapKind::UndefinedElement)?;
    if word == NULL {
        return Err(TrapKind::UninitializedElement);
    }
    let addr = word_func(word);
    if !m.types.is_sub(m.funcs[addr as usize].ty, site.ty) {
        return Err(TrapKind::IndirectCallTypeMismatch);
    }
    Ok(addr)
}
