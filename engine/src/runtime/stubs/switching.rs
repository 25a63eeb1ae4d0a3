//! The stubs that switch stacks.

use super::super::entry::Activation;
use super::super::fiber::{Fiber, GENERATION, HandlerList, StubClause, switchback_fiber_start};
use super::super::layout::{SLOT, VmStore};
use super::super::{switch, unwind};
use std::mem::offset_of;

/// Exchanges the caller's state with that in the context of the stack whose header is in register `$fiber`. What remains is to
/// jump to r11. Changes r8 and r10.
///
/// The return address is read and not popped: the stack pointer is read as well, and a processor that keeps track of `push` and
/// `pop` beside it would have to bring the two together at each switch. (On a Zen 5, a fifth of a round trip's time.)
macro_rules! exchange {
    ($fiber:literal) => {
        concat!(
            "mov r8, [rsp]\n",
            concat!("mov r11, [", $fiber, " + {ip}]\n"),
            concat!("mov r10, [", $fiber, " + {sp}]\n"),
            concat!("mov [", $fiber, " + {ip}], r8\n"),
            "lea r8, [rsp + 8]\n",
            concat!("mov [", $fiber, " + {sp}], r8\n"),
            concat!("mov r8, [", $fiber, " + {fp}]\n"),
            concat!("mov [", $fiber, " + {fp}], rbp\n"),
            "mov rsp, r10\n",
            "mov rbp, r8",
        )
    };
}

/// Makes the stack in register `$to` the running one; the store is in rdi. Null is the stack that the host entered on. Its limit
/// stands elsewhere, and is chosen without a branch: each that is taken makes the processor fetch anew, and one that is taken and
/// comes back cost a tenth of a round trip's time. Changes r11.
macro_rules! run_on {
    ($to:literal) => {
        concat!(
            "mov r11, [rdi + {activation}]\n",
            "add r11, {base_limit} - {limit}\n",
            concat!("mov [rdi + {current}], ", $to, "\n"),
            concat!("test ", $to, ", ", $to, "\n"),
            concat!("cmovnz r11, ", $to, "\n"),
            "mov r11, [r11 + {limit}]\n",
            "mov [rdi + {stack_limit}], r11",
        )
    };
}

/// The bookkeeping of a resumption, by the stub's parameters: consumes the reference, splices the captured chain below the running
/// stack, and lets its innermost stack run. In rax is the reference. Changes rax, r10 and r11. Needs [`several_stacks`] at a place
/// that control does not fall into.
macro_rules! splice {
    () => {
        "add rax, {generation}
         jc {runtime}
         mov [rsi + {word}], rax
         mov [rdi + {likely_word}], rax
         mov r10, [rdi + {current}]
         mov [rsi + {handlers}], rdx
         mov [rsi + {handler_vmctx}], rcx
         mov [rsi + {results}], r8
         mov [rsi + {parent}], r10
         cmp [rsi + {innermost}], rsi
         jne 7f
         mov rax, [rsi + {limit}]
         mov [rdi + {current}], rsi
         8:
         mov [rdi + {stack_limit}], rax"
    };
}

/// See [`splice`]. A continuation of one stack goes another way, so that the processor predicts which stack runs next instead of
/// waiting for `innermost`: the next suspension waits for nothing else.
macro_rules! several_stacks {
    () => {
        "7:
         mov r11, [rsi + {innermost}]
         mov rax, [r11 + {limit}]
         mov [rdi + {current}], r11
         jmp 8b"
    };
}

/// Finds the innermost clause for the tag whose identity is in register `$tag`, in the running chain. Then r9 is the outermost
/// stack that is captured, and r10 stands behind the clause. Needs [`outwards`] at a place that control does not fall
/// into. Changes rax and r11.
macro_rules! find {
    ($tag:literal) => {
        concat!(
            "mov r9, [rdi + {current}]\n",
            "test r9, r9\n",
            "jz {runtime}\n",
            "2:\n",
            "mov r10, [r9 + {handlers}]\n",
            "mov r11, [r9 + {handler_vmctx}]\n",
            "mov r10, [r10 + {clauses}]\n",
            "3:\n",
            "mov eax, [r10 + {tag_offset}]\n",
            "add r10, {clause_size}\n",
            "test eax, eax\n",
            "jz 4f\n",
            concat!("cmp [r11 + rax], ", $tag, "\n"),
            "jne 3b",
        )
    };
}

