//! Engines from elsewhere beside the oracle, and the fuzz targets of the oracle.

use std::path::Path;
use std::process::{Command, Stdio};
use switchback::compare::{Verdict, compare};
use switchback::engines::{self, Settings};
use switchback::fuzzing::{CaseRunner, oracle, oracle_bytes, wasmi};
use switchback::generate::{Features, whole};
use switchback::observe::{EventKind, Observation, TraceScope, observe};

fn on(engine: &str, text: &str) -> Observation {
    let settings = Settings {
        trace: true,
        ..Settings::default()
    };
    let engine = engines::create(engine, &settings).unwrap();
    observe(engine.as_ref(), &wat::parse_str(text).unwrap())
}

/// Everything that can be seen of a module, exported or not, and what the host is called with.
const ALL_KINDS: &str = r#"(module
    (import "host" "log" (func $log (param i32 externref funcref) (result f64)))
    (import "host" "g" (global $imported (mut i64)))
    (import "host" "m" (memory 1 2))
    (table $functions 3 5 funcref)
    (table 2 externref)
    (elem (table $functions) (i32.const 1) func $log $start)
    (global $hidden (mut f32) (f32.const nan:0x200001))
    (global $function funcref (ref.func $log))
    (global (mut v128) (v128.const i32x4 1 2 3 4))
    (func $start
      (i32.store8 (i32.const 7) (i32.const 1))
      (drop (call $log (i32.const 3) (ref.null extern) (ref.func $start))))
    (start $start)
    (func (export "grow") (result i32 i32)
      (global.set $imported (i64.const -1))
      (table.grow $functions (ref.func $start) (i32.const 1))
      (memory.grow (i32.const 1)))
    (func (export "trap") (result i32) (call_indirect $functions (result i32) (i32.const 0)))
    (func (export "beyond") (call_indirect $functions (i32.const 99)))
    (func (export "wrong") (result i32) (call_indirect $functions (result i32) (i32.const 2))))"#;

#[test]
fn wasmi_shows_what_the_oracle_shows() {
    let (left, right) = (on("wasmi", ALL_KINDS), on("oracle", ALL_KINDS));
    assert_eq!(compare(&left, &right), Verdict::Agree { cut: None });
    assert_eq!(left.state, right.state);
    let state = left.state.unwrap();
    assert_eq!(
        (
            state.globals.len(),
            state.memories.len(),
            state.tables.len()
        ),
        (4, 1, 2)
    );
    assert_eq!(left.calls.len(), 4);
    assert_eq!(left.scope, TraceScope::HostCalls);
    let trace = left.trace.unwrap();
    assert_eq!(trace.len(), 2, "the call and its return: {trace:?}");
    assert!(
        matches!(&trace[0].kind, EventKind::HostCall { function: 0, values } if values.len() == 3)
    );
}

#[test]
fn imports_of_several_kinds_may_stand_in_any_order() {
    let text = r#"(module
        (import "m" "f" (func (result i32)))
        (import "m" "g" (global i32))
        (import "m" "f" (func (result i32)))
        (import "m" "t" (table 2 funcref))
        (import "m" "h" (func (result i64)))
        (elem (table 0) (i32.const 0) func 0 2)
        (func (export "call") (result i32 i64) (call 1) (call 2)))"#;
    let (left, right) = (on("wasmi", text), on("oracle", text));
    assert_eq!(compare(&left, &right), Verdict::Agree { cut: None });
    assert!(right.instantiation.is_returned());
    assert_eq!(left.state, right.state);
}

#[test]
fn a_segment_that_does_not_fit_is_a_trap() {
    for segment in [
        "(table 1 funcref) (elem (i32.const 1) func 0) (func)",
        "(memory 1) (data (i32.const 65536) \"x\")",
    ] {
        let text = format!("(module {segment})");
        let (left, right) = (on("wasmi", &text), on("oracle", &text));
        assert_eq!(compare(&left, &right), Verdict::Agree { cut: None });
        assert_eq!(right.instantiation.name(), "trapped", "{segment}");
    }
}

