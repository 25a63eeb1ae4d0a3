//! One case: generate, run on every engine, compare.

use super::behaviour::{Behaviour, behaviours};
use super::corpus::Origin;
use super::crossing::crossings;
use super::instruction::{Instruction, is_stack_switching};
use super::operator;
use crate::compare::{Discard, DiscardReason, Verdict, compare};
use crate::engines::{
    self, Configuration, Engine, INSTRUCTIONS, Registration, Settings, SetupError,
};
use crate::generate::{self, Features, whole};
use crate::observe::{self, Digest, Hasher, Observation, Outcome, Run};
use crate::report::text::{Palette, render};
use crate::report::{Report, Signature};
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};
use xxhash_rust::xxh3::xxh3_64;

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
    /// Whether the engines under test recorded a trace.
    pub traced: bool,
    /// The engines' choices on the axes of their configuration, as `engine axis=choice`.
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
    features: Features,
    others: Vec<Seat>,
    reference: Box<dyn Engine>,
    plant: Option<String>,
    engines: RefCell<Engines>,
}

/// Engines under test that are set up: by seat, whether they trace, and configuration.
type Engines = HashMap<(usize, How, Configuration), Box<dyn Engine>>;

/// An engine under test.
struct Seat {
    registration: &'static Registration,
    configuration: Choice,
}

/// How the configuration of an engine comes about.
enum Choice {
    /// It is always this.
    Fixed(Configuration),
    /// Each case's bytes decide.
    Drawn,
}

/// How many configurations are drawn in all. Setting up an engine takes as long as a case or two, so that each is to serve many;
/// any two choices on different axes still meet.
const CONFIGURATIONS: u64 = 64;

/// Engines set up at once: more than one engine's drawn configurations, each in every way to run.
const ENGINES: usize = 256;

/// How the engines under test run a case, besides their configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct How {
    traced: bool,
    /// Whether they collect at every switch, so that what a collector misses shows in results and states.
    collecting: bool,
}

impl How {
    /// Half of the modules are collected in when they are not traced; the others switch on the quickest path.
    fn of(wasm: &[u8], traced: bool) -> How {
        How {
            traced,
            collecting: !traced && xxh3_64(wasm).is_multiple_of(2),
        }
    }
}

/// What stands for a configuration that each case draws.
pub const DRAWN: &str = "drawn";

/// A generated case.
struct Case {
    wasm: Vec<u8>,
    /// Offsets of the leaves' instructions, in a module that has leaves.
    leaves: Vec<u32>,
}

/// Generates the case of a seed: a program that switches stacks, if that is among the features, and a whole module by
/// wasm-smith otherwise.
fn generate(seed: u64, features: Features) -> Case {
    if !features.stack_switching {
        return Case {
            wasm: whole::generate(seed, features),
            leaves: Vec::new(),
        };
    }
    let module = generate::generate(seed, &woven(features));
    let leaves = module.leaves().into_iter();
    Case {
        leaves: leaves.flat_map(|leaf| leaf.instructions).collect(),
        wasm: module.wasm,
    }
}

fn woven(features: Features) -> generate::Config {
    generate::Config {
        features,
        ..generate::Config::default()
    }
}

/// Whether the engines under test trace the case of a seed. A bug that tracing
/// hides shows without, so some cases do without.
pub fn is_traced(seed: u64) -> bool {
    !seed.is_multiple_of(4)
}

/// The module of the case that a seed makes for engines with these features.
pub fn case_module(seed: u64, features: Features) -> Vec<u8> {
    generate(seed, features).wasm
}

/// The module that a fuzzing engine's bytes make for engines with these features.
pub(super) fn module_from_bytes(bytes: &[u8], features: Features) -> Vec<u8> {
    if features.stack_switching {
        generate::generate_from_bytes(bytes, &woven(features)).wasm
    } else {
        whole::generate_from_bytes(bytes, features)
    }
}

