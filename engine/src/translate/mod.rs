//! From a validated function body to Cranelift IR, one operator at a time.
//!
//! The translation keeps the specification's shape: an operand stack of IR values and a stack of control frames. Every
//! operator is validated before it is translated, so the code here relies on types and indices. Operators that are out of
//! reach are validated and dropped.
//!
//! | file | operators |
//! |---|---|
//! | [`control`] | blocks, branches, `try_table` |
//! | [`call`] | calls and tail calls |
//! | [`exception`] | throwing and landing pads |
//! | [`switching`] | the stack-switching instructions |
//! | [`reference`], [`table`] | references, variables, tables |
//! | [`aggregate`], [`cast`] | structures, arrays, `i31`; tests of references |
//! | [`memory`], [`numeric`], [`vector`] | memories, numbers, vectors |
//! | [`trapping`] | how all of these trap |
//! | `planted` | bugs on purpose, where one is asked for |

mod aggregate;
mod call;
mod cast;
mod control;
mod convert;
mod exception;
mod memory;
mod numeric;
mod operator;
#[cfg(feature = "planted-bugs")]
mod planted;
mod reference;
mod runtime_calls;
mod switching;
mod table;
mod trapping;
mod vector;

pub(crate) use runtime_calls::Libcall;
pub(crate) use trapping::{LARGE_FRAME, large_frame_entry};

use crate::compile::EngineInner;
use crate::compile::signature::{clif_type, slots_size, trusted};
use crate::compile::trampolines::SLOT_ALIGN_SHIFT;
use crate::config::OptLevel;
use crate::error::{Error, Location, Unsupported};
use crate::module::info::ModuleInfo;
use crate::planted::planted;
use crate::runtime::fiber::HandlerList;
use crate::runtime::layout::{VMCTX_STORE, VmMemory, VmOffsets, VmStore};
use crate::runtime::tracer::TraceSite;
use crate::types::ValType;
use control::{Frame, FrameKind};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{
    AbiParam, Block, BlockArg, FuncRef as ClifFunc, Function, GlobalValueData, InstBuilder, SigRef,
    Signature, SourceLoc, StackSlot, StackSlotData, StackSlotKind, Type, Value, types,
};
use cranelift_codegen::isa::CallConv;
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext, Variable};
use std::collections::HashMap;
use std::mem::offset_of;
use wasmparser::{FuncValidator, FunctionBody, ValidatorResources};

/// What the translation of a module's functions needs and leaves behind.
pub(crate) struct ModuleTranslation<'m> {
    pub engine: &'m EngineInner,
    pub info: &'m ModuleInfo,
    /// Handler lists that compiled code names by address.
    pub handler_lists: Vec<Box<HandlerList>>,
    /// Sites that compiled code names by address.
    pub trace_sites: Vec<Box<TraceSite>>,
    /// The first operator that is not implemented.
    pub unsupported: Option<Unsupported>,
}

/// The translation of one function.
pub(crate) struct FuncTranslator<'a, 'm> {
    b: FunctionBuilder<'a>,
    env: &'a mut ModuleTranslation<'m>,
    function: u32,
    /// Offset of the operator that is being translated.
    offset: u32,
    stack: Vec<Value>,
    frames: Vec<Frame>,
    /// Landing pads of the `try_table`s around the current position, innermost last.
    pads: Vec<Block>,
    locals: Vec<Variable>,
    reachable: bool,
    vmctx: Value,
    /// The store's address, in optimised code. A switch gives it back (see [`stubs`](crate::runtime::stubs)), so that code does not
    /// have to load it through its frame again. Otherwise it is loaded where it is needed.
    store: Option<Variable>,
    /// The one slot through which this function passes values to and from other stacks, and its size in values.
    payload: Option<(StackSlot, usize)>,
    /// A bug, if it is planted: the length that the first memory has when the function is entered.
    cached_memory_len: Option<Value>,
    /// A bug, if it is planted: what globals are known to hold.
    #[cfg(feature = "planted-bugs")]
    kept_globals: HashMap<u32, Value>,
    /// Signatures of runtime functions and stubs imported so far.
    signatures: Vec<(SignatureKey, SigRef)>,
    /// Functions of this module imported so far.
    callees: HashMap<u32, ClifFunc>,
}

