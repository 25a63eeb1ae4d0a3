//! Mutations of the blob that wasm-smith makes a leaf of.
//!
//! wasm-smith reads choices from the front and the lengths of lists from the back, so bytes that stay where they are mostly keep
//! their meaning up to the first that differs: what is changed far behind changes the end of the leaf alone.

use super::random::Random;

/// Lengths of blobs, as the generator draws them.
const LENGTHS: std::ops::RangeInclusive<usize> = 24..=200;

/// A new blob.
pub(super) fn fresh(random: &mut Random) -> Vec<u8> {
    let length = LENGTHS.start() + random.below(LENGTHS.end() - LENGTHS.start() + 1);
    random.bytes(length)
}

/// Changes a blob, which is not empty; it never gets longer than blobs are drawn. `donated` is the blob of another leaf, or
/// nothing.
pub(super) fn mutate(blob: &mut Vec<u8>, donated: &[u8], random: &mut Random) {
    match random.below(7) {
        0 | 1 => {
            for _ in 0..random.few() {
                let at = random.below(blob.len());
                blob[at] = random.byte();
            }
        }
        2 => {
            let at = random.below(blob.len());
            blob[at] ^= 1 << random.below(8);
        }
        3 => {
            let at = random.below(blob.len() + 1);
            let count = 1 + random.below(8);
            let bytes = random.bytes(count);
            blob.splice(at..at, bytes);
        }
        4 if blob.len() > 1 => {
            let at = random.below(blob.len() - 1);
            let end = blob.len().min(at + random.few());
            blob.drain(at..end);
        }
        5 if !donated.is_empty() => {
            let at = random.below(donated.len().min(blob.len()));
            blob.splice(at.., donated[at..].iter().copied());
        }
        _ => *blob = fresh(random),
    }
    blob.truncate(*LENGTHS.end());
}
