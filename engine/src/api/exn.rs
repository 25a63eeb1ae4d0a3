//! Exceptions and continuations, as the embedder sees them.

use super::store::{AsContext, AsContextMut};
use super::val::Val;
use crate::runtime::exn::{ExnObject, tag_address};
use crate::runtime::store::StoreInner;
use crate::runtime::tracer;
use std::fmt;
use std::ptr::NonNull;

/// An exception that reached the host, or a reference to one. Using it with another store panics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ExnRef {
    store_id: u64,
    object: NonNull<ExnObject>,
}

/// An uncaught exception.
pub type Exception = ExnRef;

impl ExnRef {
    /// The exception behind a word that is not null.
    pub(crate) fn from_word(store: &StoreInner, word: u64) -> Self {
        let object = NonNull::new(word as *mut ExnObject).expect("the word is not null");
        ExnRef { store_id: store.id, object }
    }

    pub(crate) fn word(&self) -> u64 {
        self.object.as_ptr() as u64
    }

    pub(crate) fn belongs_to(&self, store: &StoreInner) -> bool {
        self.store_id == store.id
    }

    /// Store address of the exception's tag.
    pub fn tag_address(&self, store: impl AsContext) -> u32 {
        assert!(self.belongs_to(store.inner()), "an exception is used with a store that it does not belong to");
        tag_address(self.word())
    }

    /// The exception's values.
    pub fn values(&self, mut store: impl AsContextMut) -> Vec<Val> {
        let store = store.inner_mut();
        assert!(self.belongs_to(store), "an exception is used with a store that it does not belong to");
        // SAFETY: objects live as long as their store, which is the one borrowed here; so do tags.
        let (object, tag) = unsafe {
            let object = &*self.object.as_ptr();
            (object, store.tag(object.tag))
        };
        let types = tag.ty.ty().params().to_vec();
        types.iter().zip(object.payload()).map(|(ty, raw)| Val::from_raw(store, ty, *raw)).collect()
    }
}

impl fmt::Display for ExnRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the store nothing behind the reference may be touched: it might be gone.
        f.write_str("a Wasm exception")
    }
}

/// A reference to a continuation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ContRef {
    store_id: u64,
    word: u64,
}

impl ContRef {
    pub(crate) fn from_word(store: &StoreInner, word: u64) -> Self {
        ContRef { store_id: store.id, word }
    }

    pub(crate) fn word(&self, store: &StoreInner) -> u64 {
        assert_eq!(self.store_id, store.id, "a continuation is used with a store that it does not belong to");
        self.word
    }

    /// The continuation's number: see [`trace`](crate::trace). `None` without tracing.
    pub fn number(&self, store: impl AsContext) -> Option<u64> {
        let store = store.inner();
        store.tracer.as_ref().and_then(|tracer| tracer.number(self.word(store)))
    }

    /// Whether the continuation has been used: resumed, bound or switched to.
    pub fn is_consumed(&self, store: impl AsContext) -> bool {
        let store = store.inner();
        tracer::is_consumed(store, self.word(store))
    }
}
