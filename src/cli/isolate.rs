//! Running cases in a child process, so that an engine that crashes or hangs
//! costs one case and not the campaign.
//!
//! The child is this program with the hidden subcommand `worker`: it reads one
//! seed, mutation or module per line and answers each with one line of JSON, a [`CaseReport`]. When
//! it dies or stays silent, the case that it was given is the finding, and a new
//! child takes over.

use super::lineup::{Lineup, Mask};
use super::{Finding, output, patience};
use anyhow::{Context, bail};
use clap::Args;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write, stdin};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use switchback::engines::Settings;
use switchback::fuzzing::{
    CaseReport, Executor, Finding as CaseFinding, InProcess, Lost, Origin, ScriptRunner, caught,
    is_traced,
};
use switchback::reduce::Judge;
use switchback::report::Signature;
use switchback::wast::Host;

/// Run cases by the seeds on standard input (for `fuzz`).
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    lineup: Lineup,
    #[command(flatten)]
    mask: Mask,
    /// The number of instructions after which the reference gives a case up.
    #[arg(long, value_name = "N")]
    instructions: Option<u64>,
}

/// What a line of the worker's input asks for.
enum Request {
    /// A case that is generated or mutated.
    Case(Origin),
    /// A module as a case.
    Module { wasm: Vec<u8>, mode: Mode },
}

/// How a module is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The engines under test record a trace.
    Traced,
    /// They do not.
    Untraced,
    /// As a script.
    Script(Host),
}

impl Mode {
    /// All modes, with the word that asks for each.
    const WORDS: [(Mode, &'static str); 4] = [
        (Mode::Traced, "traced"),
        (Mode::Untraced, "untraced"),
        (Mode::Script(Host::InScript), "script"),
        (Mode::Script(Host::Standard), "script-with-host"),
    ];
}

impl Request {
    /// The line for a module: a word, and the bytes in hexadecimal digits.
    fn module(wasm: &[u8], mode: Mode) -> String {
        let word = Mode::WORDS.iter().find(|(m, _)| *m == mode);
        format!(
            "{} {}",
            word.map_or("", |(_, word)| word),
            hexadecimal(wasm)
        )
    }

    /// The line for a case.
    fn case(origin: &Origin) -> String {
        match origin {
            Origin::Seed(seed) => seed.to_string(),
            Origin::Given { wasm, seed } if is_traced(*seed) => Request::module(wasm, Mode::Traced),
            Origin::Given { wasm, .. } => Request::module(wasm, Mode::Untraced),
            Origin::Mutant {
                parent,
                other,
                seed,
            } => {
                let other = other.as_deref().map(hexadecimal);
                let other = other.map_or(String::new(), |other| format!(" {other}"));
                format!("{MUTANT} {seed} {}{other}", hexadecimal(parent))
            }
        }
    }

    fn parse(line: &str) -> anyhow::Result<Request> {
        let words: Vec<&str> = line.split(' ').collect();
        let origin = match words[..] {
            [seed] => Origin::Seed(seed.parse().context("seed")?),
            [MUTANT, seed, parent, ref others @ ..] => Origin::Mutant {
                parent: bytes(parent)?.into(),
                other: match others.first() {
                    Some(other) => Some(bytes(other)?.into()),
                    None => None,
                },
                seed: seed.parse().context("seed")?,
            },
            [word, digits] => {
                let mode = Mode::WORDS.into_iter().find(|(_, w)| *w == word);
                return Ok(Request::Module {
                    wasm: bytes(digits)?,
                    mode: mode.context("a mode")?.0,
                });
            }
            _ => bail!("{line}: no request"),
        };
        Ok(Request::Case(origin))
    }
}

/// The word that asks for a mutant.
const MUTANT: &str = "mutant";

fn hexadecimal(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(nibble.into(), 16).expect("a digit");
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(digit).collect()
}

fn bytes(digits: &str) -> anyhow::Result<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok();
    let bytes: Option<Vec<u8>> = pairs.map(byte).collect();
    bytes.context("hexadecimal digits")
}

