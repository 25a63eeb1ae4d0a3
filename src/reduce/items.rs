//! Steps on what a module consists of.

use super::module::{Item, Module, Space};
use super::state::{Ended, State};
use crate::linked;
use std::collections::BTreeSet;
use wasm_encoder::RawSection;
use wasmparser::{Parser, Payload};

/// Takes out all custom sections but the one with the provider.
pub(super) fn strip(state: &mut State<'_>) -> Result<(), Ended> {
    if let Some(stripped) = stripped(state.best()) {
        state.offer(stripped)?;
    }
    Ok(())
}

/// Takes out the provider: what it provides may as well come from the standard host.
pub(super) fn unlink(state: &mut State<'_>) -> Result<(), Ended> {
    let alone = linked::unlinked(state.best()).into_owned();
    if alone.len() < state.best().len() {
        state.offer(alone)?;
    }
    Ok(())
}

/// A module without custom sections but the one with its provider; nothing, if it is malformed.
pub(super) fn stripped(wasm: &[u8]) -> Option<Vec<u8>> {
    let mut module = wasm_encoder::Module::new();
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload.ok()?;
        if let Payload::CustomSection(section) = &payload
            && section.name() != linked::SECTION
        {
            continue;
        }
        if let Some((id, range)) = payload.as_section() {
            let data = wasm.get(range.start as usize..range.end as usize)?;
            module.section(&RawSection { id, data });
        }
    }
    Some(module.finish())
}

/// Exports, the start function, segments and their contents, and whatever nothing refers to.
pub(super) fn reduce(state: &mut State<'_>) -> Result<(), Ended> {
    collect(state)?;
    steps(state, |module, index| {
        let removable = module.exports.len();
        match index {
            0 => {
                if module.start.take().is_none() {
                    return Step::None;
                }
            }
            index if index <= removable => drop(module.exports.remove(index - 1)),
            _ => return Step::End,
        }
        Step::Changed
    })?;
    steps(state, |module, index| {
        if index >= module.elements.len() {
            return Step::End;
        }
        without(module, (Space::Element, index as u32))
    })?;
    steps(state, |module, index| {
        if index >= module.data.len() {
            return Step::End;
        }
        without(module, (Space::Data, index as u32))
    })?;
    collect(state)
}

/// A step on a module.
enum Step {
    /// There are no more steps.
    End,
    /// There is none of this index.
    None,
    /// The module was changed.
    Changed,
    /// The module without something, encoded.
    Encoded(Vec<u8>),
}

fn without(module: &Module<'_>, item: Item) -> Step {
    match module.encode(&BTreeSet::from([item])) {
        Some(encoded) => Step::Encoded(encoded),
        // Something refers to it.
        None => Step::None,
    }
}

/// Tries steps of growing index; one that is taken makes place for the next one at the same index.
fn steps(
    state: &mut State<'_>,
    step: impl Fn(&mut Module<'_>, usize) -> Step,
) -> Result<(), Ended> {
    let mut index = 0;
    loop {
        let candidate = {
            let Ok(mut module) = Module::read(state.best()) else {
                return Ok(());
            };
            match step(&mut module, index) {
                Step::End => return Ok(()),
                Step::None => None,
                Step::Changed => module.encode(&BTreeSet::new()),
                Step::Encoded(encoded) => Some(encoded),
            }
        };
        let taken = match candidate {
            Some(candidate) => state.offer(candidate)?,
            None => false,
        };
        if !taken {
            index += 1;
        }
    }
}

/// Takes out what nothing refers to: all at once, and one by one if that changes what the module shows.
fn collect(state: &mut State<'_>) -> Result<(), Ended> {
    let all = Module::read(state.best()).ok().and_then(|module| {
        let garbage = module.garbage();
        module.encode(&garbage)
    });
    if let Some(all) = all
        && state.offer(all)?
    {
        return Ok(());
    }
    steps(state, |module, index| {
        match module.garbage().iter().nth(index) {
            None => Step::End,
            Some(&item) => without(module, item),
        }
    })
}
