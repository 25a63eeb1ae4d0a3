//! Writing to standard output: colour only on a terminal, errors reported.

use anyhow::Context;
use serde::Serialize;
use std::io::Write;

/// Writes text to standard output; styles in it go away unless that is a
/// terminal.
pub fn text(text: &str) -> anyhow::Result<()> {
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .context("standard output")
}

/// Writes one JSON value and a line feed to standard output.
pub fn json(value: &impl Serialize) -> anyhow::Result<()> {
    let mut json = serde_json::to_string_pretty(value).context("JSON")?;
    json.push('\n');
    text(&json)
}
