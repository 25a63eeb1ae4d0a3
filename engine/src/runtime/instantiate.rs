//! Instantiation (specification, section 4.7.2), up to the start function, which the caller runs.

use super::host::ensure_wasm_call;
use super::instance::InstanceInner;
use super::layout::{FuncRef, ValRaw};
use super::store::StoreInner;
use crate::api::extern_::Extern;
use crate::error::{Error, Trap, TrapKind};
use crate::module::Module;
use crate::module::info::{DataMode, ElementItems, ElementMode, Import, ImportKind, ModuleInfo};
use crate::runtime::tracer::EventKind;

/// Makes an instance of `module` in `store` and returns its index there.
///
/// # Errors
/// - [`Error::Link`]: the module is another engine's, or the imports are not what it declares. Nothing has been allocated.
/// - [`Error::Exhausted`]: a memory or table cannot have its minimum.
/// - [`Error::Trap`]: an active segment does not fit. What the segments before it wrote stays, and so does the instance,
///   because functions of it may stand in tables by then.
///
/// # Panics
/// When something in `imports` belongs to another store.
pub(crate) fn instantiate(
    store: &mut StoreInner,
    module: &Module,
    imports: &[Extern],
) -> Result<usize, Error> {
    // An engine is known by its configuration's address. Another one may have compiled tracing or stack sizes into the code
    // that this store does not expect.
    if !std::ptr::eq(module.engine().config(), store.engine.config()) {
        return Err(Error::Link(
            "the module was compiled by another engine than the store's".to_owned(),
        ));
    }
    let info = module.info();
    imports.iter().for_each(|import| import.check_store(store));
    let type_ids = store.types.intern(&info.types);
    check_imports(store, info, &type_ids, imports)?;

    let mut instance = InstanceInner::new(module, &raw mut store.vm);
    // What can fail comes first, so that a failure leaves no gaps among the addresses of functions and tags.
    let memories = info.memories[info.num_imported_memories as usize..]
        .iter()
        .map(|&ty| store.add_memory(info.memory_type(ty)))
        .collect::<Result<Vec<u32>, Error>>()?;
    let tables = info.tables[info.num_imported_tables as usize..]
        .iter()
        .map(|table| store.add_table(info.table_type(table.ty)))
        .collect::<Result<Vec<u32>, Error>>()?;

    for (index, &id) in type_ids.iter().enumerate() {
        instance.set_type_id(index as u32, id);
    }
    // From here on the store keeps the module: host functions are about to get entries from its code.
    store.modules.push(module.clone());
    link_imports(store, module, &mut instance, imports)?;
    instance.memories.extend(memories);
    instance.tables.extend(tables);
    define_functions(store, module, &instance, &type_ids);
    for &ty in &info.tags[info.num_imported_tags as usize..] {
        instance.tags.push(store.add_tag(info.tag_type(ty)));
    }
    point_at_objects(store, &instance);
    define_globals(store, info, &mut instance);
    initialise_tables(store, info, &instance);
    instance.elements = info
        .elements
        .iter()
        .map(|segment| element_words(&instance, &segment.items))
        .collect();

    let index = store.instances.len();
    store.instances.push(instance);
    run_segments(&mut store.instances[index], info).map_err(|kind| {
        store.record(EventKind::Trap { kind }, None);
        Error::Trap(Trap::new(kind))
    })?;
    Ok(index)
}

fn check_imports(
    store: &mut StoreInner,
    info: &ModuleInfo,
    type_ids: &[u32],
    imports: &[Extern],
) -> Result<(), Error> {
    if let Some(missing) = info.imports.get(imports.len()) {
        return Err(Error::Link(format!(
            "unknown import: {:?} {:?} has not been given: {} imports for a module that has {}",
            missing.module,
            missing.name,
            imports.len(),
            info.imports.len()
        )));
    }
    if imports.len() > info.imports.len() {
        return Err(Error::Link(format!(
            "{} imports for a module that has {}",
            imports.len(),
            info.imports.len()
        )));
    }
    info.imports
        .iter()
        .zip(imports)
        .try_for_each(|(import, given)| check_import(store, info, type_ids, import, given))
}

/// External type matching. Functions and tags are compared by canonical number; types are spelled out for the others, and for
/// the message.
fn check_import(
    store: &mut StoreInner,
    info: &ModuleInfo,
    type_ids: &[u32],
    import: &Import,
    given: &Extern,
) -> Result<(), Error> {
    let matches = match (import.kind, given) {
        (ImportKind::Func(ty), Extern::Func(func)) => {
            // SAFETY: the function belongs to this store, as `instantiate` has checked, and lives as long.
            let given = unsafe { func.func_ref.as_ref() }.type_id;
            store.types.is_subtype(given, type_ids[ty as usize])
        }
        (ImportKind::Tag(ty), Extern::Tag(tag)) => {
            tag.inner(store).type_id == type_ids[ty as usize]
        }
        (kind, given) => {
            let given = given.ty_in(store);
            store.types.extern_matches(&given, &info.import_type(kind))
        }
    };
    if matches {
        return Ok(());
    }
    Err(Error::Link(format!(
        "incompatible import type for {:?} {:?}: expected {}, found {}",
        import.module,
        import.name,
        info.import_type(import.kind),
        given.ty_in(store)
    )))
}

