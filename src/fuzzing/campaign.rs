//! Case after case on several threads, folded in order.
//!
//! Which cases run, and what is made of their reports, depends on the seed and on
//! the cases that are given alone: threads take the cases in order, reports are
//! folded in order, whenever they arrive, and no case begins before the corpus is
//! known that it may be a mutant of. Only a time limit, or a stop from outside,
//! ends a campaign at a case that depends on the clock.

use super::case::{CaseReport, CaseRunner, Finding};
use super::corpus::{Corpus, GENERATION, Generation, Origin, Strategy, origin};
use super::summary::Summary;
use crate::report::Signature;
use std::collections::BTreeMap;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, PoisonError, mpsc};
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
    /// Runs the case of this origin.
    ///
    /// # Errors
    ///
    /// [`Lost`], if no case can be run any more.
    fn run(&mut self, origin: &Origin) -> Result<CaseReport, Lost>;
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
    fn run(&mut self, origin: &Origin) -> Result<CaseReport, Lost> {
        Ok(caught(|| self.0.run_origin(origin)))
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
    /// What the case is made of.
    pub origin: &'a Origin,
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

    /// A case that was not given has been kept in the corpus.
    ///
    /// # Errors
    ///
    /// [`Lost`], if it cannot be written; that ends the campaign.
    fn kept(&mut self, wasm: &[u8]) -> Result<(), Lost> {
        let _ = wasm;
        Ok(())
    }
}

/// The seed of case `index` of the campaign with this seed.
pub fn case_seed(seed: u64, index: u64) -> u64 {
    xxh3_64_with_seed(&index.to_le_bytes(), seed)
}

/// The stack of a thread that runs cases; engines may take some of it for
/// WebAssembly frames, so it is the same everywhere.
const STACK: usize = 16 << 20;

/// Where the threads of a campaign learn of the corpus.
#[derive(Default)]
struct Board {
    /// The number of the newest generation that may begin, and the corpus for it.
    newest: Mutex<(u64, Generation)>,
    changed: Condvar,
}

/// How long a thread waits before it looks whether the campaign is over.
const PATIENCE: Duration = Duration::from_millis(20);

impl Board {
    fn publish(&self, number: u64, corpus: Generation) {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        *newest = (number, corpus);
        self.changed.notify_all();
    }