#[test]
fn a_difference_in_a_call_of_the_host_is_seen() {
    let other = ALL_KINDS.replace("(call $log (i32.const 3)", "(call $log (i32.const 4)");
    let verdict = compare(&on("wasmi", ALL_KINDS), &on("oracle", &other));
    let Verdict::Diverge(divergence) = verdict else {
        panic!("{verdict:?}");
    };
    assert_eq!(divergence.kind.to_string(), "event/HostCall.values");
}

#[test]
fn what_wasmi_does_not_have_is_not_supported_and_what_is_wrong_is_rejected() {
    for text in [
        "(module (tag))",
        "(module (type (struct)))",
        "(module (type $f (func)) (type (cont $f)))",
    ] {
        let outcome = on("wasmi", text).instantiation;
        assert_eq!(outcome.name(), "unsupported", "{text}: {outcome}");
    }
    let outcome = on("wasmi", "(module (func (result i32)))").instantiation;
    assert_eq!(outcome.name(), "rejected");
}

#[test]
fn the_oracle_agrees_with_wasmi_on_whole_modules() {
    let runner = CaseRunner::with_engines(&["oracle", "wasmi"], &Settings::default()).unwrap();
    let mut executed = 0;
    for seed in 0..150 {
        let report = runner.run(seed);
        assert_eq!(report.finding, None, "seed {seed}");
        assert_eq!(report.discard, None, "seed {seed}");
        executed += report.operators.len();
    }
    assert!(
        executed > 1500,
        "{executed} kinds of instructions in all modules"
    );
}

/// The day on which an engine is mended, cases need not keep away from the bug any more.
#[test]
fn every_known_gap_is_still_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for registration in engines::REGISTRY {
        for gap in registration.gaps {
            assert!(Features::named(gap.feature).is_some(), "{gap:?}");
            assert!(
                !registration.features.names().contains(&gap.feature),
                "{gap:?}"
            );
            // In a process of its own: some of them crash.
            let status = Command::new(env!("CARGO_BIN_EXE_switchback"))
                .args(["wast", "--engine", registration.name])
                .arg(root.join(gap.reference))
                .stdout(Stdio::null())
                .status()
                .unwrap();
            assert!(
                !matches!(status.code(), Some(0 | 2)),
                "{} on {}: {status}",
                gap.reference,
                registration.name
            );
        }
    }
}

#[test]
fn a_known_gap_is_found_if_cases_do_not_keep_away_from_it() {
    let mut runner = CaseRunner::with_engines(&["oracle", "wasmi"], &Settings::default()).unwrap();
    assert!(runner.generate_despite("gc").is_err());
    runner.generate_despite("select_of_zero_test").unwrap();
    let found = (0..3000).any(|seed| runner.run(seed).finding.is_some());
    assert!(found);
}

/// The body of the fuzz target `oracle`, on the bytes of whole modules and of programs that switch stacks.
#[test]
fn the_oracle_runs_every_valid_module() {
    for seed in 0u8..120 {
        let bytes: Vec<u8> = (0..1500u32)
            .map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8 ^ seed.wrapping_mul(37))
            .collect();
        oracle(&[&[seed], bytes.as_slice()].concat());
    }
    oracle(&[]);
}

/// The bodies of the fuzz targets `oracle_bytes` and `wasmi`, on damaged modules.
#[test]
fn damaged_modules_are_refused_or_run() {
    for seed in 0..60u64 {
        let mut wasm = whole::generate(seed, Features::ALL);
        for change in 1..4u64 {
            let hash = (seed * 31 + change).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let index = 7 + (hash >> 20) as usize % (wasm.len() - 7);
            wasm[index] = hash as u8;
            oracle_bytes(&wasm);
            wasmi(&wasm);
        }
    }
}
