use super::super::{Generator, Recipe};
use super::*;
use crate::engines::{self, Settings};
use std::collections::BTreeSet;
use wasmparser::{Parser, Payload, Validator, WasmFeatures};

fn features() -> WasmFeatures {
    WasmFeatures::default() | WasmFeatures::STACK_SWITCHING | WasmFeatures::WIDE_ARITHMETIC
}

fn assert_valid(wasm: &[u8], features: WasmFeatures, what: &str) {
    if let Err(error) = Validator::new_with_features(features).validate_all(wasm) {
        let text = wasmprinter::print_bytes(wasm).unwrap_or_default();
        panic!("{what}: {error}\n{text}");
    }
}

fn of_seed(seed: u64, features: Features) -> Plan {
    match Recipe::of_seed(seed, Generator::Single, features) {
        Recipe::Single(plan) => plan,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_instruction_that_engines_accept_is_in_the_table() {
    let names: Vec<String> = Opcode::ALL.iter().map(|o| format!("{o:?}")).collect();
    macro_rules! missing {
        ($(@$proposal:ident $op:ident $({ $($arg:ident: $argty:ty),* })? => $visit:ident ($($ann:tt)*))*) => {{
            let all = [$((stringify!($proposal), stringify!($op)),)*];
            all.into_iter().filter(|(_, op)| !names.iter().any(|name| name == op)).collect::<Vec<_>>()
        }};
    }
    let missing = wasmparser::for_each_operator!(missing);
    // No engine has these.
    let unknown = [
        "memory_control",
        "threads",
        "legacy_exceptions",
        "shared_everything_threads",
        "custom_descriptors",
        "acquire_release_atomics",
    ];
    let missing = missing
        .into_iter()
        .filter(|(proposal, _)| !unknown.contains(proposal));
    let missing: Vec<_> = missing.map(|(_, op)| op).collect();
    assert_eq!(missing, ["Else", "End", "TypedSelectMulti"]);
}

#[test]
fn modules_are_valid_with_every_instruction_and_crossing() {
    for (index, &opcode) in Opcode::ALL.iter().enumerate() {
        for (at, crossing) in [Crossing::None]
            .iter()
            .chain(&Crossing::SWITCHES)
            .enumerate()
        {
            let mut plan = of_seed((index * 16 + at) as u64, Features::default());
            for call in &mut plan.calls {
                call.opcode = opcode;
                call.crossing = *crossing;
            }
            let mut fixed = plan.clone();
            fixed.fix_up(&Features::default());
            assert_eq!(fixed, plan);
            let wasm = Recipe::Single(plan).build().wasm;
            assert_valid(&wasm, features(), &format!("{opcode:?}, {crossing:?}"));
        }
    }
}

/// The names of the operators that the oracle executes.
fn executed(engine: &dyn crate::engines::Engine, wasm: &[u8]) -> BTreeSet<String> {
    let run = crate::observe::run(engine, wasm);
    let instantiation = &run.observation.instantiation;
    assert!(instantiation.is_returned(), "{instantiation}");
    let mut names = BTreeSet::new();
    for payload in Parser::new(0).parse_all(wasm) {
        if let Payload::CodeSectionEntry(body) = payload.unwrap() {
            let reader = body.get_operators_reader().unwrap();
            for operator in reader.into_iter_with_offsets() {
                let (operator, offset) = operator.unwrap();
                if run.executed.binary_search(&(offset as u32)).is_ok() {
                    let text = format!("{operator:?}");
                    let name = text.split([' ', '(']).next();
                    names.extend(name.map(str::to_owned));
                }
            }
        }
    }
    names
}

#[test]
fn every_instruction_is_executed_past_every_switch_that_it_is_tried_with() {
    let settings = Settings {
        trace: true,
        coverage: true,
        ..Settings::default()
    };
    let engine = engines::create("oracle", &settings).unwrap();
    let mut missing = Vec::new();
    let all = Crossing::SWITCHES.len();
    for (index, &opcode) in Opcode::ALL.iter().enumerate() {
        // All ways with all instructions would take too long: each way meets a part of them, and each instruction three ways. One
        // call in a module, so that no other one hides that this does not get so far.
        for at in 0..3 {
            let crossing = Crossing::SWITCHES[(index + at * 3) % all];
            let mut plan = of_seed((index * 3 + at) as u64, Features::default());
            plan.calls.truncate(1);
            plan.calls[0].opcode = opcode;
            plan.calls[0].crossing = crossing;
            let wasm = Recipe::Single(plan).build().wasm;
            if !executed(engine.as_ref(), &wasm).contains(&format!("{opcode:?}")) {
                missing.push((opcode, crossing));
            }
        }
    }
    // An instruction that traps whatever it gets counts as executed.
    assert_eq!(missing, []);
}

#[test]
fn a_feature_mask_keeps_out_what_it_excludes() {
    let without = |names: &[&str]| {
        let each = names.iter().filter_map(|name| Features::named(name));
        each.fold(Features::default(), Features::except)
    };
    let masks = [
        (without(&["floats"]), features() - WasmFeatures::FLOATS),
        (
            without(&["tail_calls"]),
            features() - WasmFeatures::TAIL_CALL,
        ),
        (
            without(&["simd"]),
            features() - WasmFeatures::SIMD - WasmFeatures::RELAXED_SIMD,
        ),
        (
            without(&["relaxed_simd"]),
            features() - WasmFeatures::RELAXED_SIMD,
        ),
        (
            without(&["wide_arithmetic"]),
            features() - WasmFeatures::WIDE_ARITHMETIC,
        ),
        (without(&["memory64"]), features() - WasmFeatures::MEMORY64),
        (
            without(&["multi_memory"]),
            features() - WasmFeatures::MULTI_MEMORY,
        ),
        (
            without(&["stack_switching"]),
            features() - WasmFeatures::STACK_SWITCHING,
        ),
        (
            Features::NONE,
            WasmFeatures::WASM2.difference(WasmFeatures::SIMD | WasmFeatures::FLOATS),
        ),
    ];
    for (mask, features) in masks {
        for seed in 0..60 {
            // What a mutator makes of a plan that had more.
            let mut plan = of_seed(seed, Features::default());
            plan.fix_up(&mask);
            for plan in [plan, of_seed(seed, mask)] {
                let wasm = Recipe::Single(plan).build().wasm;
                assert_valid(&wasm, features, &format!("seed {seed}, {:?}", mask.names()));
            }
        }
    }
}

#[test]
fn a_module_carries_what_it_was_built_from() {
    for seed in 0..50 {
        let recipe = Recipe::of_seed(seed, Generator::Single, Features::default());
        let wasm = recipe.clone().build().wasm;
        assert_eq!(Generator::of_module(&wasm), Some(Generator::Single));
        assert_eq!(Recipe::from_module(&wasm).unwrap(), recipe);
    }
}
