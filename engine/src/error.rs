//! Every way in which loading or running a module can end other than well.

use crate::api::exn::Exception;
use std::fmt;

/// Where an instruction stands: the function's index in its module, and the offset of the instruction's first byte in the
/// module's binary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Location {
    /// Function index, imports counted.
    pub function: u32,
    /// Byte offset from the start of the module.
    pub offset: u32,
}

/// Why an execution trapped. `Display` gives the text that the official test suite uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum TrapKind {
    /// `unreachable` was executed.
    #[error("unreachable")]
    Unreachable,
    /// A memory access or bulk memory operation left the memory or data segment.
    #[error("out of bounds memory access")]
    MemoryOutOfBounds,
    /// A table access or bulk table operation left the table or element segment.
    #[error("out of bounds table access")]
    TableOutOfBounds,
    /// `call_indirect` with an index outside the table.
    #[error("undefined element")]
    UndefinedElement,
    /// `call_indirect` on a null element.
    #[error("uninitialized element")]
    UninitializedElement,
    /// `call_indirect` on a function of another type.
    #[error("indirect call type mismatch")]
    IndirectCallTypeMismatch,
    /// An integer division or remainder by zero.
    #[error("integer divide by zero")]
    IntegerDivideByZero,
    /// A signed division or a truncation whose result does not fit.
    #[error("integer overflow")]
    IntegerOverflow,
    /// A truncation of NaN.
    #[error("invalid conversion to integer")]
    InvalidConversionToInteger,
    /// `ref.as_non_null` on null.
    #[error("null reference")]
    NullReference,
    /// A call or `cont.new` on a null function reference.
    #[error("null function reference")]
    NullFunctionReference,
    /// A stack-switching instruction on a null continuation.
    #[error("null continuation reference")]
    NullContinuationReference,
    /// `throw_ref` or `resume_throw_ref` of a null exception.
    #[error("null exception reference")]
    NullExceptionReference,
    /// `struct.get` or `struct.set` on null.
    #[error("null structure reference")]
    NullStructureReference,
    /// An array instruction on null.
    #[error("null array reference")]
    NullArrayReference,
    /// `i31.get` on null.
    #[error("null i31 reference")]
    NullI31Reference,
    /// `ref.cast` of a reference that is not of the type.
    #[error("cast failure")]
    CastFailure,
    /// An array access or bulk array operation left the array.
    #[error("out of bounds array access")]
    ArrayOutOfBounds,
    /// A continuation was used a second time.
    #[error("continuation already consumed")]
    ContinuationConsumed,
}

/// A function that was active when an instruction trapped.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FrameInfo {
    /// The instruction that trapped, or the call that had not returned.
    pub location: Location,
    /// The function's name, if its module has a name section that names it.
    pub name: Option<String>,
}

impl fmt::Display for FrameInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Location { function, offset } = self.location;
        match &self.name {
            Some(name) => write!(f, "${name} (function {function}, offset {offset:#x})"),
            None => write!(f, "function {function}, offset {offset:#x}"),
        }
    }
}

/// The functions that were active when an instruction trapped, innermost first: through the stacks of all continuations that ran
/// each other, out to the host's innermost entry. `Display` writes a line for each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Backtrace {
    frames: Option<Box<[FrameInfo]>>,
    truncated: bool,
}

impl Backtrace {
    /// Of a trap outside of Wasm code.
    pub(crate) const NONE: Backtrace = Backtrace {
        frames: None,
        truncated: false,
    };

    pub(crate) fn new(frames: Vec<FrameInfo>, truncated: bool) -> Self {
        Backtrace {
            frames: Some(frames.into()),
            truncated,
        }
    }

    /// The frames, innermost first. Empty when no Wasm code trapped.
    pub fn frames(&self) -> &[FrameInfo] {
        self.frames.as_deref().unwrap_or_default()
    }

    /// Whether there were more frames, further out, than the 64 or so that are kept.
    pub fn is_truncated(&self) -> bool {
        self.truncated
    }
}

impl fmt::Display for Backtrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, frame) in self.frames().iter().enumerate() {
            writeln!(f, "{number:4}: {frame}")?;
        }
        if self.truncated {
            writeln!(f, "      (and more)")?;
        }
        Ok(())
    }
}

/// A trap and the instruction that trapped.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Trap {
    /// What went wrong.
    pub kind: TrapKind,
    /// Where; `None` when a host trapped, or instantiation did, or when optimised code executed `unreachable`, which may stand
    /// for the branch before it as well.
    pub location: Option<Location>,
    /// What was active.
    pub backtrace: Backtrace,
}

impl Trap {
    /// A trap without a place: what a host function raises, for instance.
    pub const fn new(kind: TrapKind) -> Trap {
        Trap {
            kind,
            location: None,
            backtrace: Backtrace::NONE,
        }
    }
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

impl std::error::Error for Trap {}

/// What ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Exhaustion {
    /// The native stack, or a continuation's stack.
    #[error("call stack")]
    CallStack,
    /// The number of continuations alive, or the uses of one stack.
    #[error("continuations")]
    Continuations,
    /// The number of exceptions alive.
    #[error("exceptions")]
    Exceptions,
    /// Memory for structures, arrays and exceptions.
    #[error("heap")]
    Heap,
    /// The number of events that a store may record.
    #[error("trace")]
    Trace,
    /// The size that a new memory or table starts with.
    #[error("memory")]
    Memory,
}

/// A construct that the engine does not implement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsupported {
    /// The proposal or construct.
    pub feature: &'static str,
    /// The function whose body uses it, unless it stands elsewhere in the module.
    pub function: Option<u32>,
    /// Byte offset from the start of the module.
    pub offset: u32,
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not supported: {} (", self.feature)?;
        if let Some(function) = self.function {
            write!(f, "function {function}, ")?;
        }
        write!(f, "offset {:#x})", self.offset)
    }
}

/// Any failure of the engine's API.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The module is malformed or does not validate.
    #[error("invalid module: {message} (at offset {offset:#x})")]
    Invalid {
        /// wasmparser's reason.
        message: String,
        /// Byte offset from the start of the module.
        offset: usize,
    },
    /// The module is valid, but uses what the engine does not implement.
    #[error("{0}")]
    Unsupported(Unsupported),
    /// The engine cannot be made on this machine or with this configuration.
    #[error("{0}")]
    Engine(String),
    /// An import is missing or has another type.
    #[error("{0}")]
    Link(String),
    /// A value or an argument count does not fit.
    #[error("{0}")]
    Type(String),
    /// A trap reached the host.
    #[error("wasm trap: {0}")]
    Trap(#[from] Trap),
    /// An exception reached the host.
    #[error("uncaught exception: {0}")]
    Exception(Exception),
    /// A `suspend` or `switch` found no handler below the innermost host frame.
    #[error("unhandled tag {tag}")]
    Suspended {
        /// Store address of the tag.
        tag: u32,
    },
    /// A limit of the store was reached.
    #[error("exhausted: {0}")]
    Exhausted(Exhaustion),
    /// A host function's own error, unchanged.
    #[error(transparent)]
    Host(Box<dyn std::error::Error + Send + Sync>),
}
