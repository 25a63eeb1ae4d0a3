//! What costs no allocation: a continuation on a warm pool, however its switches do their bookkeeping, and calls with few values.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use switchback_engine::{Config, Engine, Func, FuncType, Instance, Module, Store, Val, ValType};

struct Counting;

thread_local! {
    /// Allocations of this thread.
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: everything is passed on to the system's allocator; counting neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Makes continuations one after another, each of which suspends once, and runs them to their ends; every other one has another
/// in it.
const CHURN: &str = r#"(module
  (type $f (func (param i32) (result i64))) (type $k (cont $f))
  (type $g (func (result i64))) (type $l (cont $g)) (tag $t)
  (func $inner (type $f) (suspend $t) (i64.extend_i32_u (local.get 0)))
  (func $outer (type $f)
    (resume $k (local.get 0) (cont.new $k (ref.func $inner))))
  (elem declare func $inner $outer)
  (func (export "run") (param $n i32) (result i64) (local $sum i64) (local $k (ref null $k)) (local $l (ref null $l))
    (loop $again
      (local.set $k
        (if (result (ref $k)) (i32.and (local.get $n) (i32.const 1))
          (then (cont.new $k (ref.func $inner)))
          (else (cont.new $k (ref.func $outer)))))
      (local.set $l
        (block $on (result (ref $l))
          (resume $k (on $t $on) (local.get $n) (local.get $k))
          (unreachable)))
      (local.set $sum (i64.add (local.get $sum) (resume $l (local.get $l))))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum)))"#;

#[test]
fn continuations_allocate_nothing_on_a_warm_pool() {
    for inline in [true, false] {
        let mut config = Config::new();
        config.check_switches(false).inline_switches(inline);
        let engine = Engine::new(&config).expect("the engine can be made");
        let bytes = wat::parse_str(CHURN).expect("the text parses");
        let module = Module::new(&engine, &bytes).expect("the module compiles");
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).expect("it can be instantiated");
        let run = instance.get_func(&store, "run").expect("it is exported");
        let run = run.typed::<i32, i64>(&store).expect("its type");
        run.call(&mut store, 10).expect("it returns");

        let before = COUNT.get();
        let sum = run.call(&mut store, 100_000).expect("it returns");
        assert_eq!(COUNT.get() - before, 0, "inlined: {inline}");
        assert_eq!(sum, (1..=100_000).sum::<i64>());
        assert_eq!(store.live_continuations(), 0);
        // Stacks that are given back are no reason to collect.
        assert_eq!(store.collections(), 0);
        drop(store);
        assert!(before > 0, "the allocator counts");
    }
}

#[test]
fn few_values_are_handed_over_without_an_allocation() {
    let engine = Engine::new(&Config::new()).expect("the engine can be made");
    let bytes = wat::parse_str(
        r#"(module (import "" "" (func $host (param i32) (result i32)))
          (func (export "run") (param i32) (result i32) (call $host (local.get 0))))"#,
    )
    .expect("the text parses");
    let module = Module::new(&engine, &bytes).expect("the module compiles");
    let mut store = Store::new(&engine, ());
    let ty = FuncType::new([ValType::I32], [ValType::I32]);
    let host = Func::new(&mut store, ty, |_, params, results| {
        results[0] = params[0];
        Ok(())
    });
    let instance = Instance::new(&mut store, &module, &[host.into()]).expect("the import fits");
    let run = instance.get_func(&store, "run").expect("it is exported");
    let mut results = [Val::I32(0)];
    let before = COUNT.get();
    run.call(&mut store, &[Val::I32(7)], &mut results)
        .expect("it returns");
    assert_eq!(COUNT.get() - before, 0);
    assert!(matches!(results, [Val::I32(7)]));
}
