//! How compiled code traps: by instructions that fault, or, where the configuration wants no signals, by branches to a call of the
//! runtime. All checks of the translation go through here, so that both ways have the same checks.

use super::{FuncTranslator, trusted};
use crate::compile::code::{Added, namespace};
use crate::compile::trap_codes;
use crate::error::TrapKind;
use crate::runtime::layout::{VMCTX_STORE, VmStore};
use crate::runtime::traps;
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::types::{F32, F64, I32, I64};
use cranelift_codegen::ir::{
    AbiParam, ExtFuncData, ExternalName, Function, InstBuilder, Signature, SourceLoc, TrapCode,
    Type, UserExternalName, Value,
};
use cranelift_codegen::isa::{CallConv, TargetIsa};
use cranelift_frontend::{FuncInstBuilder, FunctionBuilder, FunctionBuilderContext};
use std::mem::offset_of;

/// A frame of more bytes is checked before it is made, by [`large_frame_entry`]. A quarter of the least headroom: the call of the
/// runtime that ends the activation still has room below a smaller one that should not have been made.
pub(crate) const LARGE_FRAME: u32 = 16 * 1024;

impl FuncTranslator<'_, '_> {
    fn by_signal(&self) -> bool {
        self.env.engine.config.signals_based_traps
    }

    /// Traps when `value` is 0.
    pub(super) fn trapz(&mut self, value: Value, kind: TrapKind) {
        let code = trap_codes::code(kind);
        if self.by_signal() {
            self.b.ins().trapz(value, code);
        } else {
            trap_if(&mut self.b, self.vmctx, value, false, code);
        }
    }

    /// Traps when `value` is not 0.
    pub(super) fn trapnz(&mut self, value: Value, kind: TrapKind) {
        let code = trap_codes::code(kind);
        if self.by_signal() {
            self.b.ins().trapnz(value, code);
        } else {
            trap_if(&mut self.b, self.vmctx, value, true, code);
        }
    }

    /// Traps. What follows is out of reach.
    pub(super) fn trap(&mut self, kind: TrapKind) {
        let code = trap_codes::code(kind);
        if self.by_signal() {
            self.b.ins().trap(code);
        } else {
            call_trap(&mut self.b, self.vmctx, code);
        }
    }

    /// The sum of two unsigned numbers. Traps when it does not fit.
    pub(super) fn add_or_trap(&mut self, x: Value, y: Value, kind: TrapKind) -> Value {
        if self.by_signal() {
            let code = trap_codes::code(kind);
            return self.b.ins().uadd_overflow_trap(x, y, code);
        }
        let sum = self.b.ins().iadd(x, y);
        let wrapped = self.b.ins().icmp(IntCC::UnsignedLessThan, sum, x);
        self.trapnz(wrapped, kind);
        sum
    }

    /// Ends the call when the function's frame reaches below the stack limit. With signals, the prologue does that before it
    /// makes the frame.
    pub(super) fn check_stack(&mut self) {
        if !self.by_signal() {
            check_stack(&mut self.b, self.vmctx, 0);
        }
    }

    /// A division or remainder. Cranelift's own instructions trap where the specification wants it, by hardware.
    pub(super) fn divide(
        &mut self,
        overflows: bool,
        emit: impl FnOnce(FuncInstBuilder<'_, '_>, Value, Value) -> Value,
    ) {
        let (x, y) = self.pop2();
        if !self.by_signal() {
            self.trapz(y, TrapKind::IntegerDivideByZero);
            if overflows {
                let ty = self.b.func.dfg.value_type(x);
                let least = match ty {
                    I32 => i64::from(1u32 << 31),
                    _ => i64::MIN,
                };
                let least = self.b.ins().iconst(ty, least);
                let smallest = self.b.ins().icmp(IntCC::Equal, x, least);
                let minus_one = self.icmp_imm(IntCC::Equal, y, -1);
                let overflow = self.b.ins().band(smallest, minus_one);
                self.trapnz(overflow, TrapKind::IntegerOverflow);
            }
        }
        let result = emit(self.b.ins(), x, y);
        self.push1(result);
    }

    /// A truncation of a float that traps when the integer type has no such value.
    pub(super) fn truncate(&mut self, to: Type, signed: bool) {
        let x = self.pop1();
        let result = match (self.by_signal(), signed) {
            (true, true) => self.b.ins().fcvt_to_sint(to, x),
            (true, false) => self.b.ins().fcvt_to_uint(to, x),
            (false, _) => {
                self.check_truncation(x, to, signed);
                if signed {
                    self.b.ins().fcvt_to_sint_sat(to, x)
                } else {
                    self.b.ins().fcvt_to_uint_sat(to, x)
                }
            }
        };
        self.push1(result);
    }

