//! The compiling engine's interface for embedders, against a model.
//!
//! Differential runs look at what Wasm code shows. This looks at what an embedder does around it: stores and instances that come
//! and go, calls by typed and untyped handles, host functions of either kind that do all of it once more on a continuation's
//! stack, continuations kept in tables and moved between instances, growth and collection meanwhile, and threads that share an
//! engine and a module. The bytes of a fuzzing engine are a list of such operations; what must come of each is known from a
//! model that has no stacks.
//!
//! | file | what |
//! |---|---|
//! | `operation.rs` | bytes → operations |
//! | `guest.wat` | the module: an interpreter of programs that suspend, throw, nest and call the host |
//! | `model.rs` | what must come of them |
//! | `setup.rs`, `world.rs` | what comes of them on the engine |
//! | `reply.rs` | what is compared |

mod model;
mod operation;
mod reply;
mod setup;
mod world;

use operation::Script;
use reply::Reply;
use setup::Setup;
use std::sync::Arc;

/// Bytes between programs in a guest's memory.
const STRIDE: usize = 32;
/// Where programs lie that run on the caller's stack: after those of all slots.
const RUN_SLOT: usize = 8;
/// The part of a guest's memory in which programs lie.
const MEMORY: usize = STRIDE * (RUN_SLOT + 1);
/// The size of a guest's table at first.
const TABLE: usize = 8;
/// The size that a guest's memory can reach.
const MAX_PAGES: u64 = 6;

/// Does what `bytes` say, which any bytes do, and compares what comes of it with the model.
///
/// # Panics
///
/// With the script and both lists of replies, if they differ; and if the engine panics.
pub fn check(bytes: &[u8]) {
    let script = Script::decode(bytes);
    let setup = Setup::get(script.engine);
    check_script(script, &setup);
}

/// Returns how many operations were compared, and what the script does.
fn check_script(script: Script, setup: &Arc<Setup>) -> (usize, model::Met) {
    let script = Arc::new(script);
    let (expected, met) = model::expected(&script);
    let threads = if script.twice { 2 } else { 1 };
    let mut compared = 0;
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads)
            .map(|_| scope.spawn(|| world::observed(&script, setup)))
            .collect();
        compared = compare(&script, &expected, &world::observed(&script, setup));
        for other in others {
            let observed = other.join().expect("the thread has not panicked");
            compare(&script, &expected, &observed);
        }
    });
    (compared, met)
}

/// Compares up to where the engine has reached a limit, and returns how many replies that are.
fn compare(script: &Script, expected: &[Reply], observed: &[Reply]) -> usize {
    let limit = observed.iter().position(|r| *r == Reply::Exhausted);
    let compared = limit.unwrap_or(observed.len());
    let pairs = observed[..compared].iter().zip(expected);
    let same = pairs.clone().all(|(one, other)| one.is(*other));
    assert!(
        same && (limit.is_some() || observed.len() == expected.len()),
        "what an embedder sees differs from the model\nexpected: {expected:#?}\nobserved: {observed:#?}\nscript: {script:#?}"
    );
    compared
}

#[cfg(test)]
mod tests;
