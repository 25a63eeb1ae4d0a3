//! Guards around a leaf's instructions: what could trap is kept from it, and NaNs become canonical where their bits show.
//!
//! Both cost a few bytes at the instructions concerned, instead of wasm-smith's checks around each access and its
//! canonicalisation after each floating-point operation. A NaN may have any payload while it is only computed with;
//! it is made canonical before a reinterpretation, a store, and as the second operand of `copysign`, and nowhere else can
//! one tell. (Values in globals, payloads and results are compared by the toolkit, which knows NaNs.)
//!
//! A vector shows the bits of its lanes wherever it is, because no type says that they are floats. So each instruction whose
//! result has float lanes that may be any NaN is followed by a canonicalisation at once, and a float that becomes a lane is
//! made canonical before.

use super::body::Body;
use super::cx::Cx;
use super::helper::Helper;
use super::weave::Maps;
use wasm_encoder::{BlockType, ValType};
use wasmparser::{MemArg, MemArgTarget, Operator};

/// Addresses and offsets in leaves stay below this: the same bytes are read and written often.
const ADDRESSES: i32 = 0x3ff;
/// Longest range of a bulk instruction on the memory.
const LENGTHS: i32 = 0x3f;
/// Indices into tables stay below the smaller table's size.
const ELEMENTS: i32 = 3;
/// Bytes of the passive data segment that `memory.init` may copy from anywhere in its first four.
const INITIAL: i32 = 3;

impl Cx<'_> {
    /// Emits what keeps `operator` from trapping. Returns the operator to emit; nothing if it has been replaced.
    pub(super) fn guard<'a>(
        &mut self,
        body: &mut Body,
        operator: &Operator<'a>,
        maps: &Maps<'_>,
        results: &[ValType],
    ) -> Option<Operator<'a>> {
        use Operator::*;
        self.canonical(body, operator);
        let mut guarded = operator.clone();
        match &mut guarded {
            I32Load { memarg }
            | I64Load { memarg }
            | F32Load { memarg }
            | F64Load { memarg }
            | I32Load8S { memarg }
            | I32Load8U { memarg }
            | I32Load16S { memarg }
            | I32Load16U { memarg }
            | I64Load8S { memarg }
            | I64Load8U { memarg }
            | I64Load16S { memarg }
            | I64Load16U { memarg }
            | I64Load32S { memarg }
            | I64Load32U { memarg }
            | V128Load { memarg }
            | V128Load8x8S { memarg }
            | V128Load8x8U { memarg }
            | V128Load16x4S { memarg }
            | V128Load16x4U { memarg }
            | V128Load32x2S { memarg }
            | V128Load32x2U { memarg }
            | V128Load8Splat { memarg }
            | V128Load16Splat { memarg }
            | V128Load32Splat { memarg }
            | V128Load64Splat { memarg }
            | V128Load32Zero { memarg }
            | V128Load64Zero { memarg } => {
                let address = self.bound(memarg);
                mask(body, address, ADDRESSES);
            }
            I32Store { memarg } | I32Store8 { memarg } | I32Store16 { memarg } => {
                self.below(body, memarg, ValType::I32);
            }
            I64Store { memarg }
            | I64Store8 { memarg }
            | I64Store16 { memarg }
            | I64Store32 { memarg } => {
                self.below(body, memarg, ValType::I64);
            }
            F32Store { memarg } => self.below(body, memarg, ValType::F32),
            F64Store { memarg } => self.below(body, memarg, ValType::F64),
            V128Store { memarg }
            | V128Load8Lane { memarg, .. }
            | V128Load16Lane { memarg, .. }
            | V128Load32Lane { memarg, .. }
            | V128Load64Lane { memarg, .. }
            | V128Store8Lane { memarg, .. }
            | V128Store16Lane { memarg, .. }
            | V128Store32Lane { memarg, .. }
            | V128Store64Lane { memarg, .. } => {
                self.below(body, memarg, ValType::V128);
            }
            I32DivU | I32RemS | I32RemU => {
                body.emit().i32_const(1).i32_or();
            }
            I64DivU | I64RemS | I64RemU => {
                body.emit().i64_const(1).i64_or();
            }
            // Positive, so that the quotient cannot overflow either.
            I32DivS => {
                body.emit().i32_const(1).i32_or().i32_const(0x3f).i32_and();
            }
            I64DivS => {
                body.emit().i64_const(1).i64_or().i64_const(0x3f).i64_and();
            }
            I32TruncF32S => guarded = I32TruncSatF32S,
            I32TruncF32U => guarded = I32TruncSatF32U,
            I32TruncF64S => guarded = I32TruncSatF64S,
            I32TruncF64U => guarded = I32TruncSatF64U,
            I64TruncF32S => guarded = I64TruncSatF32S,
            I64TruncF32U => guarded = I64TruncSatF32U,
            I64TruncF64S => guarded = I64TruncSatF64S,
            I64TruncF64U => guarded = I64TruncSatF64U,
            MemoryFill { mem } => {
                let address = self.address(*mem);
                let operands = [(address, ADDRESSES), (ValType::I32, -1), (address, LENGTHS)];
                masks(body, operands);
            }
            MemoryCopy { dst_mem, src_mem } => {
                let (to, from) = (self.address(*dst_mem), self.address(*src_mem));
                let length = if to == from { to } else { ValType::I32 };
                masks(
                    body,
                    [(to, ADDRESSES), (from, ADDRESSES), (length, LENGTHS)],
                );
            }
            MemoryInit { mem, .. } => {
                let segment = (ValType::I32, INITIAL);
                masks(body, [(self.address(*mem), ADDRESSES), segment, segment]);
            }
            // A dropped segment would make every later memory.init trap.
            DataDrop { .. } => return None,
            TableGet { .. } => {
                body.emit().i32_const(ELEMENTS).i32_and();
            }
            TableSet { table } => {
                let value = body.local(element(*table));
                body.emit()
                    .local_set(value)
                    .i32_const(ELEMENTS)
                    .i32_and()
                    .local_get(value);
            }
            TableFill { table } => {
                let (length, value) = (body.local(ValType::I32), body.local(element(*table)));
                body.emit()
                    .local_set(length)
                    .local_set(value)
                    .i32_const(ELEMENTS)
                    .i32_and();
                body.emit()
                    .local_get(value)
                    .local_get(length)
                    .i32_const(1)
                    .i32_and();
            }
            TableCopy { .. } => {
                let index = (ValType::I32, ELEMENTS);
                masks(body, [index, index, (ValType::I32, 1)]);
            }
            ThrowRef => {
                let exception = body.scratch(ValType::EXNREF);
                body.emit()
                    .local_tee(exception)
                    .ref_is_null()
                    .if_(BlockType::Empty);
                self.defaults(body, results);
                body.emit().return_().end().local_get(exception);
            }
            Unreachable => {
                self.defaults(body, results);
                body.emit().return_();
                return None;
            }
            CallIndirect { type_index, .. } => {
                let (params, produced) = &maps.signatures[*type_index as usize];
                drop_all(body, params.len() + 1);
                self.defaults(body, produced);
                return None;
            }
            ReturnCallIndirect { type_index, .. } => {
                let (params, produced) = &maps.signatures[*type_index as usize];
                drop_all(body, params.len() + 1);
                self.defaults(body, produced);
                body.emit().return_();
                return None;
            }
            _ => {}
        }
        Some(guarded)
    }

    /// Makes the float on top of the operand stack canonical where `operator` would show its bits.
    pub(super) fn canonical(&mut self, body: &mut Body, operator: &Operator<'_>) {
        use Operator::*;
        let helper = match operator {
            I32ReinterpretF32
            | F32Store { .. }
            | F32Copysign
            | F32x4Splat
            | F32x4ReplaceLane { .. } => Helper::Canonical32,
            I64ReinterpretF64
            | F64Store { .. }
            | F64Copysign
            | F64x2Splat
            | F64x2ReplaceLane { .. } => Helper::Canonical64,
            _ => return,
        };
        let helper = self.helper(helper);
        body.emit().call(helper);
    }

    /// The type of a memory's addresses.
    fn address(&self, memory: u32) -> ValType {
        super::leaf::address(&self.plan.features, memory)
    }

    /// Bounds the offset of an access. Returns the type of its address.
    fn bound(&self, memarg: &mut MemArg) -> ValType {
        memarg.offset &= u64::from(ADDRESSES as u32);
        match memarg.target {
            MemArgTarget::Memory(memory) => self.address(memory),
            MemArgTarget::Array(_) => unreachable!("leaves have no arrays"),
        }
    }

    /// Bounds the address below the value on top.
    fn below(&self, body: &mut Body, memarg: &mut MemArg, value: ValType) {
        let address = self.bound(memarg);
        let local = body.scratch(value);
        // By way of the scratch local, where the next splice finds the value.
        body.emit().local_set(local);
        mask(body, address, ADDRESSES);
        body.emit().local_get(local);
    }
}

