//! The adapter of wasmi: the second opinion on everything but stack switching, exceptions and GC.
//!
//! wasmi shows of an instance what it exports, so it is given the same module with everything exported (see `expose`). It
//! records no trace but the calls of host functions, which the adapter sees.

use super::expose::Exposed;
use super::{
    Binding, Engine, Gap, HostFunction, InstanceId, MEMORY_PAGES, ModuleId, Registration, Session,
    Settings, TABLE_ELEMENTS, converted, failed, no_default, no_function, no_global, unbound,
};
use crate::generate::Features;
use crate::observe::{
    Event, EventKind, Memory, Outcome, State, Table, TraceScope, TrapKind, Value,
};
use std::collections::HashMap;
use std::mem;
use wasm_encoder::ExportKind;
use wasmi::errors::{ErrorKind, InstantiationError};
use wasmi::{
    CompilationMode, Extern, ExternRef, ExternType, Func, FuncType, Instance, Nullable, Ref, Store,
    StoreLimits, StoreLimitsBuilder, TrapCode, Val, ValType,
};
use wasmparser::{Validator, WasmFeatures};

/// The registry's entry.
pub const REGISTRATION: Registration = Registration {
    name: "wasmi",
    summary: "the interpreter wasmi 2, without stack switching, exceptions and GC",
    create: |settings| Ok(Box::new(Wasmi::new(settings))),
    planted: Vec::new,
    features: Features {
        stack_switching: false,
        exceptions: false,
        gc: false,
        subtyping: false,
        select_of_zero_test: false,
        // wasmi rounds multiply-adds once, and lets the sums of dot products wrap: both what the specification allows.
        relaxed_choices: false,
        tail_calls_of_host: false,
        vectors_by_br_table: false,
        block_parameters: false,
        ..Features::ALL
    },
    axes: Vec::new,
    gaps: &[
        Gap {
            feature: "select_of_zero_test",
            reason: "wasmi 2.0.0 fuses a test of a local for zero with the `select` that follows, and then tests a stale register",
            reference: "corpus/regressions/wasmi-select-of-zero-test.wast",
        },
        Gap {
            feature: "tail_calls_of_host",
            reason: "wasmi 2.0.0 crashes after a tail call of a host function from a function that was called itself",
            reference: "corpus/regressions/wasmi-tail-call-of-host.wast",
        },
        Gap {
            feature: "vectors_by_br_table",
            reason: "wasmi 2.0.0 delivers other bytes of its memory in place of a vector that `br_table` carries",
            reference: "corpus/regressions/wasmi-vector-by-br-table.wast",
        },
        Gap {
            feature: "block_parameters",
            reason: "wasmi 2.0.0 loses a local's value beneath the parameters of a block in which the local is set",
            reference: "corpus/regressions/wasmi-block-parameters.wast",
        },
    ],
    default: false,
};

/// What a module for wasmi may use, in wasmparser's terms.
fn proposals() -> WasmFeatures {
    WasmFeatures::WASM2
        | WasmFeatures::TAIL_CALL
        | WasmFeatures::EXTENDED_CONST
        | WasmFeatures::MULTI_MEMORY
        | WasmFeatures::MEMORY64
        | WasmFeatures::CUSTOM_PAGE_SIZES
        | WasmFeatures::RELAXED_SIMD
        | WasmFeatures::WIDE_ARITHMETIC
}

struct Wasmi {
    engine: wasmi::Engine,
    trace: bool,
}

impl Wasmi {
    fn new(settings: &Settings) -> Wasmi {
        let mut config = wasmi::Config::default();
        config
            .wasm_custom_page_sizes(true)
            .wasm_wide_arithmetic(true)
            .wasm_multi_memory(true)
            .wasm_memory64(true)
            .wasm_simd(true)
            .wasm_relaxed_simd(true)
            // Functions that are never called are to be translated too: that is half of what is tested.
            .compilation_mode(CompilationMode::Eager);
        Wasmi {
            engine: wasmi::Engine::new(&config),
            trace: settings.trace,
        }
    }
}

impl Engine for Wasmi {
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
        };
        let mut store = Store::new(&self.engine, host);
        store.limiter(|host| &mut host.limits);
        Box::new(WasmiSession {
            engine: self.engine.clone(),
            store,
            modules: Vec::new(),
            instances: Vec::new(),
            addresses: HashMap::new(),
            functions: 0,
        })
    }
}

