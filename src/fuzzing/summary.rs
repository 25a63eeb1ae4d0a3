//! What a campaign adds up to.

use super::case::{CaseReport, Stages};
use super::instruction::Instruction;
use super::operator::{ProposalCount, by_proposal};
use crate::compare::DiscardReason;
use crate::generate::Generator;
use crate::observe::{Digest, Hasher};
use crate::report::Signature;
use serde::ser::{Serialize, SerializeStruct, Serializer};
use std::collections::BTreeMap;
use std::time::Duration;

/// The sum of all cases of a campaign.
#[derive(Clone, Default)]
pub struct Summary {
    /// The campaign's seed.
    pub seed: u64,
    /// The number of cases.
    pub executions: u64,
    /// The number of cases that were mutants of others.
    pub mutants: u64,
    /// How many cases, mutants among them, are of each generator. Of modules that carry no plan it is not known.
    pub generators: BTreeMap<Generator, u64>,
    /// The number of cases in the corpus.
    pub corpus: u64,
    /// The number of different behaviours: pairs of consecutive events, and ends of calls, with their circumstances.
    pub behaviours: u64,
    /// How many of them a mutant showed first.
    pub behaviours_by_mutants: u64,
    /// The number of cases with a finding.
    pub divergences: u64,
    /// The number of findings of each signature: likely one bug each.
    pub groups: BTreeMap<Signature, u64>,
    /// The number of discarded cases by reason, with the first message of each.
    pub discards: BTreeMap<DiscardReason, (u64, String)>,
    /// The number of cases whose comparison a limit ended early.
    pub cut: u64,
    /// The number of cases in which the engines under test recorded traces.
    pub traced: u64,
    /// In how many cases each choice on an axis was made, as `engine axis=choice`.
    pub choices: BTreeMap<String, u64>,
    /// For each instruction, how often it was executed.
    pub instructions: BTreeMap<Instruction, Executed>,
    /// For each instruction of any kind, by name, in how many modules it was executed.
    pub operators: BTreeMap<String, u64>,
    /// For each kind of references and each way by which they cross from stack to stack, in how many modules they did.
    pub crossings: BTreeMap<String, u64>,
    /// The cases of two linked modules.
    pub linked: LinkedCases,
    /// For each kind of outcome, how often it was seen.
    pub outcomes: BTreeMap<String, OutcomeCount>,
    /// How much of the leaves was executed.
    pub leaves: LeafCoverage,
    /// The sum of the modules' sizes in bytes.
    pub bytes: u64,
    /// Where the time of all cases went.
    pub stages: Stages,
    /// How long the campaign took.
    pub elapsed: Duration,
    /// How many modules had how many events.
    events: BTreeMap<usize, u64>,
    hasher: Hasher,
}

/// How often an instruction was executed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Executed {
    /// The number of modules in which it was, at least once.
    pub modules_executed: u64,
    /// The number of times.
    pub executed: u64,
}

/// Cases of two linked modules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct LinkedCases {
    /// All of them.
    pub modules: u64,
    /// Those in which code of one module ran in a continuation that code of the other resumed or switched to.
    pub ran_across: u64,
    /// Those in which a suspension by code of one module was handled by a `resume` of the other.
    pub handled_across: u64,
}

/// How often an outcome was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct OutcomeCount {
    /// The number of modules in which it was, at least once.
    pub modules: u64,
    /// The number of calls that ended so.
    pub calls: u64,
}

/// How much of the leaves was executed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct LeafCoverage {
    /// Instructions executed at least once in their case.
    pub executed: u64,
    /// All instructions.
    pub instructions: u64,
}

/// A part of a whole; displays as a percentage.
#[derive(Clone, Copy, Debug)]
pub struct Share(pub u64, pub u64);

impl std::fmt::Display for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.1 {
            0 => f.pad("-"),
            whole => f.pad(&format!("{:.2} %", self.0 as f64 * 100.0 / whole as f64)),
        }
    }
}

