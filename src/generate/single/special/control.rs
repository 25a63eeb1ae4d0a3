//! Control, calls, variables and constants.

use super::super::super::body::Body;
use super::super::cx::{Cx, TARGETS};
use super::super::form::{Choices, Form};
use super::super::number::{Number, scattered};
use super::super::opcode::Opcode;
use super::super::operand::{Value, constant, push_number};
use super::{any_type, number, truth};
use wasm_encoder::{BlockType, ValType};

/// Pushes each value of these types behind one that stays below it, which the instruction has to leave alone.
fn swapped(body: &mut Body, first: ValType, second: ValType) {
    let (a, b) = (body.local(first), body.local(second));
    body.emit()
        .local_set(b)
        .local_set(a)
        .local_get(b)
        .local_get(a);
}

impl Cx<'_> {
    pub(super) fn control(&mut self, choices: &Choices<'_>) -> Form {
        let opcode = choices.0.opcode;
        let (first, second) = (any_type(self, choices, 1), any_type(self, choices, 2));
        let variant = choices.pick(0, 256);
        let both = [first, second];
        let numbers = choices.numbers(&both);
        match opcode {
            Opcode::Unreachable => Form::new([numbers[0].clone()], &[first], |_, body| {
                body.emit().unreachable();
            }),
            Opcode::Nop => Form::new([numbers[0].clone()], &[first], |_, body| {
                body.emit().nop();
            }),
            Opcode::Block if self.features.block_parameters => {
                let block = self.block(&both, &[second, first]);
                Form::new(numbers, &[second, first], move |_, body| {
                    body.emit().block(block);
                    swapped(body, first, second);
                    if variant.is_multiple_of(2) {
                        body.emit().br(0);
                    }
                    body.emit().end();
                })
            }
            Opcode::Block => Form::new([numbers[0].clone()], &[first], move |_, body| {
                let local = body.local(first);
                body.emit()
                    .local_set(local)
                    .block(BlockType::Result(first))
                    .local_get(local)
                    .end();
            }),
            Opcode::Loop => self.repeated(choices),
            Opcode::If => {
                let condition = truth(choices, 1);
                Form::new(
                    [numbers[0].clone(), condition],
                    &[first],
                    move |cx, body| {
                        let kept = body.local(first);
                        let condition = body.local(ValType::I32);
                        body.emit()
                            .local_set(condition)
                            .local_set(kept)
                            .local_get(condition);
                        match variant % 2 {
                            0 => {
                                body.emit().if_(BlockType::Empty);
                                cx.other(body, first);
                                body.emit().local_set(kept).end().local_get(kept);
                            }
                            _ => {
                                body.emit()
                                    .if_(BlockType::Result(first))
                                    .local_get(kept)
                                    .else_();
                                cx.other(body, first);
                                body.emit().end();
                            }
                        }
                    },
                )
            }
            Opcode::Br => Form::new(numbers, &[second], move |_, body| {
                let (a, b) = (body.local(first), body.local(second));
                let depth = (variant % 3) as u32;
                body.emit().local_set(b).local_set(a);
                for _ in 0..=depth {
                    body.emit().block(BlockType::Result(second));
                }
                // What lies below the branch's operand goes.
                body.emit().local_get(a).local_get(b).br(depth);
                for _ in 0..=depth {
                    body.emit().end();
                }
            }),
            Opcode::BrIf => {
                let condition = truth(choices, 1);
                Form::new(
                    [numbers[0].clone(), condition],
                    &[first],
                    move |cx, body| {
                        let (kept, condition) = (body.local(first), body.local(ValType::I32));
                        body.emit()
                            .local_set(condition)
                            .local_set(kept)
                            .block(BlockType::Result(first))
                            .local_get(kept)
                            .local_get(condition)
                            .br_if(0)
                            .drop();
                        cx.other(body, first);
                        body.emit().end();
                    },
                )
            }
            Opcode::BrTable => branch_table(choices, first),
            Opcode::Return => {
                let mut inner = Body::new(both.to_vec(), 0);
                inner
                    .emit()
                    .local_get(1)
                    .local_get(0)
                    .local_get(1)
                    .return_();
                let inner = self.function(&both, &[second], inner);
                Form::new(numbers, &[second], move |_, body| {
                    body.emit().call(inner);
                })
            }
            Opcode::Call | Opcode::ReturnCall => {
                let mut types = both.to_vec();
                let more = variant % 5;
                types.extend((0..more).map(|index| any_type(self, choices, 10 + index as u8)));
                let results: Vec<ValType> = types.iter().rev().copied().collect();
                let mut inner = Body::new(types.clone(), 0);
                for index in (0..types.len() as u32).rev() {
                    inner.emit().local_get(index);
                }
                let mut target = self.function(&types, &results, inner);
                if opcode == Opcode::ReturnCall {
                    let mut outer = Body::new(types.clone(), 0);
                    for index in 0..types.len() as u32 {
                        outer.emit().local_get(index);
                    }
                    outer.emit().return_call(target);
                    target = self.function(&types, &results, outer);
                }
                Form::new(choices.numbers(&types), &results, move |_, body| {
                    body.emit().call(target);
                })
            }
            Opcode::CallIndirect | Opcode::ReturnCallIndirect => self.call_indirect(choices),
            Opcode::CallRef | Opcode::ReturnCallRef => self.call_ref(choices),
            Opcode::Drop => Form::new(numbers, &[first], |_, body| {
                body.emit().drop();
            }),
            Opcode::Select | Opcode::TypedSelect => {
                let mut operands = choices.numbers(&[first, first]);
                operands.push(truth(choices, 2));
                let typed = opcode == Opcode::TypedSelect;
                Form::new(operands, &[first], move |_, body| {
                    match typed {
                        true => body.emit().typed_select(first),
                        false => body.emit().select(),
                    };
                })
            }
            Opcode::LocalGet | Opcode::LocalSet => {
                Form::new([numbers[0].clone()], &[second, first], move |_, body| {
                    // One that was set, and one that was not.
                    let (set, unset) = (body.local(first), body.local(second));
                    body.emit().local_set(set).local_get(unset).local_get(set);
                })
            }
            Opcode::LocalTee => Form::new([numbers[0].clone()], &[first, first], move |_, body| {
                let local = body.local(first);
                body.emit().local_tee(local).local_get(local);
            }),
            Opcode::GlobalGet | Opcode::GlobalSet => {
                let init = match numbers[1] {
                    Value::Number(init) => init,
                    Value::Reference(_) => Number::I32(0),
                };
                let (fixed, set) = (
                    self.global(init.ty(), constant(init)),
                    self.global(first, constant(zero(first))),
                );
                let results = [init.ty(), first];
                Form::new([numbers[0].clone()], &results, move |_, body| {
                    body.emit()
                        .global_set(set)
                        .global_get(fixed)
                        .global_get(set);
                })
            }
            _ => {
                let ty = match opcode {
                    Opcode::I64Const => ValType::I64,
                    Opcode::F32Const => ValType::F32,
                    Opcode::F64Const => ValType::F64,
                    Opcode::V128Const | Opcode::I8x16Shuffle => ValType::V128,
                    _ => ValType::I32,
                };
                if opcode == Opcode::I8x16Shuffle {
                    let lanes = shuffle(choices);
                    let operands = choices.numbers(&[ty, ty]);
                    return Form::new(operands, &[ty], move |_, body| {
                        body.emit().i8x16_shuffle(lanes);
                    });
                }
                let number = Number::of(ty, variant as u8, choices.0.salt, None);
                Form::new([], &[ty], move |_, body| push_number(body, number))
            }
        }
    }

    /// A loop of three rounds, in which a number changes.
    fn repeated(&mut self, choices: &Choices<'_>) -> Form {
        let operands = choices.numbers(&[ValType::I32]);
        Form::new(operands, &[ValType::I32], move |_, body| {
            let (x, left) = (body.local(ValType::I32), body.local(ValType::I32));
            body.emit()
                .local_set(x)
                .i32_const(3)
                .local_set(left)
                .loop_(BlockType::Result(ValType::I32))
                .local_get(x)
                .i32_const(0x0101_6b37)
                .i32_mul()
                .i32_const(1)
                .i32_add()
                .local_tee(x)
                .local_get(left)
                .i32_const(1)
                .i32_sub()
                .local_tee(left)
                .br_if(0)
                .end();
        })
    }

    fn call_indirect(&mut self, choices: &Choices<'_>) -> Form {
        let wide = self.features.memory64 && choices.pick(1, 3) == 0;
        let table = match wide {
            true => self.wide_table(),
            false => self.functions_table(),
        };
        // Mostly types that have subtypes, and functions of these.
        let which = [0, 0, 0, 1, 1, 2, 3][choices.pick(0, 7)];
        let (ty, params, results) = self.target_type(which);
        let index = choices.value_of(params.len(), &[0, 1, 2, 2, 4, 5, 6, 3, 7, 8, 12, -1]);
        let mut operands = choices.numbers(params);
        operands.push(match wide {
            // Above 32 bits there is nothing, whatever the lower ones say.
            true if choices.pick(2, 8) == 0 => {
                Value::Number(Number::I64(1 << 32 | i64::from(index & 7)))
            }
            true => Value::Number(Number::I64(index.into())),
            false => number(index),
        });
        let tail = choices.0.opcode == Opcode::ReturnCallIndirect;
        if !tail {
            return Form::new(operands, results, move |_, body| {
                body.emit().call_indirect(table, ty);
            });
        }
        let types: Vec<ValType> = operands.iter().map(Value::ty).collect();
        let mut outer = Body::new(types.clone(), 0);
        for local in 0..types.len() as u32 {
            outer.emit().local_get(local);
        }
        outer.emit().return_call_indirect(table, ty);
        let outer = self.function(&types, results, outer);
        Form::new(operands, results, move |_, body| {
            body.emit().call(outer);
        })
    }

    fn call_ref(&mut self, choices: &Choices<'_>) -> Form {
        let which = choices.pick(0, TARGETS);
        let (ty, params, results) = self.target_type(which);
        let mut operands = choices.numbers(params);
        operands.push(Value::Reference(self.function_reference(
            choices,
            which,
            params.len(),
        )));
        let tail = choices.0.opcode == Opcode::ReturnCallRef;
        if !tail {
            return Form::new(operands, results, move |_, body| {
                body.emit().call_ref(ty);
            });
        }
        let types: Vec<ValType> = operands.iter().map(Value::ty).collect();
        let mut outer = Body::new(types.clone(), 0);
        for local in 0..types.len() as u32 {
            outer.emit().local_get(local);
        }
        outer.emit().return_call_ref(ty);
        let outer = self.function(&types, results, outer);
        Form::new(operands, results, move |_, body| {
            body.emit().call(outer);
        })
    }
}

