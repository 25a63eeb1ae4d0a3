//! Which stack switch happens around an instruction.

use super::super::Features;
use super::super::body::Body;
use super::super::types::{non_null, nullable};
use super::cx::Cx;
use super::form::Form;
use super::operand::{Route, Value};
use serde::{Deserialize, Serialize};
use wasm_encoder::{BlockType, Catch, Handle, ValType};

/// Which stack switch happens around an instruction, and what of it gets past the switch. The *parameters* are the operands whose
/// route is [`Route::Parameter`]. In files with plans these are numbers: new ones go to the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Crossing {
    /// None.
    #[default]
    None,
    /// The instruction is executed on a continuation that is resumed with the parameters.
    Body,
    /// The same with the parameters bound before.
    Bound,
    /// The same in the callee of a tail call.
    Tail,
    /// The same on a continuation that the first one resumes.
    Nested,
    /// All operands wait on the operand stack while the continuation is suspended.
    Held,
    /// The parameters are what a suspension hands back.
    Fetched,
    /// The results are what the continuation suspends with; it is resumed once more while they wait.
    Given,
    /// An exception is thrown into the continuation, which catches it and then executes the instruction.
    Thrown,
    /// The instruction is executed on a continuation that was switched to with the parameters.
    Switched,
    /// The continuation suspends with the parameters; the instruction is executed by whoever handles it.
    Handled,
}

impl Crossing {
    /// All but none.
    pub const SWITCHES: [Crossing; 10] = [
        Crossing::Body,
        Crossing::Bound,
        Crossing::Tail,
        Crossing::Nested,
        Crossing::Held,
        Crossing::Fetched,
        Crossing::Given,
        Crossing::Thrown,
        Crossing::Switched,
        Crossing::Handled,
    ];

    pub(super) fn is_allowed(self, features: &Features) -> bool {
        match self {
            Crossing::None => true,
            Crossing::Tail => features.stack_switching && features.tail_calls,
            Crossing::Thrown => features.stack_switching && features.exceptions,
            Crossing::Switched => features.stack_switching && features.late_switch_types,
            _ => features.stack_switching,
        }
    }
}

/// An instruction with its operands, about to be placed.
struct Placing {
    form: Form,
    routes: Vec<Route>,
    params: Vec<ValType>,
}

impl Placing {
    /// Pushes the operands, those that are parameters from these locals on, and does the instruction; `then` comes between.
    fn emit(
        self,
        cx: &mut Cx<'_>,
        body: &mut Body,
        first_param: u32,
        then: impl FnOnce(&mut Body),
    ) {
        let mut param = first_param;
        for (value, route) in self.form.operands.iter().zip(&self.routes) {
            if *route == Route::Parameter {
                body.emit().local_get(param);
                param += 1;
            } else {
                cx.push_by(body, value, *route);
            }
        }
        then(body);
        (self.form.emit)(cx, body);
    }
}

fn new_local(body: &mut Body, types: &[ValType]) -> u32 {
    let locals: Vec<u32> = types.iter().map(|&ty| body.local(ty)).collect();
    locals.first().copied().unwrap_or(0)
}

fn set_locals(body: &mut Body, first: u32, count: usize) {
    for index in (0..count as u32).rev() {
        body.emit().local_set(first + index);
    }
}

fn get_params(body: &mut Body, count: usize) {
    for index in 0..count as u32 {
        body.emit().local_get(index);
    }
}

