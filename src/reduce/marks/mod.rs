//! Marks: what otherwise only a trace shows, written to where a script can see it.
//!
//! Engines may go different ways through a module and end in the same state: another clause of a handler list is taken, a
//! payload arrives changed and is dropped, a reference stays usable that nobody uses again. A mark is code at a place where
//! a trace would have an event. It mixes a number and the values at hand into a global that is added to the module, so that
//! the state at the end tells which way it came there; and for a reference that must be used up, an export is added that
//! tries to use it again.
//!
//! Marks change the module, so they can hide a difference as well as show it. Hence [`marked`] keeps as few as suffice.

mod additions;
mod rewrite;

use super::Judge;
use super::body::{self, Body};
use super::module::{Module, validate};
use crate::fuzzing::Lost;
use crate::linked::{self, Provider};
use crate::report::Signature;
use additions::{Additions, Types};
use std::collections::BTreeSet;
use wasm_encoder::{Catch, Handle, HeapType, Instruction, RefType, ValType};
use wasmparser::{BinaryReader, FunctionBody, Operator};

/// A place for a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Site {
    /// The function, by its number among the defined ones.
    function: usize,
    /// The operator.
    at: usize,
    what: What,
}

/// What a mark shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    /// That the function is entered, and its arguments.
    Entry,
    /// That the instruction is executed, and its operands.
    Operands,
    /// That it goes on behind the instruction, and its results.
    Results,
    /// That control arrives at the label of the clause with this number, and with which values.
    Clause(usize),
    /// That an exception leaves the instruction, and which.
    Exception,
    /// Whether the reference that the instruction uses up can be used again at the end.
    Consumed(Kept),
    /// What the continuation does that the instruction makes, at the end, if nothing has used it until then.
    Made,
}

/// Which of the references that an instruction has, one time after another, is kept for the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Kept {
    First,
    Last,
}

/// The kinds of marks, in the order in which they are tried alone.
const KINDS: [fn(What) -> bool; 4] = [
    |what| matches!(what, What::Entry | What::Operands | What::Results),
    |what| matches!(what, What::Clause(_)),
    |what| matches!(what, What::Exception),
    |what| matches!(what, What::Consumed(_) | What::Made | What::Entry),
];

/// The module with marks under which the judge sees something, with no more of them than that needs; nothing, if it sees
/// nothing under any. It has no plan, as a plan knows nothing of marks. Of a linked module, the provider is marked where marks in the
/// main module do not suffice, but with none for references that must be used up.
///
/// # Errors
///
/// [`Lost`], if no module can be judged any more.
pub fn marked(wasm: &[u8], judge: &mut dyn Judge) -> Result<Option<Vec<u8>>, Lost> {
    if let Some(marked) = marked_alone(wasm, sites(wasm), judge)? {
        return Ok(Some(marked));
    }
    let Some(provider) = Provider::of(wasm).ok().flatten() else {
        return Ok(None);
    };
    let main = linked::unlinked(wasm);
    let mut judge = OfProvider { main: &main, judge };
    let mut sites = sites(provider.wasm);
    // Only the main module's exports are called, so nothing would use again what is kept.
    sites.retain(|site| !matches!(site.what, What::Consumed(_) | What::Made));
    let marked = marked_alone(provider.wasm, sites, &mut judge)?;
    Ok(marked.map(|provider| linked::link(&main, &provider)))
}

/// Judges providers of a main module.
struct OfProvider<'j> {
    main: &'j [u8],
    judge: &'j mut dyn Judge,
}

impl Judge for OfProvider<'_> {
    fn judge(&mut self, wasm: &[u8]) -> Result<Option<Signature>, Lost> {
        self.judge.judge(&linked::link(self.main, wasm))
    }
}

/// As [`marked`], of one module, with some of these marks.
fn marked_alone(
    wasm: &[u8],
    all: Vec<Site>,
    judge: &mut dyn Judge,
) -> Result<Option<Vec<u8>>, Lost> {
    let alone = KINDS.iter().map(|kind| {
        let of_kind = all.iter().filter(|site| kind(site.what));
        of_kind.copied().collect::<Vec<_>>()
    });
    for mut sites in [all.clone()].into_iter().chain(alone) {
        let Some(mut best) = shown(wasm, &sites, judge)? else {
            continue;
        };
        // Long ranges of marks are taken away first.
        let mut size = sites.len().div_ceil(2);
        while size > 0 {
            let mut start = 0;
            while start < sites.len() && sites.len() > 1 {
                let mut fewer = sites.clone();
                fewer.drain(start..sites.len().min(start + size));
                match shown(wasm, &fewer, judge)? {
                    Some(marked) => (sites, best) = (fewer, marked),
                    None => start += size,
                }
            }
            size /= 2;
        }
        return Ok(Some(best));
    }
    Ok(None)
}

/// The module with these marks, if the judge sees something in it.
fn shown(wasm: &[u8], sites: &[Site], judge: &mut dyn Judge) -> Result<Option<Vec<u8>>, Lost> {
    let Some(marked) = mark(wasm, sites) else {
        return Ok(None);
    };
    Ok(judge.judge(&marked)?.map(|_| marked))
}

