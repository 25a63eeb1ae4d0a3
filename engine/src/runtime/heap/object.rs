//! Objects of the heap: what stands before their contents.
//!
//! ```text
//! structure   type_id u32 │ u32::MAX   │ fields                 (see `types::shape`)
//! array       type_id u32 │ length u32 │ elements
//! exception   u32::MAX    │ length u32 │ *VmTag │ values, 16 bytes each
//! ```
//!
//! A word of the `any` or `extern` hierarchy is 0 for null, or told by its low bits: an `i31` has bit 0 set and its value
//! above, a host's reference has bit 1 set and its number above, and an object is its address, which is a multiple of 16.
//! `any.convert_extern` and `extern.convert_any` therefore change nothing.

/// What every object starts with.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Header {
    /// Canonical number of the object's type in the store's registry; [`EXCEPTION`] for exceptions.
    pub type_id: u32,
    /// An array's or an exception's length; [`STRUCT`] for structures.
    pub length: u32,
}

/// In [`Header::type_id`]: an exception.
pub(crate) const EXCEPTION: u32 = u32::MAX;

/// In [`Header::length`]: a structure. No array is so long, because the heap is smaller.
pub(crate) const STRUCT: u32 = u32::MAX;

impl Header {
    /// The header in one word, as it lies in memory.
    pub fn from_word(word: u64) -> Header {
        Header {
            type_id: word as u32,
            length: (word >> 32) as u32,
        }
    }
}

/// Set in the word of an `i31`.
pub(crate) const I31_TAG: u64 = 1;
/// Set in the word of a host's reference.
pub(crate) const HOST_TAG: u64 = 2;
/// Clear in the word of an object.
pub(crate) const TAGS: u64 = I31_TAG | HOST_TAG;

/// What a word of the `any` or `extern` hierarchy that is not null stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AnyWord {
    /// Sign-extended.
    I31(i32),
    /// The index of a host's reference in the store.
    Host(usize),
    Object(*mut Header),
}

impl AnyWord {
    pub fn decode(word: u64) -> AnyWord {
        debug_assert_ne!(word, 0, "null stands for nothing");
        if word & I31_TAG != 0 {
            AnyWord::I31(word as i32 >> 1)
        } else if word & HOST_TAG != 0 {
            AnyWord::Host((word >> 2) as usize)
        } else {
            AnyWord::Object(word as *mut Header)
        }
    }

    pub fn encode(self) -> u64 {
        match self {
            AnyWord::I31(value) => u64::from((value as u32) << 1) | I31_TAG,
            AnyWord::Host(index) => (index as u64) << 2 | HOST_TAG,
            AnyWord::Object(object) => object as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_say_what_they_are() {
        for value in [0, 1, -1, 0x3fff_ffff, -0x4000_0000] {
            let word = AnyWord::I31(value).encode();
            assert_eq!(AnyWord::decode(word), AnyWord::I31(value));
            assert!(
                word < 1 << 32,
                "compiled code makes the same word from 32 bits"
            );
        }
        // The 31 low bits count, and the highest of them is the sign.
        let word = AnyWord::I31(0x4000_0000).encode();
        assert_eq!(AnyWord::decode(word), AnyWord::I31(-0x4000_0000));
        assert_eq!(AnyWord::decode(AnyWord::Host(0).encode()), AnyWord::Host(0));
        let object = AnyWord::Object(0x1230 as *mut Header);
        assert_eq!(AnyWord::decode(object.encode()), object);
        let header = Header::from_word(7 | 9 << 32);
        assert_eq!((header.type_id, header.length), (7, 9));
    }
}
