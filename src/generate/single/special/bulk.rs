//! Memories and tables as wholes: sizes, growing, and ranges at their bounds.

use super::super::cx::{Cx, MEMORY, Table};
use super::super::form::{Choices, Form};
use super::super::number::Number;
use super::super::opcode::Opcode;
use super::super::operand::Value;
use super::number;
use wasm_encoder::ValType;

/// Bytes of the passive data segment.
pub(in super::super) const SEGMENT: u64 = 24;
/// The passive data segment: the first of all.
pub(in super::super) const PASSIVE: u32 = 0;

/// A place in something of this size where a range of this length begins: anywhere, where the range just fits, or just not.
fn start(choices: &Choices<'_>, index: usize, size: u64, length: u64) -> u64 {
    let noise = u64::from(choices.operand(index).noise);
    let last = size.saturating_sub(length);
    let starts = [
        0,
        1,
        noise % size.max(1),
        noise % size.max(1),
        last,
        last,
        last + 1,
        size,
        size + 1,
    ];
    let far = [0xffff_ffff, 1 << 32, u64::MAX];
    match choices.operand(index).value {
        240.. => choices.value_of(index, &far),
        _ => choices.value_of(index, &starts),
    }
}

fn length(choices: &Choices<'_>, index: usize, size: u64) -> u64 {
    let lengths = [
        0,
        1,
        2,
        3,
        7,
        8,
        15,
        16,
        17,
        33,
        size - 1,
        size,
        size + 1,
        0xffff_ffff,
    ];
    let length = choices.value_of(index, &lengths);
    match length > size && size < 64 {
        true => length % (size + 2),
        false => length,
    }
}

fn at(ty: ValType, place: u64) -> Value {
    Value::Number(Number::address(ty, place))
}