/// All places for marks in a module, in their order; none in a module that is not valid.
fn sites(wasm: &[u8]) -> Vec<Site> {
    let (Ok(module), Ok(bodies)) = (Module::read(wasm), body::read(wasm, None)) else {
        return Vec::new();
    };
    let types = Types::of(&module);
    let mut sites = Vec::new();
    for (function, body) in bodies.iter().enumerate() {
        let mut add = |at, what| sites.push(Site { function, at, what });
        if body.code.len() > 1 {
            add(0, What::Entry);
        }
        for (at, code) in body.code.iter().enumerate() {
            // Of code that is not reached, the operands are not known.
            if code.before.is_none() {
                continue;
            }
            let Some(shape) = types.shape(&code.operator) else {
                continue;
            };
            if shape.operands.is_some() {
                add(at, What::Operands);
                let reached = body.code.get(at + 1).and_then(|next| next.before.as_ref());
                if reached.is_some() {
                    add(at, What::Results);
                }
            }
            let clauses = labelled(&code.operator);
            (0..clauses).for_each(|clause| add(at, What::Clause(clause)));
            if shape.raises {
                add(at, What::Exception);
            }
            if shape.consumes.is_some_and(|ty| types.resumable(ty)) {
                add(at, What::Consumed(Kept::First));
                add(at, What::Consumed(Kept::Last));
            }
            if shape.makes.is_some_and(|ty| types.resumable(ty)) {
                add(at, What::Made);
            }
        }
    }
    sites
}

/// The number of clauses of an instruction that have labels.
fn labelled(operator: &Operator<'_>) -> usize {
    match operator {
        Operator::TryTable { try_table } => try_table.catches.len(),
        Operator::Resume { resume_table, .. }
        | Operator::ResumeThrow { resume_table, .. }
        | Operator::ResumeThrowRef { resume_table, .. } => {
            let labels = resume_table.handlers.iter();
            let is_label = |handle: &&_| matches!(handle, wasmparser::Handle::OnLabel { .. });
            labels.filter(is_label).count()
        }
        _ => 0,
    }
}

/// The labels of an instruction's clauses, those that have one.
fn labels<'i>(instruction: &'i mut Instruction<'_>) -> Vec<&'i mut u32> {
    match instruction {
        Instruction::TryTable(_, catches) => catches
            .to_mut()
            .iter_mut()
            .map(|catch| match catch {
                Catch::One { label, .. }
                | Catch::OneRef { label, .. }
                | Catch::All { label }
                | Catch::AllRef { label } => label,
            })
            .collect(),
        Instruction::Resume { resume_table, .. }
        | Instruction::ResumeThrow { resume_table, .. }
        | Instruction::ResumeThrowRef { resume_table, .. } => {
            let handles = resume_table.to_mut().iter_mut();
            let labels = handles.filter_map(|handle| match handle {
                Handle::OnLabel { label, .. } => Some(label),
                Handle::OnSwitch { .. } => None,
            });
            labels.collect()
        }
        _ => Vec::new(),
    }
}

/// The module with marks at these places; nothing, if that is not a valid one.
fn mark(wasm: &[u8], sites: &[Site]) -> Option<Vec<u8>> {
    let mut module = Module::read(wasm).ok()?;
    let bodies = body::read(wasm, None).ok()?;
    let types = Types::of(&module);
    let mut additions = Additions::new(&module, &types);
    let mut rewritten = Vec::new();
    for (function, body) in bodies.iter().enumerate() {
        let here = (0i64..).zip(sites).filter(|(_, s)| s.function == function);
        let here: BTreeSet<_> = here.map(|(number, s)| (s.at, s.what, number)).collect();
        if !here.is_empty() {
            let bytes = rewrite::rewritten(
                body,
                types.defined(function)?,
                &types,
                &here,
                &mut additions,
            )?;
            rewritten.push((function, bytes));
        }
    }
    module.added = additions.finish();
    for (function, bytes) in &rewritten {
        module.bodies[*function] = FunctionBody::new(BinaryReader::new(bytes, 0));
    }
    let marked = module.encode(&BTreeSet::new())?;
    debug_assert_eq!(
        validate(&marked).map_err(|error| error.to_string()),
        Ok(()),
        "marks keep a module valid"
    );
    validate(&marked).ok()?;
    Some(marked)
}

/// The types of the topmost operands before an operator.
fn top(body: &Body<'_>, at: usize, count: usize) -> Option<Vec<ValType>> {
    let before = body.code.get(at)?.before.as_deref()?;
    let top = before.get(before.len().checked_sub(count)?..)?;
    Some(top.iter().copied().map(inexact).collect())
}

/// A type as a module can name it that uses no custom descriptors: the validator knows more exactly what some instructions give.
fn inexact(ty: ValType) -> ValType {
    match ty {
        ValType::Ref(RefType {
            nullable,
            heap_type: HeapType::Exact(ty),
        }) => ValType::Ref(RefType {
            nullable,
            heap_type: HeapType::Concrete(ty),
        }),
        ty => ty,
    }
}

#[cfg(test)]
mod tests;
