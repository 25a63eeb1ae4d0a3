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
    state.steps(|wasm| {
        let module = Module::read(wasm).ok()?;
        Some(Box::new(move |index| without_supertypes(&module, index)))
    })?;
    state.steps(|wasm| {
        let (module, bodies) = (Module::read(wasm).ok()?, body::read(wasm, None).ok()?);
        let fields = fields(&module);
        Some(Box::new(move |index| match fields.get(index) {
            None => Step::End,
            Some(&(ty, field)) => without_field(&module, &bodies, ty, field).into(),
        }))
    })
}

/// A type without supertypes, final if nothing else needs it not to be.
fn without_supertypes(module: &Module<'_>, index: usize) -> Step {
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
    let mut module = module.clone();
    module.replaced.insert(index, alone);
    module.encode(&BTreeSet::new()).into()
}

/// Every field of every structure.
fn fields(module: &Module<'_>) -> Vec<(u32, usize)> {
    let of_type = |(index, ty): (u32, &SubType)| {
        let count = match &ty.composite_type.inner {
            CompositeInnerType::Struct(structure) => structure.fields.len(),
            _ => 0,
        };
        (0..count).map(move |field| (index, field))
    };
    (0..).zip(module.types()).flat_map(of_type).collect()
}

/// A structure without one of its fields, and with it all that it has the field from, or that have it from it.
fn without_field(
    module: &Module<'_>,
    bodies: &[Body<'_>],
    ty: u32,
    field: usize,
) -> Option<Vec<u8>> {
    let family = family(module, ty, field);
    Field { field, family }.removed(module, bodies)
}

/// A structure and all its supertypes and subtypes that have this field, each with its fields.
fn family(module: &Module<'_>, ty: u32, field: usize) -> BTreeMap<u32, Vec<FieldType>> {
    let types: Vec<&SubType> = module.types().collect();
    let supers = |ty: u32| {
        let supers = types[ty as usize].supertype_idxs.iter();
        supers.filter_map(|index| index.as_module_index())
    };
    let mut subtypes = vec![Vec::new(); types.len()];
    for ty in 0..types.len() as u32 {
        supers(ty).for_each(|of| subtypes[of as usize].push(ty));
    }
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
        work.extend(&subtypes[ty as usize]);
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
    fn removed(&self, module: &Module<'_>, bodies: &[Body<'_>]) -> Option<Vec<u8>> {
        let edited: Vec<Option<Vec<u8>>> = bodies.iter().map(|body| self.edited(body)).collect();
        let mut module = module.clone();
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
            replaced.insert(at, bytes);
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
        let (module, bodies) = (
            Module::read(&wasm).unwrap(),
            body::read(&wasm, None).unwrap(),
        );
        let without = |ty, field| text(without_field(&module, &bodies, ty, field).into());
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
        let fields = fields(&module);
        assert_eq!(fields, [(0, 0), (0, 1), (1, 0), (1, 1), (1, 2), (2, 0)]);
    }

    #[test]
    fn supertypes_go_and_what_nothing_is_a_subtype_of_is_final() {
        let alone = FAMILY.replace("struct.set $base", "struct.set $more");
        let wasm = wat::parse_str(alone).unwrap();
        let module = Module::read(&wasm).unwrap();
        let candidate = |index| match without_supertypes(&module, index) {
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
        assert!(matches!(without_supertypes(&module, 8), Step::End));
    }
}
