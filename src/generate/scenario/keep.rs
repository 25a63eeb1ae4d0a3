//! Where suspended continuations are kept between two steps: numbered places, in whatever the plan says.

use super::builder::{Builder, EXN, heap};
use super::code::Code;
use super::parameters::Keep;
use super::types::nullable;
use wasm_encoder::{Catch, ConstExpr, Instruction, RefType, ValType};

/// The functions that put a continuation into a place and take it out. Numbers of places wrap around.
#[derive(Clone, Copy)]
pub(super) struct Keeper {
    /// `[i32 (ref null $k)] -> []`
    put: u32,
    /// `[i32] -> [(ref null $k)]`
    take: u32,
}

impl Keeper {
    /// Puts the continuation of a local into the place whose number is on the stack.
    pub(super) fn put(self, c: &mut Code, cont: u32) {
        c.i().local_get(cont).call(self.put);
    }

    /// Takes what is in the place whose number is on the stack: null if nothing is.
    pub(super) fn take(self, c: &mut Code) {
        c.i().call(self.take);
    }
}

/// Places that are used in turn: what was pushed first is popped first.
#[derive(Clone, Copy)]
pub(super) struct Queue {
    /// `[(ref null $k)] -> []`
    push: u32,
    /// `[] -> [(ref null $k)]`
    pop: u32,
}

impl Queue {
    /// Pushes the continuation on the stack.
    pub(super) fn push(self, c: &mut Code) {
        c.i().call(self.push);
    }

    /// Pops one, or null.
    pub(super) fn pop(self, c: &mut Code) {
        c.i().call(self.pop);
    }
}

impl Builder {
    /// `count` places for continuations of this type. If `stale`, what is taken out of a place stays there, consumed as soon as it
    /// is used: the state at the end shows whether it is.
    pub(super) fn keeper(&mut self, keep: Keep, cont: u32, count: u32, stale: bool) -> Keeper {
        let features = self.features;
        let objects = features.gc && features.continuations_in_objects;
        match keep {
            Keep::Global if count <= 3 => self.global_keeper(cont, count, stale),
            Keep::Struct if objects => self.struct_keeper(cont, count, stale),
            Keep::Array if objects => self.array_keeper(cont, count, stale),
            Keep::Exception if features.exceptions && features.continuations_in_objects => {
                self.exception_keeper(cont, count, stale)
            }
            _ => self.table_keeper(cont, count, stale),
        }
    }

    /// A queue of at most `count` continuations.
    pub(super) fn queue(&mut self, keep: Keep, cont: u32, count: u32, stale: bool) -> Queue {
        let keeper = self.keeper(keep, cont, count, stale);
        let (head, tail) = (self.global(ValType::I32), self.global(ValType::I32));
        let element = nullable(cont);
        let advance = |c: &mut Code, at: u32| {
            c.i().global_get(at);
            c.i().global_get(at).i32_const(1).i32_add().global_set(at);
        };
        let push = self.function(&[element], &[], |_, c| {
            advance(c, tail);
            keeper.put(c, 0);
        });
        let pop = self.function(&[], &[element], |_, c| {
            c.i().global_get(head).global_get(tail).i32_eq();
            c.when();
            c.i().ref_null(heap(element)).return_();
            c.end();
            advance(c, head);
            keeper.take(c);
        });
        Queue { push, pop }
    }

    fn keeper_of(
        &mut self,
        cont: u32,
        put: impl FnOnce(&mut Builder, &mut Code),
        take: impl FnOnce(&mut Builder, &mut Code),
    ) -> Keeper {
        let element = nullable(cont);
        Keeper {
            put: self.function(&[ValType::I32, element], &[], put),
            take: self.function(&[ValType::I32], &[element], take),
        }
    }

    fn global_keeper(&mut self, cont: u32, count: u32, stale: bool) -> Keeper {
        let element = nullable(cont);
        let globals: Vec<u32> = (0..count).map(|_| self.global(element)).collect();
        let (last, others) = globals.split_last().expect("there is a place");
        let at = |c: &mut Code, number: usize| {
            place(c, count);
            c.i().i32_const(number as i32).i32_eq();
            c.when();
        };
        let take = |c: &mut Code, global: u32| {
            c.i().global_get(global);
            if !stale {
                c.i().ref_null(heap(element)).global_set(global);
            }
        };
        self.keeper_of(
            cont,
            |_, c| {
                for (number, &global) in others.iter().enumerate() {
                    at(c, number);
                    c.i().local_get(1).global_set(global).return_();
                    c.end();
                }
                c.i().local_get(1).global_set(*last);
            },
            |_, c| {
                for (number, &global) in others.iter().enumerate() {
                    at(c, number);
                    take(c, global);
                    c.i().return_();
                    c.end();
                }
                take(c, *last);
            },
        )
    }

