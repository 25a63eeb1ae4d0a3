//! The memory that suspended continuations need.

use super::programs;
use super::switching::{our_engine, wasmtime_engine};
use switchback_engine as ours;

/// Prints what each suspended continuation takes: bytes in memory, and bytes of addresses.
pub fn print() {
    let wasm = wat::parse_str(programs::SUSPEND_MANY).expect("the program parses");
    println!("\nbytes a suspended continuation: in memory, and reserved");
    for count in [10_000, 100_000] {
        let each = |bytes: Bytes| {
            let count = f64::from(count);
            format!(
                "{:.0} {:.0}",
                bytes.resident / count,
                bytes.reserved / count
            )
        };
        let ours = each(compiled(&wasm, count));
        let wasmtime = match wasmtime(&wasm, count) {
            Ok(bytes) => format!("wasmtime {}", each(bytes)),
            Err(error) => format!("wasmtime fails: {}", error.root_cause()),
        };
        println!("{count:>8} suspended: switchback {ours}, {wasmtime}");
    }
}

fn compiled(wasm: &[u8], count: i32) -> Bytes {
    let engine = our_engine();
    let module = ours::Module::new(&engine, wasm).expect("the program compiles");
    let mut store = ours::Store::new(&engine, ());
    let instance = ours::Instance::new(&mut store, &module, &[]).expect("no imports");
    let run = instance.get_func(&store, "run").expect("it is exported");
    let run = run.typed::<i32, ()>(&store).expect("its type");
    let before = Bytes::of_process();
    run.call(&mut store, count).expect("it returns");
    assert_eq!(store.live_continuations(), count as usize);
    Bytes::of_process().since(&before)
}

fn wasmtime(wasm: &[u8], count: i32) -> Result<Bytes, wasmtime::Error> {
    let engine = wasmtime_engine();
    let module = wasmtime::Module::new(&engine, wasm)?;
    let mut store = wasmtime::Store::new(&engine, ());
    let instance = wasmtime::Instance::new(&mut store, &module, &[])?;
    let run = instance.get_typed_func::<i32, ()>(&mut store, "run")?;
    let before = Bytes::of_process();
    run.call(&mut store, count)?;
    Ok(Bytes::of_process().since(&before))
}

/// Bytes of this process, or of a part of it.
struct Bytes {
    resident: f64,
    /// Addresses that are mapped, whether there is memory behind them or not.
    reserved: f64,
}

impl Bytes {
    fn of_process() -> Self {
        const PAGE: f64 = 4096.0;
        let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux has it");
        let mut pages = statm
            .split_whitespace()
            .map(|pages| pages.parse::<f64>().expect("it is a number"));
        let mut bytes = || pages.next().expect("there are more than two") * PAGE;
        Bytes {
            reserved: bytes(),
            resident: bytes(),
        }
    }

    fn since(&self, before: &Bytes) -> Bytes {
        Bytes {
            resident: self.resident - before.resident,
            reserved: self.reserved - before.reserved,
        }
    }
}
