//! The compile lines: what becomes of a generated module, from its bytes to the end of its store.

use super::generated::{self, Calls, Level, MODULES, Setting};
use super::switching::timed;
use super::{Line, OURS, Prepare};
use std::hint::black_box;
use switchback_bench::Contestant;
use switchback_engine as ours;

pub fn lines() -> Vec<Prepare> {
    vec![
        ("module to first call, optimised", || {
            line("module to first call, optimised", first(Level::Optimised))
        }),
        ("module to first call, not optimised", || {
            line(
                "module to first call, not optimised",
                first(Level::NotOptimised),
            )
        }),
        ("case at the fuzzer's setting", || {
            line("case at the fuzzer's setting", FUZZER)
        }),
    ]
}

/// As an embedder would have it.
fn first(level: Level) -> Setting {
    Setting {
        level,
        calls: Calls::First,
        unwind_info: true,
    }
}

/// As campaigns have it, but for traces, which Wasmtime does not record.
const FUZZER: Setting = Setting {
    level: Level::NotOptimised,
    calls: Calls::All,
    unwind_info: false,
};

fn line(name: &str, setting: Setting) -> Line {
    let (ours, theirs) = (
        generated::our_engine(setting),
        generated::wasmtime_engine(setting),
    );
    let modules = generated::modules();
    let cases = move |count: u64| modules.iter().cycle().take(count as usize);
    let compiled = Contestant::new(OURS, move |count| {
        timed(|| {
            for wasm in cases(count) {
                black_box(generated::compiled(&ours, wasm, setting.calls).expect("it was tried"));
            }
        })
    });
    let wasmtime = Contestant::new("wasmtime", move |count| {
        timed(|| {
            for wasm in cases(count) {
                black_box(generated::wasmtime(&theirs, wasm, setting.calls).expect("it was tried"));
            }
        })
    });
    Line::new(name, MODULES as u64, vec![compiled, wasmtime])
}

/// Prints the sizes of all modules' code together. (Wasmtime's is its text section.)
pub fn print_sizes() {
    let modules = generated::modules();
    println!("\nbytes of code of {} modules", modules.len());
    for level in [Level::Optimised, Level::NotOptimised] {
        let setting = first(level);
        let (ours, theirs) = (
            generated::our_engine(setting),
            generated::wasmtime_engine(setting),
        );
        let size = |wasm: &Vec<u8>| {
            ours::Module::new(&ours, wasm)
                .expect("it was tried")
                .code_size()
        };
        let size_there = |wasm: &Vec<u8>| {
            wasmtime::Module::new(&theirs, wasm)
                .expect("it was tried")
                .text()
                .len()
        };
        let ours: usize = modules.iter().map(size).sum();
        let theirs: usize = modules.iter().map(size_there).sum();
        println!(
            "{:<34} {ours:>12} {theirs:>12} {:>7.2}",
            match level {
                Level::Optimised => "optimised",
                Level::NotOptimised => "not optimised",
            },
            theirs as f64 / ours as f64
        );
    }
}
