//! Memory instructions on 32-bit linear memories: loads, stores, `memory.*` and `data.drop`. Loads and stores that the
//! same operators make on GC arrays are not translated.
//!
//! Every access is checked explicitly, so that no address outside the memory is ever used. A memory's
//! base and length are loaded anew for each access: any call, and any other stack that runs in between, may grow the
//! memory and move it.

use super::{FuncTranslator, Libcall};
use crate::error::TrapKind;
use crate::runtime::layout::VmMemory;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{F32, F64, I8, I16, I32, I64};
use cranelift_codegen::ir::{AliasRegionData, Endianness, InstBuilder, MemFlagsData, Type, Value};
use std::borrow::Cow;
use std::mem::offset_of;
use wasmparser::{MemArgTarget, Operator};

/// log2 of the page size.
const PAGE_SHIFT: i64 = 16;

/// The alias region of all linear memories. It is one region, not one a memory: two indices may name the same memory.
/// Compiled code reaches linear memory from this file only, and nothing else through it; so a store to a memory leaves
/// what is known of the memory's own base and length, and of everything else, as it was. Calls are fences for it as for
/// every region.
const LINEAR_MEMORY: u32 = 0x6d65_6d00;

/// What a load does with fewer bits than its result has.
#[derive(Clone, Copy)]
enum Extension {
    Signed,
    Unsigned,
}

/// A checked access: `base + offset` is inside the memory, all bytes of it.
struct Place {
    base: Value,
    offset: i32,
}

impl FuncTranslator<'_, '_> {
    /// Translates `op` if it is a memory instruction (core specification, "Memory Instructions"); `false` means that it
    /// is none and that nothing was done.
    pub(super) fn translate_memory(&mut self, op: &Operator<'_>) -> bool {
        self.translate_load(op) || self.translate_store(op) || self.translate_whole_memory(op)
    }

    fn translate_load(&mut self, op: &Operator<'_>) -> bool {
        use Extension::{Signed, Unsigned};
        use Operator::*;
        let (memarg, ty, extended) = match op {
            I32Load { memarg } => (memarg, I32, None),
            I64Load { memarg } => (memarg, I64, None),
            F32Load { memarg } => (memarg, F32, None),
            F64Load { memarg } => (memarg, F64, None),
            I32Load8S { memarg } => (memarg, I8, Some((I32, Signed))),
            I32Load8U { memarg } => (memarg, I8, Some((I32, Unsigned))),
            I32Load16S { memarg } => (memarg, I16, Some((I32, Signed))),
            I32Load16U { memarg } => (memarg, I16, Some((I32, Unsigned))),
            I64Load8S { memarg } => (memarg, I8, Some((I64, Signed))),
            I64Load8U { memarg } => (memarg, I8, Some((I64, Unsigned))),
            I64Load16S { memarg } => (memarg, I16, Some((I64, Signed))),
            I64Load16U { memarg } => (memarg, I16, Some((I64, Unsigned))),
            I64Load32S { memarg } => (memarg, I32, Some((I64, Signed))),
            I64Load32U { memarg } => (memarg, I32, Some((I64, Unsigned))),
            _ => return false,
        };
        let MemArgTarget::Memory(memory) = memarg.target else {
            return false;
        };
        let place = self.checked_place(memory, memarg.offset, ty);
        let flags = self.linear_memory_flags();
        let value = self.b.ins().load(ty, flags, place.base, place.offset);
        let value = match extended {
            Some((wide, Signed)) => self.b.ins().sextend(wide, value),
            Some((wide, Unsigned)) => self.b.ins().uextend(wide, value),
            None => value,
        };
        self.push1(value);
        true
    }

    fn translate_store(&mut self, op: &Operator<'_>) -> bool {
        use Operator::*;
        let (memarg, ty, narrow) = match op {
            I32Store { memarg } => (memarg, I32, false),
            I64Store { memarg } => (memarg, I64, false),
            F32Store { memarg } => (memarg, F32, false),
            F64Store { memarg } => (memarg, F64, false),
            I32Store8 { memarg } | I64Store8 { memarg } => (memarg, I8, true),
            I32Store16 { memarg } | I64Store16 { memarg } => (memarg, I16, true),
            I64Store32 { memarg } => (memarg, I32, true),
            _ => return false,
        };
        let MemArgTarget::Memory(memory) = memarg.target else {
            return false;
        };
        let mut value = self.pop1();
        if narrow {
            value = self.b.ins().ireduce(ty, value);
        }
        let place = self.checked_place(memory, memarg.offset, ty);
        let flags = self.linear_memory_flags();
        self.b.ins().store(flags, value, place.base, place.offset);
        true
    }

