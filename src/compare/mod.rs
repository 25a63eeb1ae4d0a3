//! Two observations of one case, and the verdict on them.
//!
//! The comparison finds the first difference in the order of execution: how
//! instantiation ended, then for each call its trace, then its outcome, then
//! the state at the end. It does not look at text or binary of the module:
//! `report` does, to explain.

mod divergence;
mod opinion;

pub use divergence::{ByteDifference, Difference, Divergence, Kind, Place};
pub use opinion::{Opinion, Side, standing};

use crate::observe::{Event, Observation, Outcome, State, TraceScope, Value};
use serde::Serialize;
use std::borrow::Cow;

/// What two observations of one case say about the engines.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "verdict", rename_all = "lowercase")]
pub enum Verdict {
    /// No difference, as far as could be compared.
    Agree {
        /// The limit that ended the comparison early, if one did.
        #[serde(skip_serializing_if = "Option::is_none")]
        cut: Option<Cut>,
    },
    /// A difference.
    Diverge(Box<Divergence>),
    /// There was nothing to compare.
    Discard(Discard),
}

/// Where a limit ended a comparison, or something that an engine does not have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cut {
    /// The engine that reached the limit (the left one, if both did).
    pub engine: String,
    /// The limit, or what is not supported.
    pub what: String,
    /// The index of the call that met it.
    pub call: usize,
}

/// Why a case says nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Discard {
    /// The reason, for counting.
    pub reason: DiscardReason,
    /// The engine that said so (the left one, if both did).
    pub engine: String,
    /// What it said.
    pub message: String,
}

/// The reasons to discard a case.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum DiscardReason {
    /// Both engines reject the module.
    Rejected,
    /// Both engines find an import that the standard host cannot supply.
    Unlinkable,
    /// One engine does not have a feature that the module uses.
    Unsupported,
    /// One engine reached a limit before anything could be compared.
    Exhausted,
    /// Both engines failed by themselves.
    Failed,
}

impl std::fmt::Display for DiscardReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            DiscardReason::Rejected => "rejected",
            DiscardReason::Unlinkable => "unlinkable",
            DiscardReason::Unsupported => "unsupported",
            DiscardReason::Exhausted => "exhausted",
            DiscardReason::Failed => "failed",
        })
    }
}

/// Compares two observations of the same case. By custom the engine under test
/// is on the left and the reference on the right.
///
/// Traces are compared if both sides have one, as far as both record the events;
/// locations if both know them. Messages of engines are never compared.
pub fn compare(left: &Observation, right: &Observation) -> Verdict {
    let (left, right) = &align(left, right);
    let (left, right) = (left.as_ref(), right.as_ref());
    if let Some(discard) = discard(left, right) {
        return Verdict::Discard(discard);
    }
    let diverge = |place: Place, difference: Difference| {
        Verdict::Diverge(Box::new(Divergence::new(left, right, place, difference)))
    };

    let (l, r) = (&left.instantiation, &right.instantiation);
    let start = (
        events(left, 0..left.start_events()),
        events(right, 0..right.start_events()),
    );
    match step(start, 0, l, r) {
        Step::Same if l.is_returned() => {}
        Step::Same => return Verdict::Agree { cut: None },
        Step::Differs(difference) => return diverge(Place::Instantiation, difference),
        Step::Cut => {
            let (engine, outcome) = first(left, right, l, r, Outcome::is_exhausted);
            return Verdict::Discard(Discard {
                reason: DiscardReason::Exhausted,
                engine,
                message: outcome.to_string(),
            });
        }
    }

    for (index, (lc, rc)) in left.calls.iter().zip(&right.calls).enumerate() {
        let base = lc.events.start;
        let both = (
            events(left, lc.events.clone()),
            events(right, rc.events.clone()),
        );
        match step(both, base, &lc.outcome, &rc.outcome) {
            Step::Same => {}
            Step::Differs(difference) => {
                let place = Place::Call {
                    index,
                    export: lc.export.clone(),
                };
                return diverge(place, difference);
            }
            Step::Cut => {
                let (l, r) = (&lc.outcome, &rc.outcome);
                let (engine, outcome) = first(left, right, l, r, |o| o.cut().is_some());
                let what = outcome.cut().expect("one of them ended the comparison");
                return Verdict::Agree {
                    cut: Some(Cut {
                        engine,
                        what: what.to_owned(),
                        call: index,
                    }),
                };
            }
        }
    }

    for (place, l, r) in states(left, right) {
        if let Some(difference) = state(l, r).into_iter().next() {
            return diverge(place, difference);
        }
    }
    Verdict::Agree { cut: None }
}

