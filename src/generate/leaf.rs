//! Leaves: the ordinary code between stack switches, by wasm-smith.
//!
//! wasm-smith sees a small module with the same memory, tables and globals as ours and one function to fill in; it must see
//! no continuation type and no tag with results, on which it panics. Only the body it makes is used. The index maps from its
//! module to ours are made here; what is woven into the body is decided in `weave`.

use super::Features;
use super::plan::ValueType;
use arbitrary::Unstructured;
use wasm_encoder::{
    CodeSection, EntityType, ExportKind, ExportSection, Function, FunctionSection, GlobalType,
    ImportSection, MemoryType, Module, RefType, TableType, TagKind, TagType, TypeSection, ValType,
};
use wasm_smith::{InstructionKind, InstructionKinds, MemoryOffsetChoices};

/// Pages of the memory at first and at most.
pub(super) const MEMORY: (u64, u64) = (1, 4);
/// Elements of the table of functions at first and at most.
pub(super) const FUNCTIONS: (u64, u64) = (8, 12);
/// Elements of the table of external references at first and at most.
pub(super) const EXTERNALS: (u64, u64) = (4, 8);
/// Index of the first global that leaves use.
const FIRST_GLOBAL: u32 = 2;
/// Index of the global that is a vector in modules with vectors; wasm-smith also mixes those into it that it would drop.
const VECTOR: u32 = FIRST_GLOBAL + 3;
/// Globals into which wasm-smith mixes numbers that it would drop: `i32` and `i64`.
pub(super) const SINKS: (u32, u32) = (8, 9);

/// The types of the globals that leaves read and write.
pub(super) fn globals(features: &Features) -> [ValType; 6] {
    let (single, mut double) = if features.floats {
        (ValType::F32, ValType::F64)
    } else {
        (ValType::I32, ValType::I64)
    };
    if features.simd {
        double = ValType::V128;
    }
    // `VECTOR` counts on the order.
    [
        ValType::I32,
        ValType::I64,
        single,
        double,
        ValType::FUNCREF,
        ValType::EXTERNREF,
    ]
}

/// The memories of a module. The second one, if there is one, is the one that may have 64-bit addresses: what the plan does to
/// memories works on the first.
pub(super) fn memories(features: &Features) -> impl Iterator<Item = MemoryType> {
    let memory = |memory64| MemoryType {
        minimum: MEMORY.0,
        maximum: Some(MEMORY.1),
        memory64,
        shared: false,
        page_size_log2: None,
    };
    let second = features.multi_memory.then(|| memory(features.memory64));
    [memory(false)].into_iter().chain(second)
}

/// The type of the addresses of a memory.
pub(super) fn address(features: &Features, memory: u32) -> ValType {
    if features.memory64 && memory == 1 {
        ValType::I64
    } else {
        ValType::I32
    }
}

/// A signature in wasm-smith's sight.
pub(super) type Signature = (Vec<ValType>, Vec<ValType>);

/// What a leaf can use besides memory, tables and globals.
#[derive(Default)]
pub(super) struct Surroundings {
    /// Functions it can call: index in our module, signature.
    pub(super) functions: Vec<(u32, Signature)>,
    /// Tags it can throw and catch: index in our module, parameters.
    pub(super) tags: Vec<(u32, Vec<ValType>)>,
}

/// What wasm-smith made of a blob.
pub(super) struct Raw {
    /// A module whose only function is the leaf.
    pub(super) wasm: Vec<u8>,
    /// Signatures of its types, by type index.
    pub(super) types: Vec<Signature>,
}

/// Generates a leaf of this signature. `None` where the blob is too short for wasm-smith to make a function of it.
pub(super) fn generate(
    blob: &[u8],
    signature: &Signature,
    surroundings: &Surroundings,
    features: &Features,
    control: bool,
    length: u8,
) -> Option<Raw> {
    let types = types(signature, surroundings, control);
    let config = config(
        shape(&types, surroundings, features),
        types.len(),
        features,
        control,
        length,
    );
    let module = wasm_smith::Module::new(config, &mut Unstructured::new(blob)).ok()?;
    Some(Raw {
        wasm: module.to_bytes(),
        types,
    })
}

/// Which of our globals each of wasm-smith's stands for, given the types of those it added.
pub(super) fn global_map(added: impl Iterator<Item = wasmparser::ValType>) -> Vec<u32> {
    let sink = |ty| match ty {
        wasmparser::ValType::I32 => SINKS.0,
        wasmparser::ValType::V128 => VECTOR,
        _ => SINKS.1,
    };
    (FIRST_GLOBAL..FIRST_GLOBAL + 6)
        .chain(added.map(sink))
        .collect()
}

