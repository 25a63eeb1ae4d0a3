//! A module that was split does what it did before.

use super::*;
use crate::compare::{Verdict, compare};
use crate::engines::{self, Engine, Settings};
use crate::generate::{Config, Features, Generator, Recipe, generate};
use crate::linked::Provider;
use crate::observe::{EventKind, Observation, State, observe};
use serde_json::Value as Json;
use std::collections::HashMap;
use wasmparser::{Validator, WasmFeatures};

fn engine(name: &str, trace: bool) -> Box<dyn Engine> {
    let settings = Settings {
        trace,
        ..Settings::default()
    };
    engines::create(name, &settings).unwrap()
}

fn validate(wasm: &[u8]) {
    let mut validator = Validator::new_with_features(WasmFeatures::all());
    validator.validate_all(wasm).unwrap();
}

/// Numbers what has store addresses by its first occurrence, and says where instructions were in the module that was split.
#[derive(Default)]
struct Names {
    places: HashMap<u64, u64>,
    seen: HashMap<(&'static str, u64), usize>,
}

impl Names {
    fn rename(&mut self, json: &mut Json) {
        match json {
            Json::Array(list) => list.iter_mut().for_each(|item| self.rename(item)),
            Json::Object(fields) => {
                for (key, value) in fields {
                    let space = match key.as_str() {
                        "function" | "func" => "function",
                        "tag" | "exn" => "tag",
                        "struct" | "array" => "type",
                        "at" => {
                            let offset = value["offset"].as_u64().unwrap();
                            *value = self.places.get(&offset).copied().unwrap_or(offset).into();
                            continue;
                        }
                        _ => {
                            self.rename(value);
                            continue;
                        }
                    };
                    if let Some(address) = value.as_u64() {
                        let next = self.seen.len();
                        *value = (*self.seen.entry((space, address)).or_insert(next)).into();
                    }
                }
            }
            _ => {}
        }
    }
}

/// What an observation shows, whatever the store addresses are; of the state, the items of the module that was split.
fn shown(observation: &Observation, mut names: Names, state: &Json) -> Json {
    let mut json = serde_json::json!({
        "instantiation": observation.instantiation,
        "calls": observation.calls,
        "trace": observation.trace,
        "state": state,
    });
    names.rename(&mut json);
    json
}

/// The state of the original's items: each once, wherever it is.
fn state_of(module: &Module<'_>, find: impl Fn(Item) -> (State, u32)) -> Json {
    let spaces = [Space::Global, Space::Memory, Space::Table];
    let items = module.items().filter(|(space, _)| spaces.contains(space));
    let shown = items.map(|item| {
        let (state, index) = find(item);
        let index = index as usize;
        match item.0 {
            Space::Global => serde_json::json!(state.globals[index]),
            Space::Memory => serde_json::json!(state.memories[index]),
            _ => serde_json::json!(state.tables[index]),
        }
    });
    shown.collect()
}

/// Where each instruction of a split module was.
fn places(before: &[u8], split: &Split) -> HashMap<u64, u64> {
    let places = split.places(before);
    let all: usize = operators(before).iter().map(Vec::len).sum();
    assert_eq!(places.len(), all);
    places
        .into_iter()
        .map(|(old, new)| (new.into(), old.into()))
        .collect()
}

/// Cases of all generators, most of them woven.
fn cases() -> impl Iterator<Item = (u64, Generator)> {
    let most = |generator| match generator {
        Generator::Woven => 80,
        _ => 25,
    };
    let of = move |&generator: &Generator| (0..most(generator)).map(move |seed| (seed, generator));
    Generator::ALL.iter().flat_map(of)
}

/// Where a type behind repeated ones is wrong on an engine, a split keeps the types as they are.
#[test]
fn without_late_switch_types_the_groups_keep_their_order() {
    let features = Features {
        late_switch_types: false,
        ..Features::ALL
    };
    let order = |wasm: &[u8]| {
        let module = Module::read(wasm).unwrap();
        let groups = module.groups.iter();
        groups.map(|group| format!("{group:?}")).collect::<Vec<_>>()
    };
    let mut splits = 0;
    for seed in 0..200 {
        let Some(drawn) = drawn(seed, features) else {
            continue;
        };
        let recipe = Recipe::of_seed(seed, Generator::Woven, features);
        let split = split(&recipe.build().wasm, drawn).unwrap();
        let provider = Provider::of(&split.wasm).unwrap().unwrap();
        let main = linked::unlinked(&split.wasm);
        let lengths = |wasm: &[u8]| order(wasm).len();
        assert_eq!(lengths(provider.wasm), lengths(&main));
        assert_eq!(order(provider.wasm), order(&main), "seed {seed}");
        splits += 1;
    }
    assert!(splits > 20, "{splits}");
}

#[test]
fn a_split_module_shows_what_it_showed_before() {
    let oracle = engine("oracle", true);
    let (mut split_modules, mut with_functions, mut permuted) = (0, 0, 0);
    let mut across = 0;
    for (seed, generator) in cases() {
        let wasm = Recipe::of_seed(seed, generator, Features::default())
            .build()
            .wasm;
        let Some(split) = split(&wasm, seed) else {
            continue;
        };
        split_modules += 1;
        assert_eq!(super::seed(&split.wasm), Some(seed));
        assert_eq!(
            Recipe::from_module(&split.wasm).unwrap().generator(),
            generator
        );
        let provider = Provider::of(&split.wasm).unwrap().unwrap();
        validate(&split.wasm);
        validate(provider.wasm);
        let module = Module::read(&wasm).unwrap();
        let provided = Module::read(provider.wasm).unwrap();
        with_functions += u32::from(!provided.bodies.is_empty());
        let text = |module: &Module<'_>| format!("{:?}", module.groups);
        permuted += u32::from(text(&module) != text(&provided));

        let before = observe(oracle.as_ref(), &wasm);
        let after = observe(oracle.as_ref(), &split.wasm);
        let own = |state: &Option<State>| state.clone().unwrap();
        if before.state.is_none() {
            assert_eq!(before.instantiation.name(), after.instantiation.name());
            continue;
        }
        let state_before = state_of(&module, |(_, index)| (own(&before.state), index));
        let state_after = state_of(&module, |item| match split.main.get(&item) {
            Some(&index) => (own(&after.state), index),
            None => (own(&after.linked), split.provider[&item]),
        });
        let names = Names {
            places: places(&wasm, &split),
            ..Names::default()
        };
        let (before, shown_after) = (
            shown(&before, Names::default(), &state_before),
            shown(&after, names, &state_after),
        );
        assert_eq!(before, shown_after, "{generator}, seed {seed}");
        let range = provider.range();
        let in_provider = |offset: u32| range.contains(&(offset as usize));
        let trace = after.trace.unwrap();
        let mut resumes = trace.windows(2).filter_map(|pair| match pair[0].kind {
            EventKind::Resume { .. } => Some((pair[0].at?.offset, pair[1].at?.offset)),
            _ => None,
        });
        across += u32::from(resumes.any(|(by, next)| in_provider(by) != in_provider(next)));
    }
    assert!(split_modules > 125, "{split_modules}");
    assert!(with_functions > 120, "{with_functions}");
    assert!(permuted > 25, "{permuted}");
    assert!(across > 30, "{across}");
}

#[test]
fn engines_agree_on_split_modules() {
    let (compiled, oracle) = (engine("compiled", true), engine("oracle", true));
    for seed in 0..15 {
        let wasm = generate(seed, &Config::default()).wasm;
        let Some(split) = split(&wasm, seed) else {
            continue;
        };
        let (left, right) = (
            observe(compiled.as_ref(), &split.wasm),
            observe(oracle.as_ref(), &split.wasm),
        );
        let verdict = compare(&left, &right);
        assert!(
            matches!(verdict, Verdict::Agree { .. }),
            "seed {seed}: {verdict:?}"
        );
    }
}

#[test]
fn segments_stay_what_they_were() {
    // `dropped` can be on one side only, `twice` is there on both, what is active is empty where it is not written.
    let wasm = wat::parse_str(
        r#"(module
            (memory $m 1) (table $t 4 funcref)
            (data $written (i32.const 3) "abc") (data $dropped "def") (data $twice "ghi")
            (elem $passive func $a $b) (elem $active (table $t) (i32.const 0) func $a)
            (func $a (export "a") (result i32)
              (memory.init $dropped (i32.const 10) (i32.const 0) (i32.const 3))
              (memory.init $twice (i32.const 20) (i32.const 0) (i32.const 3))
              (i32.load (i32.const 10)))
            (func $b (export "b") (result i32)
              (table.init $t $passive (i32.const 2) (i32.const 0) (i32.const 2))
              (memory.init $twice (i32.const 30) (i32.const 0) (i32.const 3))
              (i32.load (i32.const 30)))
            (func $c (export "c") (data.drop $dropped) (elem.drop $passive))
            (func $d (export "d") (memory.init $twice (i32.const 40) (i32.const 0) (i32.const 3)))
            (func (export "traps")
              (memory.init $written (i32.const 0) (i32.const 0) (i32.const 1)))
            (export "again" (func $a)) (export "and again" (func $b)))"#,
    )
    .unwrap();
    let oracle = engine("oracle", true);
    let before = observe(oracle.as_ref(), &wasm);
    let outcomes = |observation: &Observation| -> Vec<String> {
        let calls = observation.calls.iter();
        let text = calls.map(|call| call.outcome.to_string());
        text.map(|text| text.split(" (function").next().unwrap().to_owned())
            .collect()
    };
    let mut providers = BTreeSet::new();
    for seed in 0..60 {
        let split = split(&wasm, seed).unwrap();
        validate(&split.wasm);
        let provider = Provider::of(&split.wasm).unwrap().unwrap().wasm;
        validate(provider);
        let after = observe(oracle.as_ref(), &split.wasm);
        assert_eq!(outcomes(&before), outcomes(&after), "seed {seed}");
        let state = if split.main.contains_key(&(Space::Memory, 0)) {
            after.state
        } else {
            after.linked
        };
        assert_eq!(
            before.state.as_ref().unwrap().memories,
            state.unwrap().memories,
            "seed {seed}"
        );
        providers.insert(provider.to_vec());
    }
    assert!(providers.len() > 10, "{}", providers.len());
}

#[test]
fn what_is_linked_is_not_split_again() {
    let wasm = generate(1, &Config::default()).wasm;
    let split = split(&wasm, 1).unwrap();
    assert!(super::split(&split.wasm, 1).is_none());
    assert!(super::split(b"\0asm\x01\0\0\0", 1).is_none());
}