    fn check_truncation(&mut self, x: Value, to: Type, signed: bool) {
        let nan = self.b.ins().fcmp(FloatCC::Unordered, x, x);
        self.trapnz(nan, TrapKind::InvalidConversionToInteger);
        let from = self.b.func.dfg.value_type(x);
        // What is below the first bound, or not below the second, does not fit. A float type that cannot tell the least integer
        // from the next float below minus one has that integer itself as its bound.
        let (too_low, low, high) = match (to, signed) {
            (_, false) => (FloatCC::LessThanOrEqual, -1.0, f64::from(to.bits()).exp2()),
            (I32, true) if from == F64 => {
                (FloatCC::LessThanOrEqual, -2_147_483_649.0, 31f64.exp2())
            }
            (_, true) => {
                let high = f64::from(to.bits() - 1).exp2();
                (FloatCC::LessThan, -high, high)
            }
        };
        let mut bound = |value: f64| match from {
            F32 => self.b.ins().f32const(value as f32),
            _ => self.b.ins().f64const(value),
        };
        let (low, high) = (bound(low), bound(high));
        let too_low = self.b.ins().fcmp(too_low, x, low);
        let too_high = self.b.ins().fcmp(FloatCC::GreaterThanOrEqual, x, high);
        let outside = self.b.ins().bor(too_low, too_high);
        self.trapnz(outside, TrapKind::IntegerOverflow);
    }
}

/// Branches to a call of the runtime when `value` is not 0, or, unless `when` holds, when it is.
fn trap_if(b: &mut FunctionBuilder<'_>, vmctx: Value, value: Value, when: bool, code: TrapCode) {
    let (trap, go_on) = (b.create_block(), b.create_block());
    b.set_cold_block(trap);
    let (taken, not_taken) = if when { (trap, go_on) } else { (go_on, trap) };
    b.ins().brif(value, taken, &[], not_taken, &[]);
    b.seal_block(trap);
    b.seal_block(go_on);
    b.switch_to_block(trap);
    call_trap(b, vmctx, code);
    b.switch_to_block(go_on);
}

fn call_trap(b: &mut FunctionBuilder<'_>, vmctx: Value, code: TrapCode) {
    let mut signature = Signature::new(CallConv::Tail);
    signature.params.extend([AbiParam::new(I64); 2]);
    let signature = b.import_signature(signature);
    let address = b
        .ins()
        .iconst(I64, traps::trap as *const () as usize as i64);
    let code = b.ins().iconst(I64, i64::from(code.as_raw().get()));
    let store = store(b, vmctx);
    b.ins().call_indirect(signature, address, &[store, code]);
    b.ins().trap(trap_codes::internal_error());
}

fn store(b: &mut FunctionBuilder<'_>, vmctx: Value) -> Value {
    b.ins()
        .load(I64, trusted().with_readonly(), vmctx, VMCTX_STORE)
}

/// Ends the call when less than `more` bytes are left above the stack limit.
fn check_stack(b: &mut FunctionBuilder<'_>, vmctx: Value, more: u32) {
    let store = store(b, vmctx);
    let offset = offset_of!(VmStore, stack_limit) as i32;
    let mut limit = b.ins().load(I64, trusted(), store, offset);
    if more != 0 {
        limit = b.ins().iadd_imm_u(limit, i64::from(more));
    }
    let sp = b.ins().get_stack_pointer(I64);
    let below = b.ins().icmp(IntCC::UnsignedLessThan, sp, limit);
    trap_if(b, vmctx, below, true, TrapCode::STACK_OVERFLOW);
}

/// The entry of a function with a large frame, where there are no signals: checks that the frame fits, then goes to `body`.
pub(crate) fn large_frame_entry(
    func: &mut Function,
    frontend: &mut FunctionBuilderContext,
    isa: &dyn TargetIsa,
    signature: Signature,
    body: &Added,
    source: u32,
) {
    func.signature = signature.clone();
    let mut b = FunctionBuilder::new(func, frontend);
    b.set_srcloc(SourceLoc::new(source));
    let entry = b.create_block();
    b.append_block_params_for_function_params(entry);
    b.switch_to_block(entry);
    b.seal_block(entry);
    let params = b.block_params(entry).to_vec();
    check_stack(&mut b, params[0], body.frame_size);
    let name = UserExternalName::new(namespace::OFFSET, body.offset);
    let name = b.func.declare_imported_user_function(name);
    let signature = b.import_signature(signature);
    let body = b.import_function(ExtFuncData {
        name: ExternalName::user(name),
        signature,
        colocated: true,
        patchable: false,
    });
    b.ins().return_call(body, &params);
    b.finalize(isa.frontend_config());
}
