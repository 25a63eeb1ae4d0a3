//! How a module keeps its plan: custom sections behind the code, for mutation only. What runs is the module alone.

use super::plan::Plan;
use std::borrow::Cow;
use wasm_encoder::{CustomSection, Module};
use wasmparser::{Parser, Payload};

/// The custom section with the version byte and the encoded plan.
pub const PLAN_SECTION: &str = "switchback.plan";
/// The custom sections with the leaves' blobs, one each, in the order of the woven tasks.
pub const LEAF_SECTION: &str = "switchback.leaf";

/// The version this crate writes. A plan of another version is not a plan any more, only a module.
const VERSION: u8 = 2;

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
    /// The section does not decode.
    #[error("the plan does not decode: {0}")]
    Malformed(#[from] postcard::Error),
    /// The bytes are no WebAssembly module.
    #[error(transparent)]
    NotAModule(#[from] wasmparser::Error),
}

/// A plan and the blobs of its leaves, in the order of the woven tasks.
pub type PlanAndBlobs = (Plan, Vec<Vec<u8>>);

impl Plan {
    /// Reads back what [`super::generate`] wrote: the plan, valid whatever the section holds, and the leaves' blobs.
    ///
    /// # Errors
    ///
    /// See [`PlanError`].
    pub fn from_module(wasm: &[u8]) -> Result<PlanAndBlobs, PlanError> {
        let mut plan: Option<Plan> = None;
        let mut blobs = Vec::new();
        for payload in Parser::new(0).parse_all(wasm) {
            let Payload::CustomSection(section) = payload? else {
                continue;
            };
            match section.name() {
                PLAN_SECTION => {
                    let (&version, encoded) =
                        section.data().split_first().ok_or(PlanError::Missing)?;
                    if version != VERSION {
                        return Err(PlanError::Version(version));
                    }
                    plan = Some(postcard::from_bytes(encoded)?);
                }
                LEAF_SECTION => blobs.push(section.data().to_vec()),
                _ => {}
            }
        }
        let mut plan = plan.ok_or(PlanError::Missing)?;
        plan.fix_up();
        Ok((plan, blobs))
    }

    /// Appends the sections that keep this plan.
    pub(super) fn append_to(&self, module: &mut Module, blobs: &[impl AsRef<[u8]>]) {
        let encoded = postcard::to_extend(self, vec![VERSION])
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
}
