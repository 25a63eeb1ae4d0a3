//! Parameters of scenarios: numbers and lists that are in their bounds whatever they are decoded from.
//!
//! A plan is what a mutator changes, so a parameter must be meaningful for any byte. These types see to that when they are drawn
//! and when they are deserialised, so no code that builds a module has to ask again.

use arbitrary::{Arbitrary, Result, Unstructured};
use serde::{Deserialize, Serialize};

/// A number from `MIN` to `MAX`. Smaller ones are drawn more often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "u8", into = "u8")]
pub struct Number<const MIN: u8, const MAX: u8>(u8);

impl<const MIN: u8, const MAX: u8> Number<MIN, MAX> {
    pub(super) fn get(self) -> u32 {
        u32::from(self.0)
    }
}

impl<const MIN: u8, const MAX: u8> From<u8> for Number<MIN, MAX> {
    fn from(byte: u8) -> Self {
        let fits = (MIN..=MAX).contains(&byte);
        Number(if fits {
            byte
        } else {
            MIN + byte % (MAX - MIN + 1)
        })
    }
}

impl<const MIN: u8, const MAX: u8> From<Number<MIN, MAX>> for u8 {
    fn from(number: Number<MIN, MAX>) -> u8 {
        number.0
    }
}

impl<'a, const MIN: u8, const MAX: u8> Arbitrary<'a> for Number<MIN, MAX> {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let (one, other) = (u.int_in_range(MIN..=MAX)?, u.int_in_range(MIN..=MAX)?);
        Ok(Number(if u.ratio(2, 3)? { one.min(other) } else { one }))
    }
}

/// A list of at most `MAX` items.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<T>", into = "Vec<T>")]
#[serde(bound(
    serialize = "T: Clone + Serialize",
    deserialize = "T: Deserialize<'de>"
))]
pub struct Few<T, const MAX: usize>(Vec<T>);

impl<T, const MAX: usize> Few<T, MAX> {
    pub(super) fn get(&self) -> &[T] {
        &self.0
    }
}

impl<T, const MAX: usize> From<Vec<T>> for Few<T, MAX> {
    fn from(mut items: Vec<T>) -> Self {
        items.truncate(MAX);
        Few(items)
    }
}

impl<T, const MAX: usize> From<Few<T, MAX>> for Vec<T> {
    fn from(few: Few<T, MAX>) -> Vec<T> {
        few.0
    }
}

impl<'a, T: Arbitrary<'a>, const MAX: usize> Arbitrary<'a> for Few<T, MAX> {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        // Lists that may be long mostly are not, or modules would be large.
        let usual = if MAX > 16 { 4 } else { MAX };
        let bound = if u.ratio(1, 5)? { MAX } else { usual };
        let length = u.int_in_range(0..=bound)?;
        let items: Result<Vec<T>> = (0..length).map(|_| u.arbitrary()).collect();
        Ok(Few(items?))
    }
}

/// A type of values that stacks hand to one another. What a module may not use is an `i32` there instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub enum Kind {
    /// `i32`
    I32,
    /// `i64`
    I64,
    /// `f32`, never NaN
    F32,
    /// `f64`, never NaN
    F64,
    /// `v128`
    V128,
    /// `funcref`
    FuncRef,
    /// `externref`
    ExternRef,
    /// `exnref`
    ExnRef,
    /// `anyref`: `i31` or the structure of [`Kind::StructRef`]
    AnyRef,
    /// A nullable reference to a structure with a number and a link
    StructRef,
}

/// Types of a handful of values, now and then of dozens.
pub type Kinds = Few<Kind, 24>;

/// A number of values for signatures that can be wide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Width {
    /// Some.
    Few(Number<0, 12>),
    /// About a hundred: more than registers, and than a page's worth of small frames would hold.
    Hundred(Number<70, 140>),
    /// Four times this number: more than a small stack holds, or near that.
    Hundreds(Number<50, 160>),
}

impl Width {
    pub(super) fn get(self) -> usize {
        match self {
            Width::Few(number) => number.get() as usize,
            Width::Hundred(number) => number.get() as usize,
            Width::Hundreds(number) => 4 * number.get() as usize,
        }
    }
}

impl<'a> Arbitrary<'a> for Width {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(match u.int_in_range(0..=9)? {
            0..=6 => Width::Few(u.arbitrary()?),
            7 | 8 => Width::Hundred(u.arbitrary()?),
            _ => Width::Hundreds(u.arbitrary()?),
        })
    }
}

/// Where suspended continuations are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub enum Keep {
    /// An element of a table.
    Table,
    /// A global for each, where there are few; a table otherwise.
    Global,
    /// A field of a structure that a table refers to.
    Struct,
    /// An element of an array.
    Array,
    /// The payload of an exception that a table refers to.
    Exception,
}

/// How a continuation is gone on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Go {
    /// `resume`
    Resume,
    /// `resume_throw`
    Throw,
    /// `resume_throw_ref`
    ThrowRef,
}

impl<'a> Arbitrary<'a> for Go {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        // What is thrown into is over, most of the time.
        Ok(match u.int_in_range(0..=4)? {
            0..=2 => Go::Resume,
            3 => Go::Throw,
            _ => Go::ThrowRef,
        })
    }
}

/// Draws what would end too many calls if it were there as often as not.
pub(super) fn seldom(u: &mut Unstructured<'_>) -> Result<bool> {
    u.ratio(1, 6)
}

/// As [`seldom`], of what there is more than one of.
pub(super) fn seldom_some<'a, T: Arbitrary<'a>>(u: &mut Unstructured<'a>) -> Result<Option<T>> {
    Ok(if seldom(u)? {
        Some(u.arbitrary()?)
    } else {
        None
    })
}

/// How a function is called that is called last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Arbitrary)]
pub enum Tail {
    /// `return_call`
    Direct,
    /// `return_call_ref`
    Ref,
    /// `return_call_indirect`
    Indirect,
    /// `call` and `return`
    Not,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_in_their_bounds_whatever_they_come_from() {
        for byte in 0..=255 {
            let number = Number::<3, 9>::from(byte);
            assert!((3..=9).contains(&number.get()), "{byte} gives {number:?}");
            assert_eq!(Number::<3, 9>::from(u8::from(number)), number);
            let drawn: Number<3, 9> = Unstructured::new(&[byte; 3]).arbitrary().unwrap();
            assert!((3..=9).contains(&drawn.get()));
        }
    }

    #[test]
    fn a_long_list_is_cut_when_it_is_decoded() {
        let bytes = postcard::to_stdvec(&vec![Kind::F64; 100]).unwrap();
        let few: Few<Kind, 7> = postcard::from_bytes(&bytes).unwrap();
        assert_eq!(few.get(), [Kind::F64; 7]);
    }
}
