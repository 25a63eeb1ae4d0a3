//! A function body as a list of operators that know the operands before them.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use wasm_encoder::reencode::{self, Reencode, RoundtripReencoder};
use wasm_encoder::{Catch, Encode, Handle, HeapType, Instruction, RefType, ValType};
use wasmparser::types::CoreTypeId;
use wasmparser::{
    FuncValidatorAllocations, Operator, Parser, UnpackedIndex, ValidPayload, Validator,
    WasmFeatures,
};

/// The body of a function.
pub(crate) struct Body<'a> {
    /// The declarations of locals, as they are encoded.
    locals: &'a [u8],
    /// Its operators; the last is the `end` of the function.
    pub(crate) code: Vec<Code<'a>>,
    /// How many locals are the function's parameters.
    pub(crate) params: u32,
    /// The types of the other locals.
    pub(crate) declared: Vec<ValType>,
    /// The function's results, where its end is reached.
    pub(crate) results: Vec<ValType>,
}

/// Most operands that are noted for an operator. All of them, for each operator, would be more memory than there is in a
/// function that first pushes all that it needs.
const OPERANDS: usize = 256;

/// An operator in its place.
pub(crate) struct Code<'a> {
    pub(crate) operator: Operator<'a>,
    bytes: &'a [u8],
    /// The types of the operands above those that the enclosing block must leave alone; `None` in code that is never
    /// reached, where nothing is known, and where there are more than [`OPERANDS`].
    pub(crate) before: Option<Vec<ValType>>,
    /// Where the block that this opens ends.
    pub(crate) end: Option<usize>,
    /// How many blocks are around it.
    pub(crate) depth: u32,
}

/// Reads the bodies of a valid module, all of them or only the one with this number.
pub(crate) fn read(wasm: &[u8], only: Option<usize>) -> Result<Vec<Body<'_>>, wasmparser::Error> {
    let mut validator = Validator::new_with_features(WasmFeatures::all());
    let mut bodies = Vec::new();
    let mut indices = Indices::default();
    let mut number = 0;
    for payload in Parser::new(0).parse_all(wasm) {
        let ValidPayload::Func(function, body) = validator.payload(&payload?)? else {
            continue;
        };
        number += 1;
        if only.is_some_and(|only| only + 1 != number) {
            continue;
        }
        if indices.0.is_empty() {
            indices = Indices::of(&validator);
        }
        let mut function = function.into_validator(FuncValidatorAllocations::default());
        let mut reader = body.get_binary_reader();
        let start = reader.original_position();
        let params = function.len_locals();
        function.read_locals(&mut reader)?;
        let declared = (params..function.len_locals()).filter_map(|local| {
            let ty = function.get_local_type(local)?;
            indices.val_type(ty).ok()
        });
        let declared = declared.collect();
        let at = |position: u64| position as usize;
        let mut read = Body {
            locals: &wasm[at(start)..at(reader.original_position())],
            code: Vec::new(),
            params,
            declared,
            results: Vec::new(),
        };
        let mut open = Vec::new();
        let mut operators = body.get_operators_reader()?;
        while !operators.eof() {
            let (operator, offset) = operators.read_with_offset()?;
            let end = operators.original_position();
            let index = read.code.len();
            let depth = open.len() as u32;
            let before = operands(&function, &mut indices);
            match operator {
                Operator::End => {
                    if let Some(opener) = open.pop() {
                        let opener: &mut Code<'_> = &mut read.code[opener];
                        opener.end = Some(index);
                    } else if let Some(before) = &before {
                        read.results = before.clone();
                    }
                }
                _ if opens(&operator) => open.push(index),
                _ => {}
            }
            function.op(offset, &operator)?;
            read.code.push(Code {
                operator,
                bytes: &wasm[at(offset)..at(end)],
                before,
                end: None,
                depth,
            });
        }
        bodies.push(read);
    }
    Ok(bodies)
}

/// Whether an operator opens a block.
fn opens(operator: &Operator<'_>) -> bool {
    matches!(
        operator,
        Operator::Block { .. }
            | Operator::Loop { .. }
            | Operator::If { .. }
            | Operator::Try { .. }
            | Operator::TryTable { .. }
    )
}

type FunctionValidator = wasmparser::FuncValidator<wasmparser::ValidatorResources>;

