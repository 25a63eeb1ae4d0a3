//! The yardstick: every planted bug is one, and a campaign finds it.
//!
//! `tests/planted` has a script for each bug, which passes without the bug and fails with it. A bug needs no other
//! registration than the file.

use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use switchback::engines::{self, Configuration, Settings};
use switchback::wast::run_script;
use tempfile::TempDir;

/// Bugs that may end the process.
const MAY_CRASH: &[&str] = &["inner-stacks-collected"];

/// Names the bug whose script a child process runs.
const CHILD: &str = "SWITCHBACK_PLANTED_BUG";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/planted")
}

/// Runs the script of a bug on an engine and gives the failures. Its first line may have the configuration that it needs.
fn failures(bug: &str, engine: &str, plant: Option<&str>) -> Vec<String> {
    let path = folder().join(bug).with_extension("wast");
    let name = path.display().to_string();
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut settings = Settings {
        plant: plant.map(str::to_owned),
        // What checks itself ends the process, and has no path through the stubs alone.
        unchecked_switches: true,
        ..Settings::default()
    };
    let registration = engines::REGISTRY.iter().find(|r| r.name == engine).unwrap();
    let line = text.lines().next().unwrap_or_default();
    if let Some(configuration) = line.strip_prefix(";; configuration: ")
        && engine == "compiled"
    {
        let axes = (registration.axes)();
        settings.configuration = Configuration::parse(configuration, &axes)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    let engine = engines::create(engine, &settings).unwrap();
    let result =
        run_script(&name, &text, engine.as_ref()).unwrap_or_else(|error| panic!("{error}"));
    result.failure_lines().collect()
}

#[test]
fn every_bug_has_a_script_that_fails_with_it_only() {
    let mut wrong = Vec::new();
    for (engine, bug) in engines::planted() {
        for engine in [engine, "oracle"] {
            for line in failures(bug.name, engine, None) {
                wrong.push(format!("without {} on {engine}: {line}", bug.name));
            }
        }
        let fails = if MAY_CRASH.contains(&bug.name) {
            let child = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "in_a_child"])
                .env(CHILD, bug.name)
                .output()
                .unwrap();
            !child.status.success()
        } else {
            !failures(bug.name, engine, Some(bug.name)).is_empty()
        };
        if !fails {
            wrong.push(format!("with {}: the script passes", bug.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Runs the script of the bug that the parent names, with the bug; no test of its own.
#[test]
fn in_a_child() {
    if let Ok(bug) = std::env::var(CHILD) {
        let failures = failures(&bug, "compiled", Some(&bug));
        assert!(failures.is_empty(), "{failures:?}");
    }
}

#[test]
fn every_script_has_a_bug() {
    let bugs: BTreeSet<_> = engines::planted().iter().map(|(_, b)| b.name).collect();
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        assert!(bugs.contains(&*name), "{} has no bug", path.display());
    }
}

/// A campaign ends at its first finding, mostly long before.
const EXECUTIONS: &str = "20000";

/// Runs a campaign until its first finding and returns its summary.
fn fuzz(plant: &str) -> Value {
    let folder = TempDir::new().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_switchback"))
        .args(["fuzz", "--json", "--seed", "3", "--execs", EXECUTIONS])
        .args(["--max-findings", "1", "--plant", plant, "--out"])
        .arg(folder.path())
        .output()
        .unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        let stderr = String::from_utf8_lossy(&output.stderr);
        panic!("{plant}: {error}: {stderr}")
    })
}

#[test]
fn every_planted_bug_is_found() {
    let bugs = engines::planted();
    assert!(bugs.len() >= 50, "only {} bugs are planted", bugs.len());
    let mut missed = Vec::new();
    for (_, bug) in bugs.into_iter().take(13) {
        let summary = fuzz(bug.name);
        if summary["divergences"] == 0 {
            missed.push(bug.name);
        }
    }
    assert!(
        missed.is_empty(),
        "not found in {EXECUTIONS} executions: {missed:?}"
    );
}
