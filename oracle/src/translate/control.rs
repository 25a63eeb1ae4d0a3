//! Blocks, labels and branches: structured control becomes jumps.
//!
//! A label's values have fixed slots, from the block's base height on. A branch first
//! copies its values there, then jumps; a conditional branch that has to copy jumps around
//! the copies instead. The function's own label is its epilogue, with the results at the
//! frame's base, where the caller wants them.

use std::sync::Arc;

use wasmparser::BlockType;

use super::operands::Place;
use super::{FunctionTranslator, fuse};
use crate::code::{Catch, Instr, Slot, Try};
use crate::exec::ops::Op;
use crate::types::{ValType, slots};

/// What kind of block a label belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Function,
    Block,
    /// Where it begins.
    Loop(u32),
    /// The branch to its `else`, while that is to come.
    If(Option<Fixup>),
    /// Where it begins, and its clauses.
    TryTable(u32, (u32, u32)),
}

/// A jump whose target is not known yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fixup {
    /// Field `b` of an instruction.
    Instr(u32),
    /// Field `c` of an instruction.
    Compare(u32),
    /// An entry of the branch tables.
    Branch(u32),
    /// A catch clause.
    Catch(u32),
    /// A clause of a continuation site.
    Clause(u32, u32),
}

/// What decides a conditional branch.
#[derive(Clone, Copy, Debug)]
pub(super) enum Condition {
    /// A test of slot `a`; `c` is an immediate.
    Test { op: Op, inverse: Op, a: u32, c: u32 },
    /// A comparison of slot `a` with slot or constant `b`.
    Compare { op: Op, inverse: Op, a: u32, b: u32 },
}

/// A block being translated.
#[derive(Debug)]
pub(super) struct Control {
    pub kind: Kind,
    params: Arc<[ValType]>,
    results: Arc<[ValType]>,
    /// Slot of the label's first value.
    base: u32,
    /// Number of operands below the block's parameters.
    operands: usize,
    fixups: Vec<Fixup>,
}

impl Control {
    /// What a branch to the label carries.
    pub fn label_types(&self) -> &Arc<[ValType]> {
        if matches!(self.kind, Kind::Loop(_)) {
            &self.params
        } else {
            &self.results
        }
    }

    /// Slot of the label's first value.
    pub fn label_slot(&self) -> u32 {
        self.base
    }
}

