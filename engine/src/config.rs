//! What an engine can be told before it compiles anything.
//!
//! Every setting that changes generated code lives in [`Config`] and is frozen in the [`Engine`](crate::Engine), so that a
//! module's code and the stubs that it calls always agree.

use crate::types::{MemoryType, PAGE_SIZE_LOG2};

/// How much Cranelift optimises.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OptLevel {
    /// No optimisation passes (`opt_level=none`).
    #[default]
    None,
    /// Optimise for speed (`opt_level=speed`).
    Speed,
    /// Optimise for speed and size (`opt_level=speed_and_size`).
    SpeedAndSize,
}

/// Which of Cranelift's register allocators runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RegallocAlgorithm {
    /// The backtracking allocator: slower to run, better code.
    Backtracking,
    /// The single-pass allocator: quick to run.
    #[default]
    SinglePass,
}

/// Which of the processor's instructions Cranelift may use. Results are the same with all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CpuFeatures {
    /// Those that the machine has.
    #[default]
    Host,
    /// Those that every machine has on which an engine can be made: x86-64 with SSE 4.1. The code is the same on all of them.
    Baseline,
}

/// Limits with a defined outcome, shared by everything in one store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Size that one memory may reach, in pages of 64 KiB, whatever the size of its own pages; `memory.grow` beyond it
    /// returns −1.
    pub memory_pages: u64,
    /// Elements that one table may reach; `table.grow` beyond it returns −1.
    pub table_elements: u64,
    /// Continuations alive at once (suspended, running or not yet started); `cont.new` beyond it ends the call with
    /// [`Error::Exhausted`](crate::Error::Exhausted). At most 1,048,575.
    pub continuations: u32,
    /// Exceptions alive at once; a throw beyond it ends the call with [`Error::Exhausted`](crate::Error::Exhausted).
    pub exceptions: u32,
    /// Bytes of structures, arrays and exceptions alive at once, rounded down to 64 KiB; an allocation beyond it ends the call
    /// with [`Error::Exhausted`](crate::Error::Exhausted). At most 4 GiB. Address space is reserved for all of it.
    pub heap_bytes: u64,
    /// Events and values in events that a store may record before [`Store::take_trace`](crate::Store::take_trace) is called; a
    /// call that records more ends with [`Error::Exhausted`](crate::Error::Exhausted), and its trace lacks the rest.
    pub trace_events: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            memory_pages: 65_536,
            table_elements: 10_000_000,
            continuations: 100_000,
            exceptions: 1_000_000,
            heap_bytes: 256 << 20,
            trace_events: 4_000_000,
        }
    }
}

/// Settings of an [`Engine`](crate::Engine).
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) opt_level: OptLevel,
    pub(crate) regalloc: RegallocAlgorithm,
    pub(crate) trace: bool,
    pub(crate) limits: Limits,
    pub(crate) fiber_stack_size: usize,
    pub(crate) pooled_stacks: u32,
    pub(crate) max_wasm_stack: usize,
    pub(crate) host_stack_headroom: usize,
    pub(crate) memory_guard: bool,
    pub(crate) signals_based_traps: bool,
    pub(crate) cpu_features: CpuFeatures,
    pub(crate) gc_zeal: u32,
    pub(crate) native_unwind_info: bool,
    pub(crate) check_switches: bool,
    pub(crate) inline_switches: bool,
    #[cfg(feature = "planted-bugs")]
    pub(crate) planted: Option<crate::PlantedBug>,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            opt_level: OptLevel::default(),
            regalloc: RegallocAlgorithm::default(),
            trace: false,
            limits: Limits::default(),
            fiber_stack_size: 256 * 1024,
            pooled_stacks: 64,
            max_wasm_stack: 512 * 1024,
            host_stack_headroom: 128 * 1024,
            memory_guard: false,
            signals_based_traps: true,
            cpu_features: CpuFeatures::default(),
            gc_zeal: 0,
            native_unwind_info: true,
            check_switches: cfg!(debug_assertions),
            inline_switches: true,
            #[cfg(feature = "planted-bugs")]
            planted: None,
        }
    }
}

impl Config {
    /// The default settings: no optimisation, single-pass register allocation, no tracing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the optimisation level.
    pub fn opt_level(&mut self, level: OptLevel) -> &mut Self {
        self.opt_level = level;
        self
    }

    /// Sets the register allocator.
    pub fn regalloc(&mut self, algorithm: RegallocAlgorithm) -> &mut Self {
        self.regalloc = algorithm;
        self
    }

    /// Records every stack-switching event of compiled code (see [`trace`](crate::trace)). Off, no code for it is generated.
    pub fn trace(&mut self, on: bool) -> &mut Self {
        self.trace = on;
        self
    }

    /// Sets the limits of every store of this engine.
    pub fn limits(&mut self, limits: Limits) -> &mut Self {
        self.limits = limits;
        self
    }

    /// Bytes of address space for each continuation's stack, guard page included. Rounded up to whole pages by
    /// [`Engine::new`](crate::Engine::new), which refuses a size that leaves no room above the headroom for host calls.
    pub fn fiber_stack_size(&mut self, bytes: usize) -> &mut Self {
        self.fiber_stack_size = bytes;
        self
    }

    /// How many continuations' stacks the engine keeps of dropped stores, with their memory, for stores to come: 64 by default, with 0
    /// none. A store that lives shortly is made and dropped the quicker. Nothing else depends on it: how many continuations can
    /// be alive says [`Limits::continuations`], and a running store uses its own free stacks again, whatever this is.
    pub fn pooled_stacks(&mut self, stacks: u32) -> &mut Self {
        self.pooled_stacks = stacks;
        self
    }

