//! Runs specification scripts (`.wast`) on an engine.
//!
//! The script language is that of the reference interpreter; parsing is the
//! `wast` crate's. [`run_script`] runs one script in one session, as the official
//! runner does: failures do not stop it, and every `assert_…` directive counts.
//!
//! Beside `spectest`, a script may import from the module `switchback`: each
//! such import is an item of the toolkit's standard host
//! ([`crate::engines::standard_host`]).

mod case;
mod directive;
mod expect;
mod host;
mod layout;
mod observers;
mod part;
mod spectest;

pub use case::{CaseScript, CaseScriptError, Host};

use crate::engines::Engine;
use serde::Serialize;
use std::path::Path;
use wast::Wast;
use wast::parser::{self, ParseBuffer};

/// The result of one script on one engine.
#[derive(Clone, Debug, Serialize)]
pub struct ScriptResult {
    /// The script's path, as it was given.
    pub path: String,
    /// The engine.
    pub engine: String,
    /// The number of assertions that hold.
    pub passed: usize,
    /// The number of assertions that do not hold, and of other directives that
    /// failed.
    pub failed: usize,
    /// What failed, in the order of the script.
    pub failures: Vec<Failure>,
}

/// How a script's comment begins that names an engine's configuration with which it is to be run too: `;; configuration of
/// compiled: gc-zeal=1`.
pub const CONFIGURATION: &str = ";; configuration of ";

/// A directive that failed.
#[derive(Clone, Debug, Serialize)]
pub struct Failure {
    /// The line of the directive, counted from 1; 0 for the script as a whole.
    pub line: usize,
    /// The column, counted from 1; 0 for the script as a whole.
    pub column: usize,
    /// The directive's keyword and what went wrong.
    pub message: String,
}

/// A script that cannot be parsed; displays with path, line and excerpt.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ScriptError(wast::Error);

/// Runs the script `text`; `path` is for messages only.
///
/// A script without any assertion fails.
///
/// # Errors
///
/// [`ScriptError`], if the text is no script.
pub fn run_script(
    path: &str,
    text: &str,
    engine: &dyn Engine,
) -> Result<ScriptResult, ScriptError> {
    let located = |mut error: wast::Error| {
        error.set_path(Path::new(path));
        error.set_text(text);
        ScriptError(error)
    };
    // Names with look-alike characters are what some official scripts test.
    let mut lexer = wast::lexer::Lexer::new(text);
    lexer.allow_confusing_unicode(true);
    let buffer = ParseBuffer::new_with_lexer(lexer).map_err(located)?;
    let script: Wast<'_> = parser::parse(&buffer).map_err(located)?;

    let mut result = ScriptResult {
        path: path.to_owned(),
        engine: engine.name().to_owned(),
        passed: 0,
        failed: 0,
        failures: Vec::new(),
    };
    let mut runner = directive::Runner::new(engine);
    for directive in script.directives {
        let (line, column) = directive.span().linecol_in(text);
        let keyword = directive::keyword(&directive);
        match runner.run(directive) {
            Ok(()) if keyword.starts_with("assert_") => result.passed += 1,
            Ok(()) => {}
            Err(message) => {
                result.failed += 1;
                result.failures.push(Failure {
                    line: line + 1,
                    column: column + 1,
                    message: format!("{keyword}: {message}"),
                });
            }
        }
    }
    if result.passed + result.failed == 0 {
        result.failed = 1;
        result.failures.push(Failure {
            line: 0,
            column: 0,
            message: "the script has no assertion".to_owned(),
        });
    }
    Ok(result)
}

impl ScriptResult {
    /// The failures, one per line, each with path, line and column.
    pub fn failure_lines(&self) -> impl Iterator<Item = String> {
        self.failures.iter().map(|failure| {
            let Failure {
                line,
                column,
                message,
            } = failure;
            match line {
                0 => format!("{}: {message}", self.path),
                _ => format!("{}:{line}:{column}: {message}", self.path),
            }
        })
    }
}
