//! Small mutations of a module without a plan: one operator, one run of operators, one list of clauses.
//!
//! Every result is valid, because what is not is tried again elsewhere. Two things must stay as they are, or the result would
//! be no case any more: a module *ends* (so what loops and fuel count with is left alone), and what it shows is *determined*
//! (so nothing changes between an operator that may make a NaN and what makes that NaN the canonical one: operators on floats
//! and vectors are never touched).

use super::random::Random;
use crate::reduce::body::{self, Body, encoded};
use crate::reduce::module::{Module, validate};
use std::collections::BTreeSet;
use std::ops::Range;
use wasm_encoder::{Instruction, ValType};
use wasmparser::{BinaryReader, FunctionBody, Operator};

/// What is done to a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A constant gets another value.
    Constant,
    /// An operator on integers becomes another one of the same type.
    Operator,
    /// An index of a tag, function, table, local or global becomes another one of the same type.
    Index,
    /// Clauses of a handler list or of a `try_table` change places, are repeated or taken out.
    Clauses,
    /// A run of operators that leaves the operands' types alone is taken out.
    Drop,
    /// Such a run is repeated, or stands elsewhere a second time.
    Duplicate,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 6] = [
        Kind::Constant,
        Kind::Operator,
        Kind::Index,
        Kind::Clauses,
        Kind::Drop,
        Kind::Duplicate,
    ];
}

/// Candidates that are made before giving up.
const TRIES: usize = 24;

/// Mutates a module in this way, or in any. `None` if no valid module was found that is at most `max_size` bytes long.
pub(super) fn mutate(
    wasm: &[u8],
    kind: Option<Kind>,
    max_size: usize,
    random: &mut Random,
) -> Option<Vec<u8>> {
    let bodies = body::read(wasm, None).ok()?;
    candidate(wasm, max_size, random, |random| {
        let function = function(&bodies, random)?;
        let body = &bodies[function];
        let kind = kind.or_else(|| random.choose(&Kind::ALL).copied())?;
        Some((function, change(body, kind, random)?))
    })
}

/// Puts runs of operators of one module into another.
pub(super) fn cross_over(
    left: &[u8],
    right: &[u8],
    max_size: usize,
    random: &mut Random,
) -> Option<Vec<u8>> {
    let (bodies, others) = (body::read(left, None).ok()?, body::read(right, None).ok()?);
    candidate(left, max_size, random, |random| {
        let (function, other) = (function(&bodies, random)?, function(&others, random)?);
        let (body, other) = (&bodies[function], &others[other]);
        let run = run(other, random.below(other.code.len()), random)?;
        let at = random.below(body.code.len());
        Some((function, body.with(at..at, &other.bytes(run))))
    })
}

