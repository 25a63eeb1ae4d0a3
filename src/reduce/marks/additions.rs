//! What marks add to a module: a global, and functions that mix values into it.

use super::Kept;
use crate::reduce::body::{defaults, encoded};
use crate::reduce::module::{Added, Module, Space};
use std::collections::HashMap;
use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{
    AbstractHeapType, BlockType, Catch, ConstExpr, Encode, FuncType, Function, GlobalType,
    HeapType, Instruction, RefType, ValType,
};
use wasmparser::{CompositeInnerType, Operator};

/// The types of a module, as far as marks need them.
pub(super) struct Types {
    types: Vec<Type>,
    /// The type of each function.
    functions: Vec<u32>,
    imported: u32,
    /// The type of each tag.
    tags: Vec<u32>,
}

enum Type {
    Func(FuncType),
    /// The index of the function type.
    Cont(u32),
    Object,
}

/// What marks need to know of an instruction.
#[derive(Default)]
pub(super) struct Shape {
    /// The number of its operands, if they are to be shown.
    pub(super) operands: Option<usize>,
    /// Whether an exception may arrive there that comes from another stack.
    pub(super) raises: bool,
    /// The type of the continuation that it uses up. The reference is its last operand.
    pub(super) consumes: Option<u32>,
    /// The type of the continuation that is its result.
    pub(super) makes: Option<u32>,
}

impl Types {
    pub(super) fn of(module: &Module<'_>) -> Types {
        let types = module.types().map(|ty| match &ty.composite_type.inner {
            CompositeInnerType::Func(ty) => {
                let ty = RoundtripReencoder.func_type(ty.clone());
                ty.map_or(Type::Object, Type::Func)
            }
            CompositeInnerType::Cont(ty) => {
                let index = ty.0.as_module_index();
                index.map_or(Type::Object, Type::Cont)
            }
            _ => Type::Object,
        });
        Types {
            types: types.collect(),
            functions: module.function_types().collect(),
            imported: module.imported(Space::Function),
            tags: module.tag_types().collect(),
        }
    }

    pub(super) fn func(&self, ty: u32) -> Option<&FuncType> {
        match self.types.get(ty as usize)? {
            Type::Func(ty) => Some(ty),
            _ => None,
        }
    }

    /// The type of a function by its number among the defined ones.
    pub(super) fn defined(&self, function: usize) -> Option<&FuncType> {
        let index = self.imported as usize + function;
        self.func(*self.functions.get(index)?)
    }

    /// The function type of a continuation type.
    fn cont(&self, ty: u32) -> Option<&FuncType> {
        match self.types.get(ty as usize)? {
            Type::Cont(ty) => self.func(*ty),
            _ => None,
        }
    }

    fn tag(&self, tag: u32) -> Option<&FuncType> {
        self.func(*self.tags.get(tag as usize)?)
    }

    /// Whether a continuation of this type can be resumed with default values.
    pub(super) fn resumable(&self, ty: u32) -> bool {
        self.cont(ty)
            .is_some_and(|ty| ty.params().iter().all(ValType::is_defaultable))
    }

