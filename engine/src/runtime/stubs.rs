//! The stubs that compiled code calls to switch stacks, in machine code by hand.
//!
//! A stub does the bookkeeping of its instruction, exchanges the state of its *caller* with the one in a stack's context, and
//! jumps to where that one goes on. So it has no frame of its own that would be suspended, and a context always holds the
//! state of a site in compiled code: its frame pointer, its stack pointer and the return address of its call, by which an
//! exception finds the site's landing pad. Two things make that quick:
//!
//! * Nobody returns to a site by `ret`. A processor predicts that a `ret` goes back to the last `call`, which after a switch is
//!   one on the other stack, so each would be mispredicted; an indirect jump is predicted by where it went before.
//! * Nothing is saved. Sites call by `try_call`, behind which Cranelift takes every register for lost, and so keeps what it
//!   still needs in the site's frame (where the collector finds it).
//!
//! Every stub is there twice. The `*_runtime` one asks a function of [`switch`] to do the bookkeeping, which also traces,
//! checks, collects and plants bugs. The other one does the same where nothing of that is asked for (see
//! [`Config::inlines_switches`](crate::Config)), without a call; what it cannot do it leaves to the first, before it has
//! changed anything.
//!
//! Parameters are words, in rdi, rsi, rdx, rcx, r8 and r9 (Cranelift's Tail convention). What arrives at a resume site is its
//! results: the control word in rax, for a suspension the continuation in rcx and the address of its values in rdx, and the store in
//! rsi. At a suspended site the store arrives in rax, beside the values in its payload slot, or an exception.
//!
//! (The store, because a site that had to find it through its frame would wait for the new stack pointer first, and the next
//! switch, which begins with the store, for that. The time of a switch is that of the longest chain of loads that wait for each
//! other, much more than that of its instructions.)

use super::entry::Activation;
use super::fiber::{
    Fiber, GENERATION, HandlerList, StartFrame, State, StubClause, switchback_fiber_start,
};
use super::layout::{SLOT, VmStore};
use super::stacks::START_RESERVE;
use super::{aggregate, exn, switch, unwind};
use crate::config::Config;
#[cfg(feature = "planted-bugs")]
use crate::planted::planted;
use std::mem::offset_of;

/// Addresses of the stubs of an engine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stubs {
    /// (store, fiber, handlers, vmctx, results, reference) → (control, continuation, payload, store). Switches.
    pub resume: usize,
    /// (store, fiber, handlers, vmctx, results, exception) → (control, continuation, payload, store). Switches.
    pub resume_throw: usize,
    /// (store, tag, payload) → store. Switches.
    pub suspend: usize,
    /// (store, target, tag, payload, count, reference) → store. Switches.
    pub switch: usize,
    /// (store, vmctx, func, capacity, results) → reference
    pub cont_new: usize,
    /// (store, fiber, count) → reference
    pub cont_bind: usize,
    /// (store, tag, count) → exception
    pub exn_new: usize,
    /// (store, header, bytes) → object
    pub object_new: usize,
}

impl Stubs {
    /// The stubs that do their bookkeeping themselves, or those that ask the runtime.
    pub fn new(config: &Config) -> Stubs {
        let inlined = config.inlines_switches();
        let choose = |own: extern "C" fn(), runtime: extern "C" fn()| {
            (if inlined { own } else { runtime }) as *const () as usize
        };
        #[cfg(feature = "planted-bugs")]
        let resume = match planted!(in config, LimitKept) {
            true => resume_keeping_limit,
            false => resume,
        };
        #[cfg(feature = "planted-bugs")]
        let suspend = match planted!(in config, InlinedReferenceReused) {
            true => suspend_reusing_reference,
            false => suspend,
        };
        Stubs {
            resume: choose(resume, resume_runtime),
            resume_throw: choose(resume_throw, resume_throw_runtime),
            suspend: choose(suspend, suspend_runtime),
            switch: choose(switch, switch_runtime),
            cont_new: choose(cont_new, cont_new_runtime),
            cont_bind: choose(cont_bind, cont_bind_runtime),
            exn_new: exn_new as *const () as usize,
            object_new: object_new as *const () as usize,
        }
    }
}

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

/// Makes the stack in register `$to` the running one; the store is in rdi. Jumps to a label 6 and back to 5 if that is the
/// stack that the host entered on, see [`on_host`]. Changes r11.
macro_rules! run_on {
    ($to:literal) => {
        concat!(
            concat!("mov [rdi + {current}], ", $to, "\n"),
            concat!("test ", $to, ", ", $to, "\n"),
            "jz 6f\n",
            concat!("mov r11, [", $to, " + {limit}]\n"),
            "5:\n",
            "mov [rdi + {stack_limit}], r11",
        )
    };
}

/// See [`run_on`].
macro_rules! on_host {
    () => {
        "6:
         mov r11, [rdi + {activation}]
         mov r11, [r11 + {base_limit}]
         jmp 5b"
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

/// Calls a function of the runtime that takes the stub's parameters, and raises what is pending at the site if it returns null.
/// Then rax is what it has returned, rdi is still the store, and the stack is as it was at the beginning.
macro_rules! ask_runtime {
    () => {
        ".cfi_startproc
         push rbp
         .cfi_def_cfa_offset 16
         .cfi_offset 6, -16
         mov rbp, rsp
         .cfi_def_cfa_register 6
         push rdi
         push rdi
         call {function}
         pop rdi
         pop rdi
         pop rbp
         .cfi_def_cfa 7, 8
         test rax, rax
         jz {raise}"
    };
}

/// Loads the `word` of the stack in r9 into rcx. That it is likely to be the one that was resumed last lets the processor go on
/// with the guess instead of waiting for `current` and then for the word. Needs [`unlikely_word`] at a place that control does not
/// fall into.
macro_rules! word {
    () => {
        "mov rcx, [rdi + {likely_word}]
         cmp rcx, [r9 + {word}]
         jne 9f
         12:"
    };
}

/// See [`word`].
macro_rules! unlikely_word {
    () => {
        "9:
         mov rcx, [r9 + {word}]
         jmp 12b"
    };
}

/// (store, fiber, handlers, vmctx, results, reference). `before` and `after` the bookkeeping there may be a bug.
macro_rules! resume {
    ($name:ident $(, $before:literal, $after:literal)?) => {
        #[unsafe(naked)]
        extern "C" fn $name() {
            core::arch::naked_asm!(
                "mov rax, r9",
                $($before,)?
                splice!(),
                $($after,)?
                exchange!("rsi"),
                "mov rax, rdi",
                "jmp r11",
                several_stacks!(),
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
extern "C" fn resume_runtime() {
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
extern "C" fn resume_throw() {
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
extern "C" fn resume_throw_runtime() {
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
        extern "C" fn $name() {
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
                on_host!(),
                unlikely_word!(),
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
extern "C" fn suspend_runtime() {
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
extern "C" fn switch() {
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
extern "C" fn switch_runtime() {
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

/// (store, vmctx, func, capacity, results) → reference
#[unsafe(naked)]
extern "C" fn cont_new() {
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
extern "C" fn cont_new_runtime() {
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
extern "C" fn cont_bind() {
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
extern "C" fn cont_bind_runtime() {
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
extern "C" fn exn_new() {
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
extern "C" fn object_new() {
    core::arch::naked_asm!(
        ask_runtime!(),
        "ret",
        ".cfi_endproc",
        function = sym aggregate::object_new,
        raise = sym unwind::raise,
    )
}
