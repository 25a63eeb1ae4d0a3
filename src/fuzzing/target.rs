//! The bodies of the fuzz targets.

use super::case::{CaseRunner, module_from_bytes};
use super::stats::Stats;
use crate::engines::{self, Configuration, Engine, Interface, Pool, Settings, standard_host};
use crate::generate::Features;
use crate::mutate::Mutator;
use crate::observe::{Outcome, observe};
use std::cell::OnceCell;
use std::thread::LocalKey;

thread_local! {
    // The engines, set up once: a fuzzing engine calls the body very often.
    static DEFAULT: OnceCell<CaseRunner> = const { OnceCell::new() };
    static CONFIGS: OnceCell<CaseRunner> = const { OnceCell::new() };
    static WASMI: OnceCell<CaseRunner> = const { OnceCell::new() };
    #[cfg(feature = "wasmtime")]
    static WASMTIME: OnceCell<CaseRunner> = const { OnceCell::new() };
    static ENGINES: Pool = Pool::default();
    static STATS: Option<Stats> = Stats::asked_for();
    static ORACLE: OnceCell<Box<dyn Engine>> = const { OnceCell::new() };
}

/// The custom mutator of targets that take modules: writes a mutation of the first `size` bytes of `data` there, and returns its
/// length. Where none is found, a module stays as it is. For other bytes the answer is `None` then: libFuzzer begins with a bound of
/// a few bytes if its corpus is empty, in which no module has room, and its own mutations of the generator's bytes serve meanwhile.
///
/// # Panics
///
/// If the mutator does, or `size` or `max_size` is more than `data` has.
pub fn mutate(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> Option<usize> {
    let mutator = Mutator::new(features());
    match mutator.mutate(&data[..size], seed.into(), max_size) {
        Some(mutant) => {
            data[..mutant.len()].copy_from_slice(&mutant);
            Some(mutant.len())
        }
        None => data[..size]
            .starts_with(b"\0asm")
            .then_some(size.min(max_size)),
    }
}

/// The custom crossover of targets that take modules: writes to `out` what `left` becomes with parts of `right`, and returns its
/// length; 0 if nothing is found that fits.
///
/// # Panics
///
/// If the mutator does.
pub fn cross_over(left: &[u8], right: &[u8], out: &mut [u8], seed: u32) -> usize {
    let mutator = Mutator::new(features());
    match mutator.cross_over(left, right, seed.into(), out.len()) {
        Some(mutant) => {
            out[..mutant.len()].copy_from_slice(&mutant);
            mutant.len()
        }
        None => 0,
    }
}

/// What cases for the default engines use.
fn features() -> Features {
    engines::features(&engines::names()).expect("the names are the registry's own")
}

/// Instructions after which a target gives a module up: fewer than elsewhere, because mutants of modules that have no plan may
/// never end, and with AddressSanitizer all instructions and events cost many times as much.
const INSTRUCTION_BOUND: u64 = 1_000_000;

/// Runs a case on the default engines. Bytes that are a module are that case; all
/// others are what the generator makes a module of. The engines' configurations are
/// drawn from the module. Returns whether they could be compared: what could not is nothing to make mutants of.
///
/// # Panics
///
/// With the report, if the engines differ; and if an engine panics.
pub fn differential(bytes: &[u8]) -> bool {
    compared(&DEFAULT, &engines::names(), bytes)
}

/// As [`differential`], on two configurations of the compiling engine.
///
/// # Panics
///
/// With the report, if they differ; and if the engine panics.
pub fn configs(bytes: &[u8]) -> bool {
    compared(&CONFIGS, &["compiled", "compiled"], bytes)
}

/// As [`differential`], on the oracle and wasmi, with modules of all that wasmi can do.
///
/// # Panics
///
/// With the report, if the engines differ; and if an engine panics.
pub fn wasmi(bytes: &[u8]) -> bool {
    compared(&WASMI, &["oracle", "wasmi"], bytes)
}

/// As [`differential`], on the compiling engine, Wasmtime and the oracle, with modules of all that Wasmtime can do.
///
/// # Panics
///
/// With the report, if the engines differ; and if an engine panics.
#[cfg(feature = "wasmtime")]
pub fn wasmtime(bytes: &[u8]) -> bool {
    compared(&WASMTIME, &["compiled", "wasmtime", "oracle"], bytes)
}

fn compared(
    runner: &'static LocalKey<OnceCell<CaseRunner>>,
    names: &[&'static str],
    bytes: &[u8],
) -> bool {
    runner.with(|runner| {
        let runner = runner.get_or_init(|| {
            let settings = Settings {
                instructions: Some(INSTRUCTION_BOUND),
                ..Settings::default()
            };
            CaseRunner::with_engines(names, &settings)
                .expect("the default settings fit every engine")
        });
        let report = if bytes.starts_with(b"\0asm") {
            runner.run_module(bytes, traced(bytes))
        } else {
            runner.run_module(&module_from_bytes(bytes, runner.scope()), traced(bytes))
        };
        STATS.with(|stats| stats.iter().for_each(|stats| stats.add(&report)));
        if let Some(finding) = report.finding {
            panic!("{}", finding.text);
        }
        report.discard.is_none()
    })
}

/// Whether the engines under test record a trace: mostly, by the last byte.
fn traced(bytes: &[u8]) -> bool {
    bytes.last().is_none_or(|byte| !byte.is_multiple_of(4))
}

/// Runs a valid module on the oracle: one with any proposals that it knows but stack switching, or a program that switches
/// stacks, as the first byte decides.
///
/// # Panics
///
/// If the oracle refuses it, fails by itself, or panics.
pub fn oracle(bytes: &[u8]) {
    let (first, rest) = bytes.split_first().unwrap_or((&0, &[]));
    let features = Features {
        stack_switching: first.is_multiple_of(4),
        ..Features::ALL
    };
    let wasm = module_from_bytes(rest, features.into());
    let outcome = on_oracle(&wasm);
    if let Outcome::Rejected { .. } | Outcome::Unsupported { .. } = outcome {
        panic!("a valid module: {outcome}");
    }
}

/// Runs arbitrary bytes as a module on the oracle, which may refuse them.
///
/// # Panics
///
/// If the oracle fails by itself or panics.
pub fn oracle_bytes(bytes: &[u8]) {
    on_oracle(bytes);
}

/// Runs a module as a case on the oracle and returns how instantiation ended.
fn on_oracle(wasm: &[u8]) -> Outcome {
    ORACLE.with(|engine| {
        let engine = engine.get_or_init(|| {
            let settings = Settings {
                trace: true,
                coverage: true,
                instructions: Some(INSTRUCTION_BOUND),
                ..Settings::default()
            };
            engines::create("oracle", &settings).expect("the oracle takes all settings")
        });
        let observation = observe(engine.as_ref(), wasm);
        let calls = observation.calls.iter().map(|call| &call.outcome);
        for outcome in calls.chain([&observation.instantiation]) {
            if let Outcome::Failed { message } = outcome {
                panic!("oracle: {message}");
            }
        }
        observation.instantiation
    })
}

/// Gives arbitrary bytes to every engine, in the configuration that they draw, as a module: it is validated, compiled
/// and, unless it has a start function (which might not end), instantiated under
/// the standard host.
///
/// # Panics
///
/// If an engine panics, or fails by itself.
pub fn compile(bytes: &[u8]) {
    ENGINES.with(|engines| {
        for name in engines::names() {
            let axes = engines::find(name).map(|engine| (engine.axes)());
            let axes = axes.expect("the name is from the registry");
            let settings = Settings {
                configuration: Configuration::draw(&axes, bytes, 0),
                ..Settings::default()
            };
            engines
                .with(name, &settings, |engine| compile_on(engine, bytes))
                .expect("an axis has possible choices");
        }
    });
}

fn compile_on(engine: &dyn Engine, bytes: &[u8]) {
    let mut session = engine.session();
    let Ok(module) = session.compile(bytes) else {
        return;
    };
    let interface = Interface::read(bytes).expect("a module that an engine accepts can be read");
    if interface.start || interface.check_sizes().is_err() {
        return;
    }
    let bindings = standard_host(&interface.imports);
    if let Err(Outcome::Failed { message }) = session.instantiate(module, &bindings) {
        panic!("{}: {message}", engine.name());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mutation_takes_the_place_of_its_input_and_never_more_room_than_there_is() {
        let input = module_from_bytes(&[7; 900], features().into());
        let mut data = vec![0; input.len().max(8000)];
        let mut changed = 0;
        for seed in 0..50 {
            data[..input.len()].copy_from_slice(&input);
            let max_size = if seed % 2 == 0 {
                data.len()
            } else {
                input.len()
            };
            let size = mutate(&mut data, input.len(), max_size, seed).unwrap();
            assert!(size <= max_size);
            let again = Mutator::new(features()).mutate(&input, seed.into(), max_size);
            match again {
                Some(again) => assert_eq!(data[..size], again),
                None => assert_eq!(data[..size], input),
            }
            changed += u32::from(data[..size] != input);
        }
        assert!(changed > 40, "{changed}");
        // No room for anything: nothing is written.
        assert_eq!(mutate(&mut [1, 2, 3], 3, 3, 9), None);
        assert_eq!(mutate(&mut b"\0asm\x01\0\0\0".to_vec(), 8, 8, 9), Some(8));
        assert_eq!(cross_over(&input, &input, &mut [], 9), 0);
        let size = cross_over(&input, &input, &mut data, 9);
        assert!(size > 0 && data[..size] != input);
    }
}
