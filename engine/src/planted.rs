//! Bugs planted on purpose: the yardstick by which a fuzzer shows that it can see.
//!
//! Each is a small change at the place where such a bug would live, after a class of bugs that engines really had (the
//! toolkit's documentation lists the classes). Without the feature `planted-bugs` all of this compiles to nothing.

/// Whether a planted bug is active in a store: `planted!(vm, Name)`, with `vm` a pointer or reference to its `VmStore`.
macro_rules! planted {
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
    /// A suspension leaves the suspended stack's limit in force on the handler's stack (class 2).
    LimitNotSwapped = "limit-not-swapped";
    /// `cont.bind` without values hands out the same reference again instead of consuming it (class 13).
    BindKeepsOldReference = "bind-keeps-old-reference";
    /// `switch` does not consume its continuation (class 13).
    SwitchKeepsTarget = "switch-keeps-target";
    /// Only the first clause of a handler list is ever looked at (class 15).
    FirstClauseOnly = "first-clause-only";
    /// A handler search takes the first clause with the tag, whether for suspend or for switch (class 8).
    HandlerKindIgnored = "handler-kind-ignored";
    /// `resume_throw` into a continuation that never started runs its body first (class 18).
    ThrowEntersFresh = "throw-enters-fresh";
}
