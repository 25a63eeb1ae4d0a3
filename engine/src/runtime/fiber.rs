//! One continuation's stack: its layout, its header, and the code at its base.
//!
//! ```text
//!   high addresses
//!   ┌──────────────────────────┐ ◀─ end of the stack's range
//!   │ Fiber (header)           │    bookkeeping; `context` is what stubs swap
//!   ├──────────────────────────┤ ◀─ address of the header
//!   │ buffer: 16 bytes a value │    arguments of a continuation that has not started, later its results
//!   ├──────────────────────────┤
//!   │ store, (padding)         │
//!   │ func, caller, values, len│ ◀─ sp of a fresh stack: what the start stub pops
//!   ├──────────────────────────┤
//!   │ frames of Wasm  ...      │
//!   ├ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─┤ ◀─ `limit`: no Wasm function starts below it
//!   │ headroom                 │    runtime functions and host functions run here
//!   ├──────────────────────────┤
//!   │ guard page               │
//!   └──────────────────────────┘
//!   low addresses
//! ```
//!
//! While the stack runs, `context` holds the state of the stack that resumed it; while it is suspended, the state of the
//! innermost stack of the captured chain: of the site in compiled code, since stubs have no frame (see [`stubs`](super::stubs)).
//! `context.fp` and `context.ip` stand in memory as a saved frame pointer and a return
//! address do, and the start stub's frame pointer is the address of `context.fp`: a frame-pointer walk runs through the base
//! of a stack into its resumer without knowing that it did.

use super::entry::Activation;
use super::layout::{FuncRef, SLOT, ValRaw, VmStore};
use super::unwind::Target;
use std::ffi::c_void;
use std::mem::offset_of;

/// Where a stack that does not run goes on: what stubs exchange with the registers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Context {
    pub sp: usize,
    pub fp: usize,
    pub ip: usize,
}

/// What a stack is doing. Whether it is `Free` is always right. Which of the others it is, is kept where switches are checked
/// ([`Config::check_switches`](crate::Config::check_switches)), for the checks; nothing else asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum State {
    /// In the pool.
    Free = 0,
    /// Made by `cont.new`, never resumed.
    Fresh = 1,
    /// Part of a captured continuation.
    Suspended = 2,
    /// Part of a running chain: it runs, or waits for what it resumed.
    Running = 3,
}

/// The control word that arrives at a resume site.
pub(crate) struct Control;

impl Control {
    /// The continuation's function returned.
    pub const RETURN: u64 = 0;

    /// Clause `clause` of the site's handler list handles a suspension.
    pub const fn suspend(clause: u32) -> u64 {
        1 + clause as u64
    }
}

/// What a clause of a handler list handles (`hdl` in the specification).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum ClauseKind {
    /// `(on t $l)`
    Suspend = 0,
    /// `(on t switch)`
    Switch = 1,
}

/// One clause of a resume site; the tag is an index of the module that the site stands in.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct HandlerClause {
    pub kind: ClauseKind,
    pub tag: u32,
    /// Where the site's vmctx has the tag's identity.
    pub tag_offset: u32,
}

/// One clause as the stubs read it, which have a table of those of each kind.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(crate) struct StubClause {
    /// Where the site's vmctx has the tag's identity; 0 behind the last clause.
    pub tag_offset: u32,
    /// The control word that a suspension sends.
    pub control: u32,
}

/// The clauses of one resume site. Owned by the module, so that compiled code can name it by address.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct HandlerList {
    /// For stubs: the clauses `(on t $l)`, in `_tables`.
    pub suspends: *const StubClause,
    /// For stubs: the clauses `(on t switch)`, in `_tables`.
    pub switches: *const StubClause,
    clauses: Box<[HandlerClause]>,
    _tables: Box<[StubClause]>,
}

// SAFETY: the pointers are into `_tables`, which nobody changes.
unsafe impl Send for HandlerList {}
// SAFETY: as above.
unsafe impl Sync for HandlerList {}

impl HandlerList {
    pub fn new(clauses: Box<[HandlerClause]>) -> Self {
        let of_kind = |kind| {
            let clauses = clauses.iter().zip(0..);
            let clauses = clauses.filter(move |(clause, _)| clause.kind == kind);
            clauses.map(|(clause, index)| StubClause {
                tag_offset: clause.tag_offset,
                control: Control::suspend(index) as u32,
            })
        };
        let end = || std::iter::once(StubClause::default());
        let suspends = of_kind(ClauseKind::Suspend).chain(end());
        let tables: Box<[_]> = suspends
            .chain(of_kind(ClauseKind::Switch))
            .chain(end())
            .collect();
        let switches = 1 + of_kind(ClauseKind::Suspend).count();
        HandlerList {
            suspends: tables.as_ptr(),
            switches: tables[switches..].as_ptr(),
            clauses,
            _tables: tables,
        }
    }

