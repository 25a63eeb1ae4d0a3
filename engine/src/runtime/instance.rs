//! Instances: what a module's code finds behind its vmctx, and the instructions that name an instance's own objects and
//! segments.
//!
//! How an instance comes to be is in [`instantiate`](super::instantiate).

use super::layout::{
    FuncRef, VMCTX_INSTANCE, VMCTX_MAGIC, VMCTX_STORE, VmGlobal, VmMemory, VmStore, VmTable, VmTag,
};
use super::objects::{MemoryInner, TableInner};
use super::owned::Owned;
use crate::error::TrapKind;
use crate::module::Module;
use crate::module::info::ModuleInfo;
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ffi::c_void;
use std::ptr::NonNull;

/// One instance.
pub(crate) struct InstanceInner {
    module: Module,
    vmctx: VmContext,
    /// Indices in the store's lists of all globals, imports first; so are the next three.
    pub globals: Vec<u32>,
    pub memories: Vec<u32>,
    pub tables: Vec<u32>,
    pub tags: Vec<u32>,
    /// The words of every element segment. A dropped segment is empty, as the specification has it.
    pub elements: Vec<Box<[u64]>>,
    /// Which data segments have been dropped.
    pub dropped_data: Vec<bool>,
}

/// The memory of a vmctx; see [`layout`](super::layout).
struct VmContext {
    base: NonNull<u8>,
    layout: Layout,
}

impl VmContext {
    fn new(size: usize) -> Self {
        let layout = Layout::from_size_align(size, 16).expect("validation bounds a vmctx's size");
        // SAFETY: the size is not zero, since every vmctx has a header.
        let base = unsafe { alloc_zeroed(layout) };
        VmContext {
            base: NonNull::new(base).unwrap_or_else(|| handle_alloc_error(layout)),
            layout,
        }
    }

    /// The field at `offset`.
    fn field<T>(&self, offset: i32) -> *mut T {
        let offset = offset as usize;
        assert!(
            offset.is_multiple_of(align_of::<T>()) && offset + size_of::<T>() <= self.layout.size()
        );
        // SAFETY: the field lies inside the allocation, as just checked.
        unsafe { self.base.add(offset) }.cast().as_ptr()
    }

    /// Writes the field at `offset`.
    fn write<T>(&self, offset: i32, value: T) {
        // SAFETY: `field` gives an aligned place inside the allocation; instances are written by one thread, before their
        // code runs.
        unsafe { self.field::<T>(offset).write(value) };
    }

    /// Reads the pointer at `offset`.
    fn pointer<T>(&self, offset: i32) -> *mut T {
        // SAFETY: `field` gives an aligned place inside the allocation, which was zeroed: any contents are a pointer.
        unsafe { self.field::<*mut T>(offset).read() }
    }
}

impl Drop for VmContext {
    fn drop(&mut self) {
        // SAFETY: `new` made this allocation with this layout; code that uses it runs only while the store lives.
        unsafe { dealloc(self.base.as_ptr(), self.layout) };
    }
}

impl InstanceInner {
    /// An instance of which nothing but the header of the vmctx is filled in.
    pub fn new(module: &Module, store: *mut VmStore) -> Owned<InstanceInner> {
        let info = module.info();
        let instance = Owned::new(InstanceInner {
            module: module.clone(),
            vmctx: VmContext::new(info.offsets.size()),
            globals: Vec::with_capacity(info.globals.len()),
            memories: Vec::with_capacity(info.memories.len()),
            tables: Vec::with_capacity(info.tables.len()),
            tags: Vec::with_capacity(info.tags.len()),
            elements: Vec::with_capacity(info.elements.len()),
            dropped_data: vec![false; info.data.len()],
        });
        instance.vmctx.write(0, VMCTX_MAGIC);
        instance.vmctx.write(VMCTX_STORE, store);
        instance.vmctx.write(VMCTX_INSTANCE, instance.as_ptr());
        instance
    }

    /// The instance's module.
    pub fn module(&self) -> &Module {
        &self.module
    }

    pub(super) fn info(&self) -> &ModuleInfo {
        self.module.info()
    }

    /// What compiled code gets as its context.
    pub fn vmctx(&self) -> *mut c_void {
        self.vmctx.base.as_ptr().cast()
    }

    pub fn set_imported_func(&self, index: u32, func: *mut FuncRef) {
        self.vmctx
            .write(self.info().offsets.imported_func(index), func);
    }

    pub fn set_defined_func(&self, index: u32, func: FuncRef) {
        self.vmctx.write(self.info().offsets.func_ref(index), func);
    }

    pub fn set_global(&self, index: u32, global: *mut VmGlobal) {
        self.vmctx.write(self.info().offsets.global(index), global);
    }

    pub fn set_memory(&self, index: u32, memory: *mut VmMemory) {
        self.vmctx.write(self.info().offsets.memory(index), memory);
    }

    pub fn set_table(&self, index: u32, table: *mut VmTable) {
        self.vmctx.write(self.info().offsets.table(index), table);
    }

    pub fn set_tag(&self, index: u32, tag: *mut VmTag) {
        self.vmctx.write(self.info().offsets.tag(index), tag);
    }

    pub fn set_type_id(&self, index: u32, id: u32) {
        self.vmctx.write(self.info().offsets.type_id(index), id);
    }

