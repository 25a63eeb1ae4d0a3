//! Choices from a seed.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A sequence of choices, the same for the same seed on every machine.
pub(super) struct Random(ChaCha8Rng);

impl Random {
    pub(super) fn new(seed: u64) -> Random {
        Random(ChaCha8Rng::seed_from_u64(seed))
    }

    pub(super) fn word(&mut self) -> u64 {
        self.0.next_u64()
    }

    pub(super) fn byte(&mut self) -> u8 {
        self.word() as u8
    }

    /// A number below `bound`, which is not 0.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        debug_assert!(bound > 0);
        ((u128::from(self.word()) * bound as u128) >> 64) as usize
    }

    pub(super) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of some choices; none if there are none.
    pub(super) fn choose<'c, T>(&mut self, choices: &'c [T]) -> Option<&'c T> {
        match choices.len() {
            0 => None,
            count => Some(&choices[self.below(count)]),
        }
    }

    /// A count from 1 on, each twice as likely as the next.
    pub(super) fn few(&mut self) -> usize {
        1 + self.word().trailing_ones() as usize
    }

    pub(super) fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.0.fill_bytes(&mut bytes);
        bytes
    }
}
