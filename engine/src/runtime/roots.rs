//! References that the host holds.
//!
//! A handle is small and may be copied, so nobody can tell when the last copy is gone. Instead every handle belongs to the
//! scope that was open when it was made (a call of a host function, or the store itself), and what it refers to stays until that scope
//! ends. A handle that is used later is found out by its stamp.

/// The words that the collector must keep for the host.
#[derive(Debug, Default)]
pub(crate) struct Roots {
    entries: Vec<Entry>,
    stamps: u64,
}

#[derive(Debug)]
struct Entry {
    word: u64,
    stamp: u64,
}

/// A handle of a word that is not null.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rooted {
    store_id: u64,
    word: u64,
    index: u32,
    stamp: u64,
}

impl Roots {
    /// Keeps `word` until the innermost scope ends.
    pub fn add(&mut self, store_id: u64, word: u64) -> Rooted {
        self.stamps += 1;
        let stamp = self.stamps;
        self.entries.push(Entry { word, stamp });
        Rooted {
            store_id,
            word,
            index: u32::try_from(self.entries.len() - 1).expect("memory ends before handles do"),
            stamp,
        }
    }

    /// Opens a scope; the result is for [`leave`](Self::leave).
    pub fn enter(&self) -> usize {
        self.entries.len()
    }

    /// Ends the scopes opened since.
    pub fn leave(&mut self, scope: usize) {
        self.entries.truncate(scope);
    }

    /// The words of all handles whose scope has not ended.
    pub fn words(&self) -> impl Iterator<Item = u64> {
        self.entries.iter().map(|entry| entry.word)
    }

    /// The word behind a handle of this store. Panics if the handle's scope has ended.
    pub fn word(&self, handle: &Rooted) -> u64 {
        let entry = self.entries.get(handle.index as usize);
        assert!(
            entry.is_some_and(|entry| entry.stamp == handle.stamp),
            "a reference is used after the scope in which the host got it has ended"
        );
        handle.word
    }
}

impl Rooted {
    /// The store whose reference it is.
    pub fn store_id(&self) -> u64 {
        self.store_id
    }
}

/// Handles are equal when they are the same reference.
impl PartialEq for Rooted {
    fn eq(&self, other: &Self) -> bool {
        (self.store_id, self.word) == (other.store_id, other.word)
    }
}

impl Eq for Rooted {}

impl std::hash::Hash for Rooted {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (self.store_id, self.word).hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_end_with_their_scope() {
        let mut roots = Roots::default();
        let outer = roots.add(1, 16);
        let scope = roots.enter();
        let inner = roots.add(1, 16);
        assert_eq!(outer, inner);
        assert_eq!(roots.words().count(), 2);
        roots.leave(scope);
        assert_eq!(roots.word(&outer), 16);
        let reused = roots.add(1, 32);
        assert_eq!(roots.word(&reused), 32);
        let stale = std::panic::catch_unwind(|| roots.word(&inner));
        assert!(stale.is_err(), "the place is another handle's now");
    }
}
