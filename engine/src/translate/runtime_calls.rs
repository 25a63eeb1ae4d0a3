//! The runtime functions that operators outside of stack switching call.

use super::FuncTranslator;
use crate::runtime::libcalls;
use cranelift_codegen::ir::{Type, Value, types};

/// A runtime function; the instance's vmctx is always its first argument. Functions that can fail return 0 for success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Libcall {
    /// (memory: i32, delta: i64) → i64: the old size in pages, or −1.
    MemoryGrow,
    /// (to: i32, from: i32, destination: i64, source: i64, len: i64) → i32
    MemoryCopy,
    /// (memory: i32, destination: i64, value: i32, len: i64) → i32
    MemoryFill,
    /// (memory: i32, segment: i32, destination: i64, source: i32, len: i32) → i32
    MemoryInit,
    /// (segment: i32)
    DataDrop,
    /// (table: i32, value: i64, delta: i64) → i64: the old size in elements, or −1.
    TableGrow,
    /// (table: i32, start: i64, value: i64, len: i64) → i32
    TableFill,
    /// (to: i32, from: i32, destination: i64, source: i64, len: i64) → i32
    TableCopy,
    /// (table: i32, segment: i32, destination: i64, source: i32, len: i32) → i32
    TableInit,
    /// (segment: i32)
    ElemDrop,
    /// (actual: i32, expected: i32) → i32: whether the one type is a subtype of the other.
    IsSubtype,
}

impl Libcall {
    fn entry(self) -> (usize, Option<Type>) {
        let (i32, i64) = (Some(types::I32), Some(types::I64));
        match self {
            Libcall::MemoryGrow => (libcalls::memory_grow as *const () as usize, i64),
            Libcall::MemoryCopy => (libcalls::memory_copy as *const () as usize, i32),
            Libcall::MemoryFill => (libcalls::memory_fill as *const () as usize, i32),
            Libcall::MemoryInit => (libcalls::memory_init as *const () as usize, i32),
            Libcall::DataDrop => (libcalls::data_drop as *const () as usize, None),
            Libcall::TableGrow => (libcalls::table_grow as *const () as usize, i64),
            Libcall::TableFill => (libcalls::table_fill as *const () as usize, i32),
            Libcall::TableCopy => (libcalls::table_copy as *const () as usize, i32),
            Libcall::TableInit => (libcalls::table_init as *const () as usize, i32),
            Libcall::ElemDrop => (libcalls::elem_drop as *const () as usize, None),
            Libcall::IsSubtype => (libcalls::is_subtype as *const () as usize, i32),
        }
    }
}

impl FuncTranslator<'_, '_> {
    /// Calls a runtime function with the vmctx and `args`.
    pub(super) fn libcall(&mut self, libcall: Libcall, args: &[Value]) -> Option<Value> {
        let (address, result) = libcall.entry();
        let mut all = vec![self.vmctx];
        all.extend_from_slice(args);
        self.runtime_call(address, &all, result)
    }
}
