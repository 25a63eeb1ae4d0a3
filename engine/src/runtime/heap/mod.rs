//! The memory of a store's objects: structures, arrays and exceptions.
//!
//! ```text
//!   one reserved range ──▶ │ block │ block │ block  block  block │ block │ ...        64 KiB each
//!                          │ cells of one size │ one large object   │ free
//! ```
//!
//! Objects never move, so their addresses serve as references, and a word of which nobody knows what it is (on a stack) can be
//! taken for a reference without harm. That asks for one thing: the way from any address to the object that contains it,
//! which is arithmetic here, since the range is cut into blocks of equal size and a block into cells of equal size. Which cells
//! are taken, and which were reached by the collection that runs, is kept in bitmaps beside the range, not in it: what an
//! object's memory holds does not matter for its bookkeeping.
//!
//! What is reachable is [`collect`](super::collect)'s business.

pub(crate) mod object;

use object::Header;
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};
use std::ffi::c_void;
use std::ptr;

/// Bytes of a block, and its alignment.
const BLOCK: usize = 64 * 1024;

/// Sizes of cells. Two to an octave: an object wastes a third at most.
const CELLS: [usize; 22] = [
    16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096, 6144, 8192,
    10912, 16384, 21840, 32768,
];

/// What fills the memory of collected objects when poisoning is on: no type has this number, and no object this address.
pub(crate) const POISON: u8 = 0xd5;

/// See the module's documentation.
pub(crate) struct Heap {
    /// The range as it was mapped; null until the first allocation.
    mapping: *mut c_void,
    /// The first block.
    base: usize,
    /// Blocks that the range has.
    capacity: usize,
    /// Blocks that have been in use.
    blocks: Vec<Block>,
    /// For each size of cells, blocks that may have a free one. The last is the one in use.
    partial: [Vec<u32>; CELLS.len()],
    /// Bytes of all cells in use.
    live_bytes: usize,
    live_exceptions: usize,
}

enum Block {
    Free,
    Cells(Box<Cells>),
    /// The first block of a large object.
    Large {
        blocks: usize,
        bytes: usize,
        marked: bool,
    },
    /// A further block of the large object that starts at block `head`.
    Tail {
        head: usize,
    },
}

/// A block of small objects.
struct Cells {
    class: usize,
    /// Where to look for a free cell next, as a word of the bitmap.
    next: usize,
    taken: Bitmap,
    marked: Bitmap,
}

struct Bitmap(Box<[u64]>);

impl Bitmap {
    fn new(bits: usize) -> Bitmap {
        Bitmap(vec![0; bits.div_ceil(64)].into())
    }

    fn get(&self, bit: usize) -> bool {
        self.0[bit / 64] >> (bit % 64) & 1 != 0
    }

    fn set(&mut self, bit: usize) {
        self.0[bit / 64] |= 1 << (bit % 64);
    }
}

/// Where an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    block: usize,
    cell: usize,
}

fn cells_of(class: usize) -> usize {
    BLOCK / CELLS[class]
}

impl Heap {
    /// A heap of at most `bytes`, rounded down to whole blocks.
    pub fn new(bytes: u64) -> Heap {
        Heap {
            mapping: ptr::null_mut(),
            base: 0,
            capacity: usize::try_from(bytes).unwrap_or(usize::MAX) / BLOCK,
            blocks: Vec::new(),
            partial: Default::default(),
            live_bytes: 0,
            live_exceptions: 0,
        }
    }

    /// Bytes of all objects that have not been freed, as their cells count.
    pub fn live_bytes(&self) -> usize {
        self.live_bytes
    }

    /// Exceptions that have not been freed.
    pub fn live_exceptions(&self) -> usize {
        self.live_exceptions
    }

