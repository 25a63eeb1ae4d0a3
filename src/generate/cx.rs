//! What all emitters share: types and index spaces of the plan's items, and continuations from their sources.
//! Values, helper functions, actions and drivers are emitted elsewhere, with what is here.

use super::body::Body;
use super::helper::Helper;
use super::plan::*;
use super::types::{FamilyTypes, Pair, Types, non_null};
use wasm_encoder::{BlockType, HeapType, ValType};

/// Globals that every module has, in this order; the families' follow.
pub(super) const FUEL: u32 = 0;
/// The exception caught last.
pub(super) const EXCEPTION: u32 = 1;
/// Where the families' globals start: two for each.
pub(super) const FAMILY_GLOBALS: u32 = 10;
/// Tables of leaves: function references, external references.
pub(super) const LEAF_TABLES: u32 = 2;
/// Room on a family's stack of kept continuations.
pub(super) const STACK_ROOM: u32 = 4;

/// Function indices of the plan's functions.
pub(super) struct Indices {
    pub(super) tasks: Vec<u32>,
    pub(super) drivers: Vec<u32>,
    pub(super) callbacks: Vec<u32>,
    pub(super) calls: Vec<u32>,
    pub(super) helpers: u32,
    /// The import that calls back.
    pub(super) call: u32,
    /// By tag of the plan: its index in the module.
    pub(super) tags: Vec<u32>,
}

/// Types of a task.
#[derive(Clone)]
pub(super) struct TaskTypes {
    pub(super) params: Vec<ValType>,
    pub(super) pair: Pair,
    /// Between the two binds.
    pub(super) middle: Option<Pair>,
}

/// The context of emission.
pub(super) struct Cx<'p> {
    pub(super) plan: &'p Plan,
    pub(super) types: Types,
    pub(super) indices: Indices,
    pub(super) tasks: Vec<TaskTypes>,
    /// Types of the tags, by tag of the plan.
    pub(super) tags: Vec<(Vec<ValType>, Vec<ValType>)>,
    pub(super) helpers: Vec<Helper>,
    /// Whether a task is called through the table of tasks.
    pub(super) task_table_used: bool,
}

