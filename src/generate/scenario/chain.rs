//! Deep chains: a suspension passes many stacks, and the whole chain is then gone on with somewhere else.

use super::builder::Builder;
use super::code::Code;
use super::parameters::{Few, Go, Keep, Kinds, Number, seldom};
use super::site::Site;
use super::types::nullable;
use arbitrary::Arbitrary;
use serde::{Deserialize, Serialize};
use wasm_encoder::{Catch, ValType};

/// What is done with a captured chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub enum Then {
    /// It is gone on with where it was captured.
    Here(Go),
    /// It is gone on with at the end of a chain of so many other stacks.
    Elsewhere(Go, Number<1, 6>),
    /// A continuation switches to it.
    Switched,
    /// `cont.bind` without values, twice: its own reference is used up.
    Bound,
    /// A new chain is captured besides, and this one is put behind it.
    Behind,
}

/// A chain of continuations with a suspension at its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub struct Chain {
    /// How many stacks there are besides the innermost.
    pub depth: Number<0, 30>,
    /// How often the innermost suspends.
    pub rounds: Number<1, 6>,
    /// What it hands out.
    pub payload: Kinds,
    /// What it gets back.
    pub reply: Kinds,
    /// What each stack returns to the one around it.
    pub results: Kinds,
    /// Every so many stacks, and one more, there is no handler; at all others there is one for another tag.
    pub others: Number<1, 6>,
    /// Exceptions end at those others.
    pub ends: bool,
    /// Where chains are kept.
    pub keep: Keep,
    /// What was taken from there stays there.
    #[arbitrary(with = seldom)]
    pub stale: bool,
    /// What is done with them.
    pub then: Few<Then, 6>,
}

impl Chain {
    pub(super) fn run(&self, b: &mut Builder) -> u32 {
        let (payload, reply) = (b.values(self.payload.get()), b.bindable(self.reply.get()));
        let results = b.values(self.results.get());
        let pair = b.types.symmetric_pair(&reply, &results);
        let peer = nullable(pair.cont);
        let mut taken = reply.clone();
        taken.push(peer);
        let switches = b.tag(&[], &results);
        let captures = b.tag(&payload, &taken);
        let queue = b.queue(self.keep, pair.cont, 12, self.stale);
        let start = b.types.pair(&[ValType::I32], &results);
        let link = self.link(b, captures, &payload, &taken, &results, queue);
        let site = Site {
            pair,
            params: taken.clone(),
            results: results.clone(),
            tags: vec![(captures, payload.clone())],
            switches: vec![switches],
            guarded: true,
        };

        // Goes on with the front of the queue, at the end of a chain of its own.
        let here = |b: &mut Builder, c: &mut Code, go| {
            let current = c.local(peer);
            queue.pop(c);
            c.i().local_set(current);
            b.unless_null(c, current, |b, c| {
                b.step(c, &site, go, current);
                b.unless_null(c, current, |_, c| {
                    c.i().local_get(current);
                    queue.push(c);
                });
            });
        };
        let capture = b.function(&[], &[], |b, c| {
            let current = c.local(peer);
            let ways = [super::site::arriving(&payload, pair.cont)];
            let run = |b: &mut Builder, c: &mut Code, labels: &[_]| {
                c.i().i32_const(self.depth.get() as i32);
                b.fresh(c, link, start);
                let handlers = [super::site::on(c, captures, labels[0])];
                c.i().resume(start.cont, handlers);
                b.absorb(c, &results);
            };
            b.cases(c, &ways, run, |b, c, _| {
                c.i().local_set(current);
                b.absorb(c, &payload);
                c.i().local_get(current);
                queue.push(c);
            });
        });
        // Switches to the front of the queue. What it was captured as is kept by whoever it switches to.
        let switcher = b.function(&taken, &results, |b, c| {
            let target = c.local(peer);
            queue.pop(c);
            c.i().local_set(target);
            b.unless_null(c, target, |b, c| {
                b.make(c, &reply);
                c.i().local_get(target).switch(pair.cont, switches);
                b.absorb(c, &taken);
            });
            b.make(c, &results);
        });
        let mut functions = Vec::new();
        for &then in self.then.get() {
            functions.push(match then {
                Then::Here(go) => b.function(&[], &[], |b, c| here(b, c, go)),
                Then::Elsewhere(go, levels) => {
                    let inner = b.function(&[ValType::I32], &[], |b, c| {
                        here(b, c, go);
                        b.mark_local(c, 0);
                    });
                    let outer = super::threads::nested(b, inner, levels.get());
                    b.function(&[], &[], |_, c| {
                        c.i().i32_const(5).call(outer);
                    })
                }
                Then::Switched => b.function(&[], &[], |b, c| {
                    let current = c.local(peer);
                    b.fresh(c, switcher, pair);
                    c.i().local_set(current);
                    b.step(c, &site, Go::Resume, current);
                    b.unless_null(c, current, |_, c| {
                        c.i().local_get(current);
                        queue.push(c);
                    });
                }),
                Then::Bound => b.function(&[], &[], |b, c| {
                    let current = c.local(peer);
                    queue.pop(c);
                    c.i().local_set(current);
                    b.unless_null(c, current, |_, c| {
                        c.i().local_get(current);
                        c.i().cont_bind(pair.cont, pair.cont);
                        c.i().cont_bind(pair.cont, pair.cont);
                        queue.push(c);
                    });
                }),
                Then::Behind => capture,
            });
        }
        b.function(&[], &[], |b, c| {
            c.i().call(capture);
            for (number, function) in functions.into_iter().enumerate() {
                c.i().call(function);
                b.mark(c, number as u32);
            }
            here(b, c, Go::Resume);
        })
    }

