//! Which cases of a campaign are mutants, and where the corpus is kept.

use anyhow::{Context, bail};
use clap::Args;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use switchback::fuzzing::{MutantShare, Strategy};
use switchback::generate::{Generator, Scope};
use switchback::observe::Digest;

/// The options that say how cases come about.
#[derive(Args, Clone, Debug)]
pub struct Cases {
    /// How many cases of a hundred are mutants of cases that showed something new [default: as what showed more new behaviours a
    /// case in the last generations of 256, generated cases or mutants, is worth; none with engines that do not switch stacks, most
    /// of whose cases have no plan to mutate].
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    mutate: Option<u8>,
    /// Generate all cases: the same as --mutate 0.
    #[arg(long, conflicts_with = "mutate")]
    no_mutate: bool,
    /// Run the modules in this folder first, and write to it what is kept: cases that showed something new. Files that are no
    /// binary module are left alone.
    #[arg(long, value_name = "DIR")]
    corpus: Option<PathBuf>,
}

impl Cases {
    /// What the options say of cases of this scope. The folder of the corpus is made if it is not there.
    pub fn strategy(&self, scope: Scope) -> anyhow::Result<Strategy> {
        let features = scope.features;
        let mut generators = scope.generators.iter();
        if !features.stack_switching && generators.all(|g| g == Generator::Scenario) {
            bail!("--generator scenario: without stack switching there are no scenarios");
        }
        let mutants = match self.mutate {
            _ if self.no_mutate => MutantShare::Percent(0),
            Some(1..) if !features.stack_switching => {
                bail!("--mutate: most cases without stack switching have no plan to mutate");
            }
            Some(percent) => MutantShare::Percent(percent),
            None if features.stack_switching => MutantShare::ByYield,
            None => MutantShare::Percent(0),
        };
        let given = match &self.corpus {
            Some(folder) => modules(folder)?,
            None => Vec::new(),
        };
        Ok(Strategy {
            scope,
            mutants,
            given,
        })
    }

    /// Writes a case to the folder of the corpus, if there is one.
    pub fn keep(&self, wasm: &[u8]) -> anyhow::Result<()> {
        let Some(folder) = &self.corpus else {
            return Ok(());
        };
        // By its contents, as a fuzzing engine names files: the same case has the same name.
        let path = folder.join(format!("{}.wasm", Digest::of(wasm)));
        fs::write(&path, wasm).with_context(|| path.display().to_string())
    }
}

/// The modules of a folder, in the order of the files' names.
fn modules(folder: &Path) -> anyhow::Result<Vec<Arc<[u8]>>> {
    let of_folder = || folder.display().to_string();
    fs::create_dir_all(folder).with_context(of_folder)?;
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).with_context(of_folder)? {
        let path = entry.with_context(of_folder)?.path();
        if path.is_file() {
            paths.push(path);
        }
    }
    paths.sort();
    let mut modules = Vec::new();
    for path in paths {
        let bytes = fs::read(&path).with_context(|| path.display().to_string())?;
        if bytes.starts_with(b"\0asm") {
            modules.push(bytes.into());
        }
    }
    Ok(modules)
}
