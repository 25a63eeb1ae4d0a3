//! The modules that the toolkit generates, as both engines can run them: what a fuzzer does a million times.
//!
//! A case is a fresh store, in which a module is compiled and instantiated with host functions that return defaults (`call` calls what it is
//! given), and its exports without parameters are called in order; then everything is dropped. A call may trap or throw.

use super::OURS;
use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use switchback::fuzzing::{case_module, case_seed};
use switchback::generate::{Features, Generator, Scope};
use switchback_engine as ours;

/// How many modules are measured.
pub const MODULES: usize = 200;

/// The campaign that the modules are the first cases of.
const SEED: u64 = 1;

/// How well code is optimised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// With optimisation and the backtracking allocator.
    Optimised,
    /// Without optimisation, and with the single-pass allocator.
    NotOptimised,
}

/// Which exports are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calls {
    First,
    All,
}

/// What is done with a module.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    pub level: Level,
    pub calls: Calls,
    /// Whether the system's unwinder is told of the frames; nobody asks it in a campaign.
    pub unwind_info: bool,
}

/// The modules that both engines can run; says on the first call which cases are left out, and why.
pub fn modules() -> &'static [Vec<u8>] {
    static CHOSEN: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    CHOSEN.get_or_init(|| {
        let mut chosen = Vec::with_capacity(MODULES);
        let mut left_out = BTreeMap::<String, usize>::new();
        let mut index = 0;
        while chosen.len() < MODULES {
            // In another process, because Wasmtime may end it. That is the fault of the case which it does not answer for.
            let mut answers = attempts(index);
            while chosen.len() < MODULES {
                let answer = answers.next();
                match answer.as_deref() {
                    Some(GOOD) => chosen.push(module(index)),
                    Some(reason) => *left_out.entry(reason.to_owned()).or_default() += 1,
                    None => *left_out.entry("wasmtime panics".to_owned()).or_default() += 1,
                }
                index += 1;
                if answer.is_none() {
                    break;
                }
            }
        }
        println!("{MODULES} modules of {index} cases; left out on both sides are:");
        for (reason, count) in left_out {
            println!("{count:>8} {reason}");
        }
        chosen
    })
}

/// How a process that tries cases says that one is good.
const GOOD: &str = "good";

/// A process that tries the cases from this one on: a line for each.
fn attempts(from: u64) -> impl Iterator<Item = String> {
    let program = std::env::current_exe().expect("a program has a file");
    let child = Command::new(program)
        .args(["--try", &from.to_string()])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    // It ends when nobody reads its answers.
    let answers = child
        .expect("the program starts again")
        .stdout
        .expect("it is piped");
    BufReader::new(answers).lines().map_while(Result::ok)
}

/// Tries the cases from this one on, and answers for each with a line, until nobody listens or an engine ends the process.
pub fn try_from(index: u64) {
    let engines = [Level::NotOptimised, Level::Optimised].map(|level| {
        let setting = Setting {
            level,
            calls: Calls::All,
            unwind_info: false,
        };
        (our_engine(setting), wasmtime_engine(setting))
    });
    for index in index.. {
        let wasm = module(index);
        let tried = engines
            .iter()
            .try_for_each(|(ours, theirs)| attempt(&wasm, ours, theirs));
        let answer = tried.err().unwrap_or(GOOD.to_owned());
        if writeln!(io::stdout(), "{answer}").is_err() {
            return;
        }
    }
}

/// Whether both engines run a module, and end its calls alike.
fn attempt(wasm: &[u8], ours: &ours::Engine, theirs: &wasmtime::Engine) -> Result<(), String> {
    let ours = compiled(ours, wasm, Calls::All).map_err(|error| format!("{OURS}: {error}"))?;
    let theirs = wasmtime(theirs, wasm, Calls::All)
        .map_err(|error| format!("wasmtime: {}", error.root_cause()).replace('\n', " "))?;
    if ours != theirs {
        return Err("calls end otherwise".to_owned());
    }
    Ok(())
}

/// Without objects, which Wasmtime 48 cannot bind to continuations nor keep continuations in.
fn module(index: u64) -> Vec<u8> {
    let objects = Features::named("gc").expect("it is a feature");
    let features = Features::default().except(objects);
    let scope = Scope {
        features,
        generators: Generator::Woven.into(),
    };
    case_module(case_seed(SEED, index), scope)
}

pub fn our_engine(setting: Setting) -> ours::Engine {
    let mut config = ours::Config::new();
    if setting.level == Level::Optimised {
        config
            .opt_level(ours::OptLevel::Speed)
            .regalloc(ours::RegallocAlgorithm::Backtracking);
    }
    config.native_unwind_info(setting.unwind_info);
    ours::Engine::new(&config).expect("the engine can be made")
}

pub fn wasmtime_engine(setting: Setting) -> wasmtime::Engine {
    let mut config = wasmtime::Config::new();
    let (level, regalloc) = match setting.level {
        Level::Optimised => (
            wasmtime::OptLevel::Speed,
            wasmtime::RegallocAlgorithm::Backtracking,
        ),
        Level::NotOptimised => (
            wasmtime::OptLevel::None,
            wasmtime::RegallocAlgorithm::SinglePass,
        ),
    };
    config
        .wasm_function_references(true)
        .wasm_gc(true)
        .wasm_exceptions(true)
        .wasm_stack_switching(true)
        .wasm_memory64(true)
        .wasm_wide_arithmetic(true)
        .cranelift_opt_level(level)
        .cranelift_regalloc_algorithm(regalloc)
        .native_unwind_info(setting.unwind_info);
    wasmtime::Engine::new(&config).expect("the engine can be made")
}

