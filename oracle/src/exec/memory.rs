//! Memory instructions, and memory instances (specification: "Memory Instructions").
//!
//! In accesses `d` is the memory's index, `a` the address, and the offset stands in `b`
//! (loads) or `c` (stores, whose value is in `b`). Addresses of 32 and 64 bits look the same
//! in a slot. An offset of more than 32 bits is added before, by [`effective_address`].

use super::frame::{get, set};
use super::numeric::{Number, constant};
use super::{LEAVE, Pc, Slots, Step};
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
fn chunk<const N: usize>(bytes: &[u8], address: u64, offset: u32) -> Option<[u8; N]> {
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

    /// What a load from any memory reads.
    pub fn load<const N: usize>(&self, i: Instr) -> Result<[u8; N], Stop> {
        let bytes = &self.memories[self.memory_address(i.d)].bytes;
        chunk(bytes, self.get(i.a), i.b).ok_or(OUT_OF_BOUNDS)
    }

    /// Stores to any memory.
    pub fn store<const N: usize>(&mut self, i: Instr, value: [u8; N]) -> Step {
        let memory = self.memory_address(i.d);
        let address = self.get(i.a);
        let bytes = &mut self.memories[memory].bytes;
        *chunk_mut(bytes, address, i.c).ok_or(OUT_OF_BOUNDS)? = value;
        Ok(())
    }
}

/// Loads: the first handler is for memory 0, the second one for the others.
macro_rules! loads {
    ($($name:ident, $other:ident: $memory:ty => $value:ty;)*) => {
        $(pub(crate) fn $name(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
            if i.d != 0 {
                return LEAVE;
            }
            let Some(bytes) = chunk(&m.memory, get(f, i.a), i.b) else {
                return m.trap(TrapKind::MemoryOutOfBounds);
            };
            let v = <$memory>::from_le_bytes(bytes);
            set(f, i.c, <$value>::from(v).into_slot());
            pc + 1
        }
        pub(crate) fn $other(m: &mut Machine, i: Instr) -> Step {
            let v = <$memory>::from_le_bytes(m.load(i)?);
            m.set(i.c, <$value>::from(v).into_slot());
            Ok(())
        })*
    };
}

/// Stores, in the same way; the last two handlers store the constant in `b`.
macro_rules! stores {
    ($($name:ident, $other:ident, $with_constant:ident, $other_constant:ident: $memory:ty;)*) => {
        $(pub(crate) fn $name(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
            let v = get(f, i.b) as $memory;
            store_first(m, f, i, pc, v.to_le_bytes())
        }
        pub(crate) fn $other(m: &mut Machine, i: Instr) -> Step {
            let v = m.get(i.b) as $memory;
            m.store(i, v.to_le_bytes())
        }
        pub(crate) fn $with_constant(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
            let v = constant(i) as $memory;
            store_first(m, f, i, pc, v.to_le_bytes())
        }
        pub(crate) fn $other_constant(m: &mut Machine, i: Instr) -> Step {
            let v = constant(&i) as $memory;
            m.store(i, v.to_le_bytes())
        })*
    };
}

/// Stores to memory 0; leaves for any other.
#[inline(always)]
fn store_first<const N: usize>(
    m: &mut Machine,
    f: &Slots,
    i: &Instr,
    pc: Pc,
    value: [u8; N],
) -> Pc {
    if i.d != 0 {
        return LEAVE;
    }
    let Some(place) = chunk_mut(&mut m.memory, get(f, i.a), i.c) else {
        return m.trap(TrapKind::MemoryOutOfBounds);
    };
    *place = value;
    pc + 1
}

