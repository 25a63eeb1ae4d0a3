//! Asynchronous functions: they await promises, and an executor resumes those whose promises are fulfilled.

use super::builder::Builder;
use super::code::Code;
use super::parameters::{Keep, Kinds, Number};
use super::site::{arriving, on};
use super::types::nullable;
use arbitrary::Arbitrary;
use serde::{Deserialize, Serialize};
use wasm_encoder::ValType;

/// Asynchronous functions that wait for one another's promises.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub struct Futures {
    /// How many functions.
    pub functions: Number<1, 8>,
    /// How often each awaits something.
    pub awaits: Number<1, 5>,
    /// How many promises there are.
    pub promises: Number<1, 6>,
    /// Function n awaits promise `n * stride + offset` first,
    pub stride: Number<0, 5>,
    /// and so on.
    pub offset: Number<0, 5>,
    /// What an awaiting function tells, besides the promise.
    pub payload: Kinds,
    /// What a promise is fulfilled with.
    pub value: Kinds,
    /// Where a function is that waits.
    pub keep: Keep,
    /// Where one is that is ready.
    pub ready: Keep,
    /// The value is bound when the promise is fulfilled, and not handed on by the resume.
    pub bound: bool,
}

impl Futures {
    pub(super) fn run(&self, b: &mut Builder) -> u32 {
        let (payload, value) = (b.values(self.payload.get()), b.bindable(self.value.get()));
        let ready = b.types.pair(&[], &[]);
        let waits = b.types.pair(&value, &[]);
        let start = b.types.pair(&[ValType::I32], &[]);
        let mut asked = payload.clone();
        asked.push(ValType::I32);
        let awaits = b.tag(&asked, &value);
        let (functions, promises) = (self.functions.get(), self.promises.get());
        let queue = b.queue(self.ready, ready.cont, functions + 1, false);
        let unbound = b.queue(self.ready, waits.cont, functions + 1, false);
        // One place for each promise: who comes there later waits for nothing.
        let waiting = b.keeper(self.keep, waits.cont, promises, false);
        let number = |c: &mut Code, function: u32, round: u32| {
            c.i().local_get(function);
            c.i().i32_const(self.stride.get() as i32).i32_mul();
            c.i().local_get(round).i32_add();
            c.i().i32_const(self.offset.get() as i32).i32_add();
        };
        // `[i32] -> []`: whoever waits for the promise is ready.
        let fulfil = b.function(&[ValType::I32], &[], |b, c| {
            let waiter = c.local(nullable(waits.cont));
            c.i().local_get(0);
            waiting.take(c);
            c.i().local_set(waiter);
            b.unless_null(c, waiter, |b, c| {
                if self.bound {
                    b.make(c, &value);
                    c.i().local_get(waiter);
                    c.i().cont_bind(waits.cont, ready.cont);
                    queue.push(c);
                } else {
                    c.i().local_get(waiter);
                    unbound.push(c);
                }
            });
        });
        let function = b.function(&[ValType::I32], &[], |b, c| {
            b.times(c, self.awaits.get(), |b, c, round| {
                b.tick(c);
                b.make(c, &payload);
                number(c, 0, round);
                c.i().suspend(awaits);
                let held = c.hold(&value);
                number(c, 0, round);
                c.i().i32_const(1).i32_add().call(fulfil);
                b.absorb_held(c, &value, &held);
            });
            c.i().local_get(0).call(fulfil);
        });
        b.function(&[], &[], |b, c| {
            let (current, suspended) =
                (c.local(nullable(ready.cont)), c.local(nullable(waits.cont)));
            b.times(c, functions, |b, c, number| {
                c.i().local_get(number);
                b.fresh(c, function, start);
                c.i().cont_bind(start.cont, ready.cont);
                queue.push(c);
            });
            let steps = functions * (self.awaits.get() + 2) + promises;
            b.times(c, steps, |b, c, step| {
                let ways = [arriving(&asked, waits.cont)];
                let run = |b: &mut Builder, c: &mut Code, labels: &[_]| {
                    unbound.pop(c);
                    c.i().local_set(suspended);
                    b.unless_null(c, suspended, |b, c| {
                        b.make(c, &value);
                        c.i().local_get(suspended);
                        let handlers = [on(c, awaits, labels[0])];
                        c.i().resume(waits.cont, handlers);
                    });
                    queue.pop(c);
                    c.i().local_set(current);
                    b.unless_null(c, current, |_, c| {
                        c.i().local_get(current);
                        let handlers = [on(c, awaits, labels[0])];
                        c.i().resume(ready.cont, handlers);
                    });
                    // The outside world goes on as well.
                    c.i().local_get(step).call(fulfil);
                };
                b.cases(c, &ways, run, |b, c, _| {
                    let before = c.local(nullable(waits.cont));
                    let number = c.local(ValType::I32);
                    c.i().local_set(suspended).local_set(number);
                    b.absorb(c, &payload);
                    // Whoever waited there makes room.
                    c.i().local_get(number);
                    waiting.take(c);
                    c.i().local_set(before).local_get(number);
                    waiting.put(c, suspended);
                    b.unless_null(c, before, |_, c| {
                        c.i().local_get(before);
                        unbound.push(c);
                    });
                });
            });
        })
    }
}
