//! The collector: what it frees, and what it must not, wherever the only reference is at that moment.

use switchback_engine::{
    AnyKind, Caller, Config, Engine, Error, Exhaustion, Extern, Func, FuncType, Instance, Limits,
    Module, OptLevel, RegallocAlgorithm, Store, Val,
};

/// Every way of generating code, collecting at every allocation and switch.
fn zealous() -> Vec<Engine> {
    let mut engines = Vec::new();
    for opt_level in [OptLevel::None, OptLevel::Speed] {
        for regalloc in [
            RegallocAlgorithm::SinglePass,
            RegallocAlgorithm::Backtracking,
        ] {
            for trace in [false, true] {
                let mut config = Config::new();
                config.opt_level(opt_level).regalloc(regalloc).trace(trace);
                engines.push(Engine::new(config.gc_zeal(1)).expect("the engine can be made"));
            }
        }
    }
    engines
}

fn limited(limits: Limits) -> Engine {
    Engine::new(Config::new().limits(limits)).expect("the engine can be made")
}

fn instance(store: &mut Store<()>, engine: &Engine, text: &str, imports: &[Extern]) -> Instance {
    let wasm = wat::parse_str(text).unwrap_or_else(|error| panic!("{error}"));
    let module = Module::new(engine, &wasm).expect("the module compiles");
    Instance::new(store, &module, imports).expect("it can be instantiated")
}

fn call(store: &mut Store<()>, instance: &Instance, name: &str) -> Result<Vec<Val>, Error> {
    let func = instance.get_func(&*store, name).expect("it is exported");
    let mut results = vec![Val::I32(0); func.ty(&*store).results().len()];
    func.call(store, &[], &mut results)?;
    Ok(results)
}

/// Calls `run`, which has one result, an `i32`.
fn run(store: &mut Store<()>, instance: &Instance) -> i32 {
    match call(store, instance, "run").expect("the call returns")[..] {
        [Val::I32(value)] => value,
        ref other => panic!("{other:?}"),
    }
}

fn run_under_zeal(text: &str, expected: i32) {
    for engine in zealous() {
        let mut store = Store::new(&engine, ());
        let instance = instance(&mut store, &engine, text, &[]);
        for _ in 0..3 {
            assert_eq!(
                run(&mut store, &instance),
                expected,
                "{:?}",
                engine.config()
            );
        }
        assert!(store.collections() > 0);
        store.gc();
        assert_eq!(store.live_continuations(), 0);
    }
}

/// `$box` makes an object, `$open` reads it; `$churn` overwrites what was freed.
const PRELUDE: &str = r#"
    (type $box (struct (field (mut i32)) (field i64)))
    (type $boxes (array (mut (ref null $box))))
    (func $box (param i32) (result (ref $box)) (struct.new $box (local.get 0) (i64.const -1)))
    (func $open (param (ref null $box)) (result i32)
      (if (i64.ne (struct.get $box 1 (local.get 0)) (i64.const -1)) (then unreachable))
      (struct.get $box 0 (local.get 0)))
    (func $churn (drop (call $box (i32.const 77))) (drop (array.new_default $boxes (i32.const 5))))
"#;

#[test]
fn objects_in_locals_operands_and_fields_survive() {
    run_under_zeal(
        &format!(
            r#"(module {PRELUDE}
            (type $node (struct (field (mut (ref null $node))) (field (ref $box))))
            (global $kept (mut anyref) (ref.null any))
            (table $table 2 anyref)
            (func (export "run") (result i32) (local $list (ref null $node)) (local $i i32) (local $sum i32)
              (global.set $kept (call $box (i32.const 1000)))
              (table.set $table (i32.const 1) (call $box (i32.const 2000)))
              (loop $build
                (local.set $list (struct.new $node (local.get $list) (call $box (local.get $i))))
                (br_if $build (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 20))))
              (call $churn)
              (loop $read
                (local.set $sum (i32.add (local.get $sum) (call $open (struct.get $node 1 (local.get $list)))))
                (br_if $read (i32.eqz (ref.is_null (local.tee $list (struct.get $node 0 (local.get $list)))))))
              (i32.add (i32.add (local.get $sum) (call $open (ref.cast (ref $box) (global.get $kept))))
                (call $open (ref.cast (ref $box) (table.get $table (i32.const 1))))))) "#
        ),
        190 + 3000,
    );
}

