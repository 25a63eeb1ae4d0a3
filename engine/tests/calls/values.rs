//! Values on their way into and out of functions, in all three conventions.

use super::*;
use std::fmt::Write;

/// A function of `params` that returns them in the opposite order.
fn reversed(params: &[&str]) -> String {
    let mut text = String::from("(module (func (export \"f\")");
    for param in params {
        write!(text, " (param {param})").unwrap();
    }
    for param in params.iter().rev() {
        write!(text, " (result {param})").unwrap();
    }
    for index in (0..params.len()).rev() {
        write!(text, " (local.get {index})").unwrap();
    }
    text + "))"
}

#[test]
fn typed_calls_pass_every_type_in_both_directions() {
    for engine in engines() {
        let mut store = Store::new(&engine, 0);
        let instance = instantiate(
            &mut store,
            &reversed(&["i32", "i64", "f32", "f64", "externref", "funcref"]),
            &[],
        );
        let func = instance.get_func(&store, "f").unwrap();
        type Params = (i32, i64, f32, f64, Option<ExternRef>, Option<Func>);
        type Results = (Option<Func>, Option<ExternRef>, f64, f32, i64, i32);
        let typed = func.typed::<Params, Results>(&store).unwrap();
        let reference = ExternRef::new(99);
        let params = (-1, i64::MIN, 1.5f32, -2.5, Some(reference), Some(func));
        let results = typed.call(&mut store, params).unwrap();
        assert_eq!(
            results,
            (Some(func), Some(reference), -2.5, 1.5, i64::MIN, -1)
        );
        let results = typed
            .call(&mut store, (0, 0, 0.0, 0.0, None, None))
            .unwrap();
        assert_eq!(results, (None, None, 0.0, 0.0, 0, 0));
    }
}

#[test]
fn a_single_result_of_each_type_comes_back_in_its_register() {
    for engine in engines() {
        let mut store = Store::new(&engine, 0);
        let text = r#"(module
            (func (export "i32") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
            (func (export "i64") (param i64) (result i64) (i64.add (local.get 0) (i64.const 1)))
            (func (export "f32") (param f32) (result f32) (f32.add (local.get 0) (f32.const 1)))
            (func (export "f64") (param f64) (result f64) (f64.add (local.get 0) (f64.const 1))))"#;
        let instance = instantiate(&mut store, text, &[]);
        let get = |name| instance.get_func(&store, name).unwrap();
        let (a, b, c, d) = (get("i32"), get("i64"), get("f32"), get("f64"));
        let a = a.typed::<i32, i32>(&store).unwrap();
        let b = b.typed::<(u64,), u64>(&store).unwrap();
        let c = c.typed::<f32, (f32,)>(&store).unwrap();
        let d = d.typed::<f64, f64>(&store).unwrap();
        assert_eq!(a.call(&mut store, i32::MAX).unwrap(), i32::MIN);
        assert_eq!(b.call(&mut store, (u64::MAX,)).unwrap(), 0);
        assert_eq!(c.call(&mut store, 0.5).unwrap(), (1.5,));
        assert_eq!(d.call(&mut store, -1.0).unwrap(), 0.0);
    }
}

#[test]
fn the_types_asked_for_are_the_functions_own() {
    let engine = Engine::new(&Config::new()).unwrap();
    let mut store = Store::new(&engine, 0);
    let instance = instantiate(&mut store, &reversed(&["i32", "i64"]), &[]);
    let func = instance.get_func(&store, "f").unwrap();
    let wrong = [
        func.typed::<(), (i64, i32)>(&store).map(drop),
        func.typed::<(i32, i64), (i32, i64)>(&store).map(drop),
        func.typed::<(i64, i32), (i64, i32)>(&store).map(drop),
        func.typed::<(i32, i64), i64>(&store).map(drop),
    ];
    for wrong in wrong {
        assert!(matches!(wrong, Err(Error::Type(_))), "{wrong:?}");
    }
    func.typed::<(u32, u64), (u64, u32)>(&store).unwrap();
}

