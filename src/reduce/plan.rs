//! Steps on the plan of a woven module. (Those of other generators are small, and reduced as modules only.)
//!
//! Nothing here renumbers: what is not at the end of a list is made empty instead of taken out, and what then nothing refers to
//! goes with the steps on the module. Every plan becomes valid by being built.

use super::items::stripped;
use super::state::{Ended, State};
use crate::generate::plan::{
    Action, Catch, Effect, End, Nominal, Plan, Script, TaskBody, Then, ValueType,
};
use crate::generate::{self, Features, PlanAndBlobs, link};
use std::ops::Range;

/// A change of the plan and the blobs; it may find nothing to do.
type Edit = Box<dyn Fn(&mut Plan, &mut Vec<Vec<u8>>)>;

/// Reduces a woven module by its plan, if it has one and is what the plan makes.
pub(super) fn reduce(state: &mut State<'_>) -> Result<(), Ended> {
    let Ok((mut plan, mut blobs)) = Plan::from_module(state.best()) else {
        return Ok(());
    };
    // As one module, if that shows it too.
    let split = link::seed(state.best());
    let mut ways = vec![None];
    ways.extend(split.map(Some));
    let mut found = None;
    for split in ways {
        if let Some(built) = build(&plan, &blobs, split)
            && state.shows_the_same(&built)?
        {
            state.offer(built)?;
            found = Some(split);
            break;
        }
    }
    let Some(split) = found else {
        return Ok(());
    };
    loop {
        let before = state.measure();
        let mut index = 0;
        loop {
            let edits = edits(&plan);
            let Some(edit) = edits.get(index) else {
                break;
            };
            let Some((edited, candidate)) = applied(edit, &plan, &blobs, split) else {
                index += 1;
                continue;
            };
            if state.offer(candidate)? {
                (plan, blobs) = edited;
            } else {
                index += 1;
            }
        }
        if state.measure() == before {
            return Ok(());
        }
    }
}

/// The plan after an edit with the module that it makes; nothing, if the edit changes nothing.
fn applied(
    edit: &Edit,
    plan: &Plan,
    blobs: &[Vec<u8>],
    split: Option<u64>,
) -> Option<(PlanAndBlobs, Vec<u8>)> {
    let (mut edited, mut edited_blobs) = (plan.clone(), blobs.to_vec());
    edit(&mut edited, &mut edited_blobs);
    edited.fix_up();
    if edited == *plan && edited_blobs == blobs {
        return None;
    }
    let candidate = build(&edited, &edited_blobs, split)?;
    Some(((edited, edited_blobs), candidate))
}

/// The module of a plan, split by this seed if there is one, without the sections that keep the plan.
fn build(plan: &Plan, blobs: &[Vec<u8>], split: Option<u64>) -> Option<Vec<u8>> {
    let whole = stripped(&generate::build(plan.clone(), blobs).wasm)?;
    match split {
        Some(seed) => stripped(&link::split(&whole, seed)?.wasm),
        None => Some(whole),
    }
}

/// Features that a plan can do without: what they bring along is replaced by something simpler, in all places at once.
const WITHOUT: [&str; 5] = [
    "gc",
    "continuations_in_objects",
    "simd",
    "wide_arithmetic",
    "multi_memory",
];

