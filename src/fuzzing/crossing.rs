//! Which references crossed from stack to stack in a run, and how; and which continuations came out of objects.
//!
//! The trace says what is bound, carried and handed back. What was read from a structure or an array, null or not, is told by the
//! instructions that were executed and by the types of what they read; and that a field or an element was set to null, which
//! generated code does where it has taken something out.

use crate::linked;
use crate::observe::{Event, EventKind, Value};
use std::collections::BTreeSet;
use wasmparser::{
    CompositeInnerType, HeapType, Operator, Parser, Payload, StorageType, SubType, ValType,
};

/// The ways by which references cross, in the order in which they are listed.
pub const WAYS: [&str; 9] = [
    "bound",
    "resumed with",
    "suspended with",
    "switched with",
    "returned",
    "thrown",
    "thrown into",
    "read from an object",
    "emptied in an object",
];

/// The kinds of references that are told apart.
pub const KINDS: [&str; 2] = ["object", "continuation"];

/// What crosses in a case: a way and a kind, as one text.
pub(crate) fn name(way: &str, kind: &str) -> String {
    format!("{kind} {way}")
}

/// What crossed in a run: its events, and the offsets of what was executed (ascending).
pub(crate) fn crossings(wasm: &[u8], trace: &[Event], executed: &[u32]) -> BTreeSet<String> {
    let mut crossings = BTreeSet::new();
    for event in trace {
        let (way, values) = match &event.kind {
            EventKind::Bind { values, .. } => (WAYS[0], values),
            EventKind::Resume { values, .. } => (WAYS[1], values),
            EventKind::Suspend { values, .. } => (WAYS[2], values),
            EventKind::Switch { values, .. } => (WAYS[3], values),
            EventKind::Return { values, .. } => (WAYS[4], values),
            EventKind::Throw { values, .. } => (WAYS[5], values),
            EventKind::ResumeThrow { values, .. } => (WAYS[6], values),
            _ => continue,
        };
        for value in values {
            let kind = match value {
                Value::Struct(_) | Value::Array(_) => KINDS[0],
                Value::Cont(_) => KINDS[1],
                _ => continue,
            };
            crossings.insert(name(way, kind));
        }
    }
    for module in linked::modules(wasm) {
        crossings.extend(objects(&module, executed));
    }
    crossings
}

/// The kinds of references for which one of the instructions at these offsets reads a field or an element, or sets one to null.
fn objects(wasm: &[u8], executed: &[u32]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut types: Vec<SubType> = Vec::new();
    for payload in Parser::new(0).parse_all(wasm) {
        match payload {
            Ok(Payload::TypeSection(section)) => {
                let groups = section.into_iter().flatten();
                types.extend(groups.flat_map(|group| group.into_types()));
                if !types.iter().any(is_object) {
                    break;
                }
            }
            Ok(Payload::CodeSectionEntry(body)) => {
                let Ok(reader) = body.get_operators_reader() else {
                    break;
                };
                let mut null = false;
                for (operator, offset) in reader.into_iter_with_offsets().flatten() {
                    if let Some((way, field)) = field(&types, &operator, null)
                        && let Some(kind) = kind(&types, field)
                        && executed.binary_search(&(offset as u32)).is_ok()
                    {
                        found.insert(name(way, kind));
                    }
                    null = matches!(operator, Operator::RefNull { .. });
                }
            }
            _ => {}
        }
    }
    found
}

fn is_object(ty: &SubType) -> bool {
    let inner = &ty.composite_type.inner;
    matches!(
        inner,
        CompositeInnerType::Struct(_) | CompositeInnerType::Array(_)
    )
}

/// The type of the field or element that an instruction reads or, if `null` stands before it, empties; and the way, which tells
/// the two apart.
fn field(
    types: &[SubType],
    operator: &Operator<'_>,
    null: bool,
) -> Option<(&'static str, StorageType)> {
    let [.., reads, empties] = WAYS;
    let (way, ty, field) = match *operator {
        Operator::StructGet {
            struct_type_index,
            field_index,
        } => (reads, struct_type_index, field_index),
        Operator::StructSet {
            struct_type_index,
            field_index,
        } if null => (empties, struct_type_index, field_index),
        Operator::ArrayGet { array_type_index } => (reads, array_type_index, 0),
        Operator::ArraySet { array_type_index } if null => (empties, array_type_index, 0),
        _ => return None,
    };
    let field = match &types.get(ty as usize)?.composite_type.inner {
        CompositeInnerType::Struct(ty) => ty.fields.get(field as usize)?.element_type,
        CompositeInnerType::Array(ty) => ty.0.element_type,
        _ => return None,
    };
    Some((way, field))
}

/// The kind of references that a field of this type holds.
fn kind(types: &[SubType], field: StorageType) -> Option<&'static str> {
    use wasmparser::AbstractHeapType::{Any, Array, Cont, Eq, Struct};
    let StorageType::Val(ValType::Ref(reference)) = field else {
        return None;
    };
    let (object, continuation) = match reference.heap_type() {
        HeapType::Concrete(index) => {
            let ty = types.get(index.as_module_index()? as usize)?;
            let cont = matches!(ty.composite_type.inner, CompositeInnerType::Cont(_));
            (is_object(ty), cont)
        }
        HeapType::Abstract { ty, .. } => (matches!(ty, Any | Eq | Struct | Array), ty == Cont),
        _ => (false, false),
    };
    let [object_kind, continuation_kind] = KINDS;
    object
        .then_some(object_kind)
        .or(continuation.then_some(continuation_kind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engines::{self, Settings};
    use crate::observe;

    #[test]
    fn what_crosses_is_told_by_way_and_kind() {
        let wasm = wat::parse_str(
            r#"(module
                (type $f (func (param anyref) (result anyref))) (type $k (cont $f))
                (type $g (func (result anyref))) (type $b (cont $g))
                (type $s (struct (field (mut (ref null $b)))))
                (tag $t)
                (func $body (type $f) (local.get 0))
                (elem declare func $body)
                (func (export "run") (local $s (ref $s))
                  (local.set $s (struct.new $s
                    (cont.bind $k $b (struct.new_default $s) (cont.new $k (ref.func $body)))))
                  (drop (resume $b (struct.get $s 0 (local.get $s))))
                  (struct.set $s 0 (local.get $s) (ref.null $b)))
                (func (export "not") (drop (struct.get $s 0 (ref.null $s)))))"#,
        )
        .unwrap();
        let settings = Settings {
            trace: true,
            coverage: true,
            ..Settings::default()
        };
        let engine = engines::create("oracle", &settings).unwrap();
        let run = observe::run(engine.as_ref(), &wasm);
        let trace = run.observation.trace.unwrap();
        let all = crossings(&wasm, &trace, &run.executed);
        let all: Vec<_> = all.iter().map(String::as_str).collect();
        assert_eq!(
            all,
            [
                "continuation emptied in an object",
                "continuation read from an object",
                "object bound",
                "object returned"
            ]
        );
        let nothing = crossings(&wasm, &[], &[]);
        assert!(nothing.is_empty(), "{nothing:?}");
    }
}
