//! The seven instructions of stack switching, and which of them an event shows.

use crate::observe::{Event, EventKind};
use serde::{Deserialize, Serialize};
use std::fmt;

/// An instruction of stack switching.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Instruction {
    /// `cont.new`
    #[serde(rename = "cont.new")]
    ContNew,
    /// `cont.bind`
    #[serde(rename = "cont.bind")]
    ContBind,
    /// `suspend`
    #[serde(rename = "suspend")]
    Suspend,
    /// `resume`
    #[serde(rename = "resume")]
    Resume,
    /// `resume_throw`
    #[serde(rename = "resume_throw")]
    ResumeThrow,
    /// `resume_throw_ref`
    #[serde(rename = "resume_throw_ref")]
    ResumeThrowRef,
    /// `switch`
    #[serde(rename = "switch")]
    Switch,
}

impl Instruction {
    /// All seven, in the order of their opcodes, which are 0xe0 to 0xe6.
    pub const ALL: [Instruction; 7] = [
        Instruction::ContNew,
        Instruction::ContBind,
        Instruction::Suspend,
        Instruction::Resume,
        Instruction::ResumeThrow,
        Instruction::ResumeThrowRef,
        Instruction::Switch,
    ];

    /// The name in the text format.
    pub fn name(self) -> &'static str {
        match self {
            Instruction::ContNew => "cont.new",
            Instruction::ContBind => "cont.bind",
            Instruction::Suspend => "suspend",
            Instruction::Resume => "resume",
            Instruction::ResumeThrow => "resume_throw",
            Instruction::ResumeThrowRef => "resume_throw_ref",
            Instruction::Switch => "switch",
        }
    }

    /// The instruction that took the step `event`, an event of the module
    /// `wasm`; `None` if it was none of the seven.
    ///
    /// The opcode in the binary decides, because two of the seven record the
    /// same event.
    pub fn of(event: &Event, wasm: &[u8]) -> Option<Instruction> {
        match event.kind {
            EventKind::New { .. }
            | EventKind::Bind { .. }
            | EventKind::Resume { .. }
            | EventKind::ResumeThrow { .. }
            | EventKind::Suspend { .. }
            | EventKind::Switch { .. }
            | EventKind::Unhandled { .. } => {
                let opcode = *wasm.get(event.at?.offset as usize)?;
                Self::ALL
                    .get(usize::from(opcode.checked_sub(0xe0)?))
                    .copied()
            }
            _ => None,
        }
    }
}

impl fmt::Display for Instruction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Whether a step makes, consumes or changes a stack: all steps but those of
/// exceptions within a stack, of host calls and of traps.
pub(super) fn is_stack_switching(event: &Event) -> bool {
    match event.kind {
        EventKind::New { .. }
        | EventKind::Bind { .. }
        | EventKind::Resume { .. }
        | EventKind::ResumeThrow { .. }
        | EventKind::Suspend { .. }
        | EventKind::Switch { .. }
        | EventKind::Unhandled { .. }
        | EventKind::Return { .. }
        | EventKind::Unwind { .. } => true,
        EventKind::Throw { .. }
        | EventKind::Catch { .. }
        | EventKind::HostCall { .. }
        | EventKind::HostReturn { .. }
        | EventKind::Trap { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::Location;
    use wasmparser::{Operator, Parser, Payload};

    #[test]
    fn the_opcodes_are_those_of_the_binary_format() {
        let wasm = wat::parse_str(
            "(module
               (type $f (func)) (type $k (cont $f))
               (type $g (func (param (ref null $k)))) (type $c (cont $g))
               (tag $t) (func $b) (elem declare func $b)
               (func (drop (cont.bind $k $k (cont.new $k (ref.func $b))))
                 (suspend $t)
                 (resume $k (ref.null $k))
                 (resume_throw $k $t (ref.null $k))
                 (resume_throw_ref $k (ref.null exn) (ref.null $k))
                 (switch $c $t (ref.null $c))))",
        )
        .unwrap();
        let mut seen = Vec::new();
        for payload in Parser::new(0).parse_all(&wasm) {
            let Payload::CodeSectionEntry(body) = payload.unwrap() else {
                continue;
            };
            for item in body
                .get_operators_reader()
                .unwrap()
                .into_iter_with_offsets()
            {
                let (operator, offset) = item.unwrap();
                let event = Event {
                    // Only the place matters, not which of the events it is.
                    kind: EventKind::New {
                        cont: 0,
                        function: 0,
                    },
                    at: Some(Location {
                        function: 1,
                        offset: u32::try_from(offset).unwrap(),
                    }),
                };
                let expected = match operator {
                    Operator::ContNew { .. } => Instruction::ContNew,
                    Operator::ContBind { .. } => Instruction::ContBind,
                    Operator::Suspend { .. } => Instruction::Suspend,
                    Operator::Resume { .. } => Instruction::Resume,
                    Operator::ResumeThrow { .. } => Instruction::ResumeThrow,
                    Operator::ResumeThrowRef { .. } => Instruction::ResumeThrowRef,
                    Operator::Switch { .. } => Instruction::Switch,
                    _ => continue,
                };
                assert_eq!(Instruction::of(&event, &wasm), Some(expected));
                seen.push(expected);
            }
        }
        seen.sort();
        assert_eq!(seen, Instruction::ALL);
    }
}
