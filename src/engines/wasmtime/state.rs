//! What an instance holds.

use super::Host;
use super::values::{reference, value};
use crate::engines::probe::Probed;
use crate::observe::{Continuation, Memory, State, Table, Value};
use wasm_encoder::ExportKind;
use wasmtime::{Instance, StoreContextMut, Val};

/// The state of an instance of this module.
pub(super) fn read(store: StoreContextMut<'_, Host>, instance: Instance, probed: &Probed) -> State {
    let exposed = &probed.exposed;
    let mut reader = Reader {
        store,
        instance,
        continuations: Vec::new(),
    };
    let globals = (0..exposed.counts.globals)
        .map(|index| match probed.globals.get(&index) {
            Some(probe) => reader.continuation(probe, &[]),
            None => reader.global(&exposed.name(ExportKind::Global, index)),
        })
        .collect();
    let memories = (0..exposed.counts.memories)
        .map(|index| reader.memory(&exposed.name(ExportKind::Memory, index)))
        .collect();
    let tables = (0..exposed.counts.tables)
        .map(|index| {
            let name = exposed.name(ExportKind::Table, index);
            reader.table(&name, probed.tables.get(&index))
        })
        .collect();
    State {
        globals,
        memories,
        tables,
        continuations: reader.continuations,
    }
}

/// Reads an instance's state.
struct Reader<'a> {
    store: StoreContextMut<'a, Host>,
    instance: Instance,
    continuations: Vec<Continuation>,
}

impl Reader<'_> {
    fn global(&mut self, name: &str) -> Value {
        let global = self.instance.get_global(&mut self.store, name);
        let content = global.expect("everything is exported").get(&mut self.store);
        value(&mut self.store, &content)
    }

    fn memory(&mut self, name: &str) -> Memory {
        let memory = self.instance.get_memory(&mut self.store, name);
        let memory = memory.expect("everything is exported");
        Memory::new(memory.size(&self.store), memory.data(&self.store))
    }

    /// A table; `probe` tells of its elements if they are references to continuations.
    fn table(&mut self, name: &str, probe: Option<&String>) -> Table {
        let table = self.instance.get_table(&mut self.store, name);
        let table = table.expect("everything is exported");
        let wide = table.ty(&self.store).is_64();
        let size = table.size(&self.store);
        let element = |index: u64| match probe {
            Some(probe) => {
                let index = if wide {
                    Val::I64(index as i64)
                } else {
                    Val::I32(index as i32)
                };
                self.continuation(probe, &[index])
            }
            None => {
                let element = table.get(&mut self.store, index);
                reference(&mut self.store, element.expect("it is in the table"))
            }
        };
        Table::new((0..size).map(element).collect())
    }

    /// A reference to a continuation, as its probe tells.
    fn continuation(&mut self, probe: &str, place: &[Val]) -> Value {
        let probe = self.instance.get_func(&mut self.store, probe);
        let mut null = [Val::I32(0)];
        let called =
            probe
                .expect("the probes are exported")
                .call(&mut self.store, place, &mut null);
        called.expect("a probe returns");
        if let [Val::I32(1)] = null {
            return Value::Null;
        }
        self.continuations.push(Continuation {
            number: None,
            consumed: None,
        });
        Value::Cont(None)
    }
}