/// See [`find`].
macro_rules! outwards {
    () => {
        "4:
         mov r9, [r9 + {parent}]
         test r9, r9
         jnz 2b
         jmp {runtime}"
    };
}

/// (store, fiber, handlers, vmctx, results, reference). `before` and `after` the bookkeeping there may be a bug.
macro_rules! resume {
    ($name:ident $(, $before:literal, $after:literal)?) => {
        #[unsafe(naked)]
        pub(super) extern "C" fn $name() {
            core::arch::naked_asm!(
                "mov rax, r9",
                $($before,)?
                splice!(),
                $($after,)?
                exchange!("rsi"),
                "mov rax, rdi",
                "jmp r11",
                several_stacks!(),
                aligned!(),
                runtime = sym resume_runtime,
                generation = const GENERATION,
                word = const offset_of!(Fiber, word),
                innermost = const offset_of!(Fiber, innermost),
                handlers = const offset_of!(Fiber, handlers),
                handler_vmctx = const offset_of!(Fiber, handler_vmctx),
                results = const offset_of!(Fiber, results),
                parent = const offset_of!(Fiber, parent),
                limit = const offset_of!(Fiber, limit),
                sp = const offset_of!(Fiber, context.sp),
                fp = const offset_of!(Fiber, context.fp),
                ip = const offset_of!(Fiber, context.ip),
                current = const offset_of!(VmStore, current),
                stack_limit = const offset_of!(VmStore, stack_limit),
                likely_word = const offset_of!(VmStore, likely_word),
            )
        }
    };
}

resume!(resume);

// A bug: a stack that a continuation resumes keeps the limit of its resumer.
#[cfg(feature = "planted-bugs")]
resume!(
    resume_keeping_limit,
    "mov rbx, [rdi + {stack_limit}]",
    "cmp qword ptr [rsi + {parent}], 0
     je 9f
     mov [rdi + {stack_limit}], rbx
     9:"
);

#[unsafe(naked)]
pub(super) extern "C" fn resume_runtime() {
    core::arch::naked_asm!(
        ask_runtime!(),
        exchange!("rax"),
        "mov rax, rdi",
        "jmp r11",
        ".cfi_endproc",
        function = sym switch::resume_prepare,
        raise = sym unwind::raise,
        sp = const offset_of!(Fiber, context.sp),
        fp = const offset_of!(Fiber, context.fp),
        ip = const offset_of!(Fiber, context.ip),
    )
}

/// (store, fiber, handlers, vmctx, results, exception)
#[unsafe(naked)]
pub(super) extern "C" fn resume_throw() {
    core::arch::naked_asm!(
        // A continuation that never started is not entered.
        "lea rax, [rip + {start}]",
        "cmp [rsi + {ip}], rax",
        "je {runtime}",
        "mov rax, [rsi + {word}]",
        splice!(),
        "mov [rdi + {pending_exn}], r9",
        exchange!("rsi"),
        // As if the suspended site had called what raises.
        "push r11",
        "jmp {raise}",
        several_stacks!(),
        aligned!(),
        start = sym switchback_fiber_start,
        runtime = sym resume_throw_runtime,
        raise = sym unwind::raise,
        generation = const GENERATION,
        word = const offset_of!(Fiber, word),
        innermost = const offset_of!(Fiber, innermost),
        handlers = const offset_of!(Fiber, handlers),
        handler_vmctx = const offset_of!(Fiber, handler_vmctx),
        results = const offset_of!(Fiber, results),
        parent = const offset_of!(Fiber, parent),
        limit = const offset_of!(Fiber, limit),
        sp = const offset_of!(Fiber, context.sp),
        fp = const offset_of!(Fiber, context.fp),
        ip = const offset_of!(Fiber, context.ip),
        current = const offset_of!(VmStore, current),
        stack_limit = const offset_of!(VmStore, stack_limit),
        likely_word = const offset_of!(VmStore, likely_word),
        pending_exn = const offset_of!(VmStore, pending_exn),
    )
}

