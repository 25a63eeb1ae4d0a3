//! How many instructions switches take. Unlike times, these do not depend on what else the machine does, so they can be pinned.
//!
//! The test runs itself under valgrind, whose callgrind counts; it passes where there is no valgrind.

use std::process::Command;
use switchback_engine::{
    Config, CpuFeatures, Engine, Instance, Module, OptLevel, RegallocAlgorithm, Store,
};

#[path = "../../bench/versus/programs/counted.rs"]
mod programs;

const NAME: &str = "switches_take_as_many_instructions_as_they_did";
const VARIABLE: &str = "SWITCHBACK_TEST_INSTRUCTIONS";

/// Operations of the shorter of two runs. The longer one does twice as many, so that the difference is theirs alone.
const COUNT: i32 = 1000;

/// Writes what callgrind has counted since the last time, and starts again at 0.
fn dump() {
    const DUMP_STATS: u64 = 0x4354_0000;
    let request: [u64; 6] = [DUMP_STATS, 0, 0, 0, 0, 0];
    // SAFETY: what valgrind takes for a request to itself; to a processor, the rotations leave rdi as it was and the exchange does
    // nothing.
    unsafe {
        std::arch::asm!(
            "rol rdi, 3",
            "rol rdi, 13",
            "rol rdi, 61",
            "rol rdi, 51",
            "xchg rbx, rbx",
            in("rax") request.as_ptr(),
            inout("rdx") 0u64 => _,
            inout("rdi") 0u64 => _,
        );
    }
}

fn texts() -> [(&'static str, String); 5] {
    [
        ("round trip", programs::ROUND_TRIP.to_owned()),
        ("switch", programs::SWITCH.to_owned()),
        ("forwarded once", programs::forwarded(1)),
        ("forwarded five times", programs::forwarded(5)),
        ("cont.new and run", programs::NEW_AND_RUN.to_owned()),
    ]
}

/// What valgrind watches: each program twice.
fn run_programs() {
    let mut config = Config::new();
    config
        .opt_level(OptLevel::Speed)
        .regalloc(RegallocAlgorithm::Backtracking)
        .cpu_features(CpuFeatures::Baseline)
        .check_switches(false);
    let engine = Engine::new(&config).expect("the engine can be made");
    for (name, text) in texts() {
        let bytes = wat::parse_str(text).expect("the text parses");
        let module = Module::new(&engine, &bytes).expect("the module compiles");
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).expect(name);
        let run = instance.get_func(&store, "run").expect("it is exported");
        let run = run.typed::<i32, ()>(&store).expect("its type");
        run.call(&mut store, COUNT).expect("it returns");
        for count in [COUNT, 2 * COUNT] {
            dump();
            run.call(&mut store, count).expect("it returns");
        }
        dump();
    }
}

#[test]
fn switches_take_as_many_instructions_as_they_did() {
    if std::env::var_os(VARIABLE).is_some() {
        return run_programs();
    }
    let directory = std::env::temp_dir().join(format!("switchback-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a directory can be made");
    let output = Command::new("valgrind")
        .arg("--tool=callgrind")
        .arg(format!("--callgrind-out-file={}/out", directory.display()))
        .arg(std::env::current_exe().expect("the test has a file"))
        .args(["--exact", NAME, "--test-threads=1"])
        .env(VARIABLE, "1")
        .output();
    let output = match output {
        Ok(output) => output,
        Err(error) => {
            eprintln!("skipped: valgrind cannot be run: {error}");
            return;
        }
    };
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{log}");
    // Three dumps a program: what came before, the shorter run, the longer one.
    let counted = |dump: usize| -> f64 {
        let path = directory.join(format!("out.{dump}"));
        let text = std::fs::read_to_string(&path).expect("valgrind has written it");
        let mut lines = text.lines();
        let line = lines.find_map(|line| line.strip_prefix("totals: "));
        line.expect("a dump has totals")
            .trim()
            .parse()
            .expect("it is a number")
    };
    let an_operation = |program: usize| {
        let (short, long) = (counted(3 * program + 2), counted(3 * program + 3));
        (long - short) / f64::from(COUNT)
    };
    let found: [f64; 5] = std::array::from_fn(an_operation);
    let forwarding = (found[3] - found[2]) / 4.0;
    std::fs::remove_dir_all(&directory).expect("it was made above");
    let found = [found[0], found[1], forwarding, found[4]];
    println!("{found:?}");
    // The site's code is Cranelift's, so another version of it may need some more.
    for ((what, most), found) in [
        ("a round trip of suspend and resume", 112.0),
        ("a switch", 88.0),
        ("a stack that a suspension passes", 17.0),
        ("cont.new and running to the end", 156.0),
    ]
    .into_iter()
    .zip(found)
    {
        assert!(
            found > 10.0 && found <= most,
            "{what} takes {found} instructions, and not {most}"
        );
    }
}
