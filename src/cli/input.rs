//! Reading modules from files.

use anyhow::{Context, anyhow, bail};
use std::fs;
use std::path::Path;
use switchback::linked::Provider;
use switchback::observe::Outcome;

/// Reads a module in the binary or the text format, whichever it is, and looks whether a provider that it carries along is one.
pub fn module(path: &Path) -> anyhow::Result<Vec<u8>> {
    let wasm = file(path)?;
    Provider::of(&wasm).with_context(|| path.display().to_string())?;
    Ok(wasm)
}

/// As [`module`], but what is wrong with a provider is left to whoever runs the module: that is an outcome like others.
pub fn file(path: &Path) -> anyhow::Result<Vec<u8>> {
    let bytes = fs::read(path).with_context(|| path.display().to_string())?;
    if bytes.starts_with(b"\0asm") {
        return Ok(bytes);
    }
    if path
        .extension()
        .is_some_and(|extension| extension == "wast")
    {
        bail!(
            "{}: this is a script, not a module; run it with `switchback wast`",
            path.display()
        );
    }
    let Ok(text) = str::from_utf8(&bytes) else {
        bail!(
            "{}: neither a WebAssembly binary (it does not begin with \\0asm) nor text (it is not \
             UTF-8)",
            path.display()
        );
    };
    wat::Parser::new()
        .parse_str(Some(path), text)
        .map_err(|error| anyhow!("{}", error.to_string().trim_end()))
}

/// The error for a module that cannot be run, if the outcome of its
/// instantiation says so.
pub fn unsuitable(path: &Path, engine: &str, instantiation: &Outcome) -> Option<anyhow::Error> {
    match instantiation {
        Outcome::Rejected { .. }
        | Outcome::Unlinkable { .. }
        | Outcome::Unsupported { .. }
        | Outcome::Failed { .. } => Some(anyhow!("{}: {engine}: {instantiation}", path.display())),
        _ => None,
    }
}
