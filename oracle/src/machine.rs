//! The state of execution (specification: "Runtime Structure"; "Configurations").
//!
//! [`Machine`] is the specification's store together with the stack of the thread that
//! runs: it knows nothing of the embedder's data, so that handlers need no type parameter.
//! The running stack's parts are unpacked into fields of the machine ("registers"); the
//! other stacks rest in [`stacks`](crate::stacks). Nothing here recurses: calls push a
//! frame, resumptions link a stack.

use std::sync::Arc;

use crate::code::{Code, Instr};
use crate::config::{Config, Dispatch, Limits};
use crate::coverage::Counts;
use crate::error::{Exhausted, Location, TrapKind};
use crate::exec::{CHANGE, Pc, STOP, Step};
use crate::heap::object::Objects;
use crate::heap::{Continuations, Exceptions};
use crate::instance::InstanceData;
use crate::stacks::{LEAST_SLOTS, StackId, Stacks};
use crate::trace::{Event, EventKind};
use crate::types::registry::Types;
use crate::types::{DefinedType, FuncType, GlobalType, MemoryType, TableType};

/// Why the dispatch loop stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The host's call is finished; the results stand at the stack's base.
    Done,
    /// A host function is to be called: see [`Machine::host_call`].
    Host,
    /// A trap.
    Trap(TrapKind),
    /// An exception (by its place in the heap) that the host's entry has no handler for.
    Threw(u32),
    /// A suspension with this tag that the host's entry has no handler for.
    Suspended(u32),
    /// A limit was reached.
    Exhausted(Exhausted),
    // The dispatch loop's own business, see `Machine::execute`:
    /// The running stack needs this many slots; then execute the instruction again.
    Grow(usize),
    /// The heap is to be collected; then execute the instruction again.
    Collect,
    /// A handler is to be found for this exception.
    Throw(u32),
}

/// What a call has to restore when it returns.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    pub pc: u32,
    pub fp: u32,
    pub instance: u32,
}

/// The `pc` of a stack's first frame, which returns to whoever resumed the stack.
pub(crate) const BASE: u32 = u32::MAX;

/// The instance "no instance": the running code belongs to none yet.
pub(crate) const NOWHERE: u32 = u32::MAX;

/// A host function about to be called.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct HostCall {
    /// Its store address.
    pub addr: u32,
    /// Index in the running stack's values of the arguments, and of the results.
    pub base: usize,
    /// Whether it stands for the whole frame (a tail call, or a stack's first function),
    /// so that its return is the frame's.
    pub returns: bool,
}

/// A function instance.
#[derive(Clone, Debug)]
pub(crate) struct FuncData {
    pub ty: DefinedType,
    /// The function type's slots.
    pub param_slots: u32,
    pub result_slots: u32,
    pub kind: FuncKind,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum FuncKind {
    Wasm {
        instance: u32,
        /// Place among the module's own functions.
        body: u32,
    },
    /// Place in the store's list of host functions.
    Host(u32),
}

/// A tag instance.
#[derive(Clone, Debug)]
pub(crate) struct TagData {
    pub ty: FuncType,
    pub param_slots: u32,
}

/// A global instance.
#[derive(Clone, Debug)]
pub(crate) struct GlobalData {
    pub ty: GlobalType,
    pub value: [u64; 2],
}

/// A table instance.
#[derive(Clone, Debug)]
pub(crate) struct TableData {
    pub ty: TableType,
    pub elements: Vec<u64>,
}

/// A memory instance.
#[derive(Clone, Debug)]
pub(crate) struct MemoryData {
    pub ty: MemoryType,
    pub bytes: Vec<u8>,
}

/// The store and the running stack.
#[derive(Debug)]
pub(crate) struct Machine {
    // Registers: the running stack and where it executes.
    pub instrs: Arc<[Instr]>,
    /// Index of the instruction after the executing one.
    pub pc: usize,
    /// Index in `values` of the current frame's base.
    pub fp: usize,
    pub values: Vec<u64>,
    pub frames: Vec<Frame>,
    pub instance: u32,
    /// Store address of the current instance's memory 0; beyond all memories if it has none.
    pub memory0: u32,
    /// That memory's bytes, while the dispatch loop runs.
    pub memory: Vec<u8>,
    /// Whether they are there and not in their place.
    pub memory_out: bool,
    /// Whether the executing instruction is executed again, after a collection.
    pub collected: bool,
    /// Why a handler stops the dispatch loop.
    pub stop: Stop,
    pub current: Option<StackId>,
    /// Stacks in the running chain, from the innermost host entry on.
    pub chain: u32,
    /// Frames in all running chains.
    pub depth: u32,
    /// Host entries nested at the moment.
    pub entries: u32,
    /// The stacks that wait for a nested host entry to end.
    pub outer: Vec<StackId>,
    pub host_call: HostCall,

