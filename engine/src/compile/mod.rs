//! The compiler: an engine's settings, and the way from a parsed module to executable code.

pub(crate) mod code;
pub(crate) mod debugger;
pub(crate) mod entries;
pub(crate) mod signature;
pub(crate) mod trampolines;
pub(crate) mod trap_codes;
pub(crate) mod unwind_info;

use crate::config::{Config, CpuFeatures, OptLevel, RegallocAlgorithm};
use crate::error::{Error, Unsupported};
use crate::module::info::ModuleInfo;
use crate::module::parse::Parsed;
use crate::runtime::fiber::{Fiber, HandlerList};
use crate::runtime::layout::{ArrayCall, FuncRef, ValRaw};
use crate::runtime::stack_cache::StackCache;
use crate::runtime::stacks::{PAGE, START_RESERVE};
use crate::runtime::stubs::Stubs;
use crate::runtime::tracer::TraceSite;
use crate::runtime::traps;
use crate::translate::{LARGE_FRAME, ModuleTranslation, large_frame_entry, translate};
use code::{Code, CodeBuilder};
use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_codegen::settings::{self, Configurable};
use cranelift_codegen::{CodegenError, Context};
use cranelift_frontend::FunctionBuilderContext;
use entries::{Adder, TrampolineCode, TrampolineSet, Trampolines};
use signature::AbiSignature;
use std::collections::{BTreeSet, HashSet};
use std::ffi::c_void;
use std::sync::Arc;

/// The settings, the code generator and the trampolines that modules and stores share. Cheap to clone.
#[derive(Clone)]
pub struct Engine(Arc<EngineInner>);

/// What an [`Engine`] holds.
pub(crate) struct EngineInner {
    pub config: Config,
    pub isa: OwnedTargetIsa,
    pub stubs: Stubs,
    /// See [`trampolines::common_entries`] and [`trampolines::common_exits`].
    pub trampolines: &'static TrampolineCode,
    /// What dropped stores have left.
    pub stacks: Arc<StackCache>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("config", &self.0.config)
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// Makes an engine. The process's first one that uses signals installs handlers for those that traps raise.
    ///
    /// # Errors
    /// [`Error::Engine`] when the machine is not an x86-64 one with SSE 4.1, or a size in `config` makes no sense.
    pub fn new(config: &Config) -> Result<Engine, Error> {
        let mut config = config.clone();
        config.fiber_stack_size = whole_pages(config.fiber_stack_size)?;
        config.host_stack_headroom = whole_pages(config.host_stack_headroom)?;
        if config.host_stack_headroom < LEAST_HEADROOM {
            return Err(Error::Engine(format!(
                "host functions need at least {LEAST_HEADROOM} bytes of stack, not {}",
                config.host_stack_headroom
            )));
        }
        let own = PAGE + START_RESERVE + size_of::<Fiber>().next_multiple_of(PAGE);
        let least = own.saturating_add(config.host_stack_headroom);
        if config.fiber_stack_size < least {
            return Err(Error::Engine(format!(
                "a continuation's stack needs at least {least} bytes, not {}",
                config.fiber_stack_size
            )));
        }
        if config.limits.heap_bytes > 1 << 32 {
            return Err(Error::Engine(format!(
                "objects can have 4 GiB at most, not {} bytes",
                config.limits.heap_bytes
            )));
        }
        if config.limits.continuations > (1 << 20) - 1 {
            return Err(Error::Engine(
                "at most 1,048,575 continuations can be alive".to_owned(),
            ));
        }
        let isa = isa(&config)?;
        let stubs = Stubs::new(&config);
        let trampolines = TrampolineCode::common(&*isa, &config)?;
        if config.signals_based_traps {
            traps::install();
        }
        let stacks = StackCache::new(config.pooled_stacks);
        Ok(Engine(Arc::new(EngineInner {
            stacks,
            config,
            isa,
            stubs,
            trampolines,
        })))
    }

    /// The settings that the engine was made with.
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// Compiles the trampolines for host functions of a signature that no module supplies.
    ///
    /// # Errors
    /// [`Error::Unsupported`] when the signature exceeds a limit of Cranelift's.
    pub(crate) fn compile_exits(&self, signature: &AbiSignature) -> Result<TrampolineCode, Error> {
        TrampolineCode::exits(&*self.0.isa, &self.0.config, signature)
            .map_err(|error| too_large(error, None, 0))?
    }

    /// Where stores leave their stacks.
    pub(crate) fn stacks(&self) -> Arc<StackCache> {
        self.0.stacks.clone()
    }

    /// The trampolines of a signature, if they are among those that the engine has made.
    pub(crate) fn trampolines(&self, signature: &AbiSignature) -> Option<Trampolines> {
        self.0.trampolines.get(signature)
    }
}

