//! The stacks: every host entry and every continuation has one of its own.
//!
//! A running chain is linked from the innermost stack to the outermost by `parent`;
//! capturing a continuation cuts a link, resuming joins one. Frames and values are never
//! copied from stack to stack: the running stack's vectors are moved into the machine's
//! registers and back. So a switch costs the same however deep the stacks are.
//!
//! ```text
//!   host ─▶ [root] ◀─parent─ [stack] ◀─parent─ [current]        running
//!                    [outermost] ◀─parent─ [innermost]          captured: a continuation
//! ```

use crate::checks::Owner;
use crate::exec::Step;
use crate::exec::frame::copy;
use crate::machine::{BASE, Frame, Machine, NOWHERE, Stop};
use crate::trace::EventKind;

/// A stack's place in [`Stacks`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StackId(u32);

/// Where a stack was resumed: the parent's instruction and its handlers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ResumeSite {
    /// Instance that executes the instruction.
    pub instance: u32,
    /// Its place in that module's [`sites`](crate::code::Code::sites).
    pub site: u32,
    /// Index in the parent's values where the results go.
    pub results_at: usize,
}

/// A stack. While it runs, its vectors and positions are in the machine's registers.
#[derive(Debug)]
pub(crate) struct Stack {
    pub values: Vec<u64>,
    pub frames: Vec<Frame>,
    pub pc: usize,
    pub fp: usize,
    pub instance: u32,
    pub parent: Option<StackId>,
    /// Whether it waits for its next use.
    idle: bool,
    /// Where it is, if checks are made.
    pub owner: Owner,
    /// Meaningful where there is a parent.
    pub resumed_at: ResumeSite,
}

impl Stack {
    fn new() -> Self {
        Stack {
            values: Vec::new(),
            frames: Vec::new(),
            pc: 0,
            fp: 0,
            instance: NOWHERE,
            parent: None,
            idle: false,
            owner: Owner::Nobody,
            resumed_at: ResumeSite {
                instance: NOWHERE,
                site: 0,
                results_at: 0,
            },
        }
    }
}

/// Slots a finished stack may keep for its next use.
const KEPT_SLOTS: usize = 1024;

/// Slots that a stack has at least once it has any.
pub(crate) const LEAST_SLOTS: usize = 32;

/// All stacks of a store.
#[derive(Debug, Default)]
pub(crate) struct Stacks {
    list: Vec<Stack>,
    free: Vec<StackId>,
    /// Slots of all stacks together.
    pub slots: u64,
}

impl Stacks {
    pub fn get(&self, id: StackId) -> &Stack {
        &self.list[id.0 as usize]
    }

    pub fn get_mut(&mut self, id: StackId) -> &mut Stack {
        &mut self.list[id.0 as usize]
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.list.len()
    }

    /// All of them.
    #[cfg(test)]
    pub fn ids(&self) -> impl Iterator<Item = StackId> + use<> {
        (0..self.list.len() as u32).map(StackId)
    }

    /// How many of them belong to continuations.
    pub fn count_owned(&self) -> usize {
        let owned = |s: &&Stack| matches!(s.owner, Owner::Continuation(_));
        self.list.iter().filter(owned).count()
    }

    /// A stack without frames.
    pub fn allocate(&mut self, owner: Owner) -> StackId {
        let id = match self.free.pop() {
            Some(id) => {
                self.get_mut(id).idle = false;
                id
            }
            None => {
                self.list.push(Stack::new());
                StackId(self.list.len() as u32 - 1)
            }
        };
        let stack = self.get_mut(id);
        debug_assert_eq!(stack.owner, Owner::Nobody, "a stack is in two places");
        stack.owner = owner;
        id
    }

