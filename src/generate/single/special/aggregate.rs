//! Structures and arrays. What an instruction does to an object shows by all that the object then holds.

use super::super::super::body::Body;
use super::super::super::types::nullable;
use super::super::cx::Cx;
use super::super::form::{Choices, Form};
use super::super::number::Number;
use super::super::object::{ARRAY_OF_ANY, LENGTH, LEVELS, Make, Reference, unpacked};
use super::super::opcode::Opcode;
use super::super::operand::{Operand, Value};
use super::bulk::{PASSIVE, SEGMENT, SEGMENT_FUNCTIONS};
use super::number;
use wasm_encoder::{BlockType, StorageType, ValType};

const I32: ValType = ValType::I32;

/// What a part of an object is made of by a number: at limits of its width.
fn seed(choices: &Choices<'_>, index: usize) -> i32 {
    let Operand { value, noise, .. } = choices.operand(index);
    match Number::of(I32, noise, value, None) {
        Number::I32(seed) => seed,
        _ => 0,
    }
}

/// Reads a field or an element; those that are packed are extended.
#[derive(Clone, Copy, PartialEq)]
enum Read {
    Whole,
    Signed,
    Unsigned,
}

impl Read {
    fn of(opcode: Opcode) -> Read {
        match opcode {
            Opcode::StructGetS | Opcode::ArrayGetS => Read::Signed,
            Opcode::StructGetU | Opcode::ArrayGetU => Read::Unsigned,
            _ => Read::Whole,
        }
    }

    fn fits(self, storage: StorageType) -> bool {
        let packed = matches!(storage, StorageType::I8 | StorageType::I16);
        packed == (self != Read::Whole)
    }

    fn any(storage: StorageType) -> Read {
        match Read::Whole.fits(storage) {
            true => Read::Whole,
            false => Read::Signed,
        }
    }
}

fn get_field(body: &mut Body, read: Read, ty: u32, field: u32) {
    match read {
        Read::Whole => body.emit().struct_get(ty, field),
        Read::Signed => body.emit().struct_get_s(ty, field),
        Read::Unsigned => body.emit().struct_get_u(ty, field),
    };
}