#[test]
fn arrays_keep_their_elements_while_they_are_filled() {
    run_under_zeal(
        &format!(
            r#"(module {PRELUDE}
            (elem $elem (ref null $box) (struct.new $box (i32.const 5) (i64.const -1)) (ref.null $box))
            (func (export "run") (result i32) (local $a (ref null $boxes)) (local $b (ref null $boxes))
              (local.set $a (array.new_fixed $boxes 3 (call $box (i32.const 1)) (call $box (i32.const 2)) (call $box (i32.const 3))))
              (local.set $b (array.new $boxes (call $box (i32.const 10)) (i32.const 4)))
              (array.copy $boxes $boxes (local.get $b) (i32.const 1) (local.get $a) (i32.const 0) (i32.const 2))
              (array.set $boxes (local.get $a) (i32.const 0) (call $box (i32.const 100)))
              (array.init_elem $boxes $elem (local.get $a) (i32.const 2) (i32.const 0) (i32.const 1))
              (call $churn)
              ;; 100 + 2 + 5 + 10 + 1 + 2 + 10
              (i32.add (i32.add (i32.add (call $open (array.get $boxes (local.get $a) (i32.const 0)))
                (call $open (array.get $boxes (local.get $a) (i32.const 1))))
                (i32.add (call $open (array.get $boxes (local.get $a) (i32.const 2)))
                (call $open (array.get $boxes (local.get $b) (i32.const 0)))))
                (i32.add (i32.add (call $open (array.get $boxes (local.get $b) (i32.const 1)))
                (call $open (array.get $boxes (local.get $b) (i32.const 2))))
                (call $open (array.get $boxes (array.new_elem $boxes $elem (i32.const 0) (i32.const 2)) (i32.const 0))))))) "#
        ),
        100 + 2 + 5 + 10 + 1 + 2 + 5,
    );
}

/// Class 5: references bound, carried by a suspension, given to a resume and returned by it are nowhere else meanwhile.
#[test]
fn objects_on_their_way_between_stacks_survive() {
    run_under_zeal(
        &format!(
            r#"(module {PRELUDE}
            (type $f (func (param (ref $box) (ref $box)) (result (ref $box) (ref null $box)))) (type $k (cont $f))
            (type $f1 (func (param (ref $box)) (result (ref $box) (ref null $box)))) (type $k1 (cont $f1))
            (tag $ask (param (ref $box) (ref $box)) (result (ref $box)))
            (func $body (type $f)
              (call $churn)
              ;; 1 + 2, carried out, while 40 lies on this stack's operands
              (call $box (i32.const 40))
              (call $box (call $open (suspend $ask (local.get 0) (local.get 1))))
              (call $churn))
            (elem declare func $body)
            (func (export "run") (result i32) (local $sum i32) (local $k (ref null $k1)) (local $second (ref null $box))
              (block $on_ask (result (ref $box) (ref $box) (ref $k1))
                (resume $k1 (on $ask $on_ask)
                  (call $box (i32.const 2))
                  (cont.bind $k $k1 (call $box (i32.const 1)) (cont.new $k (ref.func $body))))
                (unreachable))
              (local.set $k)
              (call $churn)
              (local.set $sum (call $open))
              (local.set $sum (i32.add (call $open) (local.get $sum)))
              (call $churn)
              (resume $k1 (call $box (i32.const 300)) (local.get $k))
              (local.set $second)
              (call $churn)
              (local.set $sum (i32.add (call $open) (local.get $sum)))
              (i32.add (local.get $sum) (call $open (local.get $second)))))"#
        ),
        1 + 2 + 40 + 300,
    );
}

