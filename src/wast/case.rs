//! A case as a script: the module, whatever it imports, and assertions that say what the reference showed.

use crate::engines::{ExportKind, Import, Interface, STANDARD_HOST};
use crate::linked::{self, Provider};
use crate::observe::{Memory, Observation, Outcome, State, Value};
use std::collections::BTreeSet;
use std::fmt::Write;
use wasmparser::{FuncType, Parser, Payload, TypeRef, ValType};

/// Who provides what a module imports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// Modules in the script, so that any runner of scripts can run it. Their functions are WebAssembly, so what depends on
    /// frames of the host is different.
    InScript,
    /// The standard host, which only this toolkit's runner has.
    Standard,
}

/// Why a case is no script.
#[derive(Debug, thiserror::Error)]
pub enum CaseScriptError {
    /// The module cannot be read or printed.
    #[error("the module cannot be printed: {0}")]
    Module(String),
    /// The reference gave up or ended in a way that no assertion describes.
    #[error("no assertion describes that {0}")]
    Outcome(String),
    /// An import that no module in a script can provide.
    #[error("no module in a script provides the import {module:?} {name:?}")]
    Import {
        /// The module that it is imported from.
        module: String,
        /// Its name there.
        name: String,
    },
}

/// Most words of a memory and elements of a table that are asserted.
const MOST: usize = 8;

/// Writes the script of a case: the module, after its provider if it has one, then one assertion for each call of `observation`,
/// then the state at the end as far as functions that are added to the modules can look at it.
///
/// # Errors
///
/// [`CaseScriptError`], if a part of it cannot be said in a script.
pub fn case_script(
    wasm: &[u8],
    observation: &Observation,
    host: Host,
) -> Result<String, CaseScriptError> {
    let provider = Provider::of(wasm).map_err(|error| module_error(&error))?;
    let provider = provider.map(|p| Part::read(p.wasm, host)).transpose()?;
    let main = Part::read(&linked::unlinked(wasm), host)?;

    let mut script = String::new();
    let mut asserted = String::new();
    if let Some(provider) = &provider {
        script += &provider.host(None)?;
        // What both share is looked at in the main module.
        let shared = provider.shared_with(&main);
        let observers = observers(observation.linked.as_ref(), provider, &shared);
        script += &provider.definition(&format!(" ${}", linked::MODULE), &observers);
        script += &format!(
            "(register {} ${})\n",
            quoted(linked::MODULE),
            linked::MODULE
        );
        let instance = format!("${} ", linked::MODULE);
        asserted += &assertions(&instance, &observers);
    }
    script += &main.host(provider.is_some().then_some(linked::MODULE))?;
    match &observation.instantiation {
        Outcome::Returned { .. } => {}
        Outcome::Trapped { trap, .. } => {
            let module = main.definition("", &[]);
            let module = module.trim_end();
            script += &format!("(assert_trap\n{module}\n  {:?})\n", trap.text());
            return Ok(script);
        }
        other => return Err(CaseScriptError::Outcome(other.to_string())),
    }
    let observers = observers(observation.state.as_ref(), &main, &BTreeSet::new());
    script += &main.definition("", &observers);
    for call in &observation.calls {
        let assertion = assertion(&call.export, &call.outcome)?;
        script += &format!("{assertion}\n");
    }
    Ok(script + &assertions("", &observers) + &asserted)
}

/// That the observers return what was observed. `instance` is the name of theirs, followed by a space.
fn assertions(instance: &str, observers: &[Observer]) -> String {
    let assertion = |observer: &Observer| {
        let (name, value) = (quoted(&observer.name), observer.value);
        format!("(assert_return (invoke {instance}{name}) (i64.const {value}))\n")
    };
    observers.iter().map(assertion).collect()
}

fn module_error(error: &dyn std::fmt::Display) -> CaseScriptError {
    CaseScriptError::Module(error.to_string())
}

/// A module of the script.
struct Part {
    /// Its text without what closes it.
    text: String,
    interface: Interface,
    shape: Shape,
    host: Host,
}