    /// The canonical number of the module's type `index`.
    pub fn type_id(&self, index: u32) -> u32 {
        // SAFETY: instantiation has written the numbers, and nobody writes them again.
        unsafe {
            self.vmctx
                .field::<u32>(self.info().offsets.type_id(index))
                .read()
        }
    }

    /// Function `index`, imports counted.
    pub fn func(&self, index: u32) -> *mut FuncRef {
        let info = self.info();
        if index < info.num_imported_funcs {
            self.vmctx.pointer(info.offsets.imported_func(index))
        } else {
            self.vmctx.field(info.offsets.func_ref(index))
        }
    }

    /// The cell of the global at `index`, which must have been set.
    pub fn global(&self, index: u32) -> *mut VmGlobal {
        self.vmctx.pointer(self.info().offsets.global(index))
    }

    /// The memory at `index`: a [`VmMemory`] of a vmctx is the start of its object.
    fn memory(&self, index: u32) -> *mut MemoryInner {
        self.vmctx.pointer(self.info().offsets.memory(index))
    }

    /// The table at `index`: a [`VmTable`] of a vmctx is the start of its object.
    fn table(&self, index: u32) -> *mut TableInner {
        self.vmctx.pointer(self.info().offsets.table(index))
    }

    /// The bytes of a data segment. A dropped segment is empty, as the specification has it.
    pub fn data(&self, segment: u32) -> &[u8] {
        if self.dropped_data[segment as usize] {
            &[]
        } else {
            &self.info().data[segment as usize].bytes
        }
    }

    /// `memory.init`
    pub fn memory_init(
        &self,
        memory: u32,
        segment: u32,
        to: u64,
        from: u64,
        len: u64,
    ) -> Result<(), TrapKind> {
        // SAFETY: an instance's memories live as long as its store, and no other reference to one is current: the store is
        // used by one thread, and compiled code waits for this function.
        unsafe { (*self.memory(memory)).init(self.data(segment), to, from, len) }
    }

    /// `data.drop`
    pub fn data_drop(&mut self, segment: u32) {
        self.dropped_data[segment as usize] = true;
    }

    /// `memory.copy`
    pub fn memory_copy(
        &self,
        target: u32,
        source: u32,
        to: u64,
        from: u64,
        len: u64,
    ) -> Result<(), TrapKind> {
        // SAFETY: as in `memory_init`.
        unsafe { MemoryInner::copy(self.memory(target), self.memory(source), to, from, len) }
    }

    /// `memory.fill`
    pub fn memory_fill(&self, memory: u32, at: u64, value: u8, len: u64) -> Result<(), TrapKind> {
        // SAFETY: as in `memory_init`.
        unsafe { (*self.memory(memory)).fill(at, value, len) }
    }

    /// `memory.grow`: the size before in pages, or `None` if it stays as it is.
    pub fn memory_grow(&self, memory: u32, delta: u64) -> Option<u64> {
        // SAFETY: as in `memory_init`.
        unsafe { (*self.memory(memory)).grow(delta) }
    }

    /// `table.init`
    pub fn table_init(
        &self,
        table: u32,
        segment: u32,
        to: u64,
        from: u64,
        len: u64,
    ) -> Result<(), TrapKind> {
        // SAFETY: as in `memory_init`.
        unsafe { (*self.table(table)).init(&self.elements[segment as usize], to, from, len) }
    }

    /// `elem.drop`
    pub fn elem_drop(&mut self, segment: u32) {
        self.elements[segment as usize] = Box::default();
    }

    /// `table.copy`
    pub fn table_copy(
        &self,
        target: u32,
        source: u32,
        to: u64,
        from: u64,
        len: u64,
    ) -> Result<(), TrapKind> {
        // SAFETY: as in `memory_init`.
        unsafe { TableInner::copy(self.table(target), self.table(source), to, from, len) }
    }

    /// `table.fill`
    pub fn table_fill(&self, table: u32, at: u64, value: u64, len: u64) -> Result<(), TrapKind> {
        // SAFETY: as in `memory_init`.
        unsafe { (*self.table(table)).fill(at, value, len) }
    }

    /// `table.grow`: the size before, or `None` if it stays as it is.
    pub fn table_grow(&self, table: u32, delta: u64, value: u64) -> Option<u64> {
        // SAFETY: as in `memory_init`.
        unsafe { (*self.table(table)).grow(delta, value) }
    }
}

/// The instance behind a vmctx.
///
/// # Safety
/// `vmctx` is an instance's, of a live store.
pub(crate) unsafe fn instance_of(vmctx: *mut c_void) -> *mut InstanceInner {
    // SAFETY: `InstanceInner::new` wrote the header, which never changes.
    unsafe {
        debug_assert_eq!(vmctx.cast::<u64>().read(), VMCTX_MAGIC);
        vmctx
            .byte_add(VMCTX_INSTANCE as usize)
            .cast::<*mut InstanceInner>()
            .read()
    }
}

/// The identity of tag `index` of the module whose instance is behind `vmctx`.
///
/// # Safety
/// `vmctx` is an instance's, of a live store, and its module has that tag.
pub(crate) unsafe fn tag_of(vmctx: *mut c_void, index: u32) -> *const VmTag {
    // SAFETY: the caller's promise; instances are complete before their code runs.
    unsafe {
        let instance = &*instance_of(vmctx);
        instance.vmctx.pointer(instance.info().offsets.tag(index))
    }
}
