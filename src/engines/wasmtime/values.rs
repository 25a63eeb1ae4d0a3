//! Wasmtime's values and errors in the toolkit's terms.

use super::Host;
use crate::observe::{Outcome, TrapKind, Value};
use wasmtime::{
    AnyRef, Error, ExnRef, ExternRef, Func, GcHeapOutOfMemory, HeapType, Ref, Rooted,
    StoreContextMut, ThrownException, Trap, Val, ValType,
};

/// What tells a function from all others, among those of a store.
pub(super) fn identity(store: &mut StoreContextMut<'_, Host>, func: Func) -> usize {
    func.to_raw(store) as usize
}

/// Whether a value of this type is a reference to a continuation. Wasmtime has none in its interface.
pub(super) fn is_continuation(ty: &ValType) -> bool {
    let heap_type = ty.as_ref().map(|ty| ty.heap_type().top());
    matches!(heap_type, Some(HeapType::Cont))
}

pub(super) fn values(store: &mut StoreContextMut<'_, Host>, values: &[Val]) -> Vec<Value> {
    values.iter().map(|val| value(store, val)).collect()
}

pub(super) fn value(store: &mut StoreContextMut<'_, Host>, value: &Val) -> Value {
    match value {
        Val::I32(v) => Value::I32(*v),
        Val::I64(v) => Value::I64(*v),
        Val::F32(bits) => Value::F32(*bits),
        Val::F64(bits) => Value::F64(*bits),
        Val::V128(v) => Value::V128(v.as_u128()),
        Val::FuncRef(func) => reference(store, Ref::Func(*func)),
        Val::ExternRef(reference_) => reference(store, Ref::Extern(*reference_)),
        Val::AnyRef(reference_) => reference(store, Ref::Any(*reference_)),
        Val::ExnRef(reference_) => reference(store, Ref::Exn(*reference_)),
        Val::ContRef(None) => Value::Null,
        Val::ContRef(Some(_)) => Value::Cont(None),
    }
}

pub(super) fn reference(store: &mut StoreContextMut<'_, Host>, reference: Ref) -> Value {
    match reference {
        Ref::Func(None) | Ref::Extern(None) | Ref::Any(None) | Ref::Exn(None) => Value::Null,
        Ref::Func(Some(func)) => {
            let identity = identity(store, func);
            // Functions of an instance whose instantiation failed are not known, and can be seen in scripts only.
            let address = store.data().addresses.get(&identity);
            Value::Func(address.copied().unwrap_or(u32::MAX))
        }
        Ref::Extern(Some(reference)) => {
            let reference = AnyRef::convert_extern(&mut *store, reference);
            any(store, reference.expect(ROOTED))
        }
        Ref::Any(Some(reference)) => any(store, reference),
        Ref::Exn(Some(exception)) => Value::Exn(tag(store, exception)),
    }
}

const ROOTED: &str = "a reference lives as long as its scope";

/// A reference by what it is.
fn any(store: &mut StoreContextMut<'_, Host>, reference: Rooted<AnyRef>) -> Value {
    if let Some(value) = reference.as_i31(&*store).expect(ROOTED) {
        return Value::I31(value.get_i32());
    }
    if let Some(structure) = reference.as_struct(&*store).expect(ROOTED) {
        let ty = structure.ty(&*store).expect(ROOTED);
        return Value::Struct(type_index(store, &HeapType::ConcreteStruct(ty)));
    }
    if let Some(array) = reference.as_array(&*store).expect(ROOTED) {
        let ty = array.ty(&*store).expect(ROOTED);
        return Value::Array(type_index(store, &HeapType::ConcreteArray(ty)));
    }
    let reference = ExternRef::convert_any(&mut *store, reference).expect(ROOTED);
    let data = reference.data(&*store).expect(ROOTED);
    let number = data.and_then(|data| data.downcast_ref::<u64>());
    Value::Extern(*number.expect("every external reference is a number"))
}

/// The index of a type in its module.
fn type_index(store: &StoreContextMut<'_, Host>, ty: &HeapType) -> u32 {
    let mut types = store.data().types.iter();
    let found = types.find(|(other, _)| HeapType::eq(other, ty));
    found.map_or(u32::MAX, |(_, index)| *index)
}

/// The address of an exception's tag.
fn tag(store: &mut StoreContextMut<'_, Host>, exception: Rooted<ExnRef>) -> u32 {
    let tag = exception.tag(&mut *store).expect(ROOTED);
    super::host::tag_address(store, &tag).unwrap_or(u32::MAX)
}

/// How a call or an instantiation ended that did not return.
pub(super) fn outcome(store: &mut StoreContextMut<'_, Host>, error: &Error) -> Outcome {
    if error.is::<ThrownException>()
        && let Some(exception) = store.take_pending_exception()
    {
        let fields = exception.fields(&mut *store).expect(ROOTED);
        let fields: Vec<Val> = fields.collect();
        return Outcome::Threw {
            tag: tag(store, exception),
            values: values(store, &fields),
        };
    }
    let message = format!("{error:#}");
    match error.downcast_ref::<Trap>() {
        Some(trap) => trapped(*trap),
        None if error.is::<GcHeapOutOfMemory<()>>() || error.is::<GcHeapOutOfMemory<u64>>() => {
            Outcome::Exhausted { what: message }
        }
        None => match error.downcast_ref::<Unsupported>() {
            Some(Unsupported(message)) => Outcome::Unsupported {
                message: format!("not supported: {message}"),
            },
            None if message.contains("incompatible import type") => Outcome::Unlinkable { message },
            None if message.contains("exceeds memory limits")
                || message.contains("exceeds table limits") =>
            {
                Outcome::Exhausted { what: message }
            }
            None => Outcome::Failed { message },
        },
    }
}

/// What the adapter says of something that Wasmtime's interface has no means for.
#[derive(Debug, thiserror::Error)]
#[error("not supported: {0}")]
pub(super) struct Unsupported(pub(super) String);

fn trapped(trap: Trap) -> Outcome {
    let trap = match trap {
        Trap::UnreachableCodeReached => TrapKind::Unreachable,
        Trap::MemoryOutOfBounds => TrapKind::MemoryOutOfBounds,
        // Wasmtime does not tell these two apart.
        Trap::TableOutOfBounds => TrapKind::TableOrElement,
        Trap::IndirectCallToNull => TrapKind::UninitializedElement,
        Trap::BadSignature => TrapKind::IndirectCallTypeMismatch,
        Trap::IntegerOverflow => TrapKind::IntegerOverflow,
        Trap::IntegerDivisionByZero => TrapKind::IntegerDivideByZero,
        Trap::BadConversionToInteger => TrapKind::InvalidConversionToInteger,
        // Nor which kind of reference is null.
        Trap::NullReference => TrapKind::AnyNull,
        Trap::ArrayOutOfBounds => TrapKind::ArrayOutOfBounds,
        Trap::CastFailure => TrapKind::CastFailure,
        Trap::ContinuationAlreadyConsumed => TrapKind::ContinuationConsumed,
        Trap::UnhandledTag => return Outcome::Suspended { tag: None },
        Trap::StackOverflow => return exhausted("call stack"),
        Trap::AllocationTooLarge => return exhausted("size of an allocation"),
        other => {
            return Outcome::Failed {
                message: other.to_string(),
            };
        }
    };
    Outcome::Trapped { trap, at: None }
}

fn exhausted(what: &str) -> Outcome {
    Outcome::Exhausted {
        what: what.to_owned(),
    }
}
