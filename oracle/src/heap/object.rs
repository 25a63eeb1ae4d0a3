//! Structures and arrays (specification: "Aggregate Instances").

use std::cell::Cell;

use crate::types::DefinedType;

/// A structure or an array.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub ty: DefinedType,
    /// Its fields or elements: one slot each, two for a vector.
    pub slots: Vec<u64>,
    pub marked: bool,
    /// Whether the host may have a reference, which keeps it alive.
    pub pinned: Cell<bool>,
}

impl Object {
    pub fn new(ty: DefinedType, slots: Vec<u64>) -> Object {
        Object {
            ty,
            slots,
            marked: false,
            pinned: Cell::new(false),
        }
    }

    /// What it counts for in the limits: its slots, and some for itself.
    pub fn cost(&self) -> u64 {
        self.slots.len() as u64 + 6
    }
}

/// The structures and arrays of a store.
#[derive(Debug, Default)]
pub(crate) struct Objects {
    list: Vec<Option<Object>>,
    free: Vec<u32>,
    slots: u64,
}

impl Objects {
    /// An object that a reference points to.
    pub fn get(&self, place: u32) -> &Object {
        match &self.list[place as usize] {
            Some(object) => object,
            None => unreachable!("a reference keeps its object alive"),
        }
    }

    /// An object that a reference points to, to be changed.
    pub fn get_mut(&mut self, place: u32) -> &mut Object {
        match &mut self.list[place as usize] {
            Some(object) => object,
            None => unreachable!("a reference keeps its object alive"),
        }
    }

    /// The object at a place, if it is one: for words that only look like references.
    pub fn find(&mut self, place: u32) -> Option<&mut Object> {
        self.list.get_mut(place as usize)?.as_mut()
    }

    /// Whether there is one at a place.
    pub fn is_alive(&self, place: u32) -> bool {
        matches!(self.list.get(place as usize), Some(Some(_)))
    }

    /// What all objects count for in the limits.
    pub fn slots(&self) -> u64 {
        self.slots
    }

    pub fn add(&mut self, object: Object) -> u32 {
        self.slots += object.cost();
        match self.free.pop() {
            Some(place) => {
                self.list[place as usize] = Some(object);
                place
            }
            None => {
                self.list.push(Some(object));
                self.list.len() as u32 - 1
            }
        }
    }

    /// The places of objects that the host may have.
    pub fn pinned(&self) -> Vec<u32> {
        (0..)
            .zip(&self.list)
            .filter(|(_, o)| o.as_ref().is_some_and(|o| o.pinned.get()))
            .map(|(place, _)| place)
            .collect()
    }

    /// Removes what is not marked, and the marks.
    pub fn sweep(&mut self) {
        for (place, entry) in (0..).zip(&mut self.list) {
            if let Some(object) = entry {
                if object.marked {
                    object.marked = false;
                } else {
                    self.slots -= object.cost();
                    *entry = None;
                    self.free.push(place);
                }
            }
        }
    }
}
