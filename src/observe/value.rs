//! Values as an observer sees them: numbers by their bits, references by what
//! they are. No engine's handle gets in here.

use serde::{Serialize, Serializer};
use std::fmt;

/// A value of a result, a payload, a global or a table element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Value {
    /// An `i32`.
    I32(i32),
    /// An `i64`; in JSON a decimal string, for readers whose numbers are doubles.
    #[serde(serialize_with = "decimal")]
    I64(i64),
    /// The bits of an `f32`; in JSON `0x` and eight hexadecimal digits.
    #[serde(serialize_with = "hex32")]
    F32(u32),
    /// The bits of an `f64`; in JSON `0x` and sixteen hexadecimal digits.
    #[serde(serialize_with = "hex64")]
    F64(u64),
    /// The bits of a `v128`; in JSON `0x` and 32 hexadecimal digits, lane 0 last.
    #[serde(serialize_with = "hex128")]
    V128(u128),
    /// A null reference of any type.
    Null,
    /// A function, by its address in the store.
    Func(u32),
    /// A continuation, by its number: the how-manyth the store allocated. An
    /// engine that does not trace need not know it.
    Cont(Option<u64>),
    /// An exception, by the address of its tag in the store.
    Exn(u32),
    /// An external reference, by the host's number for it.
    Extern(u64),
    /// An `i31` reference, sign-extended.
    I31(i32),
    /// A structure, by its type index.
    Struct(u32),
    /// An array, by its type index.
    Array(u32),
}

/// The canonical NaN of `f32`, positive.
const NAN32: u32 = 0x7fc0_0000;
/// The canonical NaN of `f64`, positive.
const NAN64: u64 = 0x7ff8_0000_0000_0000;

impl Value {
    /// Whether two values are the same, as far as both are known: a continuation
    /// of unknown number may be any.
    pub fn agrees(self, other: Value) -> bool {
        match (self, other) {
            (Value::Cont(None), Value::Cont(_)) | (Value::Cont(_), Value::Cont(None)) => true,
            _ => self == other,
        }
    }

    /// Replaces a NaN by the positive canonical NaN of its type.
    ///
    /// A `v128` keeps its bits, since nothing tells how its lanes are meant.
    pub fn canonicalise(&mut self) {
        match self {
            Value::F32(bits) if f32::from_bits(*bits).is_nan() => *bits = NAN32,
            Value::F64(bits) if f64::from_bits(*bits).is_nan() => *bits = NAN64,
            _ => {}
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Value::I32(v) => write!(f, "i32 {v}"),
            Value::I64(v) => write!(f, "i64 {v}"),
            Value::F32(bits) => write!(f, "f32 {:?} ({bits:#010x})", f32::from_bits(bits)),
            Value::F64(bits) => write!(f, "f64 {:?} ({bits:#018x})", f64::from_bits(bits)),
            Value::V128(bits) => write!(f, "v128 {bits:#034x}"),
            Value::Null => write!(f, "null"),
            Value::Func(address) => write!(f, "func {address}"),
            Value::Cont(Some(number)) => write!(f, "cont {number}"),
            Value::Cont(None) => write!(f, "cont of unknown number"),
            Value::Exn(tag) => write!(f, "exn of tag {tag}"),
            Value::Extern(number) => write!(f, "extern {number}"),
            Value::I31(v) => write!(f, "i31 {v}"),
            Value::Struct(ty) => write!(f, "struct of type {ty}"),
            Value::Array(ty) => write!(f, "array of type {ty}"),
        }
    }
}

/// Writes `values` between parentheses, separated by commas.
pub(crate) fn write_list(f: &mut fmt::Formatter<'_>, values: &[Value]) -> fmt::Result {
    write!(f, "(")?;
    for (i, value) in values.iter().enumerate() {
        let separator = if i == 0 { "" } else { ", " };
        write!(f, "{separator}{value}")?;
    }
    write!(f, ")")
}

fn decimal<S: Serializer>(v: &i64, s: S) -> Result<S::Ok, S::Error> {
    s.collect_str(v)
}

fn hex32<S: Serializer>(v: &u32, s: S) -> Result<S::Ok, S::Error> {
    s.collect_str(&format_args!("{v:#010x}"))
}

fn hex64<S: Serializer>(v: &u64, s: S) -> Result<S::Ok, S::Error> {
    s.collect_str(&format_args!("{v:#018x}"))
}

fn hex128<S: Serializer>(v: &u128, s: S) -> Result<S::Ok, S::Error> {
    s.collect_str(&format_args!("{v:#034x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_nan_becomes_the_canonical_one_and_nothing_else_changes() {
        for (before, after) in [
            (Value::F32(0xff80_0001), Value::F32(NAN32)),
            (Value::F32(0xff80_0000), Value::F32(0xff80_0000)),
            (Value::F64(u64::MAX), Value::F64(NAN64)),
            (Value::F64(1), Value::F64(1)),
            (Value::I32(-1), Value::I32(-1)),
        ] {
            let mut value = before;
            value.canonicalise();
            assert_eq!(value, after, "{before}");
        }
    }

    #[test]
    fn an_unknown_number_agrees_with_every_continuation_and_nothing_else() {
        assert!(Value::Cont(None).agrees(Value::Cont(Some(4))));
        assert!(Value::Cont(Some(4)).agrees(Value::Cont(None)));
        assert!(!Value::Cont(Some(4)).agrees(Value::Cont(Some(5))));
        assert!(!Value::Cont(None).agrees(Value::Null));
    }

    #[test]
    fn json_is_exact_where_doubles_are_not() {
        let json = |v: Value| serde_json::to_string(&v).unwrap();
        assert_eq!(
            json(Value::I64(i64::MAX)),
            r#"{"i64":"9223372036854775807"}"#
        );
        assert_eq!(json(Value::F32(0x8000_0000)), r#"{"f32":"0x80000000"}"#);
        assert_eq!(json(Value::Null), r#""null""#);
        assert_eq!(json(Value::Cont(Some(3))), r#"{"cont":3}"#);
    }
}
