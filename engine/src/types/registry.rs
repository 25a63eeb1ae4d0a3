//! One number for each type that a store knows, and the rules of matching.
//!
//! Types are equal across modules when their recursion groups are (specification, section 3.1: iso-recursive equivalence after
//! rolling). So a group is interned by a key in which references inside the group are relative and references to other types
//! are their canonical numbers; equal keys share one run of numbers. After that a type's identity is one `u32`, which compiled
//! code can compare, and subtyping is a walk over declared supertypes.

use super::section::module_index;
use super::shape::Shape;
use super::{
    DefinedType, ExternType, FuncType, GlobalType, HeapType, MemoryType, RefType, TableType,
    TagType, TypeSection, ValType,
};
use std::cell::OnceCell;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use wasmparser::{AbstractHeapType, CompositeInnerType, StorageType};

/// What a canonical type is, as far as matching against abstract heap types needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Func,
    Cont,
    Struct,
    Array,
}

/// One canonical type.
struct Entry {
    kind: Kind,
    supertype: Option<u32>,
    /// The first declaration that was interned; none if a host function's type was.
    declared: Option<DefinedType>,
    /// The function type, made when first asked for.
    func: OnceCell<FuncType>,
    /// The layout of a structure or an array, made when first asked for.
    shape: OnceCell<Shape>,
}

/// The canonical types of one store.
#[derive(Default)]
pub(crate) struct TypeRegistry {
    entries: Vec<Entry>,
    /// The first canonical number of every recursion group, by the group's key. Only looked up, never iterated.
    groups: HashMap<Box<[u64]>, u32>,
    /// Canonical numbers of whole sections, by address. The section is kept alive, so that its address stays its own.
    sections: HashMap<*const TypeSection, (Arc<TypeSection>, Arc<[u32]>)>,
}

/// Words of a key. The low byte says what the word is, the upper half may hold a number.
mod word {
    pub const SUBTYPE: u64 = 1;
    pub const FINAL: u64 = 1 << 8;
    pub const FUNC: u64 = 2;
    pub const CONT: u64 = 3;
    pub const STRUCT: u64 = 4;
    pub const ARRAY: u64 = 5;
    /// A type index relative to the start of the group.
    pub const RELATIVE: u64 = 6;
    /// A canonical number.
    pub const CANONICAL: u64 = 7;
    pub const I8: u64 = 8;
    pub const I16: u64 = 9;
    pub const I32: u64 = 10;
    pub const I64: u64 = 11;
    pub const F32: u64 = 12;
    pub const F64: u64 = 13;
    pub const V128: u64 = 14;
    pub const ABSTRACT: u64 = 16;
    /// Flag of a reference's word.
    pub const REF: u64 = 1 << 8;
    /// Flag of a reference's word.
    pub const NULLABLE: u64 = 1 << 9;
    /// Flag of a field's word.
    pub const MUTABLE: u64 = 1 << 10;

    pub fn number(kind: u64, number: u32) -> u64 {
        kind | u64::from(number) << 32
    }
}

/// Writes the key of one recursion group.
struct KeyWriter<'a> {
    group: &'a Range<u32>,
    /// Canonical numbers of the section's types before the group.
    earlier: &'a [u32],
    words: Vec<u64>,
}

impl KeyWriter<'_> {
    fn index(&self, index: u32) -> u64 {
        if self.group.contains(&index) {
            word::number(word::RELATIVE, index - self.group.start)
        } else {
            word::number(word::CANONICAL, self.earlier[index as usize])
        }
    }

    fn val(&self, ty: wasmparser::ValType) -> u64 {
        match ty {
            wasmparser::ValType::I32 => word::I32,
            wasmparser::ValType::I64 => word::I64,
            wasmparser::ValType::F32 => word::F32,
            wasmparser::ValType::F64 => word::F64,
            wasmparser::ValType::V128 => word::V128,
            wasmparser::ValType::Ref(ty) => {
                let heap = match ty.heap_type() {
                    wasmparser::HeapType::Abstract { ty, .. } => {
                        word::number(word::ABSTRACT, abstract_number(ty))
                    }
                    wasmparser::HeapType::Concrete(index) | wasmparser::HeapType::Exact(index) => {
                        self.index(module_index(index))
                    }
                };
                heap | word::REF | if ty.is_nullable() { word::NULLABLE } else { 0 }
            }
        }
    }

    fn field(&self, field: wasmparser::FieldType) -> u64 {
        let storage = match field.element_type {
            StorageType::I8 => word::I8,
            StorageType::I16 => word::I16,
            StorageType::Val(ty) => self.val(ty),
        };
        storage | if field.mutable { word::MUTABLE } else { 0 }
    }

    fn subtype(&mut self, ty: &wasmparser::SubType) {
        self.words
            .push(word::SUBTYPE | if ty.is_final { word::FINAL } else { 0 });
        for supertype in &ty.supertype_idxs {
            self.words
                .push(self.index(module_index(supertype.unpack())));
        }
        match &ty.composite_type.inner {
            CompositeInnerType::Func(ty) => {
                self.words
                    .push(word::number(word::FUNC, ty.params().len() as u32));
                for &ty in ty.params().iter().chain(ty.results()) {
                    self.words.push(self.val(ty));
                }
            }
            CompositeInnerType::Cont(ty) => {
                self.words.push(word::CONT);
                self.words.push(self.index(module_index(ty.0.unpack())));
            }
            CompositeInnerType::Struct(ty) => {
                self.words.push(word::STRUCT);
                for &field in &ty.fields {
                    self.words.push(self.field(field));
                }
            }
            CompositeInnerType::Array(ty) => {
                self.words.push(word::ARRAY);
                self.words.push(self.field(ty.0));
            }
        }
    }
}

