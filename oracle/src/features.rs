//! Which proposals are validated, and what to call an operator that is not executed.

use wasmparser::{Operator, WasmFeatures};

/// Everything that this crate executes, and what it refuses by name rather than as
/// invalid. Each flag is stated: wasmparser's defaults change.
pub(crate) fn validated() -> WasmFeatures {
    WasmFeatures::WASM2
        | WasmFeatures::TAIL_CALL
        | WasmFeatures::EXTENDED_CONST
        | WasmFeatures::FUNCTION_REFERENCES
        | WasmFeatures::GC
        | WasmFeatures::EXCEPTIONS
        | WasmFeatures::STACK_SWITCHING
        | WasmFeatures::MULTI_MEMORY
        | WasmFeatures::MEMORY64
        | WasmFeatures::CUSTOM_PAGE_SIZES
        | WasmFeatures::RELAXED_SIMD
        | WasmFeatures::WIDE_ARITHMETIC
        | WasmFeatures::THREADS
}

macro_rules! features {
    ($(@$proposal:ident $op:ident $({ $($arg:ident: $argty:ty),* })? => $visit:ident ($($ann:tt)*))*) => {
        /// The name of the feature that an operator belongs to.
        pub(crate) fn feature_of(op: &Operator<'_>) -> &'static str {
            match op {
                $(Operator::$op { .. } => name(stringify!($proposal)),)*
                _ => "this instruction",
            }
        }
    };
}

wasmparser::for_each_operator!(features);

fn name(proposal: &'static str) -> &'static str {
    match proposal {
        "simd" => "SIMD",
        "relaxed_simd" => "relaxed SIMD",
        "gc" => "GC",
        "threads" => "threads",
        "wide_arithmetic" => "wide arithmetic",
        other => other,
    }
}
