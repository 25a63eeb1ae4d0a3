use super::*;
use wasmparser::{Operator, Parser, Payload, Validator, WasmFeatures};

/// The operators of a module's functions.
fn operators(wasm: &[u8]) -> Vec<Vec<Operator<'_>>> {
    let mut all = Vec::new();
    for payload in Parser::new(0).parse_all(wasm) {
        if let Payload::CodeSectionEntry(body) = payload.unwrap() {
            let reader = body.get_operators_reader().unwrap();
            all.push(reader.into_iter().collect::<Result<_, _>>().unwrap());
        }
    }
    all
}

#[test]
fn modules_are_valid_with_any_mask_and_without_what_it_leaves_out() {
    let everything = WasmFeatures::all();
    let masks = [
        (Features::ALL, everything),
        (
            Features {
                gc: false,
                exceptions: false,
                ..Features::ALL
            },
            {
                let mut features = everything;
                features.remove(
                    WasmFeatures::GC | WasmFeatures::EXCEPTIONS | WasmFeatures::FUNCTION_REFERENCES,
                );
                features
            },
        ),
        (
            Features {
                simd: false,
                memory64: false,
                ..Features::ALL
            },
            {
                let mut features = everything;
                features.remove(
                    WasmFeatures::SIMD | WasmFeatures::RELAXED_SIMD | WasmFeatures::MEMORY64,
                );
                features
            },
        ),
        (Features::NONE, {
            WasmFeatures::WASM2.difference(WasmFeatures::SIMD | WasmFeatures::FLOATS)
                | WasmFeatures::EXTENDED_CONST
        }),
    ];
    for (mask, features) in masks {
        let mut drivers = 0;
        for seed in 0..200 {
            let wasm = generate(seed, mask);
            if let Err(error) = Validator::new_with_features(features).validate_all(&wasm) {
                panic!("seed {seed} with {:?}: {error}", mask.names());
            }
            let text = wasmprinter::print_bytes(&wasm).unwrap();
            drivers += text.matches("(export \"call ").count();
        }
        assert!(drivers > 400, "{drivers} drivers with {:?}", mask.names());
    }
}

#[test]
fn the_same_seed_gives_the_same_module_and_few_bytes_a_small_one() {
    assert_eq!(generate(1, Features::ALL), generate(1, Features::ALL));
    assert_ne!(generate(1, Features::ALL), generate(2, Features::ALL));
    for length in 0..100 {
        let wasm = generate_from_bytes(&vec![7; length], Features::ALL);
        Validator::new_with_features(WasmFeatures::all())
            .validate_all(&wasm)
            .unwrap();
    }
}

#[test]
fn every_nan_is_made_canonical_and_every_loop_burns_fuel() {
    let wasm = wat::parse_str(
        "(module (func (param f64) (result f32) (local i32)
           (loop (br_if 0 (i32.const 0)))
           (f32.demote_f64 (local.get 0)))
         (func (result v128) (f64x2.promote_low_f32x4 (v128.const i32x4 1 2 3 4))))",
    )
    .unwrap();
    let wasm = finish::finish(&wasm, Features::ALL, &mut Unstructured::new(&[])).unwrap();
    Validator::new_with_features(WasmFeatures::all())
        .validate_all(&wasm)
        .unwrap();
    let functions = operators(&wasm);
    let sets = |function: &[Operator<'_>]| {
        let set = function
            .iter()
            .filter(|op| matches!(op, Operator::GlobalSet { global_index: 0 }));
        set.count()
    };
    assert_eq!(sets(&functions[0]), 2, "at the entry and in the loop");
    assert_eq!(sets(&functions[1]), 1);
    let demote = functions[0]
        .iter()
        .position(|op| matches!(op, Operator::F32DemoteF64))
        .unwrap();
    assert!(matches!(
        functions[0][demote + 1],
        Operator::LocalTee { local_index: 2 }
    ));
    assert!(matches!(functions[0][demote + 6], Operator::Select));
    let promote = functions[1]
        .iter()
        .position(|op| matches!(op, Operator::F64x2PromoteLowF32x4))
        .unwrap();
    assert!(matches!(functions[1][promote + 6], Operator::V128Bitselect));
    // A driver for each, twice.
    assert_eq!(functions.len(), 6);
}

#[test]
fn relaxed_instructions_leave_no_choice_where_engines_choose_otherwise() {
    let wasm = wat::parse_str(
        "(module (func (param v128 v128 v128)
           (drop (i16x8.relaxed_dot_i8x16_i7x16_s (local.get 0) (local.get 1)))
           (drop (i32x4.relaxed_dot_i8x16_i7x16_add_s (local.get 0) (local.get 1) (local.get 2)))
           (drop (f32x4.relaxed_madd (local.get 0) (local.get 1) (local.get 2)))
           (drop (f64x2.relaxed_nmadd (local.get 0) (local.get 1) (local.get 2)))))",
    )
    .unwrap();
    let text = |features| {
        let wasm = finish::finish(&wasm, features, &mut Unstructured::new(&[])).unwrap();
        wasmparser::validate(&wasm).unwrap();
        wasmprinter::print_bytes(&wasm).unwrap()
    };
    let with = text(Features::ALL);
    assert!(with.contains("relaxed_madd") && with.contains("relaxed_nmadd"));
    let without = text(Features {
        relaxed_choices: false,
        ..Features::ALL
    });
    assert!(!without.contains("madd"), "{without}");
    assert_eq!(with.matches("v128.and").count(), 0);
    for instructions in [
        "v128.and\n    i16x8.relaxed_dot_i8x16_i7x16_s",
        "v128.and\n    local.get 3\n    i32x4.relaxed_dot_i8x16_i7x16_add_s",
        "f32x4.mul\n    local.get 3\n    f32x4.add",
        "f64x2.mul\n    f64x2.neg\n    local.get 3\n    f64x2.add",
    ] {
        assert!(without.contains(instructions), "{without}");
    }
}
