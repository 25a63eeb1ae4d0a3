//! A module under construction: its index spaces, and the flow of control that all scenarios share.

use super::code::{Code, Label};
use super::parameters::Kind;
use super::types::{Layout, Pair, Types};
use crate::engines::STANDARD_HOST;
use crate::generate::Features;
use std::borrow::Cow;
use std::collections::BTreeMap;
use wasm_encoder::{
    BlockType, Catch, CodeSection, ConstExpr, ElementSection, Elements, EntityType, ExportKind,
    ExportSection, FunctionSection, GlobalSection, GlobalType, HeapType, ImportSection,
    MemorySection, MemoryType, Module, RefType, StartSection, TableSection, TableType, TagKind,
    TagSection, TagType, ValType,
};

/// The global that everything is mixed into, an `i64`.
pub(super) const MIXED: u32 = 0;
/// The global that counts the steps of a call, an `i32`.
pub(super) const CLOCK: u32 = 1;

/// What a first construction has to tell the second: what stands before what, where indices depend on it.
#[derive(Default)]
pub(super) struct Learnt {
    pub(super) types: Types,
    imports: u32,
}

/// The heap type of exceptions.
pub(super) const EXN: HeapType = RefType::EXNREF.heap_type;

/// A module under construction.
pub(super) struct Builder {
    pub(super) features: Features,
    pub(super) types: Types,
    /// The number of imported functions, which are the first ones.
    imported: u32,
    imports: ImportSection,
    import_count: u32,
    functions: Vec<(u32, Option<Code>)>,
    tags: Vec<u32>,
    globals: GlobalSection,
    tables: TableSection,
    /// The table of functions for indirect calls, and what is in it.
    indirect: Option<(u32, Vec<u32>)>,
    exports: ExportSection,
    start: Option<u32>,
    /// Helper functions by the type that they make or absorb.
    pub(super) makers: BTreeMap<ValType, u32>,
    pub(super) absorbers: BTreeMap<ValType, u32>,
    pub(super) structure: Option<u32>,
    pub(super) kept_exception: Option<u32>,
    memory64: bool,
    /// The function that each step of a scenario calls.
    pub(super) tick: u32,
    /// The import that calls the function that it is given.
    pub(super) call: u32,
    /// A function that runs a continuation to its end.
    pub(super) finishes: u32,
}

impl Builder {
    /// A module without anything but its first two globals; `learnt` is what a construction of the same module has shown, if there
    /// was one.
    pub(super) fn new(features: Features, learnt: Option<&Learnt>, layout: Layout) -> Builder {
        let mut builder = Builder {
            features,
            types: learnt.map_or_else(Types::default, |l| Types::relaid(&l.types, layout)),
            imported: learnt.map_or(0, |l| l.imports),
            imports: ImportSection::new(),
            import_count: 0,
            functions: Vec::new(),
            tags: Vec::new(),
            globals: GlobalSection::new(),
            tables: TableSection::new(),
            indirect: None,
            exports: ExportSection::new(),
            start: None,
            makers: BTreeMap::new(),
            absorbers: BTreeMap::new(),
            structure: None,
            kept_exception: None,
            memory64: false,
            tick: 0,
            call: 0,
            finishes: 0,
        };
        builder.global(ValType::I64);
        builder.global(ValType::I32);
        builder
    }

    /// What this construction shows.
    pub(super) fn learnt(self) -> Learnt {
        Learnt {
            types: self.types,
            imports: self.import_count,
        }
    }

    /// Imports a function of the standard host.
    pub(super) fn import(&mut self, name: &str, params: &[ValType], results: &[ValType]) -> u32 {
        let ty = self.types.func(params, results);
        self.imports
            .import(STANDARD_HOST, name, EntityType::Function(ty));
        self.import_count += 1;
        self.import_count - 1
    }

    /// A function whose body comes later.
    pub(super) fn declare(&mut self, params: &[ValType], results: &[ValType]) -> u32 {
        let ty = self.types.func(params, results);
        self.declare_typed(ty)
    }

    /// As [`Builder::declare`], with a type that is there.
    pub(super) fn declare_typed(&mut self, ty: u32) -> u32 {
        self.functions.push((ty, None));
        self.imported + self.functions.len() as u32 - 1
    }

