//! Handles of what can be imported and exported (specification: "External Instances"), and
//! the host's operations on them ("Embedding").
//!
//! A handle is a store address. Using it with another store panics.

use std::rc::Rc;

use crate::error::{Error, Exhausted};
use crate::machine::{FuncData, FuncKind, GlobalData, MemoryData, TableData, TagData};
use crate::store::{AsContext, AsContextMut, Caller, StoreId};
use crate::types::{
    ExternType, FuncType, GlobalType, MemoryType, TableType, TagType, ValType, slots,
};
use crate::value::{NULL, Val};

macro_rules! handles {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        $($(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub struct $name {
            pub(crate) store: StoreId,
            pub(crate) addr: u32,
        }

        impl $name {
            /// Its address in the store: the how-many-th of its kind it is, from 0.
            pub fn address(self, store: impl AsContext) -> u32 {
                store.as_context().check(self.store);
                self.addr
            }
        }

        impl From<$name> for Extern {
            fn from(item: $name) -> Extern {
                Extern::$name(item)
            }
        })*

        /// Something that can be imported or exported.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[allow(missing_docs)] // each name is the specification's
        pub enum Extern { $($name($name),)* }

        impl Extern {
            /// Its type.
            ///
            /// # Panics
            ///
            /// If it belongs to another store.
            pub fn ty(self, store: impl AsContext) -> ExternType {
                match self { $(Extern::$name(item) => ExternType::$name(item.ty(store)),)* }
            }
        }
    };
}

handles! {
    /// A function.
    Func,
    /// A global.
    Global,
    /// A memory.
    Memory,
    /// A table.
    Table,
    /// A tag.
    Tag,
}

impl Func {
    /// Adds a host function. It is called with its arguments and has to fill in the
    /// results (which hold default values before). An [`Error::Exception`] that it returns
    /// is thrown; any other error ends the running call from the host.
    pub fn new<C: AsContextMut>(
        mut store: C,
        ty: FuncType,
        func: impl Fn(Caller<'_, C::Data>, &[Val], &mut [Val]) -> Result<(), Error> + 'static,
    ) -> Func {
        let store = store.as_context_mut();
        let defined = store.engine.registry.func(&ty);
        store.engine.registry.update(&mut store.machine.types);
        let host = store.host.len() as u32;
        store.host.push(Rc::new(func));
        store.machine.funcs.push(FuncData {
            ty: defined,
            param_slots: slots(ty.params()),
            result_slots: slots(ty.results()),
            kind: FuncKind::Host(host),
        });
        store.func(store.machine.funcs.len() as u32 - 1)
    }

    /// Its type.
    pub fn ty(self, store: impl AsContext) -> FuncType {
        let store = store.as_context();
        store.check(self.store);
        let m = &store.machine;
        m.types.func(m.funcs[self.addr as usize].ty)
    }

    /// Calls it.
    ///
    /// # Errors
    ///
    /// [`Error::Link`] if arguments or `results` do not fit its type; else whatever ended
    /// the execution.
    pub fn call(
        self,
        mut store: impl AsContextMut,
        args: &[Val],
        results: &mut [Val],
    ) -> Result<(), Error> {
        let store = store.as_context_mut();
        store.check(self.store);
        let ty = store
            .machine
            .types
            .func(store.machine.funcs[self.addr as usize].ty);
        if ty.results().len() != results.len() {
            return Err(Error::Link(format!(
                "place for {} results where there are {}",
                results.len(),
                ty.results().len()
            )));
        }
        let values = store.call(self.addr, args)?;
        results.copy_from_slice(&values);
        Ok(())
    }
}

impl Global {
    /// Adds a global.
    ///
    /// # Errors
    ///
    /// [`Error::Link`] if the value is not of its type.
    pub fn new(mut store: impl AsContextMut, ty: GlobalType, value: Val) -> Result<Global, Error> {
        let store = store.as_context_mut();
        let value = fit(store, ty.content, value)?;
        store.machine.globals.push(GlobalData { ty, value });
        Ok(Global {
            store: store.id,
            addr: store.machine.globals.len() as u32 - 1,
        })
    }

    /// Its type.
    pub fn ty(self, store: impl AsContext) -> GlobalType {
        let store = store.as_context();
        store.check(self.store);
        store.machine.globals[self.addr as usize].ty
    }

    /// Its value.
    pub fn get(self, store: impl AsContext) -> Val {
        let store = store.as_context();
        store.check(self.store);
        let global = &store.machine.globals[self.addr as usize];
        Val::from_slots(&store.machine, store.id, global.ty.content, global.value)
    }

    /// Sets its value.
    ///
    /// # Errors
    ///
    /// [`Error::Link`] if it is immutable or the value is not of its type.
    pub fn set(self, mut store: impl AsContextMut, value: Val) -> Result<(), Error> {
        let store = store.as_context_mut();
        store.check(self.store);
        let ty = store.machine.globals[self.addr as usize].ty;
        if !ty.mutable {
            return Err(Error::Link("the global is immutable".into()));
        }
        store.machine.globals[self.addr as usize].value = fit(store, ty.content, value)?;
        Ok(())
    }
}

fn fit<T>(store: &crate::Store<T>, ty: ValType, value: Val) -> Result<[u64; 2], Error> {
    value
        .to_slots(&store.machine, store.id, ty)
        .ok_or_else(|| Error::Link(format!("{value:?} is not of type {ty}")))
}

impl Memory {
    /// Adds a memory of zeros.
    ///
    /// # Errors
    ///
    /// [`Error::Exhausted`] if its minimum cannot be allocated.
    pub fn new(mut store: impl AsContextMut, ty: MemoryType) -> Result<Memory, Error> {
        let store = store.as_context_mut();
        let data = MemoryData::new(ty).ok_or(Error::Exhausted(Exhausted::Memory))?;
        store.machine.memories.push(data);
        Ok(Memory {
            store: store.id,
            addr: store.machine.memories.len() as u32 - 1,
        })
    }

