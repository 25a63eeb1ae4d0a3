//! What generated modules do when the reference runs them: the shares that make a campaign worth its time.

use super::*;
use crate::engines::{self, Settings};
use crate::fuzzing::{Instruction, crossings};
use crate::observe::{self, EventKind, Outcome};
use std::collections::{BTreeMap, BTreeSet};

/// Sums over the modules of some seeds.
#[derive(Default)]
struct Sums {
    modules: usize,
    /// Modules that executed each instruction.
    executed: BTreeMap<Instruction, usize>,
    /// Modules with an event of each of the [`NAMED`] kinds.
    seen: BTreeMap<&'static str, usize>,
    /// Modules in which references crossed, by way and kind, and those in which an instruction of a proposal was executed.
    crossed: BTreeMap<String, usize>,
    /// Stack-switching steps of each module.
    steps: Vec<usize>,
    /// `cont.new` of each module.
    made: Vec<usize>,
    depth: u32,
    calls: usize,
    trapped: usize,
    exhausted: usize,
    leaf_instructions: usize,
    leaf_executed: usize,
}

/// Kinds of events that no instruction's share shows.
const NAMED: [&str; 6] = [
    "forwarded suspension",
    "forwarded switch",
    "clause other than the first",
    "unhandled suspension",
    "exception out of a continuation",
    "host call",
];

fn named(kind: &EventKind) -> Vec<&'static str> {
    match kind {
        EventKind::Suspend {
            distance, clause, ..
        } => {
            let forwarded = (*distance > 0).then_some(NAMED[0]);
            forwarded
                .into_iter()
                .chain((*clause > 0).then_some(NAMED[2]))
                .collect()
        }
        EventKind::Switch { distance, .. } if *distance > 0 => vec![NAMED[1]],
        EventKind::Unhandled { .. } => vec![NAMED[3]],
        EventKind::Unwind { .. } => vec![NAMED[4]],
        EventKind::HostCall { .. } => vec![NAMED[5]],
        _ => Vec::new(),
    }
}

/// The least share of the modules in which each was seen: in half of the modules there are no objects, and no wide arithmetic
/// and no relaxed vectors in most.
const CROSSED: &[(&str, f64)] = &[
    ("object bound", 10.0),
    ("object resumed with", 15.0),
    ("object suspended with", 20.0),
    ("object switched with", 10.0),
    ("object returned", 10.0),
    ("object thrown", 10.0),
    ("object thrown into", 10.0),
    ("object read from an object", 30.0),
    ("continuation read from an object", 25.0),
    ("continuation emptied in an object", 10.0),
    ("continuation thrown", 2.0),
    ("wide arithmetic", 5.0),
    ("relaxed vectors", 5.0),
];

/// The proposals of [`CROSSED`] of which one of the instructions at these offsets is.
fn proposals(wasm: &[u8], executed: &[u32]) -> BTreeSet<&'static str> {
    let mut proposals = BTreeSet::new();
    for payload in Parser::new(0).parse_all(wasm) {
        let Payload::CodeSectionEntry(body) = payload.unwrap() else {
            continue;
        };
        let operators = body.get_operators_reader().unwrap();
        for (operator, offset) in operators.into_iter_with_offsets().map(Result::unwrap) {
            let name = format!("{operator:?}");
            let wide = ["I64Add128", "I64Sub128", "I64MulWideS", "I64MulWideU"];
            let proposal = if name.contains("Relaxed") {
                "relaxed vectors"
            } else if wide.contains(&name.as_str()) {
                "wide arithmetic"
            } else {
                continue;
            };
            if executed.binary_search(&(offset as u32)).is_ok() {
                proposals.insert(proposal);
            }
        }
    }
    proposals
}

