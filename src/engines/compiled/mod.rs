//! The adapter of the compiling engine.

mod axes;
mod convert;

use super::configuration;
use super::translate::define_event;
use super::{
    Binding, CONTINUATIONS, Engine, HostFunction, InstanceId, MEMORY_PAGES, ModuleId, Planted,
    Registration, Session, Settings, TABLE_ELEMENTS, converted, failed, no_default, no_function,
    no_global, unbound,
};
use crate::generate::Features;
use crate::observe::{Continuation, Event, Memory, Outcome, State, Table, TraceScope, Value};
use axes::{AXES, axes};
use convert::{any, argument_of, location, trace_value, trap_kind};
use std::cell::Cell;
use switchback_engine as compiled;
use switchback_engine::{AsContextMut, trace};

/// The registry's entry.
pub const REGISTRATION: Registration = Registration {
    name: "compiled",
    summary: "the compiling engine",
    create: |settings| Ok(Box::new(Compiled::new(settings)?)),
    planted,
    features: Features::ALL,
    axes,
    gaps: &[],
    default: true,
};

struct Compiled {
    engine: compiled::Engine,
    trace: bool,
}

impl Compiled {
    fn new(settings: &Settings) -> Result<Compiled, String> {
        let mut config = compiled::Config::new();
        config.trace(settings.trace).limits(compiled::Limits {
            memory_pages: MEMORY_PAGES,
            table_elements: TABLE_ELEMENTS,
            continuations: CONTINUATIONS,
            ..compiled::Limits::default()
        });
        // No host function of ours looks at its callers, and compiling is what a campaign's time goes into.
        config.native_unwind_info(false);
        configuration::apply(AXES, &mut config, &settings.configuration)?;
        plant(&mut config, settings);
        Ok(Compiled {
            engine: compiled::Engine::new(&config).map_err(|error| error.to_string())?,
            trace: settings.trace,
        })
    }
}

#[cfg(feature = "planted-bugs")]
fn planted() -> Vec<Planted> {
    let describe = |bug: &compiled::PlantedBug| Planted {
        name: bug.name(),
        summary: bug.description(),
        classes: bug.classes(),
    };
    compiled::PlantedBug::ALL.iter().map(describe).collect()
}

#[cfg(feature = "planted-bugs")]
fn plant(config: &mut compiled::Config, settings: &Settings) {
    let bug = settings.plant.as_deref();
    config.plant(bug.and_then(compiled::PlantedBug::from_name));
}

#[cfg(not(feature = "planted-bugs"))]
fn planted() -> Vec<Planted> {
    Vec::new()
}

#[cfg(not(feature = "planted-bugs"))]
fn plant(_: &mut compiled::Config, _: &Settings) {}

impl Engine for Compiled {
    fn name(&self) -> &'static str {
        REGISTRATION.name
    }

    fn traces(&self) -> Option<TraceScope> {
        self.trace.then_some(TraceScope::All)
    }

    fn session(&self) -> Box<dyn Session> {
        Box::new(CompiledSession {
            store: compiled::Store::new(&self.engine, ()),
            engine: self.engine.clone(),
            modules: Vec::new(),
            instances: Vec::new(),
            backtrace: Cell::default(),
        })
    }
}

struct CompiledSession {
    engine: compiled::Engine,
    store: compiled::Store<()>,
    modules: Vec<compiled::Module>,
    instances: Vec<compiled::Instance>,
    backtrace: Cell<compiled::Backtrace>,
}

impl Session for CompiledSession {
    fn compile(&mut self, wasm: &[u8]) -> Result<ModuleId, Outcome> {
        let module = compiled::Module::new(&self.engine, wasm);
        self.modules
            .push(module.map_err(|error| self.outcome(error))?);
        Ok(ModuleId(self.modules.len() - 1))
    }

