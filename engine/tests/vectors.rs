//! Vectors wherever a value can be: they are twice as wide as any other.

use switchback_engine::trace::{EventKind, Value};
use switchback_engine::{
    Config, CpuFeatures, Engine, Error, Extern, Func, FuncType, Global, GlobalType, Instance,
    Module, OptLevel, RegallocAlgorithm, Store, Val, ValType,
};

const A: u128 = 0x0011_2233_4455_6677_8899_aabb_ccdd_eeff;
const B: u128 = 0xfedc_ba98_7654_3210_0123_4567_89ab_cdef;

/// Engines of every kind, with whether they trace.
fn engines() -> Vec<(bool, Engine)> {
    let mut engines = Vec::new();
    for (trace, features) in [(false, CpuFeatures::Host), (true, CpuFeatures::Baseline)] {
        for (level, regalloc) in [
            (OptLevel::None, RegallocAlgorithm::SinglePass),
            (OptLevel::Speed, RegallocAlgorithm::Backtracking),
        ] {
            let mut config = Config::new();
            config.trace(trace).opt_level(level).regalloc(regalloc);
            config.cpu_features(features);
            engines.push((trace, Engine::new(&config).expect("the engine can be made")));
        }
    }
    engines
}

fn instance(store: &mut Store<()>, engine: &Engine, text: &str, imports: &[Extern]) -> Instance {
    let bytes = wat::parse_str(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let module = Module::new(engine, &bytes).expect("the module compiles");
    Instance::new(store, &module, imports).expect("the module can be instantiated")
}

fn call(store: &mut Store<()>, instance: &Instance, args: &[Val]) -> Result<Vec<u128>, Error> {
    let func = instance.get_func(&*store, "run");
    let func = func.expect("the module exports it");
    let mut results = vec![Val::I32(0); func.ty(&*store).results().len()];
    func.call(store, args, &mut results)?;
    Ok(results.into_iter().map(bits).collect())
}

fn bits(value: Val) -> u128 {
    match value {
        Val::V128(bits) => bits,
        other => panic!("{other:?}"),
    }
}

#[test]
fn in_parameters_results_locals_and_globals() {
    let text = "(module (import \"\" \"g\" (global $g (mut v128)))
        (global $h v128 (v128.const i64x2 0x8899aabbccddeeff 0x0011223344556677))
        (global $i (export \"i\") (mut v128) (global.get $h))
        (func (export \"run\") (param i32 v128 i64 v128) (result v128 v128 v128) (local v128)
          (global.set $g (local.get 3))
          (local.set 4 (v128.xor (local.get 1) (global.get $h)))
          (global.set $i (v128.not (local.get 1)))
          (local.get 4) (global.get $g) (select (local.get 1) (local.get 3) (local.get 0))))";
    for (_, engine) in engines() {
        let mut store = Store::new(&engine, ());
        let ty = GlobalType::new(ValType::V128, true);
        let global = Global::new(&mut store, ty, Val::V128(B)).unwrap();
        let instance = instance(&mut store, &engine, text, &[Extern::Global(global)]);
        let args = [Val::I32(0), Val::V128(A), Val::I64(-1), Val::V128(B - 1)];
        let results = call(&mut store, &instance, &args).unwrap();
        assert_eq!(results, [0, B - 1, B - 1]);
        assert_eq!(bits(global.get(&store)), B - 1);
        let own = instance.get_export(&store, "i");
        let Some(Extern::Global(own)) = own else {
            panic!("{own:?}")
        };
        assert_eq!(bits(own.get(&store)), !A);
    }
}

#[test]
fn in_host_calls() {
    let text = "(module (import \"\" \"h\" (func $h (param v128 i32 v128) (result v128 v128)))
        (func (export \"run\") (param v128 v128) (result v128 v128)
          (call $h (local.get 0) (i32.const 7) (local.get 1))))";
    for (traced, engine) in engines() {
        let mut store = Store::new(&engine, ());
        let (vector, int) = (ValType::V128, ValType::I32);
        let params = [vector.clone(), int, vector.clone()];
        let ty = FuncType::new(params, [vector.clone(), vector]);
        let host = Func::new(&mut store, ty, |_, args, results| {
            results.copy_from_slice(&[args[2], args[0]]);
            Ok(())
        });
        let instance = instance(&mut store, &engine, text, &[Extern::Func(host)]);
        let results = call(&mut store, &instance, &[Val::V128(A), Val::V128(B)]).unwrap();
        assert_eq!(results, [B, A]);
        if traced {
            let trace = store.take_trace();
            assert!(trace.iter().any(|event| matches!(
                &event.kind,
                EventKind::HostCall { values, .. }
                    if values[..] == [Value::V128(A), Value::I32(7), Value::V128(B)]
            )));
        }
    }
}

#[test]
fn in_exceptions() {
    let text = "(module (tag $e (param i32 v128))
        (func $throw (param v128) (throw $e (i32.const 1) (local.get 0)))
        (func (export \"run\") (param v128) (result v128) (local v128)
          (block $caught (result i32 v128)
            (try_table (catch $e $caught) (call $throw (local.get 0)))
            unreachable)
          (local.set 1) (drop) (local.get 1))
        (func (export \"out\") (param v128) (call $throw (local.get 0))))";
    for (_, engine) in engines() {
        let mut store = Store::new(&engine, ());
        let instance = instance(&mut store, &engine, text, &[]);
        assert_eq!(call(&mut store, &instance, &[Val::V128(A)]).unwrap(), [A]);
        let out = instance.get_func(&store, "out").unwrap();
        match out.call(&mut store, &[Val::V128(B)], &mut []) {
            Err(Error::Exception(exception)) => {
                assert_eq!(bits(exception.values(&store)[1]), B);
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Bound to the continuation, given by the resume, sent and answered by a suspension, thrown into it, and returned.
#[test]
fn between_stacks() {
    let text = "(module
        (type $f (func (param i64 v128 v128) (result v128)))
        (type $k (cont $f))
        (type $f1 (func (param v128) (result v128)))
        (type $k1 (cont $f1))
        (tag $t (param v128 i32) (result v128))
        (func $body (type $f) (local v128)
          (local.set 3 (suspend $t (v128.xor (local.get 1) (local.get 2)) (i32.const 3)))
          (v128.or (v128.and (local.get 3) (local.get 1)) (v128.andnot (local.get 2) (local.get 1))))
        (elem declare func $body)
        (func (export \"run\") (param v128 v128 v128) (result v128 v128)
          (local $k (ref null $k1)) (local $sent v128)
          (cont.bind $k $k1 (i64.const 1) (local.get 0) (cont.new $k (ref.func $body)))
          (local.set $k)
          (block $on (result v128 i32 (ref $k1))
            (resume $k1 (on $t $on) (local.get 1) (local.get $k))
            unreachable)
          (local.set $k) (drop) (local.set $sent)
          (resume $k1 (local.get 2) (local.get $k))
          (local.get $sent)))";
    let c = A.rotate_left(40);
    for (traced, engine) in engines() {
        let mut store = Store::new(&engine, ());
        let instance = instance(&mut store, &engine, text, &[]);
        let args = [Val::V128(A), Val::V128(B), Val::V128(c)];
        let results = call(&mut store, &instance, &args).unwrap();
        assert_eq!(results, [(c & A) | (B & !A), A ^ B]);
        if traced {
            let seen: Vec<_> = store
                .take_trace()
                .into_iter()
                .filter_map(|event| match event.kind {
                    EventKind::Bind { values, .. }
                    | EventKind::Resume { values, .. }
                    | EventKind::Suspend { values, .. }
                    | EventKind::Return { values, .. } => Some(values),
                    _ => None,
                })
                .collect();
            assert_eq!(
                seen,
                [
                    vec![Value::I64(1), Value::V128(A)],
                    vec![Value::V128(B)],
                    vec![Value::V128(A ^ B), Value::I32(3)],
                    vec![Value::V128(c)],
                    vec![Value::V128((c & A) | (B & !A))],
                ]
            );
        }
    }
}

#[test]
fn through_switch() {
    let text = "(module
        (rec (type $f (func (param v128 (ref null $k)) (result v128))) (type $k (cont $f)))
        (rec (type $g (func (param i32 v128 (ref null $k)) (result v128))) (type $c (cont $g)))
        (tag $t (result v128))
        (func $other (type $g)
          (v128.xor (local.get 1) (v128.const i64x2 -1 0)) (local.get 2)
          (switch $k $t) (drop) (drop) unreachable)
        (func $main (type $f) (local v128)
          (switch $c $t (i32.const 9) (local.get 0) (cont.new $c (ref.func $other)))
          (drop) (local.set 2) (local.get 2))
        (elem declare func $other $main)
        (func (export \"run\") (param v128) (result v128)
          (resume $k (on $t switch) (local.get 0) (ref.null $k) (cont.new $k (ref.func $main)))))";
    for (_, engine) in engines() {
        let mut store = Store::new(&engine, ());
        let instance = instance(&mut store, &engine, text, &[]);
        let results = call(&mut store, &instance, &[Val::V128(A)]).unwrap();
        assert_eq!(results, [A ^ u128::from(u64::MAX)]);
    }
}

/// The deterministic profile: two roundings, signed products, saturation.
#[test]
fn relaxed_instructions_are_deterministic() {
    let lanes = |lane: u32| (0..4).fold(0, |all, i| all | u128::from(lane) << (32 * i));
    let bytes = |lane: u8| u128::from_le_bytes([lane; 16]);
    for (expected, expression) in [
        // (1 + 2^-12)^2 - (1 + 2^-11) is 2^-24 in one rounding, and 0 in two.
        (
            0,
            "(f32x4.relaxed_madd
               (f32x4.splat (f32.const 0x1.001p0)) (f32x4.splat (f32.const 0x1.001p0))
               (f32x4.splat (f32.const -0x1.002p0)))",
        ),
        (
            lanes(1.0_f32.to_bits()),
            "(f32x4.relaxed_nmadd
               (f32x4.splat (f32.const 2)) (f32x4.splat (f32.const 3)) (f32x4.splat (f32.const 7)))",
        ),
        (
            u128::from_le_bytes([0xff, 0x7f].repeat(8).try_into().unwrap()),
            "(i16x8.relaxed_dot_i8x16_i7x16_s
               (i8x16.splat (i32.const -128)) (i8x16.splat (i32.const -128)))",
        ),
        (
            lanes(65_534 - 4),
            "(i32x4.relaxed_dot_i8x16_i7x16_add_s
               (i8x16.splat (i32.const -128)) (i8x16.splat (i32.const -128))
               (i32x4.splat (i32.const -4)))",
        ),
        (
            lanes(0x7fff_ffff),
            "(i32x4.relaxed_trunc_f32x4_s (f32x4.splat (f32.const inf)))",
        ),
        (0, "(i32x4.relaxed_trunc_f32x4_u (f32x4.splat (f32.const nan)))"),
        (
            u128::from(u64::MAX),
            "(i32x4.relaxed_trunc_f64x2_u_zero (f64x2.splat (f64.const 1e300)))",
        ),
        (
            0,
            "(i8x16.relaxed_swizzle (i8x16.splat (i32.const 5)) (i8x16.splat (i32.const 16)))",
        ),
        (
            bytes(0x5a),
            "(i8x16.relaxed_laneselect
               (i8x16.splat (i32.const 0x50)) (i8x16.splat (i32.const 0x0a))
               (i8x16.splat (i32.const 0xf0)))",
        ),
        (
            lanes(0x7fff_7fff),
            "(i16x8.relaxed_q15mulr_s
               (i16x8.splat (i32.const -32768)) (i16x8.splat (i32.const -32768)))",
        ),
        (
            lanes(0x8000_0000),
            "(f32x4.relaxed_min (f32x4.splat (f32.const 0)) (f32x4.splat (f32.const -0)))",
        ),
    ] {
        let text = format!("(module (func (export \"run\") (result v128) {expression}))");
        for (_, engine) in engines() {
            let mut store = Store::new(&engine, ());
            let instance = instance(&mut store, &engine, &text, &[]);
            let results = call(&mut store, &instance, &[]).unwrap();
            assert_eq!(results, [expected], "{expression}");
        }
    }
}

/// Every instruction that shuffles, rounds or counts has another form without the newer instructions of the processor.
#[test]
fn the_processors_features_change_no_result() {
    let text = "(module (func (export \"run\") (param v128 v128) (result v128) (local v128)
        (local.set 2 (i8x16.swizzle (local.get 0) (i8x16.shr_u (local.get 1) (i32.const 3))))
        (local.set 2 (v128.xor (local.get 2) (i8x16.popcnt (local.get 1))))
        (local.set 2 (v128.xor (local.get 2) (i8x16.shl (local.get 0) (i32.const 5))))
        (local.set 2 (v128.xor (local.get 2) (i8x16.shr_s (local.get 0) (i32.const 11))))
        (local.set 2 (v128.xor (local.get 2) (i64x2.shr_s (local.get 0) (i32.const 7))))
        (local.set 2 (v128.xor (local.get 2) (i64x2.mul (local.get 0) (local.get 1))))
        (local.set 2 (v128.xor (local.get 2) (i64x2.abs (local.get 1))))
        (local.set 2 (v128.xor (local.get 2) (i64x2.gt_s (local.get 0) (local.get 1))))
        (local.set 2 (v128.xor (local.get 2) (i32x4.max_u (local.get 0) (local.get 1))))
        (local.set 2 (v128.xor (local.get 2) (f64x2.nearest (f64x2.convert_low_i32x4_u (local.get 0)))))
        (local.set 2 (v128.xor (local.get 2) (f32x4.convert_i32x4_u (local.get 1))))
        (local.set 2 (v128.xor (local.get 2) (i32x4.trunc_sat_f32x4_u (f32x4.convert_i32x4_u (local.get 0)))))
        (v128.xor (local.get 2) (i8x16.shuffle 0 17 2 19 20 5 22 7 8 31 10 29 12 27 14 25 (local.get 0) (local.get 1)))))";
    let results: Vec<_> = engines()
        .into_iter()
        .map(|(_, engine)| {
            let mut store = Store::new(&engine, ());
            let instance = instance(&mut store, &engine, text, &[]);
            call(&mut store, &instance, &[Val::V128(A), Val::V128(B)]).unwrap()
        })
        .collect();
    assert!(
        results.windows(2).all(|pair| pair[0] == pair[1]),
        "{results:x?}"
    );
}
