//! References: null, tests, casts, conversions, and `i31`.

use super::super::super::types::ANYREF;
use super::super::cx::{Cx, TARGETS};
use super::super::form::{Choices, Form};
use super::super::number::Number;
use super::super::object::{ARRAYS, LEVELS, Make, Reference};
use super::super::opcode::Opcode;
use super::super::operand::{Operand, Value};
use wasm_encoder::{AbstractHeapType, BlockType, HeapType, RefType, ValType};

fn heap(ty: AbstractHeapType) -> HeapType {
    HeapType::Abstract { shared: false, ty }
}

fn reference(nullable: bool, heap_type: HeapType) -> RefType {
    RefType {
        nullable,
        heap_type,
    }
}

impl Cx<'_> {
    /// Any reference that a table of this type may hold, by an operand.
    pub(super) fn any_reference(
        &mut self,
        choices: &Choices<'_>,
        ty: ValType,
        index: usize,
    ) -> Reference {
        let Operand { value, noise, .. } = choices.operand(index);
        let seed = match Number::of(ValType::I32, noise, value, None) {
            Number::I32(seed) => seed,
            _ => 0,
        };
        let levels = if self.features.subtyping { LEVELS } else { 1 };
        let make = match ty {
            ValType::FUNCREF => match value % 5 {
                0 => Make::Null,
                which => Make::Target((which as usize - 1) % TARGETS),
            },
            ANYREF => match value % 8 {
                0 => Make::Null,
                1 | 2 => Make::I31(seed),
                3..6 => Make::Structure(usize::from(noise) % levels, seed),
                _ => Make::Array(
                    usize::from(noise) % self.arrays(),
                    usize::from(value % 5),
                    seed,
                ),
            },
            ValType::EXTERNREF if self.features.gc => match value % 3 {
                0 => Make::Null,
                1 => Make::ExternalI31(seed),
                _ => Make::ExternalStructure(seed),
            },
            ValType::EXNREF => match value % 3 {
                0 => Make::Null,
                _ => Make::Exception(seed),
            },
            _ => Make::Null,
        };
        Reference { ty, make }
    }

    /// A reference to a function of one of the types for calls, or of a subtype.
    pub(super) fn function_reference(
        &mut self,
        choices: &Choices<'_>,
        which: usize,
        index: usize,
    ) -> Reference {
        let (ty, ..) = self.target_type(which);
        let fitting: Vec<usize> = (0..TARGETS)
            .filter(|&target| self.is_target_subtype(target, which))
            .collect();
        let value = usize::from(choices.operand(index).value);
        let make = match value % 8 {
            0 => Make::Null,
            _ => Make::Target(fitting[value / 8 % fitting.len()]),
        };
        let ty = ValType::Ref(reference(true, HeapType::Concrete(ty)));
        Reference { ty, make }
    }

    /// The types at the top of what references may be.
    fn tops(&self) -> Vec<ValType> {
        let mut tops = vec![ValType::FUNCREF, ValType::EXTERNREF];
        if self.features.gc {
            tops.push(ANYREF);
        }
        tops
    }

    /// Types to test references of a top type for.
    fn heaps(&mut self, top: ValType) -> Vec<HeapType> {
        use AbstractHeapType::*;
        let abstracts: &[AbstractHeapType] = match top {
            ValType::FUNCREF => &[Func, NoFunc],
            ValType::EXTERNREF => &[Extern, NoExtern],
            _ => &[Any, Eq, I31, Struct, Array, None],
        };
        let mut heaps: Vec<HeapType> = abstracts.iter().map(|&ty| heap(ty)).collect();
        match top {
            ValType::FUNCREF => {
                heaps.extend(
                    (0..TARGETS).map(|which| HeapType::Concrete(self.target_type(which).0)),
                );
            }
            ANYREF => {
                let levels = if self.features.subtyping { LEVELS } else { 1 };
                heaps.extend((0..levels).map(|level| HeapType::Concrete(self.structure(level))));
                heaps.extend((0..levels).map(|level| HeapType::Concrete(self.structure(level))));
                heaps.extend((0..2).map(|kind| HeapType::Concrete(self.array(kind))));
            }
            _ => {}
        }
        heaps
    }

    pub(super) fn reference(&mut self, choices: &Choices<'_>) -> Form {
        let opcode = choices.0.opcode;
        let tops = self.tops();
        let top = tops[choices.pick(1, tops.len())];
        let any = Value::Reference(self.any_reference(choices, top, 0));
        let ValType::Ref(from) = top else {
            unreachable!("tops are references")
        };
        let i32 = ValType::I32;
        match opcode {
            Opcode::RefNull => {
                let heaps = match self.features.gc {
                    true => self.heaps(top),
                    false => vec![from.heap_type],
                };
                let heap = heaps[choices.pick(0, heaps.len())];
                Form::new([], &[top], move |_, body| {
                    body.emit().ref_null(heap);
                })
            }
            Opcode::RefIsNull => Form::new([any], &[i32], |_, body| {
                body.emit().ref_is_null();
            }),
            Opcode::RefFunc => {
                let function = self.target(choices.pick(0, TARGETS));
                Form::new([], &[ValType::FUNCREF], move |_, body| {
                    body.emit().ref_func(function);
                })
            }
            Opcode::RefAsNonNull => Form::new([any], &[top], |_, body| {
                body.emit().ref_as_non_null();
            }),
            Opcode::BrOnNull | Opcode::BrOnNonNull => Form::new([any], &[i32], move |_, body| {
                let kept = body.local(top);
                body.emit().local_set(kept).block(BlockType::Result(i32));
                if opcode == Opcode::BrOnNull {
                    body.emit()
                        .block(BlockType::Empty)
                        .local_get(kept)
                        .br_on_null(0)
                        .drop();
                } else {
                    let found = ValType::Ref(reference(false, from.heap_type));
                    body.emit()
                        .block(BlockType::Result(found))
                        .local_get(kept)
                        .br_on_non_null(0);
                }
                body.emit().i32_const(10).br(1).end();
                if opcode == Opcode::BrOnNonNull {
                    body.emit().drop();
                }
                body.emit().i32_const(11).end();
            }),
            Opcode::RefEq => {
                let eq = ValType::Ref(reference(true, heap(AbstractHeapType::Eq)));
                let mut of = |index| {
                    let Reference { make, .. } = self.any_reference(choices, ANYREF, index);
                    Value::Reference(Reference { ty: eq, make })
                };
                let (first, second) = (of(0), of(1));
                let itself = choices.pick(0, 3) == 0;
                Form::new([first, second], &[i32], move |_, body| {
                    if itself {
                        let other = body.local(eq);
                        body.emit().drop().local_tee(other).local_get(other);
                    }
                    body.emit().ref_eq();
                })
            }
            Opcode::AnyConvertExtern => {
                let external = self.any_reference(choices, ValType::EXTERNREF, 0);
                Form::new([Value::Reference(external)], &[ANYREF], |_, body| {
                    body.emit().any_convert_extern();
                })
            }
            Opcode::ExternConvertAny => {
                let internal = self.any_reference(choices, ANYREF, 0);
                Form::new(
                    [Value::Reference(internal)],
                    &[ValType::EXTERNREF],
                    |_, body| {
                        body.emit().extern_convert_any();
                    },
                )
            }
            Opcode::RefI31 => Form::new(choices.numbers(&[i32]), &[ANYREF], |_, body| {
                body.emit().ref_i31();
            }),
            Opcode::I31GetS | Opcode::I31GetU => {
                let Operand { value, noise, .. } = choices.operand(0);
                let make = match (value, Number::of(i32, value, noise, None)) {
                    (250.., _) => Make::Null,
                    (_, Number::I32(number)) => Make::I31(number),
                    _ => Make::I31(0),
                };
                let ty = ValType::Ref(reference(true, heap(AbstractHeapType::I31)));
                let operand = Value::Reference(Reference { ty, make });
                Form::new([operand], &[i32], move |_, body| {
                    match opcode {
                        Opcode::I31GetS => body.emit().i31_get_s(),
                        _ => body.emit().i31_get_u(),
                    };
                })
            }
            _ => self.cast(choices, any, from),
        }
    }

    fn cast(&mut self, choices: &Choices<'_>, any: Value, from: RefType) -> Form {
        let opcode = choices.0.opcode;
        let top = ValType::Ref(from);
        let heaps = self.heaps(top);
        let to = heaps[choices.pick(0, heaps.len())];
        let i32 = ValType::I32;
        let onto = reference(choices.pick(2, 2) == 0, to);
        match opcode {
            Opcode::RefTestNonNull => Form::new([any], &[i32], move |_, body| {
                body.emit().ref_test_non_null(to);
            }),
            Opcode::RefTestNullable => Form::new([any], &[i32], move |_, body| {
                body.emit().ref_test_nullable(to);
            }),
            Opcode::RefCastNonNull => Form::new([any], &[top], move |_, body| {
                body.emit().ref_cast_non_null(to);
            }),
            Opcode::RefCastNullable => Form::new([any], &[top], move |_, body| {
                body.emit().ref_cast_nullable(to);
            }),
            _ => Form::new([any], &[i32], move |_, body| {
                let kept = body.local(top);
                body.emit().local_set(kept).block(BlockType::Result(i32));
                if opcode == Opcode::BrOnCast {
                    body.emit()
                        .block(BlockType::Result(ValType::Ref(onto)))
                        .local_get(kept)
                        .br_on_cast(0, from, onto);
                } else {
                    body.emit()
                        .block(BlockType::Result(top))
                        .local_get(kept)
                        .br_on_cast_fail(0, from, onto);
                }
                body.emit().drop().i32_const(10).br(1).end();
                // What arrives by the branch is what it was.
                body.emit().ref_is_null().i32_const(20).i32_add().end();
            }),
        }
    }

    /// The number of kinds of arrays.
    pub(super) fn arrays(&self) -> usize {
        // Those with floats and vectors are last.
        match (self.features.floats, self.features.simd) {
            (true, true) => ARRAYS,
            (true, false) => ARRAYS - 1,
            (false, _) => ARRAYS - 3,
        }
    }
}
