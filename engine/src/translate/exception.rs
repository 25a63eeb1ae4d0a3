//! Exceptions: throwing, and the landing pads of `try_table`.
//!
//! Compiled code has one kind of handler, which takes every exception; the pad compares tags itself, because a tag is known
//! by identity, which only the running instance can tell. What no clause catches goes to the next pad outwards, or is raised
//! again.

use super::call::Callee;
use super::{FuncTranslator, block_args};
use crate::compile::signature::{load_slot, store_slot, trusted};
use crate::compile::trap_codes::internal_error;
use crate::error::TrapKind;
use crate::planted::planted;
use crate::runtime::exn::{EXN_VALUES, ExnObject};
use crate::runtime::layout::VmStore;
use crate::runtime::objects::TagInner;
use crate::runtime::{sanitizer, tracer, unwind};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{Block, InstBuilder, Value, types};
use std::mem::offset_of;
use wasmparser::Catch;

impl FuncTranslator<'_, '_> {
    /// The identity of a tag of this module.
    pub(super) fn tag(&mut self, tag: u32) -> Value {
        let offset = self.offsets().tag(tag);
        self.vmctx_load_ptr(offset)
    }

    /// Parameter types of a tag.
    pub(super) fn tag_params(&self, tag: u32) -> Vec<wasmparser::ValType> {
        self.env
            .info
            .types
            .func(self.env.info.tags[tag as usize])
            .params()
            .to_vec()
    }

    /// Result types of a tag.
    pub(super) fn tag_results(&self, tag: u32) -> Vec<wasmparser::ValType> {
        self.env
            .info
            .types
            .func(self.env.info.tags[tag as usize])
            .results()
            .to_vec()
    }

    /// Raises what is pending. What follows is out of reach, but the caller says so: this may stand in a branch of one operator.
    pub(super) fn raise(&mut self) {
        let signature = self.stub_signature(1, 0);
        let address = self.iconst(unwind::raise as *const () as usize as u64);
        let store = self.store();
        self.emit_call(Callee::Indirect(signature, address), &[store]);
        self.b.ins().trap(internal_error());
    }

    fn raise_exception(&mut self, exception: Value) {
        let store = self.store();
        self.b.ins().store(
            trusted(),
            exception,
            store,
            offset_of!(VmStore, pending_exn) as i32,
        );
        self.raise();
    }

    /// Pops the parameters of `tag` and allocates an exception with them.
    pub(super) fn new_exception(&mut self, tag: u32) -> Value {
        let count = self.tag_params(tag).len();
        let values = self.pop_n(count);
        let identity = self.tag(tag);
        let count = self.iconst(count as u64);
        let store = self.store();
        let stub = self.env.engine.stubs.exn_new;
        let exception = self.runtime_stub_call(stub, &[store, identity, count]);
        let base = self.exception_values(exception);
        for (index, value) in values.into_iter().enumerate() {
            store_slot(&mut self.b, value, base, index);
        }
        exception
    }

    fn exception_values(&mut self, exception: Value) -> Value {
        self.b.ins().iadd_imm_u(exception, i64::from(EXN_VALUES))
    }

    fn throw(&mut self, exception: Value) {
        if let Some(site) = self.trace_site(&[]) {
            let store = self.store();
            self.runtime_call(
                tracer::trace_throw as *const () as usize,
                &[store, site, exception],
                None,
            );
        }
        self.raise_exception(exception);
        self.reachable = false;
    }

    pub(super) fn translate_throw(&mut self, tag: u32) {
        let exception = self.new_exception(tag);
        self.throw(exception);
    }

    pub(super) fn translate_throw_ref(&mut self) {
        let exception = self.pop1();
        self.trapz(exception, TrapKind::NullExceptionReference);
        self.throw(exception);
    }

    /// The code that an exception from inside a `try_table` arrives at. The frame of the `try_table` is closed already, so
    /// labels count from the frame around it.
    pub(super) fn translate_landing_pad(&mut self, pad: Block, catches: &[Catch]) {
        self.b.seal_block(pad);
        self.b.switch_to_block(pad);
        let exception = self.b.block_params(pad)[0];
        let store = self.store();
        if sanitizer::ENABLED {
            self.runtime_call(sanitizer::arrive as *const () as usize, &[store], None);
        }
        let flags = trusted().with_readonly();
        let thrown = self.b.ins().load(
            types::I64,
            flags,
            exception,
            offset_of!(ExnObject, tag) as i32,
        );
        for (clause, catch) in catches.iter().enumerate() {
            let (tag, label, with_reference) = match *catch {
                Catch::One { tag, label } => (Some(tag), label, false),
                Catch::OneRef { tag, label } => (Some(tag), label, true),
                Catch::All { label } => (None, label, false),
                Catch::AllRef { label } => (None, label, true),
            };
            let next = tag.map(|tag| {
                let identity = self.tag(tag);
                let same = if planted!(in self.env.engine.config, CaughtByType) {
                    let ty = std::mem::offset_of!(TagInner, type_id) as i32;
                    let [thrown, caught] = [thrown, identity]
                        .map(|tag| self.b.ins().load(types::I32, trusted(), tag, ty));
                    self.b.ins().icmp(IntCC::Equal, thrown, caught)
                } else {
                    self.b.ins().icmp(IntCC::Equal, thrown, identity)
                };
                let (caught, next) = (self.b.create_block(), self.b.create_block());
                self.b.ins().brif(same, caught, &[], next, &[]);
                self.b.switch_to_block(caught);
                self.b.seal_block(caught);
                self.b.seal_block(next);
                next
            });
            self.translate_catch(exception, clause as u32, tag, label, with_reference);
            match next {
                Some(next) => self.b.switch_to_block(next),
                // Nothing passes a clause that catches everything.
                None => return,
            }
        }
        match self.landing_pad() {
            Some(outer) => {
                self.b.ins().jump(outer, &block_args(&[exception]));
            }
            None => self.raise_exception(exception),
        }
    }

    fn translate_catch(
        &mut self,
        exception: Value,
        clause: u32,
        tag: Option<u32>,
        label: u32,
        with_reference: bool,
    ) {
        if self.env.engine.config.trace {
            let store = self.store();
            let clause = self.i32const(clause);
            self.runtime_call(
                tracer::trace_catch as *const () as usize,
                &[store, exception, clause],
                None,
            );
        }
        let mut args = Vec::new();
        if let Some(tag) = tag {
            let types = self.tag_params(tag);
            let types = self.clif_types(&types);
            let base = self.exception_values(exception);
            for (index, ty) in types.into_iter().enumerate() {
                args.push(load_slot(&mut self.b, ty, base, index));
            }
        }
        if with_reference {
            args.push(exception);
        }
        let (block, arity) = self.label(label);
        debug_assert_eq!(arity, args.len());
        self.b.ins().jump(block, &block_args(&args));
    }
}
