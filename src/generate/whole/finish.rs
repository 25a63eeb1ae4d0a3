//! Makes a valid module end by itself, have determined results, and be called.
//!
//! Bytes are inserted between instructions, and everything added goes to the end of its index space, so no index changes.

use super::driver;
use crate::binary::Sections;
use crate::generate::Features;
use crate::generate::features::SEVEN_BITS;
use arbitrary::Unstructured;
use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{BlockType, Encode, Ieee32, Ieee64, Instruction, SectionId};
use wasmparser::{
    BinaryReaderError, CompositeInnerType, FuncType, FunctionBody, Operator, Parser, Payload,
    TypeRef, ValType,
};

/// What one call may use: one for each entry of a function and each round of a loop.
const FUEL: i32 = 100;

/// The longest array that a function makes.
const ARRAY: i32 = 0x3f;

/// Bits of the canonical NaNs.
const NAN32: u32 = 0x7fc0_0000;
const NAN64: u64 = 0x7ff8_0000_0000_0000;

/// What has to be known of a module to change it.
pub(super) struct Outline {
    features: Features,
    /// The types by index; `None` for those that are no function types.
    types: Vec<Option<FuncType>>,
    /// The type of each function.
    functions: Vec<u32>,
    imported_functions: u32,
    globals: u32,
    exports: Vec<String>,
}

impl Outline {
    pub(super) fn function_type(&self, function: u32) -> Option<&FuncType> {
        let ty = *self.functions.get(function as usize)?;
        self.types.get(ty as usize)?.as_ref()
    }

    /// The indices of the functions that the module defines.
    pub(super) fn defined(&self) -> std::ops::Range<u32> {
        self.imported_functions..self.functions.len() as u32
    }

    /// The number of types, and the index of the first that is added.
    pub(super) fn types(&self) -> u32 {
        self.types.len() as u32
    }

    /// The index of the first function that is added.
    pub(super) fn functions(&self) -> u32 {
        self.functions.len() as u32
    }

    /// Whether this is the name of an export.
    pub(super) fn exports(&self, name: &str) -> bool {
        self.exports.iter().any(|export| export == name)
    }

    /// The index of the global with the fuel, which is added.
    pub(super) fn fuel(&self) -> u32 {
        self.globals
    }
}

/// Adds fuel, canonical NaNs, and drivers, whose arguments `u` decides.
///
/// Keeps away from what `features` do not have and wasm-smith cannot leave out.
pub(super) fn finish(
    wasm: &[u8],
    features: Features,
    u: &mut Unstructured<'_>,
) -> Result<Vec<u8>, BinaryReaderError> {
    let mut outline = Outline {
        features,
        types: Vec::new(),
        functions: Vec::new(),
        imported_functions: 0,
        globals: 0,
        exports: Vec::new(),
    };
    let mut bodies = Vec::new();
    for payload in Parser::new(0).parse_all(wasm) {
        match payload? {
            Payload::TypeSection(section) => {
                for group in section {
                    let types = group?.into_types();
                    outline
                        .types
                        .extend(types.map(|ty| match ty.composite_type.inner {
                            CompositeInnerType::Func(ty) => Some(ty),
                            _ => None,
                        }));
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    match import?.ty {
                        TypeRef::Func(ty) => {
                            outline.functions.push(ty);
                            outline.imported_functions += 1;
                        }
                        TypeRef::Global(_) => outline.globals += 1,
                        _ => {}
                    }
                }
            }
            Payload::FunctionSection(section) => {
                for ty in section {
                    outline.functions.push(ty?);
                }
            }
            Payload::GlobalSection(section) => outline.globals += section.count(),
            Payload::ExportSection(section) => {
                for export in section {
                    outline.exports.push(export?.name.to_owned());
                }
            }
            Payload::CodeSectionEntry(body) => bodies.push(body),
            _ => {}
        }
    }

    let mut code = Vec::new();
    for (function, body) in outline.defined().zip(&bodies) {
        let ty = outline.function_type(function).expect("it has a type");
        rewrite(wasm, &outline, ty, body)?.encode(&mut code);
    }
    let drivers = driver::drivers(&outline, u);
    code.extend_from_slice(&drivers.code);
    let mut content = Vec::new();
    (bodies.len() as u32 + drivers.count).encode(&mut content);
    content.extend_from_slice(&code);

    let mut sections = Sections::read(wasm)?;
    sections.append(SectionId::Global, 1, &fuel_global())?;
    sections.append(SectionId::Type, drivers.count, &drivers.types)?;
    sections.append(SectionId::Function, drivers.count, &drivers.functions)?;
    // The first to be called, since they refuel.
    sections.prepend(SectionId::Export, drivers.count, &drivers.exports)?;
    if !bodies.is_empty() {
        sections.set(SectionId::Code, content);
    }
    Ok(sections.finish())
}

