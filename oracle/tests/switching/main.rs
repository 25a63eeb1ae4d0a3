//! Stack switching: exact traces and one-shot continuations (`rules`), what the host sees
//! (`host`), limits and what is reclaimed (`limits`).

mod host;
mod limits;
mod rules;

use switchback_oracle::{
    Config, Engine, Error, Event, EventKind, Exhausted, Extern, Func, FuncType, Instance, Limits,
    Module, Store, Tag, TagType, TrapKind, Val, ValType, Value,
};

use EventKind as E;

struct Case {
    store: Store<Vec<Result<(), String>>>,
    instance: Instance,
}

impl Case {
    /// Instantiates a module; each of its imports is a host function that calls the function
    /// it gets, keeps what came of it, and passes errors on if its second parameter says so.
    /// It has address 0, imported or not.
    fn new(text: &str) -> Case {
        Case::with(text, Config::new().trace(true))
    }

    fn with(text: &str, config: &Config) -> Case {
        let wasm = wat::parse_str(text).expect("a module");
        let engine = Engine::new(config).expect("an engine");
        let module = Module::new(&engine, &wasm).expect("a supported module");
        let mut store = Store::new(&engine, Vec::new());
        let ty = FuncType::new(
            [
                ValType::Ref(switchback_oracle::RefType::FUNCREF),
                ValType::I32,
            ],
            [],
        );
        let call = Func::new(&mut store, ty, |mut caller, args, _| {
            let [Val::FuncRef(Some(func)), Val::I32(strict)] = *args else {
                return Err(Error::host("a function is wanted"));
            };
            let result = func.call(&mut caller, &[], &mut []);
            let kept = result.as_ref().map(|_| ()).map_err(|e| e.to_string());
            caller.data_mut().push(kept);
            if strict != 0 { result } else { Ok(()) }
        });
        let imports: Vec<Extern> = module.imports().map(|_| Extern::from(call)).collect();
        let instance = Instance::new(&mut store, &module, &imports).expect("an instance");
        Case { store, instance }
    }

    fn call(&mut self, name: &str, args: &[Val]) -> Result<Vec<Val>, Error> {
        let Some(Extern::Func(func)) = self.instance.get_export(&self.store, name) else {
            panic!("no function {name}");
        };
        let mut results = vec![Val::I32(0); func.ty(&self.store).results().len()];
        func.call(&mut self.store, args, &mut results)?;
        Ok(results)
    }

    fn i32(&mut self, name: &str) -> i32 {
        match self.call(name, &[]).as_deref() {
            Ok([Val::I32(v)]) => *v,
            other => panic!("{other:?}"),
        }
    }

    fn trap(&mut self, name: &str) -> TrapKind {
        match self.call(name, &[]) {
            Err(Error::Trap(trap)) => {
                assert!(trap.location.is_some());
                trap.kind
            }
            other => panic!("{other:?}"),
        }
    }

    fn kinds(&mut self) -> Vec<EventKind> {
        let trace = self.store.take_trace();
        trace.into_iter().map(|event| event.kind).collect()
    }
}

fn ints(values: &[i32]) -> Vec<Value> {
    values.iter().map(|&v| Value::I32(v)).collect()
}
