//! How a module keeps its recipe: custom sections behind the code, for mutation only. What runs is the module alone.

use super::generator::Generator;
use super::plan::Plan;
use super::recipe::Recipe;
use super::{Features, scenario, single};
use serde::Serialize;
use std::borrow::Cow;
use wasm_encoder::{CustomSection, Module};
use wasmparser::{Parser, Payload};

/// The custom section with the version byte, the generator's number and the encoded plan.
pub const PLAN_SECTION: &str = "switchback.plan";
/// The custom sections with the leaves' blobs, one each, in the order of the woven tasks.
pub const LEAF_SECTION: &str = "switchback.leaf";

/// The version this crate writes. A plan of another version is not a plan any more, only a module. What a plan of any generator is
/// made of decides how it is read, so a change of that needs another version, and `ci/minimise-seeds.sh`.
const VERSION: u8 = 3;

/// Why a module yields no plan.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// The module has no plan section: it was not made by this generator, or the section was removed.
    #[error("the module carries no plan")]
    Missing,
    /// The plan was written by another version.
    #[error("the plan is of version {0}, this is version {VERSION}")]
    Version(u8),
    /// There is no generator of this number.
    #[error("the plan is of generator number {0}, which is not known")]
    Generator(u8),
    /// The plan is of another kind than the one that is asked for.
    #[error("the plan is one of the generator {0}")]
    NotWoven(Generator),
    /// The section does not decode.
    #[error("the plan does not decode: {0}")]
    Malformed(#[from] postcard::Error),
    /// The bytes are no WebAssembly module.
    #[error(transparent)]
    NotAModule(#[from] wasmparser::Error),
}

/// A plan and the blobs of its leaves, in the order of the woven tasks.
pub type PlanAndBlobs = (Plan, Vec<Vec<u8>>);

/// What the sections of a module hold.
struct Sections<'m> {
    generator: Generator,
    plan: &'m [u8],
    blobs: Vec<Vec<u8>>,
}

impl Sections<'_> {
    fn read(wasm: &[u8]) -> Result<Sections<'_>, PlanError> {
        let mut found = None;
        let mut blobs = Vec::new();
        for payload in Parser::new(0).parse_all(wasm) {
            let Payload::CustomSection(section) = payload? else {
                continue;
            };
            match section.name() {
                PLAN_SECTION => found = Some(section.data()),
                LEAF_SECTION => blobs.push(section.data().to_vec()),
                _ => {}
            }
        }
        let (generator, plan) = match found.ok_or(PlanError::Missing)? {
            [] | [VERSION] => return Err(PlanError::Missing),
            [VERSION, number, plan @ ..] => {
                let generator = Generator::ALL.get(usize::from(*number)).copied();
                (generator.ok_or(PlanError::Generator(*number))?, plan)
            }
            [version, ..] => return Err(PlanError::Version(*version)),
        };
        Ok(Sections {
            generator,
            plan,
            blobs,
        })
    }
}

impl Recipe {
    /// Reads back what a generator wrote: a recipe that makes a valid module, whatever the sections hold.
    ///
    /// # Errors
    ///
    /// See [`PlanError`].
    pub fn from_module(wasm: &[u8]) -> Result<Recipe, PlanError> {
        let sections = Sections::read(wasm)?;
        Ok(match sections.generator {
            Generator::Woven => {
                let mut plan: Plan = postcard::from_bytes(sections.plan)?;
                plan.fix_up();
                Recipe::Woven(plan, sections.blobs)
            }
            Generator::Single => {
                let mut plan: single::Plan = postcard::from_bytes(sections.plan)?;
                plan.fix_up(&Features::ALL);
                Recipe::Single(plan)
            }
            Generator::Scenario => {
                let mut plan: scenario::Plan = postcard::from_bytes(sections.plan)?;
                plan.fix_up(&Features::ALL);
                Recipe::Scenario(plan)
            }
        })
    }
}

impl Plan {
    /// As [`Recipe::from_module`], of a woven module.
    ///
    /// # Errors
    ///
    /// See [`PlanError`].
    pub fn from_module(wasm: &[u8]) -> Result<PlanAndBlobs, PlanError> {
        match Recipe::from_module(wasm)? {
            Recipe::Woven(plan, blobs) => Ok((plan, blobs)),
            other => Err(PlanError::NotWoven(other.generator())),
        }
    }
}

impl Generator {
    /// The generator of a module that carries its recipe. Whether that can be read is not looked at.
    pub fn of_module(wasm: &[u8]) -> Option<Generator> {
        Sections::read(wasm).ok().map(|sections| sections.generator)
    }
}

/// Appends the sections that keep a recipe.
pub(super) fn append(
    module: &mut Module,
    generator: Generator,
    plan: &impl Serialize,
    blobs: &[impl AsRef<[u8]>],
) {
    let encoded = postcard::to_extend(plan, vec![VERSION, generator as u8])
        .expect("a plan has no part that cannot be encoded");
    let section = |name: &'static str, data| CustomSection {
        name: name.into(),
        data,
    };
    module.section(&section(PLAN_SECTION, Cow::Owned(encoded)));
    for blob in blobs {
        module.section(&section(LEAF_SECTION, Cow::Borrowed(blob.as_ref())));
    }
}
