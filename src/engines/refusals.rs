//! What adapters say of what cannot be done, in the same words whatever the engine.

use crate::observe::{Outcome, Value};

/// What an adapter says of an import for which the standard host has no item.
pub(super) fn no_default(module: &str, name: &str, ty: &str) -> Outcome {
    Outcome::Unlinkable {
        message: format!(
            "incompatible import type: the standard host has no value of type {ty} for {module:?} \
             {name:?}"
        ),
    }
}

/// What an adapter says of a binding to an export that is not there.
pub(super) fn unbound(module: &str, name: &str) -> Outcome {
    Outcome::Unlinkable {
        message: format!("unknown import: {module:?} {name:?}"),
    }
}

/// What an adapter says of misuse, and of an engine's own failure.
pub(super) fn failed(message: String) -> Outcome {
    Outcome::Failed { message }
}

/// What an adapter says of a call of an export that is no function, or not there.
pub(super) fn no_function(export: &str) -> Outcome {
    failed(format!("there is no exported function {export:?}"))
}

/// What an adapter says of an export that is read as a global and is none, or not there.
pub(super) fn no_global(export: &str) -> Outcome {
    failed(format!("there is no exported global {export:?}"))
}

/// The arguments of a call of `export`, whose parameters have these types, as an engine's own values. Of a value that is none of
/// its parameter's type, `convert` returns how that type is written.
///
/// # Errors
///
/// What an adapter says of arguments of wrong number or type.
pub(super) fn converted<T, V>(
    export: &str,
    types: &[T],
    arguments: &[Value],
    mut convert: impl FnMut(&T, Value) -> Result<V, String>,
) -> Result<Vec<V>, Outcome> {
    if types.len() != arguments.len() {
        return Err(failed(format!(
            "{export:?} has {} parameters, not {}",
            types.len(),
            arguments.len()
        )));
    }
    let pairs = types.iter().zip(arguments);
    let value = |(ty, argument): (&T, &Value)| {
        let refused = |ty| failed(format!("{argument} is no argument of type {ty}"));
        convert(ty, *argument).map_err(refused)
    };
    pairs.map(value).collect()
}
