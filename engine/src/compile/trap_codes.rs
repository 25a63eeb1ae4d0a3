//! Trap codes: how compiled code says why it traps.

use crate::error::TrapKind;
use cranelift_codegen::ir::TrapCode;

/// What a trap code means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TrapReason {
    /// A trap of the specification.
    Trap(TrapKind),
    /// A function's prologue found too little stack.
    StackOverflow,
}

/// Kinds that Cranelift has no code of its own for, with the user code of each.
const USER: [(TrapKind, u8); 16] = [
    (TrapKind::Unreachable, 1),
    (TrapKind::MemoryOutOfBounds, 2),
    (TrapKind::TableOutOfBounds, 3),
    (TrapKind::UndefinedElement, 4),
    (TrapKind::UninitializedElement, 5),
    (TrapKind::IndirectCallTypeMismatch, 6),
    (TrapKind::NullReference, 7),
    (TrapKind::NullFunctionReference, 8),
    (TrapKind::NullContinuationReference, 9),
    (TrapKind::NullExceptionReference, 10),
    (TrapKind::ContinuationConsumed, 11),
    (TrapKind::NullStructureReference, 13),
    (TrapKind::NullArrayReference, 14),
    (TrapKind::NullI31Reference, 15),
    (TrapKind::CastFailure, 16),
    (TrapKind::ArrayOutOfBounds, 17),
];

/// A place that correct compiled code never reaches: executing it is a bug of the engine, so it is nobody's trap and ends
/// the process.
pub(crate) fn internal_error() -> TrapCode {
    TrapCode::unwrap_user(12)
}

/// An access of a memory whose guard region is its check: as [`TrapKind::MemoryOutOfBounds`], but the place that the code tells may
/// be that of the instruction that the access became part of.
pub(crate) fn memory_fault() -> TrapCode {
    TrapCode::unwrap_user(18)
}

/// The code for a trap of the specification.
pub(crate) fn code(kind: TrapKind) -> TrapCode {
    match kind {
        TrapKind::IntegerDivideByZero => TrapCode::INTEGER_DIVISION_BY_ZERO,
        TrapKind::IntegerOverflow => TrapCode::INTEGER_OVERFLOW,
        TrapKind::InvalidConversionToInteger => TrapCode::BAD_CONVERSION_TO_INTEGER,
        kind => {
            let (_, code) = USER
                .iter()
                .find(|(k, _)| *k == kind)
                .expect("every other kind is in the table");
            TrapCode::unwrap_user(*code)
        }
    }
}

/// The meaning of a code that stands in a module's trap table.
pub(crate) fn reason(code: TrapCode) -> TrapReason {
    TrapReason::Trap(match code {
        TrapCode::STACK_OVERFLOW => return TrapReason::StackOverflow,
        TrapCode::INTEGER_DIVISION_BY_ZERO => TrapKind::IntegerDivideByZero,
        TrapCode::INTEGER_OVERFLOW => TrapKind::IntegerOverflow,
        TrapCode::BAD_CONVERSION_TO_INTEGER => TrapKind::InvalidConversionToInteger,
        code if code == memory_fault() => TrapKind::MemoryOutOfBounds,
        code => {
            let found = USER.iter().find(|(_, c)| TrapCode::unwrap_user(*c) == code);
            found
                .expect("internal errors are not entered in trap tables")
                .0
        }
    })
}