/// All edits of a plan, the coarse ones first.
fn edits(plan: &Plan) -> Vec<Edit> {
    let mut edits: Vec<Edit> = Vec::new();
    for range in ranges(plan.calls.len()) {
        edits.push(Box::new(move |plan, _| {
            drop(plan.calls.drain(range.clone()))
        }));
    }
    edits.push(Box::new(|plan, _| plan.start = None));
    for feature in WITHOUT {
        edits.push(Box::new(move |plan, _| {
            let feature = Features::named(feature).unwrap_or(Features::NONE);
            plan.features = plan.features.except(feature);
        }));
    }
    for index in 0..plan.tasks.len() {
        edits.push(Box::new(move |plan, blobs| {
            set_body(plan, blobs, index, nothing());
        }));
        edits.push(Box::new(move |plan, blobs| {
            if let TaskBody::Woven(leaf) = &plan.tasks[index].body {
                let splices = leaf.splices.iter();
                let actions = splices.flat_map(|splice| splice.actions.clone()).collect();
                let script = Script {
                    actions,
                    salt: leaf.salt,
                };
                set_body(plan, blobs, index, TaskBody::Script(script, End::Return));
            }
        }));
    }
    for index in 0..scripts(&mut plan.clone()).len() {
        let length = scripts(&mut plan.clone())[index].len();
        for range in ranges(length) {
            edits.push(Box::new(move |plan, _| {
                for at in range.clone().rev() {
                    remove(scripts(plan)[index], at);
                }
            }));
        }
    }
    leaves(plan, &mut edits);
    drivers(plan, &mut edits);
    for index in 0..value_types(&mut plan.clone()).len() {
        let length = value_types(&mut plan.clone())[index].len();
        for range in ranges(length) {
            edits.push(Box::new(move |plan, _| {
                drop(value_types(plan)[index].drain(range.clone()));
            }));
        }
    }
    for index in 0..plan.tasks.len() {
        edits.push(Box::new(move |plan, _| {
            if let TaskBody::Script(_, end) = &mut plan.tasks[index].body {
                *end = End::Return;
            }
        }));
        edits.push(Box::new(move |plan, _| plan.tasks[index].two_binds = false));
        edits.push(Box::new(move |plan, _| {
            plan.tasks[index].nominal = Nominal::Loop;
        }));
    }
    for index in 0..plan.families.len() {
        edits.push(Box::new(move |plan, _| {
            plan.families[index].symmetric = false
        }));
        edits.push(Box::new(move |plan, _| plan.families[index].open = false));
    }
    for index in 0..catches(&mut plan.clone()).len() {
        edits.push(Box::new(move |plan, _| {
            *catches(plan)[index] = Catch::default();
        }));
    }
    edits.push(Box::new(|plan, _| plan.types.grouped = false));
    edits
}

fn leaves(plan: &Plan, edits: &mut Vec<Edit>) {
    for index in 0..plan.tasks.len() {
        let TaskBody::Woven(leaf) = &plan.tasks[index].body else {
            continue;
        };
        for range in ranges(leaf.splices.len()) {
            edits.push(Box::new(move |plan, _| {
                if let TaskBody::Woven(leaf) = &mut plan.tasks[index].body {
                    leaf.splices.drain(range.clone());
                }
            }));
        }
        for length in [0, leaf.length / 2] {
            edits.push(Box::new(move |plan, _| {
                if let TaskBody::Woven(leaf) = &mut plan.tasks[index].body {
                    leaf.length = length;
                }
            }));
        }
        edits.push(Box::new(move |plan, _| {
            if let TaskBody::Woven(leaf) = &mut plan.tasks[index].body {
                leaf.control = false;
            }
        }));
    }
}

fn drivers(plan: &Plan, edits: &mut Vec<Edit>) {
    for (index, driver) in plan.drivers.iter().enumerate() {
        for range in ranges(driver.clauses.len()) {
            edits.push(Box::new(move |plan, _| {
                plan.drivers[index].clauses.drain(range.clone());
            }));
        }
        for clause in 0..driver.clauses.len() {
            edits.push(Box::new(move |plan, _| {
                use crate::generate::plan::Clause;
                if let Some(Clause::On { then, mask, .. }) =
                    plan.drivers[index].clauses.get_mut(clause)
                {
                    (*then, *mask) = (Then::Continue, 0);
                }
            }));
        }
        edits.push(Box::new(move |plan, _| plan.drivers[index].drain = false));
        edits.push(Box::new(move |plan, _| plan.drivers[index].guard = false));
        edits.push(Box::new(move |plan, _| {
            plan.drivers[index].effect = Effect::None;
        }));
    }
}

/// The parts of a list of this length that are taken out, the large ones first, the last ones first.
fn ranges(length: usize) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut size = length;
    while size > 0 {
        let starts = (0..length).step_by(size).rev();
        ranges.extend(starts.map(|start| start..(start + size).min(length)));
        size /= 2;
    }
    ranges
}

fn nothing() -> TaskBody {
    let script = Script {
        actions: Vec::new(),
        salt: 0,
    };
    TaskBody::Script(script, End::Return)
}

/// Gives a task another body; a leaf's blob goes with it.
fn set_body(plan: &mut Plan, blobs: &mut Vec<Vec<u8>>, index: usize, body: TaskBody) {
    let woven = |task: &&crate::generate::plan::Task| matches!(task.body, TaskBody::Woven(_));
    let number = plan.tasks[..index].iter().filter(woven).count();
    if matches!(plan.tasks[index].body, TaskBody::Woven(_)) && number < blobs.len() {
        blobs.remove(number);
    }
    plan.tasks[index].body = body;
}

