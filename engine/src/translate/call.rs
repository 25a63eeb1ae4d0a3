//! Calls: direct, through references and tables, and as tail calls.
//!
//! A call inside a `try_table` is a `try_call` whose only handler is the innermost landing pad.

use super::FuncTranslator;
use crate::compile::code::namespace;
use crate::compile::signature::{AbiSignature, trusted};
use crate::error::TrapKind;
use crate::planted::planted;
use crate::runtime::layout::FuncRef;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{
    Block, BlockArg, ExceptionTableData, ExceptionTableItem, ExtFuncData, ExternalName,
    FuncRef as ClifFunc, InstBuilder, SigRef, UserExternalName, Value, types,
};
use std::mem::offset_of;

/// What is called.
#[derive(Clone, Copy)]
pub(super) enum Callee {
    /// A function of the module's code region.
    Direct(ClifFunc),
    /// The address of a function with this signature.
    Indirect(SigRef, Value),
}

impl FuncTranslator<'_, '_> {
    fn abi_signature(&self, type_index: u32) -> AbiSignature {
        self.env.info.abi_signature(type_index)
    }

    /// Calls `callee`, so that an exception arrives at the innermost landing pad.
    pub(super) fn emit_call(&mut self, callee: Callee, args: &[Value]) -> Vec<Value> {
        let Some(pad) = self.landing_pad() else {
            let call = match callee {
                Callee::Direct(func) => self.b.ins().call(func, args),
                Callee::Indirect(signature, address) => {
                    self.b.ins().call_indirect(signature, address, args)
                }
            };
            return self.b.inst_results(call).to_vec();
        };
        self.emit_try_call(callee, args, Some(pad))
    }

    /// Calls `callee` by a `try_call`, so that no register survives and exceptions arrive at `pad`, if there is one.
    pub(super) fn emit_try_call(
        &mut self,
        callee: Callee,
        args: &[Value],
        pad: Option<Block>,
    ) -> Vec<Value> {
        let signature = match callee {
            Callee::Direct(func) => self.b.func.dfg.ext_funcs[func].signature,
            Callee::Indirect(signature, _) => signature,
        };
        let results: Vec<_> = self.b.func.dfg.signatures[signature]
            .returns
            .iter()
            .map(|result| result.value_type)
            .collect();
        let returned = self.block_with(&results);
        let return_args: Vec<_> = (0..results.len() as u32)
            .map(BlockArg::TryCallRet)
            .collect();
        let returned_call = self.b.func.dfg.block_call(returned, &return_args);
        let handler = pad.map(|pad| {
            let pad_call = self.b.func.dfg.block_call(pad, &[BlockArg::TryCallExn(0)]);
            ExceptionTableItem::Default(pad_call)
        });
        let table = ExceptionTableData::new(signature, returned_call, handler);
        let table = self.b.func.dfg.exception_tables.push(table);
        match callee {
            Callee::Direct(func) => self.b.ins().try_call(func, args, table),
            Callee::Indirect(_, address) => self.b.ins().try_call_indirect(address, args, table),
        };
        self.b.switch_to_block(returned);
        self.b.seal_block(returned);
        self.b.block_params(returned).to_vec()
    }

    /// The callee of a function of this module, and its vmctx.
    fn function(&mut self, function: u32) -> (Callee, Value) {
        if function < self.env.info.num_imported_funcs {
            let signature = self.env.signature_of_function(function).wasm_call();
            let signature = self.b.import_signature(signature);
            let offset = self.offsets().imported_func(function);
            let func_ref = self.vmctx_load_ptr(offset);
            return self.func_ref_callee(signature, func_ref);
        }
        let func = match self.callees.get(&function) {
            Some(known) => *known,
            None => {
                let signature = self.env.signature_of_function(function).wasm_call();
                let signature = self.b.import_signature(signature);
                let name = UserExternalName::new(namespace::FUNCTION, function);
                let name = self.b.func.declare_imported_user_function(name);
                let func = self.b.import_function(ExtFuncData {
                    name: ExternalName::user(name),
                    signature,
                    colocated: true,
                    patchable: false,
                });
                self.callees.insert(function, func);
                func
            }
        };
        (Callee::Direct(func), self.vmctx)
    }

