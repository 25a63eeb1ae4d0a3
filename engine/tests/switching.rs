//! Stack switching from the embedder's side: what a script cannot see of hosts, limits, stacks and memory.

use switchback_engine::{
    Config, Engine, Error, Exhaustion, Extern, Func, FuncType, Instance, Limits, Module, OptLevel,
    RegallocAlgorithm, Store, TrapKind, Val, ValType,
};

/// The configurations that differ in generated code.
fn engines() -> Vec<Engine> {
    let mut engines = Vec::new();
    for opt_level in [OptLevel::None, OptLevel::Speed] {
        for regalloc in [
            RegallocAlgorithm::SinglePass,
            RegallocAlgorithm::Backtracking,
        ] {
            for (trace, signals) in [(false, true), (true, true), (false, false)] {
                let mut config = Config::new();
                config.opt_level(opt_level).regalloc(regalloc).trace(trace);
                config.signals_based_traps(signals);
                engines.push(Engine::new(&config).expect("the engine can be made"));
            }
            // Checks stand in the runtime, so without them the stubs can do without it: or not.
            for inline in [true, false] {
                let mut config = Config::new();
                config.opt_level(opt_level).regalloc(regalloc);
                config.check_switches(false).inline_switches(inline);
                engines.push(Engine::new(&config).expect("the engine can be made"));
            }
        }
    }
    engines
}

fn compile(engine: &Engine, text: &str) -> Module {
    Module::new(engine, &wat::parse_str(text).expect("the text parses"))
        .expect("the module compiles")
}

/// Instantiates `text` without imports and calls `run`.
fn run(engine: &Engine, text: &str) -> Result<Vec<Val>, Error> {
    let mut store = Store::new(engine, ());
    let instance = Instance::new(&mut store, &compile(engine, text), &[])?;
    call(&mut store, &instance, "run")
}

fn call(store: &mut Store<()>, instance: &Instance, name: &str) -> Result<Vec<Val>, Error> {
    let func = instance
        .get_func(&*store, name)
        .expect("the module exports it");
    let mut results = vec![Val::I32(0); func.ty(&*store).results().len()];
    func.call(store, &[], &mut results)?;
    Ok(results)
}

fn i32_of(values: Result<Vec<Val>, Error>) -> i32 {
    match values.expect("the call returns")[..] {
        [Val::I32(value)] => value,
        ref other => panic!("{other:?}"),
    }
}

fn trap_of(values: Result<Vec<Val>, Error>) -> TrapKind {
    match values {
        Err(Error::Trap(trap)) => trap.kind,
        other => panic!("{other:?}"),
    }
}

/// A generator that counts from `0` up to `n - 1`, summed by its driver.
const COUNTER: &str = r#"
    (type $f (func)) (type $k (cont $f)) (tag $yield (param i32))
    (func $count (type $f) (local $i i32)
      (loop $next
        (suspend $yield (local.get $i))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $next (i32.lt_u (local.get $i) (global.get $n)))))
    (elem declare func $count)
    (func (export "run") (result i32) (local $k (ref null $k)) (local $sum i32)
      (local.set $k (cont.new $k (ref.func $count)))
      (loop $again (result i32)
        (block $on_yield (result i32 (ref $k))
          (resume $k (on $yield $on_yield) (local.get $k))
          (return (local.get $sum)))
        (local.set $k)
        (local.set $sum (i32.add (local.get $sum)))
        (br $again)))
"#;

#[test]
fn a_generator_suspends_and_is_resumed() {
    for engine in engines() {
        let text = format!("(module (global $n i32 (i32.const 1000)) {COUNTER})");
        assert_eq!(i32_of(run(&engine, &text)), 499_500);
    }
}

#[test]
fn a_finished_continuation_gives_its_stack_back() {
    let mut config = Config::new();
    config.limits(Limits {
        continuations: 1,
        ..Limits::default()
    });
    let engine = Engine::new(&config).unwrap();
    let module = compile(
        &engine,
        &format!("(module (global $n i32 (i32.const 3)) {COUNTER})"),
    );
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    for _ in 0..100 {
        assert_eq!(i32_of(call(&mut store, &instance, "run")), 3);
        assert_eq!(store.live_continuations(), 0);
    }
}

#[test]
fn the_number_of_continuations_is_limited() {
    let mut config = Config::new();
    config.limits(Limits {
        continuations: 10,
        ..Limits::default()
    });
    let engine = Engine::new(&config).unwrap();
    let text = r#"(module (type $f (func)) (type $k (cont $f)) (func $nop (type $f)) (elem declare func $nop)
        (table $kept 0 (ref null $k))
        (func (export "run") (loop $l
          (drop (table.grow $kept (cont.new $k (ref.func $nop)) (i32.const 1))) (br $l))))"#;
    assert!(matches!(
        run(&engine, text),
        Err(Error::Exhausted(Exhaustion::Continuations))
    ));
}

