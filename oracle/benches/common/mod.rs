//! What both benchmarks measure, ready to be called.

use switchback_oracle::{Config, Dispatch, Engine, Extern, Instance, Module, Store, Val};

/// Kernels, each with an argument that makes it run for a millisecond or so.
pub const KERNELS: &[(&str, i32)] = &[
    ("fib", 30),
    ("sieve", 200_000),
    ("matmul", 60),
    ("indirect", 200_000),
    ("memory", 20),
    ("float", 64),
];

/// The kernels' module.
pub fn kernels() -> Vec<u8> {
    wat::parse_str(include_str!("../kernels.wat")).expect("the kernels")
}

/// The module of the stack-switching loops.
pub fn switching() -> Vec<u8> {
    wat::parse_str(include_str!("../switching.wat")).expect("the loops")
}

/// A function that the module exports, on the oracle.
pub fn oracle(dispatch: Dispatch, wasm: &[u8], name: &str) -> impl FnMut(i32) -> i32 + use<> {
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

/// The same on wasmi.
pub fn wasmi(wasm: &[u8], name: &str) -> impl FnMut(i32) -> i32 + use<> {
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
