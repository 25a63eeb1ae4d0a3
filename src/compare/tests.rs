use super::*;
use crate::observe::{Call, Continuation, EventKind, Location, Memory, Table, TrapKind, Value};

fn returned(values: &[Value]) -> Outcome {
    Outcome::Returned {
        values: values.to_vec(),
    }
}

fn trapped(trap: TrapKind, at: Option<(u32, u32)>) -> Outcome {
    let at = at.map(|(function, offset)| Location { function, offset });
    Outcome::Trapped { trap, at }
}

fn exhausted() -> Outcome {
    Outcome::Exhausted {
        what: "call stack".to_owned(),
    }
}

fn resume(cont: u64, depth: u32) -> Event {
    Event {
        kind: EventKind::Resume {
            cont,
            values: Vec::new(),
            depth,
        },
        at: None,
    }
}

/// An observation with one call for each pair of events and outcome.
fn observation(engine: &str, calls: Vec<(Vec<Event>, Outcome)>) -> Observation {
    let mut trace = Vec::new();
    let mut list = Vec::new();
    for (index, (mut events, outcome)) in calls.into_iter().enumerate() {
        let start = trace.len();
        trace.append(&mut events);
        list.push(Call {
            export: format!("f{index}"),
            outcome,
            events: start..trace.len(),
            backtrace: Vec::new(),
        });
    }
    Observation {
        engine: engine.to_owned(),
        instantiation: returned(&[]),
        calls: list,
        trace: Some(trace),
        scope: crate::observe::TraceScope::All,
        state: Some(State::default()),
        linked: None,
        ended_in_provider: false,
    }
}

fn kind_of(verdict: Verdict) -> String {
    match verdict {
        Verdict::Diverge(divergence) => divergence.kind.to_string(),
        other => panic!("no divergence: {other:?}"),
    }
}

#[test]
fn equal_observations_agree() {
    let make = |engine| observation(engine, vec![(vec![resume(0, 2)], returned(&[]))]);
    let verdict = compare(&make("a"), &make("b"));
    assert_eq!(verdict, Verdict::Agree { cut: None });
}

#[test]
fn the_first_difference_in_execution_order_wins() {
    // The outcomes of call 0 and the events of call 1 differ: call 0 is first.
    let a = observation(
        "a",
        vec![
            (vec![resume(0, 2)], returned(&[Value::I32(1)])),
            (vec![resume(1, 2)], returned(&[])),
        ],
    );
    let b = observation(
        "b",
        vec![
            (vec![resume(0, 2)], returned(&[Value::I32(2)])),
            (vec![resume(1, 3)], returned(&[])),
        ],
    );
    let Verdict::Diverge(divergence) = compare(&a, &b) else {
        panic!("no divergence")
    };
    assert_eq!(divergence.kind.as_str(), "outcome/returned.values");
    let export = "f0".to_owned();
    assert_eq!(divergence.place, Place::Call { index: 0, export });
}

#[test]
fn within_a_call_events_come_before_the_outcome() {
    let a = observation("a", vec![(vec![resume(0, 2)], returned(&[]))]);
    let b = observation(
        "b",
        vec![(vec![resume(0, 3)], trapped(TrapKind::Unreachable, None))],
    );
    assert_eq!(kind_of(compare(&a, &b)), "event/Resume.depth");
    let c = observation("c", vec![(vec![], trapped(TrapKind::Unreachable, None))]);
    assert_eq!(kind_of(compare(&a, &c)), "event/Resume-none");
    assert_eq!(kind_of(compare(&c, &a)), "event/none-Resume");
}

#[test]
fn locations_count_where_both_sides_know_them() {
    let make = |at| observation("x", vec![(vec![], trapped(TrapKind::NullReference, at))]);
    let (none, one, two) = (make(None), make(Some((1, 9))), make(Some((1, 12))));
    assert_eq!(compare(&none, &one), Verdict::Agree { cut: None });
    assert_eq!(kind_of(compare(&one, &two)), "outcome/trapped.at");

    let event = |offset: Option<u32>| {
        let mut event = resume(0, 2);
        event.at = offset.map(|offset| Location {
            function: 0,
            offset,
        });
        observation("x", vec![(vec![event], returned(&[]))])
    };
    assert_eq!(
        compare(&event(None), &event(Some(1))),
        Verdict::Agree { cut: None }
    );
    assert_eq!(
        kind_of(compare(&event(Some(2)), &event(Some(1)))),
        "event/Resume.at"
    );
}

#[test]
fn exhaustion_ends_the_comparison_but_not_before_it() {
    let tail = || (vec![resume(9, 9)], returned(&[Value::I32(9)]));
    let a = observation("a", vec![(vec![resume(0, 2)], exhausted()), tail()]);
    let b = observation("b", vec![(vec![resume(0, 2), resume(1, 2)], returned(&[]))]);
    let Verdict::Agree { cut: Some(cut) } = compare(&a, &b) else {
        panic!("not cut")
    };
    assert_eq!((cut.engine.as_str(), cut.call), ("a", 0));

    // What came before the limit still counts …
    let c = observation("c", vec![(vec![resume(0, 5)], returned(&[]))]);
    assert_eq!(kind_of(compare(&a, &c)), "event/Resume.depth");
    // … and so does an exhausted side that went on when the other was done.
    let d = observation("d", vec![(vec![], returned(&[]))]);
    assert_eq!(kind_of(compare(&a, &d)), "event/Resume-none");
}

