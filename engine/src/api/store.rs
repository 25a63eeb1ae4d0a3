//! Stores, and how code that holds one, or part of one, gives access to it.

use crate::compile::Engine;
use crate::runtime::store::StoreInner;
use crate::trace::Event;
use std::marker::PhantomData;
use std::ptr::NonNull;

/// Everything that instances create: functions, memories, tables, globals, tags, exceptions and continuations, together with the
/// host's own `T`. A store belongs to one thread. Instances and what they define live as long as it does; structures, arrays,
/// exceptions and continuations that neither code nor the host can reach any more are freed from time to time.
///
/// A host reaches such a thing through a handle ([`AnyRef`](crate::AnyRef), [`ExternRef`](crate::ExternRef),
/// [`ExnRef`](crate::ExnRef), [`ContRef`](crate::ContRef)), which keeps it alive until the scope ends in which the host got the
/// handle: the call of the host function, else [`Store::scope`], else the store's life. Using the handle later panics.
///
/// Calls into stores nest on a thread, also those into different stores: one that is made in a host function ends before that
/// function returns. A host that has stacks of its own (coroutines) and leaves a host function by switching to another of them
/// must not call into any store from there until it is back, since the code that it left is not below: where the stack pointer
/// shows that, the call is [`Error::Engine`](crate::Error::Engine), but a stack at lower addresses than the one that was left looks
/// like one that was made below it. Before a store is first entered, and when all calls are over, any stack will do.
///
/// A store's `T` is the one that its host functions were made for, exactly: a longer-lived `T` is no substitute.
///
/// ```compile_fail
/// use switchback_engine::Store;
/// fn shorten<'a>(store: Store<&'static str>) -> Store<&'a str> {
///     store
/// }
/// ```
///
/// Nor can two stores exchange their insides, by whatever the traits give access to.
///
/// ```compile_fail
/// use switchback_engine::{AsContextMut, Store};
/// fn exchange(one: &mut Store<String>, other: &mut Store<u32>) {
///     std::mem::swap(one.inner_mut().0, other.inner_mut().0);
/// }
/// ```
pub struct Store<T> {
    inner: NonNull<Shared<T>>,
    /// Invariant in `T`: host functions keep the type that the store was made with.
    invariant: PhantomData<*mut T>,
}

/// The store's own part first, so that a pointer to it leads to the host's data.
#[repr(C)]
struct Shared<T> {
    inner: StoreInner,
    data: T,
}

impl<T> Store<T> {
    /// An empty store.
    pub fn new(engine: &Engine, data: T) -> Self {
        let shared = Box::new(Shared {
            inner: *StoreInner::new(engine),
            data,
        });
        Store {
            inner: NonNull::from(Box::leak(shared)),
            invariant: PhantomData,
        }
    }

    /// The engine that the store was made for.
    pub fn engine(&self) -> &Engine {
        &self.inner().0.engine
    }

    /// The host's data.
    pub fn data(&self) -> &T {
        // SAFETY: allocated in `new`, freed in `drop`, and only reached through borrows of this store meanwhile.
        unsafe { &self.inner.as_ref().data }
    }

    /// The host's data.
    pub fn data_mut(&mut self) -> &mut T {
        // SAFETY: as in `data`.
        unsafe { &mut self.inner.as_mut().data }
    }

    /// The events recorded since the last call; always empty without [`Config::trace`](crate::Config::trace).
    pub fn take_trace(&mut self) -> Vec<Event> {
        self.inner_mut()
            .0
            .tracer
            .as_mut()
            .map(|tracer| tracer.take())
            .unwrap_or_default()
    }

    /// Calls `f`, and then lets go of every reference that the host got meanwhile.
    pub fn scope<R>(&mut self, f: impl FnOnce(&mut Store<T>) -> R) -> R {
        let scope = self.inner_mut().0.roots.get_mut().enter();
        let result = f(self);
        self.inner_mut().0.roots.get_mut().leave(scope);
        result
    }

    /// Frees what cannot be reached. This happens by itself when enough has been allocated.
    pub fn gc(&mut self) {
        self.inner_mut().0.collect(&[]);
    }

