//! Comparison, tests and casts of references, and `i31` (specification: "Reference
//! Instructions").

use super::frame::{get, set};
use super::{Pc, Slots};
use crate::code::Instr;
use crate::error::TrapKind;
use crate::machine::{Machine, Stop};
use crate::types::{HeapType, RefType};
use crate::value::{AnyWord, NULL, i31_word, word_any, word_func};

impl Machine {
    /// Whether a reference is of a type.
    pub fn ref_has_type(&self, word: u64, ty: RefType) -> bool {
        if word == NULL {
            return ty.nullable;
        }
        let heap = match ty.heap.top() {
            HeapType::Func => HeapType::Concrete(self.funcs[word_func(word) as usize].ty),
            HeapType::Any => match word_any(word) {
                AnyWord::I31(_) => HeapType::I31,
                AnyWord::Object(place) => HeapType::Concrete(self.objects.get(place).ty),
                AnyWord::Host(_) => HeapType::Any,
            },
            top => top,
        };
        self.types.heap_matches(heap, ty.heap)
    }
}

/// `ref.eq`
pub(crate) fn ref_eq(_: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    let same = get(f, i.a) == get(f, i.b);
    set(f, i.c, u64::from(same));
    pc + 1
}

/// `ref.test`: `b` is the type's place.
pub(crate) fn ref_test(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    let ty = m.code().ref_types[i.b as usize];
    let good = m.ref_has_type(get(f, i.a), ty);
    set(f, i.c, u64::from(good));
    pc + 1
}

/// `ref.cast`: `b` is the type's place; the reference stays where it is.
pub(crate) fn ref_cast(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    m.attempt(pc, |m| {
        let ty = m.code().ref_types[i.b as usize];
        if m.ref_has_type(get(f, i.a), ty) {
            Ok(())
        } else {
            Err(Stop::Trap(TrapKind::CastFailure))
        }
    })
}

/// `br_on_cast` to `b`: `c` is the type's place.
pub(crate) fn br_on_cast(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    let ty = m.code().ref_types[i.c as usize];
    if m.ref_has_type(get(f, i.a), ty) {
        i.b as usize
    } else {
        pc + 1
    }
}

/// `br_on_cast_fail` to `b`: `c` is the type's place.
pub(crate) fn br_on_cast_fail(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    let ty = m.code().ref_types[i.c as usize];
    if m.ref_has_type(get(f, i.a), ty) {
        pc + 1
    } else {
        i.b as usize
    }
}

/// `ref.i31`
pub(crate) fn ref_i31(_: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    let word = i31_word(get(f, i.a) as i32);
    set(f, i.c, word);
    pc + 1
}

fn i31(f: &Slots, i: &Instr) -> Result<i32, Stop> {
    match word_any(get(f, i.a)) {
        AnyWord::I31(value) => Ok(value),
        _ => Err(Stop::Trap(TrapKind::NullI31Reference)),
    }
}

/// `i31.get_s`
pub(crate) fn i31_get_s(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    m.attempt(pc, |_| {
        let value = i31(f, i)?;
        set(f, i.c, u64::from(value as u32));
        Ok(())
    })
}

/// `i31.get_u`
pub(crate) fn i31_get_u(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    m.attempt(pc, |_| {
        let value = i31(f, i)?;
        set(f, i.c, u64::from(value as u32 & 0x7fff_ffff));
        Ok(())
    })
}
