//! How fast the oracle is: with both of its dispatchers, against wasmi in the same run; and
//! what stack switching costs.
//!
//! `cargo bench -p switchback-oracle`

use divan::{Bencher, black_box};
use switchback_oracle::Dispatch;

/// Kernel and its argument.
const KERNELS: &[(&str, i32)] = &[
    ("fib", 24),
    ("sieve", 200_000),
    ("matmul", 60),
    ("indirect", 200_000),
    ("memory", 20),
    ("float", 64),
];

/// Rounds of each stack-switching loop in one iteration.
const ROUNDS: i32 = 100_000;

fn main() {
    divan::main();
}

fn kernels() -> Vec<u8> {
    wat::parse_str(include_str!("kernels.wat")).expect("the kernels")
}

/// An exported function, ready to be called.
fn oracle(dispatch: Dispatch, wasm: &[u8], name: &str) -> impl FnMut(i32) -> i32 + use<> {
    use switchback_oracle::{Config, Engine, Extern, Instance, Module, Store, Val};
    let engine = Engine::new(Config::new().dispatch(dispatch)).expect("an engine");
    let module = Module::new(&engine, wasm).expect("a module");
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).expect("an instance");
    let Some(Extern::Func(func)) = instance.get_export(&store, name) else {
        panic!("no function {name}");
    };
    move |argument| {
        let mut results = [Val::I32(0)];
        func.call(&mut store, &[Val::I32(argument)], &mut results)
            .expect("a return");
        match results {
            [Val::I32(result)] => result,
            other => panic!("{other:?}"),
        }
    }
}

fn wasmi(wasm: &[u8], name: &str) -> impl FnMut(i32) -> i32 + use<> {
    let engine = wasmi::Engine::default();
    let module = wasmi::Module::new(&engine, wasm).expect("a module");
    let mut store = wasmi::Store::new(&engine, ());
    let instance = wasmi::Linker::new(&engine)
        .instantiate_and_start(&mut store, &module)
        .expect("an instance");
    let func = instance
        .get_typed_func::<i32, i32>(&store, name)
        .expect("a function");
    move |argument| func.call(&mut store, argument).expect("a return")
}

#[divan::bench(args = KERNELS.iter().map(|k| k.0))]
fn on_oracle_by_match(bencher: Bencher, name: &str) {
    let argument = argument(name);
    let mut call = oracle(Dispatch::Match, &kernels(), name);
    bencher.bench_local(|| call(black_box(argument)));
}

#[divan::bench(args = KERNELS.iter().map(|k| k.0))]
fn on_oracle_by_table(bencher: Bencher, name: &str) {
    let argument = argument(name);
    let mut call = oracle(Dispatch::Table, &kernels(), name);
    bencher.bench_local(|| call(black_box(argument)));
}

#[divan::bench(args = KERNELS.iter().map(|k| k.0))]
fn on_wasmi(bencher: Bencher, name: &str) {
    let argument = argument(name);
    let mut call = wasmi(&kernels(), name);
    let expected = oracle(Dispatch::default(), &kernels(), name)(argument);
    assert_eq!(call(argument), expected, "{name}");
    bencher.bench_local(|| call(black_box(argument)));
}

fn argument(name: &str) -> i32 {
    let kernel = KERNELS.iter().find(|k| k.0 == name);
    kernel.expect("a kernel").1
}

#[divan::bench(args = ["calls", "create", "suspend", "suspend_deep", "forward"])]
fn switching(bencher: Bencher, name: &str) {
    let wasm = wat::parse_str(include_str!("switching.wat")).expect("the loops");
    let mut call = oracle(Dispatch::default(), &wasm, name);
    bencher
        .counter(divan::counter::ItemsCount::new(ROUNDS as u32))
        .bench_local(|| call(black_box(ROUNDS)));
}
