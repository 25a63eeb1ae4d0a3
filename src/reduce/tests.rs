use super::*;
use crate::compare::Kind;
use crate::engines;
use crate::generate::{self, Config};
use crate::linked;
use crate::observe::{Call, Outcome, Value, observe};
use std::collections::BTreeSet;
use wasmparser::{Parser, Payload};

/// A judge by what is in a module: an instruction of this name.
struct Has(&'static str);

impl Judge for Has {
    fn judge(&mut self, wasm: &[u8]) -> Result<Option<Signature>, Lost> {
        Ok(operators(wasm).contains(self.0).then(signature))
    }
}

fn signature() -> Signature {
    Signature {
        kind: Kind::other("test"),
        engines: Vec::new(),
        at: None,
    }
}

/// The names of the instructions of a module.
fn operators(wasm: &[u8]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for payload in Parser::new(0).parse_all(wasm) {
        if let Payload::CodeSectionEntry(body) = payload.unwrap() {
            for operator in body.get_operators_reader().unwrap() {
                let text = format!("{:?}", operator.unwrap());
                names.insert(text.split([' ', '(']).next().unwrap().to_owned());
            }
        }
    }
    names
}

/// Ends after so many steps.
struct Until(u64);

impl Progress for Until {
    fn step(&mut self, judged: u64, _: Measure) -> bool {
        judged < self.0
    }
}

fn reduced(wasm: &[u8], judge: &mut dyn Judge) -> Reduced {
    reduce(wasm, judge, &mut Until(u64::MAX)).unwrap()
}

#[test]
fn a_generated_module_becomes_what_it_is_kept_for() {
    for seed in [1, 2] {
        let wasm = generate::generate(seed, &Config::default()).wasm;
        for name in ["ContBind", "Switch", "ResumeThrow"] {
            if !operators(&wasm).contains(name) {
                continue;
            }
            let result = reduced(&wasm, &mut Has(name));
            module::validate(&result.wasm).unwrap();
            assert!(result.finished && operators(&result.wasm).contains(name));
            assert!(result.after <= result.before);
            assert!(result.wasm.len() <= wasm.len());
            // The instruction, its operands, and what makes of its results what the function returns.
            assert!(
                result.after.instructions <= 8,
                "{name}: {}",
                wasmprinter::print_bytes(&result.wasm).unwrap()
            );
            assert_eq!(reduced(&wasm, &mut Has(name)).wasm, result.wasm);
        }
    }
}

/// One function with an instruction of each proposal, in dead ends, loops and handlers.
const EVERYTHING: &str = r#"(module
    (rec (type $f (func (param i32) (result i64))) (type $k (cont $f)))
    (type $s (struct (field (mut i32)) (field v128)))
    (type $a (array (mut i8)))
    (import "host" "log" (func $log (param i32)))
    (tag $e (param i32)) (tag $y (param i32) (result i32)) (tag $unused)
    (memory $m i64 1) (memory $n 1) (table $t 3 funcref) (table $u 1 externref)
    (global $g (mut (ref null $s)) (ref.null $s)) (global $h (mut i32) (i32.const 7))
    (data $d "abcdef") (data (memory $n) (i32.const 3) "x")
    (elem $l func $body $log) (elem (table $t) (i32.const 1) func $body) (elem declare func $body)
    (func $body (type $f) (i64.extend_i32_s (suspend $y (local.get 0))))
    (func (export "run") (result i64) (local $x i32) (local $unused f64) (local $v v128)
      (block $all
        (call $log (block $caught (result i32)
          (block $handler (result i32 (ref null $k))
            (try_table (result i64) (catch $e $caught) (catch_all $all)
              (resume $k (on $y $handler) (i32.const 5) (cont.new $k (ref.func $body))))
            (return))
          (drop) (local.set $x) (local.get $x))))
      (global.set $g (struct.new $s (i32.const 1) (v128.const i32x4 1 2 3 4)))
      (local.set $v (i32x4.add (struct.get $s 1 (global.get $g)) (local.get $v)))
      (drop (array.new_data $a $d (i32.const 1) (i32.const 2)))
      (i64.store $m (i64.const 8) (i64.load $n (i32.const 16)))
      (memory.init $n $d (i32.const 0) (i32.const 1) (i32.const 1))
      (table.init $t $l (i32.const 0) (i32.const 0) (i32.const 1))
      (loop $again
        (local.set $x (i32.sub (local.get $x) (i32.const 1)))
        (br_if $again (i32.gt_s (local.get $x) (i32.const 0)))
        (if (local.get $x) (then (nop)) (else (br_table 0 1 $again (i32.const 1)))))
      (drop (block (result (ref null $s)) (br_on_cast 0 (ref null $s) (ref null $s) (global.get $g))))
      (if (result i64) (ref.test (ref i31) (ref.i31 (global.get $h)))
        (then (call_indirect $t (type $f) (i32.const 3) (i32.const 1)))
        (else (throw $e (i32.const 1)))))
    (func (export "unused") (param i32) (call $log (local.get 0)))
    (start $start) (func $start))"#;

