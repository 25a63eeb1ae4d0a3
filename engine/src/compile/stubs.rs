//! The shared stubs of an engine: the few places that execute `stack_switch`.
//!
//! A stub calls the runtime function that does the bookkeeping, switches on the context that this names, and looks at the
//! control word that arrives. It stands between compiled code and the switch so that an exception can leave through the call
//! site of the stub, so that sites stay small, and so that every register that a switch loses is saved in one place.
//! Stubs are compiled once per engine, and never change.

use super::code::{Code, CodeBuilder};
use super::signature::trusted;
use super::trap_codes::internal_error;
use crate::config::Config;
use crate::error::Error;
use crate::planted::planted;
use crate::runtime::entry::Activation;
use crate::runtime::fiber::{
    ClauseKind, Control, Fiber, GENERATION, HandlerClause, HandlerList, State,
};
use crate::runtime::layout::VmStore;
use crate::runtime::{aggregate, exn, sanitizer, switch, unwind};
use cranelift_codegen::Context;
use cranelift_codegen::ir::{
    AbiParam, Block, BlockArg, InstBuilder, Signature, Value, condcodes::IntCC, types,
};
use cranelift_codegen::isa::{CallConv, TargetIsa};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use std::mem::offset_of;

/// Addresses of the stubs. All have the Tail convention and take 64-bit words.
#[derive(Debug)]
pub(crate) struct Stubs {
    code: Code,
    resume: u32,
    resume_throw: u32,
    suspend: u32,
    switch: u32,
    cont_new: u32,
    cont_bind: u32,
    exn_new: u32,
    object_new: u32,
}

impl Stubs {
    pub fn compile(isa: &dyn TargetIsa, config: &Config) -> Result<Self, Error> {
        let mut builder = CodeBuilder::new(config);
        let mut stub = |params: usize, body: fn(&mut Stub<'_>, &[Value])| -> u32 {
            let mut signature = Signature::new(CallConv::Tail);
            signature
                .params
                .extend(std::iter::repeat_n(AbiParam::new(types::I64), params));
            signature.returns.push(AbiParam::new(types::I64));
            let mut context = Context::new();
            context.func.signature = signature;
            let mut frontend = FunctionBuilderContext::new();
            let mut b = FunctionBuilder::new(&mut context.func, &mut frontend);
            let entry = b.create_block();
            b.append_block_params_for_function_params(entry);
            b.switch_to_block(entry);
            let params = b.block_params(entry).to_vec();
            let mut stub = Stub {
                b,
                store: params[0],
                inlined: config.inlines_switches(),
                keeps_limit: planted!(in config, LimitKept),
                reuses_reference: planted!(in config, InlinedReferenceReused),
            };
            body(&mut stub, &params);
            stub.b.seal_all_blocks();
            stub.b.finalize(isa.frontend_config());
            builder
                .add(isa, &mut context, None)
                .expect("stubs are small")
                .offset
        };
        // (store, fiber, handlers, vmctx, results) -> control
        let resume = stub(5, |s, params| {
            if s.inlined {
                s.resume_inline(params);
            }
            let context = s.call(switch::resume_prepare as *const () as usize, params, true);
            s.raise_if_null(context);
            let control = s.switch(context, context, Control::RETURN);
            s.b.ins().return_(&[control]);
        });
        // (store, fiber, handlers, vmctx, results, exception) -> control
        let resume_throw = stub(6, |s, params| {
            let context = s.call(
                switch::resume_throw_prepare as *const () as usize,
                params,
                true,
            );
            s.raise_if_null(context);
            let control = s.switch(context, context, Control::THROW);
            s.b.ins().return_(&[control]);
        });
        // (store, tag, payload) -> 0
        let suspend = stub(3, |s, params| {
            if s.inlined {
                s.suspend_inline(params);
            }
            let context = s.call(switch::suspend_prepare as *const () as usize, params, true);
            s.raise_if_null(context);
            let store = s.store;
            let control = s.b.ins().load(
                types::I64,
                trusted(),
                store,
                offset_of!(VmStore, control) as i32,
            );
            let control = s.switch_with(context, context, control);
            s.resumed(control);
        });
        // (store, target, tag, payload, count) -> 0
        let switch = stub(5, |s, params| {
            let context = s.call(switch::switch_prepare as *const () as usize, params, true);
            s.raise_if_null(context);
            let store = s.store;
            let load =
                s.b.ins()
                    .iadd_imm_u(store, offset_of!(VmStore, switch_context) as i64);
            let control = s.switch(context, load, Control::RETURN);
            s.resumed(control);
        });
        // Runtime functions that return null with the reason pending when something runs out.
        // (store, vmctx, func, capacity, results) -> reference
        let cont_new = stub(5, |s, params| {
            s.call_or_raise(switch::cont_new as *const () as usize, params)
        });
        // (store, fiber, count) -> reference
        let cont_bind = stub(3, |s, params| {
            s.call_or_raise(switch::cont_bind as *const () as usize, params)
        });
        // (store, tag, count) -> exception
        let exn_new = stub(3, |s, params| {
            s.call_or_raise(exn::exn_new as *const () as usize, params)
        });
        // (store, header, bytes) -> object
        let object_new = stub(3, |s, params| {
            s.call_or_raise(aggregate::object_new as *const () as usize, params)
        });
        Ok(Stubs {
            code: builder.finish(isa, |_| unreachable!("stubs call no Wasm function"))?,
            resume,
            resume_throw,
            suspend,
            switch,
            cont_new,
            cont_bind,
            exn_new,
            object_new,
        })
    }

