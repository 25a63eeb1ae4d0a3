//! The command line from outside: exit statuses, what goes where, and that bad
//! input gives one clear error.

use serde_json::Value;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

const MODULE: &str = r#"(module
    (type $f (func)) (type $k (cont $f))
    (tag $t)
    (global (mut i64) (i64.const -9007199254740993))
    (func $body (suspend $t))
    (elem declare func $body)
    (func (export "run") (result i32)
      (block $h (result (ref $k))
        (resume $k (on $t $h) (cont.new $k (ref.func $body)))
        (return (i32.const 0)))
      (drop)
      (i32.const 1))
    (func (export "trap") (unreachable))
    (func (export "add") (param i32 f64) (result f64)
      (f64.add (f64.convert_i32_s (local.get 0)) (local.get 1))))"#;

struct Run {
    status: i32,
    stdout: String,
    stderr: String,
}

impl Run {
    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error} in {}", self.stdout))
    }

    /// Asserts a failure with exactly one error, which has all of these parts.
    fn is_error(&self, parts: &[&str]) {
        assert_eq!(self.status, 2, "{}", self.stderr);
        assert_eq!(self.stdout, "", "an error has no output");
        assert_eq!(self.stderr.matches("error:").count(), 1, "{}", self.stderr);
        for part in parts {
            assert!(
                self.stderr.contains(part),
                "{part:?} is not in {}",
                self.stderr
            );
        }
    }
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchback"));
    command.args(arguments);
    command
}

fn switchback(arguments: &[&str]) -> Run {
    let Output {
        status,
        stdout,
        stderr,
    } = command(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Run {
        status: status.code().expect("no signal"),
        stdout: text(stdout),
        stderr: text(stderr),
    }
}

/// A folder with a file in it.
fn file(name: &str, contents: impl AsRef<[u8]>) -> (TempDir, String) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, contents).unwrap();
    (folder, path.to_str().unwrap().to_owned())
}

#[test]
fn help_and_usage() {
    let help = switchback(&["--help"]);
    assert_eq!(help.status, 0);
    for subcommand in ["fuzz", "generate", "run", "diff", "wast", "stats"] {
        assert!(help.stdout.contains(subcommand), "{}", help.stdout);
        assert_eq!(switchback(&[subcommand, "--help"]).status, 0);
    }
    switchback(&["frobnicate"]).is_error(&["frobnicate"]);
    switchback(&["fuzz", "--time", "1s", "--execs", "1"]).is_error(&["--time", "--execs"]);
    switchback(&["fuzz", "--time", "soon"]).is_error(&["--time", "soon"]);
    switchback(&["fuzz", "--jobs", "0"]).is_error(&["--jobs"]);
    switchback(&["run", "x.wasm", "--engine", "abacus"]).is_error(&["abacus", "oracle"]);
}

#[test]
fn run_shows_calls_trace_and_state() {
    let (_folder, path) = file("m.wat", MODULE);
    let run = switchback(&["run", &path, "--engine", "oracle", "--trace"]);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    for part in [
        "run: returned (i32 1)",
        "New cont 0 of func 0",
        "Resume cont 0 () depth 2",
        "Suspend tag 0 () as cont 1 distance 0 clause 0",
        "trap: trapped: unreachable (function 2, offset",
        "global 0: i64 -9007199254740993",
    ] {
        assert!(
            run.stdout.contains(part),
            "{part:?} is not in {}",
            run.stdout
        );
    }
    assert!(!run.stdout.contains('\u{1b}'), "colour without a terminal");
    let quiet = switchback(&["run", &path, "--engine", "oracle"]);
    assert!(!quiet.stdout.contains("Suspend"), "{}", quiet.stdout);
}

