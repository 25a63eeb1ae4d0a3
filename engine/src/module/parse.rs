//! From a module's binary to its declarations, and to the bodies that are yet to be validated and translated.
//!
//! The validator runs with every proposal for core modules that it knows, so that a module which is valid but beyond this
//! engine is told from an invalid one. What the engine does not implement outside of function bodies is noticed here; inside
//! of them, by the translation.

#[cfg(test)]
mod tests;

use super::info::*;
use crate::error::{Error, Unsupported};
use crate::runtime::layout::{Counts, VmOffsets};
use crate::types::TypeSection;
use std::sync::Arc;
use wasmparser::{
    CompositeInnerType, DataKind, ElementKind, ExternalKind, FuncToValidate, FunctionBody,
    HeapType, Imports, Operator, Parser, Payload, RecGroup, RefType, TableInit, TypeRef, ValType,
    ValidPayload, Validator, ValidatorResources, WasmFeatures,
};

/// WebAssembly 3.0, stack switching, and everything that is refused as not supported rather than as invalid.
const FEATURES: WasmFeatures = WasmFeatures::WASM3
    .union(WasmFeatures::STACK_SWITCHING)
    .union(WasmFeatures::SHARED_EVERYTHING_THREADS)
    .union(WasmFeatures::MEMORY_CONTROL)
    .union(WasmFeatures::CUSTOM_PAGE_SIZES)
    .union(WasmFeatures::WIDE_ARITHMETIC)
    .union(WasmFeatures::CUSTOM_DESCRIPTORS)
    .union(WasmFeatures::COMPACT_IMPORTS)
    .union(WasmFeatures::ACQUIRE_RELEASE_ATOMICS)
    .union(WasmFeatures::MULTIBYTE_ARRAY_ACCESS);

/// A module whose declarations are valid. The bodies are not validated yet, and `unsupported` matters only once they are:
/// an invalid module is invalid, whatever else it uses.
pub(crate) struct Parsed<'a> {
    pub info: ModuleInfo,
    /// The defined functions, in order.
    pub bodies: Vec<(FuncToValidate<ValidatorResources>, FunctionBody<'a>)>,
    /// The first thing in the declarations that the engine does not implement.
    pub unsupported: Option<Unsupported>,
}

/// Reads and validates everything but function bodies.
///
/// # Errors
/// [`Error::Invalid`], when the binary is malformed or its declarations are invalid.
pub(crate) fn parse(bytes: &[u8]) -> Result<Parsed<'_>, Error> {
    let mut validator = Validator::new_with_features(FEATURES);
    let mut parser = Parser::new(0);
    parser.set_features(FEATURES);
    let mut reader = Reader::default();
    let mut bodies = Vec::new();
    for payload in parser.parse_all(bytes) {
        let payload = payload?;
        if let ValidPayload::Func(validator, body) = validator.payload(&payload)? {
            bodies.push((validator, body));
        }
        reader.payload(payload)?;
    }
    let (info, unsupported) = reader.finish();
    Ok(Parsed {
        info,
        bodies,
        unsupported,
    })
}

/// The proposal of a heap type that is not implemented; `None` for the others. A type that a module declares was looked at there.
pub(crate) fn unsupported_heap_type(ty: HeapType) -> Option<&'static str> {
    match ty {
        HeapType::Abstract { shared: true, .. } => Some("shared-everything threads"),
        HeapType::Exact(_) => Some("custom descriptors"),
        HeapType::Abstract { shared: false, .. } | HeapType::Concrete(_) => None,
    }
}

impl From<wasmparser::Error> for Error {
    fn from(error: wasmparser::Error) -> Self {
        Error::Invalid {
            message: error.message().to_owned(),
            offset: error.offset() as usize,
        }
    }
}

/// Collects validated sections.
#[derive(Default)]
struct Reader {
    info: ModuleInfo,
    types: TypeSection,
    unsupported: Option<Unsupported>,
}

