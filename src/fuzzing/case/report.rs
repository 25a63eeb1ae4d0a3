//! What one case showed, as campaigns count it.

use super::super::behaviour::{Behaviour, behaviours};
use super::super::crossing::crossings;
use super::super::instruction::{Instruction, is_stack_switching};
use super::super::linkage::{Linkage, linkage};
use super::super::operator;
use super::{CaseRunner, Compared};
use crate::compare::{DiscardReason, Verdict};
use crate::generate::Generator;
use crate::observe::{Digest, Hasher, Run};
use crate::report::text::{Palette, render};
use crate::report::{Report, Signature};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// A duration in nanoseconds.
pub type Nanoseconds = u64;

/// Where the time of a case, or of many, went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stages {
    /// Generating the module.
    pub generate: Nanoseconds,
    /// Compiling it on the engines under test.
    pub compile: Nanoseconds,
    /// Running it on the engines under test.
    pub run: Nanoseconds,
    /// Validating and running it on the reference.
    pub reference: Nanoseconds,
    /// Comparing, counting, hashing.
    pub compare: Nanoseconds,
}

/// What one case showed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CaseReport {
    /// The size of the module in bytes.
    pub size: usize,
    /// The generator of the module or, of a mutant, of what it is a mutant of; `None` if the module carries no plan.
    pub generator: Option<Generator>,
    /// Whether the engines under test recorded a trace.
    pub traced: bool,
    /// The engines' choices on the axes of their configuration, as `engine axis=choice`; `engine.1` and so on, if an engine takes
    /// part more than once.
    pub choices: Vec<String>,
    /// The digest of all observations; `None` if the case did not come so far.
    pub digest: Option<Digest>,
    /// What was found, if anything was.
    pub finding: Option<Finding>,
    /// Why the case was discarded, if it was.
    pub discard: Option<(DiscardReason, String)>,
    /// Whether a limit ended the comparison early.
    pub cut: bool,
    /// Steps of stack switching on the reference.
    pub events: usize,
    /// How often each instruction was executed on the reference.
    pub instructions: BTreeMap<Instruction, u64>,
    /// The instructions of any kind that were executed on the reference, by name.
    pub operators: BTreeSet<String>,
    /// The references that crossed from stack to stack, by way and kind.
    pub crossings: BTreeSet<String>,
    /// What crossed between the two modules of the case on the reference; `None` if it is one.
    pub linkage: Option<Linkage>,
    /// How many calls ended in each way on the reference.
    pub outcomes: BTreeMap<String, u64>,
    /// What the reference showed, for the corpus.
    pub behaviours: BTreeSet<Behaviour>,
    /// Instructions in the leaves: executed, and all; of generated modules.
    pub leaves: (u64, u64),
    /// Where the time went.
    pub stages: Stages,
}

/// Something found by a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What marks it, for grouping.
    pub signature: Signature,
    /// The report as plain text, without the command that reproduces it.
    pub text: String,
}

impl CaseRunner {
    /// The report of a case but for leaves and times.
    pub(super) fn report(&self, wasm: &[u8], traced: bool, compared: &Compared) -> CaseReport {
        let mut report = CaseReport {
            size: wasm.len(),
            generator: Generator::of_module(wasm),
            traced,
            choices: self.lineup.choices(wasm),
            digest: Some(digest(compared)),
            ..CaseReport::default()
        };
        enter(wasm, compared, &mut report);
        count(wasm, &compared.reference, &mut report);
        report
    }
}

/// Where the time since `start`, when the comparison began, went.
pub(super) fn stages(compared: &Compared, start: Instant) -> Stages {
    let mut stages = Stages::default();
    for run in &compared.others {
        stages.compile += nanoseconds(run.timing.compile);
        stages.run += nanoseconds(run.timing.execute);
    }
    let timing = compared.reference.timing;
    stages.reference = nanoseconds(timing.compile + timing.execute);
    let engines = stages.compile + stages.run + stages.reference;
    stages.compare = elapsed(start).saturating_sub(engines);
    stages
}

/// The digest of all observations of a case.
fn digest(compared: &Compared) -> Digest {
    let mut hasher = Hasher::default();
    for run in compared.others.iter().chain([&compared.reference]) {
        hasher.update(&run.observation.digest().to_bytes());
    }
    hasher.digest()
}

/// Enters the verdict.
fn enter(wasm: &[u8], compared: &Compared, report: &mut CaseReport) {
    match &compared.verdict {
        Verdict::Agree { cut } => report.cut = cut.is_some(),
        Verdict::Discard(discard) => {
            let message = format!("{}: {}", discard.engine, discard.message);
            report.discard = Some((discard.reason, message));
        }
        Verdict::Diverge(divergence) => {
            let other = compared.others.last().expect("something diverged");
            let (left, right) = (&other.observation, &compared.reference.observation);
            let explained = Report::new(wasm, left, right, divergence, None)
                .with_opinions(compared.opinions.clone());
            report.finding = Some(Finding {
                signature: explained.signature(),
                text: render(&explained, Palette::plain()),
            });
        }
    }
}

/// Counts what the reference showed.
fn count(wasm: &[u8], reference: &Run, report: &mut CaseReport) {
    report.operators = operator::executed(wasm, &reference.executed);
    report.behaviours = behaviours(&reference.observation);
    let trace = reference.observation.trace.as_deref().unwrap_or_default();
    report.linkage = linkage(wasm, &reference.observation);
    report.crossings = crossings(wasm, trace, &reference.executed);
    for event in reference.observation.trace.iter().flatten() {
        if is_stack_switching(event) {
            report.events += 1;
        }
        if let Some(instruction) = Instruction::of(event, wasm) {
            *report.instructions.entry(instruction).or_default() += 1;
        }
    }
    for call in &reference.observation.calls {
        let name = call.outcome.name().to_owned();
        *report.outcomes.entry(name).or_default() += 1;
    }
}

pub(super) fn elapsed(start: Instant) -> Nanoseconds {
    nanoseconds(start.elapsed())
}

fn nanoseconds(duration: Duration) -> Nanoseconds {
    // 584 years fit.
    duration.as_nanos() as Nanoseconds
}
