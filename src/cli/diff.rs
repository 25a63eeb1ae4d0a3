//! `switchback diff`: one module on all engines.

use super::{Finding, input, output};
use anyhow::{Context, bail};
use clap::Args;
use serde::Serialize;
use std::path::{Path, PathBuf};
use switchback::compare::{Cut, Verdict};
use switchback::engines::Settings;
use switchback::fuzzing::CaseRunner;
use switchback::report::Report;
use switchback::report::text::{Palette, render};

/// Run modules on all engines and show the first difference.
///
/// This reproduces what `fuzz` or a fuzz target found.
#[derive(Args)]
pub struct Arguments {
    /// The modules, in the binary or the text format.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Write one JSON object.
    #[arg(long)]
    json: bool,
    /// Put this planted bug into the engine that has it.
    #[arg(long, value_name = "NAME")]
    plant: Option<String>,
}

/// The JSON form.
#[derive(Serialize)]
struct Summary {
    agree: bool,
    first_divergence: Option<Report>,
    files: Vec<FileSummary>,
}

#[derive(Serialize)]
struct FileSummary {
    path: String,
    agree: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    cut: Option<Cut>,
    divergence: Option<Report>,
}

pub fn main(arguments: Arguments) -> anyhow::Result<Finding> {
    let settings = Settings {
        plant: arguments.plant.clone(),
        ..Settings::default()
    };
    let runner = CaseRunner::new(&settings)?;
    let mut files = Vec::new();
    for path in &arguments.files {
        let summary = file(path, &runner, &settings)?;
        if !arguments.json {
            output::text(&text(&summary))?;
        }
        files.push(summary);
    }
    let agree = files.iter().all(|file| file.agree);
    if arguments.json {
        output::json(&Summary {
            agree,
            first_divergence: files.iter().find_map(|file| file.divergence.clone()),
            files,
        })?;
    }
    Ok(if agree {
        Finding::Nothing
    } else {
        Finding::Something
    })
}

/// Compares the engines on one module: first with traces, which tell most, then
/// without, since tracing may hide a bug.
fn file(path: &Path, runner: &CaseRunner, settings: &Settings) -> anyhow::Result<FileSummary> {
    let wasm = input::module(path)?;
    let mut summary = FileSummary {
        path: path.display().to_string(),
        agree: true,
        cut: None,
        divergence: None,
    };
    for traced in [true, false] {
        let compared = runner.compare(&wasm, traced);
        match compared.verdict {
            Verdict::Agree { cut } => {
                let reference = &compared.reference.observation;
                let instantiation = &reference.instantiation;
                if let Some(error) = input::unsuitable(path, &reference.engine, instantiation) {
                    return Err(error);
                }
                summary.cut = summary.cut.or(cut);
            }
            Verdict::Diverge(divergence) => {
                let left = compared.others.last().context("nothing was compared")?;
                let right = &compared.reference.observation;
                let reproduce = Some(command(path, settings));
                let report = Report::new(&wasm, &left.observation, right, &divergence, reproduce);
                summary.agree = false;
                summary.divergence = Some(report);
                break;
            }
            Verdict::Discard(discard) => bail!(
                "{}: cannot be compared: {}: {}",
                path.display(),
                discard.engine,
                discard.message
            ),
        }
    }
    Ok(summary)
}

/// The command that repeats the comparison.
fn command(path: &Path, settings: &Settings) -> String {
    let mut command = format!("switchback diff {}", path.display());
    if let Some(plant) = &settings.plant {
        command += " --plant ";
        command += plant;
    }
    command
}

fn text(summary: &FileSummary) -> String {
    let path = &summary.path;
    match (&summary.divergence, &summary.cut) {
        (Some(report), _) => format!("{path}: {}", render(report, Palette::colour())),
        (None, None) => format!("{path}: all engines agree\n"),
        (None, Some(cut)) => format!(
            "{path}: all engines agree up to call {}, where {} exhausted its {}\n",
            cut.call, cut.engine, cut.what
        ),
    }
}
