//! Types in the text format (specification: "Text Format", "Types"), for messages.
//!
//! Abbreviations such as `funcref` are not used. A type index is the number of the canonical type in its
//! [`Engine`](crate::Engine), since what a message compares is of different modules; so different types never look alike.

use std::fmt::{Display, Formatter, Result};

use super::{
    DefinedType, ExternType, FuncType, GlobalType, HeapType, MemoryType, RefType, TableType,
    TagType, ValType,
};

impl Display for DefinedType {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        self.id.fmt(f)
    }
}

impl Display for HeapType {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            HeapType::Func => "func",
            HeapType::NoFunc => "nofunc",
            HeapType::Extern => "extern",
            HeapType::NoExtern => "noextern",
            HeapType::Any => "any",
            HeapType::Eq => "eq",
            HeapType::I31 => "i31",
            HeapType::Struct => "struct",
            HeapType::Array => "array",
            HeapType::None => "none",
            HeapType::Exn => "exn",
            HeapType::NoExn => "noexn",
            HeapType::Cont => "cont",
            HeapType::NoCont => "nocont",
            HeapType::Concrete(ty) => return ty.fmt(f),
        })
    }
}

impl Display for RefType {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let null = if self.nullable { "null " } else { "" };
        write!(f, "(ref {null}{})", self.heap)
    }
}

impl Display for ValType {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            ValType::I32 => "i32",
            ValType::I64 => "i64",
            ValType::F32 => "f32",
            ValType::F64 => "f64",
            ValType::V128 => "v128",
            ValType::Ref(ty) => return ty.fmt(f),
        })
    }
}

/// What functions and tags have in common: a type use.
fn type_use(f: &mut Formatter<'_>, keyword: &str, ty: &FuncType) -> Result {
    write!(f, "({keyword}")?;
    if let Some(defined) = ty.defined {
        write!(f, " (type {defined})")?;
    }
    for (keyword, types) in [("param", &ty.params), ("result", &ty.results)] {
        if !types.is_empty() {
            write!(f, " ({keyword}")?;
            types.iter().try_for_each(|ty| write!(f, " {ty}"))?;
            f.write_str(")")?;
        }
    }
    f.write_str(")")
}

impl Display for FuncType {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        type_use(f, "func", self)
    }
}

impl Display for TagType {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        type_use(f, "tag", &self.func)
    }
}

impl Display for GlobalType {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        if self.mutable {
            write!(f, "(global (mut {}))", self.content)
        } else {
            write!(f, "(global {})", self.content)
        }
    }
}

/// What memories and tables have in common: the address type, unless it is `i32`, and limits.
fn limits(f: &mut Formatter<'_>, is_64: bool, minimum: u64, maximum: Option<u64>) -> Result {
    let address = if is_64 { " i64" } else { "" };
    write!(f, "{address} {minimum}")?;
    maximum.map_or(Ok(()), |maximum| write!(f, " {maximum}"))
}

impl Display for MemoryType {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str("(memory")?;
        limits(f, self.memory64, self.minimum, self.maximum)?;
        if self.page_size_log2 != 16 {
            write!(f, " (pagesize {})", 1_u64 << self.page_size_log2)?;
        }
        f.write_str(")")
    }
}

impl Display for TableType {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str("(table")?;
        limits(f, self.table64, self.minimum, self.maximum)?;
        write!(f, " {})", self.element)
    }
}

impl Display for ExternType {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            ExternType::Func(ty) => ty.fmt(f),
            ExternType::Global(ty) => ty.fmt(f),
            ExternType::Memory(ty) => ty.fmt(f),
            ExternType::Table(ty) => ty.fmt(f),
            ExternType::Tag(ty) => ty.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{Config, Engine, Error, Extern, Instance, Module, Store, Val};

    /// What a second module is told when its import, of type `wanted`, gets the export `given` of a first one.
    fn refusal(types: &str, given: &str, wanted: &str) -> String {
        let engine = Engine::new(&Config::new()).unwrap();
        let mut store = Store::new(&engine, ());
        let module = |field: &str| {
            let wasm = wat::parse_str(format!("(module {types} {field})")).unwrap();
            Module::new(&engine, &wasm).unwrap()
        };
        let given = Instance::new(&mut store, &module(given), &[]).unwrap();
        let item = given.get_export(&store, "e").unwrap();
        let wanted = module(&format!("(import \"m\" \"n\" {wanted})"));
        match Instance::new(&mut store, &wanted, &[item]) {
            Err(Error::Link(message)) => message,
            other => panic!("{:?}", other.map(|_| ())),
        }
    }

    #[test]
    fn link_errors_write_types_as_the_text_format_does() {
        let func = "(type $f (func (param i32 (ref null exn)) (result v128)))";
        for (types, given, wanted, message) in [
            (
                func,
                "(func (export \"e\") (param f32))",
                "(func (type $f))",
                "(func (type 1) (param f32)), not \
                 (func (type 0) (param i32 (ref null exn)) (result v128))",
            ),
            (
                "(type $s (struct)) (type $k (sub (struct (field i32))))",
                "(global (export \"e\") (ref null $s) (ref.null $s))",
                "(global (mut (ref $k)))",
                "(global (ref null 0)), not (global (mut (ref 1)))",
            ),
            (
                "",
                "(memory (export \"e\") 1 2)",
                "(memory i64 3 (pagesize 1))",
                "(memory 1 2), not (memory i64 3 (pagesize 1))",
            ),
            (
                "",
                "(table (export \"e\") i64 1 funcref)",
                "(table 1 2 (ref null nocont))",
                "(table i64 1 (ref null func)), not (table 1 2 (ref null nocont))",
            ),
            (
                "",
                "(tag (export \"e\") (param i64) (result f64))",
                "(tag)",
                "(tag (type 0) (param i64) (result f64)), not (tag (type 1))",
            ),
        ] {
            let expected = format!("incompatible import type: \"m\" \"n\" is {message}");
            assert_eq!(refusal(types, given, wanted), expected);
        }
    }

    #[test]
    fn so_do_errors_about_values() {
        let engine = Engine::new(&Config::new()).unwrap();
        let text = "(module (global (export \"g\") (mut (ref null eq)) (ref.null eq)))";
        let module = Module::new(&engine, &wat::parse_str(text).unwrap()).unwrap();
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let Some(Extern::Global(global)) = instance.get_export(&store, "g") else {
            panic!("there is no global");
        };
        let error = global.set(&mut store, Val::I32(7)).unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("I32(7) is not of type (ref null eq)"),
            "{error}"
        );
    }
}
