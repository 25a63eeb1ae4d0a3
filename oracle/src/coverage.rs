//! Which instructions were executed at least once, and how often between which events.

use crate::machine::Machine;
use std::collections::HashMap;

/// What was executed of one function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionCoverage {
    /// Module offsets of the instructions executed at least once, in ascending order.
    pub executed: Vec<u32>,
    /// Instructions of the function, those that validation finds unreachable included.
    /// The delimiters `else` and `end` are no instructions.
    pub total: usize,
}

impl FunctionCoverage {
    pub(crate) fn of(machine: &Machine, instance: u32, function: u32) -> Option<Self> {
        if !machine.coverage {
            return None;
        }
        let instance = &machine.instances[instance as usize];
        let module = &instance.module;
        let own = function.checked_sub(module.imported_funcs())?;
        let body = module
            .code
            .bodies
            .get(own as usize)
            .filter(|b| b.function == Some(function))?;
        let executed = body
            .sources
            .iter()
            .filter_map(|&(offset, start)| {
                let start = start? as usize;
                let hit = instance.executed[start / 64] >> (start % 64) & 1 != 0;
                hit.then_some(offset)
            })
            .collect();
        Some(FunctionCoverage {
            executed,
            total: body.sources.len(),
        })
    }
}

/// How often an instruction was executed between one event and the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Executions {
    /// How many events of the trace there were before.
    pub events: usize,
    /// The function's index in the module.
    pub function: u32,
    /// The instruction's offset in the module.
    pub offset: u32,
    /// The number of executions, at least 1.
    pub count: u64,
}

/// Executions of internal instructions, by instance, place, and number of events before.
#[derive(Debug, Default)]
pub(crate) struct Counts(HashMap<(u32, usize, usize), u64>);

impl Counts {
    pub fn add(&mut self, instance: u32, pc: usize, events: usize) {
        *self.0.entry((instance, pc, events)).or_default() += 1;
    }

    /// Undoes the last `add`, for an instruction that is begun again.
    pub fn take_back(&mut self, instance: u32, pc: usize, events: usize) {
        if let Some(count) = self.0.get_mut(&(instance, pc, events)) {
            *count -= 1;
        }
    }
}

impl Executions {
    pub(crate) fn take(machine: &mut Machine, instance: u32) -> Vec<Self> {
        let Some(Counts(counts)) = &mut machine.counts else {
            return Vec::new();
        };
        let code = &machine.instances[instance as usize].module.code;
        // Instructions that were joined begin at the same place.
        let mut sources: HashMap<usize, Vec<(u32, u32)>> = HashMap::new();
        for body in &code.bodies {
            // Initialisers of globals and segments are no functions.
            let Some(function) = body.function else {
                continue;
            };
            for &(offset, start) in &body.sources {
                if let Some(start) = start {
                    let here = sources.entry(start as usize).or_default();
                    here.push((function, offset));
                }
            }
        }
        let own = counts.extract_if(|&(of, _, _), &mut count| of == instance && count > 0);
        let executions = own.flat_map(|((_, pc, events), count)| {
            // What does not begin a source instruction is a part of one.
            let here = sources.get(&pc).into_iter().flatten();
            here.map(move |&(function, offset)| Executions {
                events,
                function,
                offset,
                count,
            })
        });
        let mut executions: Vec<_> = executions.collect();
        executions.sort_unstable();
        executions
    }
}