#[test]
fn objects_in_exceptions_survive_stacks_that_end() {
    run_under_zeal(
        &format!(
            r#"(module {PRELUDE}
            (type $f (func)) (type $k (cont $f)) (tag $stop) (tag $e (param (ref $box) (ref null $k)))
            (func $wait (type $f) (local $mine (ref null $box))
              (local.set $mine (call $box (i32.const 9)))
              (suspend $stop)
              (if (i32.ne (call $open (local.get $mine)) (i32.const 9)) (then unreachable)))
            (func $thrower (type $f)
              (block $on (result (ref $k))
                (resume $k (on $stop $on) (cont.new $k (ref.func $wait)))
                (unreachable))
              (call $box (i32.const 50))
              (return_call $throw))
            (func $throw (param (ref $k) (ref $box)) (call $churn) (throw $e (local.get 1) (local.get 0)))
            (func $idle (type $f) (suspend $stop))
            (elem declare func $wait $thrower $idle)
            (func (export "run") (result i32) (local $k (ref null $k)) (local $exn exnref) (local $box (ref null $box))
              ;; a continuation in an exception, which is kept only as a reference
              (block $caught (result (ref $box) (ref null $k) (ref exn))
                (try_table (catch_ref $e $caught) (resume $k (cont.new $k (ref.func $thrower))))
                (unreachable))
              (local.set $exn) (drop) (drop)
              (call $churn)
              ;; thrown into a suspended stack and out of it again
              (block $on (result (ref $k))
                (resume $k (on $stop $on) (cont.new $k (ref.func $idle))) (unreachable))
              (local.set $k)
              (block $again (result (ref $box) (ref null $k))
                (try_table (catch $e $again) (resume_throw_ref $k (local.get $exn) (local.get $k)))
                (unreachable))
              (local.set $k) (local.set $box)
              (local.set $exn (ref.null exn))
              (call $churn)
              (resume $k (local.get $k))
              (call $open (local.get $box))))"#
        ),
        50,
    );
}

/// The allocation of the exception collects while the continuation is an operand only.
#[test]
fn continuations_survive_the_exception_that_is_thrown_into_them() {
    run_under_zeal(
        &format!(
            r#"(module {PRELUDE}
            (type $f (func (result i32))) (type $k (cont $f)) (tag $stop) (tag $e (param (ref $box)))
            (func $body (type $f) (local $mine (ref null $box))
              (local.set $mine (call $box (i32.const 7)))
              (block $caught (result (ref $box))
                (try_table (catch $e $caught) (suspend $stop))
                (unreachable))
              (i32.add (call $open) (call $open (local.get $mine))))
            (elem declare func $body)
            (func $start (result (ref $k))
              (block $on (result (ref $k)) (resume $k (on $stop $on) (cont.new $k (ref.func $body))) (unreachable)))
            (func (export "run") (result i32)
              (resume_throw $k $e (call $box (i32.const 30)) (call $start))))"#
        ),
        37,
    );
}

/// Classes 6 and 7: continuations in structures and arrays, chains of several stacks, and `switch`.
#[test]
fn continuations_in_objects_survive() {
    run_under_zeal(
        &format!(
            r#"(module {PRELUDE}
            (type $f (func (result i32))) (type $k (cont $f))
            (type $holder (struct (field (mut (ref null $k))) (field (mut (ref null $holder)))))
            (type $many (array (mut (ref null $k))))
            (tag $stop) (tag $never)
            (func $inner (type $f) (local $mine (ref null $box))
              (local.set $mine (call $box (i32.const 3)))
              (suspend $stop)
              (call $churn)
              (call $open (local.get $mine)))
            (func $outer (type $f) (local $mine (ref null $box))
              (local.set $mine (call $box (i32.const 4)))
              ;; forwards: two stacks are captured as one
              (block $on (result (ref $k))
                (resume $k (on $never $on) (cont.new $k (ref.func $inner)))
                (return (i32.add (call $open (local.get $mine)))))
              (unreachable))
            (elem declare func $inner $outer)
            (func $start (result (ref $k))
              (block $on (result (ref $k)) (resume $k (on $stop $on) (cont.new $k (ref.func $outer))) (unreachable)))
            (func (export "run") (result i32) (local $h (ref null $holder)) (local $a (ref null $many))
              (local.set $h (struct.new $holder (ref.null $k) (struct.new $holder (call $start) (ref.null $holder))))
              (local.set $a (array.new_fixed $many 2 (cont.new $k (ref.func $inner)) (call $start)))
              (call $churn)
              (i32.add
                (resume $k (struct.get $holder 0 (struct.get $holder 1 (local.get $h))))
                (resume $k (array.get $many (local.get $a) (i32.const 1))))))"#
        ),
        14,
    );
    run_under_zeal(
        &format!(
            r#"(module {PRELUDE}
            (rec (type $f (func (param (ref $box) (ref null $k)) (result i32))) (type $k (cont $f)))
            (tag $sw (result i32))
            (func $b (type $f) (local $r (ref null $k))
              (call $churn)
              (switch $k $sw (call $box (i32.add (i32.const 5) (call $open (local.get 0)))) (local.get 1))
              (drop) (drop) (unreachable))
            (func $a (type $f) (local $mine (ref null $box)) (local $back (ref null $box))
              (local.set $mine (call $box (i32.const 100)))
              (switch $k $sw (local.get 0) (cont.new $k (ref.func $b)))
              (drop) (local.set $back)
              (call $churn)
              (i32.add (call $open (local.get $back)) (call $open (local.get $mine))))
            (elem declare func $a $b)
            (func (export "run") (result i32)
              (resume $k (on $sw switch) (call $box (i32.const 1)) (ref.null $k) (cont.new $k (ref.func $a)))))"#
        ),
        106,
    );
}

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

