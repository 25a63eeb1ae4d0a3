//! Imports by name.

use super::extern_::Extern;
use super::func::Func;
use super::instance::Instance;
use super::store::{AsContext, AsContextMut, Caller};
use super::val::Val;
use crate::error::Error;
use crate::module::Module;
use crate::types::FuncType;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Definitions by module and name, from which imports are taken. A later definition replaces an earlier one of the same name.
pub struct Linker<T> {
    definitions: BTreeMap<String, BTreeMap<String, Definition<T>>>,
}

type HostClosure<T> = dyn Fn(Caller<'_, T>, &[Val], &mut [Val]) -> Result<(), Error> + Send + Sync;

enum Definition<T> {
    Extern(Extern),
    /// A host function that is allocated anew for each import of each instance.
    Host(FuncType, Arc<HostClosure<T>>),
}

impl<T> Default for Linker<T> {
    fn default() -> Self {
        Linker {
            definitions: BTreeMap::new(),
        }
    }
}

impl<T: 'static> Linker<T> {
    /// A linker without definitions.
    pub fn new() -> Self {
        Self::default()
    }

    /// Defines `name` of `module` as `item`. From then on, the linker serves the store of `item` only.
    pub fn define(&mut self, module: &str, name: &str, item: impl Into<Extern>) -> &mut Self {
        self.insert(module, name, Definition::Extern(item.into()))
    }

    /// Defines `name` of `module` as a host function, for any store: [`instantiate`](Self::instantiate) allocates it there.
    pub fn func_new(
        &mut self,
        module: &str,
        name: &str,
        ty: FuncType,
        func: impl Fn(Caller<'_, T>, &[Val], &mut [Val]) -> Result<(), Error> + Send + Sync + 'static,
    ) -> &mut Self {
        self.insert(module, name, Definition::Host(ty, Arc::new(func)))
    }

    /// Defines all exports of `instance` under the name `module`.
    ///
    /// # Panics
    /// When `instance` does not belong to `store`.
    pub fn instance(
        &mut self,
        store: impl AsContext,
        module: &str,
        instance: Instance,
    ) -> &mut Self {
        for (name, item) in instance.exports(&store) {
            self.define(module, name, item);
        }
        self
    }

    /// Instantiates `module` with imports from the definitions; host functions are allocated in the order of the imports.
    ///
    /// # Errors
    /// [`Error::Link`], when an import has no definition; otherwise as [`Instance::new`].
    ///
    /// # Panics
    /// When a definition that an import takes belongs to another store.
    pub fn instantiate(
        &self,
        mut store: impl AsContextMut<Data = T>,
        module: &Module,
    ) -> Result<Instance, Error> {
        let definitions = module
            .info()
            .imports
            .iter()
            .map(|import| {
                let definition = self
                    .definitions
                    .get(&import.module)
                    .and_then(|names| names.get(&import.name));
                definition.ok_or_else(|| {
                    Error::Link(format!(
                        "unknown import: {:?} {:?} has not been defined",
                        import.module, import.name
                    ))
                })
            })
            .collect::<Result<Vec<_>, Error>>()?;
        let imports: Vec<Extern> = definitions
            .into_iter()
            .map(|definition| match definition {
                Definition::Extern(item) => *item,
                Definition::Host(ty, func) => {
                    let func = func.clone();
                    let call = move |caller: Caller<'_, T>, params: &[Val], results: &mut [Val]| {
                        func(caller, params, results)
                    };
                    Extern::Func(Func::new(&mut store, ty.clone(), call))
                }
            })
            .collect();
        Instance::new(store, module, &imports)
    }

    fn insert(&mut self, module: &str, name: &str, definition: Definition<T>) -> &mut Self {
        self.definitions
            .entry(module.to_owned())
            .or_default()
            .insert(name.to_owned(), definition);
        self
    }
}
