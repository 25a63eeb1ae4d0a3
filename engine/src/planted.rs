//! Bugs planted on purpose: the yardstick by which a fuzzer shows that it can see.
//!
//! Each is a small change at the place where such a bug would live, after a class of bugs that engines really had (the
//! toolkit's documentation lists the classes). Those in the translation of a single operator stand together in
//! `translate/planted.rs`, all others where they live. Without the feature `planted-bugs` all of this compiles to nothing.
//!
//! What a bug breaks is defined as far as it can be: it gives wrong values, loses what is still in use, traps or does not. Only
//! those that give memory back too early may end the process.

/// Whether a planted bug is active: `planted!(vm, Name)` in a store, with `vm` a pointer or reference to its `VmStore`, and
/// `planted!(in config, Name)` during compilation.
macro_rules! planted {
    (in $config:expr, $bug:ident) => {{
        #[cfg(feature = "planted-bugs")]
        {
            $config.planted == Some(crate::PlantedBug::$bug)
        }
        #[cfg(not(feature = "planted-bugs"))]
        {
            false
        }
    }};
    ($vm:expr, $bug:ident) => {{
        #[cfg(feature = "planted-bugs")]
        {
            let vm: *const crate::runtime::layout::VmStore = &raw const *$vm;
            // SAFETY: runtime code holds a valid store.
            #[allow(unused_unsafe, reason = "some of the places are in a block already")]
            let planted = unsafe { (*vm).planted };
            planted == Some(crate::PlantedBug::$bug)
        }
        #[cfg(not(feature = "planted-bugs"))]
        {
            let _ = &$vm;
            false
        }
    }};
}
pub(crate) use planted;

/// Sets whether the processor rounds towards zero or, as Wasm wants it, to nearest.
pub(crate) fn round_towards_zero(on: bool) {
    const TOWARDS_ZERO: u32 = 3 << 13;
    let mut mxcsr = 0u32;
    // SAFETY: reads and writes the control register; rounding is the only thing that changes.
    unsafe {
        std::arch::asm!("stmxcsr [{}]", in(reg) &mut mxcsr, options(nostack));
        mxcsr = if on {
            mxcsr | TOWARDS_ZERO
        } else {
            mxcsr & !TOWARDS_ZERO
        };
        std::arch::asm!("ldmxcsr [{}]", in(reg) &mxcsr, options(nostack));
    }
}

#[cfg(feature = "planted-bugs")]
macro_rules! bugs {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal, $classes:expr;)+) => {
        /// A bug that [`Config::plant`](crate::Config::plant) can put in.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum PlantedBug {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl PlantedBug {
            /// All of them.
            pub const ALL: &'static [PlantedBug] = &[$(PlantedBug::$variant),+];

            /// The name used on the command line.
            pub fn name(self) -> &'static str {
                match self {
                    $(PlantedBug::$variant => $name,)+
                }
            }

            /// One line that says what is wrong with it.
            pub fn description(self) -> &'static str {
                match self {
                    $(PlantedBug::$variant => concat!($($doc),+).trim_ascii(),)+
                }
            }

            /// The classes of bugs in stack switching that it belongs to, by their numbers in the toolkit's documentation; none
            /// if it has nothing to do with stack switching.
            pub fn classes(self) -> &'static [u8] {
                match self {
                    $(PlantedBug::$variant => &$classes,)+
                }
            }

            /// The bug of that name.
            pub fn from_name(name: &str) -> Option<PlantedBug> {
                Self::ALL.iter().copied().find(|bug| bug.name() == name)
            }

            /// Whether it lives where stubs do a switch's bookkeeping themselves; all others live in the runtime's functions or in
            /// compiled code.
            pub(crate) fn is_in_stubs(self) -> bool {
                matches!(
                    self,
                    PlantedBug::LimitKept | PlantedBug::InlinedReferenceReused
                )
            }
        }
    };
}

