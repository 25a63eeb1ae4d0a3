//! Control frames: blocks, loops, conditionals, `try_table`, and branches to them.

use super::{FuncTranslator, block_args};
use crate::error::TrapKind;
use crate::planted::planted;
use cranelift_codegen::ir::{Block, BlockCall, InstBuilder, JumpTableData, Type, Value};
use wasmparser::{BlockType, BrTable, Catch, TryTable};

/// A structured instruction that is open at the current position.
pub(super) struct Frame {
    pub kind: FrameKind,
    /// Where the frame's end is, once something branches there. Most ends are only fallen through to, and need no block: blocks
    /// are what compilation spends its time on.
    exit: Option<Block>,
    results: Vec<Type>,
    /// Number of values that a branch to this frame's label takes.
    pub label_arity: usize,
    /// Height of the operand stack below the frame's parameters.
    height: usize,
}

/// What opened a frame.
pub(super) enum FrameKind {
    Block,
    Loop {
        header: Block,
    },
    /// `alternative` is where the condition is false, until `else` has been translated.
    If {
        alternative: Option<Block>,
    },
    Try {
        pad: Block,
        catches: Vec<Catch>,
        used: bool,
    },
    /// Opened out of reach; nothing of it is translated.
    Dead,
}

impl FuncTranslator<'_, '_> {
    /// Parameter and result types of a block.
    fn block_types(&self, ty: BlockType) -> (Vec<Type>, Vec<Type>) {
        match ty {
            BlockType::Empty => (Vec::new(), Vec::new()),
            BlockType::Type(result) => (Vec::new(), vec![self.clif_type(result)]),
            BlockType::FuncType(index) => {
                let ty = self.env.info.types.func(index);
                (self.clif_types(ty.params()), self.clif_types(ty.results()))
            }
        }
    }

    /// A new block with parameters.
    pub(super) fn block_with(&mut self, params: &[Type]) -> Block {
        let block = self.b.create_block();
        for &ty in params {
            self.b.append_block_param(block, ty);
        }
        block
    }

    /// Opens a frame whose `params` topmost operands belong to it.
    pub(super) fn push_frame(&mut self, kind: FrameKind, params: usize, results: Vec<Type>) {
        let label_arity = if matches!(kind, FrameKind::Loop { .. }) {
            params
        } else {
            results.len()
        };
        let height = self.stack.len() - params;
        self.frames.push(Frame {
            kind,
            exit: None,
            results,
            label_arity,
            height,
        });
    }

    pub(super) fn push_dead_frame(&mut self) {
        self.push_frame(FrameKind::Dead, 0, Vec::new());
    }

    pub(super) fn translate_block(&mut self, ty: BlockType) {
        let (params, results) = self.block_types(ty);
        self.push_frame(FrameKind::Block, params.len(), results);
    }

    pub(super) fn translate_loop(&mut self, ty: BlockType) {
        let (params, results) = self.block_types(ty);
        let header = self.block_with(&params);
        let args = self.pop_n(params.len());
        self.b.ins().jump(header, &block_args(&args));
        self.b.switch_to_block(header);
        self.stack.extend_from_slice(self.b.block_params(header));
        self.push_frame(FrameKind::Loop { header }, params.len(), results);
    }

    pub(super) fn translate_if(&mut self, ty: BlockType) {
        let condition = self.pop1();
        let (params, results) = self.block_types(ty);
        let consequent = self.b.create_block();
        // The operands of the alternative travel as block parameters, because the consequent will have consumed them.
        let alternative = self.block_with(&params);
        let args = self.stack[self.stack.len() - params.len()..].to_vec();
        self.b
            .ins()
            .brif(condition, consequent, &[], alternative, &block_args(&args));
        self.b.switch_to_block(consequent);
        self.b.seal_block(consequent);
        self.b.seal_block(alternative);
        self.push_frame(
            FrameKind::If {
                alternative: Some(alternative),
            },
            params.len(),
            results,
        );
    }

