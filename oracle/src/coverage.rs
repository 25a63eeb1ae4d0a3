//! Which instructions were executed at least once.

use crate::machine::Machine;

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
