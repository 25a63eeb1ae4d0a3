//! Engines behind one trait.
//!
//! An engine is one adapter file in this directory and one line in
//! [`REGISTRY`]; nothing else in the toolkit knows it. The trait serves both
//! uses: running a case (`observe`) and running a specification script
//! (`wast`), where many instances live in one store.
//!
//! Imports are resolved here, not by the engines: an engine is told for each
//! import which export or which host item to take ([`Binding`]).

mod compiled;
mod configuration;
mod expose;
mod interface;
mod oracle;
mod pool;
#[cfg(feature = "wasmtime")]
mod probe;
mod refusals;
mod translate;
mod wasmi;
#[cfg(feature = "wasmtime")]
mod wasmtime;

pub use configuration::{Axis, Configuration, DEFAULT};
pub use interface::{Export, ExportKind, Import, Interface, InterfaceError};
pub use pool::Pool;

use crate::generate::Features;
use crate::linked;
use crate::observe::{Event, Execution, Outcome, State, TraceScope, Value};
use refusals::{converted, failed, no_default, no_function, no_global, unbound};
use std::fmt;

/// What an engine says is exhausted when [`Settings::instructions`] is reached.
pub const INSTRUCTIONS: &str = "instructions";

/// How an engine is to be set up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Settings {
    /// Record a trace.
    pub trace: bool,
    /// Record which instructions are executed, in an engine that can.
    pub coverage: bool,
    /// Count how often instructions are executed between two events, in an engine
    /// that can. Slow.
    pub counts: bool,
    /// End the execution with [`Outcome::Exhausted`] of [`INSTRUCTIONS`] after
    /// about this many instructions, in an engine that can count them.
    pub instructions: Option<u64>,
    /// Put in the planted bug of this name, in the engine that has it.
    pub plant: Option<String>,
    /// Choices on the engine's axes.
    pub configuration: Configuration,
}

/// The size in pages that `memory.grow` can reach, on every engine. Small, so that
/// no case costs much; generated modules stay below it.
pub const MEMORY_PAGES: u64 = 1024;

/// The number of elements that `table.grow` can reach, on every engine.
pub const TABLE_ELEMENTS: u64 = 100_000;

/// The number of continuations that can be alive at once in a store, on every
/// engine. Generated modules stay far below it. Modules from elsewhere that reach it
/// take some hundred megabytes, with AddressSanitizer, which fuzzing services allow.
pub const CONTINUATIONS: u32 = 2_000;

/// An engine, set up.
pub trait Engine: Send {
    /// The engine's name in the registry.
    fn name(&self) -> &'static str;

    /// What its sessions record a trace of; `None` if they do not.
    fn traces(&self) -> Option<TraceScope>;

    /// Opens a session, that is a new store.
    fn session(&self) -> Box<dyn Session>;
}

/// A module of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ModuleId(pub usize);

/// An instance of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct InstanceId(pub usize);

/// What an import is bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Binding {
    /// An export of another instance.
    Export {
        /// The instance.
        instance: InstanceId,
        /// The name of the export.
        name: String,
    },
    /// What the import with this index in the same list is bound to.
    SameAs(usize),
    /// A new item of the host, of exactly the type that the import asks for: a
    /// function that behaves like this; a global with the default value of its
    /// type; a memory or table of the smallest size, with default elements; a
    /// tag.
    Host(HostFunction),
}

/// The behaviours of host functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostFunction {
    /// Returns the default value of each result type.
    Defaults,
    /// Calls its first parameter, a function reference, with the default value of
    /// each of that function's parameter types; then returns the default values.
    /// Traps, exceptions and suspensions pass through. It calls nothing if the
    /// reference is null or a parameter type has no default value.
    CallArgument,
}

/// A store with modules and instances in it.
///
/// Every method that can fail says how with an [`Outcome`]. Misuse (an unknown
/// export, arguments of wrong number or type) is [`Outcome::Failed`].
pub trait Session {
    /// Validates a module and compiles it, as far as the engine does that.
    fn compile(&mut self, wasm: &[u8]) -> Result<ModuleId, Outcome>;