/// Two observations with the events that both engines record: where one records
/// less than the other, the other's trace is reduced. The indices of a difference
/// are those of the reduced traces.
pub fn align<'a>(
    left: &'a Observation,
    right: &'a Observation,
) -> (Cow<'a, Observation>, Cow<'a, Observation>) {
    let reduce = |side: &'a Observation, other: &Observation| {
        let wide = side.scope == TraceScope::All && side.trace.is_some();
        if wide && other.trace.is_some() && other.scope == TraceScope::HostCalls {
            Cow::Owned(side.host_calls_only())
        } else {
            Cow::Borrowed(side)
        }
    };
    (reduce(left, right), reduce(right, left))
}

/// Whether the case says nothing from the start.
fn discard(left: &Observation, right: &Observation) -> Option<Discard> {
    let (l, r) = (&left.instantiation, &right.instantiation);
    let unsupported = |o: &Outcome| matches!(o, Outcome::Unsupported { .. });
    let reason = match (l, r) {
        (Outcome::Rejected { .. }, Outcome::Rejected { .. }) => DiscardReason::Rejected,
        // A side that rejects has seen more than one that gave up on a feature,
        // but which of the two mistakes it would be is not known.
        _ if unsupported(l) || unsupported(r) => DiscardReason::Unsupported,
        (Outcome::Unlinkable { .. }, Outcome::Unlinkable { .. }) => DiscardReason::Unlinkable,
        (Outcome::Failed { .. }, Outcome::Failed { .. }) => DiscardReason::Failed,
        _ => return None,
    };
    let (engine, outcome) = match reason {
        DiscardReason::Unsupported => first(left, right, l, r, unsupported),
        _ => (left.engine.clone(), l),
    };
    Some(Discard {
        reason,
        engine,
        message: outcome.to_string(),
    })
}

/// The first side whose outcome satisfies `is`; the right one otherwise.
fn first<'a>(
    left: &Observation,
    right: &Observation,
    l: &'a Outcome,
    r: &'a Outcome,
    is: impl Fn(&Outcome) -> bool,
) -> (String, &'a Outcome) {
    if is(l) {
        (left.engine.clone(), l)
    } else {
        (right.engine.clone(), r)
    }
}

/// The result of comparing one call, or the instantiation.
enum Step {
    Same,
    /// One side reached a limit or met what it does not have; nothing after it can be compared.
    Cut,
    Differs(Difference),
}

fn events(observation: &Observation, range: std::ops::Range<usize>) -> Option<&[Event]> {
    observation.trace.as_ref().map(|trace| &trace[range])
}

fn step(
    events: (Option<&[Event]>, Option<&[Event]>),
    base: usize,
    left: &Outcome,
    right: &Outcome,
) -> Step {
    if let (Some(l), Some(r)) = events {
        for index in 0..l.len().max(r.len()) {
            let (l, r) = (l.get(index), r.get(index));
            let same = match (l, r) {
                (Some(l), Some(r)) => same_event(l, r),
                // A side that reached a limit has no more to say.
                (None, Some(_)) if left.cut().is_some() => break,
                (Some(_), None) if right.cut().is_some() => break,
                _ => false,
            };
            if !same {
                return Step::Differs(Difference::Event {
                    index: base + index,
                    left: l.cloned(),
                    right: r.cloned(),
                });
            }
        }
    }
    if left.cut().is_some() || right.cut().is_some() {
        return Step::Cut;
    }
    if same_outcome(left, right) {
        return Step::Same;
    }
    Step::Differs(Difference::Outcome {
        left: left.clone(),
        right: right.clone(),
    })
}

/// Whether two events are the same; where only one side knows the place, that
/// is no difference.
pub(crate) fn same_event(left: &Event, right: &Event) -> bool {
    left.kind == right.kind && same_where_known(left.at, right.at)
}

