//! A module as lists of things that can be taken out, and its way back to a binary with new indices.

use crate::linked;
use std::collections::{BTreeMap, BTreeSet};
use wasm_encoder::reencode::{self, Reencode};
use wasm_encoder::{
    CodeSection, DataCountSection, DataSection, ElementSection, Elements, ExportSection,
    FunctionSection, GlobalSection, ImportSection, MemorySection, StartSection, TableSection,
    TagSection, TypeSection,
};
use wasmparser::{
    Data, DataKind, Element, ElementItems, ElementKind, Export, FunctionBody, Global, Import,
    MemoryType, Parser, Payload, RecGroup, SubType, Table, TagType, TypeRef, Validator,
    WasmFeatures,
};

/// Checks that a module is valid under all proposals; which of them an engine has is the engine's to say.
pub(crate) fn validate(wasm: &[u8]) -> Result<(), wasmparser::Error> {
    Validator::new_with_features(WasmFeatures::all()).validate_all(wasm)?;
    Ok(())
}

/// As [`validate`], also the module's provider, if it has one.
pub(super) fn validate_all(wasm: &[u8]) -> Result<(), wasmparser::Error> {
    linked::modules(wasm).try_for_each(|module| validate(&module))
}

/// The index spaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Space {
    Type,
    Function,
    Table,
    Memory,
    Global,
    Tag,
    Element,
    Data,
}

/// A thing in an index space.
pub(crate) type Item = (Space, u32);

/// A module, without custom sections but the one with its provider.
#[derive(Clone, Default)]
pub(crate) struct Module<'a> {
    pub(crate) groups: Vec<RecGroup>,
    pub(crate) imports: Vec<Import<'a>>,
    pub(crate) functions: Vec<u32>,
    pub(crate) tables: Vec<Table<'a>>,
    pub(crate) memories: Vec<MemoryType>,
    pub(crate) tags: Vec<TagType>,
    pub(crate) globals: Vec<Global<'a>>,
    pub(crate) exports: Vec<Export<'a>>,
    pub(crate) start: Option<u32>,
    pub(crate) elements: Vec<Element<'a>>,
    pub(crate) counts_data: bool,
    pub(crate) data: Vec<Data<'a>>,
    pub(crate) bodies: Vec<FunctionBody<'a>>,
    /// The module in the section of [`linked`].
    provider: Option<&'a [u8]>,
    /// Types that are encoded instead of those with these indices.
    pub(super) replaced: BTreeMap<u32, SubType>,
    /// What comes last in each index space.
    pub(super) added: Added,
}

/// Items that a module did not have. Nothing can be taken out while they are there.
#[derive(Clone, Default)]
pub(super) struct Added {
    pub(super) types: Vec<wasm_encoder::FuncType>,
    /// Functions, with the indices of their types.
    pub(super) functions: Vec<(u32, wasm_encoder::Function)>,
    pub(super) globals: Vec<(wasm_encoder::GlobalType, wasm_encoder::ConstExpr)>,
    /// Functions that are exported, by name.
    pub(super) exports: Vec<(String, u32)>,
}

/// What cannot be encoded: something refers to what was taken out.
#[derive(Debug)]
pub(super) struct Gone;

type Encoded<T> = Result<T, reencode::Error<Gone>>;

