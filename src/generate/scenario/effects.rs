//! Effect handlers: a computation that performs effects, inside layers of handlers for some of them.

use super::builder::Builder;
use super::code::Code;
use super::parameters::{Few, Go, Kinds, Number};
use super::site::{arriving, on};
use super::types::nullable;
use arbitrary::Arbitrary;
use serde::{Deserialize, Serialize};
use wasm_encoder::{Handle, ValType};

/// Something that a computation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub enum Perform {
    /// Reads the state.
    Get,
    /// Writes the state.
    Put,
    /// Asks for a choice, and does something else for each.
    Choose,
    /// Raises an exception, as an effect that may come back or not.
    Raise,
    /// Runs another computation, of effects alone, as a continuation without handlers.
    Nested,
}

/// What a layer handles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub enum Layer {
    /// Reading and writing a state of its own.
    State,
    /// Reading alone: what is read is made anew each time.
    Reader,
    /// Choices, by the bits of this number.
    Choice(Number<0, 250>),
    /// Raised exceptions: the computation is gone on with in this way, and otherwise forgotten.
    Exceptions(Option<Go>),
    /// Everything, and for each of them the first of two clauses.
    All,
}

/// A computation with effects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub struct Effects {
    /// What the state is.
    pub state: Kinds,
    /// What the computation does.
    pub program: Few<Perform, 12>,
    /// How often it does that.
    pub rounds: Number<1, 3>,
    /// The layers around it, the innermost first.
    pub layers: Few<Layer, 5>,
    /// The order of clauses, rotated by this.
    pub rotation: Number<0, 3>,
}

/// The tags of the effects, and what continuations take that performed them.
struct Tags {
    tags: [(u32, Vec<ValType>, Vec<ValType>); 4],
}

const GET: usize = 0;
const PUT: usize = 1;
const CHOOSE: usize = 2;
const RAISE: usize = 3;

impl Effects {
    pub(super) fn run(&self, b: &mut Builder) -> u32 {
        let state = b.bindable(self.state.get());
        let number = vec![ValType::I32];
        let mut tag = |params: &[ValType], results: &[ValType]| {
            (b.tag(params, results), params.to_vec(), results.to_vec())
        };
        let tags = Tags {
            tags: [
                tag(&[], &state),
                tag(&state, &[]),
                tag(&[], &number),
                tag(&number, &[]),
            ],
        };
        let unit = b.types.pair(&[], &[]);
        let effects = b.function(&[], &[], |b, c| {
            for effect in [GET, PUT, CHOOSE, RAISE] {
                perform(b, c, &tags, effect);
            }
        });
        let mut inner = b.function(&[], &[], |b, c| {
            b.times(c, self.rounds.get(), |b, c, _| {
                for &what in self.program.get() {
                    b.tick(c);
                    match what {
                        Perform::Get => perform(b, c, &tags, GET),
                        Perform::Put => perform(b, c, &tags, PUT),
                        Perform::Choose => {
                            c.i().suspend(tags.tags[CHOOSE].0);
                            c.when();
                            perform(b, c, &tags, PUT);
                            c.end();
                        }
                        Perform::Raise => perform(b, c, &tags, RAISE),
                        Perform::Nested => {
                            b.fresh(c, effects, unit);
                            c.i().resume(unit.cont, []);
                        }
                    }
                }
            });
        });
        // What no layer handles, this one does: most computations are to come to their ends.
        let layers = self.layers.get().iter().chain([&Layer::All]);
        for (depth, layer) in layers.enumerate() {
            inner = self.layer(b, &tags, *layer, inner, depth as u32);
        }
        inner
    }

    /// A function that runs another one under a layer of handlers.
    fn layer(&self, b: &mut Builder, tags: &Tags, layer: Layer, inner: u32, depth: u32) -> u32 {
        let unit = b.types.pair(&[], &[]);
        let handled: &[usize] = match layer {
            Layer::State => &[GET, PUT],
            Layer::Reader => &[GET],
            Layer::Choice(_) => &[CHOOSE],
            Layer::Exceptions(_) => &[RAISE],
            Layer::All => &[GET, PUT, CHOOSE, RAISE],
        };
        let state = tags.tags[PUT].1.clone();
        let mut ways = Vec::new();
        for &effect in handled {
            let (_, payload, reply) = &tags.tags[effect];
            let cont = b.types.pair(reply, &[]).cont;
            ways.push(arriving(payload, cont));
        }
        b.function(&[], &[], |b, c| {
            let current = c.local(nullable(unit.cont));
            let count = c.local(ValType::I32);
            b.make(c, &state);
            let held = c.hold(&state);
            b.fresh(c, inner, unit);
            c.i().local_set(current);
            let again = c.repeat();
            let run = |_: &mut Builder, c: &mut Code, labels: &[_]| {
                let mut handlers: Vec<Handle> = Vec::new();
                for (&effect, &label) in handled.iter().zip(labels) {
                    handlers.push(on(c, tags.tags[effect].0, label));
                }
                let length = handlers.len();
                handlers.rotate_left(self.rotation.get() as usize % length);
                if matches!(layer, Layer::All) {
                    // Once more behind: what stands first is taken.
                    handlers.extend_from_within(..);
                }
                c.i().local_get(current).resume(unit.cont, handlers);
                c.i().return_();
            };
            b.cases(c, &ways, run, |b, c, way| {
                let effect = handled[way];
                let (_, payload, reply) = &tags.tags[effect];
                let pair = b.types.pair(reply, &[]);
                let suspended = c.hold(&[nullable(pair.cont)])[0];
                b.mark(c, depth * 4 + effect as u32);
                c.i()
                    .local_get(count)
                    .i32_const(1)
                    .i32_add()
                    .local_set(count);
                match effect {
                    PUT if matches!(layer, Layer::State) => {
                        for &local in held.iter().rev() {
                            c.i().local_set(local);
                        }
                    }
                    _ => b.absorb(c, payload),
                }
                match (effect, layer) {
                    (GET, Layer::State) => c.push(&held),
                    (CHOOSE, Layer::Choice(bits)) => {
                        c.i().i32_const(bits.get() as i32).local_get(count);
                        c.i().i32_shr_u().i32_const(1).i32_and();
                    }
                    (RAISE, Layer::Exceptions(None)) => {
                        c.i().return_();
                    }
                    (RAISE, Layer::Exceptions(Some(go))) => {
                        b.operands(c, go, &[], suspended);
                        b.go(c, go, unit, Vec::new());
                        c.i().return_();
                    }
                    _ => b.make(c, reply),
                }
                c.i().local_get(suspended);
                if pair != unit {
                    c.i().cont_bind(pair.cont, unit.cont);
                }
                c.i().local_set(current);
            });
            c.br(again);
            c.end();
        })
    }
}

/// Suspends with what the effect takes, and absorbs what comes back.
fn perform(b: &mut Builder, c: &mut Code, tags: &Tags, effect: usize) {
    let (tag, payload, reply) = &tags.tags[effect];
    b.make(c, payload);
    c.i().suspend(*tag);
    b.absorb(c, reply);
}
