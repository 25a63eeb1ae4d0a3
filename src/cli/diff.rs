//! `switchback diff`: one module on all engines.
//!
//! Each module runs in a child process (this program with the hidden flag
//! `--here`), so that an engine that crashes or hangs is a divergence to show
//! and not the end of the comparison.

use super::isolate::{Ended, run_child};
use super::lineup::Lineup;
use super::{Finding, input, output};
use anyhow::{Context, bail};
use clap::Args;
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use switchback::compare::{Verdict, align};
use switchback::engines;
use switchback::fuzzing::Compared;
use switchback::observe::Observation;
use switchback::report::text::{Palette, render};
use switchback::report::{Report, html};

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
    /// Write the divergence as a page for a browser to OUT; nothing is written if the
    /// engines agree. Needs exactly one FILE.
    #[arg(long, value_name = "OUT")]
    html: Option<PathBuf>,
    /// Count a module that takes more processor time than this, or ten times as long, as a hang. (One of which the reference executes 20,000,000
    /// instructions cannot be compared.)
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = super::positive_duration)]
    timeout: Duration,
    #[command(flatten)]
    lineup: Lineup,
    /// Compare in this process and write what the parent process reads.
    #[arg(long, hide = true)]
    here: bool,
    /// With --here: lay out, as this JSON says it, that engines were lost.
    #[arg(long, hide = true, requires = "here")]
    lost: Option<String>,
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
    /// The page, if one was asked for and there is something to show.
    #[serde(skip_serializing_if = "Option::is_none")]
    html: Option<String>,
}

/// What a child process is told of engines that were lost.
#[derive(Serialize, Deserialize)]
struct Lost {
    kind: String,
    engines: Vec<String>,
    how: String,
}

