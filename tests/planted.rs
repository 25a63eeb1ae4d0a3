//! The yardstick: every planted bug is found, within a bound on executions.
//!
//! Each campaign runs the command line, so that a bug that crashes the engine is
//! found like any other.

use serde_json::Value;
use std::process::Command;
use switchback::engines;
use tempfile::TempDir;

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
    assert!(bugs.len() >= 10, "only {} bugs are planted", bugs.len());
    let mut missed = Vec::new();
    for (_, bug) in bugs {
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
