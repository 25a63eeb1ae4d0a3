//! Tables.

use super::{FuncTranslator, Libcall};
use crate::compile::signature::trusted;
use crate::error::TrapKind;
use crate::planted::planted;
use crate::runtime::layout::VmTable;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Value, types};
use std::mem::offset_of;

impl FuncTranslator<'_, '_> {
    /// The address of an element, after a bounds check that traps with `kind`; `index` has the table's index type. Base and length are loaded each time: another
    /// stack may have grown the table.
    pub(super) fn table_element_address(
        &mut self,
        table: u32,
        index: Value,
        kind: TrapKind,
    ) -> Value {
        let table64 = self.table64(table);
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
        let index = if table64 {
            index
        } else {
            self.b.ins().uextend(types::I64, index)
        };
        let mut end = len;
        if kind == TrapKind::TableOutOfBounds
            && planted!(in self.env.engine.config, TableBoundShort)
        {
            let some = self.icmp_imm(IntCC::NotEqual, len, 0);
            let some = self.b.ins().uextend(types::I64, some);
            end = self.b.ins().isub(len, some);
        }
        let outside = self
            .b
            .ins()
            .icmp(IntCC::UnsignedGreaterThanOrEqual, index, end);
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
        let table64 = self.table64(table);
        let table = self.vmctx_load_ptr(self.offsets().table(table));
        let len = self.b.ins().load(
            types::I64,
            trusted(),
            table,
            offset_of!(VmTable, len) as i32,
        );
        self.push_size(len, table64);
    }

    pub(super) fn translate_table_grow(&mut self, table: u32) {
        let table64 = self.table64(table);
        let delta = self.pop_size(table64);
        let value = self.pop1();
        let table = self.i32const(table);
        let old = self.libcall(Libcall::TableGrow, &[table, value, delta]);
        // The number of elements of a 32-bit table, or -1: both keep their meaning in the low half.
        self.push_size(old.expect("the runtime function has a result"), table64);
    }

    pub(super) fn translate_table_fill(&mut self, table: u32) {
        let table64 = self.table64(table);
        let len = self.pop_size(table64);
        let value = self.pop1();
        let start = self.pop_size(table64);
        let table = self.i32const(table);
        self.checked_libcall(
            Libcall::TableFill,
            &[table, start, value, len],
            TrapKind::TableOutOfBounds,
        );
    }

    pub(super) fn translate_table_copy(&mut self, to: u32, from: u32) {
        let (to64, from64) = (self.table64(to), self.table64(from));
        let len = self.pop_size(to64 && from64);
        let source = self.pop_size(from64);
        let destination = self.pop_size(to64);
        let (to, from) = (self.i32const(to), self.i32const(from));
        let args = [to, from, destination, source, len];
        self.checked_libcall(Libcall::TableCopy, &args, TrapKind::TableOutOfBounds);
    }

    pub(super) fn translate_table_init(&mut self, segment: u32, table: u32) {
        // Offset and length in the segment are 32 bits wide whatever the table's indices are.
        let (source, len) = self.pop2();
        let destination = self.pop_size(self.table64(table));
        let (table, segment) = (self.i32const(table), self.i32const(segment));
        let args = [table, segment, destination, source, len];
        self.checked_libcall(Libcall::TableInit, &args, TrapKind::TableOutOfBounds);
    }

    fn table64(&self, table: u32) -> bool {
        self.env.info.tables[table as usize].ty.table64
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
