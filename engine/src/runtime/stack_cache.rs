//! What an engine keeps of the stacks of dropped stores, for stores to come.
//!
//! A store that lives for one short call, as in fuzzing, would spend more on its stacks than on running them: a range to map, a guard
//! page to install and several pages to touch for each, and all of that to undo. So the range of a dropped store is kept, guard pages
//! included, with the memory of its first stacks. [`Config::pooled_stacks`](crate::Config::pooled_stacks) bounds how many
//! stacks keep their memory, in all ranges of an engine together.

use super::stacks::PAGE;
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};
use std::ffi::c_void;
use std::ptr;
use std::sync::{Arc, Mutex, PoisonError};

/// A range of addresses for stacks of one size.
#[derive(Debug)]
pub(crate) struct Range {
    base: *mut c_void,
    /// Bytes of a stack, and how many there is room for.
    stride: usize,
    capacity: u32,
    /// The first stacks, which have their guard pages.
    guarded: u32,
    /// The first stacks, whose memory may have been touched.
    touched: u32,
}

// SAFETY: a range is memory that belongs to whoever has the `Range`, on any thread.
unsafe impl Send for Range {}

impl Range {
    /// Reserves addresses for `capacity` stacks of `stride` bytes; `None` when the system has none left.
    pub fn reserve(stride: usize, capacity: u32) -> Option<Range> {
        let len = stride.checked_mul(capacity as usize)?;
        // SAFETY: a new anonymous mapping at an address of the kernel's choice touches nothing that exists.
        let base = unsafe {
            mmap_anonymous(
                ptr::null_mut(),
                len,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE | MapFlags::NORESERVE | MapFlags::STACK,
            )
        }
        .ok()?;
        // Huge pages would make each stack cost 2 MiB. Failure (a kernel without them) changes nothing but memory use.
        // SAFETY: the range was mapped just now.
        let _ = unsafe { madvise(base, len, Advice::LinuxNoHugepage) };
        Some(Range {
            base,
            stride,
            capacity,
            guarded: 0,
            touched: 0,
        })
    }

    /// The lowest address.
    pub fn base(&self) -> *mut c_void {
        self.base
    }

    /// Whether the stack at `index` has its guard page already.
    pub fn is_guarded(&self, index: u32) -> bool {
        index < self.guarded
    }

    /// Notes that the stack at `index`, and all before it, have their guard pages.
    pub fn set_guarded(&mut self, index: u32) {
        self.guarded = self.guarded.max(index + 1);
    }

    /// Gives the memory of all stacks but the first `kept` back to the system. Guard pages stay. `false` if the system refuses.
    fn trim(&mut self, kept: u32) -> bool {
        if self.touched <= kept {
            return true;
        }
        // Stacks need not end where pages do: the first page that is given back is the one behind the last kept stack's.
        let kept_bytes = (kept as usize * self.stride).next_multiple_of(PAGE);
        let start = self.base.wrapping_byte_add(kept_bytes);
        let len = self.touched as usize * self.stride - kept_bytes;
        self.touched = kept;
        // SAFETY: this part of the range belongs to us, and nobody runs on its stacks; what they hold is not needed any more.
        unsafe { madvise(start, len, Advice::LinuxDontNeed) }.is_ok()
    }
}

impl Drop for Range {
    fn drop(&mut self) {
        // SAFETY: `reserve` made this mapping with this length, and nobody runs on its stacks any more. An error could only
        // mean that the range is not mapped, which then needs nothing.
        let _ = unsafe { munmap(self.base, self.stride * self.capacity as usize) };
    }
}

/// See the module's documentation. All ranges in it are for stacks of the same size and number: those of one engine.
#[derive(Debug)]
pub(crate) struct StackCache {
    /// How many stacks may keep their memory.
    most: u32,
    ranges: Mutex<Vec<Range>>,
}

impl StackCache {
    pub fn new(most: u32) -> Arc<StackCache> {
        Arc::new(StackCache {
            most,
            ranges: Mutex::default(),
        })
    }

    /// The range that was kept last.
    pub fn take(&self) -> Option<Range> {
        // Nothing panics while it holds the lock half-way.
        let mut ranges = self.ranges.lock().unwrap_or_else(PoisonError::into_inner);
        ranges.pop()
    }

    /// Keeps a range in which the first `used` stacks have been used since it was taken, or frees it.
    pub fn keep(&self, mut range: Range, used: u32) {
        range.touched = range.touched.max(used);
        let mut ranges = self.ranges.lock().unwrap_or_else(PoisonError::into_inner);
        let elsewhere: u32 = ranges.iter().map(|range| range.touched).sum();
        let room = self.most - elsewhere;
        if room > 0 && range.trim(room) {
            ranges.push(range);
        }
    }

    /// How many stacks keep their memory.
    #[cfg(test)]
    fn kept(&self) -> u32 {
        let ranges = self.ranges.lock().unwrap();
        ranges.iter().map(|range| range.touched).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::super::fiber::{FIRST_GENERATION, Fiber};
    use super::super::layout::VmStore;
    use super::super::stacks::{PAGE, StackPool};
    use super::*;
    use crate::Config;

    const STRIDE: usize = 64 * PAGE;

    fn pool(cache: &Arc<StackCache>) -> StackPool {
        StackPool::new(STRIDE, 16 * PAGE, 10, cache.clone())
    }

    /// Takes `count` stacks and writes `mark` into each.
    fn use_stacks(pool: &mut StackPool, count: u32, mark: u64) -> Vec<*mut u64> {
        let mut vm = VmStore::new(&Config::new());
        let mut take = |_| {
            let fiber: *mut Fiber = pool.allocate(&mut vm).expect("there is room");
            let word = fiber.cast::<u64>().wrapping_sub(100);
            // SAFETY: the stack is larger, and nobody runs on it.
            unsafe { word.write(mark) };
            word
        };
        (0..count).map(&mut take).collect()
    }

    #[test]
    fn a_store_gets_the_stacks_of_the_one_before_it() {
        let cache = StackCache::new(3);
        let mut first = pool(&cache);
        let words = use_stacks(&mut first, 5, 7);
        drop(first);
        assert_eq!(cache.kept(), 3);
        let mut second = pool(&cache);
        let mut vm = VmStore::new(&Config::new());
        for (index, &word) in words.iter().enumerate() {
            let fiber = second.allocate(&mut vm).expect("there is room");
            assert_eq!(fiber.cast::<u64>().wrapping_sub(100), word);
            // SAFETY: the stack is the second pool's now. Its header is as new, and three stacks have kept their memory.
            unsafe {
                assert_eq!((*fiber).word, FIRST_GENERATION | (index as u64 + 1));
                assert_eq!(word.read(), if index < 3 { 7 } else { 0 });
            }
            // The guard page is there, whoever has installed it.
            assert!(second.is_guard(second.bounds(fiber).start - 1));
        }
    }

    #[test]
    fn no_more_stacks_are_kept_than_asked_for() {
        let cache = StackCache::new(3);
        let mut pools: Vec<_> = (0..4).map(|_| pool(&cache)).collect();
        for pool in &mut pools {
            use_stacks(pool, 2, 7);
        }
        drop(pools);
        assert_eq!((cache.kept(), cache.ranges.lock().unwrap().len()), (3, 2));
        // A store without continuations needs no stacks and keeps none from others.
        drop(pool(&cache));
        assert_eq!(cache.kept(), 3);

        let none = StackCache::new(0);
        use_stacks(&mut pool(&none), 2, 7);
        assert_eq!(none.ranges.lock().unwrap().len(), 0);
    }
}
