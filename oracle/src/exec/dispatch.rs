//! The dispatch loop: the one place where instructions are fetched and executed.

use super::ops::HANDLERS;
use crate::error::Exhausted;
use crate::machine::{Machine, Stop};

impl Machine {
    /// Executes until there is a reason to stop.
    pub fn execute(&mut self) -> Stop {
        if self.coverage || self.fuel.is_some() {
            self.execute_observed()
        } else {
            self.execute_plain()
        }
    }

    fn execute_plain(&mut self) -> Stop {
        loop {
            let instr = self.instrs[self.pc];
            self.pc += 1;
            if let Err(stop) = HANDLERS[instr.op as usize](self, instr) {
                return stop;
            }
        }
    }

    /// The same loop, which also counts and remembers.
    fn execute_observed(&mut self) -> Stop {
        loop {
            if let Some(fuel) = &mut self.fuel {
                if *fuel == 0 {
                    return Stop::Exhausted(Exhausted::Instructions);
                }
                *fuel -= 1;
            }
            if self.coverage {
                let executed = &mut self.instances[self.instance as usize].executed;
                executed[self.pc / 64] |= 1 << (self.pc % 64);
            }
            let instr = self.instrs[self.pc];
            self.pc += 1;
            if let Err(stop) = HANDLERS[instr.op as usize](self, instr) {
                return stop;
            }
        }
    }
}