impl<'p> Cx<'p> {
    /// Types and indices of a plan that has been fixed up.
    pub(super) fn new(plan: &'p Plan) -> Cx<'p> {
        let mut types = Types::new(plan);
        let tasks = plan
            .tasks
            .iter()
            .map(|task| task_types(&mut types, plan, task))
            .collect();
        let tags = plan
            .tags
            .iter()
            .map(|tag| (types.values(&tag.params), types.values(&tag.results)))
            .collect();
        let mut next = plan.logs.len() as u32;
        let mut take = |condition: bool| {
            next += u32::from(condition);
            next - u32::from(condition)
        };
        let host = |task: &Task| task.body == TaskBody::Host;
        let hosts: Vec<u32> = plan.tasks.iter().map(|task| take(host(task))).collect();
        let call = take(!plan.callbacks.is_empty());
        let mut tasks_at = Vec::new();
        for (task, at) in plan.tasks.iter().zip(hosts) {
            tasks_at.push(match task.body {
                TaskBody::Host => at,
                TaskBody::Reentry => call,
                TaskBody::Woven(_) | TaskBody::Script(..) => take(true),
            });
        }
        let drivers = plan.drivers.iter().map(|_| take(true)).collect();
        let callbacks = plan.callbacks.iter().map(|_| take(true)).collect();
        let calls = plan.calls.iter().map(|_| take(true)).collect();
        let imported = plan.tags.iter().filter(|tag| tag.imported).count() as u32;
        let (mut at_imported, mut at_defined) = (0, imported);
        let tag_indices = plan.tags.iter().map(|tag| {
            let at = if tag.imported {
                &mut at_imported
            } else {
                &mut at_defined
            };
            *at += 1;
            *at - 1
        });
        let indices = Indices {
            tasks: tasks_at,
            drivers,
            callbacks,
            calls,
            call,
            tags: tag_indices.collect(),
            helpers: take(false),
        };
        Cx {
            plan,
            types,
            indices,
            tasks,
            tags,
            helpers: Vec::new(),
            task_table_used: false,
        }
    }

    /// The function index of a helper.
    pub(super) fn helper(&mut self, helper: Helper) -> u32 {
        let position = self
            .helpers
            .iter()
            .position(|&other| other == helper)
            .unwrap_or_else(|| {
                self.helpers.push(helper);
                self.helpers.len() - 1
            });
        self.indices.helpers + position as u32
    }

    pub(super) fn family(&self, family: u8) -> &FamilyTypes {
        &self.types.families[usize::from(family)]
    }

    pub(super) fn tag(&self, tag: u8) -> u32 {
        self.indices.tags[usize::from(tag)]
    }

    /// The table of a family's kept continuations.
    pub(super) fn stack_table(&self, family: u8) -> u32 {
        LEAF_TABLES + u32::from(family)
    }

    /// The table of all tasks, for indirect calls.
    pub(super) fn task_table(&mut self) -> u32 {
        self.task_table_used = true;
        LEAF_TABLES + self.plan.families.len() as u32
    }

    /// How many continuations stand in [`Cx::stack_table`].
    pub(super) fn stack_count(&self, family: u8) -> u32 {
        FAMILY_GLOBALS + 2 * u32::from(family)
    }

    /// The global that keeps one continuation of the family.
    pub(super) fn kept(&self, family: u8) -> u32 {
        FAMILY_GLOBALS + 2 * u32::from(family) + 1
    }

    /// The global with the object that keeps continuations of the family.
    pub(super) fn keeper(&self, family: u8) -> u32 {
        FAMILY_GLOBALS + 2 * self.plan.families.len() as u32 + u32::from(family)
    }

    /// The block type with these parameters and results.
    pub(super) fn block(&mut self, params: &[ValType], results: &[ValType]) -> BlockType {
        match (params, results) {
            ([], []) => BlockType::Empty,
            ([], [single]) => BlockType::Result(*single),
            _ => BlockType::FunctionType(self.types.func(params, results)),
        }
    }

    /// Pushes a continuation of the family's loop type, never null.
    pub(super) fn source(&mut self, body: &mut Body, family: u8, source: Source) {
        let cont = self.family(family).main.cont;
        let heap = HeapType::Concrete(cont);
        if let Source::Fresh(task) = source {
            let wide = self.tasks[usize::from(task)].params.len() > 6;
            let there = self.helpers.contains(&Helper::Fresh(task));
            if wide || (there && body.pick(3) > 0) {
                let fresh = self.helper(Helper::Fresh(task));
                body.emit().call(fresh);
            } else {
                self.fresh(body, task);
            }
            return;
        }
        body.emit().block(BlockType::Result(non_null(cont)));
        match source {
            Source::Stack => {
                let grab = self.helper(Helper::Grab(family));
                body.emit().call(grab);
            }
            Source::Global => {
                let kept = self.kept(family);
                body.emit().global_get(kept).ref_null(heap).global_set(kept);
            }
            Source::Object(object) => {
                let take = self.helper(Helper::Take(family, object));
                body.emit().call(take);
            }
            Source::Received | Source::Fresh(_) => {
                let ty = super::types::nullable(cont);
                let local = body.scratch(ty);
                self.take_local(body, local, ty);
            }
        }
        // Always the same task, so that it takes one helper for all of these places.
        let tasks = self.plan.tasks_of(family, Entry::Loop);
        let fresh = self.helper(Helper::Fresh(tasks[0]));
        body.emit().br_on_non_null(0).call(fresh).end();
    }

    /// Pushes a fresh continuation of a task, bound to the loop type if it starts in the loop.
    pub(super) fn fresh(&mut self, body: &mut Body, task: u8) {
        let TaskTypes {
            params,
            pair,
            middle,
        } = self.tasks[usize::from(task)].clone();
        let described = &self.plan.tasks[usize::from(task)];
        let function = self.indices.tasks[usize::from(task)];
        if described.body == TaskBody::Reentry {
            // What the host calls must not need a handler: there is none inside its entry.
            let callbacks = &self.indices.callbacks;
            let callback = callbacks[body.pick(callbacks.len() as u32) as usize];
            let main = self.family(described.family).main.cont;
            let mut code = body.emit();
            code.ref_func(callback)
                .ref_func(function)
                .cont_new(pair.cont);
            code.cont_bind(pair.cont, main);
            return;
        }
        let prefix = &params[..described.prefix.len()];
        let first = prefix.len() / 2;
        match middle {
            // The second bind's values lie below the first's.
            Some(_) => {
                self.push(body, &prefix[first..]);
                self.push(body, &prefix[..first]);
            }
            None => self.push(body, prefix),
        }
        body.emit().ref_func(function).cont_new(pair.cont);
        let direct = described.entry == Entry::Switch
            || matches!(described.nominal, Nominal::Loop | Nominal::Sub);
        if !direct {
            let main = self.family(described.family).main.cont;
            match middle {
                Some(middle) => body
                    .emit()
                    .cont_bind(pair.cont, middle.cont)
                    .cont_bind(middle.cont, main),
                None => body.emit().cont_bind(pair.cont, main),
            };
        }
    }

    /// Puts the peer that a task was handed as its last parameter on the family's stack: it is the rest of somebody's work.
    pub(super) fn keep_peer(&mut self, body: &mut Body, index: usize) {
        let task = &self.plan.tasks[index];
        let peer = self.plan.task_params(task).last() == Some(&ValueType::ContRef(task.family));
        let handed =
            task.entry == Entry::Switch || self.plan.families[usize::from(task.family)].symmetric;
        if let (true, Some(&ty)) = (peer && handed, self.tasks[index].params.last()) {
            let local = self.tasks[index].params.len() as u32 - 1;
            self.take_local(body, local, ty);
            let put = self.helper(Helper::Put(task.family));
            body.emit().call(put);
        }
    }
}

fn task_types(types: &mut Types, plan: &Plan, task: &Task) -> TaskTypes {
    let family = types.families[usize::from(task.family)].clone();
    if task.entry == Entry::Switch {
        let mut params = types.values(&plan.families[usize::from(task.family)].switch_values);
        params.push(super::types::nullable(family.main.cont));
        return TaskTypes {
            params,
            pair: family.switch,
            middle: None,
        };
    }
    let mut params = types.values(&task.prefix);
    params.extend(&family.params);
    let pair = match task.nominal {
        Nominal::Loop => family.main,
        Nominal::Sub => family.sub.unwrap_or(family.main),
        Nominal::Own => types.pair(&params, &family.results),
        Nominal::Rec => types.pair_in_group(&params, &family.results),
    };
    let middle = task
        .two_binds
        .then(|| types.pair(&params[task.prefix.len() / 2..], &family.results));
    TaskTypes {
        params,
        pair,
        middle,
    }
}