impl Cx<'_> {
    /// The body of an exported function that executes the instruction of this form.
    pub(super) fn placed(&mut self, form: Form, routes: Vec<Route>, crossing: Crossing) -> Body {
        let of_params = form.operands.iter().zip(&routes);
        let of_params = of_params.filter(|(_, route)| **route == Route::Parameter);
        let values: Vec<Value> = of_params.map(|(value, _)| value.clone()).collect();
        let params: Vec<ValType> = values.iter().map(Value::ty).collect();
        let results = form.results.clone();
        let placing = Placing {
            form,
            routes,
            params: params.clone(),
        };
        let mut body = Body::new(Vec::new(), 0);
        let collected = params.iter().any(|ty| matches!(ty, ValType::Ref(_)));
        let crossing = match crossing {
            Crossing::Bound if collected && !self.features.bound_references => Crossing::Body,
            crossing => crossing,
        };
        match crossing {
            Crossing::None if params.is_empty() => placing.emit(self, &mut body, 0, |_| {}),
            Crossing::None => {
                let core = self.core(placing, &results, None);
                self.push_all(&mut body, &values);
                body.emit().call(core);
            }
            Crossing::Body | Crossing::Tail | Crossing::Nested => {
                let mut core = self.core(placing, &results, None);
                let mut outer = Body::new(params.clone(), 0);
                get_params(&mut outer, params.len());
                if crossing == Crossing::Tail {
                    outer.emit().return_call(core);
                    core = self.function(&params, &results, outer);
                } else if crossing == Crossing::Nested {
                    let cont = self.fresh(&mut outer, core, &params, &results);
                    outer.emit().resume(cont, []);
                    core = self.function(&params, &results, outer);
                }
                self.push_all(&mut body, &values);
                let cont = self.fresh(&mut body, core, &params, &results);
                body.emit().resume(cont, []);
            }
            Crossing::Bound => {
                let core = self.core(placing, &results, None);
                self.push_all(&mut body, &values);
                let cont = self.fresh(&mut body, core, &params, &results);
                let bound = self.cont(&[], &results);
                body.emit().cont_bind(cont, bound).resume(bound, []);
            }
            Crossing::Held => {
                let tag = self.tag(&[], &[]);
                let core = self.core(placing, &results, Some(tag));
                self.suspended(&mut body, core, &values, &results, tag);
                let rest = self.cont(&[], &results);
                body.emit().resume(rest, []);
            }
            Crossing::Fetched => {
                let tag = self.tag(&[], &params);
                let mut core = Body::new(Vec::new(), 0);
                let first = new_local(&mut core, &params);
                core.emit().suspend(tag);
                set_locals(&mut core, first, params.len());
                placing.emit(self, &mut core, first, |_| {});
                let core = self.function(&[], &results, core);
                let rest = self.cont(&params, &results);
                let local = body.local(nullable(rest));
                self.suspended_as(&mut body, core, &[], &results, tag, non_null(rest));
                body.emit().local_set(local);
                self.push_all(&mut body, &values);
                body.emit().local_get(local).resume(rest, []);
            }
            Crossing::Given => self.given(&mut body, placing, &values, &results),
            Crossing::Thrown => {
                let (tag, exception) = (self.tag(&[], &[]), self.another_tag());
                let mut core = Body::new(params.clone(), 0);
                let catch = Catch::One {
                    tag: exception,
                    label: 0,
                };
                core.emit()
                    .block(BlockType::Empty)
                    .try_table(BlockType::Empty, [catch])
                    .suspend(tag)
                    .end()
                    .unreachable()
                    .end();
                placing.emit(self, &mut core, 0, |_| {});
                let core = self.function(&params, &results, core);
                self.suspended(&mut body, core, &values, &results, tag);
                let rest = self.cont(&[], &results);
                body.emit().resume_throw(rest, exception, []);
            }
            Crossing::Switched => self.switched(&mut body, placing, &values, &results),
            Crossing::Handled => {
                let tag = self.tag(&params, &[]);
                let mut core = Body::new(params.clone(), 0);
                get_params(&mut core, params.len());
                core.emit().suspend(tag);
                let core = self.function(&params, &[], core);
                self.handed_out(&mut body, core, &values, tag, &params);
                body.emit().drop();
                let first = new_local(&mut body, &params);
                set_locals(&mut body, first, params.len());
                placing.emit(self, &mut body, first, |_| {});
            }
        }
        body
    }

    fn push_all(&mut self, body: &mut Body, values: &[Value]) {
        for value in values {
            self.push(body, value);
        }
    }

    /// A function that takes the parameters and executes the instruction, with a suspension before it if there is a tag.
    fn core(&mut self, placing: Placing, results: &[ValType], held: Option<u32>) -> u32 {
        let params = placing.params.clone();
        let mut core = Body::new(params.clone(), 0);
        placing.emit(self, &mut core, 0, |body| {
            if let Some(tag) = held {
                body.emit().suspend(tag);
            }
        });
        self.function(&params, results, core)
    }

    /// Pushes a new continuation of a function. Returns its type.
    fn fresh(
        &mut self,
        body: &mut Body,
        function: u32,
        params: &[ValType],
        results: &[ValType],
    ) -> u32 {
        let cont = self.cont(params, results);
        body.emit().ref_func(function).cont_new(cont);
        cont
    }

    /// Resumes a continuation of a function with these values until it suspends with the tag, and pushes what is left of it.
    fn suspended(
        &mut self,
        body: &mut Body,
        function: u32,
        values: &[Value],
        results: &[ValType],
        tag: u32,
    ) {
        let rest = self.cont(&[], results);
        self.suspended_as(body, function, values, results, tag, non_null(rest));
    }

    fn suspended_as(
        &mut self,
        body: &mut Body,
        function: u32,
        values: &[Value],
        results: &[ValType],
        tag: u32,
        rest: ValType,
    ) {
        let params: Vec<ValType> = values.iter().map(Value::ty).collect();
        body.emit().block(BlockType::Result(rest));
        self.push_all(body, values);
        let cont = self.fresh(body, function, &params, results);
        let handler = Handle::OnLabel { tag, label: 0 };
        body.emit().resume(cont, [handler]).return_().end();
    }

    fn given(&mut self, body: &mut Body, placing: Placing, values: &[Value], results: &[ValType]) {
        let params = placing.params.clone();
        let tag = self.tag(results, &[]);
        let mut core = Body::new(params.clone(), 0);
        placing.emit(self, &mut core, 0, |_| {});
        core.emit().suspend(tag);
        let core = self.function(&params, &[], core);
        let rest = self.handed_out(body, core, values, tag, results);
        body.emit().resume(rest, []);
    }

    /// Runs a function that returns nothing with these values, to its suspension by `tag`. What that hands out is on the operand
    /// stack then, and a continuation of the type that comes back above it.
    fn handed_out(
        &mut self,
        body: &mut Body,
        function: u32,
        values: &[Value],
        tag: u32,
        handed: &[ValType],
    ) -> u32 {
        let params: Vec<ValType> = values.iter().map(Value::ty).collect();
        let rest = self.cont(&[], &[]);
        let block = self.block(&[], &[handed, &[non_null(rest)]].concat());
        body.emit().block(block);
        self.push_all(body, values);
        let cont = self.fresh(body, function, &params, &[]);
        let handler = Handle::OnLabel { tag, label: 0 };
        body.emit().resume(cont, [handler]).unreachable().end();
        rest
    }

    fn switched(
        &mut self,
        body: &mut Body,
        placing: Placing,
        values: &[Value],
        results: &[ValType],
    ) {
        let params = placing.params.clone();
        let tag = self.tag(&[], results);
        let left = self.cont(&[], results);
        let mut entered = params.clone();
        entered.push(nullable(left));
        let mut core = Body::new(entered.clone(), 0);
        placing.emit(self, &mut core, 0, |_| {});
        let core = self.function(&entered, results, core);
        let mut first = Body::new(params.clone(), 0);
        get_params(&mut first, params.len());
        let target = self.fresh(&mut first, core, &entered, results);
        first.emit().switch(target, tag).unreachable();
        let first = self.function(&params, results, first);
        self.push_all(body, values);
        let cont = self.fresh(body, first, &params, results);
        body.emit().resume(cont, [Handle::OnSwitch { tag }]);
    }
}
