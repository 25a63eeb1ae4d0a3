//! The stubs that make continuations and objects, and switch nothing.

use super::super::fiber::{Fiber, GENERATION, StartFrame, State, switchback_fiber_start};
use super::super::layout::{SLOT, VmStore};
use super::super::stacks::START_RESERVE;
use super::super::{aggregate, exn, switch, unwind};
use std::mem::offset_of;

/// (store, vmctx, func, capacity, results) → reference
#[unsafe(naked)]
pub(super) extern "C" fn cont_new() {
    core::arch::naked_asm!(
        // The first free stack is in rax. What is laid out on it: values from r10, the start frame from r11.
        "mov rax, [rdi + {free}]",
        "test rax, rax",
        "jz {runtime}",
        "mov r9, rcx",
        "shl r9, {slot_shift}",
        "mov r10, rax",
        "sub r10, r9",
        "lea r11, [r10 - {frame_size}]",
        "mov r9, [rax + {limit}]",
        "add r9, {reserve}",
        "cmp r11, r9",
        "jb {runtime}",
        "mov r9, [rdi + {stacks_left}]",
        "sub r9, 1",
        "jc {runtime}",
        "mov [rdi + {stacks_left}], r9",
        "mov r9, [rax + {parent}]",
        "mov [rdi + {free}], r9",
        "mov dword ptr [rax + {state}], {fresh}",
        "mov [rax + {num_results}], r8d",
        "mov [rax + {innermost}], rax",
        "mov [rax + {values}], r10",
        "mov [rax + {buffer}], r10",
        "mov [rax + {sp}], r11",
        "lea r9, [rax + {fp}]",
        "mov [rax + {fp}], r9",
        "lea r9, [rip + {start}]",
        "mov [rax + {ip}], r9",
        "mov [r11 + {start_func}], rdx",
        "mov [r11 + {start_caller}], rsi",
        "mov [r11 + {start_values}], r10",
        "mov [r11 + {start_len}], rcx",
        "mov [r11 + {start_store}], rdi",
        "mov qword ptr [r11 + {start_inlined}], 1",
        "mov rax, [rax + {word}]",
        "ret",
        aligned!(),
        runtime = sym cont_new_runtime,
        start = sym switchback_fiber_start,
        slot_shift = const SLOT.trailing_zeros(),
        reserve = const START_RESERVE,
        fresh = const State::Fresh as u32,
        frame_size = const size_of::<StartFrame>(),
        start_func = const offset_of!(StartFrame, func),
        start_caller = const offset_of!(StartFrame, caller),
        start_values = const offset_of!(StartFrame, values),
        start_len = const offset_of!(StartFrame, len),
        start_store = const offset_of!(StartFrame, store),
        start_inlined = const offset_of!(StartFrame, inlined),
        state = const offset_of!(Fiber, state),
        num_results = const offset_of!(Fiber, num_results),
        word = const offset_of!(Fiber, word),
        innermost = const offset_of!(Fiber, innermost),
        values = const offset_of!(Fiber, values),
        buffer = const offset_of!(Fiber, buffer),
        parent = const offset_of!(Fiber, parent),
        limit = const offset_of!(Fiber, limit),
        sp = const offset_of!(Fiber, context.sp),
        fp = const offset_of!(Fiber, context.fp),
        ip = const offset_of!(Fiber, context.ip),
        free = const offset_of!(VmStore, free_fibers),
        stacks_left = const offset_of!(VmStore, stacks_left),
    )
}

#[unsafe(naked)]
pub(super) extern "C" fn cont_new_runtime() {
    core::arch::naked_asm!(
        ask_runtime!(),
        "ret",
        ".cfi_endproc",
        function = sym switch::cont_new,
        raise = sym unwind::raise,
    )
}

/// (store, fiber, count) → reference
#[unsafe(naked)]
pub(super) extern "C" fn cont_bind() {
    core::arch::naked_asm!(
        "mov rax, [rsi + {word}]",
        "add rax, {generation}",
        "jc {runtime}",
        "shl rdx, {slot_shift}",
        "mov [rsi + {word}], rax",
        "add [rsi + {buffer}], rdx",
        "ret",
        runtime = sym cont_bind_runtime,
        generation = const GENERATION,
        slot_shift = const SLOT.trailing_zeros(),
        word = const offset_of!(Fiber, word),
        buffer = const offset_of!(Fiber, buffer),
    )
}

#[unsafe(naked)]
pub(super) extern "C" fn cont_bind_runtime() {
    core::arch::naked_asm!(
        ask_runtime!(),
        "ret",
        ".cfi_endproc",
        function = sym switch::cont_bind,
        raise = sym unwind::raise,
    )
}

/// (store, tag, count) → exception
#[unsafe(naked)]
pub(super) extern "C" fn exn_new() {
    core::arch::naked_asm!(
        ask_runtime!(),
        "ret",
        ".cfi_endproc",
        function = sym exn::exn_new,
        raise = sym unwind::raise,
    )
}

/// (store, header, bytes) → object
#[unsafe(naked)]
pub(super) extern "C" fn object_new() {
    core::arch::naked_asm!(
        ask_runtime!(),
        "ret",
        ".cfi_endproc",
        function = sym aggregate::object_new,
        raise = sym unwind::raise,
    )
}
