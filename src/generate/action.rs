//! Emits actions: the steps of scripts and splices. Each leaves the operand stack as it was.

use super::body::Body;
use super::cx::{Cx, EXCEPTION, FUEL};
use super::helper::Helper;
use super::plan::*;
use wasm_encoder::{
    BlockType, Catch as CatchClause, HeapType, MemArg, MemArgTarget, RefType, ValType,
};

/// A page has 2 to this power bytes.
const PAGE_SHIFT: i32 = 16;

impl Cx<'_> {
    /// Emits actions in order.
    pub(super) fn actions(&mut self, body: &mut Body, actions: &[Action]) {
        let mut rest = actions;
        while let Some((first, following)) = rest.split_first() {
            let (inner, outer) = following.split_at(first.counted());
            self.action(body, first, inner);
            rest = outer;
        }
    }

    /// Emits one action; `inner` are those that it counts as its own.
    fn action(&mut self, body: &mut Body, action: &Action, inner: &[Action]) {
        match action {
            Action::Suspend(tag) => self.holding(body, |cx, body| cx.suspend(body, *tag)),
            Action::Switch(family, source) => self.holding(body, |cx, body| {
                cx.switch(body, *family, *source);
            }),
            Action::Drive {
                driver,
                source,
                catch,
            } => {
                let family = self.plan.drivers[usize::from(*driver)].family;
                self.guarded(body, catch, |cx, body| {
                    cx.holding(body, |cx, body| {
                        cx.source(body, family, *source);
                        cx.drive(body, *driver);
                    });
                });
            }
            Action::Once {
                family,
                source,
                tags,
                switch,
                after,
                catch,
            } => self.guarded(body, catch, |cx, body| {
                cx.once(body, *family, *source, tags, *switch, *after);
            }),
            Action::Inject {
                family,
                source,
                exception,
                catch,
            } => self.guarded(body, catch, |cx, body| {
                // The exception lies below the continuation, so the source must not disturb the operand stack.
                let pair = cx.family(*family).main;
                match *exception {
                    Injected::Tag(tag) => {
                        let params = cx.tags[usize::from(tag)].0.clone();
                        cx.push(body, &params);
                        cx.source(body, *family, *source);
                        let tag = cx.tag(tag);
                        body.emit().resume_throw(pair.cont, tag, []);
                    }
                    Injected::Ref(tag) => {
                        let exception = cx.helper(Helper::Exception(tag));
                        body.emit().call(exception);
                        cx.source(body, *family, *source);
                        body.emit().resume_throw_ref(pair.cont, []);
                    }
                }
                cx.sink_results(body, *family);
            }),
            Action::Call(task, linkage) => {
                self.call_task(body, *task, *linkage, false);
                let family = self.plan.tasks[usize::from(*task)].family;
                self.sink_results(body, family);
            }
            Action::Throw(tag) => {
                let params = self.tags[usize::from(*tag)].0.clone();
                self.push(body, &params);
                let tag = self.tag(*tag);
                body.emit().throw(tag);
            }
            Action::Rethrow => {
                let mut code = body.emit();
                code.block(BlockType::Empty).global_get(EXCEPTION);
                code.br_on_null(0).throw_ref().end();
            }
            Action::Log(log) => self.log(body, *log),
            Action::Reenter(callback) => {
                let (callback, call) = (
                    self.indices.callbacks[usize::from(*callback)],
                    self.indices.call,
                );
                body.emit().ref_func(callback).call(call);
            }
            Action::Grow => self.grow(body),
            Action::Touch => self.touch(body),
            Action::Trap(kind) => self.trap(body, *kind),
            Action::Dead(family, consumer) => self.dead(body, *family, *consumer),
            Action::When(mask, _) => {
                self.condition(body, *mask);
                self.actions(body, inner);
                body.emit().end();
            }
            Action::Repeat(times, _) => {
                let counter = body.local(ValType::I32);
                body.emit()
                    .i32_const(i32::from(*times))
                    .local_set(counter)
                    .loop_(BlockType::Empty);
                self.actions(body, inner);
                body.emit()
                    .local_get(counter)
                    .i32_const(1)
                    .i32_sub()
                    .local_tee(counter);
                body.emit().i32_const(0).i32_gt_s().br_if(0).end();
            }
            Action::Try(catch, _) => self.guarded(body, catch, |cx, body| cx.actions(body, inner)),
        }
    }

    /// Calls a log import.
    pub(super) fn log(&mut self, body: &mut Body, log: u8) {
        let described = &self.plan.logs[usize::from(log)];
        let (params, results) = (
            self.types.values(&described.params),
            self.types.values(&described.results),
        );
        self.push(body, &params);
        body.emit().call(u32::from(log));
        self.sink(body, &results);
    }

    /// Opens an `if` for when the mask and the fuel have no bit in common.
    pub(super) fn condition(&mut self, body: &mut Body, mask: u8) {
        body.emit()
            .global_get(FUEL)
            .i32_const(i32::from(mask))
            .i32_and()
            .i32_eqz()
            .if_(BlockType::Empty);
    }

    /// One of the module's memories, and the type of its addresses.
    fn some_memory(&self, body: &mut Body) -> (u32, ValType) {
        let features = self.plan.features;
        let memory = if features.multi_memory {
            body.pick(2)
        } else {
            0
        };
        (memory, super::leaf::address(&features, memory))
    }

    pub(super) fn grow(&mut self, body: &mut Body) {
        let (memory, address) = self.some_memory(body);
        number(body, address, 1);
        body.emit().memory_grow(memory);
        self.sink(body, &[address]);
    }

    pub(super) fn touch(&mut self, body: &mut Body) {
        let (memory, address) = self.some_memory(body);
        // The end of the memory moves when another stack grows it: a stale base or bound shows here.
        let end = |body: &mut Body| {
            body.emit().memory_size(memory);
            number(body, address, PAGE_SHIFT);
            if address == ValType::I64 {
                body.emit().i64_shl().i64_const(8).i64_sub();
            } else {
                body.emit().i32_shl().i32_const(8).i32_sub();
            }
        };
        let memarg = MemArg {
            target: MemArgTarget::Memory(memory),
            ..memarg(0, 3)
        };
        end(body);
        self.push(body, &[ValType::I64]);
        body.emit().i64_store(memarg);
        end(body);
        body.emit().i64_load(memarg);
        self.sink(body, &[ValType::I64]);
    }

    /// Emits a suspension.
    pub(super) fn suspend(&mut self, body: &mut Body, tag: u8) {
        let (params, results) = self.tags[usize::from(tag)].clone();
        self.push(body, &params);
        let tag = self.tag(tag);
        body.emit().suspend(tag);
        self.sink(body, &results);
    }

    /// Calls a task with values; as a tail call if `tail`.
    pub(super) fn call_task(&mut self, body: &mut Body, task: u8, linkage: Linkage, tail: bool) {
        let types = self.tasks[usize::from(task)].clone();
        self.push(body, &types.params);
        let function = self.indices.tasks[usize::from(task)];
        let described = &self.plan.tasks[usize::from(task)];
        // A function of a declared subtype may be called at the supertype as well.
        let ty = match described.nominal {
            Nominal::Sub if body.pick(2) == 0 => self.family(described.family).main.func,
            _ => types.pair.func,
        };
        let table = match linkage {
            Linkage::Indirect => self.task_table(),
            Linkage::Direct | Linkage::Ref => 0,
        };
        let mut code = body.emit();
        match linkage {
            Linkage::Direct => {}
            Linkage::Ref => {
                code.ref_func(function);
            }
            Linkage::Indirect => {
                code.i32_const(i32::from(task));
            }
        }
        match (linkage, tail) {
            (Linkage::Direct, false) => code.call(function),
            (Linkage::Direct, true) => code.return_call(function),
            (Linkage::Ref, false) => code.call_ref(ty),
            (Linkage::Ref, true) => code.return_call_ref(ty),
            (Linkage::Indirect, false) => code.call_indirect(table, ty),
            (Linkage::Indirect, true) => code.return_call_indirect(table, ty),
        };
    }

    fn trap(&mut self, body: &mut Body, kind: TrapKind) {
        let types = self.family(0).clone();
        let cont = types.main.cont;
        let null = HeapType::Concrete(cont);
        match kind {
            TrapKind::Unreachable => {
                body.emit().unreachable();
            }
            TrapKind::DivideByZero => {
                body.emit().i32_const(1).i32_const(0).i32_div_u();
                self.sink(body, &[ValType::I32]);
            }
            TrapKind::OutOfBounds => {
                body.emit().i32_const(-1).i32_load(memarg(4, 2));
                self.sink(body, &[ValType::I32]);
            }
            TrapKind::NullContinuation => {
                self.push(body, &types.params);
                body.emit().ref_null(null).resume(cont, []);
                self.sink(body, &types.results);
            }
            TrapKind::NullFunction => {
                body.emit()
                    .ref_null(HeapType::Concrete(types.main.func))
                    .cont_new(cont)
                    .drop();
            }
            TrapKind::NullException => {
                body.emit().ref_null(RefType::EXNREF.heap_type);
                self.source(body, 0, Source::Stack);
                body.emit().resume_throw_ref(cont, []);
                self.sink(body, &types.results);
            }
            TrapKind::ThrowNull => {
                body.emit().ref_null(RefType::EXNREF.heap_type).throw_ref();
            }
            TrapKind::Uninitialized => {
                // The table of tasks has one element more than there are tasks, and that is null.
                let (table, ty) = (self.task_table(), self.types.func(&[], &[]));
                body.emit()
                    .i32_const(self.plan.tasks.len() as i32)
                    .call_indirect(table, ty);
            }
            TrapKind::BindNull => {
                body.emit().ref_null(null).cont_bind(cont, cont).drop();
            }
        }
    }

    /// Emits something inside a `try_table`.
    pub(super) fn guarded(
        &mut self,
        body: &mut Body,
        catch: &Catch,
        inner: impl FnOnce(&mut Self, &mut Body),
    ) {
        if catch.is_empty() {
            return inner(self, body);
        }
        let Some(&first) = catch.tags.first() else {
            if catch.refs {
                body.emit()
                    .block(BlockType::Empty)
                    .block(BlockType::Result(ValType::EXNREF));
                body.emit()
                    .try_table(BlockType::Empty, [CatchClause::AllRef { label: 0 }]);
                inner(self, body);
                body.emit().end().br(1).end().global_set(EXCEPTION).end();
            } else {
                body.emit().block(BlockType::Empty);
                body.emit()
                    .try_table(BlockType::Empty, [CatchClause::All { label: 0 }]);
                inner(self, body);
                body.emit().end().end();
            }
            return;
        };
        let params = self.tags[usize::from(first)].0.clone();
        let mut caught = params.clone();
        if catch.refs {
            caught.push(ValType::EXNREF);
        }
        let label = self.block(&[], &caught);
        let mut clauses: Vec<CatchClause> = catch
            .tags
            .iter()
            .map(|&tag| {
                let tag = self.tag(tag);
                if catch.refs {
                    CatchClause::OneRef { tag, label: 0 }
                } else {
                    CatchClause::One { tag, label: 0 }
                }
            })
            .collect();
        if catch.all {
            clauses.push(CatchClause::All { label: 1 });
        }
        body.emit()
            .block(BlockType::Empty)
            .block(label)
            .try_table(BlockType::Empty, clauses);
        inner(self, body);
        body.emit().end().br(1).end();
        if catch.refs {
            body.emit().global_set(EXCEPTION);
        }
        self.sink(body, &params);
        body.emit().end();
    }
}

/// Pushes a number as an `i32` or `i64`.
fn number(body: &mut Body, ty: ValType, number: i32) {
    if ty == ValType::I64 {
        body.emit().i64_const(number.into());
    } else {
        body.emit().i32_const(number);
    }
}

fn memarg(offset: u64, align: u32) -> MemArg {
    MemArg {
        offset,
        align,
        target: MemArgTarget::Memory(0),
        ordering: None,
    }
}