impl Part {
    fn read(wasm: &[u8], host: Host) -> Result<Part, CaseScriptError> {
        let mut text = String::new();
        wasmprinter::Config::new()
            .fold_instructions(true)
            .print(wasm, &mut wasmprinter::PrintFmtWrite(&mut text))
            .map_err(|error| module_error(&error))?;
        let open = text.trim_end();
        let open = open.strip_suffix(')').unwrap_or(open).trim_end();
        Ok(Part {
            text: open.to_owned(),
            interface: Interface::read(wasm).map_err(|error| module_error(&error))?,
            shape: Shape::read(wasm).map_err(|error| module_error(&error))?,
            host,
        })
    }

    /// Modules that stand for the host, if the script has any: for all imports but those from `provider`.
    fn host(&self, provider: Option<&str>) -> Result<String, CaseScriptError> {
        match self.host {
            Host::InScript => host_modules(&self.interface.imports, provider, &self.shape),
            Host::Standard => Ok(String::new()),
        }
    }

    /// The module with this name (and a space before it) and these observers.
    fn definition(&self, name: &str, observers: &[Observer]) -> String {
        let rest = self.text.strip_prefix("(module").unwrap_or(&self.text);
        // A name of its own would be a second one.
        let rest = match rest.strip_prefix(" $") {
            Some(named) if !name.is_empty() => named
                .find(char::is_whitespace)
                .map_or("", |end| &named[end..]),
            _ => rest,
        };
        let mut text = format!("(module{name}{rest}");
        for observer in observers {
            text += &format!("\n  {}", observer.function);
        }
        text + "\n)\n"
    }

    /// What the module imports from this one and has a state, by kind and index here.
    fn shared_with(&self, main: &Part) -> BTreeSet<(&'static str, u32)> {
        let imports = main.interface.imports.iter();
        let names = imports.filter(|import| import.module == linked::MODULE);
        let exports = names.filter_map(|import| self.interface.export(&import.name));
        let shared = exports.filter_map(|export| match export.kind {
            ExportKind::Global => Some((GLOBAL, export.index)),
            ExportKind::Memory => Some((MEMORY, export.index)),
            ExportKind::Table => Some((TABLE, export.index)),
            ExportKind::Func(_) | ExportKind::Tag => None,
        });
        shared.collect()
    }
}

/// What happened in a call, as an assertion.
fn assertion(export: &str, outcome: &Outcome) -> Result<String, CaseScriptError> {
    let invoke = format!("(invoke {})", quoted(export));
    Ok(match outcome {
        Outcome::Returned { values } => {
            let patterns: Option<Vec<_>> = values.iter().map(|value| pattern(*value)).collect();
            match patterns {
                Some(patterns) => {
                    let patterns: String = patterns.iter().map(|p| format!(" {p}")).collect();
                    format!("(assert_return {invoke}{patterns})")
                }
                // That it returns is an assertion too.
                None => invoke,
            }
        }
        Outcome::Trapped { trap, .. } => format!("(assert_trap {invoke} {:?})", trap.text()),
        Outcome::Threw { .. } => format!("(assert_exception {invoke})"),
        Outcome::Suspended { .. } => format!("(assert_suspension {invoke} \"unhandled tag\")"),
        other => {
            let message = format!("the call of {export:?} {other}");
            return Err(CaseScriptError::Outcome(message));
        }
    })
}

/// The pattern for a result; nothing for what scripts have no pattern for.
fn pattern(value: Value) -> Option<String> {
    Some(match value {
        Value::I32(v) => format!("(i32.const {v})"),
        Value::I64(v) => format!("(i64.const {v})"),
        // Observed NaNs are canonical, whatever bits the engine has.
        Value::F32(bits) if f32::from_bits(bits).is_nan() => "(f32.const nan:arithmetic)".into(),
        Value::F64(bits) if f64::from_bits(bits).is_nan() => "(f64.const nan:arithmetic)".into(),
        Value::F32(bits) => format!("(f32.const {})", f32::from_bits(bits)),
        Value::F64(bits) => format!("(f64.const {})", f64::from_bits(bits)),
        Value::V128(bits) => {
            let lanes = (0..4).map(|lane| format!(" {:#010x}", (bits >> (32 * lane)) as u32));
            format!("(v128.const i32x4{})", lanes.collect::<String>())
        }
        Value::Null => "(ref.null)".into(),
        Value::Func(_) => "(ref.func)".into(),
        Value::Extern(number) => format!("(ref.extern {number})"),
        Value::I31(_) => "(ref.i31)".into(),
        Value::Struct(_) => "(ref.struct)".into(),
        Value::Array(_) => "(ref.array)".into(),
        Value::Cont(_) | Value::Exn(_) => return None,
    })
}

