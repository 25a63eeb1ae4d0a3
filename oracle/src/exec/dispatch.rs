//! The dispatch loop: the one place where instructions are fetched and executed.

use std::sync::Arc;

use super::ops::{HANDLERS, Op};
use super::{CHANGE, Pc, STOP, Slots};
use crate::code::Instr;
use crate::config::Dispatch;
use crate::error::Exhausted;
use crate::machine::{Machine, Stop};
use crate::stacks::StackId;

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
        if i.op != Op::Check && !m.observe(pc) {
            return m.stop(pc, Stop::Exhausted(Exhausted::Instructions));
        }
        HANDLERS[i.op as usize](m, f, i, pc)
    }
}

impl Machine {
    /// Executes until there is a reason to stop that the caller has to know.
    pub fn execute(&mut self) -> Stop {
        loop {
            let stop = if self.coverage || self.counts.is_some() || self.fuel.is_some() {
                self.run_loop::<Observed>()
            } else {
                match self.dispatch {
                    Dispatch::Table => self.run_loop::<Table>(),
                    Dispatch::Match => self.run_loop::<Match>(),
                }
            };
            let done = match stop {
                Stop::Grow(len) => self.reserve(len).or_else(|_| {
                    self.collect();
                    self.reserve(len)
                }),
                Stop::Collect => {
                    self.collect();
                    self.collected = true;
                    Ok(())
                }
                Stop::Throw(exn) => {
                    if let Err(stop) = self.unwind(exn) {
                        return stop;
                    }
                    continue;
                }
                stop => return stop,
            };
            if let Err(stop) = done {
                return stop;
            }
            // The instruction has done nothing yet: it is executed again, and counts once.
            self.pc -= 1;
            if let Some(counts) = &mut self.counts {
                counts.take_back(self.instance, self.pc, self.trace.len());
            }
            if let Some(fuel) = &mut self.fuel {
                *fuel += 1;
            }
        }
    }

    fn run_loop<D: Dispatcher>(&mut self) -> Stop {
        let mut code = self.instrs.clone();
        let mut held = self.running();
        let mut values = std::mem::take(&mut self.values);
        self.put_memory(true);
        let mut frame = &mut values[self.fp..];
        let mut pc = self.pc;
        loop {
            // Twice, for two jumps by which the next instruction is reached are predicted better
            // than one.
            while let Some(instr) = code.get(pc) {
                pc = D::execute(self, frame, instr, pc);
                let Some(instr) = code.get(pc) else { break };
                pc = D::execute(self, frame, instr, pc);
            }
            if pc == STOP {
                break;
            }
            if pc == CHANGE {
                let running = self.running();
                if running != held {
                    self.stacks.rest(held, values);
                    held = running;
                    values = std::mem::take(&mut self.stacks.get_mut(held).values);
                }
                if !Arc::ptr_eq(&code, &self.instrs) {
                    code = self.instrs.clone();
                }
            }
            frame = &mut values[self.fp..];
            pc = self.pc;
        }
        self.put_memory(false);
        self.settle(held, values);
        self.stop
    }

    /// Puts the running stack's values into the machine, now that the loop is left; `held` is
    /// the stack whose values the loop has.
    pub fn settle(&mut self, held: StackId, values: Vec<u64>) {
        let running = self.running();
        if running == held {
            self.values = values;
        } else {
            self.stacks.rest(held, values);
            self.values = std::mem::take(&mut self.stacks.get_mut(running).values);
        }
    }

    /// Moves memory 0's bytes to where loads and stores look for them, or back.
    pub fn put_memory(&mut self, out: bool) {
        if out != self.memory_out {
            self.memory_out = out;
            self.swap_memory();
        }
    }

    /// Exchanges memory 0's bytes with what is in the other place.
    pub fn swap_memory(&mut self) {
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
        if let Some(counts) = &mut self.counts {
            counts.add(self.instance, pc, self.trace.len());
        }
        true
    }
}
