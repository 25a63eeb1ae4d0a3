//! The operand stack during translation.
//!
//! Every operand has a *home*: the slot at its height. Many operands never go there:
//! `local.get` and constants are only noted, and the instruction that consumes them reads
//! the local's slot. Such an operand goes home when it has to: before its local is
//! written, at the start of a block, as a call's argument, as a branch's value.

use super::FunctionTranslator;
use crate::code::Instr;
use crate::exec::ops::Op;
use crate::types::ValType;

/// Where an operand's value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// At its home.
    Home,
    /// In a local, by the local's slot.
    Local(u32),
    /// Nowhere yet: a constant.
    Const(u64),
}

/// An operand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operand {
    /// Its home.
    pub home: u32,
    /// Whether it is a vector.
    pub wide: bool,
    pub place: Place,
}

/// The operand stack.
#[derive(Debug, Default)]
pub(super) struct Operands {
    list: Vec<Operand>,
    /// Operands that are not at home; they are near the top.
    away: usize,
}

impl Operands {
    pub fn len(&self) -> usize {
        self.list.len()
    }

    fn push(&mut self, operand: Operand) {
        self.away += usize::from(operand.place != Place::Home);
        self.list.push(operand);
    }

    fn pop(&mut self) -> Operand {
        let Some(operand) = self.list.pop() else {
            unreachable!("validated: the operand stack is high enough")
        };
        self.away -= usize::from(operand.place != Place::Home);
        operand
    }
}

impl FunctionTranslator<'_> {
    /// The first slot above all operands.
    pub(super) fn height(&self) -> u32 {
        self.operands
            .list
            .last()
            .map_or(self.local_slots, |o| o.home + if o.wide { 2 } else { 1 })
    }

    fn push_operand(&mut self, wide: bool, place: Place) -> Operand {
        let operand = Operand {
            home: self.height(),
            wide,
            place,
        };
        self.frame_slots = self
            .frame_slots
            .max(operand.home + if wide { 2 } else { 1 });
        self.operands.push(operand);
        operand
    }

    /// Pushes an operand whose value will be written to its home; returns that.
    pub(super) fn push(&mut self, wide: bool) -> u32 {
        self.push_operand(wide, Place::Home).home
    }

    /// Pushes operands of these types, at home.
    pub(super) fn push_types(&mut self, types: &[ValType]) {
        for ty in types {
            self.push(*ty == ValType::V128);
        }
    }

    /// Pushes an operand that is the value of a local.
    pub(super) fn push_local(&mut self, slot: u32, wide: bool) {
        self.push_operand(wide, Place::Local(slot));
    }

    /// Pushes a constant.
    pub(super) fn push_const(&mut self, bits: u64) {
        self.push_operand(false, Place::Const(bits));
    }

    /// Pops an operand as it is.
    pub(super) fn pop_operand(&mut self) -> Operand {
        self.operands.pop()
    }

    /// Pushes an operand that was popped last.
    pub(super) fn push_back(&mut self, operand: Operand) {
        self.operands.push(operand);
    }

    /// Pops an operand and returns the slot to read it from.
    pub(super) fn pop(&mut self) -> u32 {
        let operand = self.operands.pop();
        self.slot_of(operand)
    }

    /// Pops an operand, sends it home, and returns its home.
    pub(super) fn pop_home(&mut self) -> u32 {
        let operand = self.operands.pop();
        self.send_home(operand);
        operand.home
    }

    /// The slot to read an operand from; a constant is written to its home first.
    pub(super) fn slot_of(&mut self, operand: Operand) -> u32 {
        match operand.place {
            Place::Home => operand.home,
            Place::Local(slot) => slot,
            Place::Const(_) => {
                self.send_home(operand);
                operand.home
            }
        }
    }

    fn send_home(&mut self, operand: Operand) {
        self.move_to(operand, operand.home);
    }

    /// Writes an operand's value to a slot, unless it is there.
    pub(super) fn move_to(&mut self, operand: Operand, slot: u32) {
        match operand.place {
            Place::Const(bits) => self.emit_const(bits, slot),
            Place::Home => self.copy(operand.home, slot, operand.wide),
            Place::Local(from) => self.copy(from, slot, operand.wide),
        }
    }

    /// Writes an operand's value to a slot, as the last thing that is done with the operand. If
    /// the last instruction made it, that one writes to the slot instead.
    pub(super) fn deliver(&mut self, operand: Operand, slot: u32) {
        match self.producer {
            Some(at)
                if operand.place == Place::Home
                    && self.code.instrs[at as usize].c == operand.home =>
            {
                self.code.instrs[at as usize].c = slot;
                self.producer = None;
            }
            _ => self.move_to(operand, slot),
        }
    }

    /// Writes a constant to a slot.
    pub(super) fn emit_const(&mut self, bits: u64, slot: u32) {
        self.emit(Instr {
            op: Op::Const,
            d: 0,
            a: bits as u32,
            b: (bits >> 32) as u32,
            c: slot,
        });
    }

    fn copy(&mut self, from: u32, to: u32, wide: bool) {
        if from != to {
            let op = if wide { Op::CopyWide } else { Op::Copy };
            self.emit_abc(op, from, 0, to);
        }
    }

    /// Sends the topmost `count` operands home.
    pub(super) fn flush_top(&mut self, count: usize) {
        let from = self.operands.len() - count;
        self.flush_where(from, |_| true);
    }

    /// Sends all operands home.
    pub(super) fn flush(&mut self) {
        self.flush_where(0, |_| true);
    }

    /// Sends those operands home that are the value of a local about to be written.
    pub(super) fn flush_local(&mut self, slot: u32) {
        self.flush_where(0, |o| o.place == Place::Local(slot));
    }

    /// Whether an operand is noted as this local's value.
    pub(super) fn mentions_local(&self, slot: u32) -> bool {
        let mut away = self.operands.away;
        self.operands
            .list
            .iter()
            .rev()
            .take_while(|o| {
                let more = away > 0;
                away -= usize::from(more && o.place != Place::Home);
                more
            })
            .any(|o| o.place == Place::Local(slot))
    }

    fn flush_where(&mut self, from: usize, wanted: impl Fn(&Operand) -> bool) {
        let mut left = self.operands.away;
        for index in (from..self.operands.len()).rev() {
            if left == 0 {
                break;
            }
            let operand = self.operands.list[index];
            if operand.place == Place::Home {
                continue;
            }
            left -= 1;
            if wanted(&operand) {
                self.send_home(operand);
                self.operands.list[index].place = Place::Home;
                self.operands.away -= 1;
            }
        }
    }

    /// The topmost operands, deepest first.
    pub(super) fn top(&self, count: usize) -> &[Operand] {
        &self.operands.list[self.operands.len() - count..]
    }

    /// Drops operands until `len` are left.
    pub(super) fn truncate(&mut self, len: usize) {
        while self.operands.len() > len {
            self.operands.pop();
        }
    }
}
