//! The body of a function takes the place of its only call.

use super::body::{self, Body, encoded, relabel};
use super::module::{Module, Space};
use super::state::{Ended, State, Step};
use std::collections::BTreeSet;
use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{BlockType, Instruction, ValType};
use wasmparser::{BinaryReader, CompositeInnerType, FunctionBody, Operator};

/// Tries it for every function. A function that something else refers to stays, since then nothing would become smaller.
pub(super) fn reduce(state: &mut State<'_>) -> Result<(), Ended> {
    state.steps(|wasm, number| match body::read(wasm, None) {
        Ok(bodies) if number < bodies.len() => inlined(wasm, &bodies, number).into(),
        _ => Step::End,
    })
}

/// The module without the function of this number among the defined ones, if all that refers to it is one call.
fn inlined(wasm: &[u8], bodies: &[Body<'_>], number: usize) -> Option<Vec<u8>> {
    let mut module = Module::read(wasm).ok()?;
    let index = module.imported(Space::Function) + number as u32;
    let (caller, at) = only_call(bodies, index)?;
    if caller == number {
        return None;
    }
    let ty = module.functions[number];
    let callee = Callee {
        body: &bodies[number],
        ty,
        params: params(&module, ty)?,
    };
    let body = callee.in_place_of_call(&bodies[caller], at)?;
    module.bodies[caller] = FunctionBody::new(BinaryReader::new(&body, 0));
    module.encode(&BTreeSet::from([(Space::Function, index)]))
}

/// Where the only call of a function is: the number of the body and the index of the operator.
fn only_call(bodies: &[Body<'_>], callee: u32) -> Option<(usize, usize)> {
    let mut calls = bodies.iter().enumerate().flat_map(|(number, body)| {
        let code = body.code.iter().enumerate();
        let calls = move |operator: &Operator<'_>| {
            matches!(operator, Operator::Call { function_index } if *function_index == callee)
        };
        code.filter(move |(_, code)| calls(&code.operator))
            .map(move |(at, _)| (number, at))
    });
    let call = calls.next()?;
    calls.next().is_none().then_some(call)
}

fn params(module: &Module<'_>, ty: u32) -> Option<Vec<ValType>> {
    let CompositeInnerType::Func(ty) = &module.types().nth(ty as usize)?.composite_type.inner
    else {
        return None;
    };
    let params = ty.params().iter();
    params
        .map(|ty| RoundtripReencoder.val_type(*ty).ok())
        .collect()
}

/// A function that is to be inlined.
struct Callee<'b> {
    body: &'b Body<'b>,
    ty: u32,
    params: Vec<ValType>,
}

