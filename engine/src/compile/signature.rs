//! Signatures as machine code sees them: all references are one 64-bit word, so many Wasm types share one signature; and whoever
//! does no more than pass values on need not know how many of a register's bits matter, so many signatures share one trampoline.

use crate::runtime::layout::{SLOT, ValRaw};
use crate::types::{FuncType, ValType};
use cranelift_codegen::ir::{
    AbiParam, ArgumentPurpose, InstBuilder, MemFlagsData, Signature, Type, Value, types,
};
use cranelift_codegen::isa::CallConv;
use cranelift_frontend::FunctionBuilder;

/// Parameter and result types of a function, as Cranelift types.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct AbiSignature {
    pub params: Box<[Type]>,
    pub results: Box<[Type]>,
}

/// The Cranelift type of a Wasm value.
pub(crate) fn clif_type(ty: &ValType) -> Type {
    match ty {
        ValType::I32 => types::I32,
        ValType::I64 | ValType::Ref(_) => types::I64,
        ValType::F32 => types::F32,
        ValType::F64 => types::F64,
        ValType::V128 => types::I8X16,
    }
}

fn widened(ty: Type) -> Type {
    match ty {
        types::I32 => types::I64,
        types::F32 => types::F64,
        wide => wide,
    }
}

impl AbiSignature {
    pub fn new(params: &[ValType], results: &[ValType]) -> Self {
        AbiSignature {
            params: params.iter().map(clif_type).collect(),
            results: results.iter().map(clif_type).collect(),
        }
    }

    pub fn of(ty: &FuncType) -> Self {
        Self::new(ty.params(), ty.results())
    }

    /// The signature in which every value has the whole register that it travels in. A function of this signature passes values of the
    /// original one on unchanged: wherever one of 32 bits is, in a register, on the stack or in a slot, it has 64 to itself, and nobody
    /// looks at the upper ones. No value is converted on the way, which for floating-point numbers would not be the same.
    pub fn widened(&self) -> Self {
        let widen = |types: &[Type]| types.iter().map(|&ty| widened(ty)).collect();
        AbiSignature {
            params: widen(&self.params),
            results: widen(&self.results),
        }
    }

    /// Slots that hold the arguments and, later, the results.
    pub fn slots(&self) -> usize {
        self.params.len().max(self.results.len())
    }

    /// The signature of `wasm_call`.
    pub fn wasm_call(&self) -> Signature {
        let mut signature = Signature::new(CallConv::Tail);
        signature
            .params
            .push(AbiParam::special(types::I64, ArgumentPurpose::VMContext));
        signature.params.push(AbiParam::new(types::I64));
        signature
            .params
            .extend(self.params.iter().map(|&ty| AbiParam::new(ty)));
        signature
            .returns
            .extend(self.results.iter().map(|&ty| AbiParam::new(ty)));
        signature
    }

    /// The signature of `native_call`: see [`FuncRef::native_call`](crate::runtime::layout::FuncRef::native_call).
    pub fn native_call(&self) -> Signature {
        let mut signature = Signature::new(CallConv::SystemV);
        signature.params.extend([AbiParam::new(types::I64); 2]);
        if self.results_in_memory() {
            signature.params.push(AbiParam::new(types::I64));
        }
        signature
            .params
            .extend(self.params.iter().map(|&ty| AbiParam::new(ty)));
        signature.returns.push(AbiParam::new(types::I64));
        if let [result] = *self.results {
            signature.returns.push(AbiParam::new(result));
        }
        signature
    }

    /// Whether `native_call` takes the address of slots for its results.
    pub fn results_in_memory(&self) -> bool {
        self.results.len() > 1
    }
}

/// The signature of [`ArrayCall`](crate::runtime::layout::ArrayCall).
pub(crate) fn array_call_signature() -> Signature {
    let mut signature = Signature::new(CallConv::SystemV);
    signature.params.extend([AbiParam::new(types::I64); 4]);
    signature.returns.push(AbiParam::new(types::I8));
    signature
}

/// Accesses of memory that is always there and always aligned: vmctx, store, slots.
pub(crate) fn trusted() -> MemFlagsData {
    MemFlagsData::trusted()
}

/// Loads the value of slot `index` at `base`.
pub(crate) fn load_slot(b: &mut FunctionBuilder<'_>, ty: Type, base: Value, index: usize) -> Value {
    b.ins().load(ty, trusted(), base, SLOT * index as i32)
}

/// Stores a value into slot `index` at `base`.
pub(crate) fn store_slot(b: &mut FunctionBuilder<'_>, value: Value, base: Value, index: usize) {
    b.ins().store(trusted(), value, base, SLOT * index as i32);
}

/// Bytes of `slots` slots.
pub(crate) fn slots_size(slots: usize) -> u32 {
    u32::try_from(slots * size_of::<ValRaw>()).expect("validation bounds the number of values")
}
