//! Memory instructions, and memory instances (specification: "Memory Instructions").
//!
//! In accesses `d` is the memory's index, `a` the address, and the offset stands in `b`
//! (loads) or `c` (stores, whose value is in `b`). Addresses of 32 and 64 bits look the same
//! in a slot. An offset of more than 32 bits is added before, by [`effective_address`].

use super::frame::{get, set};
use super::numeric::{Number, constant};
use super::{Pc, Slots, Step};
use crate::code::Instr;
use crate::error::TrapKind;
use crate::machine::{Machine, MemoryData, Stop};
use crate::types::MemoryType;

const OUT_OF_BOUNDS: Stop = Stop::Trap(TrapKind::MemoryOutOfBounds);

/// Bytes that a memory may have at most, whatever its type says: more than the largest
/// 32-bit one is not offered.
const MAX_BYTES: u64 = 1 << 32;

impl MemoryData {
    /// A memory of zeros; none if it cannot be allocated.
    pub fn new(ty: MemoryType) -> Option<MemoryData> {
        let bytes = usize::try_from(bytes_of(ty.minimum, ty)?).ok()?;
        Some(MemoryData {
            ty,
            bytes: vec![0; bytes],
        })
    }

    /// Size in pages.
    pub fn pages(&self) -> u64 {
        self.bytes.len() as u64 >> self.ty.page_size_log2
    }

    /// Its type with the present size as minimum.
    pub fn current_type(&self) -> MemoryType {
        MemoryType {
            minimum: self.pages(),
            ..self.ty
        }
    }

    /// Grows by `pages` and returns the size before, if maximum and `limit` (in pages of
    /// 64 KiB) allow it and there is room.
    pub fn grow(&mut self, pages: u64, limit: u64) -> Option<u64> {
        let before = self.pages();
        let after = before.checked_add(pages)?;
        if self.ty.maximum.is_some_and(|max| after > max) {
            return None;
        }
        // A 32-bit memory has fewer pages than its addresses count, or `memory.size` could not say how many.
        if !self.ty.memory64 && after > u64::from(u32::MAX) {
            return None;
        }
        let bytes = bytes_of(after, self.ty)?;
        if pages > 0 && bytes > limit.saturating_mul(1 << 16) {
            return None;
        }
        let bytes = usize::try_from(bytes).ok()?;
        let more = bytes - self.bytes.len();
        self.bytes.try_reserve_exact(more).ok()?;
        self.bytes.resize(bytes, 0);
        Some(before)
    }
}

fn bytes_of(pages: u64, ty: MemoryType) -> Option<u64> {
    let bytes = pages.checked_mul(1 << ty.page_size_log2)?;
    (bytes <= MAX_BYTES).then_some(bytes)
}

/// The bytes at an address; none beyond the memory's end.
#[inline(always)]
pub(super) fn chunk<const N: usize>(bytes: &[u8], address: u64, offset: u32) -> Option<[u8; N]> {
    let at = usize::try_from(address.checked_add(u64::from(offset))?).ok()?;
    bytes.get(at..)?.first_chunk::<N>().copied()
}

/// The same, to be changed.
#[inline(always)]
fn chunk_mut<const N: usize>(bytes: &mut [u8], address: u64, offset: u32) -> Option<&mut [u8; N]> {
    let at = usize::try_from(address.checked_add(u64::from(offset))?).ok()?;
    bytes.get_mut(at..)?.first_chunk_mut::<N>()
}

impl Machine {
    fn memory_address(&self, index: u16) -> usize {
        self.instance().memories[index as usize] as usize
    }

    /// The bytes of a memory that is not number 0, but may be the same.
    #[cold]
    #[inline(never)]
    fn other_memory(&mut self, index: u16) -> &mut Vec<u8> {
        let address = self.memory_address(index);
        if address == self.memory0 as usize {
            &mut self.memory
        } else {
            &mut self.memories[address].bytes
        }
    }

    /// The bytes of a memory.
    #[inline(always)]
    fn memory(&mut self, index: u16) -> &mut Vec<u8> {
        if index == 0 {
            &mut self.memory
        } else {
            self.other_memory(index)
        }
    }

    /// What a load reads; none beyond the memory's end.
    #[inline(always)]
    pub fn load<const N: usize>(&mut self, f: &Slots, i: &Instr) -> Option<[u8; N]> {
        chunk(self.memory(i.d), get(f, i.a), i.b)
    }

    /// Does what works on memories as a whole: all bytes are in their places meanwhile.
    fn with_memories(&mut self, pc: Pc, step: impl FnOnce(&mut Self) -> Step) -> Pc {
        self.swap_memory();
        let answer = self.attempt(pc, step);
        self.swap_memory();
        answer
    }
}

/// Stores a value.
#[inline(always)]
pub(super) fn store<const N: usize>(
    m: &mut Machine,
    f: &Slots,
    i: &Instr,
    pc: Pc,
    value: [u8; N],
) -> Pc {
    let Some(place) = chunk_mut(m.memory(i.d), get(f, i.a), i.c) else {
        return m.trap(pc, TrapKind::MemoryOutOfBounds);
    };
    *place = value;
    pc + 1
}

macro_rules! loads {
    ($($name:ident: $memory:ty => $value:ty;)*) => {
        $(pub(crate) fn $name(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
            let Some(bytes) = m.load(f, i) else {
                return m.trap(pc, TrapKind::MemoryOutOfBounds);
            };
            let v = <$memory>::from_le_bytes(bytes);
            set(f, i.c, <$value>::from(v).into_slot());
            pc + 1
        })*
    };
}

