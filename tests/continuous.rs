//! `ci/fuzz.sh` may be killed at any moment, and loses nothing.
//!
//! It runs with stand-ins for the fuzz target and for `switchback` (`tests/continuous/`), which write files as the real ones do and
//! note what they have written to the end. Whatever they noted must be in its place when a run has come to its end at last, however
//! often runs were killed before. No outcome here depends on how long anything takes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;
use tempfile::TempDir;

const TARGET: &str = "differential";

/// The folders of a fuzzing run, and what its stand-ins noted.
struct Run {
    folder: TempDir,
}

impl Run {
    fn new() -> Run {
        let run = Run {
            folder: tempfile::tempdir().expect("a temporary folder"),
        };
        fs::write(run.path("emitted"), "").expect("writes");
        for kind in ["corpus", "artifacts"] {
            fs::create_dir_all(run.of(kind)).expect("creates");
        }
        // What people and other tools put there has other names.
        fs::write(run.of("corpus").join("seed"), "coverage of a seed\n").expect("writes");
        fs::write(run.of("artifacts").join("crash-module"), "\0asm\x01\0\0\0").expect("writes");
        fs::write(
            run.path("emitted"),
            "input coverage of a seed\nartifact crash-module\n",
        )
        .expect("writes");
        run
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A folder of the target: `corpus`, `artifacts`, `findings` or `work`.
    fn of(&self, kind: &str) -> PathBuf {
        self.path("fuzz").join(kind).join(TARGET)
    }

    /// The command for one round, in a process group of its own.
    fn command(&self, target: &str) -> Command {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
        let stand_in = |name: &str| repository.join("tests/continuous").join(name);
        fs::write(self.path("steps"), "").expect("writes");
        let mut command = Command::new("bash");
        command
            .arg(repository.join("ci/fuzz.sh"))
            .args([target, "0"])
            .env("SWITCHBACK_FUZZ_DIR", self.path("fuzz"))
            .env("SWITCHBACK_FUZZER", stand_in("fuzzer.sh"))
            .env("SWITCHBACK", stand_in("switchback.sh"))
            .env("SWITCHBACK_STEP_HOOK", stand_in("step.sh"))
            .env("STEPS", self.path("steps"))
            .env("EMITTED", self.path("emitted"))
            .env("CORPUS", self.path("fuzz").join("corpus").join(target))
            .stdin(Stdio::null())
            .process_group(0);
        command
    }

    /// Runs until the step of this number, at which everything is killed.
    fn killed_at(&self, step: usize) -> Output {
        let mut command = self.command(TARGET);
        command.env("KILL_AT", step.to_string());
        command.output().expect("bash runs")
    }

    /// Runs to the end, and checks that everything is where it belongs.
    fn finish(&self) {
        let output = self.command(TARGET).output().expect("bash runs");
        self.check(&output);
    }

    fn check(&self, output: &Output) {
        let status = output.status.code();
        let shown = String::from_utf8_lossy(&output.stderr);
        assert!(matches!(status, Some(0 | 1)), "status {status:?}\n{shown}");

        let emitted = fs::read_to_string(self.path("emitted")).expect("reads");
        let emitted: Vec<_> = emitted
            .lines()
            .filter_map(|line| line.split_once(' '))
            .collect();
        let mut inputs: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
        for path in files(&self.of("corpus")) {
            let text = fs::read_to_string(&path).expect("reads");
            let coverage = text.lines().next().unwrap_or_default();
            assert!(
                emitted.contains(&("input", coverage)),
                "{} is not whole: {text:?}",
                path.display()
            );
            inputs.entry(coverage.to_owned()).or_default().push(path);
        }
        let artifacts = names(&self.of("artifacts"));
        let findings = names(&self.of("findings"));
        for name in &artifacts {
            assert!(emitted.contains(&("artifact", name)), "{name} is not whole");
        }
        for (kind, what) in emitted {
            match kind {
                "input" => assert!(inputs.contains_key(what), "{what} is lost"),
                _ => {
                    assert!(artifacts.contains(what), "{what} is lost");
                    assert!(findings.contains(what), "{what} has no finding");
                    let kind = self.of("findings").join(what).join("kind");
                    assert!(kind.metadata().is_ok_and(|m| m.len() > 0), "{what} is cut");
                    let not_reduced = kind.with_file_name("not-reduced");
                    let why = fs::read_to_string(not_reduced).unwrap_or_default();
                    assert!(
                        ["", "there are 3 reduced findings of this kind already\n"]
                            .contains(&&*why)
                    );
                    if why.is_empty() && what != "crash-module" {
                        // What libFuzzer's own minimisation leaves, called by the target and the artifact.
                        let short = &what["crash-".len()..][..12];
                        let minimised = kind.with_file_name(format!("{TARGET}-{short}"));
                        assert_eq!(fs::read_to_string(minimised).unwrap_or_default(), "smaller");
                    }
                }
            }
        }
        let of_module = |name: &str| {
            let path = self.of("findings").join("crash-module").join(name);
            fs::read_to_string(path).expect("reads")
        };
        assert_eq!(of_module("script.wast"), ";; a script\n");
        assert_eq!(of_module("kind"), "outcome/returned.values\n");
        assert!(
            of_module("report.txt").contains("/findings/differential/crash-module/case.wasm: ")
        );
        assert_eq!(artifacts, findings, "a finding of nothing");
        // One input a coverage is left, but for what is put there while the corpus is being minimised.
        for (coverage, paths) in inputs {
            assert!(
                coverage == "coverage of somebody" || paths.len() == 1,
                "{coverage}: {paths:?}"
            );
        }
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    entries
        .map(|entry| entry.expect("an entry").path())
        .collect()
}

fn names(folder: &Path) -> BTreeSet<String> {
    let name = |path: &PathBuf| path.file_name().map(|n| n.to_string_lossy().into_owned());
    files(folder).iter().filter_map(name).collect()
}

/// Numbers that look random, and are the same every time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.0 >> 33) % bound
    }
}

