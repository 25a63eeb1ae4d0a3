//! Times of the kernels and of the stack-switching loops, each for itself, by divan.
//!
//! `cargo bench -p switchback-oracle --bench speed`

use divan::{Bencher, black_box};
use switchback_oracle::Dispatch;

mod common;
use common::{KERNELS, kernels, oracle, wasmi};

/// Rounds of each stack-switching loop in one iteration.
const ROUNDS: i32 = 100_000;

fn main() {
    divan::main();
}

#[divan::bench(args = KERNELS.iter().map(|k| k.0))]
fn on_oracle_by_match(bencher: Bencher, name: &str) {
    let argument = argument(name);
    let mut call = oracle(Dispatch::Match, &kernels(), name);
    bencher.bench_local(|| call(black_box(argument)));
}

#[divan::bench(args = KERNELS.iter().map(|k| k.0))]
fn on_oracle_by_table(bencher: Bencher, name: &str) {
    let argument = argument(name);
    let mut call = oracle(Dispatch::Table, &kernels(), name);
    bencher.bench_local(|| call(black_box(argument)));
}

#[divan::bench(args = KERNELS.iter().map(|k| k.0))]
fn on_wasmi(bencher: Bencher, name: &str) {
    let argument = argument(name);
    let mut call = wasmi(&kernels(), name);
    let expected = oracle(Dispatch::default(), &kernels(), name)(argument);
    assert_eq!(call(argument), expected, "{name}");
    bencher.bench_local(|| call(black_box(argument)));
}

fn argument(name: &str) -> i32 {
    let kernel = KERNELS.iter().find(|k| k.0 == name);
    kernel.expect("a kernel").1
}

#[divan::bench(args = ["calls", "create", "suspend", "suspend_deep", "forward"])]
fn switching(bencher: Bencher, name: &str) {
    let mut call = oracle(Dispatch::default(), &common::switching(), name);
    bencher
        .counter(divan::counter::ItemsCount::new(ROUNDS as u32))
        .bench_local(|| call(black_box(ROUNDS)));
}
