//! How the oracle compares: with wasmi, its two dispatchers with one another, and stack
//! switching with calls.
//!
//! `cargo bench -p switchback-oracle --bench ratios`
//!
//! What is compared runs in turns, a short while each, and of each the shortest time counts:
//! whatever else the machine does only ever adds time, and adds it to all alike.

use std::hint::black_box;
use std::time::{Duration, Instant};

use switchback_oracle::Dispatch;

mod common;
use common::{KERNELS, kernels, oracle, wasmi};

/// Turns for each kernel.
const TURNS: usize = 60;

/// Rounds of a stack-switching loop in one turn, and all in all.
const ROUNDS: i32 = 50_000;
const LOOPS: &[(&str, &str, u32)] = &[
    ("calls", "call and return", 10_000_000),
    ("suspend", "suspend and resume", 10_000_000),
    ("suspend_deep", "the same, 1000 frames deep", 10_000_000),
    ("create", "cont.new and run to the end", 1_000_000),
    ("forward", "suspend past 16 handlers, and resume", 1_000_000),
];

fn main() {
    let wasm = kernels();
    println!("| kernel | wasmi, ms | oracle / wasmi | table / match |");
    println!("|---|---|---|---|");
    let mut product = (1.0, 1.0);
    for &(name, argument) in KERNELS {
        let mut by_match = oracle(Dispatch::Match, &wasm, name);
        let mut by_table = oracle(Dispatch::Table, &wasm, name);
        let mut by_wasmi = wasmi(&wasm, name);
        let expected = by_wasmi(argument);
        assert_eq!(by_match(argument), expected, "{name}");
        assert_eq!(by_table(argument), expected, "{name}");
        let mut least = [Duration::MAX; 3];
        for _ in 0..TURNS {
            least[0] = least[0].min(time(&mut by_match, argument));
            least[1] = least[1].min(time(&mut by_table, argument));
            least[2] = least[2].min(time(&mut by_wasmi, argument));
        }
        let [by_match, by_table, by_wasmi] = least.map(|t| t.as_secs_f64());
        let ratios = (by_match / by_wasmi, by_table / by_match);
        product = (product.0 * ratios.0, product.1 * ratios.1);
        println!(
            "| {name} | {:.2} | {:.2} | {:.2} |",
            by_wasmi * 1e3,
            ratios.0,
            ratios.1
        );
    }
    let root = 1.0 / KERNELS.len() as f64;
    println!(
        "| geometric mean | | {:.2} | {:.2} |",
        product.0.powf(root),
        product.1.powf(root)
    );

    let wasm = common::switching();
    println!("\n| loop | rounds | ns a round | calls |");
    println!("|---|---|---|---|");
    let mut loops: Vec<_> = LOOPS
        .iter()
        .map(|&(name, ..)| oracle(Dispatch::default(), &wasm, name))
        .collect();
    let mut least = vec![Duration::MAX; LOOPS.len()];
    let turns = LOOPS.iter().map(|l| l.2).max().unwrap_or(0) / ROUNDS as u32;
    for turn in 0..turns {
        for ((call, least), &(.., rounds)) in loops.iter_mut().zip(&mut least).zip(LOOPS) {
            if turn < rounds / ROUNDS as u32 {
                *least = (*least).min(time(call, ROUNDS));
            }
        }
    }
    for (&(_, what, rounds), time) in LOOPS.iter().zip(&least) {
        let ns = time.as_secs_f64() * 1e9 / f64::from(ROUNDS);
        let calls = time.as_secs_f64() / least[0].as_secs_f64();
        println!("| {what} | {rounds} | {ns:.1} | {calls:.1} |");
    }
}

fn time(call: &mut impl FnMut(i32) -> i32, argument: i32) -> Duration {
    let start = Instant::now();
    black_box(call(black_box(argument)));
    start.elapsed()
}
