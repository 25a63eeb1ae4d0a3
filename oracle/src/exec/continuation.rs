//! Stack switching: `cont.new`, `cont.bind`, `resume`, `resume_throw`, `resume_throw_ref`,
//! `suspend`, `switch` (the stack-switching proposal, "Execution").
//!
//! In the reduction rules below, `ca` is a continuation's address in the store, `E` an
//! evaluation context (a stack with a hole), `hdl` a list of handlers, and `H(hdl){...}`
//! the frame that a `resume` leaves on its stack around what it runs. A continuation is
//! `E : n`, a context whose hole wants `n` values. Consuming `ca` empties it in the store.
//!
//! In all handlers `a` is the first argument's slot, where the results go as well, `b` the
//! site and `c` the continuation's slot.

use super::frame::{copy, get, set};
use super::{Pc, Slots, Step};
use crate::checks::Owner;
use crate::code::{ContSite, Instr, Label};
use crate::error::{Exhausted, TrapKind};
use crate::heap::Continuation;
use crate::machine::{Machine, Stop};
use crate::stacks::{LEAST_SLOTS, ResumeSite, StackId};
use crate::trace::EventKind;
use crate::value::{MAX_CONTINUATIONS, NULL, cont_number, word_exn, word_func};

/// `(ref.null) cont.new` traps; `(ref.func fa) cont.new ct` allocates
/// `ca = (invoke fa) : n` with `n` the function's parameters, and is `(ref.cont ca)`.
pub(crate) fn cont_new(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    m.attempt(pc, |m| {
        let func = match get(f, i.a) {
            NULL => return Err(Stop::Trap(TrapKind::NullFunctionReference)),
            word => word_func(word),
        };
        m.check_continuations()?;
        let stack = m.stacks.allocate(Owner::Running);
        let cont = Continuation {
            innermost: stack,
            outermost: stack,
            receive_at: 0,
            bound: 0,
            fresh: Some(func),
            stacks: 1,
            frames: 0,
        };
        let word = m.continuations.add(cont);
        m.pass_on(&cont, Owner::Running, Owner::Continuation(word));
        if m.tracing {
            m.record_here(EventKind::New {
                cont: cont_number(word),
                function: func,
            });
        }
        set(f, i.c, word);
        Ok(())
    })
}

/// `v^k (ref.cont ca) cont.bind ct ct'` with `ca = E : n+k` consumes `ca` and allocates
/// `ca' = E[v^k _] : n`; it is `(ref.cont ca')`. Null and consumed trap.
pub(crate) fn cont_bind(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    m.attempt(pc, |m| {
        let word = get(f, i.c);
        m.usable(word)?;
        m.check_numbers()?;
        let mut cont = m.consume(word)?;
        let values = &f[i.a as usize..];
        let site = m.site(i);
        let slots = site.arg_slots;
        let args = m.tracing.then(|| site.args.clone());
        m.give(&cont, values, slots)?;
        cont.bound += slots;
        let bound = m.continuations.add(cont);
        m.pass_on(&cont, Owner::Continuation(word), Owner::Continuation(bound));
        if let Some(types) = args {
            let values = m.trace_values(&types, values);
            m.record_here(EventKind::Bind {
                from: cont_number(word),
                to: cont_number(bound),
                values,
            });
        }
        set(f, i.a, bound);
        Ok(())
    })
}

/// `v^n (ref.cont ca) resume ct hdl` with `ca = E : n` consumes `ca` and is
/// `H(hdl){ E[v^n] }`. Null and consumed trap. When what is inside has become values, it is
/// those values: see [`Machine::stack_returned`].
pub(crate) fn resume(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    m.change(pc, |m| {
        let word = get(f, i.c);
        m.can_start(word)?;
        let cont = m.consume(word)?;
        let values = &f[i.a as usize..];
        let site = m.site(i);
        let slots = site.arg_slots;
        let args = m.tracing.then(|| site.args.clone());
        m.give(&cont, values, slots)?;
        if let Some(types) = args {
            let values = m.trace_values(&types, values);
            m.record_here(EventKind::Resume {
                cont: cont_number(word),
                values,
                depth: m.chain + cont.stacks,
            });
        }
        m.mount_under_here(word, &cont, i);
        m.go_on(&cont)
    })
}

