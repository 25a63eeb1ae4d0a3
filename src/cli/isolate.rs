//! Running cases in a child process, so that an engine that crashes or hangs
//! costs one case and not the campaign.
//!
//! The child is this program with the hidden subcommand `worker`: it reads one
//! seed per line and answers each with one line of JSON, a [`CaseReport`]. When
//! it dies or stays silent, the case that it was given is the finding, and a new
//! child takes over.

use super::lineup::{Lineup, Mask};
use super::{Finding, output};
use anyhow::Context;
use clap::Args;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write, stdin};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use switchback::compare::Kind;
use switchback::fuzzing::{CaseReport, Executor, Finding as CaseFinding, InProcess, Lost};

/// Run cases by the seeds on standard input (for `fuzz`).
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    lineup: Lineup,
    #[command(flatten)]
    mask: Mask,
}

/// The child's side.
pub fn worker(arguments: Arguments) -> anyhow::Result<Finding> {
    // The terminal sends Ctrl-C to the child as well; the parent decides.
    ctrlc::set_handler(|| {}).context("the handler of Ctrl-C")?;
    let mut executor = InProcess::from(arguments.mask.runner(&arguments.lineup)?);
    for line in stdin().lock().lines() {
        let seed = line.context("standard input")?.parse().context("seed")?;
        let mut answer = serde_json::to_string(&executor.run(seed)?)?;
        answer.push('\n');
        output::text(&answer)?;
    }
    Ok(Finding::Nothing)
}

/// The parent's side: an executor whose cases run in a child process.
pub struct Isolated {
    /// The worker's arguments.
    arguments: Vec<String>,
    timeout: Duration,
    worker: Option<Worker>,
}

struct Worker {
    child: Child,
    stdin: ChildStdin,
    answers: Receiver<String>,
    stderr: JoinHandle<String>,
}

/// Why a worker gave no answer.
enum Silence {
    Died,
    Hung,
}

impl Isolated {
    /// Sets up an executor whose cases may take as long as `timeout`.
    pub fn new(lineup: &Lineup, mask: &Mask, timeout: Duration) -> Isolated {
        let mut arguments = lineup.arguments();
        arguments.extend(mask.arguments());
        Isolated {
            arguments,
            timeout,
            worker: None,
        }
    }
}

impl Executor for Isolated {
    fn run(&mut self, seed: u64) -> Result<CaseReport, Lost> {
        let mut worker = match self.worker.take() {
            Some(worker) => worker,
            None => Worker::start(&self.arguments).map_err(|error| Lost(format!("{error:#}")))?,
        };
        match worker.ask(seed, self.timeout) {
            Ok(answer) => {
                self.worker = Some(worker);
                serde_json::from_str(&answer)
                    .map_err(|error| Lost(format!("a worker answered {answer:?}: {error}")))
            }
            Err(silence) => worker.post_mortem(&silence, self.timeout),
        }
    }
}

impl Worker {
    fn start(arguments: &[String]) -> anyhow::Result<Worker> {
        let program = std::env::current_exe().context("the path of this program")?;
        let mut command = Command::new(program);
        command.arg("worker").args(arguments);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot start a worker")?;
        let stdin = child.stdin.take().context("a worker's input")?;
        let stdout = child.stdout.take().context("a worker's output")?;
        let mut stderr = child.stderr.take().context("a worker's errors")?;
        let (sender, answers) = sync_channel(1);
        // These end with the child, which closes the pipes.
        thread::spawn(move || {
            for answer in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(answer).is_err() {
                    break;
                }
            }
        });
        let stderr = thread::spawn(move || {
            let mut bytes = Vec::new();
            // What could be read is worth showing, whatever ended it.
            let _ = stderr.read_to_end(&mut bytes);
            String::from_utf8_lossy(&bytes).into_owned()
        });
        Ok(Worker {
            child,
            stdin,
            answers,
            stderr,
        })
    }

    fn ask(&mut self, seed: u64, timeout: Duration) -> Result<String, Silence> {
        writeln!(self.stdin, "{seed}").map_err(|_| Silence::Died)?;
        match self.answers.recv_timeout(timeout) {
            Ok(answer) => Ok(answer),
            Err(RecvTimeoutError::Disconnected) => Err(Silence::Died),
            Err(RecvTimeoutError::Timeout) => Err(Silence::Hung),
        }
    }

    /// The report of the case on which the worker was lost.
    fn post_mortem(mut self, silence: &Silence, timeout: Duration) -> Result<CaseReport, Lost> {
        if matches!(silence, Silence::Hung) {
            // It may have ended by itself meanwhile; then there is nothing to kill.
            let _ = self.child.kill();
        }
        let status = self.child.wait();
        let status = status.map_err(|error| Lost(format!("a worker: {error}")))?;
        let stderr = self.stderr.join().unwrap_or_default();
        let (kind, text) = match silence {
            Silence::Hung => ("hang", format!("no end within {timeout:?}\n")),
            // A worker that ends by itself was refused something: no case did that.
            Silence::Died if status.code() == Some(2) => return Err(Lost(stderr)),
            Silence::Died => ("crash", format!("{}\n{stderr}", describe(status))),
        };
        Ok(CaseReport {
            finding: Some(CaseFinding {
                kind: Kind::other(kind),
                text: format!("{kind}: {text}"),
            }),
            ..CaseReport::default()
        })
    }
}

/// How a process ended, with the signal that ended it.
fn describe(status: ExitStatus) -> String {
    format!("the process ended with {status}")
}

/// The end of a child process.
pub enum Ended {
    /// It did its work and wrote this.
    Done { stdout: String },
    /// It reported an error, on standard error.
    Refused,
    /// A signal or a panic ended it.
    Died { how: String },
    /// It took too long.
    Hung,
}

/// Runs this program with other arguments; its errors go where ours go.
pub fn run_child(arguments: &[OsString], timeout: Duration) -> anyhow::Result<Ended> {
    let program = std::env::current_exe().context("the path of this program")?;
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start a child process")?;
    let mut stdout = child.stdout.take().context("a child's output")?;
    let (sender, output) = sync_channel(1);
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = stdout.read_to_end(&mut bytes).map(|_| bytes);
        // Nobody waits any more if the child took too long.
        let _ = sender.send(read);
    });
    let bytes = match output.recv_timeout(timeout) {
        Ok(bytes) => bytes.context("a child's output")?,
        Err(_) => {
            // It may have ended by itself meanwhile; then there is nothing to kill.
            let _ = child.kill();
            child.wait().context("a child process")?;
            return Ok(Ended::Hung);
        }
    };
    let status = child.wait().context("a child process")?;
    Ok(match status.code() {
        Some(0) => Ended::Done {
            stdout: String::from_utf8(bytes).context("a child's output")?,
        },
        Some(2) => Ended::Refused,
        _ => Ended::Died {
            how: describe(status),
        },
    })
}
