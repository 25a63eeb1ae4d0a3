//! The forms of instructions whose immediates, types or surroundings are their own.

mod aggregate;
mod bulk;
mod control;
mod reference;
mod switching;

pub(super) use bulk::{SEGMENT as PASSIVE_BYTES, SEGMENT_FUNCTIONS};

use super::Call;
use super::cx::Cx;
use super::form::{Choices, Form};
use super::number::Number;
use super::opcode::Opcode;
use super::operand::Value;
use wasm_encoder::ValType;

/// A value type for what any type would do for.
fn any_type(cx: &Cx<'_>, choices: &Choices<'_>, what: u8) -> ValType {
    let mut types = vec![ValType::I32, ValType::I64];
    if cx.features.floats {
        types.extend([ValType::F32, ValType::F64]);
    }
    if cx.features.simd {
        types.push(ValType::V128);
    }
    types[choices.pick(what, types.len())]
}

/// An `i32` operand.
fn number(number: i32) -> Value {
    Value::Number(Number::I32(number))
}

/// Whether something happens, as an operand.
fn truth(choices: &Choices<'_>, index: usize) -> Value {
    number(choices.value_of(index, &[0, 1, 0, 1, 0, -1, 0x100, i32::MIN]))
}

impl Cx<'_> {
    /// The form of an instruction that the table alone does not describe.
    pub(super) fn special(&mut self, call: &Call) -> Form {
        use Opcode::*;
        let choices = &Choices(call);
        match call.opcode {
            MemorySize | MemoryGrow | MemoryFill | MemoryCopy | MemoryInit | DataDrop
            | TableGet | TableSet | TableSize | TableGrow | TableFill | TableCopy | TableInit
            | ElemDrop => self.bulk(choices),
            RefNull | RefIsNull | RefFunc | RefAsNonNull | BrOnNull | BrOnNonNull | RefEq
            | RefTestNonNull | RefTestNullable | RefCastNonNull | RefCastNullable | BrOnCast
            | BrOnCastFail | AnyConvertExtern | ExternConvertAny | RefI31 | I31GetS | I31GetU => {
                self.reference(choices)
            }
            StructNew | StructNewDefault | StructGet | StructGetS | StructGetU | StructSet
            | ArrayNew | ArrayNewDefault | ArrayNewFixed | ArrayNewData | ArrayNewElem
            | ArrayGet | ArrayGetS | ArrayGetU | ArraySet | ArrayLen | ArrayFill | ArrayCopy
            | ArrayInitData | ArrayInitElem => self.aggregate(choices),
            ContNew | ContBind | Suspend | Resume | ResumeThrow | ResumeThrowRef | Switch
            | TryTable | Throw | ThrowRef => self.switching(choices),
            _ => self.control(choices),
        }
    }
}