/// What the runtime's own functions need of a stack, with those of the standard library that they call, in a build without
/// optimisation and with self-checks, and about as much again.
const LEAST_HEADROOM: usize = 64 * 1024;

fn whole_pages(bytes: usize) -> Result<usize, Error> {
    // Nothing that exceeds half of the address space could be mapped, and what comes near it would overflow later on.
    bytes
        .checked_next_multiple_of(PAGE)
        .filter(|&bytes| bytes <= isize::MAX as usize)
        .ok_or_else(|| Error::Engine(format!("a stack cannot have {bytes} bytes")))
}

fn isa(config: &Config) -> Result<OwnedTargetIsa, Error> {
    let mut builder =
        cranelift_native::builder_with_options(config.cpu_features == CpuFeatures::Host)
            .map_err(|reason| Error::Engine(format!("cannot compile here: {reason}")))?;
    let mut flags = settings::builder();
    let opt_level = match config.opt_level {
        OptLevel::None => "none",
        OptLevel::Speed => "speed",
        OptLevel::SpeedAndSize => "speed_and_size",
    };
    let regalloc = match config.regalloc {
        RegallocAlgorithm::Backtracking => "backtracking",
        RegallocAlgorithm::SinglePass => "single_pass",
    };
    let unwind_info = if config.native_unwind_info {
        "true"
    } else {
        "false"
    };
    let verifier = if cfg!(debug_assertions) {
        "true"
    } else {
        "false"
    };
    for (name, value) in [
        ("opt_level", opt_level),
        ("regalloc_algorithm", regalloc),
        ("enable_verifier", verifier),
        // The unwinder and stack walks go by frame pointers.
        ("preserve_frame_pointers", "true"),
        ("unwind_info", unwind_info),
        // A frame larger than the headroom must not jump over the guard page.
        ("enable_probestack", "true"),
        ("probestack_strategy", "inline"),
        // Functions may have any number of results.
        ("enable_multi_ret_implicit_sret", "true"),
        // Generated programs are not attackers with a clock, and the code would be larger.
        ("enable_heap_access_spectre_mitigation", "false"),
        ("enable_table_access_spectre_mitigation", "false"),
    ] {
        flags
            .set(name, value)
            .map_err(|error| Error::Engine(format!("Cranelift's setting {name}: {error}")))?;
    }
    // Rounding and shuffling would otherwise become calls of a library.
    for feature in ["has_sse3", "has_ssse3", "has_sse41"] {
        builder
            .enable(feature)
            .map_err(|error| Error::Engine(format!("not an x86-64 processor: {error}")))?;
    }
    // Processors with SSE 4.1 have what came before it.
    if !std::arch::is_x86_feature_detected!("sse4.1") {
        return Err(Error::Engine("this processor lacks SSE 4.1".to_owned()));
    }
    builder
        .finish(settings::Flags::new(flags))
        .map_err(|error| Error::Engine(format!("Cranelift refuses its settings: {error}")))
}

fn too_large(_: CodegenError, function: Option<u32>, offset: u32) -> Error {
    Error::Unsupported(Unsupported {
        feature: "function of this size",
        function,
        offset,
    })
}

/// A module's code and what it refers to by address.
pub(crate) struct CompiledModule {
    pub code: Code,
    /// The entries of every defined function.
    functions: Box<[Entries]>,
    trampolines: TrampolineSet,
    _handler_lists: Vec<Box<HandlerList>>,
    _trace_sites: Vec<Box<TraceSite>>,
}

// SAFETY: handler lists, trace sites and entries are never changed after compilation; code is immutable.
unsafe impl Send for CompiledModule {}
// SAFETY: as above.
unsafe impl Sync for CompiledModule {}

impl CompiledModule {
    /// The entries of the defined function at `index` (not counting imports).
    pub fn entries(&self, index: u32) -> Entries {
        self.functions[index as usize]
    }

    /// The module's own trampolines of a signature.
    pub fn trampolines(&self, signature: &AbiSignature) -> Option<Trampolines> {
        self.trampolines.get(&self.code.memory, signature)
    }
}

/// The entries of a defined function, as its references name them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entries {
    pub wasm_call: *const u8,
    pub array_call: ArrayCall,
    pub native_call: *const u8,
}

/// `array_call` of functions that only direct calls reach: no reference to them exists, so nobody can call this.
unsafe extern "C" fn not_entered(
    _: *const FuncRef,
    _: *mut c_void,
    _: *mut ValRaw,
    _: usize,
) -> bool {
    unreachable!("a function without references is called through one")
}

