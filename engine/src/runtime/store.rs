//! Everything that one store owns, and where compiled code finds it.
//!
//! A [`StoreInner`] never moves: `Store` keeps it behind a raw pointer, and compiled code reaches its first field, the
//! [`VmStore`], through every vmctx. References to it are made only for the length of one runtime function, because compiled
//! code and nested host calls change it through the same pointer.

use super::backtrace::TrapRecord;
use super::collect::{MIN_STACKS, Pace};
use super::fiber::Fiber;
use super::heap::Heap;
use super::heap::object::AnyWord;
use super::host::HostFunc;
use super::instance::InstanceInner;
use super::layout::{FuncRef, VmStore, VmTag};
use super::objects::{GlobalInner, MemoryInner, TableInner, TagInner};
use super::owned::Owned;
use super::roots::{Rooted, Roots};
use super::stacks::StackPool;
use super::tracer::Tracer;
use super::unwind::{CallSite, Target};
use crate::Engine;
use crate::compile::entries::TrampolineCode;
use crate::error::{Error, Exhaustion, Location};
use crate::module::Module;
use crate::types::TypeRegistry;
use cranelift_codegen::ir::TrapCode;
use std::any::Any;
use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};

/// What ended the running activation, kept while frames are being left.
pub(crate) enum Pending {
    /// An error that no `try_table` can catch, or that has not been looked at yet: a host function's result.
    Error(Error),
    /// A host function panicked.
    Panic(Box<dyn Any + Send>),
}

/// See the module's documentation.
#[repr(C)]
pub struct StoreInner {
    /// First, because compiled code knows the store by this field's address.
    pub(crate) vm: VmStore,
    pub(crate) id: u64,
    pub(crate) engine: Engine,
    pub(crate) types: TypeRegistry,
    /// Modules whose code may run, in the order of instantiation.
    pub(crate) modules: Vec<Module>,
    pub(crate) instances: Vec<Owned<InstanceInner>>,
    pub(crate) globals: Vec<Box<GlobalInner>>,
    pub(crate) memories: Vec<Box<MemoryInner>>,
    pub(crate) tables: Vec<Box<TableInner>>,
    pub(crate) tags: Vec<Box<TagInner>>,
    pub(crate) host_funcs: Vec<Owned<HostFunc>>,
    /// Trampolines compiled for host functions whose signature no instantiated module supplies.
    pub(crate) extra_code: Vec<TrampolineCode>,
    /// The host's values behind external references, by the number in the reference's word.
    pub(crate) externs: Vec<u64>,
    /// Structures, arrays and exceptions.
    pub(crate) heap: Heap,
    /// What the host's handles refer to.
    pub(crate) roots: RefCell<Roots>,
    pub(crate) pace: Pace,
    /// The next function's store address.
    pub(crate) next_function: u32,
    pub(crate) stacks: StackPool,
    pub(crate) pending: Option<Pending>,
    pub(crate) tracer: Option<Tracer>,
    /// Where the frame that is being left goes on.
    pub(crate) target: Target,
    /// The stack that an unwinding began on, until the sanitizer has been told.
    pub(crate) left: Option<*mut Fiber>,
    /// Whether the sanitizer waits to be told of the other side of a switch.
    pub(crate) switching: bool,
    pub(crate) trap: TrapRecord,
}

impl StoreInner {
    pub(crate) fn new(engine: &Engine) -> Box<StoreInner> {
        static NEXT_ID: AtomicU64 = AtomicU64::new(0);
        let config = engine.config();
        let mut vm = VmStore::new(config);
        let mut stacks = StackPool::new(
            config.fiber_stack_size,
            config.host_stack_headroom,
            config.limits.continuations,
            engine.stacks(),
        );
        stacks.set_budget(&mut vm, MIN_STACKS);
        Box::new(StoreInner {
            vm,
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            engine: engine.clone(),
            types: TypeRegistry::default(),
            modules: Vec::new(),
            instances: Vec::new(),
            globals: Vec::new(),
            memories: Vec::new(),
            tables: Vec::new(),
            tags: Vec::new(),
            host_funcs: Vec::new(),
            extra_code: Vec::new(),
            externs: Vec::new(),
            heap: Heap::new(config.limits.heap_bytes),
            roots: RefCell::default(),
            pace: Pace::new(config.gc_zeal),
            next_function: 0,
            stacks,
            pending: None,
            tracer: config
                .trace
                .then(|| Tracer::new(config.limits.trace_events)),
            target: Target::default(),
            left: None,
            switching: false,
            trap: TrapRecord::new(),
        })
    }

    /// The module whose code contains `pc`, and the offset in its region.
    fn code_at(&self, pc: usize) -> Option<(&Module, u32)> {
        self.modules
            .iter()
            .find_map(|module| Some((module, module.compiled().code.memory.offset(pc)?)))
    }

    /// The trap that the instruction at `pc` is known to raise.
    pub(crate) fn trap_at(&self, pc: usize) -> Option<TrapCode> {
        let (module, offset) = self.code_at(pc)?;
        module.compiled().code.trap_at(offset)
    }

    /// The place that the machine instruction at `pc` was compiled from.
    pub(crate) fn location_at(&self, pc: usize) -> Option<(&Module, Location)> {
        let (module, offset) = self.code_at(pc)?;
        Some((module, module.compiled().code.location_at(offset)?))
    }

    /// The handler of the call that returns to `return_address`, with the start of its region.
    pub(crate) fn handler_at(&self, return_address: usize) -> Option<(usize, CallSite)> {
        let (module, offset) = self.code_at(return_address)?;
        let code = &module.compiled().code;
        Some((code.memory.address(0) as usize, code.call_site(offset)?))
    }

    /// Takes the next function address.
    pub(crate) fn allocate_function_address(&mut self) -> u32 {
        let address = self.next_function;
        self.next_function += 1;
        address
    }

    /// The word that stands for the external reference `value`; equal values share one word.
    pub(crate) fn extern_word(&mut self, value: u64) -> u64 {
        let index = self
            .externs
            .iter()
            .position(|&known| known == value)
            .unwrap_or_else(|| {
                self.externs.push(value);
                self.externs.len() - 1
            });
        AnyWord::Host(index).encode()
    }

    /// Keeps what a word that is not null refers to until the host's innermost scope ends.
    pub(crate) fn root(&self, word: u64) -> Rooted {
        self.roots.borrow_mut().add(self.id, word)
    }

    /// Records that the running activation ends because something ran out.
    pub(crate) fn exhaust(&mut self, what: Exhaustion) {
        self.pending = Some(Pending::Error(Error::Exhausted(what)));
    }

    /// The tag object behind a tag's identity.
    ///
    /// # Safety
    /// `tag` is a tag of this store.
    pub(crate) unsafe fn tag(&self, tag: *const VmTag) -> &TagInner {
        // SAFETY: the caller vouches for the pointer; `TagInner` starts with its `VmTag` and lives as long as the store.
        unsafe { &*tag.cast::<TagInner>() }
    }

    /// The host or Wasm function behind a function word, which is not null.
    ///
    /// # Safety
    /// `word` is a function reference of this store.
    pub(crate) unsafe fn func_ref(&self, word: u64) -> &FuncRef {
        // SAFETY: the caller vouches for the word; function references live as long as the store.
        unsafe { &*(word as *const FuncRef) }
    }
}
