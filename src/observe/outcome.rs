//! How an instantiation or a call ended.

use super::event::Location;
use super::value::{Value, write_list};
use serde::{Serialize, Serializer};
use std::fmt;

/// The end of an instantiation or a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Outcome {
    /// It returned these values; instantiation returns none.
    Returned {
        /// The results.
        values: Vec<Value>,
    },
    /// It trapped.
    Trapped {
        /// The trap.
        trap: TrapKind,
        /// The instruction that trapped, where the engine knows it.
        #[serde(skip_serializing_if = "Option::is_none")]
        at: Option<Location>,
    },
    /// An exception reached the host.
    Threw {
        /// The store address of the exception's tag.
        tag: u32,
        /// The exception's payload.
        values: Vec<Value>,
    },
    /// A suspension (or a switch) found no handler up to the host.
    Suspended {
        /// The store address of the tag, where the engine knows it.
        #[serde(skip_serializing_if = "Option::is_none")]
        tag: Option<u32>,
    },
    /// A limit of the engine was reached; nothing is known beyond it.
    Exhausted {
        /// The limit, as the engine names it.
        what: String,
    },
    /// The module is not valid.
    Rejected {
        /// The validator's message.
        message: String,
        /// Where in the binary, in bytes.
        offset: Option<u64>,
    },
    /// An import is missing or does not match.
    Unlinkable {
        /// What does not fit.
        message: String,
    },
    /// The module uses a feature that the engine does not have.
    Unsupported {
        /// What, and where.
        message: String,
    },
    /// The engine or its adapter failed: never the module's doing.
    Failed {
        /// What went wrong.
        message: String,
    },
}

impl Outcome {
    /// The outcome's kind, as in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Outcome::Returned { .. } => "returned",
            Outcome::Trapped { .. } => "trapped",
            Outcome::Threw { .. } => "threw",
            Outcome::Suspended { .. } => "suspended",
            Outcome::Exhausted { .. } => "exhausted",
            Outcome::Rejected { .. } => "rejected",
            Outcome::Unlinkable { .. } => "unlinkable",
            Outcome::Unsupported { .. } => "unsupported",
            Outcome::Failed { .. } => "failed",
        }
    }

    /// Whether a limit of the engine was reached.
    pub fn is_exhausted(&self) -> bool {
        matches!(self, Outcome::Exhausted { .. })
    }

    /// What keeps a comparison from going on, if that is how it ended: a limit of the engine, or something in the middle of a call
    /// that the engine does not have.
    pub(crate) fn cut(&self) -> Option<&str> {
        match self {
            Outcome::Exhausted { what } => Some(what),
            Outcome::Unsupported { message } => Some(message),
            _ => None,
        }
    }

    /// Whether the end is an ordinary one.
    pub fn is_returned(&self) -> bool {
        matches!(self, Outcome::Returned { .. })
    }

    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut Value> {
        let values: &mut [Value] = match self {
            Outcome::Returned { values } | Outcome::Threw { values, .. } => values,
            _ => &mut [],
        };
        values.iter_mut()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Returned { values } => {
                write!(f, "returned ")?;
                write_list(f, values)
            }
            Outcome::Trapped { trap, at } => {
                write!(f, "trapped: {trap}")?;
                match at {
                    Some(at) => write!(f, " ({at})"),
                    None => Ok(()),
                }
            }
            Outcome::Threw { tag, values } => {
                write!(f, "threw tag {tag} ")?;
                write_list(f, values)
            }
            Outcome::Suspended { tag: Some(tag) } => {
                write!(f, "suspended with tag {tag}, unhandled")
            }
            Outcome::Suspended { tag: None } => write!(f, "suspended, unhandled"),
            Outcome::Exhausted { what } => write!(f, "exhausted: {what}"),
            Outcome::Rejected { message, offset } => {
                write!(f, "rejected: {message}")?;
                match offset {
                    Some(offset) => write!(f, " (at offset {offset:#x})"),
                    None => Ok(()),
                }
            }
            Outcome::Unlinkable { message } => write!(f, "unlinkable: {message}"),
            // An engine's message starts with "not supported" by itself.
            Outcome::Unsupported { message } => write!(f, "{message}"),
            Outcome::Failed { message } => write!(f, "failed: {message}"),
        }
    }
}

