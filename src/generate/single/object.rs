//! References and what they refer to: functions, structures of a small hierarchy, arrays of every kind, exceptions.

use super::super::body::Body;
use super::super::types::subtype;
use super::super::types::{ANYREF, nullable};
use super::cx::Cx;
use wasm_encoder::{
    ArrayType, BlockType, Catch, CompositeInnerType, FieldType, HeapType, Ieee32, Ieee64,
    StorageType, StructType, ValType,
};

/// A reference, by how it is made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reference {
    /// The nullable type that it is taken for.
    pub(super) ty: ValType,
    pub(super) make: Make,
}

/// How a reference is made.
#[derive(Clone, Copy, Debug)]
pub(super) enum Make {
    Null,
    I31(i32),
    /// A structure of this level of the hierarchy, its fields by a number.
    Structure(usize, i32),
    /// An array of this kind and length, its elements by a number.
    Array(usize, usize, i32),
    /// One of the functions that calls are tried with.
    Target(usize),
    ExternalI31(i32),
    ExternalStructure(i32),
    /// An exception with this payload.
    Exception(i32),
}

/// Levels of the hierarchy of structures: the root, an open one below it with one more field, a final one below the root that is like
/// it, and a final one below the second.
pub(super) const LEVELS: usize = 4;

/// Kinds of arrays.
pub(super) const ARRAYS: usize = 8;
/// The kind of arrays of references.
pub(super) const ARRAY_OF_ANY: usize = 4;

/// Longest array that is made here.
pub(super) const LENGTH: usize = 9;

fn element(kind: usize) -> StorageType {
    match kind {
        0 => StorageType::I8,
        1 => StorageType::I16,
        2 => StorageType::Val(ValType::I32),
        3 => StorageType::Val(ValType::I64),
        ARRAY_OF_ANY => StorageType::Val(ANYREF),
        5 => StorageType::Val(ValType::F32),
        6 => StorageType::Val(ValType::F64),
        _ => StorageType::Val(ValType::V128),
    }
}

fn mutable(element_type: StorageType) -> FieldType {
    FieldType {
        element_type,
        mutable: true,
    }
}

/// What a field or an element is outside of it.
pub(super) fn unpacked(storage: StorageType) -> ValType {
    match storage {
        StorageType::I8 | StorageType::I16 => ValType::I32,
        StorageType::Val(ty) => ty,
    }
}