    /// Bytes of structures, arrays and exceptions that have not been freed.
    pub fn heap_bytes(&self) -> usize {
        self.inner().0.heap.live_bytes()
    }

    /// The number of collections so far.
    pub fn collections(&self) -> u64 {
        self.inner().0.pace.collections
    }

    /// The number of continuations that have a stack: not yet started, suspended or running.
    pub fn live_continuations(&self) -> usize {
        let store = self.inner().0;
        store.stacks.live(&store.vm)
    }
}

impl<T> Drop for Store<T> {
    fn drop(&mut self) {
        // SAFETY: made by `Box::leak` in `new`; nobody else frees it.
        drop(unsafe { Box::from_raw(self.inner.as_ptr()) });
    }
}

impl<T> std::fmt::Debug for Store<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("id", &self.inner().0.id)
            .finish_non_exhaustive()
    }
}

/// The inside of a store, which only this crate can look at: whoever else could take two of them might exchange them.
#[doc(hidden)]
pub struct StoreRef<'a>(pub(crate) &'a StoreInner);

/// As [`StoreRef`], to be changed.
#[doc(hidden)]
pub struct StoreMut<'a>(pub(crate) &'a mut StoreInner);

/// Access to a store: implemented by [`Store`], [`Caller`], and references to them.
pub trait AsContext {
    /// The host's data in the store.
    type Data;
    #[doc(hidden)]
    fn inner(&self) -> StoreRef<'_>;
}

/// Access to a store that may change it.
pub trait AsContextMut: AsContext {
    #[doc(hidden)]
    fn inner_mut(&mut self) -> StoreMut<'_>;
}

impl<T> AsContext for Store<T> {
    type Data = T;
    fn inner(&self) -> StoreRef<'_> {
        // SAFETY: as in `data`.
        StoreRef(unsafe { &self.inner.as_ref().inner })
    }
}

impl<T> AsContextMut for Store<T> {
    fn inner_mut(&mut self) -> StoreMut<'_> {
        // SAFETY: as in `data`.
        StoreMut(unsafe { &mut self.inner.as_mut().inner })
    }
}

impl<C: AsContext> AsContext for &C {
    type Data = C::Data;
    fn inner(&self) -> StoreRef<'_> {
        (**self).inner()
    }
}

impl<C: AsContext> AsContext for &mut C {
    type Data = C::Data;
    fn inner(&self) -> StoreRef<'_> {
        (**self).inner()
    }
}

impl<C: AsContextMut> AsContextMut for &mut C {
    fn inner_mut(&mut self) -> StoreMut<'_> {
        (**self).inner_mut()
    }
}

/// What a host function gets of the store that called it.
pub struct Caller<'a, T> {
    shared: &'a mut Shared<T>,
}

impl<'a, T> Caller<'a, T> {
    /// # Safety
    /// `store` is the store's part of a `Store<T>` that runs the calling host function, and no reference to it is in use.
    pub(crate) unsafe fn new(store: *mut StoreInner) -> Self {
        // SAFETY: `StoreInner` is the first field of `Shared<T>`, which has a fixed layout; the rest is the caller's promise.
        Caller {
            shared: unsafe { &mut *store.cast::<Shared<T>>() },
        }
    }

    /// The host's data.
    pub fn data(&self) -> &T {
        &self.shared.data
    }

    /// The host's data.
    pub fn data_mut(&mut self) -> &mut T {
        &mut self.shared.data
    }

    /// Frees what cannot be reached, as [`Store::gc`] does.
    pub fn gc(&mut self) {
        self.shared.inner.collect(&[]);
    }
}

impl<T> AsContext for Caller<'_, T> {
    type Data = T;
    fn inner(&self) -> StoreRef<'_> {
        StoreRef(&self.shared.inner)
    }
}

impl<T> AsContextMut for Caller<'_, T> {
    fn inner_mut(&mut self) -> StoreMut<'_> {
        StoreMut(&mut self.shared.inner)
    }
}