#[test]
fn a_run_that_nobody_kills_ends() {
    let run = Run::new();
    run.finish();
    run.finish();
}

/// What is a module for the target is compared on the target's engines and becomes a script; what is none is minimised by libFuzzer.
#[test]
fn findings_become_what_their_target_takes() {
    for (target, engines) in [
        ("configs", Some("--engines compiled,compiled ")),
        ("wasmtime", Some("--engines compiled,wasmtime,oracle ")),
        ("compile", Some("")),
        ("api", None),
        ("oracle", None),
    ] {
        let run = Run::new();
        let fuzz = run.path("fuzz");
        fs::rename(
            fuzz.join("corpus").join(TARGET),
            fuzz.join("corpus").join(target),
        )
        .unwrap();
        let artifacts = fuzz.join("artifacts");
        fs::rename(artifacts.join(TARGET), artifacts.join(target)).unwrap();
        let mut command = run.command(target);
        let output = command.env("CALLED", run.path("called")).output().unwrap();
        let shown = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{target}: {shown}");
        let finding = fuzz.join("findings").join(target).join("crash-module");
        let called = fs::read_to_string(run.path("called")).unwrap_or_default();
        let read = |name: &str| fs::read_to_string(finding.join(name)).unwrap_or_default();
        match engines {
            Some(engines) => {
                assert!(
                    called.contains(&format!("diff {engines}--html")),
                    "{called}"
                );
                assert_eq!(read("script.wast"), ";; a script\n");
            }
            None => {
                assert_eq!(called, "");
                assert_eq!(read("kind"), "crash\n");
                assert_eq!(read(&format!("{target}-module")), "smaller");
            }
        }
    }
}