    pub fn resume(&self) -> usize {
        self.code.memory.address(self.resume) as usize
    }

    pub fn resume_throw(&self) -> usize {
        self.code.memory.address(self.resume_throw) as usize
    }

    pub fn suspend(&self) -> usize {
        self.code.memory.address(self.suspend) as usize
    }

    pub fn switch(&self) -> usize {
        self.code.memory.address(self.switch) as usize
    }

    pub fn cont_new(&self) -> usize {
        self.code.memory.address(self.cont_new) as usize
    }

    pub fn cont_bind(&self) -> usize {
        self.code.memory.address(self.cont_bind) as usize
    }

    pub fn exn_new(&self) -> usize {
        self.code.memory.address(self.exn_new) as usize
    }

    pub fn object_new(&self) -> usize {
        self.code.memory.address(self.object_new) as usize
    }
}

struct Stub<'a> {
    b: FunctionBuilder<'a>,
    store: Value,
    /// Whether the common path is generated in front of the call of the runtime.
    inlined: bool,
    /// A bug, if it is planted: a stack that a continuation resumes runs under the limit of its resumer.
    keeps_limit: bool,
    /// A bug, if it is planted: a suspension hands out the reference by which the continuation was resumed.
    reuses_reference: bool,
}

impl Stub<'_> {
    /// Calls a runtime function.
    fn call(&mut self, address: usize, args: &[Value], returns: bool) -> Value {
        let mut signature = Signature::new(CallConv::SystemV);
        signature
            .params
            .extend(std::iter::repeat_n(AbiParam::new(types::I64), args.len()));
        if returns {
            signature.returns.push(AbiParam::new(types::I64));
        }
        let signature = self.b.import_signature(signature);
        let address = self.b.ins().iconst(types::I64, address as i64);
        let call = self.b.ins().call_indirect(signature, address, args);
        if returns {
            self.b.inst_results(call)[0]
        } else {
            self.store
        }
    }

    /// Raises what is pending when a runtime function has returned null.
    fn raise_if_null(&mut self, context: Value) {
        let go_on = self.b.create_block();
        let raise = self.b.create_block();
        self.b.set_cold_block(raise);
        self.b.ins().brif(context, go_on, &[], raise, &[]);
        self.b.switch_to_block(raise);
        self.raise();
        self.b.switch_to_block(go_on);
    }

    fn call_or_raise(&mut self, address: usize, params: &[Value]) {
        let result = self.call(address, params, true);
        self.raise_if_null(result);
        self.b.ins().return_(&[result]);
    }

    fn raise(&mut self) {
        let mut signature = Signature::new(CallConv::Tail);
        signature.params.push(AbiParam::new(types::I64));
        let signature = self.b.import_signature(signature);
        let address = self
            .b
            .ins()
            .iconst(types::I64, unwind::raise as *const () as usize as i64);
        self.b
            .ins()
            .call_indirect(signature, address, &[self.store]);
        self.b.ins().trap(internal_error());
    }

    fn switch(&mut self, store: Value, load: Value, control: u64) -> Value {
        let control = self.b.ins().iconst(types::I64, control as i64);
        self.switch_with(store, load, control)
    }

    fn switch_with(&mut self, store: Value, load: Value, control: Value) -> Value {
        let received = self.b.ins().stack_switch(store, load, control);
        if sanitizer::ENABLED {
            self.call(
                sanitizer::arrive as *const () as usize,
                &[self.store],
                false,
            );
        }
        received
    }

    /// The suspended side goes on: by values, or by raising an exception. Anything else is a bug.
    fn resumed(&mut self, control: Value) {
        let raise = self.b.create_block();
        let go_on = self.b.create_block();
        self.b.set_cold_block(raise);
        let throws = self
            .b
            .ins()
            .icmp_imm_u(IntCC::Equal, control, Control::THROW as i64);
        self.b.ins().brif(throws, raise, &[], go_on, &[]);
        self.b.switch_to_block(raise);
        self.raise();
        self.b.switch_to_block(go_on);
        self.b.ins().trapnz(control, internal_error());
        self.b.ins().return_(&[control]);
    }
}