    pub stacks: Stacks,
    pub continuations: Continuations,
    pub exceptions: Exceptions,
    pub objects: Objects,
    /// Allocations since the heap's size was looked at.
    pub allocations: u32,
    /// Size at which the heap is collected next.
    pub collect_above: u64,

    pub instances: Vec<InstanceData>,
    pub funcs: Vec<FuncData>,
    pub tags: Vec<TagData>,
    pub globals: Vec<GlobalData>,
    pub tables: Vec<TableData>,
    pub memories: Vec<MemoryData>,
    pub types: Types,

    pub limits: Limits,
    /// Instructions that may still be executed, where that is bounded.
    pub fuel: Option<u64>,
    pub collect_always: bool,
    pub dispatch: Dispatch,
    pub coverage: bool,
    /// How often instructions were executed, where that is counted.
    pub counts: Option<Counts>,
    pub tracing: bool,
    pub trace: Vec<Event>,
}

impl Machine {
    pub fn new(config: &Config) -> Self {
        Machine {
            instrs: Arc::new([]),
            pc: 0,
            fp: 0,
            values: Vec::new(),
            frames: Vec::new(),
            instance: NOWHERE,
            memory0: u32::MAX,
            memory: Vec::new(),
            memory_out: false,
            collected: false,
            stop: Stop::Done,
            current: None,
            chain: 0,
            depth: 0,
            entries: 0,
            outer: Vec::new(),
            host_call: HostCall::default(),
            stacks: Stacks::default(),
            continuations: Continuations::default(),
            exceptions: Exceptions::default(),
            objects: Objects::default(),
            allocations: 0,
            collect_above: 0,
            instances: Vec::new(),
            funcs: Vec::new(),
            tags: Vec::new(),
            globals: Vec::new(),
            tables: Vec::new(),
            memories: Vec::new(),
            types: Types::default(),
            limits: config.limits,
            fuel: config.max_instructions,
            collect_always: config.collect_always,
            dispatch: config.dispatch,
            coverage: config.coverage,
            counts: config.counts.then(Counts::default),
            tracing: config.trace,
            trace: Vec::new(),
        }
    }

    /// The current instance.
    #[inline(always)]
    pub fn instance(&self) -> &InstanceData {
        &self.instances[self.instance as usize]
    }

    /// The current module's code.
    #[inline(always)]
    pub fn code(&self) -> &Code {
        &self.instance().module.code
    }

    /// Makes `len` slots of the running stack exist, whose values are in the machine.
    #[inline(always)]
    pub fn reserve(&mut self, len: usize) -> Step {
        if len > self.values.len() {
            self.grow(len)
        } else {
            Ok(())
        }
    }

    #[cold]
    fn grow(&mut self, len: usize) -> Step {
        let len = len.max(2 * self.values.len()).max(LEAST_SLOTS);
        let more = (len - self.values.len()) as u64;
        if self.stacks.slots + more > self.limits.stack_slots {
            return Err(Stop::Exhausted(Exhausted::CallStack));
        }
        self.stacks.slots += more;
        self.values.resize(len, 0);
        Ok(())
    }

    /// Remembers that the current function goes on at `pc`.
    #[inline(always)]
    pub fn push_frame(&mut self, pc: usize) {
        self.frames.push(Frame {
            pc: pc as u32,
            fp: self.fp as u32,
            instance: self.instance,
        });
        self.depth += 1;
    }

    /// Lets `instance`'s code be the executing one.
    #[inline(always)]
    pub fn enter_instance(&mut self, instance: u32) {
        if instance != self.instance {
            self.change_instance(instance);
        }
    }

