//! What a module asks for and what it offers, read from its binary.
//!
//! The toolkit reads this itself, so that an engine's adapter need not describe
//! types. It does not validate: engines do.

use super::{MEMORY_PAGES, TABLE_ELEMENTS};
use crate::observe::Outcome;
use wasmparser::{
    BinaryReaderError, CompositeInnerType, ExternalKind, FuncType, Parser, Payload, SubType,
    TypeRef,
};

/// The imports and exports of a module, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interface {
    /// The imports.
    pub imports: Vec<Import>,
    /// The exports.
    pub exports: Vec<Export>,
    /// The number of functions, imported ones included.
    pub functions: u32,
    /// Whether there is a start function.
    pub start: bool,
    /// The smallest size of each memory in bytes, imported ones included.
    pub memories: Vec<u64>,
    /// The smallest size of each table, in elements, imported ones included.
    pub tables: Vec<u64>,
}

/// An import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// The name of the module that it is imported from.
    pub module: String,
    /// Its name there.
    pub name: String,
    /// Its kind and type; type indices are those of the module.
    pub ty: TypeRef,
}

/// An export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: ExportKind,
    /// Its index in the module.
    pub index: u32,
}

/// What an export is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExportKind {
    /// A function.
    Func(FuncType),
    /// A global.
    Global,
    /// A memory.
    Memory,
    /// A table.
    Table,
    /// A tag.
    Tag,
}

/// Why the interface could not be read.
#[derive(Debug, thiserror::Error)]
pub enum InterfaceError {
    /// The binary is malformed.
    #[error(transparent)]
    Malformed(#[from] BinaryReaderError),
    /// An index points nowhere, or to another kind of type.
    #[error("export {0:?} has no function type")]
    NoFunctionType(String),
}

impl Interface {
    /// Reads the interface of a module.
    ///
    /// # Errors
    ///
    /// [`InterfaceError`] on a module that does not validate, if the mistake is
    /// in what this needs to read.
    pub fn read(wasm: &[u8]) -> Result<Interface, InterfaceError> {
        let mut interface = Interface::default();
        let mut types: Vec<SubType> = Vec::new();
        let mut functions: Vec<u32> = Vec::new();
        for payload in Parser::new(0).parse_all(wasm) {
            match payload? {
                Payload::TypeSection(section) => {
                    for group in section {
                        types.extend(group?.into_types());
                    }
                }
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        let import = import?;
                        match import.ty {
                            TypeRef::Func(ty) | TypeRef::FuncExact(ty) => functions.push(ty),
                            TypeRef::Memory(ty) => interface.memories.push(bytes(&ty)),
                            TypeRef::Table(ty) => interface.tables.push(ty.initial),
                            TypeRef::Global(_) | TypeRef::Tag(_) => {}
                        }
                        interface.imports.push(Import {
                            module: import.module.to_owned(),
                            name: import.name.to_owned(),
                            ty: import.ty,
                        });
                    }
                }
                Payload::FunctionSection(section) => {
                    for ty in section {
                        functions.push(ty?);
                    }
                }
                Payload::MemorySection(section) => {
                    for memory in section {
                        interface.memories.push(bytes(&memory?));
                    }
                }
                Payload::TableSection(section) => {
                    for table in section {
                        interface.tables.push(table?.ty.initial);
                    }
                }
                Payload::ExportSection(section) => {
                    for export in section {
                        let export = export?;
                        let name = export.name.to_owned();
                        let kind = match export.kind {
                            ExternalKind::Func | ExternalKind::FuncExact => {
                                let ty = function_type(&types, &functions, export.index)
                                    .ok_or_else(|| InterfaceError::NoFunctionType(name.clone()))?;
                                ExportKind::Func(ty.clone())
                            }
                            ExternalKind::Global => ExportKind::Global,
                            ExternalKind::Memory => ExportKind::Memory,
                            ExternalKind::Table => ExportKind::Table,
                            ExternalKind::Tag => ExportKind::Tag,
                        };
                        let index = export.index;
                        interface.exports.push(Export { name, kind, index });
                    }
                }
                Payload::StartSection { .. } => interface.start = true,
                // Exports come after everything that their types depend on.
                Payload::CodeSectionStart { .. } => break,
                _ => {}
            }
        }
        // Type indices are 32 bits wide, so a module has no more functions.
        interface.functions = functions.len() as u32;
        Ok(interface)
    }

    /// Checks that the memories and tables are not larger than any case may make
    /// them, so that no case costs much, whatever it declares.
    ///
    /// # Errors
    ///
    /// [`Outcome::Exhausted`], if one is.
    pub fn check_sizes(&self) -> Result<(), Outcome> {
        let sum = |sizes: &[u64]| {
            sizes
                .iter()
                .fold(0, |sum: u64, size| sum.saturating_add(*size))
        };
        let what = if sum(&self.memories) > MEMORY_PAGES * PAGE {
            "memory"
        } else if sum(&self.tables) > TABLE_ELEMENTS {
            "table"
        } else {
            return Ok(());
        };
        Err(Outcome::Exhausted {
            what: what.to_owned(),
        })
    }

    /// The export of this name.
    pub fn export(&self, name: &str) -> Option<&Export> {
        self.exports.iter().find(|export| export.name == name)
    }

    /// The names of the exported functions without parameters, in export order:
    /// the script of a case.
    pub fn script(&self) -> impl Iterator<Item = &str> {
        self.exports.iter().filter_map(|export| match &export.kind {
            ExportKind::Func(ty) if ty.params().is_empty() => Some(export.name.as_str()),
            _ => None,
        })
    }
}

