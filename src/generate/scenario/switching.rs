//! Tasks that switch to one another directly, at the ends of chains of different depth.

use super::builder::Builder;
use super::code::Code;
use super::parameters::{Keep, Kinds, Number, seldom};
use super::site::Site;
use super::types::nullable;
use arbitrary::Arbitrary;
use serde::{Deserialize, Serialize};
use wasm_encoder::ValType;

/// A scheduler without a scheduler: each task switches to the next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub struct Switching {
    /// How many tasks.
    pub tasks: Number<1, 8>,
    /// How often each switches.
    pub rounds: Number<1, 6>,
    /// What a switch carries.
    pub payload: Kinds,
    /// What a task ends with.
    pub results: Kinds,
    /// Where tasks are while they do not run.
    pub keep: Keep,
    /// What was taken from there stays there.
    #[arbitrary(with = seldom)]
    pub stale: bool,
    /// The chain at whose end task n switches has n modulo one more than this many stacks besides the first.
    pub depth: Number<0, 5>,
    /// The stacks inside such a chain have handlers for other tags.
    pub others: bool,
    /// In this round a task suspends instead; what was captured by that can be switched to as well.
    pub suspends: Number<0, 6>,
    /// Exceptions end at the resume.
    pub guarded: bool,
}

impl Switching {
    pub(super) fn run(&self, b: &mut Builder) -> u32 {
        let (payload, results) = (b.bindable(self.payload.get()), b.values(self.results.get()));
        let pair = b.types.symmetric_pair(&payload, &results);
        let peer = nullable(pair.cont);
        let mut taken = payload.clone();
        taken.push(peer);
        let mut params = vec![ValType::I32];
        params.extend(&taken);
        let whole = b.types.pair(&params, &results);
        let switches = b.tag(&[], &results);
        let pauses = b.tag(&payload, &taken);
        let other = b.tag(&[], &[]);
        let tasks = self.tasks.get();
        let queue = b.queue(self.keep, pair.cont, tasks + 2, self.stale);

        // What each task does, wherever its chain ends.
        let work = b.function(&[ValType::I32], &[], |b, c| {
            let target = c.local(peer);
            b.times(c, self.rounds.get(), |b, c, round| {
                b.tick(c);
                c.i().local_get(round).i32_const(self.suspends.get() as i32);
                c.i().i32_eq();
                c.when();
                b.make(c, &payload);
                c.i().suspend(pauses).local_set(target);
                b.absorb(c, &payload);
                b.unless_null(c, target, |_, c| {
                    c.i().local_get(target);
                    queue.push(c);
                });
                c.end();
                queue.pop(c);
                c.i().local_set(target);
                b.unless_null(c, target, |b, c| {
                    b.make(c, &payload);
                    c.i().local_get(target).switch(pair.cont, switches);
                    c.i().local_set(target);
                    b.absorb(c, &payload);
                    b.unless_null(c, target, |_, c| {
                        c.i().local_get(target);
                        queue.push(c);
                    });
                });
                b.mark_local(c, 0);
            });
        });
        let deep = self.deep(b, work, other);
        let task = b.function(&params, &results, |b, c| {
            let last = params.len() as u32 - 1;
            b.unless_null(c, last, |_, c| {
                c.i().local_get(last);
                queue.push(c);
            });
            c.i().local_get(0);
            c.i().i32_const(self.depth.get() as i32 + 1).i32_rem_u();
            c.i().call(deep);
            let held: Vec<u32> = (1..last).collect();
            b.absorb_held(c, &payload, &held);
            b.make(c, &results);
        });
        let site = Site {
            pair,
            params: taken.clone(),
            results: results.clone(),
            tags: vec![(pauses, payload.clone())],
            switches: vec![switches],
            guarded: self.guarded,
        };
        b.function(&[], &[], |b, c| {
            let current = c.local(peer);
            b.times(c, tasks, |b, c, number| {
                c.i().local_get(number);
                b.fresh(c, task, whole);
                c.i().cont_bind(whole.cont, pair.cont);
                queue.push(c);
            });
            b.times(c, tasks * 3, |b, c, _| {
                queue.pop(c);
                c.i().local_set(current);
                b.unless_null(c, current, |b, c| {
                    b.step(c, &site, super::parameters::Go::Resume, current);
                    b.unless_null(c, current, |_, c| {
                        c.i().local_get(current);
                        queue.push(c);
                    });
                });
            });
        })
    }

    /// A function that does the work at the end of a chain of as many continuations as its parameter says.
    fn deep(&self, b: &mut Builder, work: u32, other: u32) -> u32 {
        let number = b.types.pair(&[ValType::I32], &[]);
        let unit = b.types.pair(&[], &[]);
        let deep = b.declare(&[ValType::I32], &[]);
        let mut c = Code::new(1);
        c.i().local_get(0).i32_eqz();
        c.when();
        c.i().local_get(0).call(work).return_();
        c.end();
        let ways = [vec![nullable(unit.cont)]];
        let run = |b: &mut Builder, c: &mut Code, labels: &[_]| {
            c.i().local_get(0).i32_const(1).i32_sub();
            b.fresh(c, deep, number);
            let handlers = match self.others {
                true => vec![super::site::on(c, other, labels[0])],
                false => Vec::new(),
            };
            c.i().resume(number.cont, handlers);
        };
        b.cases(&mut c, &ways, run, |_, c, _| {
            c.i().drop();
        });
        b.mark_local(&mut c, 0);
        b.define(deep, c);
        deep
    }
}
