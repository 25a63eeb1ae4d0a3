use super::operation::Script;
use super::setup::Setup;
use super::{check, check_script};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

fn bytes(seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; 1200];
    ChaCha8Rng::seed_from_u64(seed).fill_bytes(&mut bytes);
    bytes
}

#[test]
fn the_engine_does_what_the_model_says_and_all_of_it_happens() {
    let (mut compared, mut operations) = (0, 0);
    let mut met = [0u64; 8];
    for seed in 0..300 {
        let script = Script::decode(&bytes(seed));
        operations += script.operations.len();
        let setup = Setup::get(script.engine);
        let (replies, of) = check_script(script, &setup);
        compared += replies;
        let of = [
            of.suspended,
            of.forwarded,
            of.unhandled,
            of.caught,
            of.consumed,
            of.reentered,
            of.elsewhere,
            of.foreign,
        ];
        for (all, one) in met.iter_mut().zip(of) {
            *all += one;
        }
    }
    assert!(compared >= operations, "{compared} replies were compared");
    assert!(met.iter().all(|count| *count >= 20), "{met:?}");
}

#[test]
fn any_bytes_are_a_script() {
    check(&[]);
    check(&[255; 3]);
    check(&[0; 100]);
    check(b"\0asm\x01\0\0\0");
}

#[cfg(feature = "planted-bugs")]
#[test]
fn planted_bugs_are_seen() {
    use switchback_engine::PlantedBug;
    for name in ["handlers-lost-on-reentry", "inner-handlers-lost"] {
        let bug = PlantedBug::from_name(name).expect("there is such a bug");
        let setup = Arc::new(Setup::new(|config| {
            config.plant(Some(bug));
        }));
        let seen = (0..1000).any(|seed| {
            let script = Script::decode(&bytes(seed));
            catch_unwind(AssertUnwindSafe(|| check_script(script, &setup))).is_err()
        });
        assert!(seen, "{name}");
    }
}
