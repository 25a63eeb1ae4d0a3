//! Instantiation (specification: "Instantiation", "External Typing").

use std::sync::Arc;

use wasmparser::ExternalKind;

use crate::error::{Error, Exhausted};
use crate::externs::{Extern, Func, Global, Memory, Table, Tag};
use crate::machine::{
    BASE, Frame, FuncData, FuncKind, GlobalData, MemoryData, NOWHERE, TableData, TagData,
};
use crate::module::{Items, Mode, Module, ModuleData};
use crate::store::{AsContext, AsContextMut, Store, StoreId};
use crate::types::registry::Types;
use crate::types::{ExternType, slots};
use crate::value::{NULL, func_word};

/// A module instance: the store addresses of everything in its index spaces.
#[derive(Debug)]
pub(crate) struct InstanceData {
    pub module: Arc<ModuleData>,
    pub funcs: Vec<u32>,
    pub tables: Vec<u32>,
    pub memories: Vec<u32>,
    pub globals: Vec<u32>,
    pub tags: Vec<u32>,
    /// The element segments' references; a dropped one has none.
    pub elements: Vec<Vec<u64>>,
    pub dropped_data: Vec<bool>,
    /// A bit for each internal instruction, where coverage is on.
    pub executed: Vec<u64>,
}

/// An instance of a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Instance {
    pub(crate) store: StoreId,
    pub(crate) index: u32,
}

impl Instance {
    /// Instantiates a module with its imports, which are given in the module's order, and
    /// runs its start function.
    ///
    /// # Errors
    ///
    /// [`Error::Link`] if the imports do not match; whatever initialisation or the start
    /// function ended with. What they have written to imported items until then remains.
    ///
    /// # Panics
    ///
    /// If an import belongs to another store, or the module to another engine.
    pub fn new(
        mut store: impl AsContextMut,
        module: &Module,
        imports: &[Extern],
    ) -> Result<Instance, Error> {
        let store = store.as_context_mut();
        assert!(
            store.engine.same(&module.engine),
            "a module was instantiated in a store of another engine"
        );
        store.engine.registry.update(&mut store.machine.types);
        check_imports(store, module, imports)?;
        let instance = allocate(store, module, imports)?;
        let words = Initialiser::new(store, instance)?;
        words.run(store)?;
        if let Some(start) = module.data.start {
            let addr = store.machine.instances[instance as usize].funcs[start as usize];
            store.call(addr, &[])?;
        }
        Ok(Instance {
            store: store.id,
            index: instance,
        })
    }

    /// An export by its name.
    pub fn get_export(self, store: impl AsContext, name: &str) -> Option<Extern> {
        let store = store.as_context();
        let data = self.data(store);
        let index = *data.module.export_names.get(name)?;
        let (_, kind, index) = data.module.exports[index];
        Some(self.item(store, kind, index))
    }

    /// All exports, in order.
    pub fn exports(self, store: impl AsContext) -> Vec<(String, Extern)> {
        let store = store.as_context();
        let exports = &self.data(store).module.exports;
        exports
            .iter()
            .map(|(name, kind, index)| (name.clone(), self.item(store, *kind, *index)))
            .collect()
    }

    /// All globals by index, imported and hidden ones included.
    pub fn all_globals(self, store: impl AsContext) -> Vec<Global> {
        let list = &self.data(store.as_context()).globals;
        let store = self.store;
        list.iter().map(|&addr| Global { store, addr }).collect()
    }

    /// All memories by index, imported and hidden ones included.
    pub fn all_memories(self, store: impl AsContext) -> Vec<Memory> {
        let list = &self.data(store.as_context()).memories;
        let store = self.store;
        list.iter().map(|&addr| Memory { store, addr }).collect()
    }

    /// All tables by index, imported and hidden ones included.
    pub fn all_tables(self, store: impl AsContext) -> Vec<Table> {
        let list = &self.data(store.as_context()).tables;
        let store = self.store;
        list.iter().map(|&addr| Table { store, addr }).collect()
    }

    fn data<T>(self, store: &Store<T>) -> &InstanceData {
        store.check(self.store);
        &store.machine.instances[self.index as usize]
    }

    fn item<T>(self, store: &Store<T>, kind: ExternalKind, index: u32) -> Extern {
        let data = self.data(store);
        let index = index as usize;
        let store = self.store;
        match kind {
            ExternalKind::Func | ExternalKind::FuncExact => Extern::Func(Func {
                store,
                addr: data.funcs[index],
            }),
            ExternalKind::Table => Extern::Table(Table {
                store,
                addr: data.tables[index],
            }),
            ExternalKind::Memory => Extern::Memory(Memory {
                store,
                addr: data.memories[index],
            }),
            ExternalKind::Global => Extern::Global(Global {
                store,
                addr: data.globals[index],
            }),
            ExternalKind::Tag => Extern::Tag(Tag {
                store,
                addr: data.tags[index],
            }),
        }
    }
}

