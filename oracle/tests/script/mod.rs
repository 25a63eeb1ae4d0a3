//! Runs official test scripts on the oracle: just enough of a runner for this crate's own
//! tests.

use std::collections::HashMap;

use switchback_oracle::{
    AnyKind, Config, Engine, Error, Extern, ExternRef, ExternType, Func, FuncType, Global,
    GlobalType, Instance, Memory, MemoryType, Module, RefType, Store, Table, TableType, Val,
    ValType,
};
use wast::core::{NanPattern, V128Pattern, WastArgCore, WastRetCore};
use wast::parser::{self, ParseBuffer};
use wast::token::Id;
use wast::{QuoteWat, Wast, WastArg, WastDirective, WastExecute, WastInvoke, WastRet};

type Outcome<T> = Result<T, String>;

struct Runner {
    store: Store<()>,
    named: HashMap<String, Instance>,
    definitions: HashMap<String, Module>,
    registered: HashMap<String, Instance>,
    last: Option<Instance>,
    last_definition: Option<Module>,
    spectest: HashMap<String, Extern>,
}

/// Runs a script and returns the number of its assertions.
///
/// # Errors
///
/// Every directive that failed.
pub fn run(config: &Config, name: &str, text: &str) -> Result<usize, Vec<String>> {
    let mut lexer = wast::lexer::Lexer::new(text);
    lexer.allow_confusing_unicode(true);
    let buffer = ParseBuffer::new_with_lexer(lexer).map_err(|e| vec![e.to_string()])?;
    let script = parser::parse::<Wast>(&buffer).map_err(|e| vec![e.to_string()])?;
    let mut runner = Runner::new(config);
    let (mut assertions, mut failures) = (0, Vec::new());
    for directive in script.directives {
        let (line, column) = directive.span().linecol_in(text);
        match runner.directive(directive) {
            Ok(count) => assertions += count,
            Err(e) => failures.push(format!("{name}:{}:{}: {e}", line + 1, column + 1)),
        }
    }
    if failures.is_empty() {
        Ok(assertions)
    } else {
        Err(failures)
    }
}

impl Runner {
    fn new(config: &Config) -> Self {
        let engine = Engine::new(config).expect("an engine");
        let mut store = Store::new(&engine, ());
        let spectest = spectest(&mut store);
        Runner {
            store,
            named: HashMap::new(),
            definitions: HashMap::new(),
            registered: HashMap::new(),
            last: None,
            last_definition: None,
            spectest,
        }
    }

    fn compile(&self, bytes: &[u8]) -> Result<Module, Error> {
        Module::new(self.store.engine(), bytes)
    }

    fn instantiate(&mut self, module: &Module) -> Result<Instance, Error> {
        let mut imports = Vec::new();
        for import in module.imports() {
            let item = if import.module == "spectest" {
                self.spectest.get(&import.name).copied()
            } else {
                self.registered
                    .get(&import.module)
                    .and_then(|i| i.get_export(&self.store, &import.name))
            };
            imports.push(item.ok_or_else(|| Error::Link("unknown import".into()))?);
        }
        Instance::new(&mut self.store, module, &imports)
    }

    fn instance(&self, id: Option<Id<'_>>) -> Outcome<Instance> {
        match id {
            Some(id) => self.named.get(id.name()).copied(),
            None => self.last,
        }
        .ok_or_else(|| "no such instance".into())
    }

    fn install(&mut self, id: Option<Id<'_>>, instance: Instance) {
        self.last = Some(instance);
        if let Some(id) = id {
            self.named.insert(id.name().to_owned(), instance);
        }
    }

    fn invoke(&mut self, invoke: &WastInvoke<'_>) -> Outcome<Result<Vec<Val>, Error>> {
        let instance = self.instance(invoke.module)?;
        let Some(Extern::Func(func)) = instance.get_export(&self.store, invoke.name) else {
            return Err(format!("no function {:?}", invoke.name));
        };
        let args = invoke
            .args
            .iter()
            .map(argument)
            .collect::<Outcome<Vec<_>>>()?;
        let mut results = vec![Val::I32(0); func.ty(&self.store).results().len()];
        Ok(func
            .call(&mut self.store, &args, &mut results)
            .map(|()| results))
    }

