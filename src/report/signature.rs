//! What makes two findings likely the same bug.

use super::{Relation, Report};
use crate::compare::Kind;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The signature of a finding: equal for findings that are likely one bug, and free of everything that changes when a case is
/// reduced (indices, offsets, values). Findings are grouped by it, and a reduction keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Signature {
    /// The kind of the difference, or `panic`, `crash`, `hang`.
    pub kind: Kind,
    /// The engines that differ, the reference last; for a crash or a hang those that are known to have it.
    pub engines: Vec<String>,
    /// The instruction that behaves differently, by its name in the text format; for a crash or a panic how it ended. `None`,
    /// if nothing says so: the last instruction before a difference is no mark of the bug.
    pub at: Option<String>,
}

impl Signature {
    /// The signature of a finding that no comparison made.
    pub fn other(kind: &str, at: Option<&str>) -> Signature {
        Signature {
            kind: Kind::other(kind),
            engines: Vec::new(),
            // Numbers in a message are addresses, indices and sizes.
            at: at.map(without_numbers),
        }
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        if let Some(at) = &self.at {
            write!(f, " at {at}")?;
        }
        if !self.engines.is_empty() {
            write!(f, " ({})", self.engines.join(", "))?;
        }
        Ok(())
    }
}

impl Report {
    /// The signature of the divergence.
    pub fn signature(&self) -> Signature {
        let divergence = &self.divergence;
        Signature {
            kind: divergence.kind.clone(),
            engines: vec![divergence.left.clone(), divergence.right.clone()],
            at: self.mnemonic(),
        }
    }

    /// The name of the instruction at the divergence.
    fn mnemonic(&self) -> Option<String> {
        let instruction = self.instruction.as_ref()?;
        if instruction.relation != Relation::At {
            return None;
        }
        let excerpt = instruction.excerpt.as_ref()?;
        let line = &excerpt.lines.get(excerpt.marked)?.text;
        line.split_whitespace().next().map(str::to_owned)
    }
}

/// The first line of a message with every number replaced by `#`.
fn without_numbers(message: &str) -> String {
    let mut shape = String::new();
    for c in message.lines().next().unwrap_or_default().chars() {
        match c {
            '0'..='9' if shape.ends_with('#') => {}
            '0'..='9' => shape.push('#'),
            c => shape.push(c),
        }
    }
    shape
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_messages_make_no_difference() {
        let of = |message| Signature::other("panic", Some(message));
        assert_eq!(of("index 17 of 5\nmore"), of("index 3 of 1024"));
        assert_ne!(of("index 17 of 5"), of("index 17 in 5"));
        assert_eq!(of("index 17 of 5").to_string(), "panic at index # of #");
    }
}
