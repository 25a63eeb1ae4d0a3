//! Tables, as hosts see them.

use super::extern_::check_store;
use super::store::{AsContext, AsContextMut};
use super::val::Val;
use crate::error::{Error, Exhaustion, Trap};
use crate::runtime::layout::ValRaw;
use crate::runtime::objects::TableInner;
use crate::runtime::store::StoreInner;
use crate::types::{TableType, ValType};

/// A table of a store.
///
/// Every method panics when it is used with another store than the one that the table belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    pub(crate) store_id: u64,
    pub(crate) index: u32,
}

impl Table {
    /// Makes a table whose elements are all `init`.
    ///
    /// # Errors
    /// [`Error::Type`], when the limits are not those of a valid table, or `init` does not match the elements' type;
    /// [`Error::Exhausted`], when it cannot have its minimum.
    pub fn new(mut store: impl AsContextMut, ty: TableType, init: Val) -> Result<Self, Error> {
        let store = store.inner_mut().0;
        let most = ty.maximum().unwrap_or(ty.addressable());
        if ty.minimum() > most || most > ty.addressable() {
            return Err(Error::Type(format!("{ty} is not a valid table type")));
        }
        let word = init.to_raw(store, &ValType::Ref(ty.element().clone()))?.lo;
        let index = store.add_table(ty)?;
        store.tables[index as usize].words_mut().fill(word);
        Ok(Table {
            store_id: store.id,
            index,
        })
    }

    /// The type, with the present size as minimum.
    pub fn ty(&self, store: impl AsContext) -> TableType {
        self.inner(store.inner().0).ty()
    }

    /// The present size, in elements.
    pub fn size(&self, store: impl AsContext) -> u64 {
        self.inner(store.inner().0).vm.len
    }

    /// The element at `index`, or `None` when the table is not so large.
    pub fn get(&self, store: impl AsContext, index: u64) -> Option<Val> {
        let store = store.inner().0;
        let table = self.inner(store);
        let lo = *table.words().get(usize::try_from(index).ok()?)?;
        let element = ValType::Ref(table.element().clone());
        // SAFETY: tables hold values of their elements' type, of this store.
        Some(unsafe { Val::from_raw(store, ValRaw { lo, hi: 0 }, &element) })
    }

    /// Changes the element at `index`.
    ///
    /// # Errors
    /// [`Error::Type`], when `value` does not match the elements' type; [`Error::Trap`] of [`TrapKind::TableOutOfBounds`](crate::TrapKind::TableOutOfBounds), when
    /// the table is not so large.
    pub fn set(&self, mut store: impl AsContextMut, index: u64, value: Val) -> Result<(), Error> {
        let store = store.inner_mut().0;
        let word = self.word(store, value)?;
        let table = &mut store.tables[self.index as usize];
        table
            .fill(index, word, 1)
            .map_err(|kind| Error::Trap(Trap::new(kind)))
    }

    /// Adds `delta` elements, all `init`, and returns the size before.
    ///
    /// # Errors
    /// [`Error::Type`], when `init` does not match the elements' type; [`Error::Exhausted`], when the table may not get so
    /// large.
    pub fn grow(&self, mut store: impl AsContextMut, delta: u64, init: Val) -> Result<u64, Error> {
        let store = store.inner_mut().0;
        let word = self.word(store, init)?;
        let table = &mut store.tables[self.index as usize];
        table
            .grow(delta, word)
            .ok_or(Error::Exhausted(Exhaustion::Memory))
    }

    fn word(&self, store: &mut StoreInner, value: Val) -> Result<u64, Error> {
        let element = ValType::Ref(self.inner(store).element().clone());
        Ok(value.to_raw(store, &element)?.lo)
    }

    pub(crate) fn inner<'a>(&self, store: &'a StoreInner) -> &'a TableInner {
        check_store(store, self.store_id, "table");
        &store.tables[self.index as usize]
    }
}
