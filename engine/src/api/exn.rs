//! Exceptions, as the embedder sees them.

use super::store::AsContext;
use super::val::Val;
use crate::runtime::exn::{ExnObject, tag_address};
use crate::runtime::store::StoreInner;
use std::fmt;
use std::ptr::NonNull;

/// An exception that reached the host, or a reference to one. Using it with another store panics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ExnRef {
    pub(crate) store_id: u64,
    pub(crate) object: NonNull<ExnObject>,
}

/// An uncaught exception.
pub type Exception = ExnRef;

impl ExnRef {
    /// The exception behind a word that is not null.
    pub(crate) fn from_word(store: &StoreInner, word: u64) -> Self {
        let object = NonNull::new(word as *mut ExnObject).expect("the word is not null");
        ExnRef {
            store_id: store.id,
            object,
        }
    }

    pub(crate) fn word(&self) -> u64 {
        self.object.as_ptr() as u64
    }

    pub(crate) fn belongs_to(&self, store: &StoreInner) -> bool {
        self.store_id == store.id
    }

    /// Store address of the exception's tag.
    pub fn tag_address(&self, store: impl AsContext) -> u32 {
        assert!(
            self.belongs_to(store.inner().0),
            "an exception is used with a store that it does not belong to"
        );
        tag_address(self.word())
    }

    /// The exception's values.
    pub fn values(&self, store: impl AsContext) -> Vec<Val> {
        let store = store.inner().0;
        assert!(
            self.belongs_to(store),
            "an exception is used with a store that it does not belong to"
        );
        // SAFETY: objects live as long as their store, which is the one borrowed here; so do tags.
        let (object, tag) = unsafe {
            let object = &*self.object.as_ptr();
            (object, store.tag(object.tag))
        };
        let types = tag.ty.ty().params().to_vec();
        let values = types.iter().zip(object.payload());
        // SAFETY: an exception of this store holds values of its tag's parameter types.
        values
            .map(|(ty, raw)| unsafe { Val::from_raw(store, *raw, ty) })
            .collect()
    }
}

impl fmt::Display for ExnRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the store nothing behind the reference may be touched: it might be gone.
        f.write_str("a Wasm exception")
    }
}