    pub fn clauses(&self) -> &[HandlerClause] {
        &self.clauses
    }

    /// A list without clauses, for bugs that lose handlers.
    pub fn none() -> *const HandlerList {
        static NONE: std::sync::LazyLock<HandlerList> =
            std::sync::LazyLock::new(|| HandlerList::new(Box::default()));
        &raw const *NONE
    }
}

/// The header of a stack; see the picture in the module's documentation.
///
/// A captured continuation may span several stacks. It is named by its outermost one, whose `innermost` leads to the other end;
/// from there `parent` leads back. Only the outermost stack's `context`, `buffer` and `word` have a meaning then.
#[repr(C, align(64))]
pub(crate) struct Fiber {
    /// Where values that do not fit into a fresh stack's buffer would be written first. See [`CANARY`].
    pub canary: u64,
    /// The one reference that is not consumed: generation and slot.
    pub word: u64,
    /// Where the values of the next resume go (after those that `cont.bind` has put there).
    pub buffer: *mut ValRaw,
    /// While running: the stack that resumed this one, null for the host's. While an inner stack of a captured chain: the next stack
    /// outwards. While free: the next free one.
    pub parent: *mut Fiber,
    /// While suspended: the stack that runs when the continuation is resumed.
    pub innermost: *mut Fiber,
    /// The handlers that this stack runs under, or would run under in the captured chain that it is an inner stack of. Null if it is
    /// free, and if it is the one by which a captured continuation is named.
    pub handlers: *const HandlerList,
    /// The instance whose tags `handlers` names.
    pub handler_vmctx: *mut c_void,
    /// Where the resumer wants the results.
    pub results: *mut ValRaw,
    /// See the picture.
    pub limit: usize,
    /// Where the function's arguments are and its results will be.
    pub values: *mut ValRaw,
    pub num_results: u32,
    pub state: State,
    /// AddressSanitizer's shadow of this stack while it does not run.
    pub fake_stack: *mut c_void,
    pub context: Context,
    pub canary_above: u64,
    /// What planted bugs note here.
    #[cfg(feature = "planted-bugs")]
    pub planted: Notes,
}

/// What planted bugs remember of a stack.
#[cfg(feature = "planted-bugs")]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Notes {
    /// The handlers, and the instance, of a resume on this stack that is over.
    pub over: Option<(*const HandlerList, *mut c_void)>,
    /// Whether a switch resumed the stack.
    pub switched_to: bool,
    /// The instance whose code made the continuation; null before the stack is used.
    pub maker: *mut c_void,
}

#[cfg(feature = "planted-bugs")]
impl Notes {
    pub const NONE: Notes = Notes {
        over: None,
        switched_to: false,
        maker: std::ptr::null_mut(),
    };
}

/// What the canaries around a header hold. They are around nothing else: values that do not fit into the buffer run into the lower
/// one, whatever writes beyond the stack's upper end has passed the upper one, and what goes below the headroom meets a guard page.
pub(crate) const CANARY: u64 = 0x5357_4954_4348_4241;

/// Bits of a continuation reference that hold the slot; the others hold the generation.
pub(crate) const SLOT_BITS: u32 = 20;
/// Mask of the slot in a continuation reference.
pub(crate) const SLOT_MASK: u64 = (1 << SLOT_BITS) - 1;
/// Adding this to a reference yields the next generation's.
pub(crate) const GENERATION: u64 = 1 << SLOT_BITS;
/// The generation that a slot starts with: not 0, because the collector would take small numbers, of which stacks are full, for
/// references then.
pub(crate) const FIRST_GENERATION: u64 = GENERATION << 20;

/// What the start stub finds at the stack pointer of a fresh stack. Its size keeps the stub's calls 16-byte aligned.
#[repr(C)]
pub(crate) struct StartFrame {
    pub func: *const FuncRef,
    pub caller: *mut c_void,
    pub values: *mut ValRaw,
    pub len: usize,
    pub store: *mut VmStore,
    /// Whether the start stub starts and ends the continuation without the runtime: see [`stubs`](super::stubs).
    pub inlined: usize,
}

impl Fiber {
    /// Makes the reference handed out so far stale. `false` when the generations of this slot are used up.
    pub fn consume(&mut self) -> bool {
        match self.word.checked_add(GENERATION) {
            Some(word) => {
                self.word = word;
                true
            }
            None => false,
        }
    }

