//! The dispatch loop: the one place where instructions are fetched and executed.

use std::sync::Arc;

use super::ops::{HANDLERS, MACHINE_HANDLERS};
use super::{Pc, RELOAD, STOP, Slots};
use crate::code::Instr;
use crate::config::Dispatch;
use crate::error::Exhausted;
use crate::machine::{Machine, Stop};

/// A way to execute one instruction.
trait Dispatcher {
    fn execute(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc;
}

struct Table;

impl Dispatcher for Table {
    #[inline(always)]
    fn execute(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
        HANDLERS[i.op as usize](m, f, i, pc)
    }
}

struct Match;

impl Dispatcher for Match {
    #[inline(always)]
    fn execute(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
        super::ops::execute(m, f, i, pc)
    }
}

/// The table, which also counts and remembers.
struct Observed;

impl Dispatcher for Observed {
    #[inline(always)]
    fn execute(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
        if !m.observe(pc) {
            m.stop = Stop::Exhausted(Exhausted::Instructions);
            return STOP;
        }
        HANDLERS[i.op as usize](m, f, i, pc)
    }
}

impl Machine {
    /// Executes until there is a reason to stop.
    pub fn execute(&mut self) -> Stop {
        if self.coverage || self.fuel.is_some() {
            self.run_loop::<Observed>()
        } else {
            match self.dispatch {
                Dispatch::Table => self.run_loop::<Table>(),
                Dispatch::Match => self.run_loop::<Match>(),
            }
        }
    }

    fn run_loop<D: Dispatcher>(&mut self) -> Stop {
        let mut code = self.instrs.clone();
        loop {
            if !Arc::ptr_eq(&code, &self.instrs) {
                code = self.instrs.clone();
            }
            let mut values = std::mem::take(&mut self.values);
            self.swap_memory();
            let mut frame = &mut values[self.fp..];
            let mut pc = self.pc;
            let (answer, instr) = loop {
                let instr = &code[pc];
                let next = D::execute(self, frame, instr, pc);
                if next < code.len() {
                    pc = next;
                } else if next == RELOAD {
                    frame = &mut values[self.fp..];
                    pc = self.pc;
                } else {
                    break (next, *instr);
                }
            };
            self.pc = pc + 1;
            self.values = values;
            self.swap_memory();
            if answer == STOP {
                return self.stop;
            }
            if let Err(stop) = MACHINE_HANDLERS[instr.op as usize](self, instr) {
                return stop;
            }
        }
    }

    /// Moves memory 0's bytes to where loads and stores look for them, or back.
    fn swap_memory(&mut self) {
        if let Some(memory) = self.memories.get_mut(self.memory0 as usize) {
            std::mem::swap(&mut memory.bytes, &mut self.memory);
        }
    }

    /// Remembers that an instruction is executed, and counts it; false if it must not be.
    fn observe(&mut self, pc: Pc) -> bool {
        if let Some(fuel) = &mut self.fuel {
            if *fuel == 0 {
                return false;
            }
            *fuel -= 1;
        }
        if self.coverage {
            let executed = &mut self.instances[self.instance as usize].executed;
            executed[pc / 64] |= 1 << (pc % 64);
        }
        true
    }
}