/// The entry of the global with the fuel; the start function uses what is in it at first.
fn fuel_global() -> Vec<u8> {
    let mut entry = Vec::new();
    wasm_encoder::ValType::I32.encode(&mut entry);
    // Mutable.
    entry.push(1);
    wasm_encoder::ConstExpr::i32_const(FUEL).encode(&mut entry);
    entry
}

/// Sets the fuel for a call.
pub(super) fn refuel(outline: &Outline, out: &mut Vec<u8>) {
    Instruction::I32Const(FUEL).encode(out);
    Instruction::GlobalSet(outline.fuel()).encode(out);
}

/// A function's body with what is inserted, without its size.
fn rewrite(
    wasm: &[u8],
    outline: &Outline,
    ty: &FuncType,
    body: &FunctionBody<'_>,
) -> Result<Vec<u8>, BinaryReaderError> {
    let mut locals = body.get_locals_reader()?;
    let groups = locals.get_count();
    let entries = locals.original_position() as usize;
    let mut count = ty.params().len() as u32;
    for _ in 0..groups {
        count += locals.read()?.0;
    }

    let mut scratch = Scratch {
        first: count,
        types: Vec::new(),
    };
    let mut code = Vec::new();
    let mut reader = body.get_operators_reader()?;
    let start = reader.original_position() as usize;
    burn(outline, ty, &mut code);
    let mut after_zero_test = false;
    while !reader.eof() {
        let from = reader.original_position() as usize;
        let operator = reader.read()?;
        let bytes = &wasm[from..reader.original_position() as usize];
        if let Operator::ArrayNew { .. } | Operator::ArrayNewDefault { .. } = operator {
            Instruction::I32Const(ARRAY).encode(&mut code);
            Instruction::I32And.encode(&mut code);
        }
        if let Operator::Select | Operator::TypedSelect { .. } = operator
            && after_zero_test
            && !outline.features.select_of_zero_test
        {
            let local = scratch.local(wasm_encoder::ValType::I32);
            Instruction::LocalSet(local).encode(&mut code);
            Instruction::LocalGet(local).encode(&mut code);
        }
        after_zero_test = match operator {
            Operator::I32Eqz
            | Operator::I32Eq
            | Operator::I32Ne
            | Operator::I64Eqz
            | Operator::I64Eq
            | Operator::I64Ne
            | Operator::RefIsNull => true,
            Operator::Nop => after_zero_test,
            _ => false,
        };
        match multiply_add(&operator) {
            Some((product, sum)) if !outline.features.relaxed_choices => {
                let local = scratch.local(wasm_encoder::ValType::V128);
                Instruction::LocalSet(local).encode(&mut code);
                product.iter().for_each(|part| part.encode(&mut code));
                Instruction::LocalGet(local).encode(&mut code);
                sum.encode(&mut code);
            }
            _ if !avoid(&operator, outline, &mut scratch, &mut code)? => {
                code.extend_from_slice(bytes);
            }
            _ => {}
        }
        if let Operator::Loop { .. } = operator {
            burn(outline, ty, &mut code);
        }
        if let Some(lanes) = makes_nan(&operator) {
            canonicalise(lanes, &mut scratch, &mut code);
        }
    }

    let mut out = Vec::new();
    (groups + scratch.types.len() as u32).encode(&mut out);
    out.extend_from_slice(&wasm[entries..start]);
    for ty in &scratch.types {
        1u32.encode(&mut out);
        ty.encode(&mut out);
    }
    out.extend_from_slice(&code);
    Ok(out)
}