#[unsafe(naked)]
pub(super) extern "C" fn resume_throw_runtime() {
    core::arch::naked_asm!(
        ask_runtime!(),
        exchange!("rax"),
        // Only a planted bug switches without an exception.
        "cmp qword ptr [rdi + {pending_exn}], 0",
        "je 2f",
        "push r11",
        "jmp {raise}",
        "2:",
        "mov rax, rdi",
        "jmp r11",
        ".cfi_endproc",
        function = sym switch::resume_throw_prepare,
        raise = sym unwind::raise,
        sp = const offset_of!(Fiber, context.sp),
        fp = const offset_of!(Fiber, context.fp),
        ip = const offset_of!(Fiber, context.ip),
        pending_exn = const offset_of!(VmStore, pending_exn),
    )
}

/// (store, tag, payload). There may be a bug behind the loading of the reference.
macro_rules! suspend {
    ($name:ident $(, $bug:literal, $generation:ident = $value:expr)?) => {
        #[unsafe(naked)]
        pub(super) extern "C" fn $name() {
            core::arch::naked_asm!(
                find!("rsi"),
                "mov eax, [r10 + {control} - {clause_size}]",
                word!(),
                $($bug,)?
                "mov r8, [rdi + {current}]",
                "mov r10, [r9 + {parent}]",
                "mov [r9 + {innermost}], r8",
                "mov [r9 + {buffer}], rdx",
                "mov qword ptr [r9 + {handlers}], 0",
                run_on!("r10"),
                exchange!("r9"),
                "mov rsi, rdi",
                "jmp r11",
                outwards!(),
                unlikely_word!(),
                aligned!(),
                runtime = sym suspend_runtime,
                clauses = const offset_of!(HandlerList, suspends),
                tag_offset = const offset_of!(StubClause, tag_offset),
                control = const offset_of!(StubClause, control),
                clause_size = const size_of::<StubClause>(),
                word = const offset_of!(Fiber, word),
                innermost = const offset_of!(Fiber, innermost),
                buffer = const offset_of!(Fiber, buffer),
                handlers = const offset_of!(Fiber, handlers),
                handler_vmctx = const offset_of!(Fiber, handler_vmctx),
                parent = const offset_of!(Fiber, parent),
                limit = const offset_of!(Fiber, limit),
                sp = const offset_of!(Fiber, context.sp),
                fp = const offset_of!(Fiber, context.fp),
                ip = const offset_of!(Fiber, context.ip),
                current = const offset_of!(VmStore, current),
                stack_limit = const offset_of!(VmStore, stack_limit),
                likely_word = const offset_of!(VmStore, likely_word),
                $($generation = const $value,)?
                activation = const offset_of!(VmStore, activation),
                base_limit = const offset_of!(Activation, base_limit),
            )
        }
    };
}

suspend!(suspend);

// A bug: a suspension hands out the reference by which the continuation was resumed.
#[cfg(feature = "planted-bugs")]
suspend!(
    suspend_reusing_reference,
    "sub rcx, {generation}
     mov [r9 + {word}], rcx",
    generation = GENERATION
);

#[unsafe(naked)]
pub(super) extern "C" fn suspend_runtime() {
    core::arch::naked_asm!(
        ask_runtime!(),
        exchange!("rax"),
        "mov rax, [rdi + {control}]",
        "mov rcx, [rdi + {suspended}]",
        "mov rdx, [rdi + {payload}]",
        "mov rsi, rdi",
        "jmp r11",
        ".cfi_endproc",
        function = sym switch::suspend_prepare,
        raise = sym unwind::raise,
        sp = const offset_of!(Fiber, context.sp),
        fp = const offset_of!(Fiber, context.fp),
        ip = const offset_of!(Fiber, context.ip),
        control = const offset_of!(VmStore, control),
        suspended = const offset_of!(VmStore, suspended),
        payload = const offset_of!(VmStore, payload),
    )
}

