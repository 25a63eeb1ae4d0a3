//! Structures, arrays and `i31`.
//!
//! Fields are read and written in place, at the offsets of [`shape`](crate::types::shape); what works on many elements, and
//! allocation, is the runtime's. A check for null and one of the bounds come first, so that nothing of it can fail but
//! allocation.

use super::FuncTranslator;
use crate::compile::signature::{store_slot, trusted};
use crate::error::TrapKind;
use crate::runtime::aggregate;
use crate::runtime::heap::object::{Header, I31_TAG, STRUCT};
use crate::types::shape::{ArrayShape, StructShape};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Value, types};
use std::mem::offset_of;
use wasmparser::{FieldType, Operator, StorageType};

/// How a read extends a packed field.
#[derive(Clone, Copy)]
enum Extension {
    Signed,
    /// Also for what is not packed.
    Unsigned,
}

impl FuncTranslator<'_, '_> {
    /// Translates the instructions of structures, arrays and `i31`; `false` for others.
    pub(super) fn translate_aggregate(&mut self, operator: &Operator<'_>) -> bool {
        use Extension::{Signed, Unsigned};
        use Operator as O;
        match *operator {
            O::StructNew { struct_type_index } => self.translate_struct_new(struct_type_index),
            O::StructNewDefault { struct_type_index } => {
                let object = self.new_struct(struct_type_index);
                self.push1(object);
            }
            O::StructGet {
                struct_type_index,
                field_index,
            }
            | O::StructGetU {
                struct_type_index,
                field_index,
            } => self.translate_struct_get(struct_type_index, field_index, Unsigned),
            O::StructGetS {
                struct_type_index,
                field_index,
            } => self.translate_struct_get(struct_type_index, field_index, Signed),
            O::StructSet {
                struct_type_index,
                field_index,
            } => self.translate_struct_set(struct_type_index, field_index),
            O::ArrayNew { array_type_index } => self.translate_array_new(array_type_index),
            O::ArrayNewDefault { array_type_index } => {
                let length = self.pop1();
                let array = self.new_array(array_type_index, length);
                self.push1(array);
            }
            O::ArrayNewFixed {
                array_type_index,
                array_size,
            } => self.translate_array_new_fixed(array_type_index, array_size),
            O::ArrayNewData {
                array_type_index,
                array_data_index,
            } => self.translate_array_new_data(array_type_index, array_data_index),
            O::ArrayNewElem {
                array_type_index,
                array_elem_index,
            } => self.translate_array_new_elem(array_type_index, array_elem_index),
            O::ArrayGet { array_type_index } | O::ArrayGetU { array_type_index } => {
                self.translate_array_get(array_type_index, Unsigned);
            }
            O::ArrayGetS { array_type_index } => self.translate_array_get(array_type_index, Signed),
            O::ArraySet { array_type_index } => self.translate_array_set(array_type_index),
            O::ArrayLen => {
                let array = self.pop1();
                self.trapz(array, TrapKind::NullArrayReference);
                let length = self.array_length(array);
                let length = self.b.ins().ireduce(types::I32, length);
                self.push1(length);
            }
            O::ArrayFill { .. } => self.translate_array_fill(),
            O::ArrayCopy { .. } => self.translate_array_copy(),
            O::ArrayInitData {
                array_type_index,
                array_data_index,
            } => self.translate_array_init_data(array_type_index, array_data_index),
            O::ArrayInitElem {
                array_elem_index, ..
            } => self.translate_array_init_elem(array_elem_index),
            O::RefI31 => {
                let value = self.pop1();
                let shifted = self.b.ins().ishl_imm_u(value, 1);
                let tagged = self.b.ins().bor_imm_u(shifted, I31_TAG as i64);
                let word = self.b.ins().uextend(types::I64, tagged);
                self.push1(word);
            }
            O::I31GetS => self.translate_i31_get(Signed),
            O::I31GetU => self.translate_i31_get(Unsigned),
            // One word stands for a reference in both hierarchies.
            O::AnyConvertExtern | O::ExternConvertAny => {}
            _ => return false,
        }
        true
    }