#[test]
fn run_shows_the_functions_that_were_active_at_a_trap() {
    let module = r#"(module (type $f (func)) (type $k (cont $f))
        (func $inner (type $f) unreachable) (elem declare func $inner)
        (func $outer (export "run") (resume $k (cont.new $k (ref.func $inner)))))"#;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("nested.wat");
    fs::write(&file, module).unwrap();
    let run = switchback(&["run", file.to_str().unwrap(), "--engine", "compiled"]);
    assert_eq!(run.status, 0, "{}", run.stderr);
    let frames: Vec<_> = run
        .stdout
        .lines()
        .filter(|line| line.contains(": $"))
        .collect();
    assert_eq!(frames.len(), 2, "{}", run.stdout);
    assert!(
        frames[0].contains("0: $inner (function 0"),
        "{}",
        run.stdout
    );
    assert!(
        frames[1].contains("1: $outer (function 1"),
        "{}",
        run.stdout
    );
}

#[test]
fn run_json_is_the_observation() {
    let (_folder, path) = file("m.wat", MODULE);
    let json = switchback(&["run", &path, "--engine", "oracle", "--json"]).json();
    assert_eq!(json["engine"], "oracle");
    assert_eq!(json["calls"][0]["export"], "run");
    assert_eq!(json["calls"][0]["outcome"]["kind"], "returned");
    assert_eq!(json["calls"][0]["outcome"]["values"][0]["i32"], 1);
    assert_eq!(json["calls"][1]["outcome"]["trap"], "unreachable");
    assert_eq!(json["trace"][1]["event"], "Resume");
    assert_eq!(json["state"]["globals"][0]["i64"], "-9007199254740993");
}

#[test]
fn run_invokes_one_export_with_arguments() {
    let (_folder, path) = file("m.wat", MODULE);
    let invoke = |arguments: &[&str]| {
        let mut all = vec!["run", &path, "--engine", "oracle", "--invoke"];
        all.extend(arguments);
        switchback(&all)
    };
    let run = invoke(&["add", "-3", "0.5"]);
    assert_eq!(run.status, 0, "{}", run.stderr);
    assert!(
        run.stdout.contains("add: returned (f64 -2.5"),
        "{}",
        run.stdout
    );
    assert!(!run.stdout.contains("trap:"), "{}", run.stdout);
    invoke(&["add", "1"]).is_error(&["m.wat", "\"add\"", "2 parameters", "1 arguments"]);
    invoke(&["add", "x", "0"]).is_error(&["m.wat", "\"x\"", "i32"]);
    invoke(&["sub"]).is_error(&["m.wat", "\"sub\""]);
}

#[test]
fn bad_input_gives_one_error_that_names_file_place_and_reason() {
    let (_folder, missing) = file("present", "");
    let missing = missing.replace("present", "absent.wasm");
    let (_folder2, text) = file("bad.wat", "(module\n  (func (i32.cosnt 1)))");
    let (_folder3, invalid) = file("invalid.wat", "(module (func (result i32)))");
    let (_folder4, binary) = file("cut.wasm", b"\0asm\x01\0\0\0\x01\x7f");
    let (_folder5, noise) = file("noise.wasm", [0xff, 0xfe, 0]);
    let (_folder6, threads) = file(
        "threads.wat",
        b"(module (memory 1) (func (drop (i32.atomic.load (i32.const 0)))))",
    );
    let (_folder7, script) = file("s.wast", "(module)");
    for subcommand in ["run", "diff"] {
        switchback(&[subcommand, &missing]).is_error(&["absent.wasm", "No such file"]);
        switchback(&[subcommand, &text]).is_error(&["bad.wat", "2:", "i32.cosnt"]);
        switchback(&[subcommand, &invalid]).is_error(&[
            "invalid.wat",
            "type mismatch",
            "offset 0x",
        ]);
        switchback(&[subcommand, &binary]).is_error(&["cut.wasm", "offset 0x"]);
        switchback(&[subcommand, &noise]).is_error(&["noise.wasm", "\\0asm"]);
        switchback(&[subcommand, &threads]).is_error(&[
            "threads.wat",
            "not supported: threads",
            "function 0",
        ]);
        switchback(&[subcommand, &script]).is_error(&["s.wast", "switchback wast"]);
    }
    let (_folder8, bad_script) = file("bad.wast", "(module)\n(assert_retrun)");
    switchback(&["wast", &bad_script]).is_error(&["bad.wast", "2:"]);
}

