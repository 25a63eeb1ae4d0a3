//! `switchback diff`: one module on all engines.
//!
//! Each module runs in a child process (this program with the hidden flag
//! `--here`), so that an engine that crashes or hangs is a divergence to show
//! and not the end of the comparison.

use super::isolate::{Ended, run_child};
use super::{Finding, input, output};
use anyhow::{Context, bail};
use clap::Args;
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;
use switchback::compare::Verdict;
use switchback::engines::{self, Settings};
use switchback::fuzzing::{CaseRunner, Compared};
use switchback::report::Report;
use switchback::report::text::{Palette, render};

/// Run modules on all engines and show the first difference.
///
/// This reproduces what `fuzz` or a fuzz target found. The engines run with
/// traces first and then without, since tracing may hide a bug.
#[derive(Args)]
pub struct Arguments {
    /// The modules, in the binary or the text format.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Write one JSON object.
    #[arg(long)]
    json: bool,
    /// Count a module that takes longer than this as a hang.
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = humantime::parse_duration)]
    timeout: Duration,
    /// Put this planted bug into the engine that has it.
    #[arg(long, value_name = "NAME")]
    plant: Option<String>,
    /// Compare in this process and write what the parent process reads.
    #[arg(long, hide = true)]
    here: bool,
}

/// The JSON form.
#[derive(Serialize)]
struct Summary {
    agree: bool,
    first_divergence: Option<serde_json::Value>,
    files: Vec<FileSummary>,
}

/// What a comparison of one module showed; a child process writes it for its
/// parent.
#[derive(Serialize, Deserialize)]
struct FileSummary {
    path: String,
    agree: bool,
    /// The limit that ended the comparison early, if one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    cut: Option<serde_json::Value>,
    /// The serialised report of the divergence, if there is one.
    divergence: Option<serde_json::Value>,
    /// The report for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

pub fn main(arguments: Arguments) -> anyhow::Result<Finding> {
    let settings = Settings {
        plant: arguments.plant.clone(),
        ..Settings::default()
    };
    if arguments.here {
        for path in &arguments.files {
            output::json(&compare(path, &settings)?)?;
        }
        return Ok(Finding::Nothing);
    }
    let mut files = Vec::new();
    for path in &arguments.files {
        let Some(mut summary) = isolated(path, &settings, arguments.timeout)? else {
            // The child has said why.
            return Ok(Finding::Error);
        };
        let text = summary.text.take().unwrap_or_default();
        if !arguments.json {
            output::text(&text)?;
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

/// Compares in a child process; nothing, if that reported an error.
fn isolated(
    path: &Path,
    settings: &Settings,
    timeout: Duration,
) -> anyhow::Result<Option<FileSummary>> {
    let with_plant = |mut arguments: Vec<OsString>| {
        if let Some(plant) = &settings.plant {
            arguments.extend(["--plant".into(), plant.into()]);
        }
        // A path may look like an option.
        arguments.extend(["--".into(), path.into()]);
        arguments
    };
    let arguments = with_plant(vec!["diff".into(), "--here".into()]);
    let ended = run_child(&arguments, timeout)?;
    let (kind, how) = match ended {
        Ended::Done { stdout } => {
            let summary = serde_json::from_str(&stdout).context("the comparison's answer")?;
            return Ok(Some(summary));
        }
        Ended::Refused => return Ok(None),
        Ended::Died { how } => ("crash", how),
        Ended::Hung => ("hang", format!("no end within {timeout:?}")),
    };
    // Which of them it was, each tells alone.
    let alone = |engine: &&str| {
        let arguments = with_plant(vec!["run".into(), "--engine".into(), engine.into()]);
        let ended = run_child(&arguments, timeout);
        matches!(ended, Ok(Ended::Died { .. } | Ended::Hung))
    };
    let engines: Vec<_> = engines::names().into_iter().filter(alone).collect();
    let text = format!(
        "{}: {kind} of {}: {how}\n\nreproduce: {}\n",
        path.display(),
        match engines.as_slice() {
            [] => "no engine alone".to_owned(),
            engines => engines.join(", "),
        },
        command(path, settings)
    );
    Ok(Some(FileSummary {
        path: path.display().to_string(),
        agree: false,
        cut: None,
        divergence: Some(serde_json::json!({"kind": kind, "engines": engines, "how": how})),
        text: Some(text),
    }))
}

/// Compares in this process.
fn compare(path: &Path, settings: &Settings) -> anyhow::Result<FileSummary> {
    let wasm = input::module(path)?;
    let runner = CaseRunner::new(settings)?;
    let mut summary = FileSummary {
        path: path.display().to_string(),
        agree: true,
        cut: None,
        divergence: None,
        text: None,
    };
    let mut text = format!("{}: all engines agree\n", path.display());
    for traced in [true, false] {
        let Compared {
            reference,
            others,
            verdict,
        } = runner.compare(&wasm, traced);
        let reference = reference.observation;
        match verdict {
            Verdict::Agree { cut } => {
                let instantiation = &reference.instantiation;
                if let Some(error) = input::unsuitable(path, &reference.engine, instantiation) {
                    return Err(error);
                }
                if let Some(cut) = cut {
                    text = format!(
                        "{}: all engines agree up to call {}, where {} exhausted its {}\n",
                        path.display(),
                        cut.call,
                        cut.engine,
                        cut.what
                    );
                    summary.cut = Some(serde_json::to_value(cut)?);
                }
            }
            Verdict::Diverge(divergence) => {
                let left = &others.last().context("nothing was compared")?.observation;
                let reproduce = Some(command(path, settings));
                let report = Report::new(&wasm, left, &reference, &divergence, reproduce);
                text = format!("{}: {}", path.display(), render(&report, Palette::colour()));
                summary.agree = false;
                summary.divergence = Some(serde_json::to_value(report)?);
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
    summary.text = Some(text);
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
