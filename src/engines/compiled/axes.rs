//! The axes of the compiling engine's configuration.

use crate::engines::Axis;
use crate::engines::configuration::{self, Choice};
use switchback_engine::{Config, CpuFeatures, OptLevel, RegallocAlgorithm};

/// The axes of the configuration, the default first on each. (Whether code is traced is drawn as well, by the case.)
pub(super) const AXES: &[(&str, &[Choice<Config>])] = &[
    (
        "opt",
        &[
            ("none", 4, |_| {}),
            ("speed", 2, |config| {
                config.opt_level(OptLevel::Speed);
            }),
            ("size", 1, |config| {
                config.opt_level(OptLevel::SpeedAndSize);
            }),
        ],
    ),
    (
        "regalloc",
        &[
            ("single-pass", 3, |_| {}),
            ("backtracking", 2, |config| {
                config.regalloc(RegallocAlgorithm::Backtracking);
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
        "memory",
        &[
            ("bounds-checks", 2, |_| {}),
            ("guard", 1, |config| {
                config.memory_guard(true);
            }),
        ],
    ),
    (
        "cpu",
        &[
            ("host", 2, |_| {}),
            ("baseline", 1, |config| {
                config.cpu_features(CpuFeatures::Baseline);
            }),
        ],
    ),
    (
        "gc-zeal",
        &[
            ("0", 4, |_| {}),
            ("1", 1, |config| {
                config.gc_zeal(1);
            }),
            ("7", 1, |config| {
                config.gc_zeal(7);
            }),
        ],
    ),
    (
        "switches",
        &[
            ("inlined", 5, |_| {}),
            ("shared", 1, |config| {
                config.inline_switches(false);
            }),
        ],
    ),
    (
        // Whether the engine checks itself at each switch: `build` is what the build does by itself, which is on with debug
        // assertions.
        "checks",
        &[
            ("build", 2, |_| {}),
            ("on", 1, |config| {
                config.check_switches(true);
            }),
            ("off", 1, |config| {
                config.check_switches(false);
            }),
        ],
    ),
    (
        "unwind-info",
        &[
            ("none", 5, |_| {}),
            ("native", 1, |config| {
                config.native_unwind_info(true);
            }),
        ],
    ),
    (
        "stack",
        &[
            ("256k", 3, |_| {}),
            ("192k", 1, |config| {
                config.fiber_stack_size(192 << 10);
            }),
            ("1m", 1, |config| {
                config.fiber_stack_size(1 << 20);
            }),
        ],
    ),
    (
        "pool",
        &[
            ("64", 3, |_| {}),
            ("1", 1, |config| {
                config.pooled_stacks(1);
            }),
            ("none", 1, |config| {
                config.pooled_stacks(0);
            }),
        ],
    ),
];

pub(super) fn axes() -> Vec<Axis> {
    configuration::axes(AXES)
}
