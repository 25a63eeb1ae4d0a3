//! What instances import and export.

use super::func::Func;
use super::global::Global;
use super::memory::Memory;
use super::store::AsContext;
use super::table::Table;
use super::tag::Tag;
use crate::module::info::ExternKind;
use crate::runtime::instance::InstanceInner;
use crate::runtime::store::StoreInner;
use crate::types::ExternType;
use std::ptr::NonNull;

/// Something that can be imported and exported.
#[derive(Clone, Copy, Debug)]
pub enum Extern {
    /// A function.
    Func(Func),
    /// A global.
    Global(Global),
    /// A memory.
    Memory(Memory),
    /// A table.
    Table(Table),
    /// A tag.
    Tag(Tag),
}

impl Extern {
    /// Its type; of memories and tables, with their present size as minimum.
    ///
    /// # Panics
    /// When it belongs to another store.
    pub fn ty(&self, store: impl AsContext) -> ExternType {
        self.check_store(store.inner().0);
        self.ty_in(store.inner().0)
    }

    /// The function, if it is one.
    pub fn into_func(self) -> Option<Func> {
        match self {
            Extern::Func(func) => Some(func),
            _ => None,
        }
    }

    /// The global, if it is one.
    pub fn into_global(self) -> Option<Global> {
        match self {
            Extern::Global(global) => Some(global),
            _ => None,
        }
    }

    /// The memory, if it is one.
    pub fn into_memory(self) -> Option<Memory> {
        match self {
            Extern::Memory(memory) => Some(memory),
            _ => None,
        }
    }

    /// The table, if it is one.
    pub fn into_table(self) -> Option<Table> {
        match self {
            Extern::Table(table) => Some(table),
            _ => None,
        }
    }

    /// The tag, if it is one.
    pub fn into_tag(self) -> Option<Tag> {
        match self {
            Extern::Tag(tag) => Some(tag),
            _ => None,
        }
    }

    /// What stands at `index` of one of an instance's index spaces.
    pub(crate) fn of_instance(
        store_id: u64,
        instance: &InstanceInner,
        kind: ExternKind,
        index: u32,
    ) -> Self {
        let at = index as usize;
        match kind {
            ExternKind::Func => {
                let func = NonNull::new(instance.func(index))
                    .expect("instantiation has linked every function");
                Extern::Func(Func::from_raw(store_id, func))
            }
            ExternKind::Global => Extern::Global(Global {
                store_id,
                index: instance.globals[at],
            }),
            ExternKind::Memory => Extern::Memory(Memory {
                store_id,
                index: instance.memories[at],
            }),
            ExternKind::Table => Extern::Table(Table {
                store_id,
                index: instance.tables[at],
            }),
            ExternKind::Tag => Extern::Tag(Tag {
                store_id,
                index: instance.tags[at],
            }),
        }
    }

    /// Panics when it belongs to another store.
    pub(crate) fn check_store(&self, store: &StoreInner) {
        let (id, what) = match self {
            Extern::Func(func) => (func.store_id, "function"),
            Extern::Global(global) => (global.store_id, "global"),
            Extern::Memory(memory) => (memory.store_id, "memory"),
            Extern::Table(table) => (table.store_id, "table"),
            Extern::Tag(tag) => (tag.store_id, "tag"),
        };
        check_store(store, id, what);
    }

    /// [`ty`](Self::ty), for something that belongs to `store`.
    pub(crate) fn ty_in(&self, store: &StoreInner) -> ExternType {
        match self {
            Extern::Func(func) => {
                // SAFETY: function references live as long as their store.
                let id = unsafe { func.func_ref.as_ref() }.type_id;
                ExternType::Func(store.types.func_type(id).clone())
            }
            Extern::Global(global) => ExternType::Global(global.inner(store).ty.clone()),
            Extern::Memory(memory) => ExternType::Memory(memory.inner(store).ty()),
            Extern::Table(table) => ExternType::Table(table.inner(store).ty()),
            Extern::Tag(tag) => ExternType::Tag(tag.inner(store).ty.clone()),
        }
    }
}

/// Panics when a handle made by the store with number `id` is used with another one: its index would name something else.
pub(crate) fn check_store(store: &StoreInner, id: u64, what: &str) {
    assert!(
        store.id == id,
        "a {what} was used with a store that it does not belong to"
    );
}

impl From<Func> for Extern {
    fn from(func: Func) -> Self {
        Extern::Func(func)
    }
}

impl From<Global> for Extern {
    fn from(global: Global) -> Self {
        Extern::Global(global)
    }
}

impl From<Memory> for Extern {
    fn from(memory: Memory) -> Self {
        Extern::Memory(memory)
    }
}

impl From<Table> for Extern {
    fn from(table: Table) -> Self {
        Extern::Table(table)
    }
}

impl From<Tag> for Extern {
    fn from(tag: Tag) -> Self {
        Extern::Tag(tag)
    }
}
