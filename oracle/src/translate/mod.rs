//! Translation: one pass over a function's operators, which makes its internal
//! instructions (see [`code`](crate::code)).
//!
//! It relies on validation, which has seen each operator before. It keeps the operand
//! stack's shape ([`operands`]), the open blocks ([`control`]), and nothing else. There is no
//! optimisation but two: operands that need not move are not moved, and an instruction may be
//! joined with the one before it ([`join`], by the tables in [`fuse`]). Code that validation finds
//! unreachable is not translated.

mod aggregates;
mod calls;
mod control;
mod fuse;
mod join;
mod operands;
mod operators;
mod plain;
#[cfg(test)]
mod tests;
mod vector;
mod vectors;

use std::sync::Arc;

use wasmparser::{Operator, OperatorsReader};

use crate::checks;
use crate::code::{AggregateSite, Body, Catch, ContSite, IndirectSite, Instr, Slot, Try};
use crate::error::Error;
use crate::exec::ops::Op;
use crate::module::ModuleInfo;
use crate::types::{RefType, ValType};
use control::Control;
use operands::{Operands, Place};

/// The code of a module while it is made: see [`Code`](crate::code::Code).
#[derive(Debug)]
pub(crate) struct CodeBuilder {
    pub instrs: Vec<Instr>,
    pub offsets: Vec<u32>,
    pub bodies: Vec<Body>,
    pub branches: Vec<u32>,
    pub indirect: Vec<IndirectSite>,
    pub tries: Vec<Try>,
    pub catches: Vec<Catch>,
    pub sites: Vec<ContSite>,
    pub aggregates: Vec<AggregateSite>,
    pub ref_types: Vec<RefType>,
    pub checks: Vec<Vec<Slot>>,
    pub shuffles: Vec<[u8; 16]>,
    coverage: bool,
}

impl CodeBuilder {
    pub fn new(coverage: bool) -> Self {
        CodeBuilder {
            // Nothing executes at 0: it stands for "no instruction".
            instrs: vec![Instr {
                op: Op::Unreachable,
                d: 0,
                a: 0,
                b: 0,
                c: 0,
            }],
            offsets: vec![0],
            bodies: Vec::new(),
            branches: Vec::new(),
            indirect: Vec::new(),
            tries: Vec::new(),
            catches: Vec::new(),
            sites: Vec::new(),
            aggregates: Vec::new(),
            ref_types: Vec::new(),
            checks: Vec::new(),
            shuffles: Vec::new(),
            coverage,
        }
    }
}

/// Whether control may arrive behind an operator from elsewhere, or in a loop's case, again.
/// Nothing is joined across such a place.
fn arrives(op: &Operator<'_>) -> bool {
    matches!(
        op,
        Operator::Loop { .. }
            | Operator::Else
            | Operator::End
            | Operator::Call { .. }
            | Operator::CallIndirect { .. }
            | Operator::CallRef { .. }
            | Operator::Suspend { .. }
            | Operator::Resume { .. }
            | Operator::ResumeThrow { .. }
            | Operator::ResumeThrowRef { .. }
            | Operator::Switch { .. }
    )
}

/// Something valid that cannot be executed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unsupported {
    pub feature: &'static str,
    pub offset: u32,
}

/// Constants of one function that get slots of their own, at most.
const KEPT_CONSTANTS: usize = 16;

/// Translates one function or constant expression.
#[derive(Debug)]
pub(crate) struct FunctionTranslator<'a> {
    info: &'a ModuleInfo,
    code: &'a mut CodeBuilder,
    function: Option<u32>,
    /// Slot and type of each local.
    locals: Vec<(u32, ValType)>,
    param_slots: u32,
    local_slots: u32,
    /// Slots of the whole frame, so far.
    frame_slots: u32,
    /// Constants that have a slot, and the slot.
    constants: Vec<(u64, u32)>,
    operands: Operands,
    controls: Vec<Control>,
    /// Blocks opened since the code became unreachable; none while it is reachable.
    unreachable: Option<u32>,
    start: u32,
    first_try: u32,
    /// The executing operator's offset.
    offset: u32,
    /// Where the operator's code begins.
    operator_start: u32,
    /// The last instruction, if it does nothing but write its slot `c`, the topmost
    /// operand's home, and if nothing jumps to the place after it.
    producer: Option<u32>,
    /// The last place that something jumps to.
    bound: u32,
    sources: Vec<(u32, Option<u32>)>,
}

