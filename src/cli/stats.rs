//! `switchback stats`: what modules execute, and under which circumstances.

use super::lineup::Generation;
use super::{Finding, input, output};
use anyhow::{Context, bail};
use clap::Args;
use std::fs;
use std::path::{Path, PathBuf};
use switchback::engines;
use switchback::fuzzing::{case_module, case_seed};
use switchback::generate::Scope;
use switchback::stats::{Circumstance, Counter, Statistics, page};

/// Count what modules execute, and under which circumstances of stack switching.
///
/// The modules are files, all modules in folders (scripts are left out), or, with
/// --execs, the cases of the campaign with that seed. They run on the reference
/// alone. The table counts executions of each instruction: at top level, under one
/// or more handler lists (that is on continuations, so deep), on stacks that were
/// suspended before, in calls back from the host, and inside a try_table. --json
/// has the same by outcome of the call as well, and --html as a heat map.
#[derive(Args)]
pub struct Arguments {
    /// Modules, or folders with modules.
    #[arg(value_name = "PATH", required_unless_present = "execs")]
    paths: Vec<PathBuf>,
    /// The seed of the campaign.
    #[arg(long, value_name = "S", default_value_t = 0, conflicts_with = "paths")]
    seed: u64,
    /// Count this many cases of a campaign.
    #[arg(long, value_name = "N", conflicts_with = "paths")]
    execs: Option<u64>,
    #[command(flatten)]
    generation: Generation,
    /// Write one JSON object.
    #[arg(long)]
    json: bool,
    /// Write the heat map, a page for a browser, to OUT.
    #[arg(long, value_name = "OUT")]
    html: Option<PathBuf>,
}

pub fn main(arguments: Arguments) -> anyhow::Result<Finding> {
    let counter = Counter::new()?;
    let mut statistics = Statistics::new();
    let title = if let Some(execs) = arguments.execs {
        let scope = Scope {
            features: engines::features(&engines::names())?,
            generators: arguments.generation.generators(),
        };
        for index in 0..execs {
            let seed = case_seed(arguments.seed, index);
            counter.add(&case_module(seed, scope), &mut statistics);
        }
        format!(
            "--seed {} --execs {execs}{}",
            arguments.seed,
            arguments.generation.options()
        )
    } else {
        if !arguments.generation.generator.is_empty() {
            bail!("--generator: modules in files are made already; give --execs for new ones");
        }
        for path in &arguments.paths {
            add(path, &counter, &mut statistics)?;
        }
        let paths = arguments
            .paths
            .iter()
            .map(|path| path.display().to_string());
        paths.collect::<Vec<_>>().join(" ")
    };
    if let Some(out) = &arguments.html {
        fs::write(out, page(&statistics, &title)).with_context(|| out.display().to_string())?;
    }
    if arguments.json {
        output::json(&statistics)?;
    } else {
        output::text(&table(&statistics))?;
    }
    Ok(Finding::Nothing)
}

/// Adds a file, which must be a module that runs, or all modules in a folder.
fn add(path: &Path, counter: &Counter, statistics: &mut Statistics) -> anyhow::Result<()> {
    let name = || path.display().to_string();
    if !fs::metadata(path).with_context(name)?.is_dir() {
        let outcome = counter.add(&input::module(path)?, statistics);
        if !outcome.is_returned() {
            bail!("{}: {outcome}", path.display());
        }
        return Ok(());
    }
    let mut modules = Vec::new();
    find(path, &mut modules)?;
    if modules.is_empty() {
        bail!(
            "{}: there is no .wasm and no .wat file in it",
            path.display()
        );
    }
    for module in modules {
        // One that does not run is counted among the discarded, and so is one whose provider is none.
        counter.add(&input::file(&module)?, statistics);
    }
    Ok(())
}

/// The modules in a folder and in those within it, in the order of their names.
fn find(folder: &Path, modules: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let paths: Result<Vec<_>, _> = entries.map(|entry| entry.map(|e| e.path())).collect();
    let mut paths = paths.with_context(|| folder.display().to_string())?;
    paths.sort();
    for path in paths {
        if path.is_dir() {
            find(&path, modules)?;
        } else if path.extension().is_some_and(|e| e == "wasm" || e == "wat") {
            modules.push(path);
        }
    }
    Ok(())
}

/// The table for people.
fn table(statistics: &Statistics) -> String {
    let mut rows = vec![vec![
        String::new(),
        "modules".to_owned(),
        "executed".to_owned(),
    ]];
    rows[0].extend(Circumstance::ALL.map(|circumstance| circumstance.heading().to_owned()));
    for (name, row) in statistics.rows() {
        let mut line = vec![
            name.to_owned(),
            row.modules.to_string(),
            row.executed.to_string(),
        ];
        line.extend(
            Circumstance::ALL.map(|circumstance| match row.under.get(&circumstance) {
                Some(count) => count.to_string(),
                None => "-".to_owned(),
            }),
        );
        rows.push(line);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..rows[0].len()).map(width).collect();
    let mut text = format!(
        "{} modules, {} instructions executed\n",
        statistics.modules,
        statistics.executed()
    );
    for (kind, (count, example)) in &statistics.discarded {
        text += &format!("{count} modules did not run ({kind}), such as: {example}\n");
    }
    let crossings = statistics.crossings.iter();
    let crossings: Vec<_> = crossings
        .map(|(what, modules)| format!("{what} in {modules}"))
        .collect();
    if !crossings.is_empty() {
        text += &format!(
            "modules in which references crossed: {}\n",
            crossings.join(", ")
        );
    }
    for row in &rows {
        let mut line = format!("{:width$}", row[0], width = widths[0]);
        for (cell, width) in row.iter().zip(&widths).skip(1) {
            line += &format!("  {cell:>width$}");
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}