    /// Bytes at the low end of each stack that no Wasm function may start in, so that host functions (see
    /// [`Func::new`](crate::Func::new)), which run on the stack of whoever calls them, always find as much. 128 KiB by default;
    /// [`Engine::new`](crate::Engine::new) rounds up to whole pages and refuses less than 64 KiB, which the runtime itself needs.
    ///
    /// A host function that uses more on a continuation's stack ends the process: it runs into the guard page below. (Rust
    /// touches large frames page by page, so that the guard is not jumped over.)
    pub fn host_stack_headroom(&mut self, bytes: usize) -> &mut Self {
        self.host_stack_headroom = bytes;
        self
    }

    /// Whether the engine checks itself at every switch of stacks: that the stack pointer is on the stack recorded as running, that
    /// nothing has overwritten the headers of stacks (by canaries around each; frames and headroom need none, they end at a guard
    /// page), that their states and the chain that they form are possible, that values
    /// fit. The values of freed stacks are overwritten then. A check that fails ends the process. On by default in builds with
    /// debug assertions; for the fuzzing of the engine itself.
    pub fn check_switches(&mut self, on: bool) -> &mut Self {
        self.check_switches = on;
        self
    }

    /// Whether the instructions that make, run and switch continuations, and the end of one, do their bookkeeping in machine code (the
    /// default) or in functions of the runtime, which is slower. Nothing else depends on it. Engines that do more than the bookkeeping at a switch (tracing, collecting, checking
    /// themselves) call the runtime anyway.
    pub fn inline_switches(&mut self, on: bool) -> &mut Self {
        self.inline_switches = on;
        self
    }

    /// Whether stubs do a switch's bookkeeping without the runtime: whatever the runtime's functions do beyond it must be off.
    pub(crate) fn inlines_switches(&self) -> bool {
        #[cfg(feature = "planted-bugs")]
        let planted = self.planted.is_some_and(|bug| !bug.is_in_stubs());
        #[cfg(not(feature = "planted-bugs"))]
        let planted = false;
        let more = self.trace || self.check_switches || self.gc_zeal > 0 || planted;
        self.inline_switches && !more && !crate::runtime::sanitizer::ENABLED
    }

    /// Whether the system's unwinder and gdb are told of the frames of compiled code (the default), so that `std::backtrace` in a
    /// host function, and whoever else unwinds, finds the way through Wasm, and through all continuations, to `main`. It costs
    /// time and memory for each module. Nothing that Wasm code can see depends on it.
    pub fn native_unwind_info(&mut self, on: bool) -> &mut Self {
        self.native_unwind_info = on;
        self
    }

    /// Whether traps are raised by instructions that fault and found by signal handlers (the default), or by explicit checks that
    /// branch to the runtime. With explicit checks no handler is installed, and correct code never faults. The outcomes are the same.
    pub fn signals_based_traps(&mut self, on: bool) -> &mut Self {
        self.signals_based_traps = on;
        self
    }

    /// Bytes of the calling thread's stack that Wasm may use before a call ends with
    /// [`Error::Exhausted`](crate::Error::Exhausted). Where the thread's stack is shorter, Wasm uses what there is, down to
    /// [`host_stack_headroom`](Self::host_stack_headroom). A call from a host function gets what is left of the stack that
    /// the host function was called on.
    pub fn max_wasm_stack(&mut self, bytes: usize) -> &mut Self {
        self.max_wasm_stack = bytes;
        self
    }

    /// How compiled code learns that an access is outside of a memory. With guard regions, a memory with 32-bit addresses and
    /// pages of 64 KiB reserves all addresses that an access can name (8 GiB and a page; only what is in use costs memory), so
    /// that an access outside faults, and never moves. Without, and for other memories always, each access is checked
    /// explicitly. Off by default: a memory is made and freed quicker without. Without
    /// [`signals_based_traps`](Self::signals_based_traps) there are none.
    pub fn memory_guard(&mut self, on: bool) -> &mut Self {
        self.memory_guard = on;
        self
    }

    /// Sets which of the processor's instructions are used.
    pub fn cpu_features(&mut self, features: CpuFeatures) -> &mut Self {
        self.cpu_features = features;
        self
    }

    /// Whether memories of this type have guard regions.
    pub(crate) fn guards(&self, ty: &MemoryType) -> bool {
        self.memory_guard
            && self.signals_based_traps
            && !ty.is_64()
            && ty.page_size_log2() == PAGE_SIZE_LOG2
    }

    /// Collects garbage at every `n`-th allocation or switch of stacks, and overwrites what is freed, so that whatever the
    /// collector misses is soon noticed. With 0, the default, it collects when enough has been allocated.
    pub fn gc_zeal(&mut self, n: u32) -> &mut Self {
        self.gc_zeal = n;
        self
    }

    /// Plants one known bug in everything that this engine compiles and runs. One in the stubs turns
    /// [`check_switches`](Self::check_switches) off, with which the stubs leave everything to the runtime.
    #[cfg(feature = "planted-bugs")]
    pub fn plant(&mut self, bug: Option<crate::PlantedBug>) -> &mut Self {
        self.planted = bug;
        if bug.is_some_and(crate::PlantedBug::is_in_stubs) {
            self.check_switches = false;
        }
        self
    }
}
