//! A stable digest: the same bytes give the same digest on every platform and
//! in every version.
//!
//! The function is XXH3-128 with seed 0 (the specification of the xxHash
//! family), so that any tool can recompute a digest. It protects against
//! accidents, not against an adversary.

use super::Observation;
use serde::{Serialize, Serializer};
use std::fmt;
use std::io;
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

/// An XXH3-128 digest; displays and serialises as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(u128);

impl Digest {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Digest {
        Digest(xxh3_128(bytes))
    }

    /// The digest as bytes, in the order of the hexadecimal digits.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
        let text = String::deserialize(deserializer)?;
        u128::from_str_radix(&text, 16)
            .map(Digest)
            .map_err(serde::de::Error::custom)
    }
}

/// Folds many things into one digest, in order.
#[derive(Clone, Default)]
pub struct Hasher(Xxh3);

impl Hasher {
    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of everything added so far.
    pub fn digest(&self) -> Digest {
        Digest(self.0.digest128())
    }
}

impl io::Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Observation {
    /// The digest of the observation: of its compact JSON form.
    pub fn digest(&self) -> Digest {
        let mut buffer = Vec::with_capacity(4096);
        serde_json::to_writer(&mut buffer, self)
            .expect("an observation has string keys only, and a vector takes every byte");
        Digest::of(&buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_xxh3_128() {
        // The test vectors of the reference implementation for empty input.
        assert_eq!(
            Digest::of(b"").to_string(),
            "99aa06d3014798d86001c324468d497f"
        );
        let mut hasher = Hasher::default();
        hasher.update(b"stack ");
        hasher.update(b"switching");
        assert_eq!(hasher.digest(), Digest::of(b"stack switching"));
    }
}
