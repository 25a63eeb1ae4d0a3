//! What a run showed, in small parts: each worth a place in the corpus to the first case that shows it.
//!
//! A behaviour is how a call ended, or a pair of consecutive events of the trace with their circumstances. Numbers in them are put
//! into few classes, so that the number of all behaviours has a bound and a campaign can know them.

use crate::observe::{Event, EventKind, Observation, Outcome, Value};
use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};
use xxhash_rust::xxh3::Xxh3;

/// A behaviour, by a hash of what it is: the same on every machine.
pub type Behaviour = u32;

/// The behaviours of a run.
pub(super) fn behaviours(observation: &Observation) -> BTreeSet<Behaviour> {
    let mut found = BTreeSet::new();
    let trace = observation.trace.as_deref().unwrap_or_default();
    for (range, outcome) in observation.parts() {
        let events = &trace[range];
        let mut state = State::default();
        let mut previous = None;
        for event in events {
            let step = state.step(event);
            found.insert(hash(&(previous, &step)));
            previous = Some(step.kind);
        }
        found.insert(hash(&(previous, end(outcome))));
    }
    found
}

/// The circumstances of the last event.
#[derive(Default)]
struct State {
    depth: u32,
    tag: Option<u32>,
}

/// An event as far as behaviours tell it from others.
#[derive(Hash)]
struct Step {
    kind: &'static str,
    /// Stacks in the running chain.
    depth: u32,
    /// Handler lists that were passed over, and the clause that was taken.
    handler: (u32, u32),
    /// Values that it carries.
    values: u32,
    /// It has the tag that the event with a tag before it had.
    same_tag: bool,
    /// The trap, of traps.
    text: &'static str,
}

impl State {
    fn step(&mut self, event: &Event) -> Step {
        let kind = &event.kind;
        let (mut handler, mut text) = ((0, 0), "");
        let mut carried: &[Value] = &[];
        let mut tagged = None;
        match kind {
            EventKind::New { .. } => {}
            EventKind::Bind { values, .. }
            | EventKind::HostCall { values, .. }
            | EventKind::HostReturn { values, .. } => carried = values,
            EventKind::Resume { values, depth, .. } | EventKind::Return { values, depth } => {
                self.depth = *depth;
                carried = values;
            }
            EventKind::ResumeThrow {
                tag, values, depth, ..
            } => {
                self.depth = *depth;
                tagged = Some(*tag);
                carried = values;
            }
            EventKind::Suspend {
                tag,
                values,
                distance,
                clause,
                ..
            } => {
                self.depth = self.depth.saturating_sub(distance + 1);
                tagged = Some(*tag);
                carried = values;
                handler = (class(*distance), class(*clause));
            }
            EventKind::Switch {
                tag,
                values,
                distance,
                ..
            } => {
                tagged = Some(*tag);
                carried = values;
                handler.0 = class(*distance);
            }
            EventKind::Unhandled { tag, values } | EventKind::Throw { tag, values } => {
                tagged = Some(*tag);
                carried = values;
            }
            EventKind::Unwind { tag } => {
                self.depth = self.depth.saturating_sub(1);
                tagged = Some(*tag);
            }
            EventKind::Catch { tag, clause } => {
                tagged = Some(*tag);
                handler.1 = class(*clause);
            }
            EventKind::Trap { kind } => text = kind.text(),
        }
        let same_tag = tagged.is_some() && tagged == self.tag;
        self.tag = tagged.or(self.tag);
        Step {
            kind: kind.name(),
            depth: class(self.depth),
            handler,
            values: class(carried.len() as u32),
            same_tag,
            text,
        }
    }
}

/// A number by its size: exact up to 2, then by powers of four.
fn class(number: u32) -> u32 {
    match number {
        0..=2 => number,
        3..=7 => 3,
        8..=31 => 4,
        _ => 5,
    }
}

fn end(outcome: &Outcome) -> (&'static str, &'static str, u32) {
    let (text, values) = match outcome {
        Outcome::Trapped { trap, .. } => (trap.text(), 0),
        Outcome::Returned { values } | Outcome::Threw { values, .. } => ("", values.len()),
        _ => ("", 0),
    };
    (outcome.name(), text, class(values as u32))
}

fn hash(what: &impl Hash) -> Behaviour {
    let mut hasher = Xxh3::new();
    what.hash(&mut hasher);
    hasher.finish() as Behaviour
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::{Call, TrapKind};

    fn observation(kinds: Vec<EventKind>, outcome: Outcome) -> Observation {
        let trace: Vec<Event> = kinds
            .into_iter()
            .map(|kind| Event { kind, at: None })
            .collect();
        Observation {
            engine: "oracle".to_owned(),
            instantiation: Outcome::Returned { values: vec![] },
            calls: vec![Call {
                export: "run".to_owned(),
                outcome,
                events: 0..trace.len(),
                backtrace: Vec::new(),
            }],
            trace: Some(trace),
            scope: Default::default(),
            state: None,
            linked: None,
            ended_in_provider: false,
        }
    }

    fn suspend(cont: u64, tag: u32, distance: u32) -> EventKind {
        EventKind::Suspend {
            tag,
            values: vec![Value::I32(cont as i32)],
            cont,
            distance,
            clause: 0,
        }
    }

    fn returned() -> Outcome {
        Outcome::Returned { values: vec![] }
    }

    #[test]
    fn numbers_of_continuations_and_values_make_no_difference_but_distances_do() {
        let of = |kinds| behaviours(&observation(kinds, returned()));
        let resume = |cont| EventKind::Resume {
            cont,
            values: vec![],
            depth: 2,
        };
        let one = of(vec![resume(1), suspend(2, 0, 0)]);
        // The instantiation, two events, the end.
        assert_eq!(one.len(), 4);
        assert_eq!(one, of(vec![resume(8), suspend(9, 5, 0)]));
        assert_ne!(one, of(vec![resume(1), suspend(2, 0, 1)]));
    }

    #[test]
    fn the_order_of_events_and_the_end_of_a_call_make_a_difference() {
        let new = |cont| EventKind::New { cont, function: 0 };
        let of = |kinds, outcome| behaviours(&observation(kinds, outcome));
        let forth = of(vec![new(1), suspend(2, 0, 0)], returned());
        let back = of(vec![suspend(2, 0, 0), new(1)], returned());
        assert_ne!(forth, back);
        let trapped = |trap| Outcome::Trapped { trap, at: None };
        let kinds = || vec![new(1)];
        let (null, consumed) = (
            of(kinds(), trapped(TrapKind::NullContinuationReference)),
            of(kinds(), trapped(TrapKind::ContinuationConsumed)),
        );
        assert_eq!(null.intersection(&consumed).count(), 2);
        assert_ne!(null, consumed);
    }

    #[test]
    fn hashes_are_the_same_everywhere() {
        assert_eq!(hash(&(Some("New"), 7u32)), hash(&(Some("New"), 7u32)));
        assert_eq!(hash(&"Resume"), 3569763519);
    }
}
