//! Traps by signals and by explicit checks are the same traps, at the same places, with the same frames.

use std::fmt::Write;
use switchback_engine::{
    Config, Engine, Error, Exhaustion, Extern, Func, FuncType, Instance, Module, OptLevel, Store,
    Trap, TrapKind, Val,
};

fn engine(signals: bool, opt_level: OptLevel) -> Engine {
    let mut config = Config::new();
    config.signals_based_traps(signals).opt_level(opt_level);
    Engine::new(&config).expect("the engine can be made")
}

fn engines() -> impl Iterator<Item = Engine> {
    [OptLevel::None, OptLevel::Speed]
        .into_iter()
        .flat_map(|level| [true, false].map(|signals| engine(signals, level)))
}

struct Running {
    store: Store<()>,
    instance: Instance,
}

impl Running {
    fn new(engine: &Engine, text: &str) -> Running {
        let bytes = wat::parse_str(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let module = Module::new(engine, &bytes).expect("the module compiles");
        let mut store = Store::new(engine, ());
        let instance = Instance::new(&mut store, &module, &[]).expect("the module has no imports");
        Running { store, instance }
    }

    fn call(&mut self, name: &str) -> Result<Vec<Val>, Error> {
        let func = self
            .instance
            .get_func(&self.store, name)
            .expect("the module exports it");
        let mut results = vec![Val::I32(0); func.ty(&self.store).results().len()];
        func.call(&mut self.store, &[], &mut results)?;
        Ok(results)
    }

    fn trap(&mut self, name: &str) -> Trap {
        match self.call(name) {
            Err(Error::Trap(trap)) => trap,
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn every_kind_of_trap_has_both_ways() {
    use TrapKind::*;
    let cases = [
        (Unreachable, "unreachable"),
        (
            IntegerDivideByZero,
            "(drop (i32.div_s (i32.const 1) (i32.const 0)))",
        ),
        (
            IntegerDivideByZero,
            "(drop (i64.div_u (i64.const 1) (i64.const 0)))",
        ),
        (
            IntegerDivideByZero,
            "(drop (i32.rem_s (i32.const 1) (i32.const 0)))",
        ),
        (
            IntegerDivideByZero,
            "(drop (i64.rem_u (i64.const 1) (i64.const 0)))",
        ),
        (
            IntegerOverflow,
            "(drop (i32.div_s (i32.const 0x80000000) (i32.const -1)))",
        ),
        (
            IntegerOverflow,
            "(drop (i64.div_s (i64.const 0x8000000000000000) (i64.const -1)))",
        ),
        (
            InvalidConversionToInteger,
            "(drop (i32.trunc_f32_s (f32.const nan)))",
        ),
        (
            InvalidConversionToInteger,
            "(drop (i64.trunc_f64_u (f64.const -nan)))",
        ),
        (
            IntegerOverflow,
            "(drop (i32.trunc_f64_s (f64.const -2147483649)))",
        ),
        (
            IntegerOverflow,
            "(drop (i32.trunc_f32_s (f32.const 2147483648)))",
        ),
        (IntegerOverflow, "(drop (i64.trunc_f32_u (f32.const -1)))"),
        (IntegerOverflow, "(drop (i64.trunc_f64_s (f64.const inf)))"),
        (MemoryOutOfBounds, "(drop (i32.load (i32.const -1)))"),
        (
            MemoryOutOfBounds,
            "(i64.store offset=65529 (i32.const 0) (i64.const 0))",
        ),
        (
            MemoryOutOfBounds,
            "(memory.fill (i32.const 65536) (i32.const 0) (i32.const 1))",
        ),
        (TableOutOfBounds, "(drop (table.get (i32.const 2)))"),
        (UndefinedElement, "(call_indirect (i32.const 2))"),
        (UninitializedElement, "(call_indirect (i32.const 0))"),
        (IndirectCallTypeMismatch, "(call_indirect (i32.const 1))"),
        (NullReference, "(drop (ref.as_non_null (ref.null func)))"),
        (NullFunctionReference, "(call_ref $f (ref.null $f))"),
        (NullFunctionReference, "(drop (cont.new $k (ref.null $f)))"),
        (NullContinuationReference, "(resume $k (ref.null $k))"),
        (NullExceptionReference, "(throw_ref (ref.null exn))"),
        (
            ContinuationConsumed,
            "(global.set $k (cont.new $k (ref.func $nop))) (resume $k (global.get $k)) (resume $k (global.get $k))",
        ),
    ];
    let mut text = String::from(
        "(module (type $f (func)) (type $k (cont $f)) (memory 1) (memory $m64 i64 1) (table 2 funcref)
          (func $other (result i32) (i32.const 0)) (elem (i32.const 1) $other)
          (func $nop (type $f)) (elem declare func $nop) (global $k (mut (ref null $k)) (ref.null $k))",
    );
    for (index, (_, body)) in cases.iter().enumerate() {
        // In the function itself, and on a continuation's stack.
        write!(
            text,
            "(func $b{index} (export \"b{index}\") {body}) (elem declare func $b{index})
             (func (export \"k{index}\") (resume $k (cont.new $k (ref.func $b{index}))))"
        )
        .unwrap();
    }
    text.push(')');
    for engine in engines() {
        let mut running = Running::new(&engine, &text);
        for (index, (kind, body)) in cases.iter().enumerate() {
            for name in [format!("b{index}"), format!("k{index}")] {
                assert_eq!(running.trap(&name).kind, *kind, "{body}");
                assert_eq!(running.store.live_continuations(), 0);
            }
        }
    }
}

#[test]
fn truncations_trap_exactly_outside_of_their_range() {
    let cases: [(&str, &[&str], &[&str]); 8] = [
        (
            "i32.trunc_f32_s (f32.const",
            &["-2147483648", "2147483520"],
            &["-2147483904", "2147483648"],
        ),
        (
            "i32.trunc_f64_s (f64.const",
            &["-2147483648.9", "2147483647.9"],
            &["-2147483649", "2147483648"],
        ),
        (
            "i32.trunc_f32_u (f32.const",
            &["-0.99999994", "4294967040"],
            &["-1", "4294967296"],
        ),
        (
            "i32.trunc_f64_u (f64.const",
            &["-0.9999999999999999", "4294967295.9"],
            &["-1", "4294967296"],
        ),
        (
            "i64.trunc_f32_s (f32.const",
            &["-9223372036854775808", "9223371487098961920"],
            &["-9223373136366403584", "9223372036854775808"],
        ),
        (
            "i64.trunc_f64_s (f64.const",
            &["-9223372036854775808", "9223372036854774784"],
            &["-9223372036854777856", "9223372036854775808"],
        ),
        (
            "i64.trunc_f32_u (f32.const",
            &["-0.99999994", "18446742974197923840"],
            &["-1", "18446744073709551616"],
        ),
        (
            "i64.trunc_f64_u (f64.const",
            &["-0.9999999999999999", "18446744073709549568"],
            &["-1", "18446744073709551616"],
        ),
    ];
    let mut text = String::from("(module");
    let mut expected = Vec::new();
    for (operation, inside, outside) in cases {
        for (fits, values) in [(true, inside), (false, outside)] {
            for value in values {
                write!(
                    text,
                    "(func (export \"{}\") (drop ({operation} {value}))))",
                    expected.len()
                )
                .unwrap();
                expected.push((fits, format!("{operation} {value})")));
            }
        }
    }
    text.push(')');
    for engine in engines() {
        let mut running = Running::new(&engine, &text);
        for (index, (fits, body)) in expected.iter().enumerate() {
            if *fits {
                running
                    .call(&index.to_string())
                    .unwrap_or_else(|error| panic!("{body}: {error}"));
            } else {
                assert_eq!(
                    running.trap(&index.to_string()).kind,
                    TrapKind::IntegerOverflow,
                    "{body}"
                );
            }
        }
    }
}

#[test]
fn stacks_end_without_signals_too() {
    // A thousand locals that are live across the call make a frame of 8 KB; twenty times as many, one that is checked in advance.
    for locals in [0, 1_000, 20_000] {
        let mut text = String::from(
            "(module (type $f (func)) (type $k (cont $f)) (global $g (mut i64) (i64.const 1))",
        );
        write!(text, "(func $f (type $f) (local{})", " i64".repeat(locals)).unwrap();
        for local in 0..locals {
            write!(
                text,
                "(local.set {local} (i64.add (global.get $g) (i64.const {local})))"
            )
            .unwrap();
        }
        text.push_str("(call $f)");
        for local in 0..locals {
            write!(
                text,
                "(global.set $g (i64.add (global.get $g) (local.get {local})))"
            )
            .unwrap();
        }
        text.push_str(
            ") (elem declare func $f) (func (export \"direct\") (call $f))
             (func (export \"continuation\") (resume $k (cont.new $k (ref.func $f)))))",
        );
        for signals in [true, false] {
            let engine = engine(signals, OptLevel::None);
            let mut running = Running::new(&engine, &text);
            for name in ["direct", "continuation"] {
                assert!(
                    matches!(
                        running.call(name),
                        Err(Error::Exhausted(Exhaustion::CallStack))
                    ),
                    "{name} with {locals} locals"
                );
            }
            assert_eq!(running.store.live_continuations(), 0);
        }
    }
}

const NESTED: &str = r#"(module $nested (type $f (func)) (type $k (cont $f)) (tag $t)
    (func $traps (type $f) (suspend $t) (call $deeper))
    (func $deeper (drop (i32.div_u (i32.const 1) (i32.const 0))))
    (func $middle (type $f)
      (block $h (result (ref $k))
        (resume $k (on $t $h) (cont.new $k (ref.func $traps))) (return))
      (resume $k))
    (elem declare func $traps $middle)
    (func $outer (export "run") (resume $k (cont.new $k (ref.func $middle)))))"#;

#[test]
fn a_backtrace_goes_through_all_stacks() {
    for engine in engines() {
        let mut running = Running::new(&engine, NESTED);
        let trap = running.trap("run");
        let frames = trap.backtrace.frames();
        let names: Vec<_> = frames
            .iter()
            .map(|frame| frame.name.as_deref().unwrap())
            .collect();
        assert_eq!(names, ["deeper", "traps", "middle", "outer"]);
        let functions: Vec<_> = frames.iter().map(|frame| frame.location.function).collect();
        assert_eq!(functions, [1, 0, 2, 3]);
        assert_eq!(trap.location, Some(frames[0].location));
        assert!(!trap.backtrace.is_truncated());
        let offset = frames[3].location.offset;
        assert!(
            trap.backtrace
                .to_string()
                .ends_with(&format!("   3: $outer (function 3, offset {offset:#x})\n")),
            "{}",
            trap.backtrace
        );
    }
}

#[test]
fn a_deep_backtrace_keeps_the_innermost_frames() {
    let text = r#"(module
        (func $f (export "run") (call $g (i32.const 1000)))
        (func $g (param i32)
          (if (i32.eqz (local.get 0)) (then (drop (i32.rem_u (i32.const 1) (local.get 0)))))
          (call $g (i32.sub (local.get 0) (i32.const 1)))))"#;
    for engine in engines() {
        let trap = Running::new(&engine, text).trap("run");
        assert!(trap.backtrace.is_truncated());
        assert!(trap.backtrace.frames().len() > 50);
        for frame in trap.backtrace.frames() {
            assert_eq!(frame.name.as_deref(), Some("g"));
        }
    }
}

#[test]
fn a_backtrace_ends_at_the_innermost_entry_of_the_host() {
    for engine in engines() {
        let mut inner = Running::new(&engine, NESTED);
        let inner_trap = inner.trap("run");
        let mut store = Store::new(&engine, ());
        let nested = wat::parse_str(NESTED).unwrap();
        let nested = Module::new(&engine, &nested).unwrap();
        let nested = Instance::new(&mut store, &nested, &[]).unwrap();
        let run = nested.get_func(&store, "run").unwrap();
        let host = Func::new(
            &mut store,
            FuncType::new([], []),
            move |mut caller, _, _| run.call(&mut caller, &[], &mut []),
        );
        let text = r#"(module (import "" "" (func $host)) (func (export "run") (call $host)))"#;
        let module = Module::new(&engine, &wat::parse_str(text).unwrap()).unwrap();
        let instance = Instance::new(&mut store, &module, &[Extern::Func(host)]).unwrap();
        let mut running = Running { store, instance };
        assert_eq!(running.trap("run").backtrace, inner_trap.backtrace);
    }
}

#[test]
fn without_signals_no_handler_is_installed() {
    const NAME: &str = "without_signals_no_handler_is_installed";
    const VARIABLE: &str = "SWITCHBACK_TEST_NO_SIGNALS";
    // The other tests of this process install handlers, so this is another process.
    if std::env::var_os(VARIABLE).is_none() {
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", NAME, "--nocapture"])
            .env(VARIABLE, "1")
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        return;
    }
    let dispositions = || {
        [libc::SIGILL, libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE].map(|signal| {
            // SAFETY: asks only; a zeroed action is valid.
            unsafe {
                let mut action: libc::sigaction = std::mem::zeroed();
                assert_eq!(libc::sigaction(signal, std::ptr::null(), &mut action), 0);
                action.sa_sigaction
            }
        })
    };
    let before = dispositions();
    let mut running = Running::new(&engine(false, OptLevel::None), NESTED);
    assert_eq!(running.trap("run").kind, TrapKind::IntegerDivideByZero);
    assert_eq!(dispositions(), before);
}
