//! Recipes: what a module was made of, by whichever generator.
//!
//! A generator has a plan type of its own: plain data (`Serialize`, `Deserialize`) from which the module is built, always the same
//! one. It is drawn from bytes (`draw`), and any value of the type becomes one that makes a valid module (`fix_up`), so a mutator
//! needs to know nothing of it (see [`crate::mutate`]). What a generator is made known by is a line in `generator`, a variant here,
//! and its lines in the `match`es below, in `format` and in `mutate/plan`.

use super::generator::{Generator, Scope};
use super::plan::Plan;
use super::{Config, Features, build, draw, entropy, link, scenario, single, whole};
use arbitrary::Unstructured;
use serde::Serialize;
use wasm_encoder::Module;
use xxhash_rust::xxh3::xxh3_64;

/// What a module is made of.
#[derive(Clone, Debug, PartialEq)]
pub enum Recipe {
    /// A woven module: the plan, and the blobs of its leaves in the order of the woven tasks.
    Woven(Plan, Vec<Vec<u8>>),
    /// A module of single instructions.
    Single(single::Plan),
    /// A scenario module.
    Scenario(scenario::Plan),
}

/// The module of a case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Made {
    /// The module's bytes.
    pub wasm: Vec<u8>,
    /// Offsets of the instructions of wasm-smith that were woven into it, ascending.
    pub leaves: Vec<u32>,
}

impl Recipe {
    /// The recipe of a seed: the same on every machine.
    pub fn of_seed(seed: u64, generator: Generator, features: Features) -> Recipe {
        Recipe::draw(generator, &mut Unstructured::new(&entropy(seed)), features)
    }

    /// Draws a recipe from bytes; few bytes give a small one.
    pub(crate) fn draw(
        generator: Generator,
        unstructured: &mut Unstructured<'_>,
        features: Features,
    ) -> Recipe {
        match generator {
            Generator::Woven => {
                let config = Config {
                    features,
                    ..Config::default()
                };
                let (plan, blobs) = draw::plan(unstructured, &config);
                Recipe::Woven(plan, blobs)
            }
            Generator::Single => Recipe::Single(single::Plan::draw(unstructured, &features)),
            Generator::Scenario => Recipe::Scenario(scenario::Plan::draw(unstructured, &features)),
        }
    }

    /// Which generator's it is.
    pub fn generator(&self) -> Generator {
        match self {
            Recipe::Woven(..) => Generator::Woven,
            Recipe::Single(_) => Generator::Single,
            Recipe::Scenario(_) => Generator::Scenario,
        }
    }

    /// Builds the module, with the recipe in custom sections. The recipe is fixed up first.
    pub fn build(self) -> Made {
        match self {
            Recipe::Woven(plan, blobs) => {
                let module = build(plan, &blobs);
                let leaves = module.leaves().into_iter();
                Made {
                    leaves: leaves.flat_map(|leaf| leaf.instructions).collect(),
                    wasm: module.wasm,
                }
            }
            Recipe::Single(mut plan) => {
                plan.fix_up(&Features::ALL);
                without_leaves(plan.build(), Generator::Single, &plan)
            }
            Recipe::Scenario(mut plan) => {
                plan.fix_up(&Features::ALL);
                without_leaves(plan.build(), Generator::Scenario, &plan)
            }
        }
    }
}

/// A module of a plan that has no leaves.
fn without_leaves(mut module: Module, generator: Generator, plan: &impl Serialize) -> Made {
    super::format::append(&mut module, generator, plan, &[] as &[&[u8]]);
    Made {
        wasm: module.finish(),
        leaves: Vec::new(),
    }
}

/// Whether cases of this generator are whole modules by wasm-smith.
fn is_whole(generator: Generator, features: Features) -> bool {
    !features.stack_switching && generator != Generator::Single
}

/// Makes the case of a seed. The same seed and scope give the same bytes, on every machine.
pub fn case(seed: u64, scope: Scope) -> Made {
    let Scope { features, .. } = scope;
    let generator = scope.generators.of_seed(seed);
    match is_whole(generator, features) {
        true => Made {
            wasm: whole::generate(seed, features),
            leaves: Vec::new(),
        },
        false => {
            let made = Recipe::of_seed(seed, generator, features).build();
            made.linked(link::drawn(seed, features))
        }
    }
}

/// Makes a case from bytes, as a fuzzer supplies them: any bytes give a module. The first byte chooses the generator, if there is
/// more than one to choose from.
pub fn case_from_bytes(bytes: &[u8], scope: Scope) -> Made {
    let Scope { features, .. } = scope;
    let (first, rest) = match scope.generators.iter().count() {
        0 | 1 => (0, bytes),
        _ => bytes
            .split_first()
            .map_or((0, bytes), |(b, rest)| (*b, rest)),
    };
    let generator = scope.generators.draw_by(first);
    match is_whole(generator, features) {
        true => Made {
            wasm: whole::generate_from_bytes(rest, features),
            leaves: Vec::new(),
        },
        false => {
            let made = Recipe::draw(generator, &mut Unstructured::new(rest), features).build();
            made.linked(link::drawn(xxh3_64(bytes), features))
        }
    }
}