/// A function added to the module that looks at a part of its state, and what it returns.
struct Observer {
    name: String,
    function: String,
    value: i64,
}

/// The kinds of what has a state, as the names of observers begin.
const GLOBAL: &str = "global";
const MEMORY: &str = "memory";
const TABLE: &str = "table";

/// The observers of a part's state, but for what is `shared`; none for what the module exports anyway under such a name.
fn observers(
    state: Option<&State>,
    part: &Part,
    shared: &BTreeSet<(&'static str, u32)>,
) -> Vec<Observer> {
    let Some(state) = state else {
        return Vec::new();
    };
    let (shape, exports) = (&part.shape, &part.interface.exports);
    let own = |kind, index: usize| !shared.contains(&(kind, index as u32));
    let mut observers = Vec::new();
    let mut add = |name: String, instructions: String, value: i64| {
        let export = quoted(&name);
        let function = format!("(func (export {export}) (result i64) {instructions})");
        if exports.iter().all(|export| export.name != name) {
            observers.push(Observer {
                name,
                function,
                value,
            });
        }
    };
    let globals = state.globals.iter().enumerate();
    for (index, value) in globals.filter(|(index, _)| own(GLOBAL, *index)) {
        let get = format!("(global.get {index})");
        let (instructions, value) = match *value {
            Value::I32(v) => (format!("(i64.extend_i32_s {get})"), v.into()),
            Value::I64(v) => (get, v),
            // The bits of a NaN are not determined.
            Value::F32(bits) if f32::from_bits(bits).is_nan() => continue,
            Value::F64(bits) if f64::from_bits(bits).is_nan() => continue,
            Value::F32(bits) => (
                format!("(i64.extend_i32_u (i32.reinterpret_f32 {get}))"),
                bits.into(),
            ),
            Value::F64(bits) => (format!("(i64.reinterpret_f64 {get})"), bits as i64),
            Value::V128(bits) => (format!("(i64x2.extract_lane 0 {get})"), bits as i64),
            reference => (
                format!("(i64.extend_i32_u (ref.is_null {get}))"),
                (reference == Value::Null).into(),
            ),
        };
        add(format!("{GLOBAL} {index}"), instructions, value);
    }
    let memories = state.memories.iter().enumerate();
    for (index, memory) in memories.filter(|(index, _)| own(MEMORY, *index)) {
        let is64 = shape.memories64.get(index) == Some(&true);
        let extended = |get| {
            if is64 {
                get
            } else {
                format!("(i64.extend_i32_u {get})")
            }
        };
        let size = extended(format!("(memory.size {index})"));
        add(
            format!("size of {MEMORY} {index}"),
            size,
            memory.pages as i64,
        );
        for address in words(memory) {
            let ty = if is64 { "i64" } else { "i32" };
            let load = format!("(i64.load {index} ({ty}.const {address}))");
            let bytes: [u8; 8] = std::array::from_fn(|i| memory.byte(address + i));
            let name = format!("{MEMORY} {index} at {address}");
            add(name, load, i64::from_le_bytes(bytes));
        }
    }
    let tables = state.tables.iter().enumerate();
    for (index, table) in tables.filter(|(index, _)| own(TABLE, *index)) {
        let is64 = shape.tables64.get(index) == Some(&true);
        let extended = |get| {
            if is64 {
                get
            } else {
                format!("(i64.extend_i32_u {get})")
            }
        };
        let size = extended(format!("(table.size {index})"));
        add(format!("size of {TABLE} {index}"), size, table.size as i64);
        for element in 0..MOST.min(table.size as usize) {
            let ty = if is64 { "i64" } else { "i32" };
            let get = format!("(table.get {index} ({ty}.const {element}))");
            let is_null = (table.element(element) == Value::Null).into();
            let instructions = format!("(i64.extend_i32_u (ref.is_null {get}))");
            add(
                format!("{TABLE} {index} at {element}"),
                instructions,
                is_null,
            );
        }
    }
    observers
}

/// The addresses of the first words of a memory that are not zero, as far as whole words are inside it.
fn words(memory: &Memory) -> Vec<usize> {
    let size = usize::try_from(memory.pages.saturating_mul(1 << 16)).unwrap_or(usize::MAX);
    let zero = Memory::new(0, &[]);
    let words: BTreeSet<_> = memory
        .differences(&zero)
        .map(|address| address & !7)
        .collect();
    let inside = words.into_iter().filter(|word| word + 8 <= size);
    inside.take(MOST).collect()
}

/// What printing needs to know of a module beside its interface.
#[derive(Default)]
struct Shape {
    functions: Vec<Option<FuncType>>,
    memories64: Vec<bool>,
    tables64: Vec<bool>,
}

impl Shape {
    fn read(wasm: &[u8]) -> Result<Shape, wasmparser::Error> {
        let mut shape = Shape::default();
        for payload in Parser::new(0).parse_all(wasm) {
            match payload? {
                Payload::TypeSection(section) => {
                    for group in section {
                        let types = group?.into_types();
                        shape
                            .functions
                            .extend(types.map(|ty| match ty.composite_type.inner {
                                wasmparser::CompositeInnerType::Func(ty) => Some(ty),
                                _ => None,
                            }));
                    }
                }
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        match import?.ty {
                            TypeRef::Memory(ty) => shape.memories64.push(ty.memory64),
                            TypeRef::Table(ty) => shape.tables64.push(ty.table64),
                            _ => {}
                        }
                    }
                }
                Payload::MemorySection(section) => {
                    for memory in section {
                        shape.memories64.push(memory?.memory64);
                    }
                }
                Payload::TableSection(section) => {
                    for table in section {
                        shape.tables64.push(table?.ty.table64);
                    }
                }
                _ => {}
            }
        }
        Ok(shape)
    }
}