    /// An object of `bytes` bytes, header included, all zero but for the header. `None` when the heap or the system has no
    /// memory for it.
    pub fn allocate(&mut self, header: Header, bytes: u64) -> Option<*mut Header> {
        let bytes = usize::try_from(bytes).ok()?;
        if self.mapping.is_null() {
            self.map()?;
        }
        let address = match CELLS.iter().position(|&cell| bytes <= cell) {
            Some(class) => self.allocate_cell(class)?,
            None => self.allocate_large(bytes)?,
        };
        let object = address as *mut Header;
        // SAFETY: the cell is at least `bytes` long, which is a header at least; it is aligned to 16 and nobody else's.
        unsafe { object.write(header) };
        if header.type_id == object::EXCEPTION {
            self.live_exceptions += 1;
        }
        Some(object)
    }

    fn map(&mut self) -> Option<()> {
        let len = self.capacity.checked_add(1)?.checked_mul(BLOCK)?;
        // SAFETY: a new anonymous mapping at an address of the kernel's choice touches nothing that exists.
        let mapping = unsafe {
            mmap_anonymous(
                ptr::null_mut(),
                len,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE | MapFlags::NORESERVE,
            )
        }
        .ok()?;
        self.mapping = mapping;
        self.base = (mapping as usize).next_multiple_of(BLOCK);
        Some(())
    }

    fn allocate_cell(&mut self, class: usize) -> Option<usize> {
        let size = CELLS[class];
        loop {
            let Some(&block) = self.partial[class].last() else {
                let block = self.take_blocks(1)?;
                self.blocks[block] = Block::Cells(Box::new(Cells {
                    class,
                    next: 0,
                    taken: Bitmap::new(cells_of(class)),
                    marked: Bitmap::new(cells_of(class)),
                }));
                self.partial[class].push(block as u32);
                continue;
            };
            let Block::Cells(cells) = &mut self.blocks[block as usize] else {
                unreachable!("only blocks of cells are listed")
            };
            let words = &cells.taken.0;
            let found = (cells.next..words.len()).find(|&word| words[word] != u64::MAX);
            if let Some(word) = found {
                let cell = word * 64 + words[word].trailing_ones() as usize;
                cells.next = word;
                if cell < cells_of(class) {
                    cells.taken.set(cell);
                    self.live_bytes += size;
                    let address = self.base + block as usize * BLOCK + cell * size;
                    // SAFETY: the cell lies inside a block of the mapping, and was free.
                    unsafe { ptr::write_bytes(address as *mut u8, 0, size) };
                    return Some(address);
                }
            }
            self.partial[class].pop();
        }
    }

    fn allocate_large(&mut self, bytes: usize) -> Option<usize> {
        let blocks = bytes.div_ceil(BLOCK);
        let used_before = self.blocks.len();
        let head = self.take_blocks(blocks)?;
        self.blocks[head] = Block::Large {
            blocks,
            bytes,
            marked: false,
        };
        for block in head + 1..head + blocks {
            self.blocks[block] = Block::Tail { head };
        }
        self.live_bytes += blocks * BLOCK;
        let address = self.base + head * BLOCK;
        // Blocks that were never used are zero already, and their pages do not exist yet.
        let used = used_before.saturating_sub(head).min(blocks) * BLOCK;
        // SAFETY: the blocks lie inside the mapping and were free.
        unsafe { ptr::write_bytes(address as *mut u8, 0, used) };
        Some(address)
    }

    /// Finds `count` free blocks in a row; the caller says what becomes of them.
    fn take_blocks(&mut self, count: usize) -> Option<usize> {
        let mut run = 0;
        for (index, block) in self.blocks.iter().enumerate() {
            run = if matches!(block, Block::Free) {
                run + 1
            } else {
                0
            };
            if run == count {
                return Some(index + 1 - count);
            }
        }
        // A run at the end may be completed by blocks that were never used.
        let head = self.blocks.len() - run;
        if head.checked_add(count)? > self.capacity {
            return None;
        }
        self.blocks.resize_with(head + count, || Block::Free);
        Some(head)
    }

    /// The object that contains `address`, whether at its start or inside.
    pub fn find(&self, address: u64) -> Option<Place> {
        let offset = (address as usize).wrapping_sub(self.base);
        let mut block = offset / BLOCK;
        if let Block::Tail { head } = self.blocks.get(block)? {
            block = *head;
        }
        match &self.blocks[block] {
            Block::Free | Block::Tail { .. } => None,
            Block::Large { bytes, .. } => {
                (offset - block * BLOCK < *bytes).then_some(Place { block, cell: 0 })
            }
            Block::Cells(cells) => {
                let cell = offset % BLOCK / CELLS[cells.class];
                let taken = cell < cells_of(cells.class) && cells.taken.get(cell);
                taken.then_some(Place { block, cell })
            }
        }
    }

