//! Case after case on several threads, folded in order.
//!
//! Which cases run, and what is made of their reports, depends on the seed
//! alone: threads take the cases in order, and reports are folded in order,
//! whenever they arrive. Only a time limit, or a stop from outside, ends a
//! campaign at a case that depends on the clock.

use super::case::{CaseReport, CaseRunner, Finding};
use super::summary::Summary;
use crate::report::Signature;
use std::collections::BTreeMap;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// When a campaign ends.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// After this many cases.
    pub executions: Option<u64>,
    /// After this time.
    pub time: Option<Duration>,
    /// After this many findings of different signatures.
    pub findings: Option<u64>,
}

/// Runs one case after another for one thread of a campaign.
pub trait Executor {
    /// Runs the case of this seed.
    ///
    /// # Errors
    ///
    /// [`Lost`], if no case can be run any more.
    fn run(&mut self, seed: u64) -> Result<CaseReport, Lost>;
}

/// An executor cannot go on, for a reason that is not a case's.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Lost(pub String);

/// Runs cases in this process. A panic is a finding; anything worse ends the
/// process.
pub struct InProcess(CaseRunner);

impl From<CaseRunner> for InProcess {
    fn from(runner: CaseRunner) -> InProcess {
        InProcess(runner)
    }
}

impl InProcess {
    /// Runs a module as a case; `traced` says whether the engines under test
    /// record a trace.
    pub fn run_module(&self, wasm: &[u8], traced: bool) -> CaseReport {
        caught(|| self.0.run_module(wasm, traced))
    }
}

impl Executor for InProcess {
    fn run(&mut self, seed: u64) -> Result<CaseReport, Lost> {
        Ok(caught(|| self.0.run(seed)))
    }
}

/// Runs a case; a panic is its finding.
pub fn caught(case: impl FnOnce() -> CaseReport) -> CaseReport {
    // Each case makes stores of its own, and the engines hold no state that a
    // panic could leave half-done.
    panic::catch_unwind(AssertUnwindSafe(case)).unwrap_or_else(|payload| {
        let message = payload
            .downcast_ref::<String>()
            .map(String::as_str)
            .or(payload.downcast_ref::<&str>().copied())
            .unwrap_or("without a message");
        CaseReport {
            finding: Some(Finding {
                signature: Signature::other("panic", Some(message)),
                text: format!("panic: {message}\n"),
            }),
            ..CaseReport::default()
        }
    })
}

/// A finding of a campaign.
#[derive(Debug)]
pub struct Found<'a> {
    /// The index of the case in the campaign.
    pub index: u64,
    /// The seed of the case.
    pub seed: u64,
    /// The size of the module in bytes; 0 if it is not known, after a crash.
    pub size: usize,
    /// What was found.
    pub finding: &'a Finding,
}

/// Is told how a campaign goes. All calls come from one thread, in the order of
/// the cases.
pub trait Progress {
    /// A case is done.
    fn executed(&mut self, summary: &Summary);