impl Sums {
    fn add(&mut self, module: &Module, run: &observe::Run) {
        self.modules += 1;
        let trace = run.observation.trace.as_deref().unwrap_or_default();
        let mut here = BTreeSet::new();
        let mut seen = BTreeSet::new();
        let (mut steps, mut made) = (0, 0);
        for event in trace {
            if let Some(instruction) = Instruction::of(event, &module.wasm) {
                here.insert(instruction);
                steps += 1;
            }
            seen.extend(named(&event.kind));
            match event.kind {
                EventKind::New { .. } => made += 1,
                EventKind::Resume { depth, .. } => self.depth = self.depth.max(depth),
                _ => {}
            }
        }
        for instruction in here {
            *self.executed.entry(instruction).or_default() += 1;
        }
        for crossing in crossings(&module.wasm, trace, &run.executed) {
            *self.crossed.entry(crossing).or_default() += 1;
        }
        for proposal in proposals(&module.wasm, &run.executed) {
            *self.crossed.entry(proposal.to_owned()).or_default() += 1;
        }
        for name in seen {
            *self.seen.entry(name).or_default() += 1;
        }
        self.steps.push(steps);
        self.made.push(made);
        for call in &run.observation.calls {
            self.calls += 1;
            self.trapped += usize::from(matches!(call.outcome, Outcome::Trapped { .. }));
            self.exhausted += usize::from(matches!(call.outcome, Outcome::Exhausted { .. }));
        }
        for leaf in module.leaves() {
            self.leaf_instructions += leaf.instructions.len();
            let executed = |offset: &&u32| run.executed.binary_search(offset).is_ok();
            self.leaf_executed += leaf.instructions.iter().filter(executed).count();
        }
    }

    fn percent(&self, modules: usize) -> f64 {
        modules as f64 * 100.0 / self.modules as f64
    }
}

#[test]
fn modules_execute_what_they_were_made_for() {
    let settings = Settings {
        trace: true,
        coverage: true,
        ..Settings::default()
    };
    let reference = engines::create("oracle", &settings).unwrap();
    let mut sums = Sums::default();
    for (seed, module) in modules(600) {
        let run = observe::run(reference.as_ref(), &module.wasm);
        let instantiation = &run.observation.instantiation;
        let refused = matches!(
            instantiation,
            Outcome::Rejected { .. } | Outcome::Unlinkable { .. } | Outcome::Unsupported { .. }
        );
        assert!(!refused, "seed {seed}: {instantiation}");
        sums.add(&module, &run);
    }

    for instruction in Instruction::ALL {
        let share = sums.percent(sums.executed.get(&instruction).copied().unwrap_or(0));
        let least = match instruction {
            Instruction::Resume | Instruction::Suspend => 95.0,
            _ => 60.0,
        };
        assert!(
            share >= least,
            "{instruction} executed in {share} % of the modules"
        );
    }
    for (name, least) in NAMED.into_iter().zip([40.0, 10.0, 80.0, 4.0, 80.0, 40.0]) {
        let share = sums.percent(sums.seen.get(name).copied().unwrap_or(0));
        assert!(share >= least, "{name} in {share} % of the modules");
    }
    let crossed = |name: &str| sums.percent(sums.crossed.get(name).copied().unwrap_or(0));
    let rare: Vec<String> = CROSSED
        .iter()
        .filter(|&&(name, least)| crossed(name) < least)
        .map(|(name, least)| {
            format!(
                "{name} in {} % of the modules, {least} wanted",
                crossed(name)
            )
        })
        .collect();
    assert!(rare.is_empty(), "{}\n{:?}", rare.join("\n"), sums.crossed);
    sums.steps.sort_unstable();
    let median = sums.steps[sums.modules / 2];
    assert!(median >= 70, "{median} stack-switching steps in the median");
    let most = sums.made.iter().max().copied().unwrap_or(0);
    assert!(most <= 1500, "{most} continuations made by one module");
    assert!(sums.depth < 200, "{} stacks in one chain", sums.depth);
    assert_eq!(sums.exhausted, 0);
    let trapped = sums.trapped as f64 / sums.calls as f64;
    assert!(
        (0.03..0.15).contains(&trapped),
        "{trapped} of the calls trap"
    );
    let executed = sums.leaf_executed as f64 / sums.leaf_instructions as f64;
    assert!(
        executed >= 0.7,
        "{executed} of the leaves' instructions executed"
    );
}