/// What host functions can reach.
struct Host {
    limits: StoreLimits,
    trace: bool,
    calls: Vec<HostCall>,
}

/// A call of a host function, or its return.
struct HostCall {
    function: u32,
    returns: bool,
    values: Vec<Val>,
}

struct WasmiSession {
    engine: wasmi::Engine,
    store: Store<Host>,
    modules: Vec<(wasmi::Module, Exposed)>,
    instances: Vec<(Instance, ModuleId)>,
    /// The store addresses of functions: the how-manyth of the store each is, as in the specification.
    addresses: HashMap<String, u32>,
    functions: u32,
}

/// What tells a function from all others. wasmi does not compare handles, but what it prints of one has its index.
fn identity(func: Func) -> String {
    format!("{func:?}")
}

impl Session for WasmiSession {
    fn compile(&mut self, wasm: &[u8]) -> Result<ModuleId, Outcome> {
        let module = wasmi::Module::new(&self.engine, wasm);
        let module = module.map_err(|error| refusal(wasm, &error))?;
        // What is instantiated is the module with everything exported; the original was to be judged as it is.
        drop(module);
        let exposed = Exposed::new(wasm).map_err(|error| failed(error.to_string()))?;
        let module = wasmi::Module::new(&self.engine, &exposed.wasm)
            .map_err(|error| failed(format!("with everything exported: {error}")))?;
        self.modules.push((module, exposed));
        Ok(ModuleId(self.modules.len() - 1))
    }

    fn instantiate(
        &mut self,
        module: ModuleId,
        bindings: &[Binding],
    ) -> Result<InstanceId, Outcome> {
        let (compiled, exposed) = &self.modules[module.0];
        let order = exposed.imports_by_kind();
        let mut imports = vec![None; order.len()];
        for (import, &index) in compiled.imports().zip(&order) {
            let name = (import.module().to_owned(), import.name().to_owned());
            imports[index] = Some((name, import.ty().clone()));
        }
        let mut items: Vec<Extern> = Vec::new();
        for (((from, name), ty), binding) in imports.iter().flatten().zip(bindings) {
            let item = match binding {
                Binding::Export { instance, name } => self.instances[instance.0]
                    .0
                    .get_export(&self.store, name)
                    .ok_or_else(|| unbound(from, name))?,
                Binding::SameAs(earlier) => items[*earlier],
                Binding::Host(function) => self.host_item(ty, *function).map_err(|error| {
                    error.unwrap_or_else(|| no_default(from, name, &format!("{ty:?}")))
                })?,
            };
            items.push(item);
        }
        let (compiled, exposed) = &self.modules[module.0];
        let externs: Vec<Extern> = order.into_iter().map(|index| items[index]).collect();
        let instance = Instance::new(&mut self.store, compiled, &externs).map_err(outcome)?;
        for index in exposed.counts.imported_functions..exposed.counts.functions {
            let name = exposed.name(ExportKind::Func, index);
            let func = instance.get_func(&self.store, &name);
            let func = func.ok_or_else(|| failed(format!("no export {name:?}")))?;
            self.addresses.insert(identity(func), self.functions);
            self.functions += 1;
        }
        self.instances.push((instance, module));
        if let Some(start) = exposed.start {
            let name = exposed.name(ExportKind::Func, start);
            let func = instance.get_func(&self.store, &name);
            let func = func.ok_or_else(|| failed(format!("no export {name:?}")))?;
            func.call(&mut self.store, &[], &mut []).map_err(outcome)?;
        }
        Ok(InstanceId(self.instances.len() - 1))
    }

    fn invoke(&mut self, instance: InstanceId, export: &str, arguments: &[Value]) -> Outcome {
        let instance = self.instances[instance.0].0;
        let Some(func) = instance.get_func(&self.store, export) else {
            return no_function(export);
        };
        let ty = func.ty(&self.store);
        let convert = |ty: &_, value| {
            let value = self.argument(*ty, value);
            value.ok_or_else(|| format!("{ty:?}"))
        };
        let values = match converted(export, ty.params(), arguments, convert) {
            Ok(values) => values,
            Err(refused) => return refused,
        };
        let mut results = defaults(ty.results());
        match func.call(&mut self.store, &values, &mut results) {
            Ok(()) => Outcome::Returned {
                values: results.iter().map(|value| self.value(value)).collect(),
            },
            Err(error) => outcome(error),
        }
    }

