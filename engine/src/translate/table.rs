//! Tables.

use super::{FuncTranslator, Libcall};
use crate::compile::signature::trusted;
use crate::error::TrapKind;
use crate::runtime::layout::VmTable;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Value, types};
use std::mem::offset_of;

impl FuncTranslator<'_, '_> {
    /// The address of an element, after a bounds check that traps with `kind`. Base and length are loaded each time: another
    /// stack may have grown the table.
    pub(super) fn table_element_address(
        &mut self,
        table: u32,
        index: Value,
        kind: TrapKind,
    ) -> Value {
        let table = self.vmctx_load_ptr(self.offsets().table(table));
        let len = self.b.ins().load(
            types::I64,
            trusted(),
            table,
            offset_of!(VmTable, len) as i32,
        );
        let base = self.b.ins().load(
            types::I64,
            trusted(),
            table,
            offset_of!(VmTable, base) as i32,
        );
        let index = self.b.ins().uextend(types::I64, index);
        let outside = self
            .b
            .ins()
            .icmp(IntCC::UnsignedGreaterThanOrEqual, index, len);
        self.trapnz(outside, kind);
        let distance = self.b.ins().ishl_imm_u(index, 3);
        self.b.ins().iadd(base, distance)
    }

    pub(super) fn translate_table_get(&mut self, table: u32) {
        let index = self.pop1();
        let element = self.table_element_address(table, index, TrapKind::TableOutOfBounds);
        let value = self.b.ins().load(types::I64, trusted(), element, 0);
        self.push1(value);
    }

    pub(super) fn translate_table_set(&mut self, table: u32) {
        let (index, value) = self.pop2();
        let element = self.table_element_address(table, index, TrapKind::TableOutOfBounds);
        self.b.ins().store(trusted(), value, element, 0);
    }

    pub(super) fn translate_table_size(&mut self, table: u32) {
        let table = self.vmctx_load_ptr(self.offsets().table(table));
        let len = self.b.ins().load(
            types::I64,
            trusted(),
            table,
            offset_of!(VmTable, len) as i32,
        );
        let len = self.b.ins().ireduce(types::I32, len);
        self.push1(len);
    }

    pub(super) fn translate_table_grow(&mut self, table: u32) {
        let (value, delta) = self.pop2();
        let table = self.i32const(table);
        let old = self.libcall(Libcall::TableGrow, &[table, value, delta]);
        self.push1(old.expect("the runtime function has a result"));
    }

    pub(super) fn translate_table_fill(&mut self, table: u32) {
        let (start, value, len) = self.pop3();
        let table = self.i32const(table);
        self.checked_libcall(
            Libcall::TableFill,
            &[table, start, value, len],
            TrapKind::TableOutOfBounds,
        );
    }

    pub(super) fn translate_table_copy(&mut self, to: u32, from: u32) {
        let (destination, source, len) = self.pop3();
        let (to, from) = (self.i32const(to), self.i32const(from));
        let args = [to, from, destination, source, len];
        self.checked_libcall(Libcall::TableCopy, &args, TrapKind::TableOutOfBounds);
    }

    pub(super) fn translate_table_init(&mut self, segment: u32, table: u32) {
        let (destination, source, len) = self.pop3();
        let (table, segment) = (self.i32const(table), self.i32const(segment));
        let args = [table, segment, destination, source, len];
        self.checked_libcall(Libcall::TableInit, &args, TrapKind::TableOutOfBounds);
    }

    pub(super) fn translate_elem_drop(&mut self, segment: u32) {
        let segment = self.i32const(segment);
        self.libcall(Libcall::ElemDrop, &[segment]);
    }

    /// A runtime function that returns 0 for success; otherwise traps with `kind`.
    fn checked_libcall(&mut self, libcall: Libcall, args: &[Value], kind: TrapKind) {
        let failed = self.libcall(libcall, args);
        self.trapnz(failed.expect("the runtime function has a result"), kind);
    }
}
