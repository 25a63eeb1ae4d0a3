//! What an instance holds when the calls are over.

use super::digest::Digest;
use super::value::Value;
use serde::Serialize;
use std::fmt;

/// The state of an instance: everything in its index spaces that can change,
/// exported or not, imported or not, in index order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct State {
    /// The globals' values.
    pub globals: Vec<Value>,
    /// The memories.
    pub memories: Vec<Memory>,
    /// The tables.
    pub tables: Vec<Table>,
    /// The continuations that globals and tables refer to, in the order of the
    /// references, one for each.
    pub continuations: Vec<Continuation>,
}

/// A memory: its size and its content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// The size in pages of 64 KiB.
    pub pages: u64,
    /// The digest of the content without the zero bytes at its end.
    pub hash: Digest,
    /// The content without the zero bytes at its end.
    #[serde(skip)]
    content: Vec<u8>,
}

impl Memory {
    /// Describes a memory of `pages` pages with this content.
    pub fn new(pages: u64, content: &[u8]) -> Memory {
        let used = content.iter().rposition(|&b| b != 0).map_or(0, |i| i + 1);
        let content = content[..used].to_vec();
        Memory {
            pages,
            hash: Digest::of(&content),
            content,
        }
    }

    /// The byte at `address`; bytes behind the stored content are zero.
    pub fn byte(&self, address: usize) -> u8 {
        self.content.get(address).copied().unwrap_or(0)
    }

    /// The addresses at which the two memories differ, ascending.
    pub fn differences<'a>(&'a self, other: &'a Memory) -> impl Iterator<Item = usize> + 'a {
        let end = self.content.len().max(other.content.len());
        (0..end).filter(move |&i| self.byte(i) != other.byte(i))
    }
}

/// A table: its elements, and so its size.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Table {
    /// The number of elements.
    pub size: u64,
    /// The elements without the nulls at the end.
    pub elements: Vec<Value>,
}

impl Table {
    /// Describes a table with these elements.
    pub fn new(mut elements: Vec<Value>) -> Table {
        let size = elements.len() as u64;
        let used = elements.iter().rposition(|v| *v != Value::Null);
        elements.truncate(used.map_or(0, |i| i + 1));
        Table { size, elements }
    }

    /// The element at `index`; elements behind the stored ones are null.
    pub fn element(&self, index: usize) -> Value {
        self.elements.get(index).copied().unwrap_or(Value::Null)
    }
}

/// A continuation that the state refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Continuation {
    /// Its number in the store, where the engine knows it.
    pub number: Option<u64>,
    /// Whether it was resumed, bound or switched to, where the engine tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consumed: Option<bool>,
}

impl Continuation {
    /// The continuation as a value.
    pub fn value(self) -> Value {
        Value::Cont(self.number)
    }
}

impl fmt::Display for Continuation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let consumed = match self.consumed {
            Some(true) => "consumed",
            Some(false) => "alive",
            None => "perhaps consumed",
        };
        write!(f, "{}, {consumed}", self.value())
    }
}

impl State {
    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut Value> {
        let elements = self.tables.iter_mut().flat_map(|t| t.elements.iter_mut());
        self.globals.iter_mut().chain(elements)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_memory_differs_where_its_bytes_do() {
        let a = Memory::new(1, &[1, 2, 3, 0, 0]);
        let b = Memory::new(1, &[1, 9, 3, 0, 4]);
        assert_eq!(a.differences(&b).collect::<Vec<_>>(), [1, 4]);
        assert_ne!(a.hash, b.hash);
        assert_eq!(a, Memory::new(1, &[1, 2, 3]));
        assert_ne!(a, Memory::new(2, &[1, 2, 3]));
    }

    #[test]
    fn a_table_keeps_its_size_when_it_ends_in_nulls() {
        let t = Table::new(vec![Value::Func(1), Value::Null, Value::Null]);
        assert_eq!((t.size, t.elements.len()), (3, 1));
        assert_eq!(t.element(2), Value::Null);
    }
}
