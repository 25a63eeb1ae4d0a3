//! Steps inside function bodies.
//!
//! Whatever is taken out is replaced by what has the same effect on the types of the operands, so most candidates are valid.

use super::body::{self, Body, defaults, encoded, relabel};
use super::module::Module;
use super::state::{Ended, State, Step};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use wasm_encoder::{Encode, Instruction, ValType};
use wasmparser::{BinaryReader, FunctionBody, Operator};

/// Ranges of so few operators are tried at every place; longer ones at every half of their length.
const EVERYWHERE: usize = 8;

/// The number of bodies of the smallest module so far.
fn count(state: &State<'_>) -> usize {
    Module::read(state.best()).map_or(0, |module| module.bodies.len())
}

/// Tries steps that give another body to the function with this number among the defined ones.
fn changes(
    state: &mut State<'_>,
    function: usize,
    change: impl Fn(&Body<'_>, usize) -> Step + Copy + 'static,
) -> Result<(), Ended> {
    state.steps(|wasm| {
        let module = Module::read(wasm).ok()?;
        let body = body::read(wasm, Some(function)).ok()?.pop()?;
        Some(Box::new(move |index| match change(&body, index) {
            Step::To(body) => {
                let mut module = module.clone();
                module.bodies[function] = FunctionBody::new(BinaryReader::new(&body, 0));
                module.encode(&BTreeSet::new()).into()
            }
            other => other,
        }))
    })
}

/// Whole bodies: default results, or `unreachable`.
pub(super) fn bodies(state: &mut State<'_>) -> Result<(), Ended> {
    for function in 0..count(state) {
        changes(state, function, |body, index| {
            let all = 0..body.code.len() - 1;
            let mut replacement = Vec::new();
            match index {
                0 if body.results.is_empty() && body.code.len() > 1 => {
                    // Without results, or with results that are not known because the end is not reached.
                    Step::To(body.with(all, &[]))
                }
                0 => {
                    defaults(&body.results, &mut replacement);
                    Step::To(body.with(all, &replacement))
                }
                1 => Step::To(body.with(all, &encoded(&Instruction::Unreachable))),
                _ => Step::End,
            }
        })?;
    }
    Ok(())
}

/// Ranges of operators: long ones first, then the rest of a block, what makes an operand or leaves as many as it finds, whatever
/// its length, and then short ones everywhere.
pub(super) fn ranges(state: &mut State<'_>) -> Result<(), Ended> {
    for function in 0..count(state) {
        let Ok(bodies) = body::read(state.best(), Some(function)) else {
            continue;
        };
        let Some(mut size) = bodies.first().map(|body| body.code.len()) else {
            continue;
        };
        drop(bodies);
        while size > EVERYWHERE {
            changes(state, function, move |body, index| {
                range(body, index / 2 * (size / 2), size, index % 2 == 1)
            })?;
            size /= 2;
        }
        changes(state, function, rest)?;
        changes(state, function, |body, index| {
            let (end, variant) = (index / 4 + 1, index % 4);
            if end >= body.code.len() {
                return Step::End;
            }
            let range = match variant / 2 {
                0 => body.operand(end, 0),
                _ => body.statement(end),
            };
            range.map_or(Step::None, |range| cut(body, range, variant % 2 == 1))
        })?;
        for size in (1..=EVERYWHERE).rev() {
            changes(state, function, move |body, index| {
                range(body, index / 2, size, index % 2 == 1)
            })?;
        }
    }
    Ok(())
}

/// A whole range of at least this size from `start` on is taken out.
fn range(body: &Body<'_>, start: usize, size: usize, one: bool) -> Step {
    if start >= body.code.len() {
        return Step::End;
    }
    match body.whole(start, size) {
        Some(range) => cut(body, range, one),
        None => Step::None,
    }
}

/// A range is taken out. If it leaves an integer on top, that is zero, or one if asked for: conditions and counts often need
/// something that is not zero.
fn cut(body: &Body<'_>, range: Range<usize>, one: bool) -> Step {
    let replacement = match body.replacement(&range) {
        Some(mut replacement) if one => {
            let zeros = [Instruction::I32Const(0), Instruction::I64Const(0)];
            match zeros
                .iter()
                .any(|zero| replacement.ends_with(&encoded(zero)))
            {
                true => replacement.last_mut().map(|last| *last = 1),
                false => None,
            }
            .map(|()| replacement)
        }
        replacement => replacement,
    };
    match replacement {
        Some(replacement) if replacement != body.bytes(range.clone()) => {
            Step::To(body.with(range, &replacement))
        }
        _ => Step::None,
    }
}

/// The rest of the block from an operator on becomes `unreachable`, or goes if nothing is missing then; where the rest is never
/// reached, it goes.
fn rest(body: &Body<'_>, index: usize) -> Step {
    let (index, goes) = (index / 2, index % 2 == 1);
    if index >= body.code.len() {
        return Step::End;
    }
    let end = body.end_of_block(index);
    let reached = body.code[index].before.is_some();
    if end == index || (reached && goes && !leaves(&body.code[index].operator)) {
        return Step::None;
    }
    match reached && !goes {
        true => Step::To(body.with(index..end, &encoded(&Instruction::Unreachable))),
        false => Step::To(body.with(index..end, &[])),
    }
}

/// Whether nothing after an operator is reached. At the end of a block such a one may do nothing, as a last `return`.
fn leaves(operator: &Operator<'_>) -> bool {
    matches!(
        operator,
        Operator::Return | Operator::Br { .. } | Operator::Unreachable
    )
}

/// Blocks: the inside takes the place of the block.
pub(super) fn blocks(state: &mut State<'_>) -> Result<(), Ended> {
    for function in 0..count(state) {
        changes(state, function, |body, index| {
            let (opener, variant) = (index / 2, index % 2);
            if opener >= body.code.len() {
                return Step::End;
            }
            match unwrapped(body, opener, variant) {
                Some((range, inside)) => Step::To(body.with(range, &inside)),
                None => Step::None,
            }
        })?;
    }
    Ok(())
}

/// A block's range, and its inside without it. An `if` has two variants.
fn unwrapped(body: &Body<'_>, opener: usize, variant: usize) -> Option<(Range<usize>, Vec<u8>)> {
    let end = body.code[opener].end?;
    let depth = body.code[opener].depth;
    let is_else = |index: &usize| {
        let code = &body.code[*index];
        matches!(code.operator, Operator::Else) && code.depth == depth + 1
    };
    let otherwise = (opener + 1..end).find(is_else);
    let mut bytes = Vec::new();
    let inside = if matches!(body.code[opener].operator, Operator::If { .. }) {
        encode(&Instruction::Drop, &mut bytes);
        match (variant, otherwise) {
            (0, otherwise) => opener + 1..otherwise.unwrap_or(end),
            (_, Some(otherwise)) => otherwise + 1..end,
            (_, None) => end..end,
        }
    } else {
        (variant == 0).then_some(opener + 1..end)?
    };
    for index in inside {
        let nested = body.code[index].depth - depth - 1;
        // The `end` of a nested block stands inside that block.
        let mut instruction = body.instruction(index)?;
        relabel(&mut instruction, |label| match label {
            label if label < nested => Some(label),
            label if label == nested => None,
            label => Some(label - 1),
        })?;
        encode(&instruction, &mut bytes);
    }
    Some((opener..end + 1, bytes))
}

fn encode(instruction: &Instruction<'_>, bytes: &mut Vec<u8>) {
    instruction.encode(bytes);
}

/// Constants, clauses and locals.
pub(super) fn details(state: &mut State<'_>) -> Result<(), Ended> {
    for function in 0..count(state) {
        changes(state, function, |body, index| {
            let (at, variant) = (index / VARIANTS, index % VARIANTS);
            if at >= body.code.len() {
                return Step::End;
            }
            match simpler(body, at, variant) {
                Some(instruction) => Step::To(body.with(at..at + 1, &encoded(&instruction))),
                None => Step::None,
            }
        })?;
        changes(state, function, |body, index| match index {
            0 => without_unused_locals(body).into(),
            _ => Step::End,
        })?;
    }
    Ok(())
}

/// Elements of arrays that are made with a fixed number of them.
pub(super) fn elements(state: &mut State<'_>) -> Result<(), Ended> {
    for function in 0..count(state) {
        changes(state, function, |body, index| {
            let (at, variant) = (index / VARIANTS, index % VARIANTS);
            if at >= body.code.len() {
                return Step::End;
            }
            shorter(body, at, variant).into()
        })?;
    }
    Ok(())
}

/// The body with an array shorter by one element, one of the last [`VARIANTS`].
fn shorter(body: &Body<'_>, at: usize, variant: usize) -> Option<Vec<u8>> {
    let Operator::ArrayNewFixed {
        array_type_index,
        array_size,
    } = body.code[at].operator
    else {
        return None;
    };
    let shorter = Instruction::ArrayNewFixed {
        array_type_index,
        array_size: array_size.checked_sub(1 + variant as u32)? + variant as u32,
    };
    let element = body.operand(at, variant)?;
    let mut replaced: BTreeMap<_, _> = element.map(|index| (index, Vec::new())).collect();
    replaced.insert(at, encoded(&shorter));
    Some(body.with_all(&replaced))
}

/// Most variants that [`simpler`] has for one operator.
const VARIANTS: usize = 16;

/// A simpler form of an operator.
fn simpler<'b>(body: &'b Body<'_>, at: usize, variant: usize) -> Option<Instruction<'b>> {
    let mut instruction = body.instruction(at)?;
    match &mut instruction {
        Instruction::I32Const(value) if variant < 2 && *value != variant as i32 => {
            *value = variant as i32;
        }
        Instruction::I64Const(value) if variant < 2 && *value != variant as i64 => {
            *value = variant as i64;
        }
        Instruction::F32Const(value) if variant == 0 => *value = 0.0.into(),
        Instruction::F64Const(value) if variant == 0 => *value = 0.0.into(),
        Instruction::V128Const(value) if variant == 0 => *value = 0,
        Instruction::BrTable(labels, _) if variant < labels.len() => {
            labels.to_mut().remove(variant);
        }
        Instruction::TryTable(_, catches) if variant < catches.len() => {
            catches.to_mut().remove(variant);
        }
        Instruction::Resume { resume_table, .. }
        | Instruction::ResumeThrow { resume_table, .. }
        | Instruction::ResumeThrowRef { resume_table, .. }
            if variant < resume_table.len() =>
        {
            resume_table.to_mut().remove(variant);
        }
        _ => return None,
    }
    Some(instruction)
}

/// The body without the declared locals that no operator uses.
fn without_unused_locals(body: &Body<'_>) -> Option<Vec<u8>> {
    let used: BTreeSet<u32> = body
        .code
        .iter()
        .filter_map(|code| local(&code.operator))
        .collect();
    let params = body.params;
    let declared = &body.declared;
    let mut kept: Vec<ValType> = Vec::new();
    let mut indices: BTreeMap<u32, u32> = (0..params).map(|index| (index, index)).collect();
    for (index, ty) in (params..).zip(declared) {
        if used.contains(&index) {
            indices.insert(index, params + kept.len() as u32);
            kept.push(*ty);
        }
    }
    if kept.len() == declared.len() {
        return None;
    }
    let mut bytes = wasm_encoder::Function::new_with_locals_types(kept).into_raw_body();
    for index in 0..body.code.len() {
        let mut instruction = body.instruction(index)?;
        if let Instruction::LocalGet(local)
        | Instruction::LocalSet(local)
        | Instruction::LocalTee(local) = &mut instruction
        {
            *local = indices[local];
        }
        instruction.encode(&mut bytes);
    }
    Some(bytes)
}

fn local(operator: &Operator<'_>) -> Option<u32> {
    match operator {
        Operator::LocalGet { local_index }
        | Operator::LocalSet { local_index }
        | Operator::LocalTee { local_index } => Some(*local_index),
        _ => None,
    }
}
