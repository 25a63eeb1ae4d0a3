//! Weaves actions into a leaf's body.
//!
//! One walk with wasmparser's validator gives, before each operator, whether it is reachable and what lies on top of the
//! operand stack; a second one emits our function: fuel, splices, guards (`guard`), and wasm-smith's operators with their
//! indices mapped. Splices stand at the n-th reachable point, modulo their number, so they survive a changed leaf.

use super::body::Body;
use super::cx::Cx;
use super::guard::float_lanes;
use super::leaf::{self, Raw, Signature, Surroundings};
use super::plan::{Action, Leaf, Task, TaskBody};
use wasm_encoder::reencode::{Error, Reencode, RoundtripReencoder};
use wasm_encoder::{Instruction, ValType};
use wasmparser::{
    FuncValidatorAllocations, Operator, Parser, Payload, ValidPayload, Validator, WasmFeatures,
};

/// A woven function.
pub(super) struct Woven {
    pub(super) body: Body,
    /// Offsets of wasm-smith's own instructions in the body's code.
    pub(super) instructions: Vec<usize>,
}

/// An operator of the leaf and what the validator knows before it.
struct Point<'a> {
    operator: Operator<'a>,
    reachable: bool,
    top: Option<ValType>,
}

/// What the walk over wasm-smith's module found.
#[derive(Default)]
struct Walk<'a> {
    points: Vec<Point<'a>>,
    /// Locals besides the parameters.
    locals: Vec<ValType>,
    /// Types of the globals that wasm-smith added.
    globals: Vec<wasmparser::ValType>,
}

/// Index maps from wasm-smith's module to ours.
pub(super) struct Maps<'a> {
    functions: Vec<u32>,
    tags: Vec<u32>,
    globals: Vec<u32>,
    types: Vec<u32>,
    locals: Vec<u32>,
    /// Signatures by wasm-smith's type index.
    pub(super) signatures: &'a [Signature],
}

impl Reencode for Maps<'_> {
    type Error = std::convert::Infallible;

    fn function_index(&mut self, function: u32) -> Result<u32, Error<Self::Error>> {
        Ok(self.functions[function as usize])
    }

    fn tag_index(&mut self, tag: u32) -> Result<u32, Error<Self::Error>> {
        Ok(self.tags[tag as usize])
    }

    fn global_index(&mut self, global: u32) -> Result<u32, Error<Self::Error>> {
        Ok(self.globals[global as usize])
    }

    fn type_index(&mut self, ty: u32) -> Result<u32, Error<Self::Error>> {
        Ok(self.types[ty as usize])
    }

    fn data_index(&mut self, _: u32) -> Result<u32, Error<Self::Error>> {
        Ok(super::build::PASSIVE_DATA)
    }
}