impl<'a> FunctionTranslator<'a> {
    /// Begins a function (or an expression, where there is no index) with these parameters
    /// and results.
    pub fn new(
        info: &'a ModuleInfo,
        code: &'a mut CodeBuilder,
        function: Option<u32>,
        params: &[ValType],
        results: Arc<[ValType]>,
    ) -> Self {
        let start = code.instrs.len() as u32;
        let first_try = code.tries.len() as u32;
        let mut translator = FunctionTranslator {
            info,
            code,
            function,
            locals: Vec::new(),
            param_slots: 0,
            local_slots: 0,
            frame_slots: 0,
            constants: Vec::new(),
            operands: Operands::default(),
            controls: Vec::new(),
            unreachable: None,
            start,
            first_try,
            offset: 0,
            operator_start: start,
            producer: None,
            bound: start,
            sources: Vec::new(),
        };
        for &ty in params {
            translator.local(1, ty);
        }
        translator.param_slots = translator.local_slots;
        translator.begin_function(results);
        translator
    }

    /// Declares locals.
    pub fn local(&mut self, count: u32, ty: ValType) {
        for _ in 0..count {
            self.locals.push((self.local_slots, ty));
            self.local_slots += ty.slots();
        }
        self.frame_slots = self.frame_slots.max(self.local_slots);
    }

    /// Declares that all locals are known; `ops` reads the body.
    ///
    /// Float constants inside of loops get slots of their own, which are written once,
    /// when the function is entered: their instructions have no room for them.
    ///
    /// # Errors
    ///
    /// If an operator cannot be read.
    pub fn begin(&mut self, ops: OperatorsReader<'_>) -> Result<(), Error> {
        self.offset = ops.original_position() as u32;
        let locals = self.local_slots - self.param_slots;
        self.emit_abc(Op::Enter, self.param_slots, locals, 0);
        let mut loops = Vec::new();
        for op in ops {
            match op? {
                Operator::Loop { .. } => loops.push(true),
                Operator::Block { .. } | Operator::If { .. } | Operator::TryTable { .. } => {
                    loops.push(loops.last() == Some(&true));
                }
                Operator::End => {
                    loops.pop();
                }
                Operator::F32Const { value } if loops.last() == Some(&true) => {
                    self.keep_constant(u64::from(value.bits()));
                }
                Operator::F64Const { value } if loops.last() == Some(&true) => {
                    self.keep_constant(value.bits());
                }
                _ => {}
            }
        }
        let params = self
            .locals
            .iter()
            .filter(|(slot, _)| *slot < self.param_slots);
        let params = params.map(|&(slot, ty)| Slot { slot, ty }).collect();
        self.emit_check(params);
        Ok(())
    }

    /// Emits a check of these slots, where checks are made.
    fn emit_check(&mut self, slots: Vec<Slot>) {
        if checks::ON && !slots.is_empty() {
            self.code.checks.push(slots);
            self.emit_abc(Op::Check, 0, self.code.checks.len() as u32 - 1, 0);
        }
    }

    /// After an operator: checks the operands, whose types by the validator these are, deepest
    /// first (none where they are not known), if control may arrive here from elsewhere.
    ///
    /// # Panics
    ///
    /// If there are not as many operands, or one is wider or narrower than its type.
    pub fn check_operands(&mut self, op: &Operator<'_>, types: &[Option<ValType>]) {
        if !self.reachable() || self.controls.is_empty() {
            return;
        }
        let operands = self.top(self.operands.len());
        assert_eq!(
            operands.len(),
            types.len(),
            "operand heights differ after {op:?}"
        );
        let mut slots = Vec::new();
        for (operand, ty) in operands.iter().zip(types) {
            let Some(ty) = *ty else { continue };
            assert_eq!(
                operand.wide,
                ty == ValType::V128,
                "operand types differ after {op:?}"
            );
            match operand.place {
                Place::Home => slots.push(Slot {
                    slot: operand.home,
                    ty,
                }),
                Place::Local(slot) => slots.push(Slot { slot, ty }),
                Place::Const(_) => {}
            }
        }
        if arrives(op) {
            self.emit_check(slots);
        }
    }

