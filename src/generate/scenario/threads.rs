//! Threads: a round-robin scheduler whose tasks suspend, and one whose threads start and join others.

use super::builder::Builder;
use super::code::Code;
use super::parameters::{Go, Keep, Kinds, Number, seldom};
use super::site::{Site, arriving, on};
use super::types::nullable;
use arbitrary::Arbitrary;
use serde::{Deserialize, Serialize};
use wasm_encoder::{MemArg, ValType};

/// Tasks that suspend, and a loop that resumes them in turn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub struct Scheduler {
    /// How many tasks.
    pub tasks: Number<1, 9>,
    /// How often each suspends.
    pub rounds: Number<1, 6>,
    /// What a task hands out when it suspends.
    pub payload: Kinds,
    /// What it gets back.
    pub reply: Kinds,
    /// What it ends with.
    pub results: Kinds,
    /// Where it is while it is suspended.
    pub keep: Keep,
    /// What was taken from there stays there.
    #[arbitrary(with = seldom)]
    pub stale: bool,
    /// Exceptions end at the scheduler.
    pub guarded: bool,
    /// Before it suspends, a task runs another continuation under a clause for the same tag: one that returns, or one that suspends
    /// too and is left alone then.
    pub helper: Option<bool>,
    /// How many handler lists for another tag of the same type are between a task and the scheduler.
    pub nested: Number<0, 3>,
    /// The scheduler gives up after so many steps, and goes on with what is left in another way.
    pub patience: Number<1, 60>,
    /// That way.
    pub rest: Go,
}

impl Scheduler {
    pub(super) fn run(&self, b: &mut Builder) -> u32 {
        let (payload, reply) = (b.values(self.payload.get()), b.bindable(self.reply.get()));
        let results = b.values(self.results.get());
        let yields = b.tag(&payload, &reply);
        let pair = b.types.pair(&reply, &results);
        let mut params = vec![ValType::I32];
        params.extend(&reply);
        let whole = b.types.pair(&params, &results);
        let tasks = self.tasks.get();
        let queue = b.queue(self.keep, pair.cont, tasks + 1, self.stale);
        let rounds = self.rounds.get();
        let helps = b.types.pair(&reply, &[]);
        let helper = b.function(&reply, &[], |b, c| {
            b.mark(c, 7);
            if self.helper == Some(true) {
                b.make(c, &payload);
                c.i().suspend(yields);
                b.absorb(c, &reply);
            }
        });
        let around_helper = Site {
            pair: helps,
            params: reply.clone(),
            results: Vec::new(),
            tags: vec![(yields, payload.clone())],
            switches: Vec::new(),
            guarded: false,
        };
        let mut inner = b.function(&reply, &[], |b, c| {
            let other = c.local(nullable(helps.cont));
            b.times(c, rounds, |b, c, round| {
                b.tick(c);
                if self.helper.is_some() {
                    b.fresh(c, helper, helps);
                    c.i().local_set(other);
                    b.step(c, &around_helper, Go::Resume, other);
                }
                b.make(c, &payload);
                c.i().suspend(yields);
                b.absorb(c, &reply);
                b.mark_local(c, round);
            });
        });
        let unused = b.tag(&payload, &reply);
        let around_inner = Site {
            tags: vec![(unused, payload.clone())],
            ..around_helper.clone()
        };
        for _ in 0..self.nested.get() {
            inner = b.function(&reply, &[], |b, c| {
                let cont = c.local(nullable(helps.cont));
                b.fresh(c, inner, helps);
                c.i().local_set(cont);
                b.step(c, &around_inner, Go::Resume, cont);
                let held: Vec<u32> = (0..reply.len() as u32).collect();
                b.absorb_held(c, &reply, &held);
            });
        }
        let task = b.function(&params, &results, |b, c| {
            b.make(c, &reply);
            c.i().call(inner);
            // What came with the first resume is still there.
            let held: Vec<u32> = (0..params.len() as u32).collect();
            b.absorb_held(c, &params, &held);
            b.make(c, &results);
        });
        let site = Site {
            pair,
            params: reply.clone(),
            results: results.clone(),
            tags: vec![(yields, payload.clone())],
            switches: Vec::new(),
            guarded: self.guarded,
        };
        b.function(&[], &[], |b, c| {
            b.times(c, tasks, |b, c, number| {
                c.i().local_get(number);
                b.fresh(c, task, whole);
                c.i().cont_bind(whole.cont, pair.cont);
                queue.push(c);
            });
            let current = c.local(nullable(pair.cont));
            let turns = |b: &mut Builder, c: &mut Code, count, go, site: &Site| {
                b.times(c, count, |b, c, _| {
                    queue.pop(c);
                    c.i().local_set(current);
                    b.unless_null(c, current, |b, c| {
                        b.step(c, site, go, current);
                        b.unless_null(c, current, |_, c| {
                            c.i().local_get(current);
                            queue.push(c);
                        });
                    });
                });
            };
            turns(b, c, self.patience.get(), Go::Resume, &site);
            let last = Site {
                guarded: true,
                ..site.clone()
            };
            turns(b, c, tasks, self.rest, &last);
        })
    }
}