/// Modules that provide the imports as the standard host does, each registered under its name; none for those from `provider`.
fn host_modules(
    imports: &[Import],
    provider: Option<&str>,
    shape: &Shape,
) -> Result<String, CaseScriptError> {
    let mut text = String::new();
    let mut modules: Vec<&str> = Vec::new();
    for import in imports {
        if provider != Some(&import.module) && !modules.contains(&import.module.as_str()) {
            modules.push(&import.module);
        }
    }
    for module in modules {
        text += "(module\n";
        let mut provided: Vec<&Import> = Vec::new();
        for import in imports.iter().filter(|import| import.module == module) {
            if provided.contains(&import) {
                continue;
            }
            let refused = || CaseScriptError::Import {
                module: import.module.clone(),
                name: import.name.clone(),
            };
            // One name has one meaning in a module.
            if provided.iter().any(|other| other.name == import.name) {
                return Err(refused());
            }
            text += &format!("  {}\n", host_item(import, shape).ok_or_else(refused)?);
            provided.push(import);
        }
        text += &format!(")\n(register {})\n", quoted(module));
    }
    Ok(text)
}

/// The definition of an item of the standard host; nothing, if its type refers to other types.
fn host_item(import: &Import, shape: &Shape) -> Option<String> {
    let export = format!("(export {})", quoted(&import.name));
    Some(match import.ty {
        TypeRef::Func(ty) | TypeRef::FuncExact(ty) => {
            let ty = shape.functions.get(ty as usize)?.as_ref()?;
            let signature = signature(ty)?;
            if import.module == STANDARD_HOST && import.name == "call" {
                // It calls what it is given, of whatever type; here that is a function without parameters and results.
                return (ty.params() == [ValType::FUNCREF] && ty.results().is_empty()).then(|| {
                    format!(
                        "(type $callback (func)) (table $t 1 funcref)\n  \
                         (func {export} (param funcref)\n    \
                         (if (ref.is_null (local.get 0)) (then return))\n    \
                         (table.set $t (i32.const 0) (local.get 0))\n    \
                         (call_indirect $t (type $callback) (i32.const 0)))"
                    )
                });
            }
            let results: Option<Vec<_>> = ty.results().iter().map(|ty| default(*ty)).collect();
            let results: String = results?.iter().map(|r| format!(" {r}")).collect();
            format!("(func {export}{signature}{results})")
        }
        TypeRef::Tag(tag) => {
            let ty = shape.functions.get(tag.func_type_idx as usize)?.as_ref()?;
            format!("(tag {export}{})", signature(ty)?)
        }
        TypeRef::Global(ty) => {
            let name = plain(ty.content_type)?;
            let ty_text = if ty.mutable {
                format!("(mut {name})")
            } else {
                name
            };
            format!("(global {export} {ty_text} {})", default(ty.content_type)?)
        }
        TypeRef::Memory(ty) if !ty.shared && ty.page_size_log2.is_none() => {
            let index = if ty.memory64 { "i64 " } else { "" };
            let most = ty
                .maximum
                .map_or_else(String::new, |most| format!(" {most}"));
            format!("(memory {export} {index}{}{most})", ty.initial)
        }
        TypeRef::Table(ty) if !ty.shared => {
            let index = if ty.table64 { "i64 " } else { "" };
            let most = ty
                .maximum
                .map_or_else(String::new, |most| format!(" {most}"));
            let element = plain(ValType::Ref(ty.element_type))?;
            format!("(table {export} {index}{}{most} {element})", ty.initial)
        }
        TypeRef::Memory(_) | TypeRef::Table(_) => return None,
    })
}

