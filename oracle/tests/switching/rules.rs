//! The reduction rules, by exact traces.

use super::*;

/// A generator whose handler stands two stacks away, and which is resumed as one chain.
const FORWARDING: &str = r#"(module
    (type $f (func (result i32)))
    (type $c (cont $f))
    (type $g (func (param i32) (result i32)))
    (type $d (cont $g))
    (tag $near)
    (tag $far (param i32) (result i32))
    (func $inner (type $f) (i32.add (suspend $far (i32.const 7)) (i32.const 1)))
    (func $outer (type $f)
        (block $h (result (ref $c))
            (return (i32.mul (resume $c (on $near $h) (cont.new $c (ref.func $inner))) (i32.const 10))))
        (unreachable))
    (elem declare func $inner $outer)
    (func (export "run") (result i32)
        (local $k (ref null $d))
        (block $h (result i32 (ref $d))
            (return (resume $c (on $far $h) (on $far $h)
                (cont.new $c (ref.func $outer)))))
        (local.set $k)
        (resume $d (i32.add (i32.const 100)) (local.get $k)))
)"#;

#[test]
fn a_suspension_passes_over_handlers_and_the_chain_moves_as_one() {
    let mut case = Case::new(FORWARDING);
    assert_eq!(case.i32("run"), (107 + 1) * 10);
    assert_eq!(
        case.kinds(),
        [
            E::New {
                cont: 0,
                function: 2
            },
            E::Resume {
                cont: 0,
                values: vec![],
                depth: 2
            },
            E::New {
                cont: 1,
                function: 1
            },
            E::Resume {
                cont: 1,
                values: vec![],
                depth: 3
            },
            E::Suspend {
                tag: 1,
                values: ints(&[7]),
                cont: 2,
                distance: 1,
                clause: 0
            },
            E::Resume {
                cont: 2,
                values: ints(&[107]),
                depth: 3
            },
            E::Return {
                values: ints(&[108]),
                depth: 2
            },
            E::Return {
                values: ints(&[1080]),
                depth: 1
            },
        ]
    );
}

const SWITCHING: &str = r#"(module
    (rec
        (type $f (func (param i32 (ref null $c)) (result i32)))
        (type $c (cont $f)))
    (tag $t (result i32))
    (func $pong (type $f) (param $x i32) (param $k (ref null $c)) (result i32)
        (switch $c $t (i32.add (local.get $x) (i32.const 1)) (local.get $k))
        (drop) (drop) (i32.const -1))
    (func $ping (type $f) (param $x i32) (param $k (ref null $c)) (result i32)
        (switch $c $t (i32.mul (local.get $x) (i32.const 2)) (cont.new $c (ref.func $pong)))
        (local.set $k)
        (return (i32.add (i32.const 100))))
    (elem declare func $ping $pong)
    (func (export "run") (result i32)
        (resume $c (on $t switch) (i32.const 5) (ref.null $c) (cont.new $c (ref.func $ping))))
    (func (export "unhandled") (result i32)
        (block $h (result (ref $u))
            (return (resume $c (on $t $h) (i32.const 5) (ref.null $c) (cont.new $c (ref.func $ping)))))
        (unreachable))
    (type $v (func (param i32) (result i32)))
    (type $u (cont $v))
)"#;

#[test]
fn a_switch_keeps_the_handler_and_consumes_its_target() {
    let mut case = Case::new(SWITCHING);
    assert_eq!(case.i32("run"), 111);
    assert_eq!(
        case.kinds(),
        [
            E::New {
                cont: 0,
                function: 2
            },
            E::Resume {
                cont: 0,
                values: vec![Value::I32(5), Value::Null],
                depth: 2
            },
            E::New {
                cont: 1,
                function: 1
            },
            E::Switch {
                tag: 0,
                target: 1,
                values: ints(&[10]),
                cont: 2,
                distance: 0
            },
            E::Switch {
                tag: 0,
                target: 2,
                values: ints(&[11]),
                cont: 3,
                distance: 0
            },
            E::Return {
                values: ints(&[111]),
                depth: 1
            },
        ]
    );
}

#[test]
fn a_label_clause_does_not_handle_a_switch() {
    let mut case = Case::new(SWITCHING);
    match case.call("unhandled", &[]) {
        Err(Error::Suspended(tag)) => assert_eq!(tag.address(&case.store), 0),
        other => panic!("{other:?}"),
    }
    let kinds = case.kinds();
    assert_eq!(
        kinds.last(),
        Some(&E::Unhandled {
            tag: 0,
            values: ints(&[10])
        })
    );
    assert_eq!(case.i32("run"), 111, "the store stays usable");
}

const THROWING: &str = r#"(module
    (type $f (func (result i32)))
    (type $c (cont $f))
    (tag $e (param i32))
    (tag $t (result i32))
    (global $entered (mut i32) (i32.const 0))
    (global $k (mut (ref null $c)) (ref.null $c))
    (func $body (type $f)
        (global.set $entered (i32.const 1))
        (block $h (result i32)
            (try_table (catch $e $h) (drop (suspend $s)))
            (i32.const 0)))
    (tag $s (result i32))
    (elem declare func $body)
    (func (export "fresh") (result i32)
        (block $h (result i32)
            (try_table (catch $e $h)
                (resume_throw $c $e (i32.const 42) (cont.new $c (ref.func $body)))
                (drop))
            (i32.const 0))
        (i32.mul (global.get $entered) (i32.const 1000))
        (i32.add))
    (func (export "null_exception")
        (drop (resume_throw_ref $c (ref.null exn) (cont.new $c (ref.func $body)))))
    (func (export "null_continuation")
        (drop (resume_throw_ref $c (ref.null exn) (ref.null $c))))
    (func (export "unconsumed") (result i32)
        (local $k (ref null $c))
        (local.set $k (cont.new $c (ref.func $body)))
        (global.set $k (local.get $k))
        (drop (resume_throw_ref $c (ref.null exn) (local.get $k)))
        (i32.const 0))
    (func (export "again") (result i32)
        (block $h (result i32)
            (try_table (catch $e $h)
                (drop (resume_throw $c $e (i32.const 3) (global.get $k))))
            (i32.const 0)))
)"#;

