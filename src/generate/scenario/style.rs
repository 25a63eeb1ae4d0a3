//! What all scenarios have in common: what else happens while one runs, and from where it is run.

use super::builder::{Builder, CLOCK, MIXED};
use super::code::Code;
use super::parameters::Number;
use super::site::{arriving, on};
use super::types::Layout;
use arbitrary::{Arbitrary, Unstructured};
use serde::{Deserialize, Serialize};
use wasm_encoder::{HeapType, MemArg, MemArgTarget, ValType};

/// What happens at one step of a scenario, on whichever stack that step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Twist {
    /// Nothing.
    None,
    /// The host is called with a function reference, and calls back: a continuation is resumed inside of that.
    Reenter,
    /// The same, with a function that traps or throws.
    ReenterAndFail(Fault),
    /// The host is called with a function that suspends: there is no handler inside the host.
    ReenterAndSuspend,
    /// A trap, or an exception.
    Fault(Fault),
    /// A continuation is run to its end, and then there is a trap or an exception.
    FinishAndFail(Fault),
    /// The memory grows, and the new part is written to.
    Grow,
    /// Continuations are made that nothing needs, and some are run: what collects has something to do.
    Litter,
}

/// Something that ends what goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub enum Fault {
    /// `unreachable`
    Unreachable,
    /// A division by zero
    Division,
    /// An access behind the memory
    Memory,
    /// A `resume` of null
    NullContinuation,
    /// A call of null
    NullFunction,
    /// `throw`
    Throw,
}

impl<'a> Arbitrary<'a> for Twist {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Twist> {
        Ok(match u.int_in_range(0..=19)? {
            0..=8 => Twist::None,
            9..=11 => Twist::Reenter,
            12 => Twist::ReenterAndFail(u.arbitrary()?),
            13 => Twist::ReenterAndSuspend,
            14 => Twist::Fault(u.arbitrary()?),
            15 => Twist::FinishAndFail(u.arbitrary()?),
            16 => Twist::Grow,
            _ => Twist::Litter,
        })
    }
}

/// What is around a scenario.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub struct Style {
    /// The type section's layout.
    pub layout: Layout,
    /// Tags of the commonest type that stand before all others.
    pub tags: Number<0, 3>,
    /// What happens at one step of each call.
    pub twist: Twist,
    /// The number of that step.
    pub moment: Number<1, 30>,
    /// It also happens at later steps, each time after as many.
    pub again: bool,
    /// How often the scenario is run, each time by a call of its own, in what the runs before have left.
    pub calls: Number<1, 3>,
    /// The scenario runs at the end of a chain of so many continuations.
    pub chain: Number<0, 4>,
    /// The start function runs it once before, unless something is to happen again and again.
    #[arbitrary(with = |u: &mut Unstructured| u.ratio(1, 6))]
    pub start: bool,
    /// The memory has 64-bit addresses.
    #[arbitrary(with = |u: &mut Unstructured| u.ratio(1, 6))]
    pub wide_memory: bool,
    /// Each step is told to the host.
    pub logged: bool,
}

impl Style {
    /// What the scenario's own code refers to.
    pub(super) fn before(&self, b: &mut Builder) {
        let call = b.import("call", &[ValType::FUNCREF], &[]);
        b.call = call;
        let log = b.import("log0", &[ValType::I32, ValType::I64], &[]);
        if self.wide_memory {
            b.widen_memory();
        }
        for _ in 0..self.tags.get() {
            b.tag(&[], &[]);
        }
        let pair = b.types.pair(&[], &[]);
        let pause = b.tag(&[], &[]);
        // Runs a continuation that suspends once.
        let pausing = b.function(&[], &[], |b, c| {
            b.mark(c, 11);
            c.i().suspend(pause);
            b.mark(c, 12);
        });
        let finishes = b.function(&[], &[], |b, c| {
            let ways = [arriving(&[], pair.cont)];
            let run = |b: &mut Builder, c: &mut Code, labels: &[_]| {
                b.fresh(c, pausing, pair);
                let handlers = [on(c, pause, labels[0])];
                c.i().resume(pair.cont, handlers);
            };
            b.cases(c, &ways, run, |_, c, _| {
                c.i().resume(pair.cont, []);
            });
        });
        b.finishes = finishes;
        b.tick = b.declare(&[], &[]);
        let mut c = Code::new(0);
        c.i().global_get(CLOCK).i32_const(1).i32_add();
        c.i().global_set(CLOCK);
        if self.logged {
            c.i().global_get(CLOCK).global_get(MIXED).call(log);
        }
        if self.twist != Twist::None {
            let moment = self.moment.get() as i32;
            c.i().global_get(CLOCK);
            if self.again {
                c.i().i32_const(moment + 1).i32_rem_u();
            }
            c.i().i32_const(moment).i32_eq();
            c.when();
            self.twisted(b, &mut c, call, finishes, pause);
            c.end();
        }
        b.define(b.tick, c);
    }

