//! How an engine behaves: [`Config`], [`Limits`] and the [`Engine`] that carries them.
//!
//! Nothing here executes anything. The engine also owns the registry of canonical
//! types, because types of different modules are compared when they are linked.

use std::sync::Arc;

use crate::types::registry::Registry;

/// Bounds that end an execution with a defined outcome.
///
/// They exist so that every module ends in a way that can be told apart from a fault of
/// the interpreter. The specification allows each of them (appendix "Implementation
/// Limitations").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest size in pages (of 64 KiB) that `memory.grow` may reach; beyond, it
    /// answers -1.
    pub memory_pages: u64,
    /// Largest number of elements that `table.grow` may reach; beyond, it answers -1.
    pub table_elements: u64,
    /// Continuations alive (created and neither consumed nor reclaimed) in one store.
    pub continuations: u32,
    /// Frames on all stacks of the running chain, hosts' entries included.
    pub call_depth: u32,
    /// Calls from the host into Wasm that may be nested in one another. Each takes some of the
    /// host's stack (about 5 KiB without optimisation, and what the host functions take).
    pub host_entries: u32,
    /// Slots of 8 bytes of all structures, arrays and exceptions (each counts for a few more).
    pub heap_slots: u64,
    /// Operand slots of 8 bytes on all stacks of a store, suspended ones included.
    pub stack_slots: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            memory_pages: 65_536,
            table_elements: 10_000_000,
            continuations: 1_000_000,
            call_depth: 20_000,
            host_entries: 200,
            heap_slots: 1 << 25,
            stack_slots: 1 << 25,
        }
    }
}

/// How the interpreter finds an instruction's handler. Both ways call the same handlers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dispatch {
    /// By a table of functions.
    Table,
    /// By a central `match`, into which the compiler may inline what it likes.
    #[default]
    Match,
}

/// Settings of an [`Engine`]. The default executes without a trace, without coverage
/// and without a bound on instructions.
#[derive(Clone, Copy, Debug, Default)]
pub struct Config {
    pub(crate) trace: bool,
    pub(crate) coverage: bool,
    pub(crate) counts: bool,
    pub(crate) collect_always: bool,
    pub(crate) dispatch: Dispatch,
    pub(crate) max_instructions: Option<u64>,
    pub(crate) limits: Limits,
}

impl Config {
    /// The default settings.
    pub fn new() -> Self {
        Self::default()
    }

    /// Records events (see [`Event`](crate::Event)); they are fetched with
    /// [`Store::take_trace`](crate::Store::take_trace).
    pub fn trace(&mut self, on: bool) -> &mut Self {
        self.trace = on;
        self
    }

    /// Remembers which instructions were executed at least once; see
    /// [`Store::coverage`](crate::Store::coverage).
    pub fn coverage(&mut self, on: bool) -> &mut Self {
        self.coverage = on;
        self
    }

    /// Counts how often each instruction is executed between one event and the next; see
    /// [`Store::take_counts`](crate::Store::take_counts). Slow, so for statistics only.
    pub fn counts(&mut self, on: bool) -> &mut Self {
        self.counts = on;
        self
    }

    /// Reclaims unreachable objects at every allocation, which no program can observe: a
    /// check of the interpreter itself.
    pub fn collect_always(&mut self, on: bool) -> &mut Self {
        self.collect_always = on;
        self
    }

    /// Chooses the dispatcher; it can be measured, not observed. Coverage and a bound on
    /// instructions always use the table.
    pub fn dispatch(&mut self, dispatch: Dispatch) -> &mut Self {
        self.dispatch = dispatch;
        self
    }

    /// Ends a store's execution with [`Exhausted::Instructions`](crate::Exhausted) once
    /// this many internal instructions were executed in it. An internal instruction is
    /// one step of the interpreter; plain operand movements of the source may cost none.
    pub fn max_instructions(&mut self, bound: Option<u64>) -> &mut Self {
        self.max_instructions = bound;
        self
    }

    /// Replaces the limits.
    pub fn limits(&mut self, limits: Limits) -> &mut Self {
        self.limits = limits;
        self
    }
}

/// Settings and canonical types shared by modules and stores. Cloning is cheap.
///
/// Types registered by its modules live as long as the engine, so a caller who runs an
/// endless sequence of modules makes a new engine for each; that costs next to nothing.
#[derive(Clone, Debug, Default)]
pub struct Engine {
    pub(crate) config: Config,
    pub(crate) registry: Arc<Registry>,
}

impl Engine {
    /// Creates an engine.
    ///
    /// # Errors
    ///
    /// None at present; every combination of settings is possible.
    pub fn new(config: &Config) -> Result<Engine, crate::Error> {
        Ok(Engine {
            config: *config,
            registry: Arc::default(),
        })
    }

    /// The settings this engine was made with.
    pub fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) fn same(&self, other: &Engine) -> bool {
        Arc::ptr_eq(&self.registry, &other.registry)
    }
}
