//! Fuzzing: many cases, one after another or on several threads.
//!
//! A *case* is one generated module, run on every engine and compared
//! ([`CaseRunner`]). A *campaign* ([`campaign`]) runs case after case and folds
//! their reports, in order, into a [`Summary`]. Case `i` of a campaign is made of
//! the campaign's seed, `i`, and, if it is a mutant, of the corpus at the end of
//! the generation of cases before ([`Origin`]), so the number of jobs changes
//! nothing.
//!
//! The bodies of the fuzz targets are here too ([`differential`] and its like),
//! so that they can be tested without a fuzzing engine.

mod behaviour;
mod campaign;
mod case;
mod corpus;
mod crossing;
mod instruction;
mod lineup;
mod linkage;
mod operator;
mod script;
mod stats;
mod summary;
mod target;

pub use behaviour::Behaviour;
pub use campaign::{
    Executor, Found, InProcess, Limits, Lost, Progress, campaign, case_seed, caught,
};
pub use case::{
    CaseReport, CaseRunner, Compared, Finding, INSTRUCTION_BOUND, Nanoseconds, Stages, case_module,
    is_traced, out_of_instructions,
};
pub use corpus::{Origin, Share as MutantShare, Strategy};
pub(crate) use crossing::crossings;
pub use crossing::{KINDS, WAYS};
pub use instruction::Instruction;
pub use lineup::DRAWN;
pub use linkage::Linkage;
pub use operator::ProposalCount;
pub use script::{SCRIPT, ScriptRunner};
pub use summary::{Executed, LeafCoverage, OutcomeCount, Share, Summary};
#[cfg(feature = "wasmtime")]
pub use target::wasmtime;
pub use target::{compile, configs, cross_over, differential, mutate, oracle, oracle_bytes, wasmi};
