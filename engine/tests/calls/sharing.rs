//! What modules, stores and threads share: prepared instances, and trampolines.

use super::*;

#[test]
fn an_instance_pre_serves_many_stores() {
    let engine = Engine::new(&Config::new()).unwrap();
    let module = compile(
        &engine,
        r#"(module (import "h" "typed" (func $typed (param i32) (result i32)))
        (import "h" "untyped" (func $untyped (param i32) (result i32)))
        (func (export "run") (result i32) (call $typed (call $untyped (i32.const 1)))))"#,
    );
    let mut linker = Linker::<u64>::new();
    linker.func_wrap("h", "typed", |mut caller: Caller<'_, u64>, value: i32| {
        *caller.data_mut() += 1;
        value + 10
    });
    let ty = FuncType::new([ValType::I32], [ValType::I32]);
    linker.func_new("h", "untyped", ty, |mut caller, args, results| {
        *caller.data_mut() += 100;
        let Val::I32(value) = args[0] else {
            unreachable!()
        };
        results[0] = Val::I32(value + 1000);
        Ok(())
    });
    let pre = linker.instantiate_pre(&module).unwrap();
    for _ in 0..3 {
        let mut store = Store::new(&engine, 0);
        for _ in 0..2 {
            let instance = pre.instantiate(&mut store).unwrap();
            let run = instance.get_func(&store, "run").unwrap();
            let run = run.typed::<(), i32>(&store).unwrap();
            assert_eq!(run.call(&mut store, ()).unwrap(), 1011);
        }
        assert_eq!(*store.data(), 202);
    }
    linker.func_wrap("h", "typed", |value: i64| value as i32);
    match linker.instantiate_pre(&module) {
        Err(Error::Link(message)) => assert!(message.contains("\"typed\""), "{message}"),
        other => panic!("{:?}", other.map(drop)),
    }
}

fn shared<T: Send + Sync>(_: &T) {}

#[test]
fn eight_threads_compile_and_instantiate_at_once() {
    let mut config = Config::new();
    config.opt_level(OptLevel::Speed);
    let engine = Engine::new(&config).unwrap();
    // A signature that the engine has no trampolines for, so that each module makes its own.
    let text = |n: i32| {
        format!(
            r#"(module (import "h" "f" (func $h (param f32 f64) (result f64)))
            (type $f (func (result f64))) (type $k (cont $f))
            (func $body (type $f) (call $h (f32.const 1) (f64.const {n})))
            (elem declare func $body)
            (func (export "run") (param f32) (result f64) (resume $k (cont.new $k (ref.func $body)))))"#
        )
    };
    let mut linker = Linker::<u64>::new();
    linker.func_wrap("h", "f", |a: f32, b: f64| f64::from(a) + b);
    let module = compile(&engine, &text(1000));
    let pre: InstancePre<u64> = linker.instantiate_pre(&module).unwrap();
    shared(&engine);
    shared(&module);
    shared(&pre);
    shared(&linker);
    let run = |pre: &InstancePre<u64>| {
        let mut store = Store::new(&engine, 0);
        let instance = pre.instantiate(&mut store).unwrap();
        let run = instance.get_func(&store, "run").unwrap();
        let run = run.typed::<f32, f64>(&store).unwrap();
        run.call(&mut store, 0.0).unwrap()
    };
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (engine, linker, pre, text, run) = (&engine, &linker, &pre, &text, &run);
            scope.spawn(move || {
                for round in 0..10 {
                    let n = thread * 10 + round;
                    let module = compile(engine, &text(n));
                    let own = linker.instantiate_pre(&module).unwrap();
                    drop(module);
                    assert_eq!(run(&own), f64::from(n) + 1.0);
                    assert_eq!(run(pre), 1001.0);
                }
            });
        }
    });
}

#[test]
fn a_trampoline_lives_as_long_as_the_store_that_uses_it() {
    let engine = Engine::new(&Config::new()).unwrap();
    let mut store = Store::new(&engine, 0);
    let host = Func::wrap(&mut store, |a: f32, b: f32| -> (f32, f32) { (b, a) });
    let text = r#"(module (import "" "" (func $h (param f32 f32) (result f32 f32)))
        (func (export "f") (param f32 f32) (result f32 f32) (call $h (local.get 0) (local.get 1))))"#;
    let first = instantiate(&mut store, text, &[host]);
    // The second instance finds the entry that the first one's module has supplied.
    let second = instantiate(&mut store, text, &[host]);
    for instance in [second, first] {
        let func = instance.get_func(&store, "f").unwrap();
        let typed = func.typed::<(f32, f32), (f32, f32)>(&store).unwrap();
        assert_eq!(typed.call(&mut store, (1.0, 2.0)).unwrap(), (2.0, 1.0));
    }
}

#[test]
fn narrow_values_share_trampolines_with_wide_ones() {
    let engine = Engine::new(&Config::new()).unwrap();
    let size = |types: &[&str]| {
        let func = |ty: &&str| {
            let params = [*ty; 5].join(" ");
            format!("(func (export \"{ty}\") (param {params}) (unreachable))")
        };
        let funcs: String = types.iter().map(func).collect();
        compile(&engine, &format!("(module {funcs})")).code_size()
    };
    for (wide, narrow) in [("i64", "i32"), ("f64", "f32")] {
        // A function that traps at once is smaller than two trampolines.
        let more = size(&[wide, narrow]) - size(&[wide]);
        assert!(more < size(&[wide]) / 2, "{narrow}: {more}");
    }
}
