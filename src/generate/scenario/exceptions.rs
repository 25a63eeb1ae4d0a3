//! Exceptions through several stacks: caught, rethrown, thrown into others, again and again.

use super::builder::Builder;
use super::code::Code;
use super::parameters::{Few, Go, Kinds, Number};
use super::site::{Site, arriving, on};
use super::types::nullable;
use arbitrary::Arbitrary;
use serde::{Deserialize, Serialize};
use wasm_encoder::{Catch, RefType, ValType};

/// What a stack does with an exception that comes from the one that it has resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub enum Catching {
    /// Nothing: it passes.
    Passes,
    /// `catch_ref`, and `throw_ref`
    Rethrows,
    /// `catch_all_ref`, and `throw_ref` in a later frame
    RethrowsLater,
    /// `catch`, and `throw` with what was caught
    ThrowsAnew,
    /// `catch` of another tag of the same type, before one that fits
    OtherFirst,
    /// `catch`, and goes on
    Ends,
    /// `catch_all_ref`, and throws it into another continuation
    ThrowsInto,
}

/// A chain of stacks, each of which resumes the next in a `try_table` in a loop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub struct Exceptions {
    /// What the stacks do, the innermost but one first.
    pub stacks: Few<Catching, 7>,
    /// What is thrown.
    pub payload: Kinds,
    /// How often each of the loops goes around.
    pub rounds: Number<1, 3>,
    /// The innermost suspends before, and the outermost goes on with it like this.
    pub go: Option<Go>,
    /// The innermost throws again so many times what it has caught.
    pub again: Number<0, 3>,
}

/// The tags and types of such a chain.
struct Thrown {
    tag: u32,
    other: u32,
    payload: Vec<ValType>,
    suspends: u32,
    /// Whoever waits here gets an exception thrown into it.
    waits: u32,
}

const EXCEPTION: ValType = ValType::Ref(RefType {
    nullable: false,
    ..RefType::EXNREF
});

impl Exceptions {
    pub(super) fn run(&self, b: &mut Builder) -> u32 {
        let unit = b.types.pair(&[], &[]);
        let payload = b.values(self.payload.get());
        let thrown = Thrown {
            other: b.tag(&payload, &[]),
            tag: b.tag(&payload, &[]),
            suspends: b.tag(&[], &[]),
            waits: b.function(&[], &[], |_, _| {}),
            payload,
        };
        let thrown = Thrown {
            waits: b.function(&[], &[], |b, c| {
                b.mark(c, 50);
                c.i().suspend(thrown.suspends);
            }),
            ..thrown
        };
        let exceptions = b.features.exceptions;
        let mut inner = b.function(&[], &[], |b, c| {
            b.tick(c);
            if self.go.is_some() {
                c.i().suspend(thrown.suspends);
            }
            if !exceptions {
                return;
            }
            for number in 0..self.again.get() {
                let run = |b: &mut Builder, c: &mut Code, labels: &[_]| {
                    let label = c.to(labels[0]);
                    c.try_table(vec![Catch::One {
                        tag: thrown.tag,
                        label,
                    }]);
                    b.make(c, &thrown.payload);
                    c.i().throw(thrown.tag);
                    c.end();
                };
                b.cases(c, std::slice::from_ref(&thrown.payload), run, |b, c, _| {
                    b.absorb(c, &thrown.payload);
                    b.mark(c, number);
                });
            }
            b.make(c, &thrown.payload);
            c.i().throw(thrown.tag);
        });
        let depth = self.stacks.get().len() as u32;
        for (number, catching) in self.stacks.get().iter().enumerate() {
            // All of them at once would be too much.
            let rounds = match depth - number as u32 {
                1 | 2 => self.rounds.get(),
                _ => 1,
            };
            inner = catching.function(b, &thrown, inner, rounds);
        }
        let site = Site {
            pair: unit,
            params: Vec::new(),
            results: Vec::new(),
            tags: vec![(thrown.suspends, Vec::new())],
            switches: Vec::new(),
            guarded: true,
        };
        b.function(&[], &[], |b, c| {
            let current = c.local(nullable(unit.cont));
            b.times(c, self.rounds.get(), |b, c, _| {
                b.fresh(c, inner, unit);
                c.i().local_set(current);
                b.step(c, &site, Go::Resume, current);
                b.times(c, 6, |b, c, _| {
                    b.unless_null(c, current, |b, c| {
                        b.step(c, &site, self.go.unwrap_or(Go::Resume), current);
                    });
                });
            });
        })
    }
}