/// The operands of the innermost block; `None` where code is unreachable.
fn operands(function: &FunctionValidator, indices: &mut Indices) -> Option<Vec<ValType>> {
    let frame = function.get_control_frame(0)?;
    if frame.unreachable {
        return None;
    }
    let count = function.operand_stack_height() as usize - frame.height;
    if count > OPERANDS {
        return None;
    }
    let ty = |depth| indices.val_type(function.get_operand_type(depth)??).ok();
    (0..count).rev().map(ty).collect()
}

/// The index in the module of each type that the validator knows by its identity.
#[derive(Default)]
struct Indices(HashMap<CoreTypeId, u32>);

impl Indices {
    fn of(validator: &Validator) -> Indices {
        let Some(types) = validator.types(0) else {
            return Indices::default();
        };
        // Of types that are the same the first stands for all.
        let all = (0..types.core_type_count_in_module()).rev();
        Indices(
            all.map(|index| (types.core_type_at_in_module(index), index))
                .collect(),
        )
    }
}

impl Reencode for Indices {
    type Error = ();

    fn type_index_unpacked(&mut self, index: UnpackedIndex) -> Result<u32, reencode::Error<()>> {
        let index = match index {
            UnpackedIndex::Module(index) => Some(index),
            UnpackedIndex::Id(id) => self.0.get(&id).copied(),
            UnpackedIndex::RecGroup(_) => None,
        };
        index.ok_or(reencode::Error::UserError(()))
    }
}

impl Body<'_> {
    /// The encoded body with a range of operators replaced.
    pub(crate) fn with(&self, range: Range<usize>, replacement: &[u8]) -> Vec<u8> {
        let mut bytes = self.locals.to_vec();
        let mut copy = |code: &[Code<'_>]| code.iter().for_each(|c| bytes.extend(c.bytes));
        copy(&self.code[..range.start]);
        let tail = &self.code[range.end..];
        bytes.extend(replacement);
        tail.iter().for_each(|c| bytes.extend(c.bytes));
        bytes
    }

    /// The encoded body with others in the place of some operators.
    pub(super) fn with_all(&self, replaced: &BTreeMap<usize, Vec<u8>>) -> Vec<u8> {
        self.with_all_after(self.locals.to_vec(), replaced)
    }

    /// As [`Body::with_all`], after other declarations of locals.
    pub(super) fn with_all_after(
        &self,
        locals: Vec<u8>,
        replaced: &BTreeMap<usize, Vec<u8>>,
    ) -> Vec<u8> {
        let mut bytes = locals;
        for (index, code) in self.code.iter().enumerate() {
            bytes.extend(replaced.get(&index).map_or(code.bytes, Vec::as_slice));
        }
        bytes
    }

    /// The operators that make an operand of the one at `at`, that with so many operands `above` it, up to what makes the next one.
    ///
    /// This goes by the number of operands alone, so what is left without them may need a look by the validator.
    pub(super) fn operand(&self, at: usize, above: usize) -> Option<Range<usize>> {
        let height = self.height(at)?.checked_sub(above)?;
        let mut end = (above == 0).then_some(at);
        for index in self.earlier(at) {
            match self.height(index)?.cmp(&height) {
                Ordering::Equal if end.is_none() => end = Some(index),
                Ordering::Less => return Some(index..end?),
                _ => {}
            }
        }
        None
    }

    /// The fewest operators before the one at `end` that leave as many operands as they find.
    pub(super) fn statement(&self, end: usize) -> Option<Range<usize>> {
        let height = self.height(end)?;
        let mut earlier = self.earlier(end);
        let start =
            earlier.find(|index| self.height(*index).is_none_or(|found| found <= height))?;
        (self.height(start)? == height).then_some(start..end)
    }

    /// The number of operands before an operator.
    fn height(&self, index: usize) -> Option<usize> {
        Some(self.code[index].before.as_deref()?.len())
    }

    /// The operators of the same block before the one at `index`, the nearest first; of a block in it only the opener.
    fn earlier(&self, index: usize) -> impl Iterator<Item = usize> {
        let depth = self.code[index].depth;
        let all = (0..index).rev();
        let level = all.filter(move |index| self.code[*index].depth <= depth);
        level.take_while(move |index| {
            let code = &self.code[*index];
            code.depth == depth && !matches!(code.operator, Operator::Else)
        })
    }

    /// The encoding of a range of operators.
    pub(crate) fn bytes(&self, range: Range<usize>) -> Vec<u8> {
        self.code[range]
            .iter()
            .flat_map(|c| c.bytes)
            .copied()
            .collect()
    }

    /// The operator at an index as an instruction that can be changed.
    pub(crate) fn instruction(&self, index: usize) -> Option<Instruction<'_>> {
        let operator = self.code[index].operator.clone();
        RoundtripReencoder.instruction(operator).ok()
    }

    /// The smallest whole range from `start` on with at least `count` operators: blocks that it opens are closed in it. None,
    /// if the enclosing block ends first.
    pub(crate) fn whole(&self, start: usize, count: usize) -> Option<Range<usize>> {
        let mut end = start;
        while end < start + count {
            let code = self.code.get(end)?;
            if matches!(code.operator, Operator::End | Operator::Else) {
                return None;
            }
            end = code.end.unwrap_or(end) + 1;
        }
        // The last `end` closes the function.
        (end < self.code.len()).then_some(start..end)
    }

    /// Where the innermost block around an operator (or the branch of an `if`) ends.
    pub(crate) fn end_of_block(&self, index: usize) -> usize {
        let mut at = index;
        loop {
            let code = &self.code[at];
            if matches!(code.operator, Operator::End | Operator::Else) {
                return at;
            }
            at = code.end.unwrap_or(at) + 1;
        }
    }

    /// What does to the operands' types what a whole range does, and nothing else: operands go, zeros and nulls come.
    pub(crate) fn replacement(&self, range: &Range<usize>) -> Option<Vec<u8>> {
        let before = self.code[range.start].before.as_deref()?;
        let after = self.code[range.end].before.as_deref()?;
        let common = before.iter().zip(after).take_while(|(b, a)| b == a).count();
        let mut bytes = Vec::new();
        for _ in common..before.len() {
            Instruction::Drop.encode(&mut bytes);
        }
        defaults(&after[common..], &mut bytes);
        Some(bytes)
    }
}

