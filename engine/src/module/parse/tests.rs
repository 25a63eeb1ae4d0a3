use super::*;

fn unsupported(text: &str) -> Option<&'static str> {
    let bytes = wat::parse_str(text).expect("the text parses");
    let parsed = parse(&bytes).expect("the module is valid");
    let unsupported = parsed.unsupported?;
    assert_eq!(unsupported.function, None);
    assert!(
        (8..bytes.len()).contains(&(unsupported.offset as usize)),
        "{unsupported} in {} bytes",
        bytes.len()
    );
    Some(unsupported.feature)
}

#[test]
fn what_the_engine_lacks_is_named() {
    for (feature, text) in [
        ("threads", "(module (memory 1 1 shared))"),
        (
            "shared-everything threads",
            "(module (type (shared (func))))",
        ),
        (
            "shared-everything threads",
            "(module (global (shared i32) (i32.const 0)))",
        ),
        (
            "custom descriptors",
            "(module (type $f (func)) (import \"\" \"\" (func (exact (type $f)))))",
        ),
    ] {
        assert_eq!(unsupported(text), Some(feature), "{text}");
    }
}

#[test]
fn types_of_other_proposals_are_no_obstacle() {
    for text in [
        "(module (type (struct (field (mut i8)))) (type (array (ref null 0))))",
        "(module (type (struct (field v128))))",
        "(module (global i31ref (ref.i31 (i32.const 1))))",
        "(module (type $s (struct)) (table 1 (ref null $s) (struct.new $s)))",
        "(module (global externref (extern.convert_any (ref.null any))))",
        "(module (global anyref (ref.null none)) (table 1 eqref) (func (param structref i31ref)))",
        "(module (memory 1) (memory 2 3) (memory 0))",
        "(module (import \"\" \"g\" (global i32)) (global i32 (i32.add (global.get 0) (i32.const 1))))",
        "(module (type $f (func)) (type $c (cont $f)) (tag (result i32)) (table 1 (ref null $c)))",
        "(module (type (func (param v128))) (import \"\" \"\" (func (result v128))) (global v128 (v128.const i64x2 0 0)))",
        "(module (import \"\" \"\" (memory i64 1)) (memory i64 1) (table i64 1 funcref))",
        "(module (memory 1 (pagesize 1)))",
    ] {
        assert_eq!(unsupported(text), None, "{text}");
    }
}

#[test]
fn the_first_obstacle_is_reported() {
    assert_eq!(
        unsupported("(module (type (shared (func))) (memory 1 1 shared))"),
        Some("shared-everything threads")
    );
}

#[test]
fn invalid_modules_are_refused_with_their_offset() {
    let bytes = wat::parse_str("(module (export \"f\" (func 0)))").unwrap();
    match parse(&bytes).map(|_| ()) {
        Err(Error::Invalid { message, offset }) => {
            assert!(message.contains("unknown function 0"), "{message}");
            assert!((8..bytes.len()).contains(&offset));
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(
        parse(b"\0asm\x01").map(|_| ()),
        Err(Error::Invalid { .. })
    ));
    assert!(matches!(
        parse(&wat::parse_str("(component)").unwrap()).map(|_| ()),
        Err(Error::Invalid { .. })
    ));
    // An unknown section is malformed.
    assert!(matches!(
        parse(b"\0asm\x01\0\0\0\x7e\0").map(|_| ()),
        Err(Error::Invalid { .. })
    ));
}

#[test]
fn index_spaces_start_with_imports() {
    let bytes = wat::parse_str(
        "(module
          (import \"m\" \"f\" (func (param i32)))
          (import \"m\" \"g\" (global (mut i64)))
          (import \"m\" \"t\" (tag (param f32)))
          (func) (func (param i32)) (func (result f64) (f64.const 0)) (func)
          (global i32 (i32.const 7))
          (global (ref func) (ref.func 2))
          (tag)
          (table 4 funcref)
          (memory 1)
          (export \"a\" (func 1)) (export \"g\" (global 1))
          (elem (i32.const 0) func 3)
          (start 4)
          (data (i32.const 8) \"abc\"))",
    )
    .unwrap();
    let Parsed {
        info,
        bodies,
        unsupported,
    } = parse(&bytes).unwrap();
    assert!(unsupported.is_none());
    assert_eq!(bodies.len(), 4);
    assert_eq!(info.functions.len(), 5);
    assert_eq!(info.functions[0], info.functions[2]);
    assert_eq!(
        (
            info.num_imported_funcs,
            info.num_imported_globals,
            info.num_imported_tags
        ),
        (1, 1, 1)
    );
    assert_eq!(
        (
            info.globals.len(),
            info.tags.len(),
            info.memories.len(),
            info.tables.len()
        ),
        (3, 2, 1, 1)
    );
    assert!(info.globals[0].init.is_none());
    assert_eq!(
        info.globals[1].init.as_ref().unwrap().0,
        [ConstOp::I32Const(7)]
    );
    assert_eq!(info.start, Some(4));
    assert_eq!(info.escaping, [false, true, true, true, true]);
    assert_eq!(info.data[0].bytes[..], *b"abc");
    assert_eq!(info.counts.defined_funcs, 4);
    let exports: Vec<_> = info
        .export_types()
        .map(|export| (export.name(), export.ty().to_string()))
        .collect();
    assert_eq!(
        exports,
        [("a", "(func)".to_owned()), ("g", "(global i32)".to_owned())]
    );
    let imports: Vec<_> = info
        .import_types()
        .map(|import| import.ty().to_string())
        .collect();
    assert_eq!(
        imports,
        [
            "(func (param i32))",
            "(global (mut i64))",
            "(tag (func (param f32)))"
        ]
    );
}