impl Cx<'_> {
    /// Emits the woven task `index`, whose leaf comes from `blob`.
    pub(super) fn weave(&mut self, index: usize, leaf: &Leaf, blob: &[u8]) -> Woven {
        let task = &self.plan.tasks[index];
        let params = self.tasks[index].params.clone();
        let results = self.family(task.family).results.clone();
        let described = self.plan.task_params(task);
        let returned = &self.plan.families[usize::from(task.family)].results;
        let hidden = !returned.iter().all(|ty| ty.is_visible());
        let shown = leaf::visible(returned, &results);
        let signature = (leaf::visible(&described, &params), shown.clone());
        let surroundings = if leaf.control {
            self.surroundings()
        } else {
            Surroundings::default()
        };
        let raw = leaf::generate(
            blob,
            &signature,
            &surroundings,
            &self.plan.features,
            leaf.control,
            leaf.length,
        );

        let mut body = Body::new(params.clone(), leaf.salt);
        let walk = raw.as_ref().map(walk).unwrap_or_default();
        let visible = (0u32..)
            .zip(&described)
            .filter(|(_, ty)| ty.is_visible())
            .map(|(local, _)| local);
        let mut locals: Vec<u32> = visible.collect();
        locals.extend(walk.locals.iter().map(|&ty| body.local(ty)));
        let signatures = raw.as_ref().map_or(&[][..], |raw| &raw.types);
        let own = self.indices.tasks[index];
        let mut maps = Maps {
            functions: surroundings
                .functions
                .iter()
                .map(|&(function, _)| function)
                .chain([own])
                .collect(),
            tags: surroundings.tags.iter().map(|&(tag, _)| tag).collect(),
            globals: leaf::global_map(walk.globals.iter().copied()),
            types: signatures
                .iter()
                .map(|(params, results)| self.types.func(params, results))
                .collect(),
            locals,
            signatures,
        };

        self.prologue(&mut body, index);
        let reachable = walk.points.iter().filter(|point| point.reachable).count();
        if reachable == 0 {
            for splice in &leaf.splices {
                self.actions(&mut body, &splice.actions);
            }
            self.push(&mut body, &results);
            return Woven {
                body,
                instructions: Vec::new(),
            };
        }
        let mut instructions = Vec::new();
        let mut reached = 0;
        for (
            position,
            Point {
                operator,
                reachable: live,
                top,
            },
        ) in walk.points.iter().enumerate()
        {
            if *live {
                for splice in leaf
                    .splices
                    .iter()
                    .filter(|splice| usize::from(splice.point) % reachable == reached)
                {
                    self.splice(&mut body, *top, &splice.actions);
                }
                reached += 1;
            }
            if position + 1 == walk.points.len() {
                if *live {
                    self.inspect_params(&mut body, index);
                }
                if *live && hidden {
                    // Only a straight leaf has such results, so what it leaves behind is returned here alone.
                    self.complete(&mut body, &results, &shown);
                }
                break;
            }
            let operator = if *live && !leaf.wild {
                let Some(operator) = self.guard(&mut body, operator, &maps, &results) else {
                    continue;
                };
                operator
            } else {
                self.canonical(&mut body, operator);
                operator.clone()
            };
            instructions.push(body.len());
            let is_loop = matches!(operator, Operator::Loop { .. });
            let vector = float_lanes(&operator);
            maps.emit(&mut body, operator);
            if let Some(lanes) = vector {
                let canonical = self.helper(lanes);
                body.emit().call(canonical);
            }
            if is_loop {
                self.tick(&mut body, &results);
            }
        }
        Woven { body, instructions }
    }

    /// What every task does first: fuel, and keeping the peer that it was handed.
    pub(super) fn prologue(&mut self, body: &mut Body, index: usize) {
        let family = self.plan.tasks[index].family;
        let results = self.family(family).results.clone();
        self.tick(body, &results);
        self.inspect_params(body, index);
        self.keep_peer(body, index);
    }

    fn splice(&mut self, body: &mut Body, top: Option<ValType>, actions: &[Action]) {
        let live = top.filter(|ty| {
            matches!(
                ty,
                ValType::I32 | ValType::I64 | ValType::F32 | ValType::F64 | ValType::V128
            )
        });
        if let Some(ty) = live {
            // The value on top flows through the action, and what arrives there may replace it.
            let local = body.scratch(ty);
            body.emit().local_tee(local);
        }
        self.actions(body, actions);
        if let Some(ty) = live.filter(|_| body.pick(2) == 0) {
            let local = body.scratch(ty);
            body.emit().drop().local_get(local);
        }
    }

    /// Makes the results of a function from those of its leaf, which are `shown`, in order.
    fn complete(&mut self, body: &mut Body, results: &[ValType], shown: &[ValType]) {
        let mut locals: Vec<(ValType, u32)> = Vec::new();
        for &ty in shown.iter().rev() {
            let local = body.local(ty);
            body.emit().local_set(local);
            locals.push((ty, local));
        }
        for &ty in results {
            match locals.pop_if(|(shown, _)| *shown == ty) {
                Some((_, local)) => {
                    body.emit().local_get(local);
                }
                None => self.push(body, &[ty]),
            }
        }
    }

    fn surroundings(&self) -> Surroundings {
        let visible = |types: &[super::plan::ValueType]| types.iter().all(|ty| ty.is_visible());
        let mut functions = Vec::new();
        for (index, log) in (0u32..).zip(&self.plan.logs) {
            functions.push((
                index,
                (
                    self.types.values(&log.params),
                    self.types.values(&log.results),
                ),
            ));
        }
        for (index, task) in self.plan.tasks.iter().enumerate() {
            let results = &self.plan.families[usize::from(task.family)].results;
            if matches!(task.body, TaskBody::Woven(_))
                && visible(&self.plan.task_params(task))
                && visible(results)
            {
                let signature = (self.tasks[index].params.clone(), self.types.values(results));
                functions.push((self.indices.tasks[index], signature));
            }
        }
        let throwable = self.plan.throwable().into_iter();
        let tags = throwable
            .filter(|&tag| visible(&self.plan.tags[usize::from(tag)].params))
            .map(|tag| (self.tag(tag), self.tags[usize::from(tag)].0.clone()))
            .collect();
        Surroundings { functions, tags }
    }
}