impl Summary {
    pub(super) fn new(seed: u64) -> Summary {
        Summary {
            seed,
            ..Summary::default()
        }
    }

    /// Adds the report of the next case.
    pub(super) fn add(&mut self, report: &CaseReport) {
        self.executions += 1;
        if let Some(finding) = &report.finding {
            self.divergences += 1;
            *self.groups.entry(finding.signature.clone()).or_default() += 1;
        }
        if let Some((reason, message)) = &report.discard {
            let first = || (0, message.clone());
            self.discards.entry(*reason).or_insert_with(first).0 += 1;
        }
        if let Some(generator) = report.generator {
            *self.generators.entry(generator).or_default() += 1;
        }
        self.cut += u64::from(report.cut);
        self.traced += u64::from(report.traced);
        for choice in &report.choices {
            *self.choices.entry(choice.clone()).or_default() += 1;
        }
        for (&instruction, &executed) in &report.instructions {
            let sum = self.instructions.entry(instruction).or_default();
            sum.modules_executed += u64::from(executed > 0);
            sum.executed += executed;
        }
        for operator in &report.operators {
            *self.operators.entry(operator.clone()).or_default() += 1;
        }
        for crossing in &report.crossings {
            *self.crossings.entry(crossing.clone()).or_default() += 1;
        }
        if let Some(linkage) = report.linkage {
            self.linked.modules += 1;
            self.linked.ran_across += u64::from(linkage.ran);
            self.linked.handled_across += u64::from(linkage.handled);
        }
        for (outcome, &calls) in &report.outcomes {
            let sum = self.outcomes.entry(outcome.clone()).or_default();
            sum.modules += u64::from(calls > 0);
            sum.calls += calls;
        }
        self.leaves.executed += report.leaves.0;
        self.leaves.instructions += report.leaves.1;
        self.bytes += report.size as u64;
        *self.events.entry(report.events).or_default() += 1;
        let stages = &mut self.stages;
        stages.generate += report.stages.generate;
        stages.compile += report.stages.compile;
        stages.run += report.stages.run;
        stages.reference += report.stages.reference;
        stages.compare += report.stages.compare;
        match &report.digest {
            Some(digest) => self.hasher.update(&digest.to_bytes()),
            // A case that crashed has no observation; its place counts.
            None => self.hasher.update(b"none"),
        }
    }

    pub(super) fn finish(&mut self, elapsed: Duration) {
        self.elapsed = elapsed;
    }

    /// The digest over all observations, in order.
    pub fn digest(&self) -> Digest {
        self.hasher.digest()
    }

    /// The number of discarded cases.
    pub fn discarded(&self) -> u64 {
        self.discards.values().map(|(count, _)| count).sum()
    }

    /// The number of calls.
    pub fn calls(&self) -> u64 {
        self.outcomes.values().map(|outcome| outcome.calls).sum()
    }

    /// The groups of findings as JSON objects.
    fn groups_with_counts(&self) -> Vec<serde_json::Value> {
        let group = |(signature, findings): (&Signature, &u64)| {
            serde_json::json!({
                "kind": signature.kind,
                "engines": signature.engines,
                "at": signature.at,
                "findings": findings,
            })
        };
        self.groups.iter().map(group).collect()
    }

    /// Cases per second of the whole campaign.
    pub fn executions_per_second(&self) -> f64 {
        let seconds = self.elapsed.as_secs_f64();
        if seconds > 0.0 {
            self.executions as f64 / seconds
        } else {
            0.0
        }
    }

    /// The median of the number of stack-switching events in a module; the lower
    /// one of two.
    pub fn events_per_module_median(&self) -> usize {
        let half = self.executions.div_ceil(2);
        let mut seen = 0;
        for (&events, &modules) in &self.events {
            seen += modules;
            if seen >= half {
                return events;
            }
        }
        0
    }

