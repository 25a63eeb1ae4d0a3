//! Linear memories.
//!
//! A memory with a guard region is one mapping that holds every address which an access can name, of which the part in use is
//! accessible; it grows in place. Any other one is an allocation, which moves when it grows.

use super::{allocate_zeroed, check, release};
use crate::config::Config;
use crate::error::TrapKind;
use crate::runtime::layout::VmMemory;
use crate::runtime::stacks::PAGE;
use crate::types::{MemoryType, PAGE_SIZE_LOG2};
use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect, munmap};
use std::ptr;
use std::slice;

/// Bytes of address space of a memory with a guard region: the highest address, the highest offset, and the widest access,
/// rounded up.
const RESERVATION: usize = (1 << 32) + (1 << 32) + PAGE;

/// A memory. `vm` is the only record of its contents: `vm.len` initialised bytes at `vm.base`.
#[repr(C)]
pub(crate) struct MemoryInner {
    pub vm: VmMemory,
    ty: MemoryType,
    /// Pages that it may reach.
    limit: u64,
    /// Whether `vm.base` is the start of a mapping of `RESERVATION` bytes; else, it is an allocation of `vm.len` bytes.
    guarded: bool,
}

impl MemoryInner {
    /// A memory of zeroes; `None` when it would start beyond the limits or the system has no memory for it.
    ///
    /// # Panics
    /// Its type is not valid.
    pub fn new(ty: MemoryType, config: &Config) -> Option<Box<Self>> {
        let addressable = ty.addressable().expect("the type is valid");
        let bytes = config
            .limits
            .memory_pages
            .saturating_mul(1 << PAGE_SIZE_LOG2);
        let limit = ty
            .maximum()
            .unwrap_or(addressable)
            .min(bytes >> ty.page_size_log2())
            .min(addressable);
        if ty.minimum() > limit {
            return None;
        }
        let len = ty.minimum() << ty.page_size_log2();
        let guarded = config.guards(&ty);
        let base = if guarded {
            reserve(len)?
        } else {
            allocate_zeroed::<u8>(len)?.as_ptr()
        };
        Some(Box::new(MemoryInner {
            vm: VmMemory { base, len },
            ty,
            limit,
            guarded,
        }))
    }

    /// The type, with the present size as minimum.
    pub fn ty(&self) -> MemoryType {
        self.ty.at_size(self.pages())
    }

    /// The present size.
    pub fn pages(&self) -> u64 {
        self.vm.len >> self.ty.page_size_log2()
    }

    pub fn bytes(&self) -> &[u8] {
        // SAFETY: `vm` describes initialised memory that this object owns. Compiled code writes to it only while no Rust code
        // holds a reference to the store.
        unsafe { slice::from_raw_parts(self.vm.base, self.vm.len as usize) }
    }

    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`, and `self` is borrowed exclusively.
        unsafe { slice::from_raw_parts_mut(self.vm.base, self.vm.len as usize) }
    }

    /// `memory.grow`: the size before in pages, or `None` if it stays as it is.
    pub fn grow(&mut self, delta: u64) -> Option<u64> {
        let old = self.pages();
        let new = old.checked_add(delta).filter(|&new| new <= self.limit)?;
        if delta == 0 {
            return Some(old);
        }
        let len = new << self.ty.page_size_log2();
        if self.guarded {
            // SAFETY: the mapping is `RESERVATION` bytes long and this object's.
            unsafe { open(self.vm.base, len)? };
            self.vm.len = len;
            return Some(old);
        }
        let base = allocate_zeroed::<u8>(len)?.as_ptr();
        // SAFETY: both allocations are at least `vm.len` bytes long and apart from each other; the old one was made by
        // `allocate_zeroed` with this length and is not used afterwards.
        unsafe {
            ptr::copy_nonoverlapping(self.vm.base, base, self.vm.len as usize);
            release(self.vm.base, self.vm.len);
        }
        self.vm = VmMemory { base, len };
        Some(old)
    }

    /// `memory.fill`
    pub fn fill(&mut self, at: u64, value: u8, len: u64) -> Result<(), TrapKind> {
        check(at, len, self.vm.len, TrapKind::MemoryOutOfBounds)?;
        self.bytes_mut()[at as usize..][..len as usize].fill(value);
        Ok(())
    }

    /// `memory.init`, from the bytes of a segment.
    pub fn init(&mut self, segment: &[u8], to: u64, from: u64, len: u64) -> Result<(), TrapKind> {
        check(from, len, segment.len() as u64, TrapKind::MemoryOutOfBounds)?;
        check(to, len, self.vm.len, TrapKind::MemoryOutOfBounds)?;
        self.bytes_mut()[to as usize..][..len as usize]
            .copy_from_slice(&segment[from as usize..][..len as usize]);
        Ok(())
    }

    /// `memory.copy`
    ///
    /// # Safety
    /// Both are live memories, perhaps the same one, and no reference to either is current.
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
        check(from, len, source.1, TrapKind::MemoryOutOfBounds)?;
        check(to, len, target.1, TrapKind::MemoryOutOfBounds)?;
        // SAFETY: both ranges lie inside their memories, as just checked; `copy` allows them to overlap.
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

impl Drop for MemoryInner {
    fn drop(&mut self) {
        if self.guarded {
            // SAFETY: `reserve` made this mapping with this length, and the store goes. An error could only mean that the range
            // is not mapped, which then needs nothing.
            let _ = unsafe { munmap(self.vm.base.cast(), RESERVATION) };
        } else {
            // SAFETY: `vm` describes an allocation made by `allocate_zeroed` with this length, and the store goes.
            unsafe { release(self.vm.base, self.vm.len) };
        }
    }
}

/// A mapping of `RESERVATION` bytes of which the first `len` are zeroes and accessible.
fn reserve(len: u64) -> Option<*mut u8> {
    // SAFETY: a new anonymous mapping at an address of the kernel's choice touches nothing that exists.
    let base = unsafe {
        mmap_anonymous(
            ptr::null_mut(),
            RESERVATION,
            ProtFlags::empty(),
            MapFlags::PRIVATE | MapFlags::NORESERVE,
        )
    }
    .ok()?
    .cast::<u8>();
    // SAFETY: the mapping was made just now.
    if len > 0 && unsafe { open(base, len) }.is_none() {
        // SAFETY: as above; nobody knows of it yet.
        let _ = unsafe { munmap(base.cast(), RESERVATION) };
        return None;
    }
    Some(base)
}

/// Makes the first `len` bytes of a reservation accessible.
///
/// # Safety
/// `base` came from `reserve` and is still mapped.
unsafe fn open(base: *mut u8, len: u64) -> Option<()> {
    debug_assert!(len <= 1 << 32 && len.is_multiple_of(PAGE as u64));
    // SAFETY: the range lies inside the mapping; what was accessible stays so and keeps its contents.
    unsafe {
        mprotect(
            base.cast(),
            len as usize,
            MprotectFlags::READ | MprotectFlags::WRITE,
        )
    }
    .ok()
}