    /// Takes a finished stack back for its next use.
    pub fn release(&mut self, id: StackId) {
        let stack = &mut self.list[id.0 as usize];
        stack.idle = true;
        stack.owner = Owner::Nobody;
        if stack.frames.capacity() > KEPT_SLOTS {
            stack.frames = Vec::new();
        }
        stack.frames.clear();
        stack.pc = 0;
        stack.fp = 0;
        stack.instance = NOWHERE;
        stack.parent = None;
        self.free.push(id);
        let values = std::mem::take(&mut self.list[id.0 as usize].values);
        self.rest(id, values);
    }

    /// Gives a stack back its values, which the dispatch loop had while the stack ran.
    #[inline]
    pub fn rest(&mut self, id: StackId, values: Vec<u64>) {
        let stack = &mut self.list[id.0 as usize];
        if stack.idle && values.len() > KEPT_SLOTS {
            self.slots -= values.len() as u64;
        } else {
            stack.values = values;
        }
    }
}

impl Machine {
    /// Moves the running stack out of the registers.
    pub fn park(&mut self) {
        if let Some(id) = self.current {
            std::mem::swap(&mut self.stacks.get_mut(id).values, &mut self.values);
            self.leave();
        }
    }

    /// Moves a stack into the registers. There must be no running one.
    pub fn activate(&mut self, id: StackId) {
        self.mount(id);
        std::mem::swap(&mut self.stacks.get_mut(id).values, &mut self.values);
    }

    /// Moves the running stack out of the registers, but for its values, which the dispatch
    /// loop has.
    #[inline]
    pub fn leave(&mut self) {
        if let Some(id) = self.current.take() {
            let stack = self.stacks.get_mut(id);
            std::mem::swap(&mut stack.frames, &mut self.frames);
            stack.pc = self.pc;
            stack.fp = self.fp;
            stack.instance = self.instance;
        }
    }

    /// Moves a stack into the registers, but for its values, which the dispatch loop will take.
    /// There must be no running one.
    #[inline]
    pub fn mount(&mut self, id: StackId) {
        debug_assert!(self.current.is_none(), "one stack runs at a time");
        let stack = self.stacks.get_mut(id);
        std::mem::swap(&mut stack.frames, &mut self.frames);
        self.pc = stack.pc;
        self.fp = stack.fp;
        let instance = stack.instance;
        self.current = Some(id);
        self.enter_instance(instance);
    }

    /// The running stack.
    pub fn running(&self) -> StackId {
        match self.current {
            Some(id) => id,
            None => unreachable!("instructions execute on a stack"),
        }
    }

    /// Starts a function on the running stack, which has no frame; its arguments stand at
    /// the stack's base, and there is room for its results.
    pub fn start(&mut self, addr: u32) -> Step {
        self.frames.push(Frame {
            pc: BASE,
            fp: 0,
            instance: NOWHERE,
        });
        self.depth += 1;
        self.fp = 0;
        self.invoke(addr)
    }

    /// The first function of the running stack returned these results. The specification's
    /// rule: a handler frame around values is the values.
    pub fn stack_returned(&mut self, results: &[u64]) -> Step {
        let id = self.running();
        let stack = self.stacks.get(id);
        let at = stack.resumed_at;
        let Some(parent) = stack.parent else {
            return Err(Stop::Done);
        };
        self.leave();
        self.mount(parent);
        self.chain -= 1;
        let site = &self.instances[at.instance as usize].module.code.sites[at.site as usize];
        let slots = site.result_slots as usize;
        let results = &results[..slots];
        let values = &mut self.stacks.get_mut(parent).values;
        copy(&mut values[at.results_at..], results);
        if self.tracing {
            let types = site.results.clone();
            let values = self.trace_values(&types, results);
            self.record(EventKind::Return {
                values,
                depth: self.chain,
            });
        }
        self.stacks.release(id);
        Ok(())
    }

    /// Gives up the running chain, down to the host's entry.
    pub fn abandon(&mut self) {
        let mut next = self.current;
        self.park();
        while let Some(id) = next {
            next = self.stacks.get(id).parent;
            self.stacks.release(id);
        }
    }
}
