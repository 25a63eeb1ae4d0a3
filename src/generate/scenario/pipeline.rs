//! Generators and what consumes them: a pipeline of stages, each of which resumes the one before it.

use super::builder::Builder;
use super::code::Code;
use super::parameters::{Go, Kinds, Number};
use super::site::{Site, arriving, on};
use super::types::nullable;
use arbitrary::Arbitrary;
use serde::{Deserialize, Serialize};
use wasm_encoder::{BlockType, Catch, RefType, ValType};

/// A generator, stages that filter and hand on, and a consumer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub struct Pipeline {
    /// How many stages hand on what the generator makes.
    pub stages: Number<0, 7>,
    /// How many items there are.
    pub items: Number<1, 8>,
    /// An item.
    pub item: Kinds,
    /// What a generator gets back for one.
    pub reply: Kinds,
    /// A stage leaves out each item whose number is a multiple of this.
    pub leaves_out: Number<1, 5>,
    /// Each item whose number is a multiple of this goes past all stages, to the consumer directly.
    pub urgent: Number<1, 5>,
    /// The consumer stops after so many items,
    pub consumed: Number<0, 12>,
    /// and ends what is left like this.
    pub stop: Go,
    /// A stage that is ended by an exception ends its source likewise, and then goes on with the exception.
    pub cleans_up: bool,
}

impl Pipeline {
    pub(super) fn run(&self, b: &mut Builder) -> u32 {
        let (item, reply) = (b.values(self.item.get()), b.bindable(self.reply.get()));
        let pair = b.types.pair(&reply, &[]);
        let mut params = vec![ValType::I32];
        params.extend(&reply);
        let whole = b.types.pair(&params, &[]);
        let urgent = b.tag(&item, &reply);
        let emits = b.tag(&item, &reply);
        let stage = b.declare(&params, &[]);
        let mut c = Code::new(params.len());
        c.i().local_get(0).i32_eqz();
        c.when();
        b.times(&mut c, self.items.get(), |b, c, number| {
            b.tick(c);
            b.make(c, &item);
            c.i().local_get(number);
            c.i().i32_const(self.urgent.get() as i32).i32_rem_u();
            let ty = b.either(&item, &reply);
            if let Some(ty) = ty {
                c.i().if_(ty).suspend(emits).else_().suspend(urgent).end();
            } else {
                c.i().drop().suspend(emits);
            }
            b.absorb(c, &reply);
        });
        c.i().return_();
        c.end();
        let source = c.local(nullable(pair.cont));
        let count = c.local(ValType::I32);
        c.i().local_get(0).i32_const(1).i32_sub();
        b.fresh(&mut c, stage, whole);
        c.i().cont_bind(whole.cont, pair.cont).local_set(source);
        let again = c.repeat();
        let ways = [arriving(&item, pair.cont)];
        let run = |b: &mut Builder, c: &mut Code, labels: &[_]| {
            b.make(c, &reply);
            c.i().local_get(source);
            let handlers = [on(c, emits, labels[0])];
            c.i().resume(pair.cont, handlers);
            b.mark_local(c, count);
            c.i().return_();
        };
        b.cases(&mut c, &ways, run, |b, c, _| {
            c.i().local_set(source);
            let held = c.hold(&item);
            c.i().local_get(count).i32_const(1).i32_add();
            c.i().local_tee(count);
            c.i()
                .i32_const(self.leaves_out.get() as i32 + 1)
                .i32_rem_u();
            c.when();
            if self.cleans_up && b.features.exceptions {
                let exception = ValType::Ref(RefType {
                    nullable: false,
                    ..RefType::EXNREF
                });
                let run = |b: &mut Builder, c: &mut Code, labels: &[_]| {
                    let label = c.to(labels[0]);
                    c.try_table(vec![Catch::AllRef { label }]);
                    c.push(&held);
                    c.i().suspend(emits);
                    b.absorb(c, &reply);
                    c.end();
                };
                b.cases(c, &[vec![exception]], run, |b, c, _| {
                    let exception = c.hold(&[ValType::EXNREF])[0];
                    let site = Site {
                        pair,
                        params: reply.clone(),
                        results: Vec::new(),
                        tags: vec![(emits, item.clone())],
                        switches: Vec::new(),
                        guarded: true,
                    };
                    b.step(c, &site, self.stop, source);
                    c.i().local_get(exception).throw_ref();
                });
            } else {
                c.push(&held);
                c.i().suspend(emits);
                b.absorb(c, &reply);
            }
            c.end();
            b.absorb_held(c, &item, &held);
        });
        c.br(again);
        c.end();
        b.define(stage, c);

        let site = Site {
            pair,
            params: reply.clone(),
            results: Vec::new(),
            tags: vec![(urgent, item.clone()), (emits, item.clone())],
            switches: Vec::new(),
            guarded: false,
        };
        b.function(&[], &[], |b, c| {
            let source = c.local(nullable(pair.cont));
            c.i().i32_const(self.stages.get() as i32);
            b.fresh(c, stage, whole);
            c.i().cont_bind(whole.cont, pair.cont).local_set(source);
            b.times(c, self.consumed.get(), |b, c, _| {
                b.unless_null(c, source, |b, c| b.step(c, &site, Go::Resume, source));
            });
            let last = Site {
                guarded: true,
                ..site.clone()
            };
            b.unless_null(c, source, |b, c| b.step(c, &last, self.stop, source));
        })
    }
}

impl Builder {
    /// The type of an `if` with these parameters and results; `None` where blocks may not have parameters and there are some.
    fn either(&mut self, params: &[ValType], results: &[ValType]) -> Option<BlockType> {
        match params {
            [] => Some(self.block_type(results)),
            _ if !self.features.block_parameters => None,
            _ => Some(BlockType::FunctionType(self.types.func(params, results))),
        }
    }
}
