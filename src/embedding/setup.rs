//! The engines that scripts are done with.

use super::world::{Host, called};
use std::sync::{Arc, LazyLock, OnceLock};
use switchback_engine::{
    Config, CpuFeatures, Engine, InstancePre, Linker, Module, OptLevel, RegallocAlgorithm,
};

/// An engine, and a guest that is compiled and linked: shared by all stores and threads.
pub(super) struct Setup {
    pub engine: Engine,
    pub module: Module,
    pub linker: Linker<Host>,
    pub prepared: InstancePre<Host>,
}

/// The configurations.
const CONFIGURATIONS: [fn(&mut Config); 6] = [
    |_| {},
    |config| {
        config
            .opt_level(OptLevel::Speed)
            .regalloc(RegallocAlgorithm::Backtracking);
    },
    |config| {
        config.signals_based_traps(false).gc_zeal(1);
    },
    |config| {
        config.memory_guard(true).gc_zeal(5).inline_switches(false);
    },
    |config| {
        config
            .check_switches(true)
            .cpu_features(CpuFeatures::Baseline);
    },
    |config| {
        config.check_switches(false).fiber_stack_size(512 << 10);
    },
];

impl Setup {
    /// The setup with a number, modulo their number.
    pub fn get(number: u8) -> Arc<Setup> {
        static SETUPS: [OnceLock<Arc<Setup>>; CONFIGURATIONS.len()] =
            [const { OnceLock::new() }; CONFIGURATIONS.len()];
        let number = usize::from(number) % CONFIGURATIONS.len();
        let make = || Arc::new(Setup::new(CONFIGURATIONS[number]));
        SETUPS[number].get_or_init(make).clone()
    }

    /// A setup of its own.
    pub fn new(configure: impl FnOnce(&mut Config)) -> Setup {
        let mut config = Config::new();
        configure(&mut config);
        let engine = Engine::new(&config).expect("the configurations fit this machine");
        let module = Module::new(&engine, guest()).expect("the guest is valid");
        let mut linker = Linker::new();
        linker.func_wrap("host", "call", called);
        let prepared = linker.instantiate_pre(&module).expect("it can be linked");
        Setup {
            engine,
            module,
            linker,
            prepared,
        }
    }
}

/// The guest's module.
pub(super) fn guest() -> &'static [u8] {
    static GUEST: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let text = include_str!("guest.wat");
        wat::parse_str(text).expect("the guest is well-formed")
    });
    &GUEST
}
