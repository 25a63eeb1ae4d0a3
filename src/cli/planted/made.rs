//! A test of a finding of each planted bug.

use super::Arguments;
use crate::cli::isolate::{Ended, run_child};
use crate::cli::lineup::Lineup;
use crate::cli::reduce::Search;
use anyhow::{Context, bail};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use std::ffi::OsString;
use std::time::{Duration, Instant};
use switchback::fuzzing::Found;
use switchback::generate::Scope;

/// The line in front of the table of tests.
pub(super) const MARK: &str = "<!-- switchback planted --regress -->";

/// The heading of that table.
pub(super) const HEADING: &str = "| bug | finding | reduced | seconds | test | lines |";

/// As long as `reduce` lets a candidate run.
const TIMEOUT: Duration = Duration::from_secs(2);

/// A finding that became a test. It fails with the bug and passes without it.
#[derive(Serialize)]
pub(super) struct Made {
    /// The instructions of the finding.
    instructions: usize,
    /// What `reduce` left of them.
    reduced: usize,
    /// How long `reduce` took.
    seconds: f64,
    /// Whether `reduce` came to its end.
    finished: bool,
    /// The instructions of the test's module.
    test: usize,
    /// The lines of the test.
    lines: usize,
}

/// The findings of a bug, as far as they are of use for a test.
pub(super) struct Findings {
    wanted: bool,
    lineup: Lineup,
    time: Duration,
    timeout: Duration,
    scope: Scope,
    /// The module of the first finding that shows the bug alone, in a new process.
    module: Option<Vec<u8>>,
}

impl Findings {
    pub(super) fn new(arguments: &Arguments, lineup: &Lineup, scope: Scope) -> Findings {
        Findings {
            wanted: arguments.regress,
            lineup: lineup.clone(),
            time: arguments.time,
            timeout: arguments.timeout.min(TIMEOUT),
            scope,
            module: None,
        }
    }

    /// Takes a finding; says whether there is no need of more. What shows only because of the cases before it makes no test.
    pub(super) fn suffice(&mut self, found: &Found<'_>) -> bool {
        if self.wanted && self.module.is_none() {
            let module = found.origin.module(self.scope);
            if self
                .search(&module)
                .is_ok_and(|search| search.shows(&module))
            {
                self.module = Some(module);
            }
        }
        !self.wanted || self.module.is_some()
    }

    fn search(&self, wasm: &[u8]) -> anyhow::Result<Search> {
        let mut search = Search {
            lineup: self.lineup.clone(),
            time: self.time,
            timeout: self.timeout,
        };
        search.pin(wasm)?;
        Ok(search)
    }

    /// Makes the test.
    pub(super) fn test(&self) -> Result<Made, String> {
        let Some(module) = &self.module else {
            return Err("no finding".to_owned());
        };
        self.made(module).map_err(|error| format!("{error:#}"))
    }

    fn made(&self, wasm: &[u8]) -> anyhow::Result<Made> {
        let folder = tempfile::tempdir().context("a temporary folder")?;
        let file = folder.path().join("finding.wasm");
        let path = folder.path().join("test.wast");
        let mut search = self.search(wasm)?;
        let start = Instant::now();
        let mut judge = search.judge(&file, wasm)?;
        let reduced = search.run(&file, wasm, &mut judge)?;
        let seconds = start.elapsed().as_secs_f64();
        let test = search.test(&file, wasm, &path)?;
        search.lineup.plant = None;
        let command = search.run_script(&path)?.into_iter();
        let command: Vec<_> = command.map(OsString::from).collect();
        let Ended::Done { .. } = run_child(&command, self.timeout)? else {
            bail!("the script fails without the bug");
        };
        Ok(Made {
            instructions: reduced.before.instructions,
            reduced: reduced.after.instructions,
            seconds,
            finished: reduced.finished,
            test: test.reduced.after.instructions,
            lines: test.text.lines().count(),
        })
    }
}

/// The test as `test`, or as `no_test` why there is none; nothing, if none was asked for.
pub(super) fn serialize<S: Serializer>(
    test: &Option<Result<Made, String>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(None)?;
    match test {
        Some(Ok(made)) => map.serialize_entry("test", made)?,
        Some(Err(reason)) => map.serialize_entry("no_test", reason)?,
        None => {}
    }
    map.end()
}

/// The row of the table: the instructions of the finding, what `reduce` left of them and in which time, and the test's
/// instructions and lines.
pub(super) fn markdown(bug: &str, test: &Result<Made, String>) -> String {
    match test {
        Ok(made) => {
            let more = if made.finished { "" } else { "> " };
            format!(
                "| {bug} | {} | {} | {more}{:.1} | {} | {} |\n",
                made.instructions, made.reduced, made.seconds, made.test, made.lines
            )
        }
        Err(_) => format!("| {bug} | – | – | – | – | – |\n"),
    }
}
