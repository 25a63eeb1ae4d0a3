//! Imports by name.

use super::extern_::Extern;
use super::func::untyped_parts;
use super::instance::Instance;
use super::store::{AsContext, AsContextMut, Caller};
use super::typed::IntoFunc;
use super::val::Val;
use crate::compile::signature::AbiSignature;
use crate::error::Error;
use crate::module::Module;
use crate::module::info::Import;
use crate::runtime::host::{HostFunc, HostParts, exit};
use crate::runtime::instantiate::Imports;
use crate::runtime::layout::FuncRef;
use crate::runtime::store::StoreInner;
use crate::types::{ExternType, FuncType, TypeRegistry};
use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::Arc;

/// Definitions by module and name, from which imports are taken. A later definition replaces an earlier one of the same name.
pub struct Linker<T> {
    definitions: BTreeMap<String, BTreeMap<String, Definition>>,
    /// Host functions are for stores of `T` only.
    stores: PhantomData<fn(T) -> T>,
}

/// Makes the parts of a host function, which is allocated anew for each import of each instance.
type MakeHost = Arc<dyn Fn() -> HostParts + Send + Sync>;

#[derive(Clone)]
enum Definition {
    Extern(Extern),
    Host(MakeHost),
}

impl<T> Default for Linker<T> {
    fn default() -> Self {
        Linker {
            definitions: BTreeMap::new(),
            stores: PhantomData,
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
        let func = Arc::new(func);
        let make = move || untyped_parts::<T, _>(ty.clone(), func.clone());
        self.insert(module, name, Definition::Host(Arc::new(make)))
    }

    /// Defines `name` of `module` as a host function of the closure's type (see [`Func::wrap`](crate::Func::wrap)), for any store.
    pub fn func_wrap<P, R>(
        &mut self,
        module: &str,
        name: &str,
        func: impl IntoFunc<T, P, R> + Send + Sync,
    ) -> &mut Self {
        let func = Arc::new(func);
        let make = move || IntoFunc::parts(func.clone());
        self.insert(module, name, Definition::Host(Arc::new(make)))
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
        store: impl AsContextMut<Data = T>,
        module: &Module,
    ) -> Result<Instance, Error> {
        self.instantiate_pre(module)?.instantiate(store)
    }

    /// Finds the definitions of all imports, and does once what does not depend on the store: compares the types of host functions, and
    /// gives them the entries for compiled code.
    ///
    /// # Errors
    /// [`Error::Link`], when an import has no definition or is a host function of another type.
    pub fn instantiate_pre(&self, module: &Module) -> Result<InstancePre<T>, Error> {
        let imports = module.info().imports.iter().map(|import| {
            let names = self.definitions.get(&import.module);
            match names.and_then(|names| names.get(&import.name)) {
                Some(Definition::Extern(item)) => Ok(PreImport::Extern(*item)),
                Some(Definition::Host(make)) => PreHost::prepare(module, import, make.clone()),
                None => Err(Error::Link(format!(
                    "unknown import: {:?} {:?} has not been defined",
                    import.module, import.name
                ))),
            }
        });
        let imports = imports.collect::<Result<Vec<_>, Error>>()?;
        let items = imports.iter().enumerate();
        let items = items.filter(|(_, import)| matches!(import, PreImport::Extern(_)));
        Ok(InstancePre {
            items: items.map(|(at, _)| at).collect(),
            imports: imports.into(),
            module: module.clone(),
            stores: PhantomData,
        })
    }

    fn insert(&mut self, module: &str, name: &str, definition: Definition) -> &mut Self {
        self.definitions
            .entry(module.to_owned())
            .or_default()
            .insert(name.to_owned(), definition);
        self
    }
}

/// A module with its imports: what of instantiation can be done once and serve any number of stores.
pub struct InstancePre<T> {
    module: Module,
    imports: Arc<[PreImport]>,
    /// The places of the imports that belong to a store.
    items: Arc<[usize]>,
    /// Host functions are for stores of `T` only.
    stores: PhantomData<fn(T) -> T>,
}

/// What an import is given in every store.
pub(crate) enum PreImport {
    /// Something of one store.
    Extern(Extern),
    Host(PreHost),
}

/// A host function to be allocated in each store. Its type is the import's.
pub(crate) struct PreHost {
    make: MakeHost,
    /// The trampoline by which compiled code calls it: the module's, or its engine's.
    wasm_call: *const u8,
}

// SAFETY: `wasm_call` points to code, which never changes; the module that is kept with it keeps it alive.
unsafe impl Send for PreHost {}
// SAFETY: as above.
unsafe impl Sync for PreHost {}

impl PreHost {
    fn prepare(module: &Module, import: &Import, make: MakeHost) -> Result<PreImport, Error> {
        let parts = make();
        let given = ExternType::Func(parts.ty.clone());
        let expected = module.info().import_type(import.kind);
        if !TypeRegistry::default().extern_matches(&given, &expected) {
            return Err(Error::Link(format!(
                "incompatible import type for {:?} {:?}: expected {expected}, found {given}",
                import.module, import.name
            )));
        }
        // Of the function's own type, which may be a subtype of the import's, but has the same machine signature.
        let signature = AbiSignature::of(&parts.ty);
        let trampolines = module.trampolines(&signature);
        let native = !parts.native_call.is_null();
        let wasm_call = trampolines.and_then(|trampolines| exit(trampolines, native));
        Ok(PreImport::Host(PreHost {
            make,
            wasm_call: wasm_call.expect("a module has trampolines for its imports"),
        }))
    }

    /// Allocates the function.
    pub(crate) fn create(&self, store: &mut StoreInner) -> NonNull<FuncRef> {
        HostFunc::create(store, (self.make)(), self.wasm_call)
    }
}

impl<T> Clone for InstancePre<T> {
    fn clone(&self) -> Self {
        InstancePre {
            module: self.module.clone(),
            imports: self.imports.clone(),
            items: self.items.clone(),
            stores: PhantomData,
        }
    }
}

impl<T: 'static> InstancePre<T> {
    /// The module.
    pub fn module(&self) -> &Module {
        &self.module
    }

    /// Makes an instance, and runs its start function. Host functions are allocated in the order of the imports.
    ///
    /// # Errors
    /// As [`Instance::new`].
    ///
    /// # Panics
    /// When something that was defined as part of a store belongs to another one.
    pub fn instantiate(&self, store: impl AsContextMut<Data = T>) -> Result<Instance, Error> {
        let imports = Imports::Prepared {
            imports: &self.imports,
            items: &self.items,
        };
        Instance::of_imports(store, &self.module, imports)
    }
}
