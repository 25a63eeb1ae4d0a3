//! Tests of scenario modules: that they are valid whatever the plan, and do what they are made for.

use super::*;
use crate::engines::{self, Settings};
use crate::fuzzing::Instruction;
use crate::generate::{Generator, Recipe};
use crate::observe::{self, EventKind, Outcome};
use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::collections::{BTreeMap, BTreeSet};
use wasmparser::{Validator, WasmFeatures};

fn drawn(seed: u64, features: &Features) -> Plan {
    let mut bytes = [0; 1024];
    ChaCha8Rng::seed_from_u64(seed).fill_bytes(&mut bytes);
    Plan::draw(&mut Unstructured::new(&bytes), features)
}

fn all() -> WasmFeatures {
    WasmFeatures::default() | WasmFeatures::STACK_SWITCHING | WasmFeatures::WIDE_ARITHMETIC
}

fn assert_valid(plan: &Plan, features: WasmFeatures, what: &str) -> Vec<u8> {
    let wasm = plan.build().finish();
    if let Err(error) = Validator::new_with_features(features).validate_all(&wasm) {
        let text = wasmprinter::print_bytes(&wasm).unwrap_or_default();
        panic!("{what}: {error}\n{plan:?}\n{text}");
    }
    wasm
}

#[test]
fn modules_are_valid_and_small() {
    let mut sizes: Vec<usize> = (0..1000)
        .map(|seed| {
            let plan = drawn(seed, &Features::default());
            assert_valid(&plan, all(), &format!("seed {seed}")).len()
        })
        .collect();
    sizes.sort_unstable();
    assert!(sizes[500] < 1500, "{} bytes in the median", sizes[500]);
    assert!(sizes[950] < 4000, "{} bytes in one of 20", sizes[950]);
}

#[test]
fn many_values_stay_within_their_bound() {
    // One of the few seeds whose lists together reach the bound in the middle of the last ones.
    let recipe = Recipe::of_seed(2161, Generator::Scenario, Features::default());
    let wasm = recipe.build().wasm;
    let valid = Validator::new_with_features(all()).validate_all(&wasm);
    valid.expect("the module is valid");
    assert!(wasm.len() < 16_000, "{} bytes", wasm.len());
}

#[test]
fn few_bytes_make_valid_modules() {
    for length in 0..64 {
        let bytes: Vec<u8> = (0..length).map(|byte: u8| byte.wrapping_mul(151)).collect();
        let plan = Plan::draw(&mut Unstructured::new(&bytes), &Features::default());
        assert_valid(&plan, all(), &format!("{length} bytes"));
    }
}

