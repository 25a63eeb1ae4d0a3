//! From a finding to a small module and to a permanent test, over the command line.

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use switchback::engines::{self, Settings};
use switchback::linked;
use switchback::wast::run_script;
use tempfile::TempDir;

/// A bug that nearly every generated module shows, in outcomes too.
const PLANT: &str = "first-clause-only";

fn switchback(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_switchback"))
        .args(arguments)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).unwrap()
}

/// A finding of the planted bug, in a folder.
fn finding(folder: &Path) -> String {
    let out = folder.join("findings");
    let out = out.to_str().unwrap();
    let limits = ["--execs", "50", "--max-findings", "1", "--seed", "1"];
    let mut arguments = vec!["fuzz", "--plant", PLANT, "--out", out];
    arguments.extend(limits);
    assert_eq!(switchback(&arguments).status.code(), Some(1));
    let path = Path::new(out).join("000.wasm");
    path.to_str().unwrap().to_owned()
}

fn is_error(output: &Output, parts: &[&str]) {
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert_eq!(stderr.matches("error:").count(), 1, "{stderr}");
    for part in parts {
        assert!(stderr.contains(part), "{part:?} is not in {stderr}");
    }
}

#[test]
fn a_finding_becomes_small_and_shows_the_same_again() {
    let folder = TempDir::new().unwrap();
    let path = finding(folder.path());
    let reduce = |name: &str| -> (PathBuf, Value) {
        let out = folder.path().join(name);
        let arguments = [
            "reduce", &path, "--json", "--time", "10m", "--plant", PLANT, "-o",
        ];
        let mut arguments = arguments.to_vec();
        arguments.push(out.to_str().unwrap());
        let output = switchback(&arguments);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        (out, serde_json::from_slice(&output.stdout).unwrap())
    };
    let (once, json) = reduce("once.wasm");
    let (again, _) = reduce("again.wasm");
    assert_eq!(fs::read(&once).unwrap(), fs::read(&again).unwrap());
    assert_eq!(json["finished"], true);
    assert!(
        json["after"]["instructions"].as_u64().unwrap() <= 40,
        "{json}"
    );
    assert!(fs::metadata(&once).unwrap().len() < fs::metadata(&path).unwrap().len());

    // The configuration is that of the finding, although the smaller module has other bytes.
    let report = fs::read_to_string(Path::new(&path).with_extension("txt")).unwrap();
    let config = json["config"][0].as_str().unwrap();
    assert!(
        report.contains(&format!(" --config {config}\n")),
        "{report}"
    );
    let once = once.to_str().unwrap();
    let pinned = ["--plant", PLANT, "--config", config];
    let diff = switchback(&[&["diff", once, "--json"], &pinned[..]].concat());
    assert_eq!(diff.status.code(), Some(1));
    let diff: Value = serde_json::from_slice(&diff.stdout).unwrap();
    assert_eq!(diff["first_divergence"]["kind"], json["signature"]["kind"]);
    assert_eq!(switchback(&["diff", once]).status.code(), Some(0));
}

#[test]
fn a_finding_becomes_a_test_that_fails_with_the_bug_and_passes_without() {
    let folder = TempDir::new().unwrap();
    let path = finding(folder.path());
    let out = folder.path().join("regressions");
    let arguments = [
        "regress",
        &path,
        "--plant",
        PLANT,
        "--time",
        "10m",
        "--name",
        "the-bug",
        "--out",
        out.to_str().unwrap(),
    ];
    let regress = switchback(&arguments);
    assert_eq!(regress.status.code(), Some(0), "{}", text(&regress.stderr));
    assert!(
        text(&regress.stderr).contains("it fails now"),
        "{}",
        text(&regress.stderr)
    );
    let script = out.join("the-bug.wast");
    let script_text = fs::read_to_string(&script).unwrap();
    assert!(script_text.lines().count() <= 60, "{script_text}");

    let failed = |engine: &str, plant: Option<&str>| {
        let settings = Settings {
            plant: plant.map(str::to_owned),
            ..Settings::default()
        };
        let engine = engines::create(engine, &settings).unwrap();
        run_script("the-bug", &script_text, engine.as_ref())
            .unwrap()
            .failed
    };
    assert!(failed("compiled", Some(PLANT)) > 0, "{script_text}");
    assert_eq!(
        (failed("compiled", None), failed("oracle", None)),
        (0, 0),
        "{script_text}"
    );

    // What is there is not overwritten.
    is_error(&switchback(&arguments), &["the-bug.wast", "already"]);
}

/// Both clauses lead to the same place, so that nothing but the trace says which of them was taken.
#[test]
fn what_only_the_trace_shows_becomes_a_test() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("clauses.wat");
    let module = r#"(module (type $f (func)) (type $k (cont $f)) (tag $a) (tag $b)
        (func $body (suspend $b)) (elem declare func $body)
        (func (export "run")
            (block $h (result (ref null $k))
                (resume $k (on $a $h) (on $b $h) (cont.new $k (ref.func $body)))
                (return))
            (drop)))"#;
    fs::write(&path, module).unwrap();
    becomes_a_test(&path, "tags-compared-by-type");
}

