//! Properties of all mutations: valid, bounded, repeatable, and mostly different from what went in.

use super::*;
use crate::generate::{Config, Features, Module, PLAN_SECTION, generate};
use std::collections::BTreeSet;
use wasmparser::{Operator, Parser, Payload, Validator, WasmFeatures};

/// Seeds of the modules that are mutated.
const SEEDS: u64 = 20;
/// Mutations of each kind, over all seeds.
const MUTATIONS: u64 = 1000;
const MAX_SIZE: usize = 1 << 14;

fn mutator() -> Mutator {
    Mutator::new(Features::default())
}

fn modules() -> Vec<Module> {
    let config = Config::default();
    (0..SEEDS).map(|seed| generate(seed, &config)).collect()
}

fn features() -> WasmFeatures {
    WasmFeatures::default() | WasmFeatures::STACK_SWITCHING | WasmFeatures::WIDE_ARITHMETIC
}

fn assert_valid(wasm: &[u8], what: &str) {
    let features = features();
    if let Err(error) = Validator::new_with_features(features).validate_all(wasm) {
        let text = wasmprinter::print_bytes(wasm).unwrap_or_default();
        panic!("{what}: {error}\n{text}");
    }
}

/// The sections that run.
fn code(wasm: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload.unwrap();
        if let (Some((id, range)), false) = (
            payload.as_section(),
            matches!(payload, Payload::CustomSection(_)),
        ) {
            bytes.push(id);
            bytes.extend(&wasm[range.start as usize..range.end as usize]);
        }
    }
    bytes
}

/// Demands of a mutation what all of them promise; returns the share of those that were found and of those that run otherwise.
fn check(what: &str, mutate: impl Fn(&[u8], u64, usize) -> Option<Vec<u8>>) -> (f64, f64) {
    let (mut found, mut other) = (0u64, 0u64);
    let modules = modules();
    for seed in 0..MUTATIONS {
        let input = &modules[(seed % SEEDS) as usize].wasm;
        // A tight bound now and then, since it is met seldom by chance.
        let max_size = if seed % 8 == 7 { input.len() } else { MAX_SIZE };
        let Some(output) = mutate(input, seed, max_size) else {
            continue;
        };
        let case = format!("{what}, seed {seed}");
        assert_valid(&output, &case);
        assert!(output.len() <= max_size, "{case}: {} bytes", output.len());
        if seed % 10 == 0 {
            assert_eq!(
                mutate(input, seed, max_size).as_ref(),
                Some(&output),
                "{case}"
            );
        }
        found += 1;
        other += u64::from(code(&output) != code(input));
    }
    let share = |part: u64| part as f64 / MUTATIONS as f64;
    (share(found), share(other))
}

#[test]
fn every_step_on_a_plan_makes_a_valid_module_that_is_another() {
    for kind in PlanKind::ALL {
        let (found, other) = check(&format!("{kind:?}"), |input, seed, max_size| {
            mutator().mutate_plan_by(kind, input, seed, max_size)
        });
        assert!(found > 0.85 && other > 0.5, "{kind:?}: {found}, {other}");
    }
}

#[test]
fn every_step_on_a_module_makes_a_valid_module_that_is_another() {
    for kind in ModuleKind::ALL {
        let (found, other) = check(&format!("{kind:?}"), |input, seed, max_size| {
            mutator().mutate_module_by(kind, input, seed, max_size)
        });
        assert!(found > 0.6 && other == found, "{kind:?}: {found}, {other}");
    }
}

#[test]
fn mutations_and_crossings_are_valid_modules_that_keep_their_plan_mostly() {
    let modules = modules();
    let (found, other) = check("mutate", |input, seed, max_size| {
        mutator().mutate(input, seed, max_size)
    });
    assert!(found > 0.9 && other > 0.8, "mutate: {found}, {other}");
    let (found, other) = check("cross_over", |input, seed, max_size| {
        let right = &modules[(seed % 7) as usize].wasm;
        mutator().cross_over(input, right, seed, max_size)
    });
    assert!(found > 0.9 && other > 0.8, "cross_over: {found}, {other}");
    let with_plan = (0..100).filter(|&seed| {
        let output = mutator().mutate(&modules[3].wasm, seed, MAX_SIZE);
        output.is_some_and(|wasm| read(&wasm).is_some())
    });
    let with_plan = with_plan.count();
    assert!((85..100).contains(&with_plan), "{with_plan}");
}

