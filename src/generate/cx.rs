//! What all emitters share: index spaces, values, fuel, continuations from their sources, helper functions.
//!
//! Helpers are small functions that several bodies call (a stack of continuations, a new exception, a fresh continuation);
//! they exist only where something asks for them. Actions and drivers are emitted elsewhere, with what is here.

use super::body::Body;
use super::plan::*;
use super::types::{FamilyTypes, Pair, Types, non_null};
use wasm_encoder::{BlockType, Catch as CatchClause, HeapType, Ieee32, Ieee64, ValType};

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

/// A helper function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Helper {
    /// Takes a continuation of the family from its stack; null if there is none.
    Grab(u8),
    /// Puts one there; forgets null, and what finds no room.
    Put(u8),
    /// A fresh continuation of a task, bound to the loop type.
    Fresh(u8),
    /// The exception kept last, or a new one of the tag.
    Exception(u8),
    /// The canonical NaN for any NaN of `f32`.
    Canonical32,
    /// The canonical NaN for any NaN of `f64`.
    Canonical64,
}

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
            tasks_at.push(if host(task) { at } else { take(true) });
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
    fn stack_count(&self, family: u8) -> u32 {
        FAMILY_GLOBALS + 2 * u32::from(family)
    }

    /// The global that keeps one continuation of the family.
    pub(super) fn kept(&self, family: u8) -> u32 {
        FAMILY_GLOBALS + 2 * u32::from(family) + 1
    }

    /// The block type with these parameters and results.
    pub(super) fn block(&mut self, params: &[ValType], results: &[ValType]) -> BlockType {
        match (params, results) {
            ([], []) => BlockType::Empty,
            ([], [single]) => BlockType::Result(*single),
            _ => BlockType::FunctionType(self.types.func(params, results)),
        }
    }

    /// The family whose loop type this reference type refers to.
    fn family_of(&self, ty: ValType) -> Option<u8> {
        let ValType::Ref(reference) = ty else {
            return None;
        };
        let HeapType::Concrete(index) = reference.heap_type else {
            return None;
        };
        self.types
            .families
            .iter()
            .position(|family| family.main.cont == index)
            .map(|family| family as u8)
    }

    /// Returns default values where the fuel is used up, and uses up one of it otherwise.
    pub(super) fn tick(&mut self, body: &mut Body, results: &[ValType]) {
        body.emit().global_get(FUEL).i32_eqz().if_(BlockType::Empty);
        self.defaults(body, results);
        body.emit()
            .return_()
            .end()
            .global_get(FUEL)
            .i32_const(1)
            .i32_sub()
            .global_set(FUEL);
    }

    /// Pushes the default value of each type.
    pub(super) fn defaults(&self, body: &mut Body, types: &[ValType]) {
        for ty in types {
            match ty {
                ValType::I32 => body.emit().i32_const(0),
                ValType::I64 => body.emit().i64_const(0),
                ValType::F32 => body.emit().f32_const(Ieee32::new(0)),
                ValType::F64 => body.emit().f64_const(Ieee64::new(0)),
                ValType::V128 => body.emit().v128_const(0),
                ValType::Ref(reference) => body.emit().ref_null(reference.heap_type),
            };
        }
    }

    /// Pushes a value of each type, from wherever the body's choices say.
    pub(super) fn push(&mut self, body: &mut Body, types: &[ValType]) {
        // Wide lists would be most of the module: they repeat what is at hand.
        let wide = types.len() > 8;
        for &ty in types {
            let choice = if wide { body.pick(2) } else { body.pick(6) };
            let at_hand = match choice {
                0 => body.existing_scratch(ty),
                1 => body.param(ty),
                _ => None,
            };
            match (at_hand, self.family_of(ty)) {
                // A continuation moves: whoever hands it on must not keep it, or it would be used twice.
                (Some(local), Some(_)) => {
                    self.take_local(body, local, ty);
                }
                (Some(local), None) => {
                    body.emit().local_get(local);
                }
                (None, Some(family)) if choice == 2 => {
                    let grab = self.helper(Helper::Grab(family));
                    body.emit().call(grab);
                }
                (None, _) => self.constant(body, ty, wide),
            }
        }
    }

    fn take_local(&mut self, body: &mut Body, local: u32, ty: ValType) {
        let ValType::Ref(reference) = ty else { return };
        body.emit()
            .local_get(local)
            .ref_null(reference.heap_type)
            .local_set(local);
    }

    fn constant(&mut self, body: &mut Body, ty: ValType, wide: bool) {
        const SMALL: [i32; 8] = [0, 1, -1, 7, 63, i32::MIN, i32::MAX, 1 << 16];
        let choice = body.pick(8) as usize;
        match ty {
            ValType::I32 if choice == 0 && !wide => {
                body.emit().global_get(FUEL);
            }
            ValType::I32 => {
                body.emit().i32_const(SMALL[choice]);
            }
            ValType::I64 if choice == 0 && !wide => {
                body.emit().global_get(FUEL).i64_extend_i32_u();
            }
            ValType::I64 => {
                body.emit()
                    .i64_const(i64::from(SMALL[choice]) << (choice * 4));
            }
            ValType::F32 => {
                const BITS: [u32; 8] = [
                    0,
                    0x8000_0000,
                    0x3f80_0000,
                    0x7fc0_0000,
                    0x7f80_0000,
                    0xffc0_0001,
                    1,
                    0xc2f7_3333,
                ];
                body.emit().f32_const(Ieee32::new(BITS[choice]));
            }
            ValType::F64 if choice < 5 || wide => {
                body.emit().i32_const(SMALL[choice]).f64_convert_i32_s();
            }
            ValType::F64 => {
                const BITS: [u64; 3] = [
                    0x7ff8_0000_0000_0000,
                    0x8000_0000_0000_0000,
                    0x3ff3_c0ca_428c_59fb,
                ];
                body.emit().f64_const(Ieee64::new(BITS[choice - 5]));
            }
            ValType::FUNCREF if choice > 1 => {
                let functions = &self.indices.tasks;
                let function = functions[choice % functions.len()];
                body.emit().ref_func(function);
            }
            ValType::EXNREF if choice > 3 => {
                body.emit().global_get(EXCEPTION);
            }
            other => self.defaults(body, &[other]),
        }
    }

    /// Pops values of these types into the scratch locals.
    pub(super) fn sink(&mut self, body: &mut Body, types: &[ValType]) {
        let mixed = types.len() < 5 && body.pick(2) == 0;
        for &ty in types.iter().rev() {
            let local = body.scratch(ty);
            match ty {
                // Mixed instead of replaced, so that the order in which values arrive shows in the results.
                ValType::I32 if mixed => body.emit().local_get(local).i32_sub().local_set(local),
                ValType::I64 if mixed => body.emit().local_get(local).i64_sub().local_set(local),
                _ => body.emit().local_set(local),
            };
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

    /// Emits a helper. Returns its function type.
    pub(super) fn emit_helper(&mut self, helper: Helper) -> (u32, Body) {
        match helper {
            Helper::Grab(family) => {
                let cont = self.family(family).main.cont;
                let ty = super::types::nullable(cont);
                let (count, table) = (self.stack_count(family), self.stack_table(family));
                let heap = HeapType::Concrete(cont);
                let mut body = Body::new(Vec::new(), 0);
                body.emit()
                    .global_get(count)
                    .i32_eqz()
                    .if_(BlockType::Empty)
                    .ref_null(heap)
                    .return_()
                    .end();
                body.emit()
                    .global_get(count)
                    .i32_const(1)
                    .i32_sub()
                    .global_set(count);
                body.emit()
                    .global_get(count)
                    .table_get(table)
                    .global_get(count)
                    .ref_null(heap)
                    .table_set(table);
                (self.types.func(&[], &[ty]), body)
            }
            Helper::Put(family) => {
                let ty = super::types::nullable(self.family(family).main.cont);
                let (count, table) = (self.stack_count(family), self.stack_table(family));
                let mut body = Body::new(vec![ty], 0);
                body.emit().local_get(0).ref_is_null();
                body.emit()
                    .global_get(count)
                    .i32_const(STACK_ROOM as i32)
                    .i32_ge_u()
                    .i32_or();
                body.emit().if_(BlockType::Empty).return_().end();
                body.emit().global_get(count).local_get(0).table_set(table);
                body.emit()
                    .global_get(count)
                    .i32_const(1)
                    .i32_add()
                    .global_set(count);
                (self.types.func(&[ty], &[]), body)
            }
            Helper::Fresh(task) => {
                let cont = self
                    .family(self.plan.tasks[usize::from(task)].family)
                    .main
                    .cont;
                let mut body = Body::new(Vec::new(), task.wrapping_mul(29));
                self.fresh(&mut body, task);
                (self.types.func(&[], &[non_null(cont)]), body)
            }
            Helper::Exception(tag) => {
                let mut body = Body::new(Vec::new(), tag);
                body.emit()
                    .block(BlockType::Result(ValType::EXNREF))
                    .global_get(EXCEPTION)
                    .br_on_non_null(0);
                body.emit()
                    .try_table(BlockType::Empty, [CatchClause::AllRef { label: 0 }]);
                let params = self.tags[usize::from(tag)].0.clone();
                self.push(&mut body, &params);
                let tag = self.tag(tag);
                body.emit().throw(tag).end().unreachable().end();
                (self.types.func(&[], &[ValType::EXNREF]), body)
            }
            Helper::Canonical32 => {
                let mut body = Body::new(vec![ValType::F32], 0);
                body.emit().local_get(0).f32_const(Ieee32::new(0x7fc0_0000));
                body.emit().local_get(0).local_get(0).f32_eq().select();
                (self.types.func(&[ValType::F32], &[ValType::F32]), body)
            }
            Helper::Canonical64 => {
                let mut body = Body::new(vec![ValType::F64], 0);
                body.emit()
                    .local_get(0)
                    .f64_const(Ieee64::new(0x7ff8_0000_0000_0000));
                body.emit().local_get(0).local_get(0).f64_eq().select();
                (self.types.func(&[ValType::F64], &[ValType::F64]), body)
            }
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