    fn keep_constant(&mut self, bits: u64) {
        if self.constants.len() < KEPT_CONSTANTS
            && !self.constants.iter().any(|(known, _)| *known == bits)
        {
            self.constants.push((bits, self.local_slots));
            self.emit_const(bits, self.local_slots);
            self.local_slots += 1;
            self.frame_slots = self.frame_slots.max(self.local_slots);
        }
    }

    /// Pushes a float constant, which may have a slot.
    fn push_float(&mut self, bits: u64) {
        match self.constants.iter().find(|(known, _)| *known == bits) {
            Some(&(_, slot)) => self.push_local(slot, false),
            None => self.push_const(bits),
        }
    }

    /// Ends the function after its last `end`.
    pub fn finish(self) -> u32 {
        self.code.instrs[self.start as usize].c = self.frame_slots;
        self.code.bodies.push(Body {
            function: self.function,
            start: self.start,
            end: self.code.instrs.len() as u32,
            tries: (self.first_try, self.code.tries.len() as u32),
            sources: self.sources,
        });
        self.code.bodies.len() as u32 - 1
    }

    fn reachable(&self) -> bool {
        self.unreachable.is_none()
    }

    fn set_unreachable(&mut self) {
        self.unreachable = Some(0);
        self.producer = None;
    }

    fn set_reachable(&mut self) {
        self.unreachable = None;
    }

    /// The place of the next instruction, which something jumps to.
    fn bind_here(&mut self) -> u32 {
        self.producer = None;
        self.bound = self.code.instrs.len() as u32;
        self.bound
    }

    fn emit(&mut self, instr: Instr) -> u32 {
        self.producer = None;
        self.code.instrs.push(instr);
        self.code.offsets.push(self.offset);
        self.code.instrs.len() as u32 - 1
    }

    fn emit_abc(&mut self, op: Op, a: u32, b: u32, c: u32) -> u32 {
        self.emit(Instr { op, d: 0, a, b, c })
    }

    /// Emits an instruction that does nothing but write the result, which it pushes.
    fn produce(&mut self, op: Op, d: u16, a: u32, b: u32, wide: bool) {
        let c = self.push(wide);
        let at = self.emit(Instr { op, d, a, b, c });
        self.producer = Some(at);
    }

    /// Translates one operator.
    ///
    /// # Errors
    ///
    /// The inner error if the operator is not supported; the outer one never for an
    /// operator that was validated.
    pub fn operator(
        &mut self,
        op: &Operator<'_>,
        offset: u32,
    ) -> Result<Result<(), Unsupported>, Error> {
        let is_instruction = !matches!(op, Operator::Else | Operator::End);
        if let Some(depth) = self.unreachable
            && !self.leaves_unreachable(op, depth)
        {
            if is_instruction {
                self.sources.push((offset, None));
            }
            return Ok(Ok(()));
        }
        self.offset = offset;
        self.operator_start = self.code.instrs.len() as u32;
        let translated = self.reachable_operator(op)?;
        if is_instruction {
            let start = self.operator_start;
            if self.code.coverage && self.code.instrs.len() as u32 == start {
                self.emit_abc(Op::Nop, 0, 0, 0);
            }
            self.sources.push((offset, Some(start)));
        }
        Ok(translated)
    }

    /// In unreachable code: keeps count of the blocks, and says whether this operator makes
    /// the code reachable again.
    fn leaves_unreachable(&mut self, op: &Operator<'_>, depth: u32) -> bool {
        match op {
            Operator::Block { .. }
            | Operator::Loop { .. }
            | Operator::If { .. }
            | Operator::TryTable { .. } => self.unreachable = Some(depth + 1),
            Operator::End if depth > 0 => self.unreachable = Some(depth - 1),
            Operator::End | Operator::Else if depth == 0 => return true,
            _ => {}
        }
        false
    }
}
