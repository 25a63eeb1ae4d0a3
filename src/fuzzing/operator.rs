//! Which instructions of a module were executed, by name and proposal.

use crate::linked;
use std::collections::{BTreeMap, BTreeSet};
use wasmparser::{Operator, Parser, Payload};

macro_rules! table {
    ($(@$proposal:ident $op:ident $({ $($arg:ident: $argty:ty),* })? => $visit:ident ($($ann:tt)*))*) => {
        /// All instructions: proposal, and name of wasmparser's visitor.
        const ALL: &[(&str, &str)] = &[$((stringify!($proposal), stringify!($visit)),)*];

        fn visitor(operator: &Operator<'_>) -> &'static str {
            match operator {
                $(Operator::$op { .. } => stringify!($visit),)*
                _ => "visit_unknown",
            }
        }
    };
}

wasmparser::for_each_operator!(table);

/// The instruction's name, as in the text format.
fn name(visitor: &str) -> String {
    let name = visitor.strip_prefix("visit_").unwrap_or(visitor);
    // The part before the point is a type or a space of indices.
    const BEFORE: [&str; 24] = [
        "i32", "i64", "f32", "f64", "v128", "i8x16", "i16x8", "i32x4", "i64x2", "f32x4", "f64x2",
        "i31", "local", "global", "table", "memory", "ref", "struct", "array", "data", "elem",
        "cont", "any", "extern",
    ];
    match name.split_once('_') {
        Some((before, after)) if BEFORE.contains(&before) => format!("{before}.{after}"),
        _ => name.to_owned(),
    }
}

/// The names of the instructions at these offsets (ascending) in a module.
pub(super) fn executed(wasm: &[u8], offsets: &[u32]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for wasm in linked::modules(wasm) {
        for payload in Parser::new(0).parse_all(&wasm) {
            let Ok(Payload::CodeSectionEntry(body)) = payload else {
                continue;
            };
            let Ok(reader) = body.get_operators_reader() else {
                break;
            };
            for (operator, offset) in reader.into_iter_with_offsets().flatten() {
                if offsets.binary_search(&(offset as u32)).is_ok() {
                    names.insert(visitor(&operator));
                }
            }
        }
    }
    names.into_iter().map(name).collect()
}

/// What was executed of one proposal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct ProposalCount {
    /// How many of its instructions were executed at least once.
    pub executed: u64,
    /// How many instructions it has.
    pub instructions: u64,
    /// The number of modules in which the instruction of it was executed that was so in most modules.
    pub modules: u64,
}

/// Sums up by proposal in how many modules each instruction was executed.
pub(super) fn by_proposal(
    modules: &BTreeMap<String, u64>,
) -> BTreeMap<&'static str, ProposalCount> {
    let mut counts: BTreeMap<_, ProposalCount> = BTreeMap::new();
    for (proposal, visitor) in ALL {
        let count = counts.entry(*proposal).or_default();
        count.instructions += 1;
        if let Some(&modules) = modules.get(&name(visitor)) {
            count.executed += 1;
            count.modules = count.modules.max(modules);
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_text_format() {
        for (visitor, text) in [
            ("visit_i32_add", "i32.add"),
            ("visit_br_if", "br_if"),
            ("visit_i8x16_extract_lane_s", "i8x16.extract_lane_s"),
            ("visit_ref_as_non_null", "ref.as_non_null"),
            ("visit_cont_new", "cont.new"),
            ("visit_v128_load8_lane", "v128.load8_lane"),
        ] {
            assert_eq!(name(visitor), text);
        }
    }

    #[test]
    fn what_is_at_the_offsets_is_what_was_executed() {
        let wasm = wat::parse_str("(module (func nop (drop (i32.const 1)) unreachable))").unwrap();
        let mut offsets = Vec::new();
        for payload in Parser::new(0).parse_all(&wasm) {
            if let Payload::CodeSectionEntry(body) = payload.unwrap() {
                let reader = body.get_operators_reader().unwrap();
                offsets.extend(
                    reader
                        .into_iter_with_offsets()
                        .map(|op| op.unwrap().1 as u32),
                );
            }
        }
        let names: Vec<_> = executed(&wasm, &offsets[..2]).into_iter().collect();
        assert_eq!(names, ["i32.const", "nop"]);
        let modules = names.into_iter().map(|name| (name, 3)).collect();
        let mvp = by_proposal(&modules)["mvp"];
        assert_eq!((mvp.executed, mvp.modules), (2, 3));
        assert!(mvp.instructions > 150);
    }
}