#[test]
fn any_number_of_values_passes() {
    let kinds = ["i32", "i64", "f32", "f64"];
    for engine in engines() {
        for count in [1usize, 16, 17, 100, 1000] {
            let params: Vec<_> = (0..count).map(|index| kinds[index % 4]).collect();
            let given: Vec<_> = (0..count as u64)
                .map(|index| match index % 4 {
                    0 => Val::I32(index as i32 + 1),
                    1 => Val::I64(-(index as i64)),
                    2 => Val::F32((index as f32).to_bits()),
                    _ => Val::F64((index as f64).to_bits()),
                })
                .collect();
            let types = |values: &[Val]| -> Vec<ValType> {
                let of = |value: &Val| match value {
                    Val::I32(_) => ValType::I32,
                    Val::I64(_) => ValType::I64,
                    Val::F32(_) => ValType::F32,
                    _ => ValType::F64,
                };
                values.iter().map(of).collect()
            };
            let mut backwards = given.clone();
            backwards.reverse();
            let mut store = Store::new(&engine, 0);
            // Through Wasm into the host and back, with as many values both ways.
            let host_type = FuncType::new(types(&given), types(&backwards));
            let host = Func::new(&mut store, host_type, |_, args, results| {
                results.copy_from_slice(args);
                results.reverse();
                Ok(())
            });
            let list = |what: &str, types: &[&str]| format!("({what} {})", types.join(" "));
            let reversed: Vec<_> = params.iter().rev().copied().collect();
            let signature = list("param", &params) + &list("result", &reversed);
            let gets: String = (0..count).map(|i| format!("(local.get {i})")).collect();
            let text = format!(
                r#"(module (import "" "" (func $host {signature}))
                (func (export "f") {signature} (call $host {gets})))"#
            );
            let instance = instantiate(&mut store, &text, &[host]);
            let func = instance.get_func(&store, "f").unwrap();
            let mut results = vec![Val::I32(0); count];
            func.call(&mut store, &given, &mut results).unwrap();
            assert_eq!(format!("{results:?}"), format!("{backwards:?}"));
        }
    }
}

#[test]
fn sixteen_values_pass_typed() {
    for engine in engines() {
        let mut store = Store::new(&engine, 0);
        type Sixteen = (
            i32,
            f64,
            i64,
            f32,
            i32,
            f64,
            i64,
            f32,
            i32,
            f64,
            i64,
            f32,
            i32,
            f64,
            i64,
            f32,
        );
        let host = Func::wrap(
            &mut store,
            |a: i32,
             b: f64,
             c: i64,
             d: f32,
             e: i32,
             f: f64,
             g: i64,
             h: f32,
             i: i32,
             j: f64,
             k: i64,
             l: f32,
             m: i32,
             n: f64,
             o: i64,
             p: f32|
             -> Sixteen { (m, n, o, p, i, j, k, l, e, f, g, h, a, b, c, d) },
        );
        let types = "i32 f64 i64 f32 ".repeat(4);
        let gets: String = (0..16).map(|i| format!("(local.get {i})")).collect();
        let text = format!(
            r#"(module (import "" "" (func $host (param {types}) (result {types})))
            (func (export "f") (param {types}) (result {types}) (call $host {gets})))"#
        );
        let instance = instantiate(&mut store, &text, &[host]);
        let func = instance.get_func(&store, "f").unwrap();
        let given: Sixteen = (
            1, 2.0, 3, 4.0, 5, 6.0, 7, 8.0, 9, 10.0, 11, 12.0, 13, 14.0, 15, 16.0,
        );
        let expected: Sixteen = (
            13, 14.0, 15, 16.0, 9, 10.0, 11, 12.0, 5, 6.0, 7, 8.0, 1, 2.0, 3, 4.0,
        );
        let shown = |values: Sixteen| {
            let (a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p) = values;
            format!("{:?}", ((a, b, c, d, e, f, g, h), (i, j, k, l, m, n, o, p)))
        };
        for func in [func, host] {
            let typed = func.typed::<Sixteen, Sixteen>(&store).unwrap();
            assert_eq!(
                shown(typed.call(&mut store, given).unwrap()),
                shown(expected)
            );
        }
    }
}

