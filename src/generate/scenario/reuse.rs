//! What is over is used again: references that are consumed, and the stacks and frames of continuations that have ended.

use super::builder::Builder;
use super::code::Code;
use super::parameters::{Few, Go, Kinds, Number};
use super::site::{Site, arriving, on};
use super::style::Fault;
use super::types::nullable;
use arbitrary::{Arbitrary, Unstructured};
use serde::{Deserialize, Serialize};
use wasm_encoder::{Catch, RefType, ValType};

/// Something done with one of the references that there have been, counted from the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Again {
    /// It is gone on with, at a place that all of them share.
    Go(Go, Number<0, 3>),
    /// `cont.bind`
    Bind(Number<0, 3>),
    /// `switch` to it, from a fresh continuation
    Switch(Number<0, 3>),
    /// A fresh one is put at the end.
    Fresh,
}

impl<'a> Arbitrary<'a> for Again {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Again> {
        // The last reference can be used, others mostly not: what comes after a trap needs another call.
        let which = match u.ratio(3, 4)? {
            true => 0.into(),
            false => u.arbitrary()?,
        };
        Ok(match u.int_in_range(0..=7)? {
            0..=3 => Again::Go(u.arbitrary()?, which),
            4 => Again::Bind(which),
            5 => Again::Switch(which),
            _ => Again::Fresh,
        })
    }
}

/// References that stay where they are, consumed or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub struct Stale {
    /// What is done. A call goes on with the next after one that trapped.
    pub steps: Few<Again, 14>,
    /// How often the continuations suspend.
    pub rounds: Number<1, 8>,
    /// What they get back.
    pub reply: Kinds,
    /// The suspension passes so many handler lists.
    pub nested: Number<0, 2>,
    /// Besides the last reference, how many are kept.
    pub kept: Number<1, 12>,
}

impl Stale {
    pub(super) fn run(&self, b: &mut Builder) -> u32 {
        let reply = b.bindable(self.reply.get());
        let pair = b.types.symmetric_pair(&reply, &[]);
        let reference = nullable(pair.cont);
        let mut taken = reply.clone();
        taken.push(reference);
        let suspends = b.tag(&[], &taken);
        let switches = b.tag(&[], &[]);
        let kept = self.kept.get() + 1;
        let keeper = b.keeper(super::parameters::Keep::Table, pair.cont, kept, true);
        let last = b.global(ValType::I32);
        let at = b.global(ValType::I32);
        let append = b.function(&[reference], &[], |_, c| {
            c.i().global_get(last).i32_const(1).i32_add();
            c.i().global_set(last).global_get(last);
            keeper.put(c, 0);
        });
        let work = b.function(&[ValType::I32], &[], |b, c| {
            b.times(c, self.rounds.get(), |b, c, round| {
                b.tick(c);
                c.i().suspend(suspends);
                let held = c.hold(&taken);
                let (&peer, others) = held.split_last().expect("the peer is last");
                b.absorb_held(c, &reply, others);
                b.unless_null(c, peer, |_, c| {
                    c.i().local_get(peer).call(append);
                });
                b.mark_local(c, round);
            });
        });
        let inner = super::threads::nested(b, work, self.nested.get());
        let body = b.function(&taken, &[], |_, c| {
            c.i().i32_const(1).call(inner);
        });
        let site = Site {
            pair,
            params: taken.clone(),
            results: Vec::new(),
            tags: vec![(suspends, Vec::new())],
            switches: vec![switches],
            guarded: true,
        };
        let nth = |c: &mut Code, number: Number<0, 3>| {
            c.i().global_get(last);
            c.i().i32_const(number.get() as i32).i32_sub();
            keeper.take(c);
        };
        // One place for all: what a site remembers of the time before is there.
        let go = |b: &mut Builder, go: Go| {
            b.function(&[reference], &[], |b, c| {
                b.step(c, &site, go, 0);
                // In the place of what has ended comes a fresh one: the last reference can be used.
                c.i().local_get(0).ref_is_null();
                c.when();
                b.fresh(c, body, pair);
                c.i().local_set(0);
                c.end();
                c.i().local_get(0).call(append);
            })
        };
        let resumes = go(b, Go::Resume);
        let throws = [go(b, Go::Throw), go(b, Go::ThrowRef)];
        let target = b.global(reference);
        let switcher = b.function(&taken, &[], |b, c| {
            b.make(c, &reply);
            c.i().global_get(target).switch(pair.cont, switches);
            b.absorb(c, &taken);
        });
        b.function(&[], &[], |b, c| {
            // Not at once: there is one to begin with.
            b.fresh(c, body, pair);
            c.i().call(append);
            for (number, &step) in self.steps.get().iter().enumerate() {
                let number = number as i32;
                c.i().global_get(at).i32_const(number).i32_eq();
                c.when();
                c.i().i32_const(number + 1).global_set(at);
                match step {
                    Again::Go(go, which) => {
                        nth(c, which);
                        c.i().call(match go {
                            Go::Resume => resumes,
                            Go::Throw => throws[0],
                            Go::ThrowRef => throws[1],
                        });
                    }
                    Again::Bind(which) => {
                        nth(c, which);
                        c.i().cont_bind(pair.cont, pair.cont).call(append);
                    }
                    Again::Switch(which) => {
                        nth(c, which);
                        c.i().global_set(target);
                        b.fresh(c, switcher, pair);
                        c.i().call(resumes);
                    }
                    Again::Fresh => {
                        b.fresh(c, body, pair);
                        c.i().call(append);
                    }
                }
                c.end();
            }
        })
    }
}