    fn global(&mut self, instance: InstanceId, export: &str) -> Result<Value, Outcome> {
        let instance = self.instances[instance.0].0;
        match instance.get_global(&self.store, export) {
            Some(global) => Ok(self.value(&global.get(&self.store))),
            None => Err(no_global(export)),
        }
    }

    fn take_trace(&mut self) -> Vec<Event> {
        let calls = mem::take(&mut self.store.data_mut().calls);
        let event = |call: HostCall| {
            let function = call.function;
            let values = call.values.iter().map(|value| self.value(value)).collect();
            let kind = if call.returns {
                EventKind::HostReturn { function, values }
            } else {
                EventKind::HostCall { function, values }
            };
            Event { kind, at: None }
        };
        calls.into_iter().map(event).collect()
    }

    fn state(&mut self, instance: InstanceId) -> State {
        let (instance, module) = self.instances[instance.0];
        let exposed = &self.modules[module.0].1;
        let store = &self.store;
        let get = |kind, count| {
            (0..count).map(move |index| {
                let item = instance.get_export(store, &exposed.name(kind, index));
                item.expect("everything is exported")
            })
        };
        let globals = get(ExportKind::Global, exposed.counts.globals)
            .filter_map(Extern::into_global)
            .map(|global| self.value(&global.get(store)))
            .collect();
        let memories = get(ExportKind::Memory, exposed.counts.memories)
            .filter_map(Extern::into_memory)
            .map(|memory| Memory::new(memory.size(store), memory.data(store)))
            .collect();
        let tables = get(ExportKind::Table, exposed.counts.tables)
            .filter_map(Extern::into_table)
            .map(|table| {
                let elements = (0..table.size(store)).map_while(|index| table.get(store, index));
                Table::new(elements.map(|element| self.reference(element)).collect())
            })
            .collect();
        State {
            globals,
            memories,
            tables,
            continuations: Vec::new(),
        }
    }

    fn executed(&self, _: InstanceId, _: u32) -> Option<Vec<u32>> {
        None
    }
}

impl WasmiSession {
    /// A new host item of the type that an import asks for; `None` as the error where its type has no default value.
    fn host_item(
        &mut self,
        ty: &ExternType,
        function: HostFunction,
    ) -> Result<Extern, Option<Outcome>> {
        Ok(match ty {
            ExternType::Func(ty) => self.host_function(ty, function).into(),
            ExternType::Global(ty) => {
                let value = Val::default_for_ty(ty.content());
                wasmi::Global::new(&mut self.store, value, ty.mutability()).into()
            }
            ExternType::Memory(ty) => {
                let memory = wasmi::Memory::new(&mut self.store, *ty);
                memory.map_err(|error| Some(outcome(error)))?.into()
            }
            ExternType::Table(ty) => {
                let null = Ref::null(ty.element());
                let table = wasmi::Table::new(&mut self.store, *ty, null);
                table.map_err(|error| Some(outcome(error)))?.into()
            }
        })
    }

    fn host_function(&mut self, ty: &FuncType, function: HostFunction) -> Func {
        let address = self.functions;
        let results = ty.results().to_vec();
        let func = Func::new(
            &mut self.store,
            ty.clone(),
            move |mut caller: wasmi::Caller<'_, Host>, arguments, out| {
                record(&mut caller, address, false, arguments);
                if let (HostFunction::CallArgument, Some(Val::FuncRef(Nullable::Val(func)))) =
                    (function, arguments.first())
                {
                    let ty = func.ty(&caller);
                    let mut ignored = defaults(ty.results());
                    func.call(&mut caller, &defaults(ty.params()), &mut ignored)?;
                }
                for (out, ty) in out.iter_mut().zip(&results) {
                    *out = Val::default_for_ty(*ty);
                }
                record(&mut caller, address, true, out);
                Ok(())
            },
        );
        self.addresses.insert(identity(func), address);
        self.functions += 1;
        func
    }

    fn argument(&mut self, ty: ValType, value: Value) -> Option<Val> {
        Some(match (ty, value) {
            (ValType::I32, Value::I32(v)) => Val::I32(v),
            (ValType::I64, Value::I64(v)) => Val::I64(v),
            (ValType::F32, Value::F32(bits)) => Val::F32(wasmi::F32::from_bits(bits)),
            (ValType::F64, Value::F64(bits)) => Val::F64(wasmi::F64::from_bits(bits)),
            (ValType::V128, Value::V128(bits)) => Val::V128(bits.into()),
            (ValType::FuncRef | ValType::ExternRef, Value::Null) => Val::default_for_ty(ty),
            (ValType::ExternRef, Value::Extern(number)) => {
                Val::from(ExternRef::new(&mut self.store, number))
            }
            _ => return None,
        })
    }

    fn value(&self, value: &Val) -> Value {
        match value {
            Val::I32(v) => Value::I32(*v),
            Val::I64(v) => Value::I64(*v),
            Val::F32(v) => Value::F32(v.to_bits()),
            Val::F64(v) => Value::F64(v.to_bits()),
            Val::V128(v) => Value::V128(v.as_u128()),
            Val::FuncRef(func) => self.reference(Ref::Func(*func)),
            Val::ExternRef(reference) => self.reference(Ref::Extern(*reference)),
        }
    }

    fn reference(&self, reference: Ref) -> Value {
        match reference {
            Ref::Func(Nullable::Null) | Ref::Extern(Nullable::Null) => Value::Null,
            Ref::Func(Nullable::Val(func)) => {
                // Functions of an instance whose instantiation failed are not known, and can be seen in scripts only.
                let address = self.addresses.get(&identity(func));
                Value::Func(address.copied().unwrap_or(u32::MAX))
            }
            Ref::Extern(Nullable::Val(reference)) => {
                let number = reference.data(&self.store).downcast_ref::<u64>();
                Value::Extern(*number.expect("every external reference is a number"))
            }
        }
    }
}

