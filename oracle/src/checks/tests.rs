//! The checks find what they are for: each test breaks something on purpose.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::code::Code;
use crate::exec::ops::Op;
use crate::{Config, Engine, Extern, Func, Instance, Module, Store, Val};

fn module(text: &str) -> Module {
    let wasm = wat::parse_str(text).unwrap_or_else(|e| panic!("{e}"));
    let engine = Engine::new(&Config::new()).expect("an engine");
    Module::new(&engine, &wasm).expect("a module")
}

/// A module whose code was changed.
fn broken(text: &str, change: impl FnOnce(&mut Code)) -> Module {
    let mut module = module(text);
    let data = Arc::get_mut(&mut module.data).expect("nobody else has the module");
    change(&mut data.code);
    module
}

fn instance(module: &Module) -> (Store<()>, impl Fn(&Store<()>, &str) -> Func + use<>) {
    let mut store = Store::new(&module.engine, ());
    let instance = Instance::new(&mut store, module, &[]).expect("an instance");
    let func = move |store: &Store<()>, name: &str| match instance.get_export(store, name) {
        Some(Extern::Func(func)) => func,
        other => panic!("{other:?}"),
    };
    (store, func)
}

/// Calls `f`, and returns what a failed check says.
fn failure(module: &Module) -> Option<String> {
    let (mut store, func) = instance(module);
    let f = func(&store, "f");
    failure_of(|| {
        f.call(&mut store, &[], &mut [Val::I32(0)])
            .expect("a return");
    })
}

fn failure_of(run: impl FnOnce()) -> Option<String> {
    let panic = catch_unwind(AssertUnwindSafe(run)).err()?;
    let text = panic.downcast_ref::<String>().cloned();
    Some(text.unwrap_or_else(|| panic.downcast_ref::<&str>().map_or("", |s| s).into()))
}

const CALL: &str = r#"(module
    (func $g (result i32) (i32.const 7))
    (func (export "f") (result i32) (call $g)))"#;

#[test]
fn sound_code_passes() {
    assert_eq!(failure(&module(CALL)), None);
    assert!(
        module(CALL)
            .data
            .code
            .instrs
            .iter()
            .any(|i| i.op == Op::Check)
    );
}

#[test]
fn a_value_that_is_none_of_its_type() {
    let module = broken(CALL, |code| {
        let instrs = Arc::get_mut(&mut code.instrs).expect("the only owner");
        let constant = instrs.iter_mut().find(|i| i.op == Op::Const);
        // An i32 with bits above the lowest 32.
        constant.expect("a constant").b = 1;
    });
    let text = failure(&module).expect("a failed check");
    assert!(text.contains("is no I32"), "{text}");
}

#[test]
fn a_reference_of_another_type() {
    let text = r#"(module
        (type $t (func (result i32)))
        (func $right (type $t) (i32.const 7))
        (func $wrong)
        (elem declare func $right $wrong)
        (func $get (result (ref $t)) (ref.func $right))
        (func (export "f") (result i32) (call_ref $t (call $get))))"#;
    assert_eq!(failure(&module(text)), None);
    let module = broken(text, |code| {
        let instrs = Arc::get_mut(&mut code.instrs).expect("the only owner");
        let func = instrs.iter_mut().find(|i| i.op == Op::RefFunc);
        func.expect("a reference").a = 1;
    });
    let text = failure(&module).expect("a failed check");
    assert!(text.contains("is no Ref"), "{text}");
}

#[test]
fn an_operand_outside_of_the_frame() {
    let module = broken(CALL, |code| {
        let list = code.checks.iter_mut().rev().find(|list| !list.is_empty());
        list.expect("a check")[0].slot = 1 << 20;
    });
    let text = failure(&module).expect("a failed check");
    assert!(text.contains("is not in the frame"), "{text}");
}

/// Two continuations, each suspended in a table of its own.
const SUSPENDED: &str = r#"(module
    (type $f (func)) (type $c (cont $f))
    (tag $t)
    (global $one (mut (ref null $c)) (ref.null $c))
    (global $two (mut (ref null $c)) (ref.null $c))
    (func $body (suspend $t))
    (elem declare func $body)
    (func $start (result (ref $c))
        (block $h (result (ref $c))
            (resume $c (on $t $h) (cont.new $c (ref.func $body)))
            (unreachable)))
    (func (export "prepare")
        (global.set $one (call $start))
        (global.set $two (call $start)))
    (func (export "finish")
        (resume $c (global.get $one))
        (resume $c (global.get $two))))"#;

/// What goes wrong when both continuations are resumed, after something was changed.
fn resumed(change: impl FnOnce(&mut Store<()>)) -> Option<String> {
    let module = module(SUSPENDED);
    let (mut store, func) = instance(&module);
    let (prepare, finish) = (func(&store, "prepare"), func(&store, "finish"));
    prepare
        .call(&mut store, &[], &mut [])
        .expect("two continuations");
    change(&mut store);
    failure_of(|| finish.call(&mut store, &[], &mut []).expect("a return"))
}

fn continuation(store: &mut Store<()>, global: usize) -> &mut crate::heap::Continuation {
    let word = store.machine.globals[global].value[0];
    store
        .machine
        .continuations
        .get_mut(word)
        .expect("a continuation")
}

#[test]
fn a_stack_in_two_continuations() {
    assert_eq!(resumed(|_| {}), None);
    let text = resumed(|store| {
        let one = *continuation(store, 0);
        let two = continuation(store, 1);
        two.innermost = one.innermost;
        two.outermost = one.outermost;
    });
    let text = text.expect("a failed check");
    assert!(text.contains("a stack is in two places"), "{text}");
}

#[test]
fn a_chain_that_is_too_short() {
    let text = resumed(|store| continuation(store, 1).stacks = 2).expect("a failed check");
    assert!(text.contains("ends before its last stack"), "{text}");
}

#[test]
fn a_stack_in_no_continuation() {
    let module = module(SUSPENDED);
    let (mut store, func) = instance(&module);
    let prepare = func(&store, "prepare");
    prepare
        .call(&mut store, &[], &mut [])
        .expect("two continuations");
    store.machine.check_owners();
    let word = store.machine.globals[1].value[0];
    store.machine.continuations.take(word);
    let text = failure_of(|| store.machine.check_owners()).expect("a failed check");
    assert!(text.contains("in no continuation"), "{text}");
}
