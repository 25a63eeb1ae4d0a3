//! Globals, memories, tables and tags: what compiled code sees of them first, then what only the runtime needs.
//!
//! Each object starts with its part from [`layout`](super::layout), so that the pointer in a vmctx and the pointer to the
//! object are the same address. They live in boxes of the store and never move; the contents of memories and tables do when
//! they grow, and the visible part is rewritten then. Bulk instructions are methods here; which object and which segment an
//! instruction means is [`instance`](super::instance)'s business.

mod memory;
#[cfg(test)]
mod tests;

pub(crate) use memory::MemoryInner;

use super::layout::{ValRaw, VmGlobal, VmTable, VmTag};
use super::store::StoreInner;
use crate::config::Limits;
use crate::error::{Error, Exhaustion, TrapKind};
use crate::types::{GlobalType, MemoryType, RefType, TableType, TagType};
use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ptr::{self, NonNull};
use std::slice;

/// A global.
#[repr(C)]
pub(crate) struct GlobalInner {
    pub vm: VmGlobal,
    pub ty: GlobalType,
}

/// A table. `vm` is the only record of its contents: an allocation of `vm.len` words at `vm.base`.
#[repr(C)]
pub(crate) struct TableInner {
    pub vm: VmTable,
    ty: TableType,
    /// Elements that it may reach.
    limit: u64,
}

/// A tag.
#[repr(C)]
pub(crate) struct TagInner {
    pub vm: VmTag,
    pub ty: TagType,
    /// Canonical number of its function type.
    pub type_id: u32,
}

impl TableInner {
    /// A table of nulls; `None` when it would start beyond the limits or the system has no memory for it.
    fn new(ty: TableType, limits: &Limits) -> Option<Box<Self>> {
        let limit = ty
            .maximum()
            .unwrap_or(ty.addressable())
            .min(limits.table_elements)
            .min(ty.addressable());
        if ty.minimum() > limit {
            return None;
        }
        let len = ty.minimum();
        let base = allocate_zeroed::<u64>(len)?.as_ptr();
        Some(Box::new(TableInner {
            vm: VmTable { base, len },
            ty,
            limit,
        }))
    }

    /// The elements' type.
    pub fn element(&self) -> &RefType {
        self.ty.element()
    }

    /// The type, with the present size as minimum.
    pub fn ty(&self) -> TableType {
        self.ty.at_size(self.vm.len)
    }

    pub fn words(&self) -> &[u64] {
        // SAFETY: `vm` describes an initialised allocation that this object owns. Compiled code writes to it only while no
        // Rust code holds a reference to the store.
        unsafe { slice::from_raw_parts(self.vm.base, self.vm.len as usize) }
    }

    pub fn words_mut(&mut self) -> &mut [u64] {
        // SAFETY: as in `words`, and `self` is borrowed exclusively.
        unsafe { slice::from_raw_parts_mut(self.vm.base, self.vm.len as usize) }
    }

    /// `table.grow`: the size before, or `None` if it stays as it is.
    pub fn grow(&mut self, delta: u64, value: u64) -> Option<u64> {
        let old = self.vm.len;
        let len = old.checked_add(delta).filter(|&new| new <= self.limit)?;
        if delta > 0 {
            let base = allocate_zeroed::<u64>(len)?.as_ptr();
            // SAFETY: both allocations are at least `vm.len` words long and apart from each other; the old one was made by
            // `allocate_zeroed` with this length and is not used afterwards.
            unsafe {
                ptr::copy_nonoverlapping(self.vm.base, base, old as usize);
                release(self.vm.base, old);
            }
            self.vm = VmTable { base, len };
            self.words_mut()[old as usize..].fill(value);
        }
        Some(old)
    }

    /// `table.fill`
    pub fn fill(&mut self, at: u64, value: u64, len: u64) -> Result<(), TrapKind> {
        check(at, len, self.vm.len, TrapKind::TableOutOfBounds)?;
        self.words_mut()[at as usize..][..len as usize].fill(value);
        Ok(())
    }

    /// `table.init`, from the words of a segment.
    pub fn init(&mut self, segment: &[u64], to: u64, from: u64, len: u64) -> Result<(), TrapKind> {
        check(from, len, segment.len() as u64, TrapKind::TableOutOfBounds)?;
        check(to, len, self.vm.len, TrapKind::TableOutOfBounds)?;
        self.words_mut()[to as usize..][..len as usize]
            .copy_from_slice(&segment[from as usize..][..len as usize]);
        Ok(())
    }