/// (store, target, tag, payload, count, reference)
#[unsafe(naked)]
pub(super) extern "C" fn switch() {
    core::arch::naked_asm!(
        // Sites take every register for lost, those that functions save elsewhere too.
        "mov rbx, r9",
        find!("rdx"),
        "add rbx, {generation}",
        "jc {runtime}",
        // The target's last value is the continuation that is captured.
        "mov rdx, rcx",
        word!(),
        "mov rax, [rsi + {buffer}]",
        "shl r8, {slot_shift}",
        "mov [rax + r8], rcx",
        "mov [rsi + {word}], rbx",
        "mov [rdi + {likely_word}], rbx",
        // The target takes its place: the same handlers, results for the same site, the same resumer.
        "mov rax, [r9 + {handlers}]",
        "mov r10, [r9 + {handler_vmctx}]",
        "mov r11, [r9 + {results}]",
        "mov [rsi + {handlers}], rax",
        "mov [rsi + {handler_vmctx}], r10",
        "mov [rsi + {results}], r11",
        "mov rax, [r9 + {parent}]",
        "mov r10, [rdi + {current}]",
        "mov [rsi + {parent}], rax",
        "mov [r9 + {innermost}], r10",
        "mov [r9 + {buffer}], rdx",
        "mov qword ptr [r9 + {handlers}], 0",
        "cmp [rsi + {innermost}], rsi",
        "jne 7f",
        "mov rax, [rsi + {limit}]",
        "mov [rdi + {current}], rsi",
        "8:",
        "mov [rdi + {stack_limit}], rax",
        // The resumer's state moves to the target's context, ours to the captured one's.
        "mov rdx, [rsp]",
        "lea rsp, [rsp + 8]",
        "mov r8, [rsi + {sp}]",
        "mov r10, [rsi + {fp}]",
        "mov r11, [rsi + {ip}]",
        "mov rax, [r9 + {sp}]",
        "mov rcx, [r9 + {fp}]",
        "mov [rsi + {sp}], rax",
        "mov rax, [r9 + {ip}]",
        "mov [rsi + {fp}], rcx",
        "mov [rsi + {ip}], rax",
        "mov [r9 + {sp}], rsp",
        "mov [r9 + {fp}], rbp",
        "mov [r9 + {ip}], rdx",
        "mov rsp, r8",
        "mov rbp, r10",
        "mov rax, rdi",
        "jmp r11",
        outwards!(),
        several_stacks!(),
        unlikely_word!(),
        aligned!(),
        runtime = sym switch_runtime,
        generation = const GENERATION,
        slot_shift = const SLOT.trailing_zeros(),
        clauses = const offset_of!(HandlerList, switches),
        tag_offset = const offset_of!(StubClause, tag_offset),
        clause_size = const size_of::<StubClause>(),
        word = const offset_of!(Fiber, word),
        innermost = const offset_of!(Fiber, innermost),
        buffer = const offset_of!(Fiber, buffer),
        handlers = const offset_of!(Fiber, handlers),
        handler_vmctx = const offset_of!(Fiber, handler_vmctx),
        results = const offset_of!(Fiber, results),
        parent = const offset_of!(Fiber, parent),
        limit = const offset_of!(Fiber, limit),
        sp = const offset_of!(Fiber, context.sp),
        fp = const offset_of!(Fiber, context.fp),
        ip = const offset_of!(Fiber, context.ip),
        current = const offset_of!(VmStore, current),
        stack_limit = const offset_of!(VmStore, stack_limit),
        likely_word = const offset_of!(VmStore, likely_word),
    )
}

#[unsafe(naked)]
pub(super) extern "C" fn switch_runtime() {
    core::arch::naked_asm!(
        ask_runtime!(),
        "mov r8, [rsp]",
        "lea rsp, [rsp + 8]",
        "mov [rax + {sp}], rsp",
        "mov [rax + {fp}], rbp",
        "mov [rax + {ip}], r8",
        "mov rsp, [rdi + {to_sp}]",
        "mov rbp, [rdi + {to_fp}]",
        "mov rax, rdi",
        "jmp qword ptr [rdi + {to_ip}]",
        ".cfi_endproc",
        function = sym switch::switch_prepare,
        raise = sym unwind::raise,
        sp = const offset_of!(Fiber, context.sp),
        fp = const offset_of!(Fiber, context.fp),
        ip = const offset_of!(Fiber, context.ip),
        to_sp = const offset_of!(VmStore, switch_context.sp),
        to_fp = const offset_of!(VmStore, switch_context.fp),
        to_ip = const offset_of!(VmStore, switch_context.ip),
    )
}
