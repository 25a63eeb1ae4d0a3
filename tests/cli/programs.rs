//! Commands about modules and scripts that are given.

use super::*;

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
fn run_gives_up_what_does_not_end() {
    let module = r#"(module (func (export "ends")) (func (export "endless") (loop (br 0))))"#;
    let (_folder, path) = file("loop.wat", module);
    let message = [
        "loop.wat",
        "no end within 1000 instructions",
        "--max-instructions",
    ];
    for engine in ["oracle", "compiled"] {
        let bounded = [
            "run",
            &path,
            "--engine",
            engine,
            "--max-instructions",
            "1000",
        ];
        switchback(&bounded).is_error(&message);
        let call = switchback(&[&bounded[..], &["--invoke", "ends"]].concat());
        assert_eq!((call.status, call.stderr.as_str()), (0, ""));
        switchback(&[&bounded[..], &["--invoke", "endless"]].concat()).is_error(&message);
    }
    let unbounded = ["run", &path, "--invoke", "ends", "--max-instructions", "0"];
    assert_eq!(switchback(&unbounded).status, 0);
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
fn generate_makes_a_module_of_a_fuzzing_engines_bytes() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (bytes, module) = (path("crash-1"), path("case.wasm"));
    fs::write(&bytes, [0xd8, 0xd8, 9, 0xaa, 0xab]).unwrap();
    let generate = |bytes: &str, to: &str| switchback(&["generate", "--bytes", bytes, "-o", to]);
    assert_eq!(generate(&bytes, &module).status, 0);
    assert_eq!(switchback(&["diff", &module]).status, 0);
    let again = path("again.wasm");
    assert_eq!(generate(&bytes, &again).status, 0);
    assert_eq!(fs::read(&module).unwrap(), fs::read(&again).unwrap());
    generate(&module, &again).is_error(&["case.wasm", "a module already"]);
    generate(&path("nothing"), &again).is_error(&["nothing", "No such file"]);
    switchback(&["generate"]).is_error(&["--seed"]);
    switchback(&["generate", "--seed", "1", "--bytes", &bytes]).is_error(&["--bytes"]);
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
fn a_module_runs_with_the_provider_that_it_carries() {
    let provider = r#"(module (tag $t (export "t")) (global (mut i32) (i32.const 4))
        (func (export "f") (suspend $t)))"#;
    let main = r#"(module (import "linked" "t" (tag $t)) (import "linked" "f" (func $f))
        (type $f (func)) (type $k (cont $f)) (elem declare func $f)
        (func (export "run") (result i32)
          (block $on (result (ref $k))
            (resume $k (on $t $on) (cont.new $k (ref.func $f))) (return (i32.const 0)))
          (drop) (i32.const 1)))"#;
    let main = wat::parse_str(main).unwrap();
    let wasm = switchback::linked::link(&main, &wat::parse_str(provider).unwrap());
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let path = write("linked.wasm", &wasm);
    for engine in ["compiled", "oracle"] {
        let run = switchback(&["run", &path, "--engine", engine]);
        assert_eq!((run.status, run.stderr.as_str()), (0, ""));
        assert!(
            run.stdout.contains("run: returned (i32 1)"),
            "{}",
            run.stdout
        );
        assert!(
            run.stdout.contains("linked global 0: i32 4"),
            "{}",
            run.stdout
        );
    }
    let json = switchback(&["run", &path, "--engine", "oracle", "--json"]).json();
    assert_eq!(json["linked"]["globals"][0]["i32"], 4);
    assert_eq!(switchback(&["diff", &path]).status, 0);

    // A provider that is none.
    let path = write("none.wasm", &switchback::linked::link(&main, b"none"));
    for command in ["run", "diff", "reduce", "stats"] {
        let command = [command, &path];
        switchback(&command).is_error(&[
            &path,
            "switchback.linked",
            "no WebAssembly module",
            "offset 0x",
        ]);
    }
    // Among others in a folder it does not end the whole.
    let json = switchback(&["stats", dir.path().to_str().unwrap(), "--json"]).json();
    assert_eq!(json["modules"], 1);
    let [number, reason] = json["discarded"]["rejected"].as_array().unwrap().as_slice() else {
        panic!("{json}");
    };
    assert_eq!(*number, 1);
    assert!(
        reason.as_str().unwrap().contains("no WebAssembly module"),
        "{reason}"
    );
}
