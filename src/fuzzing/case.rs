//! One case: generate, run on every engine, compare.

use super::behaviour::{Behaviour, behaviours};
use super::corpus::Origin;
use super::crossing::crossings;
use super::instruction::{Instruction, is_stack_switching};
use super::lineup::Lineup;
use super::linkage::{Linkage, linkage};
use super::operator;
use crate::compare::{Discard, DiscardReason, Opinion, Verdict, compare};
use crate::engines::{self, Configuration, INSTRUCTIONS, Pool, Settings, SetupError};
use crate::generate::{self, Features, Generator, Generators, Made, Scope};
use crate::observe::{self, Digest, Hasher, Observation, Outcome, Run};
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

/// The engines and the generator, set up to run cases.
pub struct CaseRunner {
    scope: Scope,
    lineup: Lineup,
    plant: Option<String>,
    /// The number of instructions after which the reference gives a case up.
    instructions: u64,
    engines: Pool,
}

/// Whether the engines under test trace the case of a seed. A bug that tracing
/// hides shows without, so some cases do without.
pub fn is_traced(seed: u64) -> bool {
    !seed.is_multiple_of(4)
}

/// The module of the case that a seed makes.
pub fn case_module(seed: u64, scope: impl Into<Scope>) -> Vec<u8> {
    generate::case(seed, scope.into()).wasm
}

/// The module that a fuzzing engine's bytes make.
pub(super) fn module_from_bytes(bytes: &[u8], scope: Scope) -> Vec<u8> {
    generate::case_from_bytes(bytes, scope).wasm
}

/// The runs of one module on all engines, and the verdict.
#[derive(Debug)]
pub struct Compared {
    /// The run on the reference.
    pub reference: Run,
    /// The runs on the engines under test, in their order, up to the first that
    /// diverges; none if the reference ran out of instructions.
    pub others: Vec<Run>,
    /// The verdict on the last of the others, or the first that discards.
    pub verdict: Verdict,
    /// Where engines diverge, what the engines under test besides the diverging one say to it.
    pub opinions: Vec<Opinion>,
}

/// The number of instructions after which the reference gives a case up. The
/// engines under test cannot be stopped, so they do not run such a case.
pub const INSTRUCTION_BOUND: u64 = 20_000_000;

impl CaseRunner {
    /// Sets up the engines of [`engines::names`]. Of `settings`, only a planted bug
    /// matters here, and a bound on instructions that replaces the usual one: all else is a
    /// case's own choice.
    ///
    /// # Errors
    ///
    /// [`SetupError`], if an engine refuses the settings.
    pub fn new(settings: &Settings) -> Result<CaseRunner, SetupError> {
        CaseRunner::with_engines(&engines::names(), settings)
    }

    /// As [`CaseRunner::new`], with these engines. The one that stands last in the
    /// registry is the reference, the last of them if it is there more than once.
    ///
    /// # Errors
    ///
    /// [`SetupError`], if there are less than two, or one is unknown or refuses the
    /// settings.
    pub fn with_engines(
        names: &[impl AsRef<str>],
        settings: &Settings,
    ) -> Result<CaseRunner, SetupError> {
        CaseRunner::configured(names, &[] as &[&str], settings)
    }

    /// As [`CaseRunner::with_engines`], with configurations for those of the engines that have axes: first those under test in
    /// their order, then the reference. Each is as [`Configuration`] displays, or [`DRAWN`](super::DRAWN), so that each case's
    /// module draws one; so it does for an engine that is given none.
    ///
    /// # Errors
    ///
    /// [`SetupError`], also if a configuration is wrong or there are too many.
    pub fn configured(
        names: &[impl AsRef<str>],
        configurations: &[impl AsRef<str>],
        settings: &Settings,
    ) -> Result<CaseRunner, SetupError> {
        engines::check_plant(settings.plant.as_deref(), names)?;
        let runner = CaseRunner {
            scope: engines::features(names)?.into(),
            lineup: Lineup::new(names, configurations)?,
            plant: settings.plant.clone(),
            instructions: settings.instructions.unwrap_or(INSTRUCTION_BOUND),
            engines: Pool::default(),
        };
        // What does not fit is told now, not at the first case.
        let (under_test, reference) = runner.lineup.split();
        let default = Configuration::default();
        for seat in under_test {
            let settings = runner.settings(true, &default);
            engines::create(seat.registration.name, &settings)?;
        }
        let settings = runner.of_reference(&default);
        runner
            .engines
            .with(reference.registration.name, &settings, |_| ())?;
        Ok(runner)
    }