    /// Whether a captured continuation has never been resumed.
    pub fn is_fresh(&self) -> bool {
        self.context.ip == switchback_fiber_start as *const () as usize
    }

    /// Whether a captured continuation is named by this stack: it is its outermost one.
    pub fn names_continuation(&self) -> bool {
        self.state != State::Free && self.handlers.is_null()
    }

    /// The address of the saved frame pointer in `context`: the frame pointer at the base of this stack.
    pub fn base_frame(&mut self) -> usize {
        &raw mut self.context.fp as usize
    }

    /// Lays out the arguments' buffer and the start frame of a stack on which `func` will be called, with room for `capacity`
    /// values. `None` when that leaves less than `reserve` bytes above the limit.
    pub fn prepare(&mut self, frame: StartFrame, capacity: usize, reserve: usize) -> Option<()> {
        let header = &raw mut *self as usize;
        let values = header.checked_sub(capacity.checked_mul(size_of::<ValRaw>())?)?;
        let sp = values.checked_sub(size_of::<StartFrame>())?;
        if sp < self.limit.checked_add(reserve)? {
            return None;
        }
        self.values = values as *mut ValRaw;
        self.buffer = self.values;
        self.context = Context {
            sp,
            fp: self.base_frame(),
            ip: switchback_fiber_start as *const () as usize,
        };
        let frame = StartFrame {
            values: self.values,
            ..frame
        };
        // SAFETY: `limit <= sp` and `sp + size_of::<StartFrame>() <= header`, so the frame lies inside this stack's usable
        // part; the stack is not running, so nothing else is there. `sp` is 16-byte aligned, since the header and all
        // sizes subtracted are multiples of 16.
        unsafe { (sp as *mut StartFrame).write(frame) };
        Some(())
    }
}

/// Where every continuation starts: pops the start frame, calls the function's `array_call`, and goes on at the resume site, or
/// wherever `fiber_finished` says. Entered by a switch, never called; its frame pointer is [`Fiber::base_frame`].
#[unsafe(naked)]
#[unsafe(no_mangle)]
pub(crate) extern "C" fn switchback_fiber_start() {
    core::arch::naked_asm!(
        // For unwinders, all the way: rbp is the address of `context.fp`, so that the resumer's frame pointer, return address and
        // stack pointer stand around it. The resumer's stack may lie at lower addresses, which debuggers accept of frames of
        // signals only. (6, 7: rbp, rsp.)
        ".cfi_startproc",
        ".cfi_signal_frame",
        ".cfi_def_cfa 6, 16",
        ".cfi_offset 6, -16",
        ".cfi_offset 7, -24",
        "cmp qword ptr [rsp + {inlined}], 0",
        "jne 2f",
        "mov rdi, [rsp + {store}]",
        "call {started}",
        "2:",
        // array_call(func, caller, values, len)
        "pop rdi",
        "pop rsi",
        "pop rdx",
        "pop rcx",
        "call qword ptr [rdi + {array_call}]",
        // The unwinder knows the base of a stack by this return address.
        ".globl switchback_fiber_start_return",
        "switchback_fiber_start_return:",
        // What is left of the start frame: the store, and whether the end is inlined, too.
        "mov rdi, [rsp]",
        "test al, al",
        "jz 7f",
        "cmp qword ptr [rsp + 8], 0",
        "je 7f",
        // As `fiber_finished` does: the results to the resumer,
        "mov rsi, [rdi + {current}]",
        "mov ecx, [rsi + {num_results}]",
        "test ecx, ecx",
        "jnz 5f",
        // the stack to the pool,
        "3:",
        "mov rdx, [rsi + {parent}]",
        "mov rax, [rdi + {free}]",
        "mov dword ptr [rsi + {state}], {free_state}",
        "mov qword ptr [rsi + {handlers}], 0",
        "mov [rsi + {parent}], rax",
        "mov [rdi + {free}], rsi",
        "add qword ptr [rdi + {stacks_left}], 1",
        // and the resumer's stack to run. (Nothing uses the free one before the next `cont.new`.)
        "mov [rdi + {current}], rdx",
        "test rdx, rdx",
        "jz 6f",
        "mov rdx, [rdx + {limit}]",
        "4:",
        "mov [rdi + {stack_limit}], rdx",
        "mov r8, [rsi + {sp}]",
        "mov r9, [rsi + {fp}]",
        "mov rcx, [rsi + {ip}]",
        "mov rsp, r8",
        "mov rbp, r9",
        "mov eax, {returned}",
        "mov rsi, rdi",
        "jmp rcx",
        // By words: what was stored by words is not ready yet to be loaded by vectors.
        "5:",
        "mov r8, [rsi + {values}]",
        "mov r9, [rsi + {results}]",
        "8:",
        "mov rax, [r8]",
        "mov rdx, [r8 + 8]",
        "mov [r9], rax",
        "mov [r9 + 8], rdx",
        "add r8, {slot}",
        "add r9, {slot}",
        "sub ecx, 1",
        "jnz 8b",
        "jmp 3b",
        "6:",
        "mov rdx, [rdi + {activation}]",
        "mov rdx, [rdx + {base_limit}]",
        "jmp 4b",
        "7:",
        "movzx esi, al",
        "mov rdx, rbp",
        "call {finished}",
        // Where a resume site expects it.
        "mov rsi, [rsp]",
        "jmp {leave}",
        ".cfi_endproc",
        store = const offset_of!(StartFrame, store),
        inlined = const offset_of!(StartFrame, inlined),
        array_call = const offset_of!(FuncRef, array_call),
        current = const offset_of!(VmStore, current),
        stack_limit = const offset_of!(VmStore, stack_limit),
        activation = const offset_of!(VmStore, activation),
        free = const offset_of!(VmStore, free_fibers),
        stacks_left = const offset_of!(VmStore, stacks_left),
        base_limit = const offset_of!(Activation, base_limit),
        num_results = const offset_of!(Fiber, num_results),
        values = const offset_of!(Fiber, values),
        results = const offset_of!(Fiber, results),
        slot = const SLOT,
        parent = const offset_of!(Fiber, parent),
        state = const offset_of!(Fiber, state),
        free_state = const State::Free as u32,
        handlers = const offset_of!(Fiber, handlers),
        limit = const offset_of!(Fiber, limit),
        sp = const offset_of!(Fiber, context.sp),
        fp = const offset_of!(Fiber, context.fp),
        ip = const offset_of!(Fiber, context.ip),
        returned = const Control::RETURN,
        started = sym super::switch::fiber_started,
        finished = sym super::switch::fiber_finished,
        leave = sym leave_to,
    )
}

