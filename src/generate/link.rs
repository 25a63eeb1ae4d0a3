//! One module → two that are linked: some of what it has moves to a *provider*, from which it imports it
//! ([`crate::linked`]).
//!
//! This is a step on WebAssembly, so any generated module can be split, and the two together do exactly what the one did; a
//! test runs both. What moves takes along everything that it refers to, because imports go one way only; code that moved still
//! gets back by references to functions and by continuations. So continuations of functions of the one instance are
//! resumed, forwarded, bound and thrown into by code of the other, by tags that have another index in each.
//!
//! An import from the host moves by being imported by the provider and exported again: imported twice, a tag would be two.

mod encode;

use super::Features;
use super::recipe::Made;
use crate::linked;
use crate::reduce::module::{Item, Module, Space};
use encode::Splitter;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::collections::{BTreeMap, BTreeSet};
use wasm_encoder::{CustomSection, Encode, Section};
use wasmparser::{DataKind, ElementKind, Operator, Parser, Payload};

/// The custom section with the seed by which a module was split: eight bytes, the lowest first. Like the plan, it is for making the
/// module again, changed; what runs is what is in the file.
const SEED_SECTION: &str = "switchback.split";

/// A module that was split.
pub struct Split {
    /// The file of both modules, with what the original was made of.
    pub wasm: Vec<u8>,
    /// The indices in the main module of what is there, by the items of the original.
    main: Indices,
    /// The same of the provider.
    provider: Indices,
}

/// Indices by the items of the module that was split.
type Indices = BTreeMap<Item, u32>;

/// The spaces whose items can be imported and exported.
const SPACES: [Space; 5] = [
    Space::Function,
    Space::Table,
    Space::Memory,
    Space::Global,
    Space::Tag,
];

/// The seed by which a module was split, if it was.
pub fn seed(wasm: &[u8]) -> Option<u64> {
    let seed = custom_sections(wasm).find(|section| section.name() == SEED_SECTION)?;
    Some(u64::from_le_bytes(seed.data().try_into().ok()?))
}

/// How many cases of a hundred are linked.
const SHARE: usize = 20;

/// The seed by which the case of a seed is split, if it is to be, for engines with these features.
pub(crate) fn drawn(seed: u64, features: Features) -> Option<u64> {
    // Another stream than the one that the module is drawn from.
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(1);
    let mut draw = Draw(random);
    draw.chance(SHARE)
        .then(|| masked(draw.0.next_u64(), features))
}

/// Whether a split by this seed may put the provider's groups of types into another order. A seed has this in a bit of its own, so that
/// a mask can clear it.
fn permutes(seed: u64) -> bool {
    seed & 1 == 1
}

/// The same split, without what these features leave out.
pub(crate) fn masked(seed: u64, features: Features) -> u64 {
    // In another order, types may stand behind those that repeat others.
    match features.late_switch_types {
        true => seed,
        false => seed & !1,
    }
}

impl Made {
    /// The same, split if there is a seed for it and something in it can move.
    #[must_use]
    pub fn linked(self, seed: Option<u64>) -> Made {
        let Some(split) = seed.and_then(|seed| split(&self.wasm, seed)) else {
            return self;
        };
        let mut leaves = Vec::new();
        if !self.leaves.is_empty() {
            let places = split.places(&self.wasm);
            leaves.extend(self.leaves.iter().filter_map(|leaf| places.get(leaf)));
            leaves.sort_unstable();
        }
        Made {
            wasm: split.wasm,
            leaves,
        }
    }
}

fn custom_sections(wasm: &[u8]) -> impl Iterator<Item = wasmparser::CustomSectionReader<'_>> {
    let payloads = Parser::new(0).parse_all(wasm).map_while(Result::ok);
    payloads.filter_map(|payload| match payload {
        Payload::CustomSection(section) => Some(section),
        _ => None,
    })
}

/// Splits a valid module, in a way that the seed chooses. `None` if there is nothing in it that can move, or if it is linked
/// already.
pub fn split(wasm: &[u8], seed: u64) -> Option<Split> {
    let module = Module::read(wasm).ok()?;
    // Imports of one name are one item of the host, which would be two if only one of them moved.
    let names: BTreeSet<_> = module
        .imports
        .iter()
        .map(|import| (import.module, import.name))
        .collect();
    if names.len() < module.imports.len() || names.iter().any(|(from, _)| *from == linked::MODULE) {
        return None;
    }
    let mut draw = Draw(ChaCha8Rng::seed_from_u64(seed));
    let graph = Graph::of(&module);
    let moved = graph.choose(&module, &mut draw);
    if moved.is_empty() {
        return None;
    }
    let splitter = Splitter::new(&module, &graph, moved, permutes(seed), &mut draw);
    let (mut kept, provided) = splitter.modules().ok()?;
    // What the module was made of.
    let plan = custom_sections(wasm).filter(|section| section.name().starts_with("switchback."));
    let seed = seed.to_le_bytes();
    let sections = plan.map(|section| (section.name(), section.data()));
    for (name, data) in sections.chain([(SEED_SECTION, &seed[..])]) {
        let section = CustomSection {
            name: name.into(),
            data: data.into(),
        };
        kept.push(section.id());
        section.encode(&mut kept);
    }
    Some(Split {
        wasm: linked::link(&kept, &provided),
        main: splitter.main,
        provider: splitter.provider,
    })
}