loads! {
    i32_load, i32_load_other: u32 => u32;
    i32_load8_s, i32_load8_s_other: i8 => i32;
    i32_load8_u, i32_load8_u_other: u8 => u32;
    i32_load16_s, i32_load16_s_other: i16 => i32;
    i32_load16_u, i32_load16_u_other: u16 => u32;
    i64_load, i64_load_other: u64 => u64;
    i64_load8_s, i64_load8_s_other: i8 => i64;
    i64_load8_u, i64_load8_u_other: u8 => u64;
    i64_load16_s, i64_load16_s_other: i16 => i64;
    i64_load16_u, i64_load16_u_other: u16 => u64;
    i64_load32_s, i64_load32_s_other: i32 => i64;
    i64_load32_u, i64_load32_u_other: u32 => u64;
    // Floats are moved as bits, so that NaNs keep theirs.
    f32_load, f32_load_other: u32 => u32;
    f64_load, f64_load_other: u64 => u64;
}

stores! {
    i32_store, i32_store_other, i32_store_const, i32_store_const_other: u32;
    i32_store8, i32_store8_other, i32_store8_const, i32_store8_const_other: u8;
    i32_store16, i32_store16_other, i32_store16_const, i32_store16_const_other: u16;
    i64_store, i64_store_other, i64_store_const, i64_store_const_other: u64;
    i64_store8, i64_store8_other, i64_store8_const, i64_store8_const_other: u8;
    i64_store16, i64_store16_other, i64_store16_const, i64_store16_const_other: u16;
    i64_store32, i64_store32_other, i64_store32_const, i64_store32_const_other: u32;
    f32_store, f32_store_other, f32_store_const, f32_store_const_other: u32;
    f64_store, f64_store_other, f64_store_const, f64_store_const_other: u64;
}

/// Adds the offset in slot `b` to the address in slot `a`.
pub(crate) fn effective_address(m: &mut Machine, i: Instr) -> Step {
    let at = m.get(i.a).checked_add(m.get(i.b)).ok_or(OUT_OF_BOUNDS)?;
    m.set(i.c, at);
    Ok(())
}

/// `memory.size`
pub(crate) fn memory_size(m: &mut Machine, i: Instr) -> Step {
    let pages = m.memories[m.memory_address(i.d)].pages();
    m.set(i.c, pages);
    Ok(())
}

/// `memory.grow`
pub(crate) fn memory_grow(m: &mut Machine, i: Instr) -> Step {
    let by = m.get(i.a);
    let limit = m.limits.memory_pages;
    let memory = m.memory_address(i.d);
    let memory = &mut m.memories[memory];
    let failed = failure(memory.ty.memory64);
    let answer = memory.grow(by, limit).unwrap_or(failed);
    m.set(i.c, answer);
    Ok(())
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
pub(crate) fn memory_fill(m: &mut Machine, i: Instr) -> Step {
    let (at, value, len) = (m.get(i.a), m.get(i.a + 1), m.get(i.a + 2));
    let memory = m.memory_address(i.d);
    let bytes = &mut m.memories[memory].bytes;
    let place = range(at, len, bytes.len()).ok_or(OUT_OF_BOUNDS)?;
    bytes[place].fill(value as u8);
    Ok(())
}

/// `memory.copy`: destination, source and length from `a` on; `d` is the destination
/// memory, `b` the source memory.
pub(crate) fn memory_copy(m: &mut Machine, i: Instr) -> Step {
    let (to, from, len) = (m.get(i.a), m.get(i.a + 1), m.get(i.a + 2));
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
}

/// `memory.init`: destination, source and length from `a` on; `b` is the segment.
pub(crate) fn memory_init(m: &mut Machine, i: Instr) -> Step {
    let (to, from, len) = (m.get(i.a), m.get(i.a + 1), m.get(i.a + 2));
    let memory = m.memory_address(i.d);
    m.init_memory(memory, i.b, to, from, len)
}

/// `data.drop`: `b` is the segment.
pub(crate) fn data_drop(m: &mut Machine, i: Instr) -> Step {
    let instance = m.instance as usize;
    m.instances[instance].dropped_data[i.b as usize] = true;
    Ok(())
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
