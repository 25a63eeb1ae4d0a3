//! Functions without parameters that call a module's own: what a case calls.

use super::finish::{Outline, default, refuel};
use arbitrary::Unstructured;
use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{Encode, ExportKind, Ieee32, Ieee64, Instruction};
use wasmparser::{AbstractHeapType, FuncType, HeapType, ValType};

/// Most drivers of a module.
const MOST: u32 = 10;

/// The entries of the drivers in the sections.
#[derive(Default)]
pub(super) struct Drivers {
    pub(super) count: u32,
    pub(super) types: Vec<u8>,
    pub(super) functions: Vec<u8>,
    pub(super) exports: Vec<u8>,
    pub(super) code: Vec<u8>,
}

/// Makes a driver for each function whose parameters can be made, and two where there is room.
pub(super) fn drivers(outline: &Outline, u: &mut Unstructured<'_>) -> Drivers {
    let mut drivers = Drivers::default();
    for function in outline.defined().chain(outline.defined()) {
        if drivers.count == MOST {
            break;
        }
        let Some(ty) = outline.function_type(function) else {
            continue;
        };
        let mut body = Vec::new();
        // No locals.
        0u32.encode(&mut body);
        refuel(outline, &mut body);
        if !ty.params().iter().all(|&ty| argument(ty, u, &mut body)) {
            continue;
        }
        Instruction::Call(function).encode(&mut body);
        Instruction::End.encode(&mut body);
        body.encode(&mut drivers.code);
        add_type(ty, &mut drivers.types);
        (outline.types() + drivers.count).encode(&mut drivers.functions);
        let mut name = format!("call {}", drivers.count);
        while outline.exports(&name) {
            name.push('\'');
        }
        name.as_str().encode(&mut drivers.exports);
        ExportKind::Func.encode(&mut drivers.exports);
        (outline.functions() + drivers.count).encode(&mut drivers.exports);
        drivers.count += 1;
    }
    drivers
}

/// The entry of the type without parameters and with the results of `ty`.
fn add_type(ty: &FuncType, out: &mut Vec<u8>) {
    // A final function type; no parameters.
    out.extend([0x60, 0]);
    (ty.results().len() as u32).encode(out);
    for &result in ty.results() {
        let result = RoundtripReencoder.val_type(result);
        result.expect("types are kept as they are").encode(out);
    }
}

/// Emits an argument of a type; `false` if there is none that can be made.
fn argument(ty: ValType, u: &mut Unstructured<'_>, out: &mut Vec<u8>) -> bool {
    // Without bytes left, `arbitrary` answers zeros.
    let word = u.arbitrary::<u64>().unwrap_or(0);
    let choice = u.arbitrary::<u8>().unwrap_or(0);
    match ty {
        ValType::I32 => {
            let edges = [0, 1, -1, i32::MIN, i32::MAX, 2, 0xffff, 100];
            let value = pick(&edges, choice).unwrap_or(word as i32);
            Instruction::I32Const(value).encode(out);
        }
        ValType::I64 => {
            let edges = [0, 1, -1, i64::MIN, i64::MAX, 1 << 32, 0xffff_ffff, 100];
            let value = pick(&edges, choice).unwrap_or(word as i64);
            Instruction::I64Const(value).encode(out);
        }
        ValType::F32 => {
            let edges = [
                0.0,
                -0.0,
                1.0,
                f32::NAN,
                f32::INFINITY,
                f32::NEG_INFINITY,
                f32::MIN_POSITIVE,
                -2.5,
            ];
            let bits = pick(&edges.map(f32::to_bits), choice).unwrap_or(word as u32);
            Instruction::F32Const(Ieee32::new(bits)).encode(out);
        }
        ValType::F64 => {
            let edges = [
                0.0,
                -0.0,
                1.0,
                f64::NAN,
                f64::INFINITY,
                f64::NEG_INFINITY,
                f64::MIN_POSITIVE,
                -2.5,
            ];
            let bits = pick(&edges.map(f64::to_bits), choice).unwrap_or(word);
            Instruction::F64Const(Ieee64::new(bits)).encode(out);
        }
        ValType::V128 => {
            let high = u.arbitrary::<u64>().unwrap_or(0);
            let bits = u128::from(high) << 64 | u128::from(word);
            Instruction::V128Const(bits as i128).encode(out);
        }
        ValType::Ref(ty) => {
            let i31 = matches!(
                ty.heap_type(),
                HeapType::Abstract {
                    shared: false,
                    ty: AbstractHeapType::Any | AbstractHeapType::Eq | AbstractHeapType::I31,
                }
            );
            if i31 && (choice.is_multiple_of(2) || !ty.is_nullable()) {
                Instruction::I32Const(word as i32).encode(out);
                Instruction::RefI31.encode(out);
            } else {
                return default(ValType::Ref(ty), out);
            }
        }
    }
    true
}

/// One of eight edges in half of the cases.
fn pick<T: Copy>(edges: &[T; 8], choice: u8) -> Option<T> {
    edges.get(usize::from(choice >> 4)).copied()
}
