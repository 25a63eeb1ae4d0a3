//! The events of a trace: the steps of stack switching, of exceptions and of
//! host calls, in the order in which they happen.

use super::TrapKind;
use super::value::{Value, write_list};
use serde::Serialize;
use std::fmt;

/// Where an instruction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Location {
    /// The index of the function in its module, imports included.
    pub function: u32,
    /// The offset of the instruction's first byte in the module's binary.
    pub offset: u32,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "function {}, offset {:#x}", self.function, self.offset)
    }
}

/// Which events an engine records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TraceScope {
    /// All of them.
    #[default]
    All,
    /// Calls of host functions and their returns: what can be seen from outside of an engine.
    HostCalls,
}

impl TraceScope {
    pub(super) fn is_all(&self) -> bool {
        *self == TraceScope::All
    }

    /// Whether an event is in the scope.
    pub fn records(self, event: &Event) -> bool {
        match self {
            TraceScope::All => true,
            TraceScope::HostCalls => matches!(
                event.kind,
                EventKind::HostCall { .. } | EventKind::HostReturn { .. }
            ),
        }
    }
}

/// One step and where it was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Event {
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
    /// The instruction that did it, for steps that an instruction takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Location>,
}

/// What happened in one step.
///
/// Functions and tags are store addresses, continuations their numbers.
/// `depth` is the number of stacks in the running chain after the step, where
/// the stack of the innermost host entry counts 1. `distance` is the number of
/// handler lists passed over, `clause` an index into the handler list that was
/// taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event")]
#[allow(missing_docs, reason = "the fields are explained once, above")]
pub enum EventKind {
    /// `cont.new` made continuation `cont`, which will start `function`.
    New { cont: u64, function: u32 },
    /// `cont.bind` consumed `from` and made `to`; `values` are the newly bound.
    Bind {
        from: u64,
        to: u64,
        values: Vec<Value>,
    },
    /// `resume` goes on with `cont`; `values` are those of this instruction.
    Resume {
        cont: u64,
        values: Vec<Value>,
        depth: u32,
    },
    /// `resume_throw` or `resume_throw_ref` throws into `cont`; the depth is
    /// that before the exception unwinds anything.
    ResumeThrow {
        cont: u64,
        tag: u32,
        values: Vec<Value>,
        depth: u32,
    },
    /// `suspend` captured `cont` and found a handler.
    Suspend {
        tag: u32,
        values: Vec<Value>,
        cont: u64,
        distance: u32,
        clause: u32,
    },
    /// `switch` consumed `target` and captured the switcher as `cont`; `values`
    /// are without the reference to it.
    Switch {
        tag: u32,
        target: u64,
        values: Vec<Value>,
        cont: u64,
        distance: u32,
    },
    /// `suspend` or `switch` found no handler up to the host.
    Unhandled { tag: u32, values: Vec<Value> },
    /// A continuation's function returned to its resumer.
    Return { values: Vec<Value>, depth: u32 },
    /// An exception left a continuation to its resumer.
    Unwind { tag: u32 },
    /// `throw` or `throw_ref`.
    Throw { tag: u32, values: Vec<Value> },
    /// A `try_table` caught an exception with the `clause`-th of its catches.
    Catch { tag: u32, clause: u32 },
    /// A host function was called.
    HostCall { function: u32, values: Vec<Value> },
    /// A host function returned.
    HostReturn { function: u32, values: Vec<Value> },
    /// A trap.
    Trap { kind: TrapKind },
}

impl EventKind {
    /// The event's name, as in traces and JSON.
    pub fn name(&self) -> &'static str {
        match self {
            EventKind::New { .. } => "New",
            EventKind::Bind { .. } => "Bind",
            EventKind::Resume { .. } => "Resume",
            EventKind::ResumeThrow { .. } => "ResumeThrow",
            EventKind::Suspend { .. } => "Suspend",
            EventKind::Switch { .. } => "Switch",
            EventKind::Unhandled { .. } => "Unhandled",
            EventKind::Return { .. } => "Return",
            EventKind::Unwind { .. } => "Unwind",
            EventKind::Throw { .. } => "Throw",
            EventKind::Catch { .. } => "Catch",
            EventKind::HostCall { .. } => "HostCall",
            EventKind::HostReturn { .. } => "HostReturn",
            EventKind::Trap { .. } => "Trap",
        }
    }

    /// The values that the event carries.
    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut Value> {
        let values: &mut [Value] = match self {
            EventKind::Bind { values, .. }
            | EventKind::Resume { values, .. }
            | EventKind::ResumeThrow { values, .. }
            | EventKind::Suspend { values, .. }
            | EventKind::Switch { values, .. }
            | EventKind::Unhandled { values, .. }
            | EventKind::Return { values, .. }
            | EventKind::Throw { values, .. }
            | EventKind::HostCall { values, .. }
            | EventKind::HostReturn { values, .. } => values,
            EventKind::New { .. }
            | EventKind::Unwind { .. }
            | EventKind::Catch { .. }
            | EventKind::Trap { .. } => &mut [],
        };
        values.iter_mut()
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.name())?;
        match self {
            EventKind::New { cont, function } => write!(f, "cont {cont} of func {function}"),
            EventKind::Bind { from, to, values } => {
                write!(f, "cont {from} to cont {to} ")?;
                write_list(f, values)
            }
            EventKind::Resume {
                cont,
                values,
                depth,
            } => {
                write!(f, "cont {cont} ")?;
                write_list(f, values)?;
                write!(f, " depth {depth}")
            }
            EventKind::ResumeThrow {
                cont,
                tag,
                values,
                depth,
            } => {
                write!(f, "cont {cont} tag {tag} ")?;
                write_list(f, values)?;
                write!(f, " depth {depth}")
            }
            EventKind::Suspend {
                tag,
                values,
                cont,
                distance,
                clause,
            } => {
                write!(f, "tag {tag} ")?;
                write_list(f, values)?;
                write!(f, " as cont {cont} distance {distance} clause {clause}")
            }
            EventKind::Switch {
                tag,
                target,
                values,
                cont,
                distance,
            } => {
                write!(f, "tag {tag} to cont {target} ")?;
                write_list(f, values)?;
                write!(f, " as cont {cont} distance {distance}")
            }
            EventKind::Unhandled { tag, values } | EventKind::Throw { tag, values } => {
                write!(f, "tag {tag} ")?;
                write_list(f, values)
            }
            EventKind::Return { values, depth } => {
                write_list(f, values)?;
                write!(f, " depth {depth}")
            }
            EventKind::Unwind { tag } => write!(f, "tag {tag}"),
            EventKind::Catch { tag, clause } => write!(f, "tag {tag} clause {clause}"),
            EventKind::HostCall { function, values }
            | EventKind::HostReturn { function, values } => {
                write!(f, "func {function} ")?;
                write_list(f, values)
            }
            EventKind::Trap { kind } => write!(f, "{kind}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_flat_json_object() {
        let event = Event {
            kind: EventKind::Resume {
                cont: 2,
                values: vec![Value::I32(7)],
                depth: 3,
            },
            at: Some(Location {
                function: 1,
                offset: 64,
            }),
        };
        assert_eq!(
            serde_json::to_string(&event).unwrap(),
            r#"{"event":"Resume","cont":2,"values":[{"i32":7}],"depth":3,"at":{"function":1,"offset":64}}"#
        );
        assert_eq!(event.kind.to_string(), "Resume cont 2 (i32 7) depth 3");
    }
}