impl Cx<'_> {
    pub(super) fn bulk(&mut self, choices: &Choices<'_>) -> Form {
        match choices.0.opcode {
            Opcode::MemorySize
            | Opcode::MemoryGrow
            | Opcode::MemoryFill
            | Opcode::MemoryCopy
            | Opcode::MemoryInit
            | Opcode::DataDrop => self.memory(choices),
            _ => self.table(choices),
        }
    }

    fn memory(&mut self, choices: &Choices<'_>) -> Form {
        let memories = self.memories();
        let memory = choices.pick(1, memories) as u32;
        let ty = self.address_type(memory);
        let (i32, none) = (ValType::I32, &[] as &[ValType]);
        match choices.0.opcode {
            Opcode::MemorySize => Form::new([], &[ty], move |_, body| {
                body.emit().memory_size(memory);
            }),
            Opcode::MemoryGrow => {
                let deltas = [
                    0,
                    1,
                    1,
                    2,
                    3,
                    0xffff,
                    0x1_0000,
                    0xffff_ffff,
                    1 << 32,
                    u64::MAX,
                ];
                let delta = at(ty, choices.value_of(0, &deltas));
                Form::new([delta], &[ty, ty], move |_, body| {
                    body.emit().memory_grow(memory).memory_size(memory);
                })
            }
            Opcode::MemoryFill => {
                let length = length(choices, 2, MEMORY);
                let to = at(ty, start(choices, 0, MEMORY, length));
                let byte = number(choices.value_of(1, &[0, 1, 0xff, 0x5a, -1, 0x1a5]));
                Form::new([to, byte, at(ty, length)], none, move |_, body| {
                    body.emit().memory_fill(memory);
                })
            }
            Opcode::MemoryCopy => {
                let from = choices.pick(2, memories) as u32;
                let from_type = self.address_type(from);
                // The length has the narrower of both.
                let narrow = if ty == from_type { ty } else { i32 };
                let length = length(choices, 2, MEMORY);
                let source = start(choices, 1, MEMORY, length);
                let near = u64::from(choices.operand(0).noise % 16);
                let target = match choices.pick(3, 4) {
                    0 => source.saturating_add(near),
                    1 => source.saturating_sub(near),
                    _ => start(choices, 0, MEMORY, length),
                };
                let operands = [at(ty, target), at(from_type, source), at(narrow, length)];
                Form::new(operands, none, move |_, body| {
                    body.emit().memory_copy(memory, from);
                })
            }
            Opcode::MemoryInit => {
                let length = length(choices, 2, SEGMENT);
                let from = start(choices, 1, SEGMENT, length);
                let to = start(choices, 0, MEMORY, length);
                let operands = [at(ty, to), at(i32, from), at(i32, length)];
                Form::new(operands, none, move |_, body| {
                    body.emit().memory_init(memory, PASSIVE);
                })
            }
            _ => {
                // Then it has no bytes, of which nothing is there to copy.
                let length = choices.value_of(0, &[0, 0, 1]);
                Form::new([at(i32, length)], none, move |_, body| {
                    let length = body.local(ValType::I32);
                    body.emit().local_set(length).data_drop(PASSIVE);
                    match ty {
                        ValType::I64 => body.emit().i64_const(0),
                        _ => body.emit().i32_const(0),
                    };
                    body.emit()
                        .i32_const(0)
                        .local_get(length)
                        .memory_init(memory, PASSIVE);
                })
            }
        }
    }

    fn table(&mut self, choices: &Choices<'_>) -> Form {
        let tables = self.tables();
        let Table {
            index: table,
            address: ty,
            element,
            size,
        } = tables[choices.pick(1, tables.len())];
        let size_now = u64::from(size);
        let (i32, none) = (ValType::I32, &[] as &[ValType]);
        let kept =
            |this: &mut Self, index| Value::Reference(this.any_reference(choices, element, index));
        match choices.0.opcode {
            Opcode::TableGet => {
                let index = at(ty, start(choices, 0, size_now, 1));
                Form::new([index], &[element], move |_, body| {
                    body.emit().table_get(table);
                })
            }
            Opcode::TableSet => {
                let index = at(ty, start(choices, 0, size_now, 1));
                let value = kept(self, 1);
                Form::new([index, value], none, move |_, body| {
                    body.emit().table_set(table);
                })
            }
            Opcode::TableSize => Form::new([], &[ty], move |_, body| {
                body.emit().table_size(table);
            }),
            Opcode::TableGrow => {
                let deltas = [0, 1, 1, 2, 3, 4, 5, 100, 0xffff_ffff, 1 << 32, u64::MAX];
                let delta = at(ty, choices.value_of(1, &deltas));
                let value = kept(self, 0);
                Form::new([value, delta], &[ty, ty], move |_, body| {
                    body.emit().table_grow(table).table_size(table);
                })
            }
            Opcode::TableFill => {
                let length = length(choices, 2, size_now);
                let to = at(ty, start(choices, 0, size_now, length));
                let value = kept(self, 1);
                Form::new([to, value, at(ty, length)], none, move |_, body| {
                    body.emit().table_fill(table);
                })
            }
            Opcode::TableCopy => {
                let same: Vec<Table> = tables
                    .iter()
                    .filter(|other| other.element == element)
                    .copied()
                    .collect();
                let from = same[choices.pick(2, same.len())];
                let narrow = if ty == from.address { ty } else { i32 };
                let length = length(choices, 2, size_now.min(from.size.into()));
                let source = start(choices, 1, from.size.into(), length);
                let near = u64::from(choices.operand(0).noise % 3);
                let target = match choices.pick(3, 4) {
                    0 => source.saturating_add(near),
                    1 => source.saturating_sub(near),
                    _ => start(choices, 0, size_now, length),
                };
                let operands = [at(ty, target), at(from.address, source), at(narrow, length)];
                Form::new(operands, none, move |_, body| {
                    body.emit().table_copy(table, from.index);
                })
            }
            opcode => {
                // Only functions are in the segment.
                let functions = tables.iter().filter(|t| t.element == ValType::FUNCREF);
                let functions: Vec<Table> = functions.copied().collect();
                let to_table = functions[choices.pick(2, functions.len())];
                let segment = self.functions_segment();
                let drop = opcode == Opcode::ElemDrop;
                let length = match drop {
                    true => choices.value_of(2, &[0, 0, 1]),
                    false => length(choices, 2, SEGMENT_FUNCTIONS),
                };
                let from = match drop {
                    true => 0,
                    false => start(choices, 1, SEGMENT_FUNCTIONS, length),
                };
                let to = start(choices, 0, to_table.size.into(), length);
                let operands = [at(to_table.address, to), at(i32, from), at(i32, length)];
                Form::new(operands, none, move |_, body| {
                    if drop {
                        body.emit().elem_drop(segment);
                    }
                    body.emit().table_init(to_table.index, segment);
                })
            }
        }
    }
}

/// Elements of the passive segment of functions.
pub(in super::super) const SEGMENT_FUNCTIONS: u64 = 4;
