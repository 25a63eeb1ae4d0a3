//! The memory layouts that compiled code and the runtime share, and nothing else.
//!
//! ```text
//! vmctx (one per instance)                        VmStore (one per store, at the start of StoreInner)
//! +0   magic                                      +0   stack_limit
//! +8   *VmStore                                   +8   current fiber      ...see `offset_of!` below
//! +16  *InstanceInner
//! +24  *FuncRef    × imported functions
//!      FuncRef     × defined functions
//!      *VmGlobal   × globals
//!      *VmMemory   × memories
//!      *VmTable    × tables
//!      *VmTag      × tags
//!      u32 TypeId  × types
//! ```
//!
//! Everything that can move or that an instance may share with others (globals, memories, tables, tags) is reached through a
//! pointer that is written once, at instantiation. Only those pointers may be loaded as `readonly`: a memory's base, its
//! length, the stack limit and the current fiber change while a function runs, also under its feet, on another stack.

use super::fiber::Fiber;
use std::ffi::c_void;

/// A 16-byte slot for one value of any type, as arguments, results and payloads travel in memory.
#[derive(Clone, Copy)]
#[repr(C, align(16))]
pub struct ValRaw {
    pub lo: u64,
    pub hi: u64,
}

impl ValRaw {
    pub const ZERO: ValRaw = ValRaw { lo: 0, hi: 0 };

    /// The slot with these bits; `lo` has the lower half.
    pub fn from_bits(bits: u128) -> Self {
        ValRaw {
            lo: bits as u64,
            hi: (bits >> 64) as u64,
        }
    }

    /// All bits of the slot.
    pub fn bits(self) -> u128 {
        u128::from(self.lo) | u128::from(self.hi) << 64
    }
}

/// Bytes of one [`ValRaw`].
pub(crate) const SLOT: i32 = size_of::<ValRaw>() as i32;

/// `array_call`: arguments in, results out, in one array of slots. `false` means that a host function failed and that the
/// reason is pending in the store.
pub(crate) type ArrayCall = unsafe extern "C" fn(
    callee: *const FuncRef,
    caller: *mut c_void,
    values: *mut ValRaw,
    len: usize,
) -> bool;

/// What a function reference points to. A null reference is the address 0.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct FuncRef {
    /// Compiled entry (`CallConv::Tail`): callee's vmctx, caller's vmctx, parameters. Null in a host function until a module
    /// supplies the trampoline of its signature.
    pub wasm_call: *const u8,
    /// Entry with arguments in memory.
    pub array_call: ArrayCall,
    /// Entry with arguments where C (System V) has them: this reference, a context, the address of slots for the results if
    /// there are several, then the parameters. It returns the entry's [`Status`](super::entry::Status) as a word and, if there
    /// is exactly one, the result as a second value: the two registers in which a C structure of two words comes back, so
    /// that a call with one result touches no memory. Several results do not fit there in general, and go through slots.
    ///
    /// The context of a Wasm function is the [`Activation`](super::entry::Activation) that the host has made for the call, in
    /// which the entry notes where traps and exceptions leave to; a host function is called by compiled code with the caller's
    /// vmctx. Null where nothing can call it: in host functions whose types only a value knows ([`Func::new`](crate::Func::new)).
    pub native_call: *const u8,
    /// The callee's context: an instance's vmctx, or a host function's [`HostFunc`](super::host::HostFunc).
    pub vmctx: *mut c_void,
    /// Canonical type in the store's registry.
    pub type_id: u32,
    /// Store address.
    pub address: u32,
}

/// A global's cell.
#[repr(C)]
pub(crate) struct VmGlobal {
    pub value: ValRaw,
}

/// A memory as compiled code sees it. Both fields change when any stack grows the memory.
#[repr(C)]
pub(crate) struct VmMemory {
    pub base: *mut u8,
    /// Length in bytes.
    pub len: u64,
}

/// A table as compiled code sees it: one 64-bit word an element.
#[repr(C)]
pub(crate) struct VmTable {
    pub base: *mut u64,
    /// Length in elements.
    pub len: u64,
}

/// A tag. Its identity is its address in memory.
#[repr(C)]
pub(crate) struct VmTag {
    /// Store address.
    pub address: u32,
}

