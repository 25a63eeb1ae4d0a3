//! Memories, as hosts see them.

use super::extern_::check_store;
use super::store::{AsContext, AsContextMut};
use crate::error::{Error, Exhaustion, Trap, TrapKind};
use crate::runtime::objects::MemoryInner;
use crate::runtime::store::StoreInner;
use crate::types::MemoryType;

/// A memory of a store.
///
/// Every method panics when it is used with another store than the one that the memory belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    pub(crate) store_id: u64,
    pub(crate) index: u32,
}

impl Memory {
    /// Makes a memory of zeroes.
    ///
    /// # Errors
    /// [`Error::Type`], when the limits are not those of a valid memory; [`Error::Exhausted`], when it cannot have its minimum.
    pub fn new(mut store: impl AsContextMut, ty: MemoryType) -> Result<Self, Error> {
        let store = store.inner_mut().0;
        let valid = ty.addressable().is_some_and(|addressable| {
            let most = ty.maximum().unwrap_or(addressable);
            ty.minimum() <= most && most <= addressable
        });
        if !valid {
            return Err(Error::Type(format!("{ty} is not a valid memory type")));
        }
        let index = store.add_memory(ty)?;
        Ok(Memory {
            store_id: store.id,
            index,
        })
    }

    /// The type, with the present size as minimum.
    pub fn ty(&self, store: impl AsContext) -> MemoryType {
        self.inner(store.inner().0).ty()
    }

    /// The present size, in pages of the memory's type.
    pub fn size(&self, store: impl AsContext) -> u64 {
        self.inner(store.inner().0).pages()
    }

    /// The contents.
    pub fn data<'a>(&self, store: &'a impl AsContext) -> &'a [u8] {
        self.inner(store.inner().0).bytes()
    }

    /// The contents, to change.
    pub fn data_mut<'a>(&self, store: &'a mut impl AsContextMut) -> &'a mut [u8] {
        self.inner_mut(store.inner_mut().0).bytes_mut()
    }

    /// Fills `buffer` from the bytes at `offset`.
    ///
    /// # Errors
    /// [`Error::Trap`] of [`TrapKind::MemoryOutOfBounds`], when they are not all inside the memory.
    pub fn read(
        &self,
        store: impl AsContext,
        offset: usize,
        buffer: &mut [u8],
    ) -> Result<(), Error> {
        let bytes = self
            .data(&store)
            .get(offset..)
            .and_then(|bytes| bytes.get(..buffer.len()));
        buffer.copy_from_slice(bytes.ok_or(OUT_OF_BOUNDS)?);
        Ok(())
    }

    /// Writes `bytes` at `offset`.
    ///
    /// # Errors
    /// [`Error::Trap`] of [`TrapKind::MemoryOutOfBounds`], when they do not all fit; nothing is written then.
    pub fn write(
        &self,
        mut store: impl AsContextMut,
        offset: usize,
        bytes: &[u8],
    ) -> Result<(), Error> {
        let place = self
            .data_mut(&mut store)
            .get_mut(offset..)
            .and_then(|place| place.get_mut(..bytes.len()));
        place.ok_or(OUT_OF_BOUNDS)?.copy_from_slice(bytes);
        Ok(())
    }

    /// Adds `delta` pages of zeroes and returns the size before, in pages.
    ///
    /// # Errors
    /// [`Error::Exhausted`], when the memory may not get so large.
    pub fn grow(&self, mut store: impl AsContextMut, delta: u64) -> Result<u64, Error> {
        self.inner_mut(store.inner_mut().0)
            .grow(delta)
            .ok_or(Error::Exhausted(Exhaustion::Memory))
    }

    pub(crate) fn inner<'a>(&self, store: &'a StoreInner) -> &'a MemoryInner {
        check_store(store, self.store_id, "memory");
        &store.memories[self.index as usize]
    }

    fn inner_mut<'a>(&self, store: &'a mut StoreInner) -> &'a mut MemoryInner {
        check_store(store, self.store_id, "memory");
        &mut store.memories[self.index as usize]
    }
}

const OUT_OF_BOUNDS: Error = Error::Trap(Trap::new(TrapKind::MemoryOutOfBounds));
