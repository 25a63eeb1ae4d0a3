//! A body with marks.

use super::additions::{Additions, Types};
use super::{Kept, What, inexact, labelled, labels, top};
use crate::reduce::body::{Body, Code, encoded, relabel};
use std::collections::BTreeSet;
use wasm_encoder::{BlockType, Catch, Encode, FuncType, Function, Instruction, RefType, ValType};
use wasmparser::Operator;

/// The marks of a body: operator, what is shown, and the number that says which mark it is.
type Marks = BTreeSet<(usize, What, i64)>;

/// The encoded body with marks; nothing, if one of them does not fit.
pub(super) fn rewritten(
    body: &Body<'_>,
    ty: &FuncType,
    types: &Types,
    marks: &Marks,
    additions: &mut Additions<'_>,
) -> Option<Vec<u8>> {
    let mut rewrite = Rewrite {
        body,
        parameters: ty.params(),
        types,
        additions,
        open: vec![Open {
            label: ty.results().to_vec(),
            around: 0,
            clauses: None,
        }],
        locals: body.declared.clone(),
        out: Vec::new(),
    };
    for (at, code) in body.code.iter().enumerate() {
        let here = marks.iter().filter(|(of, ..)| *of == at);
        let here: Vec<_> = here.map(|(_, what, number)| (*what, *number)).collect();
        rewrite.operator(at, code, &here)?;
    }
    let mut function = Function::new_with_locals_types(rewrite.locals);
    function.raw(rewrite.out);
    Some(function.into_raw_body())
}

/// A block of the body that is open.
struct Open {
    /// The types of its label.
    label: Vec<ValType>,
    /// How many blocks were added right around it.
    around: u32,
    /// For a `try_table` with marks on its clauses.
    clauses: Option<Clauses>,
}

/// Clauses that lead to a mark, and on from there to the labels that they had.
struct Clauses {
    /// The number of the mark, the label and its types; the first has the innermost block.
    marked: Vec<(i64, u32, Vec<ValType>)>,
}

struct Rewrite<'r, 'b, 't> {
    body: &'r Body<'b>,
    parameters: &'r [ValType],
    types: &'r Types,
    additions: &'r mut Additions<'t>,
    /// The open blocks, that of the function first.
    open: Vec<Open>,
    locals: Vec<ValType>,
    out: Vec<u8>,
}