/// Validates and compiles the bodies of a parsed module.
///
/// # Errors
/// [`Error::Invalid`] if a body does not validate; else [`Error::Unsupported`] if anything is not implemented.
pub(crate) fn compile(
    engine: &Engine,
    parsed: Parsed<'_>,
) -> Result<(ModuleInfo, CompiledModule), Error> {
    let Parsed {
        info,
        bodies,
        unsupported,
    } = parsed;
    let isa = &*engine.0.isa;
    let mut env = ModuleTranslation {
        engine: &engine.0,
        info: &info,
        handler_lists: Vec::new(),
        trace_sites: Vec::new(),
        unsupported,
    };
    let mut builder = CodeBuilder::new(engine.config());
    let mut context = Context::new();
    let mut frontend = FunctionBuilderContext::new();
    let mut functions = Vec::with_capacity(bodies.len());
    let mut allocations = Default::default();
    let mut failed = None;
    let explicit = !engine.config().signals_based_traps;
    for (to_validate, body) in bodies {
        let function = to_validate.index;
        let mut validator = to_validate.into_validator(allocations);
        let func = &mut context.func;
        if translate(
            &mut env,
            func,
            &mut frontend,
            function,
            &mut validator,
            &body,
        )? && failed.is_none()
        {
            match builder.add(isa, &mut context, Some(function)) {
                Ok(added) if added.frame_size > LARGE_FRAME && explicit => {
                    let signature = context.func.signature.clone();
                    context.clear();
                    let func = &mut context.func;
                    let source = body.range().start as u32;
                    large_frame_entry(func, &mut frontend, isa, signature, &added, source);
                    match builder.add(isa, &mut context, Some(function)) {
                        Ok(entry) => functions.push(entry.offset),
                        Err(error) => failed = Some(too_large(error, Some(function), source)),
                    }
                }
                Ok(added) => functions.push(added.offset),
                Err(error) => {
                    failed = Some(too_large(error, Some(function), body.range().start as u32))
                }
            }
        }
        context.clear();
        allocations = validator.into_allocations();
    }
    let ModuleTranslation {
        handler_lists,
        trace_sites,
        unsupported,
        ..
    } = env;
    if let Some(unsupported) = unsupported {
        return Err(Error::Unsupported(unsupported));
    }
    if let Some(error) = failed {
        return Err(error);
    }

    let mut trampolines = TrampolineSet::default();
    let mut add = Adder {
        isa,
        builder: &mut builder,
        context: &mut context,
        frontend: &mut frontend,
    };
    let imports = info.num_imported_funcs as usize;
    // Only functions that can be called other than directly need an entry for hosts.
    let entered = (imports..info.functions.len()).filter(|&function| info.escaping[function]);
    let known = |signature: &AbiSignature| engine.trampolines(signature).is_some();
    for signature in signatures(&info, entered, known) {
        let added = trampolines.add_entries(&mut add, &signature);
        added.map_err(|error| too_large(error, None, 0))?;
    }
    // The engine's have entries always, exits sometimes.
    let known = |signature: &AbiSignature| {
        let common = engine.trampolines(signature);
        common.is_some_and(|trampolines| trampolines.wasm_to_array.is_some())
    };
    for signature in signatures(&info, 0..imports, known) {
        let added = trampolines.add_exits(&mut add, &signature);
        added.map_err(|error| too_large(error, None, 0))?;
    }
    let code = builder.finish(isa, |function| functions[function as usize - imports])?;
    let functions = (imports..).zip(functions).map(|(function, offset)| {
        let trampolines = info.escaping[function].then(|| {
            let signature = info.abi_signature(info.functions[function]);
            engine
                .trampolines(&signature)
                .or_else(|| trampolines.get(&code.memory, &signature))
                .expect("added above")
        });
        let array_to_wasm = trampolines.and_then(|trampolines| trampolines.array_to_wasm);
        let native_to_wasm = trampolines.and_then(|trampolines| trampolines.native_to_wasm);
        Entries {
            wasm_call: code.memory.address(offset),
            array_call: match array_to_wasm {
                // SAFETY: the trampoline was generated as an `ArrayCall` for this signature, and lives as long as the module
                // or its engine.
                Some(address) => unsafe { std::mem::transmute::<*const u8, ArrayCall>(address) },
                None => not_entered,
            },
            native_call: native_to_wasm.unwrap_or(std::ptr::null()),
        }
    });
    let compiled = CompiledModule {
        functions: functions.collect(),
        code,
        trampolines,
        _handler_lists: handler_lists,
        _trace_sites: trace_sites,
    };
    Ok((info, compiled))
}

/// The distinct widened signatures of some functions, in the order of their types, without those that are `known`.
fn signatures(
    info: &ModuleInfo,
    functions: impl Iterator<Item = usize>,
    known: impl Fn(&AbiSignature) -> bool,
) -> Vec<AbiSignature> {
    let types: BTreeSet<u32> = functions.map(|function| info.functions[function]).collect();
    let mut seen = HashSet::new();
    let types = types.into_iter();
    let all = types.map(|ty| info.abi_signature(ty).widened());
    all.filter(|signature| !known(signature) && seen.insert(signature.clone()))
        .collect()
}
