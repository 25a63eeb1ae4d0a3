//! The adapter of Wasmtime, the one engine from elsewhere that is compared on stack switching itself.
//!
//! Wasmtime shows of an instance what it exports, so it is given the same module with everything exported (see `expose`). Its
//! interface has no references to continuations: whether one in a global or a table is null, functions tell that the adapter adds
//! to the module (see `probe`). It records no trace but the calls of host functions, which the adapter sees.

mod host;
mod settings;
mod state;
mod values;

use super::probe::Probed;
use super::{
    Binding, Engine, Gap, InstanceId, MEMORY_PAGES, ModuleId, Registration, Session,
    TABLE_ELEMENTS, no_default, unbound,
};
use crate::generate::Features;
use crate::observe::{Event, Outcome, State, TraceScope, Value};
use host::{Host, tag_address, without_continuations};
use std::collections::HashMap;
use std::mem;
use values::{Unsupported, identity, is_continuation, outcome, value};
use wasm_encoder::ExportKind;
use wasmparser::{Validator, WasmFeatures};
use wasmtime::{
    AsContextMut, Extern, ExternRef, Func, HeapType, Instance, Store, StoreLimitsBuilder, Val,
    ValType,
};

/// The registry's entry.
pub const REGISTRATION: Registration = Registration {
    name: "wasmtime",
    summary: "Wasmtime 48, with its continuations",
    create: |settings| {
        Ok(Box::new(Wasmtime {
            engine: settings::engine(settings)?,
            trace: settings.trace,
        }))
    },
    planted: Vec::new,
    features: Features {
        bound_references: false,
        continuations_in_objects: false,
        late_switch_types: false,
        // Its deterministic multiply-add rounds once, that of the specification's deterministic profile twice, and its dot product does
        // not saturate. That is no gap: an implementation may do either.
        relaxed_choices: false,
        ..Features::ALL
    },
    axes: settings::axes,
    gaps: GAPS,
    default: false,
};

/// What is known to go wrong.
const GAPS: &[Gap] = &[
    Gap {
        feature: "bound_references",
        reason: "Wasmtime 48 refuses to bind references to what its collector manages: it does not look for them in a continuation's \
                 arguments",
        reference: "corpus/regressions/wasmtime-bound-references.wast",
    },
    Gap {
        feature: "continuations_in_objects",
        reason: "Wasmtime 48 has no references to continuations in what its collector manages",
        reference: "corpus/regressions/wasmtime-continuations-in-objects.wast",
    },
    Gap {
        feature: "late_switch_types",
        reason: "Wasmtime 48 takes the index of a type among different ones for its index in the module, and fails at `switch`",
        reference: "corpus/regressions/wasmtime-late-switch-types.wast",
    },
];

struct Wasmtime {
    engine: wasmtime::Engine,
    trace: bool,
}

impl Engine for Wasmtime {
    fn name(&self) -> &'static str {
        REGISTRATION.name
    }

    fn traces(&self) -> Option<TraceScope> {
        self.trace.then_some(TraceScope::HostCalls)
    }

    fn session(&self) -> Box<dyn Session> {
        let limits = StoreLimitsBuilder::new()
            .memory_size((MEMORY_PAGES << 16) as usize)
            .table_elements(TABLE_ELEMENTS as usize)
            .build();
        let host = Host {
            limits,
            trace: self.trace,
            calls: Vec::new(),
            addresses: HashMap::new(),
            functions: 0,
            tags: Vec::new(),
            types: Vec::new(),
        };
        let mut store = Store::new(&self.engine, host);
        store.limiter(|host| &mut host.limits);
        Box::new(WasmtimeSession {
            engine: self.engine.clone(),
            store,
            modules: Vec::new(),
            instances: Vec::new(),
        })
    }
}

struct WasmtimeSession {
    engine: wasmtime::Engine,
    store: Store<Host>,
    modules: Vec<(wasmtime::Module, Probed)>,
    instances: Vec<(Instance, ModuleId)>,
}

impl Session for WasmtimeSession {
    fn compile(&mut self, wasm: &[u8]) -> Result<ModuleId, Outcome> {
        // What is compiled is the module with everything exported; the original is to be judged as it is.
        wasmtime::Module::validate(&self.engine, wasm).map_err(|error| refusal(wasm, &error))?;
        let probed = Probed::new(wasm).map_err(|error| failed(error.to_string()))?;
        let module = wasmtime::Module::new(&self.engine, &probed.exposed.wasm);
        let module = module.map_err(|error| uncompiled(&error))?;
        self.modules.push((module, probed));
        Ok(ModuleId(self.modules.len() - 1))
    }