#[test]
fn handles_keep_objects_until_their_scope_ends() {
    let text = r#"(module (type $s (struct (field i32) (field (mut i8)))) (type $a (array i16))
        (func (export "struct") (result anyref) (struct.new $s (i32.const 5) (i32.const -1)))
        (func (export "array") (result externref)
          (extern.convert_any (array.new_fixed $a 2 (i32.const 1) (i32.const -1))))
        (func (export "i31") (result anyref) (ref.i31 (i32.const -5)))
        (func (export "back") (param anyref) (result i32) (struct.get $s 0 (ref.cast (ref $s) (local.get 0)))))"#;
    let engine = Engine::new(Config::new().gc_zeal(1)).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = instance(&mut store, &engine, text, &[]);
    let any = |store: &mut Store<()>, name| match call(store, &instance, name).unwrap()[..] {
        [Val::AnyRef(Some(reference))] => reference,
        [Val::ExternRef(Some(reference))] => reference.to_any(),
        ref other => panic!("{other:?}"),
    };
    let object = any(&mut store, "struct");
    let array = any(&mut store, "array");
    store.gc();
    assert!(matches!(object.kind(&store), AnyKind::Struct(ty) if ty.index() == 0));
    assert!(matches!(
        object.fields(&store)[..],
        [Val::I32(5), Val::I32(255)]
    ));
    assert!(matches!(array.kind(&store), AnyKind::Array(ty) if ty.index() == 1));
    assert!(matches!(
        array.fields(&store)[..],
        [Val::I32(1), Val::I32(65535)]
    ));
    assert_eq!(any(&mut store, "i31").kind(&store), AnyKind::I31(-5));
    let back = instance.get_func(&store, "back").unwrap();
    let mut results = [Val::I32(0)];
    back.call(&mut store, &[Val::AnyRef(Some(object))], &mut results)
        .unwrap();
    assert!(matches!(results, [Val::I32(5)]));
    let wrong = back.call(&mut store, &[Val::AnyRef(Some(array))], &mut results);
    assert!(matches!(wrong, Err(Error::Trap(_))));

    let before = store.heap_bytes();
    let stale = store.scope(|store| any(store, "struct"));
    store.gc();
    assert_eq!(store.heap_bytes(), before);
    let used = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| stale.kind(&store)));
    assert!(used.is_err());
}

