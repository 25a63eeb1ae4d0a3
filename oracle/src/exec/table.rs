//! Table instructions, and table instances (specification: "Table Instructions").

use super::frame::{get, set};
use super::memory::{failure, range};
use super::{Pc, Slots, Step};
use crate::code::Instr;
use crate::error::TrapKind;
use crate::machine::{Machine, Stop, TableData};
use crate::types::TableType;

const OUT_OF_BOUNDS: Stop = Stop::Trap(TrapKind::TableOutOfBounds);

/// Elements that a table may have at most, whatever its type says.
const MAX_ELEMENTS: u64 = 1 << 27;

impl TableData {
    /// A table; none if it cannot be allocated.
    pub fn new(ty: TableType, init: u64) -> Option<TableData> {
        if ty.minimum > MAX_ELEMENTS {
            return None;
        }
        Some(TableData {
            ty,
            elements: vec![init; usize::try_from(ty.minimum).ok()?],
        })
    }

    /// Its type with the present size as minimum.
    pub fn current_type(&self) -> TableType {
        TableType {
            minimum: self.elements.len() as u64,
            ..self.ty
        }
    }

    /// Grows by `by` elements and returns the size before, if maximum and `limit` allow it.
    pub fn grow(&mut self, by: u64, init: u64, limit: u64) -> Option<u64> {
        let before = self.elements.len() as u64;
        let after = before.checked_add(by)?;
        let bound = self.ty.maximum.unwrap_or(u64::MAX).min(MAX_ELEMENTS);
        let bound = if self.ty.table64 {
            bound
        } else {
            bound.min(u64::from(u32::MAX))
        };
        if by > 0 && (after > bound || after > limit) {
            return None;
        }
        self.elements.try_reserve(by as usize).ok()?;
        self.elements.resize(after as usize, init);
        Some(before)
    }
}

impl Machine {
    fn table_address(&self, index: u32) -> usize {
        self.instance().tables[index as usize] as usize
    }
}

/// `table.get`: `b` is the table.
pub(crate) fn table_get(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    m.attempt(pc, |m| {
        let table = &m.tables[m.table_address(i.b)];
        let word = usize::try_from(get(f, i.a))
            .ok()
            .and_then(|index| table.elements.get(index));
        let word = *word.ok_or(OUT_OF_BOUNDS)?;
        set(f, i.c, word);
        Ok(())
    })
}

/// `table.set`: `b` is the table, `c` the value.
pub(crate) fn table_set(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    m.attempt(pc, |m| {
        let (index, word) = (get(f, i.a), get(f, i.c));
        let table = m.table_address(i.b);
        let place = usize::try_from(index)
            .ok()
            .and_then(|index| m.tables[table].elements.get_mut(index));
        *place.ok_or(OUT_OF_BOUNDS)? = word;
        Ok(())
    })
}

/// `table.size`: `b` is the table.
pub(crate) fn table_size(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    let size = m.tables[m.table_address(i.b)].elements.len() as u64;
    set(f, i.c, size);
    pc + 1
}

/// `table.grow`: value and number from `a` on; `b` is the table.
pub(crate) fn table_grow(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    let (init, by) = (get(f, i.a), get(f, i.a + 1));
    let limit = m.limits.table_elements;
    let table = m.table_address(i.b);
    let table = &mut m.tables[table];
    let failed = failure(table.ty.table64);
    let answer = table.grow(by, init, limit).unwrap_or(failed);
    set(f, i.c, answer);
    pc + 1
}

/// `table.fill`: destination, value and length from `a` on; `b` is the table.
pub(crate) fn table_fill(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    m.attempt(pc, |m| {
        let (at, word, len) = (get(f, i.a), get(f, i.a + 1), get(f, i.a + 2));
        let table = m.table_address(i.b);
        let elements = &mut m.tables[table].elements;
        let place = range(at, len, elements.len()).ok_or(OUT_OF_BOUNDS)?;
        elements[place].fill(word);
        Ok(())
    })
}

/// `table.copy`: destination, source and length from `a` on; `b` is the destination
/// table, `c` the source table.
pub(crate) fn table_copy(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    m.attempt(pc, |m| {
        let (to, from, len) = (get(f, i.a), get(f, i.a + 1), get(f, i.a + 2));
        let target = m.table_address(i.b);
        let source = m.table_address(i.c);
        let from = range(from, len, m.tables[source].elements.len()).ok_or(OUT_OF_BOUNDS)?;
        let to = range(to, len, m.tables[target].elements.len()).ok_or(OUT_OF_BOUNDS)?;
        if source == target {
            m.tables[target].elements.copy_within(from, to.start);
        } else if let Ok([source, target]) = m.tables.get_disjoint_mut([source, target]) {
            target.elements[to].copy_from_slice(&source.elements[from]);
        }
        Ok(())
    })
}

/// `table.init`: destination, source and length from `a` on; `b` is the table, `c` the
/// segment.
pub(crate) fn table_init(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    m.attempt(pc, |m| {
        let (to, from, len) = (get(f, i.a), get(f, i.a + 1), get(f, i.a + 2));
        let table = m.table_address(i.b);
        m.init_table(table, i.c, to, from, len)
    })
}

/// `elem.drop`: `b` is the segment.
pub(crate) fn elem_drop(m: &mut Machine, _: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    let instance = m.instance as usize;
    m.instances[instance].elements[i.b as usize] = Vec::new();
    pc + 1
}

impl Machine {
    /// Copies a part of an element segment of the current instance into a table.
    pub fn init_table(&mut self, table: usize, segment: u32, to: u64, from: u64, len: u64) -> Step {
        let words = &self.instances[self.instance as usize].elements[segment as usize];
        let elements = &mut self.tables[table].elements;
        let from = range(from, len, words.len()).ok_or(OUT_OF_BOUNDS)?;
        let to = range(to, len, elements.len()).ok_or(OUT_OF_BOUNDS)?;
        elements[to].copy_from_slice(&words[from]);
        Ok(())
    }
}
