//! Limits, coverage, what is refused, and what is reclaimed.

use super::*;

/// Creates continuations: `$n` of them that run to their end, or that stay suspended.
const MANY: &str = r#"(module
    (type $f (func)) (type $c (cont $f))
    (tag $t)
    (table $kept 0 (ref null $c))
    (func $ends)
    (func $stays (suspend $t))
    (func $deep (param i32)
        (if (local.get 0) (then (call $deep (i32.sub (local.get 0) (i32.const 1)))) (else (suspend $t))))
    (func $deeper (call $deep (i32.const 1000)))
    (elem declare func $ends $stays $deeper)
    (func (export "finished") (param $n i32)
        (loop $l
            (resume $c (cont.new $c (ref.func $ends)))
            (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
    (func (export "suspended") (param $n i32)
        (drop (table.grow $kept (ref.null $c) (local.get $n)))
        (loop $l
            (local.set $n (i32.sub (local.get $n) (i32.const 1)))
            (local.get $n)
            (block $h (result (ref $c))
                (resume $c (on $t $h) (cont.new $c (ref.func $stays)))
                (unreachable))
            (table.set $kept)
            (br_if $l (local.get $n))))
    (func (export "resumed") (param $n i32)
        (loop $l
            (local.set $n (i32.sub (local.get $n) (i32.const 1)))
            (resume $c (table.get $kept (local.get $n)))
            (br_if $l (local.get $n))))
    (func (export "endless") (param $n i32)
        (loop $l (br $l)))
    (func $recursive (export "recursive") (param $n i32)
        (call $recursive (local.get $n)))
    (func $nests (resume $c (cont.new $c (ref.func $nests))))
    (elem declare func $nests)
    (func (export "nested") (param $n i32) (call $nests))
)"#;

#[test]
fn finished_continuations_are_reused_and_many_can_be_suspended() {
    let mut config = Config::new();
    let limits = Limits {
        continuations: 100_000,
        ..Limits::default()
    };
    let mut case = Case::with(MANY, config.limits(limits));
    case.call("finished", &[Val::I32(1_000_000)])
        .expect("a return");
    case.call("suspended", &[Val::I32(100_000)])
        .expect("a return");
    match case.call("finished", &[Val::I32(1)]) {
        Err(Error::Exhausted(Exhausted::Continuations)) => {}
        other => panic!("{other:?}"),
    }
    case.call("resumed", &[Val::I32(100_000)])
        .expect("a return");
    case.call("finished", &[Val::I32(1)]).expect("a return");
}

#[test]
fn limits_end_endless_programs() {
    let mut config = Config::new();
    let mut case = Case::with(MANY, config.max_instructions(Some(1_000_000)));
    for (name, what) in [
        ("recursive", Exhausted::CallStack),
        ("nested", Exhausted::CallStack),
        ("endless", Exhausted::Instructions),
    ] {
        match case.call(name, &[Val::I32(0)]) {
            Err(Error::Exhausted(found)) => assert_eq!(found, what, "{name}"),
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn coverage_names_what_was_executed() {
    let text = r#"(module (func (export "run") (param i32) (result i32)
        (if (result i32) (local.get 0) (then (i32.const 1)) (else (nop) (i32.const 2)))))"#;
    let mut config = Config::new();
    let mut case = Case::with(text, config.coverage(true));
    let of = |case: &Case| case.store.coverage(case.instance, 0).expect("coverage");
    assert_eq!((of(&case).executed.len(), of(&case).total), (0, 5));
    case.call("run", &[Val::I32(1)]).expect("a return");
    assert_eq!(of(&case).executed.len(), 3);
    case.call("run", &[Val::I32(0)]).expect("a return");
    assert_eq!(of(&case).executed.len(), 5);
}

#[test]
fn counts_say_how_often_and_between_which_events() {
    let text = r#"(module
        (type $f (func)) (type $k (cont $f)) (tag $t)
        (func $body (nop) (suspend $t))
        (elem declare func $body)
        (func (export "run") (local $i i32)
          (block $h (result (ref $k))
            (resume $k (on $t $h) (cont.new $k (ref.func $body)))
            (return))
          (drop)
          (loop $l
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $l (i32.lt_u (local.get $i) (i32.const 3))))))"#;
    let mut config = Config::new();
    let mut case = Case::with(text, config.trace(true).counts(true));
    case.call("run", &[]).expect("a return");
    let counts = case.store.take_counts(case.instance);
    assert_eq!(case.store.take_trace().len(), 3);
    let of = |events, function| -> Vec<u64> {
        let here = counts
            .iter()
            .filter(|e| (e.events, e.function) == (events, function));
        here.map(|e| e.count).collect()
    };
    // `block`, `ref.func` and `cont.new`; then `resume`.
    assert_eq!((of(0, 1), of(1, 1)), (vec![1; 3], vec![1]));
    assert_eq!(of(2, 0), [1, 1]);
    // `drop`, then the loop with its eight instructions.
    assert_eq!(of(3, 1), [1, 3, 3, 3, 3, 3, 3, 3, 3, 3]);
    assert!(case.store.take_counts(case.instance).is_empty());
}

#[test]
fn what_is_not_supported_is_named() {
    let wasm = wat::parse_str(
        "(module (func) (func (drop (i32.atomic.load (i32.const 0)))) (memory 1 1 shared))",
    )
    .expect("a module");
    let engine = Engine::new(&Config::new()).expect("an engine");
    let error = Module::new(&engine, &wasm).expect_err("threads are not supported");
    assert!(
        error.to_string().starts_with("not supported: threads ("),
        "{error}"
    );
}

/// Garbage of every kind: `$n` rounds that keep nothing.
const GARBAGE: &str = r#"(module
    (type $f (func)) (type $c (cont $f))
    (type $s (struct (field (mut (ref null $c))) (field (mut (ref null $s)))))
    (type $a (array (mut i64)))
    (tag $t (param (ref $s)))
    (tag $e (param i32))
    (func $body
        (local $s (ref $s))
        (local.set $s (struct.new_default $s))
        (suspend $t (local.get $s))
        (drop (struct.get $s 0 (local.get $s))))
    (elem declare func $body)
    ;; A suspended continuation and a structure that refer to each other.
    (func $cycle (result (ref $s))
        (local $s (ref null $s)) (local $k (ref null $c))
        (block $h (result (ref $s) (ref $c))
            (resume $c (on $t $h) (cont.new $c (ref.func $body)))
            (unreachable))
        (local.set $k) (local.tee $s)
        (struct.set $s 0 (local.get $k))
        (ref.as_non_null (local.get $s)))
    (func (export "cycles") (param $n i32)
        (loop $l
            (drop (call $cycle))
            (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
    (func (export "kept") (param $n i32) (result i32)
        (local $list (ref null $s)) (local $i i32) (local $new (ref null $s))
        (loop $l
            (local.set $new (call $cycle))
            (struct.set $s 1 (local.get $new) (local.get $list))
            (local.set $list (local.get $new))
            (drop (array.new_default $a (i32.const 100)))
            (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
        (local.set $i (i32.const 0))
        (loop $l
            (resume $c (struct.get $s 0 (local.get $list)))
            (local.set $list (struct.get $s 1 (local.get $list)))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $l (i32.eqz (ref.is_null (local.get $list)))))
        (local.get $i))
    (func (export "arrays") (param $n i32)
        (loop $l
            (drop (array.new_default $a (i32.const 100)))
            (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
    (func (export "exceptions") (param $n i32)
        (local $x exnref)
        (loop $l
            (block $h (result i32 exnref)
                (try_table (catch_ref $e $h) (throw $e (local.get $n)))
                (unreachable))
            (local.set $x) (drop)
            (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
)"#;

#[test]
fn what_cannot_be_reached_is_reclaimed() {
    let mut config = Config::new();
    let limits = Limits {
        continuations: 1000,
        heap_slots: 100_000,
        stack_slots: 100_000,
        ..Limits::default()
    };
    let mut case = Case::with(GARBAGE, config.limits(limits));
    for name in ["cycles", "arrays", "exceptions"] {
        let result = case.call(name, &[Val::I32(100_000)]);
        assert!(result.is_ok(), "{name}: {result:?}");
    }
    match case.call("kept", &[Val::I32(900)]).as_deref() {
        Ok([Val::I32(900)]) => {}
        other => panic!("{other:?}"),
    }
    match case.call("kept", &[Val::I32(1001)]) {
        Err(Error::Exhausted(Exhausted::Continuations)) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_can_be_reached_is_kept() {
    let mut config = Config::new();
    let mut case = Case::with(GARBAGE, config.collect_always(true));
    match case.call("kept", &[Val::I32(50)]).as_deref() {
        Ok([Val::I32(50)]) => {}
        other => panic!("{other:?}"),
    }
}
