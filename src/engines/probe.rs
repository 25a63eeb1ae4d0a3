//! For engines that show exports, but not what all of them hold: functions in the module itself that tell.

use super::expose::Exposed;
use crate::binary::Sections;
use std::collections::BTreeMap;
use std::ops::Range;
use wasm_encoder::{
    ConstExpr, Encode, ExportKind, ExportSection, Function, GlobalSection, GlobalType, HeapType,
    Module, RawSection, RefType, SectionId, TableSection, TagKind, TagSection, TagType, ValType,
};
use wasmparser::{
    AbstractHeapType, BinaryReaderError, CompositeInnerType, Parser, Payload, TypeRef,
    UnpackedIndex,
};

/// A module that exports all that its instances hold, and functions that say of each reference to a continuation whether it is
/// null.
pub(super) struct Probed {
    /// The module with everything exported; its bytes have the probes as well.
    pub(super) exposed: Exposed,
    /// The globals that hold references to continuations: by index, the names of their probes, which give 1 for null.
    pub(super) globals: BTreeMap<u32, String>,
    /// The same for tables; these probes have the element's index as parameter, of the table's address type.
    pub(super) tables: BTreeMap<u32, String>,
    /// The structure and array types: by index, the name of a global that refers to the type.
    pub(super) types: BTreeMap<u32, String>,
    /// A module that provides the imports which the interface has no means for: tags (those with results), and globals and tables
    /// of references to continuations. Each is exported under the index of the import.
    pub(super) provider: Option<Vec<u8>>,
}

/// The parts of a module that the probes depend on.
#[derive(Default)]
struct Shape {
    /// Where in the binary the types are.
    type_section: Range<usize>,
    imports: Vec<TypeRef>,
    types: Vec<CompositeInnerType>,
    global_count: u32,
    /// The globals that hold references.
    globals: Vec<(u32, wasmparser::RefType)>,
    /// The element type, and whether the addresses have 64 bits.
    tables: Vec<(wasmparser::RefType, bool)>,
}

impl Shape {
    fn read(wasm: &[u8]) -> Result<Shape, BinaryReaderError> {
        let mut shape = Shape::default();
        for payload in Parser::new(0).parse_all(wasm) {
            match payload? {
                Payload::TypeSection(section) => {
                    let range = section.range();
                    shape.type_section = range.start as usize..range.end as usize;
                    for group in section {
                        let types = group?.into_types();
                        shape.types.extend(types.map(|ty| ty.composite_type.inner));
                    }
                }
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        let import = import?.ty;
                        shape.imports.push(import);
                        match import {
                            TypeRef::Global(ty) => shape.global(ty.content_type),
                            TypeRef::Table(ty) => shape.tables.push((ty.element_type, ty.table64)),
                            _ => {}
                        }
                    }
                }
                Payload::TableSection(section) => {
                    for table in section {
                        let ty = table?.ty;
                        shape.tables.push((ty.element_type, ty.table64));
                    }
                }
                Payload::GlobalSection(section) => {
                    for global in section {
                        shape.global(global?.ty.content_type);
                    }
                }
                Payload::CodeSectionStart { .. } => break,
                _ => {}
            }
        }
        Ok(shape)
    }

    fn global(&mut self, ty: wasmparser::ValType) {
        if let wasmparser::ValType::Ref(ty) = ty {
            self.globals.push((self.global_count, ty));
        }
        self.global_count += 1;
    }

    fn is_continuation(&self, ty: wasmparser::RefType) -> bool {
        match ty.heap_type() {
            wasmparser::HeapType::Abstract { ty, .. } => {
                matches!(ty, AbstractHeapType::Cont | AbstractHeapType::NoCont)
            }
            wasmparser::HeapType::Concrete(UnpackedIndex::Module(index))
            | wasmparser::HeapType::Exact(UnpackedIndex::Module(index)) => {
                let ty = self.types.get(index as usize);
                matches!(ty, Some(CompositeInnerType::Cont(_)))
            }
            _ => false,
        }
    }
}