#[test]
fn every_proposal_is_understood() {
    let wasm = wat::parse_str(EVERYTHING).unwrap();
    let all = operators(&wasm);
    for name in [
        "Suspend",
        "Resume",
        "ContNew",
        "TryTable",
        "Throw",
        "StructNew",
        "StructGet",
        "I32x4Add",
        "ArrayNewData",
        "I64Store",
        "MemoryInit",
        "TableInit",
        "Loop",
        "BrTable",
        "BrOnCast",
        "CallIndirect",
        "RefTestNonNull",
    ] {
        assert!(all.contains(name), "{name} is not in {all:?}");
        let result = reduced(&wasm, &mut Has(name));
        module::validate(&result.wasm).unwrap();
        assert!(operators(&result.wasm).contains(name));
        assert!(
            result.finished && result.after.instructions <= 8 && result.wasm.len() < wasm.len() / 2,
            "{name}: {}",
            wasmprinter::print_bytes(&result.wasm).unwrap()
        );
    }
}

#[test]
fn what_nothing_refers_to_goes_and_the_rest_gets_new_indices() {
    let wasm = wat::parse_str(EVERYTHING).unwrap();
    let result = reduced(&wasm, &mut Has("MemoryInit"));
    let text = wasmprinter::print_bytes(&result.wasm).unwrap();
    for gone in [
        "(import", "(table", "(global", "(tag", "(elem", "(export", "(start", "cont", "struct",
    ] {
        assert!(!text.contains(gone), "{gone}: {text}");
    }
    assert_eq!(
        (
            text.matches("(memory").count(),
            text.matches("(data").count()
        ),
        (1, 1),
        "{text}"
    );
}

#[test]
fn what_is_called_once_moves_there_and_types_lose_what_is_not_needed() {
    let wasm = wat::parse_str(
        r#"(module
            (type $base (sub (struct (field i32) (field i64))))
            (type $more (sub $base (struct (field i32) (field i64) (field f32))))
            (type $a (array i32))
            (tag (import "host" "t") (param i32)) (memory (import "host" "m") 1)
            (func $make (param i64) (result (ref $more))
              (struct.new $more (i32.const 6) (local.get 0) (f32.const 3)))
            (func (export "run") (result i32)
              (i32.store (i32.const 8) (i32.const 1))
              (if (i32.const 0) (then (throw 0 (i32.const 1))))
              (drop (array.new_fixed $a 3
                (i32.add (i32.const 1) (i32.const 2)) (i32.const 4) (i32.const 5)))
              (i32.add (i32.load (i32.const 8)) (struct.get $more 0 (call $make (i64.const 9))))))"#,
    )
    .unwrap();
    let of = |name, value| {
        let result = reduced(&wasm, &mut Returns(name, value));
        assert!(result.finished);
        wasmprinter::print_bytes(&result.wasm).unwrap()
    };
    let field = of("StructGet", 7);
    assert_eq!(
        field.matches("(func ").count(),
        3,
        "a type, an export and a function: {field}"
    );
    for gone in ["call", "sub", "i64", "f32", "import", "local"] {
        assert!(!field.contains(gone), "{gone}: {field}");
    }
    assert!(of("ArrayNewFixed", 7).contains("array.new_fixed 0 0"));
    let thrown = of("Throw", 7);
    assert!(
        thrown.contains("(tag") && !thrown.contains("import"),
        "{thrown}"
    );
}

