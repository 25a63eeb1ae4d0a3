//! What crossed from one to the other of the two modules of a linked case.

use crate::linked::Provider;
use crate::observe::stacks::{Arrow, Stack, lives};
use crate::observe::{Event, Observation};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// What the two instances of a linked case had to do with each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Linkage {
    /// Code of one of them ran in a continuation that code of the other resumed or switched to.
    pub ran: bool,
    /// A suspension by code of one of them was handled by a `resume` of the other.
    pub handled: bool,
}

/// What a run of a case shows of that; `None` if the case is one module.
pub(super) fn linkage(wasm: &[u8], observation: &Observation) -> Option<Linkage> {
    let provider = Provider::of(wasm).ok().flatten()?.range();
    let trace = observation.trace.as_deref().unwrap_or_default();
    let parts: Vec<_> = observation.parts().map(|(events, _)| events).collect();
    let in_provider = |event: &Event| Some(provider.contains(&(event.at?.offset as usize)));
    let mut linkage = Linkage::default();
    // Whose instruction was the last that resumed a stack, and the last such instruction on a stack.
    let mut resumed_by: HashMap<Stack, bool> = HashMap::new();
    let mut resumes: HashMap<Stack, bool> = HashMap::new();
    for (event, step) in trace.iter().zip(lives(trace, &parts).steps) {
        let Some(here) = in_provider(event) else {
            continue;
        };
        let other = |by: &bool| *by != here;
        linkage.ran |= resumed_by.get(&step.from).is_some_and(other);
        match step.arrow {
            Some(Arrow::Resume | Arrow::Throw) => {
                resumes.insert(step.from, here);
                resumed_by.insert(step.to, here);
            }
            Some(Arrow::Switch) => {
                resumed_by.insert(step.to, here);
            }
            Some(Arrow::Suspend) => linkage.handled |= resumes.get(&step.to).is_some_and(other),
            Some(Arrow::Return | Arrow::Unwind) | None => {}
        }
    }
    Some(linkage)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engines::{self, Settings};
    use crate::linked;
    use crate::observe::observe;

    #[test]
    fn what_crosses_is_told_from_what_stays_in_one_module() {
        let provider = r#"(module (type $f (func)) (type $k (cont $f)) (tag $t (export "t"))
            (func (export "suspends") (suspend $t))
            (func (export "own") (block $on (result (ref $k)) (resume $k (on $t $on) (cont.new $k (ref.func 0))) (return)) (drop)))"#;
        let main = |body: &str| {
            let text = format!(
                r#"(module (type $f (func)) (type $k (cont $f)) (import "linked" "t" (tag $t))
                (import "linked" "suspends" (func $suspends)) (import "linked" "own" (func $own))
                (elem declare func $suspends $new) (func $new (drop (cont.new $k (ref.func $new))))
                (func (export "run") {body}))"#
            );
            linked::link(
                &wat::parse_str(text).unwrap(),
                &wat::parse_str(provider).unwrap(),
            )
        };
        let settings = Settings {
            trace: true,
            ..Settings::default()
        };
        let oracle = engines::create("oracle", &settings).unwrap();
        let of = |wasm: &[u8]| {
            let linkage = linkage(wasm, &observe(oracle.as_ref(), wasm)).unwrap();
            (linkage.ran, linkage.handled)
        };
        assert_eq!(of(&main("(call $own)")), (false, false));
        assert_eq!(
            of(&main("(resume $k (cont.new $k (ref.func $new)))")),
            (false, false)
        );
        let unhandled = "(resume $k (cont.new $k (ref.func $suspends)))";
        assert_eq!(of(&main(unhandled)), (true, false));
        let handled = "(block $on (result (ref $k))
            (resume $k (on $t $on) (cont.new $k (ref.func $suspends))) (return)) (drop)";
        assert_eq!(of(&main(handled)), (true, true));
        let alone = wat::parse_str("(module (func (export \"run\")))").unwrap();
        assert_eq!(linkage(&alone, &observe(oracle.as_ref(), &alone)), None);
    }
}