    /// Something was found.
    ///
    /// # Errors
    ///
    /// [`Lost`], if it cannot be kept; that ends the campaign.
    fn found(&mut self, found: &Found<'_>) -> Result<(), Lost>;
}

/// The seed of case `index` of the campaign with this seed.
pub fn case_seed(seed: u64, index: u64) -> u64 {
    xxh3_64_with_seed(&index.to_le_bytes(), seed)
}

/// The stack of a thread that runs cases; engines may take some of it for
/// WebAssembly frames, so it is the same everywhere.
const STACK: usize = 16 << 20;

/// Runs a campaign, one thread for each executor.
///
/// Ends at the first of the `limits`, or soon after `stop` is set.
///
/// # Errors
///
/// [`Lost`], if an executor or `progress` is.
pub fn campaign<E: Executor + Send>(
    seed: u64,
    limits: Limits,
    executors: Vec<E>,
    stop: &AtomicBool,
    progress: &mut dyn Progress,
) -> Result<Summary, Lost> {
    let start = Instant::now();
    let next = AtomicU64::new(0);
    let end = limits.executions.unwrap_or(u64::MAX);
    let done = AtomicBool::new(false);
    let over = || {
        done.load(Ordering::Relaxed)
            || stop.load(Ordering::Relaxed)
            || limits.time.is_some_and(|time| start.elapsed() >= time)
    };
    let mut summary = Summary::new(seed);
    let result = thread::scope(|scope| {
        let (sender, receiver) = mpsc::sync_channel(64);
        for mut executor in executors {
            let sender = sender.clone();
            let (next, over) = (&next, &over);
            let work = move || {
                while !over() {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= end {
                        break;
                    }
                    let report = executor.run(case_seed(seed, index));
                    if sender.send((index, report)).is_err() {
                        break;
                    }
                }
            };
            thread::Builder::new()
                .stack_size(STACK)
                .spawn_scoped(scope, work)
                .map_err(|error| Lost(format!("thread: {error}")))?;
        }
        drop(sender);
        let result = fold(&receiver, limits, &mut summary, progress);
        done.store(true, Ordering::Relaxed);
        // Threads that wait for room in the channel must not wait for ever.
        drop(receiver);
        result
    });
    summary.finish(start.elapsed());
    result.map(|()| summary)
}

/// Folds the reports in the order of the cases.
fn fold(
    receiver: &mpsc::Receiver<(u64, Result<CaseReport, Lost>)>,
    limits: Limits,
    summary: &mut Summary,
    progress: &mut dyn Progress,
) -> Result<(), Lost> {
    let mut waiting = BTreeMap::new();
    for (index, report) in receiver {
        waiting.insert(index, report?);
        while let Some(report) = waiting.remove(&summary.executions) {
            let index = summary.executions;
            summary.add(&report);
            if let Some(finding) = &report.finding {
                progress.found(&Found {
                    index,
                    seed: case_seed(summary.seed, index),
                    size: report.size,
                    finding,
                })?;
            }
            progress.executed(summary);
            if limits
                .findings
                .is_some_and(|most| summary.groups.len() as u64 >= most)
            {
                return Ok(());
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An executor whose reports are made from the seed alone.
    struct Fake;

    impl Executor for Fake {
        fn run(&mut self, seed: u64) -> Result<CaseReport, Lost> {
            let finding = seed.is_multiple_of(7).then(|| Finding {
                signature: Signature::other(["one", "two", "three"][(seed % 3) as usize], None),
                text: String::new(),
            });
            Ok(CaseReport {
                digest: Some(crate::observe::Digest::of(&seed.to_le_bytes())),
                events: (seed % 100) as usize,
                finding,
                ..CaseReport::default()
            })
        }
    }

    #[derive(Default)]
    struct Recorder(Vec<u64>);

    impl Progress for Recorder {
        fn executed(&mut self, _: &Summary) {}
        fn found(&mut self, found: &Found<'_>) -> Result<(), Lost> {
            assert_eq!(found.seed % 7, 0);
            self.0.push(found.index);
            Ok(())
        }
    }

    fn run(jobs: usize, limits: Limits) -> (Summary, Vec<u64>) {
        let mut recorder = Recorder::default();
        let executors = (0..jobs).map(|_| Fake).collect();
        let stop = AtomicBool::new(false);
        let summary = campaign(3, limits, executors, &stop, &mut recorder).unwrap();
        (summary, recorder.0)
    }

    #[test]
    fn the_number_of_jobs_changes_nothing() {
        let limits = Limits {
            executions: Some(500),
            ..Limits::default()
        };
        let (one, found_one) = run(1, limits);
        let (four, found_four) = run(4, limits);
        assert_eq!(one.executions, 500);
        assert_eq!(one.digest(), four.digest());
        assert_eq!(
            one.events_per_module_median(),
            four.events_per_module_median()
        );
        assert_eq!(found_one, found_four);
        assert!(found_one.len() > 30);
    }

    #[test]
    fn a_campaign_ends_at_the_limit_of_findings() {
        let limits = Limits {
            executions: Some(500),
            findings: Some(3),
            ..Limits::default()
        };
        let (one, found_one) = run(1, limits);
        let (four, found_four) = run(4, limits);
        assert_eq!(
            (one.groups.len(), one.divergences),
            (3, found_one.len() as u64)
        );
        assert_eq!(one.groups, four.groups);
        assert_eq!(found_one, found_four);
        assert_eq!(one.executions, four.executions);
    }

    #[test]
    fn a_campaign_ends_when_it_is_stopped_or_out_of_time() {
        let limits = Limits {
            time: Some(Duration::ZERO),
            ..Limits::default()
        };
        assert_eq!(run(2, limits).0.executions, 0);
        let stop = AtomicBool::new(true);
        let mut recorder = Recorder::default();
        let summary = campaign(3, Limits::default(), vec![Fake], &stop, &mut recorder).unwrap();
        assert_eq!(summary.executions, 0);
    }

    #[test]
    fn every_case_has_a_seed_of_its_own() {
        let seeds: std::collections::BTreeSet<_> = (0..4)
            .flat_map(|seed| (0..1000).map(move |index| case_seed(seed, index)))
            .collect();
        assert_eq!(seeds.len(), 4000);
    }
}