/// The part of a store that compiled code and stubs touch.
#[repr(C)]
pub(crate) struct VmStore {
    /// Lowest stack pointer that Wasm may reach on the running stack.
    pub stack_limit: usize,
    /// The running continuation's stack; null on the stack from which the host entered.
    pub current: *mut Fiber,
    /// The innermost host entry.
    pub activation: *mut super::entry::Activation,
    /// `fiber header = fiber_bias + slot * stride`.
    pub fiber_bias: usize,
    /// Where the last suspension left its values.
    pub payload: *mut ValRaw,
    /// The reference to the continuation that the last suspension captured.
    pub suspended: u64,
    /// The control word that a suspension sends to its handler's resume site.
    pub control: u64,
    /// The exception being raised, or 0.
    pub pending_exn: u64,
    /// Context to load for `switch`.
    pub switch_context: super::fiber::Context,
    /// The first free stack of the pool, linked by [`Fiber::parent`]; null if there is none.
    pub free_fibers: *mut Fiber,
    /// How many more stacks may be taken before it is time to collect.
    pub stacks_left: usize,
    /// What the `word` of the stack that was resumed last is, most likely: a guess that stubs check.
    pub likely_word: u64,
    /// The bug that was asked for; compiled code does not know of this field.
    #[cfg(feature = "planted-bugs")]
    pub planted: Option<crate::PlantedBug>,
}

impl VmStore {
    /// A store in which nothing runs.
    pub fn new(config: &crate::Config) -> Self {
        #[cfg(not(feature = "planted-bugs"))]
        let _ = config;
        VmStore {
            stack_limit: 0,
            current: std::ptr::null_mut(),
            activation: std::ptr::null_mut(),
            fiber_bias: 0,
            payload: std::ptr::null_mut(),
            suspended: 0,
            control: 0,
            pending_exn: 0,
            switch_context: Default::default(),
            free_fibers: std::ptr::null_mut(),
            stacks_left: 0,
            likely_word: 0,
            #[cfg(feature = "planted-bugs")]
            planted: config.planted,
        }
    }
}

/// `vmctx` starts with this.
pub(crate) const VMCTX_MAGIC: u64 = u64::from_le_bytes(*b"sbvmctx\0");
/// Offset of the `*VmStore`.
pub(crate) const VMCTX_STORE: i32 = 8;
/// Offset of the `*InstanceInner`.
pub(crate) const VMCTX_INSTANCE: i32 = 16;
const VMCTX_HEADER: u32 = 24;

/// Byte offsets into the vmctx of one module's instances.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct VmOffsets {
    imported_funcs: u32,
    func_refs: u32,
    globals: u32,
    memories: u32,
    tables: u32,
    tags: u32,
    type_ids: u32,
    size: u32,
    num_imported_funcs: u32,
}

/// How many of each thing a module has; imports are counted in, except where named.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub imported_funcs: u32,
    pub defined_funcs: u32,
    pub globals: u32,
    pub memories: u32,
    pub tables: u32,
    pub tags: u32,
    pub types: u32,
}

impl VmOffsets {
    pub fn new(counts: Counts) -> Self {
        let imported_funcs = VMCTX_HEADER;
        let func_refs = imported_funcs + 8 * counts.imported_funcs;
        let globals = func_refs + size_of::<FuncRef>() as u32 * counts.defined_funcs;
        let memories = globals + 8 * counts.globals;
        let tables = memories + 8 * counts.memories;
        let tags = tables + 8 * counts.tables;
        let type_ids = tags + 8 * counts.tags;
        let size = type_ids + 4 * counts.types;
        VmOffsets {
            imported_funcs,
            func_refs,
            globals,
            memories,
            tables,
            tags,
            type_ids,
            size: size.next_multiple_of(16),
            num_imported_funcs: counts.imported_funcs,
        }
    }

    /// Bytes of the whole vmctx.
    pub fn size(&self) -> usize {
        self.size as usize
    }

    /// Offset of the `*FuncRef` of an imported function.
    pub fn imported_func(&self, function: u32) -> i32 {
        debug_assert!(function < self.num_imported_funcs);
        (self.imported_funcs + 8 * function) as i32
    }

    /// Offset of the [`FuncRef`] of a defined function (`function` counts imports).
    pub fn func_ref(&self, function: u32) -> i32 {
        debug_assert!(function >= self.num_imported_funcs);
        (self.func_refs + size_of::<FuncRef>() as u32 * (function - self.num_imported_funcs)) as i32
    }

    /// Offset of the `*VmGlobal`.
    pub fn global(&self, index: u32) -> i32 {
        (self.globals + 8 * index) as i32
    }

    /// Offset of the `*VmMemory`.
    pub fn memory(&self, index: u32) -> i32 {
        (self.memories + 8 * index) as i32
    }

    /// Offset of the `*VmTable`.
    pub fn table(&self, index: u32) -> i32 {
        (self.tables + 8 * index) as i32
    }

    /// Offset of the `*VmTag`.
    pub fn tag(&self, index: u32) -> i32 {
        (self.tags + 8 * index) as i32
    }

    /// Offset of the canonical type id (`u32`).
    pub fn type_id(&self, index: u32) -> i32 {
        (self.type_ids + 4 * index) as i32
    }
}