    fn translate_whole_memory(&mut self, op: &Operator<'_>) -> bool {
        match *op {
            Operator::MemorySize { mem } => {
                let descriptor = self.memory_descriptor(mem);
                let len = self.memory_len(descriptor);
                let pages = self.b.ins().ushr_imm_u(len, PAGE_SHIFT);
                let pages = self.b.ins().ireduce(I32, pages);
                self.push1(pages);
            }
            Operator::MemoryGrow { mem } => {
                let delta = self.pop_u32();
                let memory = self.immediate(mem);
                let pages = self.libcall_value(Libcall::MemoryGrow, &[memory, delta]);
                // At most 65,536 pages, or -1: both keep their meaning in the low half.
                let pages = self.b.ins().ireduce(I32, pages);
                self.push1(pages);
            }
            Operator::MemoryCopy { dst_mem, src_mem } => {
                let len = self.pop_u32();
                let src = self.pop_u32();
                let dst = self.pop_u32();
                let dst_memory = self.immediate(dst_mem);
                let src_memory = self.immediate(src_mem);
                let failed = self.libcall_value(
                    Libcall::MemoryCopy,
                    &[dst_memory, src_memory, dst, src, len],
                );
                self.trapnz(failed, TrapKind::MemoryOutOfBounds);
            }
            Operator::MemoryFill { mem } => {
                let len = self.pop_u32();
                let value = self.pop1();
                let dst = self.pop_u32();
                let memory = self.immediate(mem);
                let failed = self.libcall_value(Libcall::MemoryFill, &[memory, dst, value, len]);
                self.trapnz(failed, TrapKind::MemoryOutOfBounds);
            }
            Operator::MemoryInit { data_index, mem } => {
                // Offset and length in the segment are 32 bits wide whatever the memory's addresses are.
                let len = self.pop1();
                let src = self.pop1();
                let dst = self.pop_u32();
                let memory = self.immediate(mem);
                let segment = self.immediate(data_index);
                let failed =
                    self.libcall_value(Libcall::MemoryInit, &[memory, segment, dst, src, len]);
                self.trapnz(failed, TrapKind::MemoryOutOfBounds);
            }
            Operator::DataDrop { data_index } => {
                let segment = self.immediate(data_index);
                self.libcall(Libcall::DataDrop, &[segment]);
            }
            _ => return false,
        }
        true
    }

    /// Pops an address and traps unless all bytes of an access of type `ty` lie inside the memory.
    fn checked_place(&mut self, memory: u32, offset: u64, ty: Type) -> Place {
        let address = self.pop_u32();
        let descriptor = self.memory_descriptor(memory);
        let len = self.memory_len(descriptor);

        // Address and offset are below 2^32 and an access has at most 8 bytes, so the sum is exact in 64 bits.
        debug_assert!(
            offset <= u64::from(u32::MAX),
            "validation bounds the offset in a 32-bit memory"
        );
        let reach = (offset + u64::from(ty.bytes())).cast_signed();
        let end = self.b.ins().iadd_imm_s(address, reach);
        let outside = self.b.ins().icmp(IntCC::UnsignedGreaterThan, end, len);
        self.trapnz(outside, TrapKind::MemoryOutOfBounds);

        let base = self.b.ins().load(
            I64,
            MemFlagsData::trusted(),
            descriptor,
            offset_of!(VmMemory, base) as i32,
        );
        let base = self.b.ins().iadd(base, address);
        match i32::try_from(offset) {
            Ok(offset) => Place { base, offset },
            // CLIF's offsets are signed; the upper half of the specification's has to be added.
            Err(_) => Place {
                base: self.b.ins().iadd_imm_s(base, offset.cast_signed()),
                offset: 0,
            },
        }
    }

    /// The pointer to the [`VmMemory`], which stays the same as long as the instance lives.
    fn memory_descriptor(&mut self, memory: u32) -> Value {
        let offset = self.offsets().memory(memory);
        self.vmctx_load_ptr(offset)
    }

    /// The length in bytes at this moment.
    fn memory_len(&mut self, descriptor: Value) -> Value {
        if let Some(len) = self.cached_memory_len {
            return len;
        }
        self.b.ins().load(
            I64,
            MemFlagsData::trusted(),
            descriptor,
            offset_of!(VmMemory, len) as i32,
        )
    }

    /// Not `aligned`: the specification's alignment is a hint. `notrap` holds because of the check before the access;
    /// not `can_move`, because it holds only after that check.
    fn linear_memory_flags(&mut self) -> MemFlagsData {
        let region = self.b.func.dfg.alias_regions.insert(AliasRegionData {
            user_id: LINEAR_MEMORY,
            description: Cow::Borrowed("linear memory"),
        });
        MemFlagsData::new()
            .with_notrap()
            .with_endianness(Endianness::Little)
            .with_alias_region(Some(region))
    }

    /// Pops an `i32` that counts or addresses bytes or pages, as 64 bits.
    fn pop_u32(&mut self) -> Value {
        let x = self.pop1();
        self.b.ins().uextend(I64, x)
    }

    /// An index as the runtime's functions take it.
    fn immediate(&mut self, index: u32) -> Value {
        self.b.ins().iconst(I32, i64::from(index))
    }

    fn libcall_value(&mut self, libcall: Libcall, arguments: &[Value]) -> Value {
        self.libcall(libcall, arguments)
            .expect("this function of the runtime has a result")
    }
}