    fn execute(&mut self, exec: WastExecute<'_>) -> Outcome<Result<Vec<Val>, Error>> {
        match exec {
            WastExecute::Invoke(invoke) => self.invoke(&invoke),
            WastExecute::Wat(mut wat) => {
                let bytes = wat.encode().map_err(|e| e.to_string())?;
                let module = self.compile(&bytes).map_err(|e| e.to_string())?;
                Ok(self.instantiate(&module).map(|_| Vec::new()))
            }
            WastExecute::Get { module, global, .. } => {
                let instance = self.instance(module)?;
                match instance.get_export(&self.store, global) {
                    Some(Extern::Global(g)) => Ok(Ok(vec![g.get(&self.store)])),
                    _ => Err(format!("no global {global:?}")),
                }
            }
        }
    }

    fn directive(&mut self, directive: WastDirective<'_>) -> Outcome<usize> {
        match directive {
            WastDirective::Module(mut module) => {
                let id = module.name();
                let bytes = module.encode().map_err(|e| e.to_string())?;
                let module = self.compile(&bytes).map_err(|e| e.to_string())?;
                let instance = self.instantiate(&module).map_err(|e| e.to_string())?;
                self.install(id, instance);
                return Ok(0);
            }
            WastDirective::ModuleDefinition(mut module) => {
                let id = module.name();
                let bytes = module.encode().map_err(|e| e.to_string())?;
                let module = self.compile(&bytes).map_err(|e| e.to_string())?;
                if let Some(id) = id {
                    self.definitions
                        .insert(id.name().to_owned(), module.clone());
                }
                self.last_definition = Some(module);
                return Ok(0);
            }
            WastDirective::ModuleInstance {
                instance, module, ..
            } => {
                let module = match module {
                    Some(id) => self.definitions.get(id.name()).cloned(),
                    None => self.last_definition.clone(),
                }
                .ok_or("no such definition")?;
                let made = self.instantiate(&module).map_err(|e| e.to_string())?;
                self.install(instance, made);
                return Ok(0);
            }
            WastDirective::Register { name, module, .. } => {
                let instance = self.instance(module)?;
                self.registered.insert(name.to_owned(), instance);
                return Ok(0);
            }
            WastDirective::Invoke(invoke) => {
                self.invoke(&invoke)?.map_err(|e| e.to_string())?;
                return Ok(0);
            }
            WastDirective::AssertMalformed {
                module, message, ..
            } => self.refused(module, message, true)?,
            WastDirective::AssertInvalid {
                module, message, ..
            } => self.refused(module, message, false)?,
            WastDirective::AssertTrap { exec, message, .. } => match self.execute(exec)? {
                Err(Error::Trap(trap)) if fits(&trap.kind.to_string(), message) => {}
                other => return Err(format!("expected trap {message:?}, got {other:?}")),
            },
            WastDirective::AssertExhaustion { call, message, .. } => match self.invoke(&call)? {
                Err(Error::Exhausted(_)) => {}
                other => return Err(format!("expected {message:?}, got {other:?}")),
            },
            WastDirective::AssertException { exec, .. } => match self.execute(exec)? {
                Err(Error::Exception(_)) => {}
                other => return Err(format!("expected an exception, got {other:?}")),
            },
            WastDirective::AssertSuspension { exec, .. } => match self.execute(exec)? {
                Err(Error::Suspended(_)) => {}
                other => return Err(format!("expected a suspension, got {other:?}")),
            },
            WastDirective::AssertUnlinkable {
                mut module,
                message,
                ..
            } => {
                let bytes = module.encode().map_err(|e| e.to_string())?;
                let module = self.compile(&bytes).map_err(|e| e.to_string())?;
                match self.instantiate(&module) {
                    Err(Error::Link(text)) if text.starts_with(message) => {}
                    other => return Err(format!("expected {message:?}, got {other:?}")),
                }
            }
            WastDirective::AssertReturn { exec, results, .. } => {
                let values = self.execute(exec)?.map_err(|e| e.to_string())?;
                let good = values.len() == results.len()
                    && values.iter().zip(&results).all(|(v, r)| match r {
                        WastRet::Core(r) => expected(&self.store, v, r),
                        _ => false,
                    });
                if !good {
                    return Err(format!("expected {results:?}, got {values:?}"));
                }
            }
            other => return Err(format!("unknown directive {other:?}")),
        }
        Ok(1)
    }