    fn settings(&self, trace: bool, configuration: &Configuration) -> Settings {
        Settings {
            trace,
            plant: self.plant.clone(),
            configuration: configuration.clone(),
            ..Settings::default()
        }
    }

    fn of_reference(&self, configuration: &Configuration) -> Settings {
        Settings {
            coverage: true,
            instructions: Some(self.instructions),
            ..self.settings(true, configuration)
        }
    }

    /// The configurations that the case of this module draws, in the form in which [`CaseRunner::configured`] takes them: under
    /// them, another module has the same.
    pub fn pinned(&self, wasm: &[u8]) -> Vec<String> {
        self.lineup.pinned(wasm)
    }

    /// What all engines can do, and so what the cases use.
    pub fn features(&self) -> Features {
        self.scope.features
    }

    /// What cases are made with.
    pub fn scope(&self) -> Scope {
        self.scope
    }

    /// Makes cases with these generators.
    pub fn generate_with(&mut self, generators: Generators) {
        self.scope.generators = generators;
    }

    /// Generates cases with a feature although not all engines have it: one that is kept from them because of a known bug
    /// ([`engines::Gap`]).
    ///
    /// # Errors
    ///
    /// [`SetupError`], if no engine has such a bug.
    pub fn generate_despite(&mut self, feature: &str) -> Result<(), SetupError> {
        let unknown = || SetupError::UnknownGap {
            name: feature.to_owned(),
        };
        let gaps = engines::REGISTRY.iter().flat_map(|engine| engine.gaps);
        let known = gaps.into_iter().any(|gap| gap.feature == feature);
        let feature = Features::named(feature).filter(|_| known);
        let features = &mut self.scope.features;
        *features = features.or(feature.ok_or_else(unknown)?);
        Ok(())
    }

    /// Generates cases without these features. Without stack switching, they are whole modules by wasm-smith, and single
    /// instructions.
    pub fn generate_without(&mut self, features: Features) {
        self.scope.features = self.scope.features.except(features);
    }

    /// Runs the case that a seed makes.
    ///
    /// # Panics
    ///
    /// If the generator or an engine does.
    pub fn run(&self, seed: u64) -> CaseReport {
        let start = Instant::now();
        let case: Made = generate::case(seed, self.scope);
        let generate = elapsed(start);

        let start = Instant::now();
        let traced = is_traced(seed);
        let compared = self.compare_ending(&case.wasm, traced);
        let mut report = self.report(&case.wasm, traced, &compared);
        let executed = &compared.reference.executed;
        // Nothing executed: the reference does not record it.
        if !executed.is_empty() {
            let hit = |offset: &&u32| executed.binary_search(offset).is_ok();
            let hits = case.leaves.iter().filter(hit).count();
            report.leaves = (hits as u64, case.leaves.len() as u64);
        }
        report.stages = stages(&compared, start);
        report.stages.generate = generate;
        report
    }

    /// Runs the case of this origin.
    ///
    /// # Panics
    ///
    /// If the generator, the mutator or an engine does.
    pub fn run_origin(&self, origin: &Origin) -> CaseReport {
        let seed = match *origin {
            Origin::Seed(seed) => return self.run(seed),
            Origin::Given { seed, .. } | Origin::Mutant { seed, .. } => seed,
        };
        let start = Instant::now();
        let wasm = origin.module(self.scope);
        let generate = elapsed(start);
        let mut report = self.run_module(&wasm, is_traced(seed));
        report.stages.generate = generate;
        report
    }

    /// Runs a module as a case; `traced` says whether the engines under test
    /// record a trace.
    ///
    /// # Panics
    ///
    /// If an engine does.
    pub fn run_module(&self, wasm: &[u8], traced: bool) -> CaseReport {
        let start = Instant::now();
        let compared = self.compare(wasm, traced);
        let mut report = self.report(wasm, traced, &compared);
        report.stages = stages(&compared, start);
        report
    }

    /// Runs a module on the reference alone.
    ///
    /// # Panics
    ///
    /// If it does.
    pub fn reference(&self, wasm: &[u8]) -> Observation {
        let configurations = self.lineup.configurations(wasm);
        self.run_reference(wasm, &configurations).observation
    }

    fn run_reference(&self, wasm: &[u8], configurations: &[Configuration]) -> Run {
        let (_, seat) = self.lineup.split();
        let configuration = configurations.last().expect("one for each engine");
        let settings = self.of_reference(configuration);
        self.run_on(seat.registration.name, &settings, wasm)
    }

