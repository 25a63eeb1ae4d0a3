//! What changes on another stack while a loop may have it in a register: the memory's size and place, a table's, globals.

use super::builder::Builder;
use super::code::Code;
use super::parameters::{Kinds, Number, seldom};
use super::site::Site;
use super::types::nullable;
use arbitrary::Arbitrary;
use serde::{Deserialize, Serialize};
use wasm_encoder::{HeapType, MemArg, RefType, ValType};

/// How another stack gets to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub enum Away {
    /// The loop suspends.
    Suspend,
    /// The loop switches to a continuation, which switches back.
    Switch,
    /// The loop resumes a continuation.
    Resume,
    /// The loop calls the host, which calls back.
    Host,
}

/// A loop that reads and writes what another stack grows and changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub struct Growth {
    /// How often the loop goes around.
    pub rounds: Number<1, 7>,
    /// How the other stack gets to run.
    pub away: Away,
    /// It grows the memory, and the loop accesses what is new.
    pub memory: bool,
    /// It grows a table, and the loop accesses what is new.
    pub table: bool,
    /// It writes to globals of these types.
    pub globals: Kinds,
    /// The loop accesses one byte behind the memory in the end.
    #[arbitrary(with = seldom)]
    pub beyond: bool,
}

impl Growth {
    pub(super) fn run(&self, b: &mut Builder) -> u32 {
        let types = b.values(self.globals.get());
        let globals: Vec<u32> = types.iter().map(|&ty| b.global(ty)).collect();
        let element = b.types.func(&[], &[]);
        let table = b.table(
            RefType {
                nullable: true,
                heap_type: HeapType::Concrete(element),
            },
            2,
        );
        let unit = b.types.pair(&[], &[]);
        let grows = b.function(&[], &[], |b, c| {
            if self.memory {
                b.grow_and_write(c);
            }
            if self.table {
                c.i().ref_func(b.finishes).i32_const(1).table_grow(table);
                b.absorb(c, &[ValType::I32]);
            }
            for (&ty, &global) in types.iter().zip(&globals) {
                b.make(c, &[ty]);
                c.i().global_set(global);
            }
            // Where the loop reads, whatever its counter is.
            b.address(c, 0xfff4);
            b.make(c, &[ValType::I32]);
            c.i().i32_store(b.word());
            b.tick(c);
        });
        let pair = b.types.symmetric_pair(&[], &[]);
        let peer = nullable(pair.cont);
        let switches = b.tag(&[], &[]);
        let suspends = b.tag(&[], &[]);
        let other = b.function(&[peer], &[], |_, c| {
            c.i()
                .call(grows)
                .local_get(0)
                .switch(pair.cont, switches)
                .drop();
        });
        let call = b.call;
        let loops = b.function(&[], &[], |b, c| {
            let size = c.local(ValType::I32);
            let count = c.local(ValType::I32);
            b.times(c, self.rounds.get(), |b, c, round| {
                // All of this is read before, so that there is something to keep.
                c.i().memory_size(0);
                b.narrowed(c);
                c.i().local_set(size).table_size(table).local_set(count);
                access(b, c, round, 256);
                // No call and no branch stands between these reads, the other stack, and the reads behind it.
                let reads = |b: &mut Builder, c: &mut Code, locals: &[u32]| {
                    for (&global, &local) in globals.iter().zip(locals) {
                        c.i().global_get(global).local_set(local);
                    }
                    c.i().local_get(round);
                    b.widened(c);
                    c.i()
                        .i32_load(word(b, 0xfff0))
                        .local_set(locals[globals.len()]);
                };
                let mut read = types.clone();
                read.push(ValType::I32);
                let before: Vec<u32> = read.iter().map(|&ty| c.local(ty)).collect();
                let after: Vec<u32> = read.iter().map(|&ty| c.local(ty)).collect();
                reads(b, c, &before);
                match self.away {
                    Away::Suspend => {
                        c.i().suspend(suspends);
                    }
                    Away::Switch => {
                        b.fresh(c, other, pair);
                        c.i().switch(pair.cont, switches).drop();
                    }
                    Away::Resume => {
                        b.fresh(c, grows, unit);
                        c.i().resume(unit.cont, []);
                    }
                    Away::Host => {
                        c.i().ref_func(grows).call(call);
                    }
                }
                reads(b, c, &after);
                b.absorb_held(c, &read, &before);
                b.absorb_held(c, &read, &after);
                access(b, c, round, 256);
                if self.memory {
                    self.access_new(b, c, size);
                }
                if self.table {
                    // Null there means that the table did not grow; the first two elements are null always.
                    c.i().table_size(table).local_get(count).i32_gt_u();
                    c.when();
                    c.i().local_get(count).table_get(table).call_ref(element);
                    c.end();
                }
            });
            if self.beyond {
                c.i().memory_size(0);
                b.address(c, 16);
                if b.memory_is_wide() {
                    c.i().i64_shl();
                } else {
                    c.i().i32_shl();
                }
                let byte = MemArg {
                    align: 0,
                    ..b.word()
                };
                c.i().i32_load8_u(byte).drop();
            }
        });
        let body = b.function(&[peer], &[], |_, c| {
            c.i().call(loops);
        });
        let site = Site {
            pair: unit,
            params: Vec::new(),
            results: Vec::new(),
            tags: vec![(suspends, Vec::new())],
            switches: vec![switches],
            guarded: false,
        };
        b.function(&[], &[], |b, c| {
            let current = c.local(nullable(unit.cont));
            c.i().ref_null(super::builder::heap(peer));
            b.fresh(c, body, pair);
            c.i().cont_bind(pair.cont, unit.cont).local_set(current);
            b.times(c, self.rounds.get() + 1, |b, c, _| {
                b.unless_null(c, current, |b, c| {
                    b.step(c, &site, super::parameters::Go::Resume, current);
                    if self.away == Away::Suspend {
                        c.i().call(grows);
                    }
                });
            });
        })
    }

    /// Reads and writes what is new since the memory had this size, if anything is.
    fn access_new(&self, b: &mut Builder, c: &mut Code, size: u32) {
        c.i().memory_size(0);
        b.narrowed(c);
        c.i().local_get(size).i32_gt_u();
        c.when();
        let new = c.local(ValType::I32);
        c.i().local_get(size).i32_const(16).i32_shl().local_set(new);
        access(b, c, new, 0xfffc);
        access(b, c, new, 8);
        c.end();
    }
}

/// Changes the word at the address in a local and so much more.
fn access(b: &mut Builder, c: &mut Code, local: u32, offset: u64) {
    let word = word(b, offset);
    for _ in 0..2 {
        c.i().local_get(local);
        b.widened(c);
    }
    c.i().i32_load(word);
    b.absorb(c, &[ValType::I32]);
    b.make(c, &[ValType::I32]);
    c.i().i32_store(word);
}

/// An access to a 32-bit word so much behind an address, aligned or not.
fn word(b: &Builder, offset: u64) -> MemArg {
    MemArg {
        offset,
        align: 0,
        ..b.word()
    }
}