fn abstract_number(ty: AbstractHeapType) -> u32 {
    match ty {
        AbstractHeapType::Func => 0,
        AbstractHeapType::NoFunc => 1,
        AbstractHeapType::Extern => 2,
        AbstractHeapType::NoExtern => 3,
        AbstractHeapType::Any => 4,
        AbstractHeapType::Eq => 5,
        AbstractHeapType::I31 => 6,
        AbstractHeapType::Struct => 7,
        AbstractHeapType::Array => 8,
        AbstractHeapType::None => 9,
        AbstractHeapType::Exn => 10,
        AbstractHeapType::NoExn => 11,
        AbstractHeapType::Cont => 12,
        AbstractHeapType::NoCont => 13,
    }
}

impl TypeRegistry {
    /// The canonical numbers of all types of a section, by type index.
    pub fn intern(&mut self, section: &Arc<TypeSection>) -> Arc<[u32]> {
        if let Some((_, ids)) = self.sections.get(&Arc::as_ptr(section)) {
            return ids.clone();
        }
        let mut ids: Vec<u32> = Vec::with_capacity(section.len() as usize);
        for group in section.groups() {
            let mut key = KeyWriter {
                group,
                earlier: &ids,
                words: Vec::new(),
            };
            group
                .clone()
                .for_each(|index| key.subtype(section.get(index)));
            let key = key.words.into_boxed_slice();
            let first = self.groups.get(&key).copied().unwrap_or_else(|| {
                let first = self.entries.len() as u32;
                for index in group.clone() {
                    let entry = declared_entry(section, index, group, first, &ids);
                    self.entries.push(entry);
                }
                self.groups.insert(key, first);
                first
            });
            ids.extend(first..first + group.len() as u32);
        }
        let ids: Arc<[u32]> = ids.into();
        self.sections
            .insert(Arc::as_ptr(section), (section.clone(), ids.clone()));
        ids
    }

    /// The canonical number of a defined type.
    pub fn canonical(&mut self, ty: &DefinedType) -> u32 {
        self.intern(ty.section())[ty.index() as usize]
    }

    /// The canonical number of a defined type whose module this store has met.
    pub fn known(&self, ty: &DefinedType) -> Option<u32> {
        let (_, ids) = self.sections.get(&Arc::as_ptr(ty.section()))?;
        Some(ids[ty.index() as usize])
    }

    /// The canonical number of a function type.
    pub fn canonical_func(&mut self, ty: &FuncType) -> u32 {
        if let Some(defined) = ty.defined() {
            return self.canonical(defined);
        }
        let mut key = vec![
            word::SUBTYPE | word::FINAL,
            word::number(word::FUNC, ty.params().len() as u32),
        ];
        for ty in ty.params().iter().chain(ty.results()) {
            key.push(self.host_val_word(ty));
        }
        let key = key.into_boxed_slice();
        if let Some(&id) = self.groups.get(&key) {
            return id;
        }
        let id = self.entries.len() as u32;
        self.entries.push(Entry {
            kind: Kind::Func,
            supertype: None,
            declared: None,
            func: OnceCell::from(ty.clone()),
            shape: OnceCell::new(),
        });
        self.groups.insert(key, id);
        id
    }

