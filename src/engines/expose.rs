//! For engines from elsewhere, which show nothing of an instance but its exports: the same module, with everything exported.

use crate::binary::Sections;
use wasm_encoder::{Encode, ExportKind, SectionId};
use wasmparser::{BinaryReaderError, Parser, Payload, TypeRef};

/// A module that exports all that its instances hold.
pub(super) struct Exposed {
    /// The module; the bytes of all sections but exports and start are the original's.
    pub(super) wasm: Vec<u8>,
    /// The kinds of its imports, in order.
    imports: Vec<Kind>,
    /// What it holds, imported items first.
    pub(super) counts: Counts,
    /// The start function, which the module does not have any more: its adapter calls it when the instance is known.
    pub(super) start: Option<u32>,
    prefix: String,
}

/// The kinds of imports, in the order of their index spaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Func,
    Table,
    Memory,
    Global,
    Tag,
}

/// How many items there are in each index space.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) functions: u32,
    pub(super) imported_functions: u32,
    pub(super) globals: u32,
    pub(super) memories: u32,
    pub(super) tables: u32,
    pub(super) tags: u32,
}

impl Exposed {
    /// Exports everything in a valid module.
    pub(super) fn new(wasm: &[u8]) -> Result<Exposed, BinaryReaderError> {
        let mut counts = Counts::default();
        let mut start = None;
        let mut imports = Vec::new();
        let mut names = Vec::new();
        for payload in Parser::new(0).parse_all(wasm) {
            match payload? {
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        let (kind, count) = match import?.ty {
                            TypeRef::Func(_) | TypeRef::FuncExact(_) => {
                                counts.imported_functions += 1;
                                (Kind::Func, &mut counts.functions)
                            }
                            TypeRef::Table(_) => (Kind::Table, &mut counts.tables),
                            TypeRef::Memory(_) => (Kind::Memory, &mut counts.memories),
                            TypeRef::Global(_) => (Kind::Global, &mut counts.globals),
                            TypeRef::Tag(_) => (Kind::Tag, &mut counts.tags),
                        };
                        imports.push(kind);
                        *count += 1;
                    }
                }
                Payload::FunctionSection(section) => counts.functions += section.count(),
                Payload::GlobalSection(section) => counts.globals += section.count(),
                Payload::MemorySection(section) => counts.memories += section.count(),
                Payload::TableSection(section) => counts.tables += section.count(),
                Payload::TagSection(section) => counts.tags += section.count(),
                Payload::ExportSection(section) => {
                    for export in section {
                        names.push(export?.name);
                    }
                }
                Payload::StartSection { func, .. } => start = Some(func),
                Payload::CodeSectionStart { .. } => break,
                _ => {}
            }
        }
        let mut prefix = "switchback ".to_owned();
        while names.iter().any(|name| name.starts_with(&prefix)) {
            prefix.push(' ');
        }

        let mut exposed = Exposed {
            wasm: Vec::new(),
            imports,
            counts,
            start,
            prefix,
        };
        let mut entries = Vec::new();
        let mut count = 0;
        let spaces = [
            (ExportKind::Func, counts.functions),
            (ExportKind::Global, counts.globals),
            (ExportKind::Memory, counts.memories),
            (ExportKind::Table, counts.tables),
            (ExportKind::Tag, counts.tags),
        ];
        for (kind, items) in spaces {
            for index in 0..items {
                exposed.name(kind, index).encode(&mut entries);
                kind.encode(&mut entries);
                index.encode(&mut entries);
                count += 1;
            }
        }
        let mut sections = Sections::read(wasm)?;
        sections.append(SectionId::Export, count, &entries)?;
        sections.remove(SectionId::Start);
        exposed.wasm = sections.finish();
        Ok(exposed)
    }

    /// The indices of the imports, by kind and within a kind in order, as wasmi lists them: functions, tables, memories, globals.
    pub(super) fn imports_by_kind(&self) -> Vec<usize> {
        let mut order: Vec<_> = (0..self.imports.len()).collect();
        order.sort_by_key(|&index| self.imports[index]);
        order
    }

    /// The name under which an item is exported.
    pub(super) fn name(&self, kind: ExportKind, index: u32) -> String {
        let space = match kind {
            ExportKind::Func => "func",
            ExportKind::Global => "global",
            ExportKind::Memory => "memory",
            ExportKind::Table => "table",
            ExportKind::Tag => "tag",
        };
        self.own_name(space, index)
    }

    /// A name that no export of the module has.
    pub(super) fn own_name(&self, what: &str, index: u32) -> String {
        format!("{}{what} {index}", self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_exported_under_names_that_are_free() {
        let wasm = wat::parse_str(
            r#"(module
                (import "m" "g" (global i32)) (import "m" "f" (func))
                (func $start) (start $start) (func (export "switchback func 0"))
                (memory 1) (table 1 funcref) (tag))"#,
        )
        .unwrap();
        let exposed = Exposed::new(&wasm).unwrap();
        wasmparser::validate(&exposed.wasm).unwrap();
        assert_eq!(exposed.start, Some(1));
        assert_eq!(exposed.imports_by_kind(), [1, 0]);
        let text = wasmprinter::print_bytes(&exposed.wasm).unwrap();
        for export in [
            r#"(export "switchback func 0" (func 2))"#,
            r#"(export "switchback  func 0" (func 0))"#,
            r#"(export "switchback  func 2" (func 2))"#,
            r#"(export "switchback  global 0" (global 0))"#,
            r#"(export "switchback  memory 0" (memory 0))"#,
            r#"(export "switchback  table 0" (table 0))"#,
            r#"(export "switchback  tag 0" (tag 0))"#,
        ] {
            assert!(text.contains(export), "{export} is not in {text}");
        }
        assert!(!text.contains("(start"), "{text}");
    }
}