#[test]
fn a_feature_mask_keeps_out_what_it_excludes() {
    type Mask = (&'static str, WasmFeatures);
    let masks: [Mask; 6] = [
        ("floats", WasmFeatures::FLOATS),
        ("tail_calls", WasmFeatures::TAIL_CALL),
        ("simd", WasmFeatures::SIMD),
        ("memory64", WasmFeatures::MEMORY64),
        ("continuations_in_objects", WasmFeatures::empty()),
        ("late_switch_types", WasmFeatures::empty()),
    ];
    for (name, excluded) in masks {
        let features = Features::default().except(Features::named(name).unwrap());
        for seed in 0..200 {
            let plan = drawn(seed, &features);
            let what = format!("seed {seed} without {name}");
            assert_valid(&plan, all() - excluded, &what);
        }
    }
    // The validator knows continuations with exceptions and typed references only, so this shows that no mask breaks a module.
    for name in ["exceptions", "gc", "block_parameters", "bound_references"] {
        let features = Features::default().except(Features::named(name).unwrap());
        for seed in 0..200 {
            let plan = drawn(seed, &features);
            let wasm = assert_valid(&plan, all(), &format!("seed {seed} without {name}"));
            let text = wasmprinter::print_bytes(&wasm).unwrap();
            let banned: &[&str] = match name {
                "exceptions" => &["try_table", "throw", "exnref"],
                "gc" => &["struct.new", "array.new", "i31", "anyref"],
                _ => &[],
            };
            for word in banned {
                assert!(!text.contains(word), "seed {seed} without {name}:\n{text}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_plan_can_be_kept(seed in any::<u64>()) {
        let plan = drawn(seed, &Features::default());
        let bytes = postcard::to_stdvec(&plan).unwrap();
        let mut again: Plan = postcard::from_bytes(&bytes).unwrap();
        prop_assert_eq!(&again, &plan);
        again.fix_up(&Features::default());
        prop_assert_eq!(&again, &plan);
        prop_assert_eq!(again.build().finish(), plan.build().finish());
    }

    #[test]
    fn whatever_decodes_is_a_plan(
        seed in any::<u64>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = postcard::to_stdvec(&drawn(seed, &Features::default())).unwrap();
        for (index, byte) in changes {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(mut plan) = postcard::from_bytes::<Plan>(&bytes) {
            plan.fix_up(&Features::default());
            assert_valid(&plan, all(), &format!("seed {seed}"));
        }
    }
}

/// What the modules of one kind of scenario did.
#[derive(Default)]
struct Sums {
    modules: u32,
    calls: u32,
    returned: u32,
    /// Modules in which each of the seven instructions was executed, and those with events of these kinds.
    seen: BTreeMap<&'static str, u32>,
    steps: Vec<usize>,
}

/// What is seen in a run.
fn seen(wasm: &[u8], trace: &[observe::Event]) -> (usize, BTreeSet<&'static str>) {
    let mut seen = BTreeSet::new();
    let mut steps = 0;
    for event in trace {
        if let Some(instruction) = Instruction::of(event, wasm) {
            seen.insert(instruction.name());
            steps += 1;
        }
        match &event.kind {
            EventKind::Suspend {
                distance, clause, ..
            } => {
                if *distance > 0 {
                    seen.insert("forwarded");
                }
                if *clause > 0 {
                    seen.insert("later clause");
                }
            }
            EventKind::Catch { .. } => {
                seen.insert("catch");
            }
            EventKind::Unwind { .. } => {
                seen.insert("unwind");
            }
            EventKind::HostCall { .. } => {
                seen.insert("host");
            }
            _ => {}
        }
    }
    (steps, seen)
}

/// What each kind is made for, with the least share of its modules in which it is seen, in percent.
const PROMISED: &[(&str, &str, u32)] = &[
    ("Scheduler", "suspend", 85),
    ("Scheduler", "forwarded", 20),
    ("Scheduler", "resume_throw", 3),
    ("Threads", "suspend", 85),
    ("Threads", "cont.bind", 90),
    ("Switching", "switch", 50),
    ("Switching", "suspend", 30),
    ("Pipeline", "suspend", 60),
    ("Pipeline", "forwarded", 30),
    ("Pipeline", "resume_throw", 5),
    ("Futures", "suspend", 85),
    ("Futures", "cont.bind", 85),
    ("Actors", "suspend", 80),
    ("Effects", "suspend", 60),
    ("Effects", "forwarded", 25),
    ("Chain", "forwarded", 60),
    ("Chain", "resume_throw_ref", 5),
    ("Chain", "switch", 15),
    ("Wide", "suspend", 30),
    ("Wide", "switch", 30),
    ("Binding", "cont.bind", 90),
    ("Host", "host", 50),
    ("Growth", "switch", 10),
    ("Tails", "suspend", 40),
    ("Clauses", "suspend", 40),
    ("Clauses", "switch", 40),
    ("Clauses", "catch", 40),
    ("Clauses", "later clause", 20),
    ("Exceptions", "unwind", 70),
    ("Exceptions", "catch", 80),
    ("Stale", "resume", 80),
    ("Stale", "cont.bind", 25),
    ("Endings", "catch", 20),
    ("Endings", "resume_throw", 5),
];

#[test]
fn modules_do_what_they_are_made_for() {
    let settings = Settings {
        trace: true,
        instructions: Some(1_000_000),
        ..Settings::default()
    };
    let reference = engines::create("oracle", &settings).unwrap();
    let mut kinds: BTreeMap<&'static str, Sums> = BTreeMap::new();
    for seed in 0..800 {
        let plan = drawn(seed, &Features::default());
        let wasm = plan.build().finish();
        let observation = observe::observe(reference.as_ref(), &wasm);
        let what = || format!("seed {seed}: {plan:?}");
        let refused = matches!(
            observation.instantiation,
            Outcome::Rejected { .. } | Outcome::Unlinkable { .. } | Outcome::Unsupported { .. }
        );
        assert!(!refused, "{}: {}", what(), observation.instantiation);
        let sums = kinds.entry(plan.scenario.name()).or_default();
        sums.modules += 1;
        let trace = observation.trace.as_deref().unwrap_or_default();
        let (steps, seen) = seen(&wasm, trace);
        sums.steps.push(steps);
        for name in seen {
            *sums.seen.entry(name).or_default() += 1;
        }
        let (mut made, mut deepest) = (0, 0);
        for event in trace {
            match event.kind {
                EventKind::New { .. } => made += 1,
                EventKind::Resume { depth, .. } => deepest = deepest.max(depth),
                _ => {}
            }
        }
        assert!(made < 1000, "{made} continuations, {}", what());
        assert!(deepest < 200, "{deepest} stacks, {}", what());
        for call in &observation.calls {
            let bad = matches!(
                call.outcome,
                Outcome::Exhausted { .. } | Outcome::Failed { .. }
            );
            assert!(!bad, "{}: {}", what(), call.outcome);
            sums.calls += 1;
            sums.returned += u32::from(call.outcome.is_returned());
        }
    }
    let mut wrong = Vec::new();
    for (name, what, least) in PROMISED {
        let sums = &kinds[name];
        let share = sums.seen.get(what).copied().unwrap_or(0) * 100 / sums.modules;
        if share < *least {
            wrong.push(format!("{name}: {what} in {share} %, {least} wanted"));
        }
    }
    let mut table = String::new();
    for (name, sums) in &mut kinds {
        sums.steps.sort_unstable();
        let median = sums.steps[sums.steps.len() / 2];
        let most = sums.steps.last().copied().unwrap_or(0);
        let returned = sums.returned * 100 / sums.calls.max(1);
        table += &format!(
            "{name}: {} modules, {median} steps in the median, {most} at most, {returned} % return, {:?}\n",
            sums.modules, sums.seen
        );
        // Traps and exceptions that nothing catches are a part of what is wanted, but what comes after them is not executed.
        if returned < 60 {
            wrong.push(format!("{name}: {returned} % of the calls return"));
        }
        if median < 4 {
            wrong.push(format!("{name}: {median} steps in the median"));
        }
    }
    assert!(wrong.is_empty(), "{}\n{table}", wrong.join("\n"));
}