/// Killed at the first step, resumed and killed at the second, and so on, until one comes to its end.
#[test]
fn killed_at_every_step() {
    let run = Run::new();
    for step in 1.. {
        let output = run.killed_at(step);
        if output.status.code().is_some() {
            assert!(step > 30, "there are more steps than {step}");
            run.check(&output);
            break;
        }
    }
}

#[test]
fn killed_at_random_steps() {
    let mut numbers = Numbers(1);
    for _ in 0..3 {
        let run = Run::new();
        for _ in 0..6 {
            run.killed_at(1 + numbers.below(45) as usize);
        }
        run.finish();
    }
}

/// Only the script is killed, at moments that no step marks: what it started goes on, until the next run ends it.
#[test]
fn killed_at_random_moments() {
    let mut numbers = Numbers(2);
    let run = Run::new();
    for _ in 0..8 {
        let mut child = quiet(run.command(TARGET));
        sleep(Duration::from_millis(numbers.below(400)));
        child.kill().expect("it is there until it is waited for");
        child.wait().expect("waits");
    }
    run.finish();
}

/// Starts a run whose fuzzer does not end by itself; returns the script, and where the fuzzer's process can be seen.
fn lingering(run: &Run) -> (Child, PathBuf) {
    let note = run.path("lingering");
    let mut command = run.command(TARGET);
    command.env("LINGER", &note);
    let mut script = quiet(command);
    loop {
        // It is written in one piece, but after it was made.
        let text = fs::read_to_string(&note).unwrap_or_default();
        if let Some(pid) = text.strip_suffix('\n') {
            return (script, Path::new("/proc").join(pid).join("exe"));
        }
        assert!(
            script.try_wait().expect("waits").is_none(),
            "it ended by itself"
        );
        sleep(Duration::from_millis(5));
    }
}

/// A fuzzer that outlives its script is ended by the next run, and by nothing before it.
#[test]
fn leftovers_are_ended_and_two_runs_are_refused() {
    let run = Run::new();
    let (mut script, fuzzer) = lingering(&run);

    let second = run.command(TARGET).output().expect("bash runs");
    assert_eq!(second.status.code(), Some(2));
    let message = String::from_utf8_lossy(&second.stderr);
    assert!(
        message.contains("another run is at work on differential"),
        "{message}"
    );
    assert!(fs::read_link(&fuzzer).is_ok(), "the first run goes on");

    script.kill().expect("it is running");
    script.wait().expect("waits");
    assert!(
        fs::read_link(&fuzzer).is_ok(),
        "what it started is still there"
    );
    let output = run.command(TARGET).output().expect("bash runs");
    assert!(fs::read_link(&fuzzer).is_err(), "the next run ends it");
    run.check(&output);
}

#[test]
fn a_signal_ends_it_with_everything_in_its_place() {
    let run = Run::new();
    let (mut script, fuzzer) = lingering(&run);
    let signal = ["-TERM", &script.id().to_string()].map(str::to_owned);
    assert!(
        Command::new("kill")
            .args(signal)
            .status()
            .is_ok_and(|s| s.success())
    );
    assert_eq!(script.wait().expect("waits").code(), Some(130));
    assert!(fs::read_link(&fuzzer).is_err(), "its fuzzer goes with it");
    assert!(run.of("corpus").join("rubbish").exists());
    run.finish();
}

fn quiet(mut command: Command) -> Child {
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    child.expect("bash runs")
}

#[test]
fn usage() {
    for (arguments, message) in [
        (
            &["no-target"][..],
            "no target is called 'no-target'; there are: ",
        ),
        (&["differential", "long"], "HOURS is a number, not 'long'"),
        (&[], "usage: ci/fuzz.sh TARGET [HOURS]"),
    ] {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("ci/fuzz.sh");
        let output = Command::new("bash").arg(script).args(arguments).output();
        let output = output.expect("bash runs");
        assert_eq!(output.status.code(), Some(2));
        let shown = String::from_utf8_lossy(&output.stderr);
        assert!(shown.contains(message), "{shown}");
    }
}