pub(super) fn zero(ty: ValType) -> Number {
    match ty {
        ValType::I64 => Number::I64(0),
        ValType::F32 => Number::F32(0),
        ValType::F64 => Number::F64(0),
        ValType::V128 => Number::V128(0),
        _ => Number::I32(0),
    }
}

/// Every target leads to an arm of its own, and so does the default; the index is within the table, at its end, or past it.
fn branch_table(choices: &Choices<'_>, ty: ValType) -> Form {
    let targets = 1 + choices.pick(0, 4) as u32;
    let count = targets as i32;
    let indices = [
        0,
        1,
        count - 1,
        count - 1,
        count,
        count,
        count,
        count,
        count + 1,
        -1,
    ];
    let index = choices.value_of(1, &indices);
    let carries = choices.pick(3, 2) == 0;
    let mut operands = choices.numbers(&[ty]);
    operands.push(number(index));
    let turn = choices.pick(4, targets as usize) as u32;
    let block = match carries {
        true => BlockType::Result(ty),
        false => BlockType::Empty,
    };
    Form::new(operands, &[ty, ValType::I32], move |_, body| {
        let (kept, index, arm) = (
            body.local(ty),
            body.local(ValType::I32),
            body.local(ValType::I32),
        );
        body.emit()
            .local_set(index)
            .local_set(kept)
            .block(BlockType::Empty);
        for _ in 0..=targets {
            body.emit().block(block);
        }
        if carries {
            body.emit().local_get(kept);
        }
        let table = (0..targets).map(|target| (target + turn) % targets);
        body.emit().local_get(index).br_table(table, targets);
        for at in 0..=targets {
            body.emit().end();
            if carries {
                body.emit().local_set(kept);
            }
            body.emit()
                .i32_const(100 + at as i32)
                .local_set(arm)
                .br(targets - at);
        }
        body.emit().end().local_get(kept).local_get(arm);
    })
}

/// Lanes for a shuffle: from one operand or both, in order or not.
fn shuffle(choices: &Choices<'_>) -> [u8; 16] {
    let salt = u64::from(choices.0.salt);
    let kind = choices.pick(0, 8);
    std::array::from_fn(|lane| {
        let at = lane as u8;
        match kind {
            0 => at + 16,
            1 => 15 - at,
            2 => 31 - at,
            3 => at / 2 + 16 * (at % 2),
            4 => 8 + at / 2 + 16 * (at % 2),
            5 => (at + salt as u8 % 16) % 32,
            _ => (scattered(salt << 8 | lane as u64) % 32) as u8,
        }
    })
}
