//! The yardstick: every planted bug is one, and a campaign finds it.
//!
//! `tests/planted` has a script for each bug, which passes without the bug and fails with it. A bug needs no other
//! registration than the file.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use switchback::engines::{self, Configuration, Settings};
use switchback::wast::run_script;

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
        ..Settings::default()
    };
    if engine == "compiled" {
        let line = text.lines().next().unwrap_or_default();
        let needed = line.strip_prefix(";; configuration: ").unwrap_or_default();
        // What checks itself ends the process, and has no path through the stubs alone.
        let configuration = format!("checks=off,{needed}");
        let axes = (engines::find(engine).unwrap().axes)();
        settings.configuration = Configuration::parse(&configuration, &axes)
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

/// The bugs in the table of `docs/planted-bugs.md`, with the seed of a case that shows each.
fn table() -> BTreeMap<String, Option<u64>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/planted-bugs.md");
    let text = fs::read_to_string(path).unwrap();
    let (_, table) = text.split_once("<!-- switchback planted -->").unwrap();
    let rows = table.trim_start().lines().skip(2);
    let cells = rows.map_while(|row| {
        let row = row.strip_prefix('|')?.trim_end().strip_suffix('|')?;
        Some(row.split('|').map(str::trim).collect::<Vec<_>>())
    });
    cells
        .map(|cells| (cells[0].to_owned(), cells.last().unwrap().parse().ok()))
        .collect()
}

/// Runs cases in a worker, as a campaign does, and says for each whether it shows anything: a difference, the end of the worker,
/// or a limit.
fn noticed(plant: Option<&str>, cases: &[u64]) -> Vec<bool> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchback"));
    command.args(["worker", "--config", "drawn"]);
    if let Some(bug) = plant {
        command.args(["--plant", bug]);
    }
    let mut worker = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let seeds: String = cases.iter().map(|case| format!("{case}\n")).collect();
    // A worker that has died reads nothing.
    let _ = worker.stdin.take().unwrap().write_all(seeds.as_bytes());
    let output = worker.wait_with_output().unwrap();
    let mut answers = str::from_utf8(&output.stdout).unwrap().lines();
    let mut shows = || {
        let Some(answer) = answers.next() else {
            return true;
        };
        let report: Value = serde_json::from_str(answer).unwrap();
        !report["finding"].is_null() || report["cut"] == true
    };
    cases.iter().map(|_| shows()).collect()
}

/// Whether a short campaign notices a bug.
fn found(bug: &str) -> bool {
    let output = Command::new(env!("CARGO_BIN_EXE_switchback"))
        .args(["planted", bug, "--seeds", "1", "--execs", "5000"])
        .args(["--config", "drawn"])
        .output()
        .unwrap();
    output.status.success()
}

/// The table names a case for each bug, so that one execution tells. When the generator has changed, the case may show nothing any
/// more: then a campaign has to.
#[test]
fn every_bug_is_found() {
    let bugs = engines::planted();
    assert!(bugs.len() >= 50, "only {} bugs are planted", bugs.len());
    let table = table();
    let mut wrong = Vec::new();
    let mut cases = Vec::new();
    for (_, bug) in bugs {
        match table.get(bug.name) {
            None => wrong.push(format!(
                "{0} is not in the table: switchback planted {0} --update docs/planted-bugs.md",
                bug.name
            )),
            Some(None) => wrong.push(format!("{} is not found", bug.name)),
            Some(Some(case)) => {
                cases.push(*case);
                if noticed(Some(bug.name), &[*case]) != [true] && !found(bug.name) {
                    wrong.push(format!("{} is not found any more", bug.name));
                }
            }
        }
    }
    // What shows a bug is the bug.
    for (case, shows) in cases.iter().zip(noticed(None, &cases)) {
        if shows {
            wrong.push(format!("case {case} shows something without a bug"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