/// `v^n (ref.cont ca) resume_throw ct x hdl`: allocates the exception of tag `x` with
/// `v^n`, then as `resume_throw_ref`. The continuation is checked first.
pub(crate) fn resume_throw(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    m.change(pc, |m| {
        let word = get(f, i.c);
        m.usable(word)?;
        let tag = m.instance().tags[m.site(i).tag as usize];
        let exn = m.allocate_exception(tag, &f[i.a as usize..])?;
        let cont = m.consume(word)?;
        m.resume_with(word, &cont, exn, i)
    })
}

/// `(ref.exn ea) (ref.cont ca) resume_throw_ref ct hdl` with `ca = E : n` consumes `ca` and
/// is `H(hdl){ E[(ref.exn ea) throw_ref] }`. It traps on a null continuation, a consumed
/// one, and a null exception, in this order. A function that never started is not entered.
pub(crate) fn resume_throw_ref(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    m.change(pc, |m| {
        let word = get(f, i.c);
        m.usable(word)?;
        let exn = match get(f, i.a) {
            NULL => return Err(Stop::Trap(TrapKind::NullExceptionReference)),
            exn => word_exn(exn),
        };
        let cont = m.consume(word)?;
        m.resume_with(word, &cont, exn, i)
    })
}

/// `H(hdl){ E[v^n suspend x] }` with `(on x l)` the first clause for `x` in `hdl`, and no
/// such handler inside `E`: allocates `ca = E : m` with `m` the tag's results, and is
/// `v^n (ref.cont ca) br l`. The handler is gone. Without handler the host learns of it.
pub(crate) fn suspend(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    m.change(pc, |m| {
        let tag = m.instance().tags[i.b as usize];
        let values = &f[i.a as usize..];
        let Some(handler) = m.find_handler(tag, false) else {
            return m.unhandled(tag, values);
        };
        m.check_continuations()?;
        let slots = m.tags[tag as usize].param_slots as usize;
        let word = m.capture(handler.outermost, m.fp as u32 + i.a);
        if m.tracing {
            let types = m.tags[tag as usize].ty.params.clone();
            let values = m.trace_values(&types, values);
            m.record_here(EventKind::Suspend {
                tag,
                values,
                cont: cont_number(word),
                distance: handler.distance,
                clause: handler.clause,
            });
        }
        let Some((parent, label)) = handler.label else {
            unreachable!("a suspension is handled by a clause with a label")
        };
        m.stacks.get_mut(handler.outermost).parent = None;
        m.leave();
        m.mount(parent);
        let to = m.fp + label.slot as usize;
        let receiver = &mut m.stacks.get_mut(parent).values[to..];
        copy(receiver, &values[..slots]);
        receiver[slots] = word;
        m.pc = label.target as usize;
        Ok(())
    })
}

/// `H(hdl){ E[v^n (ref.cont ca) switch ct x] }` with `(on x switch)` in `hdl` and no such
/// handler inside `E`, and `ca = E' : n+1`: consumes `ca`, allocates `ca' = E : m`, and is
/// `H(hdl){ E'[v^n (ref.cont ca')] }`. The handler stays. Null and consumed trap, before the
/// handler is looked for.
pub(crate) fn switch(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    m.change(pc, |m| {
        let word = get(f, i.c);
        m.usable(word)?;
        let site = m.site(i);
        let slots = site.arg_slots;
        let args = m.tracing.then(|| site.args.clone());
        let tag = m.instance().tags[site.tag as usize];
        let values = &f[i.a as usize..];
        let Some(handler) = m.find_handler(tag, true) else {
            return m.unhandled_switch(tag, args, values);
        };
        m.check_numbers()?;
        m.can_start(word)?;
        let target = m.consume(word)?;
        m.check_depth(&target)?;
        m.pass_on(&target, Owner::Continuation(word), Owner::Running);
        let traced = args.map(|types| m.trace_values(&types, values));
        let outermost = m.stacks.get(handler.outermost);
        let (parent, resumed_at) = (outermost.parent, outermost.resumed_at);
        let switcher = m.capture(handler.outermost, m.fp as u32 + i.a);
        if let Some(values) = traced {
            m.record_here(EventKind::Switch {
                tag,
                target: cont_number(word),
                values,
                cont: cont_number(switcher),
                distance: handler.distance,
            });
        }
        m.give(&target, values, slots)?;
        let mounted = m.stacks.get_mut(target.innermost);
        let last = (target.receive_at + target.bound + slots) as usize;
        mounted.values[last] = switcher;
        m.stacks.get_mut(handler.outermost).parent = None;
        m.leave();
        let mounted = m.stacks.get_mut(target.outermost);
        mounted.parent = parent;
        mounted.resumed_at = resumed_at;
        m.chain += target.stacks;
        m.depth += target.frames;
        m.mount(target.innermost);
        match target.fresh {
            Some(func) => m.start(func),
            None => Ok(()),
        }
    })
}

