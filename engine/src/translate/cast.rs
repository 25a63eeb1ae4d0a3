//! What a reference refers to: `ref.eq`, `ref.test`, `ref.cast` and the branches on casts.

use super::{FuncTranslator, Libcall};
use crate::compile::signature::trusted;
use crate::error::{Error, TrapKind};
use crate::planted::planted;
use crate::runtime::heap::object::{HOST_TAG, Header, I31_TAG, STRUCT, TAGS};
use crate::runtime::layout::FuncRef;
use crate::types::{HeapTop, HeapType};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{Block, InstBuilder, Value, types};
use std::mem::offset_of;
use wasmparser::{Operator, ValidatorResources, WasmModuleResources};

/// The rule for branches on casts that the validator leaves out, because it knows a proposal that does without: the type that is
/// tested for matches the operand's.
///
/// # Errors
/// [`Error::Invalid`], when it does not.
pub(super) fn check_branch(
    resources: &ValidatorResources,
    operator: &Operator<'_>,
    offset: u64,
) -> Result<(), Error> {
    let (Operator::BrOnCast {
        from_ref_type,
        to_ref_type,
        ..
    }
    | Operator::BrOnCastFail {
        from_ref_type,
        to_ref_type,
        ..
    }) = operator
    else {
        return Ok(());
    };
    let (mut from, mut to) = (*from_ref_type, *to_ref_type);
    resources.check_ref_type(&mut from, offset)?;
    resources.check_ref_type(&mut to, offset)?;
    if resources.is_subtype(to.into(), from.into()) {
        return Ok(());
    }
    Err(Error::Invalid {
        message: format!("type mismatch: expected {from_ref_type}, found {to_ref_type}"),
        offset: offset as usize,
    })
}

impl FuncTranslator<'_, '_> {
    /// Translates the instructions that compare or test references; `false` for others.
    pub(super) fn translate_cast(&mut self, operator: &Operator<'_>) -> bool {
        use Operator as O;
        match *operator {
            O::RefEq => {
                let (first, second) = self.pop2();
                let same = self.b.ins().icmp(IntCC::Equal, first, second);
                let same = self.b.ins().uextend(types::I32, same);
                self.push1(same);
            }
            O::RefTestNonNull { hty } => self.translate_ref_test(false, hty),
            O::RefTestNullable { hty } => self.translate_ref_test(true, hty),
            O::RefCastNonNull { hty } => self.translate_ref_cast(false, hty),
            O::RefCastNullable { hty } => self.translate_ref_cast(true, hty),
            O::BrOnCast {
                relative_depth,
                to_ref_type,
                ..
            } => self.translate_br_on_cast(relative_depth, to_ref_type, false),
            O::BrOnCastFail {
                relative_depth,
                to_ref_type,
                ..
            } => self.translate_br_on_cast(relative_depth, to_ref_type, true),
            _ => return false,
        }
        true
    }

    fn translate_ref_test(&mut self, nullable: bool, heap: wasmparser::HeapType) {
        let reference = self.pop1();
        let is = self.is_of_type(reference, nullable, heap);
        let is = self.b.ins().uextend(types::I32, is);
        self.push1(is);
    }

    fn translate_ref_cast(&mut self, nullable: bool, heap: wasmparser::HeapType) {
        let reference = *self.stack.last().expect("validated");
        let is = self.is_of_type(reference, nullable, heap);
        self.trapz(is, TrapKind::CastFailure);
    }

    fn translate_br_on_cast(&mut self, depth: u32, to: wasmparser::RefType, on_failure: bool) {
        let reference = *self.stack.last().expect("validated");
        let is = self.is_of_type(reference, to.is_nullable(), to.heap_type());
        self.branch_if(is, depth, on_failure);
    }