    /// What marks need to know of an operator; nothing, if it is none that a trace has an event of.
    pub(super) fn shape(&self, operator: &Operator<'_>) -> Option<Shape> {
        let params = |ty: Option<&FuncType>| Some(ty?.params().len());
        Some(match *operator {
            Operator::Suspend { tag_index } => Shape {
                operands: params(self.tag(tag_index)),
                raises: true,
                ..Shape::default()
            },
            Operator::Resume {
                cont_type_index, ..
            } => Shape {
                operands: Some(params(self.cont(cont_type_index))? + 1),
                raises: true,
                consumes: Some(cont_type_index),
                makes: None,
            },
            Operator::ResumeThrow {
                cont_type_index,
                tag_index,
                ..
            } => Shape {
                operands: Some(params(self.tag(tag_index))? + 1),
                raises: true,
                consumes: Some(cont_type_index),
                makes: None,
            },
            Operator::ResumeThrowRef {
                cont_type_index, ..
            } => Shape {
                operands: Some(2),
                raises: true,
                consumes: Some(cont_type_index),
                makes: None,
            },
            // Of the parameters, the last is the reference that `switch` makes.
            Operator::Switch {
                cont_type_index, ..
            } => Shape {
                operands: params(self.cont(cont_type_index)),
                raises: true,
                consumes: Some(cont_type_index),
                makes: None,
            },
            Operator::ContBind {
                argument_index,
                result_index,
            } => {
                let all = params(self.cont(argument_index))?;
                let bound = all.checked_sub(params(self.cont(result_index))?)?;
                Shape {
                    operands: Some(bound + 1),
                    raises: false,
                    consumes: Some(argument_index),
                    makes: Some(result_index),
                }
            }
            Operator::Throw { tag_index } => Shape {
                operands: params(self.tag(tag_index)),
                ..Shape::default()
            },
            Operator::Call { function_index } if function_index < self.imported => {
                let ty = self.functions.get(function_index as usize)?;
                Shape {
                    operands: params(self.func(*ty)),
                    raises: true,
                    ..Shape::default()
                }
            }
            Operator::ContNew { cont_type_index } => Shape {
                makes: Some(cont_type_index),
                ..Shape::default()
            },
            Operator::TryTable { .. } => Shape::default(),
            _ => return None,
        })
    }

    /// Whether a heap type is one of objects, so that references to it are `anyref`.
    fn is_any(&self, ty: HeapType) -> bool {
        use AbstractHeapType as Of;
        match ty {
            HeapType::Abstract { ty, .. } => matches!(
                ty,
                Of::Any | Of::Eq | Of::I31 | Of::Struct | Of::Array | Of::None
            ),
            HeapType::Concrete(ty) | HeapType::Exact(ty) => {
                matches!(self.types.get(ty as usize), Some(Type::Object))
            }
        }
    }
}

/// Which functions are added for values of a type.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Mixer {
    I64,
    F32,
    F64,
    Any,
    Exception,
}

/// What is added to a module, with the indices that it will have there.
pub(super) struct Additions<'t> {
    types: &'t Types,
    added: Added,
    first_type: u32,
    first_function: u32,
    first_global: u32,
    known_types: HashMap<FuncType, u32>,
    mixers: HashMap<Mixer, u32>,
    kept: HashMap<(u32, Kept), u32>,
}

