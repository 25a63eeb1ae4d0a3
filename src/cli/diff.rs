//! `switchback diff`: one module on all engines.

use super::{Finding, input, output};
use anyhow::bail;
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;
use switchback::compare::{Cut, Verdict, compare};
use switchback::engines::{self, Settings};
use switchback::observe::observe;
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
        trace: true,
        plant: arguments.plant.clone(),
        ..Settings::default()
    };
    let mut files = Vec::new();
    for path in &arguments.files {
        let summary = file(path.clone(), &settings)?;
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

/// Compares every engine with the reference, the last of the registry.
fn file(path: PathBuf, settings: &Settings) -> anyhow::Result<FileSummary> {
    let wasm = input::module(&path)?;
    let engines = engines::create_all(settings)?;
    let mut observations = Vec::new();
    for engine in &engines {
        observations.push(observe(engine.as_ref(), &wasm));
    }
    let Some((reference, others)) = observations.split_last() else {
        bail!("there is no engine in this build");
    };
    let mut summary = FileSummary {
        path: path.display().to_string(),
        agree: true,
        cut: None,
        divergence: None,
    };
    for other in others {
        match compare(other, reference) {
            Verdict::Agree { cut } => summary.cut = summary.cut.or(cut),
            Verdict::Diverge(divergence) => {
                let reproduce = command(&path, settings);
                let report = Report::new(&wasm, other, reference, &divergence, reproduce);
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
fn command(path: &std::path::Path, settings: &Settings) -> String {
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