impl<'a> Module<'a> {
    /// Reads a valid module.
    pub(crate) fn read(wasm: &'a [u8]) -> Result<Module<'a>, wasmparser::Error> {
        let mut module = Module::default();
        for payload in Parser::new(0).parse_all(wasm) {
            match payload? {
                Payload::TypeSection(s) => module.groups = list(s)?,
                Payload::ImportSection(s) => {
                    module.imports = s.into_imports().collect::<Result<_, _>>()?;
                }
                Payload::FunctionSection(s) => module.functions = list(s)?,
                Payload::TableSection(s) => module.tables = list(s)?,
                Payload::MemorySection(s) => module.memories = list(s)?,
                Payload::TagSection(s) => module.tags = list(s)?,
                Payload::GlobalSection(s) => module.globals = list(s)?,
                Payload::ExportSection(s) => module.exports = list(s)?,
                Payload::StartSection { func, .. } => module.start = Some(func),
                Payload::ElementSection(s) => module.elements = list(s)?,
                Payload::DataCountSection { .. } => module.counts_data = true,
                Payload::DataSection(s) => module.data = list(s)?,
                Payload::CodeSectionEntry(body) => module.bodies.push(body),
                Payload::CustomSection(s) if s.name() == linked::SECTION => {
                    module.provider = Some(s.data());
                }
                _ => {}
            }
        }
        Ok(module)
    }

    /// The number of imports in a space.
    pub(crate) fn imported(&self, space: Space) -> u32 {
        let of = |import: &&Import<'_>| space_of(&import.ty) == space;
        self.imports.iter().filter(of).count() as u32
    }

    /// The types, in the order of their indices.
    pub(super) fn types(&self) -> impl Iterator<Item = &SubType> {
        self.groups.iter().flat_map(RecGroup::types)
    }

    /// The type of each function.
    pub(super) fn function_types(&self) -> impl Iterator<Item = u32> {
        let imported = self.imports.iter().filter_map(|import| match import.ty {
            TypeRef::Func(ty) | TypeRef::FuncExact(ty) => Some(ty),
            _ => None,
        });
        imported.chain(self.functions.iter().copied())
    }

    /// The type of each tag.
    pub(super) fn tag_types(&self) -> impl Iterator<Item = u32> {
        let imported = self.imports.iter().filter_map(|import| match import.ty {
            TypeRef::Tag(ty) => Some(ty.func_type_idx),
            _ => None,
        });
        let defined = self.tags.iter().map(|tag| tag.func_type_idx);
        imported.chain(defined)
    }

    /// The number of globals.
    pub(super) fn globals(&self) -> u32 {
        self.imported(Space::Global) + self.globals.len() as u32
    }

    /// The binary of the module without these items; nothing, if one of them is still in use.
    pub(crate) fn encode(&self, removed: &BTreeSet<Item>) -> Option<Vec<u8>> {
        self.try_encode(removed).ok()
    }

    fn try_encode(&self, removed: &BTreeSet<Item>) -> Encoded<Vec<u8>> {
        let mut r = Renumber::without(removed);
        let mut types = TypeSection::new();
        let mut index = 0;
        for group in &self.groups {
            let mut kept = Vec::new();
            for ty in group.types() {
                if !removed.contains(&(Space::Type, index)) {
                    let ty = self.replaced.get(&index).unwrap_or(ty);
                    kept.push(r.sub_type(ty.clone())?);
                }
                index += 1;
            }
            match kept.as_slice() {
                [] => {}
                [ty] if !group.is_explicit_rec_group() => types.ty().subtype(ty),
                _ => types.ty().rec(kept),
            }
        }
        for ty in &self.added.types {
            types.ty().func_type(ty);
        }
        let mut imports = ImportSection::new();
        for (item, import) in self.import_items() {
            if !removed.contains(&item) {
                r.parse_import(&mut imports, *import)?;
            }
        }
        let mut functions = FunctionSection::new();
        let mut code = CodeSection::new();
        for (ty, body) in self.kept(Space::Function, &self.functions, removed, &self.bodies) {
            functions.function(r.type_index(*ty)?);
            r.parse_function_body(&mut code, body.clone())?;
        }
        for (ty, body) in &self.added.functions {
            functions.function(*ty);
            code.function(body);
        }
        let mut tables = TableSection::new();
        for table in self.kept_of(Space::Table, &self.tables, removed) {
            r.parse_table(&mut tables, table.clone())?;
        }
        let mut memories = MemorySection::new();
        for memory in self.kept_of(Space::Memory, &self.memories, removed) {
            memories.memory(r.memory_type(*memory)?);
        }
        let mut tags = TagSection::new();
        for tag in self.kept_of(Space::Tag, &self.tags, removed) {
            tags.tag(r.tag_type(*tag)?);
        }
        let mut globals = GlobalSection::new();
        for global in self.kept_of(Space::Global, &self.globals, removed) {
            r.parse_global(&mut globals, global.clone())?;
        }
        for (ty, value) in &self.added.globals {
            globals.global(*ty, value);
        }
        let mut exports = ExportSection::new();
        for export in &self.exports {
            r.parse_export(&mut exports, *export)?;
        }
        for (name, function) in &self.added.exports {
            exports.export(name, wasm_encoder::ExportKind::Func, *function);
        }
        let start = self
            .start
            .map(|start| r.function_index(start))
            .transpose()?;
        let mut elements = ElementSection::new();
        for element in self.kept_of(Space::Element, &self.elements, removed) {
            match element.kind {
                ElementKind::Declared => r.declared(&mut elements, element)?,
                _ => r.parse_element(&mut elements, element.clone())?,
            }
        }
        let mut data = DataSection::new();
        for datum in self.kept_of(Space::Data, &self.data, removed) {
            r.parse_data(&mut data, datum.clone())?;
        }

        let mut module = wasm_encoder::Module::new();
        macro_rules! append {
            ($($section:ident),*) => {
                $(if !$section.is_empty() {
                    module.section(&$section);
                })*
            };
        }
        append!(
            types, imports, functions, tables, memories, tags, globals, exports
        );
        if let Some(function_index) = start {
            module.section(&StartSection { function_index });
        }
        append!(elements);
        if self.counts_data && !data.is_empty() {
            let count = data.len();
            module.section(&DataCountSection { count });
        }
        append!(code, data);
        let module = module.finish();
        Ok(match self.provider {
            Some(provider) => linked::link(&module, provider),
            None => module,
        })
    }

    /// All items that nothing needs, seen from the exports, the start function and the active segments.
    pub(super) fn garbage(&self) -> BTreeSet<Item> {
        let mut live = BTreeSet::new();
        let mut work = self.roots();
        while let Some(item) = work.pop() {
            if live.insert(item) {
                work.extend(self.uses(item));
            }
        }
        self.items().filter(|item| !live.contains(item)).collect()
    }

    fn roots(&self) -> Vec<Item> {
        let nothing = BTreeSet::new();
        let mut r = Renumber::without(&nothing);
        let mut exports = ExportSection::new();
        for export in &self.exports {
            // Nothing is taken out, so nothing can be gone.
            let _ = r.parse_export(&mut exports, *export);
        }
        let start = self.start.map(|start| (Space::Function, start));
        let elements = (0u32..).zip(&self.elements).filter_map(|(index, element)| {
            // Declarations are kept as far as what they declare is.
            let root = !matches!(element.kind, ElementKind::Passive);
            root.then_some((Space::Element, index))
        });
        let data = (0u32..).zip(&self.data).filter_map(|(index, data)| {
            matches!(data.kind, DataKind::Active { .. }).then_some((Space::Data, index))
        });
        r.used
            .into_iter()
            .chain(start)
            .chain(elements)
            .chain(data)
            .collect()
    }

    /// What an item refers to.
    pub(crate) fn uses(&self, (space, index): Item) -> BTreeSet<Item> {
        let nothing = BTreeSet::new();
        let mut r = Renumber::without(&nothing);
        // What cannot be read refers to nothing; a valid module has none of it.
        let _ = self.visit(&mut r, space, index);
        r.used
    }

    fn visit(&self, r: &mut Renumber<'_>, space: Space, index: u32) -> Encoded<()> {
        if let Some((_, import)) = self
            .import_items()
            .find(|(item, _)| *item == (space, index))
        {
            r.entity_type(import.ty)?;
            return Ok(());
        }
        let defined = (index - self.imported(space)) as usize;
        match space {
            Space::Type => {
                let mut types = self.groups.iter().flat_map(|group| group.types());
                if let Some(ty) = types.nth(defined) {
                    r.sub_type(ty.clone())?;
                }
            }
            Space::Function => {
                r.type_index(self.functions[defined])?;
                r.parse_function_body(&mut CodeSection::new(), self.bodies[defined].clone())?;
            }
            Space::Table => {
                r.parse_table(&mut TableSection::new(), self.tables[defined].clone())?;
            }
            Space::Global => {
                r.parse_global(&mut GlobalSection::new(), self.globals[defined].clone())?;
            }
            Space::Tag => {
                r.tag_type(self.tags[defined])?;
            }
            Space::Element => {
                let element = &self.elements[defined];
                match (&element.kind, &element.items) {
                    (ElementKind::Declared, ElementItems::Functions(_)) => {}
                    (ElementKind::Declared, ElementItems::Expressions(ty, _)) => {
                        r.ref_type(*ty)?;
                    }
                    _ => r.parse_element(&mut ElementSection::new(), element.clone())?,
                }
            }
            Space::Data => r.parse_data(&mut DataSection::new(), self.data[defined].clone())?,
            Space::Memory => {}
        }
        Ok(())
    }

    /// Every item of the module.
    pub(crate) fn items(&self) -> impl Iterator<Item = Item> {
        let types: usize = self.groups.iter().map(|group| group.types().len()).sum();
        let with_imports = |space, defined: usize| (space, self.imported(space) + defined as u32);
        [
            (Space::Type, types as u32),
            with_imports(Space::Function, self.functions.len()),
            with_imports(Space::Table, self.tables.len()),
            with_imports(Space::Memory, self.memories.len()),
            with_imports(Space::Global, self.globals.len()),
            with_imports(Space::Tag, self.tags.len()),
            (Space::Element, self.elements.len() as u32),
            (Space::Data, self.data.len() as u32),
        ]
        .into_iter()
        .flat_map(|(space, count)| (0..count).map(move |index| (space, index)))
    }

    /// The imports with the item that each is.
    pub(crate) fn import_items(&self) -> impl Iterator<Item = (Item, &Import<'a>)> {
        self.imports.iter().enumerate().map(|(position, import)| {
            let space = space_of(&import.ty);
            let earlier = self.imports[..position].iter();
            let index = earlier.filter(|other| space_of(&other.ty) == space).count();
            ((space, index as u32), import)
        })
    }

    fn kept_of<'m, T>(
        &self,
        space: Space,
        list: &'m [T],
        removed: &BTreeSet<Item>,
    ) -> impl Iterator<Item = &'m T> {
        let first = self.imported(space);
        let kept = move |(index, _): &(u32, _)| !removed.contains(&(space, *index));
        (first..).zip(list).filter(kept).map(|(_, item)| item)
    }

    fn kept<'m, T, U>(
        &self,
        space: Space,
        list: &'m [T],
        removed: &BTreeSet<Item>,
        with: &'m [U],
    ) -> impl Iterator<Item = (&'m T, &'m U)> {
        let kept = self.kept_of(space, list, removed);
        kept.zip(self.kept_of(space, with, removed))
    }
}

