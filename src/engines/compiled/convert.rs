//! The compiling engine's values, traps and places as the toolkit's.

use crate::observe::{Location, TrapKind, Value};
use switchback_engine as compiled;
use switchback_engine::trace;

/// A value as an argument of a parameter's type; nothing, if it has another type.
pub(super) fn argument_of(ty: &compiled::ValType, value: Value) -> Option<compiled::Val> {
    use compiled::{HeapType, Val, ValType};
    Some(match (ty, value) {
        (ValType::I32, Value::I32(v)) => Val::I32(v),
        (ValType::I64, Value::I64(v)) => Val::I64(v),
        (ValType::F32, Value::F32(bits)) => Val::F32(bits),
        (ValType::F64, Value::F64(bits)) => Val::F64(bits),
        (ValType::V128, Value::V128(bits)) => Val::V128(bits),
        (ValType::Ref(ty), Value::Null) => Val::null(ty.heap_type()),
        (ValType::Ref(ty), Value::Extern(number)) => {
            let reference = compiled::ExternRef::new(number);
            match ty.heap_type() {
                HeapType::Extern => Val::ExternRef(Some(reference)),
                HeapType::Any => Val::AnyRef(Some(reference.to_any())),
                _ => return None,
            }
        }
        _ => return None,
    })
}

pub(super) fn location(at: compiled::Location) -> Location {
    Location {
        function: at.function,
        offset: at.offset,
    }
}

/// A reference that is not null, by what it is.
pub(super) fn any(kind: compiled::AnyKind) -> Value {
    match kind {
        compiled::AnyKind::I31(value) => Value::I31(value),
        compiled::AnyKind::Extern(reference) => {
            Value::Extern(reference.value().expect("a host's reference has a number"))
        }
        compiled::AnyKind::Struct(ty) => Value::Struct(ty.index()),
        compiled::AnyKind::Array(ty) => Value::Array(ty.index()),
    }
}

pub(super) fn trace_value(value: trace::Value) -> Value {
    use trace::Value as From;
    match value {
        From::I32(v) => Value::I32(v),
        From::I64(v) => Value::I64(v),
        From::F32(bits) => Value::F32(bits),
        From::F64(bits) => Value::F64(bits),
        From::V128(bits) => Value::V128(bits),
        From::Null => Value::Null,
        From::Func(address) => Value::Func(address),
        From::Cont(number) => Value::Cont(Some(number)),
        From::Exn(tag) => Value::Exn(tag),
        From::Extern(number) => Value::Extern(number),
        From::I31(value) => Value::I31(value),
        From::Struct(ty) => Value::Struct(ty),
        From::Array(ty) => Value::Array(ty),
    }
}

pub(super) fn trap_kind(kind: compiled::TrapKind) -> TrapKind {
    use compiled::TrapKind as From;
    match kind {
        From::Unreachable => TrapKind::Unreachable,
        From::MemoryOutOfBounds => TrapKind::MemoryOutOfBounds,
        From::TableOutOfBounds => TrapKind::TableOutOfBounds,
        From::UndefinedElement => TrapKind::UndefinedElement,
        From::UninitializedElement => TrapKind::UninitializedElement,
        From::IndirectCallTypeMismatch => TrapKind::IndirectCallTypeMismatch,
        From::IntegerDivideByZero => TrapKind::IntegerDivideByZero,
        From::IntegerOverflow => TrapKind::IntegerOverflow,
        From::InvalidConversionToInteger => TrapKind::InvalidConversionToInteger,
        From::NullReference => TrapKind::NullReference,
        From::NullFunctionReference => TrapKind::NullFunctionReference,
        From::NullContinuationReference => TrapKind::NullContinuationReference,
        From::NullExceptionReference => TrapKind::NullExceptionReference,
        From::NullStructureReference => TrapKind::NullStructureReference,
        From::NullArrayReference => TrapKind::NullArrayReference,
        From::NullI31Reference => TrapKind::NullI31Reference,
        From::CastFailure => TrapKind::CastFailure,
        From::ArrayOutOfBounds => TrapKind::ArrayOutOfBounds,
        From::ContinuationConsumed => TrapKind::ContinuationConsumed,
    }
}