    /// Instantiates a module, with one binding for each of its imports, in
    /// order. The start function runs.
    ///
    /// A binding to [`HostFunction`] needs default values for the results; if a
    /// type has none, that is [`Outcome::Unlinkable`], as is any mismatch.
    fn instantiate(
        &mut self,
        module: ModuleId,
        bindings: &[Binding],
    ) -> Result<InstanceId, Outcome>;

    /// Calls an exported function.
    fn invoke(&mut self, instance: InstanceId, export: &str, arguments: &[Value]) -> Outcome;

    /// Reads an exported global.
    fn global(&mut self, instance: InstanceId, export: &str) -> Result<Value, Outcome>;

    /// Takes the events recorded since the last time; none if the engine does
    /// not trace.
    fn take_trace(&mut self) -> Vec<Event>;

    /// Takes the functions that were active at the last trap, innermost first,
    /// each as a line; none if the engine does not tell.
    fn take_backtrace(&mut self) -> Vec<String> {
        Vec::new()
    }

    /// Describes the instance's state.
    fn state(&mut self, instance: InstanceId) -> State;

    /// The offsets in the module's binary of the instructions of a function that
    /// were executed at least once, ascending; `None` if that is not recorded.
    fn executed(&self, instance: InstanceId, function: u32) -> Option<Vec<u32>>;

    /// Takes how often the instance's instructions were executed since the last
    /// time, between which of the events that [`take_trace`](Session::take_trace)
    /// has not taken yet; nothing if the engine does not count.
    fn take_executions(&mut self, _: InstanceId) -> Vec<Execution> {
        Vec::new()
    }
}

/// A bug that can be planted into an engine.
#[derive(Clone, Copy, Debug)]
pub struct Planted {
    /// The name to choose it by.
    pub name: &'static str,
    /// What it does, in a sentence.
    pub summary: &'static str,
    /// The classes of bugs in stack switching that it belongs to, by their numbers in `docs/planted-bugs.md`; none if it has
    /// nothing to do with stack switching.
    pub classes: &'static [u8],
}

/// A known bug of an engine. Cases keep away from it, so that it does not hide others, unless they are told not to.
#[derive(Clone, Copy, Debug)]
pub struct Gap {
    /// The name of the feature that the engine is taken not to have.
    pub feature: &'static str,
    /// What goes wrong.
    pub reason: &'static str,
    /// Where it is reported or kept.
    pub reference: &'static str,
}

/// An engine that the toolkit can set up.
pub struct Registration {
    /// The engine's name.
    pub name: &'static str,
    /// What it is, in half a sentence.
    pub summary: &'static str,
    /// Sets it up; fails with a message if the settings do not fit it.
    pub create: fn(&Settings) -> Result<Box<dyn Engine>, String>,
    /// The bugs that can be planted into it.
    pub planted: fn() -> Vec<Planted>,
    /// What it can do. Cases are generated with what all their engines can do.
    pub features: Features,
    /// The axes of its configuration.
    pub axes: fn() -> Vec<Axis>,
    /// Those of the features that it lacks because of a known bug.
    pub gaps: &'static [Gap],
    /// Whether cases run on it if nobody says on which engines they are to run.
    pub default: bool,
}

/// All engines. The later one is the reference of two: the last is the oracle.
pub const REGISTRY: &[Registration] = &[
    compiled::REGISTRATION,
    wasmi::REGISTRATION,
    #[cfg(feature = "wasmtime")]
    wasmtime::REGISTRATION,
    oracle::REGISTRATION,
];

