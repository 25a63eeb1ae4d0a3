//! The two modules that a module is split into.

use super::{Draw, Graph, Indices, SPACES};
use crate::linked;
use crate::reduce::module::{Item, Module, Space};
use std::collections::{BTreeMap, BTreeSet};
use wasm_encoder::reencode::{self, Reencode};
use wasm_encoder::{
    CodeSection, DataCountSection, DataSection, ElementSection, Elements, EntityType, ExportKind,
    ExportSection, FunctionSection, GlobalSection, ImportSection, MemorySection, StartSection,
    TableSection, TagSection, TypeSection,
};
use wasmparser::{DataKind, ElementItems, ElementKind, TypeRef};

/// Encodes the two modules.
pub(super) struct Splitter<'m, 'a> {
    module: &'m Module<'a>,
    graph: &'m Graph,
    /// The imports, by item.
    imports: BTreeMap<Item, wasmparser::Import<'a>>,
    /// What the provider has.
    moved: BTreeSet<Item>,
    /// What the provider has and the main module imports, in the order of the imports there.
    shared: Vec<Item>,
    /// What the provider has, and what the main module has: imports first.
    provider_order: (Vec<Item>, Vec<Item>),
    main_order: (Vec<Item>, Vec<Item>),
    /// The indices that this gives them.
    pub(super) provider: Indices,
    pub(super) main: Indices,
    /// The groups of types in the provider's order.
    groups: Vec<usize>,
    /// Active segments that the provider has.
    active: BTreeSet<Item>,
}

/// Something refers to what its side does not have.
#[derive(Debug)]
pub(super) struct Apart;

type Encoded<T> = Result<T, reencode::Error<Apart>>;

impl<'m, 'a> Splitter<'m, 'a> {
    pub(super) fn new(
        module: &'m Module<'a>,
        graph: &'m Graph,
        moved: BTreeSet<Item>,
        permutes: bool,
        draw: &mut Draw,
    ) -> Splitter<'m, 'a> {
        let imports: BTreeMap<Item, _> = module
            .import_items()
            .map(|(i, &import)| (i, import))
            .collect();
        let active = active(module, graph, &moved, draw);

        // What stays, and what the module shows.
        let stays = module.items().filter(|item| match item.0 {
            Space::Type => false,
            Space::Element | Space::Data => !active.contains(item) && !moved.contains(item),
            _ => !moved.contains(item),
        });
        let mut needed: BTreeSet<Item> = stays
            .flat_map(|item| match item.0 {
                // Code may name segments of which its side has a copy.
                Space::Element | Space::Data => module.uses(item),
                _ => graph.uses.get(&item).cloned().unwrap_or_default(),
            })
            .collect();
        for export in &module.exports {
            needed.insert((space(export.kind), export.index));
        }
        needed.extend(module.start.map(|start| (Space::Function, start)));
        // Declarations name functions wherever they are.
        for element in &module.elements {
            if let (ElementKind::Declared, ElementItems::Functions(functions)) =
                (&element.kind, &element.items)
            {
                let functions = functions.clone().into_iter().flatten();
                needed.extend(functions.map(|function| (Space::Function, function)));
            }
        }
        let items = moved.iter().filter(|(space, _)| SPACES.contains(space));
        let mut order: Vec<Item> = items.copied().collect();
        let mut shared: Vec<Item> = order
            .iter()
            .copied()
            .filter(|item| needed.contains(item) || draw.chance(25))
            .collect();
        draw.shuffle(&mut shared);
        draw.shuffle(&mut order);
        // A global's value may come from those before it.
        order.sort_by_key(|&(space, index)| (space == Space::Global).then_some(index));
        let is_import = |item: &Item| imports.contains_key(item);
        let provider_order: (Vec<Item>, Vec<Item>) = order.into_iter().partition(is_import);
        let stays = |item: &Item| SPACES.contains(&item.0) && !moved.contains(item);
        let (host, rest): (Vec<Item>, Vec<Item>) =
            module.items().filter(stays).partition(is_import);
        let main_order = ([&shared[..], &host].concat(), rest);
        Splitter {
            module,
            graph,
            shared,
            provider: number(&provider_order),
            main: number(&main_order),
            provider_order,
            main_order,
            groups: match permutes {
                true => another_order(module, draw),
                false => (0..module.groups.len()).collect(),
            },
            active,
            moved,
            imports,
        }
    }