/// Appends what pushes a default value of each type; of a reference that is not nullable, what traps.
pub(crate) fn defaults(types: &[ValType], bytes: &mut Vec<u8>) {
    for ty in types {
        match *ty {
            ValType::I32 => Instruction::I32Const(0).encode(bytes),
            ValType::I64 => Instruction::I64Const(0).encode(bytes),
            ValType::F32 => Instruction::F32Const(0.0.into()).encode(bytes),
            ValType::F64 => Instruction::F64Const(0.0.into()).encode(bytes),
            ValType::V128 => Instruction::V128Const(0).encode(bytes),
            ValType::Ref(RefType {
                nullable,
                heap_type,
            }) => {
                // A null of an exact type is written as one of the type.
                let heap_type = match heap_type {
                    HeapType::Exact(index) => HeapType::Concrete(index),
                    other => other,
                };
                Instruction::RefNull(heap_type).encode(bytes);
                if !nullable {
                    Instruction::RefAsNonNull.encode(bytes);
                }
            }
        }
    }
}

/// Changes every label of an instruction. Nothing, if `change` has nothing for one of them.
pub(crate) fn relabel(
    instruction: &mut Instruction<'_>,
    change: impl Fn(u32) -> Option<u32>,
) -> Option<()> {
    let apply = |label: &mut u32| -> Option<()> {
        *label = change(*label)?;
        Some(())
    };
    match instruction {
        Instruction::Br(label)
        | Instruction::BrIf(label)
        | Instruction::BrOnNull(label)
        | Instruction::BrOnNonNull(label)
        | Instruction::Delegate(label)
        | Instruction::Rethrow(label) => apply(label)?,
        Instruction::BrTable(labels, default) => {
            for label in labels.to_mut() {
                apply(label)?;
            }
            apply(default)?;
        }
        Instruction::BrOnCast { relative_depth, .. }
        | Instruction::BrOnCastFail { relative_depth, .. }
        | Instruction::BrOnCastDescEq { relative_depth, .. }
        | Instruction::BrOnCastDescEqFail { relative_depth, .. } => apply(relative_depth)?,
        Instruction::TryTable(_, catches) => {
            for catch in catches.to_mut() {
                let (Catch::One { label, .. }
                | Catch::OneRef { label, .. }
                | Catch::All { label }
                | Catch::AllRef { label }) = catch;
                apply(label)?;
            }
        }
        Instruction::Resume { resume_table, .. }
        | Instruction::ResumeThrow { resume_table, .. }
        | Instruction::ResumeThrowRef { resume_table, .. } => {
            for handle in resume_table.to_mut() {
                if let Handle::OnLabel { label, .. } = handle {
                    apply(label)?;
                }
            }
        }
        _ => {}
    }
    Some(())
}

