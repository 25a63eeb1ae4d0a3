//! Reading a module: what wasmparser found valid is collected and translated at once.
//!
//! A module with something unsupported is still validated to its end, so that "invalid"
//! wins over "not supported".

use std::sync::Arc;

use wasmparser::{
    ConstExpr, DataKind, ElementItems, ElementKind, ExternalKind, FuncToValidate,
    FuncValidatorAllocations, FunctionBody, OperatorsReader, Payload, TableInit, TypeRef,
    ValidatorResources,
};

use super::{DataSegment, ElementSegment, Items, Mode, Module, ModuleData, ModuleInfo};
use crate::checks;
use crate::code::Code;
use crate::config::Engine;
use crate::error::Error;
use crate::exec::ops::Op;
use crate::translate::{CodeBuilder, FunctionTranslator, Unsupported};
use crate::types::{ExternType, ImportType, MemoryType, TagType, ValType};

/// A constant expression that is translated when all functions are.
struct Constant<'a> {
    expr: ConstExpr<'a>,
    ty: ValType,
}

/// Collects a module, section by section.
pub(super) struct Reader<'a> {
    engine: Engine,
    info: ModuleInfo,
    builder: CodeBuilder,
    unsupported: Option<(Unsupported, Option<u32>)>,
    imports: Vec<ImportType>,
    exports: Vec<(String, ExternalKind, u32)>,
    start: Option<u32>,
    constants: Vec<Constant<'a>>,
    table_inits: Vec<Option<u32>>,
    global_inits: Vec<u32>,
    elements: Vec<ElementSegment>,
    data: Vec<DataSegment>,
}

const fn index_type(is64: bool) -> ValType {
    if is64 { ValType::I64 } else { ValType::I32 }
}

impl<'a> Reader<'a> {
    pub fn new(engine: &Engine) -> Self {
        Reader {
            engine: engine.clone(),
            info: ModuleInfo::default(),
            builder: CodeBuilder::new(engine.config().coverage || engine.config().counts),
            unsupported: None,
            imports: Vec::new(),
            exports: Vec::new(),
            start: None,
            constants: Vec::new(),
            table_inits: Vec::new(),
            global_inits: Vec::new(),
            elements: Vec::new(),
            data: Vec::new(),
        }
    }

    /// Notes a constant expression; the answer is its place among them.
    fn constant(&mut self, expr: ConstExpr<'a>, ty: ValType) -> u32 {
        self.constants.push(Constant { expr, ty });
        self.constants.len() as u32 - 1
    }

    fn refuse(&mut self, unsupported: Unsupported, function: Option<u32>) {
        if self
            .unsupported
            .is_none_or(|(earlier, _)| unsupported.offset < earlier.offset)
        {
            self.unsupported = Some((unsupported, function));
        }
    }

    fn memory(&mut self, ty: wasmparser::MemoryType, offset: u64) -> MemoryType {
        if ty.shared {
            self.refuse(
                Unsupported {
                    feature: "threads",
                    offset: offset as u32,
                },
                None,
            );
        }
        self.info.types.memory(ty)
    }

