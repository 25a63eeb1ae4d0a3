//! `switchback regress`: from a finding to a permanent test.

use super::isolate::{Ended, run_child};
use super::reduce::Search;
use super::{Finding, input, output};
use anyhow::{Context, anyhow, bail};
use clap::Args;
use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use switchback::engines::DEFAULT;
use switchback::fuzzing::{SCRIPT, ScriptRunner};
use switchback::reduce::{Judge, Reduced, marked};
use switchback::wast::{CONFIGURATION, CaseScriptError, Host};

/// The folder whose scripts `cargo test --test agreement` runs.
const REGRESSIONS: &str = "corpus/regressions";

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
    #[arg(long, value_name = "DIR", default_value = REGRESSIONS)]
    out: PathBuf,
    #[command(flatten)]
    search: Search,
}

/// The parser of `--name`, and of the name of a file in its place.
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
    let name = match &arguments.name {
        Some(name) => name.clone(),
        None => {
            let stem = file.file_stem().unwrap_or_default().to_string_lossy();
            name(&stem).map_err(|error| {
                let file = file.display();
                anyhow!("{file}: {stem:?} is no name of a test: {error}; give one with --name")
            })?
        }
    };
    let path = arguments.out.join(format!("{name}.wast"));
    if path.exists() {
        bail!("{}: there is a test of this name already", path.display());
    }
    fs::create_dir_all(&arguments.out).with_context(|| arguments.out.display().to_string())?;
    let test = search.test(file, &wasm, &path)?;
    output::text(&test.text)?;
    if matches!(test.ended, Ended::Refused) {
        return Ok(Finding::Error);
    }
    let again = search.run_script(&path)?;
    let again: Vec<_> = again.iter().map(output::quoted).collect();
    let mended = match arguments.out.as_path() == Path::new(REGRESSIONS) {
        true => "`cargo test --test agreement` runs it on every engine, and it passes".to_owned(),
        false => {
            let path = output::quoted(path.display());
            format!("it passes, as `switchback wast {path}` says of every engine")
        }
    };
    anstream::eprintln!(
        "{}: {} instructions, {}: {}\n\
         Show it again:     switchback {}\n\
         When it is mended: {mended}.",
        path.display(),
        test.reduced.after.instructions,
        match test.ended {
            Ended::Hung => "it does not end now",
            // Status 1 says that assertions failed; so does a crash.
            _ => "it fails now, as it should",
        },
        test.reduced.signature,
        again.join(" ")
    );
    Ok(Finding::Nothing)
}

/// A finding as a script, and how the script ended when it was run.
pub struct Test {
    pub text: String,
    pub reduced: Reduced,
    ended: Ended,
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
        (SCRIPT, Some(at)) => format!("fails: {at}"),
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

/// A script that is to be at `path`, under another name in the same folder until it is judged: one that is not kept goes, and
/// `cargo test` never sees it.
fn draft(path: &Path, text: &str) -> anyhow::Result<tempfile::NamedTempFile> {
    let folder = output::folder(path);
    // The umask takes from that as from any file's; temporary files are their owner's alone otherwise.
    let mut file = tempfile::Builder::new()
        .prefix(".regress-")
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder)
        .with_context(|| folder.display().to_string())?;
    file.write_all(text.as_bytes())
        .with_context(|| file.path().display().to_string())?;
    Ok(file)
}

