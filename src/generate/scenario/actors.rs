//! Actors: each handles messages from its mailbox and sends others.

use super::builder::Builder;
use super::code::Code;
use super::parameters::{Keep, Kinds, Number, seldom};
use super::site::{arriving, on};
use super::types::nullable;
use arbitrary::Arbitrary;
use serde::{Deserialize, Serialize};
use wasm_encoder::ValType;

/// Actors with mailboxes in the memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub struct Actors {
    /// How many actors.
    pub actors: Number<1, 7>,
    /// How many messages are delivered.
    pub deliveries: Number<1, 40>,
    /// After so many messages an actor ends, and a new one takes its place.
    pub lifetime: Number<1, 8>,
    /// What a message consists of, besides a number.
    pub message: Kinds,
    /// What an actor tells when it asks for the next message.
    pub asks: Kinds,
    /// Actors send by suspending, not by a call.
    pub suspends: bool,
    /// Where an actor is that waits.
    pub keep: Keep,
    /// What was taken from there stays there.
    #[arbitrary(with = seldom)]
    pub stale: bool,
}

impl Actors {
    pub(super) fn run(&self, b: &mut Builder) -> u32 {
        let (rest, asks) = (b.bindable(self.message.get()), b.values(self.asks.get()));
        let mut message = vec![ValType::I32];
        message.extend(&rest);
        let waits = b.types.pair(&message, &[]);
        let sends_back = b.types.pair(&[], &[]);
        let mut params = vec![ValType::I32];
        params.extend(&message);
        let whole = b.types.pair(&params, &[]);
        let sends = b.tag(&[ValType::I32, ValType::I32], &[]);
        let receives = b.tag(&asks, &message);
        let actors = self.actors.get();
        let keeper = b.keeper(self.keep, waits.cont, actors, self.stale);
        let (head, tail) = (b.global(ValType::I32), b.global(ValType::I32));
        // Messages are a receiver and a number, in a ring of 32.
        let place = |b: &mut Builder, c: &mut Code, at| {
            c.i().global_get(at).i32_const(31).i32_and();
            c.i().i32_const(3).i32_shl();
            b.widened(c);
        };
        let word = |b: &Builder, offset| wasm_encoder::MemArg { offset, ..b.word() };
        let send = b.function(&[ValType::I32, ValType::I32], &[], |b, c| {
            for (local, offset) in [(0, 1024), (1, 1028)] {
                place(b, c, tail);
                c.i().local_get(local).i32_store(word(b, offset));
            }
            c.i().global_get(tail).i32_const(1).i32_add();
            c.i().global_set(tail);
        });
        let deliver = |c: &mut Code| {
            if self.suspends {
                c.i().suspend(sends);
            } else {
                c.i().call(send);
            }
        };
        let actor = b.function(&params, &[], |b, c| {
            let held: Vec<u32> = (1..params.len() as u32).collect();
            b.times(c, self.lifetime.get(), |b, c, _| {
                b.tick(c);
                b.absorb_held(c, &message, &held);
                // Two messages for one, now and then.
                c.i().local_get(0).local_get(1).i32_add();
                c.i().local_get(1).i32_const(3).i32_mul();
                deliver(c);
                c.i().local_get(1).i32_const(1).i32_and();
                c.when();
                c.i().local_get(0).i32_const(1).i32_add().local_get(0);
                deliver(c);
                c.end();
                b.make(c, &asks);
                c.i().suspend(receives);
                for &local in held.iter().rev() {
                    c.i().local_set(local);
                }
            });
            b.mark_local(c, 0);
        });
        b.function(&[], &[], |b, c| {
            let waiting = c.local(nullable(waits.cont));
            let goes_on = c.local(nullable(sends_back.cont));
            let receiver = c.local(ValType::I32);
            c.i().i32_const(0).i32_const(7).call(send);
            b.times(c, self.deliveries.get(), |b, c, _| {
                place(b, c, head);
                c.i()
                    .i32_load(word(b, 1024))
                    .i32_const(actors as i32)
                    .i32_rem_u();
                c.i().local_tee(receiver);
                keeper.take(c);
                c.i().local_tee(waiting).ref_is_null();
                c.when();
                c.i().local_get(receiver);
                b.fresh(c, actor, whole);
                c.i().cont_bind(whole.cont, waits.cont).local_set(waiting);
                c.end();
                place(b, c, head);
                c.i().i32_load(word(b, 1028));
                c.i()
                    .global_get(head)
                    .i32_const(1)
                    .i32_add()
                    .global_set(head);
                b.make(c, &rest);
                c.i().local_get(waiting);
                c.i()
                    .cont_bind(waits.cont, sends_back.cont)
                    .local_set(goes_on);
                // Until it waits or ends; a message sends two at most.
                b.times(c, 3, |b, c, _| {
                    b.unless_null(c, goes_on, |b, c| {
                        let ways = [
                            arriving(&[ValType::I32, ValType::I32], sends_back.cont),
                            arriving(&asks, waits.cont),
                        ];
                        let run = |_: &mut Builder, c: &mut Code, labels: &[_]| {
                            c.i().local_get(goes_on);
                            c.i()
                                .ref_null(super::builder::heap(nullable(sends_back.cont)));
                            c.i().local_set(goes_on);
                            let handlers = [on(c, sends, labels[0]), on(c, receives, labels[1])];
                            c.i().resume(sends_back.cont, handlers);
                        };
                        b.cases(c, &ways, run, |b, c, way| match way {
                            0 => {
                                c.i().local_set(goes_on).call(send);
                            }
                            _ => {
                                c.i().local_set(waiting);
                                b.absorb(c, &asks);
                                c.i().local_get(receiver);
                                keeper.put(c, waiting);
                            }
                        });
                    });
                });
            });
        })
    }
}