fn list<'a, T: wasmparser::FromReader<'a>>(
    section: wasmparser::SectionLimited<'a, T>,
) -> Result<Vec<T>, wasmparser::Error> {
    section.into_iter().collect()
}

fn space_of(ty: &TypeRef) -> Space {
    match ty {
        TypeRef::Func(_) | TypeRef::FuncExact(_) => Space::Function,
        TypeRef::Table(_) => Space::Table,
        TypeRef::Memory(_) => Space::Memory,
        TypeRef::Global(_) => Space::Global,
        TypeRef::Tag(_) => Space::Tag,
    }
}

/// Gives everything its index without what was taken out, and notes what is used.
struct Renumber<'r> {
    removed: &'r BTreeSet<Item>,
    used: BTreeSet<Item>,
}

impl<'r> Renumber<'r> {
    fn without(removed: &'r BTreeSet<Item>) -> Renumber<'r> {
        Renumber {
            removed,
            used: BTreeSet::new(),
        }
    }

    fn index(&mut self, space: Space, index: u32) -> Encoded<u32> {
        if self.removed.contains(&(space, index)) {
            return Err(reencode::Error::UserError(Gone));
        }
        self.used.insert((space, index));
        let before = self.removed.range((space, 0)..(space, index)).count();
        Ok(index - before as u32)
    }

    /// A declarative segment, as far as what it declares is still there.
    fn declared(&mut self, section: &mut ElementSection, element: &Element<'_>) -> Encoded<()> {
        match &element.items {
            ElementItems::Functions(functions) => {
                let mut kept = Vec::new();
                for function in functions.clone() {
                    kept.extend(self.function_index(function?).ok());
                }
                section.declared(Elements::Functions(kept.into()));
            }
            ElementItems::Expressions(ty, expressions) => {
                let mut kept = Vec::new();
                for expression in expressions.clone() {
                    kept.extend(self.const_expr(expression?).ok());
                }
                let ty = self.ref_type(*ty)?;
                section.declared(Elements::Expressions(ty, kept.into()));
            }
        }
        Ok(())
    }
}

impl Reencode for Renumber<'_> {
    type Error = Gone;

    fn type_index(&mut self, index: u32) -> Encoded<u32> {
        self.index(Space::Type, index)
    }

    fn function_index(&mut self, index: u32) -> Encoded<u32> {
        self.index(Space::Function, index)
    }

    fn table_index(&mut self, index: u32) -> Encoded<u32> {
        self.index(Space::Table, index)
    }

    fn memory_index(&mut self, index: u32) -> Encoded<u32> {
        self.index(Space::Memory, index)
    }

    fn global_index(&mut self, index: u32) -> Encoded<u32> {
        self.index(Space::Global, index)
    }

    fn tag_index(&mut self, index: u32) -> Encoded<u32> {
        self.index(Space::Tag, index)
    }

    fn element_index(&mut self, index: u32) -> Encoded<u32> {
        self.index(Space::Element, index)
    }

    fn data_index(&mut self, index: u32) -> Encoded<u32> {
        self.index(Space::Data, index)
    }
}