type SignatureKey = (CallConv, Vec<Type>, Vec<Type>);

/// Validates `body` and translates it into `func`. Returns `false`, and notes why, if it uses something that is not implemented.
///
/// # Errors
/// The body does not validate.
pub(crate) fn translate(
    env: &mut ModuleTranslation<'_>,
    func: &mut Function,
    frontend: &mut FunctionBuilderContext,
    function: u32,
    validator: &mut FuncValidator<ValidatorResources>,
    body: &FunctionBody<'_>,
) -> Result<bool, Error> {
    if env.unsupported.is_some() {
        validator.validate(body)?;
        return Ok(false);
    }
    let isa_config = env.engine.isa.frontend_config();
    let signature = env.signature_of_function(function);
    let results = signature.results.clone();
    func.signature = signature.wasm_call();
    if env.engine.config.signals_based_traps {
        func.stack_limit = Some(stack_limit(func));
    }
    let mut b = FunctionBuilder::new(func, frontend);
    b.set_srcloc(SourceLoc::new(body.range().start as u32));
    let entry = b.create_block();
    b.append_block_params_for_function_params(entry);
    b.switch_to_block(entry);
    b.seal_block(entry);
    let params = b.block_params(entry).to_vec();
    let mut translator = FuncTranslator {
        b,
        env,
        function,
        offset: body.range().start as u32,
        stack: Vec::new(),
        frames: Vec::new(),
        pads: Vec::new(),
        locals: Vec::new(),
        reachable: true,
        vmctx: params[0],
        store: None,
        payload: None,
        cached_memory_len: None,
        #[cfg(feature = "planted-bugs")]
        kept_globals: HashMap::new(),
        signatures: Vec::new(),
        callees: HashMap::new(),
    };
    if translator.env.engine.config.opt_level != OptLevel::None {
        translator.keep_store();
    }
    translator.check_stack();
    if planted!(in translator.env.engine.config, MemoryLengthCached)
        && translator.env.info.counts.memories > 0
    {
        translator.cached_memory_len = Some(translator.first_memory_len());
    }
    translator.declare_locals(&params[2..], validator, body)?;
    let results = results.to_vec();
    translator.push_frame(FrameKind::Block, 0, results);
    let mut reader = body.get_operators_reader()?;
    while !reader.eof() {
        let offset = reader.original_position();
        let operator = reader.read()?;
        validator.op(offset, &operator)?;
        cast::check_branch(validator.resources(), &operator, offset)?;
        translator.offset = offset as u32;
        translator.b.set_srcloc(SourceLoc::new(offset as u32));
        if let Err(feature) = translator.translate_operator(&operator) {
            translator.refuse(feature, offset);
        }
        if translator.env.unsupported.is_some() {
            while !reader.eof() {
                let offset = reader.original_position();
                validator.op(offset, &reader.read()?)?;
            }
            reader.finish()?;
            return Ok(false);
        }
    }
    reader.finish()?;
    translator.b.seal_all_blocks();
    translator.b.finalize(isa_config);
    Ok(true)
}

/// `*(*(vmctx + VMCTX_STORE) + stack_limit)`. Neither load may be `readonly` but the first: the limit changes with the stack.
fn stack_limit(func: &mut Function) -> cranelift_codegen::ir::GlobalValue {
    let vmctx = func.create_global_value(GlobalValueData::VMContext);
    let constant = func
        .dfg
        .mem_flags
        .insert(trusted().with_readonly())
        .expect("few kinds of flags are used");
    let changing = func
        .dfg
        .mem_flags
        .insert(trusted())
        .expect("few kinds of flags are used");
    let store = func.create_global_value(GlobalValueData::Load {
        base: vmctx,
        offset: VMCTX_STORE.into(),
        global_type: types::I64,
        flags: constant,
    });
    func.create_global_value(GlobalValueData::Load {
        base: store,
        offset: (offset_of!(VmStore, stack_limit) as i32).into(),
        global_type: types::I64,
        flags: changing,
    })
}

