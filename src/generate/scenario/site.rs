//! Where continuations are gone on with: one instruction, its clauses, and what becomes of each way in which it ends.

use super::builder::{Builder, heap};
use super::code::{Code, Label};
use super::parameters::Go;
use super::types::{Pair, nullable};
use wasm_encoder::{Catch, Handle, ValType};

/// A place where continuations of one type are gone on with, and come back as the same type when they suspend.
#[derive(Clone)]
pub(super) struct Site {
    pub(super) pair: Pair,
    /// What a continuation of the type takes and gives.
    pub(super) params: Vec<ValType>,
    pub(super) results: Vec<ValType>,
    /// Tags with their payloads. Each has what continuations take as its results, so that all come back as the same type.
    pub(super) tags: Vec<(u32, Vec<ValType>)>,
    /// Tags for switches; their clauses stand behind the others.
    pub(super) switches: Vec<u32>,
    /// Whether exceptions end here.
    pub(super) guarded: bool,
}

impl Builder {
    /// Goes on with the continuation in a local, which is not null. Afterwards the local has what suspended, or null.
    pub(super) fn step(&mut self, c: &mut Code, site: &Site, go: Go, local: u32) {
        let mut ways: Vec<_> = site
            .tags
            .iter()
            .map(|(_, payload)| arriving(payload, site.pair.cont))
            .collect();
        let guarded = site.guarded && self.features.exceptions;
        if guarded {
            ways.push(vec![ValType::I64]);
            ways.push(Vec::new());
        }
        let null = heap(nullable(site.pair.cont));
        let run = |b: &mut Builder, c: &mut Code, labels: &[Label]| {
            let catches = match labels[site.tags.len()..] {
                [one, all] => vec![
                    Catch::One {
                        tag: b.value_tag(),
                        label: c.to(one),
                    },
                    Catch::All { label: c.to(all) },
                ],
                _ => Vec::new(),
            };
            b.guarded(c, catches, |b, c| {
                b.operands(c, go, &site.params, local);
                let clauses = site.tags.iter().zip(labels);
                let mut handlers: Vec<Handle> = clauses
                    .map(|(&(tag, _), &label)| on(c, tag, label))
                    .collect();
                handlers.extend(site.switches.iter().map(|&tag| on_switch(tag)));
                b.go(c, go, site.pair, handlers);
                b.absorb(c, &site.results);
                c.i().ref_null(null).local_set(local);
            });
        };
        self.cases(c, &ways, run, |b, c, way| {
            if let Some((_, payload)) = site.tags.get(way) {
                c.i().local_set(local);
                b.absorb(c, payload);
            } else {
                if way == site.tags.len() {
                    b.absorb(c, &[ValType::I64]);
                }
                c.i().ref_null(null).local_set(local);
            }
            b.mark(c, way as u32);
        });
    }

    /// Pushes what this way to go on takes, the continuation of a local last.
    pub(super) fn operands(&mut self, c: &mut Code, go: Go, params: &[ValType], local: u32) {
        match go {
            Go::Throw if self.features.exceptions => self.make(c, &[ValType::I64]),
            Go::ThrowRef if self.features.exceptions => self.make(c, &[ValType::EXNREF]),
            _ => self.make(c, params),
        }
        c.i().local_get(local);
    }

    /// The instruction alone.
    pub(super) fn go(&mut self, c: &mut Code, go: Go, pair: Pair, handlers: Vec<Handle>) {
        match go {
            Go::Throw if self.features.exceptions => {
                let tag = self.value_tag();
                c.i().resume_throw(pair.cont, tag, handlers);
            }
            Go::ThrowRef if self.features.exceptions => {
                c.i().resume_throw_ref(pair.cont, handlers);
            }
            _ => {
                c.i().resume(pair.cont, handlers);
            }
        }
    }
}

/// `(on tag label)`
pub(super) fn on(c: &Code, tag: u32, label: Label) -> Handle {
    Handle::OnLabel {
        tag,
        label: c.to(label),
    }
}

/// `(on tag switch)`
pub(super) fn on_switch(tag: u32) -> Handle {
    Handle::OnSwitch { tag }
}

/// What arrives at a clause: the payload, and the continuation.
pub(super) fn arriving(payload: &[ValType], cont: u32) -> Vec<ValType> {
    let mut values = payload.to_vec();
    values.push(nullable(cont));
    values
}