/// The runs of one module on all engines, and the verdict.
#[derive(Debug)]
pub struct Compared {
    /// The run on the reference.
    pub reference: Run,
    /// The runs on the engines under test, in the order of the registry, up to
    /// the first that diverges; none if the reference ran out of instructions.
    pub others: Vec<Run>,
    /// The verdict on the last of the others, or the first that discards.
    pub verdict: Verdict,
}

/// The number of instructions after which the reference gives a case up. The
/// engines under test cannot be stopped, so they do not run such a case.
pub(crate) const INSTRUCTION_BOUND: u64 = 20_000_000;

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
    /// registry is the reference.
    ///
    /// # Errors
    ///
    /// [`SetupError`], if there are less than two, or one is unknown or refuses the
    /// settings.
    pub fn with_engines(
        names: &[impl AsRef<str>],
        settings: &Settings,
    ) -> Result<CaseRunner, SetupError> {
        let (reference, others) = engines::split_reference(names)?;
        engines::check_plant(settings.plant.as_deref(), names)?;
        let of_reference = Settings {
            trace: true,
            coverage: true,
            instructions: Some(settings.instructions.unwrap_or(INSTRUCTION_BOUND)),
            plant: settings.plant.clone(),
            ..Settings::default()
        };
        let seat = |registration| Seat {
            registration,
            configuration: Choice::Fixed(Configuration::default()),
        };
        let runner = CaseRunner {
            features: engines::features(names)?,
            others: others.into_iter().map(seat).collect(),
            reference: engines::create(reference.name, &of_reference)?,
            plant: settings.plant.clone(),
            engines: RefCell::default(),
        };
        // What does not fit is told now, not at the first case.
        for seat in &runner.others {
            let how = How::of(&[], true);
            let settings = runner.settings(how, &Configuration::default());
            engines::create(seat.registration.name, &settings)?;
        }
        Ok(runner)
    }

    fn settings(&self, how: How, configuration: &Configuration) -> Settings {
        Settings {
            trace: how.traced,
            gc_zeal: u32::from(how.collecting),
            plant: self.plant.clone(),
            configuration: configuration.clone(),
            ..Settings::default()
        }
    }

    /// Sets the configurations of the engines under test that have axes, in their order: as [`Configuration`] displays, or
    /// [`DRAWN`], so that each case's bytes draw one. Engines without one keep their default.
    ///
    /// # Errors
    ///
    /// [`SetupError`], if one is wrong or there are too many.
    pub fn configure(&mut self, configurations: &[impl AsRef<str>]) -> Result<(), SetupError> {
        let seats = self.others.iter_mut();
        let mut seats = seats.filter(|seat| !(seat.registration.axes)().is_empty());
        for text in configurations {
            let seat = seats.next().ok_or(SetupError::TooManyConfigurations)?;
            let engine = seat.registration.name;
            seat.configuration = if text.as_ref() == DRAWN {
                Choice::Drawn
            } else {
                let parsed = Configuration::parse(text.as_ref(), &(seat.registration.axes)());
                let refused = |message| SetupError::Refused { engine, message };
                Choice::Fixed(parsed.map_err(refused)?)
            };
        }
        Ok(())
    }

    /// The configurations of the engines under test in the case of this module.
    pub fn configurations(&self, wasm: &[u8]) -> Vec<(&'static str, Configuration)> {
        let configuration = |(index, seat): (usize, &Seat)| {
            let configuration = match &seat.configuration {
                Choice::Fixed(configuration) => configuration.clone(),
                Choice::Drawn => {
                    let drawn = xxh3_64(wasm) % CONFIGURATIONS;
                    let axes = (seat.registration.axes)();
                    Configuration::draw(&axes, &drawn.to_le_bytes(), index as u64)
                }
            };
            (seat.registration.name, configuration)
        };
        self.others.iter().enumerate().map(configuration).collect()
    }

    /// What all engines can do, and so what the cases use.
    pub fn features(&self) -> Features {
        self.features
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
        self.features = self.features.or(feature.ok_or_else(unknown)?);
        Ok(())
    }

    /// Generates cases without these features. Without stack switching, they are whole modules by wasm-smith.
    pub fn generate_without(&mut self, features: Features) {
        self.features = self.features.except(features);
    }

    /// Runs the case that a seed makes.
    ///
    /// # Panics
    ///
    /// If the generator or an engine does.
    pub fn run(&self, seed: u64) -> CaseReport {
        let start = Instant::now();
        let case = generate(seed, self.features);
        let generate = elapsed(start);

        let start = Instant::now();
        let traced = is_traced(seed);
        let compared = self.compare(&case.wasm, traced);
        let mut report = self.report(&case.wasm, traced, &compared);
        let executed = &compared.reference.executed;
        let hit = |offset: &&u32| executed.binary_search(offset).is_ok();
        report.leaves.0 = case.leaves.iter().filter(hit).count() as u64;
        report.leaves.1 = case.leaves.len() as u64;
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
        let wasm = origin.module(self.features);
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
        observe::observe(self.reference.as_ref(), wasm)
    }

    /// Runs a module on the reference and then on the engines under test, and
    /// compares each of them with it.
    ///
    /// # Panics
    ///
    /// If an engine does.
    pub fn compare(&self, wasm: &[u8], traced: bool) -> Compared {
        let reference = observe::run(self.reference.as_ref(), wasm);
        let mut compared = Compared {
            reference,
            others: Vec::new(),
            verdict: Verdict::Agree { cut: None },
        };
        let reference = &compared.reference.observation;
        if let Some(message) = out_of_instructions(reference) {
            compared.verdict = Verdict::Discard(Discard {
                reason: DiscardReason::Exhausted,
                engine: reference.engine.clone(),
                message,
            });
            return compared;
        }
        let mut engines = self.engines.borrow_mut();
        for (index, (name, configuration)) in self.configurations(wasm).into_iter().enumerate() {
            if engines.len() >= ENGINES {
                engines.clear();
            }
            let how = How::of(wasm, traced);
            let settings = self.settings(how, &configuration);
            let create = || engines::create(name, &settings).expect("an axis has possible choices");
            let key = (index, how, configuration);
            let engine = engines.entry(key).or_insert_with(create);
            let run = observe::run(engine.as_ref(), wasm);
            let verdict = compare(&run.observation, reference);
            compared.others.push(run);
            match (&compared.verdict, verdict) {
                (_, verdict @ Verdict::Diverge(_)) => {
                    compared.verdict = verdict;
                    break;
                }
                (Verdict::Agree { cut: None }, verdict) => compared.verdict = verdict,
                _ => {}
            }
        }
        compared
    }
}

impl CaseRunner {
    /// The report of a case but for leaves and times.
    fn report(&self, wasm: &[u8], traced: bool, compared: &Compared) -> CaseReport {
        let mut choices = Vec::new();
        let mut configured = String::new();
        for (engine, configuration) in self.configurations(wasm) {
            let chosen = configuration.choices();
            choices.extend(chosen.map(|(axis, choice)| format!("{engine} {axis}={choice}")));
            if configuration != Configuration::default() {
                configured += &format!("\nconfiguration of {engine}: {configuration}\n");
            }
        }
        let mut report = CaseReport {
            size: wasm.len(),
            traced,
            choices,
            digest: Some(digest(compared)),
            ..CaseReport::default()
        };
        enter(wasm, compared, &mut report);
        if let Some(finding) = &mut report.finding {
            finding.text += &configured;
        }
        count(wasm, &compared.reference, &mut report);
        report
    }
}

/// The message of the outcome that says that the reference gave up.
fn out_of_instructions(observation: &Observation) -> Option<String> {
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
            let explained = Report::new(wasm, left, right, divergence, None);
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
