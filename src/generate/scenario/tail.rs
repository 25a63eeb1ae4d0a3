//! Tail calls as continuations' bodies: what a continuation runs is another function each time.

use super::builder::Builder;
use super::code::Code;
use super::parameters::{Few, Go, Kinds, Number, Tail};
use super::site::Site;
use super::types::nullable;
use arbitrary::Arbitrary;
use serde::{Deserialize, Serialize};
use wasm_encoder::ValType;

/// One function of a ring of functions that call one another last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub struct Link {
    /// What it takes.
    pub params: Kinds,
    /// It suspends before its call.
    pub suspends: bool,
    /// How it calls the next.
    pub tail: Tail,
}

/// A continuation whose body is a ring of tail calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub struct Tails {
    /// The functions of the ring.
    pub links: Few<Link, 6>,
    /// How many calls there are.
    pub calls: Number<0, 20>,
    /// What the last of them returns.
    pub results: Kinds,
    /// The last of them calls a host function last.
    pub host: bool,
    /// What is passed when it is gone on with after a suspension.
    pub go: Go,
    /// This is done at the last steps only.
    pub patience: Number<0, 10>,
}

impl Tails {
    pub(super) fn run(&self, b: &mut Builder) -> u32 {
        let results: Vec<_> = self.results.get().to_vec();
        let results: Vec<_> = results
            .into_iter()
            .filter(|&kind| kind != super::parameters::Kind::StructRef)
            .collect();
        let results = b.values(&results);
        let defaults = b.import("task0", &[], &results);
        let pair = b.types.pair(&[], &results);
        let tag = b.tag(&[], &[]);
        let left = b.global(ValType::I32);
        let links = self.links.get();
        let mut functions = Vec::new();
        for link in links {
            let params = b.bindable(link.params.get());
            functions.push((b.declare(&params, &results), params));
        }
        for (index, link) in links.iter().enumerate() {
            let (function, params) = functions[index].clone();
            let (next, taken) = functions[(index + 1) % links.len()].clone();
            let mut c = Code::new(params.len());
            let locals: Vec<u32> = (0..params.len() as u32).collect();
            b.tick(&mut c);
            if link.suspends {
                c.i().suspend(tag);
            }
            b.absorb_held(&mut c, &params, &locals);
            c.i().global_get(left).i32_const(1).i32_sub();
            c.i()
                .global_set(left)
                .global_get(left)
                .i32_const(0)
                .i32_lt_s();
            c.when();
            if self.host && b.features.tail_calls && b.features.tail_calls_of_host {
                c.i().return_call(defaults);
            } else {
                b.make(&mut c, &results);
                c.i().return_();
            }
            c.end();
            // Of what is passed on, some is what has arrived.
            for (at, &ty) in taken.iter().enumerate() {
                match params.get(at) {
                    Some(&same) if same == ty => {
                        c.i().local_get(at as u32);
                    }
                    _ => b.make(&mut c, &[ty]),
                }
            }
            let ty = b.types.func(&taken, &results);
            let tail = match link.tail {
                _ if !b.features.tail_calls => Tail::Not,
                tail => tail,
            };
            match tail {
                Tail::Not => {
                    c.i().call(next);
                }
                Tail::Direct => {
                    c.i().return_call(next);
                }
                Tail::Ref => {
                    c.i().ref_func(next).return_call_ref(ty);
                }
                Tail::Indirect => {
                    let (table, at) = b.indirectly(next);
                    c.i().i32_const(at).return_call_indirect(table, ty);
                }
            }
            b.define(function, c);
        }
        let first = match functions.first() {
            Some(first) => first.clone(),
            None => (defaults, Vec::new()),
        };
        let site = Site {
            pair,
            params: Vec::new(),
            results: results.clone(),
            tags: vec![(tag, Vec::new())],
            switches: Vec::new(),
            guarded: true,
        };
        b.function(&[], &[], |b, c| {
            let current = c.local(nullable(pair.cont));
            let whole = b.types.pair(&first.1, &results);
            c.i().i32_const(self.calls.get() as i32).global_set(left);
            b.make(c, &first.1);
            b.fresh(c, first.0, whole);
            if whole != pair {
                c.i().cont_bind(whole.cont, pair.cont);
            }
            c.i().local_set(current);
            b.times(c, self.patience.get(), |b, c, _| {
                b.unless_null(c, current, |b, c| b.step(c, &site, Go::Resume, current));
            });
            b.times(c, 2, |b, c, _| {
                b.unless_null(c, current, |b, c| b.step(c, &site, self.go, current));
            });
        })
    }
}