impl Callee<'_> {
    /// The body of the caller with this one's in the place of its operator at `at`. Locals that a loop would give their default
    /// values again keep what they have: what a candidate shows is judged anyway.
    fn in_place_of_call(&self, caller: &Body<'_>, at: usize) -> Option<Vec<u8>> {
        let first_local = caller.params + caller.declared.len() as u32;
        let params = self.params.len() as u32;
        // Operands that the body takes from its parameters at once, and never again, may stay where they are.
        let taken_at_once = self.takes_parameters_at_once();
        let mut code = Vec::new();
        let mut locals = caller.declared.clone();
        let skipped = if taken_at_once { params } else { 0 };
        if !taken_at_once {
            locals.extend(&self.params);
            for param in (0..params).rev() {
                code.extend(encoded(&Instruction::LocalSet(first_local + param)));
            }
        }
        locals.extend(&self.body.declared);
        let last = self.body.code.len() - 1;
        let own = || skipped as usize..last;
        let leaves = own().any(|index| self.leaves(index));
        if leaves {
            code.extend(encoded(&Instruction::Block(self.block(taken_at_once)?)));
        }
        for index in own() {
            let depth = self.body.code[index].depth;
            let mut instruction = self.body.instruction(index)?;
            match &mut instruction {
                Instruction::LocalGet(local)
                | Instruction::LocalSet(local)
                | Instruction::LocalTee(local) => *local = *local + first_local - skipped,
                Instruction::Return => instruction = Instruction::Br(depth),
                Instruction::ReturnCall(_)
                | Instruction::ReturnCallRef(_)
                | Instruction::ReturnCallIndirect { .. } => return None,
                _ => {}
            }
            code.extend(encoded(&instruction));
        }
        if leaves {
            code.extend(encoded(&Instruction::End));
        }
        let mut bytes = wasm_encoder::Function::new_with_locals_types(locals).into_raw_body();
        bytes.extend(caller.bytes(0..at));
        bytes.extend(code);
        bytes.extend(caller.bytes(at + 1..caller.code.len()));
        Some(bytes)
    }

    /// Whether the body begins with `local.get` of all parameters in their order, and does not use them afterwards.
    fn takes_parameters_at_once(&self) -> bool {
        let params = self.params.len() as u32;
        let locals = self.body.code.iter().map(|code| match code.operator {
            Operator::LocalGet { local_index } => (Some(local_index), true),
            Operator::LocalSet { local_index } | Operator::LocalTee { local_index } => {
                (Some(local_index), false)
            }
            _ => (None, false),
        });
        locals.enumerate().all(|(index, (local, gets))| {
            if (index as u32) < params {
                gets && local == Some(index as u32)
            } else {
                local.is_none_or(|local| local >= params)
            }
        })
    }

    /// Whether an operator branches out of the function.
    fn leaves(&self, index: usize) -> bool {
        let code = &self.body.code[index];
        if matches!(code.operator, Operator::Return) {
            return true;
        }
        let inside = |label: u32| (label < code.depth).then_some(label);
        let instruction = self.body.instruction(index);
        instruction.is_some_and(|mut instruction| relabel(&mut instruction, inside).is_none())
    }

    /// The type of a block around the body, which has the parameters as its own or none.
    fn block(&self, with_params: bool) -> Option<BlockType> {
        match self.body.results.as_slice() {
            _ if with_params || self.params.is_empty() => Some(BlockType::FunctionType(self.ty)),
            [] => Some(BlockType::Empty),
            [result] => Some(BlockType::Result(*result)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engines::{self, Settings};
    use crate::observe::observe;
    use crate::reduce::module::validate;

    /// The module without its first function; it returns the same.
    fn checked(text: &str) -> Option<String> {
        let wasm = wat::parse_str(text).unwrap();
        let bodies = body::read(&wasm, None).unwrap();
        let inlined = inlined(&wasm, &bodies, 0)?;
        validate(&inlined).unwrap();
        assert_eq!(
            body::read(&inlined, None).unwrap().len() + 1,
            bodies.len(),
            "{text}"
        );
        let oracle = engines::create("oracle", &Settings::default()).unwrap();
        let outcomes = |wasm: &[u8]| {
            let calls = observe(oracle.as_ref(), wasm).calls;
            calls.into_iter().map(|c| c.outcome).collect::<Vec<_>>()
        };
        assert_eq!(outcomes(&inlined), outcomes(&wasm), "{text}");
        assert_eq!(outcomes(&wasm).len(), 1, "{text}");
        Some(wasmprinter::print_bytes(&inlined).unwrap())
    }

    #[test]
    fn operands_that_are_taken_at_once_stay_where_they_are() {
        let inlined = checked(
            "(module (func $sub (param i32 i32) (result i32) (local i32)
                (local.set 2 (i32.sub (local.get 0) (local.get 1))) (local.get 2))
              (func (export \"run\") (result i32) (local i64)
                (call $sub (i32.const 9) (i32.const 2))))",
        )
        .unwrap();
        assert_eq!(inlined.matches("local.set").count(), 1, "{inlined}");
        assert_eq!(inlined.matches("block").count(), 0, "{inlined}");
    }

    #[test]
    fn other_operands_become_locals_and_returns_branches() {
        for (value, branch) in [(0, "return"), (7, "br_if 1")] {
            let inlined = checked(
                &format!(
                    "(module (func $f (param i32 i32) (result i32)
                    local.get 1
                    (block (drop (i32.const 1)) {branch} (local.get 0) drop)
                    (drop) (i32.add (local.get 0) (local.get 0)))
                  (func (export \"run\") (result i32)
                    (i32.eqz (call $f (i32.const {value}) (i32.const 2)))))"
                )
                // `br_if` takes its condition.
                .replace("br_if 1", "(br_if 1 (i32.const 2) (local.get 0)) drop")
                .replace("return", "(return (i32.const 3))"),
            );
            let inlined = inlined.unwrap();
            assert!(inlined.contains("block"), "{inlined}");
            assert!(!inlined.contains("return"), "{inlined}");
        }
    }

    #[test]
    fn blocks_have_the_parameters_that_the_body_takes_at_once() {
        let inlined = checked(
            "(module (func $f (param i32 i32) (result i32 i32)
                (local.get 0) (local.get 1) (br_if 0 (i32.const 1)) (unreachable))
              (func (export \"run\") (result i32)
                (i32.sub (call $f (i32.const 9) (i32.const 2)))))",
        );
        assert!(inlined.unwrap().contains("(param i32 i32)"));
    }

    #[test]
    fn a_function_stays_that_is_needed_otherwise() {
        let of = |rest: &str| {
            checked(&format!(
                "(module (func $f (result i32) (i32.const 1)) {rest}
                  (func (export \"run\") (result i32) (call $f)))"
            ))
        };
        assert!(of("").is_some());
        assert!(of("(elem declare func $f)").is_some());
        for needed in [
            "(export \"f\" (func $f))",
            "(table funcref (elem $f))",
            "(func (drop (call $f)))",
            "(global funcref (ref.func $f))",
        ] {
            let wasm = wat::parse_str(format!(
                "(module (func $f (result i32) (i32.const 1)) {needed}
                  (func (export \"run\") (result i32) (call $f)))"
            ))
            .unwrap();
            let bodies = body::read(&wasm, None).unwrap();
            assert_eq!(inlined(&wasm, &bodies, 0), None, "{needed}");
        }
    }
}