unsafe extern "C" {
    fn switchback_fiber_start_return();
}

/// The return address by which the unwinder knows the base of a continuation's stack.
pub(crate) fn start_return_address() -> usize {
    switchback_fiber_start_return as *const () as usize
}

/// Leaves the running frame for the [`Target`] whose address is in rax, and keeps rsi. Jumped to, never called.
#[unsafe(naked)]
pub(crate) extern "C" fn leave_to() {
    core::arch::naked_asm!(
        "mov rsp, [rax + {sp}]",
        "mov rbp, [rax + {fp}]",
        "mov rcx, [rax + {pc}]",
        // Last, because rax is the base of all the loads above.
        "mov rax, [rax + {payload}]",
        "jmp rcx",
        sp = const offset_of!(Target, sp),
        fp = const offset_of!(Target, fp),
        pc = const offset_of!(Target, pc),
        payload = const offset_of!(Target, payload),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout_is_what_the_stubs_and_unwinders_expect() {
        // The start stub's unwind information says so.
        assert_eq!(offset_of!(Context, sp), 0);
        assert_eq!(offset_of!(Context, fp), 8);
        assert_eq!(
            offset_of!(StartFrame, inlined),
            offset_of!(StartFrame, store) + 8
        );
        assert_eq!(size_of::<StartFrame>() % 16, 0);
        assert_eq!(size_of::<Fiber>() % 64, 0);
        // A saved frame pointer and its return address are neighbours, as in any frame.
        assert_eq!(offset_of!(Context, ip), offset_of!(Context, fp) + 8);
    }

    #[test]
    fn the_last_generation_is_not_followed_by_the_first() {
        let mut last = Fiber {
            word: !0,
            buffer: std::ptr::null_mut(),
            parent: std::ptr::null_mut(),
            innermost: std::ptr::null_mut(),
            handlers: std::ptr::null(),
            handler_vmctx: std::ptr::null_mut(),
            results: std::ptr::null_mut(),
            limit: 0,
            values: std::ptr::null_mut(),
            num_results: 0,
            state: State::Free,
            fake_stack: std::ptr::null_mut(),
            canary: 0,
            context: Context::default(),
            canary_above: 0,
            #[cfg(feature = "planted-bugs")]
            planted: Notes::NONE,
        };
        assert!(!last.consume());
        assert_eq!(last.word, !0);
        last.word = 7;
        assert!(last.consume());
        assert_eq!(last.word & SLOT_MASK, 7);
        assert_ne!(last.word, 7);
    }
}
