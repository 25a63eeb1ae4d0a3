//! What must go: garbage of every kind, within the limits of stacks and heap.

use super::*;

#[test]
fn cycles_through_continuations_are_collected() {
    let text = r#"(module
        (rec (type $f (func (param (ref $cell)))) (type $k (cont $f))
          (type $g (func)) (type $l (cont $g))
          (type $cell (struct (field (mut (ref null $l))))))
        (tag $stop)
        (func $body (type $f) (suspend $stop) (drop (struct.get $cell 0 (local.get 0))))
        (elem declare func $body)
        (func $make (local $cell (ref $cell)) (local $l (ref null $l))
          (local.set $cell (struct.new_default $cell))
          (block $on (result (ref $l))
            (resume $k (on $stop $on) (local.get $cell) (cont.new $k (ref.func $body)))
            (unreachable))
          ;; the cell holds the continuation, on whose stack the cell is
          (local.set $l)
          (struct.set $cell 0 (local.get $cell) (local.get $l)))
        (func (export "run") (local $i i32)
          (loop $l (call $make)
            (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 300))))))"#;
    let engine = Engine::new(&Config::new()).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = instance(&mut store, &engine, text, &[]);
    call(&mut store, &instance, "run").unwrap();
    assert!(store.live_continuations() > 0 && store.heap_bytes() > 0);
    store.gc();
    assert_eq!((store.live_continuations(), store.heap_bytes()), (0, 0));
}

#[test]
fn dropped_continuations_need_no_more_stacks_than_the_pool_has() {
    let text = r#"(module (type $f (func)) (type $k (cont $f)) (tag $stop)
        (func $wait (type $f) (suspend $stop)) (elem declare func $wait)
        (func (export "run") (local $i i32)
          (loop $l
            (block $on (result (ref $k))
              (resume $k (on $stop $on) (cont.new $k (ref.func $wait))) (unreachable))
            (drop)
            (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 1000000))))))"#;
    for continuations in [16, 100_000] {
        let engine = limited(Limits {
            continuations,
            ..Limits::default()
        });
        let mut store = Store::new(&engine, ());
        let instance = instance(&mut store, &engine, text, &[]);
        call(&mut store, &instance, "run").unwrap();
        assert!(store.live_continuations() <= 1024);
        store.gc();
        assert_eq!(store.live_continuations(), 0);
    }
}

#[test]
fn finished_continuations_leave_nothing() {
    let text = r#"(module (type $f (func)) (type $k (cont $f))
        (func $nop (type $f)) (elem declare func $nop)
        (func (export "run") (local $i i32)
          (loop $l
            (resume $k (cont.new $k (ref.func $nop)))
            (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 10000000))))))"#;
    let engine = limited(Limits {
        continuations: 1,
        ..Limits::default()
    });
    let mut store = Store::new(&engine, ());
    let instance = instance(&mut store, &engine, text, &[]);
    call(&mut store, &instance, "run").unwrap();
    assert_eq!((store.live_continuations(), store.heap_bytes()), (0, 0));
}

#[test]
fn garbage_needs_no_more_memory_than_the_heap_has() {
    let text = r#"(module (type $a (array (mut i8))) (type $s (struct (field i64))) (tag $e (param i64))
        (func (export "run") (result i32) (local $i i32)
          (loop $l
            (drop (array.new_default $a (i32.mul (local.get $i) (i32.const 13))))
            (drop (struct.new $s (i64.const 1)))
            (block $caught (result i64) (try_table (catch $e $caught) (throw $e (i64.const 2))) (unreachable))
            (drop)
            (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 20000))))
          (local.get $i)))"#;
    let engine = limited(Limits {
        heap_bytes: 8 << 20,
        exceptions: 1000,
        ..Limits::default()
    });
    let mut store = Store::new(&engine, ());
    let instance = instance(&mut store, &engine, text, &[]);
    assert_eq!(run(&mut store, &instance), 20_000);
    assert!(store.heap_bytes() <= 8 << 20);
    store.gc();
    assert_eq!(store.heap_bytes(), 0);
}

#[test]
fn a_full_heap_is_exhaustion_and_the_store_stays_usable() {
    let text = r#"(module (type $n (struct (field (ref null $n)) (field i64))) (type $a (array i64))
        (global $list (mut (ref null $n)) (ref.null $n))
        (func (export "list") (loop $l (global.set $list (struct.new $n (global.get $list) (i64.const 7))) (br $l)))
        (func (export "large") (drop (array.new_default $a (i32.const -1))))
        (func (export "let-go") (global.set $list (ref.null $n)))
        (func (export "run") (result i32) (array.len (array.new_default $a (i32.const 3)))))"#;
    let engine = limited(Limits {
        heap_bytes: 1 << 20,
        ..Limits::default()
    });
    let mut store = Store::new(&engine, ());
    let instance = instance(&mut store, &engine, text, &[]);
    for name in ["large", "list", "large"] {
        assert!(matches!(
            call(&mut store, &instance, name),
            Err(Error::Exhausted(Exhaustion::Heap))
        ));
    }
    call(&mut store, &instance, "let-go").unwrap();
    assert_eq!(run(&mut store, &instance), 3);
}