    fn instantiate(
        &mut self,
        module: ModuleId,
        bindings: &[Binding],
    ) -> Result<InstanceId, Outcome> {
        let module = self.modules[module.0].clone();
        let mut externs: Vec<compiled::Extern> = Vec::new();
        for (import, binding) in module.imports().zip(bindings) {
            let item = match binding {
                Binding::Export { instance, name } => self.instances[instance.0]
                    .get_export(&self.store, name)
                    .ok_or_else(|| unbound(import.module(), import.name()))?,
                Binding::SameAs(earlier) => externs[*earlier],
                Binding::Host(function) => self.host_item(&import, *function)?,
            };
            externs.push(item);
        }
        let instance = compiled::Instance::new(&mut self.store, &module, &externs);
        self.instances
            .push(instance.map_err(|error| self.outcome(error))?);
        Ok(InstanceId(self.instances.len() - 1))
    }

    fn invoke(&mut self, instance: InstanceId, export: &str, arguments: &[Value]) -> Outcome {
        let item = self.instances[instance.0].get_export(&self.store, export);
        let Some(compiled::Extern::Func(func)) = item else {
            return no_function(export);
        };
        let ty = func.ty(&self.store);
        let convert = |ty: &_, value| argument_of(ty, value).ok_or_else(|| ty.to_string());
        let values = match converted(export, ty.params(), arguments, convert) {
            Ok(values) => values,
            Err(refused) => return refused,
        };
        let mut results = vec![compiled::Val::I32(0); ty.results().len()];
        match func.call(&mut self.store, &values, &mut results) {
            Ok(()) => Outcome::Returned {
                values: self.values(&results),
            },
            Err(compiled::Error::Link(message) | compiled::Error::Type(message)) => failed(message),
            Err(error) => self.outcome(error),
        }
    }

    fn global(&mut self, instance: InstanceId, export: &str) -> Result<Value, Outcome> {
        match self.instances[instance.0].get_export(&self.store, export) {
            Some(compiled::Extern::Global(global)) => Ok(self.value(global.get(&self.store))),
            _ => Err(no_global(export)),
        }
    }

    fn take_trace(&mut self) -> Vec<Event> {
        self.store.take_trace().into_iter().map(event).collect()
    }

    fn take_backtrace(&mut self) -> Vec<String> {
        let backtrace = self.backtrace.take();
        let mut lines: Vec<_> = backtrace.frames().iter().map(|f| f.to_string()).collect();
        if backtrace.is_truncated() {
            lines.push("(and more)".to_owned());
        }
        lines
    }

    fn state(&mut self, instance: InstanceId) -> State {
        let instance = self.instances[instance.0];
        let store = &self.store;
        let mut continuations = Vec::new();
        let mut look = |value: compiled::Val| {
            if let compiled::Val::ContRef(Some(cont)) = value {
                continuations.push(Continuation {
                    number: cont.number(store),
                    consumed: Some(cont.is_consumed(store)),
                });
            }
            self.value(value)
        };
        let globals = instance.all_globals(store).into_iter();
        let globals = globals.map(|global| look(global.get(store))).collect();
        let memories = instance.all_memories(store).into_iter();
        let memories = memories
            .map(|memory| Memory::new(memory.size(store), memory.data(store)))
            .collect();
        let tables = instance.all_tables(store).into_iter();
        let tables = tables
            .map(|table| {
                let elements = (0..table.size(store)).map_while(|i| table.get(store, i));
                Table::new(elements.map(&mut look).collect())
            })
            .collect();
        State {
            globals,
            memories,
            tables,
            continuations,
        }
    }

    fn executed(&self, _: InstanceId, _: u32) -> Option<Vec<u32>> {
        None
    }
}

impl CompiledSession {
    /// A new host item of the type that an import asks for.
    fn host_item(
        &mut self,
        import: &compiled::ImportType<'_>,
        function: HostFunction,
    ) -> Result<compiled::Extern, Outcome> {
        let default = |ty: &compiled::ValType| {
            compiled::Val::default_for(ty)
                .ok_or_else(|| no_default(import.module(), import.name(), &ty.to_string()))
        };
        Ok(match import.ty() {
            compiled::ExternType::Func(ty) => {
                let results = ty.results().iter().map(default);
                let results = results.collect::<Result<Vec<_>, _>>()?;
                host_function(&mut self.store, ty, results, function).into()
            }
            compiled::ExternType::Global(ty) => {
                let value = default(ty.content())?;
                let global = compiled::Global::new(&mut self.store, ty.clone(), value);
                global.map_err(|error| self.outcome(error))?.into()
            }
            compiled::ExternType::Memory(ty) => {
                let memory = compiled::Memory::new(&mut self.store, ty.clone());
                memory.map_err(|error| self.outcome(error))?.into()
            }
            compiled::ExternType::Table(ty) => {
                let value = default(&compiled::ValType::Ref(ty.element().clone()))?;
                let table = compiled::Table::new(&mut self.store, ty.clone(), value);
                table.map_err(|error| self.outcome(error))?.into()
            }
            compiled::ExternType::Tag(ty) => compiled::Tag::new(&mut self.store, ty.clone()).into(),
        })
    }

