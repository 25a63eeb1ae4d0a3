//! The settings of engines, drawn by cases and given by users.

use super::*;

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
