//! Trampolines between the three entries of a function.
//!
//! | | from | to | serves |
//! |---|---|---|---|
//! | [`array_to_wasm`] | `array_call` | `wasm_call` | Wasm functions that hosts call untyped, and continuations' functions |
//! | [`native_to_wasm`] | `native_call` | `wasm_call` | Wasm functions that hosts call typed |
//! | [`wasm_to_array`] | `wasm_call` | `array_call` | untyped host functions |
//! | [`wasm_to_native`] | `wasm_call` | `native_call` | typed host functions |
//!
//! A trampoline finds code and context in the function reference that it is given, so it depends on the machine signature
//! only, and, since it just passes values on, on the registers that they travel in: see [`AbiSignature::widened`]. Those of the
//! [common](common_entries) signatures are made with the engine, all others with the module that needs them, in its code region. Both sets are complete before anybody can look into them, and never change.

use super::signature::{
    AbiSignature, array_call_signature, load_slot, slots_size, store_slot, trusted,
};
use super::trap_codes::internal_error;
use crate::runtime::entry::{Activation, Status};
use crate::runtime::host::HOST_FUNC_REF;
use crate::runtime::layout::{FuncRef, VMCTX_STORE};
use crate::runtime::unwind;
use cranelift_codegen::ir::{
    AbiParam, BlockArg, ExceptionTableData, ExceptionTableItem, Function, InstBuilder, Signature,
    StackSlotData, StackSlotKind, Type, Value, types,
};
use cranelift_codegen::isa::{CallConv, TargetIsa};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use std::mem::offset_of;

/// log2 of the alignment of value slots.
pub(crate) const SLOT_ALIGN_SHIFT: u8 = 4;

/// Generates one kind of trampoline.
pub(crate) type Generate =
    fn(&mut Function, &mut FunctionBuilderContext, &dyn TargetIsa, &AbiSignature);

/// The widened signatures for which an engine makes the trampolines into Wasm functions once for all its modules: up to three values,
/// as parameters or results.
pub(crate) fn common_entries() -> impl Iterator<Item = AbiSignature> {
    let up_to = |count| (0..=count).flat_map(words);
    up_to(3).flat_map(move |params| {
        up_to(3 - params.len()).map(move |results| AbiSignature {
            params: params.as_slice().into(),
            results: results.into(),
        })
    })
}

/// The same for those into host functions, which modules have fewer of: up to two parameters, and at most one result.
pub(crate) fn common_exits() -> impl Iterator<Item = AbiSignature> {
    common_entries().filter(|signature| signature.params.len() <= 2 && signature.results.len() <= 1)
}

/// All lists of so many words, in general registers or in those for floating-point numbers.
fn words(count: usize) -> impl Iterator<Item = Vec<Type>> {
    (0..1u32 << count).map(move |floats| {
        let word = |index| match floats >> index & 1 {
            0 => types::I64,
            _ => types::F64,
        };
        (0..count).map(word).collect()
    })
}

/// Begins a trampoline: gives its parameters.
fn begin(b: &mut FunctionBuilder<'_>) -> Vec<Value> {
    let entry = b.create_block();
    b.append_block_params_for_function_params(entry);
    b.switch_to_block(entry);
    b.block_params(entry).to_vec()
}

fn finish(mut b: FunctionBuilder<'_>, isa: &dyn TargetIsa) {
    b.seal_all_blocks();
    b.finalize(isa.frontend_config());
}

/// Loads a pointer of a function reference.
fn func_ref_field(b: &mut FunctionBuilder<'_>, func_ref: Value, offset: usize) -> Value {
    b.ins().load(types::I64, trusted(), func_ref, offset as i32)
}

