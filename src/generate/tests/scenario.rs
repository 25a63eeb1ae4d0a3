//! What the plans of some hundred seeds hold: every scenario in which stack switching is known to have gone wrong.

use super::*;

/// All actions of a plan, with whether they run in a task (on a continuation).
fn actions(plan: &Plan) -> Vec<(&Action, bool)> {
    let mut all = Vec::new();
    for task in &plan.tasks {
        match &task.body {
            TaskBody::Woven(leaf) => {
                all.extend(
                    leaf.splices
                        .iter()
                        .flat_map(|splice| &splice.actions)
                        .map(|action| (action, true)),
                );
            }
            TaskBody::Script(script, _) => {
                all.extend(script.actions.iter().map(|action| (action, true)))
            }
            TaskBody::Host | TaskBody::Reentry => {}
        }
    }
    let scripts = plan
        .callbacks
        .iter()
        .chain(plan.calls.iter().map(|call| &call.script));
    all.extend(
        scripts
            .flat_map(|script| &script.actions)
            .map(|action| (action, false)),
    );
    all
}

fn any_action(plan: &Plan, fits: impl Fn(&Action) -> bool) -> bool {
    actions(plan).into_iter().any(|(action, _)| fits(action))
}

fn in_task(plan: &Plan, fits: impl Fn(&Action) -> bool) -> bool {
    actions(plan)
        .into_iter()
        .any(|(action, in_task)| in_task && fits(action))
}

fn any_then(plan: &Plan, fits: impl Fn(Then) -> bool) -> bool {
    let clauses = plan.drivers.iter().flat_map(|driver| &driver.clauses);
    clauses
        .into_iter()
        .any(|clause| matches!(clause, Clause::On { then, .. } if fits(*then)))
}

fn types(plan: &Plan) -> impl Iterator<Item = &Vec<ValueType>> {
    let families = plan
        .families
        .iter()
        .flat_map(|family| [&family.params, &family.results]);
    let tags = plan.tags.iter().flat_map(|tag| [&tag.params, &tag.results]);
    families
        .chain(tags)
        .chain(plan.tasks.iter().map(|task| &task.prefix))
}

fn followed_by(
    plan: &Plan,
    first: impl Fn(&Action) -> bool,
    second: impl Fn(&Action) -> bool,
) -> bool {
    let scripts = plan.tasks.iter().filter_map(|task| match &task.body {
        TaskBody::Script(script, _) => Some(&script.actions),
        _ => None,
    });
    let calls = plan.calls.iter().map(|call| &call.script.actions);
    let splices = plan.tasks.iter().filter_map(|task| match &task.body {
        TaskBody::Woven(leaf) => Some(leaf.splices.iter().map(|splice| &splice.actions)),
        _ => None,
    });
    scripts
        .chain(calls)
        .chain(splices.flatten())
        .any(|actions| {
            let at = actions.iter().position(&first);
            at.is_some_and(|at| actions[at + 1..].iter().any(&second))
        })
}

fn holds_object(types: &[ValueType]) -> bool {
    let object = |ty: &ValueType| matches!(ty, ValueType::AnyRef | ValueType::StructRef);
    types.iter().any(object)
}

/// Whether continuations are kept in any object.
pub(super) fn keeps_any(plan: &Plan) -> bool {
    any_then(plan, |then| matches!(then, Then::ParkObject(_)))
        || any_action(plan, |action| match action {
            Action::Once { source, after, .. } => {
                matches!(source, Source::Object(_)) || matches!(after, After::ParkObject(_))
            }
            Action::Drive { source, .. }
            | Action::Inject { source, .. }
            | Action::Switch(_, source) => matches!(source, Source::Object(_)),
            _ => false,
        })
}

/// Whether continuations are put into such an object, and taken out of one.
fn keeps(plan: &Plan, object: Object) -> bool {
    let put = any_then(plan, |then| then == Then::ParkObject(object))
        || any_action(
            plan,
            |action| matches!(action, Action::Once { after: After::ParkObject(kind), .. } if *kind == object),
        );
    put && any_action(plan, |action| match action {
        Action::Drive { source, .. }
        | Action::Once { source, .. }
        | Action::Inject { source, .. }
        | Action::Switch(_, source) => *source == Source::Object(object),
        _ => false,
    })
}

