//! The command line: arguments, exit statuses, and one file per subcommand.
//!
//! Exit status 0 says that all is well, 1 that something was found (a
//! divergence, a failed assertion), 2 that the work could not be done: usage,
//! unreadable or unsuitable input, an internal error.

mod corpus;
mod diff;
mod fuzz;
mod generate;
mod input;
mod isolate;
mod lineup;
mod output;
mod patience;
mod planted;
mod reduce;
mod regress;
mod run;
mod stats;
mod wast;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Parser, Subcommand};
use std::io;
use std::process::ExitCode;
use std::time::Duration;
use switchback::engines;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Yellow.on_default().bold())
    .usage(AnsiColor::Yellow.on_default().bold())
    .literal(AnsiColor::Cyan.on_default())
    .placeholder(AnsiColor::Green.on_default());

/// Finds bugs in WebAssembly stack switching by comparing engines.
///
/// A case is a WebAssembly module, complete in itself: it is instantiated with
/// a standard host (imported functions return defaults; imported globals,
/// memories, tables and tags are fresh), then its exported functions without
/// parameters are called in export order. All engines must show the same
/// outcomes, traces and final state.
#[derive(Parser)]
#[command(version, styles = STYLES, max_term_width = 100, after_help = "\
Exit status: 0 all is well, 1 something was found, 2 usage or internal error.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Fuzz(fuzz::Arguments),
    Generate(generate::Arguments),
    Run(run::Arguments),
    Diff(diff::Arguments),
    Reduce(reduce::Arguments),
    Regress(regress::Arguments),
    Wast(wast::Arguments),
    Stats(stats::Arguments),
    Planted(planted::Arguments),
    #[command(hide = true)]
    Worker(isolate::Arguments),
}

/// What a subcommand that did its work has to say.
enum Finding {
    /// All is well: exit status 0.
    Nothing,
    /// Something was found: exit status 1.
    Something,
    /// A child process could not do its work and has said why: exit status 2.
    Error,
}

/// Parses the arguments, runs the subcommand, reports an error.
pub fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Fuzz(arguments) => fuzz::main(arguments),
        Command::Generate(arguments) => generate::main(arguments),
        Command::Run(arguments) => run::main(arguments),
        Command::Diff(arguments) => diff::main(arguments),
        Command::Reduce(arguments) => reduce::main(arguments),
        Command::Regress(arguments) => regress::main(arguments),
        Command::Wast(arguments) => wast::main(arguments),
        Command::Stats(arguments) => stats::main(arguments),
        Command::Planted(arguments) => planted::main(arguments),
        Command::Worker(arguments) => isolate::worker(arguments),
    };
    match result {
        Ok(Finding::Nothing) => ExitCode::SUCCESS,
        Ok(Finding::Something) => ExitCode::from(1),
        Ok(Finding::Error) => ExitCode::from(2),
        // The reader has gone, as `head` does when it has seen enough.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            let style = AnsiColor::Red.on_default().bold();
            anstream::eprintln!("{style}error:{style:#} {error:#}");
            ExitCode::from(2)
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    })
}

/// The parser of `--timeout`: nothing ends within no time, so that everything would be a hang.
fn positive_duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    match duration.is_zero() {
        true => Err("it must be longer than zero".to_owned()),
        false => Ok(duration),
    }
}

/// The parser of `--engine`: the names in the registry.
fn engine_name() -> clap::builder::PossibleValuesParser {
    clap::builder::PossibleValuesParser::new(
        engines::REGISTRY
            .iter()
            .map(|r| clap::builder::PossibleValue::new(r.name).help(r.summary)),
    )
}
