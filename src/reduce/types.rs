//! Steps on types: supertypes, and fields of structures.

use super::body::{self, Body, defaults, encoded};
use super::module::Module;
use super::state::{Ended, State, Step};
use std::collections::{BTreeMap, BTreeSet};
use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{Instruction, ValType};
use wasmparser::{
    BinaryReader, CompositeInnerType, FieldType, FunctionBody, StorageType, StructType, SubType,
};

/// Takes out supertypes and fields.
pub(super) fn reduce(state: &mut State<'_>) -> Result<(), Ended> {
    state.steps(without_supertypes)?;
    state.steps(without_field)
}

/// A type without supertypes, final if nothing else needs it not to be.
fn without_supertypes(wasm: &[u8], index: usize) -> Step {
    let Ok(mut module) = Module::read(wasm) else {
        return Step::End;
    };
    let (index, is_final) = ((index / 2) as u32, index.is_multiple_of(2));
    let Some(ty) = module.types().nth(index as usize) else {
        return Step::End;
    };
    let alone = SubType {
        is_final: is_final || ty.is_final,
        supertype_idxs: Vec::new(),
        composite_type: ty.composite_type.clone(),
    };
    if alone == *ty {
        return Step::None;
    }
    module.replaced.insert(index, alone);
    module.encode(&BTreeSet::new()).into()
}

/// Most fields of a structure that are tried.
const FIELDS: usize = 64;

/// A structure without one of its fields, and with it all that it has the field from, or that have it from it.
fn without_field(wasm: &[u8], index: usize) -> Step {
    let (ty, field) = (index / FIELDS, index % FIELDS);
    match Module::read(wasm) {
        Ok(module) if ty < module.types().count() => {
            let family = family(&module, ty as u32, field);
            Field { field, family }.removed(wasm).into()
        }
        _ => Step::End,
    }
}

/// A structure and all its supertypes and subtypes that have this field, each with its fields.
fn family(module: &Module<'_>, ty: u32, field: usize) -> BTreeMap<u32, Vec<FieldType>> {
    let types: Vec<&SubType> = module.types().collect();
    let supers = |ty: u32| {
        let supers = types[ty as usize].supertype_idxs.iter();
        supers.filter_map(|index| index.as_module_index())
    };
    let mut family = BTreeMap::new();
    let mut work = vec![ty];
    while let Some(ty) = work.pop() {
        let CompositeInnerType::Struct(structure) = &types[ty as usize].composite_type.inner else {
            continue;
        };
        if structure.fields.len() <= field || family.contains_key(&ty) {
            continue;
        }
        family.insert(ty, structure.fields.to_vec());
        work.extend(supers(ty));
        let all = 0..types.len() as u32;
        work.extend(all.filter(|other| supers(*other).any(|of_other| of_other == ty)));
    }
    family
}

/// A field that goes, by its index in each of these structures.
struct Field {
    field: usize,
    family: BTreeMap<u32, Vec<FieldType>>,
}

impl Field {
    /// The module without the field.
    fn removed(&self, wasm: &[u8]) -> Option<Vec<u8>> {
        if self.family.is_empty() {
            return None;
        }
        let bodies = body::read(wasm, None).ok()?;
        let edited: Vec<Option<Vec<u8>>> = bodies.iter().map(|body| self.edited(body)).collect();
        let mut module = Module::read(wasm).ok()?;
        for (body, edited) in module.bodies.iter_mut().zip(&edited) {
            if let Some(edited) = edited {
                *body = FunctionBody::new(BinaryReader::new(edited, 0));
            }
        }
        let types: Vec<SubType> = module.types().cloned().collect();
        for (index, fields) in &self.family {
            let mut changed = types[*index as usize].clone();
            let mut fields = fields.clone();
            fields.remove(self.field);
            let fields = fields.into();
            changed.composite_type.inner = CompositeInnerType::Struct(StructType { fields });
            module.replaced.insert(*index, changed);
        }
        module.encode(&BTreeSet::new())
    }

