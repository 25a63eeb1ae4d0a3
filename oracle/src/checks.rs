//! What the oracle checks about itself, in builds with debug assertions (those of the fuzz
//! targets among them).
//!
//! * *Types and heights.* Where control arrives (a function's beginning and end, a loop's
//!   beginning, a block's end with all branches, handlers and catch clauses that lead there, the
//!   place behind a call or an instruction that switches stacks), translation puts an
//!   [`Op::Check`](crate::exec::ops::Op) with the operand types that the validator has there, by slot.
//!   When it is executed, every slot has to be in the frame and its word has to be of the type.
//!   These instructions do not count in limits and coverage, and nothing is joined across the
//!   places where they stand, so that the other instructions are the same with and without.
//! * *Owners.* Every stack is in one place: waiting for its next use, in a running chain, or in
//!   one continuation.

use crate::code::{Instr, Slot};
use crate::exec::{Pc, Slots};
use crate::heap::Continuation;
use crate::machine::Machine;
use crate::types::{HeapType, RefType, ValType};
use crate::value::{AnyWord, NULL, cont_number, cont_place, exn_place, word_any, word_func};

/// Whether checks are made.
pub(crate) const ON: bool = cfg!(debug_assertions);

/// Where a stack is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// It waits for its next use.
    Nobody,
    /// A running chain.
    Running,
    /// The continuation of this reference.
    Continuation(u64),
}

/// The words of these slots are of their types: `b` is the list's place.
pub(crate) fn check(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    for &Slot { slot, ty } in &m.code().checks[i.b as usize] {
        let slot = slot as usize;
        let words = f.get(slot..slot + ty.slots() as usize);
        let words = words.unwrap_or_else(|| panic!("slot {slot} is not in the frame, at {pc}"));
        assert!(
            m.is_of_type(words[0], ty),
            "{:#x} in slot {slot} is no {ty:?}, at {pc}",
            words[0]
        );
    }
    pc + 1
}

impl Machine {
    /// Whether a word can be a value of a type.
    fn is_of_type(&self, word: u64, ty: ValType) -> bool {
        match ty {
            ValType::I32 | ValType::F32 => word <= u64::from(u32::MAX),
            ValType::I64 | ValType::F64 | ValType::V128 => true,
            ValType::Ref(ty) if word == NULL => ty.nullable,
            ValType::Ref(ty) => self.is_reference(word, ty),
        }
    }

    fn is_reference(&self, word: u64, ty: RefType) -> bool {
        match ty.heap.top() {
            HeapType::Func => {
                word <= self.funcs.len() as u64
                    && word_func(word) < self.funcs.len() as u32
                    && self.ref_has_type(word, ty)
            }
            HeapType::Cont => self.continuations.knows(word),
            HeapType::Exn => exn_place(word).is_some_and(|place| self.exceptions.is_alive(place)),
            HeapType::Any => match word_any(word) {
                AnyWord::Object(place) if !self.objects.is_alive(place) => false,
                _ => self.ref_has_type(word, ty),
            },
            // What an `extern` wraps may be anything of `any`.
            _ => match word_any(word) {
                AnyWord::Object(place) => self.objects.is_alive(place),
                _ => true,
            },
        }
    }

    /// Notes that a continuation's stacks change their place all together.
    #[inline(always)]
    pub fn pass_on(&mut self, cont: &Continuation, from: Owner, to: Owner) {
        if ON {
            self.do_pass_on(cont, from, to);
        }
    }

    fn do_pass_on(&mut self, cont: &Continuation, from: Owner, to: Owner) {
        let mut next = Some(cont.innermost);
        let mut last = cont.innermost;
        for _ in 0..cont.stacks {
            let Some(id) = next else {
                panic!("a continuation's chain ends before its last stack")
            };
            let stack = self.stacks.get_mut(id);
            assert_eq!(stack.owner, from, "a stack is in two places");
            stack.owner = to;
            next = stack.parent;
            last = id;
        }
        assert_eq!(
            last, cont.outermost,
            "a continuation's last stack is another one"
        );
        if to == Owner::Running {
            assert_eq!(
                next, None,
                "a continuation's last stack was resumed by nobody"
            );
        }
    }

    /// Whether the stacks that continuations have are all there, and no others are theirs: to
    /// be called while no Wasm code runs. (Where there are many stacks, it is not looked at.)
    pub fn check_owners(&self) {
        if !ON || self.stacks.count() > 1000 {
            return;
        }
        let owned = self.stacks.count_owned();
        assert_eq!(
            owned,
            self.continuations.stacks(),
            "stacks of continuations are missing, or in no continuation"
        );
    }
}

impl crate::heap::Continuations {
    /// Whether a word is the reference of a continuation that there is or was.
    fn knows(&self, word: u64) -> bool {
        let (_, place) = cont_place(word);
        cont_number(word) < self.numbers() && (place as usize) < self.places()
    }
}

#[cfg(test)]
mod tests;