/// What makes the result of `operator` canonical, if it is a vector with lanes that may be any NaN.
pub(super) fn float_lanes(operator: &Operator<'_>) -> Option<Helper> {
    use Operator::*;
    match operator {
        F32x4Ceil | F32x4Floor | F32x4Trunc | F32x4Nearest | F32x4Sqrt | F32x4Add | F32x4Sub
        | F32x4Mul | F32x4Div | F32x4Min | F32x4Max | F32x4RelaxedMin | F32x4RelaxedMax
        | F32x4RelaxedMadd | F32x4RelaxedNmadd | F32x4DemoteF64x2Zero => {
            Some(Helper::Canonical32x4)
        }
        F64x2Ceil | F64x2Floor | F64x2Trunc | F64x2Nearest | F64x2Sqrt | F64x2Add | F64x2Sub
        | F64x2Mul | F64x2Div | F64x2Min | F64x2Max | F64x2RelaxedMin | F64x2RelaxedMax
        | F64x2RelaxedMadd | F64x2RelaxedNmadd | F64x2PromoteLowF32x4 => {
            Some(Helper::Canonical64x2)
        }
        // The others make no NaN and hand on the bits of one: `abs`, `neg`, `pmin`, `pmax`, and what knows no floats.
        _ => None,
    }
}

/// Masks the `i32` or `i64` on top.
fn mask(body: &mut Body, ty: ValType, mask: i32) {
    if ty == ValType::I64 {
        body.emit().i64_const(mask.into()).i64_and();
    } else {
        body.emit().i32_const(mask).i32_and();
    }
}

/// Masks the three integers on top, the deepest first.
fn masks(body: &mut Body, masks: [(ValType, i32); 3]) {
    let [
        (first_type, first_mask),
        (second_type, second_mask),
        (third_type, third_mask),
    ] = masks;
    let (second, third) = (body.local(second_type), body.local(third_type));
    mask(body, third_type, third_mask);
    body.emit().local_set(third);
    mask(body, second_type, second_mask);
    body.emit().local_set(second);
    mask(body, first_type, first_mask);
    body.emit().local_get(second).local_get(third);
}

fn drop_all(body: &mut Body, count: usize) {
    for _ in 0..count {
        body.emit().drop();
    }
}

/// The element type of a table that leaves use.
fn element(table: u32) -> ValType {
    if table == 0 {
        ValType::FUNCREF
    } else {
        ValType::EXTERNREF
    }
}
