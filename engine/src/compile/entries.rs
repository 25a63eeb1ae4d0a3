//! Which trampolines exist: those that all engines share, and those of a module.

use super::code::{Code, CodeBuilder, CodeMemory};
use super::signature::AbiSignature;
use super::trampolines::{self, Generate};
use crate::config::{Config, CpuFeatures, OptLevel, RegallocAlgorithm};
use crate::error::Error;
use cranelift_codegen::isa::TargetIsa;
use cranelift_codegen::{CodegenError, Context};
use cranelift_frontend::FunctionBuilderContext;
use std::collections::HashMap;
use std::sync::OnceLock;

/// Offsets of the trampolines of one signature in their region.
#[derive(Clone, Copy, Debug, Default)]
struct Offsets {
    array_to_wasm: Option<u32>,
    native_to_wasm: Option<u32>,
    wasm_to_array: Option<u32>,
    wasm_to_native: Option<u32>,
}

/// The trampolines of one signature.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trampolines {
    pub array_to_wasm: Option<*const u8>,
    pub native_to_wasm: Option<*const u8>,
    pub wasm_to_array: Option<*const u8>,
    pub wasm_to_native: Option<*const u8>,
}

/// The trampolines of a code region, by [widened](AbiSignature::widened) signature. Complete once the region is, and never changed.
#[derive(Debug, Default)]
pub(crate) struct TrampolineSet(HashMap<AbiSignature, Offsets>);

impl TrampolineSet {
    /// Adds what Wasm functions of this widened signature need to be called by hosts.
    pub fn add_entries(
        &mut self,
        add: &mut Adder<'_>,
        signature: &AbiSignature,
    ) -> Result<(), CodegenError> {
        let array_to_wasm = Some(add.trampoline(trampolines::array_to_wasm, signature)?);
        let native_to_wasm = Some(add.trampoline(trampolines::native_to_wasm, signature)?);
        let offsets = self.0.entry(signature.clone()).or_default();
        (offsets.array_to_wasm, offsets.native_to_wasm) = (array_to_wasm, native_to_wasm);
        Ok(())
    }

    /// Adds what host functions of this widened signature need to be called by compiled code.
    pub fn add_exits(
        &mut self,
        add: &mut Adder<'_>,
        signature: &AbiSignature,
    ) -> Result<(), CodegenError> {
        let wasm_to_array = Some(add.trampoline(trampolines::wasm_to_array, signature)?);
        let wasm_to_native = Some(add.trampoline(trampolines::wasm_to_native, signature)?);
        let offsets = self.0.entry(signature.clone()).or_default();
        (offsets.wasm_to_array, offsets.wasm_to_native) = (wasm_to_array, wasm_to_native);
        Ok(())
    }

    /// The trampolines of a signature; `memory` is the region that they were added to.
    pub fn get(&self, memory: &CodeMemory, signature: &AbiSignature) -> Option<Trampolines> {
        let offsets = self.0.get(&signature.widened())?;
        let address = |offset: Option<u32>| offset.map(|offset| memory.address(offset));
        Some(Trampolines {
            array_to_wasm: address(offsets.array_to_wasm),
            native_to_wasm: address(offsets.native_to_wasm),
            wasm_to_array: address(offsets.wasm_to_array),
            wasm_to_native: address(offsets.wasm_to_native),
        })
    }
}

/// Generates trampolines into a region.
pub(crate) struct Adder<'a> {
    pub isa: &'a dyn TargetIsa,
    pub builder: &'a mut CodeBuilder,
    pub context: &'a mut Context,
    pub frontend: &'a mut FunctionBuilderContext,
}

impl Adder<'_> {
    fn trampoline(
        &mut self,
        generate: Generate,
        signature: &AbiSignature,
    ) -> Result<u32, CodegenError> {
        generate(&mut self.context.func, self.frontend, self.isa, signature);
        let offset = self.builder.add(self.isa, self.context, None);
        self.context.clear();
        Ok(offset?.offset)
    }
}

/// A region of nothing but trampolines.
#[derive(Debug)]
pub(crate) struct TrampolineCode {
    code: Code,
    set: TrampolineSet,
}

impl TrampolineCode {
    /// The trampolines of the [common](trampolines::common_entries) signatures. They depend on nothing but how they are compiled, so
    /// a process makes them once for each way that it asks for, and keeps them: an engine is then set up in no time.
    ///
    /// # Errors
    /// [`Error::Engine`] when the system has no memory for the code.
    pub fn common(isa: &dyn TargetIsa, config: &Config) -> Result<&'static Self, Error> {
        const LEVELS: usize = 3;
        static MADE: [OnceLock<TrampolineCode>; LEVELS * 8] =
            [const { OnceLock::new() }; LEVELS * 8];
        let level = match config.opt_level {
            OptLevel::None => 0,
            OptLevel::Speed => 1,
            OptLevel::SpeedAndSize => 2,
        };
        let choices = [
            config.regalloc == RegallocAlgorithm::Backtracking,
            config.cpu_features == CpuFeatures::Host,
            config.native_unwind_info,
        ];
        let way = choices
            .into_iter()
            .fold(level, |way, choice| 2 * way + usize::from(choice));
        if let Some(made) = MADE[way].get() {
            return Ok(made);
        }
        // Two threads may both get here; one of the two results is dropped.
        let made = Self::make_common(isa, config)?;
        Ok(MADE[way].get_or_init(|| made))
    }

    fn make_common(isa: &dyn TargetIsa, config: &Config) -> Result<Self, Error> {
        Self::compile(isa, config, |set, add| {
            trampolines::common_entries()
                .try_for_each(|signature| set.add_entries(add, &signature))?;
            trampolines::common_exits().try_for_each(|signature| set.add_exits(add, &signature))
        })
        .expect("common signatures are small")
    }

    /// What host functions of `signature` need.
    ///
    /// # Errors
    /// Of Cranelift, when the signature exceeds one of its limits; else [`Error::Engine`] when the system has no memory.
    pub fn exits(
        isa: &dyn TargetIsa,
        config: &Config,
        signature: &AbiSignature,
    ) -> Result<Result<Self, Error>, CodegenError> {
        Self::compile(isa, config, |set, add| {
            set.add_exits(add, &signature.widened())
        })
    }

    fn compile(
        isa: &dyn TargetIsa,
        config: &Config,
        body: impl FnOnce(&mut TrampolineSet, &mut Adder<'_>) -> Result<(), CodegenError>,
    ) -> Result<Result<Self, Error>, CodegenError> {
        let mut builder = CodeBuilder::new(config);
        let mut set = TrampolineSet::default();
        body(
            &mut set,
            &mut Adder {
                isa,
                builder: &mut builder,
                context: &mut Context::new(),
                frontend: &mut FunctionBuilderContext::new(),
            },
        )?;
        let code = builder.finish(isa, |_| {
            unreachable!("trampolines call no function of the region")
        });
        Ok(code.map(|code| TrampolineCode { code, set }))
    }

    /// The trampolines of a signature.
    pub fn get(&self, signature: &AbiSignature) -> Option<Trampolines> {
        self.set.get(&self.code.memory, signature)
    }
}