    pub(super) fn define(&mut self, function: u32, code: Code) {
        let index = (function - self.imported) as usize;
        self.functions[index].1 = Some(code);
    }

    /// A function with a body.
    pub(super) fn function(
        &mut self,
        params: &[ValType],
        results: &[ValType],
        body: impl FnOnce(&mut Builder, &mut Code),
    ) -> u32 {
        let function = self.declare(params, results);
        let mut code = Code::new(params.len());
        body(self, &mut code);
        self.define(function, code);
        function
    }

    pub(super) fn tag(&mut self, params: &[ValType], results: &[ValType]) -> u32 {
        let ty = self.types.func(params, results);
        self.tags.push(ty);
        self.tags.len() as u32 - 1
    }

    /// A mutable global, zero or null at first.
    pub(super) fn global(&mut self, ty: ValType) -> u32 {
        let init = match ty {
            ValType::I32 => ConstExpr::i32_const(0),
            ValType::I64 => ConstExpr::i64_const(0),
            ValType::F32 => ConstExpr::f32_const(0.0.into()),
            ValType::F64 => ConstExpr::f64_const(0.0.into()),
            ValType::V128 => ConstExpr::v128_const(0),
            ValType::Ref(reference) => ConstExpr::ref_null(reference.heap_type),
        };
        self.initialised_global(ty, &init)
    }

    pub(super) fn initialised_global(&mut self, val_type: ValType, init: &ConstExpr) -> u32 {
        let ty = GlobalType {
            val_type,
            mutable: true,
            shared: false,
        };
        self.globals.global(ty, init);
        self.globals.len() - 1
    }

    /// A table of so many nulls, which may grow by some.
    pub(super) fn table(&mut self, element_type: RefType, minimum: u32) -> u32 {
        let minimum = u64::from(minimum);
        self.tables.table(TableType {
            element_type,
            table64: false,
            minimum,
            maximum: Some(minimum + 16),
            shared: false,
        });
        self.tables.len() - 1
    }

    /// Gives the memory 64-bit addresses, if that is possible.
    pub(super) fn widen_memory(&mut self) {
        self.memory64 = self.features.memory64;
    }

    pub(super) fn memory_is_wide(&self) -> bool {
        self.memory64
    }

    /// The table for indirect calls, and where this function is in it.
    pub(super) fn indirectly(&mut self, function: u32) -> (u32, i32) {
        if self.indirect.is_none() {
            self.indirect = Some((self.table(RefType::FUNCREF, 16), Vec::new()));
        }
        let (table, functions) = self.indirect.as_mut().expect("it has just been made");
        let known = functions.iter().position(|&other| other == function);
        let at = known.unwrap_or_else(|| {
            functions.push(function);
            functions.len() - 1
        });
        (*table, at as i32)
    }

    pub(super) fn export(&mut self, function: u32) {
        let name = format!("call{}", self.exports.len());
        self.exports.export(&name, ExportKind::Func, function);
    }

    pub(super) fn start(&mut self, function: u32) {
        self.start = Some(function);
    }

    /// The block type with these results.
    pub(super) fn block_type(&mut self, results: &[ValType]) -> BlockType {
        match results {
            [] => BlockType::Empty,
            [single] => BlockType::Result(*single),
            _ => BlockType::FunctionType(self.types.func(&[], results)),
        }
    }

    /// The value types of these kinds, as far as the module may use them.
    pub(super) fn values(&mut self, kinds: &[Kind]) -> Vec<ValType> {
        kinds.iter().map(|&kind| self.value(kind)).collect()
    }

    /// As [`Builder::values`], for what `cont.bind` binds.
    pub(super) fn bindable(&mut self, kinds: &[Kind]) -> Vec<ValType> {
        use Kind::*;
        let bindable = |&kind: &Kind| match kind {
            ExternRef | ExnRef | AnyRef | StructRef if !self.features.bound_references => FuncRef,
            other => other,
        };
        let kinds: Vec<Kind> = kinds.iter().map(bindable).collect();
        self.values(&kinds)
    }

