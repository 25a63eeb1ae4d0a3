//! The collector: what it must not free, wherever the only reference is at that moment (`survives`), what it frees (`reclaimed`),
//! and what hosts have to do with it (`hosts`).

mod hosts;
mod reclaimed;
mod survives;

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
