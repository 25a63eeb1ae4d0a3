//! What a fuzz target has done, written to a file: a fuzzing engine counts executions, but not what they were good for.

use super::case::CaseReport;
use super::summary::Summary;
use std::cell::RefCell;
use std::path::PathBuf;
use std::time::Instant;
use std::{env, fs, process};

/// The environment variable that names the file.
const VARIABLE: &str = "SWITCHBACK_STATS";

/// After how many cases the file is written again, besides at each that found something.
const EVERY: u64 = 256;

/// Adds up the cases of this process.
pub(super) struct Stats {
    path: PathBuf,
    start: Instant,
    summary: RefCell<Summary>,
}

impl Stats {
    /// If the environment asks for it.
    pub fn asked_for() -> Option<Stats> {
        let stats = Stats::new(env::var_os(VARIABLE)?.into());
        // Told now; and what is left from another run says nothing of this one.
        stats.write();
        Some(stats)
    }

    fn new(path: PathBuf) -> Stats {
        Stats {
            path,
            start: Instant::now(),
            summary: RefCell::new(Summary::new(0)),
        }
    }

    /// Adds a case.
    pub fn add(&self, report: &CaseReport) {
        let mut summary = self.summary.borrow_mut();
        summary.add(report);
        let write = summary.executions.is_multiple_of(EVERY) || report.finding.is_some();
        drop(summary);
        if write {
            self.write();
        }
    }

    fn write(&self) {
        let mut summary = self.summary.borrow_mut();
        summary.finish(self.start.elapsed());
        let json = serde_json::to_string(&*summary).expect("a summary has string keys only");
        if let Err(error) = fs::write(&self.path, json + "\n") {
            // A panic would count as something found in the case.
            eprintln!("error: {VARIABLE}: {}: {error}", self.path.display());
            process::exit(2);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::DiscardReason;

    #[test]
    fn the_file_has_the_share_of_discards() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("stats.json");
        let stats = Stats::new(path.clone());
        for case in 0..EVERY {
            let message = || (DiscardReason::Exhausted, "example".to_owned());
            stats.add(&CaseReport {
                discard: case.is_multiple_of(64).then(message),
                ..CaseReport::default()
            });
        }
        let text = fs::read_to_string(&path).unwrap();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["executions"], EVERY);
        assert_eq!(json["discarded"], 4);
    }
}
