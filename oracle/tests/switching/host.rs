//! Stack switching and the host: entries, errors, and host functions as bodies.

use super::*;

/// A suspension under a re-entry finds only handlers inside of it.
const REENTRY: &str = r#"(module
    (import "host" "call" (func $call (param funcref i32)))
    (type $f (func))
    (type $c (cont $f))
    (tag $t)
    (tag $e (export "e"))
    (func $suspends (suspend $t))
    (func $throws (throw $e))
    (func $traps (unreachable))
    (func $handled
        (block $h (result (ref $c))
            (resume $c (on $t $h) (cont.new $c (ref.func $suspends)))
            (unreachable))
        (drop))
    (func $lenient (call $call (ref.func $suspends) (i32.const 0)))
    (func $strict
        (try_table (catch_all 0) (call $call (ref.func $suspends) (i32.const 1))))
    (func $inside (call $call (ref.func $handled) (i32.const 1)))
    (func $thrown
        (block $h
            (try_table (catch $e $h) (call $call (ref.func $throws) (i32.const 1)))
            (unreachable)))
    (func $trapped
        (try_table (catch_all 0) (call $call (ref.func $traps) (i32.const 1))))
    (elem declare func $suspends $throws $traps $handled $lenient $strict $inside $thrown $trapped $call)
    (func $run (param $f (ref $f))
        (block $h (result (ref $c))
            (resume $c (on $t $h) (cont.new $c (local.get $f)))
            (return))
        (unreachable))
    (func (export "lenient") (call $run (ref.func $lenient)))
    (func (export "strict") (call $run (ref.func $strict)))
    (func (export "inside") (call $run (ref.func $inside)))
    (func (export "thrown") (call $run (ref.func $thrown)))
    (func (export "trapped") (call $run (ref.func $trapped)))
    (type $hf (func (param funcref i32)))
    (type $hc (cont $hf))
    (func (export "host_body")
        (resume $hc (ref.func $handled) (i32.const 1) (cont.new $hc (ref.func $call))))
    (func $endless (export "endless") (call $call (ref.func $endless) (i32.const 1)))
)"#;

#[test]
fn a_host_frame_is_a_barrier() {
    let mut case = Case::new(REENTRY);
    assert!(case.call("lenient", &[]).is_ok());
    assert_eq!(
        std::mem::take(case.store.data_mut()),
        [Err("unhandled suspension".to_owned())]
    );
    // Passed on, it goes to the host past every handler and every `catch_all`.
    assert!(matches!(case.call("strict", &[]), Err(Error::Suspended(_))));
    assert!(case.call("inside", &[]).is_ok());
}

#[test]
fn depth_counts_from_the_innermost_host_entry() {
    let mut case = Case::new(REENTRY);
    case.call("inside", &[]).expect("a return");
    let depths: Vec<u32> = case
        .kinds()
        .iter()
        .filter_map(|kind| match kind {
            E::Resume { depth, .. } | E::Return { depth, .. } => Some(*depth),
            _ => None,
        })
        .collect();
    // Outside, inside the re-entry (left by a suspension), and back outside.
    assert_eq!(depths, [2, 2, 1]);
}

#[test]
fn an_exception_passed_on_by_the_host_keeps_its_tag_and_a_trap_is_recorded_once() {
    let mut case = Case::new(REENTRY);
    assert!(case.call("thrown", &[]).is_ok());
    case.store.take_trace();
    assert_eq!(case.trap("trapped"), TrapKind::Unreachable);
    let traps = case
        .kinds()
        .into_iter()
        .filter(|k| matches!(k, E::Trap { .. }));
    assert_eq!(traps.count(), 1);
}

#[test]
fn a_host_function_is_a_continuation_s_body() {
    let mut case = Case::new(REENTRY);
    assert!(case.call("host_body", &[]).is_ok());
    let kinds = case.kinds();
    assert!(matches!(
        kinds[1],
        E::Resume {
            cont: 0,
            depth: 2,
            ..
        }
    ));
    assert!(matches!(kinds[2], E::HostCall { function: 0, .. }));
    assert_eq!(
        kinds.last(),
        Some(&E::Return {
            values: vec![],
            depth: 1
        })
    );
}

#[test]
fn endless_reentry_is_exhausted_and_the_store_stays_usable() {
    let mut case = Case::new(REENTRY);
    match case.call("endless", &[]) {
        Err(Error::Exhausted(Exhausted::CallStack)) => {}
        other => panic!("{other:?}"),
    }
    assert!(case.call("inside", &[]).is_ok());
}

#[test]
fn a_host_can_throw() {
    let wasm = wat::parse_str(
        r#"(module
        (import "" "t" (tag $t (param i32 i64)))
        (import "" "f" (func $f))
        (func (export "run") (result i32 i64)
            (block $h (result i32 i64)
                (try_table (catch $t $h) (call $f))
                (unreachable))))"#,
    )
    .expect("a module");
    let engine = Engine::new(&Config::new()).expect("an engine");
    let module = Module::new(&engine, &wasm).expect("a supported module");
    let mut store = Store::new(&engine, ());
    let ty = TagType {
        func: FuncType::new([ValType::I32, ValType::I64], []),
    };
    let tag = Tag::new(&mut store, ty);
    let func = Func::new(&mut store, FuncType::new([], []), move |_, _, _| {
        Err(Error::Exception(switchback_oracle::Exception {
            tag,
            payload: vec![Val::I32(1), Val::I64(2)],
        }))
    });
    let instance =
        Instance::new(&mut store, &module, &[tag.into(), func.into()]).expect("an instance");
    let Some(Extern::Func(run)) = instance.get_export(&store, "run") else {
        panic!("no function");
    };
    let mut results = [Val::I32(0), Val::I64(0)];
    run.call(&mut store, &[], &mut results).expect("a return");
    assert!(matches!(results, [Val::I32(1), Val::I64(2)]));
}
