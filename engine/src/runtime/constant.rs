//! Constant expressions (specification, section 4.6.13).

use super::aggregate;
use super::heap::object::{AnyWord, Header, STRUCT};
use super::instance::InstanceInner;
use super::layout::ValRaw;
use super::store::StoreInner;
use crate::error::Exhaustion;
use crate::module::info::{ConstExpr, ConstOp};
use crate::types::shape::{ArrayShape, StructShape};

const VALIDATED: &str = "the validator has checked the stack of constant expressions";

/// The value of a constant expression of `instance`, which is being made: the values of its expressions are not yet where the
/// collector looks, so collecting is paused.
///
/// # Errors
/// An object found no room.
pub(crate) fn eval(
    store: &mut StoreInner,
    instance: &InstanceInner,
    expr: &ConstExpr,
) -> Result<ValRaw, Exhaustion> {
    debug_assert!(store.pace.paused);
    let types = &instance.module().info().types;
    let mut stack: Vec<ValRaw> = Vec::new();
    for op in &expr.0 {
        let mut binary = |operation: fn(u64, u64) -> u64| {
            let (b, a) = (stack.pop().expect(VALIDATED), stack.pop().expect(VALIDATED));
            word(operation(a.lo, b.lo))
        };
        let value = match *op {
            ConstOp::I32Const(value) => word(u64::from(value as u32)),
            ConstOp::I64Const(value) => word(value as u64),
            ConstOp::F32Const(bits) => word(u64::from(bits)),
            ConstOp::F64Const(bits) => word(bits),
            ConstOp::V128Const(bits) => ValRaw::from_bits(bits),
            ConstOp::I32Add => binary(|a, b| u64::from((a as u32).wrapping_add(b as u32))),
            ConstOp::I32Sub => binary(|a, b| u64::from((a as u32).wrapping_sub(b as u32))),
            ConstOp::I32Mul => binary(|a, b| u64::from((a as u32).wrapping_mul(b as u32))),
            ConstOp::I64Add => binary(u64::wrapping_add),
            ConstOp::I64Sub => binary(u64::wrapping_sub),
            ConstOp::I64Mul => binary(u64::wrapping_mul),
            ConstOp::RefNull => ValRaw::ZERO,
            ConstOp::RefFunc(index) => word(instance.func(index) as u64),
            // SAFETY: validation allows only globals before the one being initialised, whose pointers are written already;
            // globals live as long as the store. Code writes the low half of a narrow value only, but no constant
            // expression reads a mutable global, and those that are not mutable were written whole.
            ConstOp::GlobalGet(index) => unsafe { (*instance.global(index)).value },
            ConstOp::RefI31 => {
                let value = stack.pop().expect(VALIDATED).lo;
                word(AnyWord::I31(value as i32).encode())
            }
            ConstOp::StructNew(index) => {
                let shape = StructShape::of(types, index);
                let fields = stack.split_off(stack.len() - shape.offsets.len());
                let object = new_struct(store, instance, index, &shape)?;
                let storage = &types.get(index).unwrap_struct().fields;
                for ((&offset, field), value) in shape.offsets.iter().zip(storage).zip(fields) {
                    // SAFETY: the object was made with this shape.
                    unsafe { aggregate::write(object, u64::from(offset), field, value) };
                }
                word(object as u64)
            }
            ConstOp::StructNewDefault(index) => {
                let shape = StructShape::of(types, index);
                word(new_struct(store, instance, index, &shape)? as u64)
            }
            ConstOp::ArrayNew(index) => {
                let length = stack.pop().expect(VALIDATED).lo as u32;
                let value = stack.pop().expect(VALIDATED);
                new_array(
                    store,
                    instance,
                    index,
                    length,
                    std::iter::repeat_n(value, length as usize),
                )?
            }
            ConstOp::ArrayNewDefault(index) => {
                let length = stack.pop().expect(VALIDATED).lo as u32;
                new_array(store, instance, index, length, std::iter::empty())?
            }
            ConstOp::ArrayNewFixed(index, length) => {
                let values = stack.split_off(stack.len() - length as usize);
                new_array(store, instance, index, length, values.into_iter())?
            }
        };
        stack.push(value);
    }
    Ok(stack.pop().expect(VALIDATED))
}

fn word(lo: u64) -> ValRaw {
    ValRaw { lo, hi: 0 }
}

fn new_struct(
    store: &mut StoreInner,
    instance: &InstanceInner,
    index: u32,
    shape: &StructShape,
) -> Result<*mut Header, Exhaustion> {
    let header = Header {
        type_id: instance.type_id(index),
        length: STRUCT,
    };
    store.allocate_object(header, shape.size.into())
}

/// An array whose first elements are `values`.
fn new_array(
    store: &mut StoreInner,
    instance: &InstanceInner,
    index: u32,
    length: u32,
    values: impl Iterator<Item = ValRaw>,
) -> Result<ValRaw, Exhaustion> {
    let types = &instance.module().info().types;
    let shape = ArrayShape::of(types, index);
    let header = Header {
        type_id: instance.type_id(index),
        length,
    };
    let array = store.allocate_object(header, shape.size(length))?;
    let element = types.get(index).unwrap_array().0;
    for (index, value) in values.enumerate() {
        let offset = u64::from(shape.base) + ((index as u64) << shape.shift);
        // SAFETY: the object was made with this shape, and there are at most `length` values.
        unsafe { aggregate::write(array, offset, &element, value) };
    }
    Ok(word(array as u64))
}