    fn translate_i31_get(&mut self, extension: Extension) {
        let reference = self.pop1();
        self.trapz(reference, TrapKind::NullI31Reference);
        let word = self.b.ins().ireduce(types::I32, reference);
        let value = match extension {
            Extension::Signed => self.b.ins().sshr_imm_u(word, 1),
            Extension::Unsigned => self.b.ins().ushr_imm_u(word, 1),
        };
        self.push1(value);
    }

    fn array_shape(&self, type_index: u32) -> ArrayShape {
        ArrayShape::of(&self.env.info.types, type_index)
    }

    fn element(&self, type_index: u32) -> FieldType {
        self.env.info.types.get(type_index).unwrap_array().0
    }

    fn field(&self, type_index: u32, field: u32) -> (FieldType, i32) {
        let field = field as usize;
        let types = &self.env.info.types;
        let offset = StructShape::of(types, type_index).offsets[field];
        let ty = types.get(type_index).unwrap_struct().fields[field];
        (ty, offset as i32)
    }

    fn load_field(
        &mut self,
        field: FieldType,
        base: Value,
        offset: i32,
        extension: Extension,
    ) -> Value {
        let flags = trusted();
        match (field.element_type, extension) {
            (StorageType::I8, Extension::Signed) => {
                self.b.ins().sload8(types::I32, flags, base, offset)
            }
            (StorageType::I8, Extension::Unsigned) => {
                self.b.ins().uload8(types::I32, flags, base, offset)
            }
            (StorageType::I16, Extension::Signed) => {
                self.b.ins().sload16(types::I32, flags, base, offset)
            }
            (StorageType::I16, Extension::Unsigned) => {
                self.b.ins().uload16(types::I32, flags, base, offset)
            }
            (StorageType::Val(ty), _) => {
                let ty = self.clif_type(ty);
                self.b.ins().load(ty, flags, base, offset)
            }
        }
    }

    fn store_field(&mut self, field: FieldType, value: Value, base: Value, offset: i32) {
        let flags = trusted();
        match field.element_type {
            StorageType::I8 => self.b.ins().istore8(flags, value, base, offset),
            StorageType::I16 => self.b.ins().istore16(flags, value, base, offset),
            StorageType::Val(_) => self.b.ins().store(flags, value, base, offset),
        };
    }

    /// A new object of `bytes` bytes, all fields zero; `length` is what its header says.
    fn new_object(&mut self, type_index: u32, length: Value, bytes: Value) -> Value {
        let flags = trusted().with_readonly();
        let offset = self.offsets().type_id(type_index);
        let type_id = self.b.ins().uload32(flags, self.vmctx, offset);
        let length = self.b.ins().ishl_imm_u(length, 32);
        let header = self.b.ins().bor(type_id, length);
        let store = self.store();
        let stub = self.env.engine.stubs.object_new;
        self.runtime_stub_call(stub, &[store, header, bytes])
    }

    fn new_struct(&mut self, type_index: u32) -> Value {
        let size = StructShape::of(&self.env.info.types, type_index).size;
        let (length, bytes) = (self.iconst(STRUCT.into()), self.iconst(size.into()));
        self.new_object(type_index, length, bytes)
    }

    /// An array of `length` (an `i32`) elements, all zero.
    fn new_array(&mut self, type_index: u32, length: Value) -> Value {
        let shape = self.array_shape(type_index);
        let length = self.b.ins().uextend(types::I64, length);
        let elements = self.b.ins().ishl_imm_u(length, i64::from(shape.shift));
        let bytes = self.b.ins().iadd_imm_u(elements, i64::from(shape.base));
        self.new_object(type_index, length, bytes)
    }

    fn translate_struct_new(&mut self, type_index: u32) {
        let types = &self.env.info.types;
        let fields = types.get(type_index).unwrap_struct().fields.clone();
        let offsets = StructShape::of(types, type_index).offsets;
        let values = self.pop_n(fields.len());
        let object = self.new_struct(type_index);
        for ((&field, &offset), value) in fields.iter().zip(&offsets).zip(values) {
            self.store_field(field, value, object, offset as i32);
        }
        self.push1(object);
    }

