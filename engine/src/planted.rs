//! Bugs planted on purpose: the yardstick by which a fuzzer shows that it can see.
//!
//! Each is a small change at the place where such a bug would live, after a class of bugs that engines really had (the
//! toolkit's documentation lists the classes). Without the feature `planted-bugs` all of this compiles to nothing.

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
            unsafe { (*vm).planted == Some(crate::PlantedBug::$bug) }
        }
        #[cfg(not(feature = "planted-bugs"))]
        {
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
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal;)+) => {
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

            /// The bug of that name.
            pub fn from_name(name: &str) -> Option<PlantedBug> {
                Self::ALL.iter().copied().find(|bug| bug.name() == name)
            }
        }
    };
}

#[cfg(feature = "planted-bugs")]
bugs! {
    /// A host function that fails as a continuation's body is taken for one that returned (class 1).
    HostTrapIsReturn = "host-trap-is-return";
    /// After the host has re-entered on a continuation, the handlers around it are gone (class 3).
    HandlersLostOnReentry = "handlers-lost-on-reentry";
    /// Of a fresh continuation's arguments only the first eight arrive (classes 4 and 19).
    LongArgumentsCut = "long-arguments-cut";
    /// A handler clause matches every tag of the same type (class 8).
    TagsComparedByType = "tags-compared-by-type";
    /// A function reads a memory's length once, so growth on another stack is not seen (class 9).
    MemoryLengthCached = "memory-length-cached";
    /// `cont.bind` without values hands out the same reference again instead of consuming it (class 13).
    BindKeepsReference = "bind-keeps-reference";
    /// When a chain of several stacks is captured, the inner ones lose their handlers (class 14).
    InnerHandlersLost = "inner-handlers-lost";
    /// Only the first clause of a handler list is ever looked at (class 15).
    FirstClauseOnly = "first-clause-only";
    /// A suspension leaves the floating-point unit rounding towards zero (class 16).
    RoundingModeLost = "rounding-mode-lost";
    /// `resume_throw` into a continuation that never started runs its body and forgets the exception (class 18).
    ThrowEntersFresh = "throw-enters-fresh";
    /// A finished continuation's stack is wiped before its results are read (class 23).
    ResultsReadAfterFree = "results-read-after-free";
    /// An exception that reaches the base of a continuation goes to the host instead of the resumer (class 14).
    ExceptionStopsAtBase = "exception-stops-at-base";
    /// The collector gives back the inner stacks of a captured chain of several (classes 6 and 23).
    InnerStacksCollected = "inner-stacks-collected";
}
