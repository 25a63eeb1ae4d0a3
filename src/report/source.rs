//! The module's text around an instruction.

use crate::linked::Provider;
use crate::observe::Location;
use serde::Serialize;
use wasmparser::{KnownCustom, Name, Parser, Payload};

/// Some lines of a module's text.
#[derive(Clone, Debug, Serialize)]
pub struct Excerpt {
    /// The number of the first line shown, counted from 1, in the text as
    /// `wasm-tools print` and the `.wat` file of a finding have it.
    pub first_line: usize,
    /// The lines.
    pub lines: Vec<Line>,
    /// The index in `lines` of the instruction.
    pub marked: usize,
}

/// A line of a module's text.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// The offset in the binary of what stands on the line.
    pub offset: Option<u64>,
    /// The text.
    pub text: String,
}

/// How many lines are shown before and after the instruction.
const AROUND: usize = 6;

/// The name of the function at `location`, and the text around the instruction
/// there; no text if the module cannot be printed or has no line there.
pub(super) fn explain(wasm: &[u8], location: Location) -> (String, Option<Excerpt>) {
    let provider = Provider::of(wasm).ok().flatten();
    let provider = provider.filter(|p| p.range().contains(&(location.offset as usize)));
    let module = provider.as_ref().map_or(wasm, |provider| provider.wasm);
    let name = function_name(module, location.function);
    let mut function = name.unwrap_or_else(|| location.function.to_string());
    if provider.is_some() {
        function += " of the linked module";
    }
    (function, excerpt(wasm, location.offset.into()))
}

/// What stands between the text of a module and that of its provider.
const LINKED: &str = ";; The linked module, which is in the custom section above:";

/// The module's text, which is a module again; behind it, the text of its provider as a comment, if it has one.
///
/// # Errors
///
/// If it cannot be printed.
pub fn module_text(wasm: &[u8]) -> anyhow::Result<String> {
    let mut text = wasmprinter::print_bytes(wasm)?;
    if let Some(provider) = Provider::of(wasm)? {
        text += &format!("{LINKED}\n");
        for line in wasmprinter::print_bytes(provider.wasm)?.lines() {
            text += &format!(";; {line}\n");
        }
    }
    Ok(text)
}

/// The module's text, line by line, and then that of its provider, if it has one; nothing if it cannot be printed. The lines are
/// those of [`module_text`], where the provider's are comments.
pub(crate) fn lines(wasm: &[u8]) -> Option<Vec<Line>> {
    let mut lines = lines_of(wasm, 0)?;
    if let Some(provider) = Provider::of(wasm).ok().flatten() {
        let text = LINKED.to_owned();
        lines.push(Line { offset: None, text });
        lines.extend(lines_of(provider.wasm, provider.start as u64)?);
    }
    Some(lines)
}

/// The lines of one module that begins at `start` in its file.
fn lines_of(wasm: &[u8], start: u64) -> Option<Vec<Line>> {
    let mut storage = String::new();
    let lines = wasmprinter::Config::new().offsets_and_lines(wasm, &mut storage);
    let line = |(offset, text): (Option<u64>, &str)| Line {
        offset: offset.map(|offset| offset + start),
        text: text.trim_end().to_owned(),
    };
    Some(lines.ok()?.map(line).collect())
}

fn excerpt(wasm: &[u8], offset: u64) -> Option<Excerpt> {
    let lines = lines(wasm)?;
    let index = lines.iter().position(|line| line.offset == Some(offset))?;
    let start = index.saturating_sub(AROUND);
    let end = (index + 1 + AROUND).min(lines.len());
    Some(Excerpt {
        first_line: start + 1,
        lines: lines[start..end].to_vec(),
        marked: index - start,
    })
}

/// The name of a function: from the name section, else its first export.
fn function_name(wasm: &[u8], function: u32) -> Option<String> {
    let mut exported = None;
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.ok()? {
            Payload::ExportSection(section) => {
                exported = section
                    .into_iter()
                    .flatten()
                    .find(|e| e.kind == wasmparser::ExternalKind::Func && e.index == function)
                    .map(|e| format!("{function} (export {:?})", e.name));
            }
            Payload::CustomSection(section) => {
                let KnownCustom::Name(names) = section.as_known() else {
                    continue;
                };
                for name in names.into_iter().flatten() {
                    let Name::Function(functions) = name else {
                        continue;
                    };
                    let named = functions.into_iter().flatten();
                    if let Some(name) = named.into_iter().find(|n| n.index == function) {
                        // A name can have anything in it, such as a change of direction.
                        return Some(format!("{function} (${})", name.name.escape_debug()));
                    }
                }
            }
            _ => {}
        }
    }
    exported
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODULE: &str = r#"(module
        (type $f (func)) (type $k (cont $f))
        (func $named)
        (func (export "run") (resume $k (ref.null $k)))
        (func))"#;

    #[test]
    fn the_marked_line_is_the_instruction_at_the_offset() {
        let wasm = wat::parse_str(MODULE).unwrap();
        // The first byte of `resume` is 0xe3, and nothing before it has it.
        let offset = wasm.iter().position(|&b| b == 0xe3).unwrap();
        let excerpt = excerpt(&wasm, offset as u64).unwrap();
        let marked = &excerpt.lines[excerpt.marked];
        assert_eq!(marked.text.trim(), "resume $k");
        let printed = wasmprinter::print_bytes(&wasm).unwrap();
        let line = printed.lines().nth(excerpt.first_line + excerpt.marked - 1);
        assert_eq!(line, Some(marked.text.as_str()));
    }

    #[test]
    fn a_function_is_named_by_the_name_section_or_by_an_export() {
        let wasm = wat::parse_str(MODULE).unwrap();
        let name = |index| function_name(&wasm, index);
        assert_eq!(name(0).as_deref(), Some("0 ($named)"));
        assert_eq!(name(1).as_deref(), Some("1 (export \"run\")"));
        assert_eq!(name(2), None);
    }

    #[test]
    fn an_instruction_of_the_provider_is_marked_in_its_own_text() {
        let main = wat::parse_str(MODULE).unwrap();
        let other = "(module (func $other) (func (export \"suspends\") (suspend 0)) (tag))";
        let file = crate::linked::link(&main, &wat::parse_str(other).unwrap());
        let offset = file.iter().rposition(|&b| b == 0xe2).unwrap() as u32;
        let (function, excerpt) = explain(
            &file,
            Location {
                function: 1,
                offset,
            },
        );
        assert_eq!(function, "1 (export \"suspends\") of the linked module");
        let excerpt = excerpt.unwrap();
        let marked = &excerpt.lines[excerpt.marked];
        assert_eq!(marked.text.trim(), "suspend 0");
        let text = module_text(&file).unwrap();
        let line = text.lines().nth(excerpt.first_line + excerpt.marked - 1);
        assert_eq!(line.unwrap(), format!(";; {}", marked.text));
        // The text is the file again.
        let again = wat::parse_str(&text).unwrap();
        assert_eq!(
            Provider::of(&again).unwrap().unwrap().wasm,
            Provider::of(&file).unwrap().unwrap().wasm
        );
        let (function, _) = explain(
            &file,
            Location {
                function: 0,
                offset: 8,
            },
        );
        assert_eq!(function, "0 ($named)");
    }
}