#[test]
fn nobody_sees_more_of_a_narrow_value_than_its_own_bits() {
    // Where an `i32` is, the rest of the `i64` that it was made from is beside it; a signalling NaN stays one.
    let text = r#"(module
        (import "" "typed" (func $typed (param i32 f32) (result i32)))
        (import "" "untyped" (func $untyped (param i32 f32) (result i32)))
        (func (export "typed") (param i64) (result i64)
          (i64.extend_i32_u (call $typed (i32.wrap_i64 (local.get 0)) (f32.reinterpret_i32 (i32.const 0x7fa00000)))))
        (func (export "untyped") (param i64) (result i64)
          (i64.extend_i32_u (call $untyped (i32.wrap_i64 (local.get 0)) (f32.reinterpret_i32 (i32.const 0x7fa00000)))))
        (func (export "narrow") (param i64) (result i32 f32)
          (i32.wrap_i64 (local.get 0)) (f32.reinterpret_i32 (i32.const 0x7fa00000))))"#;
    const WIDE: u64 = 0xdead_beef_ffff_fff0;
    for engine in engines() {
        let mut store = Store::new(&engine, 0);
        let typed = Func::wrap(&mut store, |value: u32, nan: f32| {
            assert_eq!(nan.to_bits(), 0x7fa0_0000);
            value.wrapping_add(1)
        });
        let ty = FuncType::new([ValType::I32, ValType::F32], [ValType::I32]);
        let untyped = Func::new(&mut store, ty, |_, args, results| {
            let [Val::I32(value), Val::F32(0x7fa0_0000)] = *args else {
                panic!("{args:?}")
            };
            results[0] = Val::I32(value.wrapping_add(1));
            Ok(())
        });
        let instance = instantiate(&mut store, text, &[typed, untyped]);
        for name in ["typed", "untyped"] {
            let func = instance.get_func(&store, name).unwrap();
            let func = func.typed::<u64, u64>(&store).unwrap();
            assert_eq!(func.call(&mut store, WIDE).unwrap(), 0xffff_fff1, "{name}");
        }
        let narrow = instance.get_func(&store, "narrow").unwrap();
        let mut results = [Val::I32(0), Val::I32(0)];
        narrow
            .call(&mut store, &[Val::I64(WIDE as i64)], &mut results)
            .unwrap();
        let [Val::I32(-16), Val::F32(0x7fa0_0000)] = results else {
            panic!("{results:?}")
        };
        let typed = narrow.typed::<u64, (i32, f32)>(&store).unwrap();
        let (value, nan) = typed.call(&mut store, WIDE).unwrap();
        assert_eq!((value, nan.to_bits()), (-16, 0x7fa0_0000));
    }
}

#[test]
fn numbers_keep_their_types_and_bits_on_their_way_to_and_from_hosts() {
    let values = [
        (ValType::I32, Val::I32(-2)),
        (ValType::I64, Val::I64(-3)),
        (ValType::F32, Val::F32(0xffc0_0001)),
        (ValType::F64, Val::F64(0xfff8_0000_0000_0001)),
        (ValType::V128, Val::V128(u128::MAX - 5)),
        (ValType::FUNCREF, Val::FuncRef(None)),
    ];
    let engine = Engine::new(&Config::new()).unwrap();
    for (index, (ty, wanted)) in values.iter().enumerate() {
        for (other, (_, given)) in values.iter().enumerate() {
            let mut store = Store::new(&engine, 0);
            // A slot's neighbours have other types, so that one that is written too far shows.
            let types = [ValType::I64, ty.clone(), ValType::I64];
            let around = |value| [Val::I64(-1), value, Val::I64(-1)];
            let identity = FuncType::new(types.clone(), types.clone());
            let (wanted, given) = (*wanted, *given);
            let host = Func::new(&mut store, identity, move |_, args, results| {
                assert_eq!(format!("{args:?}"), format!("{:?}", around(wanted)));
                results.copy_from_slice(&around(given));
                Ok(())
            });
            let mut results = around(Val::I32(0));
            let called = host.call(&mut store, &around(wanted), &mut results);
            assert_eq!(called.is_ok(), index == other, "{given:?} as {ty}");
            match called {
                Ok(()) => assert_eq!(format!("{results:?}"), format!("{:?}", around(given))),
                Err(error) => assert!(matches!(error, Error::Type(_)), "{error:?}"),
            }
            let called = host.call(&mut store, &around(given), &mut results);
            assert_eq!(called.is_ok(), index == other, "{given:?} as {ty}");
        }
    }
}
