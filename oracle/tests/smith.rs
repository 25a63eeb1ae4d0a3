//! Arbitrary valid modules: every one is executed or refused with a reason, none is a panic.

use arbitrary::Unstructured;
use switchback_oracle::{
    Config, Engine, Error, Extern, ExternType, Func, Global, Instance, Limits, Memory, Module,
    Store, Table, Tag, Val, ValType,
};

/// A small generator of bytes (xorshift), so that the modules are the same everywhere.
fn bytes(mut seed: u64, len: usize) -> Vec<u8> {
    seed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..len)
        .map(|_| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            (seed >> 32) as u8
        })
        .collect()
}

fn smith_config() -> wasm_smith::Config {
    wasm_smith::Config {
        bulk_memory_enabled: true,
        custom_page_sizes_enabled: true,
        exceptions_enabled: true,
        extended_const_enabled: true,
        gc_enabled: true,
        memory64_enabled: true,
        multi_value_enabled: true,
        reference_types_enabled: true,
        relaxed_simd_enabled: true,
        saturating_float_to_int_enabled: true,
        sign_extension_ops_enabled: true,
        simd_enabled: true,
        tail_call_enabled: true,
        threads_enabled: false,
        wide_arithmetic_enabled: true,
        compact_imports_enabled: false,
        max_memories: 3,
        max_tables: 3,
        export_everything: true,
        max_imports: 3,
        min_funcs: 2,
        ..wasm_smith::Config::default()
    }
}

fn default_of(ty: ValType) -> Option<Val> {
    Val::default_of(ty)
}

/// Something of an import's type, if the host can make it.
fn item(store: &mut Store<()>, ty: &ExternType) -> Option<Extern> {
    Some(match ty {
        ExternType::Func(ty) => {
            let results = ty.results().iter().map(|&t| default_of(t));
            let results = results.collect::<Option<Vec<Val>>>()?;
            Func::new(store, ty.clone(), move |_, _, out| {
                out.copy_from_slice(&results);
                Ok(())
            })
            .into()
        }
        ExternType::Global(ty) => Global::new(store, *ty, default_of(ty.content)?)
            .ok()?
            .into(),
        ExternType::Memory(ty) => Memory::new(store, *ty).ok()?.into(),
        ExternType::Table(ty) => Table::new(store, *ty, default_of(ValType::Ref(ty.element))?)
            .ok()?
            .into(),
        ExternType::Tag(ty) => Tag::new(store, ty.clone()).into(),
    })
}

/// Runs a module; the answer is whether at least one call returned.
fn run(config: &Config, wasm: &[u8]) -> Result<bool, Error> {
    let engine = Engine::new(config)?;
    let module = Module::new(&engine, wasm)?;
    let mut store = Store::new(&engine, ());
    let mut imports = Vec::new();
    for import in module.imports() {
        match item(&mut store, &import.ty) {
            Some(item) => imports.push(item),
            None => return Ok(false),
        }
    }
    let instance = Instance::new(&mut store, &module, &imports)?;
    let mut returned = false;
    for (_, export) in instance.exports(&store) {
        let Extern::Func(func) = export else { continue };
        let ty = func.ty(&store);
        let args = ty.params().iter().map(|&t| default_of(t));
        let Some(args) = args.collect::<Option<Vec<Val>>>() else {
            continue;
        };
        let mut results = vec![Val::I32(0); ty.results().len()];
        returned |= func.call(&mut store, &args, &mut results).is_ok();
    }
    Ok(returned)
}

fn strict() -> Config {
    let mut config = Config::new();
    config
        .trace(true)
        .coverage(true)
        .collect_always(true)
        .max_instructions(Some(20_000))
        .limits(Limits {
            memory_pages: 64,
            table_elements: 10_000,
            heap_slots: 100_000,
            call_depth: 200,
            ..Limits::default()
        });
    config
}

fn modules() -> impl Iterator<Item = (u64, Vec<u8>)> {
    (0..400).filter_map(|seed| {
        let bytes = bytes(seed, 2048);
        let mut unstructured = Unstructured::new(&bytes);
        let mut module = wasm_smith::Module::new(smith_config(), &mut unstructured).ok()?;
        module.ensure_termination(200).ok()?;
        Some((seed, module.to_bytes()))
    })
}

#[test]
fn arbitrary_modules_are_executed_or_refused() {
    let config = strict();
    let (mut returned, mut count) = (0, 0);
    for (seed, wasm) in modules() {
        count += 1;
        match run(&config, &wasm) {
            Ok(true) => returned += 1,
            Err(Error::Unsupported { feature, .. }) => panic!("seed {seed}: {feature}"),
            Err(Error::Invalid { message, .. }) => panic!("seed {seed}: {message}"),
            Ok(false) | Err(_) => {}
        }
    }
    assert!(count > 300, "{count} modules");
    assert!(
        returned > 60,
        "{returned} of {count} modules had a call that returned"
    );
}

#[test]
fn damaged_modules_are_no_panic() {
    let config = strict();
    let mut invalid = 0;
    for (seed, wasm) in modules() {
        for damage in bytes(seed + 1000, 60).chunks_exact(3) {
            let mut wasm = wasm.clone();
            let at = usize::from(damage[0]) << 8 | usize::from(damage[1]);
            let at = at % wasm.len();
            wasm[at] = damage[2];
            invalid += u32::from(matches!(run(&config, &wasm), Err(Error::Invalid { .. })));
        }
    }
    assert!(invalid > 1000, "{invalid} invalid modules");
}