    pub(super) fn translate_else(&mut self) {
        if self.reachable {
            self.jump_to_exit();
        }
        let frame = self
            .frames
            .last_mut()
            .expect("validation matches else with if");
        let height = frame.height;
        match &mut frame.kind {
            FrameKind::Dead => {}
            FrameKind::If { alternative } => {
                let alternative = alternative.take().expect("validation allows one else");
                self.stack.truncate(height);
                self.b.switch_to_block(alternative);
                self.stack
                    .extend_from_slice(self.b.block_params(alternative));
                self.reachable = true;
            }
            _ => unreachable!("validation matches else with if"),
        }
    }

    pub(super) fn translate_try_table(&mut self, try_table: &TryTable) {
        let (params, results) = self.block_types(try_table.ty);
        let pad = self.block_with(&[cranelift_codegen::ir::types::I64]);
        self.push_frame(
            FrameKind::Try {
                pad,
                catches: try_table.catches.clone(),
                used: false,
            },
            params.len(),
            results,
        );
        self.pads.push(pad);
    }

    /// The landing pad for calls at the current position.
    pub(super) fn landing_pad(&mut self) -> Option<Block> {
        let pad = *self.pads.last()?;
        for frame in self.frames.iter_mut().rev() {
            if let FrameKind::Try {
                pad: of_frame,
                used,
                ..
            } = &mut frame.kind
                && *of_frame == pad
            {
                *used = true;
            }
        }
        Some(pad)
    }

    pub(super) fn translate_end(&mut self) {
        let frame = self
            .frames
            .last()
            .expect("validation matches end with a frame");
        let falls_through = match &frame.kind {
            FrameKind::Dead => {
                self.frames.pop();
                return;
            }
            FrameKind::Block | FrameKind::Loop { .. } => true,
            FrameKind::Try { used, .. } => !used,
            FrameKind::If { .. } => false,
        };
        if falls_through && frame.exit.is_none() {
            self.end_without_branches();
        } else {
            self.end_with_branches();
        }
    }

    /// Ends a frame whose end nothing branches to: what follows is what follows.
    fn end_without_branches(&mut self) {
        let frame = self.frames.pop().expect("there is a frame");
        match frame.kind {
            FrameKind::Loop { header } => self.b.seal_block(header),
            FrameKind::Try { .. } => {
                self.pads.pop();
            }
            _ => {}
        }
        if !self.reachable {
            self.stack.truncate(frame.height);
        } else if self.frames.is_empty() {
            self.b.ins().return_(&self.stack);
            self.reachable = false;
        }
    }

    fn end_with_branches(&mut self) {
        if self.reachable {
            self.jump_to_exit();
        }
        let mut frame = self.frames.pop().expect("there is a frame");
        match std::mem::replace(&mut frame.kind, FrameKind::Dead) {
            FrameKind::Dead | FrameKind::Block | FrameKind::If { alternative: None } => {}
            FrameKind::Loop { header } => self.b.seal_block(header),
            FrameKind::If {
                alternative: Some(alternative),
            } => {
                // Without `else`, parameters and results are the same.
                let exit = match frame.exit {
                    Some(exit) => exit,
                    None => self.block_with(&frame.results),
                };
                frame.exit = Some(exit);
                self.b.switch_to_block(alternative);
                let params = self.b.block_params(alternative).to_vec();
                self.b.ins().jump(exit, &block_args(&params));
            }
            FrameKind::Try { pad, catches, used } => {
                self.pads.pop();
                if used {
                    self.stack.truncate(frame.height);
                    self.translate_landing_pad(pad, &catches);
                }
            }
        }
        self.stack.truncate(frame.height);
        self.reachable = false;
        if let Some(exit) = frame.exit {
            self.b.seal_block(exit);
            self.b.switch_to_block(exit);
            let results = self.b.block_params(exit);
            if self.frames.is_empty() {
                let results = results.to_vec();
                self.b.ins().return_(&results);
            } else {
                self.stack.extend_from_slice(results);
                self.reachable = true;
            }
        }
    }

