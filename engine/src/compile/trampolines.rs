//! Trampolines between the two entries of a function, one pair per machine signature and module.

use super::signature::{
    AbiSignature, array_call_signature, load_slot, slots_size, store_slot, trusted,
};
use super::trap_codes::internal_error;
use crate::runtime::host::HOST_FUNC_REF;
use crate::runtime::layout::{FuncRef, VMCTX_STORE};
use crate::runtime::unwind;
use cranelift_codegen::ir::{
    AbiParam, Function, InstBuilder, Signature, StackSlotData, StackSlotKind, types,
};
use cranelift_codegen::isa::{CallConv, TargetIsa};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use std::mem::offset_of;

/// log2 of the alignment of value slots.
pub(crate) const SLOT_ALIGN_SHIFT: u8 = 4;

/// `array_call` of Wasm functions with this signature: loads the arguments, calls `wasm_call`, stores the results.
pub(crate) fn array_to_wasm(
    func: &mut Function,
    frontend: &mut FunctionBuilderContext,
    isa: &dyn TargetIsa,
    signature: &AbiSignature,
) {
    func.signature = array_call_signature();
    let mut b = FunctionBuilder::new(func, frontend);
    let entry = b.create_block();
    b.append_block_params_for_function_params(entry);
    b.switch_to_block(entry);
    let &[callee, caller, values, _len] = b.block_params(entry) else {
        unreachable!("four parameters")
    };
    let wasm_call = b.ins().load(
        types::I64,
        trusted(),
        callee,
        offset_of!(FuncRef, wasm_call) as i32,
    );
    let vmctx = b.ins().load(
        types::I64,
        trusted(),
        callee,
        offset_of!(FuncRef, vmctx) as i32,
    );
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
    b.seal_all_blocks();
    b.finalize(isa.frontend_config());
}

/// `wasm_call` of host functions with this signature: stores the arguments, calls `array_call`, loads the results, or raises
/// what the host left pending.
pub(crate) fn wasm_to_array(
    func: &mut Function,
    frontend: &mut FunctionBuilderContext,
    isa: &dyn TargetIsa,
    signature: &AbiSignature,
) {
    func.signature = signature.wasm_call();
    let mut b = FunctionBuilder::new(func, frontend);
    let entry = b.create_block();
    b.append_block_params_for_function_params(entry);
    b.switch_to_block(entry);
    let params = b.block_params(entry).to_vec();
    let (callee, caller, args) = (params[0], params[1], &params[2..]);
    let slot = b.create_sized_stack_slot(StackSlotData::new(
        StackSlotKind::ExplicitSlot,
        slots_size(signature.slots()),
        SLOT_ALIGN_SHIFT,
    ));
    let values = b.ins().stack_addr(types::I64, slot, 0);
    for (index, &arg) in args.iter().enumerate() {
        store_slot(&mut b, arg, values, index);
    }
    let func_ref = b.ins().iadd_imm_u(callee, i64::from(HOST_FUNC_REF));
    let array_call = b.ins().load(
        types::I64,
        trusted(),
        func_ref,
        offset_of!(FuncRef, array_call) as i32,
    );
    let len = b.ins().iconst(types::I64, signature.slots() as i64);
    let array_signature = b.import_signature(array_call_signature());
    let call = b.ins().call_indirect(
        array_signature,
        array_call,
        &[func_ref, caller, values, len],
    );
    let success = b.inst_results(call)[0];
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
    let results: Vec<_> = signature
        .results
        .iter()
        .enumerate()
        .map(|(index, &ty)| load_slot(&mut b, ty, values, index))
        .collect();
    b.ins().return_(&results);
    b.seal_all_blocks();
    b.finalize(isa.frontend_config());
}
