//! The type section: which type index everything has.
//!
//! Types are laid out once for the families and tags, in the style the plan asks for; whatever else is needed (types of
//! tasks, block types, the types of suspended continuations) is interned behind them on demand. Knows nothing of functions.

use super::plan::{Family, Plan, ValueType};
use std::collections::BTreeMap;
use wasm_encoder::{
    ArrayType, CompositeInnerType, CompositeType, ContType, FieldType, FuncType, HeapType, RefType,
    StorageType, StructType, SubType, TypeSection, ValType,
};

/// A nullable reference to a defined type.
pub(super) fn nullable(ty: u32) -> ValType {
    ValType::Ref(RefType {
        nullable: true,
        heap_type: HeapType::Concrete(ty),
    })
}

/// A reference to a defined type that is never null.
pub(super) fn non_null(ty: u32) -> ValType {
    ValType::Ref(RefType {
        nullable: false,
        heap_type: HeapType::Concrete(ty),
    })
}

/// A function type and the continuation type over it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair {
    /// Index of the function type.
    pub(super) func: u32,
    /// Index of the continuation type.
    pub(super) cont: u32,
}

/// The types that a family defines.
#[derive(Clone, Debug)]
pub(super) struct FamilyTypes {
    /// The loop type.
    pub(super) main: Pair,
    /// The type of tasks that start by a switch.
    pub(super) switch: Pair,
    /// The declared subtype of the loop type.
    pub(super) sub: Option<Pair>,
    /// Parameters of the loop type.
    pub(super) params: Vec<ValType>,
    /// Results of the family.
    pub(super) results: Vec<ValType>,
}

/// The type section under construction.
pub(super) struct Types {
    groups: Vec<Vec<SubType>>,
    next: u32,
    funcs: BTreeMap<(Vec<ValType>, Vec<ValType>), u32>,
    conts: BTreeMap<u32, u32>,
    arrays: BTreeMap<ValType, u32>,
    holders: BTreeMap<u8, u32>,
    /// The module's own structure type: a number and a link. Only in modules with GC.
    structure: Option<u32>,
    /// Whether it is open.
    subtyping: bool,
    /// Types of the families, by family.
    pub(super) families: Vec<FamilyTypes>,
}

impl Types {
    /// Lays out the types of `plan`'s families and plain tags.
    pub(super) fn new(plan: &Plan) -> Types {
        let mut types = Types {
            groups: Vec::new(),
            next: 0,
            funcs: BTreeMap::new(),
            conts: BTreeMap::new(),
            arrays: BTreeMap::new(),
            holders: BTreeMap::new(),
            structure: None,
            subtyping: plan.features.subtyping,
            families: Vec::new(),
        };
        if plan.features.gc {
            let inner = CompositeInnerType::Struct(StructType {
                fields: STRUCTURE.map(mutable).into(),
            });
            let is_final = !plan.features.subtyping;
            types.structure = Some(types.push(subtype(inner, is_final, None)));
        }
        if plan.types.tags_first {
            for tag in &plan.tags {
                if !tag.params.iter().chain(&tag.results).any(|ty| ty.is_cont()) {
                    types.signature(&tag.params, &tag.results);
                }
            }
        }
        types.define_families(plan);
        types
    }

