//! No NaN shows bits that the specification leaves open.

use super::*;
use wasmparser::Operator;

#[test]
fn floats_are_canonical_wherever_their_bits_show() {
    for (seed, module) in modules(500) {
        for payload in Parser::new(0).parse_all(&module.wasm) {
            let Payload::CodeSectionEntry(body) = payload.unwrap() else {
                continue;
            };
            let mut before = None;
            for operator in body.get_operators_reader().unwrap() {
                let operator = operator.unwrap();
                let shows = matches!(
                    operator,
                    Operator::I32ReinterpretF32
                        | Operator::I64ReinterpretF64
                        | Operator::F32Copysign
                        | Operator::F64Copysign
                        | Operator::F32x4Splat
                        | Operator::F64x2Splat
                        | Operator::F32x4ReplaceLane { .. }
                        | Operator::F64x2ReplaceLane { .. }
                );
                let canonical = matches!(before, Some(Operator::Call { .. }));
                assert!(
                    !shows || canonical,
                    "seed {seed}: {operator:?} of what may be any NaN"
                );
                before = Some(operator);
            }
        }
    }
}

/// The operators whose result has lanes that the specification leaves open, by their names, so that none is forgotten.
#[test]
fn vectors_of_floats_are_canonical_at_once() {
    let exact = [
        "Abs",
        "Neg",
        "PMin",
        "PMax",
        "Splat",
        "ReplaceLane",
        "ConvertI",
        "ConvertLowI",
    ];
    let open = |name: &str| {
        let lanes = name.strip_prefix("F32x4").or(name.strip_prefix("F64x2"));
        lanes.is_some_and(|rest| {
            !exact.iter().any(|exact| rest.starts_with(exact))
                && !rest.starts_with("ExtractLane")
                && !["Eq", "Ne", "Lt", "Gt", "Le", "Ge"].contains(&rest)
        })
    };
    let mut seen = 0;
    for (seed, module) in modules(500) {
        for payload in Parser::new(0).parse_all(&module.wasm) {
            let Payload::CodeSectionEntry(body) = payload.unwrap() else {
                continue;
            };
            let mut before = String::new();
            for operator in body.get_operators_reader().unwrap() {
                let name = format!("{:?}", operator.unwrap());
                let name = name.split([' ', '(']).next().unwrap_or_default();
                if open(&before) {
                    seen += 1;
                    assert_eq!(name, "Call", "seed {seed}: {before} may show any NaN");
                }
                before = name.to_owned();
            }
        }
    }
    assert!(seen > 100, "only {seen} instructions on float lanes");
}
