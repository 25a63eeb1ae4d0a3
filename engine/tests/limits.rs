//! What happens where something ends: stacks, memory for exceptions and traces, and nonsensical settings.

use switchback_engine::{
    Config, Engine, Error, Exhaustion, Extern, Func, FuncType, Instance, Limits, Module, Store,
    TrapKind,
};

fn instance(store: &mut Store<()>, engine: &Engine, text: &str, imports: &[Extern]) -> Instance {
    let bytes = wat::parse_str(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let module = Module::new(engine, &bytes).expect("the module compiles");
    Instance::new(store, &module, imports).expect("the module can be instantiated")
}

fn call(store: &mut Store<()>, instance: &Instance, name: &str) -> Result<(), Error> {
    let func = instance
        .get_func(&*store, name)
        .expect("the module exports it");
    func.call(store, &[], &mut [])
}

const ENDLESS: &str = r#"(module (func $f (export "run") (call $f)))"#;

#[test]
fn a_second_store_on_a_continuations_stack_keeps_its_limit() {
    let engine = Engine::new(Config::new().max_wasm_stack(8 << 20)).unwrap();
    let mut outer = Store::new(&engine, ());
    let second = engine.clone();
    let host = Func::new(&mut outer, FuncType::new([], []), move |_, _, _| {
        let mut inner = Store::new(&second, ());
        let inner_instance = instance(&mut inner, &second, ENDLESS, &[]);
        // The limit of the continuation's stack holds, whoever enters on it.
        match call(&mut inner, &inner_instance, "run") {
            Err(Error::Exhausted(Exhaustion::CallStack)) => Ok(()),
            other => panic!("{other:?}"),
        }
    });
    let text = r#"(module (import "" "" (func $host)) (type $f (func)) (type $k (cont $f))
        (func $body (type $f) (call $host)) (elem declare func $body)
        (func (export "run") (resume $k (cont.new $k (ref.func $body)))))"#;
    let outer_instance = instance(&mut outer, &engine, text, &[Extern::Func(host)]);
    call(&mut outer, &outer_instance, "run").expect("the second store's exhaustion is its own");
}

#[test]
fn the_threads_own_stack_is_a_limit() {
    for size in [256 << 10, 1 << 20] {
        let thread = std::thread::Builder::new().stack_size(size).spawn(|| {
            let engine = Engine::new(Config::new().max_wasm_stack(64 << 20)).unwrap();
            let mut store = Store::new(&engine, ());
            let endless = instance(&mut store, &engine, ENDLESS, &[]);
            assert!(matches!(
                call(&mut store, &endless, "run"),
                Err(Error::Exhausted(Exhaustion::CallStack))
            ));
        });
        thread.unwrap().join().expect("the call ends as exhausted");
    }
}

#[test]
fn large_exceptions_are_exhaustion() {
    let params = "i64 ".repeat(999);
    let values = "(i64.const 1)".repeat(999);
    let text = format!(
        r#"(module (tag $e (param {params})) (table $kept 0 exnref)
          (func (export "run")
            (loop $again
              (block $caught (result exnref) (try_table (catch_all_ref $caught) {values} (throw $e)) (unreachable))
              (drop (table.grow $kept (i32.const 1)))
              (br $again))))"#
    );
    let limits = Limits {
        heap_bytes: 1 << 20,
        ..Limits::default()
    };
    let engine = Engine::new(Config::new().limits(limits)).unwrap();
    let mut store = Store::new(&engine, ());
    let throws = instance(&mut store, &engine, &text, &[]);
    assert!(matches!(
        call(&mut store, &throws, "run"),
        Err(Error::Exhausted(Exhaustion::Heap))
    ));
}