impl Shape {
    /// The module that provides imports, if there is something to provide.
    fn provider(&self, wasm: &[u8]) -> Option<Vec<u8>> {
        let (mut tags, mut tables) = (TagSection::new(), TableSection::new());
        let mut globals = GlobalSection::new();
        let mut exports = ExportSection::new();
        for (import, ty) in self.imports.iter().enumerate() {
            let name = import.to_string();
            match *ty {
                TypeRef::Tag(ty) => {
                    exports.export(&name, ExportKind::Tag, tags.len());
                    tags.tag(TagType {
                        kind: TagKind::Exception,
                        func_type_idx: ty.func_type_idx,
                    });
                }
                TypeRef::Table(ty)
                    if self.is_continuation(ty.element_type) && ty.element_type.is_nullable() =>
                {
                    exports.export(&name, ExportKind::Table, tables.len());
                    tables.table(ty.try_into().ok()?);
                }
                TypeRef::Global(wasmparser::GlobalType {
                    content_type: wasmparser::ValType::Ref(content),
                    mutable,
                    ..
                }) if self.is_continuation(content) && content.is_nullable() => {
                    exports.export(&name, ExportKind::Global, globals.len());
                    let null = ConstExpr::ref_null(content.heap_type().try_into().ok()?);
                    let ty = wasm_encoder::GlobalType {
                        val_type: ValType::Ref(content.try_into().ok()?),
                        mutable,
                        shared: false,
                    };
                    globals.global(ty, &null);
                }
                _ => {}
            }
        }
        if exports.is_empty() {
            return None;
        }
        let mut module = Module::new();
        module
            .section(&RawSection {
                id: SectionId::Type as u8,
                data: &wasm[self.type_section.clone()],
            })
            .section(&tables)
            .section(&tags)
            .section(&globals)
            .section(&exports);
        Some(module.finish())
    }
}

impl Probed {
    /// Adds the probes to a valid module, and exports everything.
    pub(super) fn new(wasm: &[u8]) -> Result<Probed, BinaryReaderError> {
        let shape = Shape::read(wasm)?;
        let mut probed = Probed {
            exposed: Exposed::new(wasm)?,
            globals: BTreeMap::new(),
            tables: BTreeMap::new(),
            types: BTreeMap::new(),
            provider: shape.provider(wasm),
        };
        let name = |what: &str, index: u32| probed.exposed.own_name(what, index);
        let mut functions = Vec::new();
        for &(index, ty) in &shape.globals {
            if shape.is_continuation(ty) {
                let mut body = Function::new([]);
                body.instructions().global_get(index).ref_is_null().end();
                probed.globals.insert(index, name("null global", index));
                functions.push((None, body));
            }
        }
        for (index, &(ty, wide)) in (0..).zip(&shape.tables) {
            if shape.is_continuation(ty) {
                let address = if wide { ValType::I64 } else { ValType::I32 };
                let mut body = Function::new([]);
                let mut code = body.instructions();
                code.local_get(0).table_get(index).ref_is_null().end();
                probed.tables.insert(index, name("null element", index));
                functions.push((Some(address), body));
            }
        }
        for (index, ty) in (0..).zip(&shape.types) {
            use CompositeInnerType::{Array, Struct};
            if matches!(ty, Struct(_) | Array(_)) {
                probed.types.insert(index, name("type", index));
            }
        }
        probed.exposed.wasm = probed.append(&shape, &functions)?;
        Ok(probed)
    }

    /// The module with these functions, which are the probes in order, and the globals that refer to types.
    fn append(
        &self,
        shape: &Shape,
        functions: &[(Option<ValType>, Function)],
    ) -> Result<Vec<u8>, BinaryReaderError> {
        let mut exports = Entries::default();
        let first = self.exposed.counts.functions;
        let names = self.globals.values().chain(self.tables.values());
        for (index, name) in (first..).zip(names) {
            exports.export(name, ExportKind::Func, index);
        }
        let first = self.exposed.counts.globals;
        for (index, name) in (first..).zip(self.types.values()) {
            exports.export(name, ExportKind::Global, index);
        }

        let params = [None, Some(ValType::I32), Some(ValType::I64)];
        let mut types = Entries::default();
        for param in params {
            types.function_type(param.as_slice(), &[ValType::I32]);
        }
        let (mut declarations, mut bodies) = (Entries::default(), Entries::default());
        for (param, body) in functions {
            let place = params.iter().position(|other| other == param);
            let place = place.expect("an address has 32 or 64 bits") as u32;
            declarations.add(&(shape.types.len() as u32 + place));
            bodies.add(body);
        }
        let mut globals = Entries::default();
        for &ty in self.types.keys() {
            let heap_type = HeapType::Concrete(ty);
            let val_type = ValType::Ref(RefType {
                nullable: true,
                heap_type,
            });
            let ty = GlobalType {
                val_type,
                mutable: false,
                shared: false,
            };
            globals.add(&ty);
            ConstExpr::ref_null(heap_type).encode(&mut globals.bytes);
        }

        let mut sections = Sections::read(&self.exposed.wasm)?;
        for (id, entries) in [
            (SectionId::Type, types),
            (SectionId::Function, declarations),
            (SectionId::Global, globals),
            (SectionId::Export, exports),
            (SectionId::Code, bodies),
        ] {
            if entries.count > 0 {
                sections.append(id, entries.count, &entries.bytes)?;
            }
        }
        Ok(sections.finish())
    }
}

