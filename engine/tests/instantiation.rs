//! Instantiation without running code: import matching, initial values, segments, and what hosts see of it all.

use switchback_engine::{
    Config, Engine, Error, Extern, ExternRef, ExternType, Func, FuncType, Global, GlobalType,
    Instance, Limits, Linker, Memory, MemoryType, Module, RefType, Store, Table, TableType, Tag,
    TagType, TrapKind, Val, ValType,
};

thread_local! {
    static ENGINE: Engine = {
        let mut config = Config::new();
        config.limits(Limits { memory_pages: 4, table_elements: 100, ..Limits::default() });
        Engine::new(&config).expect("the engine can be made")
    };
}

fn engine() -> Engine {
    ENGINE.with(Engine::clone)
}

fn module(text: &str) -> Module {
    Module::new(&engine(), &wat::parse_str(text).expect("the text parses"))
        .expect("the module compiles")
}

fn store() -> Store<()> {
    Store::new(&engine(), ())
}

fn host_func(store: &mut Store<()>, ty: FuncType) -> Func {
    Func::new(store, ty, |_, _, _| Ok(()))
}

fn link_error(result: Result<Instance, Error>) -> String {
    match result {
        Err(Error::Link(message)) => message,
        other => panic!("{other:?}"),
    }
}

fn trap(result: Result<Instance, Error>) -> TrapKind {
    match result {
        Err(Error::Trap(trap)) => {
            assert_eq!(trap.location, None);
            trap.kind
        }
        other => panic!("{other:?}"),
    }
}

fn i64_of(val: Val) -> i64 {
    match val {
        Val::I64(value) => value,
        other => panic!("{other:?}"),
    }
}

#[test]
fn globals_start_with_the_values_of_their_expressions() {
    let mut store = store();
    let base = Global::new(
        &mut store,
        GlobalType::new(ValType::I64, false),
        Val::I64(5),
    )
    .unwrap();
    let module = module(
        r#"(module
          (import "" "" (global $base i64))
          (global $a i64 (i64.sub (i64.mul (global.get $base) (i64.const -3)) (i64.const 1)))
          (global $b (mut i64) (i64.add (global.get $a) (i64.const 0x7fffffffffffffff)))
          (global i32 (i32.mul (i32.const 0x10001) (i32.const 0x10001)))
          (global i32 (i32.sub (i32.const 0) (i32.const 1)))
          (global i32 (i32.add (i32.const 0x7fffffff) (i32.const 1)))
          (global f32 (f32.const nan:0x200001))
          (global f64 (f64.const -0))
          (global externref (ref.null extern))
          (global anyref (ref.null i31))
          (global exnref (ref.null noexn)))"#,
    );
    let instance = Instance::new(&mut store, &module, &[base.into()]).unwrap();
    let values: Vec<String> = instance
        .all_globals(&store)
        .iter()
        .map(|global| format!("{:?}", global.get(&store)))
        .collect();
    assert_eq!(
        values,
        [
            "I64(5)",
            "I64(-16)",
            "I64(9223372036854775791)",
            "I32(131073)",
            "I32(-1)",
            "I32(-2147483648)",
            "F32(2141192193)",
            "F64(9223372036854775808)",
            "ExternRef(None)",
            "AnyRef(None)",
            "ExnRef(None)",
        ]
    );
}

#[test]
fn mutable_globals_are_shared_and_the_others_do_not_change() {
    let mut store = store();
    let cell = Global::new(&mut store, GlobalType::new(ValType::I64, true), Val::I64(1)).unwrap();
    let module = module(
        r#"(module (import "" "" (global (mut i64))) (global i64 (i64.const 2))
                   (export "imported" (global 0)) (export "defined" (global 1)))"#,
    );
    let instance = Instance::new(&mut store, &module, &[cell.into()]).unwrap();
    let imported = instance.get_global(&store, "imported").unwrap();
    imported.set(&mut store, Val::I64(7)).unwrap();
    assert_eq!(i64_of(cell.get(&store)), 7);
    assert!(matches!(
        imported.set(&mut store, Val::I32(7)),
        Err(Error::Type(_))
    ));
    let defined = instance.get_global(&store, "defined").unwrap();
    assert!(matches!(
        defined.set(&mut store, Val::I64(7)),
        Err(Error::Type(_))
    ));
    assert_eq!(i64_of(defined.get(&store)), 2);
    assert!(instance.get_func(&store, "defined").is_none());
    assert!(instance.get_export(&store, "nothing").is_none());
}

