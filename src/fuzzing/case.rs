//! One case: generate, run on every engine, compare.

mod report;

pub use report::{CaseReport, Finding, Nanoseconds, Stages};

use super::corpus::Origin;
use super::lineup::Lineup;
use crate::compare::{Discard, DiscardReason, Opinion, Verdict, compare};
use crate::engines::{self, Configuration, INSTRUCTIONS, Pool, Settings, SetupError};
use crate::generate::{self, Features, Generators, Made, Scope};
use crate::observe::{self, Observation, Outcome, Run};
use report::{elapsed, stages};
use std::time::Instant;

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

/// The message of the outcome that says that the reference gave up.
pub fn out_of_instructions(observation: &Observation) -> Option<String> {
    let calls = observation.calls.iter().map(|call| &call.outcome);
    [&observation.instantiation]
        .into_iter()
        .chain(calls)
        .find(|outcome| matches!(outcome, Outcome::Exhausted { what } if what == INSTRUCTIONS))
        .map(|outcome| outcome.to_string())
}