fn record(caller: &mut wasmi::Caller<'_, Host>, function: u32, returns: bool, values: &[Val]) {
    let host = caller.data_mut();
    if host.trace {
        host.calls.push(HostCall {
            function,
            returns,
            values: values.to_vec(),
        });
    }
}

fn defaults(types: &[ValType]) -> Vec<Val> {
    types.iter().map(|&ty| Val::default_for_ty(ty)).collect()
}

/// What it means that wasmi does not take a module.
fn refusal(wasm: &[u8], error: &wasmi::Error) -> Outcome {
    let message = error.to_string();
    match error.kind() {
        ErrorKind::Wasm(reader) => {
            let offset = Some(reader.offset() as u64);
            let valid_with = |features| Validator::new_with_features(features).validate_all(wasm);
            // A module that is valid, but not without a proposal that wasmi lacks, is no mistake of wasmi's.
            match (valid_with(proposals()), valid_with(WasmFeatures::all())) {
                (Err(_), Ok(_)) => Outcome::Unsupported {
                    message: format!("not supported: {message}"),
                },
                _ => Outcome::Rejected { message, offset },
            }
        }
        ErrorKind::Translation(_) | ErrorKind::ImplementationLimits(_) => Outcome::Exhausted {
            what: format!("compiler ({message})"),
        },
        _ => failed(message),
    }
}

fn outcome(error: wasmi::Error) -> Outcome {
    let trap = match error.as_trap_code() {
        Some(code) => match code {
            TrapCode::UnreachableCodeReached => TrapKind::Unreachable,
            TrapCode::MemoryOutOfBounds => TrapKind::MemoryOutOfBounds,
            // wasmi does not tell these two apart.
            TrapCode::TableOutOfBounds => TrapKind::TableOrElement,
            TrapCode::IndirectCallToNull => TrapKind::UninitializedElement,
            TrapCode::IntegerDivisionByZero => TrapKind::IntegerDivideByZero,
            TrapCode::IntegerOverflow => TrapKind::IntegerOverflow,
            TrapCode::BadConversionToInteger => TrapKind::InvalidConversionToInteger,
            TrapCode::BadSignature => TrapKind::IndirectCallTypeMismatch,
            TrapCode::StackOverflow
            | TrapCode::OutOfFuel
            | TrapCode::GrowthOperationLimited
            | TrapCode::OutOfSystemMemory => {
                return Outcome::Exhausted {
                    what: code.trap_message().to_owned(),
                };
            }
        },
        None => {
            let message = error.to_string();
            return match error.kind() {
                ErrorKind::Instantiation(InstantiationError::ElementSegmentDoesNotFit {
                    ..
                }) => Outcome::Trapped {
                    trap: TrapKind::TableOutOfBounds,
                    at: None,
                },
                ErrorKind::Instantiation(_) | ErrorKind::Linker(_) => {
                    Outcome::Unlinkable { message }
                }
                ErrorKind::Memory(_) | ErrorKind::Table(_) => Outcome::Exhausted { what: message },
                _ => failed(message),
            };
        }
    };
    Outcome::Trapped { trap, at: None }
}
