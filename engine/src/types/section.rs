//! The types that one module defines, in the module's own numbering.
//!
//! Inside a module the engine speaks wasmparser's types, whose indices are module type indices; this file keeps them, with the
//! boundaries of the recursion groups. What an index means across modules is [`registry`](super::registry)'s business.

use std::ops::Range;
use wasmparser::{FuncType, RecGroup, SubType, UnpackedIndex};

/// The contents of a module's type section.
#[derive(Debug, Default)]
pub(crate) struct TypeSection {
    types: Vec<SubType>,
    groups: Vec<Range<u32>>,
}

impl TypeSection {
    /// Appends a recursion group, as the parser read it.
    pub fn push(&mut self, group: RecGroup) {
        let start = self.len();
        self.types.extend(group.into_types());
        self.groups.push(start..self.len());
    }

    /// The number of types.
    pub fn len(&self) -> u32 {
        self.types.len() as u32
    }

    /// The recursion groups, as ranges of type indices, in order.
    pub fn groups(&self) -> &[Range<u32>] {
        &self.groups
    }

    /// A type with its finality and supertype.
    pub fn get(&self, index: u32) -> &SubType {
        &self.types[index as usize]
    }

    /// The function type at `index`. Panics if another kind of type stands there, which validation excludes.
    pub fn func(&self, index: u32) -> &FuncType {
        self.get(index).unwrap_func()
    }

    /// The function type behind the continuation type at `index`, as a type index. Panics if another kind of type stands
    /// there, which validation excludes.
    pub fn cont(&self, index: u32) -> u32 {
        module_index(self.get(index).unwrap_cont().0.unpack())
    }

    /// The function type behind the continuation type at `index`.
    pub fn cont_func(&self, index: u32) -> &FuncType {
        self.func(self.cont(index))
    }
}

/// The module type index that a freshly read type uses to name another.
pub(crate) fn module_index(index: UnpackedIndex) -> u32 {
    index
        .as_module_index()
        .expect("types are kept as the binary has them, before the validator numbers them anew")
}