impl Search {
    /// Reduces a module to a script and sees that it fails, and passes on the reference. Only then it is at `path`.
    pub fn test(&self, file: &Path, wasm: &[u8], path: &Path) -> anyhow::Result<Test> {
        let (host, reduced) = self.as_script(file, wasm)?;
        let lineup = &self.lineup;
        let settings = lineup.settings();
        let runner = ScriptRunner::new(&lineup.engines, &lineup.config, &settings, host)?;
        let script = runner
            .script(&reduced.wasm)
            .map_err(|error| anyhow!("{}: {error}", file.display()))?;
        let finding = self
            .of_scripts(host, &reduced.wasm)?
            .report(&reduced.wasm)?
            .finding;
        let short = finding.map(|finding| match finding.signature.kind.as_str() {
            SCRIPT => finding.text,
            // What ends in a panic or a crash does not come to look at the state.
            _ => script.observed_by(|_| false),
        });
        let mut seats = lineup.seats()?;
        let reference = seats.pop().context("the reference")?;
        let heading = heading(&reduced, host, &seats, label(reference));
        let mut wrong = String::new();
        for script in short.into_iter().chain([script.text()]) {
            let text = format!("{heading}{script}");
            let candidate = draft(path, &text)?;
            let run = |command: Vec<String>| {
                let command: Vec<_> = command.into_iter().map(OsString::from).collect();
                run_child(&command, self.timeout)
            };
            let on_reference = ["wast", "--engine", reference.0, "--"].map(str::to_owned);
            let drafted = candidate.path().display().to_string();
            let on_reference = on_reference.into_iter().chain([drafted]);
            if !matches!(run(on_reference.collect())?, Ended::Done { .. }) {
                wrong = format!("the script fails on {} itself", reference.0);
                continue;
            }
            let ended = run(self.run_script(candidate.path())?)?;
            // What depends on where things lie in memory may need all of it.
            if !matches!(ended, Ended::Done { .. }) {
                if !matches!(ended, Ended::Refused) {
                    let kept = candidate.persist_noclobber(path);
                    kept.with_context(|| path.display().to_string())?;
                }
                return Ok(Test {
                    text,
                    reduced,
                    ended,
                });
            }
            wrong = "the script passes, which it should not".to_owned();
        }
        bail!("{}: {wrong}", file.display())
    }

    /// The command that runs a script on the engines under test.
    pub fn run_script(&self, path: &Path) -> anyhow::Result<Vec<String>> {
        let mut command = vec!["wast".to_owned()];
        let mut seats = self.lineup.seats()?;
        seats.pop();
        for (engine, config) in seats {
            command.extend(["--engine", engine].map(str::to_owned));
            if let Some(config) = config {
                command.extend(["--config", config].map(str::to_owned));
            }
        }
        if let Some(plant) = &self.lineup.plant {
            command.extend(["--plant", plant].map(str::to_owned));
        }
        command.extend(["--".to_owned(), path.display().to_string()]);
        Ok(command)
    }

    /// Reduces a module to a script that an engine fails, with the host in the script if that shows the bug. Where only a trace
    /// shows it, marks are put into what `reduce` leaves of the module, or else into the module itself.
    fn as_script(&self, path: &Path, wasm: &[u8]) -> anyhow::Result<(Host, Reduced)> {
        let hosts = [Host::InScript, Host::Standard];
        for host in hosts {
            let mut judge = self.of_scripts(host, wasm)?;
            if judge.judge(wasm)?.is_some() {
                return Ok((host, self.run(path, wasm, &mut judge)?));
            }
        }
        if let Ok(mut judge) = self.judge(path, wasm) {
            let traced = self.run(path, wasm, &mut judge)?;
            for module in [&traced.wasm[..], wasm] {
                for host in hosts {
                    let mut judge = self.of_scripts(host, module)?;
                    let Some(marked) = marked(module, &mut judge)? else {
                        continue;
                    };
                    let reduced = self.run(path, &marked, &mut judge)?;
                    let before = traced.before;
                    return Ok((host, Reduced { before, ..reduced }));
                }
            }
        }
        self.suitable(path, wasm)?;
        let refused = match self.no_script(wasm)? {
            Some(error) => format!(" ({error})"),
            None => String::new(),
        };
        bail!(
            "{}: no engine fails a script of it: either all agree, or only traces differ, in what no state shows; \
             `switchback reduce{}` keeps that{refused}",
            path.display(),
            self.lineup.options()
        )
    }

    /// Why there is no script of a module, with the standard host at least; nothing, if there is one.
    fn no_script(&self, wasm: &[u8]) -> anyhow::Result<Option<CaseScriptError>> {
        let (lineup, host) = (&self.lineup, Host::Standard);
        let settings = lineup.settings();
        let runner = ScriptRunner::new(&lineup.engines, &lineup.config, &settings, host)?;
        Ok(runner.script(wasm).err())
    }
}
