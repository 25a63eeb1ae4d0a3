//! Tests of the generator: validity, determinism, the file format, and what modules consist of; feature masks (`masks`), floats
//! (`floats`), that the plans hold every scenario (`scenario`), and what is executed (`execution`).

use super::plan::*;
use super::*;
use proptest::prelude::*;
use wasmparser::{CompositeInnerType, Validator, WasmFeatures};

mod execution;
mod floats;
mod masks;
mod scenario;

fn features() -> WasmFeatures {
    WasmFeatures::default() | WasmFeatures::STACK_SWITCHING | WasmFeatures::WIDE_ARITHMETIC
}

fn assert_valid(wasm: &[u8], features: WasmFeatures, what: &str) {
    if let Err(error) = Validator::new_with_features(features).validate_all(wasm) {
        let text = wasmprinter::print_bytes(wasm).unwrap_or_default();
        panic!("{what}: {error}\n{text}");
    }
}

/// The modules of some seeds.
fn modules(count: u64) -> impl Iterator<Item = (u64, Module)> {
    (0..count).map(|seed| (seed, generate(seed, &Config::default())))
}

#[test]
fn modules_are_valid() {
    for (seed, module) in modules(500) {
        assert_valid(&module.wasm, features(), &format!("seed {seed}"));
    }
}

#[test]
fn few_bytes_make_small_valid_modules() {
    for length in 0..64 {
        let bytes: Vec<u8> = (0..length).map(|byte: u8| byte.wrapping_mul(151)).collect();
        let module = generate_from_bytes(&bytes, &Config::default());
        assert_valid(&module.wasm, features(), &format!("{length} bytes"));
        assert!(
            module.wasm.len() < 20_000,
            "{} bytes of module from {length}",
            module.wasm.len()
        );
    }
}

#[test]
fn a_seed_gives_the_same_bytes_again() {
    for (seed, module) in modules(50) {
        let again = std::thread::spawn(move || generate(seed, &Config::default()).wasm);
        assert_eq!(module.wasm, again.join().unwrap(), "seed {seed}");
    }
}

#[test]
fn a_module_carries_what_it_was_built_from() {
    for (seed, module) in modules(200) {
        let (plan, blobs) = Plan::from_module(&module.wasm).unwrap();
        assert_eq!(plan, module.plan, "seed {seed}");
        let again = build(plan, &blobs);
        assert_eq!(again.wasm, module.wasm, "seed {seed}");
        assert_eq!(again.leaves(), module.leaves(), "seed {seed}");
    }
}

#[test]
fn a_valid_plan_is_left_as_it_is() {
    for (seed, module) in modules(200) {
        let mut plan = module.plan.clone();
        plan.fix_up();
        assert_eq!(plan, module.plan, "seed {seed}");
    }
}

#[test]
fn what_is_no_plan_is_refused() {
    let bare = build_without_plan();
    assert!(matches!(Plan::from_module(&bare), Err(PlanError::Missing)));
    assert!(matches!(
        Plan::from_module(b"\0asm\x01"),
        Err(PlanError::NotAModule(_))
    ));
    assert!(matches!(
        Plan::from_module(&with_plan_section(&bare, &[255, 0])),
        Err(PlanError::Version(255))
    ));
    assert!(matches!(
        Plan::from_module(&with_plan_section(&bare, &[3, 0, 0])),
        Err(PlanError::Malformed(_))
    ));
    assert!(matches!(
        Plan::from_module(&with_plan_section(&bare, &[3, 77, 0])),
        Err(PlanError::Generator(77))
    ));
    let single = Recipe::of_seed(1, Generator::Single, Features::default()).build();
    assert!(matches!(
        Plan::from_module(&single.wasm),
        Err(PlanError::NotWoven(Generator::Single))
    ));
}

fn build_without_plan() -> Vec<u8> {
    wasm_encoder::Module::new().finish()
}

fn with_plan_section(wasm: &[u8], data: &[u8]) -> Vec<u8> {
    use wasm_encoder::{Encode, Section};
    let mut wasm = wasm.to_vec();
    let section = wasm_encoder::CustomSection {
        name: PLAN_SECTION.into(),
        data: data.into(),
    };
    wasm.push(section.id());
    section.encode(&mut wasm);
    wasm
}

fn plan_of(seed: u64) -> PlanAndBlobs {
    Plan::from_module(&generate(seed, &Config::default()).wasm).unwrap()
}