/// `array_call` of Wasm functions with this signature: loads the arguments, calls `wasm_call`, stores the results.
pub(crate) fn array_to_wasm(
    func: &mut Function,
    frontend: &mut FunctionBuilderContext,
    isa: &dyn TargetIsa,
    signature: &AbiSignature,
) {
    func.signature = array_call_signature();
    let mut b = FunctionBuilder::new(func, frontend);
    let params = begin(&mut b);
    let &[callee, caller, values, _len] = params.as_slice() else {
        unreachable!("four parameters")
    };
    let wasm_call = func_ref_field(&mut b, callee, offset_of!(FuncRef, wasm_call));
    let vmctx = func_ref_field(&mut b, callee, offset_of!(FuncRef, vmctx));
    let mut args = vec![vmctx, caller];
    for (index, &ty) in signature.params.iter().enumerate() {
        args.push(load_slot(&mut b, ty, values, index));
    }
    let wasm_signature = b.import_signature(signature.wasm_call());
    let call = b.ins().call_indirect(wasm_signature, wasm_call, &args);
    for (index, result) in b.inst_results(call).to_vec().into_iter().enumerate() {
        store_slot(&mut b, result, values, index);
    }
    let success = b.ins().iconst(types::I8, 1);
    b.ins().return_(&[success]);
    finish(b, isa);
}

/// `native_call` of Wasm functions with this signature. It is the host's entry at the same time: it notes in the activation where
/// traps and exceptions leave to, which is the exceptional edge of its own call. That edge expects no register to have survived,
/// so the prologue saves whatever the host wants to keep.
pub(crate) fn native_to_wasm(
    func: &mut Function,
    frontend: &mut FunctionBuilderContext,
    isa: &dyn TargetIsa,
    signature: &AbiSignature,
) {
    func.signature = signature.native_call();
    let mut b = FunctionBuilder::new(func, frontend);
    let params = begin(&mut b);
    let (callee, activation) = (params[0], params[1]);
    let (slots, params) = match signature.results_in_memory() {
        true => (Some(params[2]), &params[3..]),
        false => (None, &params[2..]),
    };
    let wasm_call = func_ref_field(&mut b, callee, offset_of!(FuncRef, wasm_call));
    let vmctx = func_ref_field(&mut b, callee, offset_of!(FuncRef, vmctx));
    let caller = b.ins().iconst(types::I64, 0);
    let mut args = vec![vmctx, caller];
    args.extend(params);

    // An instruction may name any block but the first one.
    let calling = b.create_block();
    b.ins().jump(calling, &[]);
    b.switch_to_block(calling);
    let (returned, left) = (b.create_block(), b.create_block());
    for &ty in &signature.results {
        b.append_block_param(returned, ty);
    }
    let status = b.append_block_param(left, types::I64);
    let sp = b.ins().get_stack_pointer(types::I64);
    let fp = b.ins().get_frame_pointer(types::I64);
    let pc = b
        .ins()
        .get_exception_handler_address(types::I64, calling, 0);
    for (value, offset) in [
        (sp, offset_of!(Activation, sp)),
        (fp, offset_of!(Activation, fp)),
        (pc, offset_of!(Activation, pc)),
    ] {
        b.ins().store(trusted(), value, activation, offset as i32);
    }
    let wasm_signature = b.import_signature(signature.wasm_call());
    let results: Vec<_> = (0..signature.results.len() as u32)
        .map(BlockArg::TryCallRet)
        .collect();
    let returned_call = b.func.dfg.block_call(returned, &results);
    let left_call = b.func.dfg.block_call(left, &[BlockArg::TryCallExn(0)]);
    let table = ExceptionTableData::new(
        wasm_signature,
        returned_call,
        [ExceptionTableItem::Default(left_call)],
    );
    let table = b.func.dfg.exception_tables.push(table);
    b.ins().try_call_indirect(wasm_call, &args, table);

    b.switch_to_block(returned);
    let success = b.ins().iconst(types::I64, Status::Returned as i64);
    let results = b.block_params(returned).to_vec();
    match slots {
        Some(slots) => {
            for (index, result) in results.into_iter().enumerate() {
                store_slot(&mut b, result, slots, index);
            }
            b.ins().return_(&[success]);
        }
        None => {
            let values: Vec<_> = std::iter::once(success).chain(results).collect();
            b.ins().return_(&values);
        }
    }

    b.switch_to_block(left);
    let mut values = vec![status];
    if let [result] = *signature.results {
        values.push(zero(&mut b, result));
    }
    b.ins().return_(&values);
    finish(b, isa);
}

fn zero(b: &mut FunctionBuilder<'_>, ty: Type) -> Value {
    match ty {
        types::F32 => b.ins().f32const(0.0),
        types::F64 => b.ins().f64const(0.0),
        ty if ty.is_vector() => {
            let zero = b.ins().iconst(types::I8, 0);
            b.ins().splat(ty, zero)
        }
        ty => b.ins().iconst(ty, 0),
    }
}

