//! Instantiation (specification, section 4.7.2), up to the start function, which the caller runs.

use super::constant::eval;
use super::host::ensure_wasm_call;
use super::instance::InstanceInner;
use super::layout::{FuncRef, ValRaw};
use super::store::StoreInner;
use crate::api::extern_::Extern;
use crate::api::linker::PreImport;
use crate::error::{Error, Exhaustion, Trap, TrapKind};
use crate::module::Module;
use crate::module::info::{DataMode, ElementItems, ElementMode, Import, ImportKind, ModuleInfo};
use crate::planted::planted;
use crate::runtime::tracer::EventKind;

/// What an instance is given.
#[derive(Clone, Copy)]
pub(crate) enum Imports<'a> {
    /// Things of the store, in the order of the imports, of any type.
    Given(&'a [Extern]),
    /// One for each import; host functions are known to be of its type. `items` are the places of those that belong to a store.
    Prepared {
        imports: &'a [PreImport],
        items: &'a [usize],
    },
}

/// Makes an instance of `module` in `store` and returns its index there.
///
/// # Errors
/// - [`Error::Link`]: the module is another engine's, or the imports are not what it declares. Nothing has been allocated.
/// - [`Error::Exhausted`]: a memory or table cannot have its minimum, or an object of a constant expression found no room.
/// - [`Error::Trap`]: an active segment does not fit. What the segments before it wrote stays, and so does the instance,
///   because functions of it may stand in tables by then.
///
/// # Panics
/// When something in `imports` belongs to another store.
pub(crate) fn instantiate(
    store: &mut StoreInner,
    module: &Module,
    imports: Imports<'_>,
) -> Result<usize, Error> {
    // An engine is known by its configuration's address. Another one may have compiled tracing or stack sizes into the code
    // that this store does not expect.
    if !std::ptr::eq(module.engine().config(), store.engine.config()) {
        return Err(Error::Link(
            "the module was compiled by another engine than the store's".to_owned(),
        ));
    }
    let info = module.info();
    let type_ids = store.types.intern(&info.types);
    if let Imports::Given(imports) = imports {
        imports.iter().for_each(|import| import.check_store(store));
        check_imports(store, info, &type_ids, imports)?;
    } else if let Imports::Prepared { imports, items } = imports {
        // Host functions were checked once for all stores; only what belongs to this store is left.
        for &at in items {
            if let PreImport::Extern(item) = &imports[at] {
                item.check_store(store);
                check_import(store, info, &type_ids, &info.imports[at], item)?;
            }
        }
    }

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
    // References that constant expressions make are not where the collector looks until the instance is the store's.
    let paused = std::mem::replace(&mut store.pace.paused, true);
    let evaluated = evaluate(store, info, &mut instance);
    store.pace.paused = paused;
    let offsets = evaluated.map_err(Error::Exhausted)?;

    let index = store.instances.len();
    store.instances.push(instance);
    run_segments(&mut store.instances[index], info, &offsets).map_err(|kind| {
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
    imports: Imports<'_>,
) -> Result<(), Error> {
    let mut functions = 0;
    match imports {
        Imports::Given(imports) => imports
            .iter()
            .try_for_each(|item| link(store, module, instance, item, &mut functions)),
        Imports::Prepared { imports, .. } => imports.iter().try_for_each(|import| match import {
            PreImport::Extern(item) => link(store, module, instance, item, &mut functions),
            PreImport::Host(host) => {
                instance.set_imported_func(functions, host.create(store).as_ptr());
                functions += 1;
                Ok(())
            }
        }),
    }
}

/// Links one import; `functions` counts those that are functions.
fn link(
    store: &mut StoreInner,
    module: &Module,
    instance: &mut InstanceInner,
    item: &Extern,
    functions: &mut u32,
) -> Result<(), Error> {
    match item {
        Extern::Func(func) => {
            let func = func.func_ref.as_ptr();
            // SAFETY: the function belongs to this store, which keeps the module.
            unsafe { ensure_wasm_call(store, func, Some(module))? };
            instance.set_imported_func(*functions, func);
            *functions += 1;
        }
        Extern::Global(global) => instance.globals.push(global.index),
        Extern::Memory(memory) => instance.memories.push(memory.index),
        Extern::Table(table) => instance.tables.push(table.index),
        Extern::Tag(tag) => instance.tags.push(tag.index),
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
        let entries = module.compiled().entries(index - imported);
        let func = FuncRef {
            wasm_call: entries.wasm_call,
            array_call: entries.array_call,
            native_call: entries.native_call,
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

/// Evaluates everything that constant expressions initialise. The result are the offsets of active segments, of elements, then
/// of data.
fn evaluate(
    store: &mut StoreInner,
    info: &ModuleInfo,
    instance: &mut InstanceInner,
) -> Result<Vec<u64>, Exhaustion> {
    define_globals(store, info, instance)?;
    initialise_tables(store, info, instance)?;
    for segment in &info.elements {
        let words = element_words(store, instance, &segment.items)?;
        instance.elements.push(words);
    }
    let elements = info
        .elements
        .iter()
        .filter_map(|segment| match &segment.mode {
            ElementMode::Active { offset, .. } => Some(offset),
            ElementMode::Passive | ElementMode::Declared => None,
        });
    let data = info.data.iter().filter_map(|segment| match &segment.mode {
        DataMode::Active { offset, .. } => Some(offset),
        DataMode::Passive => None,
    });
    elements
        .chain(data)
        .map(|offset| Ok(eval(store, instance, offset)?.lo))
        .collect()
}

/// Defines the globals one by one, because each may read those before it.
fn define_globals(
    store: &mut StoreInner,
    info: &ModuleInfo,
    instance: &mut InstanceInner,
) -> Result<(), Exhaustion> {
    let imported = info.num_imported_globals;
    if planted!(&store.vm, GlobalsBackwards) {
        for (index, global) in (imported..).zip(&info.globals[imported as usize..]) {
            let global = store.add_global(info.global_type(global.ty), ValRaw::ZERO);
            instance.globals.push(global);
            instance.set_global(index, &raw mut store.globals[global as usize].vm);
        }
        let defined = info.globals.iter().enumerate().skip(imported as usize);
        for (index, global) in defined.rev() {
            if let Some(init) = &global.init {
                let value = eval(store, instance, init)?;
                store.globals[instance.globals[index] as usize].vm.value = value;
            }
        }
        return Ok(());
    }
    for (index, global) in (imported..).zip(&info.globals[imported as usize..]) {
        let value = match &global.init {
            Some(init) => eval(store, instance, init)?,
            None => ValRaw::ZERO,
        };
        let global = store.add_global(info.global_type(global.ty), value);
        instance.globals.push(global);
        instance.set_global(index, &raw mut store.globals[global as usize].vm);
    }
    Ok(())
}

fn initialise_tables(
    store: &mut StoreInner,
    info: &ModuleInfo,
    instance: &InstanceInner,
) -> Result<(), Exhaustion> {
    for (table, &index) in info.tables.iter().zip(&instance.tables) {
        if let Some(init) = &table.init {
            let word = eval(store, instance, init)?.lo;
            store.tables[index as usize].words_mut().fill(word);
        }
    }
    Ok(())
}

fn element_words(
    store: &mut StoreInner,
    instance: &InstanceInner,
    items: &ElementItems,
) -> Result<Box<[u64]>, Exhaustion> {
    match items {
        ElementItems::Functions(functions) => Ok(functions
            .iter()
            .map(|&index| instance.func(index) as u64)
            .collect()),
        ElementItems::Expressions(expressions) => expressions
            .iter()
            .map(|expr| Ok(eval(store, instance, expr)?.lo))
            .collect(),
    }
}

/// Executes the instructions that the specification makes of segments: element segments in order, then data segments.
/// `offsets` are those of the active ones, in the same order.
fn run_segments(
    instance: &mut InstanceInner,
    info: &ModuleInfo,
    offsets: &[u64],
) -> Result<(), TrapKind> {
    let mut offsets = offsets.iter();
    let mut offset = || *offsets.next().expect("each active segment has one");
    for (index, segment) in (0..).zip(&info.elements) {
        match &segment.mode {
            ElementMode::Passive => {}
            ElementMode::Declared => instance.elem_drop(index),
            ElementMode::Active { table, .. } => {
                let to = offset();
                let len = instance.elements[index as usize].len() as u64;
                instance.table_init(*table, index, to, 0, len)?;
                instance.elem_drop(index);
            }
        }
    }
    for (index, segment) in (0..).zip(&info.data) {
        match &segment.mode {
            DataMode::Passive => {}
            DataMode::Active { memory, .. } => {
                let to = offset();
                instance.memory_init(*memory, index, to, 0, segment.bytes.len() as u64)?;
                instance.data_drop(index);
            }
        }
    }
    Ok(())
}
