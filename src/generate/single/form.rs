//! What an instruction is executed with: its operands, its immediates, what comes around it, and what is made of its results.

use super::super::body::Body;
use super::cx::{Cx, MEMORY};
use super::number::{Number, scattered};
use super::opcode::{Opcode, Shape};
use super::operand::Value;
use super::{Call, Operand};
use wasm_encoder::{Encode, Instruction, MemArg, MemArgTarget, ValType};

/// Emits an instruction whose operands have been pushed.
type Emit = Box<dyn FnOnce(&mut Cx<'_>, &mut Body)>;

/// An instruction with all that belongs to it.
pub(super) struct Form {
    /// What is pushed before it.
    pub(super) operands: Vec<Value>,
    /// What it leaves.
    pub(super) results: Vec<ValType>,
    /// The instruction.
    pub(super) emit: Emit,
}

impl Form {
    pub(super) fn new(
        operands: impl Into<Vec<Value>>,
        results: &[ValType],
        emit: impl FnOnce(&mut Cx<'_>, &mut Body) + 'static,
    ) -> Form {
        Form {
            operands: operands.into(),
            results: results.to_vec(),
            emit: Box::new(emit),
        }
    }
}

/// The choices of a call.
pub(super) struct Choices<'c>(pub(super) &'c Call);

impl Choices<'_> {
    pub(super) fn operand(&self, index: usize) -> Operand {
        self.0.operands.get(index).copied().unwrap_or_default()
    }

    /// A choice among `count` by the variant, the same for the same `what`.
    pub(super) fn pick(&self, what: u8, count: usize) -> usize {
        let Call { variant, salt, .. } = self.0;
        // The first choice is the variant itself, so that it can be made on purpose.
        let number = match what {
            0 => u64::from(*variant),
            _ => scattered(u64::from_le_bytes([what, *variant, *salt, 0, 0, 0, 0, 0])),
        };
        (number % count as u64) as usize
    }

    /// One of these, by the value of an operand.
    pub(super) fn value_of<T: Copy>(&self, index: usize, values: &[T]) -> T {
        values[usize::from(self.operand(index).value) % values.len()]
    }

    /// The numbers of operands of these types.
    pub(super) fn numbers(&self, types: &[ValType]) -> Vec<Value> {
        let mut before = None;
        let number = |(index, ty): (usize, &ValType)| {
            let Operand { value, noise, .. } = self.operand(index);
            let number = Number::of(*ty, value, noise, before);
            before = Some(number);
            Value::Number(number)
        };
        types.iter().enumerate().map(number).collect()
    }
}

/// Whether the second operand counts bits.
fn shifts(opcode: Opcode) -> bool {
    use Opcode::*;
    matches!(
        opcode,
        I32Shl
            | I32ShrS
            | I32ShrU
            | I32Rotl
            | I32Rotr
            | I64Shl
            | I64ShrS
            | I64ShrU
            | I64Rotl
            | I64Rotr
            | I8x16Shl
            | I8x16ShrS
            | I8x16ShrU
            | I16x8Shl
            | I16x8ShrS
            | I16x8ShrU
            | I32x4Shl
            | I32x4ShrS
            | I32x4ShrU
            | I64x2Shl
            | I64x2ShrS
            | I64x2ShrU
    )
}

pub(super) fn emit(body: &mut Body, instruction: &Instruction<'_>) {
    let mut bytes = Vec::new();
    instruction.encode(&mut bytes);
    body.raw(&bytes);
}

pub(super) fn memarg(offset: u64, align: u32, memory: u32) -> MemArg {
    MemArg {
        offset,
        align,
        target: MemArgTarget::Memory(memory),
        ordering: None,
    }
}

/// What an access of a memory of one page is tried with: where it ends up, and the part of that which is the offset.
pub(super) fn access(choices: &Choices<'_>, wide: bool, width: u64) -> (u64, u64) {
    let Operand { value, noise, .. } = choices.operand(0);
    let noise = u64::from(noise);
    let size = MEMORY;
    let ends = [
        0,
        1,
        noise,
        noise,
        noise,
        noise * 4,
        size - width,
        size - width,
        size - width - 1,
        size - width + 1,
        size - 1,
        size,
        size + noise,
        0x7fff_ffff,
        0x8000_0000,
        0xffff_ffff,
    ];
    let end = ends[usize::from(value) % ends.len()];
    let offsets = [
        0,
        0,
        0,
        1,
        width,
        8,
        0xff,
        size - width,
        size - 1,
        size,
        0xffff_ffff,
    ];
    let far = [0, 0x1_0000_0000, u64::MAX, u64::MAX - width];
    let offset = match choices.pick(1, 8) {
        0 if wide => far[choices.pick(2, far.len())],
        _ => offsets[choices.pick(2, offsets.len())],
    };
    // Where the offset alone is past the end, the sum is too.
    (end.checked_sub(offset).unwrap_or(end), offset)
}

