//! `fuzz`: what it prints, writes, and survives.

use super::*;

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

    // Nothing was mutated so early: the seed makes the same module.
    let seed = json["findings"][0]["seed"].to_string();
    let made = out.join("made.wasm");
    let generate = ["generate", "--seed", &seed, "-o", made.to_str().unwrap()];
    assert_eq!(switchback(&generate).status, 0);
    assert_eq!(fs::read(made).unwrap(), fs::read(wasm).unwrap());

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
        (["--generator", "singel"], "single"),
    ] {
        let run = switchback(&[&["fuzz", "--execs", "1"], arguments.as_slice()].concat());
        run.is_error(&[words]);
    }
}

#[test]
fn the_generators_that_are_asked_for_make_the_cases() {
    let folder = TempDir::new().unwrap();
    let cases = |names: &str| {
        let arguments = ["--execs", "24", "--no-mutate", "--generator", names];
        let run = fuzz(folder.path(), &arguments);
        assert_eq!(run.status, 0, "{}", run.stderr);
        run.json()
    };
    let single = cases("single");
    assert_eq!(single["generators"], serde_json::json!({"single": 24}));
    assert_eq!(single["leaves"]["instructions"], 0);
    let both = cases("single,woven");
    let of = |name: &str| both["generators"][name].as_u64().unwrap();
    assert_eq!(of("single") + of("woven"), 24);
    assert!(of("woven") > of("single"), "{}", both["generators"]);
    assert_ne!(single["digest"], both["digest"]);

    let text = |more: &[&str]| {
        let run = switchback(&[&["generate", "--seed", "7"], more].concat());
        assert_eq!(run.status, 0, "{}", run.stderr);
        run.stdout
    };
    let single = text(&["--generator", "single"]);
    assert_eq!(single, text(&["--generator", "single"]));
    assert_ne!(single, text(&["--generator", "woven"]));

    let without = ["--execs", "1", "--without", "stack_switching"];
    let run = switchback(&[&["fuzz", "--generator", "scenario"], &without[..]].concat());
    run.is_error(&["scenario", "stack switching"]);
}

/// What an engine that does not switch stacks can do of single instructions: all of them but a few.
#[test]
fn wasmi_executes_single_instructions() {
    let folder = TempDir::new().unwrap();
    let arguments = [
        "--engines",
        "oracle,wasmi",
        "--generator",
        "single",
        "--execs",
        "60",
    ];
    let run = fuzz(folder.path(), &arguments);
    assert_eq!(run.status, 0, "{}", run.stderr);
    let summary = run.json();
    assert_eq!(summary["generators"]["single"], 60);
    assert_eq!(summary["proposals"]["stack_switching"]["executed"], 0);
    assert!(summary["operators"].as_object().unwrap().len() > 150);
}