/// Entries of a section, encoded.
#[derive(Default)]
struct Entries {
    count: u32,
    bytes: Vec<u8>,
}

impl Entries {
    fn add(&mut self, entry: &impl Encode) {
        self.count += 1;
        entry.encode(&mut self.bytes);
    }

    fn export(&mut self, name: &str, kind: ExportKind, index: u32) {
        self.count += 1;
        name.encode(&mut self.bytes);
        kind.encode(&mut self.bytes);
        index.encode(&mut self.bytes);
    }

    /// A function type that is final and has no supertype.
    fn function_type(&mut self, params: &[ValType], results: &[ValType]) {
        self.count += 1;
        self.bytes.push(0x60);
        params.encode(&mut self.bytes);
        results.encode(&mut self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_module_holds_is_probed_and_nothing_else_changes() {
        let wasm = wat::parse_str(
            r#"(module
                (type $f (func)) (type $k (cont $f)) (type $s (struct)) (type $a (array i8))
                (import "m" "g" (global (mut (ref null cont))))
                (import "m" "t" (table 2 funcref))
                (global i32 (i32.const 1))
                (global $k (mut (ref null $k)) (ref.null $k))
                (table i64 3 (ref null $k))
                (func (export "f") (global.set $k (cont.new $k (ref.func 0)))))"#,
        )
        .unwrap();
        let probed = Probed::new(&wasm).unwrap();
        wasmparser::Validator::new_with_features(wasmparser::WasmFeatures::all())
            .validate_all(&probed.exposed.wasm)
            .unwrap();
        assert_eq!(probed.globals.keys().collect::<Vec<_>>(), [&0, &2]);
        assert_eq!(probed.tables.keys().collect::<Vec<_>>(), [&1]);
        assert_eq!(probed.types.keys().collect::<Vec<_>>(), [&2, &3]);
        assert_eq!(probed.exposed.counts.functions, 1);
        let text = wasmprinter::print_bytes(&probed.exposed.wasm).unwrap();
        for part in [
            r#"(export "switchback null global 2" (func 2))"#,
            r#"(export "switchback null element 1" (func 3))"#,
            r#"(export "switchback type 3" (global 4))"#,
            "(param i64) (result i32)",
            "(global (;4;) (ref null 3) ref.null 3)",
        ] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
    }

    #[test]
    fn a_module_without_code_may_hold_continuations() {
        let text = "(module (type $f (func)) (type $k (cont $f)) (table 1 (ref null $k)))";
        let probed = Probed::new(&wat::parse_str(text).unwrap()).unwrap();
        wasmparser::Validator::new_with_features(wasmparser::WasmFeatures::all())
            .validate_all(&probed.exposed.wasm)
            .unwrap();
    }

    #[test]
    fn what_the_host_cannot_make_is_provided_with_the_types_of_the_module() {
        let text = r#"(module
            (type $f (func)) (type $k (cont $f)) (type $t (func (param (ref null $k)) (result i32)))
            (import "m" "f" (func)) (import "m" "tag" (tag (type $t)))
            (import "m" "t" (table 3 4 (ref null $k))) (import "m" "u" (table 1 funcref))
            (import "m" "g" (global (mut (ref null $k)))) (import "m" "h" (global i32)))"#;
        let wasm = wat::parse_str(text).unwrap();
        let provider = Probed::new(&wasm).unwrap().provider.unwrap();
        let text = wasmprinter::print_bytes(&provider).unwrap();
        for part in [
            r#"(export "1" (tag 0))"#,
            r#"(export "2" (table 0))"#,
            "(tag (;0;) (type 2)",
            "(table (;0;) 3 4 (ref null 1))",
            r#"(export "4" (global 0))"#,
            "(global (;0;) (mut (ref null 1)) ref.null 1)",
        ] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
        assert!(!text.contains("funcref"), "{text}");
        let without = wat::parse_str("(module (import \"m\" \"f\" (func)))").unwrap();
        assert_eq!(Probed::new(&without).unwrap().provider, None);
    }
}