    /// The start of an object.
    pub fn object(&self, place: Place) -> *mut Header {
        let size = match &self.blocks[place.block] {
            Block::Cells(cells) => CELLS[cells.class],
            _ => 0,
        };
        (self.base + place.block * BLOCK + place.cell * size) as *mut Header
    }

    /// Marks an object as reached; `false` if it was already.
    pub fn mark(&mut self, place: Place) -> bool {
        match &mut self.blocks[place.block] {
            Block::Cells(cells) => {
                let new = !cells.marked.get(place.cell);
                cells.marked.set(place.cell);
                new
            }
            Block::Large { marked, .. } => !std::mem::replace(marked, true),
            Block::Free | Block::Tail { .. } => unreachable!("a place is an object's"),
        }
    }

    /// Frees what was not marked, takes all marks away, and fills what was freed with [`POISON`] if asked to.
    pub fn sweep(&mut self, poison: bool) {
        for list in &mut self.partial {
            list.clear();
        }
        (self.live_bytes, self.live_exceptions) = (0, 0);
        for index in 0..self.blocks.len() {
            let address = self.base + index * BLOCK;
            match &mut self.blocks[index] {
                Block::Free | Block::Tail { .. } => {}
                &mut Block::Large {
                    blocks,
                    marked: false,
                    ..
                } => {
                    // SAFETY: the object's blocks lie inside the mapping, and nothing refers to the object.
                    unsafe { fill(address, blocks * BLOCK, poison) };
                    self.blocks[index..index + blocks].fill_with(|| Block::Free);
                }
                Block::Large { blocks, marked, .. } => {
                    *marked = false;
                    self.live_bytes += *blocks * BLOCK;
                    // SAFETY: the object is alive.
                    self.live_exceptions += unsafe { exceptions(address) };
                }
                Block::Cells(cells) => {
                    let (class, size) = (cells.class, CELLS[cells.class]);
                    let mut live = 0;
                    for cell in 0..cells_of(class) {
                        let address = address + cell * size;
                        match (cells.taken.get(cell), cells.marked.get(cell)) {
                            (true, true) => {
                                live += 1;
                                // SAFETY: the object is alive.
                                self.live_exceptions += unsafe { exceptions(address) };
                            }
                            // SAFETY: the cell lies inside the mapping, and nothing refers to the object.
                            (true, false) => unsafe { fill(address, size, poison) },
                            (false, _) => {}
                        }
                    }
                    std::mem::swap(&mut cells.taken, &mut cells.marked);
                    cells.marked.0.fill(0);
                    cells.next = 0;
                    self.live_bytes += live * size;
                    if live == 0 {
                        self.blocks[index] = Block::Free;
                    } else if live < cells_of(class) {
                        self.partial[class].push(index as u32);
                    }
                }
            }
        }
    }
}

/// # Safety
/// The bytes are memory of a heap that nothing refers to.
unsafe fn fill(address: usize, bytes: usize, poison: bool) {
    if poison {
        // SAFETY: the caller's promise.
        unsafe { ptr::write_bytes(address as *mut u8, POISON, bytes) };
    }
}

/// 1 if the object is an exception.
///
/// # Safety
/// `address` is an object's.
unsafe fn exceptions(address: usize) -> usize {
    // SAFETY: the caller's promise.
    usize::from(unsafe { (*(address as *const Header)).type_id } == object::EXCEPTION)
}

impl Drop for Heap {
    fn drop(&mut self) {
        if !self.mapping.is_null() {
            // SAFETY: `map` made this mapping with this length, and the store goes. An error could only mean that the range is
            // not mapped, which then needs nothing.
            let _ = unsafe { munmap(self.mapping, (self.capacity + 1) * BLOCK) };
        }
    }
}

#[cfg(test)]
mod tests;
