//! Exceptions and stack switching.

use super::super::super::body::Body;
use super::super::super::types::{non_null, nullable};
use super::super::cx::Cx;
use super::super::form::{Choices, Form};
use super::super::object::{Make, Reference};
use super::super::opcode::Opcode;
use super::super::operand::{Operand, Value};
use super::{any_type, truth};
use wasm_encoder::{BlockType, Catch, Handle, ValType};

const I32: ValType = ValType::I32;

/// Clauses of the handler lists that are tried.
const CLAUSES: usize = 3;

impl Cx<'_> {
    pub(super) fn switching(&mut self, choices: &Choices<'_>) -> Form {
        match choices.0.opcode {
            Opcode::TryTable | Opcode::Throw | Opcode::ThrowRef => self.exception(choices),
            Opcode::ContNew | Opcode::ContBind => self.made(choices),
            Opcode::Suspend => self.suspends(choices),
            Opcode::Resume => self.resumes(choices),
            Opcode::Switch => self.switches(choices),
            _ => self.thrown_into(choices),
        }
    }

    /// A function that throws its parameters.
    fn thrower(&mut self, types: &[ValType], tag: u32) -> u32 {
        let mut body = Body::new(types.to_vec(), 0);
        for local in 0..types.len() as u32 {
            body.emit().local_get(local);
        }
        body.emit().throw(tag);
        self.shared_function(types, &[], body)
    }

    fn exception(&mut self, choices: &Choices<'_>) -> Form {
        let types = [any_type(self, choices, 1), any_type(self, choices, 2)];
        let numbers = choices.numbers(&types);
        let tag = self.tag(&types, &[]);
        let called = choices.pick(3, 2) == 0;
        let thrower = called.then(|| self.thrower(&types, tag));
        let throw = move |body: &mut Body| {
            match thrower {
                Some(thrower) => body.emit().call(thrower),
                None => body.emit().throw(tag),
            };
        };
        match choices.0.opcode {
            Opcode::Throw => Form::new(numbers, &[I32], move |_, body| {
                throw(body);
                body.emit().unreachable();
            }),
            Opcode::ThrowRef => {
                let operand = self.any_reference(choices, ValType::EXNREF, 0);
                Form::new([Value::Reference(operand)], &[I32], |_, body| {
                    body.emit().throw_ref();
                })
            }
            _ => {
                let clause = choices.pick(0, 4);
                let payload: &[ValType] = match clause {
                    0 | 1 => &types,
                    _ => &[],
                };
                let mut carried = payload.to_vec();
                if clause % 2 == 1 {
                    carried.push(ValType::EXNREF);
                }
                let block = self.block(&[], &carried);
                let before = self.another_tag();
                let rethrown = choices.pick(4, 4) == 0;
                let catch = match clause {
                    0 => Catch::One { tag, label: 0 },
                    1 => Catch::OneRef { tag, label: 0 },
                    2 => Catch::All { label: 0 },
                    _ => Catch::AllRef { label: 0 },
                };
                // A clause before it that does not fit.
                let label = 1;
                let catches = [Catch::One { tag: before, label }, catch];
                let mut operands = numbers;
                operands.push(truth(choices, 2));
                let payload = payload.len();
                Form::new(operands, &[types[0], types[1], I32], move |cx, body| {
                    let locals = types.map(|ty| body.local(ty));
                    let (condition, path) = (body.local(I32), body.local(I32));
                    let kept = body.local(ValType::EXNREF);
                    body.emit()
                        .local_set(condition)
                        .local_set(locals[1])
                        .local_set(locals[0])
                        .block(BlockType::Empty)
                        .block(block)
                        .try_table(BlockType::Empty, catches)
                        .local_get(condition)
                        .if_(BlockType::Empty)
                        .local_get(locals[0])
                        .local_get(locals[1]);
                    throw(body);
                    if thrower.is_some() {
                        body.emit().unreachable();
                    }
                    body.emit()
                        .end()
                        .i32_const(1)
                        .local_set(path)
                        .br(2)
                        .end()
                        .unreachable()
                        .end();
                    if clause % 2 == 1 {
                        body.emit().local_set(kept);
                    }
                    // Only what the clause hands over.
                    if payload == 0 {
                        for (ty, local) in types.iter().zip(locals) {
                            cx.other(body, *ty);
                            body.emit().local_set(local);
                        }
                    } else {
                        body.emit().local_set(locals[1]).local_set(locals[0]);
                    }
                    if clause % 2 == 1 && rethrown {
                        body.emit().local_get(kept).throw_ref();
                    }
                    body.emit()
                        .i32_const(2)
                        .local_set(path)
                        .end()
                        .local_get(locals[0])
                        .local_get(locals[1])
                        .local_get(path);
                })
            }
        }
    }

    fn made(&mut self, choices: &Choices<'_>) -> Form {
        if choices.0.opcode == Opcode::ContNew {
            let which = choices.pick(0, 3);
            let (func, params, results) = self.target_type(which);
            let cont = self.cont_of(func);
            let mut operands = choices.numbers(params);
            let function = self.function_reference(choices, which, params.len());
            operands.push(Value::Reference(function));
            return Form::new(operands, results, move |_, body| {
                body.emit().cont_new(cont).resume(cont, []);
            });
        }
        let (first, second) = (any_type(self, choices, 1), any_type(self, choices, 2));
        let both = [first, second];
        let results = [second, first];
        let mut inner = Body::new(both.to_vec(), 0);
        inner.emit().local_get(1).local_get(0);
        let inner = self.function(&both, &results, inner);
        let (all, one, none) = (
            self.cont(&both, &results),
            self.cont(&[second], &results),
            self.cont(&[], &results),
        );
        let kind = choices.pick(0, 6);
        Form::new(choices.numbers(&both), &results, move |_, body| {
            let (a, b) = (body.local(first), body.local(second));
            let left = body.local(nullable(one));
            body.emit().local_set(b).local_set(a).local_get(a);
            match kind {
                0 => {
                    body.emit()
                        .local_get(b)
                        .ref_func(inner)
                        .cont_new(all)
                        .cont_bind(all, none)
                        .resume(none, []);
                }
                1 => {
                    body.emit()
                        .local_get(b)
                        .ref_func(inner)
                        .cont_new(all)
                        .cont_bind(all, all)
                        .resume(all, []);
                }
                2 => {
                    body.emit().ref_null(wasm_encoder::HeapType::Concrete(all));
                    body.emit().cont_bind(all, one).local_set(left);
                    body.emit().local_get(b).local_get(left).resume(one, []);
                }
                _ => {
                    body.emit()
                        .ref_func(inner)
                        .cont_new(all)
                        .cont_bind(all, one)
                        .local_set(left)
                        .local_get(b)
                        .local_get(left);
                    match kind {
                        3 => body.emit().cont_bind(one, none).resume(none, []),
                        4 => body.emit().cont_bind(one, one).resume(one, []),
                        // Bound, it cannot be used as it was.
                        _ => body
                            .emit()
                            .cont_bind(one, none)
                            .drop()
                            .local_get(b)
                            .local_get(left)
                            .resume(one, []),
                    };
                }
            }
        })
    }

    fn suspends(&mut self, choices: &Choices<'_>) -> Form {
        let (first, second) = (any_type(self, choices, 1), any_type(self, choices, 2));
        let tag = self.tag(&[first], &[second]);
        let numbers = choices.numbers(&[first, second]);
        if choices.pick(0, 8) == 0 {
            // Nothing handles it, unless somebody does around all of this.
            let payload = numbers[0].clone();
            return Form::new([payload], &[second], move |_, body| {
                body.emit().suspend(tag);
            });
        }
        let mut inner = Body::new(vec![first], 0);
        inner.emit().local_get(0).suspend(tag);
        let inner = self.function(&[first], &[second], inner);
        let (fresh, rest) = (
            self.cont(&[first], &[second]),
            self.cont(&[second], &[second]),
        );
        let block = self.block(&[], &[first, non_null(rest)]);
        Form::new(numbers, &[first, second], move |_, body| {
            let (a, b) = (body.local(first), body.local(second));
            let left = body.local(nullable(rest));
            body.emit()
                .local_set(b)
                .local_set(a)
                .block(block)
                .local_get(a)
                .ref_func(inner)
                .cont_new(fresh)
                .resume(fresh, [Handle::OnLabel { tag, label: 0 }])
                .unreachable()
                .end()
                .local_set(left)
                .local_get(b)
                .local_get(left)
                .resume(rest, []);
        })
    }

    /// Several clauses, each with a label of its own, of which one handles the suspension.
    fn resumes(&mut self, choices: &Choices<'_>) -> Form {
        let ty = any_type(self, choices, 1);
        let tags: [u32; CLAUSES] = std::array::from_fn(|_| self.tag_like(&[ty], &[ty]));
        let which = choices.pick(0, CLAUSES + 2);
        let nothing = which >= CLAUSES;
        let twice = choices.pick(2, 3) == 0;
        let mut inner = Body::new(vec![ty], 0);
        inner.emit().local_get(0);
        if !nothing {
            inner.emit().suspend(tags[which]);
        }
        let inner = self.function(&[ty], &[ty], inner);
        let cont = self.cont(&[ty], &[ty]);
        let block = self.block(&[], &[ty, non_null(cont)]);
        Form::new(choices.numbers(&[ty]), &[ty, I32], move |_, body| {
            let (value, path) = (body.local(ty), body.local(I32));
            let left = body.local(nullable(cont));
            body.emit().local_set(value).block(BlockType::Empty);
            for _ in 0..CLAUSES {
                body.emit().block(block);
            }
            let mut clauses: Vec<Handle> = (0..CLAUSES)
                .map(|label| Handle::OnLabel {
                    tag: tags[label],
                    label: label as u32,
                })
                .collect();
            if twice {
                // The first clause of a tag is the one that counts.
                let tag = tags[which.min(CLAUSES - 1)];
                clauses.push(Handle::OnLabel { tag, label: 0 });
            }
            body.emit()
                .local_get(value)
                .ref_func(inner)
                .cont_new(cont)
                .resume(cont, clauses)
                .local_set(value)
                .br(CLAUSES as u32);
            for label in 0..CLAUSES {
                body.emit()
                    .end()
                    .local_set(left)
                    .local_set(value)
                    .i32_const(label as i32 + 1)
                    .local_set(path)
                    .local_get(value)
                    .local_get(left)
                    .resume(cont, [])
                    .local_set(value)
                    .br((CLAUSES - 1 - label) as u32);
            }
            body.emit().end().local_get(value).local_get(path);
        })
    }

    /// `resume_throw` and `resume_throw_ref`, into a continuation that has not begun, or one that catches it.
    fn thrown_into(&mut self, choices: &Choices<'_>) -> Form {
        let by_reference = choices.0.opcode == Opcode::ResumeThrowRef;
        let ty = if by_reference {
            I32
        } else {
            any_type(self, choices, 1)
        };
        let tag = self.tag(&[ty], &[]);
        let stop = self.tag(&[], &[]);
        let kind = choices.pick(0, 4);
        let mut inner = Body::new(Vec::new(), 0);
        let block = self.block(&[], &[ty]);
        inner
            .emit()
            .block(block)
            .try_table(BlockType::Empty, [Catch::One { tag, label: 0 }])
            .suspend(stop)
            .end();
        self.other(&mut inner, ty);
        inner.emit().end();
        let inner = self.function(&[], &[ty], inner);
        let cont = self.cont(&[], &[ty]);
        let rest = BlockType::Result(non_null(cont));
        let operand = match by_reference {
            false => choices.numbers(&[ty]).remove(0),
            true => {
                let Operand { value, noise, .. } = choices.operand(0);
                let make = match value {
                    224.. => Make::Null,
                    _ => Make::Exception(i32::from(value) << 8 | i32::from(noise)),
                };
                let ty = ValType::EXNREF;
                Value::Reference(Reference { ty, make })
            }
        };
        let operand_type = operand.ty();
        Form::new([operand], &[ty], move |cx, body| {
            let thrown = body.local(operand_type);
            let left = body.local(nullable(cont));
            body.emit().local_set(thrown);
            match kind {
                0 | 1 => body.emit().ref_func(inner).cont_new(cont),
                _ => body
                    .emit()
                    .block(rest)
                    .ref_func(inner)
                    .cont_new(cont)
                    .resume(
                        cont,
                        [Handle::OnLabel {
                            tag: stop,
                            label: 0,
                        }],
                    )
                    .unreachable()
                    .end(),
            };
            body.emit().local_set(left);
            let throw = |body: &mut Body| {
                body.emit().local_get(thrown).local_get(left);
                match by_reference {
                    true => body.emit().resume_throw_ref(cont, []),
                    false => body.emit().resume_throw(cont, tag, []),
                };
            };
            if kind == 1 {
                // It comes out again, of a continuation that it has ended.
                let block = cx.block(&[], &[ty]);
                let catch = Catch::One { tag, label: 0 };
                body.emit().block(block).try_table(block, [catch]);
                throw(body);
                body.emit().end().end();
            } else {
                throw(body);
            }
        })
    }

    /// There and back: the second continuation switches to the first with what it got.
    fn switches(&mut self, choices: &Choices<'_>) -> Form {
        let ty = any_type(self, choices, 1);
        let tag = self.tag(&[], &[ty]);
        let last = self.cont(&[], &[ty]);
        let waiting = self.cont(&[ty, nullable(last)], &[ty]);
        let entered = self.cont(&[ty, nullable(waiting)], &[ty]);
        let back = choices.pick(0, 4);
        let mut second = Body::new(vec![ty, nullable(waiting)], 0);
        second.emit().local_get(0);
        if back > 0 {
            second
                .emit()
                .local_get(1)
                .switch(waiting, tag)
                .unreachable();
        }
        let second = self.function(&[ty, nullable(waiting)], &[ty], second);
        let mut first = Body::new(vec![ty], 0);
        first
            .emit()
            .local_get(0)
            .ref_func(second)
            .cont_new(entered)
            .switch(entered, tag)
            .drop();
        let first = self.function(&[ty], &[ty], first);
        let fresh = self.cont(&[ty], &[ty]);
        Form::new(choices.numbers(&[ty]), &[ty], move |_, body| {
            body.emit()
                .ref_func(first)
                .cont_new(fresh)
                .resume(fresh, [Handle::OnSwitch { tag }]);
        })
    }
}
