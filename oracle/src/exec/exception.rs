//! Exceptions (specification: "Control Instructions": `throw`, `throw_ref`, `try_table`).
//!
//! `try_table` costs nothing until something is thrown: its handler is found by the place
//! of the instruction that executes, innermost block first, then in the caller's frame, and
//! so on. At a continuation's bottom the search goes on in its resumer, as through a call.

use super::frame::get;
use super::{Pc, Slots, Step};
use crate::code::{Catch, Instr};
use crate::error::{Exhausted, TrapKind};
use crate::machine::{BASE, Machine, Stop};
use crate::trace::EventKind;
use crate::value::{NULL, exn_word, word_exn};

/// `throw`: the values stand from `a` on, `b` is the tag's index.
pub(crate) fn throw(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    m.attempt(pc, |m| {
        let tag = m.instance().tags[i.b as usize];
        let exn = m.allocate_exception(tag, &f[i.a as usize..])?;
        m.record_throw(exn);
        Err(Stop::Throw(exn))
    })
}

/// `throw_ref`
pub(crate) fn throw_ref(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    m.attempt(pc, |m| match get(f, i.a) {
        NULL => Err(Stop::Trap(TrapKind::NullExceptionReference)),
        word => {
            let exn = word_exn(word);
            m.record_throw(exn);
            Err(Stop::Throw(exn))
        }
    })
}

impl Machine {
    /// An exception with the values that `values` begins with.
    pub fn allocate_exception(&mut self, tag: u32, values: &[u64]) -> Result<u32, Stop> {
        let slots = self.tags[tag as usize].param_slots as usize;
        self.before_allocation(Exhausted::Memory, |m| {
            m.heap_slots() + slots as u64 > m.limits.heap_slots
        })?;
        Ok(self.exceptions.add(tag, &values[..slots]))
    }

    fn record_throw(&mut self, exn: u32) {
        if self.tracing {
            let (tag, values) = self.trace_exception(exn);
            self.record_here(EventKind::Throw { tag, values });
        }
    }

    /// Looks for a handler, frame by frame and stack by stack, and goes on there. The dispatch
    /// loop does not run meanwhile.
    pub fn unwind(&mut self, exn: u32) -> Step {
        loop {
            while !self.frames.is_empty() {
                if let Some((clause, catch)) = self.find_catch(exn) {
                    return self.catch(exn, clause, catch);
                }
                let Some(frame) = self.frames.pop() else {
                    break;
                };
                self.depth -= 1;
                if frame.pc == BASE {
                    break;
                }
                self.pc = frame.pc as usize;
                self.fp = frame.fp as usize;
                self.enter_instance(frame.instance);
            }
            let id = self.running();
            let Some(parent) = self.stacks.get(id).parent else {
                return Err(Stop::Threw(exn));
            };
            if self.tracing {
                let tag = self.exceptions.get(exn).tag;
                self.record(EventKind::Unwind { tag });
            }
            self.park();
            self.stacks.release(id);
            self.activate(parent);
            self.chain -= 1;
        }
    }

    /// The innermost matching clause around the executing instruction of this frame: its
    /// index in its `try_table`, and itself.
    fn find_catch(&self, exn: u32) -> Option<(u32, Catch)> {
        let pc = self.pc.checked_sub(1)?;
        let tag = self.exceptions.get(exn).tag;
        let tags = &self.instance().tags;
        let code = self.code();
        let body = code.body_at(pc)?;
        code.tries[body.tries.0 as usize..body.tries.1 as usize]
            .iter()
            .filter(|t| (t.start as usize..t.end as usize).contains(&pc))
            .flat_map(|t| {
                code.catches[t.catches.0 as usize..t.catches.1 as usize]
                    .iter()
                    .zip(0..)
            })
            .find(|(c, _)| c.tag.is_none_or(|x| tags[x as usize] == tag))
            .map(|(c, index)| (index, *c))
    }

    fn catch(&mut self, exn: u32, clause: u32, catch: Catch) -> Step {
        let tag = self.exceptions.get(exn).tag;
        if self.tracing {
            self.record(EventKind::Catch { tag, clause });
        }
        let mut at = self.fp + catch.slot as usize;
        if catch.tag.is_some() {
            let payload = &self.exceptions.get(exn).payload;
            self.values[at..at + payload.len()].copy_from_slice(payload);
            at += payload.len();
        }
        if catch.with_ref {
            self.exceptions.share(exn);
            self.values[at] = exn_word(exn);
        }
        self.exceptions.caught(exn);
        self.pc = catch.target as usize;
        Ok(())
    }
}