/// One of the functions with something in it; the longer, the likelier.
fn function(bodies: &[Body<'_>], random: &mut Random) -> Option<usize> {
    let total = bodies.iter().map(|body| body.code.len() - 1).sum();
    let mut at = match total {
        0 => return None,
        total => random.below(total),
    };
    bodies.iter().position(|body| {
        let length = body.code.len() - 1;
        let here = at < length;
        at = at.wrapping_sub(length);
        here
    })
}

/// The first valid module among some candidates, each made by exchanging the body of a function.
fn candidate(
    wasm: &[u8],
    max_size: usize,
    random: &mut Random,
    make: impl Fn(&mut Random) -> Option<(usize, Vec<u8>)>,
) -> Option<Vec<u8>> {
    let module = Module::read(wasm).ok()?;
    let before = module.encode(&BTreeSet::new())?;
    for _ in 0..TRIES {
        let Some((function, bytes)) = make(random) else {
            continue;
        };
        let mut module = module.clone();
        module.bodies[function] = FunctionBody::new(BinaryReader::new(&bytes, 0));
        let Some(candidate) = module.encode(&BTreeSet::new()) else {
            continue;
        };
        if candidate.len() <= max_size && candidate != before && validate(&candidate).is_ok() {
            return Some(candidate);
        }
    }
    None
}

/// A changed body.
fn change(body: &Body<'_>, kind: Kind, random: &mut Random) -> Option<Vec<u8>> {
    let last = body.code.len() - 1;
    let start = random.below(last);
    for at in (start..last).chain(0..start) {
        // Code that is never reached shows nothing.
        if body.code[at].before.is_none() {
            continue;
        }
        let changed = match kind {
            Kind::Drop => run(body, at, random).map(|run| body.with(run, &[])),
            Kind::Duplicate => run(body, at, random).map(|run| {
                let bytes = body.bytes(run.clone());
                let to = match random.chance(50) {
                    true => run.end,
                    false => random.below(last),
                };
                body.with(to..to, &bytes)
            }),
            _ => operator(body, at, kind, random).map(|bytes| body.with(at..at + 1, &bytes)),
        };
        if changed.is_some() {
            return changed;
        }
    }
    None
}

/// Whether the operands around a place are of types whose values may be NaNs that are not yet canonical.
fn is_inexact(body: &Body<'_>, at: usize) -> bool {
    let Some(before) = &body.code[at].before else {
        return true;
    };
    let top = before.iter().rev().take(3);
    top.into_iter()
        .any(|ty| matches!(ty, ValType::F32 | ValType::F64 | ValType::V128))
}

/// Whether what an operator leaves may be what a loop or the fuel counts with.
fn counts(body: &Body<'_>, at: usize) -> bool {
    let inside = body.code[at].depth > 0;
    let near = body.code[at..].iter().take(4);
    near.into_iter().any(|code| match code.operator {
        Operator::GlobalSet { .. } => true,
        Operator::LocalSet { .. } | Operator::LocalTee { .. } => inside,
        _ => false,
    })
}

/// A short run of operators from a place on that leaves the operands' types as they are, and can be left out or repeated.
fn run(body: &Body<'_>, start: usize, random: &mut Random) -> Option<Range<usize>> {
    let least = random.few();
    (least..least + 6).find_map(|count| {
        let run = body.whole(start, count)?;
        let (before, after) = (&body.code[run.start].before, &body.code[run.end].before);
        let fits = before.is_some() && before == after;
        let safe = |at: usize| !is_inexact(body, at) && !counts(body, at);
        (fits && (run.start..=run.end).all(safe)).then_some(run)
    })
}

/// Operators of one type each, by their opcodes (core specification, "Numeric Instructions", "Memory Instructions").
const FAMILIES: [&[u8]; 14] = [
    // i32: comparisons, counts, arithmetic, sign extensions, loads, stores
    &[0x46, 0x47, 0x48, 0x49, 0x4a, 0x4b, 0x4c, 0x4d, 0x4e, 0x4f],
    &[0x67, 0x68, 0x69, 0xc0, 0xc1],
    &[
        0x6a, 0x6b, 0x6c, 0x71, 0x72, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78,
    ],
    &[0x6d, 0x6e, 0x6f, 0x70],
    &[0x28, 0x2c, 0x2d, 0x2e, 0x2f],
    &[0x36, 0x3a, 0x3b],
    // i64: the same
    &[0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5a],
    &[0x79, 0x7a, 0x7b, 0xc2, 0xc3, 0xc4],
    &[
        0x7c, 0x7d, 0x7e, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a,
    ],
    &[0x7f, 0x80, 0x81, 0x82],
    &[0x29, 0x30, 0x31, 0x32, 0x33, 0x34, 0x35],
    &[0x37, 0x3c, 0x3d, 0x3e],
    // i64 from i32
    &[0xac, 0xad],
    // `return_call` is not here: a call may be followed by more.
    &[0x45],
];

/// The encoding of a changed operator.
fn operator(body: &Body<'_>, at: usize, kind: Kind, random: &mut Random) -> Option<Vec<u8>> {
    let counted = counts(body, at);
    if kind == Kind::Operator {
        let mut bytes = body.bytes(at..at + 1);
        let family = FAMILIES.iter().find(|family| family.contains(&bytes[0]))?;
        bytes[0] = *random.choose(family)?;
        return (!counted).then_some(bytes);
    }
    let mut instruction = body.instruction(at)?;
    match (kind, &mut instruction) {
        (Kind::Constant, Instruction::I32Const(value)) if !counted => {
            *value = constant((*value).into(), random) as i32;
        }
        (Kind::Constant, Instruction::I64Const(value)) if !counted => {
            *value = constant(*value, random);
        }
        (Kind::Constant, Instruction::F32Const(value)) => {
            *value = (finite(random) as f32).into();
        }
        (Kind::Constant, Instruction::F64Const(value)) => *value = finite(random).into(),
        (Kind::Index, instruction) => {
            let float = is_inexact(body, at) || is_inexact(body, at + 1);
            index(instruction, float, counted, random)?;
        }
        (Kind::Clauses, Instruction::TryTable(_, catches)) => clauses(catches.to_mut(), random)?,
        (
            Kind::Clauses,
            Instruction::Resume { resume_table, .. }
            | Instruction::ResumeThrow { resume_table, .. }
            | Instruction::ResumeThrowRef { resume_table, .. },
        ) => clauses(resume_table.to_mut(), random)?,
        _ => return None,
    }
    Some(encoded(&instruction))
}

fn constant(value: i64, random: &mut Random) -> i64 {
    let bit = 1 << random.below(64);
    let choices = [
        value.wrapping_add(1),
        value.wrapping_sub(1),
        value.wrapping_neg(),
        value ^ bit,
        bit,
        random.below(16) as i64,
        -1,
        i64::from(i32::MIN),
        i64::from(i32::MAX),
        i64::MIN,
    ];
    choices[random.below(choices.len())]
}

fn finite(random: &mut Random) -> f64 {
    let choices = [
        0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 3e9, -3e9, 1e-40, 1e300, 1e19,
    ];
    choices[random.below(choices.len())]
}

/// Another index near the one that is there; whether it is of the same type is left to the validator.
fn index(
    instruction: &mut Instruction<'_>,
    float: bool,
    counted: bool,
    random: &mut Random,
) -> Option<()> {
    let index = match instruction {
        Instruction::LocalGet(index)
        | Instruction::LocalSet(index)
        | Instruction::LocalTee(index)
        | Instruction::GlobalGet(index)
            if !float && !counted =>
        {
            index
        }
        Instruction::Call(index)
        | Instruction::ReturnCall(index)
        | Instruction::RefFunc(index)
        | Instruction::Suspend(index)
        | Instruction::Throw(index)
        | Instruction::TableGet(index)
        | Instruction::TableSet(index)
        | Instruction::TableSize(index)
        | Instruction::Switch {
            tag_index: index, ..
        }
        | Instruction::ResumeThrow {
            tag_index: index, ..
        }
        | Instruction::CallIndirect {
            table_index: index, ..
        } => index,
        _ => return None,
    };
    *index = random.below(*index as usize + 5) as u32;
    Some(())
}

fn clauses<T: Clone>(clauses: &mut Vec<T>, random: &mut Random) -> Option<()> {
    let count = clauses.len();
    if count == 0 {
        return None;
    }
    match random.below(3) {
        0 if count > 1 => clauses.swap(random.below(count), random.below(count)),
        1 => drop(clauses.remove(random.below(count))),
        _ => {
            let copy = clauses[random.below(count)].clone();
            clauses.insert(random.below(count + 1), copy);
        }
    }
    Some(())
}
