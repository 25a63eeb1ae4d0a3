//! Imports: what matches, what is said of what does not, and how linkers find them.

use super::*;

#[test]
fn imports_must_match() {
    let mut store = store();
    let nullary = host_func(&mut store, FuncType::new([], []));
    let memory = Memory::new(&mut store, MemoryType::new(1, Some(3))).unwrap();
    let global = Global::new(
        &mut store,
        GlobalType::new(ValType::I32, false),
        Val::I32(0),
    )
    .unwrap();
    let table = Table::new(
        &mut store,
        TableType::new(RefType::FUNCREF, 2, Some(4)),
        Val::FuncRef(None),
    )
    .unwrap();
    let tag = Tag::new(
        &mut store,
        TagType::new(FuncType::new([ValType::I32], [ValType::I64])),
    );
    let mut fits = |declaration: &str, given: Extern| {
        let module = module(&format!(r#"(module (import "m" "n" {declaration}))"#));
        Instance::new(&mut store, &module, &[given])
            .map(|_| ())
            .map_err(|error| error.to_string())
    };
    for (declaration, given) in [
        ("(func)", Extern::Func(nullary)),
        ("(memory 1)", memory.into()),
        ("(memory 0 3)", memory.into()),
        ("(global i32)", global.into()),
        ("(table 1 funcref)", table.into()),
        ("(table 2 4 funcref)", table.into()),
        ("(tag (param i32) (result i64))", tag.into()),
    ] {
        assert_eq!(fits(declaration, given), Ok(()), "{declaration}");
    }
    for (declaration, given, message) in [
        (
            "(func (param i32))",
            Extern::Func(nullary),
            "expected (func (param i32)), found (func)",
        ),
        (
            "(func)",
            memory.into(),
            "expected (func), found (memory 1 3)",
        ),
        (
            "(memory 2)",
            memory.into(),
            "expected (memory 2), found (memory 1 3)",
        ),
        (
            "(memory 1 2)",
            memory.into(),
            "expected (memory 1 2), found (memory 1 3)",
        ),
        (
            "(global (mut i32))",
            global.into(),
            "expected (global (mut i32)), found (global i32)",
        ),
        (
            "(global i64)",
            global.into(),
            "expected (global i64), found (global i32)",
        ),
        (
            "(table 3 funcref)",
            table.into(),
            "expected (table 3 (ref null func)), found (table 2 4 (ref null func))",
        ),
        (
            "(table 1 externref)",
            table.into(),
            "expected (table 1 (ref null extern)), found (table 2 4 (ref null func))",
        ),
        (
            "(tag (param i32))",
            tag.into(),
            "expected (tag (func (param i32))), found (tag (func (param i32) (result i64)))",
        ),
    ] {
        let expected = format!(r#"incompatible import type for "m" "n": {message}"#);
        assert_eq!(fits(declaration, given), Err(expected), "{declaration}");
    }
}

#[test]
fn functions_match_by_declared_type_across_modules() {
    let mut store = store();
    let types = "(type $a (sub (func))) (type $b (sub $a (func)))";
    let exporter = module(&format!(
        r#"(module {types} (func (export "a") (type $a)) (func (export "b") (type $b)) (tag (export "t") (type $a)))"#
    ));
    let exporter = Instance::new(&mut store, &exporter, &[]).unwrap();
    let [a, b, t] = ["a", "b", "t"].map(|name| exporter.get_export(&store, name).unwrap());
    let wants = |ty: &str| {
        module(&format!(
            r#"(module (type (func (param i64))) {types} (type $plain (func)) (import "" "" {ty}))"#
        ))
    };
    Instance::new(&mut store, &wants("(func (type $a))"), &[a]).unwrap();
    Instance::new(&mut store, &wants("(func (type $a))"), &[b]).unwrap();
    Instance::new(&mut store, &wants("(func (type $b))"), &[b]).unwrap();
    link_error(Instance::new(&mut store, &wants("(func (type $b))"), &[a]));
    link_error(Instance::new(
        &mut store,
        &wants("(func (type $plain))"),
        &[a],
    ));
    Instance::new(&mut store, &wants("(tag (type $a))"), &[t]).unwrap();
    link_error(Instance::new(&mut store, &wants("(tag (type $b))"), &[t]));
    // A host's function type is a final type of its own.
    let host = host_func(&mut store, FuncType::new([], []));
    Instance::new(&mut store, &wants("(func (type $plain))"), &[host.into()]).unwrap();
    link_error(Instance::new(
        &mut store,
        &wants("(func (type $a))"),
        &[host.into()],
    ));
    // Unless it is made from a declaration.
    let ExternType::Func(declared) = b.ty(&store) else {
        panic!("it is a function")
    };
    let host = host_func(&mut store, declared);
    Instance::new(&mut store, &wants("(func (type $b))"), &[host.into()]).unwrap();
}

#[test]
fn missing_and_superfluous_imports_are_named() {
    let mut store = store();
    let module = module(r#"(module (import "m" "f" (func)) (import "m" "g" (func)))"#);
    let host = host_func(&mut store, FuncType::new([], []));
    let error = link_error(Instance::new(&mut store, &module, &[host.into()]));
    assert!(error.starts_with(r#"unknown import: "m" "g""#), "{error}");
    link_error(Instance::new(&mut store, &module, &[host.into(); 3]));
    Instance::new(&mut store, &module, &[host.into(); 2]).unwrap();
}

#[test]
fn linkers_resolve_imports_by_name() {
    let mut store = store();
    let exporter = Instance::new(
        &mut store,
        &module(r#"(module (func (export "f") (export "g")) (memory (export "m") 1))"#),
        &[],
    )
    .unwrap();
    let mut linker = Linker::new();
    linker.instance(&store, "a", exporter);
    linker.func_new("host", "h", FuncType::new([ValType::I32], []), |_, _, _| {
        Ok(())
    });
    let importer = module(
        r#"(module (import "a" "m" (memory 1)) (import "host" "h" (func (param i32))) (import "a" "g" (func)) (func)
          (export "h" (func 0)) (export "g" (func 1)) (export "own" (func 2)) (export "m" (memory 0)))"#,
    );
    let instance = linker.instantiate(&mut store, &importer).unwrap();
    let address = |name| instance.get_func(&store, name).unwrap().address(&store);
    assert_eq!((address("g"), address("h"), address("own")), (0, 1, 2));
    instance
        .get_memory(&store, "m")
        .unwrap()
        .write(&mut store, 3, b"x")
        .unwrap();
    assert_eq!(
        exporter.get_memory(&store, "m").unwrap().data(&store)[3],
        b'x'
    );
    let error = link_error(linker.instantiate(
        &mut store,
        &module(r#"(module (import "a" "nothing" (func)))"#),
    ));
    assert_eq!(
        error,
        r#"unknown import: "a" "nothing" has not been defined"#
    );
}

#[test]
fn a_failed_import_check_allocates_no_addresses() {
    let mut store = store();
    let importer = module(r#"(module (import "" "" (global i32)) (func) (tag))"#);
    let wrong = host_func(&mut store, FuncType::new([], []));
    link_error(Instance::new(&mut store, &importer, &[wrong.into()]));
    assert_eq!(
        host_func(&mut store, FuncType::new([], [])).address(&store),
        1
    );
    assert_eq!(
        Tag::new(&mut store, TagType::new(FuncType::new([], []))).address(&store),
        0
    );
}

#[test]
#[should_panic(expected = "a global was used with a store that it does not belong to")]
fn handles_belong_to_one_store() {
    let mut store = store();
    let global = Global::new(
        &mut store,
        GlobalType::new(ValType::I32, false),
        Val::I32(0),
    )
    .unwrap();
    global.get(self::store());
}

#[test]
fn modules_stay_with_their_engine() {
    let other = Engine::new(&Config::new()).expect("the engine can be made");
    let message = link_error(Instance::new(
        &mut Store::new(&other, ()),
        &module("(module)"),
        &[],
    ));
    assert!(message.contains("another engine"), "{message}");
}