#[test]
fn a_hundred_thousand_suspended_continuations_live_at_once() {
    let engine = Engine::new(&Config::new()).unwrap();
    let text = r#"(module (type $f (func)) (type $k (cont $f)) (tag $t)
        (table $all 100000 (ref null $k))
        (func $wait (type $f) (suspend $t)) (elem declare func $wait)
        (func (export "run") (result i32) (local $i i32) (local $done i32)
          (loop $l
            (local.get $i)
            (block $on_t (result (ref $k))
              (resume $k (on $t $on_t) (cont.new $k (ref.func $wait))) (unreachable))
            (table.set $all)
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $l (i32.lt_u (local.get $i) (i32.const 100000))))
          (loop $m
            (local.set $i (i32.sub (local.get $i) (i32.const 1)))
            (resume $k (table.get $all (local.get $i)))
            (local.set $done (i32.add (local.get $done) (i32.const 1)))
            (br_if $m (local.get $i)))
          (local.get $done)))"#;
    assert_eq!(i32_of(run(&engine, text)), 100_000);
}

#[test]
fn endless_recursion_in_a_continuation_is_exhaustion_and_the_store_goes_on() {
    for engine in engines() {
        let text = r#"(module (type $f (func)) (type $k (cont $f))
            (func $deep (type $f) (call $deep) (call $deep)) (elem declare func $deep)
            (func (export "run") (resume $k (cont.new $k (ref.func $deep))))
            (func (export "again") (result i32) (i32.const 7)))"#;
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &compile(&engine, text), &[]).unwrap();
        let result = call(&mut store, &instance, "run");
        assert!(
            matches!(result, Err(Error::Exhausted(Exhaustion::CallStack))),
            "{result:?}"
        );
        assert_eq!(store.live_continuations(), 0);
        assert_eq!(i32_of(call(&mut store, &instance, "again")), 7);
    }
}

#[test]
fn a_trap_on_the_parent_after_a_continuation_has_returned() {
    for engine in engines() {
        let text = r#"(module (type $f (func)) (type $k (cont $f)) (func $nop (type $f)) (elem declare func $nop)
            (func (export "run") (resume $k (cont.new $k (ref.func $nop))) (unreachable)))"#;
        assert_eq!(trap_of(run(&engine, text)), TrapKind::Unreachable);
    }
}

#[test]
fn six_hundred_parameters_and_results_of_all_types() {
    let types = ["i32", "i64", "f32", "f64", "externref"];
    let list: Vec<&str> = (0..600).map(|i| types[i % types.len()]).collect();
    let joined = list.join(" ");
    let gets: String = (0..600).map(|i| format!("(local.get {i})")).collect();
    let values: String = (0..600)
        .map(|i| match types[i % types.len()] {
            "externref" => "(ref.null extern)".to_owned(),
            ty => format!("({ty}.const {i})"),
        })
        .collect();
    let text = format!(
        r#"(module (type $f (func (param {joined}) (result {joined}))) (type $k (cont $f))
            (type $g (func (result {joined}))) (type $l (cont $g))
            (tag $t (param {joined}) (result {joined}))
            (func $body (type $f) {gets} (suspend $t)) (elem declare func $body)
            (func (export "run") (result {joined}) (local $l (ref null $k))
              (block $on_t (result {joined} (ref $k))
                {values} (cont.new $k (ref.func $body)) (resume $k (on $t $on_t)) (unreachable))
              (local.set $l) (local.get $l) (resume $k)))"#,
    );
    for engine in engines() {
        let results = run(&engine, &text).expect("the call returns");
        for (i, value) in results.iter().enumerate() {
            match *value {
                Val::I32(v) => assert_eq!(v as usize, i),
                Val::I64(v) => assert_eq!(v as usize, i),
                Val::F32(v) => assert_eq!(f32::from_bits(v), i as f32),
                Val::F64(v) => assert_eq!(f64::from_bits(v), i as f64),
                Val::ExternRef(None) => {}
                ref other => panic!("{other:?}"),
            }
        }
    }
}

/// Re-enters through its argument, a function without parameters and results.
fn reenter(store: &mut Store<()>) -> Func {
    let ty = FuncType::new([ValType::FUNCREF], []);
    Func::new(store, ty, |mut caller, args, _| match args {
        [Val::FuncRef(Some(func))] => func.call(&mut caller, &[], &mut []),
        other => panic!("{other:?}"),
    })
}