impl Reader {
    fn refuse(&mut self, feature: &'static str, offset: u64) {
        self.unsupported.get_or_insert(Unsupported {
            feature,
            function: None,
            offset: offset as u32,
        });
    }

    fn payload(&mut self, payload: Payload<'_>) -> Result<(), Error> {
        match payload {
            Payload::TypeSection(section) => {
                for group in section {
                    self.rec_group(group?);
                }
            }
            Payload::ImportSection(section) => {
                for item in section.into_iter_with_offsets() {
                    let (offset, imports) = item?;
                    self.imports(offset, imports)?;
                }
            }
            Payload::FunctionSection(section) => {
                for ty in section {
                    self.info.functions.push(ty?);
                }
            }
            Payload::TableSection(section) => {
                for item in section.into_iter_with_offsets() {
                    let (offset, table) = item?;
                    self.table_type(table.ty, offset);
                    let init = match table.init {
                        TableInit::RefNull => None,
                        TableInit::Expr(expr) => Some(self.const_expr(expr)?),
                    };
                    self.info.tables.push(TableInfo { ty: table.ty, init });
                }
            }
            Payload::MemorySection(section) => {
                for item in section.into_iter_with_offsets() {
                    let (offset, ty) = item?;
                    self.memory_type(ty, offset);
                    self.info.memories.push(ty);
                }
            }
            Payload::TagSection(section) => {
                for ty in section {
                    self.info.tags.push(ty?.func_type_idx);
                }
            }
            Payload::GlobalSection(section) => {
                for item in section.into_iter_with_offsets() {
                    let (offset, global) = item?;
                    self.global_type(global.ty, offset);
                    let init = Some(self.const_expr(global.init_expr)?);
                    self.info.globals.push(GlobalInfo {
                        ty: global.ty,
                        init,
                    });
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    self.export(export?);
                }
            }
            Payload::StartSection { func, .. } => {
                self.info.start = Some(func);
                self.escape(func);
            }
            Payload::ElementSection(section) => {
                for element in section {
                    self.element(element?)?;
                }
            }
            Payload::DataSection(section) => {
                for data in section {
                    let data = data?;
                    let mode = match data.kind {
                        DataKind::Passive => DataMode::Passive,
                        DataKind::Active {
                            memory_index,
                            offset_expr,
                        } => DataMode::Active {
                            memory: memory_index,
                            offset: self.const_expr(offset_expr)?,
                        },
                    };
                    self.info.data.push(DataSegment {
                        mode,
                        bytes: data.data.into(),
                    });
                }
            }
            Payload::CustomSection(section) if section.name() == "name" => {
                self.info.names = section.data().into();
            }
            // The rest is the validator's business alone: it has refused components and unknown sections, and hands out bodies.
            _ => {}
        }
        Ok(())
    }

    fn rec_group(&mut self, group: RecGroup) {
        for (offset, ty) in group.clone().into_types_and_offsets() {
            let composite = &ty.composite_type;
            if composite.shared {
                self.refuse("shared-everything threads", offset);
            }
            if composite.descriptor_idx.is_some() || composite.describes_idx.is_some() {
                self.refuse("custom descriptors", offset);
            }
            match &composite.inner {
                CompositeInnerType::Func(ty) => {
                    ty.params()
                        .iter()
                        .chain(ty.results())
                        .for_each(|&ty| self.val_type(ty, offset));
                }
                CompositeInnerType::Struct(ty) => ty
                    .fields
                    .iter()
                    .for_each(|&field| self.field_type(field, offset)),
                CompositeInnerType::Array(ty) => self.field_type(ty.0, offset),
                CompositeInnerType::Cont(_) => {}
            }
        }
        self.types.push(group);
    }

    fn field_type(&mut self, field: wasmparser::FieldType, offset: u64) {
        if let wasmparser::StorageType::Val(ValType::Ref(ty)) = field.element_type {
            self.ref_type(ty, offset);
        }
    }

