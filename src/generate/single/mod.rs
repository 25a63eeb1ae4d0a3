//! Single instructions: small modules whose calls execute one instruction each.
//!
//! What a program of hundreds of instructions dilutes is found by one instruction on its own, with operands at the limits. An
//! operand comes as a constant (which the compiler may fold), or from a local, a parameter, a memory, a global, a block or a
//! `select` (which it may not). Around the instruction there is nothing, or one stack switch: operands arrive by it, wait on the
//! operand stack while it happens, or the results leave by it (see [`Crossing`]). All results are returned, so they show.
//!
//! What repeats does so a fixed number of times, so there is no fuel.

mod crossing;
mod cx;
mod form;
mod number;
mod object;
mod opcode;
mod operand;
mod special;

pub use crossing::Crossing;
pub use opcode::Opcode;
pub use operand::{Operand, Route};

use super::Features;
use arbitrary::Unstructured;
use cx::Cx;
use serde::{Deserialize, Serialize};
use wasm_encoder::Module;

/// Most calls of a module.
const CALLS: usize = 8;
/// Most operands that are kept of a call; no instruction here has more.
const OPERANDS: usize = 6;

/// The plan of a module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// What the module may use.
    pub features: Features,
    /// The exported functions without parameters, in order.
    pub calls: Vec<Call>,
}

/// One instruction, with its operands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// The instruction.
    pub opcode: Opcode,
    /// Chooses among the immediates and types that it may have.
    pub variant: u8,
    /// Chooses further.
    pub salt: u8,
    /// What it gets, as far as it has operands; those that are missing are zero.
    pub operands: Vec<Operand>,
    /// Which stack switch happens around it.
    pub crossing: Crossing,
}

impl Plan {
    /// Draws a plan: every instruction that the features allow is as likely as every other.
    pub(crate) fn draw(unstructured: &mut Unstructured<'_>, features: &Features) -> Plan {
        let allowed: Vec<Opcode> = allowed(features).collect();
        let mut below = |bound: usize| {
            let drawn = unstructured.int_in_range(0..=bound.max(1) as u32 - 1);
            drawn.unwrap_or(0) as usize
        };
        let calls = CALLS / 2 + below(CALLS / 2 + 1);
        let call = |_| {
            let opcode = allowed[below(allowed.len())];
            let crossing = match features.stack_switching && below(2) == 1 {
                true => Crossing::SWITCHES[below(Crossing::SWITCHES.len())],
                false => Crossing::None,
            };
            let (variant, salt) = (below(256) as u8, below(256) as u8);
            // Where a switch is to matter, something must get past it.
            let routes = match crossing {
                Crossing::None => 0,
                _ => 5,
            };
            let operand = |_| {
                let (value, noise) = (below(256) as u8, below(256) as u8);
                let route = below(Route::ALL.len() + routes);
                let route = Route::ALL.get(route).copied().unwrap_or(Route::Parameter);
                Operand {
                    value,
                    noise,
                    route,
                }
            };
            let operands = (0..OPERANDS).map(operand).collect();
            Call {
                opcode,
                variant,
                salt,
                operands,
                crossing,
            }
        };
        let calls = (0..calls).map(call).collect();
        let mut plan = Plan {
            features: *features,
            calls,
        };
        plan.fix_up(features);
        plan
    }

    /// Makes the plan valid for modules with at most these features, changing as little as possible.
    pub fn fix_up(&mut self, mask: &Features) {
        self.features = self.features.and(*mask);
        let features = self.features;
        self.calls.truncate(CALLS);
        for call in &mut self.calls {
            if !call.opcode.is_allowed(&features) {
                let count = allowed(&features).count();
                let instead = allowed(&features).nth(call.opcode as usize % count);
                call.opcode = instead.unwrap_or(Opcode::Nop);
            }
            if !call.crossing.is_allowed(&features) {
                call.crossing = Crossing::None;
            }
            call.operands.truncate(OPERANDS);
        }
    }

    /// Builds the module.
    pub(crate) fn build(&self) -> Module {
        let mut cx = Cx::new(&self.features);
        for call in &self.calls {
            cx.call(call);
        }
        cx.finish()
    }
}

/// The instructions that may stand in a module with these features.
fn allowed(features: &Features) -> impl Iterator<Item = Opcode> {
    let all = Opcode::ALL.iter().copied();
    all.filter(|opcode| opcode.is_allowed(features))
}

#[cfg(test)]
mod tests;
