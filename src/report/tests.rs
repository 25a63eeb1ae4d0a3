use super::*;
use crate::compare::{Verdict, compare};
use crate::observe::{Call, EventKind, State, Value};
use text::{Palette, render};

const MODULE: &str = r#"(module
    (type $f (func)) (type $k (cont $f))
    (tag $t)
    (func $body (suspend $t))
    (elem declare func $body)
    (func $run (export "run")
      (block $h (result (ref $k))
        (resume $k (on $t $h) (cont.new $k (ref.func $body)))
        (return))
      (drop)))"#;

/// Two observations of [`MODULE`] whose suspensions differ, and the module.
fn diverging() -> (Vec<u8>, Observation, Observation) {
    let wasm = wat::parse_str(MODULE).unwrap();
    let at = |opcode: u8, function| {
        let offset = wasm.iter().position(|&b| b == opcode).unwrap() as u32;
        Some(Location { function, offset })
    };
    let side = |engine: &str, distance| {
        let trace = vec![
            Event {
                kind: EventKind::New {
                    cont: 0,
                    function: 0,
                },
                at: at(0xe0, 1),
            },
            Event {
                kind: EventKind::Resume {
                    cont: 0,
                    values: vec![],
                    depth: 2,
                },
                at: at(0xe3, 1),
            },
            Event {
                kind: EventKind::Suspend {
                    tag: 0,
                    values: vec![],
                    cont: 1,
                    distance,
                    clause: 0,
                },
                at: at(0xe2, 0),
            },
        ];
        let returned = Outcome::Returned { values: vec![] };
        Observation {
            engine: engine.to_owned(),
            instantiation: returned.clone(),
            calls: vec![Call {
                export: "run".to_owned(),
                outcome: returned,
                events: 0..3,
                backtrace: Vec::new(),
            }],
            trace: Some(trace),
            scope: crate::observe::TraceScope::All,
            state: Some(State::default()),
            linked: None,
            ended_in_provider: false,
        }
    };
    let (left, right) = (side("compiled", 1), side("oracle", 0));
    (wasm, left, right)
}

fn report(wasm: &[u8], left: &Observation, right: &Observation) -> Report {
    let Verdict::Diverge(divergence) = compare(left, right) else {
        panic!("no divergence")
    };
    Report::new(
        wasm,
        left,
        right,
        &divergence,
        Some("switchback diff x.wasm".to_owned()),
    )
}

#[test]
fn the_text_names_the_instruction_and_shows_both_sides() {
    let (wasm, left, right) = diverging();
    let text = render(&report(&wasm, &left, &right), Palette::plain());
    insta::assert_snapshot!(text);
}

#[test]
fn a_difference_in_state_points_at_the_last_known_instruction() {
    let (wasm, mut left, right) = diverging();
    left.trace = right.trace.clone();
    left.state.as_mut().unwrap().globals.push(Value::I32(1));
    let report = report(&wasm, &left, &right);
    let instruction = report.instruction.unwrap();
    assert_eq!(instruction.relation, Relation::After);
    assert_eq!(instruction.function, "0 ($body)");
    assert!(report.outcomes.is_none());
}

#[test]
fn a_side_that_ends_early_does_not_show_a_later_calls_events() {
    let (wasm, mut left, right) = diverging();
    left.calls[0].events = 0..2;
    left.trace.as_mut().unwrap()[2].kind = EventKind::Unwind { tag: 7 };
    let report = report(&wasm, &left, &right);
    assert_eq!(report.divergence.kind.as_str(), "event/none-Suspend");
    let last = report.events.last().unwrap();
    assert!(last.differs && last.left.is_none() && last.right.is_some());
}

#[test]
fn colour_changes_nothing_but_the_styles() {
    let (wasm, left, right) = diverging();
    let report = report(&wasm, &left, &right);
    let colour = render(&report, Palette::colour());
    let plain = render(&report, Palette::plain());
    assert_ne!(colour, plain);
    assert_eq!(anstream::adapter::strip_str(&colour).to_string(), plain);
}
