//! A difference, where it is, and which kind it is of.

use crate::engines::Configuration;
use crate::observe::{Continuation, Event, Observation, Outcome, Value};
use serde::{Serialize, Serializer};
use std::fmt;

/// The first difference between two observations of one case.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Divergence {
    /// What kind of difference it is, for grouping and reducing.
    pub kind: Kind,
    /// The engine on the left: the one under test.
    pub left: String,
    /// The engine on the right: the reference.
    pub right: String,
    /// The configurations of the two, the left one first.
    #[serde(skip_serializing_if = "all_default", serialize_with = "displayed")]
    pub configurations: [Configuration; 2],
    /// In which part of the run it is.
    pub place: Place,
    /// The two sides.
    pub difference: Difference,
}

/// The part of a run in which a difference is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "in", rename_all = "lowercase")]
pub enum Place {
    /// Compilation, linking and the start function.
    Instantiation,
    /// A call.
    Call {
        /// The index of the call.
        index: usize,
        /// The export that was called.
        export: String,
    },
    /// The state after the last call.
    State,
    /// The state of the module's provider after the last call.
    #[serde(rename = "linked-state")]
    LinkedState,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Instantiation => write!(f, "instantiation"),
            Place::Call { index, export } => write!(f, "call {index} ({export:?})"),
            Place::State => write!(f, "the state after the last call"),
            Place::LinkedState => write!(f, "the linked module's state after the last call"),
        }
    }
}

/// What differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "of", rename_all = "kebab-case")]
#[allow(missing_docs, reason = "left and right are the two sides everywhere")]
pub enum Difference {
    /// The end of the instantiation or of the call.
    Outcome { left: Outcome, right: Outcome },
    /// An event; `None` where the side's trace of this call is over.
    Event {
        /// The index in the whole trace.
        index: usize,
        left: Option<Event>,
        right: Option<Event>,
    },
    /// A global.
    Global {
        index: usize,
        left: Value,
        right: Value,
    },
    /// The size of a memory, in pages.
    MemorySize { index: usize, left: u64, right: u64 },
    /// The content of a memory.
    MemoryBytes {
        index: usize,
        /// The number of bytes that differ.
        count: usize,
        /// The first of them, at most 16.
        first: Vec<ByteDifference>,
    },
    /// The size of a table.
    TableSize { index: usize, left: u64, right: u64 },
    /// An element of a table.
    TableElement {
        index: usize,
        element: usize,
        left: Value,
        right: Value,
    },
    /// A continuation that the state refers to.
    Continuation {
        left: Continuation,
        right: Continuation,
    },
    /// The numbers of globals, memories, tables and continuations.
    Shape { left: [usize; 4], right: [usize; 4] },
}

/// A byte of a memory that differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ByteDifference {
    /// Its address.
    pub address: usize,
    /// Its value on the left.
    pub left: u8,
    /// Its value on the right.
    pub right: u8,
}

/// The kind of a difference: equal for differences that are likely one bug, and
/// free of numbers that change when a case is reduced.
///
/// Examples: `event/Resume.depth`, `event/Suspend-Unhandled`,
/// `outcome/returned-trapped:unreachable`, `outcome/returned.values`,
/// `state/memory-bytes`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Kind(String);

impl Kind {
    /// A kind that no comparison finds, such as a crash of an engine.
    pub fn other(name: &str) -> Kind {
        Kind(name.to_owned())
    }

    /// The kind's name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn all_default(configurations: &[Configuration; 2]) -> bool {
    configurations.iter().all(Configuration::is_default)
}

fn displayed<S: Serializer>(
    configurations: &[Configuration; 2],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(configurations.iter().map(Configuration::to_string))
}

impl Divergence {
    /// The two engines for people, each with its configuration unless it is the default.
    pub fn sides(&self) -> [String; 2] {
        let [left, right] = &self.configurations;
        [left.label(&self.left), right.label(&self.right)]
    }

    pub(super) fn new(
        left: &Observation,
        right: &Observation,
        place: Place,
        difference: Difference,
    ) -> Divergence {
        Divergence {
            kind: Kind(kind(&difference)),
            left: left.engine.clone(),
            right: right.engine.clone(),
            configurations: Default::default(),
            place,
            difference,
        }
    }
}

fn kind(difference: &Difference) -> String {
    match difference {
        Difference::Outcome { left, right } => outcome_kind(left, right),
        Difference::Event { left, right, .. } => event_kind(left.as_ref(), right.as_ref()),
        Difference::Global { .. } => "state/global".to_owned(),
        Difference::MemorySize { .. } => "state/memory-size".to_owned(),
        Difference::MemoryBytes { .. } => "state/memory-bytes".to_owned(),
        Difference::TableSize { .. } => "state/table-size".to_owned(),
        Difference::TableElement { .. } => "state/table-element".to_owned(),
        Difference::Continuation { .. } => "state/continuation".to_owned(),
        Difference::Shape { .. } => "state/shape".to_owned(),
    }
}

fn outcome_kind(left: &Outcome, right: &Outcome) -> String {
    match (left, right) {
        (Outcome::Trapped { trap: l, .. }, Outcome::Trapped { trap: r, .. }) if l == r => {
            "outcome/trapped.at".to_owned()
        }
        (Outcome::Returned { .. }, Outcome::Returned { .. }) => {
            "outcome/returned.values".to_owned()
        }
        (Outcome::Threw { tag: l, .. }, Outcome::Threw { tag: r, .. }) if l == r => {
            "outcome/threw.values".to_owned()
        }
        (Outcome::Threw { .. }, Outcome::Threw { .. }) => "outcome/threw.tag".to_owned(),
        (Outcome::Suspended { .. }, Outcome::Suspended { .. }) => {
            "outcome/suspended.tag".to_owned()
        }
        _ => format!("outcome/{}-{}", outcome_label(left), outcome_label(right)),
    }
}

fn outcome_label(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Trapped { trap, .. } => format!("trapped:{trap}"),
        _ => outcome.name().to_owned(),
    }
}

fn event_kind(left: Option<&Event>, right: Option<&Event>) -> String {
    let name = |event: Option<&Event>| event.map_or("none", |e| e.kind.name());
    match (left, right) {
        (Some(l), Some(r)) if l.kind.name() == r.kind.name() => {
            format!("event/{}.{}", l.kind.name(), differing_field(l, r))
        }
        _ => format!("event/{}-{}", name(left), name(right)),
    }
}

/// The first field in which two events of the same kind differ, by its name in
/// JSON, so that fields are named in one place only. The place counts last: it
/// differs in nearly every divergence.
fn differing_field(left: &Event, right: &Event) -> String {
    let fields = |event: &Event| {
        let json = serde_json::to_value(event);
        json.expect("an event has string keys only")
    };
    let (left, right) = (fields(left), fields(right));
    let mut names = left.as_object().into_iter().flat_map(|o| o.keys());
    names
        .find(|name| *name != "at" && left.get(name) != right.get(name))
        .map_or_else(|| "at".to_owned(), |name| name.clone())
}