/// The encoding of one instruction.
pub(crate) fn encoded(instruction: &Instruction<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    instruction.encode(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of each operator of the first function the range that `of` gives, as the names of its operators.
    fn ranges(text: &str, of: impl Fn(&Body<'_>, usize) -> Option<Range<usize>>) -> Vec<String> {
        let wasm = wat::parse_str(text).unwrap();
        let body = read(&wasm, Some(0)).unwrap().pop().unwrap();
        let named = |range: Range<usize>| {
            let names = body.code[range].iter().map(|code| {
                let name = format!("{:?}", code.operator);
                name.split(' ').next().unwrap_or_default().to_owned()
            });
            names.collect::<Vec<_>>().join(" ")
        };
        let all = 0..body.code.len();
        all.map(|at| of(&body, at).map_or("-".to_owned(), named))
            .collect()
    }

    const SUM: &str = "(module (func (result i32)
        (drop (i64.const 1))
        (i32.add (i32.eqz (i32.const 2)) (block (result i32) (nop) (i32.const 3)))))";

    #[test]
    fn an_operand_is_what_makes_it_up_to_the_next_one() {
        // i64.const drop i32.const i32.eqz block nop i32.const end i32.add end
        let top = ranges(SUM, |body, at| body.operand(at, 0));
        assert_eq!(top[1], "I64Const");
        assert_eq!(top[8], "Block Nop I32Const End");
        assert_eq!(top[9], "I32Const I32Eqz Block Nop I32Const End I32Add");
        // Not what is before the block.
        assert_eq!((top[5].as_str(), top[7].as_str()), ("-", "I32Const"));
        let second = ranges(SUM, |body, at| body.operand(at, 1));
        assert_eq!(second[8], "I32Const I32Eqz");
        assert_eq!((second[1].as_str(), second[9].as_str()), ("-", "-"));
    }

    #[test]
    fn a_statement_leaves_as_many_operands_as_it_finds() {
        let all = ranges(SUM, |body, at| body.statement(at));
        assert_eq!(all[2], "I64Const Drop");
        assert_eq!((all[1].as_str(), all[4].as_str()), ("-", "I32Eqz"));
        assert_eq!(all[6], "Nop");
        // The two branches of an `if` are two blocks.
        let branches = ranges(
            "(module (func (if (i32.const 1) (then (nop)) (else (drop (i32.const 2)) (nop)))))",
            |body, at| body.statement(at),
        );
        // i32.const if nop else i32.const drop nop end end
        assert_eq!(branches[4], "-");
        assert_eq!(branches[6], "I32Const Drop");
        assert_eq!(branches[8], "I32Const If Nop Else I32Const Drop Nop End");
    }

    #[test]
    fn operators_are_replaced_where_they_stand() {
        let wasm = wat::parse_str(SUM).unwrap();
        let body = read(&wasm, Some(0)).unwrap().pop().unwrap();
        assert_eq!(body.with_all(&BTreeMap::new()), body.with(0..0, &[]));
        let one = encoded(&Instruction::I32Const(1));
        let replaced = BTreeMap::from([(0, one.clone()), (5, Vec::new())]);
        let bytes = body.with_all(&replaced);
        assert_eq!(bytes[1..3], one);
        assert_eq!(bytes.len(), body.with(0..0, &[]).len() - 1);
    }

    #[test]
    fn only_so_many_operands_are_noted() {
        let pushes = "(i32.const 0) ".repeat(OPERANDS + 1);
        let text = format!("(module (func {pushes} (unreachable)))");
        let wasm = wat::parse_str(text).unwrap();
        let body = read(&wasm, Some(0)).unwrap().pop().unwrap();
        assert!(body.code[OPERANDS].before.is_some());
        assert!(body.code[OPERANDS + 1].before.is_none());
    }
}