    /// A value type's word in the key of a group that stands outside any module.
    fn host_val_word(&mut self, ty: &ValType) -> u64 {
        let ty = match ty {
            ValType::I32 => return word::I32,
            ValType::I64 => return word::I64,
            ValType::F32 => return word::F32,
            ValType::F64 => return word::F64,
            ValType::V128 => return word::V128,
            ValType::Ref(ty) => ty,
        };
        let heap = match ty.heap_type() {
            HeapType::Concrete(defined) => word::number(word::CANONICAL, self.canonical(defined)),
            heap => word::number(word::ABSTRACT, abstract_number(abstract_heap(heap))),
        };
        heap | word::REF | if ty.is_nullable() { word::NULLABLE } else { 0 }
    }

    /// The function type with canonical number `id`. Panics if the number belongs to another kind of type.
    pub fn func_type(&self, id: u32) -> &FuncType {
        let entry = &self.entries[id as usize];
        entry.func.get_or_init(|| {
            let declared = entry
                .declared
                .as_ref()
                .expect("an entry is a host's function type or declared in a module");
            FuncType::in_section(declared.section(), declared.index())
        })
    }

    /// The layout of the structure type or array type with canonical number `id`. Panics if the number belongs to another kind of
    /// type.
    pub fn shape(&self, id: u32) -> &Shape {
        self.entries[id as usize].shape.get_or_init(|| {
            let declared = self.declaration(id);
            Shape::of(declared.section(), declared.index())
                .expect("objects are structures and arrays")
        })
    }

    /// The first declaration of canonical type `id` that this store has met. Panics if it is a host's function type.
    pub fn declaration(&self, id: u32) -> &DefinedType {
        let declared = self.entries[id as usize].declared.as_ref();
        declared.expect("only types of host functions are declared nowhere")
    }

    /// Whether canonical type `sub` is `sup` or declares it among its supertypes, directly or not.
    pub fn is_subtype(&self, sub: u32, sup: u32) -> bool {
        let mut current = Some(sub);
        while let Some(id) = current {
            if id == sup {
                return true;
            }
            current = self.entries[id as usize].supertype;
        }
        false
    }

    /// Whether every object that canonical type `id` describes is one of `heap`.
    pub fn id_matches_heap(&mut self, id: u32, heap: &HeapType) -> bool {
        match (self.entries[id as usize].kind, heap) {
            (_, HeapType::Concrete(defined)) => {
                let sup = self.canonical(defined);
                self.is_subtype(id, sup)
            }
            (Kind::Func, HeapType::Func)
            | (Kind::Cont, HeapType::Cont)
            | (Kind::Struct, HeapType::Struct | HeapType::Eq | HeapType::Any)
            | (Kind::Array, HeapType::Array | HeapType::Eq | HeapType::Any) => true,
            _ => false,
        }
    }

    /// Heap type matching (specification, section 3.3.3).
    pub fn heap_matches(&mut self, sub: &HeapType, sup: &HeapType) -> bool {
        use HeapType::*;
        match (sub, sup) {
            (Concrete(sub), sup) => {
                let sub = self.canonical(sub);
                self.id_matches_heap(sub, sup)
            }
            (bottom, Concrete(sup)) => {
                let sup = self.canonical(sup);
                matches!(
                    (bottom, self.entries[sup as usize].kind),
                    (NoFunc, Kind::Func)
                        | (NoCont, Kind::Cont)
                        | (None, Kind::Struct | Kind::Array)
                )
            }
            (Func | NoFunc, Func) | (NoFunc, NoFunc) => true,
            (Extern | NoExtern, Extern) | (NoExtern, NoExtern) => true,
            (Exn | NoExn, Exn) | (NoExn, NoExn) => true,
            (Cont | NoCont, Cont) | (NoCont, NoCont) => true,
            (Any | Eq | I31 | Struct | Array | None, Any) => true,
            (Eq | I31 | Struct | Array | None, Eq) => true,
            (I31 | None, I31) | (Struct | None, Struct) | (Array | None, Array) | (None, None) => {
                true
            }
            _ => false,
        }
    }

    /// Reference type matching (specification, section 3.3.4).
    pub fn ref_matches(&mut self, sub: &RefType, sup: &RefType) -> bool {
        (sup.is_nullable() || !sub.is_nullable())
            && self.heap_matches(sub.heap_type(), sup.heap_type())
    }

    /// Value type matching (specification, section 3.3.5).
    pub fn val_matches(&mut self, sub: &ValType, sup: &ValType) -> bool {
        match (sub, sup) {
            (ValType::Ref(sub), ValType::Ref(sup)) => self.ref_matches(sub, sup),
            (sub, sup) => sub == sup,
        }
    }

    /// Function type matching, through the declarations (specification, section 3.3.10).
    pub fn func_matches(&mut self, sub: &FuncType, sup: &FuncType) -> bool {
        let (sub, sup) = (self.canonical_func(sub), self.canonical_func(sup));
        self.is_subtype(sub, sup)
    }

