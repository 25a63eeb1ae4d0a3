//! What can go wrong: [`Error`] and the exhaustive list of traps.
//!
//! Traps carry the texts of the official test suite, so that a script's expectation can
//! be compared with them directly.

use std::fmt;

use crate::externs::Tag;
use crate::value::Val;

/// Why a module was refused, or why an execution ended without results.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bytes are no valid module.
    #[error("invalid module: {message} (offset {offset:#x})")]
    Invalid {
        /// Byte offset in the module binary.
        offset: u64,
        /// wasmparser's words.
        message: String,
    },
    /// The module is valid, but uses something this crate does not execute.
    #[error("not supported: {feature} ({}offset {offset:#x})", function.map(|f| format!("function {f}, ")).unwrap_or_default())]
    Unsupported {
        /// The feature's name.
        feature: &'static str,
        /// Index of the function that uses it.
        function: Option<u32>,
        /// Byte offset in the module binary.
        offset: u64,
    },
    /// Imports do not match, or a host item was used with the wrong type.
    #[error("{0}")]
    Link(String),
    /// The program trapped.
    #[error("{0}")]
    Trap(Trap),
    /// An exception that nobody caught.
    #[error("uncaught exception")]
    Exception(Exception),
    /// A `suspend` or `switch` for which the host's entry had no handler.
    #[error("unhandled suspension")]
    Suspended(Tag),
    /// A limit of the interpreter was reached.
    #[error("{0} exhausted")]
    Exhausted(Exhausted),
    /// A host function failed.
    #[error("{0}")]
    Host(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// Wraps an error of a host function.
    pub fn host(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        Error::Host(error.into())
    }
}

impl From<wasmparser::Error> for Error {
    fn from(error: wasmparser::Error) -> Self {
        Error::Invalid {
            offset: error.offset(),
            message: error.message().to_owned(),
        }
    }
}

/// An exception that left Wasm: its tag and its payload (specification: "Exception
/// Instances").
#[derive(Clone, Debug)]
pub struct Exception {
    /// The tag it was thrown with.
    pub tag: Tag,
    /// The values it carries.
    pub payload: Vec<Val>,
}

/// Where something happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Location {
    /// The function's index in its module.
    pub function: u32,
    /// Byte offset, in the module binary, of the first byte of the instruction.
    pub offset: u32,
}

/// A trap and its place. `location` is absent where no instruction of a function was
/// executing: during the initialisation of segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trap {
    /// What happened.
    pub kind: TrapKind,
    /// Where.
    pub location: Option<Location>,
}

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        if let Some(at) = self.location {
            write!(f, " (function {}, offset {:#x})", at.function, at.offset)?;
        }
        Ok(())
    }
}

macro_rules! trap_kinds {
    ($($(#[$doc:meta])* $name:ident => $text:literal,)*) => {
        /// The kinds of traps. `Display` gives the official test suite's text.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum TrapKind { $($(#[$doc])* $name,)* }

        impl TrapKind {
            /// Every kind.
            pub const ALL: &'static [TrapKind] = &[$(TrapKind::$name,)*];
        }

        impl fmt::Display for TrapKind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(TrapKind::$name => $text,)* })
            }
        }
    };
}

trap_kinds! {
    /// The instruction `unreachable`.
    Unreachable => "unreachable",
    /// An access beyond the end of a memory or data segment.
    MemoryOutOfBounds => "out of bounds memory access",
    /// An access beyond the end of a table or element segment.
    TableOutOfBounds => "out of bounds table access",
    /// `call_indirect` with an index beyond the end of its table.
    UndefinedElement => "undefined element",
    /// `call_indirect` on a null element.
    UninitializedElement => "uninitialized element",
    /// `call_indirect` on a function of another type.
    IndirectCallTypeMismatch => "indirect call type mismatch",
    /// Integer division or remainder by zero.
    IntegerDivideByZero => "integer divide by zero",
    /// A quotient or a converted number out of range.
    IntegerOverflow => "integer overflow",
    /// NaN converted to an integer.
    InvalidConversionToInteger => "invalid conversion to integer",
    /// `ref.as_non_null` of null.
    NullReference => "null reference",
    /// A call of, or a continuation for, a null function.
    NullFunctionReference => "null function reference",
    /// A null continuation was bound, resumed or switched to.
    NullContinuationReference => "null continuation reference",
    /// A null exception was thrown.
    NullExceptionReference => "null exception reference",
    /// A continuation was used for the second time.
    ContinuationConsumed => "continuation already consumed",
    /// `ref.cast` to a type the reference does not have.
    CastFailure => "cast failure",
    /// A field access through null.
    NullStructureReference => "null structure reference",
    /// An array access through null.
    NullArrayReference => "null array reference",
    /// `i31.get` of null.
    NullI31Reference => "null i31 reference",
    /// An access beyond the end of an array.
    ArrayOutOfBounds => "out of bounds array access",
}

/// Which limit was reached; see [`Limits`](crate::Limits).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Exhausted {
    /// Too many nested calls, or too much stack.
    CallStack,
    /// Too many continuations alive.
    Continuations,
    /// The bound of [`Config::max_instructions`](crate::Config::max_instructions).
    Instructions,
    /// A memory or table could not be allocated at its initial size.
    Memory,
}

impl fmt::Display for Exhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Exhausted::CallStack => "call stack",
            Exhausted::Continuations => "continuations",
            Exhausted::Instructions => "instructions",
            Exhausted::Memory => "memory",
        })
    }
}
