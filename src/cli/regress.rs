//! `switchback regress`: from a finding to a permanent test.

use super::isolate::{Ended, IsolatedJudge, Mode, run_child};
use super::reduce::Search;
use super::{Finding, input, output};
use anyhow::{Context, anyhow, bail};
use clap::Args;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use switchback::engines::DEFAULT;
use switchback::fuzzing::ScriptRunner;
use switchback::reduce::{Judge, Reduced};
use switchback::wast::{CONFIGURATION, Host};

/// Make a test of a finding: a small script that fails until the bug is mended.
///
/// The module is reduced as `reduce` does, but to what a script can see: calls
/// that end in another way, other results, another state at the end. The script
/// needs nothing but a runner of WebAssembly scripts, unless the bug needs a host
/// function; then it says so. `cargo test` runs all scripts in
/// corpus/regressions on every engine, so there is nothing to register.
#[derive(Args)]
pub struct Arguments {
    /// The module, in the binary or the text format.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The name of the test [default: the name of FILE].
    #[arg(long, value_name = "NAME", value_parser = name)]
    name: Option<String>,
    /// The folder of the test.
    #[arg(long, value_name = "DIR", default_value = "corpus/regressions")]
    out: PathBuf,
    #[command(flatten)]
    search: Search,
}

/// The parser of `--name`.
fn name(name: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    match !name.is_empty() && !name.starts_with('.') && name.chars().all(fits) {
        true => Ok(name.to_owned()),
        false => Err("a name has letters, digits, `-`, `_` and `.`".to_owned()),
    }
}

pub fn main(mut arguments: Arguments) -> anyhow::Result<Finding> {
    let wasm = input::module(&arguments.file)?;
    arguments.search.pin(&wasm)?;
    let Arguments { file, search, .. } = &arguments;
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let name = arguments.name.as_deref().unwrap_or(&stem);
    let path = arguments.out.join(format!("{name}.wast"));
    if path.exists() {
        bail!("{}: there is a test of this name already", path.display());
    }
    let (host, reduced) = search.as_script(file, &wasm)?;
    let lineup = &search.lineup;
    let settings = lineup.settings();
    let runner = ScriptRunner::new(&lineup.engines, &lineup.config, &settings, host)?;
    let script = runner
        .script(&reduced.wasm)
        .map_err(|error| anyhow!("{}: {error}", file.display()))?;
    let mut seats = lineup.seats()?;
    let reference = seats.pop().context("the reference")?;
    let script = format!(
        "{}{script}",
        heading(&reduced, host, &seats, label(reference))
    );
    fs::create_dir_all(&arguments.out).with_context(|| arguments.out.display().to_string())?;
    fs::write(&path, &script).with_context(|| path.display().to_string())?;
    output::text(&script)?;
    show(&path, &reduced, search, &seats)
}

/// An engine with what is said of its configuration.
type Seat<'a> = (&'static str, Option<&'a str>);

/// An engine and its configuration, for people.
fn label((engine, config): Seat<'_>) -> String {
    match config.filter(|config| *config != DEFAULT) {
        Some(config) => format!("{engine}({config})"),
        None => engine.to_owned(),
    }
}

/// The comment at the top of the script.
fn heading(reduced: &Reduced, host: Host, seats: &[Seat<'_>], reference: String) -> String {
    let engine = reduced.signature.engines.first();
    let seat = seats
        .iter()
        .find(|(name, _)| engine.is_some_and(|e| e == name));
    let engine = seat.map_or("an engine".to_owned(), |seat| label(*seat));
    let what = match (reduced.signature.kind.as_str(), &reduced.signature.at) {
        ("script", Some(at)) => format!("fails: {at}"),
        (kind, Some(at)) => format!("ends in a {kind}: {at}"),
        (kind, None) => format!("ends in a {kind}"),
    };
    let mut text = format!(
        ";; Found by Switchback, reduced from {} to {} instructions.\n\
         ;; With the bug, {engine} {what}.\n\
         ;; What is asserted is what {reference} showed.\n",
        reduced.before.instructions, reduced.after.instructions,
    );
    if host == Host::Standard {
        text += ";; This needs a host: imported functions return zeros and nulls, and `call` of \
                 `switchback`\n;; calls the function it is given.\n";
    }
    for (engine, config) in seats {
        if let Some(config) = config.filter(|config| *config != DEFAULT) {
            text += &format!("{CONFIGURATION}{engine}: {config}\n");
        }
    }
    text
}

/// Shows that the script fails now, and says what to do.
fn show(
    path: &Path,
    reduced: &Reduced,
    search: &Search,
    seats: &[Seat<'_>],
) -> anyhow::Result<Finding> {
    let mut command: Vec<OsString> = vec!["wast".into()];
    for (engine, config) in seats {
        command.extend(["--engine".into(), engine.into()]);
        if let Some(config) = config {
            command.extend(["--config".into(), config.into()]);
        }
    }
    if let Some(plant) = &search.lineup.plant {
        command.extend(["--plant".into(), plant.into()]);
    }
    command.extend(["--".into(), path.into()]);
    let status = match run_child(&command, search.timeout)? {
        Ended::Done { .. } => bail!("{}: the script passes, which it should not", path.display()),
        Ended::Refused => return Ok(Finding::Error),
        // Status 1 says that assertions failed; so do a crash and a hang.
        Ended::Died { .. } => "it fails now, as it should",
        Ended::Hung => "it does not end now",
    };
    let words: Vec<_> = command.iter().map(|word| word.to_string_lossy()).collect();
    anstream::eprintln!(
        "{}: {} instructions, {status}: {}\n\
         Show it again:    switchback {}\n\
         When it is mended: `cargo test --test agreement` runs it on every engine, and it passes.",
        path.display(),
        reduced.after.instructions,
        reduced.signature,
        words.join(" ")
    );
    Ok(Finding::Nothing)
}

impl Search {
    /// Reduces a module to a script that an engine fails, with the host in the script if that shows the bug.
    fn as_script(&self, path: &Path, wasm: &[u8]) -> anyhow::Result<(Host, Reduced)> {
        for host in [Host::InScript, Host::Standard] {
            let mut judge = IsolatedJudge {
                isolated: self.isolated(),
                mode: Mode::Script(host),
            };
            if judge.judge(wasm)?.is_some() {
                return Ok((host, self.run(path, wasm, &mut judge)?));
            }
        }
        bail!(
            "{}: no engine fails a script of it: either all agree, or only traces differ, which `switchback reduce{}` \
             keeps",
            path.display(),
            self.lineup.options()
        )
    }
}
