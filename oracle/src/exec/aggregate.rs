//! Structures and arrays (specification: "Aggregate Reference Instructions").
//!
//! An object's fields stand in slots as operands do, so that `struct.new` copies its
//! operands as they are. Packed fields are kept zero-extended; only the signed accesses
//! look at their width. In stores `d` is the field's [`Width`].

use super::frame::{get, get_wide, set, set_wide};
use super::memory::range;
use super::numeric::Number;
use super::{Pc, Slots, Step};
use crate::code::Instr;
use crate::error::{Exhausted, TrapKind};
use crate::heap::object::Object;
use crate::machine::{Machine, Stop};
use crate::types::ValType;
use crate::types::registry::Storage;
use crate::value::{NULL, object_word, word_object};

const NULL_STRUCTURE: Stop = Stop::Trap(TrapKind::NullStructureReference);
const NULL_ARRAY: Stop = Stop::Trap(TrapKind::NullArrayReference);
const ARRAY_BOUNDS: Stop = Stop::Trap(TrapKind::ArrayOutOfBounds);

/// How much of an operand a field keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub(crate) enum Width {
    Full,
    Byte,
    Half,
    Wide,
}

impl Width {
    pub fn of(storage: Storage) -> Width {
        match storage {
            Storage::I8 => Width::Byte,
            Storage::I16 => Width::Half,
            Storage::Val(ValType::V128) => Width::Wide,
            Storage::Val(_) => Width::Full,
        }
    }

    fn decode(d: u16) -> Width {
        match d {
            0 => Width::Full,
            1 => Width::Byte,
            2 => Width::Half,
            _ => Width::Wide,
        }
    }

    fn pack(self, word: u64) -> u64 {
        match self {
            Width::Byte => word & 0xff,
            Width::Half => word & 0xffff,
            Width::Full | Width::Wide => word,
        }
    }

    /// Slots that a field takes.
    pub fn slots(self) -> usize {
        if self == Width::Wide { 2 } else { 1 }
    }
}

/// Bytes that an array element of this type takes in a data segment.
fn element_bytes(storage: Storage) -> usize {
    match storage {
        Storage::I8 => 1,
        Storage::I16 => 2,
        Storage::Val(ValType::I32 | ValType::F32) => 4,
        Storage::Val(ValType::V128) => 16,
        Storage::Val(_) => 8,
    }
}

/// The object that a reference stands for.
fn object(f: &Slots, slot: u32, null: Stop) -> Result<u32, Stop> {
    match get(f, slot) {
        NULL => Err(null),
        word => Ok(word_object(word)),
    }
}

impl Machine {
    fn allocate_object(&mut self, object: Object) -> Result<u64, Stop> {
        let cost = object.cost();
        self.before_allocation(Exhausted::Memory, |m| {
            m.heap_slots() + cost > m.limits.heap_slots
        })?;
        Ok(object_word(self.objects.add(object)))
    }

    /// Whether an array of `len` elements can be there at all: checked before its elements
    /// are written down.
    fn check_array(&self, len: u64, width: Width) -> Step {
        if len.saturating_mul(width.slots() as u64) > self.limits.heap_slots {
            return Err(Stop::Exhausted(Exhausted::Memory));
        }
        Ok(())
    }
}

/// `struct.new`: the fields' values stand from `a` on; `b` is the site.
pub(crate) fn struct_new(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    m.attempt(pc, |m| {
        let site = &m.code().aggregates[i.b as usize];
        let at = i.a as usize;
        let mut slots = f[at..at + site.slots as usize].to_vec();
        for &(slot, width) in &site.packed {
            slots[slot as usize] = width.pack(slots[slot as usize]);
        }
        let ty = site.ty;
        let word = m.allocate_object(Object::new(ty, slots))?;
        set(f, i.c, word);
        Ok(())
    })
}

/// `struct.new_default`: `b` is the site.
pub(crate) fn struct_new_default(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    m.attempt(pc, |m| {
        let site = &m.code().aggregates[i.b as usize];
        let object = Object::new(site.ty, vec![0; site.slots as usize]);
        let word = m.allocate_object(object)?;
        set(f, i.c, word);
        Ok(())
    })
}