pub(crate) fn same_outcome(left: &Outcome, right: &Outcome) -> bool {
    match (left, right) {
        (Outcome::Trapped { trap: l, at: la }, Outcome::Trapped { trap: r, at: ra }) => {
            l.agrees(*r) && same_where_known(*la, *ra)
        }
        (Outcome::Unlinkable { .. }, Outcome::Unlinkable { .. })
        | (Outcome::Rejected { .. }, Outcome::Rejected { .. })
        | (Outcome::Failed { .. }, Outcome::Failed { .. }) => true,
        (Outcome::Returned { values: l }, Outcome::Returned { values: r }) => same_values(l, r),
        (Outcome::Suspended { tag: l }, Outcome::Suspended { tag: r }) => same_where_known(*l, *r),
        (Outcome::Threw { tag: l, values: lv }, Outcome::Threw { tag: r, values: rv }) => {
            l == r && same_values(lv, rv)
        }
        _ => left == right,
    }
}

fn same_values(left: &[Value], right: &[Value]) -> bool {
    left.len() == right.len() && left.iter().zip(right).all(|(l, r)| l.agrees(*r))
}

fn same_where_known<T: PartialEq>(left: Option<T>, right: Option<T>) -> bool {
    match (left, right) {
        (Some(l), Some(r)) => l == r,
        _ => true,
    }
}

/// The states that both observations have, and where that is: that of the module, then that of its provider.
pub(crate) fn states<'a>(
    left: &'a Observation,
    right: &'a Observation,
) -> impl Iterator<Item = (Place, &'a State, &'a State)> {
    let own = left.state.as_ref().zip(right.state.as_ref());
    let linked = left.linked.as_ref().zip(right.linked.as_ref());
    let own = own.map(|(l, r)| (Place::State, l, r));
    own.into_iter()
        .chain(linked.map(|(l, r)| (Place::LinkedState, l, r)))
}

/// The differences between two states, in the order of [`State`]'s fields. A table
/// or memory whose size differs is not looked into.
pub(crate) fn state(left: &State, right: &State) -> Vec<Difference> {
    let mut all = Vec::new();
    for (index, (l, r)) in left.globals.iter().zip(&right.globals).enumerate() {
        if !l.agrees(*r) {
            all.push(Difference::Global {
                index,
                left: *l,
                right: *r,
            });
        }
    }
    for (index, (l, r)) in left.memories.iter().zip(&right.memories).enumerate() {
        if l.pages != r.pages {
            all.push(Difference::MemorySize {
                index,
                left: l.pages,
                right: r.pages,
            });
        } else if l.hash != r.hash {
            let bytes = l.differences(r).take(16).map(|address| ByteDifference {
                address,
                left: l.byte(address),
                right: r.byte(address),
            });
            all.push(Difference::MemoryBytes {
                index,
                count: l.differences(r).count(),
                first: bytes.collect(),
            });
        }
    }
    for (index, (l, r)) in left.tables.iter().zip(&right.tables).enumerate() {
        if l.size != r.size {
            all.push(Difference::TableSize {
                index,
                left: l.size,
                right: r.size,
            });
            continue;
        }
        let elements = l.elements.len().max(r.elements.len());
        let differing = (0..elements).filter(|&i| !l.element(i).agrees(r.element(i)));
        all.extend(differing.map(|element| Difference::TableElement {
            index,
            element,
            left: l.element(element),
            right: r.element(element),
        }));
    }
    let continuations = left.continuations.iter().zip(&right.continuations);
    for (l, r) in continuations {
        let same = same_where_known(l.consumed, r.consumed);
        if !same || !l.value().agrees(r.value()) {
            all.push(Difference::Continuation {
                left: *l,
                right: *r,
            });
        }
    }
    // Both sides describe the same module, so equal parts mean equal lengths;
    // an engine that leaves something out is caught here.
    let shape = |s: &State| {
        [
            s.globals.len(),
            s.memories.len(),
            s.tables.len(),
            s.continuations.len(),
        ]
    };
    if shape(left) != shape(right) {
        all.push(Difference::Shape {
            left: shape(left),
            right: shape(right),
        });
    }
    all
}

#[cfg(test)]
mod tests;