/// How a continuation ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub enum Ending {
    /// It returns.
    Returns,
    /// It suspends and returns.
    Suspends,
    /// It throws.
    Throws,
    /// An exception is thrown into it.
    ThrownInto(Go),
    /// It is forgotten while it is suspended.
    Forgotten,
    /// It is forgotten before it has begun.
    Fresh,
    /// It traps, if all others have ended before.
    Traps(Fault),
}

/// Continuations one after another, each in the place of those that have ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub struct Endings {
    /// How they end.
    pub endings: Few<Ending, 8>,
    /// How often all of them are made.
    pub rounds: Number<1, 6>,
    /// What each takes,
    pub params: Kinds,
    /// and gives.
    pub results: Kinds,
    /// So many frames are on the stack of each.
    pub frames: Number<0, 12>,
}

impl Endings {
    pub(super) fn run(&self, b: &mut Builder) -> u32 {
        let (params, results) = (b.bindable(self.params.get()), b.values(self.results.get()));
        let pair = b.types.pair(&params, &results);
        let suspended = b.types.pair(&[], &results);
        let tag = b.tag(&[], &[]);
        let exceptions = b.features.exceptions;
        // What the one before has given is needed until the one after has ended.
        let globals: Vec<u32> = results.iter().map(|&ty| b.global(ty)).collect();
        let mut functions = Vec::new();
        for &ending in self.endings.get() {
            let inner = b.function(&[], &[], |b, c| {
                b.tick(c);
                match ending {
                    Ending::Suspends | Ending::ThrownInto(_) | Ending::Forgotten => {
                        c.i().suspend(tag);
                    }
                    Ending::Throws if exceptions => b.fail(c, Fault::Throw),
                    Ending::Traps(fault) => b.fail(c, fault),
                    Ending::Returns | Ending::Fresh | Ending::Throws => {}
                }
            });
            let body = b.function(&params, &results, |b, c| {
                let deep = self.frames(b, inner);
                c.i().i32_const(self.frames.get() as i32).call(deep);
                let locals: Vec<u32> = (0..params.len() as u32).collect();
                b.absorb_held(c, &params, &locals);
                b.make(c, &results);
            });
            functions.push((ending, body));
        }
        let one = |b: &mut Builder, c: &mut Code, ending: Ending, body: u32| {
            b.make(c, &params);
            b.fresh(c, body, pair);
            c.i().cont_bind(pair.cont, suspended.cont);
            let cont = c.hold(&[nullable(suspended.cont)])[0];
            if ending == Ending::Fresh {
                return;
            }
            let mut ways = vec![arriving(&[], suspended.cont)];
            if exceptions {
                ways.push(vec![ValType::Ref(RefType {
                    nullable: false,
                    ..RefType::EXNREF
                })]);
            }
            let finish = |b: &mut Builder, c: &mut Code| {
                for (&ty, &global) in results.iter().zip(&globals).rev() {
                    let new = c.hold(&[ty])[0];
                    c.i().global_get(global);
                    b.absorb(c, &[ty]);
                    c.i().local_get(new).global_set(global);
                }
            };
            let run = |b: &mut Builder, c: &mut Code, labels: &[super::code::Label]| {
                let catches = labels[1..].iter();
                let catches = catches.map(|&label| Catch::AllRef { label: c.to(label) });
                let catches = catches.collect();
                b.guarded(c, catches, |b, c| {
                    c.i().local_get(cont);
                    let handlers = [on(c, tag, labels[0])];
                    c.i().resume(suspended.cont, handlers);
                    finish(b, c);
                });
            };
            b.cases(c, &ways, run, |b, c, way| {
                if way == 1 {
                    b.absorb(c, &[ValType::EXNREF]);
                    return;
                }
                c.i().local_set(cont);
                let go = match ending {
                    Ending::Forgotten => return,
                    Ending::ThrownInto(go) => go,
                    _ => Go::Resume,
                };
                let site = Site {
                    pair: suspended,
                    params: Vec::new(),
                    results: results.clone(),
                    tags: Vec::new(),
                    switches: Vec::new(),
                    guarded: true,
                };
                b.step(c, &site, go, cont);
            });
        };
        b.function(&[], &[], |b, c| {
            let of_kind = |traps: bool| {
                let functions = functions.iter();
                functions.filter(move |(ending, _)| matches!(ending, Ending::Traps(_)) == traps)
            };
            b.times(c, self.rounds.get(), |b, c, _| {
                for &(ending, body) in of_kind(false) {
                    one(b, c, ending, body);
                }
            });
            for &(ending, body) in of_kind(true) {
                one(b, c, ending, body);
            }
        })
    }

    /// A function that calls another one in so many frames as its parameter says.
    fn frames(&self, b: &mut Builder, inner: u32) -> u32 {
        let deep = b.declare(&[ValType::I32], &[]);
        let mut c = Code::new(1);
        c.i().local_get(0);
        c.when();
        b.make(&mut c, &[ValType::I64]);
        let held = c.hold(&[ValType::I64]);
        c.i().local_get(0).i32_const(1).i32_sub().call(deep);
        b.absorb_held(&mut c, &[ValType::I64], &held);
        c.i().else_().call(inner);
        c.end();
        b.define(deep, c);
        deep
    }
}