impl FunctionTranslator<'_> {
    /// Opens the function's own block. Its results go to the frame's base.
    pub(super) fn begin_function(&mut self, results: Arc<[ValType]>) {
        self.frame_slots = self.frame_slots.max(slots(&results));
        self.controls.push(Control {
            kind: Kind::Function,
            params: Arc::new([]),
            results,
            base: 0,
            operands: 0,
            fixups: Vec::new(),
        });
    }

    fn block_type(&self, ty: BlockType) -> (Arc<[ValType]>, Arc<[ValType]>) {
        match ty {
            BlockType::Empty => (Arc::new([]), Arc::new([])),
            BlockType::Type(t) => (Arc::new([]), Arc::new([self.info.types.val(t)])),
            BlockType::FuncType(index) => {
                let ty = self.info.func_type(index);
                (ty.params.clone(), ty.results.clone())
            }
        }
    }

    pub(super) fn begin_block(&mut self, ty: BlockType, kind: impl FnOnce(&mut Self) -> Kind) {
        let (params, results) = self.block_type(ty);
        // Code inside, or on a branch to the end, must find every operand at one place.
        self.flush();
        let kind = kind(self);
        let operands = self.operands.len() - params.len();
        let base = self.height() - slots(&params);
        self.frame_slots = self.frame_slots.max(base + slots(&results));
        self.controls.push(Control {
            kind,
            params,
            results,
            base,
            operands,
            fixups: Vec::new(),
        });
    }

    pub(super) fn begin_loop(&mut self, ty: BlockType) {
        self.begin_block(ty, |t| Kind::Loop(t.bind_here()));
    }

    pub(super) fn begin_if(&mut self, ty: BlockType) {
        let condition = self.pop_condition();
        self.begin_block(ty, |t| Kind::If(Some(t.emit_branch(condition, false))));
    }

    pub(super) fn begin_try_table(&mut self, table: &wasmparser::TryTable) {
        let first = self.code.catches.len() as u32;
        for catch in &table.catches {
            let (tag, with_ref, label) = match *catch {
                wasmparser::Catch::One { tag, label } => (Some(tag), false, label),
                wasmparser::Catch::OneRef { tag, label } => (Some(tag), true, label),
                wasmparser::Catch::All { label } => (None, false, label),
                wasmparser::Catch::AllRef { label } => (None, true, label),
            };
            let fixup = Fixup::Catch(self.code.catches.len() as u32);
            self.code.catches.push(Catch {
                tag,
                with_ref,
                target: 0,
                slot: self.control(label).label_slot(),
            });
            self.jump(label, fixup);
        }
        let clauses = (first, self.code.catches.len() as u32);
        self.begin_block(table.ty, |t| Kind::TryTable(t.bind_here(), clauses));
    }

    pub(super) fn control(&self, depth: u32) -> &Control {
        &self.controls[self.controls.len() - 1 - depth as usize]
    }

    /// Lets `fixup` lead to a label.
    pub(super) fn jump(&mut self, depth: u32, fixup: Fixup) {
        let index = self.controls.len() - 1 - depth as usize;
        match self.controls[index].kind {
            Kind::Loop(start) => self.resolve(fixup, start),
            _ => self.controls[index].fixups.push(fixup),
        }
    }

    fn resolve(&mut self, fixup: Fixup, target: u32) {
        match fixup {
            Fixup::Instr(at) => self.code.instrs[at as usize].b = target,
            Fixup::Compare(at) => self.code.instrs[at as usize].c = target,
            Fixup::Branch(at) => self.code.branches[at as usize] = target,
            Fixup::Catch(at) => self.code.catches[at as usize].target = target,
            Fixup::Clause(site, clause) => {
                let clause = &mut self.code.sites[site as usize].clauses[clause as usize];
                if let Some(label) = &mut clause.label {
                    label.target = target;
                }
            }
        }
    }

    /// Whether a branch to a label has to copy its values first.
    fn must_copy(&self, depth: u32) -> bool {
        let control = self.control(depth);
        let mut slot = control.label_slot();
        let values = self.top(control.label_types().len());
        values.iter().any(|o| {
            let here = match o.place {
                Place::Home => o.home == slot,
                Place::Local(from) => from == slot,
                Place::Const(_) => false,
            };
            slot += if o.wide { 2 } else { 1 };
            !here
        })
    }

    /// Copies a branch's values to its label's slots. Several values go home first, for
    /// one's source could be another's destination.
    fn copy_to_label(&mut self, depth: u32) {
        let control = self.control(depth);
        let slot = control.label_slot();
        let span = slots(control.label_types());
        match *self.top(control.label_types().len()) {
            [] => {}
            [value] => self.deliver(value, slot),
            [first, ..] => {
                if first.home != slot {
                    self.emit_abc(Op::CopySpan, first.home, span, slot);
                }
            }
        }
    }

    /// Several values are sent home before a branch, in code that both of its ways share.
    fn prepare_label(&mut self, depth: u32) {
        let count = self.control(depth).label_types().len();
        if count > 1 {
            self.flush_top(count);
        }
    }

    /// `br`
    pub(super) fn br(&mut self, depth: u32) {
        self.prepare_label(depth);
        self.copy_to_label(depth);
        if self.control(depth).kind == Kind::Function {
            self.emit_return();
        } else {
            if let Kind::Loop(start) = self.control(depth).kind {
                self.branch_behind_head(start);
            }
            let at = self.emit_abc(Op::Br, 0, 0, 0);
            self.jump(depth, Fixup::Instr(at));
        }
        self.set_unreachable();
    }

    /// Emits a return of the results, which are in their places.
    fn emit_return(&mut self) {
        let function = self.control(self.controls.len() as u32 - 1);
        let results = function.results.clone();
        self.check_results(&results);
        self.emit_abc(Op::Return, 0, 0, 0);
    }

    fn check_results(&mut self, results: &[ValType]) {
        let mut next = 0;
        let slots = results.iter().map(|&ty| {
            let slot = next;
            next += ty.slots();
            Slot { slot, ty }
        });
        let slots = slots.collect();
        self.emit_check(slots);
    }

    /// Pops the operand of `br_if` or `if`. If the last instruction does nothing but make it
    /// by a comparison, that instruction becomes part of the branch.
    fn pop_condition(&mut self) -> Condition {
        let producer = self.producer;
        let operand = self.pop_operand();
        if let Some(at) = producer
            && operand.place == Place::Home
            && self.code.instrs[at as usize].c == operand.home
        {
            let Instr { op, a, b, .. } = self.code.instrs[at as usize];
            let condition = match (op, fuse::branch_on(op)) {
                (_, Some((op, inverse))) => Some(Condition::Compare { op, inverse, a, b }),
                (Op::I32Eqz, _) => Some(Condition::Test {
                    op: Op::BrUnless,
                    inverse: Op::BrIf,
                    a,
                    c: 0,
                }),
                (Op::RefIsNull, _) => Some(Condition::Test {
                    op: Op::BrOnNull,
                    inverse: Op::BrOnNonNull,
                    a,
                    c: 0,
                }),
                _ => None,
            };
            if let Some(condition) = condition {
                self.unemit(at);
                return condition;
            }
        }
        Condition::Test {
            op: Op::BrIf,
            inverse: Op::BrUnless,
            a: self.slot_of(operand),
            c: 0,
        }
    }

    /// Emits a branch taken if a condition is what `holds` says.
    fn emit_branch(&mut self, condition: Condition, holds: bool) -> Fixup {
        if let Some(at) = self.join_counting(condition, holds) {
            return Fixup::Compare(at);
        }
        match condition {
            Condition::Test { op, inverse, a, c } => {
                let op = if holds { op } else { inverse };
                Fixup::Instr(self.emit_abc(op, a, 0, c))
            }
            Condition::Compare { op, inverse, a, b } => {
                let op = if holds { op } else { inverse };
                Fixup::Compare(self.emit_abc(op, a, b, 0))
            }
        }
    }

    /// A branch taken if a condition holds.
    pub(super) fn br_when(&mut self, depth: u32, condition: Condition) {
        self.prepare_label(depth);
        if self.must_copy(depth) {
            let around = self.emit_branch(condition, false);
            self.copy_to_label(depth);
            let at = self.emit_abc(Op::Br, 0, 0, 0);
            self.jump(depth, Fixup::Instr(at));
            let here = self.bind_here();
            self.resolve(around, here);
        } else {
            let fixup = self.emit_branch(condition, true);
            self.jump(depth, fixup);
        }
    }

    /// `br_if`
    pub(super) fn br_if(&mut self, depth: u32) {
        let condition = self.pop_condition();
        self.br_when(depth, condition);
    }

    /// `br_on_null`
    pub(super) fn br_on_null(&mut self, depth: u32) {
        let operand = self.pop_operand();
        let slot = self.slot_of(operand);
        let condition = Condition::Test {
            op: Op::BrOnNull,
            inverse: Op::BrOnNonNull,
            a: slot,
            c: 0,
        };
        self.br_when(depth, condition);
        self.push_back(operand);
    }

    /// `br_on_non_null`
    pub(super) fn br_on_non_null(&mut self, depth: u32) {
        let operand = self.pop_operand();
        let slot = self.slot_of(operand);
        self.push_back(operand);
        let condition = Condition::Test {
            op: Op::BrOnNonNull,
            inverse: Op::BrOnNull,
            a: slot,
            c: 0,
        };
        self.br_when(depth, condition);
        self.pop_operand();
    }

    /// `br_table`
    pub(super) fn br_table(&mut self, table: &wasmparser::BrTable<'_>) -> Result<(), crate::Error> {
        let index = self.pop();
        let mut labels = table.targets().collect::<Result<Vec<u32>, _>>()?;
        labels.push(table.default());
        self.prepare_label(table.default());
        let first = self.code.branches.len() as u32;
        let count = labels.len() as u32;
        self.code.branches.resize((first + count) as usize, 0);
        self.emit(Instr {
            op: Op::BrTable,
            d: 0,
            a: index,
            b: first,
            c: count,
        });
        // Labels that need copies are reached through a stub; one stub for each label.
        let mut stubs: Vec<Option<u32>> = vec![None; self.controls.len()];
        for (entry, depth) in (first..).zip(labels) {
            if !self.must_copy(depth) {
                self.jump(depth, Fixup::Branch(entry));
                continue;
            }
            let stub = match stubs[depth as usize] {
                Some(stub) => stub,
                None => {
                    let stub = self.bind_here();
                    self.copy_to_label(depth);
                    let at = self.emit_abc(Op::Br, 0, 0, 0);
                    self.jump(depth, Fixup::Instr(at));
                    stubs[depth as usize] = Some(stub);
                    stub
                }
            };
            self.resolve(Fixup::Branch(entry), stub);
        }
        self.set_unreachable();
        Ok(())
    }

    /// Moves what falls through to a block's end to the label's slots.
    fn fall_through(&mut self) {
        if self.reachable() {
            self.prepare_end();
        }
    }

    fn prepare_end(&mut self) {
        let control = self.control(0);
        let results = control.results.clone();
        let base = control.base;
        if results.len() > 1 {
            self.flush_top(results.len());
        }
        match *self.top(results.len()) {
            [] => {}
            [value] => self.deliver(value, base),
            [first, ..] => {
                if first.home != base {
                    self.emit_abc(Op::CopySpan, first.home, slots(&results), base);
                }
            }
        }
    }

    /// `else`
    pub(super) fn else_(&mut self) {
        self.fall_through();
        if self.reachable() {
            let at = self.emit_abc(Op::Br, 0, 0, 0);
            self.jump(0, Fixup::Instr(at));
        }
        let here = self.bind_here();
        let Some(control) = self.controls.last_mut() else {
            unreachable!("validated: `else` belongs to an `if`")
        };
        let (operands, params) = (control.operands, control.params.clone());
        if let Kind::If(other) = &mut control.kind
            && let Some(fixup) = other.take()
        {
            self.resolve(fixup, here);
        }
        self.truncate(operands);
        self.push_types(&params);
        self.set_reachable();
    }

    /// `end`
    pub(super) fn end(&mut self) {
        self.fall_through();
        let Some(control) = self.controls.pop() else {
            unreachable!("validated: `end` belongs to a block")
        };
        // Without `else`, the parameters are the results, and stand where those belong.
        if let Kind::If(Some(fixup)) = control.kind {
            let here = self.bind_here();
            self.resolve(fixup, here);
        }
        if let Kind::TryTable(start, catches) = control.kind {
            let end = self.bind_here();
            self.code.tries.push(Try {
                start,
                end,
                catches,
            });
        }
        let here = self.bind_here();
        for fixup in control.fixups {
            self.resolve(fixup, here);
        }
        self.truncate(control.operands);
        self.set_reachable();
        if control.kind == Kind::Function {
            self.check_results(&control.results);
            self.emit_abc(Op::Return, 0, 0, 0);
        } else {
            self.push_types(&control.results);
        }
    }
}
