//! Translation: one pass over a function's operators, which makes its internal
//! instructions (see [`code`](crate::code)).
//!
//! It relies on validation, which has seen each operator before. It keeps the operand
//! stack's shape ([`operands`]), the open blocks ([`control`]), and nothing else: there is no
//! optimisation beyond not moving operands that need not move. Code that validation finds
//! unreachable is not translated.

mod aggregates;
mod calls;
mod control;
mod fuse;
mod operands;
mod plain;
mod vector;
mod vectors;

use std::sync::Arc;

use wasmparser::{MemArg, MemArgTarget, Operator, OperatorsReader};

use crate::code::{AggregateSite, Body, Catch, ContSite, IndirectSite, Instr, Try};
use crate::error::Error;
use crate::exec::ops::Op;
use crate::module::ModuleInfo;
use crate::types::{RefType, ValType};
use control::{Control, Kind};
use operands::{Operand, Operands, Place};
use plain::Plain;

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
            shuffles: Vec::new(),
            coverage,
        }
    }
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
        Ok(())
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

    /// Height of the operand stack, where code is reachable and the function goes on: for
    /// comparison with the validator's.
    pub fn operand_count(&self) -> Option<usize> {
        (self.reachable() && !self.controls.is_empty()).then_some(self.operands.len())
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
        self.code.instrs.len() as u32
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

    fn reachable_operator(&mut self, op: &Operator<'_>) -> Result<Result<(), Unsupported>, Error> {
        if let Some(plain) = plain::plain(op) {
            self.plain(plain);
            return Ok(Ok(()));
        }
        match op {
            Operator::Unreachable => {
                self.emit_abc(Op::Unreachable, 0, 0, 0);
                self.set_unreachable();
            }
            Operator::Nop => {}
            Operator::Block { blockty } => self.begin_block(*blockty, |_| Kind::Block),
            Operator::Loop { blockty } => self.begin_loop(*blockty),
            Operator::If { blockty } => self.begin_if(*blockty),
            Operator::Else => self.else_(),
            Operator::End => self.end(),
            Operator::TryTable { try_table } => self.begin_try_table(try_table),
            Operator::Br { relative_depth } => self.br(*relative_depth),
            Operator::BrIf { relative_depth } => self.br_if(*relative_depth),
            Operator::BrOnNull { relative_depth } => self.br_on_null(*relative_depth),
            Operator::BrOnNonNull { relative_depth } => self.br_on_non_null(*relative_depth),
            Operator::BrTable { targets } => self.br_table(targets)?,
            Operator::Return => self.br(self.controls.len() as u32 - 1),

            Operator::Drop => {
                self.pop_operand();
            }
            Operator::Select | Operator::TypedSelect { .. } => self.select(),
            Operator::LocalGet { local_index } => {
                let (slot, ty) = self.locals[*local_index as usize];
                self.push_local(slot, ty == ValType::V128);
            }
            Operator::LocalSet { local_index } => {
                self.local_set(*local_index);
            }
            Operator::LocalTee { local_index } => {
                let (slot, wide) = self.local_set(*local_index);
                self.push_local(slot, wide);
            }
            Operator::GlobalGet { global_index } => {
                let wide = self.info.globals[*global_index as usize].content == ValType::V128;
                let op = if wide {
                    Op::GlobalGetWide
                } else {
                    Op::GlobalGet
                };
                self.produce(op, 0, *global_index, 0, wide);
            }
            Operator::GlobalSet { global_index } => {
                let wide = self.info.globals[*global_index as usize].content == ValType::V128;
                let op = if wide {
                    Op::GlobalSetWide
                } else {
                    Op::GlobalSet
                };
                let value = self.pop();
                self.emit_abc(op, value, *global_index, 0);
            }

            Operator::I32Const { value } => self.push_const(u64::from(*value as u32)),
            Operator::I64Const { value } => self.push_const(*value as u64),
            Operator::F32Const { value } => self.push_float(u64::from(value.bits())),
            Operator::F64Const { value } => self.push_float(value.bits()),
            // The slots hold the same bits before and after.
            Operator::I32ReinterpretF32
            | Operator::I64ReinterpretF64
            | Operator::F32ReinterpretI32
            | Operator::F64ReinterpretI64 => {}

            Operator::I64Add128 => self.wide_arithmetic(Op::I64Add128, 4),
            Operator::I64Sub128 => self.wide_arithmetic(Op::I64Sub128, 4),
            Operator::I64MulWideS => self.wide_arithmetic(Op::I64MulWideS, 2),
            Operator::I64MulWideU => self.wide_arithmetic(Op::I64MulWideU, 2),

            Operator::RefNull { .. } => self.push_const(crate::value::NULL),
            Operator::RefFunc { function_index } => {
                self.produce(Op::RefFunc, 0, *function_index, 0, false);
            }
            Operator::RefIsNull => self.plain(Plain::Unary(Op::RefIsNull)),
            Operator::RefAsNonNull => {
                let operand = self.pop_operand();
                let slot = self.slot_of(operand);
                self.emit_abc(Op::RefAsNonNull, slot, 0, 0);
                self.push_back(operand);
            }

            Operator::TableGet { table } => {
                let index = self.pop();
                self.produce(Op::TableGet, 0, index, *table, false);
            }
            Operator::TableSet { table } => {
                let value = self.pop();
                let index = self.pop();
                self.emit_abc(Op::TableSet, index, *table, value);
            }
            Operator::TableSize { table } => self.produce(Op::TableSize, 0, 0, *table, false),
            Operator::TableGrow { table } => {
                let base = self.pop_consecutive(2);
                self.produce(Op::TableGrow, 0, base, *table, false);
            }
            Operator::TableFill { table } => {
                let base = self.pop_consecutive(3);
                self.emit_abc(Op::TableFill, base, *table, 0);
            }
            Operator::TableCopy {
                dst_table,
                src_table,
            } => {
                let base = self.pop_consecutive(3);
                self.emit_abc(Op::TableCopy, base, *dst_table, *src_table);
            }
            Operator::TableInit { elem_index, table } => {
                let base = self.pop_consecutive(3);
                self.emit_abc(Op::TableInit, base, *table, *elem_index);
            }
            Operator::ElemDrop { elem_index } => {
                self.emit_abc(Op::ElemDrop, 0, *elem_index, 0);
            }

            Operator::MemorySize { mem } => {
                self.produce(Op::MemorySize, *mem as u16, 0, 0, false);
            }
            Operator::MemoryGrow { mem } => {
                let by = self.pop();
                self.produce(Op::MemoryGrow, *mem as u16, by, 0, false);
            }
            Operator::MemoryFill { mem } => self.bulk(Op::MemoryFill, *mem, 0),
            Operator::MemoryCopy { dst_mem, src_mem } => {
                self.bulk(Op::MemoryCopy, *dst_mem, *src_mem);
            }
            Operator::MemoryInit { data_index, mem } => {
                self.bulk(Op::MemoryInit, *mem, *data_index);
            }
            Operator::DataDrop { data_index } => {
                self.emit_abc(Op::DataDrop, 0, *data_index, 0);
            }

            Operator::Throw { tag_index } => {
                let params = self.info.tags[*tag_index as usize].params.len();
                let base = self.pop_consecutive(params);
                self.emit_abc(Op::Throw, base, *tag_index, 0);
                self.set_unreachable();
            }
            Operator::ThrowRef => {
                let exception = self.pop();
                self.emit_abc(Op::ThrowRef, exception, 0, 0);
                self.set_unreachable();
            }
            op => {
                if !self.call_operator(op)
                    && !self.continuation_operator(op)
                    && !self.aggregate_operator(op)
                    && !self.vector_operator(op)
                {
                    return Ok(Err(Unsupported {
                        feature: crate::features::feature_of(op),
                        offset: self.offset,
                    }));
                }
            }
        }
        Ok(Ok(()))
    }

    fn plain(&mut self, plain: Plain<'_>) {
        match plain {
            Plain::Unary(op) => {
                let a = self.pop();
                self.produce(op, 0, a, 0, false);
            }
            Plain::Binary(op) => {
                let (op, b) = self.pop_constant(op);
                let a = self.pop();
                self.produce(op, 0, a, b, false);
            }
            Plain::Load(op, memarg) => {
                let address = self.pop();
                let (memory, address, offset) = self.address(memarg, address);
                self.produce(op, memory, address, offset, false);
            }
            Plain::Store(op, memarg) => {
                let (op, b) = self.pop_constant(op);
                let address = self.pop();
                let (d, a, c) = self.address(memarg, address);
                self.emit(Instr { op, d, a, b, c });
            }
        }
    }

    /// Pops the second operand of an operation: the operation with a constant and that, if
    /// the operand is one, or the operation as it is and the operand's slot.
    fn pop_constant(&mut self, op: Op) -> (Op, u32) {
        let operand = self.pop_operand();
        match (fuse::with_constant(op), operand.place) {
            (Some(op), Place::Const(bits)) if fits(op, bits) => (op, bits as u32),
            _ => (op, self.slot_of(operand)),
        }
    }

    /// The first of the slots that an instruction made of several may use in between: above
    /// the operands, the popped ones (an address and at most a vector) included.
    fn scratch(&mut self) -> u32 {
        let first = self.height() + 3;
        self.frame_slots = self.frame_slots.max(first + 3);
        first
    }

    /// Memory index, address slot and offset of an access. A large offset is added by code.
    fn address(&mut self, memarg: &MemArg, address: u32) -> (u16, u32, u32) {
        let memory = match memarg.target {
            MemArgTarget::Memory(index) => index as u16,
            MemArgTarget::Array(_) => unreachable!("validated without multibyte array access"),
        };
        match u32::try_from(memarg.offset) {
            Ok(offset) => (memory, address, offset),
            Err(_) => {
                let sum = self.scratch();
                self.emit_const(memarg.offset, sum + 1);
                self.emit_abc(Op::EffectiveAddress, address, sum + 1, sum);
                (memory, sum, 0)
            }
        }
    }

    /// Pops operands, sends them home and returns the first one's home.
    fn pop_consecutive(&mut self, count: usize) -> u32 {
        self.flush_top(count);
        let base = self.top(count).first().map_or(self.height(), |o| o.home);
        self.truncate(self.operands.len() - count);
        base
    }

    fn wide_arithmetic(&mut self, op: Op, operands: usize) {
        let base = self.pop_consecutive(operands);
        self.emit_abc(op, base, 0, 0);
        self.push(false);
        self.push(false);
    }

    fn bulk(&mut self, op: Op, memory: u32, b: u32) {
        let a = self.pop_consecutive(3);
        self.emit(Instr {
            op,
            d: memory as u16,
            a,
            b,
            c: 0,
        });
    }

    /// Writes the topmost operand to a local; returns the local's slot and whether it is a
    /// vector. If the last instruction made the operand, it writes to the local instead.
    fn local_set(&mut self, index: u32) -> (u32, bool) {
        let (slot, ty) = self.locals[index as usize];
        let producer = self.producer;
        let operand = self.pop_operand();
        if let Some(at) = producer
            && operand.place == Place::Home
            && self.code.instrs[at as usize].c == operand.home
            && !self.mentions_local(slot)
        {
            self.code.instrs[at as usize].c = slot;
            self.producer = None;
        } else {
            self.flush_local(slot);
            self.move_to(operand, slot);
        }
        (slot, ty == ValType::V128)
    }

    fn select(&mut self) {
        let condition = self.pop();
        let second = self.pop();
        let first: Operand = self.pop_operand();
        // The condition may stand at its home above; the first operand's home is below.
        self.move_to(first, first.home);
        let op = if first.wide {
            Op::SelectWide
        } else {
            Op::Select
        };
        let c = self.push(first.wide);
        self.emit_abc(op, condition, second, c);
    }
}

/// Whether a constant is its lower 32 bits, sign-extended; a narrow one is always what the
/// lower 32 bits say.
fn fits(op: Op, bits: u64) -> bool {
    let narrow = bits <= u64::from(u32::MAX) && !fuse::is_i64(op);
    narrow || i64::from(bits as i32) as u64 == bits
}
