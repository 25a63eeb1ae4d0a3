//! Values of every kind: made from the state of the run, and absorbed into it.
//!
//! A value that is made is a function of [`MIXED`], and what is absorbed changes it, so any value that a stack hands on wrongly
//! shows in that global at the end. Floats are converted from integers and never NaN.

use super::builder::{Builder, EXN, MIXED, heap};
use super::code::Code;
use super::parameters::Kind;
use super::types::nullable;
use wasm_encoder::{AbstractHeapType, BlockType, Catch, HeapType, RefType, ValType};

const ANYREF: ValType = ValType::Ref(RefType::ANYREF);

impl Builder {
    /// The value type of a kind, as far as the module may use it.
    pub(super) fn value(&mut self, kind: Kind) -> ValType {
        let features = self.features;
        match kind {
            Kind::I64 => ValType::I64,
            Kind::F32 if features.floats => ValType::F32,
            Kind::F64 if features.floats => ValType::F64,
            Kind::V128 if features.simd => ValType::V128,
            Kind::FuncRef => ValType::FUNCREF,
            Kind::ExternRef => ValType::EXTERNREF,
            Kind::ExnRef if features.exceptions => ValType::EXNREF,
            Kind::AnyRef if features.gc => ANYREF,
            Kind::StructRef if features.gc => nullable(self.structure()),
            _ => ValType::I32,
        }
    }

    /// The module's structure type: a number and a link.
    fn structure(&mut self) -> u32 {
        if let Some(index) = self.structure {
            return index;
        }
        let index = self.types.structure(&[ValType::I32, ANYREF]);
        self.structure = Some(index);
        index
    }

    /// The tag of exceptions that are values. Another one of the same type stands behind it.
    pub(super) fn value_tag(&mut self) -> u32 {
        if let Some(tag) = self.kept_exception {
            return tag;
        }
        let tag = self.tag(&[ValType::I64], &[]);
        self.tag(&[ValType::I64], &[]);
        self.kept_exception = Some(tag);
        tag
    }

    /// Whether the type is none of those that [`Kind`]s stand for.
    fn is_continuation(&self, ty: ValType) -> bool {
        match ty {
            ValType::Ref(RefType {
                heap_type: HeapType::Concrete(index),
                ..
            }) => self.structure != Some(index),
            _ => false,
        }
    }

    /// Pushes a value of each of these types; null for references to continuations.
    pub(super) fn make(&mut self, c: &mut Code, types: &[ValType]) {
        for &ty in types {
            if self.is_continuation(ty) {
                c.i().ref_null(heap(ty));
            } else {
                let maker = self.maker(ty);
                c.i().call(maker);
            }
        }
    }

    /// Takes values of these types from the stack and mixes them into the state.
    pub(super) fn absorb(&mut self, c: &mut Code, types: &[ValType]) {
        for &ty in types.iter().rev() {
            if self.is_continuation(ty) {
                c.i().ref_is_null();
                self.absorb(c, &[ValType::I32]);
                continue;
            }
            let absorber = self.absorber(ty);
            c.i().call(absorber);
        }
    }

    /// Mixes what locals hold into the state.
    pub(super) fn absorb_held(&mut self, c: &mut Code, types: &[ValType], locals: &[u32]) {
        for (&ty, &local) in types.iter().zip(locals) {
            c.i().local_get(local);
            self.absorb(c, &[ty]);
        }
    }

    /// Mixes a constant into the state: that the code was here shows.
    pub(super) fn mark(&mut self, c: &mut Code, number: u32) {
        c.i().i64_const(i64::from(number) + 1);
        self.absorb(c, &[ValType::I64]);
    }

    /// Mixes what an `i32` local holds into the state.
    pub(super) fn mark_local(&mut self, c: &mut Code, local: u32) {
        c.i().local_get(local);
        self.absorb(c, &[ValType::I32]);
    }

    fn maker(&mut self, ty: ValType) -> u32 {
        if let Some(&function) = self.makers.get(&ty) {
            return function;
        }
        // First, because those of references make use of it.
        if ty != ValType::I64 {
            self.maker(ValType::I64);
        }
        let function = self.function(&[], &[ty], |b, c| b.made(c, ty));
        self.makers.insert(ty, function);
        function
    }

    fn made(&mut self, c: &mut Code, ty: ValType) {
        if ty == ValType::I64 {
            // Knuth's generator: what is made differs each time, and depends on all that was absorbed.
            c.i()
                .global_get(MIXED)
                .i64_const(6_364_136_223_846_793_005)
                .i64_mul()
                .i64_const(1_442_695_040_888_963_407)
                .i64_add()
                .global_set(MIXED)
                .global_get(MIXED);
            return;
        }
        let word = self.makers[&ValType::I64];
        c.i().call(word);
        match ty {
            ValType::I32 => {
                c.i().i64_const(32).i64_shr_u().i32_wrap_i64();
            }
            ValType::F32 => {
                // Of more digits than a float has: how it is rounded shows.
                c.i().f32_convert_i64_s();
            }
            ValType::F64 => {
                c.i().f64_convert_i64_s();
            }
            ValType::V128 => {
                c.i().i64x2_splat().call(word).i64x2_replace_lane(1);
            }
            ValType::FUNCREF => {
                let other = HeapType::Abstract {
                    shared: false,
                    ty: AbstractHeapType::Func,
                };
                c.i().i64_const(0).i64_lt_s();
                c.i().if_(BlockType::Result(ty)).ref_func(word).else_();
                c.i().ref_null(other).end();
            }
            ValType::EXNREF => {
                let tag = self.value_tag();
                let word = c.hold(&[ValType::I64])[0];
                let caught = c.block(BlockType::Result(ValType::Ref(RefType {
                    nullable: false,
                    heap_type: EXN,
                })));
                let catches = vec![Catch::AllRef {
                    label: c.to(caught),
                }];
                c.try_table(catches);
                c.i().local_get(word).throw(tag);
                c.end();
                c.i().unreachable();
                c.end();
            }
            ValType::EXTERNREF if !self.features.gc => {
                c.i().drop().ref_null(HeapType::EXTERN);
            }
            _ => {
                c.i().i64_const(34).i64_shr_u().i32_wrap_i64();
                self.made_object(c, ty);
            }
        }
    }