    fn table_keeper(&mut self, cont: u32, count: u32, stale: bool) -> Keeper {
        let element = nullable(cont);
        let table = self.table(reference(element), count);
        self.keeper_of(
            cont,
            |_, c| {
                place(c, count);
                c.i().local_get(1).table_set(table);
            },
            |_, c| {
                place(c, count);
                c.i().table_get(table);
                if !stale {
                    place(c, count);
                    c.i().ref_null(heap(element)).table_set(table);
                }
            },
        )
    }

    fn struct_keeper(&mut self, cont: u32, count: u32, stale: bool) -> Keeper {
        let element = nullable(cont);
        let holder = self.types.structure(&[element]);
        let table = self.table(reference(nullable(holder)), count);
        self.keeper_of(
            cont,
            |_, c| {
                place(c, count);
                c.i().local_get(1).struct_new(holder).table_set(table);
            },
            |_, c| {
                let object = c.local(nullable(holder));
                place(c, count);
                c.i().table_get(table).local_tee(object).ref_is_null();
                c.when();
                c.i().ref_null(heap(element)).return_();
                c.end();
                c.i().local_get(object).struct_get(holder, 0);
                if !stale {
                    c.i().local_get(object).ref_null(heap(element));
                    c.i().struct_set(holder, 0);
                }
            },
        )
    }

    fn array_keeper(&mut self, cont: u32, count: u32, stale: bool) -> Keeper {
        let element = nullable(cont);
        let array = self.types.array(element);
        let init = ConstExpr::extended([
            Instruction::I32Const(count as i32),
            Instruction::ArrayNewDefault(array),
        ]);
        let global = self.initialised_global(nullable(array), &init);
        self.keeper_of(
            cont,
            |_, c| {
                c.i().global_get(global);
                place(c, count);
                c.i().local_get(1).array_set(array);
            },
            |_, c| {
                c.i().global_get(global);
                place(c, count);
                c.i().array_get(array);
                if !stale {
                    c.i().global_get(global);
                    place(c, count);
                    c.i().ref_null(heap(element)).array_set(array);
                }
            },
        )
    }

    fn exception_keeper(&mut self, cont: u32, count: u32, stale: bool) -> Keeper {
        let element = nullable(cont);
        let tag = self.tag(&[element], &[]);
        let table = self.table(RefType::EXNREF, count);
        let exception = ValType::Ref(RefType {
            nullable: false,
            heap_type: EXN,
        });
        self.keeper_of(
            cont,
            |b, c| {
                place(c, count);
                let ty = b.block_type(&[exception]);
                let caught = c.block(ty);
                let label = c.to(caught);
                c.try_table(vec![Catch::AllRef { label }]);
                c.i().local_get(1).throw(tag);
                c.end();
                c.i().unreachable();
                c.end();
                c.i().table_set(table);
            },
            |b, c| {
                let object = c.local(ValType::EXNREF);
                place(c, count);
                c.i().table_get(table).local_tee(object).ref_is_null();
                c.when();
                c.i().ref_null(heap(element)).return_();
                c.end();
                if !stale {
                    place(c, count);
                    c.i().ref_null(EXN).table_set(table);
                }
                let ty = b.block_type(&[element]);
                let caught = c.block(ty);
                let label = c.to(caught);
                c.try_table(vec![Catch::One { tag, label }]);
                c.i().local_get(object).throw_ref();
                c.end();
                c.i().unreachable();
                c.end();
            },
        )
    }
}

/// Pushes the number of the place in the first parameter.
fn place(c: &mut Code, count: u32) {
    c.i().local_get(0).i32_const(count as i32).i32_rem_u();
}

fn reference(ty: ValType) -> RefType {
    match ty {
        ValType::Ref(reference) => reference,
        _ => unreachable!("only references are kept"),
    }
}
