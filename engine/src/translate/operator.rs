//! Which file translates which operator, and what is not implemented.

use super::FuncTranslator;
use super::control::FrameKind;
use crate::module::parse::unsupported_heap_type;
use wasmparser::{BlockType, MemArgTarget, Operator, ValType};

impl FuncTranslator<'_, '_> {
    /// Translates one operator, which has been validated.
    ///
    /// # Errors
    /// The name of the proposal that the operator belongs to, if it is not implemented. Operators out of reach count, so that
    /// whether a module is accepted does not depend on what can be reached.
    pub(super) fn translate_operator(
        &mut self,
        operator: &Operator<'_>,
    ) -> Result<(), &'static str> {
        if let Some(feature) = unsupported_immediate(operator) {
            return Err(feature);
        }
        #[cfg(feature = "planted-bugs")]
        if self.translate_wrongly(operator) {
            return Ok(());
        }
        if self.translate_structured(operator) {
            return Ok(());
        }
        if !self.reachable {
            return unsupported_feature(operator).map_or(Ok(()), Err);
        }
        if self.translate_plain(operator)
            || self.translate_numeric(operator)
            || self.translate_memory(operator)
            || self.translate_vector(operator)
            || self.translate_aggregate(operator)
            || self.translate_cast(operator)
        {
            return Ok(());
        }
        Err(unsupported_feature(operator).unwrap_or("unknown"))
    }

    /// Operators that open and close frames, which matter out of reach as well.
    fn translate_structured(&mut self, operator: &Operator<'_>) -> bool {
        match operator {
            Operator::Block { .. }
            | Operator::Loop { .. }
            | Operator::If { .. }
            | Operator::TryTable { .. }
                if !self.reachable =>
            {
                self.push_dead_frame();
            }
            Operator::Block { blockty } => self.translate_block(*blockty),
            Operator::Loop { blockty } => self.translate_loop(*blockty),
            Operator::If { blockty } => self.translate_if(*blockty),
            Operator::TryTable { try_table } => self.translate_try_table(try_table),
            Operator::Else => {
                if !matches!(
                    self.frames.last().map(|frame| &frame.kind),
                    Some(FrameKind::Dead)
                ) {
                    self.translate_else();
                }
            }
            Operator::End => self.translate_end(),
            _ => return false,
        }
        true
    }

    fn translate_plain(&mut self, operator: &Operator<'_>) -> bool {
        use Operator as O;
        match operator {
            O::Nop => {}
            O::Unreachable => self.translate_unreachable(),
            O::Drop => {
                self.pop1();
            }
            O::Select | O::TypedSelect { .. } => self.translate_select(),
            O::Br { relative_depth } => self.translate_br(*relative_depth),
            O::BrIf { relative_depth } => self.translate_br_if(*relative_depth),
            O::BrTable { targets } => self.translate_br_table(targets),
            O::BrOnNull { relative_depth } => self.translate_br_on_null(*relative_depth),
            O::BrOnNonNull { relative_depth } => self.translate_br_on_non_null(*relative_depth),
            O::Return => self.translate_return(),

            O::Call { function_index } => self.translate_call(*function_index, false),
            O::ReturnCall { function_index } => self.translate_call(*function_index, true),
            O::CallRef { type_index } => self.translate_call_ref(*type_index, false),
            O::ReturnCallRef { type_index } => self.translate_call_ref(*type_index, true),
            O::CallIndirect {
                type_index,
                table_index,
            } => {
                self.translate_call_indirect(*type_index, *table_index, false);
            }
            O::ReturnCallIndirect {
                type_index,
                table_index,
            } => {
                self.translate_call_indirect(*type_index, *table_index, true);
            }

            O::Throw { tag_index } => self.translate_throw(*tag_index),
            O::ThrowRef => self.translate_throw_ref(),

            O::ContNew { cont_type_index } => self.translate_cont_new(*cont_type_index),
            O::ContBind {
                argument_index,
                result_index,
            } => self.translate_cont_bind(*argument_index, *result_index),
            O::Resume {
                cont_type_index,
                resume_table,
            } => self.translate_resume(*cont_type_index, resume_table),
            O::ResumeThrow {
                cont_type_index,
                tag_index,
                resume_table,
            } => {
                self.translate_resume_throw(*cont_type_index, *tag_index, resume_table);
            }
            O::ResumeThrowRef {
                cont_type_index,
                resume_table,
            } => {
                self.translate_resume_throw_ref(*cont_type_index, resume_table);
            }
            O::Suspend { tag_index } => self.translate_suspend(*tag_index),
            O::Switch {
                cont_type_index,
                tag_index,
            } => self.translate_switch(*cont_type_index, *tag_index),

            O::RefNull { .. } => self.translate_ref_null(),
            O::RefIsNull => self.translate_ref_is_null(),
            O::RefFunc { function_index } => self.translate_ref_func(*function_index),
            O::RefAsNonNull => self.translate_ref_as_non_null(),
            O::LocalGet { local_index } => self.translate_local_get(*local_index),
            O::LocalSet { local_index } => self.translate_local_set(*local_index),
            O::LocalTee { local_index } => self.translate_local_tee(*local_index),
            O::GlobalGet { global_index } => self.translate_global_get(*global_index),
            O::GlobalSet { global_index } => self.translate_global_set(*global_index),

            O::TableGet { table } => self.translate_table_get(*table),
            O::TableSet { table } => self.translate_table_set(*table),
            O::TableSize { table } => self.translate_table_size(*table),
            O::TableGrow { table } => self.translate_table_grow(*table),
            O::TableFill { table } => self.translate_table_fill(*table),
            O::TableCopy {
                dst_table,
                src_table,
            } => self.translate_table_copy(*dst_table, *src_table),
            O::TableInit { elem_index, table } => self.translate_table_init(*elem_index, *table),
            O::ElemDrop { elem_index } => self.translate_elem_drop(*elem_index),
            _ => return false,
        }
        true
    }
}

