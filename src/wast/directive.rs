//! The directives of a script, one by one.

use super::{expect, spectest};
use crate::engines::{
    Binding, Engine, ExportKind, Import, InstanceId, Interface, STANDARD_HOST, Session,
    standard_binding,
};
use crate::observe::{Outcome, TrapKind};
use std::collections::BTreeMap;
use std::rc::Rc;
use wast::token::Id;
use wast::{QuoteWat, WastDirective, WastExecute, WastInvoke};

/// The start of the message for an import that nothing offers. It is the
/// official one, by which `assert_unlinkable` tells it from a mismatch.
const UNKNOWN_IMPORT: &str = "unknown import";

/// The keyword of a directive.
pub(super) fn keyword(directive: &WastDirective<'_>) -> &'static str {
    match directive {
        WastDirective::Module(_) => "module",
        WastDirective::ModuleDefinition(_) => "module definition",
        WastDirective::ModuleInstance { .. } => "module instance",
        WastDirective::AssertMalformed { .. } => "assert_malformed",
        WastDirective::AssertInvalid { .. } => "assert_invalid",
        WastDirective::AssertInvalidCustom { .. } => "assert_invalid_custom",
        WastDirective::Register { .. } => "register",
        WastDirective::Invoke(_) => "invoke",
        WastDirective::AssertTrap { .. } => "assert_trap",
        WastDirective::AssertReturn { .. } => "assert_return",
        WastDirective::AssertExhaustion { .. } => "assert_exhaustion",
        WastDirective::AssertUnlinkable { .. } => "assert_unlinkable",
        WastDirective::AssertException { .. } => "assert_exception",
        WastDirective::AssertSuspension { .. } => "assert_suspension",
        WastDirective::Thread(_) => "thread",
        WastDirective::Wait { .. } => "wait",
        WastDirective::AssertMalformedCustom { .. } => "assert_malformed_custom",
    }
}

/// A module as a script defines it, in binary.
type Definition = Rc<[u8]>;

/// An instance, and what it exports.
#[derive(Clone)]
struct Instance {
    id: InstanceId,
    interface: Rc<Interface>,
}

/// The state of a running script.
pub(super) struct Runner {
    session: Box<dyn Session>,
    /// Definitions and instances by their identifier in the script; the latest
    /// of each is the one meant where a script names none.
    definitions: BTreeMap<String, Definition>,
    latest_definition: Option<Definition>,
    instances: BTreeMap<String, Instance>,
    latest: Option<Instance>,
    /// Instances by the name that imports use.
    registered: BTreeMap<String, Instance>,
}

impl Runner {
    pub(super) fn new(engine: &dyn Engine) -> Runner {
        let mut runner = Runner {
            session: engine.session(),
            definitions: BTreeMap::new(),
            latest_definition: None,
            instances: BTreeMap::new(),
            latest: None,
            registered: BTreeMap::new(),
        };
        let wasm = wat::parse_str(spectest::TEXT).expect("the module spectest is well-formed");
        // An engine that cannot take it shows that at the first import from it.
        if let Ok(instance) = runner.instantiate(&wasm) {
            runner.registered.insert("spectest".to_owned(), instance);
        }
        runner
    }

    /// Runs a directive; the error says why it fails.
    pub(super) fn run(&mut self, directive: WastDirective<'_>) -> Result<(), String> {
        match directive {
            WastDirective::Module(module) => {
                // What follows must not run on an older instance by mistake.
                self.latest = None;
                let (name, definition) = self.define(module)?;
                self.start(&definition, name)
            }
            WastDirective::ModuleDefinition(module) => {
                let (name, definition) = self.define(module)?;
                let compiled = self.session.compile(&definition);
                compiled.map_err(|outcome| outcome.to_string())?;
                if let Some(name) = name {
                    self.definitions.insert(name, definition.clone());
                }
                self.latest_definition = Some(definition);
                Ok(())
            }
            WastDirective::ModuleInstance {
                instance, module, ..
            } => {
                self.latest = None;
                let definition = match module {
                    Some(id) => self.definitions.get(id.name()),
                    None => self.latest_definition.as_ref(),
                };
                let definition = definition
                    .ok_or("there is no such module definition")?
                    .clone();
                self.start(&definition, instance.map(|id| id.name().to_owned()))
            }
            WastDirective::Register { name, module, .. } => {
                let instance = self.instance(module)?.clone();
                self.registered.insert(name.to_owned(), instance);
                Ok(())
            }
            WastDirective::Invoke(invoke) => match self.invoke(&invoke)? {
                Outcome::Returned { .. } => Ok(()),
                other => Err(other.to_string()),
            },
            WastDirective::AssertReturn { exec, results, .. } => match self.execute(exec)? {
                Outcome::Returned { values } => expect::results(&values, &results),
                other => Err(format!("expected a return, got: {other}")),
            },
            WastDirective::AssertTrap { exec, message, .. } => match self.execute(exec)? {
                Outcome::Trapped { trap, .. } => {
                    // A kind that stands for several passes for each of them.
                    let same = TrapKind::ALL.iter().any(|kind| {
                        kind.agrees(trap) && same_message("trap", kind.text(), message).is_ok()
                    });
                    if same {
                        Ok(())
                    } else {
                        same_message("trap", trap.text(), message)
                    }
                }
                other => Err(format!("expected trap {message:?}, got: {other}")),
            },
            WastDirective::AssertException { exec, .. } => match self.execute(exec)? {
                Outcome::Threw { .. } => Ok(()),
                other => Err(format!("expected an exception, got: {other}")),
            },
            WastDirective::AssertSuspension { exec, message, .. } => match self.execute(exec)? {
                Outcome::Suspended { .. } => same_message("suspension", "unhandled tag", message),
                other => Err(format!("expected a suspension, got: {other}")),
            },
            WastDirective::AssertExhaustion { call, message, .. } => match self.invoke(&call)? {
                Outcome::Exhausted { what } => same_message("exhaustion", &what, message),
                other => Err(format!("expected exhaustion, got: {other}")),
            },
            WastDirective::AssertInvalid { module, .. }
            | WastDirective::AssertInvalidCustom { module, .. }
            | WastDirective::AssertMalformed { module, .. }
            | WastDirective::AssertMalformedCustom { module, .. } => self.refused(module),
            WastDirective::AssertUnlinkable {
                module, message, ..
            } => self.unlinkable(QuoteWat::Wat(module), message),
            WastDirective::Thread(_) | WastDirective::Wait { .. } => {
                Err("threads are not supported".to_owned())
            }
        }
    }

    fn define(&self, mut module: QuoteWat<'_>) -> Result<(Option<String>, Definition), String> {
        let name = module.name().map(|id| id.name().to_owned());
        let wasm = module.encode().map_err(|error| error.message())?;
        Ok((name, wasm.into()))
    }

    /// Instantiates a definition and makes it the latest instance.
    fn start(&mut self, definition: &Definition, name: Option<String>) -> Result<(), String> {
        // A module is a definition too, which `module instance` may name.
        if let Some(name) = &name {
            self.definitions.insert(name.clone(), definition.clone());
        }
        self.latest_definition = Some(definition.clone());
        let instance = self
            .instantiate(definition)
            .map_err(|outcome| outcome.to_string())?;
        if let Some(name) = name {
            self.instances.insert(name, instance.clone());
        }
        self.latest = Some(instance);
        Ok(())
    }

    fn instantiate(&mut self, wasm: &[u8]) -> Result<Instance, Outcome> {
        let module = self.session.compile(wasm)?;
        let interface = Interface::read(wasm).map_err(|error| Outcome::Failed {
            message: error.to_string(),
        })?;
        let bindings = self.resolve(&interface)?;
        let id = self.session.instantiate(module, &bindings)?;
        Ok(Instance {
            id,
            interface: Rc::new(interface),
        })
    }

    fn resolve(&self, interface: &Interface) -> Result<Vec<Binding>, Outcome> {
        let imports = &interface.imports;
        let resolve = |index: usize| {
            let Import { module, name, .. } = &imports[index];
            if let Some(instance) = self.registered.get(module) {
                if instance.interface.export(name).is_some() {
                    return Ok(Binding::Export {
                        instance: instance.id,
                        name: name.clone(),
                    });
                }
            } else if module == STANDARD_HOST {
                return Ok(standard_binding(imports, index));
            }
            Err(Outcome::Unlinkable {
                message: format!("{UNKNOWN_IMPORT}: {module:?} {name:?}"),
            })
        };
        (0..imports.len()).map(resolve).collect()
    }

    fn instance(&self, id: Option<Id<'_>>) -> Result<&Instance, String> {
        match id {
            Some(id) => self
                .instances
                .get(id.name())
                .ok_or_else(|| format!("there is no instance ${}", id.name())),
            None => self
                .latest
                .as_ref()
                .ok_or_else(|| "there is no instance: the last module failed".to_owned()),
        }
    }

    fn execute(&mut self, exec: WastExecute<'_>) -> Result<Outcome, String> {
        match exec {
            WastExecute::Invoke(invoke) => self.invoke(&invoke),
            WastExecute::Get { module, global, .. } => {
                let id = self.instance(module)?.id;
                Ok(match self.session.global(id, global) {
                    Ok(value) => Outcome::Returned {
                        values: vec![value],
                    },
                    Err(outcome) => outcome,
                })
            }
            WastExecute::Wat(module) => {
                let (_, definition) = self.define(QuoteWat::Wat(module))?;
                Ok(match self.instantiate(&definition) {
                    Ok(_) => Outcome::Returned { values: Vec::new() },
                    Err(outcome) => outcome,
                })
            }
        }
    }

    fn invoke(&mut self, invoke: &WastInvoke<'_>) -> Result<Outcome, String> {
        let instance = self.instance(invoke.module)?;
        let is_function = matches!(
            instance.interface.export(invoke.name).map(|e| &e.kind),
            Some(ExportKind::Func(_))
        );
        if !is_function {
            return Err(format!("there is no exported function {:?}", invoke.name));
        }
        let id = instance.id;
        let arguments: Result<Vec<_>, _> = invoke.args.iter().map(expect::argument).collect();
        Ok(self.session.invoke(id, invoke.name, &arguments?))
    }

    /// Asserts that a module is not accepted: the text format or the validator
    /// refuses it. A feature that the engine lacks is no refusal.
    fn refused(&mut self, mut module: QuoteWat<'_>) -> Result<(), String> {
        let Ok(wasm) = module.encode() else {
            return Ok(());
        };
        match self.session.compile(&wasm) {
            Err(Outcome::Rejected { .. }) => Ok(()),
            Err(other) => Err(format!("expected a rejection, got: {other}")),
            Ok(_) => Err("the module is accepted".to_owned()),
        }
    }

    fn unlinkable(&mut self, module: QuoteWat<'_>, expected: &str) -> Result<(), String> {
        let (_, definition) = self.define(module)?;
        match self.instantiate(&definition) {
            Err(Outcome::Unlinkable { message }) => {
                let unknown = |message: &str| message.starts_with(UNKNOWN_IMPORT);
                if unknown(&message) == unknown(expected) {
                    Ok(())
                } else {
                    Err(format!("expected {expected:?}, got: {message}"))
                }
            }
            Err(other) => Err(format!("expected {expected:?}, got: {other}")),
            Ok(_) => Err(format!("expected {expected:?}, but the module links")),
        }
    }
}

/// Checks a message as the official runner does, by its beginning. Scripts may
/// say more than an engine does ("uninitialized element 2") or less.
fn same_message(what: &str, actual: &str, expected: &str) -> Result<(), String> {
    if expected.starts_with(actual) || actual.starts_with(expected) {
        Ok(())
    } else {
        Err(format!("expected {what} {expected:?}, got {actual:?}"))
    }
}
