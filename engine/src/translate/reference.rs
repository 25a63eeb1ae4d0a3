//! References, locals and globals.

use super::FuncTranslator;
use crate::compile::signature::trusted;
use crate::error::TrapKind;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, types};

impl FuncTranslator<'_, '_> {
    pub(super) fn translate_ref_null(&mut self) {
        let null = self.iconst(0);
        self.push1(null);
    }

    pub(super) fn translate_ref_is_null(&mut self) {
        let reference = self.pop1();
        let null = self.icmp_imm(IntCC::Equal, reference, 0);
        let null = self.b.ins().uextend(types::I32, null);
        self.push1(null);
    }

    pub(super) fn translate_ref_func(&mut self, function: u32) {
        let offsets = self.offsets();
        let func_ref = if function < self.env.info.num_imported_funcs {
            self.vmctx_load_ptr(offsets.imported_func(function))
        } else {
            self.b
                .ins()
                .iadd_imm_u(self.vmctx, i64::from(offsets.func_ref(function)))
        };
        self.push1(func_ref);
    }

    pub(super) fn translate_ref_as_non_null(&mut self) {
        let reference = *self.stack.last().expect("validated");
        self.trapz(reference, TrapKind::NullReference);
    }

    pub(super) fn translate_local_get(&mut self, local: u32) {
        let value = self.b.use_var(self.locals[local as usize]);
        self.push1(value);
    }

    pub(super) fn translate_local_set(&mut self, local: u32) {
        let value = self.pop1();
        self.b.def_var(self.locals[local as usize], value);
    }

    pub(super) fn translate_local_tee(&mut self, local: u32) {
        let value = *self.stack.last().expect("validated");
        self.b.def_var(self.locals[local as usize], value);
    }

    pub(super) fn translate_global_get(&mut self, global: u32) {
        let ty = self.clif_type(self.env.info.globals[global as usize].ty.content_type);
        let cell = self.vmctx_load_ptr(self.offsets().global(global));
        let value = self.b.ins().load(ty, trusted(), cell, 0);
        self.push1(value);
    }

    pub(super) fn translate_global_set(&mut self, global: u32) {
        let value = self.pop1();
        let cell = self.vmctx_load_ptr(self.offsets().global(global));
        self.b.ins().store(trusted(), value, cell, 0);
    }
}
