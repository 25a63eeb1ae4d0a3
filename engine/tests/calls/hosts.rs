//! Every way in which a host function is called, and every way in which a call ends.

use super::*;

const CALLS_HOST: &str = r#"(module (import "" "" (func $host (param i32) (result i32)))
    (type $f (func (param i32) (result i32))) (type $k (cont $f))
    (tag $e (param i32))
    (table 1 funcref)
    (elem (i32.const 0) $host)
    (func (export "direct") (type $f) (call $host (local.get 0)))
    (func (export "indirect") (type $f) (call_indirect (type $f) (local.get 0) (i32.const 0)))
    (func (export "tail") (type $f) (return_call $host (local.get 0)))
    (func (export "resumed") (type $f) (resume $k (local.get 0) (cont.new $k (ref.func $host))))
    (export "host" (func $host)))"#;

#[test]
fn typed_and_untyped_host_functions_are_called_in_every_way() {
    for engine in engines() {
        let mut store = Store::new(&engine, 10);
        let ty = FuncType::new([ValType::I32], [ValType::I32]);
        let untyped = Func::new(
            &mut store,
            ty,
            |mut caller: Caller<'_, u64>, args, results| {
                *caller.data_mut() += 1;
                let Val::I32(value) = args[0] else {
                    unreachable!()
                };
                results[0] = Val::I32(value * 2);
                Ok(())
            },
        );
        let typed = Func::wrap(&mut store, |mut caller: Caller<'_, u64>, value: i32| {
            *caller.data_mut() += 1;
            value * 2
        });
        let fallible = Func::wrap(&mut store, |value: i32| -> Result<i32, Error> {
            Ok(value * 2)
        });
        for (host, counted) in [(untyped, 1), (typed, 1), (fallible, 0)] {
            let instance = instantiate(&mut store, CALLS_HOST, &[host]);
            for name in ["direct", "indirect", "tail", "resumed", "host"] {
                let func = instance.get_func(&store, name).unwrap();
                let before = *store.data();
                let mut results = [Val::I32(0)];
                func.call(&mut store, &[Val::I32(21)], &mut results)
                    .unwrap();
                assert!(matches!(results, [Val::I32(42)]), "{name}: {results:?}");
                let called = func.typed::<i32, i32>(&store).unwrap().call(&mut store, 21);
                assert_eq!(called.unwrap(), 42, "{name}");
                assert_eq!(*store.data(), before + 2 * counted, "{name}");
            }
            assert_eq!(store.live_continuations(), 0);
        }
    }
}

#[test]
fn errors_and_panics_of_typed_host_functions_arrive_unchanged() {
    for engine in engines() {
        let mut store = Store::new(&engine, 0);
        let host = Func::wrap(&mut store, |value: i32| -> Result<i32, Error> {
            match value {
                0 => Err(Error::Type("nothing fits".to_owned())),
                1 => panic!("on purpose"),
                value => Ok(value),
            }
        });
        let instance = instantiate(&mut store, CALLS_HOST, &[host]);
        for name in ["direct", "indirect", "tail", "resumed", "host"] {
            let func = instance.get_func(&store, name).unwrap();
            let typed = func.typed::<i32, i32>(&store).unwrap();
            match typed.call(&mut store, 0) {
                Err(Error::Type(message)) => assert_eq!(message, "nothing fits"),
                other => panic!("{name}: {other:?}"),
            }
            let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                typed.call(&mut store, 1).map(drop)
            }));
            let panic = panic.expect_err("the host function panics");
            assert_eq!(panic.downcast_ref::<&str>(), Some(&"on purpose"), "{name}");
            assert_eq!(typed.call(&mut store, 7).unwrap(), 7, "{name}");
            assert_eq!(store.live_continuations(), 0, "{name}");
        }
    }
}

#[test]
fn traps_exceptions_and_suspensions_leave_through_a_typed_entry() {
    let text = r#"(module
        (type $f (func)) (type $k (cont $f)) (tag $e (param i32)) (tag $s)
        (func $traps (param i32) (result f64)
          (if (i32.eqz (local.get 0)) (then (unreachable)))
          (call $traps (i32.sub (local.get 0) (i32.const 1))))
        (func $divides (param i32) (result f64) (f64.convert_i32_s (i32.div_s (i32.const 1) (local.get 0))))
        (func $throws (param i32) (result f64) (throw $e (local.get 0)))
        (func $suspends (param i32) (result f64) (suspend $s) (f64.const 0))
        (func $endless (param i32) (result f64) (call $endless (local.get 0)))
        (func $in_continuation (type $f) (drop (call $throws (i32.const 5))))
        (func $throws_deep (param i32) (result f64) (resume $k (cont.new $k (ref.func $in_continuation))) (f64.const 1))
        (elem declare func $in_continuation)
        (export "traps" (func $traps)) (export "divides" (func $divides)) (export "throws" (func $throws))
        (export "suspends" (func $suspends)) (export "endless" (func $endless))
        (export "throws_deep" (func $throws_deep)))"#;
    for engine in engines() {
        let mut store = Store::new(&engine, 0);
        let instance = instantiate(&mut store, text, &[]);
        let call = |store: &mut Store<u64>, name| {
            let func = instance.get_func(&*store, name).unwrap();
            let typed = func.typed::<i32, f64>(&*store).unwrap();
            typed.call(store, 0)
        };
        for _ in 0..2 {
            match call(&mut store, "traps") {
                Err(Error::Trap(trap)) => assert_eq!(trap.kind, TrapKind::Unreachable),
                other => panic!("{other:?}"),
            }
            match call(&mut store, "divides") {
                Err(Error::Trap(trap)) => assert_eq!(trap.kind, TrapKind::IntegerDivideByZero),
                other => panic!("{other:?}"),
            }
            for (name, value) in [("throws", 0), ("throws_deep", 5)] {
                match call(&mut store, name) {
                    Err(Error::Exception(exception)) => {
                        let values = exception.values(&store);
                        assert!(
                            matches!(values[..], [Val::I32(v)] if v == value),
                            "{values:?}"
                        );
                    }
                    other => panic!("{other:?}"),
                }
            }
            assert!(matches!(
                call(&mut store, "suspends"),
                Err(Error::Suspended { .. })
            ));
            assert!(matches!(
                call(&mut store, "endless"),
                Err(Error::Exhausted(_))
            ));
            assert_eq!(store.live_continuations(), 0);
        }
    }
}