fn check_imports<T>(store: &Store<T>, module: &Module, imports: &[Extern]) -> Result<(), Error> {
    let wanted = &module.data.imports;
    if wanted.len() != imports.len() {
        return Err(Error::Link(format!(
            "unknown import: {} imports given where {} are wanted",
            imports.len(),
            wanted.len()
        )));
    }
    for (import, item) in wanted.iter().zip(imports) {
        let given = item.ty(store);
        if !matches(&store.machine.types, &given, &import.ty) {
            return Err(Error::Link(format!(
                "incompatible import type: {:?} {:?} is {given}, not {}",
                import.module, import.name, import.ty
            )));
        }
    }
    Ok(())
}

/// Import matching: whether something of type `given` can be imported as `wanted`.
fn matches(types: &Types, given: &ExternType, wanted: &ExternType) -> bool {
    let limits = |size: u64, max: Option<u64>, least: u64, most: Option<u64>| {
        size >= least && most.is_none_or(|most| max.is_some_and(|max| max <= most))
    };
    match (given, wanted) {
        (ExternType::Func(a), ExternType::Func(b)) => match (a.defined, b.defined) {
            (Some(a), Some(b)) => types.is_sub(a, b),
            _ => false,
        },
        (ExternType::Tag(a), ExternType::Tag(b)) => {
            a.func.defined.is_some() && a.func.defined == b.func.defined
        }
        (ExternType::Global(a), ExternType::Global(b)) => {
            a.mutable == b.mutable
                && types.matches(a.content, b.content)
                && (!a.mutable || types.matches(b.content, a.content))
        }
        (ExternType::Memory(a), ExternType::Memory(b)) => {
            a.memory64 == b.memory64
                && a.page_size_log2 == b.page_size_log2
                && limits(a.minimum, a.maximum, b.minimum, b.maximum)
        }
        (ExternType::Table(a), ExternType::Table(b)) => {
            a.table64 == b.table64
                && types.ref_matches(a.element, b.element)
                && types.ref_matches(b.element, a.element)
                && limits(a.minimum, a.maximum, b.minimum, b.maximum)
        }
        _ => false,
    }
}

/// Allocates an instance; its own tables and globals hold null or zero for now.
fn allocate<T>(store: &mut Store<T>, module: &Module, imports: &[Extern]) -> Result<u32, Error> {
    let data = module.data.clone();
    let m = &mut store.machine;
    let index = m.instances.len() as u32;
    let mut instance = InstanceData {
        funcs: Vec::new(),
        tables: Vec::new(),
        memories: Vec::new(),
        globals: Vec::new(),
        tags: Vec::new(),
        elements: Vec::new(),
        dropped_data: vec![false; data.data.len()],
        executed: if m.coverage {
            vec![0; data.code.instrs.len() / 64 + 1]
        } else {
            Vec::new()
        },
        module: data.clone(),
    };
    for import in imports {
        match import {
            Extern::Func(item) => instance.funcs.push(item.addr),
            Extern::Table(item) => instance.tables.push(item.addr),
            Extern::Memory(item) => instance.memories.push(item.addr),
            Extern::Global(item) => instance.globals.push(item.addr),
            Extern::Tag(item) => instance.tags.push(item.addr),
        }
    }
    let info = &data.info;
    for (body, &ty) in (0..).zip(&info.funcs[instance.funcs.len()..]) {
        let func = info.func_type(ty);
        instance.funcs.push(m.funcs.len() as u32);
        m.funcs.push(FuncData {
            ty: info.types.get(ty),
            param_slots: slots(func.params()),
            result_slots: slots(func.results()),
            kind: FuncKind::Wasm {
                instance: index,
                body,
            },
        });
    }
    for &ty in &info.tables[instance.tables.len()..] {
        let table = TableData::new(ty, NULL).ok_or(Error::Exhausted(Exhausted::Memory))?;
        instance.tables.push(m.tables.len() as u32);
        m.tables.push(table);
    }
    for &ty in &info.memories[instance.memories.len()..] {
        let memory = MemoryData::new(ty).ok_or(Error::Exhausted(Exhausted::Memory))?;
        instance.memories.push(m.memories.len() as u32);
        m.memories.push(memory);
    }
    for &ty in &info.globals[instance.globals.len()..] {
        instance.globals.push(m.globals.len() as u32);
        m.globals.push(GlobalData { ty, value: [0; 2] });
    }
    for ty in &info.tags[instance.tags.len()..] {
        instance.tags.push(m.tags.len() as u32);
        m.tags.push(TagData {
            param_slots: slots(ty.params()),
            ty: ty.clone(),
        });
    }
    m.instances.push(instance);
    Ok(index)
}