/// Threads that start others by suspending with a continuation, and wait for the end of others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub struct Threads {
    /// How many threads there will be.
    pub threads: Number<1, 8>,
    /// How often each yields.
    pub rounds: Number<0, 4>,
    /// Each starts the next so many rounds before its end.
    pub early: Number<0, 4>,
    /// Whether each waits for the one that it has started.
    pub joins: bool,
    /// Where they are while they wait.
    pub keep: Keep,
    /// The order of the scheduler's clauses, rotated by this.
    pub rotation: Number<0, 2>,
    /// How many handler lists without these tags are around each thread.
    pub nested: Number<0, 3>,
}

impl Threads {
    pub(super) fn run(&self, b: &mut Builder) -> u32 {
        let unit = b.types.pair(&[], &[]);
        let number = b.types.pair(&[ValType::I32], &[]);
        let threads = self.threads.get();
        let yields = b.tag(&[], &[]);
        let spawns = b.tag(&[nullable(unit.cont)], &[ValType::I32]);
        let joins = b.tag(&[ValType::I32], &[ValType::I32]);
        let queue = b.queue(self.keep, unit.cont, threads + 2, false);
        let started = b.global(ValType::I32);
        // By number of the thread: a word of the memory that says whether it is done.
        let done = MemArg {
            offset: 64,
            ..b.word()
        };
        let place = move |b: &mut Builder, c: &mut Code, local| {
            c.i().local_get(local).i32_const(2).i32_shl();
            b.widened(c);
        };
        let thread = b.declare(&[ValType::I32], &[]);
        let mut c = Code::new(1);
        let child = c.local(ValType::I32);
        let rounds = self.rounds.get();
        let early = self.early.get().min(rounds);
        let spawn = |b: &mut Builder, c: &mut Code| {
            c.i().local_get(0).i32_const(threads as i32 - 1).i32_lt_s();
            c.when();
            c.i().local_get(0).i32_const(1).i32_add();
            b.fresh(c, thread, number);
            c.i().cont_bind(number.cont, unit.cont).suspend(spawns);
            c.i().local_set(child);
            c.end();
        };
        let turn = |b: &mut Builder, c: &mut Code, round| {
            b.tick(c);
            c.i().suspend(yields);
            b.mark_local(c, round);
        };
        b.times(&mut c, rounds - early, turn);
        spawn(b, &mut c);
        b.times(&mut c, early, turn);
        if self.joins {
            c.i().local_get(child);
            c.when();
            c.i().local_get(child).suspend(joins);
            b.absorb(&mut c, &[ValType::I32]);
            c.end();
        }
        place(b, &mut c, 0);
        c.i().i32_const(1).i32_store(done);
        b.mark_local(&mut c, 0);
        b.define(thread, c);

        let first = nested(b, thread, self.nested.get());
        let rotation = self.rotation.get() as usize;
        b.function(&[], &[], |b, c| {
            let current = c.local(nullable(unit.cont));
            let waiting = c.local(ValType::I32);
            c.i().i32_const(0).global_set(started);
            c.i().i32_const(0);
            b.fresh(c, first, number);
            c.i().cont_bind(number.cont, unit.cont);
            queue.push(c);
            let steps = threads * (rounds + 2) * 2;
            b.times(c, steps, |b, c, _| {
                queue.pop(c);
                c.i().local_set(current);
                b.unless_null(c, current, |b, c| {
                    let ways = [
                        arriving(&[], unit.cont),
                        arriving(&[nullable(unit.cont)], number.cont),
                        arriving(&[ValType::I32], number.cont),
                    ];
                    let run = |_: &mut Builder, c: &mut Code, labels: &[_]| {
                        let tags = [yields, spawns, joins].into_iter().zip(labels);
                        let mut handlers: Vec<_> =
                            tags.map(|(tag, &label)| on(c, tag, label)).collect();
                        handlers.rotate_left(rotation);
                        c.i().local_get(current).resume(unit.cont, handlers);
                    };
                    b.cases(c, &ways, run, |b, c, way| match way {
                        0 => queue.push(c),
                        1 => {
                            let suspended = c.hold(&[nullable(number.cont)])[0];
                            queue.push(c);
                            c.i().global_get(started).i32_const(1).i32_add();
                            c.i().global_set(started).global_get(started);
                            c.i().local_get(suspended);
                            c.i().cont_bind(number.cont, unit.cont);
                            queue.push(c);
                        }
                        _ => {
                            let suspended = c.hold(&[nullable(number.cont)])[0];
                            c.i().local_set(waiting);
                            // It is asked again and again: the answer is whether the other was done.
                            place(b, c, waiting);
                            c.i().i32_load(done).local_get(suspended);
                            c.i().cont_bind(number.cont, unit.cont);
                            queue.push(c);
                        }
                    });
                });
            });
        })
    }
}

/// A function that runs another one at the end of a chain of so many continuations; both take an `i32`.
pub(super) fn nested(b: &mut Builder, function: u32, levels: u32) -> u32 {
    let number = b.types.pair(&[ValType::I32], &[]);
    let mut outer = function;
    for level in 0..levels {
        let inner = outer;
        outer = b.function(&[ValType::I32], &[], |b, c| {
            c.i().local_get(0);
            b.fresh(c, inner, number);
            c.i().resume(number.cont, []);
            b.mark(c, level);
        });
    }
    outer
}
