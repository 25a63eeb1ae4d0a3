//! Structures, arrays and casts.

use wasmparser::Operator;

use super::FunctionTranslator;
use super::control::Condition;
use crate::code::{AggregateSite, Instr};
use crate::exec::aggregate::Width;
use crate::exec::ops::Op;
use crate::types::RefType;
use crate::types::registry::{Composite, Field, Storage};

impl FunctionTranslator<'_> {
    /// Translates an instruction on aggregates or a cast; false if it is none.
    pub(super) fn aggregate_operator(&mut self, op: &Operator<'_>) -> bool {
        match *op {
            Operator::StructNew { struct_type_index } => {
                let count = self.fields(struct_type_index).len();
                let base = self.pop_consecutive(count);
                let site = self.struct_site(struct_type_index);
                self.produce(Op::StructNew, 0, base, site, false);
            }
            Operator::StructNewDefault { struct_type_index } => {
                let site = self.struct_site(struct_type_index);
                self.produce(Op::StructNewDefault, 0, 0, site, false);
            }
            Operator::StructGet {
                struct_type_index,
                field_index,
            }
            | Operator::StructGetU {
                struct_type_index,
                field_index,
            } => self.struct_get(struct_type_index, field_index, false),
            Operator::StructGetS {
                struct_type_index,
                field_index,
            } => self.struct_get(struct_type_index, field_index, true),
            Operator::StructSet {
                struct_type_index,
                field_index,
            } => {
                let (slot, width) = self.field(struct_type_index, field_index);
                let value = self.pop();
                let object = self.pop();
                self.emit(Instr {
                    op: Op::StructSet,
                    d: width as u16,
                    a: object,
                    b: slot,
                    c: value,
                });
            }
            Operator::ArrayNew { array_type_index } => {
                let base = self.pop_consecutive(2);
                let site = self.array_site(array_type_index, 0);
                self.produce(Op::ArrayNew, 0, base, site, false);
            }
            Operator::ArrayNewDefault { array_type_index } => {
                let len = self.pop();
                let site = self.array_site(array_type_index, 0);
                self.produce(Op::ArrayNewDefault, 0, len, site, false);
            }
            Operator::ArrayNewFixed {
                array_type_index,
                array_size,
            } => {
                let base = self.pop_consecutive(array_size as usize);
                let site = self.array_site(array_type_index, 0);
                self.produce(Op::ArrayNewFixed, array_size as u16, base, site, false);
            }
            Operator::ArrayNewData {
                array_type_index,
                array_data_index,
            } => {
                let base = self.pop_consecutive(2);
                let site = self.array_site(array_type_index, array_data_index);
                self.produce(Op::ArrayNewData, 0, base, site, false);
            }
            Operator::ArrayNewElem {
                array_type_index,
                array_elem_index,
            } => {
                let base = self.pop_consecutive(2);
                let site = self.array_site(array_type_index, array_elem_index);
                self.produce(Op::ArrayNewElem, 0, base, site, false);
            }
            Operator::ArrayGet { array_type_index } | Operator::ArrayGetU { array_type_index } => {
                self.array_get(array_type_index, false);
            }
            Operator::ArrayGetS { array_type_index } => self.array_get(array_type_index, true),
            Operator::ArraySet { array_type_index } => {
                let width = Width::of(self.element(array_type_index));
                let value = self.pop();
                let index = self.pop();
                let object = self.pop();
                self.emit(Instr {
                    op: Op::ArraySet,
                    d: width as u16,
                    a: object,
                    b: index,
                    c: value,
                });
            }
            Operator::ArrayLen => {
                let object = self.pop();
                self.produce(Op::ArrayLen, 0, object, 0, false);
            }
            Operator::ArrayFill { array_type_index } => {
                self.array_bulk(Op::ArrayFill, array_type_index, 4, 0);
            }
            Operator::ArrayCopy {
                array_type_index_dst,
                ..
            } => self.array_bulk(Op::ArrayCopy, array_type_index_dst, 5, 0),
            Operator::ArrayInitData {
                array_type_index,
                array_data_index,
            } => self.array_bulk(Op::ArrayInitData, array_type_index, 4, array_data_index),
            Operator::ArrayInitElem {
                array_type_index,
                array_elem_index,
            } => self.array_bulk(Op::ArrayInitElem, array_type_index, 4, array_elem_index),

            Operator::RefEq => {
                let b = self.pop();
                let a = self.pop();
                self.produce(Op::RefEq, 0, a, b, false);
            }
            Operator::RefTestNonNull { hty } => self.ref_test(hty, false),
            Operator::RefTestNullable { hty } => self.ref_test(hty, true),
            Operator::RefCastNonNull { hty } => self.ref_cast(hty, false),
            Operator::RefCastNullable { hty } => self.ref_cast(hty, true),
            Operator::BrOnCast {
                relative_depth,
                to_ref_type,
                ..
            } => {
                let ty = self.info.types.reference(to_ref_type);
                self.br_on_cast(relative_depth, Op::BrOnCast, Op::BrOnCastFail, ty);
            }
            Operator::BrOnCastFail {
                relative_depth,
                to_ref_type,
                ..
            } => {
                let ty = self.info.types.reference(to_ref_type);
                self.br_on_cast(relative_depth, Op::BrOnCastFail, Op::BrOnCast, ty);
            }
            // The words are the same inside and outside.
            Operator::AnyConvertExtern | Operator::ExternConvertAny => {}
            Operator::RefI31 => {
                let value = self.pop();
                self.produce(Op::RefI31, 0, value, 0, false);
            }
            Operator::I31GetS => {
                let value = self.pop();
                self.produce(Op::I31GetS, 0, value, 0, false);
            }
            Operator::I31GetU => {
                let value = self.pop();
                self.produce(Op::I31GetU, 0, value, 0, false);
            }
            _ => return false,
        }
        true
    }

    fn fields(&self, index: u32) -> std::sync::Arc<[Field]> {
        match &self
            .info
            .known
            .def(self.info.types.get(index))
            .sub
            .composite
        {
            Composite::Struct(fields) => fields.clone(),
            _ => unreachable!("validated as a structure type"),
        }
    }

    fn element(&self, index: u32) -> Storage {
        match &self
            .info
            .known
            .def(self.info.types.get(index))
            .sub
            .composite
        {
            Composite::Array(field) => field.storage,
            _ => unreachable!("validated as an array type"),
        }
    }

    /// Slot and width of a structure's field.
    fn field(&self, index: u32, field: u32) -> (u32, Width) {
        let fields = self.fields(index);
        let before = &fields[..field as usize];
        let slot: usize = before.iter().map(|f| Width::of(f.storage).slots()).sum();
        (slot as u32, Width::of(fields[field as usize].storage))
    }

    fn add_site(&mut self, site: AggregateSite) -> u32 {
        self.code.aggregates.push(site);
        self.code.aggregates.len() as u32 - 1
    }

    fn struct_site(&mut self, index: u32) -> u32 {
        let mut slots = 0;
        let mut packed = Vec::new();
        for field in self.fields(index).iter() {
            let width = Width::of(field.storage);
            if matches!(width, Width::Byte | Width::Half) {
                packed.push((slots, width));
            }
            slots += width.slots() as u32;
        }
        self.add_site(AggregateSite {
            ty: self.info.types.get(index),
            slots,
            packed,
            element: Storage::I8,
            segment: 0,
        })
    }

    fn array_site(&mut self, index: u32, segment: u32) -> u32 {
        self.add_site(AggregateSite {
            ty: self.info.types.get(index),
            slots: 0,
            packed: Vec::new(),
            element: self.element(index),
            segment,
        })
    }

    fn struct_get(&mut self, index: u32, field: u32, signed: bool) {
        let (slot, width) = self.field(index, field);
        let object = self.pop();
        let op = match width {
            Width::Wide => Op::StructGetWide,
            Width::Byte if signed => Op::StructGetS8,
            Width::Half if signed => Op::StructGetS16,
            _ => Op::StructGet,
        };
        self.produce(op, 0, object, slot, width == Width::Wide);
    }

    fn array_get(&mut self, ty: u32, signed: bool) {
        let width = Width::of(self.element(ty));
        let index = self.pop();
        let object = self.pop();
        let op = match width {
            Width::Wide => Op::ArrayGetWide,
            Width::Byte if signed => Op::ArrayGetS8,
            Width::Half if signed => Op::ArrayGetS16,
            _ => Op::ArrayGet,
        };
        self.produce(op, 0, object, index, width == Width::Wide);
    }

    fn array_bulk(&mut self, op: Op, ty: u32, operands: usize, segment: u32) {
        let width = Width::of(self.element(ty));
        let a = self.pop_consecutive(operands);
        let b = self.array_site(ty, segment);
        self.emit(Instr {
            op,
            d: width as u16,
            a,
            b,
            c: 0,
        });
    }

    fn ref_type(&mut self, ty: RefType) -> u32 {
        self.code.ref_types.push(ty);
        self.code.ref_types.len() as u32 - 1
    }

    fn cast_target(&mut self, heap: wasmparser::HeapType, nullable: bool) -> u32 {
        let heap = self.info.types.heap(heap);
        self.ref_type(RefType { nullable, heap })
    }

    fn ref_test(&mut self, heap: wasmparser::HeapType, nullable: bool) {
        let ty = self.cast_target(heap, nullable);
        let value = self.pop();
        self.produce(Op::RefTest, 0, value, ty, false);
    }

    fn ref_cast(&mut self, heap: wasmparser::HeapType, nullable: bool) {
        let ty = self.cast_target(heap, nullable);
        let operand = self.pop_operand();
        let slot = self.slot_of(operand);
        self.emit_abc(Op::RefCast, slot, ty, 0);
        self.push_back(operand);
    }

    fn br_on_cast(&mut self, depth: u32, op: Op, inverse: Op, ty: RefType) {
        let ty = self.ref_type(ty);
        let operand = self.pop_operand();
        let slot = self.slot_of(operand);
        self.push_back(operand);
        let condition = Condition::Test {
            op,
            inverse,
            a: slot,
            c: ty,
        };
        self.br_when(depth, condition);
    }
}
