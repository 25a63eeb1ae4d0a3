//! What hosts hold, and host functions that collect.

use super::*;

#[test]
fn handles_keep_objects_until_their_scope_ends() {
    let text = r#"(module (type $s (struct (field i32) (field (mut i8)))) (type $a (array i16))
        (func (export "struct") (result anyref) (struct.new $s (i32.const 5) (i32.const -1)))
        (func (export "array") (result externref)
          (extern.convert_any (array.new_fixed $a 2 (i32.const 1) (i32.const -1))))
        (func (export "i31") (result anyref) (ref.i31 (i32.const -5)))
        (func (export "back") (param anyref) (result i32) (struct.get $s 0 (ref.cast (ref $s) (local.get 0)))))"#;
    let engine = Engine::new(Config::new().gc_zeal(1)).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = instance(&mut store, &engine, text, &[]);
    let any = |store: &mut Store<()>, name| match call(store, &instance, name).unwrap()[..] {
        [Val::AnyRef(Some(reference))] => reference,
        [Val::ExternRef(Some(reference))] => reference.to_any(),
        ref other => panic!("{other:?}"),
    };
    let object = any(&mut store, "struct");
    let array = any(&mut store, "array");
    store.gc();
    assert!(matches!(object.kind(&store), AnyKind::Struct(ty) if ty.index() == 0));
    assert!(matches!(
        object.fields(&store)[..],
        [Val::I32(5), Val::I32(255)]
    ));
    assert!(matches!(array.kind(&store), AnyKind::Array(ty) if ty.index() == 1));
    assert!(matches!(
        array.fields(&store)[..],
        [Val::I32(1), Val::I32(65535)]
    ));
    assert_eq!(any(&mut store, "i31").kind(&store), AnyKind::I31(-5));
    let back = instance.get_func(&store, "back").unwrap();
    let mut results = [Val::I32(0)];
    back.call(&mut store, &[Val::AnyRef(Some(object))], &mut results)
        .unwrap();
    assert!(matches!(results, [Val::I32(5)]));
    let wrong = back.call(&mut store, &[Val::AnyRef(Some(array))], &mut results);
    assert!(matches!(wrong, Err(Error::Trap(_))));

    let before = store.heap_bytes();
    let stale = store.scope(|store| any(store, "struct"));
    store.gc();
    assert_eq!(store.heap_bytes(), before);
    let used = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| stale.kind(&store)));
    assert!(used.is_err());
}

/// A host function's arguments and results, and what lies on the stacks below it while it collects.
#[test]
fn hosts_collect_wherever_they_are_called() {
    let text = format!(
        r#"(module (import "" "gc" (func $gc (param anyref) (result anyref))) {PRELUDE}
        (type $f (func (result i32))) (type $k (cont $f))
        (func $body (type $f) (local $mine (ref null $box))
          (local.set $mine (call $box (i32.const 1)))
          (i32.add (call $open (ref.cast (ref $box) (call $gc (call $box (i32.const 20)))))
            (call $open (local.get $mine))))
        (elem declare func $body)
        (func (export "again") (result i32) (local $mine (ref null $box))
          (local.set $mine (call $box (i32.const 300)))
          (i32.add (resume $k (cont.new $k (ref.func $body))) (call $open (local.get $mine))))
        (func (export "run") (result i32) (local $mine (ref null $box))
          (local.set $mine (call $box (i32.const 4000)))
          (i32.add (resume $k (cont.new $k (ref.func $body))) (call $open (local.get $mine)))))"#
    );
    for engine in zealous() {
        let mut store: Store<()> = Store::new(&engine, ());
        let any = switchback_engine::ValType::Ref(switchback_engine::RefType::new(
            true,
            switchback_engine::HeapType::Any,
        ));
        let ty = FuncType::new([any.clone()], [any]);
        let depth = std::rc::Rc::new(std::cell::Cell::new(0));
        let again: std::rc::Rc<std::cell::Cell<Option<Func>>> = Default::default();
        let entered = again.clone();
        let gc = Func::new(&mut store, ty, move |mut caller, args, results| {
            depth.set(depth.get() + 1);
            if depth.get() % 2 == 1 {
                let mut inner = [Val::I32(0)];
                entered.get().unwrap().call(&mut caller, &[], &mut inner)?;
                assert!(matches!(inner, [Val::I32(321)]));
            }
            caller.gc();
            results[0] = args[0];
            Ok(())
        });
        let instance = instance(&mut store, &engine, &text, &[gc.into()]);
        again.set(instance.get_func(&store, "again"));
        assert_eq!(run(&mut store, &instance), 4021, "{:?}", engine.config());
    }
}

/// A host function that is called on a continuation's stack, but by code that a host function there has entered.
#[test]
fn hosts_enter_again_from_where_no_continuation_of_theirs_runs() {
    let text = format!(
        r#"(module (import "" "enter" (func $enter)) {PRELUDE}
        (type $f (func)) (type $k (cont $f))
        (func $body (type $f) (local $mine (ref null $box))
          (local.set $mine (call $box (i32.const 1)))
          (call $enter)
          (drop (call $open (local.get $mine))))
        (func $leaf (type $f))
        (elem declare func $body $leaf)
        (func (export "plain") (local $mine (ref null $box))
          (local.set $mine (call $box (i32.const 2)))
          (call $enter)
          (resume $k (cont.new $k (ref.func $leaf)))
          (drop (call $open (local.get $mine))))
        (func (export "run") (result i32) (resume $k (cont.new $k (ref.func $body))) (i32.const 5)))"#
    );
    for engine in zealous() {
        let mut store: Store<()> = Store::new(&engine, ());
        let plain: std::rc::Rc<std::cell::Cell<Option<Func>>> = Default::default();
        let (entered, depth) = (plain.clone(), std::cell::Cell::new(0));
        let enter = Func::new(&mut store, FuncType::new([], []), move |caller, _, _| {
            depth.set(depth.get() + 1);
            match depth.get() % 3 {
                0 => Ok(()),
                _ => entered.get().unwrap().call(caller, &[], &mut []),
            }
        });
        let instance = instance(&mut store, &engine, &text, &[enter.into()]);
        plain.set(instance.get_func(&store, "plain"));
        assert_eq!(run(&mut store, &instance), 5, "{:?}", engine.config());
    }
}

/// A host function that is called by its type, without an entry of compiled code, is under an activation of its own.
#[test]
fn a_host_function_that_is_called_directly_may_collect() {
    for engine in zealous() {
        let mut store = Store::new(&engine, ());
        let collects = Func::wrap(&mut store, |mut caller: Caller<'_, ()>| caller.gc());
        let calls = Func::wrap(&mut store, move |mut caller: Caller<'_, ()>| {
            let collects = collects.typed::<(), ()>(&caller).expect("its type");
            collects.call(&mut caller, ()).expect("it returns");
        });
        calls
            .typed::<(), ()>(&store)
            .expect("its type")
            .call(&mut store, ())
            .expect("it returns");
        let text = r#"(module
            (type $f (func (result i32))) (type $k (cont $f))
            (type $box (struct (field i32)))
            (import "h" "calls" (func $calls))
            (elem declare func $body)
            (func $body (result i32) (local $kept (ref $box))
              (local.set $kept (struct.new $box (i32.const 42)))
              (call $calls)
              (struct.get $box 0 (local.get $kept)))
            (func (export "run") (result i32) (resume $k (cont.new $k (ref.func $body)))))"#;
        let imports = [Extern::Func(calls)];
        let instance = instance(&mut store, &engine, text, &imports);
        assert_eq!(run(&mut store, &instance), 42, "{:?}", engine.config());
    }
}
