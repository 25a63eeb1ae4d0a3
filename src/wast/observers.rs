//! What looks at the state of a case at the end of its script.

use super::part::{Part, quoted};
use crate::observe::{Memory, State, Value};
use std::collections::BTreeSet;

/// Most words of a memory and elements of a table that are looked at.
const MOST: usize = 32;

/// A function added to the module that looks at a part of its state, and what it returns.
#[derive(Debug)]
pub(super) struct Observer {
    pub(super) name: String,
    pub(super) function: String,
    pub(super) value: i64,
}

/// The kinds of what has a state, as the names of observers begin.
pub(super) const GLOBAL: &str = "global";
pub(super) const MEMORY: &str = "memory";
pub(super) const TABLE: &str = "table";

/// The observers of a part's state, but for what is `shared`; none for what the module exports anyway under such a name.
pub(super) fn observers(
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
        let is_nan = |ty: &str| format!("(i64.extend_i32_u ({ty}.ne {get} {get}))");
        let (instructions, value) = match *value {
            Value::I32(v) => (format!("(i64.extend_i32_s {get})"), v.into()),
            Value::I64(v) => (get, v),
            // The bits of a NaN are not determined.
            Value::F32(bits) if f32::from_bits(bits).is_nan() => {
                add(format!("NaN in {GLOBAL} {index}"), is_nan("f32"), 1);
                continue;
            }
            Value::F64(bits) if f64::from_bits(bits).is_nan() => {
                add(format!("NaN in {GLOBAL} {index}"), is_nan("f64"), 1);
                continue;
            }
            Value::F32(bits) => (
                format!("(i64.extend_i32_u (i32.reinterpret_f32 {get}))"),
                bits.into(),
            ),
            Value::F64(bits) => (format!("(i64.reinterpret_f64 {get})"), bits as i64),
            Value::V128(bits) => {
                let upper = format!("(i64x2.extract_lane 1 {get})");
                let name = format!("upper half of {GLOBAL} {index}");
                add(name, upper, (bits >> 64) as i64);
                (format!("(i64x2.extract_lane 0 {get})"), bits as i64)
            }
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

/// What sees that a part is there at all, and returns something: for a script that says nothing else.
pub(super) fn presence(part: &Part) -> Observer {
    let mut name = String::from("instantiated");
    while part.interface.export(&name).is_some() {
        name += "!";
    }
    Observer {
        function: format!(
            "(func (export {}) (result i64) (i64.const 1))",
            quoted(&name)
        ),
        name,
        value: 1,
    }
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
