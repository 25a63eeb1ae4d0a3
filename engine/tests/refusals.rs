//! What is valid and beyond the engine is refused wherever it stands, in code that cannot be reached as well.

use switchback_engine::{Config, Engine, Error, Module, Unsupported};

fn refusal(text: &str) -> Unsupported {
    let engine = Engine::new(&Config::new()).expect("the engine can be made");
    let bytes = wat::parse_str(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    match Module::new(&engine, &bytes) {
        Err(Error::Unsupported(unsupported)) => unsupported,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn types_in_bodies_are_refused_as_in_declarations() {
    let (shared, exact) = ("shared-everything threads", "custom descriptors");
    for (feature, body) in [
        (shared, "(drop (ref.null (shared any)))"),
        (shared, "unreachable (drop (ref.null (shared any)))"),
        (shared, "(local (ref null (shared any)))"),
        (shared, "(local i32 i64 (ref null (shared func)))"),
        (
            shared,
            "(drop (block (result (ref null (shared any))) unreachable))",
        ),
        (
            shared,
            "unreachable (drop (block (result (ref null (shared any))) unreachable))",
        ),
        (
            shared,
            "(drop (loop (result (ref null (shared any))) unreachable))",
        ),
        (
            shared,
            "(drop (if (result (ref null (shared any))) (i32.const 0) (then unreachable) (else unreachable)))",
        ),
        (
            shared,
            "(drop (try_table (result (ref null (shared any))) unreachable))",
        ),
        (
            shared,
            "unreachable select (result (ref null (shared any))) drop",
        ),
        (
            shared,
            "unreachable (drop (ref.test (ref (shared any)) (ref.null (shared any))))",
        ),
        (
            exact,
            "(param (ref null $f)) (drop (ref.cast (ref (exact $f)) (local.get 0)))",
        ),
        (
            exact,
            "(param (ref null $f)) (drop (block $l (result (ref null $f))
               (br_on_cast_fail $l (ref null $f) (ref (exact $f)) (local.get 0))))",
        ),
        (exact, "(local (ref null (exact $f)))"),
        (exact, "(drop (ref.null (exact $f)))"),
        (
            exact,
            "(drop (block (result (ref null (exact $f))) unreachable))",
        ),
    ] {
        let unsupported = refusal(&format!(
            "(module (type $f (func)) (func) (func (export \"f\") {body}))"
        ));
        assert_eq!(
            (unsupported.feature, unsupported.function),
            (feature, Some(1)),
            "{body}"
        );
    }
}

#[test]
fn accesses_of_arrays_are_refused_where_they_cannot_be_reached() {
    for body in [
        "unreachable (drop (i32.load (type $a) (unreachable) (i32.const 0)))",
        "unreachable (i32.store (type $a) (unreachable) (i32.const 0) (i32.const 0))",
        "unreachable (drop (v128.load (type $a) (unreachable) (i32.const 0)))",
        "unreachable (drop (v128.load8_lane (type $a) 0 (unreachable) (i32.const 0) (unreachable)))",
    ] {
        let text = format!("(module (type $a (array (mut i8))) (func {body}))");
        assert_eq!(refusal(&text).feature, "multibyte array access", "{body}");
    }
}

#[test]
fn a_body_that_is_refused_must_still_be_valid() {
    let engine = Engine::new(&Config::new()).expect("the engine can be made");
    let text = "(module (func (drop (ref.null (shared any))) (i32.const 0)))";
    let bytes = wat::parse_str(text).expect("the text parses");
    assert!(matches!(
        Module::new(&engine, &bytes),
        Err(Error::Invalid { .. })
    ));
}