/// `struct.get` and `struct.get_u`: `b` is the field's slot.
pub(crate) fn struct_get(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    m.attempt(pc, |m| {
        let place = object(f, i.a, NULL_STRUCTURE)?;
        let word = m.objects.get(place).slots[i.b as usize];
        set(f, i.c, word);
        Ok(())
    })
}

/// `struct.get` of a vector.
pub(crate) fn struct_get_wide(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    m.attempt(pc, |m| {
        let place = object(f, i.a, NULL_STRUCTURE)?;
        let slots = &m.objects.get(place).slots;
        let value = [slots[i.b as usize], slots[i.b as usize + 1]];
        set_wide(f, i.c, value);
        Ok(())
    })
}

/// `struct.get_s` of 8 bits.
pub(crate) fn struct_get_s8(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    m.attempt(pc, |m| {
        let place = object(f, i.a, NULL_STRUCTURE)?;
        let word = m.objects.get(place).slots[i.b as usize];
        set(f, i.c, i32::from(word as i8).into_slot());
        Ok(())
    })
}

/// `struct.get_s` of 16 bits.
pub(crate) fn struct_get_s16(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    m.attempt(pc, |m| {
        let place = object(f, i.a, NULL_STRUCTURE)?;
        let word = m.objects.get(place).slots[i.b as usize];
        set(f, i.c, i32::from(word as i16).into_slot());
        Ok(())
    })
}

/// `struct.set`: `b` is the field's slot, `c` the value.
pub(crate) fn struct_set(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    m.attempt(pc, |m| {
        let place = object(f, i.a, NULL_STRUCTURE)?;
        write_field(m, f, place, i.b as usize, i);
        Ok(())
    })
}

/// Writes the value in slot `c` to an object's slot.
fn write_field(m: &mut Machine, f: &Slots, place: u32, at: usize, i: &Instr) {
    let width = Width::decode(i.d);
    let [low, high] = if width == Width::Wide {
        get_wide(f, i.c)
    } else {
        [get(f, i.c), 0]
    };
    let slots = &mut m.objects.get_mut(place).slots;
    slots[at] = width.pack(low);
    if width == Width::Wide {
        slots[at + 1] = high;
    }
}

/// `array.new`: value and length from `a` on; `b` is the site.
pub(crate) fn array_new(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    m.attempt(pc, |m| {
        let site = &m.code().aggregates[i.b as usize];
        let (ty, width) = (site.ty, Width::of(site.element));
        let (value, len) = if width == Width::Wide {
            (get_wide(f, i.a), get(f, i.a + 2))
        } else {
            ([width.pack(get(f, i.a)), 0], get(f, i.a + 1))
        };
        m.check_array(len, width)?;
        let slots = value[..width.slots()].repeat(len as usize);
        let word = m.allocate_object(Object::new(ty, slots))?;
        set(f, i.c, word);
        Ok(())
    })
}

/// `array.new_default`: `a` is the length, `b` the site.
pub(crate) fn array_new_default(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    m.attempt(pc, |m| {
        let site = &m.code().aggregates[i.b as usize];
        let (ty, width) = (site.ty, Width::of(site.element));
        let len = get(f, i.a);
        m.check_array(len, width)?;
        let slots = vec![0; len as usize * width.slots()];
        let word = m.allocate_object(Object::new(ty, slots))?;
        set(f, i.c, word);
        Ok(())
    })
}

/// `array.new_fixed`: `d` values stand from `a` on; `b` is the site.
pub(crate) fn array_new_fixed(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    m.attempt(pc, |m| {
        let site = &m.code().aggregates[i.b as usize];
        let (ty, width) = (site.ty, Width::of(site.element));
        let at = i.a as usize;
        let slots = &f[at..at + usize::from(i.d) * width.slots()];
        let slots = slots.iter().map(|&word| width.pack(word)).collect();
        let word = m.allocate_object(Object::new(ty, slots))?;
        set(f, i.c, word);
        Ok(())
    })
}