    /// `table.copy`
    ///
    /// # Safety
    /// Both are live tables, perhaps the same one, and no reference to either is current.
    pub unsafe fn copy(
        target: *mut Self,
        source: *mut Self,
        to: u64,
        from: u64,
        len: u64,
    ) -> Result<(), TrapKind> {
        // SAFETY: the caller's promise; copied out, so that no reference stays.
        let (target, source) = unsafe {
            (
                ((*target).vm.base, (*target).vm.len),
                ((*source).vm.base, (*source).vm.len),
            )
        };
        check(from, len, source.1, TrapKind::TableOutOfBounds)?;
        check(to, len, target.1, TrapKind::TableOutOfBounds)?;
        // SAFETY: both ranges lie inside their allocations, as just checked; `copy` allows them to overlap.
        unsafe {
            ptr::copy(
                source.0.add(from as usize),
                target.0.add(to as usize),
                len as usize,
            )
        };
        Ok(())
    }
}

impl Drop for TableInner {
    fn drop(&mut self) {
        // SAFETY: `vm` describes an allocation made by `allocate_zeroed` with this length, and the store goes.
        unsafe { release(self.vm.base, self.vm.len) };
    }
}

impl StoreInner {
    /// Adds a global; the result is its index in `globals`.
    pub(crate) fn add_global(&mut self, ty: GlobalType, value: ValRaw) -> u32 {
        self.globals.push(Box::new(GlobalInner {
            vm: VmGlobal { value },
            ty,
        }));
        self.globals.len() as u32 - 1
    }

    /// Adds a memory of zeroes; the result is its index in `memories`.
    ///
    /// # Errors
    /// [`Error::Exhausted`], when it cannot have its minimum.
    pub(crate) fn add_memory(&mut self, ty: MemoryType) -> Result<u32, Error> {
        let memory = MemoryInner::new(ty, self.engine.config())
            .ok_or(Error::Exhausted(Exhaustion::Memory))?;
        self.memories.push(memory);
        Ok(self.memories.len() as u32 - 1)
    }

    /// Adds a table of nulls; the result is its index in `tables`.
    ///
    /// # Errors
    /// [`Error::Exhausted`], when it cannot have its minimum.
    pub(crate) fn add_table(&mut self, ty: TableType) -> Result<u32, Error> {
        let table = TableInner::new(ty, &self.engine.config().limits)
            .ok_or(Error::Exhausted(Exhaustion::Memory))?;
        self.tables.push(table);
        Ok(self.tables.len() as u32 - 1)
    }

    /// Adds a tag; the result is its index in `tags`, which is also its store address.
    pub(crate) fn add_tag(&mut self, ty: TagType) -> u32 {
        let type_id = self.types.canonical_func(ty.ty());
        let address = self.tags.len() as u32;
        self.tags.push(Box::new(TagInner {
            vm: VmTag { address },
            ty,
            type_id,
        }));
        address
    }
}

/// Whether `len` items at `at` lie within `size`.
fn check(at: u64, len: u64, size: u64, otherwise: TrapKind) -> Result<(), TrapKind> {
    match at.checked_add(len) {
        Some(end) if end <= size => Ok(()),
        _ => Err(otherwise),
    }
}

/// Memory for `len` values whose every bit pattern is valid, all zero; `None` when there is none. Unlike a `Vec`, it reports
/// failure, and leaves pages untouched that the system hands out as zeroes.
fn allocate_zeroed<T: Copy>(len: u64) -> Option<NonNull<T>> {
    let layout = Layout::array::<T>(usize::try_from(len).ok()?).ok()?;
    if layout.size() == 0 {
        return Some(NonNull::dangling());
    }
    // SAFETY: the size is not zero.
    NonNull::new(unsafe { alloc_zeroed(layout) }.cast())
}

/// # Safety
/// `base` came from `allocate_zeroed::<T>(len)` and is not used again.
unsafe fn release<T: Copy>(base: *mut T, len: u64) {
    let layout = Layout::array::<T>(len as usize).expect("it was allocated with this layout");
    if layout.size() > 0 {
        // SAFETY: the caller's promise.
        unsafe { dealloc(base.cast(), layout) };
    }
}
