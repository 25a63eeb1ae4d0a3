//! Instances, as hosts see them.

use super::extern_::{Extern, check_store};
use super::func::Func;
use super::global::Global;
use super::memory::Memory;
use super::store::{AsContext, AsContextMut};
use super::table::Table;
use super::tag::Tag;
use crate::error::Error;
use crate::module::Module;
use crate::module::info::ExternKind;
use crate::runtime::instance::InstanceInner;
use crate::runtime::instantiate::{Imports, instantiate};
use crate::runtime::store::StoreInner;

/// An instance of a module in a store.
///
/// Every method panics when it is used with another store than the one that the instance belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Instance {
    store_id: u64,
    index: usize,
}

impl Instance {
    /// Instantiates `module` with `imports` in the order of its import section, and runs its start function.
    ///
    /// # Errors
    /// - [`Error::Link`]: `imports` are too few, too many, or not of the types that the module declares.
    /// - [`Error::Exhausted`]: a memory or table cannot have its minimum.
    /// - [`Error::Trap`] without location: an active segment does not fit.
    /// - Everything that a call can end with: the start function did.
    ///
    /// What was written until then stays, in imported memories and tables above all.
    ///
    /// # Panics
    /// When something in `imports` belongs to another store.
    pub fn new(
        store: impl AsContextMut,
        module: &Module,
        imports: &[Extern],
    ) -> Result<Self, Error> {
        Self::of_imports(store, module, Imports::Given(imports))
    }

    pub(crate) fn of_imports(
        mut store: impl AsContextMut,
        module: &Module,
        imports: Imports<'_>,
    ) -> Result<Self, Error> {
        let inner = store.inner_mut().0;
        let instance = Instance {
            store_id: inner.id,
            index: instantiate(inner, module, imports)?,
        };
        if let Some(start) = module.info().start {
            let start =
                Extern::of_instance(inner.id, instance.inner(inner), ExternKind::Func, start);
            start
                .into_func()
                .expect("it was asked for as a function")
                .call(store, &[], &mut [])?;
        }
        Ok(instance)
    }

    /// The export called `name`.
    pub fn get_export(&self, store: impl AsContext, name: &str) -> Option<Extern> {
        let instance = self.inner(store.inner().0);
        let export = instance
            .module()
            .info()
            .exports
            .iter()
            .find(|export| export.name == name)?;
        Some(Extern::of_instance(
            self.store_id,
            instance,
            export.kind,
            export.index,
        ))
    }

    /// The exported function called `name`.
    pub fn get_func(&self, store: impl AsContext, name: &str) -> Option<Func> {
        self.get_export(store, name)?.into_func()
    }

    /// The exported global called `name`.
    pub fn get_global(&self, store: impl AsContext, name: &str) -> Option<Global> {
        self.get_export(store, name)?.into_global()
    }

    /// The exported memory called `name`.
    pub fn get_memory(&self, store: impl AsContext, name: &str) -> Option<Memory> {
        self.get_export(store, name)?.into_memory()
    }

    /// The exported table called `name`.
    pub fn get_table(&self, store: impl AsContext, name: &str) -> Option<Table> {
        self.get_export(store, name)?.into_table()
    }

    /// The exported tag called `name`.
    pub fn get_tag(&self, store: impl AsContext, name: &str) -> Option<Tag> {
        self.get_export(store, name)?.into_tag()
    }

    /// All exports with their names, in the order of the module.
    pub fn exports<'a>(
        &self,
        store: &'a impl AsContext,
    ) -> impl ExactSizeIterator<Item = (&'a str, Extern)> {
        let (store_id, instance) = (self.store_id, self.inner(store.inner().0));
        instance.module().info().exports.iter().map(move |export| {
            (
                &*export.name,
                Extern::of_instance(store_id, instance, export.kind, export.index),
            )
        })
    }

    /// All globals in index order, imports first, whether exported or not.
    pub fn all_globals(&self, store: impl AsContext) -> Vec<Global> {
        let store_id = self.store_id;
        self.inner(store.inner().0)
            .globals
            .iter()
            .map(|&index| Global { store_id, index })
            .collect()
    }

    /// All memories in index order, imports first, whether exported or not.
    pub fn all_memories(&self, store: impl AsContext) -> Vec<Memory> {
        let store_id = self.store_id;
        self.inner(store.inner().0)
            .memories
            .iter()
            .map(|&index| Memory { store_id, index })
            .collect()
    }

    /// All tables in index order, imports first, whether exported or not.
    pub fn all_tables(&self, store: impl AsContext) -> Vec<Table> {
        let store_id = self.store_id;
        self.inner(store.inner().0)
            .tables
            .iter()
            .map(|&index| Table { store_id, index })
            .collect()
    }

    fn inner<'a>(&self, store: &'a StoreInner) -> &'a InstanceInner {
        check_store(store, self.store_id, "instance");
        &store.instances[self.index]
    }
}