impl Cx<'_> {
    /// The fields of a structure.
    pub(super) fn fields(&self, level: usize) -> Vec<StorageType> {
        let mut fields = vec![
            StorageType::I8,
            StorageType::I16,
            StorageType::Val(ValType::I32),
            StorageType::Val(ValType::I64),
            StorageType::Val(ANYREF),
        ];
        if self.features.floats {
            fields.extend([ValType::F32, ValType::F64].map(StorageType::Val));
        }
        if self.features.simd {
            fields.push(StorageType::Val(ValType::V128));
        }
        if level == 1 || level == 3 {
            fields.push(StorageType::I16);
        }
        fields
    }

    /// The type of structures of a level.
    pub(super) fn structure(&mut self, level: usize) -> u32 {
        let fields = self.fields(level).into_iter().map(mutable).collect();
        let inner = CompositeInnerType::Struct(StructType { fields });
        if !self.features.subtyping {
            return self.ty(subtype(inner, true, None));
        }
        let (is_final, above) = match level {
            0 => (false, None),
            1 => (false, Some(0)),
            2 => (true, Some(0)),
            _ => (true, Some(1)),
        };
        let above = above.map(|level| self.structure(level));
        self.ty(subtype(inner, is_final, above))
    }

    /// The type of arrays of a kind.
    pub(super) fn array(&mut self, kind: usize) -> u32 {
        let inner = CompositeInnerType::Array(ArrayType(mutable(element(kind))));
        self.ty(subtype(inner, true, None))
    }

    /// What an array of a kind holds.
    pub(super) fn element(&self, kind: usize) -> StorageType {
        element(kind)
    }

    /// Pushes what a field or an element of this type is by a number.
    fn push_part(&mut self, body: &mut Body, part: StorageType, seed: i32) {
        let wide = i64::from(seed) << 20 ^ i64::from(seed);
        match unpacked(part) {
            ValType::I64 => body.emit().i64_const(wide),
            ValType::F32 => body.emit().f32_const(Ieee32::new(seed.cast_unsigned())),
            ValType::F64 => body.emit().f64_const(Ieee64::new(wide.cast_unsigned())),
            ValType::V128 => body
                .emit()
                .v128_const(i128::from(wide) << 40 ^ i128::from(seed)),
            ValType::Ref(_) => body.emit().i32_const(seed).ref_i31(),
            _ => body.emit().i32_const(seed),
        };
    }

    /// Pushes a reference.
    pub(super) fn push_reference(&mut self, body: &mut Body, reference: Reference) {
        match reference.make {
            Make::Null => {
                if let ValType::Ref(ty) = reference.ty {
                    body.emit().ref_null(ty.heap_type);
                }
            }
            Make::I31(number) => {
                body.emit().i32_const(number).ref_i31();
            }
            Make::Structure(level, seed) => {
                for (index, field) in self.fields(level).into_iter().enumerate() {
                    self.push_part(body, field, seed.wrapping_add(index as i32));
                }
                let ty = self.structure(level);
                body.emit().struct_new(ty);
            }
            Make::Array(kind, length, seed) => {
                for index in 0..length {
                    let part = seed.wrapping_add(index as i32 * 0x0101);
                    self.push_part(body, element(kind), part);
                }
                let ty = self.array(kind);
                body.emit().array_new_fixed(ty, length as u32);
            }
            Make::Target(which) => {
                let function = self.target(which);
                body.emit().ref_func(function);
            }
            Make::ExternalI31(number) => {
                body.emit().i32_const(number).ref_i31().extern_convert_any();
            }
            Make::ExternalStructure(seed) => {
                let make = Make::Structure(0, seed);
                self.push_reference(body, Reference { ty: ANYREF, make });
                body.emit().extern_convert_any();
            }
            Make::Exception(payload) => {
                let tag = self.tag(&[ValType::I32], &[]);
                let block = self.block(&[], &[ValType::I32, ValType::EXNREF]);
                let kept = body.local(ValType::EXNREF);
                body.emit()
                    .block(block)
                    .try_table(BlockType::Empty, [Catch::OneRef { tag, label: 0 }])
                    .i32_const(payload)
                    .throw(tag)
                    .end()
                    .unreachable()
                    .end()
                    .local_set(kept)
                    .drop()
                    .local_get(kept);
            }
        }
    }

    /// Replaces the array of a kind on top by a number that depends on all its elements and their order.
    pub(super) fn digest(&mut self, body: &mut Body, kind: usize) {
        let ty = self.array(kind);
        let (params, results) = ([nullable(ty)], [ValType::I64]);
        let mut inner = Body::new(params.to_vec(), 0);
        let (index, sum) = (inner.local(ValType::I32), inner.local(ValType::I64));
        inner
            .emit()
            .block(BlockType::Empty)
            .loop_(BlockType::Empty)
            .local_get(index)
            .local_get(0)
            .array_len()
            .i32_ge_u()
            .br_if(1)
            .local_get(sum)
            .i64_const(7)
            .i64_rotl()
            .local_get(0)
            .local_get(index);
        match element(kind) {
            StorageType::I8 | StorageType::I16 => inner.emit().array_get_u(ty),
            StorageType::Val(_) => inner.emit().array_get(ty),
        };
        match unpacked(element(kind)) {
            ValType::I64 => {}
            ValType::F32 => {
                inner.emit().i32_reinterpret_f32().i64_extend_i32_u();
            }
            ValType::F64 => {
                inner.emit().i64_reinterpret_f64();
            }
            ValType::V128 => {
                let vector = inner.local(ValType::V128);
                inner
                    .emit()
                    .local_tee(vector)
                    .i64x2_extract_lane(0)
                    .local_get(vector)
                    .i64x2_extract_lane(1)
                    .i64_const(32)
                    .i64_rotl()
                    .i64_xor();
            }
            ValType::Ref(_) => {
                let kept = inner.local(ANYREF);
                let i31 = HeapType::I31;
                inner
                    .emit()
                    .local_tee(kept)
                    .ref_test_non_null(i31)
                    .if_(BlockType::Result(ValType::I32))
                    .local_get(kept)
                    .ref_cast_non_null(i31)
                    .i31_get_u()
                    .else_()
                    .local_get(kept)
                    .ref_is_null()
                    .i32_const(-2)
                    .i32_sub()
                    .end()
                    .i64_extend_i32_u();
            }
            _ => {
                inner.emit().i64_extend_i32_u();
            }
        }
        inner
            .emit()
            .i64_xor()
            .local_set(sum)
            .local_get(index)
            .i32_const(1)
            .i32_add()
            .local_set(index)
            .br(0)
            .end()
            .end()
            .local_get(sum);
        let digest = self.shared_function(&params, &results, inner);
        body.emit().call(digest);
    }
}