/// Many steps lead to no judgement, because what they would take out is needed; they take time as well.
#[test]
fn a_reduction_can_be_stopped_between_judgements() {
    struct Asked(u64);
    impl Progress for Asked {
        fn step(&mut self, _: u64, _: Measure) -> bool {
            self.0 -= 1;
            self.0 > 0
        }
    }
    let needed: String = (0..300).map(|f| format!("(func $f{f}) ")).collect();
    let listed: String = (0..300).map(|f| format!("$f{f} ")).collect();
    let text = format!(
        "(module (table funcref (elem {listed})) {needed}
            (func (export \"run\") (result i32) (i32.const 7)))"
    );
    let wasm = wat::parse_str(text).unwrap();
    let mut judge = Returns("I32Const", 7);
    let result = reduce(&wasm, &mut judge, &mut Asked(400)).unwrap();
    assert!(!result.finished && result.judged < 100, "{}", result.judged);
}

#[test]
fn what_does_nothing_at_the_end_goes_and_unused_parameters_with_their_operands() {
    let of = |text: &str| {
        let result = reduced(&wat::parse_str(text).unwrap(), &mut Returns("I32Popcnt", 3));
        wasmprinter::print_bytes(&result.wasm).unwrap()
    };
    let returns = of("(module (func (export \"run\") (result i32)
        (return (i32.popcnt (i32.const 7)))))");
    assert!(!returns.contains("return"), "{returns}");
    let inlined = of("(module (func $f (param i64 f32) (result i32)
          (return (i32.popcnt (i32.const 7))))
        (func (export \"run\") (result i32)
          (call $f (i64.load (i32.const 8)) (f32.const 1)))
        (memory 1))");
    for gone in ["call", "i64", "f32", "block", "return"] {
        assert!(!inlined.contains(gone), "{gone}: {inlined}");
    }
}

#[test]
fn a_reduction_that_is_stopped_has_a_result() {
    let wasm = wat::parse_str(EVERYTHING).unwrap();
    let result = reduce(&wasm, &mut Has("Throw"), &mut Until(10)).unwrap();
    assert!(!result.finished && result.judged == 10);
    module::validate(&result.wasm).unwrap();
    assert!(operators(&result.wasm).contains("Throw"));
    assert!(result.after <= result.before);
}

#[test]
fn there_must_be_something_to_reduce_and_somebody_to_judge() {
    let wasm = wat::parse_str("(module (func))").unwrap();
    let error = |wasm: &[u8], judge: &mut dyn Judge| {
        reduce(wasm, judge, &mut Until(9)).unwrap_err().to_string()
    };
    assert!(error(&wasm, &mut Has("Throw")).contains("nothing to reduce"));
    assert!(error(b"\0asm\x01\0\0\0\x7f", &mut Has("Throw")).contains("not valid"));
    struct Nobody;
    impl Judge for Nobody {
        fn judge(&mut self, _: &[u8]) -> Result<Option<Signature>, Lost> {
            Err(Lost("gone".to_owned()))
        }
    }
    assert_eq!(error(&wasm, &mut Nobody), "gone");
}

/// Sees a difference only as long as a second one is not there: a reduction must not slip from one bug to another.
#[test]
fn another_signature_is_not_the_same() {
    struct Slips;
    impl Judge for Slips {
        fn judge(&mut self, wasm: &[u8]) -> Result<Option<Signature>, Lost> {
            let operators = operators(wasm);
            let other = !operators.contains("I32x4Add");
            Ok(operators.contains("StructNew").then(|| Signature {
                at: other.then(|| "other".to_owned()),
                ..signature()
            }))
        }
    }
    let wasm = wat::parse_str(EVERYTHING).unwrap();
    let result = reduced(&wasm, &mut Slips);
    assert!(operators(&result.wasm).contains("I32x4Add"));
    assert_eq!(result.signature, signature());
}

/// A judge of linked modules: an instruction of this name in one of them, and a call that returns so much on the reference.
struct Returns(&'static str, i32);

impl Judge for Returns {
    fn judge(&mut self, wasm: &[u8]) -> Result<Option<Signature>, Lost> {
        let has = linked::modules(wasm).any(|module| operators(&module).contains(self.0));
        let oracle = engines::create("oracle", &engines::Settings::default()).unwrap();
        let calls = observe(oracle.as_ref(), wasm).calls;
        let values = vec![Value::I32(self.1)];
        let returns = |call: &Call| {
            call.outcome
                == Outcome::Returned {
                    values: values.clone(),
                }
        };
        Ok((has && calls.iter().any(returns)).then_some(signature()))
    }
}

#[test]
fn a_provider_is_reduced_and_stays_only_if_it_is_needed() {
    let provider = "(module (memory (export \"m\") 1) (global (export \"g\") (mut i32) (i32.const 3)) (tag (export \"t\"))
        (func (export \"f\") (result i32) (drop (i32.const 8)) (i32.add (i32.const 1) (i32.const 2)))
        (func (export \"more\") nop))";
    let main = "(module (import \"linked\" \"f\" (func $f (result i32))) (import \"linked\" \"m\" (memory 1))
        (import \"linked\" \"more\" (func $more)) (import \"linked\" \"t\" (tag))
        (func (export \"run\") (result i32) (call $more) (nop) (call $f)))";
    let whole = wat::parse_str(provider).unwrap();
    let file = linked::link(&wat::parse_str(main).unwrap(), &whole);
    let result = reduced(&file, &mut Returns("I32Add", 3));
    let provider = linked::Provider::of(&result.wasm).unwrap().unwrap();
    let (provider, main) = (provider.wasm, linked::unlinked(&result.wasm));
    for module in [provider, &main] {
        module::validate(module).unwrap();
        let interface = engines::Interface::read(module).unwrap();
        assert_eq!((interface.exports.len(), interface.memories.len()), (1, 0));
    }
    // `call`, and what it calls.
    assert_eq!(result.after.instructions, 4);
    assert!(result.finished && result.before.instructions == 9);

    // What the host would give as well is not needed.
    let main =
        "(module (import \"linked\" \"t\" (tag $t)) (import \"linked\" \"g\" (global $g (mut i32)))
        (func (export \"run\") (result i32) (global.set $g (i32.const 5)) (global.get $g)))";
    let file = linked::link(&wat::parse_str(main).unwrap(), &whole);
    assert!(reduced(&file, &mut Returns("I32Const", 5)).wasm.len() < file.len());
}