    fn define_families(&mut self, plan: &Plan) {
        let recursive = plan.families.iter().any(|family| {
            let all = family
                .params
                .iter()
                .chain(&family.results)
                .chain(&family.switch_values);
            family.symmetric || all.into_iter().any(|ty| ty.is_cont())
        });
        let grouped = plan.types.grouped || recursive;
        // Indices first, because the types refer to each other.
        let mut slots: Vec<(usize, Slot)> = Vec::new();
        for (index, family) in plan.families.iter().enumerate() {
            slots.extend([(index, Slot::Func), (index, Slot::Cont)]);
            if !family.symmetric {
                slots.extend([(index, Slot::SwitchFunc), (index, Slot::SwitchCont)]);
            }
            if family.open {
                slots.extend([(index, Slot::SubFunc), (index, Slot::SubCont)]);
            }
        }
        if grouped {
            // A subtype must follow its supertype even inside a group; everything else may come in any order.
            slots.sort_by_key(|&(index, slot)| {
                let late = matches!(slot, Slot::SubFunc | Slot::SubCont);
                let cont = matches!(slot, Slot::Cont | Slot::SwitchCont);
                (late, cont != plan.types.conts_first, index, slot)
            });
        }
        let base = self.next;
        let at = |index: usize, slot: Slot| {
            slots
                .iter()
                .position(|&other| other == (index, slot))
                .map(|position| base + position as u32)
        };
        let pair = |index: usize, func: Slot, cont: Slot| {
            Some(Pair {
                func: at(index, func)?,
                cont: at(index, cont)?,
            })
        };
        let loops: Vec<u32> = (0..plan.families.len())
            .map(|index| at(index, Slot::Cont).expect("every family has a loop type"))
            .collect();
        let structure = self.structure;
        let lower = |types: &[ValueType]| -> Vec<ValType> {
            let types = types.iter();
            types.map(|&ty| lower(ty, &loops, structure)).collect()
        };
        for (index, family) in plan.families.iter().enumerate() {
            let main = pair(index, Slot::Func, Slot::Cont).expect("every family has a loop type");
            self.families.push(FamilyTypes {
                main,
                switch: pair(index, Slot::SwitchFunc, Slot::SwitchCont).unwrap_or(main),
                sub: pair(index, Slot::SubFunc, Slot::SubCont),
                params: lower(&family.loop_params(index as u8)),
                results: lower(&family.results),
            });
        }
        let subtypes: Vec<SubType> = slots
            .iter()
            .map(|&(index, slot)| self.family_type(&plan.families[index], index, slot, &loops))
            .collect();
        if grouped {
            self.next += subtypes.len() as u32;
            self.groups.push(subtypes);
        } else {
            for subtype in subtypes {
                let index = self.push(subtype.clone());
                if subtype.is_final && subtype.supertype_idxs.is_empty() {
                    self.remember(&subtype, index);
                }
            }
        }
    }

    fn family_type(&self, family: &Family, index: usize, slot: Slot, loops: &[u32]) -> SubType {
        let types = &self.families[index];
        let func =
            || CompositeInnerType::Func(FuncType::new(types.params.clone(), types.results.clone()));
        let (inner, is_final, supertype) = match slot {
            Slot::Func => (func(), !family.open, None),
            Slot::Cont => (
                CompositeInnerType::Cont(ContType(types.main.func)),
                !family.open,
                None,
            ),
            Slot::SubFunc => (func(), true, Some(types.main.func)),
            Slot::SubCont => {
                let sub = types.sub.expect("an open family has a subtype");
                (
                    CompositeInnerType::Cont(ContType(sub.func)),
                    true,
                    Some(types.main.cont),
                )
            }
            Slot::SwitchFunc => {
                let mut params: Vec<ValType> = family
                    .switch_values
                    .iter()
                    .map(|&ty| lower(ty, loops, self.structure))
                    .collect();
                params.push(nullable(types.main.cont));
                (
                    CompositeInnerType::Func(FuncType::new(params, types.results.clone())),
                    true,
                    None,
                )
            }
            Slot::SwitchCont => (
                CompositeInnerType::Cont(ContType(types.switch.func)),
                true,
                None,
            ),
        };
        subtype(inner, is_final, supertype)
    }

    fn remember(&mut self, subtype: &SubType, index: u32) {
        match &subtype.composite_type.inner {
            CompositeInnerType::Func(func) => {
                self.funcs
                    .insert((func.params().to_vec(), func.results().to_vec()), index);
            }
            CompositeInnerType::Cont(cont) => {
                self.conts.insert(cont.0, index);
            }
            CompositeInnerType::Array(_) | CompositeInnerType::Struct(_) => {}
        }
    }

    fn push(&mut self, subtype: SubType) -> u32 {
        let index = self.next;
        self.next += 1;
        self.groups.push(vec![subtype]);
        index
    }

    /// The value type that `ty` stands for in this module.
    pub(super) fn value(&self, ty: ValueType) -> ValType {
        match ty {
            ValueType::ContRef(family) => nullable(self.families[usize::from(family)].main.cont),
            plain => lower(plain, &[], self.structure),
        }
    }

    /// [`Types::value`] for a list.
    pub(super) fn values(&self, types: &[ValueType]) -> Vec<ValType> {
        types.iter().map(|&ty| self.value(ty)).collect()
    }

    /// The final function type of this signature that stands in no group of several.
    pub(super) fn func(&mut self, params: &[ValType], results: &[ValType]) -> u32 {
        let key = (params.to_vec(), results.to_vec());
        if let Some(&index) = self.funcs.get(&key) {
            return index;
        }
        let func = FuncType::new(params.iter().copied(), results.iter().copied());
        let index = self.push(subtype(CompositeInnerType::Func(func), true, None));
        self.funcs.insert(key, index);
        index
    }

    /// [`Types::func`] for types of the plan.
    pub(super) fn signature(&mut self, params: &[ValueType], results: &[ValueType]) -> u32 {
        let (params, results) = (self.values(params), self.values(results));
        self.func(&params, &results)
    }

