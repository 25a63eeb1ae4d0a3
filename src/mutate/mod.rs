//! Mutates cases: a module to another one that is valid too, and mostly not far from it.
//!
//! A module with a plan (see [`crate::generate`]) is mutated by its plan and the blobs of its leaves, which keeps all flow of
//! continuations meaningful; the plan is then fixed up and built. A module without one is mutated on the level of WebAssembly,
//! in small steps, and the result is validated. Bytes that are no module are replaced by a newly generated one.
//!
//! What comes out is a function of the input, the seed and the bound on the size, so a fuzzing engine can repeat it.

mod grow;
mod leaf;
mod plan;
mod random;
#[cfg(test)]
mod tests;
mod tree;
mod wasm;

pub use plan::Kind as PlanKind;
pub use wasm::Kind as ModuleKind;

use crate::generate::{self, Features, Generator, Recipe, Scope, link};
use random::Random;
use tree::Tree;

/// Candidates that are made of a plan before giving up.
const TRIES: usize = 8;
/// Most steps at once.
const STEPS: usize = 8;
/// In how many of a hundred mutations a module with a plan is mutated on the level of WebAssembly, which costs it the plan.
const BELOW_THE_PLAN: usize = 5;

/// Mutates cases for engines with certain features.
#[derive(Clone, Debug)]
pub struct Mutator {
    scope: Scope,
    modules: bool,
}

impl Mutator {
    /// A mutator whose plans use no features but these, and which makes new cases with these generators.
    pub fn new(scope: impl Into<Scope>) -> Mutator {
        Mutator {
            scope: scope.into(),
            modules: true,
        }
    }

    /// Modules with a plan are mutated by the plan alone, so that the mask of features holds and a module decides how long it
    /// runs; others not at all.
    #[must_use]
    pub fn plans_only(self) -> Mutator {
        Mutator {
            modules: false,
            ..self
        }
    }

    /// A mutation of `input` with at most `max_size` bytes: a valid module, if `input` is no module or a valid one. `None` if
    /// none was found.
    pub fn mutate(&self, input: &[u8], seed: u64, max_size: usize) -> Option<Vec<u8>> {
        let random = &mut Random::new(seed);
        if let Some(parent) = read(input) {
            let below = self.modules && random.chance(BELOW_THE_PLAN);
            let mutated = below.then(|| wasm::mutate(input, None, max_size, random));
            let by_plan = || self.mutate_plan(&parent, None, input, max_size, random);
            return mutated.flatten().or_else(by_plan);
        }
        if !input.starts_with(b"\0asm") {
            let made = generate::case(random.word(), self.scope);
            return Some(made.wasm).filter(|wasm| wasm.len() <= max_size);
        }
        match self.modules {
            true => wasm::mutate(input, None, max_size, random),
            false => None,
        }
    }

    /// As [`Mutator::mutate`], by one step of this kind on the plan. `None` if `input` has no plan.
    pub fn mutate_plan_by(
        &self,
        kind: PlanKind,
        input: &[u8],
        seed: u64,
        max_size: usize,
    ) -> Option<Vec<u8>> {
        let parent = read(input)?;
        self.mutate_plan(&parent, Some(kind), input, max_size, &mut Random::new(seed))
    }

    /// As [`Mutator::mutate`], by one step of this kind on the level of WebAssembly. `None` if `input` is no valid module.
    pub fn mutate_module_by(
        &self,
        kind: ModuleKind,
        input: &[u8],
        seed: u64,
        max_size: usize,
    ) -> Option<Vec<u8>> {
        wasm::mutate(input, Some(kind), max_size, &mut Random::new(seed))
    }

    /// What `left` becomes if parts of `right` take the place of some of its own. Limits and results are those of
    /// [`Mutator::mutate`].
    pub fn cross_over(
        &self,
        left: &[u8],
        right: &[u8],
        seed: u64,
        max_size: usize,
    ) -> Option<Vec<u8>> {
        let random = &mut Random::new(seed);
        match (read(left), read(right)) {
            (Some(parent), Some(donor)) if parent.generator == donor.generator => {
                let step = |tree: &mut Tree, random: &mut Random| {
                    let kinds = [PlanKind::Graft, PlanKind::List, PlanKind::Splice];
                    let kind = kinds[random.below(kinds.len())];
                    plan::mutate(tree, kind, &donor.tree, self.scope.features, random)
                };
                self.changed(&parent, left, max_size, random, step)
            }
            (None, None) if self.modules => wasm::cross_over(left, right, max_size, random),
            _ => None,
        }
        .or_else(|| self.mutate(left, random.word(), max_size))
    }

    fn mutate_plan(
        &self,
        parent: &Planted,
        kind: Option<PlanKind>,
        input: &[u8],
        max_size: usize,
        random: &mut Random,
    ) -> Option<Vec<u8>> {
        let donor = self.donor(parent.generator, random)?;
        let step = |tree: &mut Tree, random: &mut Random| {
            let kind = kind.unwrap_or_else(|| PlanKind::draw(random));
            let own = random.chance(25).then(|| tree.clone());
            let donor = own.as_ref().unwrap_or(&donor);
            plan::mutate(tree, kind, donor, self.scope.features, random)
        };
        self.changed(parent, input, max_size, random, step)
    }

    /// The module of a plan after a few steps: at most `max_size` bytes long, and not what it was.
    fn changed(
        &self,
        parent: &Planted,
        input: &[u8],
        max_size: usize,
        random: &mut Random,
        mut step: impl FnMut(&mut Tree, &mut Random) -> bool,
    ) -> Option<Vec<u8>> {
        for _ in 0..TRIES {
            let mut tree = parent.tree.clone();
            let steps = random.few().min(STEPS);
            let mut done = false;
            for _ in 0..steps {
                done |= step(&mut tree, random);
            }
            if !done {
                continue;
            }
            let features = self.scope.features;
            let Some(recipe) = plan::recipe(parent.generator, tree, features, random) else {
                continue;
            };
            let wasm = recipe.build().linked(split(input, features, random)).wasm;
            if wasm.len() <= max_size && wasm != input {
                return Some(wasm);
            }
        }
        None
    }

    /// A newly drawn plan, for what is put into others.
    fn donor(&self, generator: Generator, random: &mut Random) -> Option<Tree> {
        let recipe = Recipe::of_seed(random.word(), generator, self.scope.features);
        plan::tree(&recipe)
    }
}

/// The seed by which a mutant of a module is split, if it is to be: mostly as the module was, which keeps what moved together.
fn split(parent: &[u8], features: Features, random: &mut Random) -> Option<u64> {
    let seed = link::seed(parent);
    let seed = match random.below(20) {
        0 => None,
        1 => Some(random.word()),
        _ => seed,
    };
    seed.map(|seed| link::masked(seed, features))
}

/// A recipe as a tree. Only what one generator made of others' plans would be none's, so the two stay together.
struct Planted {
    generator: Generator,
    tree: Tree,
}

/// The tree of a module's plan, if it has one.
fn read(wasm: &[u8]) -> Option<Planted> {
    let recipe = Recipe::from_module(wasm).ok()?;
    let (generator, tree) = (recipe.generator(), plan::tree(&recipe)?);
    Some(Planted { generator, tree })
}