    /// What was executed of each proposal.
    pub fn proposals(&self) -> BTreeMap<&'static str, ProposalCount> {
        by_proposal(&self.operators)
    }

    /// In how many modules references of this kind crossed in this way; see [`WAYS`](super::WAYS) and [`KINDS`](super::KINDS).
    pub fn crossed(&self, way: &str, kind: &str) -> u64 {
        let count = self.crossings.get(&super::crossing::name(way, kind));
        count.copied().unwrap_or(0)
    }

    /// The counts of an instruction.
    pub fn instruction(&self, instruction: Instruction) -> Executed {
        let counts = self.instructions.get(&instruction);
        counts.copied().unwrap_or_default()
    }
}

impl Serialize for Summary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let seconds = |nanoseconds: u64| nanoseconds as f64 / 1e9;
        let stages: BTreeMap<_, _> = [
            ("generate", self.stages.generate),
            ("compile", self.stages.compile),
            ("run", self.stages.run),
            ("reference", self.stages.reference),
            ("compare", self.stages.compare),
        ]
        .map(|(name, nanoseconds)| (name, seconds(nanoseconds)))
        .into();
        let instructions: BTreeMap<_, _> = Instruction::ALL
            .map(|instruction| (instruction, self.instruction(instruction)))
            .into();
        let discards: BTreeMap<_, _> = self
            .discards
            .iter()
            .map(|(reason, (count, example))| {
                let entry = serde_json::json!({"count": count, "example": example});
                (reason, entry)
            })
            .collect();
        let mut object = serializer.serialize_struct("Summary", 26)?;
        object.serialize_field("seed", &self.seed)?;
        object.serialize_field("executions", &self.executions)?;
        object.serialize_field("mutants", &self.mutants)?;
        object.serialize_field("generators", &self.generators)?;
        object.serialize_field("corpus", &self.corpus)?;
        object.serialize_field("behaviours", &self.behaviours)?;
        object.serialize_field("behaviours_by_mutants", &self.behaviours_by_mutants)?;
        object.serialize_field("divergences", &self.divergences)?;
        object.serialize_field("groups", &self.groups_with_counts())?;
        object.serialize_field("discarded", &self.discarded())?;
        object.serialize_field("discards", &discards)?;
        object.serialize_field("cut", &self.cut)?;
        object.serialize_field("traced", &self.traced)?;
        object.serialize_field("choices", &self.choices)?;
        object.serialize_field("executions_per_second", &self.executions_per_second())?;
        object.serialize_field("elapsed_seconds", &self.elapsed.as_secs_f64())?;
        object.serialize_field("stage_seconds", &stages)?;
        object.serialize_field("bytes", &self.bytes)?;
        object.serialize_field("events_per_module_median", &self.events_per_module_median())?;
        object.serialize_field("instructions", &instructions)?;
        object.serialize_field("proposals", &self.proposals())?;
        object.serialize_field("operators", &self.operators)?;
        object.serialize_field("crossings", &self.crossings)?;
        object.serialize_field("linked", &self.linked)?;
        object.serialize_field("outcomes", &self.outcomes)?;
        object.serialize_field("leaves", &self.leaves)?;
        object.serialize_field("digest", &self.digest())?;
        object.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_events(counts: &[usize]) -> Summary {
        let mut summary = Summary::new(0);
        for &events in counts {
            summary.add(&CaseReport {
                events,
                ..CaseReport::default()
            });
        }
        summary
    }

    #[test]
    fn the_median_is_the_lower_middle() {
        assert_eq!(with_events(&[]).events_per_module_median(), 0);
        assert_eq!(with_events(&[9]).events_per_module_median(), 9);
        assert_eq!(with_events(&[50, 1, 7]).events_per_module_median(), 7);
        assert_eq!(with_events(&[50, 1, 7, 8]).events_per_module_median(), 7);
    }

    #[test]
    fn the_json_has_all_seven_instructions_even_if_none_was_executed() {
        let json = serde_json::to_value(with_events(&[1])).unwrap();
        let instructions = json["instructions"].as_object().unwrap();
        assert_eq!(instructions.len(), 7);
        assert_eq!(instructions["resume_throw_ref"]["modules_executed"], 0);
        assert_eq!(json["executions"], 1);
    }
}
