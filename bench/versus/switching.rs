//! The stack-switching lines: the loops are in Wasm, so that calls of the host do not count.

use super::{Line, OURS, Prepare, coroutines, programs};
use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;
use switchback_bench::Contestant;
use switchback_engine as ours;

pub fn lines() -> Vec<Prepare> {
    vec![
        ("round trip", || {
            let mut line = line("round trip", programs::ROUND_TRIP, MANY);
            line.contestants.push(coroutines::round_trip());
            line
        }),
        ("round trip i32", || {
            line("round trip i32", programs::ROUND_TRIP_I32, MANY)
        }),
        ("cont.new + run", || {
            let mut line = line("cont.new + run", programs::NEW_AND_RUN, 10_000);
            line.contestants.push(coroutines::new_and_run());
            line
        }),
        ("switch", || line("switch", programs::SWITCH, MANY)),
        ("forwarded 1", || {
            line("forwarded 1", &programs::forwarded(1), MANY)
        }),
        ("forwarded 4", || {
            line("forwarded 4", &programs::forwarded(4), MANY)
        }),
        ("forwarded 16", || {
            line("forwarded 16", &programs::forwarded(16), MANY)
        }),
        ("resume_throw", || {
            // Few, because Wasmtime 48 panics when it collects exceptions while a continuation is suspended.
            line("resume_throw", programs::RESUME_THROW, 1_000)
        }),
    ]
}

const MANY: u64 = 1_000_000;

fn line(name: &str, text: &str, operations: u64) -> Line {
    let wasm = wat::parse_str(text).expect("the programs parse");
    Line::new(
        name,
        operations,
        vec![compiled(wasm.clone()), wasmtime(wasm)],
    )
}

/// The engine with its best settings for speed.
pub fn our_engine() -> ours::Engine {
    let mut config = ours::Config::new();
    config
        .opt_level(ours::OptLevel::Speed)
        .regalloc(ours::RegallocAlgorithm::Backtracking);
    ours::Engine::new(&config).expect("the engine can be made")
}

/// Wasmtime with its defaults, and the proposals that the programs use.
pub fn wasmtime_engine() -> wasmtime::Engine {
    let mut config = wasmtime::Config::new();
    config
        .wasm_function_references(true)
        .wasm_gc(true)
        .wasm_exceptions(true)
        .wasm_stack_switching(true);
    wasmtime::Engine::new(&config).expect("the engine can be made")
}

/// Every call gets a store of its own, since Wasmtime frees no stack before its store goes; making and dropping the store does
/// not count.
fn compiled(wasm: Vec<u8>) -> Contestant<'static> {
    let engine = our_engine();
    let module = ours::Module::new(&engine, &wasm).expect("the programs compile");
    Contestant::new(OURS, move |count| {
        let mut store = ours::Store::new(&engine, ());
        let instance = ours::Instance::new(&mut store, &module, &[]).expect("no imports");
        let run = instance.get_func(&store, "run").expect("it is exported");
        let run = run.typed::<i32, ()>(&store).expect("its type");
        timed(|| run.call(&mut store, count as i32).expect("it returns"))
    })
}

fn wasmtime(wasm: Vec<u8>) -> Contestant<'static> {
    let engine = wasmtime_engine();
    let module = wasmtime::Module::new(&engine, &wasm).expect("the programs compile");
    Contestant::new("wasmtime", move |count| {
        let mut store = wasmtime::Store::new(&engine, ());
        let instance = wasmtime::Instance::new(&mut store, &module, &[]).expect("no imports");
        let run = instance.get_typed_func::<i32, ()>(&mut store, "run");
        let run = run.expect("it is exported");
        timed(|| run.call(&mut store, count as i32).expect("it returns"))
    })
}

/// How long this thread computes for something. Of time on the clock, a machine that does other things as well takes a part away.
///
/// Neither side computes on other threads: our engine has none, and Wasmtime compiles on the calling thread unless its feature
/// `parallel-compilation` is on.
pub fn timed<R>(operation: impl FnOnce() -> R) -> Duration {
    let start = thread_time();
    operation();
    thread_time() - start
}

/// What this thread has computed, in user space and in the kernel.
fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.try_into()
        .expect("the time of a thread is not negative")
}