/// Emits others in place of an instruction that an engine is known to get wrong, or where it may choose what it does; `false` if
/// there is no need to.
fn avoid(
    operator: &Operator<'_>,
    outline: &Outline,
    scratch: &mut Scratch,
    code: &mut Vec<u8>,
) -> Result<bool, BinaryReaderError> {
    let features = outline.features;
    match operator {
        Operator::ReturnCall { function_index }
            if !features.tail_calls_of_host && *function_index < outline.imported_functions =>
        {
            Instruction::Call(*function_index).encode(code);
            Instruction::Return.encode(code);
        }
        Operator::ReturnCallIndirect {
            type_index,
            table_index,
        } if !features.tail_calls_of_host => {
            let call = Instruction::CallIndirect {
                type_index: *type_index,
                table_index: *table_index,
            };
            call.encode(code);
            Instruction::Return.encode(code);
        }
        Operator::BrTable { targets } if !features.vectors_by_br_table => {
            let index = scratch.local(wasm_encoder::ValType::I32);
            Instruction::LocalSet(index).encode(code);
            for (position, target) in targets.targets().enumerate() {
                Instruction::LocalGet(index).encode(code);
                Instruction::I32Const(position as i32).encode(code);
                Instruction::I32Eq.encode(code);
                Instruction::BrIf(target?).encode(code);
            }
            Instruction::Br(targets.default()).encode(code);
        }
        // With a second operand of seven bits a lane, the results are the same everywhere.
        Operator::I16x8RelaxedDotI8x16I7x16S if !features.relaxed_choices => {
            Instruction::V128Const(SEVEN_BITS).encode(code);
            Instruction::V128And.encode(code);
            Instruction::I16x8RelaxedDotI8x16I7x16S.encode(code);
        }
        Operator::I32x4RelaxedDotI8x16I7x16AddS if !features.relaxed_choices => {
            let addend = scratch.local(wasm_encoder::ValType::V128);
            Instruction::LocalSet(addend).encode(code);
            Instruction::V128Const(SEVEN_BITS).encode(code);
            Instruction::V128And.encode(code);
            Instruction::LocalGet(addend).encode(code);
            Instruction::I32x4RelaxedDotI8x16I7x16AddS.encode(code);
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// The instructions that make the product and then the sum of a relaxed multiply-add, each rounded for itself.
fn multiply_add(
    operator: &Operator<'_>,
) -> Option<(&'static [Instruction<'static>], Instruction<'static>)> {
    use Instruction::*;
    Some(match operator {
        Operator::F32x4RelaxedMadd => (&[F32x4Mul], F32x4Add),
        Operator::F32x4RelaxedNmadd => (&[F32x4Mul, F32x4Neg], F32x4Add),
        Operator::F64x2RelaxedMadd => (&[F64x2Mul], F64x2Add),
        Operator::F64x2RelaxedNmadd => (&[F64x2Mul, F64x2Neg], F64x2Add),
        _ => return None,
    })
}

/// Uses one unit of fuel; without fuel, returns default values.
fn burn(outline: &Outline, ty: &FuncType, out: &mut Vec<u8>) {
    let fuel = outline.fuel();
    Instruction::GlobalGet(fuel).encode(out);
    Instruction::I32Eqz.encode(out);
    Instruction::If(BlockType::Empty).encode(out);
    for &result in ty.results() {
        // A type without a default value: the call traps instead.
        if !default(result, out) {
            Instruction::Unreachable.encode(out);
            break;
        }
    }
    Instruction::Return.encode(out);
    Instruction::End.encode(out);
    Instruction::GlobalGet(fuel).encode(out);
    Instruction::I32Const(1).encode(out);
    Instruction::I32Sub.encode(out);
    Instruction::GlobalSet(fuel).encode(out);
}

/// Emits the default value of a type; `false` if it has none.
pub(super) fn default(ty: ValType, out: &mut Vec<u8>) -> bool {
    match ty {
        ValType::I32 => Instruction::I32Const(0).encode(out),
        ValType::I64 => Instruction::I64Const(0).encode(out),
        ValType::F32 => Instruction::F32Const(Ieee32::new(0)).encode(out),
        ValType::F64 => Instruction::F64Const(Ieee64::new(0)).encode(out),
        ValType::V128 => Instruction::V128Const(0).encode(out),
        ValType::Ref(ty) if ty.is_nullable() => {
            let heap = RoundtripReencoder.heap_type(ty.heap_type());
            Instruction::RefNull(heap.expect("heap types are kept as they are")).encode(out);
        }
        ValType::Ref(_) => return false,
    }
    true
}

/// The locals that a rewritten body has in addition.
struct Scratch {
    first: u32,
    types: Vec<wasm_encoder::ValType>,
}

impl Scratch {
    fn local(&mut self, ty: wasm_encoder::ValType) -> u32 {
        let known = self.types.iter().position(|&other| other == ty);
        let index = known.unwrap_or_else(|| {
            self.types.push(ty);
            self.types.len() - 1
        });
        self.first + index as u32
    }
}

/// How the floating-point numbers lie that an instruction makes.
#[derive(Clone, Copy)]
enum Lanes {
    F32,
    F64,
    F32x4,
    F64x2,
}

/// Replaces every NaN on top of the operand stack by the canonical one.
fn canonicalise(lanes: Lanes, scratch: &mut Scratch, out: &mut Vec<u8>) {
    use Instruction::*;
    let (nan32, nan64) = (u128::from(NAN32), u128::from(NAN64));
    let (ty, nan, equal, select) = match lanes {
        Lanes::F32 => (
            wasm_encoder::ValType::F32,
            F32Const(Ieee32::new(NAN32)),
            F32Eq,
            Select,
        ),
        Lanes::F64 => (
            wasm_encoder::ValType::F64,
            F64Const(Ieee64::new(NAN64)),
            F64Eq,
            Select,
        ),
        Lanes::F32x4 => (
            wasm_encoder::ValType::V128,
            V128Const((nan32 | nan32 << 32 | nan32 << 64 | nan32 << 96) as i128),
            F32x4Eq,
            V128Bitselect,
        ),
        Lanes::F64x2 => (
            wasm_encoder::ValType::V128,
            V128Const((nan64 | nan64 << 64) as i128),
            F64x2Eq,
            V128Bitselect,
        ),
    };
    let local = scratch.local(ty);
    LocalTee(local).encode(out);
    nan.encode(out);
    // A number is equal to itself, a NaN is not.
    LocalGet(local).encode(out);
    LocalGet(local).encode(out);
    equal.encode(out);
    select.encode(out);
}

/// The instructions whose NaNs the specification leaves open ("NaN propagation", and the relaxed ones).
fn makes_nan(operator: &Operator<'_>) -> Option<Lanes> {
    use Operator::*;
    Some(match operator {
        F32Add | F32Sub | F32Mul | F32Div | F32Sqrt | F32Min | F32Max | F32Ceil | F32Floor
        | F32Trunc | F32Nearest | F32DemoteF64 => Lanes::F32,
        F64Add | F64Sub | F64Mul | F64Div | F64Sqrt | F64Min | F64Max | F64Ceil | F64Floor
        | F64Trunc | F64Nearest | F64PromoteF32 => Lanes::F64,
        F32x4Add | F32x4Sub | F32x4Mul | F32x4Div | F32x4Sqrt | F32x4Min | F32x4Max | F32x4Ceil
        | F32x4Floor | F32x4Trunc | F32x4Nearest | F32x4DemoteF64x2Zero | F32x4RelaxedMadd
        | F32x4RelaxedNmadd | F32x4RelaxedMin | F32x4RelaxedMax => Lanes::F32x4,
        F64x2Add | F64x2Sub | F64x2Mul | F64x2Div | F64x2Sqrt | F64x2Min | F64x2Max | F64x2Ceil
        | F64x2Floor | F64x2Trunc | F64x2Nearest | F64x2PromoteLowF32x4 | F64x2RelaxedMadd
        | F64x2RelaxedNmadd | F64x2RelaxedMin | F64x2RelaxedMax => Lanes::F64x2,
        _ => return None,
    })
}