impl ModuleTranslation<'_> {
    /// The machine signature of a function.
    pub fn signature_of_function(&self, function: u32) -> crate::compile::signature::AbiSignature {
        self.info
            .abi_signature(self.info.functions[function as usize])
    }
}

impl FuncTranslator<'_, '_> {
    fn declare_locals(
        &mut self,
        params: &[Value],
        validator: &mut FuncValidator<ValidatorResources>,
        body: &FunctionBody<'_>,
    ) -> Result<(), Error> {
        for &param in params {
            let variable = self.b.declare_var(self.b.func.dfg.value_type(param));
            self.b.def_var(variable, param);
            self.locals.push(variable);
        }
        let mut reader = body.get_locals_reader()?;
        for _ in 0..reader.get_count() {
            let offset = reader.original_position();
            let (count, ty) = reader.read()?;
            validator.define_locals(offset, count, ty)?;
            if let Some(feature) = operator::unsupported_type(ty) {
                self.refuse(feature, offset);
            }
            let ty = self.clif_type(ty);
            // Locals without a default value are never read before they are written; zero serves as well as anything.
            let zero = self.zero(ty);
            for _ in 0..count {
                let variable = self.b.declare_var(ty);
                self.b.def_var(variable, zero);
                self.locals.push(variable);
            }
        }
        Ok(())
    }

    fn refuse(&mut self, feature: &'static str, offset: u64) {
        self.env.unsupported.get_or_insert(Unsupported {
            feature,
            function: Some(self.function),
            offset: offset as u32,
        });
    }

    fn zero(&mut self, ty: Type) -> Value {
        match ty {
            types::F32 => self.b.ins().f32const(0.0),
            types::F64 => self.b.ins().f64const(0.0),
            ty if ty.is_vector() => self.vector_const([0; 16], ty),
            ty => self.b.ins().iconst(ty, 0),
        }
    }

    fn val_type(&self, ty: wasmparser::ValType) -> ValType {
        ValType::in_section(&self.env.info.types, ty)
    }

    fn clif_type(&self, ty: wasmparser::ValType) -> Type {
        clif_type(&self.val_type(ty))
    }

    fn clif_types(&self, types: &[wasmparser::ValType]) -> Vec<Type> {
        types.iter().map(|&ty| self.clif_type(ty)).collect()
    }

    fn pop1(&mut self) -> Value {
        self.stack
            .pop()
            .expect("validation keeps the operand stack balanced")
    }

    fn pop2(&mut self) -> (Value, Value) {
        let second = self.pop1();
        (self.pop1(), second)
    }

    fn pop3(&mut self) -> (Value, Value, Value) {
        let third = self.pop1();
        let (first, second) = self.pop2();
        (first, second, third)
    }

    fn pop_n(&mut self, n: usize) -> Vec<Value> {
        self.stack.split_off(self.stack.len() - n)
    }

    fn push1(&mut self, value: Value) {
        self.stack.push(value);
    }

    fn iconst(&mut self, value: u64) -> Value {
        self.b.ins().iconst(types::I64, value as i64)
    }

    fn i32const(&mut self, value: u32) -> Value {
        self.b.ins().iconst(types::I32, i64::from(value))
    }

    fn offsets(&self) -> VmOffsets {
        self.env.info.offsets
    }

    /// A pointer in the vmctx, which is written before any code of the instance runs and never again.
    fn vmctx_load_ptr(&mut self, offset: i32) -> Value {
        self.b
            .ins()
            .load(types::I64, trusted().with_readonly(), self.vmctx, offset)
    }

    /// The length of the first memory, in bytes, at this moment.
    fn first_memory_len(&mut self) -> Value {
        let memory = self.vmctx_load_ptr(self.offsets().memory(0));
        self.b.ins().load(
            types::I64,
            trusted(),
            memory,
            offset_of!(VmMemory, len) as i32,
        )
    }

    /// The store's [`VmStore`].
    fn store(&mut self) -> Value {
        match self.store {
            Some(store) => self.b.use_var(store),
            None => self.vmctx_load_ptr(VMCTX_STORE),
        }
    }

