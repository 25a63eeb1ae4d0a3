//! Runs a case on an engine and writes down what it shows.

use super::{Call, Observation, Outcome, Value};
use crate::engines::{Engine, InstanceId, Interface, Session, standard_host};
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

/// Runs a case: instantiates the module under the standard host, calls its
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
        |session, instance, interface, observation, executions| {
            for export in interface.script() {
                call(session, instance, export, &[], observation, executions);
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
    let script = |session: &mut dyn Session, instance, _: &_, observation: &mut _, more: &mut _| {
        call(session, instance, export, arguments, observation, more);
    };
    drive(engine, wasm, script).observation
}

fn drive(
    engine: &dyn Engine,
    wasm: &[u8],
    script: impl FnOnce(
        &mut dyn Session,
        InstanceId,
        &Interface,
        &mut Observation,
        &mut Vec<Vec<Execution>>,
    ),
) -> Run {
    let mut timing = Timing::default();
    let mut observation = Observation {
        engine: engine.name().to_owned(),
        instantiation: Outcome::Returned { values: Vec::new() },
        calls: Vec::new(),
        trace: engine.traces().map(|_| Vec::new()),
        scope: engine.traces().unwrap_or_default(),
        state: None,
    };

    let start = Instant::now();
    let mut session = engine.session();
    let compiled = session.compile(wasm);
    timing.compile = start.elapsed();

    let start = Instant::now();
    let session = session.as_mut();
    let mut executed = Vec::new();
    let mut executions = Vec::new();
    let instantiated = compiled.and_then(|module| {
        let interface = Interface::read(wasm).map_err(|error| Outcome::Failed {
            message: error.to_string(),
        })?;
        interface.check_sizes()?;
        let bindings = standard_host(&interface.imports);
        let instance = session.instantiate(module, &bindings);
        if let Ok(instance) = instance {
            executions.push(session.take_executions(instance));
        }
        record(session, &mut observation);
        Ok((instance?, interface))
    });
    match instantiated {
        Ok((instance, interface)) => {
            script(
                session,
                instance,
                &interface,
                &mut observation,
                &mut executions,
            );
            observation.state = Some(session.state(instance));
            for function in 0..interface.functions {
                executed.extend(session.executed(instance, function).into_iter().flatten());
            }
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

/// Calls an export and appends the call with its events.
fn call(
    session: &mut dyn Session,
    instance: InstanceId,
    export: &str,
    arguments: &[Value],
    observation: &mut Observation,
    executions: &mut Vec<Vec<Execution>>,
) {
    let start = observation.trace.as_ref().map_or(0, Vec::len);
    let outcome = session.invoke(instance, export, arguments);
    executions.push(session.take_executions(instance));
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
