//! The bodies of the fuzz targets.

use super::case::CaseRunner;
use crate::engines::{self, Engine, Interface, Settings, standard_host};
use crate::generate;
use crate::observe::Outcome;
use std::cell::OnceCell;

thread_local! {
    /// The engines, set up once: a fuzzing engine calls the body very often.
    static RUNNER: OnceCell<CaseRunner> = const { OnceCell::new() };
    static ENGINES: OnceCell<Vec<Box<dyn Engine>>> = const { OnceCell::new() };
}

/// Runs a case on all engines. Bytes that are a module are that case; all others
/// are what the generator makes a module of.
///
/// # Panics
///
/// With the report, if the engines differ; and if an engine panics.
pub fn differential(bytes: &[u8]) {
    RUNNER.with(|runner| {
        let runner = runner.get_or_init(|| {
            CaseRunner::new(&Settings::default()).expect("the default settings fit every engine")
        });
        let report = if bytes.starts_with(b"\0asm") {
            runner.run_module(bytes, traced(bytes))
        } else {
            let module = generate::generate_from_bytes(bytes, &generate::Config::default());
            runner.run_module(&module.wasm, traced(bytes))
        };
        if let Some(finding) = report.finding {
            panic!("{}", finding.text);
        }
    });
}

/// Whether the engines under test record a trace: mostly, by the last byte.
fn traced(bytes: &[u8]) -> bool {
    bytes.last().is_none_or(|byte| !byte.is_multiple_of(4))
}

/// Gives arbitrary bytes to every engine, as a module: it is validated, compiled
/// and, unless it has a start function (which might not end), instantiated under
/// the standard host.
///
/// # Panics
///
/// If an engine panics, or fails by itself.
pub fn compile(bytes: &[u8]) {
    ENGINES.with(|engines| {
        let engines = engines.get_or_init(|| {
            let settings = Settings::default();
            engines::create_all(&settings).expect("the default settings fit every engine")
        });
        for engine in engines {
            compile_on(engine.as_ref(), bytes);
        }
    });
}

fn compile_on(engine: &dyn Engine, bytes: &[u8]) {
    let mut session = engine.session();
    let Ok(module) = session.compile(bytes) else {
        return;
    };
    let interface = Interface::read(bytes).expect("a module that an engine accepts can be read");
    if interface.start || interface.check_sizes().is_err() {
        return;
    }
    let bindings = standard_host(&interface.imports);
    if let Err(Outcome::Failed { message }) = session.instantiate(module, &bindings) {
        panic!("{}: {message}", engine.name());
    }
}
