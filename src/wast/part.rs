//! A module of a script: its text, to which functions can be added, and what else is known of it.

use super::case::{CaseScriptError, Host, module_error};
use super::host::host_modules;
use super::layout::laid_out;
use super::observers::{GLOBAL, MEMORY, Observer, TABLE};
use crate::engines::{ExportKind, Interface};
use crate::linked;
use std::collections::BTreeSet;
use std::fmt::Write;
use wasmparser::{FuncType, Parser, Payload, TypeRef};

/// A module of the script.
#[derive(Clone, Debug)]
pub(super) struct Part {
    /// Its text without what closes it.
    text: String,
    pub(super) interface: Interface,
    pub(super) shape: Shape,
    host: Host,
}

impl Part {
    pub(super) fn read(wasm: &[u8], host: Host) -> Result<Part, CaseScriptError> {
        let mut text = String::new();
        wasmprinter::Config::new()
            .fold_instructions(true)
            .print(wasm, &mut wasmprinter::PrintFmtWrite(&mut text))
            .map_err(|error| module_error(&error))?;
        let text = laid_out(&text);
        let open = text.trim_end();
        let open = open.strip_suffix(')').unwrap_or(open).trim_end();
        Ok(Part {
            text: open.to_owned(),
            interface: Interface::read(wasm).map_err(|error| module_error(&error))?,
            shape: Shape::read(wasm).map_err(|error| module_error(&error))?,
            host,
        })
    }

    /// Modules that stand for the host, if the script has any: for all imports but those from `provider`.
    pub(super) fn host(&self, provider: Option<&str>) -> Result<String, CaseScriptError> {
        match self.host {
            Host::InScript => host_modules(&self.interface.imports, provider, &self.shape),
            Host::Standard => Ok(String::new()),
        }
    }

    /// The module with this name (and a space before it) and these observers.
    pub(super) fn definition(&self, name: &str, observers: &[&Observer]) -> String {
        let rest = self.text.strip_prefix("(module").unwrap_or(&self.text);
        // A name of its own would be a second one.
        let rest = match rest.strip_prefix(" $") {
            Some(named) if !name.is_empty() => named
                .find(char::is_whitespace)
                .map_or("", |end| &named[end..]),
            _ => rest,
        };
        let mut text = format!("(module{name}{rest}");
        for observer in observers {
            text += &format!("\n  {}", observer.function);
        }
        text + "\n)\n"
    }

    /// What the module imports from this one and has a state, by kind and index here.
    pub(super) fn shared_with(&self, main: &Part) -> BTreeSet<(&'static str, u32)> {
        let imports = main.interface.imports.iter();
        let names = imports.filter(|import| import.module == linked::MODULE);
        let exports = names.filter_map(|import| self.interface.export(&import.name));
        let shared = exports.filter_map(|export| match export.kind {
            ExportKind::Global => Some((GLOBAL, export.index)),
            ExportKind::Memory => Some((MEMORY, export.index)),
            ExportKind::Table => Some((TABLE, export.index)),
            ExportKind::Func(_) | ExportKind::Tag => None,
        });
        shared.collect()
    }
}

/// What printing needs to know of a module beside its interface.
#[derive(Clone, Debug, Default)]
pub(super) struct Shape {
    pub(super) functions: Vec<Option<FuncType>>,
    pub(super) memories64: Vec<bool>,
    pub(super) tables64: Vec<bool>,
}

impl Shape {
    fn read(wasm: &[u8]) -> Result<Shape, wasmparser::Error> {
        let mut shape = Shape::default();
        for payload in Parser::new(0).parse_all(wasm) {
            match payload? {
                Payload::TypeSection(section) => {
                    for group in section {
                        let types = group?.into_types();
                        shape
                            .functions
                            .extend(types.map(|ty| match ty.composite_type.inner {
                                wasmparser::CompositeInnerType::Func(ty) => Some(ty),
                                _ => None,
                            }));
                    }
                }
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        match import?.ty {
                            TypeRef::Memory(ty) => shape.memories64.push(ty.memory64),
                            TypeRef::Table(ty) => shape.tables64.push(ty.table64),
                            _ => {}
                        }
                    }
                }
                Payload::MemorySection(section) => {
                    for memory in section {
                        shape.memories64.push(memory?.memory64);
                    }
                }
                Payload::TableSection(section) => {
                    for table in section {
                        shape.tables64.push(table?.ty.table64);
                    }
                }
                _ => {}
            }
        }
        Ok(shape)
    }
}

/// A name as a string of the text format.
pub(super) fn quoted(name: &str) -> String {
    let mut text = String::from("\"");
    for c in name.chars() {
        match c {
            '"' | '\\' => {
                text.push('\\');
                text.push(c);
            }
            ' '..='~' => text.push(c),
            c => write!(text, "\\u{{{:x}}}", u32::from(c)).expect("a string takes everything"),
        }
    }
    text.push('"');
    text
}
