//! What a module may use: the mask that engines hand to the generator.

use serde::{Deserialize, Serialize};

macro_rules! features {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What a generated module may use, beyond Wasm 2.0 without SIMD.
        ///
        /// Every engine says what it can do; what all engines of a case can do is the mask with which the case is generated. So
        /// nothing has to be filtered afterwards.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(from = "u64", into = "u64")]
        #[non_exhaustive]
        pub struct Features {
            $($(#[$doc])* pub $name: bool,)*
        }

        impl Features {
            /// Everything.
            pub const ALL: Features = Features { $($name: true,)* };

            /// Wasm 2.0 without floating point and SIMD, and nothing beyond.
            pub const NONE: Features = Features { $($name: false,)* };

            /// What both have.
            #[must_use]
            pub const fn and(self, other: Features) -> Features {
                Features { $($name: self.$name && other.$name,)* }
            }

            /// The names of the features that are there.
            pub fn names(self) -> Vec<&'static str> {
                let all = [$((stringify!($name), self.$name),)*];
                all.into_iter().filter(|(_, there)| *there).map(|(name, _)| name).collect()
            }

            /// The feature of this name alone; `None` if there is none of this name.
            pub fn named(name: &str) -> Option<Features> {
                match name {
                    $(stringify!($name) => Some(Features { $name: true, ..Features::NONE }),)*
                    _ => None,
                }
            }

            /// What either has.
            #[must_use]
            pub const fn or(self, other: Features) -> Features {
                Features { $($name: self.$name || other.$name,)* }
            }

            /// What the other does not have.
            #[must_use]
            pub const fn except(self, other: Features) -> Features {
                Features { $($name: self.$name && !other.$name,)* }
            }

            /// Keeps each feature that is there if `keep` says so.
            #[must_use]
            pub(super) fn filter(self, mut keep: impl FnMut() -> bool) -> Features {
                // Every feature asks, so that what is kept of one does not depend on whether another is there.
                Features { $($name: keep() && self.$name,)* }
            }
        }

        /// One bit each, from the lowest in the order of the fields.
        impl From<Features> for u64 {
            fn from(features: Features) -> u64 {
                let all = [$(features.$name,)*];
                let bits = all.iter().enumerate();
                bits.fold(0, |word, (bit, there)| word | u64::from(*there) << bit)
            }
        }

        impl From<u64> for Features {
            fn from(word: u64) -> Features {
                let mut bits = (0..64).map(|bit| word >> bit & 1 == 1);
                Features { $($name: bits.next() == Some(true),)* }
            }
        }
    };
}

// Plans in files have these as bits: new ones go to the end.
features! {
    /// Floating-point types and instructions.
    floats,
    /// `return_call`, `return_call_ref`, `return_call_indirect`.
    tail_calls,
    /// Declared subtypes, and recursion groups where no recursion asks for them.
    subtyping,
    /// Continuations, with the typed function references that they need.
    stack_switching,
    /// Tags, `throw`, `throw_ref`, `try_table`.
    exceptions,
    /// Structures, arrays, `i31`, casts, and typed function references.
    gc,
    /// `v128` and its instructions.
    simd,
    /// The relaxed instructions on `v128`, in the deterministic profile.
    relaxed_simd,
    /// Memories and tables with 64-bit addresses.
    memory64,
    /// More than one memory.
    multi_memory,
    /// Memories whose pages are one byte long.
    custom_page_sizes,
    /// `i64.add128`, `i64.sub128`, `i64.mul_wide_s`, `i64.mul_wide_u`.
    wide_arithmetic,
    /// `select` on the result of a test for zero or null. (An engine that gets this wrong is not to stop at each of them.)
    select_of_zero_test,
    /// Relaxed instructions where engines choose otherwise than the deterministic profile: multiply-adds, which it rounds twice, and
    /// dot products with a second operand of more than seven bits, which it takes as signed and whose sums it saturates.
    relaxed_choices,
    /// Tail calls that may reach a function of the host.
    tail_calls_of_host,
    /// `br_table` in modules with vectors, which it may carry.
    vectors_by_br_table,
    /// Blocks, loops and `if`s with parameters.
    block_parameters,
    /// Continuation references in fields of structures, in elements of arrays, and kept in exceptions.
    continuations_in_objects,
    /// `cont.bind` of references to what a collector manages: objects, exceptions, external things.
    bound_references,
    /// The type of the continuation that a `switch` captures may stand anywhere among the types, behind other recursion groups as
    /// well.
    late_switch_types,
}

/// The mask of a relaxed dot product's second operand with which its result is the same everywhere.
pub(super) const SEVEN_BITS: i128 = i128::from_le_bytes([0x7f; 16]);

impl Default for Features {
    /// What the generator of programs that switch stacks can make.
    fn default() -> Features {
        Features {
            floats: true,
            tail_calls: true,
            subtyping: true,
            stack_switching: true,
            exceptions: true,
            gc: true,
            simd: true,
            relaxed_simd: true,
            memory64: true,
            multi_memory: true,
            wide_arithmetic: true,
            select_of_zero_test: true,
            relaxed_choices: true,
            tail_calls_of_host: true,
            vectors_by_br_table: true,
            block_parameters: true,
            continuations_in_objects: true,
            bound_references: true,
            late_switch_types: true,
            ..Features::NONE
        }
    }
}

impl Features {
    /// The features of one woven module. Of those that few instructions need, most modules do without: what is there meets the
    /// more often, and modules stay small. `entropy` may have any bits.
    #[must_use]
    pub(super) fn drawn(self, entropy: u64) -> Features {
        // Multiplied, the upper bits depend on all of them.
        let mut bits = entropy.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut one_in = |n: u64| {
            bits = bits.rotate_left(17).wrapping_mul(0x2545_f491_4f6c_dd1d);
            (bits >> 40).is_multiple_of(n)
        };
        let simd = one_in(4);
        let relaxed_simd = simd & !one_in(3);
        let wide_arithmetic = one_in(5);
        let multi_memory = one_in(5);
        let memory64 = multi_memory & one_in(2);
        // What lives on after a switch is half of what stack switching is about.
        let gc = one_in(2);
        Features {
            gc: self.gc && gc,
            simd: self.simd && simd,
            relaxed_simd: self.relaxed_simd && self.simd && relaxed_simd,
            wide_arithmetic: self.wide_arithmetic && wide_arithmetic,
            multi_memory: self.multi_memory && multi_memory,
            // The second memory is the one with such addresses.
            memory64: self.memory64 && self.multi_memory && memory64,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_keeps_what_both_have() {
        let left = Features {
            simd: true,
            gc: true,
            ..Features::NONE
        };
        let right = Features {
            simd: true,
            memory64: true,
            ..Features::NONE
        };
        assert_eq!(left.and(right).names(), ["simd"]);
        assert_eq!(Features::ALL.and(left), left);
        assert_eq!(Features::ALL.filter(|| false), Features::NONE);
        let memory64 = Features::named("memory64").unwrap();
        assert_eq!(
            left.or(memory64),
            Features {
                memory64: true,
                ..left
            }
        );
        assert_eq!(right.except(memory64).names(), ["simd"]);
        assert_eq!(Features::named("memory65"), None);
    }

    #[test]
    fn bits_name_the_same_features_again() {
        for features in [Features::ALL, Features::NONE, Features::default()] {
            assert_eq!(Features::from(u64::from(features)), features);
        }
        assert_eq!(
            u64::from(Features {
                floats: true,
                subtyping: true,
                ..Features::NONE
            }),
            0b101
        );
    }
}