impl Catching {
    /// A function that resumes another one in a loop, and does this with exceptions.
    fn function(self, b: &mut Builder, thrown: &Thrown, inner: u32, rounds: u32) -> u32 {
        let unit = b.types.pair(&[], &[]);
        let Thrown { tag, other, .. } = *thrown;
        let exceptions = b.features.exceptions;
        let payload = thrown.payload.clone();
        let mut with_exception = payload.clone();
        with_exception.push(EXCEPTION);
        let later = exceptions.then(|| {
            b.function(&[ValType::EXNREF], &[], |b, c| {
                b.tick(c);
                c.i().local_get(0).throw_ref();
            })
        });
        let ways: Vec<Vec<ValType>> = match self {
            _ if !exceptions => Vec::new(),
            Catching::Passes => Vec::new(),
            Catching::Rethrows => vec![with_exception],
            Catching::RethrowsLater | Catching::ThrowsInto => vec![vec![EXCEPTION]],
            Catching::ThrowsAnew | Catching::Ends => vec![payload.clone()],
            Catching::OtherFirst => vec![payload.clone(), payload.clone()],
        };
        b.function(&[], &[], |b, c| {
            b.make(c, &[ValType::I64]);
            let held = c.hold(&[ValType::I64]);
            b.times(c, rounds, |b, c, _| {
                let run = |b: &mut Builder, c: &mut Code, labels: &[_]| {
                    let label = labels.first().map_or(0, |&label| c.to(label));
                    let second = labels.get(1).map_or(0, |&label| c.to(label));
                    let catches = match self {
                        Catching::Passes => Vec::new(),
                        Catching::Rethrows => vec![Catch::OneRef { tag, label }],
                        Catching::RethrowsLater | Catching::ThrowsInto => {
                            vec![Catch::AllRef { label }]
                        }
                        Catching::ThrowsAnew | Catching::Ends => vec![Catch::One { tag, label }],
                        Catching::OtherFirst => vec![
                            Catch::One { tag: other, label },
                            Catch::One { tag, label: second },
                            Catch::One { tag, label },
                        ],
                    };
                    b.guarded(c, catches, |b, c| {
                        b.fresh(c, inner, unit);
                        c.i().resume(unit.cont, []);
                    });
                };
                b.cases(c, &ways, run, |b, c, way| {
                    b.absorb_held(c, &[ValType::I64], &held);
                    b.mark(c, 80 + way as u32);
                    match self {
                        Catching::Passes => {}
                        Catching::Rethrows => {
                            let exception = c.hold(&[ValType::EXNREF])[0];
                            b.absorb(c, &payload);
                            c.i().local_get(exception).throw_ref();
                        }
                        Catching::RethrowsLater => {
                            c.i().call(later.expect("there are exceptions"));
                        }
                        Catching::ThrowsAnew => {
                            c.i().throw(tag);
                        }
                        Catching::Ends | Catching::OtherFirst => b.absorb(c, &payload),
                        Catching::ThrowsInto => throw_into(b, c, thrown),
                    }
                });
            });
        })
    }
}

/// Throws the exception on the stack into a continuation that waits for it, and catches it again.
fn throw_into(b: &mut Builder, c: &mut Code, thrown: &Thrown) {
    let unit = b.types.pair(&[], &[]);
    let exception = c.hold(&[ValType::EXNREF])[0];
    let ways = [arriving(&[], unit.cont)];
    let waits = |b: &mut Builder, c: &mut Code, labels: &[_]| {
        b.fresh(c, thrown.waits, unit);
        let handlers = [on(c, thrown.suspends, labels[0])];
        c.i().resume(unit.cont, handlers);
    };
    b.cases(c, &ways, waits, |b, c, _| {
        let waiting = c.hold(&[nullable(unit.cont)])[0];
        let run = |_: &mut Builder, c: &mut Code, labels: &[_]| {
            let label = c.to(labels[0]);
            c.try_table(vec![Catch::All { label }]);
            c.i().local_get(exception).local_get(waiting);
            c.i().resume_throw_ref(unit.cont, []);
            c.end();
        };
        b.cases(c, &[Vec::new()], run, |b, c, _| b.mark(c, 90));
    });
}