/// What constant expressions gave; next, the active segments are copied.
struct Initialiser {
    instance: u32,
    /// Table, segment and offset of each active element segment.
    elements: Vec<(u32, u32, u64)>,
    /// Memory, segment and offset of each active data segment.
    data: Vec<(u32, u32, u64)>,
}

impl Initialiser {
    /// Evaluates all constant expressions: globals, tables, element segments, offsets.
    fn new<T>(store: &mut Store<T>, instance: u32) -> Result<Self, Error> {
        let module = store.machine.instances[instance as usize].module.clone();
        let info = &module.info;
        let first = info.globals.len() - module.global_inits.len();
        for (index, &body) in (first..).zip(&module.global_inits) {
            let value = evaluate(store, instance, body)?;
            let addr = store.machine.instances[instance as usize].globals[index];
            store.machine.globals[addr as usize].value = value;
        }
        let first = info.tables.len() - module.table_inits.len();
        for (index, &body) in (first..).zip(&module.table_inits) {
            if let Some(body) = body {
                let [word, _] = evaluate(store, instance, body)?;
                let addr = store.machine.instances[instance as usize].tables[index];
                store.machine.tables[addr as usize].elements.fill(word);
            }
        }
        let mut this = Initialiser {
            instance,
            elements: Vec::new(),
            data: Vec::new(),
        };
        for (segment, element) in (0..).zip(&module.elements) {
            let data = &mut store.machine.instances[instance as usize];
            match &element.items {
                Items::Functions(list) => {
                    let funcs = &data.funcs;
                    let words = list.iter().map(|&f| func_word(funcs[f as usize])).collect();
                    data.elements.push(words);
                }
                Items::Expressions(list) => {
                    // Each reference goes to its place at once, where it keeps its object
                    // alive while the next one is made.
                    data.elements.push(Vec::new());
                    for &body in list {
                        let [word, _] = evaluate(store, instance, body)?;
                        let data = &mut store.machine.instances[instance as usize];
                        data.elements[segment as usize].push(word);
                    }
                }
            }
            if let Mode::Active { index, offset } = element.mode {
                let [offset, _] = evaluate(store, this.instance, offset)?;
                this.elements.push((index, segment, offset));
            }
        }
        for (segment, data) in (0..).zip(&module.data) {
            if let Mode::Active { index, offset } = data.mode {
                let [offset, _] = evaluate(store, instance, offset)?;
                this.data.push((index, segment, offset));
            }
        }
        Ok(this)
    }

    /// Copies the active segments, and drops what is used up.
    fn run<T>(self, store: &mut Store<T>) -> Result<(), Error> {
        let module = store.machine.instances[self.instance as usize]
            .module
            .clone();
        store.enter(0, |store| {
            store.machine.enter_instance(self.instance);
            // No instruction executes: a trap has no place.
            store.machine.pc = 0;
            for (segment, element) in module.elements.iter().enumerate() {
                let active = self.elements.iter().find(|e| e.1 == segment as u32);
                let m = &mut store.machine;
                let step = match active {
                    Some(&(table, segment, offset)) => {
                        let table = m.instance().tables[table as usize] as usize;
                        let len = m.instance().elements[segment as usize].len() as u64;
                        m.init_table(table, segment, offset, 0, len)
                    }
                    None => Ok(()),
                };
                step.map_err(|stop| store.stopped(stop))?;
                if !matches!(element.mode, Mode::Passive) {
                    store.machine.instances[self.instance as usize].elements[segment] = Vec::new();
                }
            }
            for (memory, segment, offset) in self.data {
                let m = &mut store.machine;
                let memory = m.instance().memories[memory as usize] as usize;
                let len = module.data[segment as usize].bytes.len() as u64;
                m.init_memory(memory, segment, offset, 0, len)
                    .map_err(|stop| store.stopped(stop))?;
                store.machine.instances[self.instance as usize].dropped_data[segment as usize] =
                    true;
            }
            Ok(())
        })
    }
}

/// Evaluates a constant expression.
fn evaluate<T>(store: &mut Store<T>, instance: u32, body: u32) -> Result<[u64; 2], Error> {
    store.enter(2, |store| {
        let m = &mut store.machine;
        m.frames.push(Frame {
            pc: BASE,
            fp: 0,
            instance: NOWHERE,
        });
        m.depth += 1;
        m.fp = 0;
        m.enter_instance(instance);
        m.pc = m.code().bodies[body as usize].start as usize;
        store.run(Ok(()))?;
        Ok([store.machine.values[0], store.machine.values[1]])
    })
}