    /// Global type matching (specification, section 3.3.13).
    pub fn global_matches(&mut self, sub: &GlobalType, sup: &GlobalType) -> bool {
        sub.is_mutable() == sup.is_mutable()
            && self.val_matches(sub.content(), sup.content())
            && (!sub.is_mutable() || self.val_matches(sup.content(), sub.content()))
    }

    /// Memory type matching (specification, section 3.3.14).
    pub fn memory_matches(&self, sub: &MemoryType, sup: &MemoryType) -> bool {
        (sub.is_64(), sub.page_size_log2()) == (sup.is_64(), sup.page_size_log2())
            && limits_match(
                (sub.minimum(), sub.maximum()),
                (sup.minimum(), sup.maximum()),
            )
    }

    /// Table type matching (specification, section 3.3.15).
    pub fn table_matches(&mut self, sub: &TableType, sup: &TableType) -> bool {
        limits_match(
            (sub.minimum(), sub.maximum()),
            (sup.minimum(), sup.maximum()),
        ) && sub.is_64() == sup.is_64()
            && self.ref_matches(sub.element(), sup.element())
            && self.ref_matches(sup.element(), sub.element())
    }

    /// Tag type matching (specification, section 3.3.12): both ways, which leaves equality.
    pub fn tag_matches(&mut self, sub: &TagType, sup: &TagType) -> bool {
        self.canonical_func(sub.ty()) == self.canonical_func(sup.ty())
    }

    /// External type matching (specification, section 3.3.16).
    pub fn extern_matches(&mut self, sub: &ExternType, sup: &ExternType) -> bool {
        match (sub, sup) {
            (ExternType::Func(sub), ExternType::Func(sup)) => self.func_matches(sub, sup),
            (ExternType::Global(sub), ExternType::Global(sup)) => self.global_matches(sub, sup),
            (ExternType::Memory(sub), ExternType::Memory(sup)) => self.memory_matches(sub, sup),
            (ExternType::Table(sub), ExternType::Table(sup)) => self.table_matches(sub, sup),
            (ExternType::Tag(sub), ExternType::Tag(sup)) => self.tag_matches(sub, sup),
            _ => false,
        }
    }
}

/// The entry of a type declared at `index` of a group whose canonical numbers start at `first`.
fn declared_entry(
    section: &Arc<TypeSection>,
    index: u32,
    group: &Range<u32>,
    first: u32,
    earlier: &[u32],
) -> Entry {
    let ty = section.get(index);
    let supertype = ty.supertype_idxs.first().map(|supertype| {
        let supertype = module_index(supertype.unpack());
        if group.contains(&supertype) {
            first + (supertype - group.start)
        } else {
            earlier[supertype as usize]
        }
    });
    let kind = match ty.composite_type.inner {
        CompositeInnerType::Func(_) => Kind::Func,
        CompositeInnerType::Cont(_) => Kind::Cont,
        CompositeInnerType::Struct(_) => Kind::Struct,
        CompositeInnerType::Array(_) => Kind::Array,
    };
    Entry {
        kind,
        supertype,
        declared: Some(DefinedType::new(section, index)),
        func: OnceCell::new(),
        shape: OnceCell::new(),
    }
}

/// The abstract heap type in the binary format's terms. Panics on a concrete one.
fn abstract_heap(heap: &HeapType) -> AbstractHeapType {
    match heap {
        HeapType::Func => AbstractHeapType::Func,
        HeapType::NoFunc => AbstractHeapType::NoFunc,
        HeapType::Extern => AbstractHeapType::Extern,
        HeapType::NoExtern => AbstractHeapType::NoExtern,
        HeapType::Any => AbstractHeapType::Any,
        HeapType::Eq => AbstractHeapType::Eq,
        HeapType::I31 => AbstractHeapType::I31,
        HeapType::Struct => AbstractHeapType::Struct,
        HeapType::Array => AbstractHeapType::Array,
        HeapType::None => AbstractHeapType::None,
        HeapType::Exn => AbstractHeapType::Exn,
        HeapType::NoExn => AbstractHeapType::NoExn,
        HeapType::Cont => AbstractHeapType::Cont,
        HeapType::NoCont => AbstractHeapType::NoCont,
        HeapType::Concrete(defined) => panic!("type {defined} is concrete"),
    }
}

/// Limits matching (specification, section 3.3.11): at least the minimum, at most the maximum.
fn limits_match(sub: (u64, Option<u64>), sup: (u64, Option<u64>)) -> bool {
    sub.0 >= sup.0
        && sup
            .1
            .is_none_or(|most| sub.1.is_some_and(|maximum| maximum <= most))
}