    /// A body without the field; nothing, if it does not use the structures.
    fn edited(&self, body: &Body<'_>) -> Option<Vec<u8>> {
        let mut replaced: BTreeMap<usize, Vec<u8>> = BTreeMap::new();
        for at in 0..body.code.len() {
            let Some(mut instruction) = body.instruction(at) else {
                continue;
            };
            let (ty, field) = match &mut instruction {
                Instruction::StructNew(ty) => {
                    if let Some(fields) = self.family.get(ty)
                        && let Some(operand) = body.operand(at, fields.len() - 1 - self.field)
                    {
                        replaced.extend(operand.map(|index| (index, Vec::new())));
                    }
                    continue;
                }
                Instruction::StructGet {
                    struct_type_index,
                    field_index,
                }
                | Instruction::StructGetS {
                    struct_type_index,
                    field_index,
                }
                | Instruction::StructGetU {
                    struct_type_index,
                    field_index,
                }
                | Instruction::StructSet {
                    struct_type_index,
                    field_index,
                } => (*struct_type_index, field_index),
                _ => continue,
            };
            let Some(fields) = self.family.get(&ty) else {
                continue;
            };
            let bytes = match (*field as usize).cmp(&self.field) {
                std::cmp::Ordering::Less => continue,
                std::cmp::Ordering::Greater => {
                    *field -= 1;
                    encoded(&instruction)
                }
                std::cmp::Ordering::Equal => {
                    let mut bytes = encoded(&Instruction::Drop);
                    match instruction {
                        Instruction::StructSet { .. } => bytes.extend(encoded(&Instruction::Drop)),
                        _ => defaults(&[value(fields[self.field])?], &mut bytes),
                    }
                    bytes
                }
            };
            // Not where it is part of an operand that goes.
            replaced.entry(at).or_insert(bytes);
        }
        (!replaced.is_empty()).then(|| body.with_all(&replaced))
    }
}

/// The type of what a field is read as.
fn value(field: FieldType) -> Option<ValType> {
    match field.element_type {
        StorageType::I8 | StorageType::I16 => Some(ValType::I32),
        StorageType::Val(ty) => RoundtripReencoder.val_type(ty).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reduce::module::validate;

    const FAMILY: &str = "(module
        (type $base (sub (struct (field i8) (field (mut i64)))))
        (type $more (sub $base (struct (field i8) (field (mut i64)) (field (mut i8)))))
        (type $other (sub (struct (field i32))))
        (func (export \"run\") (result i32)
          (local (ref null $more))
          (local.set 0 (struct.new $more
            (i32.const 5)
            (block (result i64) (nop) (i64.const 6))
            (i32.add (i32.const 3) (i32.const 4))))
          (struct.set $base 1 (local.get 0) (i64.const 1))
          (drop (struct.new $other (struct.get_u $more 0 (local.get 0))))
          (struct.get_s $more 2 (local.get 0))))";

    fn text(step: Step) -> Option<String> {
        match step {
            Step::To(wasm) => {
                validate(&wasm).unwrap();
                Some(wasmprinter::print_bytes(&wasm).unwrap())
            }
            Step::None | Step::End => None,
        }
    }

    #[test]
    fn a_field_goes_with_its_operands_and_all_that_reads_it() {
        let wasm = wat::parse_str(FAMILY).unwrap();
        let without = |ty: usize, field| text(without_field(&wasm, ty * FIELDS + field));
        let first = without(0, 0).unwrap();
        for kept in [
            "i64.const 6",
            "i32.const 3",
            "struct.set 0 0",
            "struct.get_s 1 1",
        ] {
            assert!(first.contains(kept), "{kept}: {first}");
        }
        for gone in ["i32.const 5", "(field i8)"] {
            assert!(!first.contains(gone), "{gone}: {first}");
        }
        // From the subtype as from the supertype.
        assert_eq!(without(1, 0), Some(first));
        let second = without(1, 1).unwrap();
        assert!(!second.contains("i64 ") && second.contains("struct.get_s 1 1"));
        // Only the subtype has the third.
        let third = without(1, 2).unwrap();
        assert!(!third.contains("i32.add") && third.contains("i64.const 6"));
        assert_eq!(without(0, 2), None);
        assert!(matches!(without_field(&wasm, 4 * FIELDS), Step::End));
    }

    #[test]
    fn supertypes_go_and_what_nothing_is_a_subtype_of_is_final() {
        let alone = FAMILY.replace("struct.set $base", "struct.set $more");
        let wasm = wat::parse_str(alone).unwrap();
        let candidate = |index| match without_supertypes(&wasm, index) {
            Step::To(wasm) => Some(wasm),
            Step::None | Step::End => None,
        };
        // The first one has to stay open.
        assert!(validate(&candidate(0).unwrap()).is_err());
        assert_eq!(candidate(1), None);
        let alone = text(Step::To(candidate(2).unwrap())).unwrap();
        assert!(
            !alone.contains("(sub 0") && !alone.contains("(sub final"),
            "{alone}"
        );
        assert!(text(Step::To(candidate(4).unwrap())).is_some());
        assert!(matches!(without_supertypes(&wasm, 8), Step::End));
    }
}