impl Maps<'_> {
    fn emit(&mut self, body: &mut Body, operator: Operator<'_>) {
        let instruction = match operator {
            Operator::LocalGet { local_index } => {
                Instruction::LocalGet(self.locals[local_index as usize])
            }
            Operator::LocalSet { local_index } => {
                Instruction::LocalSet(self.locals[local_index as usize])
            }
            Operator::LocalTee { local_index } => {
                Instruction::LocalTee(self.locals[local_index as usize])
            }
            operator => self
                .instruction(operator)
                .expect("the language of leaves has no component-model operators"),
        };
        use wasm_encoder::Encode;
        let mut bytes = Vec::new();
        instruction.encode(&mut bytes);
        body.raw(&bytes);
    }
}

fn walk(raw: &Raw) -> Walk<'_> {
    let features = WasmFeatures::default() | WasmFeatures::WIDE_ARITHMETIC;
    let mut validator = Validator::new_with_features(features);
    let mut walk = Walk::default();
    for payload in Parser::new(0).parse_all(&raw.wasm) {
        let payload = payload.expect("wasm-smith's modules parse");
        if let Payload::GlobalSection(section) = &payload {
            let types = section
                .clone()
                .into_iter()
                .map(|global| global.expect("wasm-smith's globals parse").ty);
            walk.globals = types.map(|ty| ty.content_type).collect();
        }
        let ValidPayload::Func(function, body) = validator
            .payload(&payload)
            .expect("wasm-smith's modules are valid")
        else {
            continue;
        };
        let mut function = function.into_validator(FuncValidatorAllocations::default());
        let mut reader = body.get_binary_reader();
        function
            .read_locals(&mut reader)
            .expect("wasm-smith's locals are valid");
        let params = function.len_locals();
        let declared = body.get_locals_reader().expect("wasm-smith's locals parse");
        for local in declared {
            let (count, ty) = local.expect("wasm-smith's locals parse");
            walk.locals.extend((0..count).map(|_| encoder_type(ty)));
        }
        debug_assert!(params as usize >= walk.locals.len());
        let mut operators = body
            .get_operators_reader()
            .expect("wasm-smith's bodies parse");
        while !operators.eof() {
            let (operator, offset) = operators
                .read_with_offset()
                .expect("wasm-smith's operators parse");
            let live = function
                .get_control_frame(0)
                .is_some_and(|frame| !frame.unreachable);
            let above = function
                .get_control_frame(0)
                .map_or(0, |frame| frame.height);
            let top = function
                .get_operand_type(0)
                .flatten()
                .filter(|_| function.operand_stack_height() as usize > above);
            function
                .op(offset, &operator)
                .expect("wasm-smith's operators are valid");
            walk.points.push(Point {
                operator,
                reachable: live,
                top: top.map(encoder_type),
            });
        }
    }
    walk
}

fn encoder_type(ty: wasmparser::ValType) -> ValType {
    RoundtripReencoder
        .val_type(ty)
        .expect("leaves use no types of their own")
}

impl super::plan::Plan {
    /// The parameters of a task.
    pub(super) fn task_params(&self, task: &Task) -> Vec<super::plan::ValueType> {
        let family = &self.families[usize::from(task.family)];
        match task.entry {
            super::plan::Entry::Switch => {
                let peer = super::plan::ValueType::ContRef(task.family);
                family.switch_values.iter().copied().chain([peer]).collect()
            }
            super::plan::Entry::Loop => task
                .prefix
                .iter()
                .copied()
                .chain(family.loop_params(task.family))
                .collect(),
        }
    }
}