    /// Keeps the store's address in a variable from here on: see [`FuncTranslator::store`].
    fn keep_store(&mut self) {
        let store = self.store();
        let variable = self.b.declare_var(types::I64);
        self.b.def_var(variable, store);
        self.store = Some(variable);
    }

    /// The payload slot's address, with room for `values` values.
    fn payload_address(&mut self, values: usize) -> Value {
        let (slot, capacity) = match self.payload {
            Some(payload) => payload,
            None => {
                let data = StackSlotData::new(StackSlotKind::ExplicitSlot, 0, SLOT_ALIGN_SHIFT);
                (self.b.create_sized_stack_slot(data), 0)
            }
        };
        // An instruction's values are in the slot only while that instruction executes, so all can share one.
        let capacity = capacity.max(values).max(1);
        let mut size = slots_size(capacity);
        if planted!(in self.env.engine.config, FramesOf64K) {
            // The alignment is a power of two already, and is taken for the exponent.
            size = size.next_multiple_of(1 << (1 << SLOT_ALIGN_SHIFT));
        }
        self.b.func.sized_stack_slots[slot].size = size;
        self.payload = Some((slot, capacity));
        self.b.ins().stack_addr(types::I64, slot, 0)
    }

    fn location(&self) -> Location {
        Location {
            function: self.function,
            offset: self.offset,
        }
    }

    /// The address of a trace site for the current operator, when tracing.
    fn trace_site(&mut self, values: &[wasmparser::ValType]) -> Option<Value> {
        if !self.env.engine.config.trace {
            return None;
        }
        let types = values.iter().map(|&ty| self.val_type(ty)).collect();
        let site = Box::new(TraceSite {
            location: self.location(),
            types,
        });
        let address = &raw const *site as u64;
        self.env.trace_sites.push(site);
        Some(self.iconst(address))
    }

    /// Calls a function of the runtime with the given arguments.
    fn runtime_call(
        &mut self,
        address: usize,
        args: &[Value],
        result: Option<Type>,
    ) -> Option<Value> {
        let params = args
            .iter()
            .map(|&arg| self.b.func.dfg.value_type(arg))
            .collect();
        let results = result.into_iter().collect();
        let signature = self.signature(CallConv::SystemV, params, results);
        let address = self.iconst(address as u64);
        let call = self.b.ins().call_indirect(signature, address, args);
        self.b.inst_results(call).first().copied()
    }

    /// Calls a stub that raises what is pending when its runtime function fails. That can only be something that no
    /// `try_table` catches, so this is never a `try_call`.
    fn runtime_stub_call(&mut self, address: usize, args: &[Value]) -> Value {
        let signature = self.stub_signature(args.len(), 1);
        let address = self.iconst(address as u64);
        let call = self.b.ins().call_indirect(signature, address, args);
        self.b.inst_results(call)[0]
    }

    /// The signature of a stub: 64-bit words.
    fn stub_signature(&mut self, params: usize, results: usize) -> SigRef {
        let words = |count| vec![types::I64; count];
        self.signature(CallConv::Tail, words(params), words(results))
    }

    /// A signature, imported once a function.
    fn signature(&mut self, convention: CallConv, params: Vec<Type>, results: Vec<Type>) -> SigRef {
        let key = (convention, params, results);
        if let Some((_, known)) = self.signatures.iter().find(|(known, _)| *known == key) {
            return *known;
        }
        let mut signature = Signature::new(convention);
        signature
            .params
            .extend(key.1.iter().copied().map(AbiParam::new));
        signature
            .returns
            .extend(key.2.iter().copied().map(AbiParam::new));
        let imported = self.b.import_signature(signature);
        self.signatures.push((key, imported));
        imported
    }

    /// `cond` as an `i32`.
    fn icmp_imm(&mut self, cond: IntCC, value: Value, imm: i64) -> Value {
        self.b.ins().icmp_imm_s(cond, value, imm)
    }
}

fn block_args(values: &[Value]) -> Vec<BlockArg> {
    values.iter().copied().map(BlockArg::Value).collect()
}