/// `wasm_call` of untyped host functions with this signature: stores the arguments, calls `array_call`, loads the results, or
/// raises what the host left pending.
pub(crate) fn wasm_to_array(
    func: &mut Function,
    frontend: &mut FunctionBuilderContext,
    isa: &dyn TargetIsa,
    signature: &AbiSignature,
) {
    func.signature = signature.wasm_call();
    let mut b = FunctionBuilder::new(func, frontend);
    let params = begin(&mut b);
    let (callee, caller, args) = (params[0], params[1], &params[2..]);
    let values = slots(&mut b, signature.slots());
    for (index, &arg) in args.iter().enumerate() {
        store_slot(&mut b, arg, values, index);
    }
    let func_ref = b.ins().iadd_imm_u(callee, i64::from(HOST_FUNC_REF));
    let array_call = func_ref_field(&mut b, func_ref, offset_of!(FuncRef, array_call));
    let len = b.ins().iconst(types::I64, signature.slots() as i64);
    let array_signature = b.import_signature(array_call_signature());
    let call = b.ins().call_indirect(
        array_signature,
        array_call,
        &[func_ref, caller, values, len],
    );
    let success = b.inst_results(call)[0];
    raise_unless(&mut b, success, callee);
    let results = load_results(&mut b, signature, values);
    b.ins().return_(&results);
    finish(b, isa);
}

/// `wasm_call` of typed host functions with this signature: calls `native_call`, or raises what the host left pending.
pub(crate) fn wasm_to_native(
    func: &mut Function,
    frontend: &mut FunctionBuilderContext,
    isa: &dyn TargetIsa,
    signature: &AbiSignature,
) {
    const { assert!(Status::HostFailed as u64 == 0) };
    func.signature = signature.wasm_call();
    let mut b = FunctionBuilder::new(func, frontend);
    let params = begin(&mut b);
    let (callee, caller) = (params[0], params[1]);
    let func_ref = b.ins().iadd_imm_u(callee, i64::from(HOST_FUNC_REF));
    let native_call = func_ref_field(&mut b, func_ref, offset_of!(FuncRef, native_call));
    let values = signature
        .results_in_memory()
        .then(|| slots(&mut b, signature.results.len()));
    let mut args = vec![func_ref, caller];
    args.extend(values);
    args.extend(&params[2..]);
    let native_signature = b.import_signature(signature.native_call());
    let call = b.ins().call_indirect(native_signature, native_call, &args);
    let returned = b.inst_results(call).to_vec();
    raise_unless(&mut b, returned[0], callee);
    let results = match values {
        Some(values) => load_results(&mut b, signature, values),
        None => returned[1..].to_vec(),
    };
    b.ins().return_(&results);
    finish(b, isa);
}

/// The address of `count` slots in the trampoline's frame.
fn slots(b: &mut FunctionBuilder<'_>, count: usize) -> Value {
    let slot = b.create_sized_stack_slot(StackSlotData::new(
        StackSlotKind::ExplicitSlot,
        slots_size(count),
        SLOT_ALIGN_SHIFT,
    ));
    b.ins().stack_addr(types::I64, slot, 0)
}

fn load_results(
    b: &mut FunctionBuilder<'_>,
    signature: &AbiSignature,
    values: Value,
) -> Vec<Value> {
    signature
        .results
        .iter()
        .enumerate()
        .map(|(index, &ty)| load_slot(b, ty, values, index))
        .collect()
}

/// Raises what is pending in the store of the host function `callee` when `success` is 0.
fn raise_unless(b: &mut FunctionBuilder<'_>, success: Value, callee: Value) {
    let (returned, failed) = (b.create_block(), b.create_block());
    b.set_cold_block(failed);
    b.ins().brif(success, returned, &[], failed, &[]);

    b.switch_to_block(failed);
    let store = b.ins().load(types::I64, trusted(), callee, VMCTX_STORE);
    let mut raise = Signature::new(CallConv::Tail);
    raise.params.push(AbiParam::new(types::I64));
    let raise = b.import_signature(raise);
    let address = b
        .ins()
        .iconst(types::I64, unwind::raise as *const () as usize as i64);
    b.ins().call_indirect(raise, address, &[store]);
    b.ins().trap(internal_error());
    b.switch_to_block(returned);
}
