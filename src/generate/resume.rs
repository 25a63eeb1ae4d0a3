//! Emits the actions that consume continuations: switches, single resumptions, uses of dead ones.

use super::body::Body;
use super::cx::Cx;
use super::helper::Helper;
use super::plan::*;
use super::types::{Pair, non_null, nullable};
use wasm_encoder::{BlockType, Handle, ValType};

impl Cx<'_> {
    pub(super) fn switch(&mut self, body: &mut Body, family: u8, source: Source) {
        let described = &self.plan.families[usize::from(family)];
        let values = self.types.values(described.values_of_switch());
        let tag = self.tag(described.switch_tag);
        let types = self.family(family).clone();
        self.push(body, &values);
        match source {
            Source::Fresh(task) if !described.symmetric => self.fresh(body, task),
            source => self.source(body, family, source),
        }
        body.emit().switch(types.switch.cont, tag);
        if described.symmetric {
            // The peer that switched back must not be lost: it is the rest of somebody's work.
            let put = self.helper(Helper::Put(family));
            body.emit().call(put);
            self.sink(body, &values);
        } else {
            self.sink(body, &types.params);
        }
    }

    /// Calls a driver with the continuation on the operand stack.
    pub(super) fn drive(&mut self, body: &mut Body, driver: u8) {
        let function = self.indices.drivers[usize::from(driver)];
        body.emit().call(function);
        self.sink_results(body, self.plan.drivers[usize::from(driver)].family);
    }

    pub(super) fn sink_results(&mut self, body: &mut Body, family: u8) {
        let results = self.family(family).results.clone();
        self.sink(body, &results);
    }

    pub(super) fn once(
        &mut self,
        body: &mut Body,
        family: u8,
        source: Source,
        tags: &[u8],
        switch: bool,
        after: After,
    ) {
        let types = self.family(family).clone();
        let on_switch = switch.then(|| Handle::OnSwitch {
            tag: self.tag(self.plan.families[usize::from(family)].switch_tag),
        });
        let Some(&first) = tags.first() else {
            self.push(body, &types.params);
            self.source(body, family, source);
            body.emit().resume(types.main.cont, on_switch);
            self.sink(body, &types.results);
            return;
        };
        let (params, results) = self.tags[usize::from(first)].clone();
        let pair = self.types.suspended(family, &results);
        let received = handed(body, pair);
        let mut label = params.clone();
        label.push(received);
        let label = self.block(&[], &label);
        body.emit().block(BlockType::Empty).block(label);
        self.push(body, &types.params);
        self.source(body, family, source);
        let resumed = (after == After::Twice).then(|| {
            let resumed = body.local(nullable(types.main.cont));
            body.emit().local_tee(resumed);
            resumed
        });
        let clauses = tags.iter().map(|&tag| Handle::OnLabel {
            tag: self.tag(tag),
            label: 0,
        });
        let handlers: Vec<Handle> = on_switch.into_iter().chain(clauses).collect();
        body.emit().resume(types.main.cont, handlers);
        self.sink(body, &types.results);
        body.emit().br(1).end();
        let suspended = body.local(received);
        body.emit().local_set(suspended);
        self.sink(body, &params);
        if let Some(resumed) = resumed.filter(|_| body.pick(2) == 0) {
            // It is suspended again, and has another reference now.
            self.push(body, &types.params);
            body.emit().local_get(resumed).resume(types.main.cont, []);
            self.sink(body, &types.results);
        }
        self.after(
            body,
            family,
            Suspended {
                local: suspended,
                pair,
                tag: first,
            },
            after,
        );
        body.emit().end();
    }

    fn after(&mut self, body: &mut Body, family: u8, suspended: Suspended, after: After) {
        let Suspended { local, pair, tag } = suspended;
        let waits_for = self.tags[usize::from(tag)].1.clone();
        match after {
            After::Park => {
                self.rebind(body, family, suspended);
                let put = self.helper(Helper::Put(family));
                body.emit().call(put);
            }
            After::ParkGlobal => {
                self.rebind(body, family, suspended);
                let kept = self.kept(family);
                body.emit().global_set(kept);
            }
            After::ParkObject(object) => {
                self.rebind(body, family, suspended);
                let keep = self.helper(Helper::Keep(family, object));
                body.emit().call(keep);
            }
            After::Drive(driver) => {
                self.rebind(body, family, suspended);
                self.drive(body, driver);
            }
            After::Resume => {
                self.push(body, &waits_for);
                body.emit().local_get(local).resume(pair.cont, []);
                self.sink_results(body, family);
            }
            After::Throw(tag) => {
                let params = self.tags[usize::from(tag)].0.clone();
                self.push(body, &params);
                let tag = self.tag(tag);
                body.emit()
                    .local_get(local)
                    .resume_throw(pair.cont, tag, []);
                self.sink_results(body, family);
            }
            After::ThrowRef(tag) => {
                let exception = self.helper(Helper::Exception(tag));
                body.emit()
                    .call(exception)
                    .local_get(local)
                    .resume_throw_ref(pair.cont, []);
                self.sink_results(body, family);
            }
            After::Twice => {
                for _ in 0..2 {
                    self.push(body, &waits_for);
                    body.emit().local_get(local).resume(pair.cont, []);
                    self.sink_results(body, family);
                }
            }
            After::BindTwice => {
                self.rebind(body, family, suspended);
                let put = self.helper(Helper::Put(family));
                body.emit().call(put);
                self.push(body, &waits_for);
                body.emit().local_get(local).resume(pair.cont, []);
                self.sink_results(body, family);
            }
            After::Leak => {}
        }
    }

    /// Pushes a suspended continuation, bound to the loop type.
    pub(super) fn rebind(&mut self, body: &mut Body, family: u8, suspended: Suspended) {
        let Suspended { local, pair, tag } = suspended;
        let main = self.family(family).main;
        let waits_for = self.tags[usize::from(tag)].1.clone();
        let surplus = waits_for.len() - self.family(family).params.len();
        self.push(body, &waits_for[..surplus]);
        body.emit().local_get(local);
        if body.pick(8) == 0 {
            body.emit().ref_as_non_null();
        }
        if pair.cont != main.cont {
            body.emit().cont_bind(pair.cont, main.cont);
        }
    }

    pub(super) fn dead(&mut self, body: &mut Body, family: u8, consumer: Consumer) {
        let types = self.family(family).clone();
        let cont = types.main.cont;
        let local = body.local(nullable(cont));
        let tasks = self.plan.tasks_of(family, Entry::Loop);
        let task = tasks[body.pick(tasks.len() as u32) as usize];
        self.source(body, family, Source::Fresh(task));
        body.emit().local_set(local);
        match consumer {
            Consumer::Drive(driver) => {
                body.emit().local_get(local);
                self.drive(body, driver);
            }
            Consumer::Bind => {
                body.emit().local_get(local).cont_bind(cont, cont).drop();
            }
            Consumer::Throw(tag) => {
                let catch = Catch {
                    tags: Vec::new(),
                    all: true,
                    refs: false,
                };
                self.guarded(body, &catch, |cx, body| {
                    let params = cx.tags[usize::from(tag)].0.clone();
                    cx.push(body, &params);
                    let tag = cx.tag(tag);
                    body.emit().local_get(local).resume_throw(cont, tag, []);
                    cx.sink(body, &types.results);
                });
            }
            Consumer::Switch => {
                let described = &self.plan.families[usize::from(family)];
                let values = self.types.values(described.values_of_switch());
                let tag = self.tag(described.switch_tag);
                self.push(body, &values);
                body.emit().local_get(local).switch(cont, tag);
                self.sink(body, &types.params);
            }
        }
        self.push(body, &types.params);
        body.emit().local_get(local).resume(cont, []);
        self.sink(body, &types.results);
    }
}

/// The type at which a handler receives a continuation: handlers may leave open that it is never null.
pub(super) fn handed(body: &mut Body, pair: Pair) -> ValType {
    if body.pick(2) == 0 {
        non_null(pair.cont)
    } else {
        nullable(pair.cont)
    }
}

/// A continuation that a handler has just received.
#[derive(Clone, Copy)]
pub(super) struct Suspended {
    /// The local that holds it.
    pub(super) local: u32,
    /// Its type.
    pub(super) pair: Pair,
    /// The tag it suspended with.
    pub(super) tag: u8,
}