/// Without the bug the start function returns, which is no assertion; there is nothing that could be called, and no state.
#[test]
fn a_start_function_becomes_a_test() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("start.wat");
    let module = "(module (start $start)
        (func $start
            (if (i64.ne (i64.sub (i64.const 5) (i64.const 3)) (i64.const 2)) (then (unreachable)))))";
    fs::write(&path, module).unwrap();
    becomes_a_test(&path, "subtraction-reversed");
    // The provider's start function is one as well.
    let main = wat::parse_str("(module (func (export \"run\") (unreachable)))").unwrap();
    let file = linked::link(&main, &wat::parse_str(module).unwrap());
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("linked.wasm");
    fs::write(&path, file).unwrap();
    becomes_a_test(&path, "subtraction-reversed");
}

/// Makes a test `t` of a module that is alone in its folder. It is all that is there then; it fails with the bug, and passes without
/// it and on the reference.
fn becomes_a_test(path: &Path, plant: &str) {
    let folder = path.parent().unwrap();
    let (path, out) = (path.to_str().unwrap(), folder.to_str().unwrap());
    let options = [
        "--plant", plant, "--config", "default", "--name", "t", "--out", out,
    ];
    let regress = switchback(&[&["regress", path], &options[..]].concat());
    assert_eq!(regress.status.code(), Some(0), "{}", text(&regress.stderr));
    assert_eq!(fs::read_dir(folder).unwrap().count(), 2);
    let script = folder.join("t.wast");
    let script = script.to_str().unwrap();
    let wast = |engine: &str, more: &[&str]| {
        let arguments = ["wast", script, "--engine", engine];
        switchback(&[&arguments[..], more].concat()).status.code()
    };
    assert_eq!(wast("compiled", &["--plant", plant]), Some(1));
    assert_eq!(
        (wast("compiled", &[]), wast("oracle", &[])),
        (Some(0), Some(0))
    );
}

/// A campaign until the first finding, its reduction, and the test that is made of it.
#[test]
fn a_test_is_made_of_a_planted_bug() {
    let limits = ["--seeds", "1", "--execs", "50", "--time", "10m"];
    let output = switchback(&[&["planted", PLANT, "--regress", "--json"], &limits[..]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let rows: Value = serde_json::from_slice(&output.stdout).unwrap();
    let made = &rows[0]["test"];
    assert_eq!(made["finished"], true, "{rows}");
    for (part, most) in [("reduced", 40), ("test", 40), ("lines", 60)] {
        assert!(made[part].as_u64().is_some_and(|n| n <= most), "{rows}");
    }
}

/// The table of campaigns may be of other seeds than one campaign for each test has.
#[test]
fn tables_of_other_seeds_are_told_before_any_campaign() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("page.md");
    let campaigns = "<!-- switchback planted -->\n\n| bug | classes | seed 1 | seed 2 | median | a case |\n|---|---|---|---|---|---|\n\
                     | carry-lost | – | 7 | 8 | 7.5 | 9 |\n";
    let tests = "\n<!-- switchback planted --regress -->\n";
    fs::write(&path, format!("{campaigns}{tests}")).unwrap();
    let page = path.to_str().unwrap();
    let arguments = ["planted", PLANT, "--seeds", "1", "--update", page];
    let run = |more: &[&str]| switchback(&[&arguments[..], more].concat());
    // Without a campaign there is nothing on the standard output.
    let refused = run(&[]);
    is_error(&refused, &["page.md", "carry-lost", "5 columns"]);
    assert_eq!(text(&refused.stdout), "");
    // One execution finds nothing that a test could be made of, or is reduced at once: there is a row anyway.
    let ran = run(&["--regress", "--execs", "1", "--time", "1s"]);
    assert_ne!(ran.status.code(), Some(2), "{}", text(&ran.stderr));
    let updated = fs::read_to_string(&path).unwrap();
    let (first, second) = updated.split_once(tests).unwrap();
    assert_eq!(first, campaigns);
    assert!(second.contains(&format!("\n| {PLANT} | ")), "{updated}");
    fs::write(&path, campaigns).unwrap();
    is_error(
        &run(&["--regress"]),
        &["page.md", "no line <!-- switchback planted --regress -->"],
    );
}

#[test]
fn what_agrees_has_nothing_to_reduce() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("fine.wat");
    fs::write(&path, "(module (func (export \"f\")))").unwrap();
    let path = path.to_str().unwrap();
    is_error(
        &switchback(&["reduce", path]),
        &["fine.wat", "nothing to reduce"],
    );
    is_error(
        &switchback(&["regress", path, "--name", "x"]),
        &["fine.wat", "all agree"],
    );
    is_error(
        &switchback(&["regress", path, "--name", "../x"]),
        &["--name"],
    );
    is_error(&switchback(&["reduce", "no-such.wasm"]), &["no-such.wasm"]);
}

