//! What a run of a case shows: outcomes, trace and state.
//!
//! The types here are the toolkit's own. An engine's adapter translates into
//! them, so nothing in this module knows a specific engine. All of them
//! serialise to the JSON described in `docs/json.md`.
//!
//! This module does not judge: `compare` decides what is a difference.

mod digest;
mod drive;
mod event;
mod outcome;
pub(crate) mod stacks;
mod state;
mod value;

pub use digest::{Digest, Hasher};
pub use drive::{Execution, Run, Timing, observe, observe_call, run};
pub use event::{Event, EventKind, Location, TraceScope};
pub use outcome::{Outcome, TrapKind};
pub use state::{Continuation, Memory, State, Table};
pub use value::Value;

use serde::Serialize;
use std::ops::Range;

/// Everything that one engine showed on one case.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Observation {
    /// The engine's name in the registry.
    pub engine: String,
    /// How instantiation ended; the start function runs in it. Only after
    /// [`Outcome::Returned`] (without values) are there calls and a state.
    pub instantiation: Outcome,
    /// Whether it was the instantiation of the module's provider ([`crate::linked`]) that ended otherwise, so that that of the
    /// module was not tried. For scripts: not compared, and not part of the JSON or the digest.
    #[serde(skip)]
    pub ended_in_provider: bool,
    /// The calls, in export order.
    pub calls: Vec<Call>,
    /// All events in execution order; `None` if the engine did not trace.
    pub trace: Option<Vec<Event>>,
    /// Which events the engine records if it traces.
    #[serde(skip_serializing_if = "TraceScope::is_all")]
    pub scope: TraceScope,
    /// The state after the last call; `None` if there is no instance.
    pub state: Option<State>,
    /// The same of the module's provider ([`crate::linked`]), if it has one. What both share is in both.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub linked: Option<State>,
}

/// One call of an exported function.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Call {
    /// The name of the export.
    pub export: String,
    /// How the call ended.
    pub outcome: Outcome,
    /// The call's part of the trace, as indices into [`Observation::trace`];
    /// empty without a trace.
    pub events: Range<usize>,
    /// The functions that were active when the call trapped, innermost first,
    /// in an engine that tells. For people: not compared, and not part of the
    /// JSON or the digest.
    #[serde(skip)]
    pub backtrace: Vec<String>,
}

impl Observation {
    /// Number of events before the first call, that is in the start function.
    pub fn start_events(&self) -> usize {
        match (self.calls.first(), &self.trace) {
            (Some(call), _) => call.events.start,
            (None, Some(trace)) => trace.len(),
            (None, None) => 0,
        }
    }

    /// The same observation by an engine that records no events but calls of host functions.
    pub fn host_calls_only(&self) -> Observation {
        let mut reduced = self.clone();
        reduced.scope = TraceScope::HostCalls;
        let Some(trace) = &mut reduced.trace else {
            return reduced;
        };
        let kept = |event: &Event| TraceScope::HostCalls.records(event);
        // Where each event will be.
        let mut places = vec![0];
        for event in trace.iter() {
            places.push(places[places.len() - 1] + usize::from(kept(event)));
        }
        trace.retain(kept);
        for call in &mut reduced.calls {
            call.events = places[call.events.start]..places[call.events.end];
        }
        reduced
    }

    /// The parts of the run, the instantiation and then each call: which events are
    /// its, and how it ended.
    pub(crate) fn parts(&self) -> impl Iterator<Item = (Range<usize>, &Outcome)> {
        let start = (0..self.start_events(), &self.instantiation);
        let calls = self.calls.iter();
        let calls = calls.map(|call| (call.events.clone(), &call.outcome));
        std::iter::once(start).chain(calls)
    }

    /// Replaces every NaN in outcomes, trace and state by the canonical NaN of
    /// its type.
    ///
    /// The bits of a NaN are not determined by the specification (core
    /// specification, "NaN propagation"), so they are no difference. Bytes in
    /// memories stay as they are: what they mean is known to the module alone.
    pub fn canonicalise(&mut self) {
        self.instantiation
            .values_mut()
            .for_each(Value::canonicalise);
        for call in &mut self.calls {
            call.outcome.values_mut().for_each(Value::canonicalise);
        }
        for event in self.trace.iter_mut().flatten() {
            event.kind.values_mut().for_each(Value::canonicalise);
        }
        for state in self.state.iter_mut().chain(&mut self.linked) {
            state.values_mut().for_each(Value::canonicalise);
        }
    }
}