    /// Takes a number from the stack and pushes an object with it.
    fn made_object(&mut self, c: &mut Code, ty: ValType) {
        let structure = self.structure();
        match ty {
            ValType::EXTERNREF => {
                c.i().ref_i31().extern_convert_any();
            }
            ANYREF => {
                let number = c.hold(&[ValType::I32])[0];
                c.i().local_get(number).i32_const(1).i32_and();
                c.i().if_(BlockType::Result(ty));
                c.i().local_get(number).ref_null(HeapType::ANY);
                c.i().struct_new(structure).else_();
                c.i().local_get(number).ref_i31().end();
            }
            _ => {
                let link = self.makers.get(&ANYREF).copied();
                match link {
                    Some(link) => c.i().call(link),
                    None => c.i().ref_null(HeapType::ANY),
                };
                c.i().struct_new(structure);
            }
        }
    }

    fn absorber(&mut self, ty: ValType) -> u32 {
        if let Some(&function) = self.absorbers.get(&ty) {
            return function;
        }
        if ty != ValType::I64 {
            self.absorber(ValType::I64);
        }
        let function = self.function(&[ty], &[], |b, c| b.absorbed(c, ty));
        self.absorbers.insert(ty, function);
        function
    }

    fn absorbed(&mut self, c: &mut Code, ty: ValType) {
        c.i().local_get(0);
        if ty == ValType::I64 {
            c.i().global_get(MIXED).i64_xor().i64_const(23).i64_rotl();
            c.i()
                .i64_const(0x2545_f491_4f6c_dd1d)
                .i64_mul()
                .global_set(MIXED);
            return;
        }
        let word = self.absorbers[&ValType::I64];
        match ty {
            ValType::I32 => {
                c.i().i64_extend_i32_s().call(word);
            }
            ValType::F32 => {
                c.i().i32_reinterpret_f32().i64_extend_i32_u().call(word);
            }
            ValType::F64 => {
                c.i().i64_reinterpret_f64().call(word);
            }
            ValType::V128 => {
                c.i().i64x2_extract_lane(0).call(word);
                c.i().local_get(0).i64x2_extract_lane(1).call(word);
            }
            ValType::EXNREF => {
                c.i().ref_is_null();
                c.when();
                c.i().i64_const(5).call(word).return_();
                c.end();
                let tag = self.value_tag();
                let ways = [vec![ValType::I64], vec![]];
                let run = |_: &mut Builder, c: &mut Code, labels: &[_]| {
                    let catches = vec![
                        Catch::One {
                            tag,
                            label: c.to(labels[0]),
                        },
                        Catch::All {
                            label: c.to(labels[1]),
                        },
                    ];
                    c.try_table(catches);
                    c.i().local_get(0).throw_ref();
                    c.end();
                };
                self.cases(c, &ways, run, |b, c, way| match way {
                    0 => {
                        c.i().call(word);
                    }
                    _ => b.mark(c, 3),
                });
            }
            ValType::EXTERNREF if self.features.gc => {
                let any = self.absorber(ANYREF);
                c.i().any_convert_extern().call(any);
            }
            ValType::FUNCREF | ValType::EXTERNREF => {
                c.i().ref_is_null().i64_extend_i32_u().call(word);
            }
            _ => self.absorbed_object(c, word),
        }
    }

    /// Takes a reference to a structure or an `i31` from the stack; the structure is changed, so that an object that two have is
    /// seen to be one.
    fn absorbed_object(&mut self, c: &mut Code, word: u32) {
        let structure = self.structure();
        let to = RefType {
            nullable: false,
            heap_type: HeapType::Concrete(structure),
        };
        let object = c.local(nullable(structure));
        c.i().drop().local_get(0).ref_test_non_null(to.heap_type);
        c.when();
        c.i().local_get(0).ref_cast_nullable(to.heap_type);
        c.i().local_tee(object).local_get(object);
        c.i().struct_get(structure, 0).i32_const(1).i32_add();
        c.i().struct_set(structure, 0);
        c.i().local_get(object).struct_get(structure, 0);
        c.i().i64_extend_i32_s().call(word);
        // What it links to is an `i31` or another structure, which links to nothing.
        c.i().local_get(object).struct_get(structure, 1);
        c.i().ref_is_null().i64_extend_i32_u().call(word).return_();
        c.end();
        c.i().local_get(0).ref_is_null().i64_extend_i32_u();
        c.i().call(word);
        let i31 = HeapType::Abstract {
            shared: false,
            ty: AbstractHeapType::I31,
        };
        if self.features.gc {
            c.i().local_get(0).ref_test_non_null(i31);
            c.when();
            c.i().local_get(0).ref_cast_nullable(i31).i31_get_s();
            c.i().i64_extend_i32_s().call(word);
            c.end();
        }
    }
}
