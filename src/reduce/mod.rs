//! Makes a module that shows a difference as small as it can, without losing the difference.
//!
//! [`reduce`] tries one change after another and keeps each that makes the module smaller while a [`Judge`] still sees the
//! same [`Signature`]. A module with a plan is first reduced by its plan, which is quick and keeps it meaningful; then, as any
//! other, by what it consists of: bodies, ranges of operators, blocks, constants, clauses, locals, elements, functions that are called
//! once, supertypes, fields, and everything that nothing refers to any more. Every candidate is validated before it is judged, so the result is valid if the input is.
//!
//! The steps depend on the module and on the judgements alone: only a time limit ends a reduction at a point that depends on
//! the clock, and [`Reduced::finished`] tells.

pub(crate) mod body;
mod inline;
mod items;
mod marks;
mod measure;
pub(crate) mod module;
mod operators;
mod plan;
mod state;
mod types;

pub use marks::marked;
pub use measure::Measure;

use crate::fuzzing::Lost;
use crate::report::Signature;
use state::{Ended, Part, State};

/// Says what a module shows.
pub trait Judge {
    /// The signature of the finding that the module is; `None` if it is none.
    ///
    /// # Errors
    ///
    /// [`Lost`], if no module can be judged any more.
    fn judge(&mut self, wasm: &[u8]) -> Result<Option<Signature>, Lost>;
}

/// Is told how a reduction goes, and can end it.
pub trait Progress {
    /// Called before each step, with the number of judgements so far and the measure of the smallest module so far. Most steps
    /// lead to a judgement, but many may not.
    /// The reduction ends if this returns `false`.
    fn step(&mut self, judged: u64, best: Measure) -> bool;
}

/// The result of a reduction.
#[derive(Clone, Debug)]
pub struct Reduced {
    /// The smallest module that was found.
    pub wasm: Vec<u8>,
    /// What it shows: the same as the input.
    pub signature: Signature,
    /// The measure of the input.
    pub before: Measure,
    /// The measure of the result.
    pub after: Measure,
    /// How many candidates were judged.
    pub judged: u64,
    /// Whether no step makes it smaller; otherwise the reduction was ended from outside.
    pub finished: bool,
}

/// Why a module cannot be reduced.
#[derive(Debug, thiserror::Error)]
pub enum ReduceError {
    /// It shows nothing.
    #[error("the engines agree on the module: there is nothing to reduce")]
    NoFinding,
    /// It is not valid, which is the whole finding: there is nothing in it to take away step by step.
    #[error("the module is not valid: {0}")]
    Invalid(#[from] wasmparser::Error),
    /// No module can be judged.
    #[error(transparent)]
    Lost(#[from] Lost),
}

/// Reduces a module.
///
/// # Errors
///
/// [`ReduceError`], if there is nothing to reduce or nobody to judge.
pub fn reduce(
    wasm: &[u8],
    judge: &mut dyn Judge,
    progress: &mut dyn Progress,
) -> Result<Reduced, ReduceError> {
    let before = Measure::of(wasm)?;
    module::validate_all(wasm)?;
    let signature = judge.judge(wasm)?.ok_or(ReduceError::NoFinding)?;
    let mut state = State::new(wasm, before, signature.clone(), judge, progress);
    let finished = match stages(&mut state) {
        Ok(()) => true,
        Err(Ended::Stopped) => false,
        Err(Ended::Lost(lost)) => return Err(lost.into()),
    };
    Ok(Reduced {
        before,
        after: state.measure(),
        judged: state.judged(),
        wasm: state.into_best(),
        signature,
        finished,
    })
}

fn stages(state: &mut State<'_>) -> Result<(), Ended> {
    plan::reduce(state)?;
    items::strip(state)?;
    items::unlink(state)?;
    for part in [Part::Main, Part::Provider] {
        if state.turn_to(part) {
            operators::bodies(state)?;
        }
    }
    loop {
        let before = state.measure();
        for part in [Part::Main, Part::Provider] {
            if state.turn_to(part) {
                items::reduce(state)?;
                operators::ranges(state)?;
                operators::blocks(state)?;
                operators::details(state)?;
                operators::elements(state)?;
                inline::reduce(state)?;
                types::reduce(state)?;
            }
        }
        state.turn_to(Part::Main);
        items::unlink(state)?;
        if state.measure() == before {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests;
