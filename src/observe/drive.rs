//! Runs a case on an engine and writes down what it shows.

use super::{Call, Observation, Outcome, Value};
use crate::engines::{
    Engine, InstanceId, Interface, ModuleId, Session, linked_host, standard_host,
};
use crate::linked::Provider;
use std::time::{Duration, Instant};

/// How long the two parts of a run took. Never part of an observation.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timing {
    /// Validation and compilation.
    pub compile: Duration,
    /// Instantiation, the calls, and reading the state.
    pub execute: Duration,
}

/// An observation, and what a run shows beside it.
#[derive(Clone, Debug)]
pub struct Run {
    /// The observation.
    pub observation: Observation,
    /// How long it took.
    pub timing: Timing,
    /// The offsets of the instructions executed at least once, ascending; empty
    /// if the engine does not record that.
    pub executed: Vec<u32>,
    /// How often instructions were executed, for the instantiation and then for each
    /// call; empty if the engine does not count.
    pub executions: Vec<Vec<Execution>>,
}

/// How often an instruction was executed between two events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Execution {
    /// How many events of this part of the run there were before.
    pub events: usize,
    /// The instruction's offset in the module.
    pub offset: u32,
    /// The number of times, at least 1.
    pub count: u64,
}

/// Runs a case: instantiates the module under the standard host, after its
/// provider if it has one ([`crate::linked`]), calls its
/// exported functions without parameters in export order, reads the state.
///
/// NaNs in the observation are canonical.
pub fn observe(engine: &dyn Engine, wasm: &[u8]) -> Observation {
    run(engine, wasm).observation
}

/// As [`observe`], with what is to be known beside the observation.
pub fn run(engine: &dyn Engine, wasm: &[u8]) -> Run {
    drive(
        engine,
        wasm,
        |session, instances, observation, executions| {
            for export in instances.main.interface.script() {
                call(session, instances, export, &[], observation, executions);
            }
        },
    )
}

/// Instantiates the module under the standard host and calls one export with
/// these arguments.
pub fn observe_call(
    engine: &dyn Engine,
    wasm: &[u8],
    export: &str,
    arguments: &[Value],
) -> Observation {
    let script = |session: &mut dyn Session, instances: &_, observation: &mut _, more: &mut _| {
        call(session, instances, export, arguments, observation, more);
    };
    drive(engine, wasm, script).observation
}

fn drive(
    engine: &dyn Engine,
    wasm: &[u8],
    script: impl FnOnce(&mut dyn Session, &Instances, &mut Observation, &mut Vec<Vec<Execution>>),
) -> Run {
    let mut timing = Timing::default();
    let mut observation = Observation {
        engine: engine.name().to_owned(),
        instantiation: Outcome::Returned { values: Vec::new() },
        ended_in_provider: false,
        calls: Vec::new(),
        trace: engine.traces().map(|_| Vec::new()),
        scope: engine.traces().unwrap_or_default(),
        state: None,
        linked: None,
    };

    let start = Instant::now();
    let mut session = engine.session();
    let session = session.as_mut();
    let compiled = compile(session, wasm);
    timing.compile = start.elapsed();

    let start = Instant::now();
    let mut executed = Vec::new();
    let mut executions = Vec::new();
    let instantiated = compiled.and_then(|modules| {
        let provider = instantiate_provider(session, modules.provider);
        observation.ended_in_provider = provider.is_err();
        instantiate(session, provider?, modules.main)
    });
    record(session, &mut observation);
    match instantiated {
        Ok(instances) => {
            let all = [Some(&instances.main), instances.provider.as_ref()];
            let all = all.into_iter().flatten();
            executions.push(take_executions(session, &instances));
            script(session, &instances, &mut observation, &mut executions);
            observation.state = Some(session.state(instances.main.id));
            observation.linked = instances.provider.as_ref().map(|p| session.state(p.id));
            for Instance { id, interface } in all {
                for function in 0..interface.functions {
                    executed.extend(session.executed(*id, function).into_iter().flatten());
                }
            }
            executed.sort_unstable();
        }
        Err(outcome) => observation.instantiation = outcome,
    }
    observation.canonicalise();
    timing.execute = start.elapsed();
    Run {
        observation,
        timing,
        executed,
        executions,
    }
}

/// What is to be instantiated: the provider, if there is one, and the main module, each with what it asks for and offers.
struct Modules {
    provider: Option<(ModuleId, Interface)>,
    main: (ModuleId, Interface),
}

/// The instances of a case.
struct Instances {
    provider: Option<Instance>,
    main: Instance,
}

struct Instance {
    id: InstanceId,
    interface: Interface,
}

fn compile(session: &mut dyn Session, wasm: &[u8]) -> Result<Modules, Outcome> {
    let mut compile = |wasm: &[u8]| -> Result<_, Outcome> {
        let module = session.compile(wasm)?;
        let interface = Interface::read(wasm).map_err(|error| Outcome::Failed {
            message: error.to_string(),
        })?;
        Ok((module, interface))
    };
    let provider = Provider::of(wasm)?.map(|provider| compile(&provider.placed()));
    Ok(Modules {
        provider: provider.transpose()?,
        main: compile(wasm)?,
    })
}

fn instantiate_provider(
    session: &mut dyn Session,
    provider: Option<(ModuleId, Interface)>,
) -> Result<Option<Instance>, Outcome> {
    let Some((module, interface)) = provider else {
        return Ok(None);
    };
    interface.check_sizes()?;
    let id = session.instantiate(module, &standard_host(&interface.imports))?;
    Ok(Some(Instance { id, interface }))
}

fn instantiate(
    session: &mut dyn Session,
    provider: Option<Instance>,
    (module, interface): (ModuleId, Interface),
) -> Result<Instances, Outcome> {
    interface.check_sizes()?;
    let bindings = linked_host(&interface.imports, provider.as_ref().map(|p| p.id));
    let id = session.instantiate(module, &bindings)?;
    Ok(Instances {
        provider,
        main: Instance { id, interface },
    })
}

/// Takes what was executed since the last time, in both instances.
fn take_executions(session: &mut dyn Session, instances: &Instances) -> Vec<Execution> {
    let mut executions = session.take_executions(instances.main.id);
    if let Some(provider) = &instances.provider {
        executions.append(&mut session.take_executions(provider.id));
    }
    executions
}

/// Calls an export and appends the call with its events.
fn call(
    session: &mut dyn Session,
    instances: &Instances,
    export: &str,
    arguments: &[Value],
    observation: &mut Observation,
    executions: &mut Vec<Vec<Execution>>,
) {
    let start = observation.trace.as_ref().map_or(0, Vec::len);
    let outcome = session.invoke(instances.main.id, export, arguments);
    executions.push(take_executions(session, instances));
    let end = record(session, observation);
    observation.calls.push(Call {
        export: export.to_owned(),
        outcome,
        events: start..end,
        backtrace: session.take_backtrace(),
    });
}

/// Moves the session's new events into the observation; returns the length of
/// its trace.
fn record(session: &mut dyn Session, observation: &mut Observation) -> usize {
    match &mut observation.trace {
        Some(trace) => {
            trace.append(&mut session.take_trace());
            trace.len()
        }
        None => 0,
    }
}
