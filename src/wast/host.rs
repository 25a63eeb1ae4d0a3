//! Modules that stand for the standard host in scripts.

use super::case::CaseScriptError;
use super::part::{Shape, quoted};
use crate::engines::{Import, STANDARD_HOST};
use wasmparser::{FuncType, TypeRef, ValType};

/// Modules that provide the imports as the standard host does, each registered under its name; none for those from `provider`.
pub(super) fn host_modules(
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
