//! Calls between hosts and Wasm in all three conventions: how values pass (`values`), who calls whom and how calls end (`hosts`),
//! and what can be shared between stores and threads (`sharing`).

mod hosts;
mod sharing;
mod values;

use switchback_engine::{
    Caller, Config, Engine, Error, ExternRef, Func, FuncType, Instance, InstancePre, Linker,
    Module, OptLevel, RegallocAlgorithm, Store, TrapKind, Val, ValType,
};

/// The configurations in which trampolines differ.
fn engines() -> Vec<Engine> {
    let mut engines = Vec::new();
    for opt_level in [OptLevel::None, OptLevel::Speed] {
        for regalloc in [
            RegallocAlgorithm::SinglePass,
            RegallocAlgorithm::Backtracking,
        ] {
            let mut config = Config::new();
            config.opt_level(opt_level).regalloc(regalloc);
            engines.push(Engine::new(&config).expect("the engine can be made"));
        }
    }
    engines
}

fn compile(engine: &Engine, text: &str) -> Module {
    Module::new(engine, &wat::parse_str(text).expect("the text parses"))
        .expect("the module compiles")
}

fn instantiate(store: &mut Store<u64>, text: &str, imports: &[Func]) -> Instance {
    let module = compile(store.engine(), text);
    let imports: Vec<_> = imports.iter().map(|&func| func.into()).collect();
    Instance::new(store, &module, &imports).expect("the module can be instantiated")
}