    /// The callee behind a function reference that is not null, and its vmctx.
    fn func_ref_callee(&mut self, signature: SigRef, func_ref: Value) -> (Callee, Value) {
        let flags = trusted().with_readonly();
        let code = self.b.ins().load(
            types::I64,
            flags,
            func_ref,
            offset_of!(FuncRef, wasm_call) as i32,
        );
        let vmctx = self.b.ins().load(
            types::I64,
            flags,
            func_ref,
            offset_of!(FuncRef, vmctx) as i32,
        );
        (Callee::Indirect(signature, code), vmctx)
    }

    fn referenced(&mut self, type_index: u32, func_ref: Value) -> (Callee, Value) {
        let signature = self.abi_signature(type_index).wasm_call();
        let signature = self.b.import_signature(signature);
        self.func_ref_callee(signature, func_ref)
    }

    /// Pops the arguments of a function of `type_index` and puts the two contexts before them.
    fn arguments(&mut self, type_index: u32, callee_vmctx: Value) -> Vec<Value> {
        let count = self.env.info.types.func(type_index).params().len();
        let mut args = vec![callee_vmctx, self.vmctx];
        args.extend(self.pop_n(count));
        args
    }

    fn finish_call(&mut self, type_index: u32, (callee, vmctx): (Callee, Value), tail: bool) {
        let args = self.arguments(type_index, vmctx);
        if tail {
            match callee {
                Callee::Direct(func) => self.b.ins().return_call(func, &args),
                Callee::Indirect(signature, code) => {
                    self.b.ins().return_call_indirect(signature, code, &args)
                }
            };
            self.reachable = false;
        } else {
            let results = self.emit_call(callee, &args);
            self.stack.extend(results);
        }
    }

    /// `call`, `return_call`
    pub(super) fn translate_call(&mut self, function: u32, tail: bool) {
        let type_index = self.env.info.functions[function as usize];
        let callee = self.function(function);
        self.finish_call(type_index, callee, tail);
    }

    /// `call_ref`, `return_call_ref`
    pub(super) fn translate_call_ref(&mut self, type_index: u32, tail: bool) {
        let func_ref = self.pop1();
        self.trapz(func_ref, TrapKind::NullFunctionReference);
        let callee = self.referenced(type_index, func_ref);
        self.finish_call(type_index, callee, tail);
    }

    /// `call_indirect`, `return_call_indirect`
    pub(super) fn translate_call_indirect(&mut self, type_index: u32, table: u32, tail: bool) {
        let index = self.pop1();
        let element = self.table_element_address(table, index, TrapKind::UndefinedElement);
        let func_ref = self.b.ins().load(types::I64, trusted(), element, 0);
        self.trapz(func_ref, TrapKind::UninitializedElement);
        self.check_function_type(type_index, func_ref);
        let callee = self.referenced(type_index, func_ref);
        self.finish_call(type_index, callee, tail);
    }

    /// Traps unless the function's type is `type_index` or a subtype of it.
    fn check_function_type(&mut self, type_index: u32, func_ref: Value) {
        let flags = trusted().with_readonly();
        let actual = self.b.ins().load(
            types::I32,
            flags,
            func_ref,
            offset_of!(FuncRef, type_id) as i32,
        );
        let offset = self.offsets().type_id(type_index);
        let expected = self.b.ins().load(types::I32, flags, self.vmctx, offset);
        let same = self.b.ins().icmp(IntCC::Equal, actual, expected);
        if self.env.info.types.get(type_index).is_final
            || planted!(in self.env.engine.config, CallExactType)
        {
            self.trapz(same, TrapKind::IndirectCallTypeMismatch);
            return;
        }
        let (slow, go_on) = (self.b.create_block(), self.b.create_block());
        self.b.set_cold_block(slow);
        self.b.ins().brif(same, go_on, &[], slow, &[]);
        self.b.switch_to_block(slow);
        self.b.seal_block(slow);
        let matches = self.libcall(super::Libcall::IsSubtype, &[actual, expected]);
        let matches = matches.expect("the runtime function has a result");
        self.trapz(matches, TrapKind::IndirectCallTypeMismatch);
        self.b.ins().jump(go_on, &[]);
        self.b.switch_to_block(go_on);
        self.b.seal_block(go_on);
    }
}