    fn jump_to_exit(&mut self) {
        let (exit, _) = self.label_of_end(self.frames.len() - 1);
        let height = self.frames.last().expect("there is a frame").height;
        let results = block_args(&self.stack[height..]);
        self.b.ins().jump(exit, &results);
    }

    /// The block at the end of frame `index`, made when something branches there for the first time, and what it takes.
    fn label_of_end(&mut self, index: usize) -> (Block, usize) {
        let exit = match self.frames[index].exit {
            Some(exit) => exit,
            None => {
                let results = self.frames[index].results.clone();
                let exit = self.block_with(&results);
                self.frames[index].exit = Some(exit);
                exit
            }
        };
        (exit, self.frames[index].results.len())
    }

    /// The block that a branch to label `depth` goes to, and the number of values that it takes. The branch is counted as made.
    pub(super) fn label(&mut self, depth: u32) -> (Block, usize) {
        let index = self.frames.len() - 1 - depth as usize;
        match self.frames[index].kind {
            FrameKind::Loop { header } => (header, self.frames[index].label_arity),
            _ => self.label_of_end(index),
        }
    }

    /// The topmost `n` operands, which stay on the stack.
    fn top(&self, n: usize) -> &[Value] {
        &self.stack[self.stack.len() - n..]
    }

    pub(super) fn translate_br(&mut self, depth: u32) {
        if depth as usize == self.frames.len() - 1 {
            return self.translate_return();
        }
        let (block, arity) = self.label(depth);
        let args = block_args(self.top(arity));
        self.b.ins().jump(block, &args);
        self.reachable = false;
    }

    /// Branches to label `depth` with the topmost operands if `condition` is not 0, or, when `negated`, if it is.
    pub(super) fn branch_if(&mut self, condition: Value, depth: u32, negated: bool) {
        let (block, arity) = self.label(depth);
        let args = block_args(self.top(arity));
        let next = self.b.create_block();
        if negated {
            self.b.ins().brif(condition, next, &[], block, &args);
        } else {
            self.b.ins().brif(condition, block, &args, next, &[]);
        }
        self.b.switch_to_block(next);
        self.b.seal_block(next);
    }

    pub(super) fn translate_br_if(&mut self, depth: u32) {
        let condition = self.pop1();
        self.branch_if(condition, depth, false);
    }

    pub(super) fn translate_br_on_null(&mut self, depth: u32) {
        let reference = self.pop1();
        self.branch_if(reference, depth, true);
        self.push1(reference);
    }

    pub(super) fn translate_br_on_non_null(&mut self, depth: u32) {
        let reference = *self.stack.last().expect("validated");
        self.branch_if(reference, depth, false);
        self.pop1();
    }

    pub(super) fn translate_br_table(&mut self, targets: &BrTable<'_>) {
        let index = self.pop1();
        let call = |this: &mut Self, depth: u32| -> BlockCall {
            let (block, arity) = this.label(depth);
            let args = block_args(this.top(arity));
            this.b.func.dfg.block_call(block, &args)
        };
        let depths: Vec<u32> = targets
            .targets()
            .collect::<Result<_, _>>()
            .expect("the validator has read the table");
        let default = call(self, targets.default());
        let mut calls: Vec<BlockCall> = depths.iter().map(|&depth| call(self, depth)).collect();
        if planted!(in self.env.engine.config, TableBranchTooLong) {
            calls.extend(depths.last().map(|&depth| call(self, depth)));
        }
        let table = self
            .b
            .create_jump_table(JumpTableData::new(default, &calls));
        self.b.ins().br_table(index, table);
        self.reachable = false;
    }

    pub(super) fn translate_return(&mut self) {
        let results = self.frames[0].results.len();
        let results = self.top(results).to_vec();
        self.b.ins().return_(&results);
        self.reachable = false;
    }

    pub(super) fn translate_unreachable(&mut self) {
        self.trap(TrapKind::Unreachable);
        self.reachable = false;
    }

    pub(super) fn translate_select(&mut self) {
        let (first, second, condition) = self.pop3();
        let selected = self.b.ins().select(condition, first, second);
        self.push1(selected);
    }
}