#[test]
fn mutations_go_on_from_one_another() {
    // What goes wrong only far from what the generator draws shows here.
    for start in 0..4 {
        let mut wasm = generate(start, &Config::default()).wasm;
        for step in 0..60 {
            if let Some(next) = mutator().plans_only().mutate(&wasm, step, MAX_SIZE) {
                assert_valid(&next, &format!("start {start}, step {step}"));
                assert!(read(&next).is_some());
                wasm = next;
            }
        }
    }
}

#[test]
fn what_has_no_plan_is_mutated_as_a_module_and_what_is_none_is_replaced() {
    let wasm = wat::parse_str(
        r#"(module (type $f (func (param i32))) (type $k (cont $f))
             (tag $a) (tag $b) (func $g (type $f) (drop (i32.add (local.get 0) (i32.const 1))) (suspend $a))
             (func (export "run") (block $l (result (ref $k0))
               (resume $k (on $a $l) (i32.const 7) (cont.new $k (ref.func $g))) (return)) (drop))
             (type $f0 (func)) (type $k0 (cont $f0)) (elem declare func $g))"#,
    );
    let wasm = wasm.unwrap();
    let results: BTreeSet<_> = (0..100)
        .filter_map(|seed| mutator().mutate(&wasm, seed, MAX_SIZE))
        .inspect(|output| assert_valid(output, "a module without a plan"))
        .collect();
    assert!(results.len() > 15, "{}", results.len());
    assert!(!results.contains(&wasm));
    assert_eq!(mutator().plans_only().mutate(&wasm, 1, MAX_SIZE), None);
    let crossed = mutator().cross_over(&wasm, &results.first().unwrap().clone(), 3, MAX_SIZE);
    assert_valid(&crossed.unwrap(), "a crossing of modules without a plan");

    for bytes in [&b""[..], b"\0as", b"some bytes"] {
        let fresh = mutator().mutate(bytes, 5, MAX_SIZE).unwrap();
        assert_valid(&fresh, "a fresh case");
        assert!(read(&fresh).is_some());
        assert_eq!(mutator().mutate(bytes, 5, 10), None);
    }
}

#[test]
fn a_mask_of_features_holds_for_mutations_of_plans_that_had_more() {
    let mask = Features {
        simd: false,
        floats: false,
        tail_calls: false,
        ..Features::default()
    };
    let mutator = Mutator::new(mask).plans_only();
    for module in modules() {
        for seed in 0..5 {
            let Some(wasm) = mutator.mutate(&module.wasm, seed, MAX_SIZE) else {
                continue;
            };
            let left_out = WasmFeatures::SIMD
                | WasmFeatures::RELAXED_SIMD
                | WasmFeatures::TAIL_CALL
                | WasmFeatures::FLOATS;
            let features = features() - left_out;
            if let Err(error) = Validator::new_with_features(features).validate_all(&wasm) {
                panic!("{error}");
            }
        }
    }
}

/// The same operators, as far as they are on floats.
fn on_floats(wasm: &[u8]) -> Vec<String> {
    let mut operators = Vec::new();
    for payload in Parser::new(0).parse_all(wasm) {
        if let Payload::CodeSectionEntry(body) = payload.unwrap() {
            for operator in body.get_operators_reader().unwrap() {
                let name = match operator.unwrap() {
                    Operator::F32Const { .. } | Operator::F64Const { .. } => continue,
                    operator => format!("{operator:?}"),
                };
                if name.starts_with("F32") || name.starts_with("F64") {
                    operators.push(name);
                }
            }
        }
    }
    operators
}

#[test]
fn nothing_comes_between_a_float_and_its_canonical_nan() {
    let modules = modules();
    let mut seen = 0;
    for seed in 0..200 {
        let input = &modules[(seed % SEEDS) as usize].wasm;
        for kind in ModuleKind::ALL {
            if let Some(output) = mutator().mutate_module_by(kind, input, seed, MAX_SIZE) {
                assert_eq!(
                    on_floats(&output),
                    on_floats(input),
                    "{kind:?}, seed {seed}"
                );
                seen += on_floats(input).len();
            }
        }
    }
    assert!(seen > 1000, "{seen}");
}