/// The bytes of a page where a memory does not say otherwise.
const PAGE: u64 = 1 << 16;

fn bytes(memory: &wasmparser::MemoryType) -> u64 {
    let page = memory.page_size_log2.map_or(PAGE, |log2| 1 << log2.min(63));
    memory.initial.saturating_mul(page)
}

fn function_type<'a>(types: &'a [SubType], functions: &[u32], index: u32) -> Option<&'a FuncType> {
    let ty = *functions.get(index as usize)?;
    match &types.get(ty as usize)?.composite_type.inner {
        CompositeInnerType::Func(ty) => Some(ty),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_is_the_exported_functions_without_parameters_in_order() {
        let wasm = wat::parse_str(
            r#"(module
                (rec (type $f (func)) (type $k (cont $f)) (type $g (func (param i32))))
                (import "host" "log" (func $log (type $g)))
                (import "host" "t" (tag $t))
                (func $b (export "b") (type $f))
                (func (export "no") (param i64))
                (export "a" (func $b))
                (export "log" (func $log))
                (memory (export "m") 1))"#,
        )
        .unwrap();
        let interface = Interface::read(&wasm).unwrap();
        assert_eq!(interface.script().collect::<Vec<_>>(), ["b", "a"]);
        assert_eq!(interface.imports.len(), 2);
        assert_eq!(interface.imports[1].name, "t");
        assert_eq!(
            interface.export("m").map(|e| &e.kind),
            Some(&ExportKind::Memory)
        );
        assert!(interface.export("c").is_none());
    }

    #[test]
    fn a_module_may_not_declare_what_no_case_may_grow_to() {
        let check = |text: &str| {
            let wasm = wat::parse_str(text).unwrap();
            Interface::read(&wasm).unwrap().check_sizes()
        };
        let memory = Outcome::Exhausted {
            what: "memory".to_owned(),
        };
        assert_eq!(check("(module (memory 1024) (table 10 funcref))"), Ok(()));
        assert_eq!(check("(module (memory 1025))"), Err(memory.clone()));
        assert_eq!(
            check("(module (import \"m\" \"m\" (memory 1000)) (memory 1000))"),
            Err(memory)
        );
        assert!(check("(module (table 100001 funcref))").is_err());
        // Pages may be one byte long.
        assert_eq!(check("(module (memory 5000 (pagesize 1)))"), Ok(()));
        assert!(check("(module (memory i64 0x1_0000_0000_0000))").is_err());
    }
}
