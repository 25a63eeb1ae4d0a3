//! Values of scripts: arguments, and patterns for results.

use crate::observe::Value;
use wast::core::{NanPattern, V128Pattern, WastArgCore, WastRetCore};
use wast::token::{F32, F64};
use wast::{WastArg, WastRet};

/// The value of an argument, or why there is none.
pub(super) fn argument(arg: &WastArg<'_>) -> Result<Value, String> {
    let WastArg::Core(arg) = arg else {
        return Err("arguments of components are not supported".to_owned());
    };
    Ok(match arg {
        WastArgCore::I32(v) => Value::I32(*v),
        WastArgCore::I64(v) => Value::I64(*v),
        WastArgCore::F32(v) => Value::F32(v.bits),
        WastArgCore::F64(v) => Value::F64(v.bits),
        WastArgCore::V128(v) => Value::V128(u128::from_le_bytes(v.to_le_bytes())),
        WastArgCore::RefNull(_) => Value::Null,
        WastArgCore::RefExtern(n) | WastArgCore::RefHost(n) => Value::Extern((*n).into()),
    })
}

/// Checks results against their patterns; describes the first mismatch.
pub(super) fn results(values: &[Value], patterns: &[WastRet<'_>]) -> Result<(), String> {
    if values.len() != patterns.len() {
        return Err(format!(
            "expected {} results, got {}",
            patterns.len(),
            values.len()
        ));
    }
    for (index, (value, pattern)) in values.iter().zip(patterns).enumerate() {
        let WastRet::Core(pattern) = pattern else {
            return Err("results of components are not supported".to_owned());
        };
        if !matches(*value, pattern)? {
            return Err(format!("result {index}: expected {pattern:?}, got {value}"));
        }
    }
    Ok(())
}

fn matches(value: Value, pattern: &WastRetCore<'_>) -> Result<bool, String> {
    Ok(match (pattern, value) {
        (WastRetCore::I32(expected), Value::I32(v)) => *expected == v,
        (WastRetCore::I64(expected), Value::I64(v)) => *expected == v,
        (WastRetCore::F32(expected), Value::F32(bits)) => float32(expected, bits),
        (WastRetCore::F64(expected), Value::F64(bits)) => float64(expected, bits),
        (WastRetCore::V128(expected), Value::V128(bits)) => vector(expected, bits),
        (WastRetCore::RefNull(_), Value::Null) => true,
        (WastRetCore::RefExtern(Some(n)), Value::Extern(v)) => u64::from(*n) == v,
        // What was made external is still seen as what it is.
        (
            WastRetCore::RefExtern(None),
            Value::Extern(_) | Value::I31(_) | Value::Struct(_) | Value::Array(_),
        ) => true,
        (WastRetCore::RefHost(n), Value::Extern(v)) => u64::from(*n) == v,
        (WastRetCore::RefFunc(None), Value::Func(_)) => true,
        (WastRetCore::RefFunc(Some(_)), _) => {
            return Err("`ref.func` with an index is not supported".to_owned());
        }
        (WastRetCore::RefI31, Value::I31(_)) => true,
        (WastRetCore::RefStruct, Value::Struct(_)) => true,
        (WastRetCore::RefArray, Value::Array(_)) => true,
        (
            WastRetCore::RefEq | WastRetCore::RefAny,
            Value::I31(_) | Value::Struct(_) | Value::Array(_),
        ) => true,
        (WastRetCore::RefI31Shared, _) => {
            return Err("shared references are not supported".to_owned());
        }
        (WastRetCore::Either(alternatives), value) => {
            for alternative in alternatives {
                if matches(value, alternative)? {
                    return Ok(true);
                }
            }
            false
        }
        _ => false,
    })
}

fn float32(pattern: &NanPattern<F32>, bits: u32) -> bool {
    match pattern {
        NanPattern::CanonicalNan => bits & 0x7fff_ffff == 0x7fc0_0000,
        NanPattern::ArithmeticNan => bits & 0x7fc0_0000 == 0x7fc0_0000,
        NanPattern::Value(v) => v.bits == bits,
    }
}

fn float64(pattern: &NanPattern<F64>, bits: u64) -> bool {
    match pattern {
        NanPattern::CanonicalNan => bits & 0x7fff_ffff_ffff_ffff == 0x7ff8_0000_0000_0000,
        NanPattern::ArithmeticNan => bits & 0x7ff8_0000_0000_0000 == 0x7ff8_0000_0000_0000,
        NanPattern::Value(v) => v.bits == bits,
    }
}

fn vector(pattern: &V128Pattern, bits: u128) -> bool {
    /// The `width`-bit lanes of a vector, lane 0 first.
    fn lanes(bits: u128, width: u32) -> impl Iterator<Item = u64> {
        (0..128 / width).map(move |i| (bits >> (i * width)) as u64 & (u64::MAX >> (64 - width)))
    }
    match pattern {
        V128Pattern::I8x16(l) => lanes(bits, 8).eq(l.iter().map(|&v| u64::from(v as u8))),
        V128Pattern::I16x8(l) => lanes(bits, 16).eq(l.iter().map(|&v| u64::from(v as u16))),
        V128Pattern::I32x4(l) => lanes(bits, 32).eq(l.iter().map(|&v| u64::from(v as u32))),
        V128Pattern::I64x2(l) => lanes(bits, 64).eq(l.iter().map(|&v| v as u64)),
        V128Pattern::F32x4(l) => l
            .iter()
            .zip(lanes(bits, 32))
            .all(|(p, lane)| float32(p, lane as u32)),
        V128Pattern::F64x2(l) => l
            .iter()
            .zip(lanes(bits, 64))
            .all(|(p, lane)| float64(p, lane)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nan_patterns_take_their_nans_only() {
        let canonical = NanPattern::<F32>::CanonicalNan;
        let arithmetic = NanPattern::<F32>::ArithmeticNan;
        for (bits, is_canonical, is_arithmetic) in [
            (0x7fc0_0000, true, true),
            (0xffc0_0000, true, true),
            (0x7fc0_0001, false, true),
            (0x7fa0_0000, false, false),
            (0x7f80_0000, false, false),
        ] {
            assert_eq!(float32(&canonical, bits), is_canonical, "{bits:#x}");
            assert_eq!(float32(&arithmetic, bits), is_arithmetic, "{bits:#x}");
        }
        assert!(float64(&NanPattern::CanonicalNan, 0xfff8_0000_0000_0000));
        assert!(!float64(&NanPattern::CanonicalNan, 0x7ff8_0000_0000_0001));
        assert!(float64(&NanPattern::ArithmeticNan, 0x7ff8_0000_0000_0001));
    }

    #[test]
    fn vectors_match_lane_by_lane() {
        let bits = 0xffff_ffff_0000_0000_7fc0_0000_0000_0001;
        assert!(vector(&V128Pattern::I32x4([1, 0x7fc0_0000, 0, -1]), bits));
        assert!(!vector(&V128Pattern::I32x4([1, 0x7fc0_0000, 1, -1]), bits));
        assert!(vector(
            &V128Pattern::F32x4([
                NanPattern::Value(F32 { bits: 1 }),
                NanPattern::CanonicalNan,
                NanPattern::Value(F32 { bits: 0 }),
                NanPattern::ArithmeticNan,
            ]),
            bits
        ));
    }

    #[test]
    fn references_match_by_kind() {
        let extern_1 = WastRetCore::RefExtern(Some(1));
        assert_eq!(matches(Value::Extern(1), &extern_1), Ok(true));
        assert_eq!(matches(Value::Extern(2), &extern_1), Ok(false));
        assert_eq!(matches(Value::Null, &extern_1), Ok(false));
        let either = WastRetCore::Either(vec![WastRetCore::I32(1), WastRetCore::RefNull(None)]);
        assert_eq!(matches(Value::Null, &either), Ok(true));
        assert_eq!(matches(Value::I32(2), &either), Ok(false));
    }
}