    #[inline(never)]
    fn change_instance(&mut self, instance: u32) {
        self.instance = instance;
        if instance != NOWHERE {
            let data = &self.instances[instance as usize];
            let memory0 = data.memories.first().copied().unwrap_or(u32::MAX);
            self.instrs = data.module.code.instrs.clone();
            if memory0 != self.memory0 {
                let out = self.memory_out;
                self.put_memory(false);
                self.memory0 = memory0;
                self.put_memory(out);
            }
        }
    }

    /// Calls a function whose arguments stand at `base`.
    pub fn call(&mut self, addr: u32, base: usize) -> Step {
        match self.funcs[addr as usize].kind {
            FuncKind::Wasm { .. } => {
                self.push_frame(self.pc);
                self.fp = base;
                self.invoke(addr)
            }
            FuncKind::Host(_) => {
                self.host_call = HostCall {
                    addr,
                    base,
                    returns: false,
                };
                Err(Stop::Host)
            }
        }
    }

    /// Lets a function take the place of the current frame, at whose base its arguments
    /// stand.
    pub fn invoke(&mut self, addr: u32) -> Step {
        match self.funcs[addr as usize].kind {
            FuncKind::Wasm { instance, body } => {
                self.enter_instance(instance);
                self.pc = self.code().bodies[body as usize].start as usize;
                Ok(())
            }
            FuncKind::Host(_) => {
                self.host_call = HostCall {
                    addr,
                    base: self.fp,
                    returns: true,
                };
                // The frame that executed is gone: no `try_table` of it is around the call.
                self.pc = 0;
                Err(Stop::Host)
            }
        }
    }

    /// Returns from the current frame, which begins with the results.
    #[inline(always)]
    pub fn return_to_caller(&mut self, results: &[u64]) -> Step {
        let Some(frame) = self.frames.pop() else {
            unreachable!("every function runs in a frame")
        };
        self.depth -= 1;
        if frame.pc == BASE {
            return self.stack_returned(results);
        }
        self.pc = frame.pc as usize;
        self.fp = frame.fp as usize;
        self.enter_instance(frame.instance);
        Ok(())
    }

    /// Returns from a host function that stood for the whole frame.
    pub fn return_from_host(&mut self) -> Step {
        let (held, values) = (self.running(), std::mem::take(&mut self.values));
        let step = self.return_to_caller(&values[self.fp..]);
        self.settle(held, values);
        step
    }

    /// What the handler of the instruction at `pc` answers that traps.
    #[cold]
    pub fn trap(&mut self, pc: Pc, kind: TrapKind) -> Pc {
        self.stop(pc, Stop::Trap(kind))
    }

    /// What the handler of the instruction at `pc` answers that stops.
    #[cold]
    pub fn stop(&mut self, pc: Pc, stop: Stop) -> Pc {
        self.pc = pc + 1;
        self.stop = stop;
        STOP
    }

    /// What a handler answers that does something that may stop, and then goes on with the
    /// next instruction.
    #[inline(always)]
    pub fn attempt(&mut self, pc: Pc, step: impl FnOnce(&mut Self) -> Step) -> Pc {
        self.pc = pc + 1;
        match step(self) {
            Ok(()) => pc + 1,
            Err(stop) => {
                self.stop = stop;
                STOP
            }
        }
    }

    /// What a handler answers that may change the running stack or the instance.
    #[inline(always)]
    pub fn change(&mut self, pc: Pc, step: impl FnOnce(&mut Self) -> Step) -> Pc {
        match self.attempt(pc, step) {
            STOP => STOP,
            _ => CHANGE,
        }
    }

    /// The executing instruction's place in its module.
    pub fn location(&self) -> Option<Location> {
        if self.instance == NOWHERE {
            return None;
        }
        let pc = self.pc.checked_sub(1)?;
        let code = self.code();
        Some(Location {
            function: code.body_at(pc)?.function?,
            offset: code.offsets[pc],
        })
    }

    /// Records an event that happens at the executing instruction.
    pub fn record_here(&mut self, kind: EventKind) {
        let at = self.location();
        self.trace.push(Event { kind, at });
    }

    /// Records an event that no instruction is responsible for.
    pub fn record(&mut self, kind: EventKind) {
        self.trace.push(Event { kind, at: None });
    }
}
