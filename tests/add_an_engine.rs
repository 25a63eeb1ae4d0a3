//! The example of docs/add-an-engine.md: an adapter for a toy engine, and what it
//! finds. A test compares the text with this file, so the two cannot part.

use std::collections::HashMap;
use switchback::compare::{Verdict, compare};
use switchback::engines::{
    self, Binding, Engine, Export, ExportKind, InstanceId, Interface, ModuleId, Registration,
    Session, Settings,
};
use switchback::generate::Features;
use switchback::observe::{Event, Outcome, State, TraceScope, TrapKind, Value, observe};

/// The engine: it knows five instructions, and can be told to get one wrong.
mod toy {
    use wasmparser::{FunctionBody, Operator, Parser, Payload, Validator};

    pub enum Error {
        Invalid(wasmparser::BinaryReaderError),
        Unsupported(String),
    }

    impl From<wasmparser::BinaryReaderError> for Error {
        fn from(error: wasmparser::BinaryReaderError) -> Error {
            Error::Invalid(error)
        }
    }

    /// `unreachable` was executed.
    pub struct Trap;

    enum Instruction {
        Const(i32),
        Add,
        Drop,
        Nop,
        Unreachable,
    }

    /// The functions' code.
    pub struct Module(Vec<Vec<Instruction>>);

    impl Module {
        pub fn new(wasm: &[u8]) -> Result<Module, Error> {
            Validator::new_with_features(wasmparser::WasmFeatures::all()).validate_all(wasm)?;
            let mut functions = Vec::new();
            for payload in Parser::new(0).parse_all(wasm) {
                match payload? {
                    Payload::CodeSectionEntry(body) => functions.push(function(&body)?),
                    Payload::ImportSection(section) => {
                        return Err(Error::Unsupported(format!(
                            "imports ({:?})",
                            section.range()
                        )));
                    }
                    Payload::StartSection { .. } => {
                        return Err(Error::Unsupported("a start function".to_owned()));
                    }
                    Payload::GlobalSection(_)
                    | Payload::MemorySection(_)
                    | Payload::TableSection(_) => {
                        return Err(Error::Unsupported("state".to_owned()));
                    }
                    _ => {}
                }
            }
            Ok(Module(functions))
        }

        /// Calls a function; `wrong` makes addition a subtraction.
        pub fn call(&self, function: usize, wrong: bool) -> Result<Vec<i32>, Trap> {
            let mut stack = Vec::new();
            for instruction in &self.0[function] {
                match *instruction {
                    Instruction::Const(value) => stack.push(value),
                    Instruction::Add => {
                        let right = stack.pop().unwrap_or_default();
                        let left: i32 = stack.pop().unwrap_or_default();
                        stack.push(match wrong {
                            false => left.wrapping_add(right),
                            true => left.wrapping_sub(right),
                        });
                    }
                    Instruction::Drop => {
                        stack.pop();
                    }
                    Instruction::Nop => {}
                    Instruction::Unreachable => return Err(Trap),
                }
            }
            Ok(stack)
        }
    }

    fn function(body: &FunctionBody) -> Result<Vec<Instruction>, Error> {
        let mut code = Vec::new();
        for operator in body.get_operators_reader()? {
            code.push(match operator? {
                Operator::I32Const { value } => Instruction::Const(value),
                Operator::I32Add => Instruction::Add,
                Operator::Drop => Instruction::Drop,
                Operator::Nop | Operator::End => Instruction::Nop,
                Operator::Unreachable => Instruction::Unreachable,
                other => return Err(Error::Unsupported(format!("{other:?}"))),
            });
        }
        Ok(code)
    }
}

/// The registry's entry.
pub const REGISTRATION: Registration = Registration {
    name: "toy",
    summary: "five instructions, to show how an adapter is made",
    create: |settings| {
        Ok(Box::new(Toy {
            wrong: settings.plant.is_some(),
        }))
    },
    planted: Vec::new,
    // Cases for all engines together use what every one of them can do.
    features: Features::NONE,
    axes: Vec::new,
    gaps: &[],
    // It takes part if it is asked for by name.
    default: false,
};

struct Toy {
    wrong: bool,
}

impl Engine for Toy {
    fn name(&self) -> &'static str {
        REGISTRATION.name
    }

    // Without a trace, outcomes and state are compared, and nothing else.
    fn traces(&self) -> Option<TraceScope> {
        None
    }

    fn session(&self) -> Box<dyn Session> {
        Box::new(ToySession {
            wrong: self.wrong,
            modules: Vec::new(),
            instances: Vec::new(),
        })
    }
}

struct ToySession {
    wrong: bool,
    modules: Vec<(toy::Module, Interface)>,
    instances: Vec<ModuleId>,
}