/// A host function's arguments and results, and what lies on the stacks below it while it collects.
#[test]
fn hosts_collect_wherever_they_are_called() {
    let text = format!(
        r#"(module (import "" "gc" (func $gc (param anyref) (result anyref))) {PRELUDE}
        (type $f (func (result i32))) (type $k (cont $f))
        (func $body (type $f) (local $mine (ref null $box))
          (local.set $mine (call $box (i32.const 1)))
          (i32.add (call $open (ref.cast (ref $box) (call $gc (call $box (i32.const 20)))))
            (call $open (local.get $mine))))
        (elem declare func $body)
        (func (export "again") (result i32) (local $mine (ref null $box))
          (local.set $mine (call $box (i32.const 300)))
          (i32.add (resume $k (cont.new $k (ref.func $body))) (call $open (local.get $mine))))
        (func (export "run") (result i32) (local $mine (ref null $box))
          (local.set $mine (call $box (i32.const 4000)))
          (i32.add (resume $k (cont.new $k (ref.func $body))) (call $open (local.get $mine)))))"#
    );
    for engine in zealous() {
        let mut store: Store<()> = Store::new(&engine, ());
        let any = switchback_engine::ValType::Ref(switchback_engine::RefType::new(
            true,
            switchback_engine::HeapType::Any,
        ));
        let ty = FuncType::new([any.clone()], [any]);
        let depth = std::rc::Rc::new(std::cell::Cell::new(0));
        let again: std::rc::Rc<std::cell::Cell<Option<Func>>> = Default::default();
        let entered = again.clone();
        let gc = Func::new(&mut store, ty, move |mut caller, args, results| {
            depth.set(depth.get() + 1);
            if depth.get() % 2 == 1 {
                let mut inner = [Val::I32(0)];
                entered.get().unwrap().call(&mut caller, &[], &mut inner)?;
                assert!(matches!(inner, [Val::I32(321)]));
            }
            caller.gc();
            results[0] = args[0];
            Ok(())
        });
        let instance = instance(&mut store, &engine, &text, &[gc.into()]);
        again.set(instance.get_func(&store, "again"));
        assert_eq!(run(&mut store, &instance), 4021, "{:?}", engine.config());
    }
}

/// A host function that is called on a continuation's stack, but by code that a host function there has entered.
#[test]
fn hosts_enter_again_from_where_no_continuation_of_theirs_runs() {
    let text = format!(
        r#"(module (import "" "enter" (func $enter)) {PRELUDE}
        (type $f (func)) (type $k (cont $f))
        (func $body (type $f) (local $mine (ref null $box))
          (local.set $mine (call $box (i32.const 1)))
          (call $enter)
          (drop (call $open (local.get $mine))))
        (func $leaf (type $f))
        (elem declare func $body $leaf)
        (func (export "plain") (local $mine (ref null $box))
          (local.set $mine (call $box (i32.const 2)))
          (call $enter)
          (resume $k (cont.new $k (ref.func $leaf)))
          (drop (call $open (local.get $mine))))
        (func (export "run") (result i32) (resume $k (cont.new $k (ref.func $body))) (i32.const 5)))"#
    );
    for engine in zealous() {
        let mut store: Store<()> = Store::new(&engine, ());
        let plain: std::rc::Rc<std::cell::Cell<Option<Func>>> = Default::default();
        let (entered, depth) = (plain.clone(), std::cell::Cell::new(0));
        let enter = Func::new(&mut store, FuncType::new([], []), move |caller, _, _| {
            depth.set(depth.get() + 1);
            match depth.get() % 3 {
                0 => Ok(()),
                _ => entered.get().unwrap().call(caller, &[], &mut []),
            }
        });
        let instance = instance(&mut store, &engine, &text, &[enter.into()]);
        plain.set(instance.get_func(&store, "plain"));
        assert_eq!(run(&mut store, &instance), 5, "{:?}", engine.config());
    }
}

/// A host function that is called by its type, without an entry of compiled code, is under an activation of its own.
#[test]
fn a_host_function_that_is_called_directly_may_collect() {
    for engine in zealous() {
        let mut store = Store::new(&engine, ());
        let collects = Func::wrap(&mut store, |mut caller: Caller<'_, ()>| caller.gc());
        let calls = Func::wrap(&mut store, move |mut caller: Caller<'_, ()>| {
            let collects = collects.typed::<(), ()>(&caller).expect("its type");
            collects.call(&mut caller, ()).expect("it returns");
        });
        calls
            .typed::<(), ()>(&store)
            .expect("its type")
            .call(&mut store, ())
            .expect("it returns");
        let text = r#"(module
            (type $f (func (result i32))) (type $k (cont $f))
            (type $box (struct (field i32)))
            (import "h" "calls" (func $calls))
            (elem declare func $body)
            (func $body (result i32) (local $kept (ref $box))
              (local.set $kept (struct.new $box (i32.const 42)))
              (call $calls)
              (struct.get $box 0 (local.get $kept)))
            (func (export "run") (result i32) (resume $k (cont.new $k (ref.func $body)))))"#;
        let imports = [Extern::Func(calls)];
        let instance = instance(&mut store, &engine, text, &imports);
        assert_eq!(run(&mut store, &instance), 42, "{:?}", engine.config());
    }
}