    fn run_on(&self, engine: &str, settings: &Settings, wasm: &[u8]) -> Run {
        let run = |engine: &dyn engines::Engine| observe::run(engine, wasm);
        let run = self.engines.with(engine, settings, run);
        run.expect("an axis has possible choices")
    }

    /// Runs a module on the reference and then on the engines under test, and
    /// compares each of them with it.
    ///
    /// # Panics
    ///
    /// If an engine does.
    pub fn compare(&self, wasm: &[u8], traced: bool) -> Compared {
        if let Some(pilot) = self.endless(wasm) {
            return pilot;
        }
        self.compare_ending(wasm, traced)
    }

    /// A module from elsewhere may never end. An engine that cannot count instructions is no reference for that, so the last one
    /// of the registry, which can, goes ahead; this is what it shows of a module that it gives up.
    fn endless(&self, wasm: &[u8]) -> Option<Compared> {
        let (_, reference) = self.lineup.split();
        let pilot = engines::REGISTRY.last()?;
        if reference.registration.name == pilot.name {
            return None;
        }
        let settings = Settings {
            instructions: Some(self.instructions),
            ..Settings::default()
        };
        let reference = self.run_on(pilot.name, &settings, wasm);
        let discard = given_up(&reference.observation)?;
        Some(Compared {
            reference,
            others: Vec::new(),
            verdict: Verdict::Discard(discard),
            opinions: Vec::new(),
        })
    }

    /// Compares, given that the module ends or the reference gives it up.
    fn compare_ending(&self, wasm: &[u8], traced: bool) -> Compared {
        let configurations = self.lineup.configurations(wasm);
        let mut compared = Compared {
            reference: self.run_reference(wasm, &configurations),
            others: Vec::new(),
            verdict: Verdict::Agree { cut: None },
            opinions: Vec::new(),
        };
        let reference = &compared.reference.observation;
        if let Some(discard) = given_up(reference) {
            compared.verdict = Verdict::Discard(discard);
            return compared;
        }
        let (under_test, _) = self.lineup.split();
        let mut diverging: Option<usize> = None;
        for (seat, configuration) in under_test.iter().zip(&configurations) {
            let settings = self.settings(traced, configuration);
            let run = self.run_on(seat.registration.name, &settings, wasm);
            if let Some(diverging) = diverging {
                let left = &compared.others[diverging].observation;
                let opinion = Opinion::of(&run.observation, left, reference);
                compared.opinions.push(opinion);
                continue;
            }
            let verdict = compare(&run.observation, reference);
            compared.others.push(run);
            match (&compared.verdict, verdict) {
                (_, Verdict::Diverge(mut divergence)) => {
                    let of_reference = configurations.last().expect("one for each engine");
                    divergence.configurations = [configuration.clone(), of_reference.clone()];
                    compared.verdict = Verdict::Diverge(divergence);
                    diverging = Some(compared.others.len() - 1);
                }
                (Verdict::Agree { cut: None }, verdict) => compared.verdict = verdict,
                _ => {}
            }
        }
        if let Some((left, earlier)) = diverging.and_then(|_| compared.others.split_last()) {
            let opinion = |run: &Run| Opinion::of(&run.observation, &left.observation, reference);
            let earlier = earlier.iter().map(opinion);
            compared.opinions.splice(0..0, earlier.collect::<Vec<_>>());
        }
        compared
    }
}

/// Why there is nothing to compare with, if the engine gave the case up.
fn given_up(observation: &Observation) -> Option<Discard> {
    Some(Discard {
        reason: DiscardReason::Exhausted,
        engine: observation.engine.clone(),
        message: out_of_instructions(observation)?,
    })
}

impl CaseRunner {
    /// The report of a case but for leaves and times.
    fn report(&self, wasm: &[u8], traced: bool, compared: &Compared) -> CaseReport {
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

/// The message of the outcome that says that the reference gave up.
pub fn out_of_instructions(observation: &Observation) -> Option<String> {
    let calls = observation.calls.iter().map(|call| &call.outcome);
    [&observation.instantiation]
        .into_iter()
        .chain(calls)
        .find(|outcome| matches!(outcome, Outcome::Exhausted { what } if what == INSTRUCTIONS))
        .map(|outcome| outcome.to_string())
}

/// Where the time since `start`, when the comparison began, went.
fn stages(compared: &Compared, start: Instant) -> Stages {
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

fn elapsed(start: Instant) -> Nanoseconds {
    nanoseconds(start.elapsed())
}

fn nanoseconds(duration: Duration) -> Nanoseconds {
    // 584 years fit.
    duration.as_nanos() as Nanoseconds
}