    fn twisted(&self, b: &mut Builder, c: &mut Code, call: u32, finishes: u32, pause: u32) {
        match self.twist {
            Twist::None => {}
            Twist::Reenter => {
                c.i().ref_func(finishes).call(call);
            }
            Twist::ReenterAndFail(fault) => {
                let failing = b.function(&[], &[], |b, c| {
                    c.i().call(finishes);
                    b.fail(c, fault);
                });
                c.i().ref_func(failing).call(call);
            }
            Twist::ReenterAndSuspend => {
                let suspending = b.function(&[], &[], |_, c| {
                    c.i().suspend(pause);
                });
                c.i().ref_func(suspending).call(call);
            }
            Twist::Fault(fault) => b.fail(c, fault),
            Twist::FinishAndFail(fault) => {
                c.i().call(finishes);
                b.fail(c, fault);
            }
            Twist::Grow => b.grow_and_write(c),
            Twist::Litter => {
                let pair = b.types.pair(&[], &[]);
                b.times(c, 4, |b, c, _| {
                    b.fresh(c, finishes, pair);
                    c.i().drop();
                    b.fresh(c, finishes, pair);
                    c.i().resume(pair.cont, []);
                });
            }
        }
    }

    /// The calls of the scenario that `run` runs.
    pub(super) fn after(&self, b: &mut Builder, run: u32) {
        let pair = b.types.pair(&[], &[]);
        let mut entry = run;
        for number in 0..self.chain.get() {
            let inner = entry;
            entry = b.function(&[], &[], |b, c| {
                let held = c.hold_new(b, number);
                b.fresh(c, inner, pair);
                c.i().resume(pair.cont, []);
                b.mark_local(c, held);
            });
        }
        for number in 0..self.calls.get() {
            let exported = b.function(&[], &[ValType::I64], |b, c| {
                b.mark(c, number);
                c.i().i32_const(0).global_set(CLOCK).call(entry);
                c.i().global_get(MIXED);
            });
            b.export(exported);
        }
        if self.start && !self.again {
            let started = b.function(&[], &[], |b, c| {
                // The clock is beyond the moment: a start that fails would leave nothing to call.
                c.i().i32_const(0x4000_0000).global_set(CLOCK).call(entry);
                b.mark(c, 99);
            });
            b.start(started);
        }
    }
}

impl Code {
    /// A local with a number that a call before has determined.
    fn hold_new(&mut self, b: &mut Builder, number: u32) -> u32 {
        b.make(self, &[ValType::I32]);
        self.i().i32_const(number as i32).i32_add();
        self.hold(&[ValType::I32])[0]
    }
}

impl Builder {
    /// Traps or throws. What comes after is reachable for the validator.
    pub(super) fn fail(&mut self, c: &mut Code, fault: Fault) {
        match fault {
            Fault::Division => {
                c.i().i32_const(7).i32_const(0).i32_div_s().drop();
            }
            Fault::Memory => {
                self.address(c, -4);
                c.i().i32_load(self.word()).drop();
            }
            Fault::NullContinuation => {
                let pair = self.types.pair(&[], &[]);
                c.i().ref_null(HeapType::Concrete(pair.cont));
                c.i().resume(pair.cont, []);
            }
            Fault::NullFunction => {
                let ty = self.types.func(&[], &[]);
                c.i().ref_null(HeapType::Concrete(ty)).call_ref(ty);
            }
            Fault::Throw if self.features.exceptions => {
                let tag = self.value_tag();
                self.make(c, &[ValType::I64]);
                c.i().throw(tag);
            }
            Fault::Unreachable | Fault::Throw => {
                c.i().unreachable();
            }
        }
    }

    /// Pushes an address, of the type that the memory's addresses have.
    pub(super) fn address(&mut self, c: &mut Code, address: i32) {
        if self.memory_is_wide() {
            c.i().i64_const(i64::from(address as u32));
        } else {
            c.i().i32_const(address);
        }
    }

    /// Makes the number on the stack, an `i32`, one of the type that the memory's addresses have.
    pub(super) fn widened(&mut self, c: &mut Code) {
        if self.memory_is_wide() {
            c.i().i64_extend_i32_u();
        }
    }

    /// Makes what has the type that the memory's addresses have an `i32`.
    pub(super) fn narrowed(&mut self, c: &mut Code) {
        if self.memory_is_wide() {
            c.i().i32_wrap_i64();
        }
    }

    /// An access to a 32-bit word.
    pub(super) fn word(&self) -> MemArg {
        MemArg {
            offset: 0,
            align: 2,
            target: MemArgTarget::Memory(0),
            ordering: None,
        }
    }

    /// Grows the memory by a page and writes to its end; the memory is not larger than some dozen pages.
    pub(super) fn grow_and_write(&mut self, c: &mut Code) {
        self.address(c, 1);
        c.i().memory_grow(0);
        self.narrowed(c);
        self.absorb(c, &[ValType::I32]);
        // By too much, which fails.
        self.address(c, 0x4000);
        c.i().memory_grow(0);
        self.narrowed(c);
        self.absorb(c, &[ValType::I32]);
        c.i().memory_size(0);
        self.address(c, 16);
        let wide = self.memory_is_wide();
        if wide {
            c.i().i64_shl().i64_const(4).i64_sub();
        } else {
            c.i().i32_shl().i32_const(4).i32_sub();
        }
        self.make(c, &[ValType::I32]);
        c.i().i32_store(self.word());
    }
}
