//! The body of a function takes the place of its only call.

use super::body::{self, Body, relabel};
use super::module::{Module, Space};
use super::state::{Ended, State, Step};
use std::collections::{BTreeMap, BTreeSet};
use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{BlockType, Encode, Instruction, ValType};
use wasmparser::{BinaryReader, CompositeInnerType, FunctionBody, Operator};

/// Tries it for every function. A function that something else refers to stays, since then nothing would become smaller.
pub(super) fn reduce(state: &mut State<'_>) -> Result<(), Ended> {
    state.steps(|wasm| {
        let (module, bodies) = (Module::read(wasm).ok()?, body::read(wasm, None).ok()?);
        let calls = only_calls(&bodies, module.imported(Space::Function));
        Some(Box::new(move |number| match calls.get(number) {
            None => Step::End,
            Some(None) => Step::None,
            Some(Some(call)) => inlined(&module, &bodies, number, *call).into(),
        }))
    })
}

/// A call: the number of the body that it is in, and the index of the operator.
type Call = (usize, usize);

/// Of each body the only call of its function, if there is one and no second.
fn only_calls(bodies: &[Body<'_>], imported: u32) -> Vec<Option<Call>> {
    let mut calls = vec![Vec::new(); bodies.len()];
    for (caller, body) in bodies.iter().enumerate() {
        for (at, code) in body.code.iter().enumerate() {
            if let Operator::Call { function_index } = code.operator
                && let Some(callee) = function_index.checked_sub(imported)
            {
                calls[callee as usize].push((caller, at));
            }
        }
    }
    let only = |calls: Vec<Call>| match calls[..] {
        [call] => Some(call),
        _ => None,
    };
    calls.into_iter().map(only).collect()
}

/// The module without the function of this number among the defined ones, if nothing refers to it but this call.
fn inlined(
    module: &Module<'_>,
    bodies: &[Body<'_>],
    number: usize,
    (caller, at): Call,
) -> Option<Vec<u8>> {
    if caller == number {
        return None;
    }
    let ty = module.functions[number];
    let callee = Callee {
        body: &bodies[number],
        ty,
        params: params(module, ty)?,
    };
    let body = callee.in_place_of_call(&bodies[caller], at)?;
    let mut module = module.clone();
    module.bodies[caller] = FunctionBody::new(BinaryReader::new(&body, 0));
    let function = module.imported(Space::Function) + number as u32;
    module.encode(&BTreeSet::from([(Space::Function, function)]))
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
        let params = self.params.len();
        let mut replaced = BTreeMap::new();
        let mut locals = caller.declared.clone();
        let first = caller.params + locals.len() as u32;
        let mut code = Vec::new();
        // Which local of the caller each parameter becomes.
        let mut renamed = BTreeMap::new();
        let taken_at_once = self.takes_parameters_at_once();
        if !taken_at_once {
            for param in (0..params).rev() {
                if self.uses(param as u32) {
                    let local = first + renamed.len() as u32;
                    locals.push(self.params[param]);
                    renamed.insert(param as u32, local);
                    encode(&Instruction::LocalSet(local), &mut code);
                } else if let Some(operand) = caller.operand(at, params - 1 - param) {
                    replaced.extend(operand.map(|index| (index, Vec::new())));
                } else {
                    encode(&Instruction::Drop, &mut code);
                }
            }
        }
        let declared = (params as u32..).zip(&self.body.declared);
        for (local, ty) in declared {
            renamed.insert(local, caller.params + locals.len() as u32);
            locals.push(*ty);
        }
        // Operands that the body takes from its parameters at once, and never again, stay where they are.
        let skipped = if taken_at_once { params } else { 0 };
        let own = skipped..self.end();
        let leaves = own.clone().any(|index| self.leaves(index));
        if leaves {
            encode(&Instruction::Block(self.block(taken_at_once)?), &mut code);
        }
        for index in own {
            let mut instruction = self.body.instruction(index)?;
            match &mut instruction {
                Instruction::LocalGet(local)
                | Instruction::LocalSet(local)
                | Instruction::LocalTee(local) => *local = *renamed.get(local)?,
                Instruction::Return => {
                    instruction = Instruction::Br(self.body.code[index].depth);
                }
                Instruction::ReturnCall(_)
                | Instruction::ReturnCallRef(_)
                | Instruction::ReturnCallIndirect { .. } => return None,
                _ => {}
            }
            encode(&instruction, &mut code);
        }
        if leaves {
            encode(&Instruction::End, &mut code);
        }
        replaced.insert(at, code);
        let bytes = wasm_encoder::Function::new_with_locals_types(locals).into_raw_body();
        Some(caller.with_all_after(bytes, &replaced))
    }

    /// Where the body ends, a `return` that is its last operator left out.
    fn end(&self) -> usize {
        let end = self.body.code.len() - 1;
        let last = end.checked_sub(1).map(|last| &self.body.code[last]);
        let returns =
            last.is_some_and(|last| last.depth == 0 && matches!(last.operator, Operator::Return));
        end - usize::from(returns)
    }

    /// Whether the body uses a local.
    fn uses(&self, local: u32) -> bool {
        let mut code = self.body.code.iter();
        code.any(|code| match code.operator {
            Operator::LocalGet { local_index }
            | Operator::LocalSet { local_index }
            | Operator::LocalTee { local_index } => local_index == local,
            _ => false,
        })
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

fn encode(instruction: &Instruction<'_>, bytes: &mut Vec<u8>) {
    instruction.encode(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engines::{self, Settings};
    use crate::observe::observe;
    use crate::reduce::module::validate;

    fn first_inlined(wasm: &[u8]) -> Option<Vec<u8>> {
        let (module, bodies) = (Module::read(wasm).unwrap(), body::read(wasm, None).unwrap());
        let call = only_calls(&bodies, module.imported(Space::Function))[0];
        inlined(&module, &bodies, 0, call?)
    }

    /// The module without its first function; it returns the same.
    fn checked(text: &str) -> Option<String> {
        let wasm = wat::parse_str(text).unwrap();
        let bodies = body::read(&wasm, None).unwrap();
        let inlined = first_inlined(&wasm)?;
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
        for leaves in [
            "(return (i32.const 3))",
            "(drop (br_if 1 (i32.const 2) (local.get 0)))",
        ] {
            for value in [0, 7] {
                let inlined = checked(&format!(
                    "(module
                      (func $f (param i32 i32) (result i32)
                        (if (local.get 1) (then {leaves}))
                        (i32.add (local.get 0) (local.get 0)))
                      (func (export \"run\") (result i32)
                        (i32.eqz (call $f (i32.const {value}) (i32.const 2)))))"
                ));
                let inlined = inlined.unwrap();
                assert!(inlined.contains("block"), "{inlined}");
                assert!(!inlined.contains("return"), "{inlined}");
            }
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
            assert_eq!(first_inlined(&wasm), None, "{needed}");
        }
    }
}
