//! Emits drivers: the functions that resume a continuation until it returns.
//!
//! A driver is one loop with one `resume`. Clauses whose tags have the same type and the same fate share a label, and a tag
//! whose continuation already has the loop type branches to the loop's head directly, so a long handler list stays small.
//! The loop needs no fuel of its own: every turn is a step of some task, and tasks are entered with fuel only.

use super::body::Body;
use super::cx::{Cx, EXCEPTION};
use super::helper::Helper;
use super::plan::*;
use super::resume::{Suspended, handed};
use super::types::{Pair, nullable};
use wasm_encoder::{BlockType, Catch as CatchClause, Handle, ValType};

/// Clauses that branch to one label.
struct Group {
    then: Then,
    mask: u8,
    /// A tag of the group; all have its type.
    tag: u8,
    pair: Pair,
}

/// Where a clause branches.
#[derive(Clone, Copy, PartialEq)]
enum Target {
    /// The head of the loop.
    Head,
    /// The n-th group.
    Group(usize),
}

impl Cx<'_> {
    /// Emits a driver. Returns its function type.
    pub(super) fn emit_driver(&mut self, driver: &Driver) -> (u32, Body) {
        let types = self.family(driver.family).clone();
        let own = self
            .types
            .func(&[nullable(types.main.cont)], &types.results);
        let mut body = Body::new(vec![nullable(types.main.cont)], driver.salt);
        body.hide_params();
        let (groups, targets) = self.groups(driver);
        let depth = groups.len() as u32;

        body.emit()
            .local_get(0)
            .loop_(BlockType::FunctionType(own))
            .local_set(0);
        let received: Vec<ValType> = groups
            .iter()
            .map(|group| handed(&mut body, group.pair))
            .collect();
        for (group, &received) in groups.iter().zip(&received).rev() {
            let mut label = self.tags[usize::from(group.tag)].0.clone();
            label.push(received);
            let label = self.block(&[], &label);
            body.emit().block(label);
        }
        let inside = if driver.guard { 2 } else { 0 };
        if driver.guard {
            body.emit().block(BlockType::Result(ValType::EXNREF));
            body.emit()
                .try_table(BlockType::Empty, [CatchClause::AllRef { label: 0 }]);
        }
        self.push(&mut body, &types.params);
        let handlers = self.handlers(driver, &targets, 0, inside, depth);
        body.emit().local_get(0).resume(types.main.cont, handlers);
        self.returned(&mut body, driver, &types.results, depth + inside);
        if driver.guard {
            body.emit().end().unreachable().end().global_set(EXCEPTION);
            self.defaults(&mut body, &types.results);
            body.emit().return_();
        }
        for (index, group) in groups.iter().enumerate() {
            body.emit().end();
            let opened = index + 1;
            let suspended = Suspended {
                local: body.local(received[index]),
                pair: group.pair,
                tag: group.tag,
            };
            body.emit().local_set(suspended.local);
            let payload = self.tags[usize::from(group.tag)].0.clone();
            self.sink(&mut body, &payload);
            self.effect(&mut body, driver.effect);
            let conditional = u32::from(group.mask != 0);
            if conditional == 1 {
                self.condition(&mut body, group.mask);
            }
            let handlers = self.handlers(driver, &targets, opened, conditional, depth);
            let goes_on = self.fate(&mut body, driver, group.then, suspended, handlers);
            if conditional == 1 {
                body.emit().end();
            }
            if conditional == 1 || goes_on {
                self.rebind(&mut body, driver.family, suspended);
                body.emit().br(depth - opened as u32);
            }
        }
        body.emit().end();
        (own, body)
    }

    /// The groups, innermost label first, and where each clause branches.
    fn groups(&mut self, driver: &Driver) -> (Vec<Group>, Vec<Option<Target>>) {
        let params = self.family(driver.family).params.clone();
        let mut keys = Vec::new();
        for clause in &driver.clauses {
            let &Clause::On { tag, then, mask } = clause else {
                continue;
            };
            let (payload, waits_for) = self.tags[usize::from(tag)].clone();
            let at_head = payload.is_empty()
                && waits_for == params
                && then == Then::Continue
                && driver.effect == Effect::None;
            let key = (payload, waits_for, then, mask);
            if !at_head && !keys.iter().any(|(other, _)| *other == key) {
                keys.push((key, tag));
            }
        }
        // Handlers that throw into a continuation reach only the labels around them: they go innermost.
        keys.sort_by_key(|((_, _, then, _), _)| {
            !matches!(then, Then::Throw(_) | Then::ThrowRef(_))
        });
        let targets = driver
            .clauses
            .iter()
            .map(|clause| {
                let &Clause::On { tag, then, mask } = clause else {
                    return None;
                };
                let (payload, waits_for) = self.tags[usize::from(tag)].clone();
                let key = (payload, waits_for, then, mask);
                let group = keys.iter().position(|(other, _)| *other == key);
                Some(group.map_or(Target::Head, Target::Group))
            })
            .collect();
        let groups = keys
            .into_iter()
            .map(|((_, waits_for, then, mask), tag)| {
                let pair = self.types.suspended(driver.family, &waits_for);
                Group {
                    then,
                    mask,
                    tag,
                    pair,
                }
            })
            .collect();
        (groups, targets)
    }

    /// The handler list as seen from inside `extra` more labels, once `closed` of the groups' labels are closed.
    fn handlers(
        &self,
        driver: &Driver,
        targets: &[Option<Target>],
        closed: usize,
        extra: u32,
        depth: u32,
    ) -> Vec<Handle> {
        let switch_tag = self.plan.families[usize::from(driver.family)].switch_tag;
        let handler = |(clause, target): (&Clause, &Option<Target>)| match (clause, target) {
            (Clause::On { tag, .. }, Some(Target::Head)) => Some(Handle::OnLabel {
                tag: self.tag(*tag),
                label: depth - closed as u32 + extra,
            }),
            (Clause::On { tag, .. }, Some(Target::Group(group))) if *group >= closed => {
                Some(Handle::OnLabel {
                    tag: self.tag(*tag),
                    label: (group - closed) as u32 + extra,
                })
            }
            (Clause::On { .. }, _) => None,
            (Clause::Switch, _) => Some(Handle::OnSwitch {
                tag: self.tag(switch_tag),
            }),
        };
        driver
            .clauses
            .iter()
            .zip(targets)
            .filter_map(handler)
            .collect()
    }

    /// What follows the `resume` when the continuation has returned.
    fn returned(&mut self, body: &mut Body, driver: &Driver, results: &[ValType], head: u32) {
        if driver.drain {
            self.sink(body, results);
            let grab = self.helper(Helper::Grab(driver.family));
            body.emit()
                .call(grab)
                .local_tee(0)
                .ref_is_null()
                .if_(BlockType::Empty);
            self.push_last(body, results);
            body.emit().return_().end().local_get(0).br(head);
        } else {
            body.emit().return_();
        }
    }

    /// Pushes what arrived last, by type.
    fn push_last(&mut self, body: &mut Body, types: &[ValType]) {
        for &ty in types {
            let local = body.scratch(ty);
            body.emit().local_get(local);
        }
    }

    fn effect(&mut self, body: &mut Body, effect: Effect) {
        match effect {
            Effect::None => {}
            Effect::Grow => self.grow(body),
            Effect::Write => self.touch(body),
            Effect::Log(log) => self.log(body, log),
        }
    }

    /// Emits what becomes of a suspended continuation. Whether the loop goes on with it.
    fn fate(
        &mut self,
        body: &mut Body,
        driver: &Driver,
        then: Then,
        suspended: Suspended,
        handlers: Vec<Handle>,
    ) -> bool {
        let results = self.family(driver.family).results.clone();
        match then {
            Then::Continue => return true,
            Then::Relay(tag) => {
                self.suspend(body, tag);
                return true;
            }
            Then::Throw(tag) => {
                let params = self.tags[usize::from(tag)].0.clone();
                self.push(body, &params);
                let tag = self.tag(tag);
                body.emit()
                    .local_get(suspended.local)
                    .resume_throw(suspended.pair.cont, tag, handlers)
                    .return_();
            }
            Then::ThrowRef(tag) => {
                let exception = self.helper(Helper::Exception(tag));
                body.emit().call(exception).local_get(suspended.local);
                body.emit()
                    .resume_throw_ref(suspended.pair.cont, handlers)
                    .return_();
            }
            Then::Park => {
                self.rebind(body, driver.family, suspended);
                let put = self.helper(Helper::Put(driver.family));
                body.emit().call(put);
                self.defaults(body, &results);
                body.emit().return_();
            }
            Then::ParkGlobal => {
                self.rebind(body, driver.family, suspended);
                let kept = self.kept(driver.family);
                body.emit().global_set(kept);
                self.defaults(body, &results);
                body.emit().return_();
            }
            Then::ParkObject(object) => {
                self.rebind(body, driver.family, suspended);
                let keep = self.helper(Helper::Keep(driver.family, object));
                body.emit().call(keep);
                self.defaults(body, &results);
                body.emit().return_();
            }
            Then::Leak => {
                self.defaults(body, &results);
                body.emit().return_();
            }
        }
        false
    }
}