    fn refused(&self, mut module: QuoteWat<'_>, message: &str, malformed: bool) -> Outcome<()> {
        let bytes = match module.encode() {
            Err(_) if malformed => return Ok(()),
            Err(e) => return Err(e.to_string()),
            Ok(bytes) => bytes,
        };
        match self.compile(&bytes) {
            Err(Error::Invalid { .. }) => Ok(()),
            other => Err(format!("expected {message:?}, got {other:?}")),
        }
    }
}

/// A script's message may say more or less than the trap's text.
fn fits(text: &str, message: &str) -> bool {
    text.starts_with(message) || message.starts_with(text)
}

fn argument(arg: &WastArg<'_>) -> Outcome<Val> {
    let WastArg::Core(arg) = arg else {
        return Err("not a core value".into());
    };
    Ok(match arg {
        WastArgCore::I32(v) => Val::I32(*v),
        WastArgCore::I64(v) => Val::I64(*v),
        WastArgCore::F32(v) => Val::F32(v.bits),
        WastArgCore::F64(v) => Val::F64(v.bits),
        WastArgCore::V128(v) => Val::V128(u128::from_le_bytes(v.to_le_bytes())),
        WastArgCore::RefExtern(n) => Val::ExternRef(Some(ExternRef::new(u64::from(*n)))),
        WastArgCore::RefHost(n) => Val::AnyRef(Some(ExternRef::new(u64::from(*n)).to_any())),
        WastArgCore::RefNull(ty) => {
            use wast::core::{AbstractHeapType as A, HeapType as H};
            match ty {
                H::Abstract { ty, .. } => match ty {
                    A::Func | A::NoFunc => Val::FuncRef(None),
                    A::Extern | A::NoExtern => Val::ExternRef(None),
                    A::Exn | A::NoExn => Val::ExnRef(None),
                    A::Cont | A::NoCont => Val::ContRef(None),
                    _ => Val::AnyRef(None),
                },
                _ => Val::FuncRef(None),
            }
        }
    })
}

fn nan32(v: u32, want: &NanPattern<wast::token::F32>) -> bool {
    match want {
        NanPattern::CanonicalNan => v & 0x7fff_ffff == 0x7fc0_0000,
        NanPattern::ArithmeticNan => v & 0x7fc0_0000 == 0x7fc0_0000,
        NanPattern::Value(f) => v == f.bits,
    }
}

fn nan64(v: u64, want: &NanPattern<wast::token::F64>) -> bool {
    match want {
        NanPattern::CanonicalNan => v & (u64::MAX >> 1) == 0x7ff8 << 48,
        NanPattern::ArithmeticNan => v & (0x7ff8 << 48) == 0x7ff8 << 48,
        NanPattern::Value(f) => v == f.bits,
    }
}