    /// Collects a validated section.
    pub fn section(&mut self, payload: Payload<'a>) -> Result<(), Error> {
        match payload {
            Payload::TypeSection(section) => {
                for group in section {
                    self.info.types.add_group(&group?, &self.engine.registry);
                }
                self.engine.registry.update(&mut self.info.known);
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports_with_offsets() {
                    let (offset, import) = import?;
                    self.import(&import, offset);
                }
            }
            Payload::FunctionSection(section) => {
                for ty in section {
                    self.info.funcs.push(ty?);
                }
            }
            Payload::TableSection(section) => {
                for table in section {
                    let table = table?;
                    let ty = self.info.types.table(table.ty);
                    self.info.tables.push(ty);
                    let init = match table.init {
                        TableInit::RefNull => None,
                        TableInit::Expr(expr) => {
                            Some(self.constant(expr, ValType::Ref(ty.element)))
                        }
                    };
                    self.table_inits.push(init);
                }
            }
            Payload::MemorySection(section) => {
                for memory in section.into_iter_with_offsets() {
                    let (offset, memory) = memory?;
                    let ty = self.memory(memory, offset);
                    self.info.memories.push(ty);
                }
            }
            Payload::TagSection(section) => {
                for tag in section {
                    let ty = self.info.func_type(tag?.func_type_idx);
                    self.info.tags.push(ty);
                }
            }
            Payload::GlobalSection(section) => {
                for global in section {
                    let global = global?;
                    let ty = self.info.types.global(global.ty);
                    self.info.globals.push(ty);
                    let init = self.constant(global.init_expr, ty.content);
                    self.global_inits.push(init);
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export?;
                    self.exports
                        .push((export.name.to_owned(), export.kind, export.index));
                }
            }
            Payload::StartSection { func, .. } => self.start = Some(func),
            Payload::ElementSection(section) => {
                for element in section {
                    self.element(element?)?;
                }
            }
            Payload::DataSection(section) => {
                for data in section {
                    let data = data?;
                    let mode = match data.kind {
                        DataKind::Passive => Mode::Passive,
                        DataKind::Active {
                            memory_index,
                            offset_expr,
                        } => {
                            let memory = self.info.memories[memory_index as usize];
                            let offset = self.constant(offset_expr, index_type(memory.memory64));
                            Mode::Active {
                                index: memory_index,
                                offset,
                            }
                        }
                    };
                    self.data.push(DataSegment {
                        mode,
                        bytes: data.data.to_vec(),
                    });
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn import(&mut self, import: &wasmparser::Import<'_>, offset: u64) {
        let ty = match import.ty {
            TypeRef::Func(index) | TypeRef::FuncExact(index) => {
                self.info.funcs.push(index);
                self.info.imported_funcs += 1;
                ExternType::Func(self.info.func_type(index))
            }
            TypeRef::Table(ty) => {
                let ty = self.info.types.table(ty);
                self.info.tables.push(ty);
                ExternType::Table(ty)
            }
            TypeRef::Memory(ty) => {
                let ty = self.memory(ty, offset);
                self.info.memories.push(ty);
                ExternType::Memory(ty)
            }
            TypeRef::Global(ty) => {
                let ty = self.info.types.global(ty);
                self.info.globals.push(ty);
                ExternType::Global(ty)
            }
            TypeRef::Tag(ty) => {
                let func = self.info.func_type(ty.func_type_idx);
                self.info.tags.push(func.clone());
                ExternType::Tag(TagType { func })
            }
        };
        self.imports.push(ImportType {
            module: import.module.to_owned(),
            name: import.name.to_owned(),
            ty,
        });
    }

    fn element(&mut self, element: wasmparser::Element<'a>) -> Result<(), Error> {
        let mode = match element.kind {
            ElementKind::Passive => Mode::Passive,
            ElementKind::Declared => Mode::Declarative,
            ElementKind::Active {
                table_index,
                offset_expr,
            } => {
                let index = table_index.unwrap_or(0);
                let table = self.info.tables[index as usize];
                let offset = self.constant(offset_expr, index_type(table.table64));
                Mode::Active { index, offset }
            }
        };
        let items = match element.items {
            ElementItems::Functions(list) => {
                Items::Functions(list.into_iter().collect::<Result<_, _>>()?)
            }
            ElementItems::Expressions(ty, list) => {
                let ty = ValType::Ref(self.info.types.reference(ty));
                let mut items = Vec::new();
                for expr in list {
                    items.push(self.constant(expr?, ty));
                }
                Items::Expressions(items)
            }
        };
        self.elements.push(ElementSegment { mode, items });
        Ok(())
    }

    /// Validates and translates a function's body.
    pub fn function(
        &mut self,
        func: FuncToValidate<ValidatorResources>,
        body: &FunctionBody<'a>,
        allocations: FuncValidatorAllocations,
    ) -> Result<FuncValidatorAllocations, Error> {
        let index = func.index;
        let ty = self.info.func_type(func.ty);
        let mut validator = func.into_validator(allocations);
        let mut translator = FunctionTranslator::new(
            &self.info,
            &mut self.builder,
            Some(index),
            ty.params(),
            ty.results.clone(),
        );
        let mut locals = body.get_locals_reader()?;
        for _ in 0..locals.get_count() {
            let offset = locals.original_position();
            let (count, ty) = locals.read()?;
            validator.define_locals(offset, count, ty)?;
            translator.local(count, self.info.types.val(ty));
        }
        let mut ops = OperatorsReader::new(locals.get_binary_reader());
        translator.begin(ops.clone())?;
        let mut refused = None;
        while !ops.eof() {
            let (op, offset) = ops.read_with_offset()?;
            validator.op(offset, &op)?;
            if refused.is_some() {
                continue;
            }
            match translator.operator(&op, offset as u32)? {
                Err(unsupported) => refused = Some(unsupported),
                Ok(()) => {
                    if checks::ON {
                        let height = validator.operand_stack_height() as usize;
                        let types: Vec<_> = (0..height)
                            .rev()
                            .map(|depth| validator.get_operand_type(depth).flatten())
                            .map(|ty| {
                                ty.map(|ty| self.info.types.operand(ty, validator.resources()))
                            })
                            .collect();
                        translator.check_operands(&op, &types);
                    }
                }
            }
        }
        ops.finish()?;
        translator.finish();
        if let Some(unsupported) = refused {
            self.refuse(unsupported, Some(index));
        }
        Ok(validator.into_allocations())
    }

    /// Translates the constant expressions, and gives each its body instead of its place.
    pub fn finish(mut self) -> Result<Module, Error> {
        let mut bodies = Vec::new();
        for constant in std::mem::take(&mut self.constants) {
            let mut translator = FunctionTranslator::new(
                &self.info,
                &mut self.builder,
                None,
                &[],
                Arc::new([constant.ty]),
            );
            let mut ops = constant.expr.get_operators_reader();
            translator.begin(ops.clone())?;
            let mut refused = None;
            while !ops.eof() {
                let (op, offset) = ops.read_with_offset()?;
                if let Err(unsupported) = translator.operator(&op, offset as u32)? {
                    refused = Some(unsupported);
                    break;
                }
            }
            let body = translator.finish();
            bodies.push(body);
            if let Some(unsupported) = refused {
                self.refuse(unsupported, None);
            }
        }
        if let Some((Unsupported { feature, offset }, function)) = self.unsupported {
            return Err(Error::Unsupported {
                feature,
                function,
                offset: u64::from(offset),
            });
        }
        let body = |place: &mut u32| *place = bodies[*place as usize];
        self.table_inits.iter_mut().flatten().for_each(body);
        self.global_inits.iter_mut().for_each(body);
        for segment in &mut self.elements {
            if let Mode::Active { offset, .. } = &mut segment.mode {
                body(offset);
            }
            if let Items::Expressions(list) = &mut segment.items {
                list.iter_mut().for_each(body);
            }
        }
        for segment in &mut self.data {
            if let Mode::Active { offset, .. } = &mut segment.mode {
                body(offset);
            }
        }
        let export_names = (0..)
            .zip(&self.exports)
            .map(|(i, (name, ..))| (name.clone(), i))
            .collect();
        let mut builder = self.builder;
        // Now that all functions have their place, calls name it.
        for instr in builder.instrs.iter_mut().filter(|i| i.op == Op::Call) {
            instr.b = builder.bodies[instr.b as usize].start;
        }
        Ok(Module {
            engine: self.engine,
            data: Arc::new(ModuleData {
                info: self.info,
                imports: self.imports,
                exports: self.exports,
                export_names,
                start: self.start,
                code: Code {
                    instrs: builder.instrs.into(),
                    offsets: builder.offsets,
                    bodies: builder.bodies,
                    branches: builder.branches,
                    indirect: builder.indirect,
                    tries: builder.tries,
                    catches: builder.catches,
                    sites: builder.sites,
                    aggregates: builder.aggregates,
                    ref_types: builder.ref_types,
                    checks: builder.checks,
                    shuffles: builder.shuffles,
                },
                table_inits: self.table_inits,
                global_inits: self.global_inits,
                elements: self.elements,
                data: self.data,
            }),
        })
    }
}