/// `array.new_data`: offset and length from `a` on; `b` is the site.
pub(crate) fn array_new_data(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    m.attempt(pc, |m| {
        let site = &m.code().aggregates[i.b as usize];
        let (ty, element, segment) = (site.ty, site.element, site.segment);
        let (from, len) = (get(f, i.a), get(f, i.a + 1));
        let slots = m.data_slots(segment, element, from, len)?;
        m.check_array(len, Width::of(element))?;
        let word = m.allocate_object(Object::new(ty, slots))?;
        set(f, i.c, word);
        Ok(())
    })
}

/// `array.new_elem`: offset and length from `a` on; `b` is the site.
pub(crate) fn array_new_elem(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    m.attempt(pc, |m| {
        let site = &m.code().aggregates[i.b as usize];
        let (ty, segment) = (site.ty, site.segment);
        let (from, len) = (get(f, i.a), get(f, i.a + 1));
        let slots = m.element_slots(segment, from, len)?;
        let word = m.allocate_object(Object::new(ty, slots))?;
        set(f, i.c, word);
        Ok(())
    })
}

/// The word of an element of an array in slot `a`, by the index in slot `b`.
fn element(m: &Machine, f: &Slots, i: &Instr) -> Result<u64, Stop> {
    let place = object(f, i.a, NULL_ARRAY)?;
    let index = get(f, i.b) as usize;
    let word = m.objects.get(place).slots.get(index);
    word.copied().ok_or(ARRAY_BOUNDS)
}

/// `array.get` and `array.get_u`: `b` has the index.
pub(crate) fn array_get(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    m.attempt(pc, |m| {
        let word = element(m, f, i)?;
        set(f, i.c, word);
        Ok(())
    })
}

/// `array.get` of a vector.
pub(crate) fn array_get_wide(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    m.attempt(pc, |m| {
        let place = object(f, i.a, NULL_ARRAY)?;
        let index = get(f, i.b) as usize;
        let element = m.objects.get(place).slots.chunks_exact(2).nth(index);
        let element = element.ok_or(ARRAY_BOUNDS)?;
        let value = [element[0], element[1]];
        set_wide(f, i.c, value);
        Ok(())
    })
}

/// `array.get_s` of 8 bits.
pub(crate) fn array_get_s8(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    m.attempt(pc, |m| {
        let word = element(m, f, i)?;
        set(f, i.c, i32::from(word as i8).into_slot());
        Ok(())
    })
}

/// `array.get_s` of 16 bits.
pub(crate) fn array_get_s16(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    m.attempt(pc, |m| {
        let word = element(m, f, i)?;
        set(f, i.c, i32::from(word as i16).into_slot());
        Ok(())
    })
}

/// `array.set`: `b` has the index, `c` the value.
pub(crate) fn array_set(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    m.attempt(pc, |m| {
        let place = object(f, i.a, NULL_ARRAY)?;
        let width = Width::decode(i.d);
        let at = get(f, i.b) as usize * width.slots();
        if at >= m.objects.get(place).slots.len() {
            return Err(ARRAY_BOUNDS);
        }
        write_field(m, f, place, at, i);
        Ok(())
    })
}

/// `array.len`
pub(crate) fn array_len(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    m.attempt(pc, |m| {
        let place = object(f, i.a, NULL_ARRAY)?;
        let object = m.objects.get(place);
        let len = object.slots.len() / m.types.array_slots(object.ty);
        set(f, i.c, len as u64);
        Ok(())
    })
}

/// Slots of `len` elements from index `at` on, if an array has them.
fn elements(
    m: &Machine,
    place: u32,
    at: u64,
    len: u64,
    width: Width,
) -> Result<std::ops::Range<usize>, Stop> {
    let count = m.objects.get(place).slots.len() / width.slots();
    let place = range(at, len, count).ok_or(ARRAY_BOUNDS)?;
    Ok(place.start * width.slots()..place.end * width.slots())
}