/// Parameters and results in the text format.
fn signature(ty: &FuncType) -> Option<String> {
    let mut text = String::new();
    for (keyword, types) in [("param", ty.params()), ("result", ty.results())] {
        if types.is_empty() {
            continue;
        }
        text += &format!(" ({keyword}");
        for ty in types {
            text += &format!(" {}", plain(*ty)?);
        }
        text.push(')');
    }
    Some(text)
}

/// A type in the text format that refers to no other.
fn plain(ty: ValType) -> Option<String> {
    match ty {
        ValType::Ref(reference) if reference.type_index().is_some() => None,
        ty => Some(ty.to_string()),
    }
}

/// The instruction for the default value of a type.
fn default(ty: ValType) -> Option<String> {
    Some(match ty {
        ValType::I32 => "(i32.const 0)".into(),
        ValType::I64 => "(i64.const 0)".into(),
        ValType::F32 => "(f32.const 0)".into(),
        ValType::F64 => "(f64.const 0)".into(),
        ValType::V128 => "(v128.const i64x2 0 0)".into(),
        ValType::Ref(reference) if reference.is_nullable() => {
            let text = plain(ty)?;
            // Of `(ref null x)` the heap type is x, of `xref` it is x too.
            let heap = match text.strip_prefix("(ref null ") {
                Some(heap) => heap.trim_end_matches(')'),
                None => text.strip_suffix("ref")?,
            };
            format!("(ref.null {heap})")
        }
        ValType::Ref(_) => return None,
    })
}

