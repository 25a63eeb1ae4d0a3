//! The type section of a scenario: types are asked for by what they are, and get indices that a layout permutes.
//!
//! Indices stand in code and in other types, so a module is built twice: the first time to learn which types it takes, the second
//! time with the indices that the layout then gives them. Both times ask for the same types in the same order.

use super::super::types::subtype;
use super::parameters::Number;
use arbitrary::Arbitrary;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::iter;
use wasm_encoder::{
    ArrayType, CompositeInnerType, ContType, FieldType, FuncType, HeapType, RefType, StorageType,
    StructType, SubType, TypeSection, ValType,
};

/// How the type section is laid out. No choice here changes what the program does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub enum Layout {
    /// As few recursion groups of several types as possible, with so many unrelated types before each.
    Apart(Number<0, 2>),
    /// All types in one recursion group, so many unrelated ones among them, in an order that the second number decides.
    Together(Number<0, 3>, Number<0, 250>),
}

/// A function type and the continuation type over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) func: u32,
    pub(super) cont: u32,
}

/// A nullable reference to a defined type.
pub(super) fn nullable(ty: u32) -> ValType {
    ValType::Ref(RefType {
        nullable: true,
        heap_type: HeapType::Concrete(ty),
    })
}

/// The type section under construction.
#[derive(Default)]
pub(super) struct Types {
    /// By number, which is the order of demand: the final index. Empty while the types are being learnt.
    indices: Vec<u32>,
    /// In the order of demand; recursion groups as ranges of it.
    types: Vec<SubType>,
    groups: Vec<usize>,
    funcs: BTreeMap<(Vec<ValType>, Vec<ValType>), u32>,
    conts: BTreeMap<u32, u32>,
    arrays: BTreeMap<ValType, u32>,
}

impl Types {
    /// The types of a module that asks for what `learnt` was asked for.
    pub(super) fn relaid(learnt: &Types, layout: Layout) -> Types {
        let mut indices = vec![0; learnt.types.len()];
        for (index, slot) in learnt.slots(layout).into_iter().flatten().enumerate() {
            if let Some(number) = slot {
                indices[number] = index as u32;
            }
        }
        Types {
            indices,
            ..Types::default()
        }
    }

    /// The numbers of the types in the order of their indices, by group; `None` where an unrelated type stands.
    fn slots(&self, layout: Layout) -> Vec<Vec<Option<usize>>> {
        match layout {
            Layout::Apart(padding) => {
                let mut slots = Vec::new();
                let mut start = 0;
                for &length in &self.groups {
                    for _ in 0..padding.get() {
                        slots.push(vec![None]);
                    }
                    slots.push((start..start + length).map(Some).collect());
                    start += length;
                }
                slots
            }
            Layout::Together(padding, salt) => {
                let mut slots: Vec<_> = (0..self.types.len()).map(Some).collect();
                slots.resize(self.types.len() + padding.get() as usize, None);
                // The salt only has to spread, not to be random.
                let mut state = salt.get();
                for last in (1..slots.len()).rev() {
                    state = state.wrapping_mul(2_654_435_761).wrapping_add(0x9e37);
                    slots.swap(last, (state >> 16) as usize % (last + 1));
                }
                vec![slots]
            }
        }
    }

    /// The index that the type with this number has.
    fn index(&self, number: usize) -> u32 {
        self.indices.get(number).map_or(number as u32, |&i| i)
    }

    fn next(&self) -> u32 {
        self.index(self.types.len())
    }

    fn add(&mut self, inner: CompositeInnerType) -> u32 {
        let index = self.next();
        self.groups.push(1);
        self.types.push(subtype(inner, true, None));
        index
    }

    /// The function type of this signature.
    pub(super) fn func(&mut self, params: &[ValType], results: &[ValType]) -> u32 {
        let key = (params.to_vec(), results.to_vec());
        if let Some(&index) = self.funcs.get(&key) {
            return index;
        }
        let index = self.add(CompositeInnerType::Func(func_type(params, results)));
        self.funcs.insert(key, index);
        index
    }

    /// The function type of this signature and the continuation type over it.
    pub(super) fn pair(&mut self, params: &[ValType], results: &[ValType]) -> Pair {
        let func = self.func(params, results);
        let cont = match self.conts.get(&func) {
            Some(&cont) => cont,
            None => self.add(CompositeInnerType::Cont(ContType(func))),
        };
        self.conts.insert(func, cont);
        Pair { func, cont }
    }

    /// As [`Types::pair`], with a nullable reference to the continuation type itself as the last parameter.
    pub(super) fn symmetric_pair(&mut self, params: &[ValType], results: &[ValType]) -> Pair {
        let number = self.types.len();
        let pair = Pair {
            func: self.index(number),
            cont: self.index(number + 1),
        };
        let mut params = params.to_vec();
        params.push(nullable(pair.cont));
        // The same signature again is the same type: it mentions itself by its index.
        let known = self.funcs.iter().find_map(|((others, other), &func)| {
            let cont = *self.conts.get(&func)?;
            let same = others.split_last() == Some((&nullable(cont), &params[..params.len() - 1]));
            (same && other == results).then_some(Pair { func, cont })
        });
        if let Some(known) = known {
            return known;
        }
        self.groups.push(2);
        let func = func_type(&params, results);
        self.types
            .push(subtype(CompositeInnerType::Func(func), true, None));
        self.types.push(subtype(
            CompositeInnerType::Cont(ContType(pair.func)),
            true,
            None,
        ));
        self.funcs.insert((params, results.to_vec()), pair.func);
        self.conts.insert(pair.func, pair.cont);
        pair
    }

    /// The type of arrays of these elements, which are mutable.
    pub(super) fn array(&mut self, element: ValType) -> u32 {
        if let Some(&index) = self.arrays.get(&element) {
            return index;
        }
        let inner = CompositeInnerType::Array(ArrayType(mutable(element)));
        let index = self.add(inner);
        self.arrays.insert(element, index);
        index
    }

    /// A new type of structures with these fields, which are mutable.
    pub(super) fn structure(&mut self, fields: &[ValType]) -> u32 {
        let fields = fields.iter().map(|&ty| mutable(ty)).collect();
        self.add(CompositeInnerType::Struct(StructType { fields }))
    }

    /// Encodes the section.
    pub(super) fn section(&self, layout: Layout) -> TypeSection {
        let unrelated = || {
            let inner = func_type(&[ValType::I64, ValType::I32], &[ValType::I64]);
            subtype(CompositeInnerType::Func(inner), true, None)
        };
        let mut section = TypeSection::new();
        for group in self.slots(layout) {
            let mut types = group
                .iter()
                .map(|slot| slot.map_or_else(unrelated, |number| self.types[number].clone()));
            match (types.next(), group.len()) {
                (None, _) => {}
                (Some(only), 1) => section.ty().subtype(&only),
                (Some(first), _) => section
                    .ty()
                    .rec(iter::once(first).chain(types).collect::<Vec<_>>()),
            }
        }
        section
    }
}

fn func_type(params: &[ValType], results: &[ValType]) -> FuncType {
    FuncType::new(params.iter().copied(), results.iter().copied())
}

fn mutable(ty: ValType) -> FieldType {
    FieldType {
        element_type: StorageType::Val(ty),
        mutable: true,
    }
}