#[test]
fn a_host_frame_is_a_barrier() {
    for engine in engines() {
        let module = compile(
            &engine,
            r#"(module (import "" "" (func $enter (param funcref)))
                (type $f (func)) (type $k (cont $f)) (tag $t)
                (func $inner (type $f) (suspend $t))
                (func $outer (type $f) (call $enter (ref.func $inner)))
                (func $tidy (type $f)
                  (block $on_t (result (ref $k))
                    (resume $k (on $t $on_t) (cont.new $k (ref.func $inner))) (unreachable))
                  (drop))
                (func $outer2 (type $f) (call $enter (ref.func $tidy)) (suspend $t))
                (elem declare func $inner $outer $outer2 $tidy)
                (func (export "run")
                  (block $on_t (result (ref $k))
                    (resume $k (on $t $on_t) (cont.new $k (ref.func $outer))) (unreachable))
                  (drop))
                (func (export "after") (result i32)
                  (block $on_t (result (ref $k))
                    (resume $k (on $t $on_t) (cont.new $k (ref.func $outer2))) (return (i32.const 0)))
                  (drop) (i32.const 1)))"#,
        );
        let mut store = Store::new(&engine, ());
        let enter = reenter(&mut store);
        let instance = Instance::new(&mut store, &module, &[Extern::Func(enter)]).unwrap();
        assert!(matches!(
            call(&mut store, &instance, "run"),
            Err(Error::Suspended { .. })
        ));
        // The chain around the host's frame is as it was: a suspension after a re-entry finds its handler.
        assert_eq!(i32_of(call(&mut store, &instance, "after")), 1);
    }
}

#[test]
fn host_errors_and_panics_pass_through_continuations_unchanged() {
    #[derive(Debug, thiserror::Error)]
    #[error("the host's own error")]
    struct Own;
    for engine in engines() {
        let module = compile(
            &engine,
            r#"(module (import "" "" (func $host (param i32)))
                (type $f (func)) (type $k (cont $f)) (tag $t)
                (func $body (type $f) (call $host (i32.const 0)))
                (func $panics (type $f) (call $host (i32.const 1)))
                (func $nest (type $f) (resume $k (cont.new $k (ref.func $body))))
                (elem declare func $body $nest $panics)
                (func (export "error")
                  (block $caught (try_table (catch_all $caught) (resume $k (cont.new $k (ref.func $nest))))))
                (func (export "panic") (resume $k (cont.new $k (ref.func $panics)))))"#,
        );
        let mut store = Store::new(&engine, ());
        let ty = FuncType::new([ValType::I32], []);
        let host = Func::new(&mut store, ty, |_, args, _| match args {
            [Val::I32(0)] => Err(Error::Host(Box::new(Own))),
            _ => panic!("the host's own panic"),
        });
        let instance = Instance::new(&mut store, &module, &[Extern::Func(host)]).unwrap();
        match call(&mut store, &instance, "error") {
            Err(Error::Host(error)) => assert!(error.is::<Own>()),
            other => panic!("{other:?}"),
        }
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _ = call(&mut store, &instance, "panic");
        }));
        assert_eq!(
            panic.unwrap_err().downcast_ref(),
            Some(&"the host's own panic")
        );
        assert_eq!(store.live_continuations(), 0);
    }
}

#[test]
fn a_host_function_can_be_a_continuation() {
    for engine in engines() {
        let module = compile(
            &engine,
            r#"(module (import "" "" (func $host (param i32) (result i32)))
                (type $f (func (param i32) (result i32))) (type $k (cont $f))
                (elem declare func $host)
                (func (export "run") (result i32)
                  (resume $k (i32.const 41) (cont.new $k (ref.func $host)))))"#,
        );
        let mut store = Store::new(&engine, ());
        let ty = FuncType::new([ValType::I32], [ValType::I32]);
        let fails = Func::new(&mut store, ty.clone(), |_, _, _| {
            Err(Error::Type("refused".to_owned()))
        });
        let adds = Func::new(&mut store, ty, |_, args, results| {
            let [Val::I32(value)] = *args else {
                panic!("{args:?}")
            };
            results[0] = Val::I32(value + 1);
            Ok(())
        });
        let instance = Instance::new(&mut store, &module, &[Extern::Func(adds)]).unwrap();
        assert_eq!(i32_of(call(&mut store, &instance, "run")), 42);
        let instance = Instance::new(&mut store, &module, &[Extern::Func(fails)]).unwrap();
        assert!(
            matches!(call(&mut store, &instance, "run"), Err(Error::Type(message)) if message == "refused")
        );
        assert_eq!(store.live_continuations(), 0);
    }
}

