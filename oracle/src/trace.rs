//! Traces: what a run shows of its stacks, exceptions and host calls, in execution order.
//!
//! Functions and tags appear by their address in the store, continuations by their
//! number; values by their bits.

use crate::error::{Location, TrapKind};
use crate::machine::Machine;
use crate::types::{DefinedKind, DefinedType, HeapType, ValType};
use crate::value::{AnyWord, NULL, cont_number, word_any, word_exn, word_func};

/// A value as traces show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Value {
    /// A 32-bit integer.
    I32(i32),
    /// A 64-bit integer.
    I64(i64),
    /// The bits of a 32-bit float.
    F32(u32),
    /// The bits of a 64-bit float.
    F64(u64),
    /// A vector.
    V128(u128),
    /// A null reference.
    Null,
    /// A function's address.
    Func(u32),
    /// A continuation's number.
    Cont(u64),
    /// The address of an exception's tag.
    Exn(u32),
    /// A host's number.
    Extern(u64),
    /// An unboxed integer, sign-extended.
    I31(i32),
    /// A structure, by its type: the lowest index it has in the first instance of the store
    /// whose module defines it.
    Struct(u32),
    /// An array, by its type as for structures.
    Array(u32),
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What.
    pub kind: EventKind,
    /// The executing instruction, for events that one is responsible for.
    pub at: Option<Location>,
}

/// What happened. `depth` counts the stacks of the running chain after the step, the
/// innermost host entry's own being 1. `distance` is the number of resumptions passed over
/// on the way to the handler.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // the fields that are not described above or below are values and addresses
pub enum EventKind {
    /// `cont.new`
    New { cont: u64, function: u32 },
    /// `cont.bind`, with the newly bound values.
    Bind {
        from: u64,
        to: u64,
        values: Vec<Value>,
    },
    /// `resume`, with the values given by this instruction.
    Resume {
        cont: u64,
        values: Vec<Value>,
        depth: u32,
    },
    /// `resume_throw` and `resume_throw_ref`; the depth is the one before unwinding.
    ResumeThrow {
        cont: u64,
        tag: u32,
        values: Vec<Value>,
        depth: u32,
    },
    /// `suspend`; `cont` is the captured continuation, `clause` the index in the handler list.
    Suspend {
        tag: u32,
        values: Vec<Value>,
        cont: u64,
        distance: u32,
        clause: u32,
    },
    /// `switch`; `cont` is the switcher's continuation, which is not among the values.
    Switch {
        tag: u32,
        target: u64,
        values: Vec<Value>,
        cont: u64,
        distance: u32,
    },
    /// A `suspend` or `switch` without handler.
    Unhandled { tag: u32, values: Vec<Value> },
    /// A continuation's function returned to its resumer.
    Return { values: Vec<Value>, depth: u32 },
    /// An exception left a continuation to its resumer.
    Unwind { tag: u32 },
    /// `throw` and `throw_ref`
    Throw { tag: u32, values: Vec<Value> },
    /// A `try_table` caught; `clause` is the index in its list.
    Catch { tag: u32, clause: u32 },
    /// A host function is called.
    HostCall { function: u32, values: Vec<Value> },
    /// A host function returned.
    HostReturn { function: u32, values: Vec<Value> },
    /// A trap, recorded where it happens.
    Trap { kind: TrapKind },
}

impl Machine {
    /// A value of a type, from its slots.
    pub(crate) fn trace_value(&self, ty: ValType, slots: [u64; 2]) -> Value {
        let word = slots[0];
        match ty {
            ValType::I32 => Value::I32(word as i32),
            ValType::I64 => Value::I64(word as i64),
            ValType::F32 => Value::F32(word as u32),
            ValType::F64 => Value::F64(word),
            ValType::V128 => Value::V128(u128::from(word) | u128::from(slots[1]) << 64),
            ValType::Ref(_) if word == NULL => Value::Null,
            ValType::Ref(r) => match r.heap.top() {
                HeapType::Func => Value::Func(word_func(word)),
                HeapType::Cont => Value::Cont(cont_number(word)),
                HeapType::Exn => Value::Exn(self.exceptions.get(word_exn(word)).tag),
                _ => match word_any(word) {
                    AnyWord::I31(v) => Value::I31(v),
                    AnyWord::Host(n) => Value::Extern(n),
                    AnyWord::Object(place) => {
                        let ty = self.objects.get(place).ty;
                        let index = self.type_index(ty);
                        match ty.kind {
                            DefinedKind::Array => Value::Array(index),
                            _ => Value::Struct(index),
                        }
                    }
                },
            },
        }
    }

    /// How traces name a type.
    pub(crate) fn type_index(&self, ty: DefinedType) -> u32 {
        self.instances
            .iter()
            .find_map(|instance| instance.module.info.types.index_of(ty))
            .unwrap_or(u32::MAX)
    }

    /// Values in consecutive slots.
    pub(crate) fn trace_values(&self, types: &[ValType], mut slots: &[u64]) -> Vec<Value> {
        types
            .iter()
            .map(|&ty| {
                let high = slots.get(1).copied().unwrap_or(0);
                let value = self.trace_value(ty, [slots[0], high]);
                slots = &slots[ty.slots() as usize..];
                value
            })
            .collect()
    }

    /// Tag and payload of an exception.
    pub(crate) fn trace_exception(&self, exn: u32) -> (u32, Vec<Value>) {
        let data = self.exceptions.get(exn);
        let types = &self.tags[data.tag as usize].ty.params;
        (data.tag, self.trace_values(types, &data.payload))
    }
}
