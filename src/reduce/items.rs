//! Steps on what a module consists of.

use super::module::{Item, Module, Space};
use super::state::{Ended, State, Step};
use crate::linked;
use std::collections::BTreeSet;
use wasm_encoder::RawSection;
use wasmparser::{Parser, Payload, Table, TableInit, TypeRef};

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

/// Exports, the start function, imports, segments and their contents, and whatever nothing refers to.
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
        module.encode(&BTreeSet::new()).into()
    })?;
    steps(state, own)?;
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

/// An import becomes the module's own, and nobody has to provide it. It is the last of its kind, so that its index stays.
fn own(module: &mut Module<'_>, index: usize) -> Step {
    let space = match index {
        0 => Space::Tag,
        1 => Space::Memory,
        2 => Space::Table,
        _ => return Step::End,
    };
    let items: Vec<Item> = module.import_items().map(|(item, _)| item).collect();
    let Some(last) = items.iter().rposition(|item| item.0 == space) else {
        return Step::None;
    };
    match module.imports.remove(last).ty {
        TypeRef::Tag(ty) => module.tags.insert(0, ty),
        TypeRef::Memory(ty) => module.memories.insert(0, ty),
        TypeRef::Table(ty) => {
            let init = TableInit::RefNull;
            module.tables.insert(0, Table { ty, init });
        }
        _ => return Step::None,
    }
    module.encode(&BTreeSet::new()).into()
}

fn without(module: &Module<'_>, item: Item) -> Step {
    // Nothing, if something refers to it.
    module.encode(&BTreeSet::from([item])).into()
}

/// Steps that change the module.
fn steps(
    state: &mut State<'_>,
    step: impl Fn(&mut Module<'_>, usize) -> Step + Copy + 'static,
) -> Result<(), Ended> {
    state.steps(|wasm| {
        let module = Module::read(wasm).ok()?;
        Some(Box::new(move |index| step(&mut module.clone(), index)))
    })
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
    state.steps(|wasm| {
        let module = Module::read(wasm).ok()?;
        let garbage = module.garbage().into_iter().collect::<Vec<_>>();
        Some(Box::new(move |index| match garbage.get(index) {
            None => Step::End,
            Some(&item) => without(&module, item),
        }))
    })
}