/// None of this takes a judgement: engines agree on the module, and nothing says so.
#[test]
fn what_would_be_in_vain_is_told_at_once() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("sp ace.wat");
    fs::write(&path, "(module (func (export \"f\")))").unwrap();
    let path = path.to_str().unwrap();
    let nowhere = folder.path().join("no-such-folder/small.wasm");
    let nowhere = nowhere.to_str().unwrap();
    is_error(
        &switchback(&["reduce", path, "-o", nowhere]),
        &["small.wasm", "No such file"],
    );
    let below_a_file = format!("{path}/small.wasm");
    is_error(
        &switchback(&["reduce", path, "-o", &below_a_file]),
        &["small.wasm", "Not a directory"],
    );
    let a_folder = folder.path().to_str().unwrap();
    is_error(
        &switchback(&["reduce", path, "-o", a_folder]),
        &[a_folder, "Is a directory"],
    );
    // What is tried leaves nothing.
    is_error(&switchback(&["reduce", path]), &["nothing to reduce"]);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);

    // The name of the file is none for a test.
    let out = folder.path().join("tests");
    let regress = switchback(&["regress", path, "--out", out.to_str().unwrap()]);
    is_error(&regress, &["sp ace", "--name"]);
    assert!(!out.exists());
}

/// Everything would be a hang.
#[test]
fn no_time_at_all_is_refused() {
    for arguments in [
        &["reduce", "m.wasm"][..],
        &["regress", "m.wasm"],
        &["diff", "m.wasm"],
        &["planted"],
        &["fuzz"],
    ] {
        let refused = switchback(&[arguments, &["--timeout", "0s"]].concat());
        is_error(&refused, &["--timeout", "longer than zero"]);
    }
}

#[test]
fn what_cannot_be_run_is_told_with_the_reason() {
    let folder = TempDir::new().unwrap();
    let write = |name: &str, wasm: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, wasm).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let out = folder.path().join("tests");
    let out = out.to_str().unwrap();
    let main = "(module (import \"linked\" \"f\" (func)))";
    let main = wat::parse_str(main).unwrap();
    let unlinkable = linked::link(&main, &wat::parse_str("(module)").unwrap());
    let unlinkable = write("unlinkable.wasm", &unlinkable);
    let cut = write("cut.wasm", &main[..main.len() - 1]);
    for (path, parts) in [
        (
            &unlinkable,
            ["unlinkable.wasm", "unknown import: \"linked\" \"f\""],
        ),
        (&cut, ["cut.wasm", "unexpected end"]),
    ] {
        is_error(&switchback(&["reduce", path]), &parts);
        is_error(&switchback(&["regress", path, "--out", out]), &parts);
    }
    // The engines agree on this one, but no script could say on what.
    let endless = write("endless.wat", b"(module (func (export \"f\") (call 0)))");
    is_error(
        &switchback(&["regress", &endless, "--out", out]),
        &[
            "endless.wat",
            "all agree",
            "no assertion describes that the call of \"f\"",
        ],
    );
    assert_eq!(fs::read_dir(out).unwrap().count(), 0);
}

/// Nothing is done within a microsecond, so every candidate is a hang: nothing of the module is needed.
#[test]
fn a_hang_is_reduced_in_a_child_process() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("m.wat");
    let module = "(module (memory 1) (func (export \"f\") (drop (memory.grow (i32.const 1)))))";
    fs::write(&path, module).unwrap();
    let path = path.to_str().unwrap();
    let output = switchback(&["reduce", path, "--timeout", "1us", "--time", "10m"]);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert!(
        stderr.contains("still shows: hang") && stderr.contains("0 of 3 instructions"),
        "{stderr}"
    );
    // Without --output the result is beside the module.
    let reduced = fs::read(folder.path().join("m.reduced.wasm")).unwrap();
    assert_eq!(reduced, b"\0asm\x01\0\0\0");
}

/// A campaign counts all findings of one bug, and keeps a few.
#[test]
fn findings_of_one_bug_are_one_group() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("findings");
    let arguments = [
        "fuzz",
        "--plant",
        PLANT,
        "--execs",
        "60",
        "--seed",
        "1",
        "--json",
        "--out",
        out.to_str().unwrap(),
    ];
    let output = switchback(&arguments);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let groups = json["groups"].as_array().unwrap();
    let findings = json["findings"].as_array().unwrap();
    let sum: u64 = groups
        .iter()
        .map(|group| group["findings"].as_u64().unwrap())
        .sum();
    assert_eq!(json["divergences"], sum);
    assert!(groups.len() as u64 * 2 < sum, "{json}");
    for group in groups {
        let same = |finding: &&Value| {
            ["kind", "engines", "at"]
                .iter()
                .all(|key| finding[key] == group[key])
        };
        let kept = findings.iter().filter(same).count() as u64;
        assert_eq!(kept, group["findings"].as_u64().unwrap().min(3), "{group}");
    }
    for finding in findings {
        assert!(Path::new(finding["path"].as_str().unwrap()).exists());
    }
}
