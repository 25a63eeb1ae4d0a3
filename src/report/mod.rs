//! Verdicts for people: what differs, and at which instruction.
//!
//! [`Report`] gathers what is worth knowing about a divergence, once; a format
//! only lays it out. There is a text format ([`text`]), a page for a browser
//! ([`html`]), which also shows the whole of both observations, and the JSON form
//! is the serialised report.

mod align;
mod describe;
pub mod html;
mod signature;
pub(crate) mod source;
pub mod text;

pub use signature::Signature;
pub use source::{Excerpt, Line, module_text};

use crate::compare::{Difference, Divergence, Opinion, Place, align, standing};
use crate::observe::{Event, Location, Observation, Outcome};
use serde::Serialize;

/// A divergence and everything around it that helps to understand it.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The divergence.
    #[serde(flatten)]
    pub divergence: Divergence,
    /// The instruction where it shows.
    pub instruction: Option<Instruction>,
    /// The events around it, side by side; empty without traces.
    pub events: Vec<Row>,
    /// How the instantiation or the call ended on each side, if the divergence
    /// is in one.
    pub outcomes: Option<[Outcome; 2]>,
    /// Whether both sides recorded a trace.
    pub traced: bool,
    /// What other engines say to it, where more than two were compared.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub opinions: Vec<Opinion>,
    /// A command that reproduces it, if there is one yet.
    pub reproduce: Option<String>,
}

/// An instruction in the module's text.
#[derive(Clone, Debug, Serialize)]
pub struct Instruction {
    /// Whether the divergence is at this instruction, or at some point after it.
    pub relation: Relation,
    /// Where it is in the binary.
    pub location: Location,
    /// The name of its function.
    pub function: String,
    /// The text around it; `None` if the module cannot be printed.
    pub excerpt: Option<Excerpt>,
}

/// How a divergence relates to the instruction that is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Relation {
    /// The instruction itself behaves differently.
    At,
    /// It is the last instruction before the difference that both sides agree
    /// on; the difference is in a step that no instruction takes.
    After,
}

/// One index of the two traces.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The index in the trace.
    pub index: usize,
    /// The left side's event.
    pub left: Option<Event>,
    /// The right side's event.
    pub right: Option<Event>,
    /// Whether this is the first difference.
    pub differs: bool,
}

/// How many events are shown before and after the first difference.
const BEFORE: usize = 6;
const AFTER: usize = 3;

impl Report {
    /// Explains a divergence between two observations of the module `wasm`.
    ///
    /// `reproduce` is the command that shows it again.
    pub fn new(
        wasm: &[u8],
        left: &Observation,
        right: &Observation,
        divergence: &Divergence,
        reproduce: Option<String>,
    ) -> Report {
        let (left, right) = &align(left, right);
        // Where only one side traced, its trace still tells how far the run was.
        let traced = if left.trace.is_some() { left } else { right };
        let last_event = match &divergence.difference {
            Difference::Event { index, .. } => Some(*index),
            _ => part(traced, &divergence.place).end.checked_sub(1),
        };
        Report {
            instruction: instruction(wasm, left, right, divergence, last_event),
            events: rows(left, right, divergence, last_event),
            outcomes: outcomes(left, right, &divergence.place),
            divergence: divergence.clone(),
            traced: left.trace.is_some() && right.trace.is_some(),
            opinions: Vec::new(),
            reproduce,
        }
    }

    /// The same report with what other engines say.
    #[must_use]
    pub fn with_opinions(self, opinions: Vec<Opinion>) -> Report {
        Report { opinions, ..self }
    }

    /// Who stands alone, a sentence for each thing that is known.
    fn standing(&self) -> Vec<String> {
        let Divergence { left, right, .. } = &self.divergence;
        standing(left, right, &self.opinions)
    }
}

/// The part of the left trace that belongs to the place.
fn part(observation: &Observation, place: &Place) -> std::ops::Range<usize> {
    match place {
        Place::Instantiation => 0..observation.start_events(),
        Place::Call { index, .. } => observation.calls[*index].events.clone(),
        Place::State | Place::LinkedState => 0..observation.trace.as_ref().map_or(0, Vec::len),
    }
}

fn outcomes(left: &Observation, right: &Observation, place: &Place) -> Option<[Outcome; 2]> {
    match place {
        Place::Instantiation => Some([left.instantiation.clone(), right.instantiation.clone()]),
        Place::Call { index, .. } => Some([
            left.calls[*index].outcome.clone(),
            right.calls[*index].outcome.clone(),
        ]),
        Place::State | Place::LinkedState => None,
    }
}

fn rows(
    left: &Observation,
    right: &Observation,
    divergence: &Divergence,
    last_event: Option<usize>,
) -> Vec<Row> {
    let (Some(center), Some(l), Some(r)) = (last_event, &left.trace, &right.trace) else {
        return Vec::new();
    };
    let differs = matches!(divergence.difference, Difference::Event { .. });
    // A side's trace of this part may be over before the other's: what follows
    // in the list then belongs to a later call and is not shown.
    let (end_left, end_right) = (
        part(left, &divergence.place).end,
        part(right, &divergence.place).end,
    );
    let start = center.saturating_sub(BEFORE);
    let end = (center + 1 + AFTER).min(end_left.max(end_right));
    let row = |index: usize| Row {
        index,
        left: l.get(index).filter(|_| index < end_left).cloned(),
        right: r.get(index).filter(|_| index < end_right).cloned(),
        differs: differs && index == center,
    };
    (start..end).map(row).collect()
}

fn instruction(
    wasm: &[u8],
    left: &Observation,
    right: &Observation,
    divergence: &Divergence,
    last_event: Option<usize>,
) -> Option<Instruction> {
    let (relation, location) = match at_difference(&divergence.difference) {
        Some(location) => (Relation::At, location),
        None => (Relation::After, last_known(left, right, last_event?)?),
    };
    let (function, excerpt) = source::explain(wasm, location);
    Some(Instruction {
        relation,
        location,
        function,
        excerpt,
    })
}

/// The place that the difference itself names. The right side is the reference,
/// so its word goes first.
fn at_difference(difference: &Difference) -> Option<Location> {
    let of_outcome = |outcome: &Outcome| match outcome {
        Outcome::Trapped { at, .. } => *at,
        _ => None,
    };
    match difference {
        Difference::Event { left, right, .. } => right
            .as_ref()
            .and_then(|e| e.at)
            .or(left.as_ref().and_then(|e| e.at)),
        Difference::Outcome { left, right } => of_outcome(right).or(of_outcome(left)),
        _ => None,
    }
}

/// The place of the last event up to `index` that knows its place.
fn last_known(left: &Observation, right: &Observation, index: usize) -> Option<Location> {
    let trace = right.trace.as_ref().or(left.trace.as_ref())?;
    let end = trace.len().min(index + 1);
    trace[..end].iter().rev().find_map(|event| event.at)
}

#[cfg(test)]
mod tests;