#[test]
fn diff_agrees_and_says_so() {
    let (_folder, path) = file("m.wat", MODULE);
    let run = switchback(&["diff", &path, &path]);
    assert_eq!((run.status, run.stdout.lines().count()), (0, 2));
    assert!(run.stdout.contains("all engines agree"), "{}", run.stdout);
    let json = switchback(&["diff", &path, "--json"]).json();
    assert_eq!(json["agree"], true);
    assert_eq!(json["first_divergence"], Value::Null);
}

#[test]
fn wast_counts_assertions_and_fails_on_failures_and_on_none() {
    let folder = TempDir::new().unwrap();
    let script = |name: &str, text: &str| {
        fs::write(folder.path().join(name), text).unwrap();
    };
    script(
        "a.wast",
        r#"(module (func (export "one") (result i32) (i32.const 1)))
           (assert_return (invoke "one") (i32.const 1))
           (assert_invalid (module (func (result i32))) "type mismatch")"#,
    );
    let path = folder.path().to_str().unwrap();
    let run = switchback(&["wast", path, "--engine", "oracle", "--json"]);
    assert_eq!(run.status, 0);
    let json = run.json();
    assert_eq!((&json["passed"], &json["failed"]), (&2.into(), &0.into()));
    assert_eq!(json["files"][0]["engine"], "oracle");

    script(
        "b.wast",
        "(module (func (export \"one\") (result i32) (i32.const 1)))\n  \
         (assert_return (invoke \"one\") (i32.const 2))",
    );
    let run = switchback(&["wast", path, "--engine", "oracle"]);
    assert_eq!(run.status, 1);
    assert!(
        run.stdout.contains("b.wast:2:4: assert_return:"),
        "{}",
        run.stdout
    );
    assert!(
        run.stdout.contains("oracle: 2 of 3 passed"),
        "{}",
        run.stdout
    );

    let (_folder, empty) = file("empty.wast", "(module)");
    let run = switchback(&["wast", &empty]);
    assert_eq!(run.status, 1);
    assert!(run.stdout.contains("no assertion"), "{}", run.stdout);
    let nothing = TempDir::new().unwrap();
    let path = nothing.path().to_str().unwrap();
    switchback(&["wast", path]).is_error(&[path, "no .wast file"]);
}

#[test]
fn generate_is_deterministic_and_writes_both_formats() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    let generate = |to: &Path| {
        let run = switchback(&["generate", "--seed", "7", "-o", to.to_str().unwrap()]);
        assert_eq!((run.status, run.stdout.as_str()), (0, ""), "{}", run.stderr);
        fs::read(to).unwrap()
    };
    let wasm = generate(&path("a.wasm"));
    assert!(wasm.starts_with(b"\0asm"));
    assert_eq!(wasm, generate(&path("b.wasm")));
    let text = generate(&path("a.wat"));
    assert!(text.starts_with(b"(module"));
    assert_eq!(
        switchback(&["generate", "--seed", "7"]).stdout.into_bytes(),
        text
    );
    let to = path("no/such/folder.wasm");
    let to = to.to_str().unwrap();
    switchback(&["generate", "--seed", "7", "-o", to]).is_error(&[to]);
    switchback(&["generate"]).is_error(&["--seed"]);
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut child = command(&["generate", "--seed", "7"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Far more is written than a pipe holds unread, unless the module is small;
    // closing at once is seen in either case.
    drop(child.stdout.take());
    let mut stderr = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut stderr)
        .unwrap();
    assert_eq!(stderr, "");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

fn fuzz(out: &Path, more: &[&str]) -> Run {
    let out = out.to_str().unwrap();
    let mut arguments = vec!["fuzz", "--json", "--out", out];
    arguments.extend(more);
    switchback(&arguments)
}

#[test]
fn fuzz_is_reproducible_and_independent_of_jobs() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("findings");
    let one = fuzz(&out, &["--execs", "40", "--seed", "5"]);
    let two = fuzz(&out, &["--execs", "40", "--seed", "5", "--jobs", "3"]);
    let other = fuzz(&out, &["--execs", "40", "--seed", "6"]);
    assert_eq!(one.status, 0, "{}{}", one.stdout, one.stderr);
    let (one, two, other) = (one.json(), two.json(), other.json());
    for field in [
        "executions",
        "divergences",
        "instructions",
        "outcomes",
        "digest",
        "leaves",
    ] {
        assert_eq!(one[field], two[field], "{field}");
    }
    assert_eq!(one["executions"], 40);
    assert_ne!(one["digest"], other["digest"]);
    assert!(one["instructions"]["resume"]["modules_executed"].as_u64() > Some(20));
    assert!(!out.exists(), "nothing was found, but {out:?} is there");
}