impl Rewrite<'_, '_, '_> {
    fn emit(&mut self, instruction: &Instruction<'_>) {
        instruction.encode(&mut self.out);
    }

    /// A label as it is with the blocks that were added.
    fn outward(&self, label: u32) -> Option<u32> {
        let inside = self.open.iter().rev().take(label as usize);
        let added: u32 = inside.map(|open| open.around).sum();
        (label < self.open.len() as u32).then_some(label + added)
    }

    fn operator(&mut self, at: usize, code: &Code<'_>, marks: &[(What, i64)]) -> Option<()> {
        let number = |wanted: What| {
            let mut found = marks.iter().filter(|(what, _)| *what == wanted);
            found.next().map(|(_, number)| *number)
        };
        if let Some(number) = number(What::Entry) {
            self.additions.number(number, &mut self.out);
            for (local, ty) in (0..).zip(self.parameters) {
                let get = encoded(&Instruction::LocalGet(local));
                self.additions.mix(*ty, &get, &mut self.out);
            }
        }
        let shape = self.types.shape(&code.operator).unwrap_or_default();
        let operands = shape.operands.unwrap_or_default();
        if let Some(number) = number(What::Operands) {
            let types = top(self.body, at, operands)?;
            self.values(number, &types);
        }
        for kept in [Kept::First, Kept::Last] {
            if number(What::Consumed(kept)).is_some() {
                let ty = *top(self.body, at, 1)?.first()?;
                self.keep(shape.consumes?, kept, ty)?;
            }
        }
        let clauses: Vec<_> = (0..labelled(&code.operator))
            .filter_map(|clause| Some((clause, number(What::Clause(clause))?)))
            .collect();
        self.shielded(at, code, operands, &clauses, number(What::Exception))?;
        if let Some(number) = number(What::Results) {
            let types = self.results(at, operands)?;
            self.values(number, &types);
        }
        if number(What::Made).is_some() {
            let ty = *top(self.body, at + 1, 1)?.first()?;
            self.keep(shape.makes?, Kept::Last, ty)?;
        }
        Some(())
    }

    /// Keeps the continuation reference on the stack, which stays there.
    fn keep(&mut self, cont: u32, kept: Kept, ty: ValType) -> Option<()> {
        let global = self.additions.kept(cont, kept)?;
        let local = self.locals_for(&[ty]);
        self.emit(&Instruction::LocalTee(local));
        if kept == Kept::First {
            self.emit(&Instruction::GlobalGet(global));
            self.emit(&Instruction::RefIsNull);
            self.emit(&Instruction::If(BlockType::Empty));
        }
        self.emit(&Instruction::LocalGet(local));
        self.emit(&Instruction::GlobalSet(global));
        if kept == Kept::First {
            self.emit(&Instruction::End);
        }
        Some(())
    }

    /// The types of what an instruction leaves.
    fn results(&self, at: usize, operands: usize) -> Option<Vec<ValType>> {
        let before = self.body.code[at].before.as_ref()?.len();
        let after = self.body.code.get(at + 1)?.before.as_ref()?;
        let results = after.get(before.checked_sub(operands)?..)?;
        Some(results.iter().copied().map(inexact).collect())
    }

    /// Mixes the topmost operands, and a number that says where.
    fn values(&mut self, number: i64, types: &[ValType]) {
        let first = self.locals_for(types);
        for local in (first..first + types.len() as u32).rev() {
            self.emit(&Instruction::LocalSet(local));
        }
        self.additions.number(number, &mut self.out);
        for (local, ty) in (first..).zip(types) {
            let get = encoded(&Instruction::LocalGet(local));
            self.additions.mix(*ty, &get, &mut self.out);
        }
        for local in first..first + types.len() as u32 {
            self.emit(&Instruction::LocalGet(local));
        }
    }

    /// New locals of these types; the first of them.
    fn locals_for(&mut self, types: &[ValType]) -> u32 {
        let first = self.body.params + self.locals.len() as u32;
        self.locals.extend(types);
        first
    }

    fn block(&mut self, params: &[ValType], results: &[ValType]) -> BlockType {
        BlockType::FunctionType(self.additions.ty(params, results))
    }

    /// The operator itself, inside of what shows the exception that leaves it.
    fn shielded(
        &mut self,
        at: usize,
        code: &Code<'_>,
        operands: usize,
        clauses: &[(usize, i64)],
        exception: Option<i64>,
    ) -> Option<()> {
        let Some(number) = exception else {
            return self.redirected(at, code, operands, clauses, 0);
        };
        let params = top(self.body, at, operands)?;
        let results = self.results(at, operands)?;
        let done = self.block(&params, &results);
        let raised = self.block(&params, &[ValType::Ref(RefType::EXNREF)]);
        self.emit(&Instruction::Block(done));
        self.emit(&Instruction::Block(raised));
        let all = [Catch::AllRef { label: 0 }][..].into();
        self.emit(&Instruction::TryTable(done, all));
        self.redirected(at, code, operands, clauses, 3)?;
        self.emit(&Instruction::End);
        self.emit(&Instruction::Br(1));
        self.emit(&Instruction::End);
        let local = self.locals_for(&[ValType::Ref(RefType::EXNREF)]);
        self.additions.number(number, &mut self.out);
        self.emit(&Instruction::LocalTee(local));
        self.additions.exception(&mut self.out);
        self.emit(&Instruction::LocalGet(local));
        self.emit(&Instruction::ThrowRef);
        self.emit(&Instruction::End);
        Some(())
    }

    /// The operator itself, with clauses that lead to marks. There are `around` added blocks around it.
    fn redirected(
        &mut self,
        at: usize,
        code: &Code<'_>,
        operands: usize,
        clauses: &[(usize, i64)],
        around: u32,
    ) -> Option<()> {
        let mut instruction = self.body.instruction(at)?;
        let block = blocktype(&instruction);
        let (params, results) = match block {
            Some(block) => self.signature(block)?,
            None if clauses.is_empty() => Default::default(),
            None => (top(self.body, at, operands)?, self.results(at, operands)?),
        };
        let added = match clauses.len() {
            0 => 0,
            count => count as u32 + 1,
        };
        let mut marked = Vec::new();
        let mut all = labels(&mut instruction);
        for (clause, number) in clauses {
            let label = **all.get(*clause)?;
            let open = self.open.iter().rev().nth(label as usize)?;
            marked.push((*number, label, open.label.clone()));
        }
        drop(all);
        // Labels that stay are counted from outside of a block that the operator opens.
        relabel(&mut instruction, |label| {
            Some(self.outward(label)? + around + added)
        })?;
        all = labels(&mut instruction);
        for (block, (clause, _)) in (0..).zip(clauses) {
            **all.get_mut(*clause)? = block;
        }
        drop(all);
        if added > 0 {
            let done = self.block(&params, &results);
            self.emit(&Instruction::Block(done));
            for (_, _, label) in marked.iter().rev() {
                let ty = self.block(&params, label);
                self.emit(&Instruction::Block(ty));
            }
        }
        self.emit(&instruction);
        let clauses = (added > 0).then_some(Clauses { marked });
        if matches!(code.operator, Operator::End) {
            let ended = self.open.pop()?;
            if let Some(clauses) = ended.clauses {
                self.arrivals(&clauses, 0)?;
            }
        } else if let Some(block) = block {
            let is_loop = matches!(instruction, Instruction::Loop(_));
            let (params, results) = self.signature(block)?;
            self.open.push(Open {
                label: if is_loop { params } else { results },
                around: added,
                clauses,
            });
        } else if let Some(clauses) = clauses {
            self.arrivals(&clauses, around)?;
        }
        Some(())
    }

    /// What stands behind an instruction with marked clauses: the way past the marks, and the marks.
    fn arrivals(&mut self, clauses: &Clauses, around: u32) -> Option<()> {
        let count = clauses.marked.len() as u32;
        self.emit(&Instruction::Br(count));
        for (left, (number, label, types)) in (1..=count).rev().zip(&clauses.marked) {
            self.emit(&Instruction::End);
            self.values(*number, types);
            let label = self.outward(*label)? + around + left;
            self.emit(&Instruction::Br(label));
        }
        self.emit(&Instruction::End);
        Some(())
    }

    /// The parameters and results of a block.
    fn signature(&self, ty: BlockType) -> Option<(Vec<ValType>, Vec<ValType>)> {
        Some(match ty {
            BlockType::Empty => Default::default(),
            BlockType::Result(ty) => (Vec::new(), vec![ty]),
            BlockType::FunctionType(ty) => {
                let ty = self.types.func(ty)?;
                (ty.params().to_vec(), ty.results().to_vec())
            }
        })
    }
}

/// The type of the block that an instruction opens.
fn blocktype(instruction: &Instruction<'_>) -> Option<BlockType> {
    match instruction {
        Instruction::Block(ty)
        | Instruction::Loop(ty)
        | Instruction::If(ty)
        | Instruction::Try(ty)
        | Instruction::TryTable(ty, _) => Some(*ty),
        _ => None,
    }
}
