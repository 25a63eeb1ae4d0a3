//! The stack-switching instructions.
//!
//! A site checks its continuation, writes the values straight to where the other side will read them, and calls a stub, as
//! it would call any function, but by a `try_call` always, since no register survives a switch: an exception arrives at the innermost
//! landing pad. Values travel without a copy between: a
//! suspended stack's payload slot is at once where its tag's parameters are and where the results of the suspension will be.

use super::FuncTranslator;
use super::call::Callee;
use crate::compile::signature::{load_slot, store_slot, trusted};
use crate::compile::trap_codes::internal_error;
use crate::error::TrapKind;
use crate::planted::planted;
use crate::runtime::fiber::{ClauseKind, Control, Fiber, HandlerClause, HandlerList, SLOT_MASK};
use crate::runtime::layout::{SLOT, VmStore};
use crate::runtime::stacks::stride;
use crate::runtime::{sanitizer, tracer};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Type, Value, types};
use std::mem::offset_of;
use wasmparser::{FuncType, Handle, ResumeTable};

impl FuncTranslator<'_, '_> {
    /// The function type behind a continuation type.
    fn cont_func(&self, type_index: u32) -> FuncType {
        self.env.info.types.cont_func(type_index).clone()
    }

    /// The stack that a continuation reference names. Traps when the reference is null or consumed.
    fn check_continuation(&mut self, reference: Value) -> Value {
        self.trapz(reference, TrapKind::NullContinuationReference);
        let store = self.store();
        // Not `readonly`: the pool maps its stacks at the first `cont.new`.
        let bias = self.b.ins().load(
            types::I64,
            trusted(),
            store,
            offset_of!(VmStore, fiber_bias) as i32,
        );
        let slot = self.b.ins().band_imm_u(reference, SLOT_MASK as i64);
        let stride = stride(self.env.engine.config.fiber_stack_size) as i64;
        let distance = self.b.ins().imul_imm_u(slot, stride);
        let fiber = self.b.ins().iadd(bias, distance);
        let current =
            self.b
                .ins()
                .load(types::I64, trusted(), fiber, offset_of!(Fiber, word) as i32);
        let stale = self.b.ins().icmp(IntCC::NotEqual, current, reference);
        self.trapnz(stale, TrapKind::ContinuationConsumed);
        fiber
    }

    /// Writes `values` to where the next resume of `fiber` takes them from, and returns that address.
    fn give(&mut self, fiber: Value, values: &[Value]) -> Value {
        let buffer = self.b.ins().load(
            types::I64,
            trusted(),
            fiber,
            offset_of!(Fiber, buffer) as i32,
        );
        for (index, &value) in values.iter().enumerate() {
            store_slot(&mut self.b, value, buffer, index);
            if planted!(in self.env.engine.config, VectorsHalved)
                && self.b.func.dfg.value_type(value).is_vector()
            {
                let (none, upper) = (self.iconst(0), SLOT * index as i32 + 8);
                self.b.ins().store(trusted(), none, buffer, upper);
            }
        }
        buffer
    }

    fn load_values(&mut self, types: &[Type], base: Value) {
        for (index, &ty) in types.iter().enumerate() {
            let value = load_slot(&mut self.b, ty, base, index);
            self.push1(value);
        }
    }

    /// Calls a stub that switches stacks, so that an exception can arrive from there. The last of the results is the store's address,
    /// see [`FuncTranslator::store`].
    fn switch_call(&mut self, address: usize, args: &[Value], results: usize) -> Vec<Value> {
        let signature = self.stub_signature(args.len(), results);
        let address = self.iconst(address as u64);
        let pad = self.landing_pad();
        let results = self.emit_try_call(Callee::Indirect(signature, address), args, pad);
        if let (Some(variable), Some(&store)) = (self.store, results.last()) {
            self.b.def_var(variable, store);
        }
        if sanitizer::ENABLED {
            let store = self.store();
            self.runtime_call(sanitizer::arrive as *const () as usize, &[store], None);
        }
        results
    }

    /// `cont.new`
    pub(super) fn translate_cont_new(&mut self, type_index: u32) {
        let func = self.pop1();
        self.trapz(func, TrapKind::NullFunctionReference);
        let ty = self.cont_func(type_index);
        let capacity = self.iconst(ty.params().len().max(ty.results().len()) as u64);
        let num_results = self.iconst(ty.results().len() as u64);
        let store = self.store();
        let vmctx = self.vmctx;
        let stub = self.env.engine.stubs.cont_new;
        let reference = self.runtime_stub_call(stub, &[store, vmctx, func, capacity, num_results]);
        if let Some(site) = self.trace_site(&[]) {
            self.runtime_call(
                tracer::trace_new as *const () as usize,
                &[store, site, reference, func],
                None,
            );
        }
        self.push1(reference);
    }

