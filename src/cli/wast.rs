//! `switchback wast`: specification scripts.

use super::{Finding, engine_name, output};
use anyhow::{Context, bail};
use clap::Args;
use serde::Serialize;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use switchback::engines::{self, Settings};
use switchback::wast::{ScriptResult, run_script};

/// Run specification scripts (.wast).
///
/// Every assertion counts. A script without assertions fails, and so does a
/// folder without scripts.
#[derive(Args)]
pub struct Arguments {
    /// Scripts, or folders that are searched for them.
    #[arg(required = true, value_name = "FILE|DIR")]
    paths: Vec<PathBuf>,
    /// The engine; all of them if not given. May be given more than once.
    #[arg(long, value_parser = engine_name())]
    engine: Vec<String>,
    /// The configuration of the first engine that has one, such as opt=speed,gc-zeal=1; given again for the next engine.
    #[arg(long, value_name = "AXIS=CHOICE,…")]
    config: Vec<String>,
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
    passed: usize,
    failed: usize,
    files: Vec<ScriptResult>,
}

pub fn main(arguments: Arguments) -> anyhow::Result<Finding> {
    let names = match arguments.engine.as_slice() {
        [] => engines::names(),
        names => names.iter().map(String::as_str).collect(),
    };
    let registered = names.iter().map(|name| engines::find(name));
    let registered = registered.collect::<Result<Vec<_>, _>>()?;
    let configurations = engines::configurations(&registered, &arguments.config)?;
    let mut engines = Vec::new();
    for (name, configuration) in names.iter().zip(configurations) {
        let settings = Settings {
            plant: arguments.plant.clone(),
            configuration: configuration.unwrap_or_default(),
            ..Settings::default()
        };
        let label = settings.configuration.label(name);
        engines.push((label, engines::create(name, &settings)?));
    }

    let mut files = Vec::new();
    for path in scripts(&arguments.paths)? {
        let name = path.display().to_string();
        let text = fs::read_to_string(&path).with_context(|| name.clone())?;
        for (label, engine) in &engines {
            let mut result = run_script(&name, &text, engine.as_ref())?;
            result.engine.clone_from(label);
            if !arguments.json {
                output::text(&render(&result))?;
            }
            files.push(result);
        }
    }
    let summary = Summary {
        passed: files.iter().map(|f| f.passed).sum(),
        failed: files.iter().map(|f| f.failed).sum(),
        files,
    };
    if arguments.json {
        output::json(&summary)?;
    } else {
        let mut totals = String::new();
        for (name, _) in &engines {
            let of_engine = || summary.files.iter().filter(|f| f.engine == *name);
            let passed: usize = of_engine().map(|f| f.passed).sum();
            let failed: usize = of_engine().map(|f| f.failed).sum();
            writeln!(totals, "{name}: {passed} of {} passed", passed + failed)?;
        }
        output::text(&totals)?;
    }
    Ok(match summary.failed {
        0 => Finding::Nothing,
        _ => Finding::Something,
    })
}

fn render(result: &ScriptResult) -> String {
    let mut out = String::new();
    for line in result.failure_lines() {
        out += &format!("{}: {line}\n", result.engine);
    }
    out += &format!(
        "{} on {}: {} passed, {} failed\n",
        result.path, result.engine, result.passed, result.failed
    );
    out
}

/// The scripts that the paths mean; those of a folder in the order of their
/// names.
fn scripts(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut scripts = Vec::new();
    for path in paths {
        if path.is_dir() {
            let before = scripts.len();
            search(path, &mut scripts)?;
            if scripts.len() == before {
                bail!("{}: there is no .wast file in this folder", path.display());
            }
        } else {
            scripts.push(path.clone());
        }
    }
    Ok(scripts)
}

fn search(folder: &Path, scripts: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let context = || folder.display().to_string();
    let mut entries = fs::read_dir(folder)
        .with_context(context)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()
        .with_context(context)?;
    entries.sort();
    for path in entries {
        if path.is_dir() {
            search(&path, scripts)?;
        } else if path
            .extension()
            .is_some_and(|extension| extension == "wast")
        {
            scripts.push(path);
        }
    }
    Ok(())
}