/// Stores; the second handler stores the constant in `b`.
macro_rules! stores {
    ($($name:ident, $with_constant:ident: $memory:ty;)*) => {
        $(pub(crate) fn $name(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
            let v = get(f, i.b) as $memory;
            store(m, f, i, pc, v.to_le_bytes())
        }
        pub(crate) fn $with_constant(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
            let v = constant(i) as $memory;
            store(m, f, i, pc, v.to_le_bytes())
        })*
    };
}

loads! {
    i32_load: u32 => u32;
    i32_load8_s: i8 => i32;
    i32_load8_u: u8 => u32;
    i32_load16_s: i16 => i32;
    i32_load16_u: u16 => u32;
    i64_load: u64 => u64;
    i64_load8_s: i8 => i64;
    i64_load8_u: u8 => u64;
    i64_load16_s: i16 => i64;
    i64_load16_u: u16 => u64;
    i64_load32_s: i32 => i64;
    i64_load32_u: u32 => u64;
    // Floats are moved as bits, so that NaNs keep theirs.
    f32_load: u32 => u32;
    f64_load: u64 => u64;
}

stores! {
    i32_store, i32_store_const: u32;
    i32_store8, i32_store8_const: u8;
    i32_store16, i32_store16_const: u16;
    i64_store, i64_store_const: u64;
    i64_store8, i64_store8_const: u8;
    i64_store16, i64_store16_const: u16;
    i64_store32, i64_store32_const: u32;
    f32_store, f32_store_const: u32;
    f64_store, f64_store_const: u64;
}

/// Adds the offset in slot `b` to the address in slot `a`.
pub(crate) fn effective_address(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    m.attempt(pc, |_| {
        let at = get(f, i.a).checked_add(get(f, i.b)).ok_or(OUT_OF_BOUNDS)?;
        set(f, i.c, at);
        Ok(())
    })
}

/// `memory.size`
pub(crate) fn memory_size(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    m.with_memories(pc, |m| {
        let pages = m.memories[m.memory_address(i.d)].pages();
        set(f, i.c, pages);
        Ok(())
    })
}

/// `memory.grow`
pub(crate) fn memory_grow(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    m.with_memories(pc, |m| {
        let by = get(f, i.a);
        let limit = m.limits.memory_pages;
        let memory = m.memory_address(i.d);
        let memory = &mut m.memories[memory];
        let failed = failure(memory.ty.memory64);
        let answer = memory.grow(by, limit).unwrap_or(failed);
        set(f, i.c, answer);
        Ok(())
    })
}

/// -1 in the index type.
pub(crate) fn failure(is64: bool) -> u64 {
    if is64 { u64::MAX } else { u64::from(u32::MAX) }
}

/// `from..from + len`, if that is within `size`.
pub(crate) fn range(from: u64, len: u64, size: usize) -> Option<std::ops::Range<usize>> {
    let end = from.checked_add(len)?;
    if end > size as u64 {
        return None;
    }
    Some(from as usize..end as usize)
}

/// `memory.fill`: destination, value and length from `a` on.
pub(crate) fn memory_fill(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    m.with_memories(pc, |m| {
        let (at, value, len) = (get(f, i.a), get(f, i.a + 1), get(f, i.a + 2));
        let memory = m.memory_address(i.d);
        let bytes = &mut m.memories[memory].bytes;
        let place = range(at, len, bytes.len()).ok_or(OUT_OF_BOUNDS)?;
        bytes[place].fill(value as u8);
        Ok(())
    })
}

/// `memory.copy`: destination, source and length from `a` on; `d` is the destination
/// memory, `b` the source memory.
pub(crate) fn memory_copy(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    m.with_memories(pc, |m| {
        let (to, from, len) = (get(f, i.a), get(f, i.a + 1), get(f, i.a + 2));
        let target = m.memory_address(i.d);
        let source = m.memory_address(i.b as u16);
        let from = range(from, len, m.memories[source].bytes.len()).ok_or(OUT_OF_BOUNDS)?;
        let to = range(to, len, m.memories[target].bytes.len()).ok_or(OUT_OF_BOUNDS)?;
        if source == target {
            m.memories[target].bytes.copy_within(from, to.start);
        } else if let Ok([source, target]) = m.memories.get_disjoint_mut([source, target]) {
            target.bytes[to].copy_from_slice(&source.bytes[from]);
        }
        Ok(())
    })
}

/// `memory.init`: destination, source and length from `a` on; `b` is the segment.
pub(crate) fn memory_init(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    m.with_memories(pc, |m| {
        let (to, from, len) = (get(f, i.a), get(f, i.a + 1), get(f, i.a + 2));
        let memory = m.memory_address(i.d);
        m.init_memory(memory, i.b, to, from, len)
    })
}

/// `data.drop`: `b` is the segment.
pub(crate) fn data_drop(m: &mut Machine, _: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    let instance = m.instance as usize;
    m.instances[instance].dropped_data[i.b as usize] = true;
    pc + 1
}

impl Machine {
    /// Copies a part of a data segment of the current instance into a memory.
    pub fn init_memory(
        &mut self,
        memory: usize,
        segment: u32,
        to: u64,
        from: u64,
        len: u64,
    ) -> Step {
        let instance = &self.instances[self.instance as usize];
        let data: &[u8] = if instance.dropped_data[segment as usize] {
            &[]
        } else {
            &instance.module.data[segment as usize].bytes
        };
        let bytes = &mut self.memories[memory].bytes;
        let from = range(from, len, data.len()).ok_or(OUT_OF_BOUNDS)?;
        let to = range(to, len, bytes.len()).ok_or(OUT_OF_BOUNDS)?;
        bytes[to].copy_from_slice(&data[from]);
        Ok(())
    }
}