/// `array.fill`: array, index, value and length from `a` on.
pub(crate) fn array_fill(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    m.attempt(pc, |m| {
        let width = Width::decode(i.d);
        let place = object(f, i.a, NULL_ARRAY)?;
        let at = get(f, i.a + 1);
        let (value, len) = if width == Width::Wide {
            (get_wide(f, i.a + 2), get(f, i.a + 4))
        } else {
            ([width.pack(get(f, i.a + 2)), 0], get(f, i.a + 3))
        };
        let part = elements(m, place, at, len, width)?;
        for element in m.objects.get_mut(place).slots[part].chunks_exact_mut(width.slots()) {
            element.copy_from_slice(&value[..width.slots()]);
        }
        Ok(())
    })
}

/// `array.copy`: destination, its index, source, its index and length from `a` on.
pub(crate) fn array_copy(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    m.attempt(pc, |m| {
        let width = Width::decode(i.d);
        let to = object(f, i.a, NULL_ARRAY)?;
        let from = object(f, i.a + 2, NULL_ARRAY)?;
        let (to_at, from_at, len) = (get(f, i.a + 1), get(f, i.a + 3), get(f, i.a + 4));
        let target = elements(m, to, to_at, len, width)?;
        let source = elements(m, from, from_at, len, width)?;
        if to == from {
            let slots = &mut m.objects.get_mut(to).slots;
            slots.copy_within(source, target.start);
        } else {
            let words = m.objects.get(from).slots[source].to_vec();
            m.objects.get_mut(to).slots[target].copy_from_slice(&words);
        }
        Ok(())
    })
}

/// `array.init_data`: array, its index, the segment's offset and length from `a` on; `b`
/// is the site.
pub(crate) fn array_init_data(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    m.attempt(pc, |m| {
        let site = &m.code().aggregates[i.b as usize];
        let (element, segment) = (site.element, site.segment);
        let place = object(f, i.a, NULL_ARRAY)?;
        let (at, from, len) = (get(f, i.a + 1), get(f, i.a + 2), get(f, i.a + 3));
        let part = elements(m, place, at, len, Width::of(element))?;
        let words = m.data_slots(segment, element, from, len)?;
        m.objects.get_mut(place).slots[part].copy_from_slice(&words);
        Ok(())
    })
}

/// `array.init_elem`: as `array.init_data`.
pub(crate) fn array_init_elem(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    m.attempt(pc, |m| {
        let segment = m.code().aggregates[i.b as usize].segment;
        let place = object(f, i.a, NULL_ARRAY)?;
        let (at, from, len) = (get(f, i.a + 1), get(f, i.a + 2), get(f, i.a + 3));
        let part = elements(m, place, at, len, Width::Full)?;
        let words = m.element_slots(segment, from, len)?;
        m.objects.get_mut(place).slots[part].copy_from_slice(&words);
        Ok(())
    })
}

impl Machine {
    /// Elements that a part of a data segment stands for, `from` in bytes.
    fn data_slots(
        &self,
        segment: u32,
        element: Storage,
        from: u64,
        len: u64,
    ) -> Result<Vec<u64>, Stop> {
        let instance = self.instance();
        let bytes: &[u8] = if instance.dropped_data[segment as usize] {
            &[]
        } else {
            &instance.module.data[segment as usize].bytes
        };
        let size = element_bytes(element);
        let part = range(from, len * size as u64, bytes.len())
            .ok_or(Stop::Trap(TrapKind::MemoryOutOfBounds))?;
        Ok(bytes[part]
            .chunks(size.min(8))
            .map(|chunk| {
                let mut word = [0; 8];
                word[..chunk.len()].copy_from_slice(chunk);
                u64::from_le_bytes(word)
            })
            .collect())
    }

    /// Elements that a part of an element segment stands for.
    fn element_slots(&self, segment: u32, from: u64, len: u64) -> Result<Vec<u64>, Stop> {
        let words = &self.instance().elements[segment as usize];
        let part = range(from, len, words.len()).ok_or(Stop::Trap(TrapKind::TableOutOfBounds))?;
        Ok(words[part].to_vec())
    }
}
