//! Many values at once: signatures of a hundred and of several hundred values of all types, and arguments bound in many steps.

use super::builder::Builder;
use super::code::Code;
use super::parameters::{Few, Keep, Kind, Kinds, Number, Width, seldom, seldom_some};
use super::site::{arriving, on};
use super::types::{Pair, nullable};
use arbitrary::Arbitrary;
use serde::{Deserialize, Serialize};
use wasm_encoder::ValType;

/// A continuation with many parameters and results, whose suspensions carry many values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub struct Wide {
    /// The types, repeated as often as is needed.
    pub pattern: Kinds,
    /// What the function takes.
    pub arguments: Width,
    /// What its suspension hands out.
    pub payload: Width,
    /// What it gets back.
    pub reply: Width,
    /// What it returns.
    pub results: Width,
    /// So many of the arguments are bound, in as many steps as fit; the rest comes with the resume.
    pub bound: Number<0, 250>,
    /// The values are handed on by a switch, and not by a suspension.
    pub switched: bool,
    /// How often all of that is done.
    pub rounds: Number<1, 3>,
}

impl Wide {
    pub(super) fn run(&self, b: &mut Builder) -> u32 {
        let pattern = b.bindable(self.pattern.get());
        // One of them may be large, or a module would be.
        let mut left = 700;
        let mut of = |width: Width, first: usize| -> Vec<ValType> {
            let wanted = width.get();
            let count = if wanted > left {
                (wanted % 12).min(left)
            } else {
                wanted
            };
            left -= count;
            let from = pattern.iter().cycle().skip(first).copied();
            let types: Vec<_> = from.take(count).collect();
            match types.len() {
                0 => vec![ValType::I32; count],
                _ => types,
            }
        };
        let arguments = of(self.arguments, 0);
        let (payload, reply) = (of(self.payload, 1), of(self.reply, 2));
        let results = of(self.results, 3);
        let whole = b.types.pair(&arguments, &results);
        if self.switched {
            return self.by_switch(b, whole, &arguments, &reply, &results);
        }
        let suspended = b.types.pair(&reply, &results);
        let tag = b.tag(&payload, &reply);
        let body = b.function(&arguments, &results, |b, c| {
            halves(b, c, &arguments, |b, c| {
                b.tick(c);
                b.make(c, &payload);
                c.i().suspend(tag);
                b.absorb(c, &reply);
            });
            b.make(c, &results);
        });
        b.function(&[], &[], |b, c| {
            b.times(c, self.rounds.get(), |b, c, _| {
                let ways = [arriving(&payload, suspended.cont)];
                let run = |b: &mut Builder, c: &mut Code, labels: &[_]| {
                    let pair = self.bind(b, c, body, whole, &arguments, &results);
                    let handlers = [on(c, tag, labels[0])];
                    c.i().resume(pair.cont, handlers);
                    b.absorb(c, &results);
                };
                b.cases(c, &ways, run, |b, c, _| {
                    let cont = c.hold(&[nullable(suspended.cont)])[0];
                    b.absorb(c, &payload);
                    b.tick(c);
                    b.make(c, &reply);
                    c.i().local_get(cont).resume(suspended.cont, []);
                    b.absorb(c, &results);
                });
            });
        })
    }

    /// Pushes what is not bound, and the continuation that waits for it.
    fn bind(
        &self,
        b: &mut Builder,
        c: &mut Code,
        body: u32,
        whole: Pair,
        arguments: &[ValType],
        results: &[ValType],
    ) -> Pair {
        let bound = (self.bound.get() as usize).min(arguments.len());
        let step = bound.div_ceil(3).max(1);
        let mut pair = whole;
        b.fresh(c, body, whole);
        let mut cont = c.hold(&[nullable(whole.cont)])[0];
        for first in (0..bound).step_by(step) {
            let end = (first + step).min(bound);
            let next = b.types.pair(&arguments[end..], results);
            b.make(c, &arguments[first..end]);
            c.i().local_get(cont).cont_bind(pair.cont, next.cont);
            cont = c.hold(&[nullable(next.cont)])[0];
            pair = next;
        }
        b.make(c, &arguments[bound..]);
        c.i().local_get(cont);
        pair
    }

    /// Two continuations hand the values to one another.
    fn by_switch(
        &self,
        b: &mut Builder,
        whole: Pair,
        arguments: &[ValType],
        reply: &[ValType],
        results: &[ValType],
    ) -> u32 {
        let pair = b.types.symmetric_pair(reply, results);
        let mut taken = reply.to_vec();
        taken.push(nullable(pair.cont));
        let tag = b.tag(&[], results);
        let other = b.function(&taken, results, |b, c| {
            let last = taken.len() as u32 - 1;
            halves(b, c, reply, |b, c| {
                b.tick(c);
                b.make(c, reply);
                c.i().local_get(last).switch(pair.cont, tag).local_set(last);
                b.absorb(c, reply);
            });
            b.make(c, results);
        });
        let body = b.function(arguments, results, |b, c| {
            let peer = c.local(nullable(pair.cont));
            halves(b, c, arguments, |b, c| {
                b.make(c, reply);
                b.fresh(c, other, pair);
                c.i().switch(pair.cont, tag).local_set(peer);
                b.absorb(c, reply);
                b.tick(c);
            });
            // It hands the values back, and ends when it is switched to again, which it never is.
            b.make(c, reply);
            c.i().local_get(peer).switch(pair.cont, tag).drop();
            b.absorb(c, reply);
            b.make(c, results);
        });
        b.function(&[], &[], |b, c| {
            b.times(c, self.rounds.get(), |b, c, _| {
                let pair = self.bind(b, c, body, whole, arguments, results);
                let handlers = [super::site::on_switch(tag)];
                c.i().resume(pair.cont, handlers);
                b.absorb(c, results);
            });
        })
    }
}

