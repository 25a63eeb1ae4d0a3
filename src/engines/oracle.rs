//! The adapter of the reference interpreter.

use super::translate::define_event;
use super::{
    Binding, CONTINUATIONS, Engine, HostFunction, INSTRUCTIONS, InstanceId, MEMORY_PAGES, ModuleId,
    Registration, Session, Settings, TABLE_ELEMENTS, converted, failed, no_default, no_function,
    no_global, unbound,
};
use crate::generate::Features;
use crate::observe::{
    Continuation, Event, Execution, Location, Memory, Outcome, State, Table, TraceScope, TrapKind,
    Value,
};
use switchback_oracle as oracle;
use switchback_oracle::AsContextMut;

/// The registry's entry.
pub const REGISTRATION: Registration = Registration {
    name: "oracle",
    summary: "the reference interpreter",
    create: |settings| Ok(Box::new(Oracle::new(settings))),
    planted: Vec::new,
    features: Features::ALL,
    axes: Vec::new,
    gaps: &[],
    default: true,
};

struct Oracle {
    config: oracle::Config,
    trace: bool,
}

impl Oracle {
    fn new(settings: &Settings) -> Oracle {
        let mut config = oracle::Config::new();
        config
            .trace(settings.trace)
            .coverage(settings.coverage)
            .counts(settings.counts)
            .max_instructions(settings.instructions)
            .limits(common_limits(oracle::Limits::default()));
        Oracle {
            config,
            trace: settings.trace,
        }
    }
}

impl Engine for Oracle {
    fn name(&self) -> &'static str {
        REGISTRATION.name
    }

    fn traces(&self) -> Option<TraceScope> {
        self.trace.then_some(TraceScope::All)
    }

    fn session(&self) -> Box<dyn Session> {
        // An engine keeps the types of all its modules, so each session has its
        // own; that costs next to nothing.
        let engine = oracle::Engine::new(&self.config).expect("every configuration is possible");
        Box::new(OracleSession {
            store: oracle::Store::new(&engine, ()),
            engine,
            modules: Vec::new(),
            instances: Vec::new(),
        })
    }
}

struct OracleSession {
    engine: oracle::Engine,
    store: oracle::Store<()>,
    modules: Vec<oracle::Module>,
    instances: Vec<oracle::Instance>,
}

impl Session for OracleSession {
    fn compile(&mut self, wasm: &[u8]) -> Result<ModuleId, Outcome> {
        let module = oracle::Module::new(&self.engine, wasm);
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
        let mut externs: Vec<oracle::Extern> = Vec::new();
        for (import, binding) in module.imports().zip(bindings) {
            let item = match binding {
                Binding::Export { instance, name } => self.instances[instance.0]
                    .get_export(&self.store, name)
                    .ok_or_else(|| unbound(&import.module, &import.name))?,
                Binding::SameAs(earlier) => externs[*earlier],
                Binding::Host(function) => self.host_item(&import, *function)?,
            };
            externs.push(item);
        }
        let instance = oracle::Instance::new(&mut self.store, &module, &externs);
        self.instances
            .push(instance.map_err(|error| self.outcome(error))?);
        Ok(InstanceId(self.instances.len() - 1))
    }

    fn invoke(&mut self, instance: InstanceId, export: &str, arguments: &[Value]) -> Outcome {
        let item = self.instances[instance.0].get_export(&self.store, export);
        let Some(oracle::Extern::Func(func)) = item else {
            return no_function(export);
        };
        let ty = func.ty(&self.store);
        let convert =
            |ty: &oracle::ValType, value| argument_of(*ty, value).ok_or_else(|| ty.to_string());
        let values = match converted(export, ty.params(), arguments, convert) {
            Ok(values) => values,
            Err(refused) => return refused,
        };
        let mut results = vec![oracle::Val::I32(0); ty.results().len()];
        match func.call(&mut self.store, &values, &mut results) {
            Ok(()) => Outcome::Returned {
                values: self.values(&results),
            },
            Err(oracle::Error::Link(message)) => failed(message),
            Err(error) => self.outcome(error),
        }
    }

    fn global(&mut self, instance: InstanceId, export: &str) -> Result<Value, Outcome> {
        match self.instances[instance.0].get_export(&self.store, export) {
            Some(oracle::Extern::Global(global)) => Ok(self.value(global.get(&self.store))),
            _ => Err(no_global(export)),
        }
    }

    fn take_trace(&mut self) -> Vec<Event> {
        self.store.take_trace().into_iter().map(event).collect()
    }