/// The handler of a suspension or a switch.
#[derive(Clone, Copy, Debug)]
struct Handler {
    /// The stack under whose resumption it was installed: the last one that is captured.
    outermost: StackId,
    /// Resumptions passed over on the way.
    distance: u32,
    /// Index in its handler list.
    clause: u32,
    /// The stack that installed it and where that goes on, for a suspension.
    label: Option<(StackId, Label)>,
}

impl Machine {
    /// The immediates of the executing instruction.
    fn site(&self, i: &Instr) -> &ContSite {
        &self.code().sites[i.b as usize]
    }

    /// Whether one more continuation can be alive.
    #[inline]
    fn check_continuations(&mut self) -> Step {
        let most = self.limits.continuations.min(MAX_CONTINUATIONS) as usize;
        self.before_allocation(Exhausted::Continuations, |m| {
            m.continuations.alive() >= most
        })?;
        self.check_numbers()
    }

    /// Whether there is a number left for one more continuation.
    fn check_numbers(&self) -> Step {
        if self.continuations.numbers_left() {
            Ok(())
        } else {
            Err(Stop::Exhausted(Exhausted::Continuations))
        }
    }

    /// Traps on null and on a consumed continuation.
    fn usable(&self, word: u64) -> Result<Continuation, Stop> {
        if word == NULL {
            return Err(Stop::Trap(TrapKind::NullContinuationReference));
        }
        match self.continuations.get(word) {
            Some(cont) => Ok(*cont),
            None => Err(Stop::Trap(TrapKind::ContinuationConsumed)),
        }
    }

    /// Sees to it that a function that never ran has room to start.
    #[inline(always)]
    fn can_start(&mut self, word: u64) -> Step {
        let collected = std::mem::take(&mut self.collected);
        let room = self.stacks.slots + LEAST_SLOTS as u64 <= self.limits.stack_slots;
        if room || self.usable(word)?.fresh.is_none() {
            return Ok(());
        }
        Err(if collected {
            Stop::Exhausted(Exhausted::CallStack)
        } else {
            Stop::Collect
        })
    }

    /// Consumes a continuation, or traps.
    #[inline(always)]
    fn consume(&mut self, word: u64) -> Result<Continuation, Stop> {
        if word == NULL {
            return Err(Stop::Trap(TrapKind::NullContinuationReference));
        }
        let cont = self.continuations.take(word);
        cont.ok_or(Stop::Trap(TrapKind::ContinuationConsumed))
    }

    /// Puts the first `slots` of these values where the continuation receives them. A function
    /// that never ran gets room for its parameters and results.
    #[inline(always)]
    fn give(&mut self, cont: &Continuation, values: &[u64], slots: u32) -> Step {
        let stack = self.stacks.get_mut(cont.innermost);
        if let Some(func) = cont.fresh {
            let func = &self.funcs[func as usize];
            let room = func.param_slots.max(func.result_slots) as usize;
            let room = room.max(LEAST_SLOTS);
            if room > stack.values.len() {
                let more = (room - stack.values.len()) as u64;
                stack.values.resize(room, 0);
                self.stacks.slots += more;
                if self.stacks.slots > self.limits.stack_slots {
                    return Err(Stop::Exhausted(Exhausted::CallStack));
                }
            }
        }
        let to = (cont.receive_at + cont.bound) as usize;
        let stack = self.stacks.get_mut(cont.innermost);
        copy(&mut stack.values[to..], &values[..slots as usize]);
        Ok(())
    }