impl Split {
    /// Where the instructions of `before`, the module that was split, are now: offsets in the files.
    pub fn places(&self, before: &[u8]) -> BTreeMap<u32, u32> {
        let mut places = BTreeMap::new();
        let imported =
            |wasm| Module::read(wasm).map_or(0, |module| module.imported(Space::Function));
        let provider = linked::Provider::of(&self.wasm).ok().flatten();
        let provider = provider.map_or_else(Vec::new, |provider| provider.placed());
        let main = (operators(&self.wasm), imported(&self.wasm), &self.main);
        let provider = (operators(&provider), imported(&provider), &self.provider);
        for (index, old) in (imported(before)..).zip(operators(before)) {
            let item = (Space::Function, index);
            for (bodies, imported, indices) in [&main, &provider] {
                // Where the function is imported, its index is below those that have a body.
                let at = indices.get(&item).and_then(|at| at.checked_sub(*imported));
                if let Some(new) = at.and_then(|at| bodies.get(at as usize)) {
                    places.extend(old.iter().copied().zip(new.iter().copied()));
                }
            }
        }
        places
    }
}

/// The offsets of the instructions of each body.
fn operators(wasm: &[u8]) -> Vec<Vec<u32>> {
    let payloads = Parser::new(0).parse_all(wasm).map_while(Result::ok);
    let bodies = payloads.filter_map(|payload| match payload {
        Payload::CodeSectionEntry(body) => body.get_operators_reader().ok(),
        _ => None,
    });
    let offsets = bodies.map(|reader| {
        let operators = reader.into_iter_with_offsets().flatten();
        operators.map(|(_, offset)| offset as u32).collect()
    });
    offsets.collect()
}

/// Draws from a seed.
struct Draw(ChaCha8Rng);

impl Draw {
    fn below(&mut self, bound: usize) -> usize {
        (self.0.next_u64() % bound as u64) as usize
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn shuffle<T>(&mut self, list: &mut [T]) {
        for last in (1..list.len()).rev() {
            list.swap(last, self.below(last + 1));
        }
    }
}

/// What each item must have on its side.
struct Graph {
    uses: BTreeMap<Item, BTreeSet<Item>>,
    /// The segments that exist on one side only: passive ones whose elements may be objects, or that are dropped at some time. All
    /// that uses one goes where it goes. Of others each side has a copy, or an empty one where it would be dropped by then.
    unique: BTreeSet<Item>,
}

impl Graph {
    fn of(module: &Module<'_>) -> Graph {
        let dropped = dropped(module);
        let passive = |(index, element): (u32, &wasmparser::Element<'_>)| {
            matches!(element.kind, ElementKind::Passive).then_some((Space::Element, index))
        };
        let mut unique: BTreeSet<Item> = (0..).zip(&module.elements).filter_map(passive).collect();
        let data = (0..).zip(&module.data);
        unique.extend(data.filter_map(|(index, data)| {
            let item = (Space::Data, index);
            (matches!(data.kind, DataKind::Passive) && dropped.contains(&item)).then_some(item)
        }));

        let mut uses: BTreeMap<Item, BTreeSet<Item>> = BTreeMap::new();
        for item in module.items().filter(|(space, _)| *space != Space::Type) {
            let mut needs = module.uses(item);
            needs.remove(&item);
            let segment = |space| matches!(space, Space::Element | Space::Data);
            needs.retain(|need| match need.0 {
                Space::Type => false,
                space => !segment(space) || unique.contains(need),
            });
            for need in needs.iter().filter(|need| unique.contains(need)) {
                uses.entry(*need).or_default().insert(item);
            }
            uses.entry(item).or_default().extend(needs);
        }
        Graph { uses, unique }
    }

    /// Some items with all that they need.
    fn closure(&self, items: impl IntoIterator<Item = Item>) -> BTreeSet<Item> {
        let mut closure = BTreeSet::new();
        let mut work: Vec<Item> = items.into_iter().collect();
        while let Some(item) = work.pop() {
            if closure.insert(item) {
                work.extend(self.uses.get(&item).into_iter().flatten());
            }
        }
        closure
    }

    /// What moves: some functions if there are any that can, and some other items.
    fn choose(&self, module: &Module<'_>, draw: &mut Draw) -> BTreeSet<Item> {
        let imported = module.imported(Space::Function);
        let defined = |moved: &BTreeSet<Item>| {
            let functions = moved.range((Space::Function, imported)..(Space::Table, 0));
            functions.count()
        };
        // Something is left that calls them.
        let most = module.functions.len() * 3 / 4;
        let eager = [25, 50, 80][draw.below(3)];
        let mut moved = BTreeSet::new();
        let try_to_move = |item: Item, moved: &mut BTreeSet<Item>| {
            let with: BTreeSet<Item> = self.closure(moved.iter().copied().chain([item]));
            if defined(&with) <= most {
                *moved = with;
            }
        };
        let mut functions: Vec<Item> = (0..module.functions.len() as u32)
            .map(|function| (Space::Function, imported + function))
            .collect();
        draw.shuffle(&mut functions);
        for function in functions {
            // The first that can move does.
            if defined(&moved) == 0 || draw.chance(eager) {
                try_to_move(function, &mut moved);
            }
        }
        let others: Vec<Item> = module
            .items()
            .filter(|(space, index)| {
                let host = *space == Space::Function && *index < imported;
                host || (*space != Space::Function && SPACES.contains(space))
            })
            .collect();
        for item in others {
            if draw.chance(25) {
                try_to_move(item, &mut moved);
            }
        }
        moved
    }
}

/// The segments that some instruction drops.
fn dropped(module: &Module<'_>) -> BTreeSet<Item> {
    let mut dropped = BTreeSet::new();
    for body in &module.bodies {
        let operators = body.get_operators_reader().into_iter().flatten().flatten();
        dropped.extend(operators.filter_map(|operator| match operator {
            Operator::ElemDrop { elem_index } => Some((Space::Element, elem_index)),
            Operator::DataDrop { data_index } => Some((Space::Data, data_index)),
            _ => None,
        }));
    }
    dropped
}

#[cfg(test)]
mod tests;