/// The proposal of a type that a supported operator names, or of the form that it has, if that is not implemented.
fn unsupported_immediate(operator: &Operator<'_>) -> Option<&'static str> {
    use Operator as O;
    let block = |ty: &BlockType| match ty {
        BlockType::Type(ty) => unsupported_type(*ty),
        BlockType::Empty | BlockType::FuncType(_) => None,
    };
    match operator {
        O::Block { blockty } | O::Loop { blockty } | O::If { blockty } => block(blockty),
        O::TryTable { try_table } => block(&try_table.ty),
        O::TypedSelect { ty } => unsupported_type(*ty),
        O::RefNull { hty }
        | O::RefTestNonNull { hty }
        | O::RefTestNullable { hty }
        | O::RefCastNonNull { hty }
        | O::RefCastNullable { hty } => unsupported_heap_type(*hty),
        O::BrOnCast {
            from_ref_type,
            to_ref_type,
            ..
        }
        | O::BrOnCastFail {
            from_ref_type,
            to_ref_type,
            ..
        } => unsupported_heap_type(from_ref_type.heap_type())
            .or_else(|| unsupported_heap_type(to_ref_type.heap_type())),
        O::I32Load { memarg }
        | O::I64Load { memarg }
        | O::F32Load { memarg }
        | O::F64Load { memarg }
        | O::I32Load8S { memarg }
        | O::I32Load8U { memarg }
        | O::I32Load16S { memarg }
        | O::I32Load16U { memarg }
        | O::I64Load8S { memarg }
        | O::I64Load8U { memarg }
        | O::I64Load16S { memarg }
        | O::I64Load16U { memarg }
        | O::I64Load32S { memarg }
        | O::I64Load32U { memarg }
        | O::I32Store { memarg }
        | O::I64Store { memarg }
        | O::F32Store { memarg }
        | O::F64Store { memarg }
        | O::I32Store8 { memarg }
        | O::I32Store16 { memarg }
        | O::I64Store8 { memarg }
        | O::I64Store16 { memarg }
        | O::I64Store32 { memarg }
        | O::V128Load { memarg }
        | O::V128Store { memarg }
        | O::V128Load8x8S { memarg }
        | O::V128Load8x8U { memarg }
        | O::V128Load16x4S { memarg }
        | O::V128Load16x4U { memarg }
        | O::V128Load32x2S { memarg }
        | O::V128Load32x2U { memarg }
        | O::V128Load8Splat { memarg }
        | O::V128Load16Splat { memarg }
        | O::V128Load32Splat { memarg }
        | O::V128Load64Splat { memarg }
        | O::V128Load32Zero { memarg }
        | O::V128Load64Zero { memarg }
        | O::V128Load8Lane { memarg, .. }
        | O::V128Load16Lane { memarg, .. }
        | O::V128Load32Lane { memarg, .. }
        | O::V128Load64Lane { memarg, .. }
        | O::V128Store8Lane { memarg, .. }
        | O::V128Store16Lane { memarg, .. }
        | O::V128Store32Lane { memarg, .. }
        | O::V128Store64Lane { memarg, .. } => match memarg.target {
            MemArgTarget::Array(_) => Some("multibyte array access"),
            MemArgTarget::Memory(_) => None,
        },
        _ => None,
    }
}

/// As [`unsupported_heap_type`], of any type.
pub(super) fn unsupported_type(ty: ValType) -> Option<&'static str> {
    match ty {
        ValType::Ref(ty) => unsupported_heap_type(ty.heap_type()),
        _ => None,
    }
}

/// The proposal of an operator that is not implemented, by wasmparser's classification; `None` for the others.
fn unsupported_feature(operator: &Operator<'_>) -> Option<&'static str> {
    macro_rules! classify {
        ($( @$proposal:ident $op:ident $({ $($arg:ident: $argty:ty),* })? => $visit:ident ($($ann:tt)*) )*) => {
            match operator {
                $( Operator::$op { .. } => stringify!($proposal), )*
                _ => "unknown",
            }
        };
    }
    let proposal = wasmparser::for_each_operator!(classify);
    Some(match proposal {
        "mvp"
        | "sign_extension"
        | "saturating_float_to_int"
        | "bulk_memory"
        | "reference_types"
        | "tail_call"
        | "function_references"
        | "gc"
        | "exceptions"
        | "stack_switching"
        | "multi_value"
        | "simd"
        | "relaxed_simd"
        | "wide_arithmetic" => return None,
        "threads" | "shared_everything_threads" => "threads",
        "legacy_exceptions" => "legacy exceptions",
        "memory_control" => "memory control",
        "custom_descriptors" => "custom descriptors",
        other => other,
    })
}