/// Why an engine could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// No engine of this name is registered.
    #[error("there is no engine {name:?}; there are: {}", all_names().join(", "))]
    UnknownEngine {
        /// The name.
        name: String,
    },
    /// No engine has a known bug that keeps cases from a feature of this name.
    #[error(
        "no engine is known for a bug in {name:?}; known are: {}",
        known_gaps()
    )]
    UnknownGap {
        /// The name.
        name: String,
    },
    /// More configurations than engines that have any.
    #[error("there are more configurations than engines with a configuration")]
    TooManyConfigurations,
    /// A comparison needs two.
    #[error("a comparison needs at least two engines, such as oracle,wasmi")]
    TooFew,
    /// No engine has a planted bug of this name.
    #[error("there is no planted bug {name:?}; there are: {}", known_bugs())]
    UnknownBug {
        /// The name.
        name: String,
    },
    /// None of the engines has the planted bug that is asked for.
    #[error("the planted bug {name:?} is one of {owner}, which does not take part")]
    BugOfAnother {
        /// The bug.
        name: String,
        /// The engine that has it.
        owner: &'static str,
    },
    /// The engine cannot run with these settings.
    #[error("engine {engine}: {message}")]
    Refused {
        /// The engine.
        engine: &'static str,
        /// The engine's reason.
        message: String,
    },
}

/// The names of the engines that cases run on if nothing else is said, in the order of the registry: the reference last.
pub fn names() -> Vec<&'static str> {
    let default = REGISTRY.iter().filter(|r| r.default);
    default.map(|r| r.name).collect()
}

/// The names of all engines, in the order of the registry.
pub fn all_names() -> Vec<&'static str> {
    REGISTRY.iter().map(|r| r.name).collect()
}

/// The engine of this name.
///
/// # Errors
///
/// [`SetupError::UnknownEngine`], if there is none.
pub fn find(name: &str) -> Result<&'static Registration, SetupError> {
    let unknown = || SetupError::UnknownEngine {
        name: name.to_owned(),
    };
    REGISTRY.iter().find(|r| r.name == name).ok_or_else(unknown)
}

/// The reference among engines, which is the one that stands last in the registry, and the others in the order of `names`.
///
/// # Errors
///
/// [`SetupError`], if one is unknown or there are less than two.
pub fn split_reference(
    names: &[impl AsRef<str>],
) -> Result<(&'static Registration, Vec<&'static Registration>), SetupError> {
    let mut engines = Vec::new();
    for name in names {
        engines.push(find(name.as_ref())?);
    }
    let rank = |engine: &Registration| REGISTRY.iter().position(|r| r.name == engine.name);
    let last = (0..engines.len()).max_by_key(|&index| rank(engines[index]));
    match last {
        Some(last) if engines.len() > 1 => {
            let reference = engines.remove(last);
            Ok((reference, engines))
        }
        _ => Err(SetupError::TooFew),
    }
}

