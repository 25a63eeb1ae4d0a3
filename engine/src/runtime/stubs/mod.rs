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
//! Every stub is there twice. The `*_runtime` one asks a function of [`switch`](super::switch) to do the bookkeeping, which also traces,
//! checks, collects and plants bugs. The other one does the same where nothing of that is asked for (see
//! [`Config::inlines_switches`](crate::Config)), without a call; what it cannot do it leaves to the first, before it has
//! changed anything.
//!
//! Parameters are words, in rdi, rsi, rdx, rcx, r8 and r9 (Cranelift's Tail convention). What arrives at a resume site is its
//! results: the control word in rax, for a suspension the continuation in rcx and the address of its values in rdx, and the store in
//! rsi. At a suspended site the store arrives in rax, beside the values in its payload slot, or an exception.
//!
//! (The store, because a site that had to find it through its frame would wait for the new stack pointer first, and the next
//! switch, which begins with the store, for that. What a switch waits for takes longer than its instructions do: for loads that wait
//! for each other, and for its code to be fetched, line by line and anew behind each branch that is taken.)

use crate::config::Config;
#[cfg(feature = "planted-bugs")]
use crate::planted::planted;

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

/// Stands behind a stub's code, and makes the stub begin with a line of the cache, [`LINE`], since every function has a section of
/// its own that is aligned as its contents are. A processor fetches and predicts by lines: where the linker happened to put
/// the stubs, the same round trip took up to a third longer.
macro_rules! aligned {
    () => {
        ".p2align 6"
    };
}

/// Bytes of a line of the cache.
#[cfg(test)]
const LINE: usize = 64;

mod making;
mod switching;

use making::*;
use switching::*;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quick_stubs_begin_with_a_line_of_the_cache() {
        let stubs: [(&str, extern "C" fn()); 5] = [
            ("resume", resume),
            ("resume_throw", resume_throw),
            ("suspend", suspend),
            ("switch", switch),
            ("cont_new", cont_new),
        ];
        for (name, stub) in stubs {
            assert_eq!(stub as *const () as usize % LINE, 0, "{name}");
        }
    }
}