pub fn main(arguments: Arguments) -> anyhow::Result<Finding> {
    let lineup = &arguments.lineup;
    if arguments.here {
        for path in &arguments.files {
            if let Some(lost) = &arguments.lost {
                let lost: Lost = serde_json::from_str(lost)?;
                let other = survivor(path, &lost, lineup)?;
                output::text(&lost_page(path, &lost, lineup, other.as_ref())?)?;
            } else {
                output::json(&compare(path, lineup, arguments.html.is_some())?)?;
            }
        }
        return Ok(Finding::Nothing);
    }
    if arguments.html.is_some() && arguments.files.len() > 1 {
        bail!(
            "--html: needs exactly one FILE, not {}",
            arguments.files.len()
        );
    }
    let mut files = Vec::new();
    for path in &arguments.files {
        let page = arguments.html.is_some();
        let Some(mut summary) = isolated(path, lineup, arguments.timeout, page)? else {
            // The child has said why.
            return Ok(Finding::Error);
        };
        if let (Some(out), Some(page)) = (&arguments.html, summary.html.take()) {
            fs::write(out, page).with_context(|| out.display().to_string())?;
        }
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

/// The page of what a comparison of a module shows, if it shows anything: made in a
/// child process.
pub(super) fn page(
    path: &Path,
    lineup: &Lineup,
    timeout: Duration,
) -> anyhow::Result<Option<String>> {
    let summary = isolated(path, lineup, timeout, true)?;
    Ok(summary.and_then(|summary| summary.html))
}

/// Compares in a child process; nothing, if that reported an error.
fn isolated(
    path: &Path,
    lineup: &Lineup,
    timeout: Duration,
    page: bool,
) -> anyhow::Result<Option<FileSummary>> {
    let child = |start: &[&str], options: &[String]| -> Vec<OsString> {
        let mut arguments: Vec<OsString> = start.iter().map(|&word| word.into()).collect();
        arguments.extend(options.iter().map(OsString::from));
        // A path may look like an option.
        arguments.extend(["--".into(), path.into()]);
        arguments
    };
    let mut here = vec!["diff", "--here"];
    if page {
        // The child only looks whether it is there.
        here.extend(["--html", "-"]);
    }
    let arguments = child(&here, &lineup.arguments());
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
    let pinned = lineup.pinned(&input::module(path)?)?;
    // Which of them it was, each tells alone.
    let alone = |(engine, config): &(&str, Option<&str>)| {
        let mut options = vec!["--engine".to_owned(), (*engine).to_owned()];
        // The reference does not go ahead to see that the module ends: its crash would count as the other's.
        options.extend(["--max-instructions".to_owned(), "0".to_owned()]);
        if let Some(plant) = &lineup.plant {
            options.extend(["--plant".to_owned(), plant.clone()]);
        }
        if let Some(config) = config {
            options.extend(["--config".to_owned(), (*config).to_owned()]);
        }
        let arguments = child(&["run"], &options);
        let ended = run_child(&arguments, timeout);
        matches!(ended, Ok(Ended::Died { .. } | Ended::Hung))
    };
    let lost = pinned.seats()?.into_iter().filter(alone);
    let engines: Vec<String> = lost.map(|(engine, _)| engine.to_owned()).collect();
    let html = if page {
        let lost = Lost {
            kind: kind.to_owned(),
            engines: engines.clone(),
            how: how.clone(),
        };
        let told = serde_json::to_string(&lost)?;
        let arguments = child(&["diff", "--here", "--lost", &told], &lineup.arguments());
        Some(match run_child(&arguments, timeout)? {
            Ended::Done { stdout } => stdout,
            // The reference shows nothing either; all else can still be told.
            _ => lost_page(path, &lost, lineup, None)?,
        })
    } else {
        None
    };
    let text = format!(
        "{}: {kind} of {}: {how}\n\nreproduce: {}\n",
        path.display(),
        match engines.as_slice() {
            [] => "no engine alone".to_owned(),
            engines => engines.join(", "),
        },
        command(path, &pinned)
    );
    Ok(Some(FileSummary {
        path: path.display().to_string(),
        agree: false,
        cut: None,
        divergence: Some(serde_json::json!({"kind": kind, "engines": engines, "how": how})),
        text: Some(text),
        html,
    }))
}

/// The page of a case on which engines were lost.
fn lost_page(
    path: &Path,
    lost: &Lost,
    lineup: &Lineup,
    reference: Option<&Observation>,
) -> anyhow::Result<String> {
    let wasm = input::module(path)?;
    let page = html::Lost {
        kind: &lost.kind,
        engines: &lost.engines,
        how: &lost.how,
        reproduce: &command(path, &lineup.pinned(&wasm)?),
    };
    Ok(html::lost(page, &file_name(path), &wasm, reference))
}

/// What the reference shows of a module, if it is none of the engines that were
/// lost on it.
fn survivor(path: &Path, lost: &Lost, lineup: &Lineup) -> anyhow::Result<Option<Observation>> {
    let (reference, _) = engines::split_reference(&lineup.engines)?;
    if lost.engines.iter().any(|engine| engine == reference.name) {
        return Ok(None);
    }
    let wasm = input::module(path)?;
    Ok(Some(lineup.runner()?.reference(&wasm)))
}

/// What a page calls a module.
fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}

/// Compares in this process.
fn compare(path: &Path, lineup: &Lineup, page: bool) -> anyhow::Result<FileSummary> {
    let wasm = input::module(path)?;
    let runner = lineup.runner()?;
    let mut summary = FileSummary {
        path: path.display().to_string(),
        agree: true,
        cut: None,
        divergence: None,
        text: None,
        html: None,
    };
    let mut text = format!("{}: all engines agree\n", path.display());
    for traced in [true, false] {
        let Compared {
            reference,
            others,
            verdict,
            opinions,
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
                        "{}: all engines agree up to call {}, where {} went no further: {}\n",
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
                let reproduce = Some(command(path, &lineup.pinned(&wasm)?));
                let report = Report::new(&wasm, left, &reference, &divergence, reproduce)
                    .with_opinions(opinions);
                text = format!("{}: {}", path.display(), render(&report, Palette::colour()));
                summary.html = page.then(|| {
                    let (left, right) = align(left, &reference);
                    html::divergence(&report, &file_name(path), &wasm, &left, &right)
                });
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

/// The command that repeats the comparison, whatever a module of these bytes will draw one day.
fn command(path: &Path, lineup: &Lineup) -> String {
    let path = output::quoted(path.display());
    format!("switchback diff {path}{}", lineup.options())
}