    fn translate_struct_get(&mut self, type_index: u32, field: u32, extension: Extension) {
        let object = self.pop1();
        self.trapz(object, TrapKind::NullStructureReference);
        let (ty, offset) = self.field(type_index, field);
        let value = self.load_field(ty, object, offset, extension);
        self.push1(value);
    }

    fn translate_struct_set(&mut self, type_index: u32, field: u32) {
        let (object, value) = self.pop2();
        self.trapz(object, TrapKind::NullStructureReference);
        let (ty, offset) = self.field(type_index, field);
        self.store_field(ty, value, object, offset);
    }

    /// An array's length, as an `i64`.
    fn array_length(&mut self, array: Value) -> Value {
        let flags = trusted().with_readonly();
        let offset = offset_of!(Header, length) as i32;
        self.b.ins().uload32(flags, array, offset)
    }

    /// The address that the element at `index` (an `i32`) is `shape.base` bytes behind, after all checks.
    fn element_address(&mut self, array: Value, index: Value, shape: ArrayShape) -> Value {
        self.trapz(array, TrapKind::NullArrayReference);
        let length = self.array_length(array);
        let index = self.b.ins().uextend(types::I64, index);
        let outside = self
            .b
            .ins()
            .icmp(IntCC::UnsignedGreaterThanOrEqual, index, length);
        self.trapnz(outside, TrapKind::ArrayOutOfBounds);
        let distance = self.b.ins().ishl_imm_u(index, i64::from(shape.shift));
        self.b.ins().iadd(array, distance)
    }

    fn translate_array_get(&mut self, type_index: u32, extension: Extension) {
        let (array, index) = self.pop2();
        let shape = self.array_shape(type_index);
        let address = self.element_address(array, index, shape);
        let element = self.element(type_index);
        let value = self.load_field(element, address, shape.base as i32, extension);
        self.push1(value);
    }

    fn translate_array_set(&mut self, type_index: u32) {
        let (array, index, value) = self.pop3();
        let shape = self.array_shape(type_index);
        let address = self.element_address(array, index, shape);
        let element = self.element(type_index);
        self.store_field(element, value, address, shape.base as i32);
    }

    /// Traps unless `length` elements from `start` on exist in the array, which is not null. Both are given as `i64`.
    fn check_range(&mut self, array: Value, start: Value, length: Value) {
        let size = self.array_length(array);
        // Both came from 32 bits, so nothing wraps around.
        let end = self.b.ins().iadd(start, length);
        let outside = self.b.ins().icmp(IntCC::UnsignedGreaterThan, end, size);
        self.trapnz(outside, TrapKind::ArrayOutOfBounds);
    }

    fn zero_extend(&mut self, value: Value) -> Value {
        self.b.ins().uextend(types::I64, value)
    }

    fn fill(&mut self, array: Value, start: Value, value: Value, length: Value) {
        let slot = self.payload_address(1);
        store_slot(&mut self.b, value, slot, 0);
        let store = self.store();
        let fill = aggregate::array_fill as *const () as usize;
        self.runtime_call(fill, &[store, array, start, slot, length], None);
    }

    fn translate_array_new(&mut self, type_index: u32) {
        let (value, length) = self.pop2();
        let array = self.new_array(type_index, length);
        let (start, length) = (self.iconst(0), self.zero_extend(length));
        self.fill(array, start, value, length);
        self.push1(array);
    }

    fn translate_array_new_fixed(&mut self, type_index: u32, length: u32) {
        let values = self.pop_n(length as usize);
        let length = self.i32const(length);
        let array = self.new_array(type_index, length);
        let (element, shape) = (self.element(type_index), self.array_shape(type_index));
        for (index, value) in values.into_iter().enumerate() {
            let offset = shape.base as usize + (index << shape.shift);
            self.store_field(element, value, array, offset as i32);
        }
        self.push1(array);
    }

    fn translate_array_fill(&mut self) {
        let length = self.pop1();
        let (array, start, value) = self.pop3();
        self.trapz(array, TrapKind::NullArrayReference);
        let (start, length) = (self.zero_extend(start), self.zero_extend(length));
        self.check_range(array, start, length);
        self.fill(array, start, value, length);
    }

