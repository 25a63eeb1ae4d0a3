//! Modules as lists of sections, to change one without touching the bytes of the others.

use std::borrow::Cow;
use wasm_encoder::{Encode, Module, RawSection, SectionId};
use wasmparser::{BinaryReader, BinaryReaderError, Parser, Payload};

/// The order in which sections stand in a module.
const ORDER: [SectionId; 13] = [
    SectionId::Type,
    SectionId::Import,
    SectionId::Function,
    SectionId::Table,
    SectionId::Memory,
    SectionId::Tag,
    SectionId::Global,
    SectionId::Export,
    SectionId::Start,
    SectionId::Element,
    SectionId::DataCount,
    SectionId::Code,
    SectionId::Data,
];

/// The sections of a module in order; custom sections are left out.
pub(crate) struct Sections<'a>(Vec<(u8, Cow<'a, [u8]>)>);

impl<'a> Sections<'a> {
    /// Reads the sections of a binary module; their contents are not looked at.
    pub(crate) fn read(wasm: &'a [u8]) -> Result<Sections<'a>, BinaryReaderError> {
        let mut sections = Vec::new();
        for payload in Parser::new(0).parse_all(wasm) {
            let payload = payload?;
            if matches!(payload, Payload::CustomSection(_)) {
                continue;
            }
            if let Some((id, range)) = payload.as_section() {
                let content = &wasm[range.start as usize..range.end as usize];
                sections.push((id, content.into()));
            }
        }
        Ok(Sections(sections))
    }

    /// Puts `content` in the place of a section, or where it belongs if there is none.
    pub(crate) fn set(&mut self, id: SectionId, content: Vec<u8>) {
        let content = Cow::Owned(content);
        match self.0.iter_mut().find(|(other, _)| *other == id as u8) {
            Some(section) => section.1 = content,
            None => {
                let rank = |id| ORDER.iter().position(|&other| other as u8 == id);
                let place = self
                    .0
                    .partition_point(|&(other, _)| rank(other) < rank(id as u8));
                self.0.insert(place, (id as u8, content));
            }
        }
    }

    /// Leaves a section out.
    pub(crate) fn remove(&mut self, id: SectionId) {
        self.0.retain(|(other, _)| *other != id as u8);
    }

    /// Appends `count` entries to a section that is a vector of them, or makes one of them. `entries` are their bytes.
    pub(crate) fn append(
        &mut self,
        id: SectionId,
        count: u32,
        entries: &[u8],
    ) -> Result<(), BinaryReaderError> {
        let (before, old) = self.entries(id)?;
        let content = [old, entries].concat();
        self.set_entries(id, before + count, &content);
        Ok(())
    }

    /// Puts `count` entries before those that a section has.
    pub(crate) fn prepend(
        &mut self,
        id: SectionId,
        count: u32,
        entries: &[u8],
    ) -> Result<(), BinaryReaderError> {
        let (before, old) = self.entries(id)?;
        let content = [entries, old].concat();
        self.set_entries(id, before + count, &content);
        Ok(())
    }

    /// Makes a section of a vector of `count` entries, whose bytes these are.
    fn set_entries(&mut self, id: SectionId, count: u32, entries: &[u8]) {
        let mut content = Vec::with_capacity(entries.len() + 5);
        count.encode(&mut content);
        content.extend_from_slice(entries);
        self.set(id, content);
    }

    /// The number of entries of a section and their bytes.
    fn entries(&self, id: SectionId) -> Result<(u32, &[u8]), BinaryReaderError> {
        let Some((_, content)) = self.0.iter().find(|(other, _)| *other == id as u8) else {
            return Ok((0, &[]));
        };
        let mut reader = BinaryReader::new(content, 0);
        let count = reader.read_var_u32()?;
        Ok((count, &content[reader.original_position() as usize..]))
    }

    /// The module.
    pub(crate) fn finish(&self) -> Vec<u8> {
        let mut module = Module::new();
        for (id, data) in &self.0 {
            module.section(&RawSection { id: *id, data });
        }
        module.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_encoder::{ExportKind, Section};

    #[test]
    fn what_is_not_changed_stays_as_it_is() {
        let wasm = wat::parse_str(
            "(module (func (export \"f\") (result i32) i32.const 1) (memory 1) (data \"x\"))",
        )
        .unwrap();
        assert_eq!(Sections::read(&wasm).unwrap().finish(), wasm);
    }

    #[test]
    fn a_section_that_is_not_there_gets_its_place() {
        let wasm =
            wat::parse_str("(module (func (export \"f\")) (global i32 (i32.const 1)))").unwrap();
        let mut sections = Sections::read(&wasm).unwrap();
        let mut memory = wasm_encoder::MemorySection::new();
        memory.memory(wasm_encoder::MemoryType {
            minimum: 1,
            maximum: None,
            memory64: false,
            shared: false,
            page_size_log2: None,
        });
        let mut bytes = Vec::new();
        memory.encode(&mut bytes);
        // Without its size and its count.
        sections.append(SectionId::Memory, 1, &bytes[2..]).unwrap();
        assert_eq!(memory.id(), SectionId::Memory as u8);
        let mut export = Vec::new();
        "m".encode(&mut export);
        ExportKind::Memory.encode(&mut export);
        0u32.encode(&mut export);
        sections.append(SectionId::Export, 1, &export).unwrap();
        let text = wasmprinter::print_bytes(sections.finish()).unwrap();
        assert!(text.contains("(memory (;0;) 1)"), "{text}");
        assert!(
            text.contains("(export \"f\" (func 0))\n  (export \"m\" (memory 0))"),
            "{text}"
        );
        wasmparser::validate(&sections.finish()).unwrap();
    }
}
