//! Tags that are thrown, suspended with and switched with at once, and handler lists that name them several times.

use super::builder::Builder;
use super::code::{Code, Label};
use super::parameters::{Few, Keep, Number};
use super::site::{on, on_switch};
use super::types::nullable;
use arbitrary::Arbitrary;
use serde::{Deserialize, Serialize};
use wasm_encoder::{BlockType, Catch, Handle};

/// Something done with a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub enum Use {
    /// `suspend`
    Suspend(Number<0, 3>),
    /// `switch`, to a fresh continuation
    Switch(Number<0, 3>),
    /// `throw`
    Throw(Number<0, 3>),
    /// `throw` in a `try_table` on the same stack
    ThrowAndCatch(Number<0, 3>),
}

/// A clause of a handler list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub struct OnTag {
    /// The tag.
    pub tag: Number<0, 3>,
    /// The label, or `switch` if it is the last number.
    pub to: Number<0, 4>,
}

/// A handler list, and what catches around the resume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub struct List {
    /// The clauses.
    pub clauses: Few<OnTag, 8>,
    /// The tags that are caught, each with the number of the label.
    pub catches: Few<OnTag, 3>,
    /// A `try_table` is there, with `catch_all` at the end if this says so.
    pub all: Option<bool>,
}

/// Tags of one type, used for everything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub struct Clauses {
    /// What is done with them.
    pub uses: Few<Use, 12>,
    /// The handler lists around that, the innermost first.
    pub lists: Few<List, 4>,
    /// Where continuations are that were left by a switch.
    pub keep: Keep,
    /// Who is switched to suspends as well.
    pub suspends: bool,
}

impl Clauses {
    pub(super) fn run(&self, b: &mut Builder) -> u32 {
        let unit = b.types.pair(&[], &[]);
        let target = b.types.pair(&[nullable(unit.cont)], &[]);
        let tags: Vec<u32> = (0..4).map(|_| b.tag(&[], &[])).collect();
        let queue = b.queue(self.keep, unit.cont, 14, true);
        let switched = b.function(&[nullable(unit.cont)], &[], |b, c| {
            c.i().local_get(0);
            queue.push(c);
            if self.suspends {
                c.i().suspend(tags[1]);
            }
            b.mark(c, 20);
        });
        let exceptions = b.features.exceptions;
        let mut inner = b.function(&[], &[], |b, c| {
            for (number, &what) in self.uses.get().iter().enumerate() {
                b.tick(c);
                b.mark(c, number as u32);
                match what {
                    Use::Suspend(tag) => {
                        c.i().suspend(tags[tag.get() as usize]);
                    }
                    Use::Switch(tag) => {
                        b.fresh(c, switched, target);
                        c.i().switch(target.cont, tags[tag.get() as usize]);
                    }
                    Use::Throw(_) | Use::ThrowAndCatch(_) if !exceptions => {}
                    // Not the last thing that can happen here, as far as the validator knows.
                    Use::Throw(tag) => {
                        c.i().i32_const(1);
                        c.when();
                        c.i().throw(tags[tag.get() as usize]);
                        c.end();
                    }
                    Use::ThrowAndCatch(tag) => {
                        let tag = tags[tag.get() as usize];
                        let caught = c.block(BlockType::Empty);
                        let label = c.to(caught);
                        c.try_table(vec![Catch::One { tag, label }, Catch::One { tag, label }]);
                        c.i().throw(tag);
                        c.end();
                        c.i().unreachable();
                        c.end();
                    }
                }
            }
        });
        for list in self.lists.get() {
            inner = list.function(b, &tags, inner);
        }
        let outermost = self.outermost(b, &tags);
        b.function(&[], &[], |b, c| {
            let current = c.local(nullable(unit.cont));
            b.fresh(c, inner, unit);
            queue.push(c);
            // Whatever is left by a switch goes on here.
            b.times(c, 14, |b, c, _| {
                queue.pop(c);
                c.i().local_set(current);
                b.unless_null(c, current, |_, c| {
                    c.i().local_get(current).call(outermost);
                });
            });
        })
    }

    /// A function that runs a continuation to its end, whatever it does.
    fn outermost(&self, b: &mut Builder, tags: &[u32]) -> u32 {
        let mut clauses: Vec<_> = (0..4u8).map(|tag| (tag.into(), tag.into())).collect();
        clauses.extend((0..4u8).map(|tag| (tag.into(), 4.into())));
        let clauses: Vec<OnTag> = clauses
            .into_iter()
            .map(|(tag, to)| OnTag { tag, to })
            .collect();
        let list = List {
            clauses: clauses.into(),
            catches: Vec::new().into(),
            all: Some(true),
        };
        let unit = b.types.pair(&[], &[]);
        b.function(&[nullable(unit.cont)], &[], |b, c| list.drive(b, c, tags))
    }
}

impl List {
    /// A function that runs another one as a continuation under this handler list.
    fn function(&self, b: &mut Builder, tags: &[u32], inner: u32) -> u32 {
        let unit = b.types.pair(&[], &[]);
        let drives = b.function(&[nullable(unit.cont)], &[], |b, c| self.drive(b, c, tags));
        b.function(&[], &[], |b, c| {
            b.fresh(c, inner, unit);
            c.i().call(drives);
        })
    }

    /// Goes on with the continuation in the first local until it ends.
    fn drive(&self, b: &mut Builder, c: &mut Code, tags: &[u32]) {
        let unit = b.types.pair(&[], &[]);
        let again = c.repeat();
        let mut ways = vec![vec![nullable(unit.cont)]; 4];
        ways.resize(9, Vec::new());
        let run = |b: &mut Builder, c: &mut Code, labels: &[Label]| {
            let number = |n: Number<0, 3>| n.get() as usize;
            let mut catches: Vec<Catch> = Vec::new();
            if let Some(all) = self.all {
                for catch in self.catches.get() {
                    catches.push(Catch::One {
                        tag: tags[number(catch.tag)],
                        label: c.to(labels[4 + catch.to.get() as usize % 4]),
                    });
                }
                if all {
                    catches.push(Catch::All {
                        label: c.to(labels[8]),
                    });
                }
            }
            b.guarded(c, catches, |_, c| {
                let clause = |clause: &OnTag| -> Handle {
                    let tag = tags[number(clause.tag)];
                    match clause.to.get() {
                        4 => on_switch(tag),
                        label => on(c, tag, labels[label as usize]),
                    }
                };
                let handlers: Vec<Handle> = self.clauses.get().iter().map(clause).collect();
                c.i().local_get(0).resume(unit.cont, handlers);
            });
            c.i().return_();
        };
        b.cases(c, &ways, run, |b, c, way| {
            b.mark(c, 30 + way as u32);
            if way < 4 {
                c.i().local_set(0);
                c.br(again);
            }
        });
        c.end();
    }
}