    /// A function that is the stack of a chain behind which there are as many as its parameter says.
    fn link(
        &self,
        b: &mut Builder,
        captures: u32,
        payload: &[ValType],
        taken: &[ValType],
        results: &[ValType],
        queue: super::keep::Queue,
    ) -> u32 {
        let start = b.types.pair(&[ValType::I32], results);
        let unit = b.types.pair(&[], results);
        let other = b.tag(&[], &[]);
        let link = b.declare(&[ValType::I32], results);
        let mut c = Code::new(1);
        c.i().local_get(0).i32_eqz();
        c.when();
        b.times(&mut c, self.rounds.get(), |b, c, round| {
            b.tick(c);
            b.make(c, payload);
            c.i().suspend(captures);
            let held = c.hold(taken);
            let (&last, others) = held.split_last().expect("the peer is last");
            b.absorb_held(c, taken, others);
            // The rest of whoever switched here.
            b.unless_null(c, last, |_, c| {
                c.i().local_get(last);
                queue.push(c);
            });
            b.mark_local(c, round);
        });
        b.make(&mut c, results);
        c.i().return_();
        c.end();
        // Values that must survive whatever happens inside.
        let held = [ValType::I64, ValType::F64, ValType::V128];
        let held = match (b.features.floats, b.features.simd) {
            (true, true) => &held[..],
            (true, false) => &held[..2],
            _ => &held[..1],
        };
        b.make(&mut c, held);
        let locals = c.hold(held);
        let ways = [vec![nullable(unit.cont)], Vec::new()];
        let resume = |b: &mut Builder, c: &mut Code, handlers: Vec<_>| {
            c.i().local_get(0).i32_const(1).i32_sub();
            b.fresh(c, link, start);
            c.i().resume(start.cont, handlers);
            b.absorb(c, results);
        };
        let run = |b: &mut Builder, c: &mut Code, labels: &[super::code::Label]| {
            c.i().local_get(0).i32_const(self.others.get() as i32 + 1);
            c.i().i32_rem_u();
            c.when();
            resume(b, c, Vec::new());
            c.i().else_();
            let catches = vec![Catch::All {
                label: c.to(labels[1]),
            }];
            let caught = |b: &mut Builder, c: &mut Code| {
                let handlers = vec![super::site::on(c, other, labels[0])];
                resume(b, c, handlers);
            };
            match self.ends {
                true => b.guarded(c, catches, caught),
                false => caught(b, c),
            }
            c.end();
        };
        b.cases(&mut c, &ways, run, |b, c, way| {
            if way == 0 {
                c.i().drop();
            }
            b.mark(c, 40 + way as u32);
        });
        b.absorb_held(&mut c, held, &locals);
        b.make(&mut c, results);
        b.define(link, c);
        link
    }
}
