//! All engines agree: on random modules, and on every file of the corpus.

mod configurations;

use configurations::{in_all_configurations, in_configuration};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use std::fs;
use std::path::{Path, PathBuf};
use switchback::compare::Verdict;
use switchback::engines::{self, Settings};
use switchback::fuzzing::{CaseRunner, compile, configs, differential};
use switchback::wast::{CONFIGURATION, run_script};

fn runner() -> CaseRunner {
    CaseRunner::new(&Settings::default()).unwrap()
}

/// The same cases in every run.
fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 64,
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn on_any_seed(seed: u64) {
        thread_local!(static RUNNER: CaseRunner = runner());
        let report = RUNNER.with(|runner| runner.run(seed));
        prop_assert_eq!(report.finding, None);
        prop_assert_eq!(report.discard, None);
    }

    /// The body of the fuzz target `differential`, on the bytes that it gets
    /// from a fuzzing engine without a corpus.
    #[test]
    fn on_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        differential(&bytes);
    }

    /// The body of the fuzz target `configs`.
    #[test]
    fn in_any_two_configurations(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        configs(&bytes);
    }

    /// The body of the fuzz target `compile`: a module with some bytes changed is
    /// refused or compiled, and nothing panics.
    #[test]
    fn no_module_is_too_broken_to_refuse(
        seed: u64,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
    ) {
        let config = switchback::generate::Config::default();
        let mut wasm = switchback::generate::generate(seed, &config).wasm;
        for (index, byte) in changes {
            let index = index.index(wasm.len());
            wasm[index] = byte;
        }
        compile(&wasm);
    }
}

#[test]
fn every_file_of_the_corpus() {
    let corpus = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/corpus"));
    let runner = runner();
    let mut failures = Vec::new();
    for path in files(corpus) {
        let name = path.display().to_string();
        let extension = path.extension().and_then(|extension| extension.to_str());
        let result = match extension {
            Some("wasm") => agree(&runner, &fs::read(&path).unwrap()),
            Some("wat") => agree(&runner, &wat::parse_file(&path).unwrap()),
            Some("wast") => pass(&name, &fs::read_to_string(&path).unwrap()),
            _ => Err("is neither .wasm nor .wat nor .wast".to_owned()),
        };
        failures.extend(result.err().map(|error| format!("{name}: {error}")));
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Asserts agreement on a module, with traces and without.
fn agree(runner: &CaseRunner, wasm: &[u8]) -> Result<(), String> {
    for traced in [true, false] {
        let verdict = runner.compare(wasm, traced).verdict;
        if !matches!(verdict, Verdict::Agree { .. }) {
            return Err(format!("{verdict:?}"));
        }
    }
    Ok(())
}

/// Asserts that a script passes on every engine in every configuration, and in those that it names.
fn pass(name: &str, text: &str) -> Result<(), String> {
    let mut all = Vec::new();
    for engine in engines::names() {
        all.extend(in_all_configurations(engine).map_err(|error| error.to_string())?);
    }
    for line in text.lines() {
        let named = line.strip_prefix(CONFIGURATION);
        if let Some((engine, configuration)) = named.and_then(|named| named.split_once(": ")) {
            let engine = in_configuration(engine, configuration);
            all.push((configuration, engine.map_err(|error| error.to_string())?));
        }
    }
    for (configuration, engine) in all {
        let result = run_script(name, text, engine.as_ref()).map_err(|error| error.to_string())?;
        if result.failed > 0 {
            let lines: Vec<_> = result.failure_lines().collect();
            return Err(format!("({configuration}) {}", lines.join("\n")));
        }
    }
    Ok(())
}

/// All files under a folder but those that explain it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_none_or(|e| e != "md" && e != "gitkeep") {
            found.push(path);
        }
    }
    found.sort();
    found
}