fn link_imports(
    store: &mut StoreInner,
    module: &Module,
    instance: &mut InstanceInner,
    imports: &[Extern],
) -> Result<(), Error> {
    let mut functions = 0;
    for import in imports {
        match import {
            Extern::Func(func) => {
                let func = func.func_ref.as_ptr();
                // SAFETY: the function belongs to this store, which keeps the module.
                unsafe { ensure_wasm_call(store, func, Some(module))? };
                instance.set_imported_func(functions, func);
                functions += 1;
            }
            Extern::Global(global) => instance.globals.push(global.index),
            Extern::Memory(memory) => instance.memories.push(memory.index),
            Extern::Table(table) => instance.tables.push(table.index),
            Extern::Tag(tag) => instance.tags.push(tag.index),
        }
    }
    Ok(())
}

fn define_functions(
    store: &mut StoreInner,
    module: &Module,
    instance: &InstanceInner,
    type_ids: &[u32],
) {
    let info = module.info();
    let imported = info.num_imported_funcs;
    for (index, &ty) in (imported..).zip(&info.functions[imported as usize..]) {
        let (wasm_call, array_call) = module.code_entry(index - imported);
        let func = FuncRef {
            wasm_call,
            array_call,
            vmctx: instance.vmctx(),
            type_id: type_ids[ty as usize],
            address: store.allocate_function_address(),
        };
        instance.set_defined_func(index, func);
    }
}

/// Writes the pointers to all memories, tables and tags, and to the imported globals.
fn point_at_objects(store: &mut StoreInner, instance: &InstanceInner) {
    for (index, &global) in (0..).zip(&instance.globals) {
        instance.set_global(index, &raw mut store.globals[global as usize].vm);
    }
    for (index, &memory) in (0..).zip(&instance.memories) {
        instance.set_memory(index, (&raw mut *store.memories[memory as usize]).cast());
    }
    for (index, &table) in (0..).zip(&instance.tables) {
        instance.set_table(index, (&raw mut *store.tables[table as usize]).cast());
    }
    for (index, &tag) in (0..).zip(&instance.tags) {
        instance.set_tag(index, (&raw mut *store.tags[tag as usize]).cast());
    }
}

/// Defines the globals one by one, because each may read those before it.
fn define_globals(store: &mut StoreInner, info: &ModuleInfo, instance: &mut InstanceInner) {
    let imported = info.num_imported_globals;
    for (index, global) in (imported..).zip(&info.globals[imported as usize..]) {
        let value = global
            .init
            .as_ref()
            .map_or(ValRaw::ZERO, |init| instance.eval(init));
        let global = store.add_global(info.global_type(global.ty), value);
        instance.globals.push(global);
        instance.set_global(index, &raw mut store.globals[global as usize].vm);
    }
}

fn initialise_tables(store: &mut StoreInner, info: &ModuleInfo, instance: &InstanceInner) {
    for (table, &index) in info.tables.iter().zip(&instance.tables) {
        if let Some(init) = &table.init {
            let word = instance.eval(init).lo;
            store.tables[index as usize].words_mut().fill(word);
        }
    }
}

fn element_words(instance: &InstanceInner, items: &ElementItems) -> Box<[u64]> {
    match items {
        ElementItems::Functions(functions) => functions
            .iter()
            .map(|&index| instance.func(index) as u64)
            .collect(),
        ElementItems::Expressions(expressions) => expressions
            .iter()
            .map(|expr| instance.eval(expr).lo)
            .collect(),
    }
}

/// Executes the instructions that the specification makes of segments: element segments in order, then data segments.
fn run_segments(instance: &mut InstanceInner, info: &ModuleInfo) -> Result<(), TrapKind> {
    for (index, segment) in (0..).zip(&info.elements) {
        match &segment.mode {
            ElementMode::Passive => {}
            ElementMode::Declared => instance.elem_drop(index),
            ElementMode::Active { table, offset } => {
                let to = instance.eval(offset).lo;
                let len = instance.elements[index as usize].len() as u64;
                instance.table_init(*table, index, to, 0, len)?;
                instance.elem_drop(index);
            }
        }
    }
    for (index, segment) in (0..).zip(&info.data) {
        match &segment.mode {
            DataMode::Passive => {}
            DataMode::Active { memory, offset } => {
                let to = instance.eval(offset).lo;
                instance.memory_init(*memory, index, to, 0, segment.bytes.len() as u64)?;
                instance.data_drop(index);
            }
        }
    }
    Ok(())
}
