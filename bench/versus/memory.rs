//! The memory that suspended continuations need.

use super::programs;
use super::switching::{our_engine, wasmtime_engine};
use switchback_engine as ours;

/// Prints bytes of resident memory for each suspended continuation.
pub fn print() {
    let wasm = wat::parse_str(programs::SUSPEND_MANY).expect("the program parses");
    println!("\nbytes of memory a suspended continuation");
    for count in [10_000, 100_000] {
        let ours = compiled(&wasm, count);
        let wasmtime = match wasmtime(&wasm, count) {
            Ok(bytes) => format!("wasmtime {:.0}", bytes / f64::from(count)),
            Err(error) => format!("wasmtime fails: {}", error.root_cause()),
        };
        println!(
            "{count:>8} suspended: switchback {:.0}, {wasmtime}",
            ours / f64::from(count)
        );
    }
}

fn compiled(wasm: &[u8], count: i32) -> f64 {
    let engine = our_engine();
    let module = ours::Module::new(&engine, wasm).expect("the program compiles");
    let mut store = ours::Store::new(&engine, ());
    let instance = ours::Instance::new(&mut store, &module, &[]).expect("no imports");
    let run = instance.get_func(&store, "run").expect("it is exported");
    let run = run.typed::<i32, ()>(&store).expect("its type");
    let before = resident();
    run.call(&mut store, count).expect("it returns");
    assert_eq!(store.live_continuations(), count as usize);
    resident() - before
}

fn wasmtime(wasm: &[u8], count: i32) -> Result<f64, wasmtime::Error> {
    let engine = wasmtime_engine();
    let module = wasmtime::Module::new(&engine, wasm)?;
    let mut store = wasmtime::Store::new(&engine, ());
    let instance = wasmtime::Instance::new(&mut store, &module, &[])?;
    let run = instance.get_typed_func::<i32, ()>(&mut store, "run")?;
    let before = resident();
    run.call(&mut store, count)?;
    Ok(resident() - before)
}

/// Bytes of this process that are in memory.
fn resident() -> f64 {
    const PAGE: f64 = 4096.0;
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux has it");
    let pages = statm.split_whitespace().nth(1).expect("the second number");
    pages.parse::<f64>().expect("it is a number") * PAGE
}