/// Runs a module; says of each call whether it returned.
///
/// # Errors
/// It cannot be compiled or instantiated.
pub fn compiled(
    engine: &ours::Engine,
    wasm: &[u8],
    calls: Calls,
) -> Result<Vec<bool>, ours::Error> {
    let module = ours::Module::new(engine, wasm)?;
    let mut store = ours::Store::new(engine, ());
    let mut imports: Vec<ours::Extern> = Vec::new();
    for (at, import) in module.imports().enumerate() {
        let same = |other: &ours::ImportType<'_>| {
            (other.module(), other.name()) == (import.module(), import.name())
        };
        if let Some(earlier) = module.imports().take(at).position(|other| same(&other)) {
            imports.push(imports[earlier]);
            continue;
        }
        let default = |ty: &ours::ValType| {
            ours::Val::default_for(ty).ok_or_else(|| ours::Error::Link(ty.to_string()))
        };
        imports.push(match import.ty() {
            ours::ExternType::Func(ty) => {
                let results = ty
                    .results()
                    .iter()
                    .map(default)
                    .collect::<Result<Vec<_>, _>>()?;
                let calls = import.name() == "call";
                ours::Func::new(&mut store, ty.clone(), move |mut caller, args, out| {
                    if let (true, Some(ours::Val::FuncRef(Some(callee)))) = (calls, args.first()) {
                        let ty = callee.ty(&caller);
                        let args = ty.params().iter().map(ours::Val::default_for);
                        if let Some(args) = args.collect::<Option<Vec<_>>>() {
                            callee.call(
                                &mut caller,
                                &args,
                                &mut vec![ours::Val::I32(0); ty.results().len()],
                            )?;
                        }
                    }
                    out.copy_from_slice(&results);
                    Ok(())
                })
                .into()
            }
            ours::ExternType::Global(ty) => {
                ours::Global::new(&mut store, ty.clone(), default(ty.content())?)?.into()
            }
            ours::ExternType::Memory(ty) => ours::Memory::new(&mut store, ty.clone())?.into(),
            ours::ExternType::Table(ty) => {
                let value = default(&ours::ValType::Ref(ty.element().clone()))?;
                ours::Table::new(&mut store, ty.clone(), value)?.into()
            }
            ours::ExternType::Tag(ty) => ours::Tag::new(&mut store, ty.clone()).into(),
        });
    }
    let instance = ours::Instance::new(&mut store, &module, &imports)?;
    let mut ended = Vec::new();
    for export in module.exports() {
        let ours::ExternType::Func(ty) = export.ty() else {
            continue;
        };
        if !ty.params().is_empty() {
            continue;
        }
        let func = instance
            .get_func(&store, export.name())
            .expect("it is exported");
        let mut results = vec![ours::Val::I32(0); ty.results().len()];
        ended.push(func.call(&mut store, &[], &mut results).is_ok());
        if calls == Calls::First {
            break;
        }
    }
    Ok(ended)
}

/// Runs a module; says of each call whether it returned.
///
/// # Errors
/// It cannot be compiled or instantiated.
pub fn wasmtime(
    engine: &wasmtime::Engine,
    wasm: &[u8],
    calls: Calls,
) -> wasmtime::Result<Vec<bool>> {
    let module = wasmtime::Module::new(engine, wasm)?;
    let mut store = wasmtime::Store::new(engine, ());
    let mut imports: Vec<wasmtime::Extern> = Vec::new();
    for (at, import) in module.imports().enumerate() {
        let same = |other: &wasmtime::ImportType<'_>| {
            (other.module(), other.name()) == (import.module(), import.name())
        };
        if let Some(earlier) = module.imports().take(at).position(|other| same(&other)) {
            imports.push(imports[earlier].clone());
            continue;
        }
        imports.push(match import.ty() {
            wasmtime::ExternType::Func(ty) if import.name() == "call" => {
                wasmtime::Func::new(&mut store, ty, |mut caller, args, _| {
                    if let Some(wasmtime::Val::FuncRef(Some(callee))) = args.first() {
                        let ty = callee.ty(&caller);
                        let args = ty.params().map(|ty| ty.default_value());
                        if let Some(args) = args.collect::<Option<Vec<_>>>() {
                            callee.call(
                                &mut caller,
                                &args,
                                &mut vec![wasmtime::Val::I32(0); ty.results().len()],
                            )?;
                        }
                    }
                    Ok(())
                })
                .into()
            }
            other => other.default_value(&mut store)?,
        });
    }
    let instance = wasmtime::Instance::new(&mut store, &module, &imports)?;
    let mut ended = Vec::new();
    for export in module.exports() {
        let wasmtime::ExternType::Func(ty) = export.ty() else {
            continue;
        };
        if ty.params().len() > 0 {
            continue;
        }
        let func = instance
            .get_func(&mut store, export.name())
            .expect("it is exported");
        let mut results = vec![wasmtime::Val::I32(0); ty.results().len()];
        ended.push(func.call(&mut store, &[], &mut results).is_ok());
        if calls == Calls::First {
            break;
        }
    }
    Ok(ended)
}