impl Cx<'_> {
    /// The form of a call's instruction.
    pub(super) fn form(&mut self, call: &Call) -> Form {
        let choices = Choices(call);
        let opcode = call.opcode;
        let plain = memarg(0, 0, 0);
        match opcode.shape() {
            Shape::Plain(params, results) => {
                let mut operands = choices.numbers(params);
                if let ([_, ty], true) = (params, shifts(opcode)) {
                    let count = Number::count(*ty, choices.operand(1).value);
                    operands[1] = Value::Number(count);
                }
                if results.len() == 2 {
                    // The wide ones; some of their operands stay what any `i64` is.
                    for (index, operand) in operands.iter_mut().enumerate() {
                        let Operand { value, noise, .. } = choices.operand(index);
                        if noise % 4 > 0 {
                            *operand = Value::Number(Number::half(value));
                        }
                    }
                }
                Form::new(operands, results, move |_, body| {
                    if let Some(instruction) = opcode.instruction(plain, 0) {
                        emit(body, &instruction);
                    }
                    canonical_lanes(body, opcode);
                })
            }
            Shape::Lane(lanes, params, results) => {
                let lane = choices.pick(0, lanes.into()) as u8;
                Form::new(choices.numbers(params), results, move |_, body| {
                    if let Some(instruction) = opcode.instruction(plain, lane) {
                        emit(body, &instruction);
                    }
                })
            }
            Shape::Load(ty, width) => self.access(&choices, width, &[], &[ty], 0),
            Shape::Store(ty, width) => self.access(&choices, width, &[ty], &[], 0),
            Shape::LaneLoad(width) => {
                let lane = choices.pick(4, 16 / width as usize) as u8;
                self.access(&choices, width, &[ValType::V128], &[ValType::V128], lane)
            }
            Shape::LaneStore(width) => {
                let lane = choices.pick(4, 16 / width as usize) as u8;
                self.access(&choices, width, &[ValType::V128], &[], lane)
            }
            Shape::Special => self.special(call),
        }
    }

    fn access(
        &mut self,
        choices: &Choices<'_>,
        width: u64,
        values: &[ValType],
        results: &[ValType],
        lane: u8,
    ) -> Form {
        let memory = choices.pick(5, self.memories()) as u32;
        let ty = self.address_type(memory);
        let (address, offset) = access(choices, ty == ValType::I64, width);
        let align = choices.pick(3, width.trailing_zeros() as usize + 1) as u32;
        let memarg = memarg(offset, align, memory);
        let mut types = vec![ty];
        types.extend(values);
        let mut operands = choices.numbers(&types);
        operands[0] = Value::Number(Number::address(ty, address));
        let opcode = choices.0.opcode;
        Form::new(operands, results, move |_, body| {
            if let Some(instruction) = opcode.instruction(memarg, lane) {
                emit(body, &instruction);
            }
        })
    }
}

/// Makes NaNs among the lanes on top canonical, if an instruction may have put any NaN there.
fn canonical_lanes(body: &mut Body, opcode: Opcode) {
    let Some(wide) = float_lanes(opcode) else {
        return;
    };
    let vector = body.scratch(ValType::V128);
    let (canonical, lanes) = match wide {
        false => (0x7fc0_0000u128, 0x1_0000_0001_0000_0001_0000_0001u128),
        true => (0x7ff8_0000_0000_0000, 0x1_0000_0000_0000_0001),
    };
    let canonical = (canonical * lanes).cast_signed();
    body.emit()
        .local_tee(vector)
        .v128_const(canonical)
        .local_get(vector)
        .local_get(vector);
    match wide {
        false => body.emit().f32x4_eq(),
        true => body.emit().f64x2_eq(),
    };
    body.emit().v128_bitselect();
}

/// Whether an instruction may make any NaN in a lane, and whether its lanes are `f64`.
fn float_lanes(opcode: Opcode) -> Option<bool> {
    use Opcode::*;
    match opcode {
        F32x4Ceil | F32x4Floor | F32x4Trunc | F32x4Nearest | F32x4Sqrt | F32x4Add | F32x4Sub
        | F32x4Mul | F32x4Div | F32x4Min | F32x4Max | F32x4RelaxedMin | F32x4RelaxedMax
        | F32x4RelaxedMadd | F32x4RelaxedNmadd | F32x4DemoteF64x2Zero => Some(false),
        F64x2Ceil | F64x2Floor | F64x2Trunc | F64x2Nearest | F64x2Sqrt | F64x2Add | F64x2Sub
        | F64x2Mul | F64x2Div | F64x2Min | F64x2Max | F64x2RelaxedMin | F64x2RelaxedMax
        | F64x2RelaxedMadd | F64x2RelaxedNmadd | F64x2PromoteLowF32x4 => Some(true),
        // The others hand on the bits of a NaN, or know no floats.
        _ => None,
    }
}