    fn instantiate(
        &mut self,
        module: ModuleId,
        bindings: &[Binding],
    ) -> Result<InstanceId, Outcome> {
        let compiled = self.modules[module.0].0.clone();
        let provider = self.provider(module)?;
        let mut items: Vec<Extern> = Vec::new();
        for (import, binding) in compiled.imports().zip(bindings) {
            let (from, name) = (import.module(), import.name());
            let item = match binding {
                Binding::Export { instance, name } => self.instances[instance.0]
                    .0
                    .get_export(&mut self.store, name)
                    .ok_or_else(|| unbound(from, name))?,
                Binding::SameAs(earlier) => items[*earlier].clone(),
                Binding::Host(function) => {
                    let index = items.len().to_string();
                    let provided = provider.and_then(|p| p.get_export(&mut self.store, &index));
                    match provided {
                        Some(item) => {
                            let tag = item.clone().into_tag();
                            self.store.data_mut().tags.extend(tag);
                            item
                        }
                        None => self.host_item(&import.ty(), *function).map_err(|error| {
                            let ty = || format!("{:?}", import.ty());
                            error.unwrap_or_else(|| no_default(from, name, &ty()))
                        })?,
                    }
                }
            };
            items.push(item);
        }
        let instance = Instance::new(&mut self.store, &compiled, &items);
        let instance = instance.map_err(|error| self.outcome(&error))?;
        self.instances.push((instance, module));
        self.register(instance, module, &items);
        let exposed = &self.modules[module.0].1.exposed;
        if let Some(start) = exposed.start {
            let func = self.exported(instance, &exposed.name(ExportKind::Func, start));
            let called = func.call(&mut self.store, &[], &mut []);
            called.map_err(|error| self.outcome(&error))?;
        }
        Ok(InstanceId(self.instances.len() - 1))
    }

    fn invoke(&mut self, instance: InstanceId, export: &str, arguments: &[Value]) -> Outcome {
        let instance = self.instances[instance.0].0;
        let Some(func) = instance.get_func(&mut self.store, export) else {
            return failed(format!("there is no exported function {export:?}"));
        };
        let ty = func.ty(&self.store);
        if ty.params().len() != arguments.len() {
            return failed(format!(
                "{export:?} has {} parameters, not {}",
                ty.params().len(),
                arguments.len()
            ));
        }
        if let Err(Unsupported(what)) = without_continuations(&ty) {
            return unsupported(&what);
        }
        let mut values = Vec::with_capacity(arguments.len());
        for (ty, argument) in ty.params().zip(arguments) {
            match self.argument(&ty, *argument) {
                Some(value) => values.push(value),
                None => return failed(format!("{argument} is no argument of type {ty}")),
            }
        }
        let mut results = vec![Val::I32(0); ty.results().len()];
        match func.call(&mut self.store, &values, &mut results) {
            Ok(()) => Outcome::Returned {
                values: values::values(&mut self.store.as_context_mut(), &results),
            },
            Err(error) => self.outcome(&error),
        }
    }

    fn global(&mut self, instance: InstanceId, export: &str) -> Result<Value, Outcome> {
        let instance = self.instances[instance.0].0;
        let Some(global) = instance.get_global(&mut self.store, export) else {
            return Err(failed(format!("there is no exported global {export:?}")));
        };
        if is_continuation(global.ty(&self.store).content()) {
            return Err(unsupported("reading a global that holds a continuation"));
        }
        let content = global.get(&mut self.store);
        Ok(value(&mut self.store.as_context_mut(), &content))
    }

    fn take_trace(&mut self) -> Vec<Event> {
        mem::take(&mut self.store.data_mut().calls)
    }

    fn state(&mut self, instance: InstanceId) -> State {
        let (instance, module) = self.instances[instance.0];
        state::read(
            self.store.as_context_mut(),
            instance,
            &self.modules[module.0].1,
        )
    }

    fn executed(&self, _: InstanceId, _: u32) -> Option<Vec<u32>> {
        None
    }
}

impl WasmtimeSession {
    fn outcome(&mut self, error: &wasmtime::Error) -> Outcome {
        outcome(&mut self.store.as_context_mut(), error)
    }

    /// A function that the adapter has exported.
    fn exported(&mut self, instance: Instance, name: &str) -> Func {
        let func = instance.get_func(&mut self.store, name);
        func.expect("everything is exported")
    }

