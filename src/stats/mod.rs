//! Coverage of meaning: which instructions were executed, how often, and under
//! which circumstances of stack switching.
//!
//! That an instruction was executed says little; that it was executed on a
//! continuation that was suspended before, three handler lists deep, says what a
//! corpus or a generator tests. The reference counts instructions between events
//! of the trace; the events say what the circumstances were; the module's text
//! says what surrounds an instruction.

mod heat;

pub use heat::page;

use crate::engines::{self, Engine, Settings, SetupError};
use crate::fuzzing::{INSTRUCTION_BOUND, crossings};
use crate::observe::stacks::{Context, lives};
use crate::observe::{self, Observation, Outcome};
use crate::report::source;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The circumstances that are told apart. Those with a number of handler lists
/// exclude each other, the others do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Circumstance {
    /// On the stack of a host's entry: no handler list is in force.
    TopLevel,
    /// On a continuation that the entry's stack resumed: under one handler list.
    Handlers1,
    /// On a continuation within a continuation: under two handler lists.
    Handlers2,
    /// Deeper: under three handler lists or more.
    Handlers3OrMore,
    /// On a stack that was suspended before and has been resumed.
    ResumedAgain,
    /// In a call back from a host function.
    InHostCall,
    /// Inside the body of a `try_table` of the same function.
    InTryTable,
}

impl Circumstance {
    /// All of them, in the order of columns.
    pub const ALL: [Circumstance; 7] = [
        Circumstance::TopLevel,
        Circumstance::Handlers1,
        Circumstance::Handlers2,
        Circumstance::Handlers3OrMore,
        Circumstance::ResumedAgain,
        Circumstance::InHostCall,
        Circumstance::InTryTable,
    ];

    /// The heading of its column.
    pub fn heading(self) -> &'static str {
        match self {
            Circumstance::TopLevel => "top level",
            Circumstance::Handlers1 => "1 handler list",
            Circumstance::Handlers2 => "2 handler lists",
            Circumstance::Handlers3OrMore => "3 or more",
            Circumstance::ResumedAgain => "resumed again",
            Circumstance::InHostCall => "in host call",
            Circumstance::InTryTable => "in try_table",
        }
    }

    fn holds(self, context: Context, in_try_table: bool) -> bool {
        match self {
            Circumstance::TopLevel => context.depth <= 1,
            Circumstance::Handlers1 => context.depth == 2,
            Circumstance::Handlers2 => context.depth == 3,
            Circumstance::Handlers3OrMore => context.depth > 3,
            Circumstance::ResumedAgain => context.resumed,
            Circumstance::InHostCall => context.entries > 1,
            Circumstance::InTryTable => in_try_table,
        }
    }
}

/// How often one instruction was executed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The number of modules in which it was, at least once.
    pub modules: u64,
    /// The number of times in all.
    pub executed: u64,
    /// The number of times under each circumstance; those that did not occur are
    /// not there.
    pub under: BTreeMap<Circumstance, u64>,
    /// The number of times in a call, or instantiation, that ended so.
    pub outcomes: BTreeMap<&'static str, u64>,
}

/// What many modules executed.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Statistics {
    /// Modules that ran.
    pub modules: u64,
    /// Modules that did not, with the first reason of each kind.
    pub discarded: BTreeMap<&'static str, (u64, String)>,
    /// For each instruction, by its name in the text format.
    pub instructions: BTreeMap<String, Row>,
    /// For each kind of references and each way by which they cross from stack to stack, in how many modules they did.
    pub crossings: BTreeMap<String, u64>,
}

impl Statistics {
    /// Statistics of nothing; the seven instructions of stack switching are there
    /// from the beginning, so that those that are never executed show.
    pub fn new() -> Statistics {
        let seven = crate::fuzzing::Instruction::ALL;
        let rows = seven.map(|instruction| (instruction.name().to_owned(), Row::default()));
        Statistics {
            instructions: rows.into(),
            ..Statistics::default()
        }
    }

    /// Executions of all instructions.
    pub fn executed(&self) -> u64 {
        self.instructions.values().map(|row| row.executed).sum()
    }

    /// The instructions, those of stack switching first, then by name.
    pub fn rows(&self) -> impl Iterator<Item = (&str, &Row)> {
        let seven = crate::fuzzing::Instruction::ALL.map(|instruction| instruction.name());
        let first = seven.into_iter().filter_map(|name| {
            let row = self.instructions.get(name)?;
            Some((name, row))
        });
        let rest = self.instructions.iter();
        let rest = rest.filter(move |(name, _)| !seven.contains(&name.as_str()));
        first.chain(rest.map(|(name, row)| (name.as_str(), row)))
    }

