//! The stacks of one store: one reserved range of addresses, cut into slots of equal size.
//!
//! The range is mapped at the first `cont.new`, or taken from a store that was dropped (see [`stack_cache`](super::stack_cache)). It
//! costs address space only; a stack costs the pages that it touches. Free stacks are reused last in, first out, so that a
//! generator made and finished in a loop stays in the cache. A guard page
//! below each stack is installed with `MADV_GUARD_INSTALL`, which needs no mapping of its own, so that 100,000 stacks fit
//! into the kernel's limit on mappings. Where the kernel lacks it (before 6.13), `mprotect` does the same, but splits the
//! mapping: at the kernel's default limit of 65,530 mappings some 32,000 stacks are all there is, and `cont.new` then ends the
//! call as exhausted, below the limit that was configured.

use super::fiber::{CANARY, FIRST_GENERATION, Fiber, SLOT_MASK, State};
use super::layout::VmStore;
use super::stack_cache::{Range, StackCache};
use rustix::mm::{MprotectFlags, mprotect};
use std::ffi::c_void;
use std::ptr;
use std::sync::Arc;

/// The unit of guards and of stack sizes.
pub(crate) const PAGE: usize = 4096;

/// The least that a continuation's function must have to itself when it starts.
pub(crate) const START_RESERVE: usize = 4096;

/// Linux's `MADV_GUARD_INSTALL` (6.13).
const MADV_GUARD_INSTALL: i32 = 102;

/// See the module's documentation.
pub(crate) struct StackPool {
    /// The range's lowest address; null until the first stack is taken.
    base: *mut c_void,
    range: Option<Range>,
    cache: Arc<StackCache>,
    stride: usize,
    /// Bytes at the low end of each stack that only runtime functions and host functions use.
    headroom: usize,
    capacity: u32,
    /// Slots that have been used at least once; slot numbers start at 1.
    used: u32,
    free: Vec<u32>,
}

impl StackPool {
    /// A pool of at most `capacity` stacks of `stride` bytes, which must be a multiple of [`PAGE`] and leave room for more than
    /// `headroom` bytes that no Wasm function may start in. All pools of a cache must be of the same `stride` and `capacity`.
    pub fn new(stride: usize, headroom: usize, capacity: u32, cache: Arc<StackCache>) -> Self {
        assert!(stride.is_multiple_of(PAGE) && u64::from(capacity) <= SLOT_MASK);
        StackPool {
            base: ptr::null_mut(),
            range: None,
            cache,
            stride,
            headroom,
            capacity,
            used: 0,
            free: Vec::new(),
        }
    }

    /// The number of stacks that are not free.
    pub fn live(&self) -> usize {
        self.used as usize - self.free.len()
    }

    /// The highest slot that has been used.
    pub fn used(&self) -> u32 {
        self.used
    }

    /// Takes a stack; `None` when all are taken or the system has no memory for one. The caller sets the state.
    pub fn allocate(&mut self, vm: &mut VmStore) -> Option<*mut Fiber> {
        if let Some(slot) = self.free.pop() {
            return Some(self.fiber(slot));
        }
        if self.used == self.capacity {
            return None;
        }
        let range = match &mut self.range {
            Some(range) => range,
            None => {
                let kept = self.cache.take();
                let range = kept.or_else(|| Range::reserve(self.stride, self.capacity))?;
                self.base = range.base();
                vm.fiber_bias = self.base as usize - size_of::<Fiber>();
                self.range.insert(range)
            }
        };
        let bottom = self.base as usize + self.used as usize * self.stride;
        if !range.is_guarded(self.used) {
            install_guard(bottom as *mut c_void)?;
            range.set_guarded(self.used);
        }
        let slot = self.used + 1;
        self.used = slot;
        let fiber = self.fiber(slot);
        // SAFETY: slot `slot` lies inside the range, above its guard page; no code of this store has been given its address
        // yet, and the store that had the range before is gone.
        unsafe {
            fiber.write(Fiber {
                word: FIRST_GENERATION | u64::from(slot),
                buffer: ptr::null_mut(),
                parent: ptr::null_mut(),
                innermost: ptr::null_mut(),
                handlers: ptr::null(),
                handler_vmctx: ptr::null_mut(),
                results: ptr::null_mut(),
                limit: bottom + PAGE + self.headroom,
                values: ptr::null_mut(),
                num_results: 0,
                state: State::Free,
                fake_stack: ptr::null_mut(),
                canary: CANARY,
                context: Default::default(),
                canary_above: CANARY,
                #[cfg(feature = "planted-bugs")]
                planted: super::fiber::Notes::NONE,
            });
        }
        Some(fiber)
    }