#[test]
fn tables_hold_functions_by_identity() {
    let mut store = store();
    let host = host_func(&mut store, FuncType::new([], []));
    let module = module(
        r#"(module
          (import "" "" (func $host))
          (func $f) (func $g (param i32))
          (table $t 4 funcref)
          (table $u 2 3 (ref func) (ref.func $g))
          (elem (table $t) (i32.const 1) func $g $host)
          (elem (table $t) (i32.const 3) funcref (ref.null func))
          (elem (table $u) (i32.const 0) (ref func) (ref.func $f))
          (export "f" (func $f)) (export "g" (func $g)) (export "h" (func $host)))"#,
    );
    let instance = Instance::new(&mut store, &module, &[host.into()]).unwrap();
    let addresses: Vec<Vec<Option<u32>>> = instance
        .all_tables(&store)
        .iter()
        .map(|table| {
            let element = |index| match table
                .get(&store, index)
                .expect("the index is below the size")
            {
                Val::FuncRef(func) => func.map(|func| func.address(&store)),
                other => panic!("{other:?}"),
            };
            (0..table.size(&store)).map(element).collect()
        })
        .collect();
    // The host function was allocated first, then the module's two.
    assert_eq!(
        addresses,
        [vec![None, Some(2), Some(0), None], vec![Some(1), Some(2)]]
    );
    let exports: Vec<(&str, u32)> = instance
        .exports(&store)
        .map(|(name, item)| {
            (
                name,
                item.into_func().expect("all are functions").address(&store),
            )
        })
        .collect();
    assert_eq!(exports, [("f", 1), ("g", 2), ("h", 0)]);
    assert_eq!(
        instance
            .get_export(&store, "g")
            .unwrap()
            .ty(&store)
            .to_string(),
        "(func (param i32))"
    );
}

#[test]
fn hosts_change_tables_within_their_types() {
    let mut store = store();
    let module = module(
        r#"(module (type $t (func (param i32))) (type $c (cont $t))
          (table (export "typed") 1 10 (ref null $t)) (table (export "extern") 1 externref) (table (export "cont") 2 (ref null $c)))"#,
    );
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let typed = instance.get_table(&store, "typed").unwrap();
    let fits = host_func(&mut store, FuncType::new([ValType::I32], []));
    let other = host_func(&mut store, FuncType::new([ValType::I64], []));
    typed.set(&mut store, 0, Val::FuncRef(Some(fits))).unwrap();
    assert!(matches!(
        typed.set(&mut store, 0, Val::FuncRef(Some(other))),
        Err(Error::Type(_))
    ));
    assert!(matches!(
        typed.set(&mut store, 0, Val::ExternRef(None)),
        Err(Error::Type(_))
    ));
    assert!(
        matches!(typed.set(&mut store, 1, Val::FuncRef(None)), Err(Error::Trap(trap)) if trap.kind == TrapKind::TableOutOfBounds)
    );
    assert_eq!(
        typed.grow(&mut store, 9, Val::FuncRef(Some(fits))).unwrap(),
        1
    );
    assert!(matches!(
        typed.grow(&mut store, 1, Val::FuncRef(None)),
        Err(Error::Exhausted(_))
    ));
    assert!(typed.get(&store, 10).is_none());
    assert_eq!(typed.ty(&store).minimum(), 10);
    let table = instance.get_table(&store, "extern").unwrap();
    for value in [7, 1 << 40, 7] {
        table
            .set(&mut store, 0, Val::ExternRef(Some(ExternRef::new(value))))
            .unwrap();
        assert!(
            matches!(table.get(&store, 0), Some(Val::ExternRef(Some(reference))) if reference.value() == Some(value))
        );
    }
    let conts = instance.get_table(&store, "cont").unwrap();
    assert!(conts.get(&store, 1).unwrap().is_null());
    conts.set(&mut store, 1, Val::ContRef(None)).unwrap();
    assert!(matches!(
        conts.set(&mut store, 1, Val::FuncRef(None)),
        Err(Error::Type(_))
    ));
}

