//! Wasmtime beside the compiling engine and the oracle: `cargo test --features wasmtime --test wasmtime`.

use std::path::Path;
use std::process::{Command, Stdio};
use switchback::compare::{Opinion, Side, Verdict, compare};
use switchback::engines::{self, Configuration, Settings};
use switchback::fuzzing::CaseRunner;
use switchback::observe::{Observation, Outcome, TraceScope, Value, observe};

fn observed(engine: &str, text: &str, settings: &Settings) -> Observation {
    let engine = engines::create(engine, settings).unwrap();
    observe(engine.as_ref(), &wat::parse_str(text).unwrap())
}

fn traced() -> Settings {
    Settings {
        trace: true,
        ..Settings::default()
    }
}

/// Everything that can be seen of a module, exported or not, and what the host is called with.
const ALL_KINDS: &str = r#"(module
    (type $f (func (param i32) (result i32)))
    (type $k (cont $f))
    (type $s (struct (field i32)))
    (type $a (array i8))
    (type $parked (func (result i32)))
    (type $pk (cont $parked))
    (import "host" "log" (func $log (param i32 externref funcref) (result f64)))
    (import "switchback" "call" (func $call (param funcref)))
    (import "host" "g" (global (mut i64)))
    (import "host" "m" (memory 1 2))
    (import "host" "t" (tag $imported (param i32)))
    (import "host" "results" (tag $results (param i32) (result i64)))
    (import "host" "stack" (table $stack i64 2 3 (ref null $pk)))
    (tag $own (param i64))
    (tag $yield (param i32))
    (table $functions 3 5 funcref)
    (elem (table $functions) (i32.const 1) func $log $start)
    (global $hidden (mut f32) (f32.const nan:0x200001))
    (global (mut v128) (v128.const i32x4 1 2 3 4))
    (global $kept (mut (ref null $pk)) (ref.null $pk))
    (global (mut (ref null cont)) (ref.null nocont))
    (global $object (mut anyref) (ref.null any))
    (global $exception (mut exnref) (ref.null exn))
    (func $start
      (i32.store8 (i32.const 7) (i32.const 1))
      (drop (call $log (i32.const 3) (ref.null extern) (ref.func $start))))
    (start $start)
    (func $body (type $parked) (suspend $yield (i32.const 11)) (i32.const 12))
    (elem declare func $body $throws)
    (func $throws (throw $own (i64.const 5)))
    (func (export "park") (result i32)
      (block $on (result i32 (ref $pk))
        (resume $pk (on $yield $on) (cont.new $pk (ref.func $body)))
        (return))
      (global.set $kept)
      (table.set $stack (i64.const 1) (global.get $kept)))
    (func (export "objects") (result i32 anyref anyref)
      (global.set $object (struct.new $s (i32.const 9)))
      (table.grow $functions (ref.func $start) (i32.const 1))
      (array.new $a (i32.const 1) (i32.const 2))
      (ref.i31 (i32.const -4)))
    (func (export "throw") (throw $imported (i32.const 3)))
    (func (export "through the host") (call $call (ref.func $throws)))
    (func (export "keep")
      (block $caught (result exnref)
        (try_table (catch_all_ref $caught) (call $throws))
        (unreachable))
      (global.set $exception))
    (func (export "suspend") (suspend $yield (i32.const 1)))
    (func (export "null") (result i32) (resume $pk (ref.null $pk)))
    (func (export "finish") (result i32) (resume $pk (global.get $kept)))
    (func (export "again") (result i32) (resume $pk (global.get $kept)))
    (func (export "element") (result i32) (call_indirect $functions (result i32) (i32.const 0)))
    (func (export "beyond") (call_indirect $functions (i32.const 99))))"#;

#[test]
fn wasmtime_shows_what_the_oracle_shows() {
    let left = observed("wasmtime", ALL_KINDS, &traced());
    let right = observed("oracle", ALL_KINDS, &traced());
    assert_eq!(compare(&left, &right), Verdict::Agree { cut: None });
    assert!(right.instantiation.is_returned());
    assert_eq!(left.scope, TraceScope::HostCalls);
    assert_eq!(
        left.trace.unwrap().len(),
        3,
        "an exception ends one of two calls"
    );

    let ended = |name: &str| {
        let call = left.calls.iter().find(|call| call.export == name).unwrap();
        call.outcome.clone()
    };
    let threw = |tag, value| Outcome::Threw {
        tag,
        values: vec![value],
    };
    assert_eq!(ended("throw"), threw(0, Value::I32(3)));
    assert_eq!(ended("through the host"), threw(2, Value::I64(5)));
    assert_eq!(ended("suspend"), Outcome::Suspended { tag: None });
    let objects = [Value::I32(3), Value::Array(3), Value::I31(-4)];
    assert_eq!(
        ended("objects"),
        Outcome::Returned {
            values: objects.to_vec()
        }
    );
    let state = left.state.unwrap();
    assert_eq!(state.globals[3], Value::Cont(None));
    assert_eq!(
        state.globals[4..],
        [Value::Null, Value::Struct(2), Value::Exn(2)]
    );
    assert_eq!(state.tables[0].element(0), Value::Null);
    assert_eq!(state.tables[0].element(1), Value::Cont(None));
    assert_eq!(state.continuations.len(), 2);
}

