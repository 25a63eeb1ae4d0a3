//! Operands: what an instruction gets, and on which way.

use super::super::body::Body;
use super::cx::Cx;
use super::form::memarg;
use super::number::Number;
use super::object::Reference;
use serde::{Deserialize, Serialize};
use wasm_encoder::{BlockType, ConstExpr, Ieee32, Ieee64, ValType};

/// One operand of an instruction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operand {
    /// Which of the interesting values of its type it is.
    pub value: u8,
    /// Decides what the value leaves open.
    pub noise: u8,
    /// Where the instruction has it from.
    pub route: Route,
}

/// Where an instruction has an operand from. In files with plans these are numbers: new ones go to the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Route {
    /// A constant, or what is made in place of a reference.
    #[default]
    Constant,
    /// A local.
    Local,
    /// A parameter of the function; or what comes by a stack switch.
    Parameter,
    /// A memory or, if it is a reference, a global.
    Memory,
    /// A mutable global.
    Global,
    /// A block that is left by a branch with it, or would be left with another value.
    Block,
    /// A `select` of it and another value.
    Select,
}

impl Route {
    /// All ways.
    pub const ALL: [Route; 7] = [
        Route::Constant,
        Route::Local,
        Route::Parameter,
        Route::Memory,
        Route::Global,
        Route::Block,
        Route::Select,
    ];
}

/// What an operand is, once the instruction has decided which values it is to choose from.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Number(Number),
    Reference(Reference),
}

impl Value {
    pub(super) fn ty(&self) -> ValType {
        match self {
            Value::Number(number) => number.ty(),
            Value::Reference(reference) => reference.ty,
        }
    }

    fn number(&self) -> Option<Number> {
        match self {
            Value::Number(number) => Some(*number),
            Value::Reference(_) => None,
        }
    }
}

impl Cx<'_> {
    /// Pushes a value as it is.
    pub(super) fn push(&mut self, body: &mut Body, value: &Value) {
        match value {
            Value::Number(number) => push_number(body, *number),
            Value::Reference(reference) => self.push_reference(body, *reference),
        }
    }

    /// Pushes a value on a way other than as a parameter.
    pub(super) fn push_by(&mut self, body: &mut Body, value: &Value, route: Route) {
        let ty = value.ty();
        match (route, value.number()) {
            (Route::Constant | Route::Parameter, _) => self.push(body, value),
            (Route::Local, _) => {
                self.push(body, value);
                let local = body.local(ty);
                body.emit().local_set(local).local_get(local);
            }
            (Route::Memory, Some(number)) => {
                let address = self.place(&number.to_bytes());
                let mut emit = body.emit();
                let emit = emit.i32_const(address as i32);
                let memarg = memarg(0, 0, 0);
                match ty {
                    ValType::I64 => emit.i64_load(memarg),
                    ValType::F32 => emit.f32_load(memarg),
                    ValType::F64 => emit.f64_load(memarg),
                    ValType::V128 => emit.v128_load(memarg),
                    _ => emit.i32_load(memarg),
                };
            }
            (Route::Global, Some(number)) => {
                let global = self.global(ty, constant(number));
                body.emit().global_get(global);
            }
            (Route::Memory | Route::Global, None) => {
                let ValType::Ref(reference) = ty else {
                    return self.push(body, value);
                };
                let global = self.global(ty, ConstExpr::ref_null(reference.heap_type));
                self.push(body, value);
                body.emit().global_set(global).global_get(global);
            }
            (Route::Block, _) => {
                let (one, block) = (self.one(), self.block(&[], &[ty]));
                body.emit().block(block);
                self.push(body, value);
                body.emit().global_get(one).br_if(0).drop();
                self.other(body, ty);
                body.emit().end();
            }
            (Route::Select, _) => {
                let one = self.one();
                self.push(body, value);
                self.other(body, ty);
                body.emit().global_get(one);
                match ty {
                    ValType::Ref(_) => body.emit().typed_select(ty),
                    _ => body.emit().select(),
                };
            }
        }
    }

    /// Pushes a value of the type that is never taken.
    pub(super) fn other(&mut self, body: &mut Body, ty: ValType) {
        match ty {
            ValType::I32 => body.emit().i32_const(0x0bad),
            ValType::I64 => body.emit().i64_const(0x0bad),
            ValType::F32 => body.emit().f32_const(Ieee32::new(0x4240_0000)),
            ValType::F64 => body.emit().f64_const(Ieee64::new(0x4048_0000_0000_0000)),
            ValType::V128 => body.emit().v128_const(0x0bad),
            ValType::Ref(reference) => body.emit().ref_null(reference.heap_type),
        };
    }

    /// The type of a block.
    pub(super) fn block(&mut self, params: &[ValType], results: &[ValType]) -> BlockType {
        match (params, results) {
            ([], []) => BlockType::Empty,
            ([], [ty]) => BlockType::Result(*ty),
            _ => BlockType::FunctionType(self.func(params, results)),
        }
    }
}

pub(super) fn push_number(body: &mut Body, number: Number) {
    match number {
        Number::I32(x) => body.emit().i32_const(x),
        Number::I64(x) => body.emit().i64_const(x),
        Number::F32(x) => body.emit().f32_const(Ieee32::new(x)),
        Number::F64(x) => body.emit().f64_const(Ieee64::new(x)),
        Number::V128(x) => body.emit().v128_const(x.cast_signed()),
    };
}

/// The number as a constant expression.
pub(super) fn constant(number: Number) -> ConstExpr {
    match number {
        Number::I32(x) => ConstExpr::i32_const(x),
        Number::I64(x) => ConstExpr::i64_const(x),
        Number::F32(x) => ConstExpr::f32_const(Ieee32::new(x)),
        Number::F64(x) => ConstExpr::f64_const(Ieee64::new(x)),
        Number::V128(x) => ConstExpr::v128_const(x.cast_signed()),
    }
}