fn assert_builds(plan: Plan, blobs: &[Vec<u8>], what: &str) -> Result<(), TestCaseError> {
    let module = build(plan, blobs);
    assert_valid(&module.wasm, features(), what);
    let mut again = module.plan.clone();
    again.fix_up();
    prop_assert_eq!(again, module.plan);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// The mutator's promise, for small changes: whatever happens to a plan, the module is valid.
    #[test]
    fn any_plan_that_decodes_builds_a_valid_module(
        seed in 0u64..10_000,
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0u8..24), 1..4),
    ) {
        let (plan, blobs) = plan_of(seed);
        let mut encoded = postcard::to_stdvec(&plan).unwrap();
        for (index, byte) in changes {
            let at = index.index(encoded.len());
            encoded[at] = byte;
        }
        if let Ok(plan) = postcard::from_bytes::<Plan>(&encoded) {
            assert_builds(plan, &blobs, &format!("seed {seed}, changed"))?;
        }
    }

    /// The same for large ones: no part of a plan knows what stands in another.
    #[test]
    fn parts_of_different_plans_build_a_valid_module(seeds in prop::array::uniform8(0u64..10_000)) {
        let [mut plan, of_types, of_tags, of_families, of_drivers, of_tasks, of_calls, of_callbacks] =
            seeds.map(|seed| plan_of(seed).0);
        plan.types = of_types.types;
        plan.tags = of_tags.tags;
        plan.families = of_families.families;
        plan.drivers = of_drivers.drivers;
        plan.tasks = of_tasks.tasks;
        plan.calls = of_calls.calls;
        plan.callbacks = of_callbacks.callbacks;
        let (_, blobs) = plan_of(seeds[5]);
        assert_builds(plan, &blobs, &format!("seeds {seeds:?}"))?;
    }

    #[test]
    fn any_blob_makes_a_valid_leaf(seed in 0u64..10_000, blob in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut plan = generate(seed, &Config::default()).plan;
        for task in &mut plan.tasks {
            if let TaskBody::Woven(leaf) = &mut task.body {
                leaf.control = true;
                leaf.wild = seed % 2 == 0;
            }
        }
        let blobs = vec![blob; plan.tasks.len()];
        assert_valid(&build(plan, &blobs).wasm, features(), &format!("seed {seed}"));
    }
}

#[test]
fn modules_are_small() {
    let mut sizes: Vec<usize> = modules(500).map(|(_, module)| module.wasm.len()).collect();
    sizes.sort_unstable();
    assert!((1024..4096).contains(&sizes[250]), "median {}", sizes[250]);
    assert!(sizes[450] < 4096, "90th percentile {}", sizes[450]);
}

#[test]
fn leaves_are_where_they_are_said_to_be() {
    let mut total = 0;
    for (seed, module) in modules(200) {
        let imported = imported_functions(&module.wasm);
        let mut bodies = Vec::new();
        for payload in Parser::new(0).parse_all(&module.wasm) {
            if let Payload::CodeSectionEntry(body) = payload.unwrap() {
                let operators = body.get_operators_reader().unwrap();
                let offsets = operators.into_iter_with_offsets();
                bodies.push(
                    offsets
                        .map(|read| read.unwrap().1 as u32)
                        .collect::<Vec<u32>>(),
                );
            }
        }
        let leaves = module.leaves();
        let woven = module
            .plan
            .tasks
            .iter()
            .filter(|task| matches!(task.body, TaskBody::Woven(_)));
        assert_eq!(leaves.len(), woven.count(), "seed {seed}");
        for leaf in leaves {
            let body = &bodies[(leaf.function - imported) as usize];
            assert!(leaf.instructions.is_sorted(), "seed {seed}");
            for offset in &leaf.instructions {
                assert!(
                    body.contains(offset),
                    "seed {seed}, function {}, offset {offset:#x}",
                    leaf.function
                );
            }
            total += leaf.instructions.len();
        }
    }
    assert!(
        total > 4000,
        "only {total} instructions of wasm-smith in 200 modules"
    );
}

fn imported_functions(wasm: &[u8]) -> u32 {
    let mut count = 0;
    for payload in Parser::new(0).parse_all(wasm) {
        if let Payload::ImportSection(section) = payload.unwrap() {
            let functions = section.into_imports().filter(|import| {
                matches!(import.as_ref().unwrap().ty, wasmparser::TypeRef::Func(_))
            });
            count += functions.count() as u32;
        }
    }
    count
}

#[test]
fn continuation_types_are_met_in_every_order() {
    let (mut before, mut after, mut grouped) = (0, 0, 0);
    for (_, module) in modules(300) {
        for payload in Parser::new(0).parse_all(&module.wasm) {
            let Payload::TypeSection(section) = payload.unwrap() else {
                continue;
            };
            let mut index = 0;
            for group in section {
                let group = group.unwrap();
                grouped += usize::from(group.types().len() > 2);
                for ty in group.types() {
                    if let CompositeInnerType::Cont(cont) = &ty.composite_type.inner {
                        let function = cont.0.unpack().as_module_index();
                        // Inside a group, indices count from the group's first type.
                        let forward = function.is_none_or(|function| function > index);
                        if forward { before += 1 } else { after += 1 }
                    }
                    index += 1;
                }
            }
        }
    }
    assert!(
        before > 200 && after > 1000 && grouped > 60,
        "{before} before, {after} after, {grouped} groups"
    );
}
