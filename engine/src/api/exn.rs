//! Exceptions, as the embedder sees them.

use super::store::AsContext;
use super::val::Val;
use crate::runtime::exn::{ExnObject, tag_address};
use crate::runtime::roots::Rooted;
use crate::runtime::store::StoreInner;
use std::fmt;

/// An exception that reached the host, or a reference to one.
///
/// Every method panics when it is used with another store than the one that the exception belongs to, and when the scope of the
/// reference has ended: see [`Store`](crate::Store).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ExnRef(pub(crate) Rooted);

/// An uncaught exception.
pub type Exception = ExnRef;

impl ExnRef {
    /// The exception behind a word that is not null.
    pub(crate) fn from_word(store: &StoreInner, word: u64) -> Self {
        ExnRef(store.root(word))
    }

    pub(crate) fn word(&self, store: &StoreInner) -> u64 {
        assert!(
            self.belongs_to(store),
            "an exception is used with a store that it does not belong to"
        );
        store.roots.borrow().word(&self.0)
    }

    pub(crate) fn belongs_to(&self, store: &StoreInner) -> bool {
        self.0.store_id() == store.id
    }

    /// Store address of the exception's tag.
    pub fn tag_address(&self, store: impl AsContext) -> u32 {
        tag_address(self.word(store.inner().0))
    }

    /// The exception's values.
    pub fn values(&self, store: impl AsContext) -> Vec<Val> {
        let store = store.inner().0;
        let object = self.word(store) as *const ExnObject;
        // SAFETY: the handle's scope has not ended, so the object is alive, and nothing is collected while the store is
        // borrowed; tags live as long as the store.
        let (payload, tag) = unsafe { (ExnObject::payload(object), store.tag((*object).tag)) };
        let types = tag.ty.ty().params();
        // SAFETY: an exception of this store holds values of its tag's parameter types.
        let value = |(ty, raw): (_, &_)| unsafe { Val::from_raw(store, *raw, ty) };
        types.iter().zip(payload).map(value).collect()
    }
}

impl fmt::Display for ExnRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the store nothing behind the reference may be touched: it might be gone.
        f.write_str("a Wasm exception")
    }
}
