//! `switchback run`: one module on one engine.

use super::{Finding, engine_name, input, output};
use anyhow::{Context, anyhow, bail};
use clap::Args;
use std::fmt::Write;
use std::path::PathBuf;
use switchback::engines::{self, Engine, ExportKind, Interface, Settings};
use switchback::fuzzing::{INSTRUCTION_BOUND, out_of_instructions};
use switchback::observe::{Observation, State, Value, observe, observe_call};
use wasmparser::ValType;

/// Run a module on one engine and show what it does.
///
/// The exported functions without parameters are called in export order, or,
/// with --invoke, the one export. Traps and exceptions are shown like results:
/// the exit status is 0 whenever the module could be run, and 2 if it came to
/// no end within --max-instructions.
#[derive(Args)]
pub struct Arguments {
    /// The module, in the binary or the text format.
    file: PathBuf,
    /// The engine.
    #[arg(long, value_parser = engine_name(), default_value = default_engine())]
    engine: String,
    /// Call this export only, with these arguments: integers (decimal or 0x…),
    /// floats (decimal, inf, nan), null, or a number for an external reference.
    #[arg(long, value_names = ["NAME", "ARGS"], num_args = 1.., allow_negative_numbers = true)]
    invoke: Option<Vec<String>>,
    /// Show every step of stack switching.
    #[arg(long)]
    trace: bool,
    /// Write one JSON object; the trace is in it.
    #[arg(long)]
    json: bool,
    /// The engine's configuration, such as opt=speed,stack=192k.
    #[arg(long, value_name = "AXIS=CHOICE,…", default_value = engines::DEFAULT)]
    config: String,
    /// Put this planted bug into the engine.
    #[arg(long, value_name = "NAME")]
    plant: Option<String>,
    /// Give up after so many instructions of the whole run; 0 sets no bound. An engine that cannot count them runs
    /// what the oracle has brought to an end.
    #[arg(long, value_name = "N", default_value_t = INSTRUCTION_BOUND)]
    max_instructions: u64,
}

/// The first engine of the registry: the one under test.
fn default_engine() -> &'static str {
    engines::REGISTRY.first().map_or("", |r| r.name)
}

pub fn main(arguments: Arguments) -> anyhow::Result<Finding> {
    let wasm = input::module(&arguments.file)?;
    let registration = engines::find(&arguments.engine)?;
    // An engine without axes has its default all the same.
    let given = Some(&arguments.config).filter(|config| *config != engines::DEFAULT);
    let mut configurations = engines::configurations(&[registration], given.as_slice())?;
    let bound = Some(arguments.max_instructions).filter(|bound| *bound > 0);
    let pilot = engines::REGISTRY.last().context("an engine that counts")?;
    let counts = registration.name == pilot.name;
    let settings = Settings {
        trace: arguments.trace || arguments.json,
        instructions: bound.filter(|_| counts),
        configuration: configurations.pop().flatten().unwrap_or_default(),
        plant: arguments.plant,
        ..Settings::default()
    };
    engines::check_plant(settings.plant.as_deref(), &[&arguments.engine])?;
    let engine = engines::create(&arguments.engine, &settings)?;
    let call = match &arguments.invoke {
        None => None,
        Some(invoke) => {
            let (name, given) = invoke.split_first().context("--invoke needs a name")?;
            let place = || arguments.file.display().to_string();
            let values = parse_arguments(&wasm, name, given).with_context(place)?;
            Some((name, values))
        }
    };
    let run = |engine: &dyn Engine| match &call {
        None => observe(engine, &wasm),
        Some((name, values)) => observe_call(engine, &wasm, name, values),
    };
    let endless = || {
        anyhow!(
            "{}: no end within {} instructions (--max-instructions sets another bound, 0 none)",
            arguments.file.display(),
            arguments.max_instructions
        )
    };
    if let Some(bound) = bound.filter(|_| !counts) {
        let settings = Settings {
            instructions: Some(bound),
            ..Settings::default()
        };
        let ahead = run(engines::create(pilot.name, &settings)?.as_ref());
        if out_of_instructions(&ahead).is_some() {
            return Err(endless());
        }
    }
    let observation = run(engine.as_ref());
    if counts && out_of_instructions(&observation).is_some() {
        return Err(endless());
    }
    let instantiation = &observation.instantiation;
    if let Some(error) = input::unsuitable(&arguments.file, &observation.engine, instantiation) {
        return Err(error);
    }
    if arguments.json {
        output::json(&observation)?;
    } else {
        output::text(&render(&observation))?;
    }
    Ok(Finding::Nothing)
}

