//! How Wasmtime is set up, and the axes of its configuration.

use super::super::configuration::{self, Choice};
use super::super::{Axis, Settings};
use std::num::NonZeroUsize;
use wasmtime::{Collector, Config, Engine, OptLevel, RegallocAlgorithm};

/// The axes of the configuration, the default first on each. What is never drawn (its weight is 0) has a known bug: it can be asked
/// for.
const AXES: &[(&str, &[Choice<Config>])] = &[
    (
        "opt",
        &[
            ("none", 4, |_| {}),
            ("speed", 2, |config| {
                config.cranelift_opt_level(OptLevel::Speed);
            }),
            ("size", 1, |config| {
                config.cranelift_opt_level(OptLevel::SpeedAndSize);
            }),
        ],
    ),
    (
        "regalloc",
        &[
            ("single-pass", 3, |_| {}),
            ("backtracking", 2, |config| {
                config.cranelift_regalloc_algorithm(RegallocAlgorithm::Backtracking);
            }),
        ],
    ),
    (
        "traps",
        &[
            ("signals", 2, |_| {}),
            ("checks", 1, |config| {
                config.signals_based_traps(false);
            }),
        ],
    ),
    (
        "collector",
        &[
            ("copying", 2, |_| {}),
            ("drc", 1, |config| {
                config.collector(Collector::DeferredReferenceCounting);
            }),
        ],
    ),
    (
        "heap",
        &[
            ("large", 1, |_| {}),
            // Wasmtime panics when it collects while a continuation is suspended: issue 14239,
            // corpus/regressions/wasmtime-collection.wast.
            ("empty", 0, |config| {
                config.gc_heap_initial_size(0);
            }),
        ],
    ),
    (
        "backtraces",
        &[
            ("off", 1, |_| {}),
            // Wasmtime aborts at a trap below a continuation that was made of a host function.
            ("on", 0, |config| {
                config.wasm_backtrace_max_frames(NonZeroUsize::new(20));
            }),
        ],
    ),
];

pub(super) fn axes() -> Vec<Axis> {
    configuration::axes(AXES)
}

/// The size of the heap of structures, arrays, exceptions and external references at which a store begins, in bytes. It is more than
/// a case uses, so Wasmtime does not collect.
const GC_HEAP: u64 = 8 << 20;

/// Sets Wasmtime up, with everything that modules may use.
pub(super) fn engine(settings: &Settings) -> Result<Engine, String> {
    let mut config = Config::new();
    config
        .wasm_tail_call(true)
        .wasm_function_references(true)
        .wasm_gc(true)
        .wasm_exceptions(true)
        .wasm_stack_switching(true)
        .wasm_multi_memory(true)
        .wasm_memory64(true)
        .wasm_custom_page_sizes(true)
        .wasm_wide_arithmetic(true)
        .wasm_extended_const(true)
        .wasm_relaxed_simd(true)
        .relaxed_simd_deterministic(true)
        // Compiling is what a campaign's time goes into.
        .cranelift_opt_level(OptLevel::None)
        .cranelift_regalloc_algorithm(RegallocAlgorithm::SinglePass)
        .generate_address_map(false)
        .debug_symbols(false)
        .native_unwind_info(false)
        .wasm_backtrace_max_frames(None)
        // Memories are small, and live for one case.
        .memory_init_cow(false)
        .memory_reservation(0)
        .memory_reservation_for_growth(1 << 16)
        .memory_guard_size(0)
        .gc_heap_initial_size(GC_HEAP)
        .collector(Collector::Copying);
    configuration::apply(AXES, &mut config, &settings.configuration)?;
    Engine::new(&config).map_err(|error| format!("{error:#}"))
}
