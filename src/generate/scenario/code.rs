//! One function body under construction, with labels that know their own depth.

use wasm_encoder::{BlockType, Catch, Function, InstructionSink, ValType};

/// A block, as the target of branches, clauses and handlers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Label(u32);

/// A function body under construction.
pub(super) struct Code {
    params: u32,
    locals: Vec<ValType>,
    bytes: Vec<u8>,
    depth: u32,
}

impl Code {
    /// An empty body of a function with so many parameters.
    pub(super) fn new(params: usize) -> Code {
        Code {
            params: params as u32,
            locals: Vec::new(),
            bytes: Vec::new(),
            depth: 0,
        }
    }

    /// Appends instructions that neither open nor end a block.
    pub(super) fn i(&mut self) -> InstructionSink<'_> {
        InstructionSink::new(&mut self.bytes)
    }

    /// A new local.
    pub(super) fn local(&mut self, ty: ValType) -> u32 {
        self.locals.push(ty);
        self.params + self.locals.len() as u32 - 1
    }

    fn opened(&mut self) -> Label {
        self.depth += 1;
        Label(self.depth)
    }

    pub(super) fn block(&mut self, ty: BlockType) -> Label {
        self.i().block(ty);
        self.opened()
    }

    /// A loop without parameters and results.
    pub(super) fn repeat(&mut self) -> Label {
        self.i().loop_(BlockType::Empty);
        self.opened()
    }

    /// An `if` without parameters and results.
    pub(super) fn when(&mut self) -> Label {
        self.i().if_(BlockType::Empty);
        self.opened()
    }

    /// A `try_table` without parameters and results.
    pub(super) fn try_table(&mut self, catches: Vec<Catch>) -> Label {
        self.i().try_table(BlockType::Empty, catches);
        self.opened()
    }

    pub(super) fn end(&mut self) {
        self.i().end();
        self.depth -= 1;
    }

    /// The label's relative index here.
    pub(super) fn to(&self, label: Label) -> u32 {
        self.depth - label.0
    }

    pub(super) fn br(&mut self, label: Label) {
        let depth = self.to(label);
        self.i().br(depth);
    }

    pub(super) fn br_if(&mut self, label: Label) {
        let depth = self.to(label);
        self.i().br_if(depth);
    }

    /// Takes values of these types from the stack into new locals, which it returns in the order of the values.
    pub(super) fn hold(&mut self, types: &[ValType]) -> Vec<u32> {
        let locals: Vec<u32> = types.iter().map(|&ty| self.local(ty)).collect();
        for &local in locals.iter().rev() {
            self.i().local_set(local);
        }
        locals
    }

    /// Pushes what locals hold.
    pub(super) fn push(&mut self, locals: &[u32]) {
        for &local in locals {
            self.i().local_get(local);
        }
    }

    pub(super) fn finish(mut self) -> Function {
        self.i().end();
        let mut function = Function::new_with_locals_types(self.locals);
        function.raw(self.bytes);
        function
    }
}
