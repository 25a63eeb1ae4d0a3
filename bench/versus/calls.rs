//! The call lines.

use super::switching::{our_engine, timed, wasmtime_engine};
use super::{Line, OURS, Prepare, programs};
use std::hint::black_box;
use switchback_bench::Contestant;
use switchback_engine as ours;

pub fn lines() -> Vec<Prepare> {
    vec![
        ("host to Wasm, typed", || {
            line("host to Wasm, typed", |setup| setup.typed())
        }),
        ("host to Wasm, untyped", || {
            line("host to Wasm, untyped", |setup| setup.untyped())
        }),
        ("Wasm to host, typed", || {
            line("Wasm to host, typed", |setup| setup.run("run", true))
        }),
        ("Wasm to host, untyped", || {
            line("Wasm to host, untyped", |setup| setup.run("run", false))
        }),
        ("call_indirect", || {
            line("call_indirect", |setup| setup.run("indirect", true))
        }),
        ("call_ref", || {
            line("call_ref", |setup| setup.run("ref", true))
        }),
    ]
}

fn line(name: &str, contestants: fn(Setup) -> [Contestant<'static>; 2]) -> Line {
    let wasm = wat::parse_str(programs::CALLS).expect("the program parses");
    Line::new(name, 1_000_000, contestants(Setup { wasm }).into())
}

struct Setup {
    wasm: Vec<u8>,
}

impl Setup {
    fn ours(&self, typed: bool) -> (ours::Store<()>, ours::Instance) {
        let engine = our_engine();
        let module = ours::Module::new(&engine, &self.wasm).expect("the program compiles");
        let mut store = ours::Store::new(&engine, ());
        let host = if typed {
            ours::Func::wrap(&mut store, |value: i32| value.wrapping_add(1))
        } else {
            let ty = ours::FuncType::new([ours::ValType::I32], [ours::ValType::I32]);
            ours::Func::new(&mut store, ty, |_, params, results| {
                let ours::Val::I32(value) = params[0] else {
                    unreachable!("it is of its type")
                };
                results[0] = ours::Val::I32(value.wrapping_add(1));
                Ok(())
            })
        };
        let instance = ours::Instance::new(&mut store, &module, &[host.into()]);
        (store, instance.expect("the import fits"))
    }

    fn wasmtime(&self, typed: bool) -> (wasmtime::Store<()>, wasmtime::Instance) {
        let engine = wasmtime_engine();
        let module = wasmtime::Module::new(&engine, &self.wasm).expect("the program compiles");
        let mut store = wasmtime::Store::new(&engine, ());
        let host = if typed {
            wasmtime::Func::wrap(&mut store, |value: i32| value.wrapping_add(1))
        } else {
            use wasmtime::ValType::I32;
            let ty = wasmtime::FuncType::new(&engine, [I32], [I32]);
            wasmtime::Func::new(&mut store, ty, |_, params, results| {
                let value = params[0].unwrap_i32();
                results[0] = wasmtime::Val::I32(value.wrapping_add(1));
                Ok(())
            })
        };
        let instance = wasmtime::Instance::new(&mut store, &module, &[host.into()]);
        (store, instance.expect("the import fits"))
    }

    fn typed(self) -> [Contestant<'static>; 2] {
        let (mut store, instance) = self.ours(true);
        let inc = instance.get_func(&store, "inc").expect("it is exported");
        let inc = inc.typed::<i32, i32>(&store).expect("its type");
        let ours = Contestant::new(OURS, move |count| {
            timed(|| {
                for index in 0..count {
                    black_box(inc.call(&mut store, index as i32).expect("it returns"));
                }
            })
        });
        let (mut store, instance) = self.wasmtime(true);
        let inc = instance.get_typed_func::<i32, i32>(&mut store, "inc");
        let inc = inc.expect("it is exported");
        let wasmtime = Contestant::new("wasmtime", move |count| {
            timed(|| {
                for index in 0..count {
                    black_box(inc.call(&mut store, index as i32).expect("it returns"));
                }
            })
        });
        [ours, wasmtime]
    }

    fn untyped(self) -> [Contestant<'static>; 2] {
        let (mut store, instance) = self.ours(true);
        let inc = instance.get_func(&store, "inc").expect("it is exported");
        let ours = Contestant::new(OURS, move |count| {
            timed(|| {
                let mut results = [ours::Val::I32(0)];
                for index in 0..count {
                    let params = [ours::Val::I32(index as i32)];
                    let called = inc.call(&mut store, &params, &mut results);
                    called.expect("it returns");
                    black_box(&results);
                }
            })
        });
        let (mut store, instance) = self.wasmtime(true);
        let inc = instance
            .get_func(&mut store, "inc")
            .expect("it is exported");
        let wasmtime = Contestant::new("wasmtime", move |count| {
            timed(|| {
                let mut results = [wasmtime::Val::I32(0)];
                for index in 0..count {
                    let params = [wasmtime::Val::I32(index as i32)];
                    let called = inc.call(&mut store, &params, &mut results);
                    called.expect("it returns");
                    black_box(&results);
                }
            })
        });
        [ours, wasmtime]
    }

    /// An exported loop in Wasm.
    fn run(self, name: &'static str, typed: bool) -> [Contestant<'static>; 2] {
        let (mut store, instance) = self.ours(typed);
        let run = instance.get_func(&store, name).expect("it is exported");
        let run = run.typed::<i32, ()>(&store).expect("its type");
        let ours = Contestant::new(OURS, move |count| {
            timed(|| run.call(&mut store, count as i32).expect("it returns"))
        });
        let (mut store, instance) = self.wasmtime(typed);
        let run = instance.get_typed_func::<i32, ()>(&mut store, name);
        let run = run.expect("it is exported");
        let wasmtime = Contestant::new("wasmtime", move |count| {
            timed(|| run.call(&mut store, count as i32).expect("it returns"))
        });
        [ours, wasmtime]
    }
}