    /// Code that may be left in several ways: `run` is executed with one label for each of `ways`, the types of the values that
    /// arrive there; `then` is executed with the number of the label that was taken, and takes the values. Both leave nothing.
    pub(super) fn cases(
        &mut self,
        c: &mut Code,
        ways: &[Vec<ValType>],
        run: impl FnOnce(&mut Builder, &mut Code, &[Label]),
        mut then: impl FnMut(&mut Builder, &mut Code, usize),
    ) {
        let out = c.block(BlockType::Empty);
        let mut labels = Vec::new();
        for values in ways.iter().rev() {
            let ty = self.block_type(values);
            labels.push(c.block(ty));
        }
        labels.reverse();
        run(self, c, &labels);
        for way in 0..ways.len() {
            c.br(out);
            c.end();
            then(self, c, way);
        }
        c.end();
    }

    /// `body` so many times, with a local that counts from 0.
    pub(super) fn times(
        &mut self,
        c: &mut Code,
        count: u32,
        body: impl FnOnce(&mut Builder, &mut Code, u32),
    ) {
        if count == 0 {
            return;
        }
        let counter = c.local(ValType::I32);
        c.i().i32_const(0).local_set(counter);
        let again = c.repeat();
        body(self, c, counter);
        c.i().local_get(counter).i32_const(1).i32_add();
        c.i().local_tee(counter).i32_const(count as i32).i32_lt_u();
        c.br_if(again);
        c.end();
    }

    /// `body` in a `try_table` whose clauses are these, or as it is where there are none.
    pub(super) fn guarded(
        &mut self,
        c: &mut Code,
        catches: Vec<Catch>,
        body: impl FnOnce(&mut Builder, &mut Code),
    ) {
        if catches.is_empty() || !self.features.exceptions {
            body(self, c);
        } else {
            c.try_table(catches);
            body(self, c);
            c.end();
        }
    }

    /// Pushes a fresh continuation of a function.
    pub(super) fn fresh(&mut self, c: &mut Code, function: u32, pair: Pair) {
        c.i().ref_func(function).cont_new(pair.cont);
    }

    /// `run`, unless the reference in a local is null.
    pub(super) fn unless_null(
        &mut self,
        c: &mut Code,
        local: u32,
        run: impl FnOnce(&mut Builder, &mut Code),
    ) {
        c.i().local_get(local).ref_is_null().i32_eqz();
        c.when();
        run(self, c);
        c.end();
    }

    /// Calls what each step of a scenario calls.
    pub(super) fn tick(&mut self, c: &mut Code) {
        c.i().call(self.tick);
    }

    /// Builds the module.
    pub(super) fn finish(self, layout: Layout) -> Module {
        debug_assert_eq!(
            self.imported, self.import_count,
            "the second construction differs"
        );
        let mut functions = FunctionSection::new();
        let mut code = CodeSection::new();
        let count = self.imported + self.functions.len() as u32;
        for (ty, body) in self.functions {
            functions.function(ty);
            code.function(&body.expect("what is declared is defined").finish());
        }
        let mut tags = TagSection::new();
        for func_type_idx in self.tags {
            tags.tag(TagType {
                kind: TagKind::Exception,
                func_type_idx,
            });
        }
        let mut memories = MemorySection::new();
        memories.memory(MemoryType {
            minimum: 1,
            maximum: Some(40),
            memory64: self.memory64,
            shared: false,
            page_size_log2: None,
        });
        let mut elements = ElementSection::new();
        if let Some((table, functions)) = &self.indirect {
            elements.active(
                Some(*table),
                &ConstExpr::i32_const(0),
                Elements::Functions(Cow::Borrowed(functions)),
            );
        }
        let all: Vec<u32> = (0..count).collect();
        elements.declared(Elements::Functions(Cow::Owned(all)));
        let mut module = Module::new();
        module.section(&self.types.section(layout));
        module
            .section(&self.imports)
            .section(&functions)
            .section(&self.tables)
            .section(&memories)
            .section(&tags)
            .section(&self.globals)
            .section(&self.exports);
        if let Some(function_index) = self.start {
            module.section(&StartSection { function_index });
        }
        module.section(&elements).section(&code);
        module
    }
}

/// The heap type of a reference type that is null at first.
pub(super) fn heap(ty: ValType) -> HeapType {
    match ty {
        ValType::Ref(reference) => reference.heap_type,
        _ => unreachable!("only references are null"),
    }
}