#[test]
fn throwing_into_a_fresh_continuation_does_not_enter_it() {
    let mut case = Case::new(THROWING);
    assert_eq!(case.i32("fresh"), 42);
    assert_eq!(
        case.kinds(),
        [
            E::New {
                cont: 0,
                function: 1
            },
            E::ResumeThrow {
                cont: 0,
                tag: 0,
                values: ints(&[42]),
                depth: 2
            },
            E::Unwind { tag: 0 },
            E::Catch { tag: 0, clause: 0 },
        ]
    );
}

#[test]
fn resume_throw_ref_checks_the_continuation_before_the_exception() {
    let mut case = Case::new(THROWING);
    assert_eq!(
        case.trap("null_continuation"),
        TrapKind::NullContinuationReference
    );
    assert_eq!(
        case.trap("null_exception"),
        TrapKind::NullExceptionReference
    );
    assert_eq!(case.trap("unconsumed"), TrapKind::NullExceptionReference);
    // The trap came before the continuation was consumed.
    assert_eq!(case.i32("again"), 3);
    assert_eq!(case.trap("again"), TrapKind::ContinuationConsumed);
}

#[test]
fn an_exception_reaches_a_handler_inside_a_suspended_continuation() {
    let mut case = Case::new(
        r#"(module
        (type $f (func (result i32)))
        (type $c (cont $f))
        (type $n (func (param i32) (result i32)))
        (type $d (cont $n))
        (tag $e (param i32))
        (tag $s (result i32))
        (func $body (type $f)
            (block $h (result i32)
                (try_table (result i32) (catch $e $h) (suspend $s))))
        (elem declare func $body)
        (func (export "run") (result i32)
            (local (ref null $d))
            (block $h (result (ref $d))
                (return (resume $c (on $s $h) (cont.new $c (ref.func $body)))))
            (local.set 0)
            (resume_throw $d $e (i32.const 9) (local.get 0)))
    )"#,
    );
    assert_eq!(case.i32("run"), 9);
    assert_eq!(
        case.kinds(),
        [
            E::New {
                cont: 0,
                function: 1
            },
            E::Resume {
                cont: 0,
                values: vec![],
                depth: 2
            },
            E::Suspend {
                tag: 1,
                values: vec![],
                cont: 1,
                distance: 0,
                clause: 0
            },
            E::ResumeThrow {
                cont: 1,
                tag: 0,
                values: ints(&[9]),
                depth: 2
            },
            E::Catch { tag: 0, clause: 0 },
            E::Return {
                values: ints(&[9]),
                depth: 1
            },
        ]
    );
}

#[test]
fn binding_consumes_and_adds_arguments_in_order() {
    let mut case = Case::new(
        r#"(module
        (type $f3 (func (param i32 i64 f32) (result i32)))
        (type $f2 (func (param i64 f32) (result i32)))
        (type $f0 (func (result i32)))
        (type $c3 (cont $f3)) (type $c2 (cont $f2)) (type $c0 (cont $f0))
        (func $sum (type $f3)
            (i32.add (local.get 0)
                (i32.add (i32.wrap_i64 (local.get 1)) (i32.trunc_f32_s (local.get 2)))))
        (elem declare func $sum)
        (func (export "run") (result i32)
            (resume $c0
                (cont.bind $c2 $c0 (i64.const 20) (f32.const 300)
                    (cont.bind $c3 $c2 (i32.const 1) (cont.new $c3 (ref.func $sum))))))
        (func (export "twice") (result i32)
            (local $k (ref null $c3))
            (local.set $k (cont.new $c3 (ref.func $sum)))
            (drop (cont.bind $c3 $c3 (local.get $k)))
            (drop (cont.bind $c3 $c3 (local.get $k)))
            (i32.const 0))
    )"#,
    );
    assert_eq!(case.i32("run"), 321);
    let trace: Vec<Event> = case.store.take_trace();
    assert_eq!(
        trace.iter().map(|e| e.kind.clone()).collect::<Vec<_>>(),
        [
            E::New {
                cont: 0,
                function: 1
            },
            E::Bind {
                from: 0,
                to: 1,
                values: ints(&[1])
            },
            E::Bind {
                from: 1,
                to: 2,
                values: vec![Value::I64(20), Value::F32(300f32.to_bits())],
            },
            E::Resume {
                cont: 2,
                values: vec![],
                depth: 2
            },
            E::Return {
                values: ints(&[321]),
                depth: 1
            },
        ]
    );
    assert!(
        trace[..4]
            .iter()
            .all(|e| e.at.is_some_and(|at| at.function == 1))
    );
    assert!(trace[4].at.is_none());
    assert_eq!(case.trap("twice"), TrapKind::ContinuationConsumed);
}