    fn val_type(&mut self, ty: ValType, offset: u64) {
        match ty {
            ValType::Ref(ty) => self.ref_type(ty, offset),
            ValType::I32 | ValType::I64 | ValType::F32 | ValType::F64 | ValType::V128 => {}
        }
    }

    fn ref_type(&mut self, ty: RefType, offset: u64) {
        if let Some(feature) = unsupported_heap_type(ty.heap_type()) {
            self.refuse(feature, offset);
        }
    }

    fn global_type(&mut self, ty: wasmparser::GlobalType, offset: u64) {
        if ty.shared {
            self.refuse("shared-everything threads", offset);
        }
        self.val_type(ty.content_type, offset);
    }

    fn memory_type(&mut self, ty: wasmparser::MemoryType, offset: u64) {
        if ty.shared {
            self.refuse("threads", offset);
        }
    }

    fn table_type(&mut self, ty: wasmparser::TableType, offset: u64) {
        if ty.shared {
            self.refuse("shared-everything threads", offset);
        }
        self.ref_type(ty.element_type, offset);
    }

    fn imports(&mut self, offset: u64, imports: Imports<'_>) -> Result<(), Error> {
        if !matches!(imports, Imports::Single(..)) {
            self.refuse("compact imports", offset);
        }
        for import in imports {
            let (offset, import) = import?;
            let info = &mut self.info;
            let kind = match import.ty {
                TypeRef::Func(ty) | TypeRef::FuncExact(ty) => {
                    info.functions.push(ty);
                    info.num_imported_funcs += 1;
                    if matches!(import.ty, TypeRef::FuncExact(_)) {
                        self.refuse("custom descriptors", offset);
                    }
                    ImportKind::Func(ty)
                }
                TypeRef::Global(ty) => {
                    info.globals.push(GlobalInfo { ty, init: None });
                    info.num_imported_globals += 1;
                    self.global_type(ty, offset);
                    ImportKind::Global(ty)
                }
                TypeRef::Memory(ty) => {
                    info.memories.push(ty);
                    info.num_imported_memories += 1;
                    self.memory_type(ty, offset);
                    ImportKind::Memory(ty)
                }
                TypeRef::Table(ty) => {
                    info.tables.push(TableInfo { ty, init: None });
                    info.num_imported_tables += 1;
                    self.table_type(ty, offset);
                    ImportKind::Table(ty)
                }
                TypeRef::Tag(ty) => {
                    info.tags.push(ty.func_type_idx);
                    info.num_imported_tags += 1;
                    ImportKind::Tag(ty.func_type_idx)
                }
            };
            self.info.imports.push(Import {
                module: import.module.to_owned(),
                name: import.name.to_owned(),
                kind,
            });
        }
        Ok(())
    }

    fn export(&mut self, export: wasmparser::Export<'_>) {
        let kind = match export.kind {
            ExternalKind::Func | ExternalKind::FuncExact => {
                self.escape(export.index);
                ExternKind::Func
            }
            ExternalKind::Global => ExternKind::Global,
            ExternalKind::Memory => ExternKind::Memory,
            ExternalKind::Table => ExternKind::Table,
            ExternalKind::Tag => ExternKind::Tag,
        };
        self.info.exports.push(Export {
            name: export.name.to_owned(),
            kind,
            index: export.index,
        });
    }

    fn element(&mut self, element: wasmparser::Element<'_>) -> Result<(), Error> {
        let mode = match element.kind {
            ElementKind::Passive => ElementMode::Passive,
            ElementKind::Declared => ElementMode::Declared,
            ElementKind::Active {
                table_index,
                offset_expr,
            } => ElementMode::Active {
                table: table_index.unwrap_or(0),
                offset: self.const_expr(offset_expr)?,
            },
        };
        let items = match element.items {
            wasmparser::ElementItems::Functions(functions) => {
                let functions = functions.into_iter().collect::<Result<Vec<u32>, _>>()?;
                functions.iter().for_each(|&function| self.escape(function));
                ElementItems::Functions(functions)
            }
            wasmparser::ElementItems::Expressions(ty, expressions) => {
                self.ref_type(ty, element.range.start);
                let expressions = expressions
                    .into_iter()
                    .map(|expr| self.const_expr(expr?))
                    .collect::<Result<Vec<_>, Error>>()?;
                ElementItems::Expressions(expressions)
            }
        };
        self.info.elements.push(ElementSegment { mode, items });
        Ok(())
    }

