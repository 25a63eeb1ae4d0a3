//! Instantiation without running code: import matching (`imports`), and initial values, segments, and what hosts see of it all
//! (`state`).

mod imports;
mod state;

use switchback_engine::{
    Config, Engine, Error, Extern, ExternRef, ExternType, Func, FuncType, Global, GlobalType,
    Instance, Limits, Linker, Memory, MemoryType, Module, RefType, Store, Table, TableType, Tag,
    TagType, TrapKind, Val, ValType,
};

thread_local! {
    static ENGINE: Engine = {
        let mut config = Config::new();
        config.limits(Limits { memory_pages: 4, table_elements: 100, ..Limits::default() });
        Engine::new(&config).expect("the engine can be made")
    };
}

fn engine() -> Engine {
    ENGINE.with(Engine::clone)
}

fn module(text: &str) -> Module {
    Module::new(&engine(), &wat::parse_str(text).expect("the text parses"))
        .expect("the module compiles")
}

fn store() -> Store<()> {
    Store::new(&engine(), ())
}

fn host_func(store: &mut Store<()>, ty: FuncType) -> Func {
    Func::new(store, ty, |_, _, _| Ok(()))
}

fn link_error(result: Result<Instance, Error>) -> String {
    match result {
        Err(Error::Link(message)) => message,
        other => panic!("{other:?}"),
    }
}

fn trap(result: Result<Instance, Error>) -> TrapKind {
    match result {
        Err(Error::Trap(trap)) => {
            assert_eq!(trap.location, None);
            trap.kind
        }
        other => panic!("{other:?}"),
    }
}

fn i64_of(val: Val) -> i64 {
    match val {
        Val::I64(value) => value,
        other => panic!("{other:?}"),
    }
}
