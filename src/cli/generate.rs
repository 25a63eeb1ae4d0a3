//! `switchback generate`: the module that a seed makes, or a fuzzing engine's bytes.

use super::lineup::{Lineup, Mask, default_engines};
use super::{Finding, output};
use anyhow::{Context, anyhow, bail};
use clap::Args;
use std::fs;
use std::io::{IsTerminal, Write, stdout};
use std::path::PathBuf;
use switchback::fuzzing::case_module;
use switchback::generate::case_from_bytes;
use switchback::report::module_text;

/// Write the module that a seed makes, or a fuzzing engine's bytes.
///
/// Without --output, the text format goes to standard output, so that
/// `switchback generate --seed 1 | less` shows it; with it, the file's extension
/// decides: .wat is the text format, everything else the binary format.
#[derive(Args)]
pub struct Arguments {
    /// The seed, as `fuzz` reports it.
    #[arg(
        long,
        value_name = "S",
        required_unless_present = "bytes",
        conflicts_with = "bytes"
    )]
    seed: Option<u64>,
    /// The bytes of a fuzzing engine in this file instead of a seed: a crash file of a target that makes modules of them.
    #[arg(long, value_name = "FILE")]
    bytes: Option<PathBuf>,
    /// The file to write; `-` is standard output, in the binary format.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The engines that the module is for: it uses what all of them can do.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = super::engine_name(),
          default_values_t = default_engines())]
    engines: Vec<String>,
    #[command(flatten)]
    mask: Mask,
}

pub fn main(arguments: Arguments) -> anyhow::Result<Finding> {
    let lineup = Lineup {
        engines: arguments.engines,
        plant: None,
        config: Vec::new(),
    };
    let scope = arguments.mask.runner(&lineup)?.scope();
    let wasm = match (arguments.bytes, arguments.seed) {
        (Some(file), _) => {
            let bytes = fs::read(&file).with_context(|| file.display().to_string())?;
            if bytes.starts_with(b"\0asm") {
                bail!("{}: it is a module already", file.display());
            }
            case_from_bytes(&bytes, scope).wasm
        }
        (None, seed) => case_module(seed.context("a seed or bytes")?, scope),
    };
    match arguments.output {
        None => output::text(&text(&wasm)?)?,
        Some(path) if path.as_os_str() == "-" => {
            let mut out = stdout().lock();
            if out.is_terminal() {
                return Err(anyhow!(
                    "standard output is a terminal; give --output a file"
                ));
            }
            out.write_all(&wasm)
                .and_then(|()| out.flush())
                .context("standard output")?;
        }
        Some(path) => {
            let contents = match path.extension() {
                Some(extension) if extension == "wat" => text(&wasm)?.into_bytes(),
                _ => wasm,
            };
            fs::write(&path, contents).with_context(|| path.display().to_string())?;
        }
    }
    Ok(Finding::Nothing)
}

fn text(wasm: &[u8]) -> anyhow::Result<String> {
    module_text(wasm).context("the generated module cannot be printed")
}
