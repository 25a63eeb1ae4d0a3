//! The command line from outside: exit statuses, what goes where, and that bad
//! input gives one clear error.
//!
//! | file | what |
//! |---|---|
//! | `programs.rs` | commands about modules and scripts that are given |
//! | `campaigns.rs` | `fuzz`: what it prints, writes, and survives |
//! | `configurations.rs` | the settings of engines, drawn and given |

mod campaigns;
mod configurations;
mod programs;

use serde_json::Value;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

const MODULE: &str = r#"(module
    (type $f (func)) (type $k (cont $f))
    (tag $t)
    (global (mut i64) (i64.const -9007199254740993))
    (func $body (suspend $t))
    (elem declare func $body)
    (func (export "run") (result i32)
      (block $h (result (ref $k))
        (resume $k (on $t $h) (cont.new $k (ref.func $body)))
        (return (i32.const 0)))
      (drop)
      (i32.const 1))
    (func (export "trap") (unreachable))
    (func (export "add") (param i32 f64) (result f64)
      (f64.add (f64.convert_i32_s (local.get 0)) (local.get 1))))"#;

struct Run {
    status: i32,
    stdout: String,
    stderr: String,
}

impl Run {
    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error} in {}", self.stdout))
    }

    /// Asserts a failure with exactly one error, which has all of these parts.
    fn is_error(&self, parts: &[&str]) {
        assert_eq!(self.status, 2, "{}", self.stderr);
        assert_eq!(self.stdout, "", "an error has no output");
        assert_eq!(self.stderr.matches("error:").count(), 1, "{}", self.stderr);
        for part in parts {
            assert!(
                self.stderr.contains(part),
                "{part:?} is not in {}",
                self.stderr
            );
        }
    }
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchback"));
    command.args(arguments);
    command
}

fn switchback(arguments: &[&str]) -> Run {
    let Output {
        status,
        stdout,
        stderr,
    } = command(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Run {
        status: status.code().expect("no signal"),
        stdout: text(stdout),
        stderr: text(stderr),
    }
}

/// A folder with a file in it.
fn file(name: &str, contents: impl AsRef<[u8]>) -> (TempDir, String) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, contents).unwrap();
    (folder, path.to_str().unwrap().to_owned())
}

fn fuzz(out: &Path, more: &[&str]) -> Run {
    let out = out.to_str().unwrap();
    let mut arguments = vec!["fuzz", "--json", "--out", out];
    arguments.extend(more);
    switchback(&arguments)
}