#[test]
fn what_wasmtime_does_not_have_is_not_supported_and_what_is_wrong_is_rejected() {
    let on = |text| observed("wasmtime", text, &traced()).instantiation;
    for text in [
        "(module (type $f (func)) (type $k (cont $f)) (import \"m\" \"f\" (func (param (ref null $k)))))",
        "(module (type (shared (struct))))",
    ] {
        let outcome = on(text);
        assert_eq!(outcome.name(), "unsupported", "{text}: {outcome}");
    }
    // The callback has a parameter that no call from Wasmtime's host can give.
    let call = observed(
        "wasmtime",
        r#"(module
            (type $f (func)) (type $k (cont $f))
            (import "switchback" "call" (func $call (param funcref)))
            (import "host" "g" (global (ref null $k)))
            (func $back (param (ref null $k)) (unreachable))
            (elem declare func $back)
            (func (export "call") (call $call (ref.func $back))))"#,
        &traced(),
    );
    assert_eq!(call.calls[0].outcome.name(), "unsupported");
    assert_eq!(call.state.unwrap().globals, [Value::Null]);
    assert_eq!(on("(module (func (result i32)))").name(), "rejected");
    assert_eq!(on("(module (memory 2000))").name(), "exhausted");
    assert_eq!(
        on("(module (import \"m\" \"g\" (global (ref func))))").name(),
        "unlinkable"
    );
}

#[test]
fn three_engines_agree_and_few_cases_say_nothing() {
    let names = ["compiled", "wasmtime", "oracle"];
    let runner = CaseRunner::with_engines(&names, &Settings::default()).unwrap();
    let (mut events, mut cut) = (0, 0);
    for seed in 0..250 {
        let report = runner.run(seed);
        let text = report.finding.as_ref().map(|finding| &finding.text);
        assert_eq!(text, None, "seed {seed}");
        assert_eq!(report.discard, None, "seed {seed}");
        events += report.events;
        cut += usize::from(report.cut);
    }
    assert!(events > 10_000, "{events} steps of stack switching");
    assert!(cut < 10, "{cut} cases are cut by a limit");
}

/// The body of the fuzz target `wasmtime`, on bytes of a fuzzing engine and on a module.
#[test]
fn the_body_of_the_fuzz_target_takes_bytes_and_modules() {
    for first in 0..20u8 {
        let bytes: Vec<u8> = (0..400u32)
            .map(|i| first.wrapping_add((i * i) as u8))
            .collect();
        assert!(switchback::fuzzing::wasmtime(&bytes));
    }
    let module = switchback::generate::generate(1, &switchback::generate::Config::default()).wasm;
    switchback::fuzzing::wasmtime(&module);
}

#[test]
fn whole_modules_agree() {
    let mut runner =
        CaseRunner::with_engines(&["wasmtime", "oracle"], &Settings::default()).unwrap();
    let features = switchback::generate::Features::named("stack_switching").unwrap();
    runner.generate_without(features);
    for seed in 0..100 {
        let report = runner.run(seed);
        let text = report.finding.as_ref().map(|finding| &finding.text);
        assert_eq!(text, None, "seed {seed}");
        assert_eq!(report.discard, None, "seed {seed}");
    }
}

/// Steering is what keeps cases away from what Wasmtime refuses.
#[test]
fn without_steering_cases_meet_what_is_refused() {
    let mut runner =
        CaseRunner::with_engines(&["wasmtime", "oracle"], &Settings::default()).unwrap();
    runner.generate_despite("bound_references").unwrap();
    let refused = (0..40).any(|seed| {
        let discard = runner.run(seed).discard;
        discard.is_some_and(|(_, message)| message.contains("cont.bind does not support GC types"))
    });
    assert!(refused);
}

/// Nothing that a module uses, but how much of it: the heap of a case never fills up.
#[test]
fn a_collection_while_a_continuation_is_suspended_still_fails() {
    let script = "corpus/regressions/wasmtime-collection.wast";
    // In a process of its own: it panics.
    let status = Command::new(env!("CARGO_BIN_EXE_switchback"))
        .args(["wast", "--engine", "wasmtime"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(script))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(!matches!(status.code(), Some(0 | 2)), "{status}");
}

#[test]
fn every_axis_leaves_what_a_module_shows() {
    let right = observed("oracle", ALL_KINDS, &traced());
    let axes = (engines::find("wasmtime").unwrap().axes)();
    for axis in &axes {
        for (choice, _) in axis.choices.iter().filter(|(_, weight)| *weight > 0) {
            let text = format!("{}={choice}", axis.name);
            let settings = Settings {
                configuration: Configuration::parse(&text, &axes).unwrap(),
                ..traced()
            };
            let left = observed("wasmtime", ALL_KINDS, &settings);
            assert_eq!(
                compare(&left, &right),
                Verdict::Agree { cut: None },
                "{text}"
            );
        }
    }
}

#[test]
#[cfg(feature = "planted-bugs")]
fn the_report_says_who_stands_alone() {
    let settings = Settings {
        plant: Some("first-clause-only".to_owned()),
        ..Settings::default()
    };
    let names = ["compiled", "wasmtime", "oracle"];
    let runner = CaseRunner::with_engines(&names, &settings).unwrap();
    let found = (0..400).find_map(|seed| runner.run(seed).finding).unwrap();
    let sentence = "compiled stands alone: wasmtime shows what oracle shows";
    let unsure = "wasmtime shows nothing that tells who is right";
    assert!(
        found.text.contains(sentence) || found.text.contains(unsure),
        "{}",
        found.text
    );

    let left = observed("wasmtime", ALL_KINDS, &traced());
    let right = observed("oracle", &ALL_KINDS.replace("-4", "-5"), &traced());
    let third = observed("compiled", ALL_KINDS, &traced());
    assert_eq!(Opinion::of(&third, &left, &right).with, Side::Left);
}