    /// The main module and the provider.
    pub(super) fn modules(&self) -> Encoded<(Vec<u8>, Vec<u8>)> {
        let types = self.types();
        let mut side = Side {
            indices: &self.provider,
            types: Some(&types),
        };
        let provided = self.encode(&self.provider_order, &mut side, true)?;
        let mut side = Side {
            indices: &self.main,
            types: None,
        };
        Ok((self.encode(&self.main_order, &mut side, false)?, provided))
    }

    /// The provider's index of each type.
    fn types(&self) -> Vec<u32> {
        let groups = &self.module.groups;
        let mut first = 0;
        let mut start = vec![0; groups.len()];
        for &group in &self.groups {
            start[group] = first;
            first += groups[group].types().len() as u32;
        }
        let indices = groups.iter().zip(start);
        indices
            .flat_map(|(group, start)| start..start + group.types().len() as u32)
            .collect()
    }

    /// One of the modules, with these imports and these own items in their order.
    fn encode(
        &self,
        (imports, own): &(Vec<Item>, Vec<Item>),
        side: &mut Side<'_>,
        provider: bool,
    ) -> Encoded<Vec<u8>> {
        let module = self.module;
        let mut types = TypeSection::new();
        let identity: Vec<usize> = (0..module.groups.len()).collect();
        for &group in if provider { &self.groups } else { &identity } {
            side.parse_recursive_type_group(types.ty(), module.groups[group].clone())?;
        }
        let mut import_section = ImportSection::new();
        for item in imports {
            if !provider && self.moved.contains(item) {
                let ty = self.entity(*item, side)?;
                import_section.import(linked::MODULE, &name(*item), ty);
            } else {
                side.parse_import(&mut import_section, self.imports[item])?;
            }
        }
        let (mut functions, mut code) = (FunctionSection::new(), CodeSection::new());
        let (mut tables, mut memories) = (TableSection::new(), MemorySection::new());
        let (mut tags, mut globals) = (TagSection::new(), GlobalSection::new());
        for &item in own {
            let at = self.defined(item);
            match item.0 {
                Space::Function => {
                    functions.function(side.type_index(module.functions[at])?);
                    side.parse_function_body(&mut code, module.bodies[at].clone())?;
                }
                Space::Table => side.parse_table(&mut tables, module.tables[at].clone())?,
                Space::Memory => {
                    memories.memory(side.memory_type(module.memories[at])?);
                }
                Space::Tag => {
                    tags.tag(side.tag_type(module.tags[at])?);
                }
                Space::Global => side.parse_global(&mut globals, module.globals[at].clone())?,
                Space::Type | Space::Element | Space::Data => {}
            }
        }
        let mut exports = ExportSection::new();
        if provider {
            for &item in &self.shared {
                exports.export(&name(item), kind(item.0), side.index(item)?);
            }
        } else {
            for export in &module.exports {
                side.parse_export(&mut exports, *export)?;
            }
        }
        let elements = self.elements(side, provider)?;
        let data = self.data(side, provider)?;

        let mut encoded = wasm_encoder::Module::new();
        macro_rules! append {
            ($($section:ident),*) => {
                $(if !$section.is_empty() {
                    encoded.section(&$section);
                })*
            };
        }
        append!(
            types,
            import_section,
            functions,
            tables,
            memories,
            tags,
            globals,
            exports
        );
        if let (Some(start), false) = (module.start, provider) {
            let function_index = side.function_index(start)?;
            encoded.section(&StartSection { function_index });
        }
        append!(elements);
        if module.counts_data && !data.is_empty() {
            let count = data.len();
            encoded.section(&DataCountSection { count });
        }
        append!(code, data);
        Ok(encoded.finish())
    }