/// Takes an action out of a sequence; what counted it among its own counts one less.
fn remove(actions: &mut Vec<Action>, at: usize) {
    for (index, action) in actions[..at].iter_mut().enumerate() {
        if let Action::When(_, count) | Action::Repeat(_, count) | Action::Try(_, count) = action
            && index + usize::from(*count) >= at
        {
            *count -= 1;
        }
    }
    actions.remove(at);
}

/// All sequences of actions of a plan, in a fixed order.
fn scripts(plan: &mut Plan) -> Vec<&mut Vec<Action>> {
    let mut scripts = Vec::new();
    for call in &mut plan.calls {
        scripts.push(&mut call.script.actions);
    }
    for task in &mut plan.tasks {
        match &mut task.body {
            TaskBody::Woven(leaf) => {
                scripts.extend(leaf.splices.iter_mut().map(|splice| &mut splice.actions));
            }
            TaskBody::Script(script, _) => scripts.push(&mut script.actions),
            TaskBody::Host | TaskBody::Reentry => {}
        }
    }
    for callback in &mut plan.callbacks {
        scripts.push(&mut callback.actions);
    }
    scripts
}

/// All `try_table`s around actions, in a fixed order.
fn catches(plan: &mut Plan) -> Vec<&mut Catch> {
    let actions = scripts(plan).into_iter().flatten();
    actions
        .filter_map(|action| match action {
            Action::Drive { catch, .. }
            | Action::Once { catch, .. }
            | Action::Inject { catch, .. }
            | Action::Try(catch, _) => Some(catch),
            _ => None,
        })
        .collect()
}

/// All lists of types of values, in a fixed order.
fn value_types(plan: &mut Plan) -> Vec<&mut Vec<ValueType>> {
    let mut lists = Vec::new();
    for family in &mut plan.families {
        lists.push(&mut family.params);
        lists.push(&mut family.results);
        lists.push(&mut family.switch_values);
    }
    for tag in &mut plan.tags {
        lists.push(&mut tag.params);
        lists.push(&mut tag.results);
    }
    for task in &mut plan.tasks {
        lists.push(&mut task.prefix);
    }
    for log in &mut plan.logs {
        lists.push(&mut log.params);
        lists.push(&mut log.results);
    }
    for call in &mut plan.calls {
        lists.push(&mut call.results);
    }
    lists
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_counts_an_action_among_its_own_counts_one_less_without_it() {
        let script = || {
            vec![
                Action::Grow,
                Action::When(1, 3),
                Action::Repeat(2, 1),
                Action::Touch,
                Action::Rethrow,
            ]
        };
        let without = |at| {
            let mut actions = script();
            remove(&mut actions, at);
            actions
        };
        let (when, repeat) = (Action::When(1, 2), Action::Repeat(2, 1));
        assert_eq!(
            without(4),
            [Action::Grow, when.clone(), repeat.clone(), Action::Touch]
        );
        assert_eq!(
            without(2),
            [Action::Grow, when, Action::Touch, Action::Rethrow]
        );
        assert_eq!(without(0)[0], Action::When(1, 3));
        assert_eq!(
            without(1),
            [Action::Grow, repeat, Action::Touch, Action::Rethrow]
        );
    }

    #[test]
    fn each_feature_that_a_plan_can_do_without_is_taken_out_at_once() {
        for feature in WITHOUT {
            let named = Features::named(feature).expect("it is a feature");
            let has = |features: Features| features.and(named) == named;
            let mut plans = (0..100)
                .map(|seed| generate::generate(seed, &generate::Config::default()).plan)
                .filter(|plan| has(plan.features));
            let plan = plans.next().expect("every feature is drawn");
            let without = edits(&plan)
                .iter()
                .filter_map(|edit| applied(edit, &plan, &[], None))
                .filter(|((edited, _), _)| !has(edited.features))
                .count();
            assert_eq!(without, 1, "{feature}");
        }
    }

    #[test]
    fn the_parts_of_a_list_cover_it_at_every_size() {
        assert_eq!(ranges(0), []);
        assert_eq!(ranges(3), [0..3, 2..3, 1..2, 0..1]);
        assert_eq!(ranges(4)[..3], [0..4, 2..4, 0..2]);
    }
}
