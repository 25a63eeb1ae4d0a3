//! One function body under construction: its locals, its bytes, and a small stream of choices.
//!
//! Values that arrive (payloads, results) are kept in one *scratch* local per type and values that are needed are taken
//! from there, so that data flows through every stack switch without the plan having to say how. Knows no indices but locals'.

use wasm_encoder::{Function, InstructionSink, ValType};

/// A function body under construction.
pub(super) struct Body {
    params: Vec<ValType>,
    params_hidden: bool,
    locals: Vec<ValType>,
    scratch: Vec<(ValType, u32)>,
    code: Vec<u8>,
    choices: u32,
}

impl Body {
    /// An empty body of a function with these parameters. `salt` decides every [`Body::pick`].
    pub(super) fn new(params: Vec<ValType>, salt: u8) -> Body {
        Body {
            params,
            params_hidden: false,
            locals: Vec::new(),
            scratch: Vec::new(),
            code: Vec::new(),
            choices: u32::from(salt) + 1,
        }
    }

    /// Keeps the parameters from being taken as operands.
    pub(super) fn hide_params(&mut self) {
        self.params_hidden = true;
    }

    /// Appends instructions.
    pub(super) fn emit(&mut self) -> InstructionSink<'_> {
        InstructionSink::new(&mut self.code)
    }

    /// Appends an encoded instruction.
    pub(super) fn raw(&mut self, instruction: &[u8]) {
        self.code.extend_from_slice(instruction);
    }

    /// A new local.
    pub(super) fn local(&mut self, ty: ValType) -> u32 {
        self.locals.push(ty);
        (self.params.len() + self.locals.len() - 1) as u32
    }

    /// The scratch local of this type.
    pub(super) fn scratch(&mut self, ty: ValType) -> u32 {
        if let Some(&(_, local)) = self.scratch.iter().find(|&&(other, _)| other == ty) {
            return local;
        }
        let local = self.local(ty);
        self.scratch.push((ty, local));
        local
    }

    /// The scratch local of this type, if it has been used.
    pub(super) fn existing_scratch(&self, ty: ValType) -> Option<u32> {
        self.scratch
            .iter()
            .find(|&&(other, _)| other == ty)
            .map(|&(_, local)| local)
    }

    /// A parameter of this type, if there is one.
    pub(super) fn param(&mut self, ty: ValType) -> Option<u32> {
        let fitting = self.params.iter().filter(|&&other| other == ty).count() as u32;
        if fitting == 0 || self.params_hidden {
            return None;
        }
        let wanted = self.pick(fitting) as usize;
        self.params
            .iter()
            .enumerate()
            .filter(|&(_, &other)| other == ty)
            .nth(wanted)
            .map(|(index, _)| index as u32)
    }

    /// A choice among `count`, decided by the salt and the choices before it.
    pub(super) fn pick(&mut self, count: u32) -> u32 {
        // Knuth's multiplicative generator: the salt only has to spread, not to be random.
        self.choices = self
            .choices
            .wrapping_mul(2_654_435_761)
            .wrapping_add(0x9e37);
        (self.choices >> 16) % count
    }

    /// Bytes written so far; the offset of the next instruction.
    pub(super) fn len(&self) -> usize {
        self.code.len()
    }

    /// Ends the body. Returns the function and the length of what stands before the first instruction.
    pub(super) fn finish(mut self) -> (Function, usize) {
        self.emit().end();
        let mut function = Function::new_with_locals_types(self.locals);
        let header = function.byte_len();
        function.raw(self.code);
        (function, header)
    }
}