    /// The segments of elements: all of them on both sides, so that their indices stay, but empty where they are the other side's.
    fn elements(&self, side: &mut Side<'_>, provider: bool) -> Encoded<ElementSection> {
        let mut section = ElementSection::new();
        for (index, element) in (0..).zip(&self.module.elements) {
            let item = (Space::Element, index);
            let here = match element.kind {
                ElementKind::Active { .. } => self.active.contains(&item) == provider,
                ElementKind::Passive => self.moved.contains(&item) == provider,
                ElementKind::Declared => !provider,
            };
            match (&element.kind, &element.items) {
                _ if here => side.parse_element(&mut section, element.clone())?,
                // What the functions that moved refer to is declared by its being exported, or here.
                (ElementKind::Declared, _) => {
                    let functions = self
                        .moved
                        .iter()
                        .filter(|(space, _)| *space == Space::Function);
                    let functions: Encoded<Vec<u32>> =
                        functions.map(|&item| side.index(item)).collect();
                    section.declared(Elements::Functions(functions?.into()));
                }
                (_, ElementItems::Functions(_)) => {
                    section.passive(Elements::Functions([].as_slice().into()));
                }
                (_, ElementItems::Expressions(ty, _)) => {
                    let ty = side.ref_type(*ty)?;
                    section.passive(Elements::Expressions(ty, [].as_slice().into()));
                }
            }
        }
        Ok(section)
    }

    /// The segments of data, likewise.
    fn data(&self, side: &mut Side<'_>, provider: bool) -> Encoded<DataSection> {
        let mut section = DataSection::new();
        for (index, data) in (0..).zip(&self.module.data) {
            let item = (Space::Data, index);
            let here = match data.kind {
                DataKind::Active { .. } => self.active.contains(&item) == provider,
                // One that is never dropped may be there twice.
                DataKind::Passive => {
                    self.moved.contains(&item) == provider || !self.graph.unique.contains(&item)
                }
            };
            if here {
                side.parse_data(&mut section, data.clone())?;
            } else {
                section.passive([]);
            }
        }
        Ok(section)
    }

    /// The position of an item among those that the module defines.
    fn defined(&self, (space, index): Item) -> usize {
        (index - self.module.imported(space)) as usize
    }

    /// The type of an item that is imported.
    fn entity(&self, item: Item, side: &mut Side<'_>) -> Encoded<EntityType> {
        let module = self.module;
        if let Some(import) = self.imports.get(&item) {
            return side.entity_type(import.ty);
        }
        let at = self.defined(item);
        side.entity_type(match item.0 {
            Space::Function => TypeRef::Func(module.functions[at]),
            Space::Table => TypeRef::Table(module.tables[at].ty),
            Space::Memory => TypeRef::Memory(module.memories[at]),
            Space::Global => TypeRef::Global(module.globals[at].ty),
            Space::Tag => TypeRef::Tag(module.tags[at]),
            Space::Type | Space::Element | Space::Data => {
                return Err(reencode::Error::UserError(Apart));
            }
        })
    }
}

/// Active segments that the provider has: all of a memory or table that moved, so that they are still written in their order.
fn active(
    module: &Module<'_>,
    graph: &Graph,
    moved: &BTreeSet<Item>,
    draw: &mut Draw,
) -> BTreeSet<Item> {
    let mut by_target: BTreeMap<Item, Vec<Item>> = BTreeMap::new();
    for (index, element) in (0..).zip(&module.elements) {
        if let ElementKind::Active { table_index, .. } = element.kind {
            let table = (Space::Table, table_index.unwrap_or(0));
            by_target
                .entry(table)
                .or_default()
                .push((Space::Element, index));
        }
    }
    for (index, data) in (0..).zip(&module.data) {
        if let DataKind::Active { memory_index, .. } = data.kind {
            let memory = (Space::Memory, memory_index);
            by_target
                .entry(memory)
                .or_default()
                .push((Space::Data, index));
        }
    }
    let mut active = BTreeSet::new();
    for (target, segments) in by_target {
        let needs = segments.iter().flat_map(|segment| &graph.uses[segment]);
        let fits = moved.contains(&target) && needs.into_iter().all(|need| moved.contains(need));
        if fits && draw.chance(50) {
            active.extend(segments);
        }
    }
    active
}

