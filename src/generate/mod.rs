//! Seed → module: programs that really switch stacks.
//!
//! A module comes from a [`Plan`] (types, tags, handler lists, tasks, drivers, scripts: ours) and from one blob of bytes for
//! each *leaf* (the ordinary code in between, which wasm-smith makes of it). [`generate`] draws both from a seed and builds
//! the module; the file carries them in custom sections, so that a mutator can change them and build again.
//! Every module is complete in itself, valid, deterministic to the byte, and decides alone how long it runs: it counts fuel
//! in a global, and out of fuel its functions return default values.
//!
//! What a module expects: its exported functions without parameters are called in order. From the host `switchback` it
//! imports functions `log…` and `task…` of any type, which return default values, tags, and `call`, which calls the function
//! reference it is given. Nothing here runs a module or looks at one from elsewhere.

mod action;
mod body;
mod build;
mod cx;
mod draw;
mod driver;
mod features;
mod fix_up;
mod format;
mod generator;
mod guard;
mod helper;
mod leaf;
pub mod link;
mod object;
pub mod plan;
mod recipe;
mod resume;
pub mod scenario;
pub mod single;
mod types;
mod value;
mod weave;
pub mod whole;

pub use features::Features;
pub use format::{LEAF_SECTION, PLAN_SECTION, PlanAndBlobs, PlanError};
pub use generator::{Generator, Generators, Scope};
pub use plan::Plan;
pub use recipe::{Made, Recipe, case, case_from_bytes};

use arbitrary::Unstructured;
use build::LeafOffsets;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::ops::Range;
use wasmparser::{Parser, Payload};

/// How modules are drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// What they may use. A mask of what an engine can do belongs here; nothing is filtered afterwards.
    pub features: Features,
    /// Most instructions that wasm-smith makes for one leaf.
    pub leaf_instructions: u8,
    /// Most bytes of entropy for one leaf.
    pub leaf_bytes: usize,
    /// Most exported calls, 1 to 8.
    pub calls: u8,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            features: Features::default(),
            leaf_instructions: 40,
            leaf_bytes: 200,
            calls: 4,
        }
    }
}

/// A generated module.
#[derive(Clone, Debug)]
pub struct Module {
    /// The module's bytes, with the plan and the blobs in custom sections.
    pub wasm: Vec<u8>,
    /// What it was built from.
    pub plan: Plan,
    leaves: Vec<LeafOffsets>,
}

/// A function whose code is wasm-smith's, with ours woven in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeafCode {
    /// Its function index.
    pub function: u32,
    /// Offsets in the module of wasm-smith's own instructions in it, ascending; what is not listed is fuel, guards or splices.
    pub instructions: Vec<u32>,
}

impl Module {
    /// The leaves of the module, for measuring how much of their code is executed.
    pub fn leaves(&self) -> Vec<LeafCode> {
        let mut bodies: Vec<Range<u64>> = Vec::new();
        for payload in Parser::new(0).parse_all(&self.wasm) {
            if let Ok(Payload::CodeSectionEntry(body)) = payload {
                bodies.push(body.range());
            }
        }
        let code = |leaf: &LeafOffsets| {
            let start = bodies.get(leaf.defined).map_or(0, |range| range.start);
            let instructions = leaf
                .instructions
                .iter()
                .map(|offset| start as u32 + *offset as u32)
                .collect();
            LeafCode {
                function: leaf.function,
                instructions,
            }
        };
        self.leaves.iter().map(code).collect()
    }
}

/// Bytes drawn from a seed: enough for the plan and all blobs of the largest modules.
const ENTROPY: usize = 6 * 1024;

/// Generates the module of a seed. The same seed and configuration give the same bytes, on every machine.
pub fn generate(seed: u64, config: &Config) -> Module {
    generate_from_bytes(&entropy(seed), config)
}

/// The only place where randomness enters.
fn entropy(seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; ENTROPY];
    ChaCha8Rng::seed_from_u64(seed).fill_bytes(&mut bytes);
    bytes
}

/// Generates a module from bytes, as a fuzzer supplies them: any bytes give a module, few bytes a small one.
pub fn generate_from_bytes(bytes: &[u8], config: &Config) -> Module {
    let mut unstructured = Unstructured::new(bytes);
    let (plan, blobs) = draw::plan(&mut unstructured, config);
    build(plan, &blobs)
}

/// Builds the module of a plan; it is fixed up first. The n-th woven task takes its leaf from the n-th blob, or from no bytes
/// where there is none.
pub fn build(mut plan: Plan, blobs: &[impl AsRef<[u8]>]) -> Module {
    plan.fix_up();
    let mut built = build::build(&plan, blobs);
    format::append(&mut built.module, Generator::Woven, &plan, blobs);
    Module {
        wasm: built.module.finish(),
        plan,
        leaves: built.leaves,
    }
}

#[cfg(test)]
mod tests;