/// The common paths, which do what the runtime's `resume_prepare` and `suspend_prepare` do when nothing else is asked of them
/// (see [`Config::inlines_switches`]). What they cannot do falls through to the call of the runtime, with nothing changed.
impl Stub<'_> {
    fn load(&mut self, base: Value, offset: usize) -> Value {
        self.b
            .ins()
            .load(types::I64, trusted(), base, offset as i32)
    }

    fn save(&mut self, value: Value, base: Value, offset: usize) {
        self.b.ins().store(trusted(), value, base, offset as i32);
    }

    /// A block with parameters of one word each.
    fn block_with(&mut self, params: usize) -> (Block, Vec<Value>) {
        let block = self.b.create_block();
        for _ in 0..params {
            self.b.append_block_param(block, types::I64);
        }
        (block, self.b.block_params(block).to_vec())
    }

    fn jump(&mut self, block: Block, args: &[Value]) {
        let args: Vec<BlockArg> = args.iter().copied().map(BlockArg::Value).collect();
        self.b.ins().jump(block, &args);
    }

    /// Sets the state of the stacks from `innermost` out to `outermost`.
    fn mark(&mut self, innermost: Value, outermost: Value, state: State) {
        let (one, params) = self.block_with(1);
        let (next, marked) = (self.b.create_block(), self.b.create_block());
        self.jump(one, &[innermost]);
        self.b.switch_to_block(one);
        let fiber = params[0];
        let state = self.b.ins().iconst(types::I32, state as i64);
        self.save(state, fiber, offset_of!(Fiber, state));
        let last = self.b.ins().icmp(IntCC::Equal, fiber, outermost);
        self.b.ins().brif(last, marked, &[], next, &[]);
        self.b.switch_to_block(next);
        let parent = self.load(fiber, offset_of!(Fiber, parent));
        self.jump(one, &[parent]);
        self.b.switch_to_block(marked);
    }

    fn resume_inline(&mut self, params: &[Value]) {
        let &[store, fiber, handlers, vmctx, results] = params else {
            unreachable!("five parameters")
        };
        let (go_on, slow) = (self.b.create_block(), self.b.create_block());
        self.b.set_cold_block(slow);
        let word = self.load(fiber, offset_of!(Fiber, word));
        let generation = self.b.ins().iconst(types::I64, GENERATION as i64);
        let next = self.b.ins().iadd(word, generation);
        let fits = self.b.ins().icmp(IntCC::UnsignedGreaterThan, next, word);
        self.b.ins().brif(fits, go_on, &[], slow, &[]);

        self.b.switch_to_block(go_on);
        let current = self.load(store, offset_of!(VmStore, current));
        let innermost = self.load(fiber, offset_of!(Fiber, innermost));
        self.save(next, fiber, offset_of!(Fiber, word));
        self.save(handlers, fiber, offset_of!(Fiber, handlers));
        self.save(vmctx, fiber, offset_of!(Fiber, handler_vmctx));
        self.save(results, fiber, offset_of!(Fiber, results));
        self.save(current, fiber, offset_of!(Fiber, parent));
        self.mark(innermost, fiber, State::Running);
        let mut limit = self.load(innermost, offset_of!(Fiber, limit));
        if self.keeps_limit {
            let kept = self.load(store, offset_of!(VmStore, stack_limit));
            limit = self.b.ins().select(current, kept, limit);
        }
        self.save(innermost, store, offset_of!(VmStore, current));
        self.save(limit, store, offset_of!(VmStore, stack_limit));
        let context = offset_of!(Fiber, context) as i64;
        let context = self.b.ins().iadd_imm_u(fiber, context);
        let control = self.switch(context, context, Control::RETURN);
        self.b.ins().return_(&[control]);
        self.b.switch_to_block(slow);
    }

    fn suspend_inline(&mut self, params: &[Value]) {
        let &[store, tag, payload] = params else {
            unreachable!("three parameters")
        };
        let (walk, walked) = self.block_with(1);
        let (clauses, at) = self.block_with(2);
        let [look, test, same, next, outwards, found, slow, inner, host] =
            std::array::from_fn(|_| self.b.create_block());
        let (switch, limit) = self.block_with(1);
        self.b.set_cold_block(slow);
        let current = self.load(store, offset_of!(VmStore, current));
        self.jump(walk, &[current]);

        // The stacks of the running chain, from the innermost one out to the host's.
        self.b.switch_to_block(walk);
        let fiber = walked[0];
        self.b.ins().brif(fiber, look, &[], slow, &[]);
        self.b.switch_to_block(look);
        let list = self.load(fiber, offset_of!(Fiber, handlers));
        let vmctx = self.load(fiber, offset_of!(Fiber, handler_vmctx));
        let first = self.load(list, offset_of!(HandlerList, first));
        let len = self.load(list, offset_of!(HandlerList, len));
        let size = size_of::<HandlerClause>() as i64;
        let bytes = self.b.ins().imul_imm_u(len, size);
        let end = self.b.ins().iadd(first, bytes);
        let control = self.b.ins().iconst(types::I64, Control::suspend(0) as i64);
        self.jump(clauses, &[first, control]);

        // The clauses of one list.
        self.b.switch_to_block(clauses);
        let (clause, control) = (at[0], at[1]);
        let over = self.b.ins().icmp(IntCC::Equal, clause, end);
        self.b.ins().brif(over, outwards, &[], test, &[]);
        self.b.switch_to_block(test);
        let offset = offset_of!(HandlerClause, tag_offset) as i32;
        let offset = self.b.ins().uload32(trusted(), clause, offset);
        let entry = self.b.ins().iadd(vmctx, offset);
        let handled = self.load(entry, 0);
        let equal = self.b.ins().icmp(IntCC::Equal, handled, tag);
        self.b.ins().brif(equal, same, &[], next, &[]);
        self.b.switch_to_block(same);
        const { assert!(ClauseKind::Suspend as u32 == 0) };
        let kind = offset_of!(HandlerClause, kind) as i32;
        let kind = self.b.ins().uload32(trusted(), clause, kind);
        self.b.ins().brif(kind, next, &[], found, &[]);
        self.b.switch_to_block(next);
        let clause = self.b.ins().iadd_imm_u(clause, size);
        let next_control = self.b.ins().iadd_imm_u(control, 1);
        self.jump(clauses, &[clause, next_control]);
        self.b.switch_to_block(outwards);
        let parent = self.load(fiber, offset_of!(Fiber, parent));
        self.jump(walk, &[parent]);

        // Captured are the stacks out to `fiber`, which the handling site has resumed.
        self.b.switch_to_block(found);
        self.mark(current, fiber, State::Suspended);
        let parent = self.load(fiber, offset_of!(Fiber, parent));
        let mut word = self.load(fiber, offset_of!(Fiber, word));
        if self.reuses_reference {
            let generation = self.b.ins().iconst(types::I64, GENERATION as i64);
            word = self.b.ins().isub(word, generation);
            self.save(word, fiber, offset_of!(Fiber, word));
        }
        let null = self.b.ins().iconst(types::I64, 0);
        self.save(current, fiber, offset_of!(Fiber, innermost));
        self.save(null, fiber, offset_of!(Fiber, parent));
        self.save(payload, fiber, offset_of!(Fiber, buffer));
        self.save(null, fiber, offset_of!(Fiber, handlers));
        self.save(payload, store, offset_of!(VmStore, payload));
        self.save(word, store, offset_of!(VmStore, suspended));
        self.save(parent, store, offset_of!(VmStore, current));
        self.b.ins().brif(parent, inner, &[], host, &[]);
        self.b.switch_to_block(inner);
        let own = self.load(parent, offset_of!(Fiber, limit));
        self.jump(switch, &[own]);
        self.b.switch_to_block(host);
        let activation = self.load(store, offset_of!(VmStore, activation));
        let base = self.load(activation, offset_of!(Activation, base_limit));
        self.jump(switch, &[base]);
        self.b.switch_to_block(switch);
        self.save(limit[0], store, offset_of!(VmStore, stack_limit));
        let context = offset_of!(Fiber, context) as i64;
        let context = self.b.ins().iadd_imm_u(fiber, context);
        let received = self.switch_with(context, context, control);
        self.resumed(received);
        self.b.switch_to_block(slow);
    }
}
