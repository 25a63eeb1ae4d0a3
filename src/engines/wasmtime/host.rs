//! What Wasmtime's host makes: the items of the standard host, and what its functions can reach.

use super::values::{self, Unsupported, identity, is_continuation};
use super::{WasmtimeSession, unsupported};
use crate::engines::HostFunction;
use crate::observe::{Event, EventKind, Outcome};
use std::collections::HashMap;
use wasmtime::{
    AsContextMut, Caller, Extern, ExternType, Func, FuncType, HeapType, Ref, StoreContextMut,
    StoreLimits, Tag, Val, ValType,
};

/// What host functions can reach.
pub(super) struct Host {
    pub(super) limits: StoreLimits,
    pub(super) trace: bool,
    pub(super) calls: Vec<Event>,
    /// The store addresses of functions: the how-manyth of the store each is, as in the specification.
    pub(super) addresses: HashMap<usize, u32>,
    pub(super) functions: u32,
    /// All tags in the order of their allocation.
    pub(super) tags: Vec<Tag>,
    /// The structure and array types of all modules, with their indices there.
    pub(super) types: Vec<(HeapType, u32)>,
}

impl WasmtimeSession {
    /// A new host item of the type that an import asks for; `None` as the error where its type has no default value.
    pub(super) fn host_item(
        &mut self,
        ty: &ExternType,
        function: HostFunction,
    ) -> Result<Extern, Option<Outcome>> {
        Ok(match ty {
            ExternType::Func(ty) => self.host_function(ty, function)?.into(),
            ExternType::Global(ty) => {
                if !has_default(ty.content()) {
                    return Err(None);
                }
                let value = default_of(ty.content());
                let global = wasmtime::Global::new(&mut self.store, ty.clone(), value);
                global.map_err(|error| Some(self.outcome(&error)))?.into()
            }
            ExternType::Memory(ty) => {
                let memory = wasmtime::Memory::new(&mut self.store, ty.clone());
                memory.map_err(|error| Some(self.outcome(&error)))?.into()
            }
            ExternType::Table(ty) => {
                if !ty.element().is_nullable() {
                    return Err(None);
                }
                let null = Ref::null(ty.element().heap_type());
                let table = wasmtime::Table::new(&mut self.store, ty.clone(), null);
                table.map_err(|error| Some(self.outcome(&error)))?.into()
            }
            ExternType::Tag(_) => unreachable!("tags are provided by a module"),
        })
    }

    fn host_function(
        &mut self,
        ty: &FuncType,
        function: HostFunction,
    ) -> Result<Func, Option<Outcome>> {
        without_continuations(ty).map_err(|Unsupported(what)| Some(unsupported(&what)))?;
        let results: Vec<ValType> = ty.results().collect();
        if !results.iter().all(has_default) {
            return Err(None);
        }
        let address = self.store.data().functions;
        let body = move |mut caller: Caller<'_, Host>, arguments: &[Val], out: &mut [Val]| {
            let mut store = caller.as_context_mut();
            record(&mut store, address, false, arguments);
            if let (HostFunction::CallArgument, Some(Val::FuncRef(Some(func)))) =
                (function, arguments.first())
            {
                call_with_defaults(&mut store, *func)?;
            }
            for (out, ty) in out.iter_mut().zip(&results) {
                *out = default_of(ty);
            }
            record(&mut store, address, true, out);
            Ok(())
        };
        let func = Func::new(&mut self.store, ty.clone(), body);
        let identity = identity(&mut self.store.as_context_mut(), func);
        let host = self.store.data_mut();
        host.addresses.insert(identity, address);
        host.functions += 1;
        Ok(func)
    }
}

/// The address of a tag in the store.
pub(super) fn tag_address(store: &StoreContextMut<'_, Host>, tag: &Tag) -> Option<u32> {
    let tags = &store.data().tags;
    let place = tags.iter().position(|other| Tag::eq(other, tag, store));
    place.map(|place| place as u32)
}

/// Calls a function with the default values of its parameter types, if they have any.
fn call_with_defaults(
    store: &mut StoreContextMut<'_, Host>,
    func: Func,
) -> Result<(), wasmtime::Error> {
    let ty = func.ty(&*store);
    if !ty.params().all(|ty| has_default(&ty)) {
        return Ok(());
    }
    without_continuations(&ty)?;
    let arguments: Vec<Val> = ty.params().map(|ty| default_of(&ty)).collect();
    let mut ignored = vec![Val::I32(0); ty.results().len()];
    func.call(store, &arguments, &mut ignored)
}

fn has_default(ty: &ValType) -> bool {
    ty.as_ref().is_none_or(|ty| ty.is_nullable())
}

/// The default value of a type that has one and is not of references to continuations.
fn default_of(ty: &ValType) -> Val {
    Val::default_for_ty(ty).expect("the type has a default value")
}

/// Wasmtime's interface has no references to continuations: it panics at a call with one.
pub(super) fn without_continuations(ty: &FuncType) -> Result<(), Unsupported> {
    if ty
        .params()
        .chain(ty.results())
        .any(|ty| is_continuation(&ty))
    {
        let what = "a call between host and module with a reference to a continuation";
        return Err(Unsupported(what.to_owned()));
    }
    Ok(())
}

fn record(store: &mut StoreContextMut<'_, Host>, function: u32, returns: bool, values: &[Val]) {
    if store.data().trace {
        let values = values::values(store, values);
        let kind = if returns {
            EventKind::HostReturn { function, values }
        } else {
            EventKind::HostCall { function, values }
        };
        store.data_mut().calls.push(Event { kind, at: None });
    }
}
