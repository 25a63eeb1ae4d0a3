//! Globals, as hosts see them.

use super::extern_::check_store;
use super::store::{AsContext, AsContextMut};
use super::val::Val;
use crate::error::Error;
use crate::runtime::objects::GlobalInner;
use crate::runtime::store::StoreInner;
use crate::types::GlobalType;

/// A global of a store.
///
/// Every method panics when it is used with another store than the one that the global belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Global {
    pub(crate) store_id: u64,
    pub(crate) index: u32,
}

impl Global {
    /// Makes a global.
    ///
    /// # Errors
    /// [`Error::Type`], when `value` does not match the type.
    pub fn new(mut store: impl AsContextMut, ty: GlobalType, value: Val) -> Result<Self, Error> {
        let store = store.inner_mut().0;
        let value = value.to_raw(store, ty.content())?;
        let index = store.add_global(ty, value);
        Ok(Global {
            store_id: store.id,
            index,
        })
    }

    /// The type.
    pub fn ty(&self, store: impl AsContext) -> GlobalType {
        self.inner(store.inner().0).ty.clone()
    }

    /// The present value.
    pub fn get(&self, store: impl AsContext) -> Val {
        let store = store.inner().0;
        let global = self.inner(store);
        // SAFETY: globals hold values of their type, of this store.
        unsafe { Val::from_raw(store, global.vm.value, global.ty.content()) }
    }

    /// Changes the value.
    ///
    /// # Errors
    /// [`Error::Type`], when the global is not mutable, or `value` does not match the type.
    pub fn set(&self, mut store: impl AsContextMut, value: Val) -> Result<(), Error> {
        let store = store.inner_mut().0;
        let ty = self.inner(store).ty.clone();
        if !ty.is_mutable() {
            return Err(Error::Type("the global is not mutable".to_owned()));
        }
        let value = value.to_raw(store, ty.content())?;
        store.globals[self.index as usize].vm.value = value;
        Ok(())
    }

    pub(crate) fn inner<'a>(&self, store: &'a StoreInner) -> &'a GlobalInner {
        check_store(store, self.store_id, "global");
        &store.globals[self.index as usize]
    }
}