    /// Notes what an instance allocated: functions, tags, and the types of its module. `items` are its imports.
    fn register(&mut self, instance: Instance, module: ModuleId, items: &[Extern]) {
        let Probed { exposed, types, .. } = &self.modules[module.0].1;
        let mut store = self.store.as_context_mut();
        let mut imported = items.iter().filter_map(|item| item.clone().into_func());
        for index in 0..exposed.counts.functions {
            let func = instance.get_func(&mut store, &exposed.name(ExportKind::Func, index));
            let identity_here = identity(&mut store, func.expect("everything is exported"));
            // In this instance, a function that it imports has an identity of its own.
            let address = match imported.next() {
                Some(import) => {
                    let import = identity(&mut store, import);
                    store.data().addresses.get(&import).copied()
                }
                None => {
                    let host = store.data_mut();
                    host.functions += 1;
                    Some(host.functions - 1)
                }
            };
            let address = address.unwrap_or(u32::MAX);
            store.data_mut().addresses.insert(identity_here, address);
        }
        for index in 0..exposed.counts.tags {
            let tag = instance.get_tag(&mut store, &exposed.name(ExportKind::Tag, index));
            let tag = tag.expect("everything is exported");
            if tag_address(&store, &tag).is_none() {
                store.data_mut().tags.push(tag);
            }
        }
        for (index, name) in types {
            let global = instance.get_global(&mut store, name);
            let ty = global.expect("everything is exported").ty(&store);
            let heap_type = ty.content().unwrap_ref().heap_type().clone();
            store.data_mut().types.push((heap_type, *index));
        }
    }

    /// An instance of the module that provides what the interface cannot make.
    fn provider(&mut self, module: ModuleId) -> Result<Option<Instance>, Outcome> {
        let Some(wasm) = &self.modules[module.0].1.provider else {
            return Ok(None);
        };
        let provider = wasmtime::Module::new(&self.engine, wasm);
        let provider = provider.map_err(|error| uncompiled(&error))?;
        let instance = Instance::new(&mut self.store, &provider, &[]);
        instance.map(Some).map_err(|error| self.outcome(&error))
    }

    fn argument(&mut self, ty: &ValType, value: Value) -> Option<Val> {
        Some(match (ty, value) {
            (ValType::I32, Value::I32(v)) => Val::I32(v),
            (ValType::I64, Value::I64(v)) => Val::I64(v),
            (ValType::F32, Value::F32(bits)) => Val::F32(bits),
            (ValType::F64, Value::F64(bits)) => Val::F64(bits),
            (ValType::V128, Value::V128(bits)) => Val::V128(bits.into()),
            (ValType::Ref(ty), Value::Null) => Val::null_ref(ty.heap_type()),
            (ValType::Ref(ty), Value::Extern(number)) => {
                let reference = ExternRef::new(&mut self.store, number).ok()?;
                match ty.heap_type() {
                    HeapType::Extern => Val::ExternRef(Some(reference)),
                    HeapType::Any => {
                        let any = wasmtime::AnyRef::convert_extern(&mut self.store, reference);
                        Val::AnyRef(Some(any.ok()?))
                    }
                    _ => return None,
                }
            }
            _ => return None,
        })
    }
}

/// What it means that Wasmtime does not take a module.
fn refusal(wasm: &[u8], error: &wasmtime::Error) -> Outcome {
    let message = format!("{error:#}");
    let reader = error.downcast_ref::<wasmparser::BinaryReaderError>();
    let offset = reader.map(|reader| reader.offset());
    // A module that is valid, but not without a proposal that Wasmtime lacks, is no mistake of Wasmtime's. (Custom descriptors
    // are none that anybody here has, and change what older instructions are valid for.)
    let proposals = WasmFeatures::all().difference(WasmFeatures::CUSTOM_DESCRIPTORS);
    let valid = Validator::new_with_features(proposals).validate_all(wasm);
    if valid.is_ok() {
        unsupported(&message)
    } else {
        Outcome::Rejected { message, offset }
    }
}

/// What it means that Wasmtime does not compile a valid module.
fn uncompiled(error: &wasmtime::Error) -> Outcome {
    let message = format!("{error:#}");
    if message.contains("Unsupported feature") {
        unsupported(&message)
    } else if message.contains("Implementation limit exceeded") {
        Outcome::Exhausted {
            what: format!("compiler ({message})"),
        }
    } else {
        failed(message)
    }
}

fn unsupported(what: &str) -> Outcome {
    Outcome::Unsupported {
        message: format!("not supported: {what}"),
    }
}

fn failed(message: String) -> Outcome {
    Outcome::Failed { message }
}
