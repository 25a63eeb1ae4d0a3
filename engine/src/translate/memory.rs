//! Memory instructions: loads, stores, `memory.*` and `data.drop`; those of vectors use what is here. Loads and stores that the
//! same operators make on GC arrays are not translated.
//!
//! An access is checked in one of two ways, see [`Place`]. A memory's base and length are loaded anew for each access: any call,
//! and any other stack that runs in between, may grow the memory and move it.

use super::{FuncTranslator, Libcall};
use crate::compile::trap_codes;
use crate::error::TrapKind;
use crate::runtime::layout::VmMemory;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{F32, F64, I8, I16, I32, I64};
use cranelift_codegen::ir::{AliasRegionData, Endianness, InstBuilder, MemFlagsData, Type, Value};
use std::borrow::Cow;
use std::mem::offset_of;
use wasmparser::{MemArg, MemArgTarget, Operator};

/// The alias region of all linear memories. It is one region, not one a memory: two indices may name the same memory.
/// Compiled code reaches linear memory through [`Place`]s only, and nothing else through them; so a store to a memory leaves
/// what is known of the memory's own base and length, and of everything else, as it was. Calls are fences for it as for
/// every region.
const LINEAR_MEMORY: u32 = 0x6d65_6d00;

/// What a load does with fewer bits than its result has.
#[derive(Clone, Copy)]
enum Extension {
    Signed,
    Unsigned,
}