    /// The corpus for a generation, once it is known; nothing if the campaign is over before.
    fn corpus(&self, number: u64, over: impl Fn() -> bool) -> Option<Generation> {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        while newest.0 < number {
            if over() {
                return None;
            }
            let waited = self.changed.wait_timeout(newest, PATIENCE);
            newest = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        Some(newest.1.clone())
    }
}

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
    strategy: &Strategy,
    executors: Vec<E>,
    stop: &AtomicBool,
    progress: &mut dyn Progress,
) -> Result<Summary, Lost> {
    let start = Instant::now();
    let next = AtomicU64::new(0);
    let end = limits.executions.unwrap_or(u64::MAX);
    let done = AtomicBool::new(false);
    let board = Board::default();
    let over = || {
        done.load(Ordering::Relaxed)
            || stop.load(Ordering::Relaxed)
            || limits.time.is_some_and(|time| start.elapsed() >= time)
    };
    let mut folding = Folding {
        limits,
        strategy,
        board: &board,
        corpus: Corpus::default(),
        summary: Summary::new(seed),
    };
    let result = thread::scope(|scope| {
        let (sender, receiver) = mpsc::sync_channel(64);
        for mut executor in executors {
            let sender = sender.clone();
            let (next, over, board) = (&next, &over, &board);
            let work = move || {
                while !over() {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= end {
                        break;
                    }
                    let Some(corpus) = board.corpus(index / GENERATION, over) else {
                        break;
                    };
                    let origin = origin(strategy, index, case_seed(seed, index), &corpus);
                    let report = executor.run(&origin);
                    if sender.send((index, (origin, report))).is_err() {
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
        let result = folding.fold(&receiver, progress);
        done.store(true, Ordering::Relaxed);
        // Threads that wait for room in the channel must not wait for ever.
        drop(receiver);
        result
    });
    let mut summary = folding.summary;
    summary.finish(start.elapsed());
    result.map(|()| summary)
}

/// A case that was run.
type Done = (u64, (Origin, Result<CaseReport, Lost>));

/// What is made of the reports.
struct Folding<'a> {
    limits: Limits,
    strategy: &'a Strategy,
    board: &'a Board,
    corpus: Corpus,
    summary: Summary,
}

impl Folding<'_> {
    /// Folds the reports in the order of the cases.
    fn fold(
        &mut self,
        receiver: &mpsc::Receiver<Done>,
        progress: &mut dyn Progress,
    ) -> Result<(), Lost> {
        let mut waiting = BTreeMap::new();
        for (index, done) in receiver {
            waiting.insert(index, done);
            while let Some((origin, report)) = waiting.remove(&self.summary.executions) {
                self.take(&origin, &report?, progress)?;
                progress.executed(&self.summary);
                let findings = self.summary.groups.len() as u64;
                if self.limits.findings.is_some_and(|most| findings >= most) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Takes the report of the next case.
    fn take(
        &mut self,
        origin: &Origin,
        report: &CaseReport,
        progress: &mut dyn Progress,
    ) -> Result<(), Lost> {
        let index = self.summary.executions;
        self.summary.add(report);
        if let Some(finding) = &report.finding {
            progress.found(&Found {
                index,
                origin,
                size: report.size,
                finding,
            })?;
        }
        let new = self.corpus.add(report, origin, self.strategy.scope);
        if let Origin::Mutant { .. } = origin {
            self.summary.mutants += 1;
            self.summary.behaviours_by_mutants += new;
        }
        if new > 0 && !matches!(origin, Origin::Given { .. }) {
            progress.kept(self.corpus.entries().last().map_or(&[], |wasm| wasm))?;
        }
        self.summary.corpus = self.corpus.entries().len() as u64;
        self.summary.behaviours = self.corpus.behaviours() as u64;
        if self.summary.executions.is_multiple_of(GENERATION) {
            let generation = self.summary.executions / GENERATION;
            let corpus = self.corpus.generation(self.strategy.mutants);
            self.board.publish(generation, corpus);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzzing::corpus::Share;
    use crate::generate::Features;

    /// An executor whose reports are made from the seed alone.
    struct Fake;

    impl Executor for Fake {
        fn run(&mut self, origin: &Origin) -> Result<CaseReport, Lost> {
            let seed = origin.seed();
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
            assert_eq!(found.origin.seed() % 7, 0);
            self.0.push(found.index);
            Ok(())
        }
    }

    fn run(jobs: usize, limits: Limits) -> (Summary, Vec<u64>) {
        let mut recorder = Recorder::default();
        let executors = (0..jobs).map(|_| Fake).collect();
        let stop = AtomicBool::new(false);
        let strategy = Strategy::generate(Features::NONE);
        let summary = campaign(3, limits, &strategy, executors, &stop, &mut recorder).unwrap();
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
        let (limits, strategy) = (Limits::default(), Strategy::generate(Features::NONE));
        let summary = campaign(3, limits, &strategy, vec![Fake], &stop, &mut recorder).unwrap();
        assert_eq!(summary.executions, 0);
    }

    /// An executor whose reports are made from all of the origin, with something new here and there.
    struct Tracing;

    impl Executor for Tracing {
        fn run(&mut self, origin: &Origin) -> Result<CaseReport, Lost> {
            Ok(CaseReport {
                digest: Some(crate::observe::Digest::of(format!("{origin:?}").as_bytes())),
                behaviours: [(origin.seed() % 40) as u32].into(),
                ..CaseReport::default()
            })
        }
    }

    fn mutating(jobs: usize, given: usize) -> Summary {
        let modules = (0..given).map(|module| vec![module as u8; 3].into());
        let strategy = Strategy {
            scope: Features::default().into(),
            mutants: Share::Percent(60),
            given: modules.collect(),
        };
        let limits = Limits {
            executions: Some(3 * GENERATION),
            ..Limits::default()
        };
        let executors = (0..jobs).map(|_| Tracing).collect();
        let stop = AtomicBool::new(false);
        let mut recorder = Recorder::default();
        campaign(3, limits, &strategy, executors, &stop, &mut recorder).unwrap()
    }

    #[test]
    fn the_number_of_jobs_changes_no_mutant_either() {
        let (one, four) = (mutating(1, 0), mutating(4, 0));
        assert_eq!(one.digest(), four.digest());
        assert_eq!((one.behaviours, one.corpus), (40, 40));
        // None of the first generation, and of the others as many as asked for.
        let share = one.mutants as f64 / (2 * GENERATION) as f64;
        assert!((0.5..0.7).contains(&share), "{share}");
        assert_eq!(one.mutants, four.mutants);
    }

    #[test]
    fn cases_that_are_given_run_first_and_count_as_what_they_show() {
        let (without, with) = (mutating(1, 0), mutating(2, 30));
        assert_ne!(without.digest(), with.digest());
        assert_eq!(with.behaviours, 40);
        assert_eq!(with.digest(), mutating(3, 30).digest());
    }

    #[test]
    fn every_case_has_a_seed_of_its_own() {
        let seeds: std::collections::BTreeSet<_> = (0..4)
            .flat_map(|seed| (0..1000).map(move |index| case_seed(seed, index)))
            .collect();
        assert_eq!(seeds.len(), 4000);
    }
}
