//! Writing to standard output: colour only on a terminal, errors reported.

use anyhow::Context;
use serde::Serialize;
use std::fmt::Display;
use std::io::Write;
use std::path::Path;

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

/// A word of a command for people, in single quotes if a POSIX shell would take it for something else.
pub fn quoted(word: impl Display) -> String {
    let word = word.to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "_./=,:@%+-".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word,
        // Nothing is special within single quotes but their end.
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

/// The folder in which a file is, or is to be.
pub fn folder(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_a_shell_needs_it() {
        for plain in [
            "diff",
            "--config",
            "opt=speed,stack=192k",
            "a_b/c.d:1@2%3+4",
        ] {
            assert_eq!(quoted(plain), plain);
        }
        for (word, expected) in [
            ("", "''"),
            ("sp ace.wasm", "'sp ace.wasm'"),
            ("~/$x;*", "'~/$x;*'"),
            ("é", "'é'"),
            ("it's", r"'it'\''s'"),
        ] {
            assert_eq!(quoted(word), expected);
        }
    }
}