/// The signature first, then those of the surroundings; leaves with control flow get some block types as well.
fn types(signature: &Signature, surroundings: &Surroundings, control: bool) -> Vec<Signature> {
    let mut types = vec![signature.clone()];
    types.extend(
        surroundings
            .functions
            .iter()
            .map(|(_, signature)| signature.clone()),
    );
    types.extend(
        surroundings
            .tags
            .iter()
            .map(|(_, params)| (params.clone(), Vec::new())),
    );
    if control {
        types.push((vec![ValType::I32], vec![ValType::I32]));
        types.push((vec![ValType::I64], vec![ValType::I32, ValType::I64]));
    }
    types
}

fn shape(types: &[Signature], surroundings: &Surroundings, features: &Features) -> Vec<u8> {
    let mut section = TypeSection::new();
    for (params, results) in types {
        section
            .ty()
            .function(params.iter().copied(), results.iter().copied());
    }
    let mut imports = ImportSection::new();
    let mut next = 1;
    for _ in &surroundings.functions {
        imports.import("", "", EntityType::Function(next));
        next += 1;
    }
    for _ in &surroundings.tags {
        imports.import(
            "",
            "",
            EntityType::Tag(TagType {
                kind: TagKind::Exception,
                func_type_idx: next,
            }),
        );
        next += 1;
    }
    for (element_type, (minimum, maximum)) in [
        (RefType::FUNCREF, FUNCTIONS),
        (RefType::EXTERNREF, EXTERNALS),
    ] {
        let maximum = Some(maximum);
        imports.import(
            "",
            "",
            TableType {
                element_type,
                table64: false,
                minimum,
                maximum,
                shared: false,
            },
        );
    }
    for memory in memories(features) {
        imports.import("", "", memory);
    }
    for val_type in globals(features) {
        imports.import(
            "",
            "",
            GlobalType {
                val_type,
                mutable: true,
                shared: false,
            },
        );
    }
    let mut functions = FunctionSection::new();
    functions.function(0);
    let mut exports = ExportSection::new();
    exports.export("", ExportKind::Func, surroundings.functions.len() as u32);
    let mut code = CodeSection::new();
    let mut body = Function::new([]);
    body.instructions().unreachable().end();
    code.function(&body);
    let mut module = Module::new();
    module
        .section(&section)
        .section(&imports)
        .section(&functions)
        .section(&exports)
        .section(&code);
    module.finish()
}

/// Every proposal is set by name: some defaults of the published wasm-smith turn on what no engine here has.
fn config(
    shape: Vec<u8>,
    types: usize,
    features: &Features,
    control: bool,
    length: u8,
) -> wasm_smith::Config {
    use InstructionKind::*;
    let straight = [Numeric, Reference, Parametric, Variable, Table, Memory];
    let kinds: Vec<InstructionKind> = straight
        .into_iter()
        .chain(control.then_some(Control))
        .chain(features.simd.then_some(Vector))
        .collect();
    wasm_smith::Config {
        module_shape: Some(shape),
        allow_start_export: false,
        allowed_instructions: InstructionKinds::new(&kinds),
        allow_floats: features.floats,
        bulk_memory_enabled: true,
        // Canonicalised in `guard`, where a NaN's bits could be seen, instead of after each operation.
        canonicalize_nans: false,
        // Guarded in `guard`, at a fraction of the code.
        disallow_traps: false,
        exceptions_enabled: true,
        extended_const_enabled: true,
        gc_enabled: false,
        compact_imports_enabled: false,
        custom_descriptors_enabled: false,
        custom_page_sizes_enabled: false,
        generate_custom_sections: false,
        memory64_enabled: features.memory64,
        multi_value_enabled: true,
        multibyte_array_access_enabled: false,
        acquire_release_atomics_enabled: false,
        reference_types_enabled: true,
        // wasm-smith cannot leave out the multiply-add alone. The others are mixed into what arrives by a switch anyway.
        relaxed_simd_enabled: features.relaxed_simd && features.relaxed_choices,
        saturating_float_to_int_enabled: true,
        shared_everything_threads_enabled: false,
        sign_extension_ops_enabled: true,
        simd_enabled: features.simd,
        tail_call_enabled: features.tail_calls,
        threads_enabled: false,
        wide_arithmetic_enabled: features.wide_arithmetic,
        allow_invalid_funcs: false,
        memory_offset_choices: MemoryOffsetChoices(1, 0, 0),
        max_instructions: usize::from(length),
        // Nothing beyond the shape, except one data segment so that memory.init is there.
        max_types: types,
        max_funcs: 0,
        max_globals: 0,
        max_memories: 0,
        max_tables: 0,
        max_tags: 0,
        max_data_segments: 1,
        min_data_segments: 1,
        max_element_segments: 0,
        ..wasm_smith::Config::default()
    }
}

/// The part of a signature that wasm-smith may see: references to continuations and objects are left out.
pub(super) fn visible(types: &[ValueType], lowered: &[ValType]) -> Vec<ValType> {
    types
        .iter()
        .zip(lowered)
        .filter(|(ty, _)| ty.is_visible())
        .map(|(_, &lowered)| lowered)
        .collect()
}