    /// The ways in which calls ended, as far as any did.
    pub fn outcomes(&self) -> BTreeSet<&'static str> {
        let rows = self.instructions.values();
        rows.flat_map(|row| row.outcomes.keys().copied()).collect()
    }
}

/// The reference, set up to count.
pub struct Counter {
    engine: Box<dyn Engine>,
}

impl Counter {
    /// Sets the reference up.
    ///
    /// # Errors
    ///
    /// [`SetupError`], if it refuses to count.
    pub fn new() -> Result<Counter, SetupError> {
        let settings = Settings {
            trace: true,
            counts: true,
            instructions: Some(INSTRUCTION_BOUND),
            ..Settings::default()
        };
        let (reference, _) = engines::split_reference(&engines::names())?;
        let engine = engines::create(reference.name, &settings)?;
        Ok(Counter { engine })
    }

    /// Runs a module as a case, and adds what it executed. If it could not be
    /// instantiated, the answer is the outcome that says so; a start function that
    /// ends otherwise than by returning is such a case.
    pub fn add(&self, wasm: &[u8], statistics: &mut Statistics) -> Outcome {
        let run = observe::run(self.engine.as_ref(), wasm);
        let observation = &run.observation;
        if !observation.instantiation.is_returned() {
            let outcome = observation.instantiation.clone();
            let first = || (0, outcome.to_string());
            let discarded = &mut statistics.discarded;
            discarded.entry(outcome.name()).or_insert_with(first).0 += 1;
            return outcome;
        }
        statistics.modules += 1;
        let instructions = instructions(wasm);
        let mut here = BTreeSet::new();
        for (part, executions) in parts(observation).into_iter().zip(&run.executions) {
            for execution in executions {
                let Some(instruction) = instructions.get(&execution.offset) else {
                    continue;
                };
                let row = statistics.instructions.entry(instruction.name.clone());
                let row = row.or_default();
                row.executed += execution.count;
                *row.outcomes.entry(part.outcome).or_default() += execution.count;
                let context = part.contexts[execution.events];
                for circumstance in Circumstance::ALL {
                    if circumstance.holds(context, instruction.in_try_table) {
                        *row.under.entry(circumstance).or_default() += execution.count;
                    }
                }
                here.insert(instruction.name.as_str());
            }
        }
        let trace = observation.trace.as_deref().unwrap_or_default();
        let mut executed: Vec<u32> = run.executions.iter().flatten().map(|e| e.offset).collect();
        executed.sort_unstable();
        for crossing in crossings(wasm, trace, &executed) {
            *statistics.crossings.entry(crossing).or_default() += 1;
        }
        for name in here {
            if let Some(row) = statistics.instructions.get_mut(name) {
                row.modules += 1;
            }
        }
        observation.instantiation.clone()
    }
}

/// A part of the run: how it ended, and what held after each of its events.
struct Part {
    outcome: &'static str,
    contexts: Vec<Context>,
}

fn parts(observation: &Observation) -> Vec<Part> {
    let (ranges, outcomes): (Vec<_>, Vec<_>) = observation.parts().unzip();
    let trace = observation.trace.as_deref().unwrap_or_default();
    let contexts = lives(trace, &ranges).contexts;
    let part = |(outcome, contexts): (&Outcome, _)| Part {
        outcome: outcome.name(),
        contexts,
    };
    outcomes.into_iter().zip(contexts).map(part).collect()
}

/// An instruction of a module.
struct Instruction {
    name: String,
    in_try_table: bool,
}

/// The instructions of all functions by their offsets.
fn instructions(wasm: &[u8]) -> HashMap<u32, Instruction> {
    let mut instructions = HashMap::new();
    // For each open block whether it is a `try_table`.
    let mut blocks: Vec<bool> = Vec::new();
    for line in source::lines(wasm).unwrap_or_default() {
        let name = line.text.split_whitespace().next().unwrap_or_default();
        if name.starts_with('(') {
            // A function, or another field of the module.
            blocks.clear();
            continue;
        }
        if name == "end" {
            blocks.pop();
            continue;
        }
        if let Some(offset) = line.offset.and_then(|offset| u32::try_from(offset).ok()) {
            let instruction = Instruction {
                name: name.to_owned(),
                in_try_table: blocks.contains(&true),
            };
            instructions.insert(offset, instruction);
        }
        if matches!(name, "block" | "loop" | "if" | "try_table") {
            blocks.push(name == "try_table");
        }
    }
    instructions
}

#[cfg(test)]
mod tests;