#[test]
fn an_endless_trace_is_exhaustion() {
    let limits = Limits {
        trace_events: 1000,
        ..Limits::default()
    };
    let engine = Engine::new(Config::new().trace(true).limits(limits)).unwrap();
    let text = r#"(module (type $f (func)) (type $k (cont $f)) (tag $e)
        (func $nop (type $f)) (elem declare func $nop)
        (func (export "run") (loop $l (resume $k (cont.new $k (ref.func $nop))) (br $l)))
        (func (export "trap") (local $i i32)
          (loop $l
            (block $caught (try_table (catch $e $caught) (throw $e)))
            (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 900))))
          unreachable)
        (func (export "short") unreachable))"#;
    let mut store = Store::new(&engine, ());
    let traced = instance(&mut store, &engine, text, &[]);
    for name in ["run", "trap"] {
        assert!(
            matches!(
                call(&mut store, &traced, name),
                Err(Error::Exhausted(Exhaustion::Trace))
            ),
            "{name}"
        );
        assert!((900..=1000).contains(&store.take_trace().len()), "{name}");
    }
    match call(&mut store, &traced, "short") {
        Err(Error::Trap(trap)) => assert_eq!(trap.kind, TrapKind::Unreachable),
        other => panic!("{other:?}"),
    }
    assert_eq!(store.take_trace().len(), 1);
}

#[test]
fn sizes_that_make_no_sense_are_refused() {
    for config in [
        Config::new().fiber_stack_size(usize::MAX),
        Config::new().fiber_stack_size(usize::MAX - 4096),
        Config::new().fiber_stack_size(4096),
        Config::new().host_stack_headroom(usize::MAX),
        Config::new().host_stack_headroom(isize::MAX as usize),
        Config::new().host_stack_headroom(4096),
        Config::new().host_stack_headroom(60 << 10),
        Config::new().host_stack_headroom(256 << 10),
    ] {
        match Engine::new(config) {
            Err(Error::Engine(message)) => assert!(message.contains("bytes"), "{message}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn host_functions_find_the_headroom_that_was_asked_for() {
    /// Uses about half a MiB of stack.
    #[inline(never)]
    fn deep(seed: u8) -> u8 {
        let mut bytes = [seed; 512 << 10];
        std::hint::black_box(&mut bytes)[seed as usize]
    }
    let engine = Engine::new(
        Config::new()
            .host_stack_headroom(1 << 20)
            .fiber_stack_size(2 << 20),
    )
    .unwrap();
    let mut store = Store::new(&engine, ());
    let host = Func::new(&mut store, FuncType::new([], []), |_, args, _| {
        assert_eq!((deep(7), args.len()), (7, 0));
        Ok(())
    });
    let text = r#"(module (import "" "" (func $host)) (type $f (func)) (type $k (cont $f))
        (func $body (type $f) (call $host)) (elem declare func $body)
        (func (export "run") (resume $k (cont.new $k (ref.func $body)))))"#;
    let caller = instance(&mut store, &engine, text, &[Extern::Func(host)]);
    call(&mut store, &caller, "run").expect("the host function returns");
}

/// At the end of a continuation's stack, with all that the runtime can be asked to do there.
#[test]
fn the_runtime_gets_by_with_the_least_headroom() {
    let text = r#"(module (type $f (func)) (type $k (cont $f)) (type $s (struct (field (ref null $s)))) (tag $e)
        (func $down (type $f)
          (drop (struct.new $s (struct.new $s (ref.null $s))))
          (drop (cont.new $k (ref.func $down)))
          (block $h (try_table (catch $e $h) (throw $e)))
          (call $down))
        (elem declare func $down)
        (func (export "run") (resume $k (cont.new $k (ref.func $down)))))"#;
    for signals in [true, false] {
        let mut config = Config::new();
        config
            .host_stack_headroom(64 << 10)
            .fiber_stack_size(128 << 10);
        config.gc_zeal(1).trace(true);
        config.check_switches(true).signals_based_traps(signals);
        let engine = Engine::new(&config).unwrap();
        let mut store = Store::new(&engine, ());
        let instance = instance(&mut store, &engine, text, &[]);
        match call(&mut store, &instance, "run") {
            Err(Error::Exhausted(what)) => assert_eq!(what.to_string(), "call stack"),
            other => panic!("{other:?}"),
        }
    }
}