#[test]
fn every_type_of_a_plan_is_reached_by_its_name() {
    let mut names = BTreeSet::new();
    for module in modules() {
        let tree = read(&module.wasm).unwrap().tree;
        tree.visit(tree::Place::ROOT, &mut |_, node| names.extend(node.name()));
    }
    for name in [
        "Action",
        "Clause",
        "Driver",
        "Family",
        "Leaf",
        "Script",
        "Splice",
        "Tag",
        "Task",
        "ValueType",
    ] {
        assert!(names.contains(name), "{name}");
    }
    assert!(Parser::new(0).parse_all(&modules()[0].wasm).any(
        |payload| matches!(payload, Ok(Payload::CustomSection(section)) if section.name() == PLAN_SECTION)
    ));
}

#[test]
fn a_tree_grows_back_to_the_plan_that_it_is_of() {
    for module in modules() {
        let recipe = Recipe::from_module(&module.wasm).unwrap();
        let tree = plan::tree(&recipe).unwrap();
        let random = &mut Random::new(0);
        let again = plan::recipe(Generator::Woven, tree, Features::ALL, random).unwrap();
        assert_eq!(again, recipe);
    }
}

#[test]
fn recipes_of_every_generator_are_mutated_and_crossed_with_their_own_kind() {
    let of = |generator, seed| {
        let recipe = Recipe::of_seed(seed, generator, Features::default());
        recipe.build().wasm
    };
    for &generator in Generator::ALL {
        let mutator = mutator().plans_only();
        let mut wasm = of(generator, 1);
        let mut changed = 0;
        for seed in 0..60 {
            let other = Generator::ALL[seed as usize % Generator::ALL.len()];
            let mutant = match seed % 3 {
                0 => mutator.cross_over(&wasm, &of(other, seed), seed, MAX_SIZE),
                _ => mutator.mutate(&wasm, seed, MAX_SIZE),
            };
            let Some(mutant) = mutant else {
                continue;
            };
            assert_valid(&mutant, &format!("{generator}, seed {seed}"));
            assert_eq!(Generator::of_module(&mutant), Some(generator));
            let recipe = Recipe::from_module(&mutant).unwrap();
            let again = recipe.build().linked(link::seed(&mutant));
            assert_eq!(again.wasm, mutant);
            changed += 1;
            wasm = mutant;
        }
        assert!(changed > 50, "{generator}: {changed}");
    }
}

/// A seed whose plan is of another version would be mutated as if it had none, and most such mutants soon never end.
#[test]
fn the_plans_of_the_corpus_can_be_read() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus/seeds");
    let mut seeds = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let seed = std::fs::read(&path).unwrap();
        assert!(read(&seed).is_some(), "{}", path.display());
        seeds += 1;
    }
    assert!(seeds > 10, "{seeds} seeds");
}

#[test]
fn a_module_keeps_its_provider_through_mutations() {
    let provider = wat::parse_str("(module (global (export \"g\") i32 (i32.const 7)))").unwrap();
    let main = wat::parse_str(
        "(module (import \"linked\" \"g\" (global i32))
           (func (export \"run\") (result i32) (i32.add (global.get 0) (i32.const 1))))",
    )
    .unwrap();
    let input = crate::linked::link(&main, &provider);
    let mutator = Mutator::new(Features::default());
    let mut changed = 0;
    for seed in 0..20 {
        let Some(mutant) = mutator.mutate(&input, seed, 1 << 16) else {
            continue;
        };
        let kept = crate::linked::Provider::of(&mutant).unwrap().unwrap();
        assert_eq!(kept.wasm, provider);
        changed += 1;
    }
    assert!(changed > 10, "{changed}");
}

#[test]
fn what_is_linked_mostly_stays_so_and_what_is_not_may_become_it() {
    let whole = generate(3, &Config::default()).wasm;
    let linked = link::split(&whole, 7).unwrap().wasm;
    let mutator = mutator().plans_only();
    let count = |input: &[u8]| {
        let mutants = (0..60).filter_map(|seed| mutator.mutate(input, seed, MAX_SIZE));
        let seeds: Vec<_> = mutants.map(|mutant| link::seed(&mutant)).collect();
        let of =
            |wanted: &dyn Fn(Option<u64>) -> bool| seeds.iter().filter(|s| wanted(**s)).count();
        (
            of(&|seed| seed == Some(7)),
            of(&|seed| seed.is_none()),
            of(&|seed| seed.is_some()),
        )
    };
    let (same, none, some) = count(&linked);
    assert!(same > 40 && none > 0 && some > same, "{same} {none} {some}");
    let (_, none, some) = count(&whole);
    assert!(none > 40 && some > 0, "{none} {some}");
}
