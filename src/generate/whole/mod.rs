//! Whole modules by wasm-smith, for what engines can do besides switching stacks.
//!
//! wasm-smith makes a valid module of every proposal that the mask allows; three changes make it a case. It *ends*: functions
//! and loops count fuel in a global, and out of fuel a function returns default values. It is *determined*: every NaN that an
//! instruction makes becomes the canonical one at once. And it is *called*: a driver without parameters for each function calls
//! it with constants. (See `finish` and `driver`.) Sizes are below the limits of every engine, so that none of them decides.

mod driver;
mod finish;
#[cfg(test)]
mod tests;

use super::Features;
use arbitrary::Unstructured;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use wasm_smith::{InstructionKinds, MemoryOffsetChoices};

/// Bytes drawn from a seed.
const ENTROPY: usize = 3 * 1024;
/// Bytes from which the drivers' arguments come, the first of a case's.
const ARGUMENTS: usize = 64;

/// Generates the module of a seed. The same seed and features give the same bytes, on every machine.
pub fn generate(seed: u64, features: Features) -> Vec<u8> {
    let mut bytes = vec![0; ENTROPY];
    ChaCha8Rng::seed_from_u64(seed).fill_bytes(&mut bytes);
    generate_from_bytes(&bytes, features)
}

/// Generates a module from bytes, as a fuzzer supplies them: any bytes give a module.
pub fn generate_from_bytes(bytes: &[u8], features: Features) -> Vec<u8> {
    let (arguments, rest) = bytes.split_at(bytes.len().min(ARGUMENTS));
    let mut unstructured = Unstructured::new(rest);
    let config = draw(&mut unstructured, features);
    let made = config.and_then(|config| wasm_smith::Module::new(config, &mut unstructured));
    let Ok(module) = made else {
        // Too few bytes: the empty module is a case too.
        return wasm_encoder::Module::new().finish();
    };
    finish::finish(
        &module.to_bytes(),
        features,
        &mut Unstructured::new(arguments),
    )
    .expect("wasm-smith's modules are valid")
}

/// Draws what one module may use and how large it gets. Each case leaves features out, so that those that are there meet more
/// often.
fn draw(u: &mut Unstructured<'_>, mask: Features) -> arbitrary::Result<wasm_smith::Config> {
    let mut kept = [false; 24];
    for keep in &mut kept {
        *keep = u.ratio(5u8, 8)?;
    }
    let mut kept = kept.into_iter();
    let features = mask.filter(|| kept.next().unwrap_or(false));
    let no_traps = u.ratio(3u8, 4)?;
    let instructions = u.int_in_range(10..=90usize)?;
    let memories = if features.multi_memory { 3 } else { 1 };
    let min_funcs = u.int_in_range(1..=4usize)?;
    // wasm-smith makes types of functions and of blocks alike: without the one's parameters, either no function has several
    // results, or there are no blocks.
    let straight = !mask.block_parameters && u.ratio(1u8, 2)?;
    let instructions_of = |straight| match straight {
        false => InstructionKinds::all(),
        true => {
            use wasm_smith::InstructionKind::*;
            let kinds = [
                Numeric, VectorInt, Reference, Parametric, Variable, Table, Memory, Aggregate,
            ];
            InstructionKinds::new(&kinds)
        }
    };
    Ok(wasm_smith::Config {
        // Every proposal is set by name: some defaults of wasm-smith turn on what no engine here has.
        acquire_release_atomics_enabled: false,
        allow_floats: features.floats,
        bulk_memory_enabled: true,
        // Canonicalised afterwards: wasm-smith leaves out some instructions.
        canonicalize_nans: false,
        compact_imports_enabled: false,
        custom_descriptors_enabled: false,
        custom_page_sizes_enabled: features.custom_page_sizes,
        disallow_traps: no_traps,
        exceptions_enabled: features.exceptions,
        extended_const_enabled: true,
        gc_enabled: features.gc,
        memory64_enabled: features.memory64,
        multi_value_enabled: mask.block_parameters || straight,
        multibyte_array_access_enabled: false,
        reference_types_enabled: true,
        relaxed_simd_enabled: features.relaxed_simd && features.simd,
        saturating_float_to_int_enabled: true,
        shared_everything_threads_enabled: false,
        sign_extension_ops_enabled: true,
        simd_enabled: features.simd,
        tail_call_enabled: features.tail_calls,
        threads_enabled: false,
        wide_arithmetic_enabled: features.wide_arithmetic,

        allow_invalid_funcs: false,
        allowed_instructions: instructions_of(straight),
        allow_start_export: true,
        generate_custom_sections: false,
        memory_offset_choices: MemoryOffsetChoices(90, 9, 1),
        // Below what any engine can survive, and required, so that growing fails at the same size everywhere.
        limit_arrays_in_const_exprs: true,
        max_memory32_bytes: 4 << 16,
        max_memory64_bytes: 4 << 16,
        max_table_elements: 100,
        memory_max_size_required: true,
        table_max_size_required: true,
        max_instructions: instructions,
        max_memories: memories,
        max_tables: 3,
        max_types: 12,
        min_types: 3,
        max_funcs: 8,
        max_globals: 6,
        max_imports: 4,
        max_exports: 6,
        max_tags: 3,
        max_data_segments: 4,
        max_element_segments: 4,
        max_elements: 8,
        min_funcs,
        min_memories: u.int_in_range(0..=1)?,
        min_tables: u.int_in_range(0..=1)?,
        ..wasm_smith::Config::default()
    })
}