#[test]
fn fuzz_mutates_what_showed_something_new_and_keeps_it_in_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let (out, corpus) = (folder.path().join("findings"), folder.path().join("corpus"));
    let corpus = corpus.to_str().unwrap();
    let limits = ["--execs", "300", "--seed", "5"];
    let run = |more: &[&str]| fuzz(&out, &[&limits, more].concat()).json();
    let mutated = run(&["--mutate", "70", "--corpus", corpus]);
    let mutants = mutated["mutants"].as_u64().unwrap();
    assert!((15..=44).contains(&mutants), "{mutants} of the last 44");
    let files = || fs::read_dir(corpus).unwrap().count() as u64;
    let kept = files();
    assert_eq!(mutated["corpus"], kept);
    assert!(kept > 20 && mutated["behaviours"].as_u64() > Some(100));
    assert_eq!(mutated["divergences"], 0);
    // Without the folder it is the same, and with other jobs.
    let again = run(&["--mutate", "70", "--jobs", "3"]);
    assert_eq!(again["digest"], mutated["digest"]);

    // What is there runs first, and the little that is no module stays as it is.
    fs::write(Path::new(corpus).join("notes.txt"), "no module").unwrap();
    let limits = ["--execs", &kept.to_string(), "--seed", "9"];
    let replayed = fuzz(&out, &[&limits[..], &["--corpus", corpus]].concat()).json();
    assert_eq!(
        (&replayed["mutants"], &replayed["divergences"]),
        (&0.into(), &0.into())
    );
    assert_eq!(replayed["behaviours"], mutated["behaviours"]);
    assert_eq!(files(), kept + 1);
}

#[test]
fn fuzz_says_what_cannot_be_mutated_or_kept() {
    let (_folder, path) = file("a-file", "");
    switchback(&["fuzz", "--execs", "1", "--corpus", &path]).is_error(&[&path]);
    let whole = [
        "fuzz",
        "--execs",
        "1",
        "--engines",
        "oracle,wasmi",
        "--mutate",
        "9",
    ];
    switchback(&whole).is_error(&["--mutate", "stack switching"]);
    switchback(&["fuzz", "--mutate", "101"]).is_error(&["--mutate", "101"]);
}

#[test]
fn fuzz_ends_in_time_with_a_table() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("findings");
    let run = switchback(&["fuzz", "--time", "1s", "--out", out.to_str().unwrap()]);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    for part in ["executions", "resume_throw_ref", "returned", "digest"] {
        assert!(
            run.stdout.contains(part),
            "{part:?} is not in {}",
            run.stdout
        );
    }
}

#[test]
fn fuzz_knows_its_planted_bugs() {
    let folder = TempDir::new().unwrap();
    let out: PathBuf = folder.path().join("findings");
    fuzz(&out, &["--plant", "no-such-bug", "--execs", "1"]).is_error(&["no-such-bug"]);
    let elsewhere = [
        "--engines",
        "oracle,wasmi",
        "--plant",
        "first-clause-only",
        "--execs",
        "1",
    ];
    fuzz(&out, &elsewhere).is_error(&["first-clause-only", "compiled"]);
    let list = switchback(&["fuzz", "--plant", "list"]);
    assert_eq!(list.status, 0);
    assert!(list.stdout.lines().count() >= 10, "{}", list.stdout);
}