    fn outcome(&self, error: compiled::Error) -> Outcome {
        match error {
            compiled::Error::Invalid { offset, message } => Outcome::Rejected {
                message,
                offset: Some(offset as u64),
            },
            compiled::Error::Unsupported(unsupported) => Outcome::Unsupported {
                message: unsupported.to_string(),
            },
            compiled::Error::Link(message) => Outcome::Unlinkable { message },
            compiled::Error::Trap(trap) => {
                self.backtrace.set(trap.backtrace);
                Outcome::Trapped {
                    trap: trap_kind(trap.kind),
                    at: trap.location.map(location),
                }
            }
            compiled::Error::Exception(exception) => Outcome::Threw {
                tag: exception.tag_address(&self.store),
                values: self.values(&exception.values(&self.store)),
            },
            compiled::Error::Suspended { tag } => Outcome::Suspended { tag: Some(tag) },
            compiled::Error::Exhausted(what) => Outcome::Exhausted {
                what: what.to_string(),
            },
            // An engine's own failure, wrong use, or a kind of error to come.
            other => failed(other.to_string()),
        }
    }

    fn values(&self, values: &[compiled::Val]) -> Vec<Value> {
        values.iter().map(|&value| self.value(value)).collect()
    }

    fn value(&self, value: compiled::Val) -> Value {
        use compiled::Val;
        match value {
            Val::I32(v) => Value::I32(v),
            Val::I64(v) => Value::I64(v),
            Val::F32(bits) => Value::F32(bits),
            Val::F64(bits) => Value::F64(bits),
            Val::V128(bits) => Value::V128(bits),
            Val::FuncRef(Some(func)) => Value::Func(func.address(&self.store)),
            Val::ExternRef(Some(reference)) => any(reference.to_any().kind(&self.store)),
            Val::AnyRef(Some(reference)) => any(reference.kind(&self.store)),
            Val::ExnRef(Some(exn)) => Value::Exn(exn.tag_address(&self.store)),
            Val::ContRef(Some(cont)) => Value::Cont(cont.number(&self.store)),
            Val::FuncRef(None)
            | Val::ExternRef(None)
            | Val::AnyRef(None)
            | Val::ExnRef(None)
            | Val::ContRef(None) => Value::Null,
        }
    }
}

/// A host function that behaves as described; `results` are the default values of
/// its result types.
fn host_function(
    store: &mut compiled::Store<()>,
    ty: &compiled::FuncType,
    results: Vec<compiled::Val>,
    function: HostFunction,
) -> compiled::Func {
    let body = move |mut caller: compiled::Caller<'_, ()>,
                     arguments: &[compiled::Val],
                     out: &mut [compiled::Val]| {
        if let (HostFunction::CallArgument, Some(compiled::Val::FuncRef(Some(func)))) =
            (function, arguments.first())
        {
            call_with_defaults(&mut caller, *func)?;
        }
        out.copy_from_slice(&results);
        Ok(())
    };
    compiled::Func::new(store, ty.clone(), body)
}

/// Calls a function with the default values of its parameter types, if they have
/// any.
fn call_with_defaults(
    store: &mut impl AsContextMut,
    func: compiled::Func,
) -> Result<(), compiled::Error> {
    let ty = func.ty(&store);
    let params = ty.params().iter().map(compiled::Val::default_for);
    let Some(arguments) = params.collect::<Option<Vec<_>>>() else {
        return Ok(());
    };
    let mut results = vec![compiled::Val::I32(0); ty.results().len()];
    func.call(store, &arguments, &mut results)
}

define_event!(trace, trace_value, trap_kind, location);