/// The configurations of engines: each of `texts`, as [`Configuration`] displays, is for the next of those that have axes. `None`
/// for those that have none or are given none.
///
/// # Errors
///
/// [`SetupError`], if one is wrong or there are too many.
pub fn configurations(
    engines: &[&'static Registration],
    texts: &[impl AsRef<str>],
) -> Result<Vec<Option<Configuration>>, SetupError> {
    let mut texts = texts.iter();
    let mut configurations = Vec::new();
    for engine in engines {
        let axes = (engine.axes)();
        let text = if axes.is_empty() { None } else { texts.next() };
        let parsed = text.map(|text| Configuration::parse(text.as_ref(), &axes));
        let refused = |message| SetupError::Refused {
            engine: engine.name,
            message,
        };
        configurations.push(parsed.transpose().map_err(refused)?);
    }
    match texts.next() {
        None => Ok(configurations),
        Some(_) => Err(SetupError::TooManyConfigurations),
    }
}

/// What all these engines can do.
///
/// # Errors
///
/// [`SetupError`], if one is unknown.
pub fn features(names: &[impl AsRef<str>]) -> Result<Features, SetupError> {
    let mut features = Features::ALL;
    for name in names {
        features = features.and(find(name.as_ref())?.features);
    }
    Ok(features)
}

/// All bugs that can be planted, with the engine that has them.
pub fn planted() -> Vec<(&'static str, Planted)> {
    let bugs = |r: &Registration| -> Vec<_> {
        let engine = r.name;
        (r.planted)().into_iter().map(|bug| (engine, bug)).collect()
    };
    REGISTRY.iter().flat_map(bugs).collect()
}

/// Checks that one of the engines has the bug that is to be planted: without it, a search for the bug would find nothing and
/// prove nothing.
///
/// # Errors
///
/// [`SetupError::BugOfAnother`], if none has it.
pub fn check_plant(plant: Option<&str>, engines: &[impl AsRef<str>]) -> Result<(), SetupError> {
    let owner = |name: &str| planted().into_iter().find(|(_, bug)| bug.name == name);
    let Some((name, (owner, _))) = plant.and_then(|name| Some((name, owner(name)?))) else {
        return Ok(());
    };
    if engines.iter().any(|engine| engine.as_ref() == owner) {
        return Ok(());
    }
    Err(SetupError::BugOfAnother {
        name: name.to_owned(),
        owner,
    })
}

fn known_gaps() -> String {
    let gaps = REGISTRY
        .iter()
        .flat_map(|r| r.gaps.iter().map(|gap| gap.feature));
    gaps.collect::<Vec<_>>().join(", ")
}

fn known_bugs() -> String {
    let bugs: Vec<_> = planted().iter().map(|(_, bug)| bug.name).collect();
    if bugs.is_empty() {
        "none in this build".to_owned()
    } else {
        bugs.join(", ")
    }
}

/// Sets up one engine by its name.
///
/// # Errors
///
/// [`SetupError`], if there is no such engine or it refuses the settings.
pub fn create(name: &str, settings: &Settings) -> Result<Box<dyn Engine>, SetupError> {
    if let Some(plant) = &settings.plant
        && !planted().iter().any(|(_, bug)| bug.name == plant)
    {
        return Err(SetupError::UnknownBug {
            name: plant.clone(),
        });
    }
    let registration = find(name)?;
    (registration.create)(settings).map_err(|message| SetupError::Refused {
        engine: registration.name,
        message,
    })
}

/// Sets up the engines of [`names`], in their order: the reference last.
///
/// # Errors
///
/// [`SetupError`], if an engine refuses the settings.
pub fn create_all(settings: &Settings) -> Result<Vec<Box<dyn Engine>>, SetupError> {
    names()
        .into_iter()
        .map(|name| create(name, settings))
        .collect()
}

/// The module that scripts and cases import the standard host's own functions
/// from.
pub const STANDARD_HOST: &str = "switchback";

/// The bindings of the standard host, under which every case runs.
pub fn standard_host(imports: &[Import]) -> Vec<Binding> {
    let binding = |index| standard_binding(imports, index);
    (0..imports.len()).map(binding).collect()
}

/// The bindings of a case's main module: its imports from module [`linked::MODULE`] are exports of `provider`, if there is one;
/// all else is the standard host's.
pub fn linked_host(imports: &[Import], provider: Option<InstanceId>) -> Vec<Binding> {
    let binding = |index: usize| match provider {
        Some(instance) if imports[index].module == linked::MODULE => Binding::Export {
            instance,
            name: imports[index].name.clone(),
        },
        _ => standard_binding(imports, index),
    };
    (0..imports.len()).map(binding).collect()
}

/// What the standard host offers for the import `index` of a module: a new host
/// item, except that an import with the names and the type of an earlier one
/// gets the same item.
///
/// The function `call` of module `switchback` calls the function that it is
/// given ([`HostFunction::CallArgument`]); all others return defaults.
///
/// # Panics
///
/// If there is no import `index`.
pub fn standard_binding(imports: &[Import], index: usize) -> Binding {
    let import = &imports[index];
    if let Some(earlier) = imports[..index].iter().position(|other| other == import) {
        return Binding::SameAs(earlier);
    }
    Binding::Host(match (import.module.as_str(), import.name.as_str()) {
        (STANDARD_HOST, "call") => HostFunction::CallArgument,
        _ => HostFunction::Defaults,
    })
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Registration({})", self.name)
    }
}
