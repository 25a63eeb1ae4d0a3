//! The host in the middle: as a continuation's body, and with a re-entry inside a continuation.

use super::builder::Builder;
use super::parameters::{Few, Kind, Kinds, Number};
use super::style::Fault;
use super::types::nullable;
use arbitrary::{Arbitrary, Unstructured};
use serde::{Deserialize, Serialize};
use wasm_encoder::{Catch, ValType};

/// How one level enters the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub enum Entry {
    /// The host is called, and calls back.
    Called,
    /// A continuation whose body is the host's function that calls back.
    Body,
    /// The same, with what the host calls bound before.
    BoundBody,
    /// The host is called on a continuation of its own.
    OnContinuation,
}

/// One level of calls from and to the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub struct Level {
    /// How the next one is entered.
    pub entry: Entry,
    /// Exceptions from the next one end here.
    pub guarded: bool,
    /// What this level needs afterwards is made on another stack, and is in this one's frame only.
    pub holds: bool,
    /// Continuations are made and forgotten here.
    pub litters: bool,
}

/// Levels of calls from the host and to it, and host functions as continuations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub struct Host {
    /// The levels, the innermost first.
    pub levels: Few<Level, 5>,
    /// How the innermost fails, if it does.
    #[arbitrary(with = failing)]
    pub fault: Option<Fault>,
    /// What a host function that returns defaults takes as a continuation's body,
    pub params: Kinds,
    /// and gives.
    pub results: Kinds,
    /// How often all of this is done.
    pub rounds: Number<1, 3>,
}

/// What can be caught, mostly: how it gets past the host is the question.
fn failing(u: &mut Unstructured<'_>) -> arbitrary::Result<Option<Fault>> {
    Ok(match u.int_in_range(0..=11)? {
        0..=6 => None,
        7..=10 => Some(Fault::Throw),
        _ => Some(u.arbitrary()?),
    })
}

impl Host {
    pub(super) fn run(&self, b: &mut Builder) -> u32 {
        let plain = |kinds: &[Kind]| -> Vec<Kind> {
            let plain = |&kind: &Kind| match kind {
                Kind::StructRef => Kind::I32,
                other => other,
            };
            kinds.iter().map(plain).collect()
        };
        let params = b.bindable(&plain(self.params.get()));
        let results = b.values(&plain(self.results.get()));
        let defaults = b.import("task0", &params, &results);
        let (given, left) = params.split_at(params.len() / 2);
        let whole = b.types.pair(&params, &results);
        let rest = b.types.pair(left, &results);
        let mut inner = b.function(&[], &[], |b, c| {
            b.tick(c);
            c.i().call(b.finishes);
            b.make(c, given);
            b.fresh(c, defaults, whole);
            c.i().cont_bind(whole.cont, rest.cont);
            let cont = c.hold(&[nullable(rest.cont)])[0];
            b.make(c, left);
            c.i().local_get(cont).resume(rest.cont, []);
            b.absorb(c, &results);
            if let Some(fault) = self.fault {
                b.fail(c, fault);
            }
        });
        for (number, level) in self.levels.get().iter().enumerate() {
            inner = level.function(b, inner, number as u32);
        }
        b.function(&[], &[], |b, c| {
            let unit = b.types.pair(&[], &[]);
            b.times(c, self.rounds.get(), |b, c, _| {
                b.fresh(c, inner, unit);
                c.i().resume(unit.cont, []);
            });
        })
    }
}

impl Level {
    fn function(self, b: &mut Builder, inner: u32, number: u32) -> u32 {
        let unit = b.types.pair(&[], &[]);
        let body = b.types.pair(&[ValType::FUNCREF], &[]);
        let three = b.types.pair(&[], &[ValType::I32]);
        let made = b.global(nullable(three.cont));
        let answers = b.function(&[], &[ValType::I32], |b, c| {
            b.mark(c, number);
            c.i().i32_const(3);
        });
        let makes = b.function(&[], &[], |b, c| {
            b.fresh(c, answers, three);
            c.i().global_set(made);
        });
        let litters = b.function(&[], &[], |b, c| {
            b.times(c, 3, |b, c, _| {
                b.fresh(c, b.finishes, unit);
                c.i().drop();
            });
        });
        // Holds as many values over the call as there are registers for them, so what the caller holds is in its frame.
        let call = b.call;
        let calls = b.function(&[], &[], |b, c| {
            let held = [ValType::I32; 7];
            b.make(c, &held);
            let locals = c.hold(&held);
            c.i().ref_func(inner).call(call);
            b.absorb_held(c, &held, &locals);
        });
        b.function(&[], &[], |b, c| {
            let needed = c.local(nullable(three.cont));
            if self.holds {
                b.fresh(c, makes, unit);
                c.i()
                    .resume(unit.cont, [])
                    .global_get(made)
                    .local_set(needed);
                c.i().ref_null(super::builder::heap(nullable(three.cont)));
                c.i().global_set(made);
            }
            if self.litters {
                c.i().call(litters);
            }
            let ways = [Vec::new()];
            let enter = |b: &mut Builder, c: &mut super::code::Code, labels: &[_]| {
                let catches = match self.guarded {
                    true => vec![Catch::All {
                        label: c.to(labels[0]),
                    }],
                    false => Vec::new(),
                };
                b.guarded(c, catches, |b, c| match self.entry {
                    Entry::Called => {
                        c.i().call(calls);
                    }
                    Entry::Body => {
                        c.i().ref_func(inner);
                        b.fresh(c, call, body);
                        c.i().resume(body.cont, []);
                    }
                    Entry::BoundBody => {
                        c.i().ref_func(inner);
                        b.fresh(c, call, body);
                        c.i().cont_bind(body.cont, unit.cont);
                        c.i().resume(unit.cont, []);
                    }
                    Entry::OnContinuation => {
                        b.fresh(c, calls, unit);
                        c.i().resume(unit.cont, []);
                    }
                });
            };
            b.cases(c, &ways, enter, |b, c, _| b.mark(c, 60));
            if self.holds {
                c.i().local_get(needed).resume(three.cont, []);
                b.absorb(c, &[ValType::I32]);
            }
            b.mark(c, 70 + number);
        })
    }
}