impl<'t> Additions<'t> {
    pub(super) fn new(module: &Module<'_>, types: &'t Types) -> Additions<'t> {
        let mut additions = Additions {
            types,
            added: Added::default(),
            first_type: types.types.len() as u32,
            first_function: types.functions.len() as u32,
            first_global: module.globals(),
            known_types: HashMap::new(),
            mixers: HashMap::new(),
            kept: HashMap::new(),
        };
        additions.global(ValType::I64, &ConstExpr::i64_const(0));
        additions
    }

    pub(super) fn finish(self) -> Added {
        self.added
    }

    fn global(&mut self, val_type: ValType, value: &ConstExpr) -> u32 {
        let ty = GlobalType {
            val_type,
            mutable: true,
            shared: false,
        };
        self.added.globals.push((ty, value.clone()));
        self.first_global + self.added.globals.len() as u32 - 1
    }

    /// The index of a function type.
    pub(super) fn ty(&mut self, params: &[ValType], results: &[ValType]) -> u32 {
        let ty = FuncType::new(params.iter().copied(), results.iter().copied());
        let next = self.first_type + self.added.types.len() as u32;
        *self.known_types.entry(ty.clone()).or_insert_with(|| {
            self.added.types.push(ty);
            next
        })
    }

    fn function(&mut self, params: &[ValType], body: &Function) -> u32 {
        let ty = self.ty(params, &[]);
        self.added.functions.push((ty, body.clone()));
        self.first_function + self.added.functions.len() as u32 - 1
    }

    /// Code that mixes a number into the global.
    pub(super) fn number(&mut self, number: i64, out: &mut Vec<u8>) {
        Instruction::I64Const(number).encode(out);
        self.mix(ValType::I64, &[], out);
    }

    /// Code that mixes a value into the global that `get` puts on the stack; if `get` is empty, it is there.
    pub(super) fn mix(&mut self, ty: ValType, get: &[u8], out: &mut Vec<u8>) {
        match ty {
            ValType::V128 => {
                let mixer = self.mixer(Mixer::I64);
                for lane in [0, 1] {
                    out.extend(get);
                    Instruction::I64x2ExtractLane(lane).encode(out);
                    Instruction::Call(mixer).encode(out);
                }
                return;
            }
            _ => out.extend(get),
        }
        let mixer = match ty {
            ValType::I32 => {
                Instruction::I64ExtendI32S.encode(out);
                Mixer::I64
            }
            ValType::F32 => Mixer::F32,
            ValType::F64 => Mixer::F64,
            ValType::Ref(ty) if self.types.is_any(ty.heap_type) => Mixer::Any,
            ValType::Ref(_) => {
                Instruction::RefIsNull.encode(out);
                Instruction::I64ExtendI32U.encode(out);
                Mixer::I64
            }
            ValType::I64 | ValType::V128 => Mixer::I64,
        };
        Instruction::Call(self.mixer(mixer)).encode(out);
    }

    /// Code that mixes in which exception there is; an exception reference, not null, is on the stack.
    pub(super) fn exception(&mut self, out: &mut Vec<u8>) {
        let mixer = self.mixer(Mixer::Exception);
        Instruction::Call(mixer).encode(out);
    }

    fn mixer(&mut self, mixer: Mixer) -> u32 {
        if let Some(index) = self.mixers.get(&mixer) {
            return *index;
        }
        let index = match mixer {
            Mixer::I64 => self.mixer_of_integers(),
            Mixer::F32 => self.mixer_of_floats(
                ValType::F32,
                &[
                    Instruction::LocalGet(0),
                    Instruction::I32ReinterpretF32,
                    Instruction::I64ExtendI32S,
                ],
                Instruction::F32Eq,
            ),
            Mixer::F64 => self.mixer_of_floats(
                ValType::F64,
                &[Instruction::LocalGet(0), Instruction::I64ReinterpretF64],
                Instruction::F64Eq,
            ),
            Mixer::Any => self.mixer_of_objects(),
            Mixer::Exception => self.mixer_of_exceptions(),
        };
        self.mixers.insert(mixer, index);
        index
    }

    fn mixer_of_integers(&mut self) -> u32 {
        let global = self.first_global;
        let body = body(&[
            Instruction::GlobalGet(global),
            Instruction::I64Const(31),
            Instruction::I64Mul,
            Instruction::LocalGet(0),
            Instruction::I64Add,
            Instruction::GlobalSet(global),
            Instruction::End,
        ]);
        self.function(&[ValType::I64], &body)
    }

    /// The bits of a NaN are not determined, so all of them count as the same.
    fn mixer_of_floats(
        &mut self,
        ty: ValType,
        bits: &[Instruction<'_>],
        eq: Instruction<'_>,
    ) -> u32 {
        let integers = self.mixer(Mixer::I64);
        let mut code = bits.to_vec();
        code.extend([
            Instruction::I64Const(-1),
            Instruction::LocalGet(0),
            Instruction::LocalGet(0),
            eq,
            Instruction::Select,
            Instruction::Call(integers),
            Instruction::End,
        ]);
        self.function(&[ty], &body(&code))
    }

    /// Of an object, its kind; of an `i31`, the value.
    fn mixer_of_objects(&mut self) -> u32 {
        let integers = self.mixer(Mixer::I64);
        let abstract_type = |ty| HeapType::Abstract { shared: false, ty };
        let mut code = Vec::new();
        for (kind, test) in [
            (1, Some(AbstractHeapType::I31)),
            (2, Some(AbstractHeapType::Struct)),
            (3, Some(AbstractHeapType::Array)),
            (4, None),
        ] {
            code.push(Instruction::LocalGet(0));
            code.push(match test {
                Some(ty) => Instruction::RefTestNonNull(abstract_type(ty)),
                None => Instruction::RefIsNull,
            });
            code.push(Instruction::If(BlockType::Empty));
            code.extend([Instruction::I64Const(kind), Instruction::Call(integers)]);
            if test == Some(AbstractHeapType::I31) {
                code.extend([
                    Instruction::LocalGet(0),
                    Instruction::RefCastNonNull(abstract_type(AbstractHeapType::I31)),
                    Instruction::I31GetS,
                    Instruction::I64ExtendI32S,
                    Instruction::Call(integers),
                ]);
            }
            code.push(Instruction::End);
        }
        code.push(Instruction::End);
        let anyref = RefType {
            nullable: true,
            heap_type: abstract_type(AbstractHeapType::Any),
        };
        self.function(&[ValType::Ref(anyref)], &body(&code))
    }

    /// Of an exception, its tag and values: it is thrown again, and caught by each tag in turn.
    fn mixer_of_exceptions(&mut self) -> u32 {
        let mut code = Vec::new();
        let mut locals = Vec::new();
        for tag in 0..self.types.tags.len() as u32 {
            let payload = match self.types.tag(tag) {
                Some(ty) if ty.results().is_empty() => ty.params().to_vec(),
                // Nothing can throw it.
                _ => continue,
            };
            let ty = self.ty(&[], &payload);
            for instruction in [
                Instruction::Block(BlockType::Empty),
                Instruction::Block(BlockType::FunctionType(ty)),
                Instruction::TryTable(
                    BlockType::Empty,
                    [Catch::One { tag, label: 0 }, Catch::All { label: 1 }][..].into(),
                ),
                Instruction::LocalGet(0),
                Instruction::ThrowRef,
                Instruction::End,
                Instruction::Unreachable,
                Instruction::End,
            ] {
                instruction.encode(&mut code);
            }
            let first = 1 + locals.len() as u32;
            for local in (first..first + payload.len() as u32).rev() {
                Instruction::LocalSet(local).encode(&mut code);
            }
            self.number(tag.into(), &mut code);
            for (local, ty) in (first..).zip(&payload) {
                let get = encoded(&Instruction::LocalGet(local));
                self.mix(*ty, &get, &mut code);
            }
            locals.extend(payload);
            Instruction::End.encode(&mut code);
        }
        Instruction::End.encode(&mut code);
        let mut function = Function::new_with_locals_types(locals);
        function.raw(code);
        self.function(&[ValType::EXNREF], &function)
    }

    /// The global that keeps a continuation reference of this type for an export that tries to use it.
    pub(super) fn kept(&mut self, ty: u32, kept: Kept) -> Option<u32> {
        if let Some(global) = self.kept.get(&(ty, kept)) {
            return Some(*global);
        }
        let heap_type = HeapType::Concrete(ty);
        let reference = RefType {
            nullable: true,
            heap_type,
        };
        let null = ConstExpr::ref_null(heap_type);
        let global = self.global(ValType::Ref(reference), &null);
        let cont = self.types.cont(ty)?;
        let mut code = Vec::new();
        defaults(cont.params(), &mut code);
        Instruction::GlobalGet(global).encode(&mut code);
        Instruction::Resume {
            cont_type_index: ty,
            resume_table: [][..].into(),
        }
        .encode(&mut code);
        for _ in cont.results() {
            Instruction::Drop.encode(&mut code);
        }
        Instruction::End.encode(&mut code);
        let mut function = Function::new([]);
        function.raw(code);
        let function = self.function(&[], &function);
        let name = match kept {
            Kept::First => format!("use of the first {ty}"),
            Kept::Last => format!("use of the last {ty}"),
        };
        self.added.exports.push((name, function));
        self.kept.insert((ty, kept), global);
        Some(global)
    }
}

fn body(code: &[Instruction<'_>]) -> Function {
    let mut function = Function::new([]);
    for instruction in code {
        function.instruction(instruction);
    }
    function
}