    fn state(&mut self, instance: InstanceId) -> State {
        let instance = self.instances[instance.0];
        let store = &self.store;
        let mut continuations = Vec::new();
        let mut look = |value: oracle::Val| {
            if let oracle::Val::ContRef(Some(cont)) = value {
                continuations.push(Continuation {
                    number: Some(cont.number()),
                    consumed: Some(store.is_consumed(cont)),
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

    fn executed(&self, instance: InstanceId, function: u32) -> Option<Vec<u32>> {
        let coverage = self.store.coverage(self.instances[instance.0], function);
        coverage.map(|coverage| coverage.executed)
    }

    fn take_executions(&mut self, instance: InstanceId) -> Vec<Execution> {
        let counts = self.store.take_counts(self.instances[instance.0]);
        let translate = |counted: oracle::Executions| Execution {
            events: counted.events,
            offset: counted.offset,
            count: counted.count,
        };
        counts.into_iter().map(translate).collect()
    }
}

impl OracleSession {
    /// A new host item of the type that an import asks for.
    fn host_item(
        &mut self,
        import: &oracle::ImportType,
        function: HostFunction,
    ) -> Result<oracle::Extern, Outcome> {
        let default = |ty| {
            oracle::Val::default_of(ty)
                .ok_or_else(|| no_default(&import.module, &import.name, &ty.to_string()))
        };
        Ok(match &import.ty {
            oracle::ExternType::Func(ty) => {
                let results = ty.results().iter().map(|&ty| default(ty));
                let results = results.collect::<Result<Vec<_>, _>>()?;
                host_function(&mut self.store, ty, results, function).into()
            }
            oracle::ExternType::Global(ty) => {
                let value = default(ty.content)?;
                let global = oracle::Global::new(&mut self.store, *ty, value);
                global.map_err(|error| self.outcome(error))?.into()
            }
            oracle::ExternType::Memory(ty) => {
                let memory = oracle::Memory::new(&mut self.store, *ty);
                memory.map_err(|error| self.outcome(error))?.into()
            }
            oracle::ExternType::Table(ty) => {
                let value = default(oracle::ValType::Ref(ty.element))?;
                let table = oracle::Table::new(&mut self.store, *ty, value);
                table.map_err(|error| self.outcome(error))?.into()
            }
            oracle::ExternType::Tag(ty) => oracle::Tag::new(&mut self.store, ty.clone()).into(),
        })
    }

    fn outcome(&self, error: oracle::Error) -> Outcome {
        match error {
            oracle::Error::Invalid { offset, message } => Outcome::Rejected {
                message,
                offset: Some(offset),
            },
            oracle::Error::Unsupported { .. } => Outcome::Unsupported {
                message: error.to_string(),
            },
            oracle::Error::Link(message) => Outcome::Unlinkable { message },
            oracle::Error::Trap(trap) => Outcome::Trapped {
                trap: trap_kind(trap.kind),
                at: trap.location.map(location),
            },
            oracle::Error::Exception(exception) => Outcome::Threw {
                tag: exception.tag.address(&self.store),
                values: self.values(&exception.payload),
            },
            oracle::Error::Suspended(tag) => Outcome::Suspended {
                tag: Some(tag.address(&self.store)),
            },
            oracle::Error::Exhausted(oracle::Exhausted::Instructions) => Outcome::Exhausted {
                what: INSTRUCTIONS.to_owned(),
            },
            oracle::Error::Exhausted(what) => Outcome::Exhausted {
                what: what.to_string(),
            },
            oracle::Error::Host(error) => failed(error.to_string()),
        }
    }

    fn values(&self, values: &[oracle::Val]) -> Vec<Value> {
        values.iter().map(|&value| self.value(value)).collect()
    }

    fn value(&self, value: oracle::Val) -> Value {
        trace_value(value.describe(&self.store))
    }
}

/// Limits with the values that all engines share.
fn common_limits(mut limits: oracle::Limits) -> oracle::Limits {
    limits.memory_pages = MEMORY_PAGES;
    limits.table_elements = TABLE_ELEMENTS;
    limits.continuations = CONTINUATIONS;
    limits
}

/// A host function that behaves as described; `results` are the default values of
/// its result types.
fn host_function(
    store: &mut oracle::Store<()>,
    ty: &oracle::FuncType,
    results: Vec<oracle::Val>,
    function: HostFunction,
) -> oracle::Func {
    let body = move |mut caller: oracle::Caller<'_, ()>,
                     arguments: &[oracle::Val],
                     out: &mut [oracle::Val]| {
        if let (HostFunction::CallArgument, Some(oracle::Val::FuncRef(Some(func)))) =
            (function, arguments.first())
        {
            call_with_defaults(&mut caller, *func)?;
        }
        out.copy_from_slice(&results);
        Ok(())
    };
    oracle::Func::new(store, ty.clone(), body)
}

/// Calls a function with the default values of its parameter types, if they have
/// any.
fn call_with_defaults(
    mut store: impl AsContextMut,
    func: oracle::Func,
) -> Result<(), oracle::Error> {
    let ty = func.ty(store.as_context());
    let params = ty.params().iter().map(|&ty| oracle::Val::default_of(ty));
    let Some(arguments) = params.collect::<Option<Vec<_>>>() else {
        return Ok(());
    };
    let mut results = vec![oracle::Val::I32(0); ty.results().len()];
    func.call(store.as_context_mut(), &arguments, &mut results)
}

fn argument_of(ty: oracle::ValType, value: Value) -> Option<oracle::Val> {
    use oracle::{HeapType, RefType, Val, ValType};
    Some(match (ty, value) {
        (ValType::I32, Value::I32(v)) => Val::I32(v),
        (ValType::I64, Value::I64(v)) => Val::I64(v),
        (ValType::F32, Value::F32(bits)) => Val::F32(bits),
        (ValType::F64, Value::F64(bits)) => Val::F64(bits),
        (ValType::V128, Value::V128(bits)) => Val::V128(bits),
        (ValType::Ref(RefType { heap, .. }), Value::Null) => Val::null(heap),
        (ValType::Ref(RefType { heap, .. }), Value::Extern(number)) => {
            let reference = oracle::ExternRef::new(number);
            match heap {
                HeapType::Extern => Val::ExternRef(Some(reference)),
                HeapType::Any => Val::AnyRef(Some(reference.to_any())),
                _ => return None,
            }
        }
        _ => return None,
    })
}

fn location(at: oracle::Location) -> Location {
    Location {
        function: at.function,
        offset: at.offset,
    }
}

define_event!(oracle, trace_value, trap_kind, location);

fn trace_value(value: oracle::Value) -> Value {
    use oracle::Value as From;
    match value {
        From::I32(v) => Value::I32(v),
        From::I64(v) => Value::I64(v),
        From::F32(bits) => Value::F32(bits),
        From::F64(bits) => Value::F64(bits),
        From::V128(bits) => Value::V128(bits),
        From::Null => Value::Null,
        From::Func(address) => Value::Func(address),
        From::Cont(number) => Value::Cont(Some(number)),
        From::Exn(tag) => Value::Exn(tag),
        From::Extern(number) => Value::Extern(number),
        From::I31(v) => Value::I31(v),
        From::Struct(ty) => Value::Struct(ty),
        From::Array(ty) => Value::Array(ty),
    }
}

fn trap_kind(kind: oracle::TrapKind) -> TrapKind {
    use oracle::TrapKind as From;
    match kind {
        From::Unreachable => TrapKind::Unreachable,
        From::MemoryOutOfBounds => TrapKind::MemoryOutOfBounds,
        From::TableOutOfBounds => TrapKind::TableOutOfBounds,
        From::UndefinedElement => TrapKind::UndefinedElement,
        From::UninitializedElement => TrapKind::UninitializedElement,
        From::IndirectCallTypeMismatch => TrapKind::IndirectCallTypeMismatch,
        From::IntegerDivideByZero => TrapKind::IntegerDivideByZero,
        From::IntegerOverflow => TrapKind::IntegerOverflow,
        From::InvalidConversionToInteger => TrapKind::InvalidConversionToInteger,
        From::NullReference => TrapKind::NullReference,
        From::NullFunctionReference => TrapKind::NullFunctionReference,
        From::NullContinuationReference => TrapKind::NullContinuationReference,
        From::NullExceptionReference => TrapKind::NullExceptionReference,
        From::ContinuationConsumed => TrapKind::ContinuationConsumed,
        From::CastFailure => TrapKind::CastFailure,
        From::NullStructureReference => TrapKind::NullStructureReference,
        From::NullArrayReference => TrapKind::NullArrayReference,
        From::NullI31Reference => TrapKind::NullI31Reference,
        From::ArrayOutOfBounds => TrapKind::ArrayOutOfBounds,
    }
}