type Scenario = (&'static str, u32, fn(&Plan) -> bool);

/// Each scenario with the number of 500 plans that hold it at least. In comments: the row of the list of known bug classes.
const SCENARIOS: &[Scenario] = &[
    // 1, 2, 23
    ("a trap on a continuation", 25, |plan| {
        in_task(plan, |action| matches!(action, Action::Trap(_)))
    }),
    ("a trap after a completed resume", 25, |plan| {
        followed_by(
            plan,
            |first| matches!(first, Action::Drive { .. }),
            |then| matches!(then, Action::Trap(_)),
        )
    }),
    // 3
    ("a suspension after a re-entry", 15, |plan| {
        followed_by(
            plan,
            |first| matches!(first, Action::Reenter(_)),
            |then| matches!(then, Action::Suspend(_)),
        )
    }),
    // 4, 19
    ("more arguments than a small stack holds", 2, |plan| {
        plan.tasks.iter().any(|task| task.prefix.len() >= 300)
    }),
    ("about 100 values", 3, |plan| {
        types(plan).any(|types| (80..200).contains(&types.len()))
    }),
    ("10 to 30 values", 15, |plan| {
        types(plan).any(|types| (10..=30).contains(&types.len()))
    }),
    // 5, 7
    ("references bound, returned and carried", 100, |plan| {
        types(plan).flatten().any(|ty| {
            matches!(
                ty,
                ValueType::FuncRef | ValueType::ExternRef | ValueType::ExnRef
            )
        })
    }),
    (
        "continuations carried by exceptions or suspensions",
        30,
        |plan| {
            plan.tags
                .iter()
                .any(|tag| tag.params.iter().any(|ty| ty.is_cont()))
        },
    ),
    ("objects bound", 50, |plan| {
        plan.tasks.iter().any(|task| holds_object(&task.prefix))
    }),
    ("objects in payloads", 80, |plan| {
        plan.tags.iter().any(|tag| holds_object(&tag.params))
    }),
    ("objects handed back to a suspension", 60, |plan| {
        plan.tags.iter().any(|tag| holds_object(&tag.results))
    }),
    ("objects returned", 40, |plan| {
        let mut families = plan.families.iter();
        families.any(|family| holds_object(&family.results))
    }),
    ("objects carried by a switch", 40, |plan| {
        let mut families = plan.families.iter();
        families.any(|family| holds_object(family.values_of_switch()))
    }),
    ("continuations kept in structures", 60, |plan| {
        keeps(plan, Object::Struct)
    }),
    ("continuations kept in arrays", 50, |plan| {
        keeps(plan, Object::Array)
    }),
    ("continuations kept in exceptions", 15, |plan| {
        keeps(plan, Object::Exception)
    }),
    ("continuations returned", 5, |plan| {
        plan.families
            .iter()
            .any(|family| family.results.iter().any(|ty| ty.is_cont()))
    }),
    // 8
    ("types in several layouts", 60, |plan| {
        plan.types.grouped && plan.types.conts_first
    }),
    ("declared subtypes of continuation types", 40, |plan| {
        plan.tasks.iter().any(|task| task.nominal == Nominal::Sub)
    }),
    // 9
    ("the memory grows on another stack", 40, |plan| {
        plan.drivers
            .iter()
            .any(|driver| driver.effect == Effect::Grow)
    }),
    // 12
    ("a suspension after a resume has returned", 100, |plan| {
        followed_by(
            plan,
            |first| matches!(first, Action::Drive { .. } | Action::Once { .. }),
            |then| matches!(then, Action::Suspend(_)),
        )
    }),
    // 13
    ("the target of a switch used again", 2, |plan| {
        in_task(plan, |action| {
            matches!(action, Action::Dead(_, Consumer::Switch))
        })
    }),
    ("a consumed continuation used again", 50, |plan| {
        any_action(plan, |action| matches!(action, Action::Dead(..)))
    }),
    // 14
    ("chains captured, then resumed elsewhere", 250, |plan| {
        plan.drivers.len() > 1
            && in_task(
                plan,
                |action| matches!(action, Action::Drive { driver, .. } if *driver > 0),
            )
    }),
    ("a driver that suspends in turn", 10, |plan| {
        any_then(plan, |then| matches!(then, Then::Relay(_)))
    }),
    // 15
    (
        "a handled tag other than the first, in a clause other than the first",
        400,
        |plan| {
            plan.drivers.iter().any(|driver| {
                let later = driver.clauses.iter().skip(1);
                later
                    .into_iter()
                    .any(|clause| matches!(clause, Clause::On { tag, .. } if *tag > 0))
            })
        },
    ),
    ("the same clause twice", 100, |plan| {
        plan.drivers.iter().any(|driver| {
            let tags = driver.clauses.iter().filter_map(|clause| match clause {
                Clause::On { tag, .. } => Some(tag),
                Clause::Switch => None,
            });
            let mut tags: Vec<_> = tags.collect();
            let count = tags.len();
            tags.sort_unstable();
            tags.dedup();
            tags.len() < count
        })
    }),
    ("one tag for throw, suspend and switch", 20, |plan| {
        plan.families.iter().any(|family| {
            plan.throwable().contains(&family.switch_tag)
                && plan.suspendable().contains(&family.switch_tag)
        })
    }),
    // 16
    ("suspensions between ordinary code", 450, |plan| {
        plan.tasks.iter().any(|task| match &task.body {
            TaskBody::Woven(leaf) => leaf
                .splices
                .iter()
                .flat_map(|splice| &splice.actions)
                .any(|action| matches!(action, Action::Suspend(_))),
            _ => false,
        })
    }),
    ("floats among what is carried", 200, |plan| {
        types(plan)
            .flatten()
            .any(|ty| matches!(ty, ValueType::F32 | ValueType::F64))
    }),
    // 18
    ("a null exception thrown into a continuation", 5, |plan| {
        any_action(plan, |action| {
            matches!(action, Action::Trap(TrapKind::NullException))
        })
    }),
    (
        "exceptions thrown into continuations, by tag and by reference",
        200,
        |plan| {
            let injected = |by_reference: bool| {
                any_action(plan, |action| match action {
                    Action::Inject { exception, .. } => {
                        matches!(exception, Injected::Ref(_)) == by_reference
                    }
                    _ => false,
                })
            };
            injected(false) && injected(true)
        },
    ),
    // 21
    ("a continuation of a host function", 50, |plan| {
        plan.tasks.iter().any(|task| task.body == TaskBody::Host)
    }),
    (
        "a continuation of the host function that re-enters",
        3,
        |plan| plan.tasks.iter().any(|task| task.body == TaskBody::Reentry),
    ),
    ("a re-entry that traps", 3, |plan| {
        let traps = |script: &Script| {
            script
                .actions
                .iter()
                .any(|action| matches!(action, Action::Trap(_)))
        };
        plan.callbacks.iter().any(traps)
    }),
    // Programs that found bugs, as far as they are not above.
    (
        "a tail call as the end of a continuation's function",
        100,
        |plan| {
            plan.tasks
                .iter()
                .any(|task| matches!(task.body, TaskBody::Script(_, End::Tail(..))))
        },
    ),
    ("values bound in two steps", 100, |plan| {
        plan.tasks.iter().any(|task| task.two_binds)
    }),
    ("an imported tag", 200, |plan| {
        plan.tags.iter().any(|tag| tag.imported)
    }),
    ("a switch", 300, |plan| {
        in_task(plan, |action| matches!(action, Action::Switch(..)))
    }),
    ("a switch of a family inside another's", 10, |plan| {
        plan.tasks.iter().any(|task| match &task.body {
            TaskBody::Script(script, _) if task.family > 0 => script
                .actions
                .iter()
                .any(|action| matches!(action, Action::Switch(..))),
            TaskBody::Woven(leaf) if task.family > 0 => leaf
                .splices
                .iter()
                .flat_map(|splice| &splice.actions)
                .any(|action| matches!(action, Action::Switch(..))),
            _ => false,
        })
    }),
    ("an exception kept and thrown again", 50, |plan| {
        any_action(plan, |action| matches!(action, Action::Rethrow))
    }),
    ("a resume in the start function", 25, |plan| {
        plan.start.is_some()
    }),
    ("a resume inside try_table inside a loop", 5, |plan| {
        let scripts = plan.tasks.iter().filter_map(|task| match &task.body {
            TaskBody::Script(script, _) => Some(vec![&script.actions]),
            TaskBody::Woven(leaf) => {
                Some(leaf.splices.iter().map(|splice| &splice.actions).collect())
            }
            TaskBody::Host | TaskBody::Reentry => None,
        });
        scripts.flatten().any(|actions| {
            actions.windows(2).any(|pair| match (&pair[0], &pair[1]) {
                (Action::Repeat(..), Action::Once { catch, .. }) => !catch.is_empty(),
                _ => false,
            })
        })
    }),
    ("continuations kept in tables", 250, |plan| {
        any_then(plan, |then| then == Then::Park)
            || any_action(plan, |action| {
                matches!(
                    action,
                    Action::Once {
                        after: After::Park,
                        ..
                    }
                )
            })
            || plan.families.iter().any(|family| family.symmetric)
    }),
    ("continuations kept in globals", 30, |plan| {
        any_then(plan, |then| then == Then::ParkGlobal)
            || any_action(plan, |action| {
                matches!(
                    action,
                    Action::Once {
                        after: After::ParkGlobal,
                        ..
                    }
                )
            })
    }),
    ("a suspension that nobody handles", 15, |plan| {
        plan.calls.iter().any(|call| {
            call.script
                .actions
                .iter()
                .any(|action| matches!(action, Action::Suspend(_)))
        })
    }),
    ("an instruction of a leaf that may trap", 25, |plan| {
        plan.tasks
            .iter()
            .any(|task| matches!(&task.body, TaskBody::Woven(leaf) if leaf.wild))
    }),
    ("a leaf with control flow", 50, |plan| {
        plan.tasks
            .iter()
            .any(|task| matches!(&task.body, TaskBody::Woven(leaf) if leaf.control))
    }),
];

#[test]
fn plans_hold_every_scenario() {
    let mut found = vec![0; SCENARIOS.len()];
    for (_, module) in modules(500) {
        for ((_, _, holds), found) in SCENARIOS.iter().zip(&mut found) {
            *found += u32::from(holds(&module.plan));
        }
    }
    let rare: Vec<String> = SCENARIOS
        .iter()
        .zip(&found)
        .filter(|((_, least, _), found)| *found < least)
        .map(|((name, least, _), found)| format!("{name}: {found} of 500 plans, {least} wanted"))
        .collect();
    assert!(rare.is_empty(), "{}", rare.join("\n"));
}