#[test]
fn segments_run_in_order_and_what_they_wrote_stays() {
    let mut store = store();
    let memory = Memory::new(&mut store, MemoryType::new(1, None)).unwrap();
    let table = Table::new(
        &mut store,
        TableType::new(RefType::FUNCREF, 2, None),
        Val::FuncRef(None),
    )
    .unwrap();
    let imports = r#"(import "" "" (memory 1)) (import "" "" (table 2 funcref)) (func $f)"#;
    let given = [Extern::from(memory), Extern::from(table)];
    let past_the_end = module(&format!(
        r#"(module {imports} (elem (i32.const 1) func $f)
          (data (i32.const 0) "ab") (data (i32.const 65535) "cd") (data (i32.const 4) "ef"))"#
    ));
    assert_eq!(
        trap(Instance::new(&mut store, &past_the_end, &given)),
        TrapKind::MemoryOutOfBounds
    );
    assert_eq!(memory.data(&store)[..6], *b"ab\0\0\0\0");
    assert_eq!(memory.data(&store)[65_535], 0);
    assert!(
        matches!(table.get(&store, 1), Some(Val::FuncRef(Some(func))) if func.address(&store) == 0)
    );
    let element_first = module(&format!(
        r#"(module {imports} (elem (i32.const 2) func $f) (data (i32.const 0) "x"))"#
    ));
    assert_eq!(
        trap(Instance::new(&mut store, &element_first, &given)),
        TrapKind::TableOutOfBounds
    );
    assert_eq!(memory.data(&store)[0], b'a');
    // Nothing at the very end is in bounds; an offset is unsigned.
    let empty = module(&format!(
        r#"(module {imports} (elem (i32.const 2) func) (data (i32.const 65536) ""))"#
    ));
    Instance::new(&mut store, &empty, &given).unwrap();
    let negative = module(&format!(r#"(module {imports} (data (i32.const -1) ""))"#));
    assert_eq!(
        trap(Instance::new(&mut store, &negative, &given)),
        TrapKind::MemoryOutOfBounds
    );
}

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
fn memories_are_read_written_and_grown_within_bounds() {
    let mut store = store();
    let memory = Memory::new(&mut store, MemoryType::new(1, Some(2))).unwrap();
    memory.write(&mut store, 65_534, b"ab").unwrap();
    assert!(memory.write(&mut store, 65_535, b"cd").is_err());
    assert!(memory.write(&mut store, usize::MAX, b"").is_err());
    let mut buffer = [0; 2];
    memory.read(&store, 65_534, &mut buffer).unwrap();
    assert_eq!(buffer, *b"ab");
    assert!(memory.read(&store, 65_535, &mut buffer).is_err());
    assert_eq!(memory.grow(&mut store, 1).unwrap(), 1);
    assert!(matches!(
        memory.grow(&mut store, 1),
        Err(Error::Exhausted(_))
    ));
    assert_eq!(
        (memory.size(&store), memory.data(&store)[65_535]),
        (2, b'b')
    );
    assert!(matches!(
        Memory::new(&mut store, MemoryType::new(2, Some(1))),
        Err(Error::Type(_))
    ));
    assert!(matches!(
        Memory::new(&mut store, MemoryType::new(5, None)),
        Err(Error::Exhausted(_))
    ));
    let large = module("(module (memory 5))");
    assert!(matches!(
        Instance::new(&mut store, &large, &[]),
        Err(Error::Exhausted(_))
    ));
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