impl std::error::Error for Outcome {}

/// Declares [`TrapKind`] with each kind's text, and the list of all kinds.
macro_rules! trap_kinds {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// The kinds of traps; each displays as the text of the official test
        /// suite.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum TrapKind {
            $($(#[$doc])* $name,)*
        }

        impl TrapKind {
            /// All kinds.
            pub const ALL: &[TrapKind] = &[$(TrapKind::$name,)*];

            /// The text of the official test suite.
            pub fn text(self) -> &'static str {
                match self {
                    $(TrapKind::$name => $text,)*
                }
            }
        }
    };
}

trap_kinds! {
    /// `unreachable` was executed.
    Unreachable = "unreachable",
    /// An access outside a memory.
    MemoryOutOfBounds = "out of bounds memory access",
    /// An access outside a table.
    TableOutOfBounds = "out of bounds table access",
    /// `call_indirect` with an index outside the table.
    UndefinedElement = "undefined element",
    /// `call_indirect` of a null element.
    UninitializedElement = "uninitialized element",
    /// `call_indirect` of a function of another type.
    IndirectCallTypeMismatch = "indirect call type mismatch",
    /// An integer division by zero.
    IntegerDivideByZero = "integer divide by zero",
    /// An integer overflow in a division or a conversion.
    IntegerOverflow = "integer overflow",
    /// A conversion of NaN to an integer.
    InvalidConversionToInteger = "invalid conversion to integer",
    /// `ref.as_non_null` of null.
    NullReference = "null reference",
    /// A call of, or a continuation made from, a null function reference.
    NullFunctionReference = "null function reference",
    /// A null continuation reference.
    NullContinuationReference = "null continuation reference",
    /// A null exception reference.
    NullExceptionReference = "null exception reference",
    /// A continuation that was resumed, bound or switched to before.
    ContinuationConsumed = "continuation already consumed",
    /// A failed cast.
    CastFailure = "cast failure",
    /// An access through a null structure reference.
    NullStructureReference = "null structure reference",
    /// An access through a null array reference.
    NullArrayReference = "null array reference",
    /// A read of a null `i31` reference.
    NullI31Reference = "null i31 reference",
    /// An access outside an array.
    ArrayOutOfBounds = "out of bounds array access",
    /// An access outside a table or a `call_indirect` with such an index, of an engine that does not tell which.
    TableOrElement = "undefined element or out of bounds table access",
    /// Some use of a null reference, of an engine that does not tell which.
    AnyNull = "null reference of some type",
}

impl TrapKind {
    /// Whether two kinds are the same, as far as both are known.
    pub fn agrees(self, other: TrapKind) -> bool {
        self == other || self.covers(other) || other.covers(self)
    }

    /// Whether this is what an engine says that does not tell `other` from its like.
    fn covers(self, other: TrapKind) -> bool {
        use TrapKind::*;
        match self {
            TableOrElement => matches!(other, TableOutOfBounds | UndefinedElement),
            AnyNull => matches!(
                other,
                NullReference
                    | NullFunctionReference
                    | NullContinuationReference
                    | NullExceptionReference
                    | NullStructureReference
                    | NullArrayReference
                    | NullI31Reference
            ),
            _ => false,
        }
    }
}

impl fmt::Display for TrapKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl Serialize for TrapKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::TrapKind::*;

    #[test]
    fn a_kind_that_stands_for_several_agrees_with_each_of_them_and_no_other() {
        assert!(TableOrElement.agrees(UndefinedElement));
        assert!(TableOutOfBounds.agrees(TableOrElement));
        assert!(!TableOrElement.agrees(MemoryOutOfBounds));
        assert!(!TableOutOfBounds.agrees(UndefinedElement));
        assert!(AnyNull.agrees(NullContinuationReference));
        assert!(!AnyNull.agrees(ContinuationConsumed));
    }
}
