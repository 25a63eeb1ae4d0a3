//! The stacks of one store: one reserved range of addresses, cut into slots of equal size.
//!
//! The range is mapped at the first `cont.new`, or taken from a store that was dropped (see [`stack_cache`](super::stack_cache)). It
//! costs address space only; a stack costs the pages that it touches. Free stacks are reused last in, first out, so that a
//! generator made and finished in a loop stays in the cache. They are linked by their headers, and the list starts in the
//! [`VmStore`], where stubs take stacks from it and give them back (see [`stubs`](super::stubs)). A guard page
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

/// Bytes from the end of one stack of `size` bytes to the end of the next; a page of them may be lost between the stacks.
///
/// Processors find cached memory by the lower bits of its address. Were all stacks a number of pages apart, their headers and first
/// frames would compete for the same few places of the cache, and chains of more than some ten stacks would not fit into it. So
/// the ends of stacks lie at four places of a page, none of which is too near to its beginning for a small continuation to need but one.
pub(crate) const fn stride(size: usize) -> usize {
    size + PAGE + PAGE / 4
}

/// Linux's `MADV_GUARD_INSTALL` (6.13).
const MADV_GUARD_INSTALL: i32 = 102;

/// See the module's documentation.
pub(crate) struct StackPool {
    /// The range's lowest address; null until the first stack is taken.
    base: *mut c_void,
    range: Option<Range>,
    cache: Arc<StackCache>,
    /// Bytes of one stack.
    size: usize,
    /// Bytes from the end of one stack to the end of the next.
    stride: usize,
    /// Bytes at the low end of each stack that only runtime functions and host functions use.
    headroom: usize,
    capacity: u32,
    /// Slots that have been used at least once; slot numbers start at 1.
    used: u32,
    /// Stacks in use plus [`VmStore::stacks_left`]. It changes when garbage is collected, and both of these at every `cont.new`.
    budget: usize,
}

impl StackPool {
    /// A pool of at most `capacity` stacks of `size` bytes, which must be a multiple of [`PAGE`] and leave room for more than
    /// `headroom` bytes that no Wasm function may start in. All pools of a cache must be of the same `size` and `capacity`.
    pub fn new(size: usize, headroom: usize, capacity: u32, cache: Arc<StackCache>) -> Self {
        assert!(size.is_multiple_of(PAGE) && u64::from(capacity) <= SLOT_MASK);
        StackPool {
            base: ptr::null_mut(),
            range: None,
            cache,
            size,
            stride: stride(size),
            headroom,
            capacity,
            used: 0,
            budget: 0,
        }
    }

    /// The number of stacks that are not free.
    pub fn live(&self, vm: &VmStore) -> usize {
        self.budget - vm.stacks_left
    }

    /// Sets how many stacks may be in use, those that are included, before it is time to collect again.
    pub fn set_budget(&mut self, vm: &mut VmStore, budget: usize) {
        let live = self.live(vm);
        self.budget = budget.max(live);
        vm.stacks_left = self.budget - live;
    }

    fn count_taken(&mut self, vm: &mut VmStore) {
        match vm.stacks_left.checked_sub(1) {
            Some(left) => vm.stacks_left = left,
            // Nothing could be collected.
            None => self.budget += 1,
        }
    }

    /// The highest slot that has been used.
    pub fn used(&self) -> u32 {
        self.used
    }

    /// Takes a stack; `None` when all are taken or the system has no memory for one. The caller sets the state.
    pub fn allocate(&mut self, vm: &mut VmStore) -> Option<*mut Fiber> {
        let free = vm.free_fibers;
        if !free.is_null() {
            // SAFETY: the list consists of headers of this pool.
            vm.free_fibers = unsafe { (*free).parent };
            self.count_taken(vm);
            return Some(free);
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
        let slot = self.used + 1;
        if !range.is_guarded(self.used) {
            install_guard(guard(self.base, slot, self.stride) as *mut c_void)?;
            range.set_guarded(self.used);
        }
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
                // The same for all, wherever in their pages they end.
                limit: fiber as usize + size_of::<Fiber>() - self.size + PAGE + self.headroom,
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
        self.count_taken(vm);
        Some(fiber)
    }

    /// Gives a stack back. Its memory stays mapped and its contents stay until the next use: the caller may still run on it.
    ///
    /// # Safety
    /// `fiber` came from [`allocate`](Self::allocate) of this pool, and nothing names it any more: its `word` was consumed since
    /// it was last handed out, or never was.
    pub unsafe fn release(&mut self, vm: &mut VmStore, fiber: *mut Fiber) {
        debug_assert!(
            self.is_header(fiber),
            "{fiber:p} is not a header of this pool"
        );
        // SAFETY: the caller vouches for the pointer, and headers are never unmapped before the pool is.
        let header = unsafe { &mut *fiber };
        debug_assert!(header.state != State::Free, "a stack is freed twice");
        debug_assert_eq!(header.canary, CANARY, "a stack's header was overwritten");
        header.state = State::Free;
        header.handlers = ptr::null();
        header.parent = vm.free_fibers;
        vm.free_fibers = fiber;
        vm.stacks_left += 1;
    }

    /// Whether an address lies in the guard page below a stack that has been used.
    pub fn is_guard(&self, address: usize) -> bool {
        if !self.contains(address) {
            return false;
        }
        let slot = (address - self.base as usize) / self.stride + 1;
        (0..PAGE).contains(&address.wrapping_sub(guard(self.base, slot as u32, self.stride)))
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
        let slot = (end - self.base as usize) / self.stride;
        guard(self.base, slot as u32, self.stride) + PAGE..fiber as usize
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
        let start = self.bounds(fiber).start;
        (start, fiber as usize + size_of::<Fiber>() - start)
    }
}

impl Drop for StackPool {
    fn drop(&mut self) {
        // The store goes, so nothing runs on its stacks.
        if super::sanitizer::ENABLED {
            for slot in 1..=self.used {
                // SAFETY: all slots up to `used` have had a header since they were first allocated.
                unsafe { super::sanitizer::forget(self.fiber(slot)) };
            }
        }
        if let Some(range) = self.range.take() {
            self.cache.keep(range, self.used);
        }
    }
}

/// The address of the guard page of a stack: the first whole page behind the stack below.
fn guard(base: *mut c_void, slot: u32, stride: usize) -> usize {
    (base as usize + (slot as usize - 1) * stride).next_multiple_of(PAGE)
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
