//! From wasmparser's types to ours. Does not validate: what comes here is valid.

use std::sync::Arc;

use wasmparser::{AbstractHeapType, CompositeInnerType, StorageType, UnpackedIndex};

use super::registry::{Composite, Field, RELATIVE, Registry, Storage, SubType};
use super::{
    DefinedKind, DefinedType, GlobalType, HeapType, MemoryType, RefType, TableType, ValType,
};

/// The defined types of a module by type index, while or after they are read.
#[derive(Debug, Default)]
pub(crate) struct ModuleTypes(Vec<DefinedType>);

impl ModuleTypes {
    pub fn get(&self, index: u32) -> DefinedType {
        self.0[index as usize]
    }

    /// The lowest index of a type in this module.
    pub fn index_of(&self, ty: DefinedType) -> Option<u32> {
        self.0.iter().position(|t| *t == ty).map(|i| i as u32)
    }

    /// Reads one recursion group and makes it canonical.
    pub fn add_group(&mut self, group: &wasmparser::RecGroup, registry: &Registry) {
        let start = self.0.len();
        // While the group is read, its members are known by their place in it.
        for (i, sub) in group.types().enumerate() {
            self.0.push(DefinedType {
                id: RELATIVE | i as u32,
                kind: match sub.composite_type.inner {
                    CompositeInnerType::Func(_) => DefinedKind::Func,
                    CompositeInnerType::Cont(_) => DefinedKind::Cont,
                    CompositeInnerType::Struct(_) => DefinedKind::Struct,
                    CompositeInnerType::Array(_) => DefinedKind::Array,
                },
            });
        }
        let subs = group
            .types()
            .map(|sub| SubType {
                is_final: sub.is_final,
                supertype: sub.supertype_idxs.first().map(|i| self.index(i.unpack())),
                composite: match &sub.composite_type.inner {
                    CompositeInnerType::Func(f) => Composite::Func {
                        params: self.vals(f.params()),
                        results: self.vals(f.results()),
                    },
                    CompositeInnerType::Cont(c) => Composite::Cont(self.index(c.0.unpack())),
                    CompositeInnerType::Struct(s) => {
                        Composite::Struct(s.fields.iter().map(|f| self.field(f)).collect())
                    }
                    CompositeInnerType::Array(a) => Composite::Array(self.field(&a.0)),
                },
            })
            .collect();
        let first = registry.add(subs);
        for (i, t) in self.0[start..].iter_mut().enumerate() {
            t.id = first + i as u32;
        }
    }

    fn index(&self, index: UnpackedIndex) -> DefinedType {
        match index {
            UnpackedIndex::Module(i) => self.get(i),
            UnpackedIndex::RecGroup(_) | UnpackedIndex::Id(_) => {
                unreachable!("sections are read with plain type indices")
            }
        }
    }

    fn field(&self, f: &wasmparser::FieldType) -> Field {
        Field {
            storage: match f.element_type {
                StorageType::I8 => Storage::I8,
                StorageType::I16 => Storage::I16,
                StorageType::Val(t) => Storage::Val(self.val(t)),
            },
            mutable: f.mutable,
        }
    }

    pub fn vals(&self, types: &[wasmparser::ValType]) -> Arc<[ValType]> {
        types.iter().map(|&t| self.val(t)).collect()
    }

    pub fn val(&self, ty: wasmparser::ValType) -> ValType {
        match ty {
            wasmparser::ValType::I32 => ValType::I32,
            wasmparser::ValType::I64 => ValType::I64,
            wasmparser::ValType::F32 => ValType::F32,
            wasmparser::ValType::F64 => ValType::F64,
            wasmparser::ValType::V128 => ValType::V128,
            wasmparser::ValType::Ref(r) => ValType::Ref(self.reference(r)),
        }
    }

    /// A type that the validator has on its operand stack, where it names types by numbers of
    /// its own.
    pub fn operand(
        &self,
        ty: wasmparser::ValType,
        resources: &impl wasmparser::WasmModuleResources,
    ) -> ValType {
        let wasmparser::ValType::Ref(reference) = ty else {
            return self.val(ty);
        };
        let (wasmparser::HeapType::Concrete(index) | wasmparser::HeapType::Exact(index)) =
            reference.heap_type()
        else {
            return self.val(ty);
        };
        let UnpackedIndex::Id(id) = index else {
            return self.val(ty);
        };
        // The validator exchanges an index for its number by checking it.
        let own = (0..self.0.len() as u32).find(|&i| {
            let mut heap = wasmparser::HeapType::Concrete(UnpackedIndex::Module(i));
            resources.check_heap_type(&mut heap, 0).is_ok()
                && heap == wasmparser::HeapType::Concrete(UnpackedIndex::Id(id))
        });
        let Some(own) = own else {
            unreachable!("operands are of the module's types")
        };
        ValType::Ref(RefType {
            nullable: reference.is_nullable(),
            heap: HeapType::Concrete(self.get(own)),
        })
    }

    pub fn reference(&self, ty: wasmparser::RefType) -> RefType {
        RefType {
            nullable: ty.is_nullable(),
            heap: self.heap(ty.heap_type()),
        }
    }

    pub fn heap(&self, ty: wasmparser::HeapType) -> HeapType {
        match ty {
            wasmparser::HeapType::Concrete(i) | wasmparser::HeapType::Exact(i) => {
                HeapType::Concrete(self.index(i))
            }
            wasmparser::HeapType::Abstract { ty, .. } => match ty {
                AbstractHeapType::Func => HeapType::Func,
                AbstractHeapType::NoFunc => HeapType::NoFunc,
                AbstractHeapType::Extern => HeapType::Extern,
                AbstractHeapType::NoExtern => HeapType::NoExtern,
                AbstractHeapType::Any => HeapType::Any,
                AbstractHeapType::Eq => HeapType::Eq,
                AbstractHeapType::I31 => HeapType::I31,
                AbstractHeapType::Struct => HeapType::Struct,
                AbstractHeapType::Array => HeapType::Array,
                AbstractHeapType::None => HeapType::None,
                AbstractHeapType::Exn => HeapType::Exn,
                AbstractHeapType::NoExn => HeapType::NoExn,
                AbstractHeapType::Cont => HeapType::Cont,
                AbstractHeapType::NoCont => HeapType::NoCont,
            },
        }
    }

    pub fn global(&self, ty: wasmparser::GlobalType) -> GlobalType {
        GlobalType {
            content: self.val(ty.content_type),
            mutable: ty.mutable,
        }
    }

    pub fn table(&self, ty: wasmparser::TableType) -> TableType {
        TableType {
            element: self.reference(ty.element_type),
            minimum: ty.initial,
            maximum: ty.maximum,
            table64: ty.table64,
        }
    }

    pub fn memory(&self, ty: wasmparser::MemoryType) -> MemoryType {
        MemoryType {
            minimum: ty.initial,
            maximum: ty.maximum,
            memory64: ty.memory64,
            page_size_log2: ty.page_size_log2.unwrap_or(16),
        }
    }
}