#[cfg(feature = "planted-bugs")]
bugs! {
    /// A host function that fails as a continuation's body is taken for one that returned.
    HostTrapIsReturn = "host-trap-is-return", [1];
    /// After the host has re-entered on a continuation, the handlers around it are gone.
    HandlersLostOnReentry = "handlers-lost-on-reentry", [3];
    /// Of a fresh continuation's arguments only the first eight arrive.
    LongArgumentsCut = "long-arguments-cut", [4, 19];
    /// A handler clause matches every tag of the same type.
    TagsComparedByType = "tags-compared-by-type", [8];
    /// The tags of a handler list are looked up in the instance that made the continuation instead of the one that resumes it.
    TagsOfMaker = "tags-of-maker", [8];
    /// A function reads a memory's length once, so growth on another stack is not seen.
    MemoryLengthCached = "memory-length-cached", [9];
    /// `cont.bind` without values hands out the same reference again instead of consuming it.
    BindKeepsReference = "bind-keeps-reference", [13];
    /// When a chain of several stacks is captured, the inner ones lose their handlers.
    InnerHandlersLost = "inner-handlers-lost", [14];
    /// Only the first clause of a handler list is ever looked at.
    FirstClauseOnly = "first-clause-only", [15];
    /// A suspension leaves the floating-point unit rounding towards zero.
    RoundingModeLost = "rounding-mode-lost", [16];
    /// `resume_throw` into a continuation that never started runs its body and forgets the exception.
    ThrowEntersFresh = "throw-enters-fresh", [18];
    /// A finished continuation's stack is wiped before its results are read.
    ResultsReadAfterFree = "results-read-after-free", [23];
    /// The walk over frames ends at the base of a continuation: an exception goes to the host instead of the resumer.
    ExceptionStopsAtBase = "exception-stops-at-base", [11, 14, 17];
    /// The collector gives back the inner stacks of a captured chain of several.
    InnerStacksCollected = "inner-stacks-collected", [6, 23];
    /// An entry of the host does not know on which continuation it was made, so the collector misses the stacks around it.
    EntryForgetsStack = "entry-forgets-stack", [2, 6];
    /// Resumed by another continuation, a stack keeps the limit of its resumer.
    LimitKept = "limit-kept", [2];
    /// What `cont.bind` gave to a continuation that has not started is no root of the collector.
    BoundNotRoots = "bound-not-roots", [5];
    /// The stacks of suspended continuations are kept, but not searched for references.
    SuspendedNotSearched = "suspended-not-searched", [6];
    /// The collector does not look into exceptions.
    ExceptionsNotTraced = "exceptions-not-traced", [7];
    /// Tables of continuations are no roots of the collector.
    TablesNotRoots = "tables-not-roots", [7];
    /// The collector does not look into structures.
    StructuresNotTraced = "structures-not-traced", [7];
    /// A global is not read again after a suspension in the same function.
    GlobalKept = "global-kept", [9];
    /// Where there are no signals, a trap on a continuation's stack ends the continuation as if it had returned zeroes.
    ExplicitTrapReturns = "explicit-trap-returns", [10];
    /// An exception that leaves a continuation passes by the `try_table` around the resume.
    ResumeSiteSkipped = "resume-site-skipped", [11];
    /// The clauses of a resume that is over still take suspensions of the stack that had executed it.
    HandlersStayActive = "handlers-stay-active", [12];
    /// A continuation that was switched to can be used by its old reference when it is suspended again.
    SwitchKeepsReference = "switch-keeps-reference", [13];
    /// A suspension on the path without calls of the runtime hands out the reference that was resumed.
    InlinedReferenceReused = "inlined-reference-reused", [13];
    /// Of two clauses for the same tag the last one is taken.
    LastClauseTaken = "last-clause-taken", [15];
    /// `resume_throw` throws the last tag of the same type.
    ThrowsLastTag = "throws-last-tag", [18];
    /// Of a vector that is handed to a continuation only the lower half arrives.
    VectorsHalved = "vectors-halved", [16, 19];
    /// An exception from a host function as a continuation's body goes to the host's caller instead of the resumer.
    HostBodyEscapes = "host-body-escapes", [21];
    /// Frames with values for other stacks are 64 KiB large.
    FramesOf64K = "frames-of-64k", [22];
    /// `i64.sub` takes its operands in the wrong order.
    SubtractionReversed = "subtraction-reversed", [];
    /// `i64.rotl` and `i64.rotr` take the distance modulo 32.
    RotationBy32 = "rotation-by-32", [];
    /// `i32.shl` by 32 and more gives 0.
    ShiftNotMasked = "shift-not-masked", [];
    /// `f32.lt`, `f32.gt` and those of `f64` hold for NaN.
    NanIsLess = "nan-is-less", [];
    /// Minimum and maximum of floats return the second operand for NaN and for two zeroes.
    MinimumBySelect = "minimum-by-select", [];
    /// Saturating truncations to an unsigned `i32` saturate as if it were signed.
    TruncationSigned = "truncation-signed", [];
    /// Conversions of an unsigned `i64` to a float take it for signed.
    ConversionSigned = "conversion-signed", [];
    /// `copysign` takes its operands in the wrong order.
    CopysignReversed = "copysign-reversed", [];
    /// Signed loads of a byte extend it by zeroes.
    LoadNotExtended = "load-not-extended", [];
    /// `i64.store32` stores two bytes.
    StoreTooNarrow = "store-too-narrow", [];
    /// `memory.copy` copies forwards where it should copy backwards.
    CopyForwards = "copy-forwards", [];
    /// A `memory.grow` that fails returns 0.
    GrowFailureHidden = "grow-failure-hidden", [];
    /// `memory.size` of any memory is that of the first.
    SizeOfFirstMemory = "size-of-first-memory", [];
    /// `i64.add128` loses the carry.
    CarryLost = "carry-lost", [];
    /// `i64.mul_wide_u` multiplies as `i64.mul_wide_s` does.
    WideProductSigned = "wide-product-signed", [];
    /// The extraction of a 16-bit lane takes the neighbouring one.
    LaneBeside = "lane-beside", [];
    /// A shuffle takes all lanes from its first operand.
    ShuffleOfOne = "shuffle-of-one", [];
    /// `v128.andnot` takes its operands in the wrong order.
    AndNotReversed = "andnot-reversed", [];
    /// `br_table` goes to the last target instead of the default where the index is one too large.
    TableBranchTooLong = "table-branch-too-long", [];
    /// `table.get` and `table.set` find the last element out of bounds.
    TableBoundShort = "table-bound-short", [];
    /// `table.grow` fills up with null.
    TableGrownByNull = "table-grown-by-null", [];
    /// `call_indirect` refuses functions of a proper subtype.
    CallExactType = "call-exact-type", [];
    /// A clause of `try_table` catches every tag of the same type.
    CaughtByType = "caught-by-type", [];
    /// Globals are initialised from the last to the first.
    GlobalsBackwards = "globals-backwards", [];
    /// Casts and tests of references fail for proper subtypes.
    CastExactType = "cast-exact-type", [];
    /// Signed reads of packed fields and elements extend them by zeroes.
    PackedNotExtended = "packed-not-extended", [];
    /// `i31.get_u` extends the sign.
    I31AlwaysSigned = "i31-always-signed", [];
    /// `array.copy` copies forwards where it should copy backwards.
    ArrayCopyForwards = "array-copy-forwards", [];
}