impl Cx<'_> {
    /// An operand of a field or an element of this type.
    fn part(&mut self, choices: &Choices<'_>, storage: StorageType, index: usize) -> Value {
        match unpacked(storage) {
            ty @ ValType::Ref(_) => Value::Reference(self.any_reference(choices, ty, index)),
            ty => {
                let Operand { value, noise, .. } = choices.operand(index);
                Value::Number(Number::of(ty, value, noise, None))
            }
        }
    }

    pub(super) fn aggregate(&mut self, choices: &Choices<'_>) -> Form {
        use Opcode::*;
        match choices.0.opcode {
            StructNew | StructNewDefault | StructGet | StructGetS | StructGetU | StructSet => {
                self.of_structure(choices)
            }
            ArrayNew | ArrayNewDefault | ArrayNewFixed | ArrayNewData | ArrayNewElem => {
                self.new_array(choices)
            }
            _ => self.of_array(choices),
        }
    }

    fn of_structure(&mut self, choices: &Choices<'_>) -> Form {
        let opcode = choices.0.opcode;
        let levels = if self.features.subtyping { LEVELS } else { 1 };
        let level = choices.pick(1, levels);
        let ty = self.structure(level);
        let fields = self.fields(level);
        let kept = nullable(ty);
        let all: Vec<ValType> = fields.iter().map(|field| unpacked(*field)).collect();
        let reads: Vec<Read> = fields.iter().map(|field| Read::any(*field)).collect();
        // The fields of the structure on top.
        let show = move |body: &mut Body| {
            let object = body.local(kept);
            body.emit().local_set(object);
            for (field, read) in reads.iter().enumerate() {
                body.emit().local_get(object);
                get_field(body, *read, ty, field as u32);
            }
        };
        match opcode {
            Opcode::StructNew => {
                let parts = fields.iter().enumerate();
                let operands: Vec<Value> = parts
                    .map(|(index, field)| self.part(choices, *field, index % 6))
                    .collect();
                Form::new(operands, &all, move |_, body| {
                    body.emit().struct_new(ty);
                    show(body);
                })
            }
            Opcode::StructNewDefault => Form::new([], &all, move |_, body| {
                body.emit().struct_new_default(ty);
                show(body);
            }),
            _ => {
                let below: Vec<usize> = match (self.features.subtyping, level) {
                    (true, 0) => (0..LEVELS).collect(),
                    (true, 1) => vec![1, 3],
                    _ => vec![level],
                };
                let make = match choices.operand(0).value {
                    240.. => Make::Null,
                    value => {
                        Make::Structure(below[usize::from(value) % below.len()], seed(choices, 0))
                    }
                };
                let object = Value::Reference(Reference { ty: kept, make });
                let read = Read::of(opcode);
                let fitting: Vec<usize> = (0..fields.len())
                    .filter(|&field| opcode == Opcode::StructSet || read.fits(fields[field]))
                    .collect();
                let field = fitting[choices.pick(0, fitting.len())];
                if opcode != Opcode::StructSet {
                    let result = [unpacked(fields[field])];
                    return Form::new([object], &result, move |_, body| {
                        get_field(body, read, ty, field as u32);
                    });
                }
                let value = self.part(choices, fields[field], 1);
                let value_type = value.ty();
                Form::new([object, value], &all, move |_, body| {
                    let (object, value) = (body.local(kept), body.local(value_type));
                    body.emit()
                        .local_set(value)
                        .local_tee(object)
                        .local_get(value)
                        .struct_set(ty, field as u32)
                        .local_get(object);
                    show(body);
                })
            }
        }
    }

    fn new_array(&mut self, choices: &Choices<'_>) -> Form {
        let opcode = choices.0.opcode;
        let kinds = self.arrays();
        let mut kind = choices.pick(1, kinds);
        let lengths = [0, 1, 2, 3, 5, LENGTH as i32];
        let result = [ValType::I64];
        match opcode {
            Opcode::ArrayNew => {
                let value = self.part(choices, self.element(kind), 0);
                let length = number(choices.value_of(1, &lengths));
                let ty = self.array(kind);
                Form::new([value, length], &result, move |cx, body| {
                    body.emit().array_new(ty);
                    cx.digest(body, kind);
                })
            }
            Opcode::ArrayNewDefault => {
                let length = number(choices.value_of(0, &lengths));
                let ty = self.array(kind);
                Form::new([length], &result, move |cx, body| {
                    body.emit().array_new_default(ty);
                    cx.digest(body, kind);
                })
            }
            Opcode::ArrayNewFixed => {
                let length = choices.pick(0, 7);
                let element = self.element(kind);
                let parts = (0..length).map(|index| self.part(choices, element, index));
                let operands: Vec<Value> = parts.collect();
                let ty = self.array(kind);
                Form::new(operands, &result, move |cx, body| {
                    body.emit().array_new_fixed(ty, length as u32);
                    cx.digest(body, kind);
                })
            }
            Opcode::ArrayNewData => {
                if kind == ARRAY_OF_ANY {
                    kind = 1;
                }
                let ty = self.array(kind);
                let width = self.width(kind);
                let (from, length) = range(choices, [0, 1], SEGMENT, width);
                Form::new([number(from), number(length)], &result, move |cx, body| {
                    body.emit().array_new_data(ty, PASSIVE);
                    cx.digest(body, kind);
                })
            }
            _ => {
                let (from, length) = range(choices, [0, 1], SEGMENT_FUNCTIONS, 1);
                let (ty, segment) = (self.functions_array(), self.functions_segment());
                let operands = [number(from), number(length)];
                Form::new(operands, &[I32, ValType::FUNCREF], move |_, body| {
                    body.emit().array_new_elem(ty, segment);
                    last_function(body, ty);
                })
            }
        }
    }

    fn of_array(&mut self, choices: &Choices<'_>) -> Form {
        let opcode = choices.0.opcode;
        let read = Read::of(opcode);
        let kinds: Vec<usize> = (0..self.arrays())
            .filter(|&kind| match opcode {
                Opcode::ArrayGet | Opcode::ArrayGetS | Opcode::ArrayGetU => {
                    read.fits(self.element(kind))
                }
                Opcode::ArrayInitData => kind != ARRAY_OF_ANY,
                _ => true,
            })
            .collect();
        let kind = kinds[choices.pick(1, kinds.len())];
        let ty = self.array(kind);
        let length = 1 + choices.pick(2, LENGTH);
        let make = match choices.operand(0).value {
            244.. => Make::Null,
            _ => Make::Array(kind, length, seed(choices, 0)),
        };
        let kept = nullable(ty);
        let array = Value::Reference(Reference { ty: kept, make });
        let element = self.element(kind);
        let last = length as i32 - 1;
        let index = number(choices.value_of(1, &[0, 0, 1, last, last, last, last + 1, -1]));
        // Operates on the array below all operands, and shows what it holds then.
        let shown = move |emit: Box<dyn FnOnce(&mut Body)>, types: Vec<ValType>| {
            move |cx: &mut Cx<'_>, body: &mut Body| {
                let locals: Vec<u32> = types.iter().map(|&ty| body.local(ty)).collect();
                for &local in locals.iter().rev() {
                    body.emit().local_set(local);
                }
                let array = body.local(kept);
                body.emit().local_tee(array);
                for &local in &locals {
                    body.emit().local_get(local);
                }
                emit(body);
                body.emit().local_get(array);
                cx.digest(body, kind);
            }
        };
        let result = [ValType::I64];
        match opcode {
            Opcode::ArrayLen => Form::new([array], &[I32], |_, body| {
                body.emit().array_len();
            }),
            Opcode::ArrayGet | Opcode::ArrayGetS | Opcode::ArrayGetU => {
                Form::new([array, index], &[unpacked(element)], move |_, body| {
                    match read {
                        Read::Whole => body.emit().array_get(ty),
                        Read::Signed => body.emit().array_get_s(ty),
                        Read::Unsigned => body.emit().array_get_u(ty),
                    };
                })
            }
            Opcode::ArraySet => {
                let value = self.part(choices, element, 2);
                let types = vec![I32, value.ty()];
                let set = Box::new(move |body: &mut Body| {
                    body.emit().array_set(ty);
                });
                Form::new([array, index, value], &result, shown(set, types))
            }
            Opcode::ArrayFill => {
                let value = self.part(choices, element, 2);
                let (from, count) = range(choices, [1, 3], length as u64, 1);
                let types = vec![I32, value.ty(), I32];
                let operands = [array, number(from), value, number(count)];
                let fill = Box::new(move |body: &mut Body| {
                    body.emit().array_fill(ty);
                });
                Form::new(operands, &result, shown(fill, types))
            }
            Opcode::ArrayCopy => {
                let (any, count) = range(choices, [3, 4], length as u64, 1);
                let length = length as i32;
                let begin = i32::from(choices.operand(3).noise % 2);
                // Near enough that what is copied to the array's end overlaps, if the array is long enough for that.
                let nearest = ((length - begin - 1) / 2).clamp(1, 3);
                let near = i32::from(choices.operand(1).noise) % nearest + 1;
                let (to, from, count) = match choices.pick(3, 8) {
                    // Upwards and downwards.
                    0..=3 => (begin + near, begin, (length - begin - near).max(0)),
                    4 | 5 => (begin, begin + near, (length - begin - near).max(0)),
                    _ => (range(choices, [1, 4], length as u64, 1).0, any, count),
                };
                let other = match choices.operand(2).value {
                    244.. => Make::Null,
                    _ => Make::Array(kind, length as usize, seed(choices, 2)),
                };
                let other = Value::Reference(Reference {
                    ty: kept,
                    make: other,
                });
                let itself = choices.pick(0, 4) != 0;
                let operands = [array, number(to), other, number(from), number(count)];
                Form::new(operands, &result, move |cx, body| {
                    let array = body.local(kept);
                    let (to, other) = (body.local(I32), body.local(kept));
                    let (from, count) = (body.local(I32), body.local(I32));
                    for local in [count, from, other, to, array] {
                        body.emit().local_set(local);
                    }
                    let source = if itself { array } else { other };
                    for local in [array, to, source, from, count] {
                        body.emit().local_get(local);
                    }
                    body.emit().array_copy(ty, ty).local_get(array);
                    cx.digest(body, kind);
                })
            }
            Opcode::ArrayInitData => {
                let width = self.width(kind);
                let (from, _) = range(choices, [2, 3], SEGMENT, width);
                let (to, count) = range(choices, [1, 3], length as u64, 1);
                let operands = [array, number(to), number(from), number(count)];
                let init = Box::new(move |body: &mut Body| {
                    body.emit().array_init_data(ty, PASSIVE);
                });
                Form::new(operands, &result, shown(init, vec![I32; 3]))
            }
            _ => {
                let (from, count) = range(choices, [1, 2], SEGMENT_FUNCTIONS, 1);
                let to = choices.value_of(0, &[0, 0, 1, 2, 4, 5]);
                let (ty, segment) = (self.functions_array(), self.functions_segment());
                let operands = [number(to), number(from), number(count)];
                Form::new(operands, &[I32, ValType::FUNCREF], move |_, body| {
                    let (to, from, count) = (body.local(I32), body.local(I32), body.local(I32));
                    let array = body.local(nullable(ty));
                    body.emit()
                        .local_set(count)
                        .local_set(from)
                        .local_set(to)
                        .i32_const(5)
                        .array_new_default(ty)
                        .local_tee(array)
                        .local_get(to)
                        .local_get(from)
                        .local_get(count)
                        .array_init_elem(ty, segment)
                        .local_get(array);
                    last_function(body, ty);
                })
            }
        }
    }

    /// Bytes of an element.
    fn width(&self, kind: usize) -> u64 {
        match self.element(kind) {
            StorageType::I8 => 1,
            StorageType::I16 => 2,
            StorageType::Val(ValType::I64 | ValType::F64) => 8,
            StorageType::Val(ValType::V128) => 16,
            StorageType::Val(_) => 4,
        }
    }
}

/// A range by two operands, mostly within so many bytes for elements of this width: where it begins, and its length.
fn range(choices: &Choices<'_>, [from, length]: [usize; 2], size: u64, width: u64) -> (i32, i32) {
    let most = (size / width) as i32;
    let count = choices.value_of(length, &[0, 1, 2, 3, most / 2, most, most, most + 1, -1]);
    let noise = i32::from(choices.operand(from).noise) % (most + 1);
    let rest = size as i32 - count.clamp(0, most) * width as i32;
    let begin = choices.value_of(from, &[0, 0, 1, rest, rest, rest + 1, noise.min(rest), -1]);
    (begin, count)
}

/// Replaces the array of functions on top by its length and its last element.
fn last_function(body: &mut Body, ty: u32) {
    let (array, last) = (body.local(nullable(ty)), body.local(ValType::FUNCREF));
    body.emit()
        .local_tee(array)
        .array_len()
        .if_(BlockType::Empty)
        .local_get(array)
        .local_get(array)
        .array_len()
        .i32_const(1)
        .i32_sub()
        .array_get(ty)
        .local_set(last)
        .end()
        .local_get(array)
        .array_len()
        .local_get(last);
}
