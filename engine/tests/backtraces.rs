//! The system's unwinder finds its way from a host function through Wasm and its continuations to whoever called.

use std::backtrace::Backtrace;
use switchback_engine::{
    Config, Engine, Extern, Func, FuncType, Instance, Module, OptLevel, Store, Val, ValType,
};

/// A host function called in a continuation that was resumed in a continuation, where a third was suspended and resumed on the
/// way, so that the stacks do not lie in order.
const NESTED: &str = r#"(module
    (import "" "host" (func $host (param i32 i64 f64) (result i32)))
    (type $f (func (result i32))) (type $k (cont $f)) (tag $t)
    (func $calls (type $f)
      (suspend $t)
      (i32.add (call $host (i32.const 1) (i64.const 2) (f64.const 3)) (i32.const 1)))
    (func $middle (type $f) (local $k (ref null $k))
      (block $h (result (ref $k))
        (resume $k (on $t $h) (cont.new $k (ref.func $calls))) (return))
      (local.set $k)
      (resume $k (cont.bind $k $k (local.get $k))))
    (elem declare func $calls $middle)
    (func (export "run") (result i32) (local $spare (ref null $k))
      (local.set $spare (cont.new $k (ref.func $calls)))
      (resume $k (cont.new $k (ref.func $middle)))))"#;

#[inline(never)]
fn switchback_test_caller(engine: &Engine, host: impl Fn() -> i32 + 'static) -> i32 {
    let mut store = Store::new(engine, ());
    let ty = FuncType::new([ValType::I32, ValType::I64, ValType::F64], [ValType::I32]);
    let host = Func::new(&mut store, ty, move |_, _, results| {
        results[0] = Val::I32(host());
        Ok(())
    });
    let module = Module::new(engine, &wat::parse_str(NESTED).unwrap()).unwrap();
    let instance = Instance::new(&mut store, &module, &[Extern::Func(host)]).unwrap();
    let run = instance.get_func(&store, "run").unwrap();
    let mut results = [Val::I32(0)];
    run.call(&mut store, &[], &mut results).unwrap();
    match results {
        [Val::I32(value)] => value,
        other => panic!("{other:?}"),
    }
}

fn engine(native_unwind_info: bool, opt_level: OptLevel) -> Engine {
    let mut config = Config::new();
    config
        .native_unwind_info(native_unwind_info)
        .opt_level(opt_level);
    Engine::new(&config).unwrap()
}

#[test]
fn a_backtrace_of_a_host_function_reaches_the_caller() {
    for opt_level in [OptLevel::None, OptLevel::Speed] {
        let engine = engine(true, opt_level);
        let value = switchback_test_caller(&engine, || {
            let trace = Backtrace::force_capture().to_string();
            assert_eq!(
                trace.matches("switchback_fiber_start").count(),
                2,
                "{trace}"
            );
            assert_eq!(trace.matches("switchback_enter").count(), 1, "{trace}");
            let inner = trace.find("switchback_fiber_start").unwrap();
            // The last of this name: its closure's frame, which is further in, has it too. What follows the name depends on how
            // much debug information there is.
            let caller = trace
                .rfind("switchback_test_caller")
                .expect("the caller is found");
            assert!(inner < caller, "{trace}");
            41
        });
        assert_eq!(value, 42);
    }
}

#[test]
fn gdb_finds_the_way_too() {
    const NAME: &str = "gdb_finds_the_way_too";
    const VARIABLE: &str = "SWITCHBACK_TEST_GDB";
    if std::env::var_os(VARIABLE).is_some() {
        let value = switchback_test_caller(&engine(true, OptLevel::None), || {
            // SAFETY: stops in the debugger that runs us.
            unsafe { std::arch::asm!("int3") };
            41
        });
        assert_eq!(value, 42);
        return;
    }
    let gdb = std::process::Command::new("gdb")
        .args([
            "-nx",
            "-batch",
            "-ex",
            "set debuginfod enabled off",
            "-ex",
            "run",
            "-ex",
            "bt",
            "--args",
        ])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", NAME, "--nocapture", "--test-threads=1"])
        .env(VARIABLE, "1")
        .output();
    let output = match gdb {
        Ok(output) => output,
        Err(error) => return eprintln!("skipped, there is no gdb: {error}"),
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    if text.contains("ptrace") && text.contains("not permitted") {
        return eprintln!("skipped, gdb may not trace here: {text}");
    }
    // gdb shows no name for the base of a continuation's stack, which is marked as a signal's frame.
    const BASE: &str = "<signal handler called>";
    let mut rest = text.as_str();
    for function in [
        "wasm-function[1]",
        BASE,
        "wasm-function[2]",
        BASE,
        "wasm-function[3]",
        "switchback_enter",
        "switchback_test_caller",
        NAME,
    ] {
        let at = rest
            .find(function)
            .unwrap_or_else(|| panic!("{function} is missing or out of order: {text}"));
        rest = &rest[at + function.len()..];
    }
}

#[test]
fn without_unwind_info_compiled_code_runs_all_the_same() {
    let value = switchback_test_caller(&engine(false, OptLevel::None), || {
        let trace = Backtrace::force_capture().to_string();
        assert!(
            !trace.contains("switchback_enter"),
            "the setting makes a difference: {trace}"
        );
        41
    });
    assert_eq!(value, 42);
}

#[test]
fn regions_come_and_go_on_many_threads() {
    let engine = engine(true, OptLevel::None);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..20 {
                    let value = switchback_test_caller(&engine, || {
                        let trace = Backtrace::force_capture().to_string();
                        i32::from(trace.contains("switchback_test_caller"))
                    });
                    assert_eq!(value, 2);
                }
            });
        }
    });
}