    /// Whether a reference is of type `(ref null? heap)`, which is of the same hierarchy, as an `i8`.
    fn is_of_type(
        &mut self,
        reference: Value,
        nullable: bool,
        heap: wasmparser::HeapType,
    ) -> Value {
        let heap = HeapType::in_section(&self.env.info.types, heap);
        match heap {
            HeapType::Any | HeapType::Func | HeapType::Extern | HeapType::Exn | HeapType::Cont => {
                if nullable {
                    self.b.ins().iconst(types::I8, 1)
                } else {
                    self.icmp_imm(IntCC::NotEqual, reference, 0)
                }
            }
            HeapType::None
            | HeapType::NoFunc
            | HeapType::NoExtern
            | HeapType::NoExn
            | HeapType::NoCont => {
                if nullable {
                    self.icmp_imm(IntCC::Equal, reference, 0)
                } else {
                    self.b.ins().iconst(types::I8, 0)
                }
            }
            HeapType::I31 => {
                let tag = self.b.ins().band_imm_u(reference, I31_TAG as i64);
                let is = self.icmp_imm(IntCC::NotEqual, tag, 0);
                if !nullable {
                    return is;
                }
                let null = self.icmp_imm(IntCC::Equal, reference, 0);
                self.b.ins().bor(is, null)
            }
            HeapType::Eq => {
                let tags = self.b.ins().band_imm_u(reference, TAGS as i64);
                let is = self.icmp_imm(IntCC::NotEqual, tags, HOST_TAG as i64);
                if nullable {
                    return is;
                }
                let some = self.icmp_imm(IntCC::NotEqual, reference, 0);
                self.b.ins().band(is, some)
            }
            HeapType::Struct | HeapType::Array | HeapType::Concrete(_) => {
                self.is_object_of_type(reference, nullable, &heap)
            }
        }
    }

    /// [`is_of_type`](Self::is_of_type) where only the object can tell.
    fn is_object_of_type(&mut self, reference: Value, nullable: bool, heap: &HeapType) -> Value {
        let done = self.block_with(&[types::I8]);
        let some = self.b.create_block();
        let of_null = self.b.ins().iconst(types::I8, i64::from(nullable));
        self.b
            .ins()
            .brif(reference, some, &[], done, &super::block_args(&[of_null]));
        self.enter(some);
        if heap.top() == HeapTop::Any {
            let object = self.b.create_block();
            let tags = self.b.ins().band_imm_u(reference, TAGS as i64);
            let no = self.b.ins().iconst(types::I8, 0);
            let no = super::block_args(&[no]);
            self.b.ins().brif(tags, done, &no, object, &[]);
            self.enter(object);
        }
        let is = match heap {
            HeapType::Concrete(ty) => self.has_type(reference, ty.index(), heap.top()),
            kind => {
                let offset = offset_of!(Header, length) as i32;
                let flags = trusted().with_readonly();
                let length = self.b.ins().load(types::I32, flags, reference, offset);
                let condition = match kind {
                    HeapType::Struct => IntCC::Equal,
                    _ => IntCC::NotEqual,
                };
                let mark = self.i32const(STRUCT);
                self.b.ins().icmp(condition, length, mark)
            }
        };
        self.b.ins().jump(done, &super::block_args(&[is]));
        self.enter(done);
        self.b.block_params(done)[0]
    }

    fn enter(&mut self, block: Block) {
        self.b.switch_to_block(block);
        self.b.seal_block(block);
    }

    /// Whether the object or function behind a reference has the module's type `type_index` or a subtype of it, as an `i8`.
    fn has_type(&mut self, reference: Value, type_index: u32, top: HeapTop) -> Value {
        let flags = trusted().with_readonly();
        let offset = match top {
            HeapTop::Func => offset_of!(FuncRef, type_id),
            _ => offset_of!(Header, type_id),
        };
        let actual = self
            .b
            .ins()
            .load(types::I32, flags, reference, offset as i32);
        let offset = self.offsets().type_id(type_index);
        let expected = self.b.ins().load(types::I32, flags, self.vmctx, offset);
        let same = self.b.ins().icmp(IntCC::Equal, actual, expected);
        if self.env.info.types.get(type_index).is_final
            || planted!(in self.env.engine.config, CastExactType)
        {
            return same;
        }
        let (slow, done) = (self.b.create_block(), self.block_with(&[types::I8]));
        self.b.set_cold_block(slow);
        let yes = super::block_args(&[same]);
        self.b.ins().brif(same, done, &yes, slow, &[]);
        self.enter(slow);
        let matches = self.libcall(Libcall::IsSubtype, &[actual, expected]);
        let matches = matches.expect("the runtime function has a result");
        let matches = self.b.ins().ireduce(types::I8, matches);
        self.b.ins().jump(done, &super::block_args(&[matches]));
        self.enter(done);
        self.b.block_params(done)[0]
    }
}
