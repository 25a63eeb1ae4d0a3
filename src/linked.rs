//! Two modules in one file: the main module, and in a custom section of it another one whose exports it imports.
//!
//! A case stays one WebAssembly file that way. The module in the section, the *provider*, is instantiated first, under the
//! standard host; then the main module, whose imports from [`MODULE`] are exports of the provider. That the section is there is
//! all that makes a case a linked one.
//!
//! Places in the provider are offsets in the whole file: engines get it *placed*, with so much before its sections that each of
//! them stands where it stands in the file. So an offset alone says which of the two modules an instruction belongs to, and
//! whatever reads instructions at offsets needs to know nothing of linking.

use crate::observe::Outcome;
use std::borrow::Cow;
use std::ops::Range;
use wasm_encoder::{CustomSection, Encode, Section};
use wasmparser::{Encoding, Parser, Payload};

/// The name of the custom section.
pub const SECTION: &str = "switchback.linked";

/// The module from which the main module imports the provider's exports.
pub const MODULE: &str = "linked";

/// The bytes at the beginning of a module that are no section.
const HEADER: usize = 8;

/// The module in the custom section of another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider<'a> {
    /// Its bytes.
    pub wasm: &'a [u8],
    /// Where they begin in the file.
    pub start: usize,
}

/// Why a file has no provider that could be linked, although it has the section.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("custom section {SECTION:?}: {what} (at offset {offset:#x})")]
pub struct LinkedError {
    /// What is wrong.
    what: String,
    /// Where in the file the section's content begins.
    offset: usize,
}

impl From<LinkedError> for Outcome {
    fn from(error: LinkedError) -> Outcome {
        Outcome::Rejected {
            message: format!("custom section {SECTION:?}: {}", error.what),
            offset: Some(error.offset as u64),
        }
    }
}

impl<'a> Provider<'a> {
    /// The provider in a file, if it has one. A file that is malformed before it has none.
    ///
    /// # Errors
    ///
    /// [`LinkedError`], if the section does not begin as a module does, or is there twice. Whether the module in it is valid is
    /// for engines to say.
    pub fn of(wasm: &'a [u8]) -> Result<Option<Provider<'a>>, LinkedError> {
        let mut found = None;
        for payload in Parser::new(0).parse_all(wasm) {
            let section = match payload {
                Ok(Payload::CustomSection(section)) if section.name() == SECTION => section,
                Ok(_) => continue,
                Err(_) => break,
            };
            let provider = Provider {
                wasm: section.data(),
                start: section.data_offset() as usize,
            };
            let refused = |what: &str| LinkedError {
                what: what.to_owned(),
                offset: provider.start,
            };
            if found.is_some() {
                return Err(refused("there is more than one"));
            }
            let version = Parser::new(0).parse_all(provider.wasm).next();
            let Some(Ok(Payload::Version {
                encoding: Encoding::Module,
                ..
            })) = version
            else {
                return Err(refused("its content is no WebAssembly module"));
            };
            found = Some(provider);
        }
        Ok(found)
    }

    /// The provider as engines get it: its sections stand where they stand in the file.
    pub fn placed(&self) -> Vec<u8> {
        let before = self.start + HEADER;
        let mut placed = Vec::with_capacity(self.start + self.wasm.len());
        placed.extend_from_slice(&self.wasm[..HEADER]);
        // A custom section without a name. Its size is written in five bytes whatever it is, so that every length can be had;
        // the file's own header and the name of the section leave room enough.
        let size = before - HEADER - 6;
        placed.push(0);
        for byte in 0..5 {
            let more = if byte < 4 { 0x80 } else { 0 };
            placed.push((size >> (7 * byte)) as u8 & 0x7f | more);
        }
        placed.resize(before, 0);
        placed.extend_from_slice(&self.wasm[HEADER..]);
        placed
    }

    /// The bytes of the file that are the provider's.
    pub fn range(&self) -> Range<usize> {
        self.start..self.start + self.wasm.len()
    }
}

/// The modules of a file, so that offsets in them are offsets in the file: the main module, then the provider, if there is one.
pub(crate) fn modules(wasm: &[u8]) -> impl Iterator<Item = Cow<'_, [u8]>> {
    let provider = Provider::of(wasm).ok().flatten();
    let placed = provider.map(|provider| Cow::Owned(provider.placed()));
    [Cow::Borrowed(wasm)].into_iter().chain(placed)
}

/// The file of these two modules. The main module must have no provider yet.
pub fn link(main: &[u8], provider: &[u8]) -> Vec<u8> {
    let section = CustomSection {
        name: SECTION.into(),
        data: provider.into(),
    };
    let mut wasm = main.to_vec();
    wasm.push(section.id());
    section.encode(&mut wasm);
    wasm
}

