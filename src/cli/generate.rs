//! `switchback generate`: the module that a seed makes.

use super::lineup::{Lineup, Mask, default_engines};
use super::{Finding, output};
use anyhow::{Context, anyhow};
use clap::Args;
use std::fs;
use std::io::{IsTerminal, Write, stdout};
use std::path::PathBuf;
use switchback::fuzzing::case_module;
use switchback::report::module_text;

/// Write the module that a seed makes.
///
/// Without --output, the text format goes to standard output, so that
/// `switchback generate --seed 1 | less` shows it; with it, the file's extension
/// decides: .wat is the text format, everything else the binary format.
#[derive(Args)]
pub struct Arguments {
    /// The seed, as `fuzz` reports it.
    #[arg(long, value_name = "S")]
    seed: u64,
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
    let wasm = case_module(arguments.seed, scope);
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