/// A name as a string of the text format.
fn quoted(name: &str) -> String {
    let mut text = String::from("\"");
    for c in name.chars() {
        match c {
            '"' | '\\' => {
                text.push('\\');
                text.push(c);
            }
            ' '..='~' => text.push(c),
            c => write!(text, "\\u{{{:x}}}", u32::from(c)).expect("a string takes everything"),
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engines::{self, Settings};
    use crate::observe::observe;
    use crate::wast::run_script;

    #[test]
    fn a_script_says_what_was_observed_and_needs_no_host() {
        let wasm = wat::parse_str(
            r#"(module
                (import "switchback" "log" (func $log (param i64 externref) (result i32 f32)))
                (import "switchback" "call" (func $call (param funcref)))
                (import "host" "t" (tag $t (param i32)))
                (import "host" "g" (global $g (mut f64)))
                (memory 1 5) (table $tab 2 funcref)
                (global $count (mut i32) (i32.const 0)) (global (mut f32) (f32.const nan))
                (elem declare func $callback)
                (func $callback
                  (global.set $count (i32.const 9)) (global.set $g (f64.const -1.5))
                  (table.set $tab (i32.const 1) (ref.func $callback))
                  (i32.store (i32.const 20) (memory.grow (i32.const 1))))
                (func (export "returns") (result i32 f32 funcref f64)
                  (call $call (ref.func $callback))
                  (call $log (i64.const 1) (ref.null extern))
                  (ref.func $callback) (f64.div (f64.const 0) (f64.const 0)))
                (func (export "traps \"\c3\a4") (drop (i32.div_u (i32.const 1) (i32.const 0))))
                (func (export "throws") (throw $t (i32.const 1)))
                (func (export "suspends") (suspend $t (i32.const 1))))"#,
        )
        .unwrap();
        let oracle = engines::create("oracle", &Settings::default()).unwrap();
        let observation = observe(oracle.as_ref(), &wasm);
        let script = case_script(&wasm, &observation, Host::InScript).unwrap();
        for part in [
            "(register \"switchback\")",
            "(assert_return (invoke \"returns\") (i32.const 0) (f32.const 0) (ref.func) (f64.const nan:arithmetic))",
            "(assert_trap (invoke \"traps \\\"\\u{e4}\") \"integer divide by zero\")",
            "(assert_exception (invoke \"throws\"))",
            "(assert_suspension (invoke \"suspends\") \"unhandled tag\")",
            "(assert_return (invoke \"size of memory 0\") (i64.const 2))",
            "(assert_return (invoke \"memory 0 at 16\") (i64.const 4294967296))",
            "(assert_return (invoke \"table 0 at 1\") (i64.const 0))",
            "(assert_return (invoke \"global 1\") (i64.const 9))",
        ] {
            assert!(script.contains(part), "{part}\n{script}");
        }
        // A NaN has no bits that could be asserted.
        assert!(!script.contains("\"global 2\""), "{script}");
        let result = run_script("case", &script, oracle.as_ref()).unwrap();
        assert_eq!(
            (result.failed, result.passed),
            (0, 11),
            "{:?}",
            result.failures
        );
        // Another value is another script.
        let other = script.replace("\"global 1\") (i64.const 9)", "\"global 1\") (i64.const 8)");
        assert_eq!(
            run_script("case", &other, oracle.as_ref()).unwrap().failed,
            1
        );
    }

    #[test]
    fn what_no_assertion_describes_is_refused() {
        let wasm = wat::parse_str("(module (func (export \"f\") (call 0)))").unwrap();
        let oracle = engines::create("oracle", &Settings::default()).unwrap();
        let observation = observe(oracle.as_ref(), &wasm);
        let error = case_script(&wasm, &observation, Host::InScript).unwrap_err();
        assert!(error.to_string().contains("exhausted"), "{error}");
    }

    #[test]
    fn a_provider_stands_in_the_script_with_what_only_it_has() {
        let provider = wat::parse_str(
            "(module (import \"switchback\" \"log\" (func $log (param i32)))
               (global $g (export \"g\") (mut i32) (i32.const 1)) (global $own (mut i32) (i32.const 0))
               (func (export \"f\") (result i32)
                 (global.set $own (i32.const 5)) (call $log (i32.const 1)) (global.get $g)))",
        );
        let main = wat::parse_str(
            "(module $main (import \"linked\" \"f\" (func $f (result i32)))
               (import \"linked\" \"g\" (global $g (mut i32))) (import \"switchback\" \"log\" (func $log (param i64)))
               (func (export \"run\") (result i32)
                 (call $log (i64.const 2)) (global.set $g (i32.const 7)) (call $f)))",
        );
        let wasm = linked::link(&main.unwrap(), &provider.unwrap());
        let oracle = engines::create("oracle", &Settings::default()).unwrap();
        let observation = observe(oracle.as_ref(), &wasm);
        for host in [Host::InScript, Host::Standard] {
            let script = case_script(&wasm, &observation, host).unwrap();
            for part in [
                "(module $linked",
                "(register \"linked\" $linked)",
                "(assert_return (invoke \"run\") (i32.const 7))",
                "(assert_return (invoke \"global 0\") (i64.const 7))",
                "(assert_return (invoke $linked \"global 1\") (i64.const 5))",
            ] {
                assert!(script.contains(part), "{part}\n{script}");
            }
            assert!(!script.contains("switchback.linked"), "{script}");
            assert!(
                !script.contains("(invoke $linked \"global 0\")"),
                "{script}"
            );
            let result = run_script("case", &script, oracle.as_ref()).unwrap();
            assert_eq!(
                (result.failed, result.passed),
                (0, 3),
                "{:?}",
                result.failures
            );
        }
    }
}