    /// Gives a stack back. Its memory stays mapped and its contents stay until the next use: the caller may still run on it.
    ///
    /// # Safety
    /// `fiber` came from [`allocate`](Self::allocate) of this pool, and nothing names it any more: its `word` was consumed since
    /// it was last handed out, or never was.
    pub unsafe fn release(&mut self, fiber: *mut Fiber) {
        // SAFETY: the caller vouches for the pointer, and headers are never unmapped before the pool is.
        let fiber = unsafe { &mut *fiber };
        debug_assert!(fiber.state != State::Free, "a stack is freed twice");
        debug_assert_eq!(fiber.canary, CANARY, "a stack's header was overwritten");
        fiber.state = State::Free;
        fiber.parent = ptr::null_mut();
        fiber.innermost = ptr::null_mut();
        fiber.handlers = ptr::null();
        self.free.push((fiber.word & SLOT_MASK) as u32);
    }

    /// Whether an address lies in the guard page below a stack that has been used.
    pub fn is_guard(&self, address: usize) -> bool {
        let offset = address.wrapping_sub(self.base as usize);
        !self.base.is_null()
            && offset < self.used as usize * self.stride
            && offset % self.stride < PAGE
    }

    /// Whether an address lies in the pool's range.
    pub fn contains(&self, address: usize) -> bool {
        !self.base.is_null()
            && address.wrapping_sub(self.base as usize) < self.used as usize * self.stride
    }

    /// Whether this is the address of the header of a stack that has been used.
    pub fn is_header(&self, fiber: *mut Fiber) -> bool {
        let end = (fiber as usize).wrapping_add(size_of::<Fiber>());
        let offset = end.wrapping_sub(self.base as usize);
        self.contains(fiber as usize) && offset.is_multiple_of(self.stride)
    }

    /// What lies between a stack's guard page and its header.
    pub fn bounds(&self, fiber: *mut Fiber) -> std::ops::Range<usize> {
        let end = fiber as usize + size_of::<Fiber>();
        end - self.stride + PAGE..fiber as usize
    }

    /// The header of a stack that a reference names.
    pub fn fiber(&self, slot: u32) -> *mut Fiber {
        debug_assert!(slot >= 1 && slot <= self.capacity);
        (self.base as usize + slot as usize * self.stride - size_of::<Fiber>()) as *mut Fiber
    }

    /// The header behind a non-null reference, and whether that reference is still good.
    pub fn lookup(&self, word: u64) -> (*mut Fiber, bool) {
        let fiber = self.fiber((word & SLOT_MASK) as u32);
        // SAFETY: references are made from slots in use only, whose headers stay mapped as long as the pool.
        (fiber, unsafe { (*fiber).word == word })
    }

    /// Low end and length of the part of a stack that may be touched.
    #[cfg(switchback_asan)]
    pub fn usable(&self, fiber: *mut Fiber) -> (usize, usize) {
        let end = fiber as usize + size_of::<Fiber>();
        (end - self.stride + PAGE, self.stride - PAGE)
    }
}

impl Drop for StackPool {
    fn drop(&mut self) {
        // The store goes, so nothing runs on its stacks.
        if let Some(range) = self.range.take() {
            self.cache.keep(range, self.used);
        }
    }
}

fn install_guard(page: *mut c_void) -> Option<()> {
    // SAFETY: `page` is the lowest page of a slot inside the pool's mapping; nothing is kept there.
    let installed = unsafe { libc::madvise(page, PAGE, MADV_GUARD_INSTALL) } == 0;
    if installed {
        return Some(());
    }
    // SAFETY: as above.
    unsafe { mprotect(page, PAGE, MprotectFlags::empty()) }.ok()
}
