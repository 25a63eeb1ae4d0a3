//! Tags, as hosts see them.

use super::extern_::check_store;
use super::store::{AsContext, AsContextMut};
use crate::runtime::objects::TagInner;
use crate::runtime::store::StoreInner;
use crate::types::TagType;

/// A tag of a store. Two tags are the same (`==`) when they were allocated together, whatever their types are.
///
/// Every method panics when it is used with another store than the one that the tag belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag {
    pub(crate) store_id: u64,
    pub(crate) index: u32,
}

impl Tag {
    /// Allocates a tag.
    pub fn new(mut store: impl AsContextMut, ty: TagType) -> Self {
        let store = store.inner_mut().0;
        Tag {
            store_id: store.id,
            index: store.add_tag(ty),
        }
    }

    /// The type.
    pub fn ty(&self, store: impl AsContext) -> TagType {
        self.inner(store.inner().0).ty.clone()
    }

    /// The store address: how many tags the store had allocated before this one.
    pub fn address(&self, store: impl AsContext) -> u32 {
        self.inner(store.inner().0).vm.address
    }

    pub(crate) fn inner<'a>(&self, store: &'a StoreInner) -> &'a TagInner {
        check_store(store, self.store_id, "tag");
        &store.tags[self.index as usize]
    }
}