impl Session for ToySession {
    fn compile(&mut self, wasm: &[u8]) -> Result<ModuleId, Outcome> {
        let module = toy::Module::new(wasm).map_err(|error| match error {
            toy::Error::Invalid(error) => Outcome::Rejected {
                message: error.message().to_owned(),
                offset: Some(error.offset()),
            },
            toy::Error::Unsupported(what) => Outcome::Unsupported {
                message: format!("not supported: {what}"),
            },
        })?;
        let interface = Interface::read(wasm).map_err(|error| Outcome::Failed {
            message: error.to_string(),
        })?;
        self.modules.push((module, interface));
        Ok(ModuleId(self.modules.len() - 1))
    }

    fn instantiate(&mut self, module: ModuleId, _: &[Binding]) -> Result<InstanceId, Outcome> {
        self.instances.push(module);
        Ok(InstanceId(self.instances.len() - 1))
    }

    fn invoke(&mut self, instance: InstanceId, export: &str, arguments: &[Value]) -> Outcome {
        let (module, interface) = &self.modules[self.instances[instance.0].0];
        let Some(function) = exported_function(interface, export).filter(|_| arguments.is_empty())
        else {
            return Outcome::Failed {
                message: format!("cannot call {export:?}"),
            };
        };
        match module.call(function, self.wrong) {
            Ok(results) => Outcome::Returned {
                values: results.into_iter().map(Value::I32).collect(),
            },
            Err(toy::Trap) => Outcome::Trapped {
                trap: TrapKind::Unreachable,
                // An engine that does not know the place says so; it is not compared then.
                at: None,
            },
        }
    }

    fn global(&mut self, _: InstanceId, export: &str) -> Result<Value, Outcome> {
        Err(Outcome::Failed {
            message: format!("there is no exported global {export:?}"),
        })
    }

    fn take_trace(&mut self) -> Vec<Event> {
        Vec::new()
    }

    fn state(&mut self, _: InstanceId) -> State {
        State::default()
    }

    fn executed(&self, _: InstanceId, _: u32) -> Option<Vec<u32>> {
        None
    }
}

/// In this toy's modules the n-th export is the n-th function.
fn exported_function(interface: &Interface, name: &str) -> Option<usize> {
    let is = |export: &Export| export.name == name && matches!(export.kind, ExportKind::Func(_));
    interface.exports.iter().position(is)
}

fn verdict(text: &str, settings: &Settings) -> Verdict {
    let wasm = wat::parse_str(text).unwrap();
    let toy = (REGISTRATION.create)(settings).unwrap();
    let (reference, _) = engines::split_reference(&engines::names()).unwrap();
    let reference = engines::create(reference.name, &Settings::default()).unwrap();
    compare(
        &observe(toy.as_ref(), &wasm),
        &observe(reference.as_ref(), &wasm),
    )
}

const MODULE: &str = r#"(module
    (func (export "sum") (result i32 i32)
      (i32.add (i32.const 2) (i32.const 3)) (drop (i32.const 1)) (i32.const -7))
    (func (export "trap") (unreachable)))"#;

#[test]
fn the_toy_agrees_with_the_reference() {
    let verdict = verdict(MODULE, &Settings::default());
    assert_eq!(verdict, Verdict::Agree { cut: None });
}

#[test]
fn a_mistake_of_the_toy_is_found() {
    let wrong = Settings {
        plant: Some("subtraction".to_owned()),
        ..Settings::default()
    };
    let Verdict::Diverge(divergence) = verdict(MODULE, &wrong) else {
        panic!("the mistake was not found");
    };
    assert_eq!(divergence.kind.as_str(), "outcome/returned.values");
}

#[test]
fn what_the_toy_does_not_know_is_no_difference() {
    for text in [
        r#"(module (func (export "f") (result i64) (i64.const 1)))"#,
        "(module (memory 1))",
        r#"(module (import "m" "f" (func)))"#,
    ] {
        let Verdict::Discard(discard) = verdict(text, &Settings::default()) else {
            panic!("{text} was compared");
        };
        assert!(
            discard.message.starts_with("not supported: "),
            "{discard:?}"
        );
    }
}

/// The tutorial's code is this file's, word for word but for indentation.
#[test]
fn the_tutorial_shows_this_file() {
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let here = words(include_str!("add_an_engine.rs"));
    let tutorial = include_str!("../docs/add-an-engine.md");
    let blocks: Vec<_> = tutorial.split("```rust\n").skip(1).collect();
    let mut seen = HashMap::new();
    for block in blocks {
        let (code, _) = block.split_once("```").expect("a block ends");
        // `…` stands for what the tutorial leaves out.
        for piece in code.split('…').map(words).filter(|piece| !piece.is_empty()) {
            assert!(here.contains(&piece), "not in the example:\n{piece}");
            *seen.entry(piece).or_insert(0) += 1;
        }
    }
    assert!(seen.len() >= 4, "the tutorial shows the example");
}