    /// Whether the frames of a continuation still fit.
    fn check_depth(&self, cont: &Continuation) -> Step {
        if self.depth + cont.frames > self.limits.call_depth {
            return Err(Stop::Exhausted(Exhausted::CallStack));
        }
        Ok(())
    }

    /// Puts a continuation's stacks under the running one, with this instruction's
    /// handlers, and lets its innermost stack be the running one.
    #[inline]
    fn mount_under_here(&mut self, word: u64, cont: &Continuation, i: &Instr) {
        self.pass_on(cont, Owner::Continuation(word), Owner::Running);
        let outermost = self.stacks.get_mut(cont.outermost);
        outermost.parent = self.current;
        outermost.resumed_at = ResumeSite {
            instance: self.instance,
            site: i.b,
            results_at: self.fp + i.a as usize,
        };
        self.chain += cont.stacks;
        self.depth += cont.frames;
        self.leave();
        self.mount(cont.innermost);
    }

    /// Runs the continuation that is now mounted.
    fn go_on(&mut self, cont: &Continuation) -> Step {
        if self.depth > self.limits.call_depth {
            return Err(Stop::Exhausted(Exhausted::CallStack));
        }
        match cont.fresh {
            Some(func) => self.start(func),
            None => Ok(()),
        }
    }

    /// Mounts a continuation and throws inside it.
    fn resume_with(&mut self, word: u64, cont: &Continuation, exn: u32, i: &Instr) -> Step {
        if self.tracing {
            let (tag, values) = self.trace_exception(exn);
            self.record_here(EventKind::ResumeThrow {
                cont: cont_number(word),
                tag,
                values,
                depth: self.chain + cont.stacks,
            });
        }
        self.mount_under_here(word, cont, i);
        Err(Stop::Throw(exn))
    }

    /// The nearest handler for a suspension (or a switch) with this tag. Clauses of the
    /// other kind are passed over, as if they were not there.
    #[inline(always)]
    fn find_handler(&self, tag: u32, switch: bool) -> Option<Handler> {
        let mut outermost = self.running();
        let mut distance = 0;
        loop {
            let stack = self.stacks.get(outermost);
            let parent = stack.parent?;
            let instance = &self.instances[stack.resumed_at.instance as usize];
            let clauses = &instance.module.code.sites[stack.resumed_at.site as usize].clauses;
            let found = clauses.iter().zip(0..).find(|(clause, _)| {
                clause.label.is_none() == switch && instance.tags[clause.tag as usize] == tag
            });
            if let Some((clause, index)) = found {
                return Some(Handler {
                    outermost,
                    distance,
                    clause: index,
                    label: clause.label.map(|label| (parent, label)),
                });
            }
            outermost = parent;
            distance += 1;
        }
    }

    /// Makes a continuation of the running stacks up to `outermost`, which wants its
    /// values at `receive_at`. The stacks stay linked and in the registers for the moment.
    #[inline(always)]
    fn capture(&mut self, outermost: StackId, receive_at: u32) -> u64 {
        let innermost = self.running();
        let mut stacks = 1;
        let mut frames = self.frames.len() as u32;
        let mut next = innermost;
        while next != outermost {
            let Some(parent) = self.stacks.get(next).parent else {
                unreachable!("the handler's stack is in the running chain")
            };
            next = parent;
            stacks += 1;
            frames += self.stacks.get(next).frames.len() as u32;
        }
        self.chain -= stacks;
        self.depth -= frames;
        let cont = Continuation {
            innermost,
            outermost,
            receive_at,
            bound: 0,
            fresh: None,
            stacks,
            frames,
        };
        let word = self.continuations.add(cont);
        self.pass_on(&cont, Owner::Running, Owner::Continuation(word));
        word
    }

    fn unhandled(&mut self, tag: u32, values: &[u64]) -> Step {
        let types = self.tags[tag as usize].ty.params.clone();
        self.unhandled_switch(tag, self.tracing.then_some(types), values)
    }

    fn unhandled_switch(
        &mut self,
        tag: u32,
        types: Option<std::sync::Arc<[crate::types::ValType]>>,
        values: &[u64],
    ) -> Step {
        if let Some(types) = types {
            let values = self.trace_values(&types, values);
            self.record_here(EventKind::Unhandled { tag, values });
        }
        Err(Stop::Suspended(tag))
    }
}
