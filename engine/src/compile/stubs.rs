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
use crate::runtime::fiber::Control;
use crate::runtime::layout::VmStore;
use crate::runtime::{aggregate, exn, sanitizer, switch, unwind};
use cranelift_codegen::Context;
use cranelift_codegen::ir::{AbiParam, InstBuilder, Signature, Value, condcodes::IntCC, types};
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
