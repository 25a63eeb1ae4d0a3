//! What instances begin with (globals, tables, segments), and what hosts see and change of it.

use super::*;

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
