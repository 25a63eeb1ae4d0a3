//! How large a module is, for whoever has to read it.

use crate::linked::Provider;
use serde::Serialize;
use wasmparser::{Operator, Parser, Payload};

/// The size of a module, or of two that are linked. A smaller one has fewer instructions; with as many, fewer that do something; with as many of these,
/// fewer bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Measure {
    /// Instructions in function bodies. `end` and `else` delimit and do not count.
    pub instructions: usize,
    /// Those of them that are neither `drop`, `unreachable` nor a zero or null constant.
    pub significant: usize,
    /// Bytes, without custom sections.
    pub bytes: usize,
}

impl Measure {
    /// Measures a module with its provider, if it has one.
    ///
    /// # Errors
    ///
    /// If it is malformed.
    pub fn of(wasm: &[u8]) -> Result<Measure, wasmparser::Error> {
        let mut measure = Measure::of_one(wasm)?;
        if let Some(provider) = Provider::of(wasm).ok().flatten() {
            let of_provider = Measure::of_one(provider.wasm)?;
            measure.instructions += of_provider.instructions;
            measure.significant += of_provider.significant;
            measure.bytes += of_provider.bytes;
        }
        Ok(measure)
    }

    fn of_one(wasm: &[u8]) -> Result<Measure, wasmparser::Error> {
        let mut measure = Measure {
            instructions: 0,
            significant: 0,
            bytes: wasm.len(),
        };
        for payload in Parser::new(0).parse_all(wasm) {
            match payload? {
                Payload::CodeSectionEntry(body) => {
                    for operator in body.get_operators_reader()? {
                        measure.add(&operator?);
                    }
                }
                Payload::CustomSection(section) => {
                    let range = section.range();
                    measure.bytes -= (range.end - range.start) as usize;
                }
                _ => {}
            }
        }
        Ok(measure)
    }

    fn add(&mut self, operator: &Operator<'_>) {
        if matches!(operator, Operator::End | Operator::Else) {
            return;
        }
        self.instructions += 1;
        self.significant += usize::from(!is_trivial(operator));
    }
}

/// Whether an instruction is one that reductions put in the place of others.
fn is_trivial(operator: &Operator<'_>) -> bool {
    match operator {
        Operator::Drop
        | Operator::Unreachable
        | Operator::I32Const { value: 0 }
        | Operator::I64Const { value: 0 }
        | Operator::RefNull { .. } => true,
        Operator::F32Const { value } => value.bits() == 0,
        Operator::F64Const { value } => value.bits() == 0,
        Operator::V128Const { value } => value.bytes() == &[0; 16],
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_count_and_delimiters_and_custom_sections_do_not() {
        let measure = |text: &str| Measure::of(&wat::parse_str(text).unwrap()).unwrap();
        let plain =
            measure("(module (func (if (i32.const 1) (then (drop (i32.const 0))) (else))))");
        assert_eq!((plain.instructions, plain.significant), (4, 2));
        let named =
            measure("(module (func $name (if (i32.const 1) (then (drop (i32.const 0))) (else))))");
        assert_eq!((named.instructions, named.significant), (4, 2));
        // The header of the section is two bytes, which do count.
        assert!(named.bytes <= plain.bytes + 2);
    }
}