/// The child's side.
pub fn worker(arguments: Arguments) -> anyhow::Result<Finding> {
    // The terminal sends Ctrl-C to the child as well; the parent decides.
    ctrlc::set_handler(|| {}).context("the handler of Ctrl-C")?;
    let lineup = &arguments.lineup;
    let mut executor = InProcess::from(match arguments.instructions {
        Some(instructions) => lineup.runner_within(instructions)?,
        None => arguments.mask.runner(lineup)?,
    });
    let mut scripts: Option<(Host, ScriptRunner)> = None;
    for line in stdin().lock().lines() {
        let report = match Request::parse(&line.context("standard input")?)? {
            Request::Case(origin) => executor.run(&origin)?,
            Request::Module { wasm, mode } => match mode {
                Mode::Traced => executor.run_module(&wasm, true),
                Mode::Untraced => executor.run_module(&wasm, false),
                Mode::Script(host) => {
                    if !scripts.as_ref().is_some_and(|(of, _)| *of == host) {
                        let settings = Settings {
                            instructions: arguments.instructions,
                            ..lineup.settings()
                        };
                        let runner =
                            ScriptRunner::new(&lineup.engines, &lineup.config, &settings, host)?;
                        scripts = Some((host, runner));
                    }
                    let (_, runner) = scripts.as_ref().expect("it was just made");
                    caught(|| runner.run(&wasm))
                }
            },
        };
        let mut answer = serde_json::to_string(&report)?;
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
    /// Whether what a worker says when it panics is of no interest beyond its first line.
    terse: bool,
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
            terse: false,
            worker: None,
        }
    }
}

impl Executor for Isolated {
    fn run(&mut self, origin: &Origin) -> Result<CaseReport, Lost> {
        self.ask(&Request::case(origin))
    }
}

/// Judges modules in a child process, as cases.
pub struct IsolatedJudge {
    pub isolated: Isolated,
    pub mode: Mode,
    /// Whether each module gets a process of its own. That takes longer, but what it shows does not depend on those before it.
    pub alone: bool,
}

impl IsolatedJudge {
    /// What the module shows, with all that is said of it.
    pub fn report(&mut self, wasm: &[u8]) -> Result<CaseReport, Lost> {
        let request = Request::module(wasm, self.mode);
        let report = self.isolated.ask(&request);
        if self.alone {
            self.isolated.restart();
        }
        report
    }
}

impl Judge for IsolatedJudge {
    fn judge(&mut self, wasm: &[u8]) -> Result<Option<Signature>, Lost> {
        let finding = self.report(wasm)?.finding;
        Ok(finding.map(|finding| finding.signature))
    }
}

impl Isolated {
    /// Leaves out backtraces: where many cases end in a panic, looking up their names takes most of the time.
    pub fn terse(mut self) -> Isolated {
        self.terse = true;
        self
    }

    /// Sets a bound on the instructions after which the reference gives a case up.
    pub fn within(mut self, instructions: u64) -> Isolated {
        let value = instructions.to_string();
        self.arguments.extend(["--instructions".to_owned(), value]);
        self
    }

    /// Ends the worker, so that the next case runs in a new process.
    pub fn restart(&mut self) {
        if let Some(mut worker) = self.worker.take() {
            // It waits for a case; if it has ended by itself, there is nothing to kill.
            let _ = worker.child.kill();
            let _ = worker.child.wait();
        }
    }

    /// The report of the case that a line of the worker's input asks for.
    fn ask(&mut self, request: &str) -> Result<CaseReport, Lost> {
        let mut worker = match self.worker.take() {
            Some(worker) => worker,
            None => Worker::start(&self.arguments, self.terse)
                .map_err(|error| Lost(format!("{error:#}")))?,
        };
        match worker.ask(request, self.timeout) {
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
    fn start(arguments: &[String], terse: bool) -> anyhow::Result<Worker> {
        let program = std::env::current_exe().context("the path of this program")?;
        let mut command = Command::new(program);
        command.arg("worker").args(arguments);
        if terse {
            command.env("RUST_BACKTRACE", "0");
        }
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

    fn ask(&mut self, request: &str, timeout: Duration) -> Result<String, Silence> {
        writeln!(self.stdin, "{request}").map_err(|_| Silence::Died)?;
        match patience::wait(&self.answers, self.child.id(), timeout) {
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
        let (kind, how, text) = match silence {
            Silence::Hung => (
                "hang",
                None,
                format!("no end within {timeout:?} of processor time, or ten times as long\n"),
            ),
            // A worker that ends by itself was refused something: no case did that.
            Silence::Died if status.code() == Some(2) => return Err(Lost(stderr)),
            Silence::Died => {
                let how = describe(status);
                let text = format!("{how}\n{stderr}");
                ("crash", Some(how), text)
            }
        };
        let signature = Signature::other(kind, how.as_deref());
        Ok(CaseReport {
            finding: Some(CaseFinding {
                signature,
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
    let bytes = match patience::wait(&output, child.id(), timeout) {
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