#[test]
fn a_side_without_trace_is_compared_by_outcome_and_state() {
    let a = observation("a", vec![(vec![resume(0, 2)], returned(&[]))]);
    let mut b = observation("b", vec![(vec![], returned(&[]))]);
    b.trace = None;
    assert_eq!(compare(&b, &a), Verdict::Agree { cut: None });
    b.calls[0].outcome = trapped(TrapKind::Unreachable, None);
    assert_eq!(
        kind_of(compare(&b, &a)),
        "outcome/trapped:unreachable-returned"
    );
}

#[test]
fn states_differ_by_what_they_hold() {
    let with = |state: State| {
        let mut o = observation("x", vec![]);
        o.state = Some(state);
        o
    };
    let base = || State {
        globals: vec![Value::I32(1)],
        memories: vec![Memory::new(1, &[1, 2])],
        tables: vec![Table::new(vec![Value::Null; 3])],
        continuations: vec![],
    };
    type Change = (&'static str, fn(&mut State));
    let changes: [Change; 6] = [
        ("state/global", |s| s.globals[0] = Value::I32(2)),
        ("state/memory-size", |s| {
            s.memories[0] = Memory::new(2, &[1, 2]);
        }),
        ("state/memory-bytes", |s| {
            s.memories[0] = Memory::new(1, &[1, 3]);
        }),
        ("state/table-size", |s| {
            s.tables[0] = Table::new(vec![Value::Null; 4]);
        }),
        ("state/table-element", |s| {
            s.tables[0] = Table::new(vec![Value::Null, Value::Cont(Some(0)), Value::Null]);
        }),
        ("state/shape", |s| {
            s.globals.push(Value::Null);
        }),
    ];
    assert_eq!(
        compare(&with(base()), &with(base())),
        Verdict::Agree { cut: None }
    );
    for (kind, change) in changes {
        let mut changed = base();
        change(&mut changed);
        assert_eq!(kind_of(compare(&with(base()), &with(changed))), kind);
    }
}

#[test]
fn what_one_side_cannot_do_is_discarded_and_what_it_refuses_is_not() {
    let instantiation = |outcome: Outcome| {
        let mut o = observation("x", vec![]);
        o.instantiation = outcome;
        o.state = None;
        o
    };
    let fine = observation("y", vec![]);
    let rejected = instantiation(Outcome::Rejected {
        message: "type mismatch".to_owned(),
        offset: Some(3),
    });
    let unsupported = instantiation(Outcome::Unsupported {
        message: "not supported: SIMD".to_owned(),
    });
    assert_eq!(
        kind_of(compare(&rejected, &fine)),
        "outcome/rejected-returned"
    );
    for (pair, reason) in [
        ((&rejected, &rejected), DiscardReason::Rejected),
        ((&unsupported, &fine), DiscardReason::Unsupported),
        ((&fine, &unsupported), DiscardReason::Unsupported),
    ] {
        match compare(pair.0, pair.1) {
            Verdict::Discard(discard) => assert_eq!(discard.reason, reason),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn where_two_diverge_the_third_tells_who_stands_alone() {
    let make = |engine, value| {
        let calls = vec![(vec![], returned(&[Value::I32(value)]))];
        let mut observation = observation(engine, calls);
        observation.trace = None;
        observation
    };
    let (left, right) = (make("left", 1), make("right", 2));
    let opinion = |third: Observation| Opinion::of(&third, &left, &right);
    let lines = |opinions: &[Opinion]| standing("left", "right", opinions);
    assert_eq!(
        lines(&[opinion(make("a", 2)), opinion(make("b", 2))]),
        ["left stands alone: a, b shows what right shows"]
    );
    assert_eq!(
        lines(&[opinion(make("a", 1))]),
        ["right stands alone: a shows what left shows"]
    );
    assert_eq!(
        lines(&[opinion(make("a", 1)), opinion(make("b", 2))]),
        ["a shows what left shows, b what right shows"]
    );
    let limited = observation("c", vec![(vec![], exhausted())]);
    assert_eq!(
        lines(&[opinion(make("a", 3)), opinion(limited)]),
        [
            "a shows something else than either",
            "c shows nothing that tells who is right"
        ]
    );
    assert!(lines(&[]).is_empty());
}

#[test]
fn what_an_engine_does_not_have_ends_the_comparison_of_a_call() {
    let message = "not supported: that".to_owned();
    let make = |engine, first: Outcome| {
        let second = returned(&[Value::I32(i32::from(first.is_returned()))]);
        observation(engine, vec![(vec![], first), (vec![], second)])
    };
    let unsupported = Outcome::Unsupported {
        message: message.clone(),
    };
    let verdict = compare(&make("a", unsupported), &make("b", returned(&[])));
    let cut = Cut {
        engine: "a".to_owned(),
        what: message,
        call: 0,
    };
    assert_eq!(verdict, Verdict::Agree { cut: Some(cut) });
}

#[test]
fn what_an_engine_does_not_tell_is_no_difference() {
    let ended = |engine, tag| observation(engine, vec![(vec![], Outcome::Suspended { tag })]);
    let agree = Verdict::Agree { cut: None };
    assert_eq!(compare(&ended("a", None), &ended("b", Some(3))), agree);
    let verdict = compare(&ended("a", Some(2)), &ended("b", Some(3)));
    assert_eq!(kind_of(verdict), "outcome/suspended.tag");

    let holding = |consumed| {
        let mut observation = observation("a", Vec::new());
        let number = None;
        observation.state = Some(State {
            continuations: vec![Continuation { number, consumed }],
            ..State::default()
        });
        observation
    };
    assert_eq!(compare(&holding(None), &holding(Some(true))), agree);
    let verdict = compare(&holding(Some(false)), &holding(Some(true)));
    assert_eq!(kind_of(verdict), "state/continuation");
}