    /// `cont.bind`
    pub(super) fn translate_cont_bind(&mut self, from: u32, to: u32) {
        let reference = self.pop1();
        let given = self.cont_func(from).params().len() - self.cont_func(to).params().len();
        let values = self.pop_n(given);
        let fiber = self.check_continuation(reference);
        let buffer = self.give(fiber, &values);
        let store = self.store();
        let count = self.iconst(given as u64);
        let stub = self.env.engine.stubs.cont_bind;
        let bound = self.runtime_stub_call(stub, &[store, fiber, count]);
        if let Some(site) = self.trace_site(&self.cont_func(from).params()[..given]) {
            let trace = tracer::trace_bind as *const () as usize;
            self.runtime_call(trace, &[store, site, reference, bound, buffer], None);
        }
        self.push1(bound);
    }

    /// `resume`
    pub(super) fn translate_resume(&mut self, type_index: u32, table: &ResumeTable) {
        let ty = self.cont_func(type_index);
        let reference = self.pop1();
        let values = self.pop_n(ty.params().len());
        let fiber = self.check_continuation(reference);
        let buffer = self.give(fiber, &values);
        if let Some(site) = self.trace_site(ty.params()) {
            let store = self.store();
            let trace = tracer::trace_resume as *const () as usize;
            self.runtime_call(trace, &[store, site, reference, buffer], None);
        }
        let stub = self.env.engine.stubs.resume;
        self.run_continuation(stub, fiber, table, &ty, reference);
    }

    /// `resume_throw`
    pub(super) fn translate_resume_throw(
        &mut self,
        type_index: u32,
        tag: u32,
        table: &ResumeTable,
    ) {
        let reference = self.pop1();
        // As the specification has it, the exception comes before the checks. It must: once they are done, nothing but the address
        // of the stack may be left of the reference, and the collector does not know the continuation by that.
        let exception = self.new_exception(tag);
        let fiber = self.check_continuation(reference);
        self.resume_throw(type_index, reference, fiber, exception, table);
    }

    /// `resume_throw_ref`
    pub(super) fn translate_resume_throw_ref(&mut self, type_index: u32, table: &ResumeTable) {
        let (exception, reference) = self.pop2();
        let fiber = self.check_continuation(reference);
        self.trapz(exception, TrapKind::NullExceptionReference);
        self.resume_throw(type_index, reference, fiber, exception, table);
    }

    fn resume_throw(
        &mut self,
        type_index: u32,
        reference: Value,
        fiber: Value,
        exception: Value,
        table: &ResumeTable,
    ) {
        if let Some(site) = self.trace_site(&[]) {
            let store = self.store();
            let trace = tracer::trace_resume_throw as *const () as usize;
            self.runtime_call(trace, &[store, site, reference, exception], None);
        }
        let ty = self.cont_func(type_index);
        let stub = self.env.engine.stubs.resume_throw;
        self.run_continuation(stub, fiber, table, &ty, exception);
    }

    /// Runs a continuation under the handlers in `table`, and goes on with its results or at a clause's label. `last` is the last
    /// parameter of `stub`.
    fn run_continuation(
        &mut self,
        stub: usize,
        fiber: Value,
        table: &ResumeTable,
        ty: &FuncType,
        last: Value,
    ) {
        let handlers = self.handler_list(table);
        let store = self.store();
        let results = self.payload_address(ty.results().len());
        let vmctx = self.vmctx;
        let args = [store, fiber, handlers, vmctx, results, last];
        let arrived = self.switch_call(stub, &args, 4);
        let &[control, captured, payload, _] = &*arrived else {
            unreachable!("four words arrive at a resume site")
        };

        self.dispatch(control, captured, payload, table);
        if let Some(site) = self.trace_site(ty.results()) {
            let trace = tracer::trace_return as *const () as usize;
            self.runtime_call(trace, &[store, site, results], None);
        }
        let result_types = self.clif_types(ty.results());
        self.load_values(&result_types, results);
    }