/// The observation for people: calls, the trace of each under it, the state.
fn render(observation: &Observation) -> String {
    let mut out = String::new();
    let mut line = |text: std::fmt::Arguments<'_>| {
        writeln!(out, "{text}").expect("a string takes everything");
    };
    let events = |range: std::ops::Range<usize>, line: &mut dyn FnMut(std::fmt::Arguments<'_>)| {
        let trace = observation.trace.as_ref().map_or(&[][..], |t| &t[range]);
        for event in trace {
            match event.at {
                Some(at) => line(format_args!("    {} ({at})", event.kind)),
                None => line(format_args!("    {}", event.kind)),
            }
        }
    };
    line(format_args!("instantiation: {}", observation.instantiation));
    events(0..observation.start_events(), &mut line);
    for call in &observation.calls {
        line(format_args!("{}: {}", call.export, call.outcome));
        // One frame says no more than the outcome does.
        if call.backtrace.len() > 1 {
            for (number, frame) in call.backtrace.iter().enumerate() {
                line(format_args!("  {number:3}: {frame}"));
            }
        }
        events(call.events.clone(), &mut line);
    }
    let states = [("", &observation.state), ("linked ", &observation.linked)];
    for (whose, state) in states {
        if let Some(state) = state {
            render_state(whose, state, &mut line);
        }
    }
    out
}

/// A state, a line for each thing; `whose` stands before what it is.
fn render_state(whose: &str, state: &State, line: &mut dyn FnMut(std::fmt::Arguments<'_>)) {
    for (index, value) in state.globals.iter().enumerate() {
        line(format_args!("{whose}global {index}: {value}"));
    }
    for (index, memory) in state.memories.iter().enumerate() {
        line(format_args!(
            "{whose}memory {index}: {} pages, hash {}",
            memory.pages, memory.hash
        ));
    }
    for (index, table) in state.tables.iter().enumerate() {
        let set = table.elements.iter().enumerate();
        let set: Vec<_> = set
            .filter(|(_, value)| **value != Value::Null)
            .map(|(element, value)| format!("{element}: {value}"))
            .collect();
        line(format_args!(
            "{whose}table {index}: {} elements, not null: {{{}}}",
            table.size,
            set.join(", ")
        ));
    }
    for continuation in &state.continuations {
        line(format_args!("{whose}{continuation}"));
    }
}

/// Reads the arguments by the types of the export's parameters.
fn parse_arguments(wasm: &[u8], name: &str, given: &[String]) -> anyhow::Result<Vec<Value>> {
    let interface = Interface::read(wasm)?;
    let Some(export) = interface.export(name) else {
        bail!("there is no export {name:?}");
    };
    let ExportKind::Func(ty) = &export.kind else {
        bail!("the export {name:?} is no function");
    };
    let params = ty.params();
    if params.len() != given.len() {
        bail!(
            "{name:?} has {} parameters, but {} arguments are given",
            params.len(),
            given.len()
        );
    }
    let values = params.iter().zip(given);
    values
        .map(|(ty, text)| {
            parse_value(*ty, text).ok_or_else(|| anyhow!("{text:?} is no value of type {ty}"))
        })
        .collect()
}

fn parse_value(ty: ValType, text: &str) -> Option<Value> {
    Some(match ty {
        ValType::I32 => {
            let v = parse_integer(text)?;
            let bits = u32::try_from(v)
                .ok()
                .or(i32::try_from(v).ok().map(|v| v as u32));
            Value::I32(bits? as i32)
        }
        ValType::I64 => {
            let v = parse_integer(text)?;
            let bits = u64::try_from(v)
                .ok()
                .or(i64::try_from(v).ok().map(|v| v as u64));
            Value::I64(bits? as i64)
        }
        ValType::F32 => Value::F32(text.parse::<f32>().ok()?.to_bits()),
        ValType::F64 => Value::F64(text.parse::<f64>().ok()?.to_bits()),
        ValType::V128 => Value::V128(parse_integer(text)? as u128),
        ValType::Ref(_) if text == "null" => Value::Null,
        ValType::Ref(ty) if ty.is_extern_ref() => {
            // Not every engine can keep more bits of a host's number.
            let number = text.parse().ok().filter(|number| *number < 1 << 62)?;
            Value::Extern(number)
        }
        ValType::Ref(_) => return None,
    })
}

fn parse_integer(text: &str) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let value = match digits.strip_prefix("0x") {
        Some(digits) => i128::from_str_radix(digits, 16),
        None => digits.parse(),
    }
    .ok()?;
    Some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_take_both_signs_and_stay_in_range() {
        let i32 = |text| parse_value(ValType::I32, text);
        assert_eq!(i32("-1"), Some(Value::I32(-1)));
        assert_eq!(i32("4294967295"), Some(Value::I32(-1)));
        assert_eq!(i32("0x10"), Some(Value::I32(16)));
        assert_eq!(i32("4294967296"), None);
        assert_eq!(i32("-2147483649"), None);
        assert_eq!(i32("1.5"), None);
        let i64 = |text| parse_value(ValType::I64, text);
        assert_eq!(i64("-0x8000000000000000"), Some(Value::I64(i64::MIN)));
    }

    #[test]
    fn references_are_null_or_external_numbers() {
        let func = ValType::FUNCREF;
        assert_eq!(parse_value(func, "null"), Some(Value::Null));
        assert_eq!(parse_value(func, "3"), None);
        assert_eq!(parse_value(ValType::EXTERNREF, "3"), Some(Value::Extern(3)));
    }
}
