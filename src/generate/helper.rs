//! Helper functions: small ones that several bodies call. They exist only where something asks for them.

use super::body::Body;
use super::cx::{Cx, EXCEPTION, STACK_ROOM};
use super::plan::Object;
use super::types::{non_null, nullable};
use wasm_encoder::{BlockType, Catch as CatchClause, HeapType, Ieee32, Ieee64, ValType};

/// A helper function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Helper {
    /// Takes a continuation of the family from its stack; null if there is none.
    Grab(u8),
    /// Puts one there; forgets null, and what finds no room.
    Put(u8),
    /// A fresh continuation of a task, bound to the loop type.
    Fresh(u8),
    /// The exception kept last, or a new one of the tag.
    Exception(u8),
    /// Keeps a continuation of the family in such an object.
    Keep(u8, Object),
    /// Takes it out again; null if there is none.
    Take(u8, Object),
    /// A new structure.
    Structure,
    /// Reads an object, or nothing where it is null.
    Inspect,
    /// The canonical NaN for any NaN of `f32`.
    Canonical32,
    /// The canonical NaN for any NaN of `f64`.
    Canonical64,
    /// The canonical NaN for any NaN among the lanes of `f32x4`.
    Canonical32x4,
    /// The canonical NaN for any NaN among the lanes of `f64x2`.
    Canonical64x2,
}

impl Cx<'_> {
    /// Emits a helper. Returns its function type.
    pub(super) fn emit_helper(&mut self, helper: Helper) -> (u32, Body) {
        match helper {
            Helper::Grab(family) => {
                let cont = self.family(family).main.cont;
                let ty = nullable(cont);
                let (count, table) = (self.stack_count(family), self.stack_table(family));
                let heap = HeapType::Concrete(cont);
                let mut body = Body::new(Vec::new(), 0);
                body.emit()
                    .global_get(count)
                    .i32_eqz()
                    .if_(BlockType::Empty)
                    .ref_null(heap)
                    .return_()
                    .end();
                body.emit()
                    .global_get(count)
                    .i32_const(1)
                    .i32_sub()
                    .global_set(count);
                body.emit()
                    .global_get(count)
                    .table_get(table)
                    .global_get(count)
                    .ref_null(heap)
                    .table_set(table);
                (self.types.func(&[], &[ty]), body)
            }
            Helper::Put(family) => {
                let ty = nullable(self.family(family).main.cont);
                let (count, table) = (self.stack_count(family), self.stack_table(family));
                let mut body = Body::new(vec![ty], 0);
                body.emit().local_get(0).ref_is_null();
                body.emit()
                    .global_get(count)
                    .i32_const(STACK_ROOM as i32)
                    .i32_ge_u()
                    .i32_or();
                body.emit().if_(BlockType::Empty).return_().end();
                body.emit().global_get(count).local_get(0).table_set(table);
                body.emit()
                    .global_get(count)
                    .i32_const(1)
                    .i32_add()
                    .global_set(count);
                (self.types.func(&[ty], &[]), body)
            }
            Helper::Fresh(task) => {
                let cont = self
                    .family(self.plan.tasks[usize::from(task)].family)
                    .main
                    .cont;
                let mut body = Body::new(Vec::new(), task.wrapping_mul(29));
                self.fresh(&mut body, task);
                (self.types.func(&[], &[non_null(cont)]), body)
            }
            Helper::Exception(tag) => {
                let mut body = Body::new(Vec::new(), tag);
                body.emit()
                    .block(BlockType::Result(ValType::EXNREF))
                    .global_get(EXCEPTION)
                    .br_on_non_null(0);
                body.emit()
                    .try_table(BlockType::Empty, [CatchClause::AllRef { label: 0 }]);
                let params = self.tags[usize::from(tag)].0.clone();
                self.push(&mut body, &params);
                let tag = self.tag(tag);
                body.emit().throw(tag).end().unreachable().end();
                (self.types.func(&[], &[ValType::EXNREF]), body)
            }
            Helper::Keep(family, object) => self.emit_keep(family, object),
            Helper::Take(family, object) => self.emit_take(family, object),
            Helper::Structure => self.emit_structure(),
            Helper::Inspect => self.emit_inspect(),
            Helper::Canonical32 => {
                let mut body = Body::new(vec![ValType::F32], 0);
                body.emit().local_get(0).f32_const(Ieee32::new(0x7fc0_0000));
                body.emit().local_get(0).local_get(0).f32_eq().select();
                (self.types.func(&[ValType::F32], &[ValType::F32]), body)
            }
            Helper::Canonical64 => {
                let mut body = Body::new(vec![ValType::F64], 0);
                body.emit()
                    .local_get(0)
                    .f64_const(Ieee64::new(0x7ff8_0000_0000_0000));
                body.emit().local_get(0).local_get(0).f64_eq().select();
                (self.types.func(&[ValType::F64], &[ValType::F64]), body)
            }
            Helper::Canonical32x4 | Helper::Canonical64x2 => {
                let mut body = Body::new(vec![ValType::V128], 0);
                body.emit().local_get(0);
                if helper == Helper::Canonical32x4 {
                    let nan: i128 = 0x7fc00000_7fc00000_7fc00000_7fc00000;
                    body.emit().v128_const(nan);
                    body.emit().local_get(0).local_get(0).f32x4_eq();
                } else {
                    let nan: i128 = 0x7ff80000_00000000_7ff80000_00000000;
                    body.emit().v128_const(nan);
                    body.emit().local_get(0).local_get(0).f64x2_eq();
                }
                body.emit().v128_bitselect();
                (self.types.func(&[ValType::V128], &[ValType::V128]), body)
            }
        }
    }
}