    /// The function type of this signature with a continuation type over it.
    pub(super) fn pair(&mut self, params: &[ValType], results: &[ValType]) -> Pair {
        let func = self.func(params, results);
        if let Some(&cont) = self.conts.get(&func) {
            return Pair { func, cont };
        }
        let cont = self.push(subtype(
            CompositeInnerType::Cont(ContType(func)),
            true,
            None,
        ));
        self.conts.insert(func, cont);
        Pair { func, cont }
    }

    /// A pair in a recursion group of its own, the continuation type first. Equal to no other pair's types.
    pub(super) fn pair_in_group(&mut self, params: &[ValType], results: &[ValType]) -> Pair {
        let pair = Pair {
            cont: self.next,
            func: self.next + 1,
        };
        let func = FuncType::new(params.iter().copied(), results.iter().copied());
        self.groups.push(vec![
            subtype(CompositeInnerType::Cont(ContType(pair.func)), true, None),
            subtype(CompositeInnerType::Func(func), true, None),
        ]);
        self.next += 2;
        pair
    }

    /// The type of a continuation of `family` that waits for `params`: the loop type where it is that.
    pub(super) fn suspended(&mut self, family: u8, params: &[ValType]) -> Pair {
        let types = &self.families[usize::from(family)];
        if types.params == params {
            return types.main;
        }
        let results = types.results.clone();
        self.pair(params, &results)
    }

    /// The module's own structure type: an `i32` and an `anyref`, both mutable. Only in modules with GC.
    pub(super) fn structure(&self) -> u32 {
        self.structure
            .expect("objects are in modules with GC alone")
    }

    /// The type of structures that hold a continuation of the family behind the fields of [`Types::structure`], of which it is a
    /// declared subtype where there are any.
    pub(super) fn holder(&mut self, family: u8) -> u32 {
        if let Some(&index) = self.holders.get(&family) {
            return index;
        }
        let cont = nullable(self.families[usize::from(family)].main.cont);
        let [number, link] = STRUCTURE;
        let inner = CompositeInnerType::Struct(StructType {
            fields: [number, link, cont].map(mutable).into(),
        });
        let supertype = self.structure.filter(|_| self.subtyping);
        let index = self.push(subtype(inner, true, supertype));
        self.holders.insert(family, index);
        index
    }

    /// The type of arrays of these elements, which are mutable.
    pub(super) fn array(&mut self, element: ValType) -> u32 {
        if let Some(&index) = self.arrays.get(&element) {
            return index;
        }
        let inner = CompositeInnerType::Array(ArrayType(mutable(element)));
        let index = self.push(subtype(inner, true, None));
        self.arrays.insert(element, index);
        index
    }

    /// Encodes the section.
    pub(super) fn section(&self) -> TypeSection {
        let mut section = TypeSection::new();
        for group in &self.groups {
            match group.as_slice() {
                [single] => section.ty().subtype(single),
                several => section.ty().rec(several.to_vec()),
            }
        }
        section
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Slot {
    Func,
    Cont,
    SwitchFunc,
    SwitchCont,
    SubFunc,
    SubCont,
}

pub(super) fn subtype(
    inner: CompositeInnerType,
    is_final: bool,
    supertype: Option<u32>,
) -> SubType {
    SubType {
        is_final,
        supertype_idxs: supertype.into_iter().collect(),
        composite_type: CompositeType {
            inner,
            shared: false,
            descriptor: None,
            describes: None,
        },
    }
}

/// Types of the fields of [`Types::structure`].
const STRUCTURE: [ValType; 2] = [ValType::I32, ANYREF];

/// `anyref`
pub(super) const ANYREF: ValType = ValType::Ref(RefType::ANYREF);

fn mutable(ty: ValType) -> FieldType {
    FieldType {
        element_type: StorageType::Val(ty),
        mutable: true,
    }
}

fn lower(ty: ValueType, loops: &[u32], structure: Option<u32>) -> ValType {
    match ty {
        ValueType::I32 => ValType::I32,
        ValueType::I64 => ValType::I64,
        ValueType::F32 => ValType::F32,
        ValueType::F64 => ValType::F64,
        ValueType::V128 => ValType::V128,
        ValueType::FuncRef => ValType::FUNCREF,
        ValueType::ExternRef => ValType::EXTERNREF,
        ValueType::ExnRef => ValType::EXNREF,
        ValueType::ContRef(family) => nullable(loops[usize::from(family)]),
        ValueType::AnyRef => ANYREF,
        ValueType::StructRef => {
            nullable(structure.expect("references to structures are in modules with GC alone"))
        }
    }
}