    /// Its type; the minimum is the present size.
    pub fn ty(self, store: impl AsContext) -> MemoryType {
        let store = store.as_context();
        store.check(self.store);
        store.machine.memories[self.addr as usize].current_type()
    }

    /// Its size in pages.
    pub fn size(self, store: impl AsContext) -> u64 {
        self.ty(store).minimum
    }

    /// Its bytes.
    pub fn data<'a, T: 'a>(self, store: &'a impl AsContext<Data = T>) -> &'a [u8] {
        let store = store.as_context();
        store.check(self.store);
        &store.machine.memories[self.addr as usize].bytes
    }

    /// Its bytes, to be changed.
    pub fn data_mut<'a, T: 'a>(self, store: &'a mut impl AsContextMut<Data = T>) -> &'a mut [u8] {
        let store = store.as_context_mut();
        store.check(self.store);
        &mut store.machine.memories[self.addr as usize].bytes
    }

    /// Grows it and returns the size before, in pages; none if it cannot grow so far.
    pub fn grow(self, mut store: impl AsContextMut, pages: u64) -> Option<u64> {
        let store = store.as_context_mut();
        store.check(self.store);
        let limit = store.machine.limits.memory_pages;
        store.machine.memories[self.addr as usize].grow(pages, limit)
    }
}

impl Table {
    /// Adds a table.
    ///
    /// # Errors
    ///
    /// [`Error::Link`] if the initial element is not of its type, [`Error::Exhausted`] if
    /// its minimum cannot be allocated.
    pub fn new(mut store: impl AsContextMut, ty: TableType, init: Val) -> Result<Table, Error> {
        let store = store.as_context_mut();
        let [word, _] = fit(store, ValType::Ref(ty.element), init)?;
        let data = TableData::new(ty, word).ok_or(Error::Exhausted(Exhausted::Memory))?;
        store.machine.tables.push(data);
        Ok(Table {
            store: store.id,
            addr: store.machine.tables.len() as u32 - 1,
        })
    }

    /// Its type; the minimum is the present size.
    pub fn ty(self, store: impl AsContext) -> TableType {
        let store = store.as_context();
        store.check(self.store);
        store.machine.tables[self.addr as usize].current_type()
    }

    /// Its number of elements.
    pub fn size(self, store: impl AsContext) -> u64 {
        self.ty(store).minimum
    }

    /// An element; none beyond the end.
    pub fn get(self, store: impl AsContext, index: u64) -> Option<Val> {
        let store = store.as_context();
        store.check(self.store);
        let table = &store.machine.tables[self.addr as usize];
        let word = *table.elements.get(usize::try_from(index).ok()?)?;
        Some(Val::from_slots(
            &store.machine,
            store.id,
            ValType::Ref(table.ty.element),
            [word, NULL],
        ))
    }

    /// Sets an element.
    ///
    /// # Errors
    ///
    /// [`Error::Link`] beyond the end or if the value is not of its type.
    pub fn set(self, mut store: impl AsContextMut, index: u64, value: Val) -> Result<(), Error> {
        let store = store.as_context_mut();
        store.check(self.store);
        let ty = store.machine.tables[self.addr as usize].ty;
        let [word, _] = fit(store, ValType::Ref(ty.element), value)?;
        let place = usize::try_from(index)
            .ok()
            .and_then(|i| store.machine.tables[self.addr as usize].elements.get_mut(i))
            .ok_or_else(|| Error::Link("beyond the end of the table".into()))?;
        *place = word;
        Ok(())
    }

    /// Grows it and returns the number of elements before; none if it cannot grow so far.
    ///
    /// # Errors
    ///
    /// [`Error::Link`] if the value is not of its type.
    pub fn grow(
        self,
        mut store: impl AsContextMut,
        by: u64,
        value: Val,
    ) -> Result<Option<u64>, Error> {
        let store = store.as_context_mut();
        store.check(self.store);
        let ty = store.machine.tables[self.addr as usize].ty;
        let [word, _] = fit(store, ValType::Ref(ty.element), value)?;
        let limit = store.machine.limits.table_elements;
        Ok(store.machine.tables[self.addr as usize].grow(by, word, limit))
    }
}

impl Tag {
    /// Adds a tag.
    pub fn new(mut store: impl AsContextMut, ty: TagType) -> Tag {
        let store = store.as_context_mut();
        let defined = store.engine.registry.func(&ty.func);
        store.engine.registry.update(&mut store.machine.types);
        store.machine.tags.push(TagData {
            param_slots: slots(ty.func.params()),
            ty: FuncType {
                defined: Some(defined),
                ..ty.func
            },
        });
        Tag {
            store: store.id,
            addr: store.machine.tags.len() as u32 - 1,
        }
    }

    /// Its type.
    pub fn ty(self, store: impl AsContext) -> TagType {
        let store = store.as_context();
        store.check(self.store);
        TagType {
            func: store.machine.tags[self.addr as usize].ty.clone(),
        }
    }
}
