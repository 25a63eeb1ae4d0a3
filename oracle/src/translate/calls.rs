//! Calls and stack switching: operators whose operands stand in consecutive slots.

use std::sync::Arc;

use wasmparser::{Handle, Operator, ResumeTable};

use super::FunctionTranslator;
use super::control::Fixup;
use crate::code::{Clause, ContSite, IndirectSite, Label};
use crate::exec::ops::Op;
use crate::types::{FuncType, ValType, slots};

impl FunctionTranslator<'_> {
    /// Translates a call; false if it is none.
    pub(super) fn call_operator(&mut self, op: &Operator<'_>) -> bool {
        match *op {
            Operator::Call { function_index } => {
                let ty = self
                    .info
                    .func_type(self.info.funcs[function_index as usize]);
                let base = self.pop_consecutive(ty.params.len());
                match function_index.checked_sub(self.info.imported_funcs) {
                    Some(own) => self.emit_abc(Op::Call, base, own, 0),
                    None => self.emit_abc(Op::CallImport, base, function_index, 0),
                };
                self.push_types(&ty.results);
            }
            Operator::CallIndirect {
                type_index,
                table_index,
            } => {
                let ty = self.info.func_type(type_index);
                let index = self.pop();
                let base = self.pop_consecutive(ty.params.len());
                let site = self.indirect_site(type_index, table_index);
                self.emit_abc(Op::CallIndirect, base, site, index);
                self.push_types(&ty.results);
            }
            Operator::CallRef { type_index } => {
                let ty = self.info.func_type(type_index);
                let callee = self.pop();
                let base = self.pop_consecutive(ty.params.len());
                self.emit_abc(Op::CallRef, base, 0, callee);
                self.push_types(&ty.results);
            }
            Operator::ReturnCall { function_index } => {
                let ty = self
                    .info
                    .func_type(self.info.funcs[function_index as usize]);
                self.move_arguments(&ty);
                self.emit_abc(Op::ReturnCall, 0, function_index, 0);
                self.set_unreachable();
            }
            Operator::ReturnCallIndirect {
                type_index,
                table_index,
            } => {
                let ty = self.info.func_type(type_index);
                // At home it is above all arguments, where moving them cannot reach it.
                let index = self.pop_home();
                self.move_arguments(&ty);
                let site = self.indirect_site(type_index, table_index);
                self.emit_abc(Op::ReturnCallIndirect, 0, site, index);
                self.set_unreachable();
            }
            Operator::ReturnCallRef { type_index } => {
                let ty = self.info.func_type(type_index);
                let callee = self.pop_home();
                self.move_arguments(&ty);
                self.emit_abc(Op::ReturnCallRef, 0, 0, callee);
                self.set_unreachable();
            }
            _ => return false,
        }
        true
    }

    fn indirect_site(&mut self, type_index: u32, table: u32) -> u32 {
        self.code.indirect.push(IndirectSite {
            table,
            ty: self.info.types.get(type_index),
        });
        self.code.indirect.len() as u32 - 1
    }

    /// Pops a tail call's arguments and moves them to the frame's base.
    fn move_arguments(&mut self, ty: &FuncType) {
        let base = self.pop_consecutive(ty.params.len());
        let span = slots(&ty.params);
        if span > 0 && base != 0 {
            self.emit_abc(Op::CopySpan, base, span, 0);
        }
    }

    /// Translates an instruction on continuations; false if it is none.
    pub(super) fn continuation_operator(&mut self, op: &Operator<'_>) -> bool {
        match op {
            Operator::ContNew { .. } => {
                let func = self.pop();
                self.produce(Op::ContNew, 0, func, 0, false);
            }
            Operator::ContBind {
                argument_index,
                result_index,
            } => {
                let from = self.info.func_type(*argument_index);
                let to = self.info.func_type(*result_index);
                let count = from.params.len() - to.params.len();
                let bound: Arc<[ValType]> = from.params[..count].into();
                let cont = self.pop_home();
                let base = self.pop_consecutive(count);
                let site = self.cont_site(bound, &to.results, 0);
                self.emit_abc(Op::ContBind, base, site, cont);
                self.push(false);
            }
            Operator::Suspend { tag_index } => {
                let tag = self.info.tags[*tag_index as usize].clone();
                let base = self.pop_consecutive(tag.params.len());
                self.emit_abc(Op::Suspend, base, *tag_index, 0);
                self.push_types(&tag.results);
            }
            Operator::Resume {
                cont_type_index,
                resume_table,
            } => {
                let ty = self.info.func_type(*cont_type_index);
                self.resume(Op::Resume, ty.params.clone(), &ty, 0, resume_table);
            }
            Operator::ResumeThrow {
                cont_type_index,
                tag_index,
                resume_table,
            } => {
                let ty = self.info.func_type(*cont_type_index);
                let payload = self.info.tags[*tag_index as usize].params.clone();
                self.resume(Op::ResumeThrow, payload, &ty, *tag_index, resume_table);
            }
            Operator::ResumeThrowRef {
                cont_type_index,
                resume_table,
            } => {
                let ty = self.info.func_type(*cont_type_index);
                let exception: Arc<[ValType]> = Arc::new([EXNREF]);
                self.resume(Op::ResumeThrowRef, exception, &ty, 0, resume_table);
            }
            Operator::Switch {
                cont_type_index,
                tag_index,
            } => {
                // The last parameter is the switcher's continuation, which has what the
                // switcher will receive as parameters.
                let ty = self.info.func_type(*cont_type_index);
                let (last, args) = match ty.params.split_last() {
                    Some((last, args)) => (*last, args),
                    None => unreachable!("validated: a switch's target has a parameter"),
                };
                let received = self.info.func_of(last);
                let cont = self.pop_home();
                let base = self.pop_consecutive(args.len());
                let site = self.cont_site(args.into(), &ty.results, *tag_index);
                self.emit_abc(Op::Switch, base, site, cont);
                self.push_types(&received.params);
            }
            _ => return false,
        }
        true
    }

    fn cont_site(&mut self, args: Arc<[ValType]>, results: &Arc<[ValType]>, tag: u32) -> u32 {
        self.code.sites.push(ContSite {
            arg_slots: slots(&args),
            args,
            tag,
            result_slots: slots(results),
            results: results.clone(),
            clauses: Vec::new(),
        });
        self.code.sites.len() as u32 - 1
    }

    fn resume(
        &mut self,
        op: Op,
        args: Arc<[ValType]>,
        ty: &FuncType,
        tag: u32,
        table: &ResumeTable,
    ) {
        let cont = self.pop_home();
        // A handler finds the operands below at their homes already: its label's block
        // began with sending them there.
        let base = self.pop_consecutive(args.len());
        let site = self.cont_site(args, &ty.results, tag);
        for (index, handle) in (0..).zip(&table.handlers) {
            let clause = match *handle {
                Handle::OnSwitch { tag } => Clause { tag, label: None },
                Handle::OnLabel { tag, label } => {
                    let slot = self.control(label).label_slot();
                    Clause {
                        tag,
                        label: Some(Label { target: 0, slot }),
                    }
                }
            };
            self.code.sites[site as usize].clauses.push(clause);
            if let Handle::OnLabel { label, .. } = *handle {
                self.jump(label, Fixup::Clause(site, index));
            }
        }
        self.emit_abc(op, base, site, cont);
        self.push_types(&ty.results);
    }
}

const EXNREF: ValType = ValType::Ref(crate::types::RefType {
    nullable: true,
    heap: crate::types::HeapType::Exn,
});