    fn const_expr(&mut self, expr: wasmparser::ConstExpr<'_>) -> Result<ConstExpr, Error> {
        let mut ops = Vec::new();
        for item in expr.get_operators_reader().into_iter_with_offsets() {
            let (operator, offset) = item?;
            ops.push(match operator {
                Operator::I32Const { value } => ConstOp::I32Const(value),
                Operator::I64Const { value } => ConstOp::I64Const(value),
                Operator::F32Const { value } => ConstOp::F32Const(value.bits()),
                Operator::F64Const { value } => ConstOp::F64Const(value.bits()),
                Operator::V128Const { value } => {
                    ConstOp::V128Const(u128::from_le_bytes(*value.bytes()))
                }
                Operator::I32Add => ConstOp::I32Add,
                Operator::I32Sub => ConstOp::I32Sub,
                Operator::I32Mul => ConstOp::I32Mul,
                Operator::I64Add => ConstOp::I64Add,
                Operator::I64Sub => ConstOp::I64Sub,
                Operator::I64Mul => ConstOp::I64Mul,
                Operator::RefNull { hty } => {
                    if let Some(ty) = RefType::new(true, hty) {
                        self.ref_type(ty, offset);
                    }
                    ConstOp::RefNull
                }
                Operator::RefFunc { function_index } => {
                    self.escape(function_index);
                    ConstOp::RefFunc(function_index)
                }
                Operator::GlobalGet { global_index } => ConstOp::GlobalGet(global_index),
                Operator::RefI31 => ConstOp::RefI31,
                Operator::StructNew { struct_type_index } => ConstOp::StructNew(struct_type_index),
                Operator::StructNewDefault { struct_type_index } => {
                    ConstOp::StructNewDefault(struct_type_index)
                }
                Operator::ArrayNew { array_type_index } => ConstOp::ArrayNew(array_type_index),
                Operator::ArrayNewDefault { array_type_index } => {
                    ConstOp::ArrayNewDefault(array_type_index)
                }
                Operator::ArrayNewFixed {
                    array_type_index,
                    array_size,
                } => ConstOp::ArrayNewFixed(array_type_index, array_size),
                // The word stays the same.
                Operator::AnyConvertExtern | Operator::ExternConvertAny => continue,
                Operator::End => continue,
                // What the validator allows beside these belongs to a proposal that is refused.
                _ => {
                    self.refuse("custom descriptors", offset);
                    continue;
                }
            });
        }
        Ok(ConstExpr(ops))
    }

    fn escape(&mut self, function: u32) {
        let function = function as usize;
        if self.info.escaping.len() <= function {
            self.info.escaping.resize(function + 1, false);
        }
        self.info.escaping[function] = true;
    }

    fn finish(mut self) -> (ModuleInfo, Option<Unsupported>) {
        let info = &mut self.info;
        info.escaping.resize(info.functions.len(), false);
        info.counts = Counts {
            imported_funcs: info.num_imported_funcs,
            defined_funcs: info.functions.len() as u32 - info.num_imported_funcs,
            globals: info.globals.len() as u32,
            memories: info.memories.len() as u32,
            tables: info.tables.len() as u32,
            tags: info.tags.len() as u32,
            types: self.types.len(),
        };
        info.offsets = VmOffsets::new(info.counts);
        info.types = Arc::new(self.types);
        (self.info, self.unsupported)
    }
}