/// A finding leaves a module, its text and a report, and `diff` shows it again:
/// the instruction is named, the exit status is 1, and without the planted bug
/// there is nothing.
#[test]
fn a_finding_is_written_and_reproduced() {
    let plant = "first-clause-only";
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("findings");
    let limits = ["--execs", "500", "--max-findings", "1", "--plant", plant];
    let run = fuzz(&out, &limits);
    assert_eq!(run.status, 1, "{}{}", run.stdout, run.stderr);
    let json = run.json();
    assert_eq!(json["divergences"], 1);
    let wasm = json["findings"][0]["path"].as_str().unwrap();
    assert!(wasm.ends_with("findings/000.wasm"), "{wasm}");
    let report = fs::read_to_string(out.join("000.txt")).unwrap();
    assert!(report.contains("divergence "), "{report}");
    let text = fs::read_to_string(out.join("000.wat")).unwrap();
    assert!(text.starts_with("(module"), "{text}");
    let page = fs::read_to_string(out.join("000.html")).unwrap();
    let command = format!("switchback diff {wasm} --plant {plant}");
    assert!(page.contains(&command) && page.contains("the sides part here"));

    let diff = switchback(&["diff", wasm, "--plant", plant]);
    assert_eq!((diff.status, diff.stderr.as_str()), (1, ""));
    for part in [
        "divergence ",
        "> ",
        "| ",
        "compiled",
        "oracle",
        "reproduce: switchback diff",
    ] {
        assert!(
            diff.stdout.contains(part),
            "{part:?} is not in {}",
            diff.stdout
        );
    }
    let json = switchback(&["diff", wasm, "--plant", plant, "--json"]).json();
    assert_eq!(json["agree"], false);
    let first = &json["first_divergence"];
    assert!(first["kind"].is_string() && first["instruction"]["location"].is_object());
    assert_eq!(switchback(&["diff", wasm]).status, 0);

    // A second campaign does not overwrite the first one's findings.
    let again = fuzz(&out, &limits).json();
    let wasm = again["findings"][0]["path"].as_str().unwrap();
    assert!(wasm.ends_with("findings/001.wasm"), "{wasm}");
}

/// Sends a signal by its name.
fn signal(name: &str, pid: u32) {
    let status = Command::new("kill")
        .args([&format!("-{name}"), &pid.to_string()])
        .status()
        .unwrap();
    assert!(status.success(), "kill -{name} {pid}");
}