    fn translate_array_copy(&mut self) {
        let (source, from, length) = self.pop3();
        let (target, to) = self.pop2();
        self.trapz(target, TrapKind::NullArrayReference);
        self.trapz(source, TrapKind::NullArrayReference);
        let (to, from, length) = (
            self.zero_extend(to),
            self.zero_extend(from),
            self.zero_extend(length),
        );
        self.check_range(target, to, length);
        self.check_range(source, from, length);
        let store = self.store();
        let copy = aggregate::array_copy as *const () as usize;
        self.runtime_call(copy, &[store, target, to, source, from, length], None);
    }

    /// Traps unless the data segment has `length` elements of the array type at byte `from`.
    fn check_data(&mut self, type_index: u32, segment: Value, from: Value, length: Value) {
        let shift = self.i32const(self.array_shape(type_index).shift);
        let args = [self.vmctx, segment, from, length, shift];
        let check = aggregate::data_outside as *const () as usize;
        let outside = self.runtime_call(check, &args, Some(types::I32));
        let outside = outside.expect("the runtime function has a result");
        self.trapnz(outside, TrapKind::MemoryOutOfBounds);
    }

    fn check_elements(&mut self, segment: Value, from: Value, length: Value) {
        let args = [self.vmctx, segment, from, length];
        let check = aggregate::elements_outside as *const () as usize;
        let outside = self.runtime_call(check, &args, Some(types::I32));
        let outside = outside.expect("the runtime function has a result");
        self.trapnz(outside, TrapKind::TableOutOfBounds);
    }

    fn init_data(&mut self, segment: Value, array: Value, to: Value, from: Value, length: Value) {
        let args = [self.vmctx, segment, array, to, from, length];
        let init = aggregate::array_init_data as *const () as usize;
        self.runtime_call(init, &args, None);
    }

    fn init_elem(&mut self, segment: Value, array: Value, to: Value, from: Value, length: Value) {
        let args = [self.vmctx, segment, array, to, from, length];
        let init = aggregate::array_init_elem as *const () as usize;
        self.runtime_call(init, &args, None);
    }

    fn translate_array_new_data(&mut self, type_index: u32, segment: u32) {
        let (from, length) = self.pop2();
        let (segment, start) = (self.i32const(segment), self.iconst(0));
        let (from, count) = (self.zero_extend(from), self.zero_extend(length));
        self.check_data(type_index, segment, from, count);
        let array = self.new_array(type_index, length);
        self.init_data(segment, array, start, from, count);
        self.push1(array);
    }

    fn translate_array_new_elem(&mut self, type_index: u32, segment: u32) {
        let (from, length) = self.pop2();
        let (segment, start) = (self.i32const(segment), self.iconst(0));
        let (from, count) = (self.zero_extend(from), self.zero_extend(length));
        self.check_elements(segment, from, count);
        let array = self.new_array(type_index, length);
        self.init_elem(segment, array, start, from, count);
        self.push1(array);
    }

    /// Pops the operands of `array.init_*` and checks the array's range: array, start, start in the segment, length.
    fn init_operands(&mut self) -> (Value, Value, Value, Value) {
        let (to, from, length) = self.pop3();
        let array = self.pop1();
        self.trapz(array, TrapKind::NullArrayReference);
        let (to, from, length) = (
            self.zero_extend(to),
            self.zero_extend(from),
            self.zero_extend(length),
        );
        self.check_range(array, to, length);
        (array, to, from, length)
    }

    fn translate_array_init_data(&mut self, type_index: u32, segment: u32) {
        let (array, to, from, length) = self.init_operands();
        let segment = self.i32const(segment);
        self.check_data(type_index, segment, from, length);
        self.init_data(segment, array, to, from, length);
    }

    fn translate_array_init_elem(&mut self, segment: u32) {
        let (array, to, from, length) = self.init_operands();
        let segment = self.i32const(segment);
        self.check_elements(segment, from, length);
        self.init_elem(segment, array, to, from, length);
    }
}
