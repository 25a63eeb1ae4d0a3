//! The compiling engine side by side with Wasmtime, and with corosensei where that can do the same.
//!
//! `cargo bench -p switchback-bench --features wasmtime [-- [--rounds N] [part of a line's name]]`. The ratio is Wasmtime's time
//! divided by ours: above 1, we are quicker. `--once LINE CONTESTANT COUNT` does nothing but that many operations, for tools that
//! count instructions: the difference between two counts, divided by the difference of the counts, leaves out the set-up.

mod calls;
mod compile;
mod coroutines;
mod generated;
mod memory;
mod programs;
mod switching;

use std::process::ExitCode;
use switchback_bench::{Contestant, Measured, measure};

/// The one that ratios refer to.
const OURS: &str = "switchback";

/// A line of the table.
struct Line {
    name: String,
    /// Operations in a round: enough to make what precedes the loop negligible.
    operations: u64,
    contestants: Vec<Contestant<'static>>,
}

impl Line {
    fn new(
        name: impl Into<String>,
        operations: u64,
        contestants: Vec<Contestant<'static>>,
    ) -> Self {
        Line {
            name: name.into(),
            operations,
            contestants,
        }
    }
}

/// A line that is set up when it is its turn.
type Prepare = (&'static str, fn() -> Line);

fn lines() -> Vec<Prepare> {
    let mut lines = switching::lines();
    lines.extend(calls::lines());
    lines.extend(compile::lines());
    lines
}

fn main() -> ExitCode {
    // Cargo passes `--bench`.
    let mut args = std::env::args().skip(1).filter(|arg| arg != "--bench");
    let mut rounds = 41;
    let mut filter = String::new();
    while let Some(arg) = args.next() {
        match &*arg {
            "--rounds" => match args.next().and_then(|count| count.parse().ok()) {
                Some(count) if count > 0 => rounds = count,
                _ => return usage("--rounds takes a number above 0"),
            },
            "--once" => {
                let (line, contestant, count) = (args.next(), args.next(), args.next());
                let count = count.and_then(|count| count.parse().ok());
                let (Some(line), Some(contestant), Some(count)) = (line, contestant, count) else {
                    return usage("--once takes a line, a contestant and a count");
                };
                return once(&line, &contestant, count);
            }
            // For `generated::modules`.
            "--try" => {
                let Some(index) = args.next().and_then(|index| index.parse().ok()) else {
                    return usage("--try takes the number of a case");
                };
                generated::try_from(index);
                return ExitCode::SUCCESS;
            }
            flag if flag.starts_with('-') => return usage(&format!("unknown option {flag:?}")),
            part => part.clone_into(&mut filter),
        }
    }
    println!(
        "{:<34} {:>12} {:>12} {:>7} {:>12} {:>7}",
        "ns an operation", OURS, "wasmtime", "ratio", "corosensei", "ratio"
    );
    for (name, prepare) in lines() {
        if name.contains(&*filter) {
            let mut line = prepare();
            let measured = measure(&mut line.contestants, rounds, line.operations);
            print_line(&line.name, &measured);
        }
    }
    if "code size".contains(&*filter) {
        compile::print_sizes();
    }
    if "memory".contains(&*filter) {
        memory::print();
    }
    ExitCode::SUCCESS
}

fn usage(message: &str) -> ExitCode {
    eprintln!("versus: {message}");
    ExitCode::from(2)
}

fn once(name: &str, contestant: &str, count: u64) -> ExitCode {
    let Some((_, prepare)) = lines().into_iter().find(|line| line.0 == name) else {
        return usage(&format!("there is no line {name:?}"));
    };
    let mut line = prepare();
    let mut contestants = line.contestants.iter_mut();
    match contestants.find(|known| known.name == contestant) {
        Some(contestant) => contestant.run(count),
        None => return usage(&format!("{name:?} has no contestant {contestant:?}")),
    };
    ExitCode::SUCCESS
}

fn print_line(name: &str, measured: &[Measured]) {
    let find = |who: &str| measured.iter().find(|one| one.name == who);
    let time = |who| find(who).map_or(String::new(), |one| format!("{:.2}", one.nanoseconds));
    let ratio = |who| find(who).map_or(String::new(), |one| format!("{:.2}", one.ratio));
    println!(
        "{:<34} {:>12} {:>12} {:>7} {:>12} {:>7}",
        name,
        time(OURS),
        time("wasmtime"),
        ratio("wasmtime"),
        time("corosensei"),
        ratio("corosensei"),
    );
}