    /// Goes on behind the resume site if `control` says that the continuation returned, else at the label of the clause that it
    /// names. Anything else is a bug.
    fn dispatch(&mut self, control: Value, captured: Value, payload: Value, table: &ResumeTable) {
        let labels: Vec<_> = table
            .handlers
            .iter()
            .enumerate()
            .filter_map(|(clause, handle)| match *handle {
                Handle::OnLabel { tag, label } => {
                    Some((Control::suspend(clause as u32) as i64, tag, label))
                }
                Handle::OnSwitch { .. } => None,
            })
            .collect();
        let Some((&(last, last_tag, last_label), others)) = labels.split_last() else {
            self.b.ins().trapnz(control, internal_error());
            return;
        };
        const {
            assert!(
                Control::RETURN == 0,
                "a return is told by a test against zero"
            )
        };
        let (suspended, returned) = (self.b.create_block(), self.b.create_block());
        // In this order, a suspension is what the code falls through to: there are more of them than returns.
        let done = self.icmp_imm(IntCC::Equal, control, Control::RETURN as i64);
        self.b.ins().brif(done, returned, &[], suspended, &[]);
        self.b.seal_block(suspended);
        self.b.seal_block(returned);
        self.b.switch_to_block(suspended);
        for &(word, tag, label) in others {
            let (here, next) = (self.b.create_block(), self.b.create_block());
            let same = self.icmp_imm(IntCC::Equal, control, word);
            self.b.ins().brif(same, here, &[], next, &[]);
            self.b.seal_block(here);
            self.b.seal_block(next);
            self.b.switch_to_block(here);
            self.handle_suspension(tag, label, captured, payload);
            self.b.switch_to_block(next);
        }
        let wrong = self.icmp_imm(IntCC::NotEqual, control, last);
        self.b.ins().trapnz(wrong, internal_error());
        self.handle_suspension(last_tag, last_label, captured, payload);
        self.b.switch_to_block(returned);
    }

    /// Branches to the label of a clause with a suspension's values and its continuation.
    fn handle_suspension(&mut self, tag: u32, label: u32, captured: Value, payload: Value) {
        let types = self.tag_params(tag);
        let types = self.clif_types(&types);
        let height = self.stack.len();
        self.load_values(&types, payload);
        self.push1(captured);
        let args = self.stack.split_off(height);
        let (block, arity) = self.label(label);
        debug_assert_eq!(arity, args.len());
        self.b.ins().jump(block, &super::block_args(&args));
    }

    /// The address of the handler list of a resume site.
    fn handler_list(&mut self, table: &ResumeTable) -> Value {
        let clauses = table
            .handlers
            .iter()
            .map(|handle| {
                let (kind, tag) = match *handle {
                    Handle::OnLabel { tag, .. } => (ClauseKind::Suspend, tag),
                    Handle::OnSwitch { tag } => (ClauseKind::Switch, tag),
                };
                HandlerClause {
                    kind,
                    tag,
                    tag_offset: self.offsets().tag(tag) as u32,
                }
            })
            .collect();
        let list = Box::new(HandlerList::new(clauses));
        let address = &raw const *list as u64;
        self.env.handler_lists.push(list);
        self.iconst(address)
    }

    fn trace_suspension(
        &mut self,
        types: &[wasmparser::ValType],
        tag: Value,
        target: Value,
        values: Value,
    ) {
        if let Some(site) = self.trace_site(types) {
            let store = self.store();
            let trace = tracer::trace_suspend as *const () as usize;
            self.runtime_call(trace, &[store, site, tag, target, values], None);
        }
    }

    /// `suspend`
    pub(super) fn translate_suspend(&mut self, tag: u32) {
        let (params, results) = (self.tag_params(tag), self.tag_results(tag));
        let values = self.pop_n(params.len());
        let payload = self.payload_address(params.len().max(results.len()));
        for (index, value) in values.into_iter().enumerate() {
            store_slot(&mut self.b, value, payload, index);
        }
        let identity = self.tag(tag);
        let none = self.iconst(0);
        self.trace_suspension(&params, identity, none, payload);
        let store = self.store();
        let stub = self.env.engine.stubs.suspend;
        self.switch_call(stub, &[store, identity, payload], 1);
        let types = self.clif_types(&results);
        self.load_values(&types, payload);
    }

    /// `switch`
    pub(super) fn translate_switch(&mut self, type_index: u32, tag: u32) {
        let target_type = self.cont_func(type_index);
        let reference = self.pop1();
        let (own, params) = target_type
            .params()
            .split_last()
            .expect("validation asks for a continuation parameter");
        let values = self.pop_n(params.len());
        let own_type = self.env.info.continuation_type(*own);
        let received = self.cont_func(own_type);
        let fiber = self.check_continuation(reference);
        let buffer = self.give(fiber, &values);
        let payload = self.payload_address(received.params().len());
        let identity = self.tag(tag);
        self.trace_suspension(params, identity, reference, buffer);
        let store = self.store();
        let count = self.iconst(params.len() as u64);
        let stub = self.env.engine.stubs.switch;
        self.switch_call(
            stub,
            &[store, fiber, identity, payload, count, reference],
            1,
        );
        let types = self.clif_types(received.params());
        self.load_values(&types, payload);
    }
}