fn expected(store: &Store<()>, value: &Val, want: &WastRetCore<'_>) -> bool {
    match (value, want) {
        (v, WastRetCore::Either(list)) => list.iter().any(|want| expected(store, v, want)),
        (Val::I32(a), WastRetCore::I32(b)) => a == b,
        (Val::I64(a), WastRetCore::I64(b)) => a == b,
        (Val::F32(a), WastRetCore::F32(b)) => nan32(*a, b),
        (Val::F64(a), WastRetCore::F64(b)) => nan64(*a, b),
        (Val::V128(v), WastRetCore::V128(want)) => lanes(*v, want),
        (
            Val::FuncRef(None)
            | Val::ExternRef(None)
            | Val::AnyRef(None)
            | Val::ExnRef(None)
            | Val::ContRef(None),
            WastRetCore::RefNull(_),
        ) => true,
        (Val::ExternRef(Some(r)), WastRetCore::RefExtern(n)) => {
            n.is_none_or(|n| r.number() == Some(u64::from(n)))
        }
        (Val::AnyRef(Some(r)), WastRetCore::RefHost(n)) => {
            r.kind(store) == AnyKind::Extern(u64::from(*n))
        }
        (Val::FuncRef(Some(_)), WastRetCore::RefFunc(None)) => true,
        (Val::AnyRef(Some(_)), WastRetCore::RefAny) => true,
        (Val::AnyRef(Some(r)), WastRetCore::RefEq) => !matches!(r.kind(store), AnyKind::Extern(_)),
        (Val::AnyRef(Some(r)), WastRetCore::RefI31) => matches!(r.kind(store), AnyKind::I31(_)),
        (Val::AnyRef(Some(r)), WastRetCore::RefStruct) => {
            matches!(r.kind(store), AnyKind::Struct(_))
        }
        (Val::AnyRef(Some(r)), WastRetCore::RefArray) => {
            matches!(r.kind(store), AnyKind::Array(_))
        }
        _ => false,
    }
}

fn lanes(value: u128, want: &V128Pattern) -> bool {
    let bytes = value.to_le_bytes();
    let lane = |i: usize, n: usize| {
        let mut lane = [0; 8];
        lane[..n].copy_from_slice(&bytes[i * n..][..n]);
        u64::from_le_bytes(lane)
    };
    match want {
        V128Pattern::I8x16(l) => (0..16).all(|i| lane(i, 1) as i8 == l[i]),
        V128Pattern::I16x8(l) => (0..8).all(|i| lane(i, 2) as i16 == l[i]),
        V128Pattern::I32x4(l) => (0..4).all(|i| lane(i, 4) as i32 == l[i]),
        V128Pattern::I64x2(l) => (0..2).all(|i| lane(i, 8) as i64 == l[i]),
        V128Pattern::F32x4(l) => (0..4).all(|i| nan32(lane(i, 4) as u32, &l[i])),
        V128Pattern::F64x2(l) => (0..2).all(|i| nan64(lane(i, 8), &l[i])),
    }
}

/// The host module that official scripts import.
fn spectest(store: &mut Store<()>) -> HashMap<String, Extern> {
    use ValType::{F32, F64, I32, I64};
    let mut items: HashMap<String, Extern> = HashMap::new();
    for (name, params) in [
        ("print", vec![]),
        ("print_i32", vec![I32]),
        ("print_i64", vec![I64]),
        ("print_f32", vec![F32]),
        ("print_f64", vec![F64]),
        ("print_i32_f32", vec![I32, F32]),
        ("print_f64_f64", vec![F64, F64]),
    ] {
        let func = Func::new(&mut *store, FuncType::new(params, []), |_, _, _| Ok(()));
        items.insert(name.into(), func.into());
    }
    for (name, content, value) in [
        ("global_i32", I32, Val::I32(666)),
        ("global_i64", I64, Val::I64(666)),
        ("global_f32", F32, Val::F32(666.6f32.to_bits())),
        ("global_f64", F64, Val::F64(666.6f64.to_bits())),
    ] {
        let ty = GlobalType {
            content,
            mutable: false,
        };
        let global = Global::new(&mut *store, ty, value).expect("a global");
        items.insert(name.into(), global.into());
    }
    for (name, table64) in [("table", false), ("table64", true)] {
        let ty = TableType {
            element: RefType::FUNCREF,
            minimum: 10,
            maximum: Some(20),
            table64,
        };
        let table = Table::new(&mut *store, ty, Val::FuncRef(None)).expect("a table");
        items.insert(name.into(), table.into());
    }
    let ty = MemoryType {
        minimum: 1,
        maximum: Some(2),
        memory64: false,
        page_size_log2: 16,
    };
    let memory = Memory::new(&mut *store, ty).expect("a memory");
    debug_assert!(matches!(
        Extern::from(memory).ty(&*store),
        ExternType::Memory(_)
    ));
    items.insert("memory".into(), memory.into());
    items
}