/// Where an access may go: `base + offset` is inside the memory, all bytes of it, or the access faults on a page that is there
/// for this, and the fault is the trap.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub base: Value,
    pub offset: i32,
    pub flags: MemFlagsData,
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
        if array_target(memarg) {
            return false;
        }
        let place = self.place(memarg, ty);
        let value = self.load_at(place, ty);
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
        if array_target(memarg) {
            return false;
        }
        let mut value = self.pop1();
        if narrow {
            value = self.b.ins().ireduce(ty, value);
        }
        let place = self.place(memarg, ty);
        self.store_at(place, value);
        true
    }

    fn translate_whole_memory(&mut self, op: &Operator<'_>) -> bool {
        match *op {
            Operator::MemorySize { mem } => {
                let descriptor = self.memory_descriptor(mem);
                let len = self.memory_len(descriptor);
                let shift = page_size_log2(&self.env.info.memories[mem as usize]);
                let pages = self.b.ins().ushr_imm_u(len, i64::from(shift));
                self.push_size(pages, self.memory64(mem));
            }
            Operator::MemoryGrow { mem } => {
                let delta = self.pop_size(self.memory64(mem));
                let memory = self.i32const(mem);
                let pages = self.libcall_value(Libcall::MemoryGrow, &[memory, delta]);
                // The number of pages of a 32-bit memory, or -1: both keep their meaning in the low half.
                self.push_size(pages, self.memory64(mem));
            }
            Operator::MemoryCopy { dst_mem, src_mem } => {
                let (to64, from64) = (self.memory64(dst_mem), self.memory64(src_mem));
                let len = self.pop_size(to64 && from64);
                let src = self.pop_size(from64);
                let dst = self.pop_size(to64);
                let dst_memory = self.i32const(dst_mem);
                let src_memory = self.i32const(src_mem);
                let failed = self.libcall_value(
                    Libcall::MemoryCopy,
                    &[dst_memory, src_memory, dst, src, len],
                );
                self.trapnz(failed, TrapKind::MemoryOutOfBounds);
            }
            Operator::MemoryFill { mem } => {
                let len = self.pop_size(self.memory64(mem));
                let value = self.pop1();
                let dst = self.pop_size(self.memory64(mem));
                let memory = self.i32const(mem);
                let failed = self.libcall_value(Libcall::MemoryFill, &[memory, dst, value, len]);
                self.trapnz(failed, TrapKind::MemoryOutOfBounds);
            }
            Operator::MemoryInit { data_index, mem } => {
                // Offset and length in the segment are 32 bits wide whatever the memory's addresses are.
                let len = self.pop1();
                let src = self.pop1();
                let dst = self.pop_size(self.memory64(mem));
                let memory = self.i32const(mem);
                let segment = self.i32const(data_index);
                let failed =
                    self.libcall_value(Libcall::MemoryInit, &[memory, segment, dst, src, len]);
                self.trapnz(failed, TrapKind::MemoryOutOfBounds);
            }
            Operator::DataDrop { data_index } => {
                let segment = self.i32const(data_index);
                self.libcall(Libcall::DataDrop, &[segment]);
            }
            _ => return false,
        }
        true
    }

    /// Pops an address and gives the place of an access of type `ty` there. Where no guard region sees to it, traps unless all
    /// bytes of the access lie inside the memory.
    pub(super) fn place(&mut self, memarg: &MemArg, ty: Type) -> Place {
        let MemArgTarget::Memory(memory) = memarg.target else {
            unreachable!("accesses of arrays are refused before");
        };
        let memory64 = self.memory64(memory);
        let address = self.pop_size(memory64);
        let descriptor = self.memory_descriptor(memory);
        let guarded = self.is_guarded(memory);
        if !guarded {
            let len = self.memory_len(descriptor);
            let reach = memarg.offset.saturating_add(ty.bytes().into());
            let end = if memory64 {
                // A reach that was cut off is beyond the end of every memory all the same.
                let reach = self.iconst(reach);
                self.add_or_trap(address, reach, TrapKind::MemoryOutOfBounds)
            } else {
                // Address and offset are below 2^32 and an access has at most 16 bytes, so the sum is exact in 64 bits.
                self.b.ins().iadd_imm_s(address, reach.cast_signed())
            };
            let outside = self.b.ins().icmp(IntCC::UnsignedGreaterThan, end, len);
            self.trapnz(outside, TrapKind::MemoryOutOfBounds);
        }

        let base = self.b.ins().load(
            I64,
            MemFlagsData::trusted(),
            descriptor,
            offset_of!(VmMemory, base) as i32,
        );
        let base = self.b.ins().iadd(base, address);
        let flags = self.linear_memory_flags(guarded);
        match i32::try_from(memarg.offset) {
            Ok(offset) => Place {
                base,
                offset,
                flags,
            },
            // CLIF's offsets are signed; a larger one of the specification's has to be added.
            Err(_) => Place {
                base: self.b.ins().iadd_imm_s(base, memarg.offset.cast_signed()),
                offset: 0,
                flags,
            },
        }
    }

    pub(super) fn load_at(&mut self, place: Place, ty: Type) -> Value {
        let (flags, base, offset) = (place.flags, place.base, place.offset);
        self.b.ins().load(ty, flags, base, offset)
    }

    pub(super) fn store_at(&mut self, place: Place, value: Value) {
        let (flags, base, offset) = (place.flags, place.base, place.offset);
        self.b.ins().store(flags, value, base, offset);
    }

    fn memory64(&self, memory: u32) -> bool {
        self.env.info.memories[memory as usize].memory64
    }

    /// Whether a memory has a guard region that catches every access outside. Memories of one type always agree about it.
    fn is_guarded(&self, memory: u32) -> bool {
        let ty = self
            .env
            .info
            .memory_type(self.env.info.memories[memory as usize]);
        self.env.engine.config.guards(&ty)
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

    /// Not `aligned`: the specification's alignment is a hint. Without a guard region, `notrap` holds because of the check before
    /// the access; not `can_move`, because it holds only after that check.
    fn linear_memory_flags(&mut self, guarded: bool) -> MemFlagsData {
        let region = self.b.func.dfg.alias_regions.insert(AliasRegionData {
            user_id: LINEAR_MEMORY,
            description: Cow::Borrowed("linear memory"),
        });
        let flags = MemFlagsData::new()
            .with_endianness(Endianness::Little)
            .with_alias_region(Some(region));
        if guarded {
            flags.with_trap_code(Some(trap_codes::memory_fault()))
        } else {
            flags.with_notrap()
        }
    }

    /// Pops an address, index or size, an `i32` or an `i64`, as 64 bits.
    pub(super) fn pop_size(&mut self, is64: bool) -> Value {
        let x = self.pop1();
        if is64 {
            x
        } else {
            self.b.ins().uextend(I64, x)
        }
    }

    /// Pushes a size that is there in 64 bits.
    pub(super) fn push_size(&mut self, size: Value, is64: bool) {
        let size = if is64 {
            size
        } else {
            self.b.ins().ireduce(I32, size)
        };
        self.push1(size);
    }

    fn libcall_value(&mut self, libcall: Libcall, arguments: &[Value]) -> Value {
        self.libcall(libcall, arguments)
            .expect("this function of the runtime has a result")
    }
}

/// Whether an access goes to a GC array.
fn array_target(memarg: &MemArg) -> bool {
    !matches!(memarg.target, MemArgTarget::Memory(_))
}

/// log2 of the size of a memory's pages.
fn page_size_log2(ty: &wasmparser::MemoryType) -> u32 {
    ty.page_size_log2.unwrap_or(crate::types::PAGE_SIZE_LOG2)
}