/// An order of the groups of types in which each comes after those that it refers to.
fn another_order(module: &Module<'_>, draw: &mut Draw) -> Vec<usize> {
    let count = module.groups.len();
    let mut group_of = Vec::new();
    for (group, types) in module.groups.iter().enumerate() {
        group_of.extend(types.types().map(|_| group));
    }
    let mut first = 0;
    let mut needs: Vec<BTreeSet<usize>> = Vec::new();
    for (group, types) in module.groups.iter().enumerate() {
        let indices = first..first + types.types().len() as u32;
        first = indices.end;
        let used = indices.flat_map(|index| module.uses((Space::Type, index)));
        let used = used.filter_map(|(_, index)| group_of.get(index as usize).copied());
        needs.push(used.filter(|other| *other != group).collect());
    }
    let mut order = Vec::new();
    let mut left: Vec<usize> = (0..count).collect();
    while !left.is_empty() {
        let ready = |group: &usize| needs[*group].iter().all(|need| order.contains(need));
        let ready: Vec<usize> = (0..left.len()).filter(|&at| ready(&left[at])).collect();
        order.push(left.remove(ready[draw.below(ready.len())]));
    }
    order
}

/// The indices of items, each in its space: imports go before the rest.
fn number((imports, own): &(Vec<Item>, Vec<Item>)) -> Indices {
    let mut next: BTreeMap<Space, u32> = BTreeMap::new();
    let mut indices = Indices::new();
    for &item in imports.iter().chain(own) {
        let next = next.entry(item.0).or_default();
        indices.insert(item, *next);
        *next += 1;
    }
    indices
}

fn space(kind: wasmparser::ExternalKind) -> Space {
    use wasmparser::ExternalKind;
    match kind {
        ExternalKind::Func | ExternalKind::FuncExact => Space::Function,
        ExternalKind::Table => Space::Table,
        ExternalKind::Memory => Space::Memory,
        ExternalKind::Global => Space::Global,
        ExternalKind::Tag => Space::Tag,
    }
}

fn kind(space: Space) -> ExportKind {
    match space {
        Space::Table => ExportKind::Table,
        Space::Memory => ExportKind::Memory,
        Space::Global => ExportKind::Global,
        Space::Tag => ExportKind::Tag,
        Space::Function | Space::Type | Space::Element | Space::Data => ExportKind::Func,
    }
}

/// The name under which the provider exports an item.
fn name((space, index): Item) -> String {
    let kind = match space {
        Space::Table => "table",
        Space::Memory => "memory",
        Space::Global => "global",
        Space::Tag => "tag",
        Space::Function | Space::Type | Space::Element | Space::Data => "func",
    };
    format!("{kind}{index}")
}

/// Gives everything the index that it has on one side.
struct Side<'s> {
    indices: &'s Indices,
    /// The indices of types, where they are others.
    types: Option<&'s [u32]>,
}

impl Side<'_> {
    fn index(&self, item: Item) -> Encoded<u32> {
        let index = self.indices.get(&item).copied();
        index.ok_or(reencode::Error::UserError(Apart))
    }
}

impl Reencode for Side<'_> {
    type Error = Apart;

    fn type_index(&mut self, index: u32) -> Encoded<u32> {
        Ok(match self.types {
            Some(types) => types[index as usize],
            None => index,
        })
    }

    fn function_index(&mut self, index: u32) -> Encoded<u32> {
        self.index((Space::Function, index))
    }

    fn table_index(&mut self, index: u32) -> Encoded<u32> {
        self.index((Space::Table, index))
    }

    fn memory_index(&mut self, index: u32) -> Encoded<u32> {
        self.index((Space::Memory, index))
    }

    fn global_index(&mut self, index: u32) -> Encoded<u32> {
        self.index((Space::Global, index))
    }

    fn tag_index(&mut self, index: u32) -> Encoded<u32> {
        self.index((Space::Tag, index))
    }
}
