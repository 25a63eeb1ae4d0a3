//! Guards around a leaf's instructions: what could trap is kept from it, and NaNs become canonical where their bits show.
//!
//! Both cost a few bytes at the instructions concerned, instead of wasm-smith's checks around each access and its
//! canonicalisation after each floating-point operation. A NaN may have any payload while it is only computed with;
//! it is made canonical before a reinterpretation, a store, and as the second operand of `copysign`, and nowhere else can
//! one tell. (Values in globals, payloads and results are compared by the toolkit, which knows NaNs.)

use super::body::Body;
use super::cx::Cx;
use super::helper::Helper;
use super::weave::Maps;
use wasm_encoder::{BlockType, ValType};
use wasmparser::{MemArg, Operator};

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
            | I64Load32U { memarg } => {
                bound(memarg);
                body.emit().i32_const(ADDRESSES).i32_and();
            }
            I32Store { memarg } | I32Store8 { memarg } | I32Store16 { memarg } => {
                below(body, memarg, ValType::I32);
            }
            I64Store { memarg }
            | I64Store8 { memarg }
            | I64Store16 { memarg }
            | I64Store32 { memarg } => {
                below(body, memarg, ValType::I64);
            }
            F32Store { memarg } => below(body, memarg, ValType::F32),
            F64Store { memarg } => below(body, memarg, ValType::F64),
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
            MemoryFill { .. } => masks(body, &[ADDRESSES, -1, LENGTHS]),
            MemoryCopy { .. } => masks(body, &[ADDRESSES, ADDRESSES, LENGTHS]),
            MemoryInit { .. } => masks(body, &[ADDRESSES, INITIAL, INITIAL]),
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
            TableCopy { .. } => masks(body, &[ELEMENTS, ELEMENTS, 1]),
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
            I32ReinterpretF32 | F32Store { .. } | F32Copysign => Helper::Canonical32,
            I64ReinterpretF64 | F64Store { .. } | F64Copysign => Helper::Canonical64,
            _ => return,
        };
        let helper = self.helper(helper);
        body.emit().call(helper);
    }
}

fn bound(memarg: &mut MemArg) {
    memarg.offset &= u64::from(ADDRESSES as u32);
}

/// Bounds the address below the value on top.
fn below(body: &mut Body, memarg: &mut MemArg, value: ValType) {
    bound(memarg);
    let local = body.scratch(value);
    // By way of the scratch local, where the next splice finds the value.
    body.emit()
        .local_set(local)
        .i32_const(ADDRESSES)
        .i32_and()
        .local_get(local);
}

/// Masks the three `i32` operands on top, the deepest first.
fn masks(body: &mut Body, masks: &[i32; 3]) {
    let (first, second) = (body.local(ValType::I32), body.local(ValType::I32));
    body.emit().i32_const(masks[2]).i32_and().local_set(second);
    body.emit().i32_const(masks[1]).i32_and().local_set(first);
    body.emit()
        .i32_const(masks[0])
        .i32_and()
        .local_get(first)
        .local_get(second);
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
