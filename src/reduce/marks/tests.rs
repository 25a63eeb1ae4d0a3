use super::*;
use crate::engines::{self, Settings};
use crate::generate::{self, Config};
use crate::observe::{Observation, observe};

/// A module whose calls end, with everything that marks know of.
const MODULE: &str = r#"(module
    (type $f (func (param f32) (result i64))) (type $k (cont $f))
    (type $h (func (result i64))) (type $kh (cont $h))
    (type $g (func (param funcref))) (type $kg (cont $g))
    (type $n (func)) (type $kn (cont $n))
    (type $s (struct (field (mut i32))))
    (import "switchback" "call" (func $call (type $g)))
    (tag $t (param v128 anyref) (result f32)) (tag $e (param i32))
    (elem declare func $body $call $throws)
    (func $body (type $f)
        (drop (suspend $t (v128.const i64x2 1 2) (struct.new $s (i32.const 4))))
        (throw $e (i32.const 7)))
    (func $throws (throw $e (i32.const 8)))
    (func (export "one") (result i32)
        (local $k (ref null $k))
        (block $on_t (result v128 anyref (ref null $k))
            (return (i32.wrap_i64 (resume $kh (on $t $on_t)
                (cont.bind $k $kh (f32.const 3) (cont.new $k (ref.func $body)))))))
        (local.set $k) (drop) (drop)
        (block $on_e (result i32)
            (try_table (catch $e $on_e)
                (drop (resume_throw $k $e (i32.const 5) (local.get $k))))
            (return (i32.const 0))))
    (func (export "two")
        (block $all
            (try_table (catch_all $all)
                (resume $kg (ref.func $throws) (cont.new $kg (ref.func $call)))))))"#;

fn shown(wasm: &[u8]) -> Observation {
    let oracle = engines::create("oracle", &Settings::default()).unwrap();
    observe(oracle.as_ref(), wasm)
}

#[test]
fn marks_keep_modules_valid_and_what_they_do() {
    let module = wat::parse_str(MODULE).unwrap();
    let generated = (0..6).map(|seed| generate::generate(seed, &Config::default()).wasm);
    for wasm in generated.chain([module]) {
        let sites = sites(&wasm);
        assert!(sites.len() > 10);
        let marked = mark(&wasm, &sites).unwrap();
        let (before, after) = (shown(&wasm), shown(&marked));
        for (call, with_marks) in before.calls.iter().zip(&after.calls) {
            let ended = |outcome: &crate::observe::Outcome| {
                format!("{outcome}")
                    .split(" (function")
                    .next()
                    .map(str::to_owned)
            };
            assert_eq!(
                ended(&call.outcome),
                ended(&with_marks.outcome),
                "{}",
                call.export
            );
        }
        assert!(
            after.calls.len() >= before.calls.len(),
            "{}",
            after.instantiation
        );
    }
}

/// Sees nothing, and that a provider never has other exports than at first.
struct SameExports(usize);

impl Judge for SameExports {
    fn judge(&mut self, wasm: &[u8]) -> Result<Option<crate::report::Signature>, Lost> {
        let provider = Provider::of(wasm).unwrap().unwrap();
        let exports = Module::read(provider.wasm).unwrap().exports;
        assert_eq!(exports.len(), self.0);
        Ok(None)
    }
}

#[test]
fn a_provider_gets_no_exports_that_nobody_calls() {
    let provider = wat::parse_str(MODULE).unwrap();
    let exports = Module::read(&provider).unwrap().exports.len();
    let all = mark(&provider, &sites(&provider)).unwrap();
    assert!(Module::read(&all).unwrap().exports.len() > exports);
    let file = linked::link(b"\0asm\x01\0\0\0", &provider);
    let marked = marked(&file, &mut SameExports(exports)).unwrap();
    assert!(marked.is_none());
}

/// Sees something in a file whose provider sets a global that it did not have.
struct InProvider;

impl Judge for InProvider {
    fn judge(&mut self, wasm: &[u8]) -> Result<Option<crate::report::Signature>, Lost> {
        let state = shown(wasm).linked.unwrap();
        let marked = state
            .globals
            .iter()
            .any(|global| *global != crate::observe::Value::I64(0));
        let signature = || crate::report::Signature::other("marked", None);
        Ok(marked.then(signature))
    }
}

#[test]
fn marks_are_put_into_the_provider_where_the_main_module_shows_nothing() {
    let provider = wat::parse_str(
        "(module (type $f (func)) (type $k (cont $f)) (func $body) (elem declare func $body)
           (func (export \"f\") (resume $k (cont.new $k (ref.func $body)))))",
    );
    let main = wat::parse_str(
        "(module (import \"linked\" \"f\" (func $f)) (func (export \"run\") (call $f)))",
    );
    let main = main.unwrap();
    let file = linked::link(&main, &provider.unwrap());
    let marked = marked(&file, &mut InProvider).unwrap().unwrap();
    assert_eq!(linked::unlinked(&marked), main);
    let marked = Provider::of(&marked).unwrap().unwrap();
    validate(marked.wasm).unwrap();
    assert!(
        Module::read(marked.wasm)
            .unwrap()
            .exports
            .iter()
            .any(|export| export.name == "f")
    );
    let alone = wat::parse_str("(module (func (export \"run\")))").unwrap();
    let nothing = linked::link(&alone, b"\0asm\x01\0\0\0");
    assert!(super::marked(&nothing, &mut InProvider).unwrap().is_none());
}