/// The main module of a file alone: without the section.
pub fn unlinked(wasm: &[u8]) -> Cow<'_, [u8]> {
    let mut start = HEADER;
    for payload in Parser::new(0).parse_all(wasm) {
        let end = match payload {
            Ok(Payload::CustomSection(section)) if section.name() == SECTION => {
                let end = section.range().end as usize;
                // A second one makes the file one that is refused, so it stays.
                return Cow::Owned([&wasm[..start], &wasm[end..]].concat());
            }
            Ok(payload) => match payload.as_section() {
                Some((_, range)) => range.end as usize,
                None => continue,
            },
            Err(_) => break,
        };
        start = end;
    }
    Cow::Borrowed(wasm)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engines::{self, Settings};
    use crate::observe::{Value, observe, run};

    /// A module in whose first function `nop` stands, and the offset of that.
    fn with_nop(text: &str) -> (Vec<u8>, usize) {
        let wasm = wat::parse_str(text).unwrap();
        let nop = wasm.iter().rposition(|&byte| byte == 1).unwrap();
        (wasm, nop)
    }

    #[test]
    fn what_is_linked_comes_apart_again_and_keeps_its_places() {
        let (main, _) = with_nop("(module (func (export \"run\") nop))");
        let (provider, nop) = with_nop("(module (func (export \"f\") nop))");
        let file = link(&main, &provider);
        assert_eq!(unlinked(&file), main);
        assert_eq!(unlinked(&main), main);
        // What stands after the section is not lost.
        let section = CustomSection {
            name: "after".into(),
            data: [1, 2].as_slice().into(),
        };
        let mut longer = file.clone();
        longer.push(section.id());
        section.encode(&mut longer);
        assert_eq!(
            unlinked(&longer).len(),
            main.len() + longer.len() - file.len()
        );

        let found = Provider::of(&file).unwrap().unwrap();
        assert_eq!(found.wasm, provider);
        assert_eq!(&file[found.range()], provider);
        let placed = found.placed();
        wasmparser::validate(&placed).unwrap();
        assert_eq!(placed[HEADER + found.start..], file[HEADER + found.start..]);
        assert_eq!(placed.len(), file.len());
        assert_eq!(placed[found.start + nop], 1);
        assert_eq!(Provider::of(&main), Ok(None));
    }

    #[test]
    fn a_section_that_holds_no_module_is_refused_with_its_place() {
        let main = wat::parse_str("(module (func (export \"run\")))").unwrap();
        let offset = main.len() + 2 + 1 + SECTION.len();
        let rejected = |file: &[u8]| match observe(oracle().as_ref(), file).instantiation {
            Outcome::Rejected { message, offset } => (message, offset),
            other => panic!("{other}"),
        };
        for content in [&b""[..], b"\0asm", b"\0asm\x0d\0\x01\0"] {
            let (message, at) = rejected(&link(&main, content));
            assert!(
                message.contains("\"switchback.linked\": its content is no"),
                "{message}"
            );
            assert_eq!(at, Some(offset as u64));
        }
        let empty = b"\0asm\x01\0\0\0";
        let twice = link(&link(&main, empty), empty);
        assert!(rejected(&twice).0.contains("more than one"));
        // What is wrong in the provider has its place in the file as well.
        let mut broken = link(&main, &wat::parse_str("(module (func nop))").unwrap());
        let nop = broken.len() - 2;
        broken[nop] = 0xff;
        assert_eq!(rejected(&broken).1, Some(nop as u64));
    }

    fn oracle() -> Box<dyn engines::Engine> {
        let settings = Settings {
            trace: true,
            coverage: true,
            ..Settings::default()
        };
        engines::create("oracle", &settings).unwrap()
    }

    #[test]
    fn the_main_module_imports_from_the_provider_and_both_are_observed() {
        let provider = wat::parse_str(
            "(module (import \"host\" \"log\" (func $log (param i32)))
               (global $g (export \"g\") (mut i32) (i32.const 1)) (global $own (mut i32) (i32.const 0))
               (func (export \"f\") (result i32)
                 (global.set $own (i32.const 5)) (call $log (global.get $g)) (global.get $g))
               (func (export \"trap\") unreachable))",
        )
        .unwrap();
        let main = wat::parse_str(
            "(module (import \"linked\" \"f\" (func $f (result i32))) (import \"linked\" \"trap\" (func $trap))
               (import \"linked\" \"g\" (global $g (mut i32)))
               (func (export \"run\") (result i32) (global.set $g (i32.const 7)) (call $f))
               (func (export \"trap\") (call $trap)))",
        )
        .unwrap();
        let file = link(&main, &provider);
        let ran = run(oracle().as_ref(), &file);
        let values = vec![Value::I32(7)];
        assert_eq!(
            ran.observation.calls[0].outcome,
            Outcome::Returned { values }
        );
        let Outcome::Trapped { at: Some(at), .. } = ran.observation.calls[1].outcome else {
            panic!("{}", ran.observation.calls[1].outcome);
        };
        // The place in the file, which tells that it is the provider's; and so it is executed there.
        let offset = at.offset as usize;
        let range = Provider::of(&file).unwrap().unwrap().range();
        assert!(range.contains(&offset), "{at} is not in {range:?}");
        // The opcode of `unreachable`, behind the number of declarations of locals.
        assert_eq!(
            (at.function, &file[offset - 1..offset + 2]),
            (2, &[0, 0, 0x0b][..])
        );
        assert!(ran.executed.is_sorted() && ran.executed.contains(&at.offset));
        let globals = |state: Option<&crate::observe::State>| state.unwrap().globals.clone();
        assert_eq!(globals(ran.observation.state.as_ref()), [Value::I32(7)]);
        let linked = globals(ran.observation.linked.as_ref());
        assert_eq!(linked, [Value::I32(7), Value::I32(5)]);
        for engine in ["compiled", "oracle"] {
            let engine = engines::create(engine, &Settings::default()).unwrap();
            let seen = observe(engine.as_ref(), &file);
            assert_eq!(seen.calls.len(), 2);
            assert_eq!(globals(seen.linked.as_ref()), linked);
            // An export that is not there, and one of another type.
            for (export, result) in [("e", "i32"), ("f", "i64")] {
                let text =
                    format!("(module (import \"linked\" \"{export}\" (func (result {result}))))");
                let file = link(&wat::parse_str(text).unwrap(), &provider);
                let outcome = observe(engine.as_ref(), &file).instantiation;
                assert!(matches!(outcome, Outcome::Unlinkable { .. }), "{outcome}");
            }
        }
    }
}