#[test]
fn a_host_function_that_recurs_without_end_is_exhaustion() {
    let engine = Engine::new(&Config::new()).unwrap();
    let module = compile(
        &engine,
        r#"(module (import "" "" (func $enter (param funcref)))
            (func $again (export "run") (call $enter (ref.func $again))))"#,
    );
    let mut store = Store::new(&engine, ());
    let enter = reenter(&mut store);
    let instance = Instance::new(&mut store, &module, &[Extern::Func(enter)]).unwrap();
    assert!(matches!(
        call(&mut store, &instance, "run"),
        Err(Error::Exhausted(Exhaustion::CallStack))
    ));
}

#[test]
fn an_exception_crosses_two_stacks_and_the_host() {
    for engine in engines() {
        let module = compile(
            &engine,
            r#"(module (import "" "" (func $enter (param funcref)))
                (type $f (func)) (type $k (cont $f)) (tag $e (param i32 f64)) (tag $other)
                (func $throws (type $f) (throw $e (i32.const 40) (f64.const 2)))
                (func $nest (type $f)
                  (block $l (try_table (catch $other $l) (resume $k (cont.new $k (ref.func $throws))))))
                (func $through (type $f) (call $enter (ref.func $nest)))
                (elem declare func $throws $nest $through)
                (func (export "run") (result i32)
                  (block $h (result i32 f64)
                    (try_table (catch $other 1) (catch $e $h) (resume $k (cont.new $k (ref.func $through))))
                    (unreachable))
                  (i32.trunc_f64_s) (i32.add) )
                (func (export "uncaught") (resume $k (cont.new $k (ref.func $nest)))))"#
                .replace("(catch $other 1)", "").as_str(),
        );
        let mut store = Store::new(&engine, ());
        let enter = reenter(&mut store);
        let instance = Instance::new(&mut store, &module, &[Extern::Func(enter)]).unwrap();
        assert_eq!(i32_of(call(&mut store, &instance, "run")), 42);
        match call(&mut store, &instance, "uncaught") {
            Err(Error::Exception(exception)) => {
                let values = exception.values(&store);
                assert!(
                    matches!(values[..], [Val::I32(40), Val::F64(bits)] if f64::from_bits(bits) == 2.0)
                );
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(store.live_continuations(), 0);
    }
}

#[test]
fn memory_that_moves_on_another_stack_is_seen() {
    for engine in engines() {
        let text = r#"(module (memory 1) (type $f (func)) (type $k (cont $f)) (tag $t)
            (func $grows (type $f)
              (drop (memory.grow (i32.const 100))) (i32.store (i32.const 8) (i32.const 42)) (suspend $t))
            (elem declare func $grows)
            (func (export "run") (result i32)
              (i32.store (i32.const 8) (i32.const 1))
              (block $on_t (result (ref $k))
                (resume $k (on $t $on_t) (cont.new $k (ref.func $grows))) (unreachable))
              (drop)
              (i32.load (i32.const 8))))"#;
        assert_eq!(i32_of(run(&engine, text)), 42);
    }
}

#[test]
fn engines_and_modules_are_shared_between_threads() {
    let engine = Engine::new(&Config::new()).unwrap();
    let module = compile(
        &engine,
        &format!("(module (global $n i32 (i32.const 100)) {COUNTER})"),
    );
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut store = Store::new(&engine, ());
                let instance = Instance::new(&mut store, &module, &[]).unwrap();
                assert_eq!(i32_of(call(&mut store, &instance, "run")), 4950);
            });
        }
    });
}

#[test]
fn an_optimised_unreachable_has_no_place() {
    let text = r#"(module (func (export "run") (param i32)
        (if (i32.eqz (local.get 0)) (then unreachable))))"#;
    for (opt_level, known) in [(OptLevel::None, true), (OptLevel::Speed, false)] {
        let engine = Engine::new(Config::new().opt_level(opt_level)).unwrap();
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &compile(&engine, text), &[]).unwrap();
        let run = instance.get_func(&store, "run").unwrap();
        match run.call(&mut store, &[Val::I32(0)], &mut []) {
            Err(Error::Trap(trap)) => {
                assert_eq!(trap.kind, TrapKind::Unreachable);
                assert_eq!(trap.location.is_some(), known);
            }
            other => panic!("{other:?}"),
        }
    }
}
