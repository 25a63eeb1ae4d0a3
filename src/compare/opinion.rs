//! What a third engine says where two diverge.

use super::{Verdict, compare};
use crate::observe::Observation;
use serde::Serialize;

/// What another engine shows in a case on which two diverge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Opinion {
    /// The engine.
    pub engine: String,
    /// Which of the two it agrees with.
    pub with: Side,
}

/// One of two engines that diverge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The one under test.
    Left,
    /// The reference.
    Right,
    /// Both, as far as it can be compared: it knows less than they do, or reached a limit before.
    Both,
    /// Neither.
    Neither,
}

impl Opinion {
    /// The opinion of the engine that made `observation`.
    pub fn of(observation: &Observation, left: &Observation, right: &Observation) -> Opinion {
        let agrees = |other| !matches!(compare(observation, other), Verdict::Diverge(_));
        Opinion {
            engine: observation.engine.clone(),
            with: match (agrees(left), agrees(right)) {
                (true, true) => Side::Both,
                (true, false) => Side::Left,
                (false, true) => Side::Right,
                (false, false) => Side::Neither,
            },
        }
    }
}

/// Says who stands alone in a divergence of `left` and `right`, a sentence for each thing that is known; nothing without
/// opinions.
pub fn standing(left: &str, right: &str, opinions: &[Opinion]) -> Vec<String> {
    let of = |side: Side| -> Vec<&str> {
        let opinions = opinions.iter().filter(|opinion| opinion.with == side);
        opinions.map(|opinion| opinion.engine.as_str()).collect()
    };
    let (with_left, with_right) = (of(Side::Left).join(", "), of(Side::Right).join(", "));
    let mut lines = Vec::new();
    match (with_left.as_str(), with_right.as_str()) {
        ("", "") => {}
        ("", with) => lines.push(format!(
            "{left} stands alone: {with} shows what {right} shows"
        )),
        (with, "") => lines.push(format!(
            "{right} stands alone: {with} shows what {left} shows"
        )),
        (l, r) => lines.push(format!(
            "{l} shows what {left} shows, {r} what {right} shows"
        )),
    }
    for engine in of(Side::Neither) {
        lines.push(format!("{engine} shows something else than either"));
    }
    for engine in of(Side::Both) {
        lines.push(format!("{engine} shows nothing that tells who is right"));
    }
    lines
}