/// Starts a campaign that would run for a long time.
fn start_fuzzing(out: &Path, more: &[&str]) -> Child {
    let mut command = command(&["fuzz", "--json", "--time", "60s", "--out"]);
    let command = command.arg(out).args(more);
    command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The first child process of a process, as soon as there is one.
fn first_child(pid: u32) -> u32 {
    let path = format!("/proc/{pid}/task");
    for _ in 0..1000 {
        for task in fs::read_dir(&path).unwrap().flatten() {
            let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            let Some(child) = children.split_whitespace().next() else {
                continue;
            };
            // Until it is another program, its parent waits for it: stopped before, it would stop both.
            let command = fs::read(format!("/proc/{child}/cmdline")).unwrap_or_default();
            if command
                .split(|byte| *byte == 0)
                .any(|word| word == b"worker")
            {
                return child.parse().unwrap();
            }
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("process {pid} starts no worker");
}

fn finish(child: Child) -> Run {
    let Output {
        status,
        stdout,
        stderr,
    } = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Run {
        status: status.code().expect("no signal"),
        stdout: text(stdout),
        stderr: text(stderr),
    }
}

/// `diff --html` writes a page for a divergence, also of an engine that does not
/// come back, and nothing where there is nothing to show.
#[test]
fn diff_writes_a_page() {
    let (folder, path) = file("m.wat", MODULE);
    let out = folder.path().join("page.html");
    let out = out.to_str().unwrap();
    let agree = switchback(&["diff", &path, "--html", out]);
    assert_eq!(agree.status, 0, "{}", agree.stderr);
    assert!(!Path::new(out).exists());

    let plant = ["--plant", "first-clause-only"];
    let two = format!("{path}.wasm");
    switchback(&["diff", &path, &two, "--html", out]).is_error(&["--html", "one FILE"]);
    let nowhere = folder.path().join("no/such/folder/page.html");

    // Each of the seeds' cases is long enough for this bug to show in one of them.
    let found = (0..20).find_map(|seed| {
        let case = folder.path().join(format!("{seed}.wasm"));
        let case = case.to_str().unwrap().to_owned();
        let seed = seed.to_string();
        assert_eq!(
            switchback(&["generate", "--seed", &seed, "-o", &case]).status,
            0
        );
        let diff = switchback(&["diff", &case, "--html", out, plant[0], plant[1]]);
        (diff.status == 1).then_some(case)
    });
    let case = found.expect("a case that shows the planted bug");
    let page = fs::read_to_string(out).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>") && page.trim_end().ends_with("</html>"));
    let arguments = [
        "diff",
        &case,
        "--html",
        nowhere.to_str().unwrap(),
        plant[0],
        plant[1],
    ];
    switchback(&arguments).is_error(&["no/such/folder/page.html"]);

    // Nothing is done within a microsecond, so every engine is lost.
    let hang = switchback(&["diff", &path, "--html", out, "--timeout", "1us"]);
    assert_eq!(hang.status, 1, "{}", hang.stderr);
    let page = fs::read_to_string(out).unwrap();
    assert!(page.contains("hang of ") && page.contains("suspend $t"));
}

/// `stats` counts what a file, a folder or a campaign executes.
#[test]
fn stats_counts_what_is_executed() {
    let (folder, path) = file("m.wat", MODULE);
    let out = folder.path().join("heat.html");
    let out = out.to_str().unwrap();
    let run = switchback(&["stats", &path, "--html", out]);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    for part in [
        "1 modules, ",
        "top level",
        "resume_throw_ref",
        "unreachable",
    ] {
        assert!(
            run.stdout.contains(part),
            "{part:?} is not in {}",
            run.stdout
        );
    }
    assert!(
        fs::read_to_string(out)
            .unwrap()
            .starts_with("<!DOCTYPE html>")
    );

    let folder = folder.path().to_str().unwrap();
    let json = switchback(&["stats", folder, "--json"]).json();
    assert_eq!(json["instructions"]["suspend"]["under"]["handlers1"], 1);
    assert_eq!(json["instructions"]["resume"]["under"]["top-level"], 1);
    assert_eq!(
        json["instructions"]["unreachable"]["outcomes"]["trapped"],
        1
    );
    assert_eq!(json["instructions"]["switch"]["executed"], 0);

    let campaign = ["stats", "--seed", "1", "--execs", "3", "--json"];
    let json = switchback(&campaign).json();
    assert_eq!(json["modules"], 3);
    assert!(json["instructions"]["resume"]["executed"].as_u64() > Some(0));
    assert_eq!(json, switchback(&campaign).json(), "the same again");

    switchback(&["stats"]).is_error(&["PATH"]);
    switchback(&["stats", "no/such/folder"]).is_error(&["no/such/folder"]);
    switchback(&["stats", "--seed", "1", &path]).is_error(&["--seed", "PATH"]);
    let (empty, _) = file("nothing.txt", "");
    let empty = empty.path().to_str().unwrap();
    switchback(&["stats", empty]).is_error(&[empty, "no .wasm"]);
}

#[test]
fn ctrl_c_ends_a_campaign_with_its_summary() {
    let folder = TempDir::new().unwrap();
    let child = start_fuzzing(&folder.path().join("findings"), &[]);
    first_child(child.id());
    thread::sleep(Duration::from_millis(500));
    signal("INT", child.id());
    let run = finish(child);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    assert!(run.json()["digest"].is_string());
}

#[test]
fn a_crash_of_an_engine_is_a_finding() {
    let folder = TempDir::new().unwrap();
    let child = start_fuzzing(&folder.path().join("findings"), &["--max-findings", "1"]);
    signal("KILL", first_child(child.id()));
    let run = finish(child);
    assert_eq!(run.status, 1, "{}{}", run.stdout, run.stderr);
    assert_eq!(run.json()["findings"][0]["kind"], "crash");
    let report = fs::read_to_string(folder.path().join("findings/000.txt")).unwrap();
    assert!(report.contains("signal: 9"), "{report}");
}

#[test]
fn a_hang_of_an_engine_is_a_finding() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("findings");
    let child = start_fuzzing(&out, &["--max-findings", "1", "--timeout", "2s"]);
    signal("STOP", first_child(child.id()));
    let run = finish(child);
    assert_eq!(run.status, 1, "{}{}", run.stdout, run.stderr);
    assert_eq!(run.json()["findings"][0]["kind"], "hang");
}

#[test]
fn fuzz_asks_wasmi_and_leaves_features_out() {
    let out = tempfile::tempdir().unwrap();
    let folder = out.path().display().to_string();
    let run = switchback(&[
        "fuzz",
        "--engines",
        "oracle,wasmi",
        "--without",
        "simd",
        "--execs",
        "40",
        "--json",
        "--out",
        &folder,
    ]);
    assert_eq!(run.status, 0, "{}", run.stderr);
    let summary = run.json();
    assert_eq!(summary["executions"], 40);
    let proposals = &summary["proposals"];
    assert!(
        proposals["mvp"]["executed"].as_u64().unwrap() > 30,
        "{proposals}"
    );
    assert_eq!(proposals["simd"]["executed"], 0);
    assert_eq!(proposals["stack_switching"]["executed"], 0);

    for (arguments, words) in [
        (["--engines", "oracle"], "at least two engines"),
        (["--engines", "oracle,wasm"], "wasmi"),
        (["--despite", "gc"], "select_of_zero_test"),
        (["--without", "sidm"], "simd"),
    ] {
        let run = switchback(&[&["fuzz", "--execs", "1"], arguments.as_slice()].concat());
        run.is_error(&[words]);
    }
}

/// How often each choice on an axis of an engine was made.
fn choices_on(summary: &Value, engine: &str, axis: &str) -> Vec<u64> {
    let name = format!("{engine} {axis}=");
    let choices = summary["choices"].as_object().unwrap().iter();
    let on_axis = choices.filter(|(choice, _)| choice.starts_with(&name));
    on_axis.map(|(_, count)| count.as_u64().unwrap()).collect()
}

#[test]
fn configurations_are_drawn_by_the_case_or_given() {
    let folder = TempDir::new().unwrap();
    let drawn = ["--execs", "60", "--seed", "5"];
    let run = fuzz(&folder.path().join("findings"), &drawn);
    assert_eq!(run.status, 0, "{}{}", run.stdout, run.stderr);
    let summary = run.json();
    for axis in [
        "opt",
        "regalloc",
        "traps",
        "memory",
        "cpu",
        "gc-zeal",
        "switches",
        "checks",
        "unwind-info",
        "stack",
    ] {
        let counts = choices_on(&summary, "compiled", axis);
        assert!(counts.len() > 1, "{axis}: {summary}");
        assert_eq!(counts.iter().sum::<u64>(), 60, "{axis}: {summary}");
    }
    let default = ["--execs", "5", "--config", "default"];
    let run = fuzz(&folder.path().join("findings"), &default);
    let summary = run.json();
    assert_eq!(choices_on(&summary, "compiled", "opt"), [5]);
    assert_eq!(summary["choices"]["compiled opt=none"], 5);

    // A planted bug is found under a configuration, and the command that reproduces it has both.
    let out = folder.path().join("planted");
    let planted = [
        "--execs",
        "20",
        "--config",
        "opt=speed,stack=1m",
        "--plant",
        "first-clause-only",
        "--max-findings",
        "1",
    ];
    assert_eq!(fuzz(&out, &planted).status, 1);
    let report = fs::read_to_string(out.join("000.txt")).unwrap();
    assert!(
        report.contains("compiled(opt=speed,stack=1m)  "),
        "{report}"
    );
    assert!(
        report.contains("--plant first-clause-only --config opt=speed,stack=1m"),
        "{report}"
    );
    let module = out.join("000.wasm").display().to_string();
    let again = ["diff", &module, "--plant", "first-clause-only", "--json"];
    let run = switchback(&[&again[..], &["--config", "opt=speed"]].concat());
    assert_eq!(run.status, 1, "{}", run.stderr);
    assert_eq!(
        run.json()["first_divergence"]["configurations"],
        serde_json::json!(["opt=speed", "default"])
    );

    for (config, word) in [
        ("opt=fast", "none, speed, size"),
        ("optt=none", "gc-zeal"),
        ("opt", "axis=choice"),
    ] {
        switchback(&["fuzz", "--execs", "1", "--config", config]).is_error(&["compiled", word]);
        switchback(&["run", &module, "--config", config]).is_error(&["compiled", word]);
        switchback(&["wast", "tests/wast", "--config", config]).is_error(&["compiled", word]);
    }
    let engines = ["fuzz", "--engines", "oracle,wasmi", "--config", "drawn"];
    switchback(&engines).is_error(&["more configurations"]);
}

#[test]
fn two_configurations_of_an_engine_are_a_comparison() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("findings");
    let twice = ["--engines", "compiled,compiled", "--seed", "1"];
    let run = fuzz(&out, &[&twice[..], &["--execs", "40"]].concat());
    assert_eq!(run.status, 0, "{}{}", run.stdout, run.stderr);
    let summary = run.json();
    assert_eq!(
        choices_on(&summary, "compiled.1", "opt")
            .iter()
            .sum::<u64>(),
        40
    );
    assert_eq!(
        choices_on(&summary, "compiled.2", "opt")
            .iter()
            .sum::<u64>(),
        40
    );
    assert!(summary["instructions"]["suspend"]["executed"].as_u64() > Some(100));

    // A bug that both sides have, and only one shows. It ends in a failed assertion of a debug build, or in a difference.
    let planted = ["--plant", "inner-stacks-collected", "--max-findings", "1"];
    let configured = |left: &str, right: &str| {
        let configs = ["--config", left, "--config", right, "--execs", "200"];
        fuzz(&out, &[&twice[..], &planted, &configs].concat())
    };
    let run = configured("stack=1m,gc-zeal=1", "default");
    assert_eq!(run.status, 1, "{}{}", run.stdout, run.stderr);
    let report = fs::read_to_string(out.join("000.txt")).unwrap();
    let options = "--engines compiled,compiled --plant inner-stacks-collected \
                   --config gc-zeal=1,stack=1m --config default";
    assert!(report.contains(options), "{report}");
    let module = out.join("000.wasm").display().to_string();
    let mut diff = vec!["diff", &module, "--json"];
    diff.extend(options.split_whitespace());
    let run = switchback(&diff);
    assert_eq!(run.status, 1, "{}{}", run.stdout, run.stderr);
    let divergence = &run.json()["first_divergence"];
    if divergence["kind"] == "crash" {
        // The other one alone does not.
        assert_eq!(divergence["engines"], serde_json::json!(["compiled"]));
    } else {
        let configurations = serde_json::json!(["gc-zeal=1,stack=1m", "default"]);
        assert_eq!(divergence["configurations"], configurations);
    }
    let same = configured("opt=speed", "default");
    assert_eq!(same.status, 0, "{}{}", same.stdout, same.stderr);
}

#[test]
fn scripts_run_in_the_configurations_that_are_given() {
    let script = r#"(module (func (export "f") (result i32) (i32.const 1)))
        (assert_return (invoke "f") (i32.const 1))"#;
    let (_folder, path) = file("one.wast", script);
    let engines = ["--engine", "compiled", "--engine", "compiled"];
    let configs = ["--config", "opt=speed,gc-zeal=1", "--config", "default"];
    let run = switchback(&[&["wast", &path], &engines[..], &configs].concat());
    assert_eq!(run.status, 0, "{}{}", run.stdout, run.stderr);
    let expected = "compiled(opt=speed,gc-zeal=1): 1 of 1 passed\ncompiled: 1 of 1 passed\n";
    assert!(run.stdout.ends_with(expected), "{}", run.stdout);
    let run = switchback(&["wast", &path, "--engine", "oracle", "--config", "default"]);
    run.is_error(&["more configurations"]);
}