/// Absorbs a half of the parameters before, and the other half after, so that these must survive it.
fn halves(
    b: &mut Builder,
    c: &mut Code,
    params: &[ValType],
    between: impl FnOnce(&mut Builder, &mut Code),
) {
    let locals: Vec<u32> = (0..params.len() as u32).collect();
    let half = params.len() / 2;
    b.absorb_held(c, &params[half..], &locals[half..]);
    between(b, c);
    b.absorb_held(c, &params[..half], &locals[..half]);
}

/// A chain of `cont.bind`s on a fresh continuation, and then on one that is suspended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub struct Binding {
    /// What the function takes.
    pub arguments: Few<Kind, 20>,
    /// What its suspension gets back.
    pub reply: Few<Kind, 20>,
    /// What it returns.
    pub results: Kinds,
    /// How many values each step binds.
    pub steps: Few<Number<0, 6>, 8>,
    /// Where the continuation is between the steps.
    pub keep: Keep,
    /// What was taken from there stays there.
    #[arbitrary(with = seldom)]
    pub stale: bool,
    /// After so many steps, the reference that the step before has used up is used again.
    #[arbitrary(with = seldom_some)]
    pub again: Option<Number<0, 12>>,
    /// How often the function suspends.
    pub rounds: Number<0, 4>,
}

impl Binding {
    pub(super) fn run(&self, b: &mut Builder) -> u32 {
        let arguments = b.bindable(self.arguments.get());
        let reply = b.bindable(self.reply.get());
        let results = b.values(self.results.get());
        let tag = b.tag(&[], &reply);
        let whole = b.types.pair(&arguments, &results);
        let suspended = b.types.pair(&reply, &results);
        let body = b.function(&arguments, &results, |b, c| {
            halves(b, c, &arguments, |b, c| {
                b.times(c, self.rounds.get(), |b, c, _| {
                    b.tick(c);
                    c.i().suspend(tag);
                    b.absorb(c, &reply);
                });
            });
            b.make(c, &results);
        });
        // The keepers of the types between, in order, so that each type has one.
        let mut keepers = Vec::new();
        let unit = b.types.pair(&[], &results);
        let mut number = 0;
        let mut bind = |b: &mut Builder, mut pair: Pair, types: &[ValType], number: &mut u32| {
            let mut done = 0;
            let mut functions = Vec::new();
            let counts = self.steps.get().iter().map(|step| step.get() as usize);
            for count in counts.chain([types.len()]) {
                let end = (done + count).min(types.len());
                let next = b.types.pair(&types[end..], &results);
                let from = self.keeper(b, &mut keepers, pair);
                let to = self.keeper(b, &mut keepers, next);
                let twice = self.again.is_some_and(|again| again.get() == *number);
                *number += 1;
                functions.push(b.function(&[], &[], |b, c| {
                    let cont = c.local(nullable(pair.cont));
                    let bound = c.local(nullable(next.cont));
                    c.i().i32_const(0);
                    from.take(c);
                    c.i().local_set(cont);
                    b.tick(c);
                    b.make(c, &types[done..end]);
                    c.i().local_get(cont).cont_bind(pair.cont, next.cont);
                    c.i().local_set(bound).i32_const(0);
                    to.put(c, bound);
                    if twice {
                        b.make(c, &types[done..end]);
                        c.i().local_get(cont).cont_bind(pair.cont, next.cont).drop();
                    }
                }));
                (done, pair) = (end, next);
            }
            functions
        };
        let of_fresh = bind(b, whole, &arguments, &mut number);
        let of_suspended = bind(b, suspended, &reply, &mut number);
        let first = self.keeper(b, &mut keepers, whole);
        let middle = self.keeper(b, &mut keepers, suspended);
        let last = self.keeper(b, &mut keepers, unit);
        b.function(&[], &[], |b, c| {
            let fresh = c.local(nullable(whole.cont));
            let cont = c.local(nullable(suspended.cont));
            b.fresh(c, body, whole);
            c.i().local_set(fresh).i32_const(0);
            first.put(c, fresh);
            for function in of_fresh {
                c.i().call(function);
            }
            let end = c.block(wasm_encoder::BlockType::Empty);
            let again = c.repeat();
            let ways = [arriving(&[], suspended.cont)];
            let run = |b: &mut Builder, c: &mut Code, labels: &[_]| {
                c.i().i32_const(0);
                last.take(c);
                let handlers = [on(c, tag, labels[0])];
                c.i().resume(unit.cont, handlers);
                b.absorb(c, &results);
                c.br(end);
            };
            b.cases(c, &ways, run, |_, c, _| {
                c.i().local_set(cont).i32_const(0);
                middle.put(c, cont);
            });
            for function in of_suspended {
                c.i().call(function);
            }
            c.br(again);
            c.end();
            c.end();
        })
    }

    fn keeper(
        &self,
        b: &mut Builder,
        keepers: &mut Vec<(u32, super::keep::Keeper)>,
        pair: Pair,
    ) -> super::keep::Keeper {
        if let Some(&(_, keeper)) = keepers.iter().find(|(cont, _)| *cont == pair.cont) {
            return keeper;
        }
        let keeper = b.keeper(self.keep, pair.cont, 1, self.stale);
        keepers.push((pair.cont, keeper));
        keeper
    }
}
