//! Values: what embedders see ([`Val`]), and how references stand in slots.
//!
//! | hierarchy | word, null being 0 |
//! | --- | --- |
//! | `func` | store address + 1 |
//! | `exn` | a pattern in the upper 16 bits, place in the heap |
//! | `cont` | (number + 1) in the upper 40 bits, place in the lower 24 |
//! | `any`, `extern` | an i31 value, a host number, or an object's place with a pattern in the upper 16 bits; shifted left by 2, and a kind |
//!
//! References inside and outside of `extern` look alike, so that `extern.convert_any` and
//! its inverse change nothing. The patterns make that numbers hardly look like references
//! (see [`collect`](crate::heap)).

use crate::externs::Func;
use crate::machine::Machine;
use crate::store::{AsContext, StoreId};
use crate::trace::Value;
use crate::types::{DefinedKind, DefinedType, HeapType, RefType, ValType};

/// The null reference, of any type.
pub(crate) const NULL: u64 = 0;

const KIND_BITS: u32 = 2;
const KIND_I31: u64 = 1;
const KIND_OBJECT: u64 = 2;
const KIND_HOST: u64 = 3;

const OBJECT_PATTERN: u64 = 0xfff5 << 48 | KIND_OBJECT;
const EXN_PATTERN: u64 = 0xfff6 << 48;

/// The word for a function address.
pub(crate) fn func_word(addr: u32) -> u64 {
    u64::from(addr) + 1
}

/// The function address of a word that is not null.
pub(crate) fn word_func(word: u64) -> u32 {
    (word - 1) as u32
}

/// The word for an exception.
pub(crate) fn exn_word(place: u32) -> u64 {
    EXN_PATTERN | u64::from(place)
}

/// The exception of a word that is not null.
pub(crate) fn word_exn(word: u64) -> u32 {
    word as u32
}

/// The exception of a word that looks like a reference to one.
pub(crate) fn exn_place(word: u64) -> Option<u32> {
    (word & !u64::from(u32::MAX) == EXN_PATTERN).then_some(word as u32)
}

/// The word for an object.
pub(crate) fn object_word(place: u32) -> u64 {
    OBJECT_PATTERN | u64::from(place) << KIND_BITS
}

/// Whether a word looks like a reference to an object.
pub(crate) fn is_object_word(word: u64) -> bool {
    word & (0xffff << 48 | 3) == OBJECT_PATTERN
}

/// The object of such a word.
pub(crate) fn word_object(word: u64) -> u32 {
    (word >> KIND_BITS) as u32
}

/// The word for an unboxed integer, whose upper bit is ignored.
pub(crate) fn i31_word(value: i32) -> u64 {
    u64::from(value as u32 & 0x7fff_ffff) << KIND_BITS | KIND_I31
}

/// What a word of the `any` or `extern` hierarchy refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AnyWord {
    /// Sign-extended.
    I31(i32),
    Object(u32),
    /// Null is taken for a host's reference, too; who asks has excluded it.
    Host(u64),
}

/// What a word of the `any` or `extern` hierarchy refers to.
pub(crate) fn word_any(word: u64) -> AnyWord {
    match word & 3 {
        KIND_I31 => AnyWord::I31((((word >> KIND_BITS) as u32) << 1) as i32 >> 1),
        KIND_OBJECT => AnyWord::Object(word_object(word)),
        _ => AnyWord::Host(word >> KIND_BITS),
    }
}

const PLACE_BITS: u32 = 24;

/// Continuations that can be alive at once: their places have 24 bits in a reference.
pub(crate) const MAX_CONTINUATIONS: u32 = 1 << PLACE_BITS;

/// Bound of the continuations' numbers, which have 40 bits in a reference, null excluded.
pub(crate) const MAX_NUMBER: u64 = (1 << (64 - PLACE_BITS)) - 1;

/// The word for a continuation.
pub(crate) fn cont_word(number: u64, place: u32) -> u64 {
    (number + 1) << PLACE_BITS | u64::from(place)
}

/// Number and place of a word that is not null.
pub(crate) fn cont_place(word: u64) -> (u64, u32) {
    (
        cont_number(word),
        (word & (u64::from(MAX_CONTINUATIONS) - 1)) as u32,
    )
}

/// Number of a word that is not null. (Of a word that is no continuation's, some number.)
pub(crate) fn cont_number(word: u64) -> u64 {
    (word >> PLACE_BITS).wrapping_sub(1)
}

/// A value.
#[derive(Clone, Copy, Debug)]
pub enum Val {
    /// A 32-bit integer.
    I32(i32),
    /// A 64-bit integer.
    I64(i64),
    /// The bits of a 32-bit float.
    F32(u32),
    /// The bits of a 64-bit float.
    F64(u64),
    /// A vector.
    V128(u128),
    /// A reference of the `func` hierarchy.
    FuncRef(Option<Func>),
    /// A reference of the `extern` hierarchy.
    ExternRef(Option<ExternRef>),
    /// A reference of the `any` hierarchy.
    AnyRef(Option<AnyRef>),
    /// A reference of the `exn` hierarchy.
    ExnRef(Option<ExnRef>),
    /// A reference of the `cont` hierarchy.
    ContRef(Option<ContRef>),
}

impl Val {
    /// The default value of a type; none if it has none.
    pub fn default_of(ty: ValType) -> Option<Val> {
        Some(match ty {
            ValType::I32 => Val::I32(0),
            ValType::I64 => Val::I64(0),
            ValType::F32 => Val::F32(0),
            ValType::F64 => Val::F64(0),
            ValType::V128 => Val::V128(0),
            ValType::Ref(RefType {
                nullable: true,
                heap,
            }) => Val::null(heap),
            ValType::Ref(_) => return None,
        })
    }

    /// The null reference of a type's hierarchy, or zero: what stands for a value that a
    /// host function has not given yet.
    pub(crate) fn null_of(ty: ValType) -> Val {
        match ty {
            ValType::Ref(r) => Val::null(r.heap),
            _ => Val::I32(0),
        }
    }

    /// The null reference of a heap type's hierarchy.
    pub fn null(heap: HeapType) -> Val {
        match heap.top() {
            HeapType::Func => Val::FuncRef(None),
            HeapType::Extern => Val::ExternRef(None),
            HeapType::Exn => Val::ExnRef(None),
            HeapType::Cont => Val::ContRef(None),
            _ => Val::AnyRef(None),
        }
    }
}

/// A reference to something outside of Wasm, or to something inside that was made
/// external by `extern.convert_any`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ExternRef(AnyRef);

impl ExternRef {
    /// A reference to the host's object with this number.
    ///
    /// # Panics
    ///
    /// If the number is 2^62 or more.
    pub fn new(number: u64) -> Self {
        assert!(number < 1 << 62, "host numbers are below 2^62");
        ExternRef(AnyRef {
            store: None,
            word: number << KIND_BITS | KIND_HOST,
        })
    }

    /// The host's number; none for what was made external.
    pub fn number(self) -> Option<u64> {
        match word_any(self.0.word) {
            AnyWord::Host(number) => Some(number),
            AnyWord::I31(_) | AnyWord::Object(_) => None,
        }
    }

    /// The same reference in the `any` hierarchy.
    pub fn to_any(self) -> AnyRef {
        self.0
    }
}

/// A reference of the `any` hierarchy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AnyRef {
    /// The store that its object is in, if it has one.
    store: Option<StoreId>,
    word: u64,
}

/// What an [`AnyRef`] refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AnyKind {
    /// An unboxed integer, sign-extended.
    I31(i32),
    /// A structure of this type.
    Struct(DefinedType),
    /// An array of this type.
    Array(DefinedType),
    /// A host's object, made internal by `any.convert_extern`.
    Extern(u64),
}

impl AnyRef {
    /// An `i31` reference; the upper bit of `value` is ignored.
    pub fn i31(value: i32) -> Self {
        AnyRef {
            store: None,
            word: i31_word(value),
        }
    }

    /// What it refers to.
    ///
    /// # Panics
    ///
    /// If it refers to an object of another store.
    pub fn kind(self, store: impl AsContext) -> AnyKind {
        let store = store.as_context();
        match word_any(self.word) {
            AnyWord::I31(value) => AnyKind::I31(value),
            AnyWord::Host(number) => AnyKind::Extern(number),
            AnyWord::Object(place) => {
                self.check(store.id);
                let ty = store.machine.objects.get(place).ty;
                match ty.kind {
                    DefinedKind::Array => AnyKind::Array(ty),
                    _ => AnyKind::Struct(ty),
                }
            }
        }
    }

    fn check(self, store: StoreId) {
        assert!(
            self.store.is_none_or(|own| own == store),
            "an object of another store"
        );
    }
}

/// A reference to an exception of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ExnRef {
    pub(crate) store: StoreId,
    pub(crate) word: u64,
}

/// A reference to a continuation of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ContRef {
    pub(crate) store: StoreId,
    pub(crate) word: u64,
    /// The type at which it left Wasm: the object itself has none, and only places of this
    /// type or a supertype accept it back.
    pub(crate) heap: HeapType,
}

impl ContRef {
    /// The continuation's number: the how-many-th of its store it is, from 0.
    pub fn number(self) -> u64 {
        cont_number(self.word)
    }
}

impl Val {
    /// The value as traces show it.
    ///
    /// # Panics
    ///
    /// If it is a reference into another store.
    pub fn describe(self, store: impl AsContext) -> Value {
        let store = store.as_context();
        let any = |reference: AnyRef| {
            reference.check(store.id);
            reference.word
        };
        let (heap, word) = match self {
            Val::I32(v) => return Value::I32(v),
            Val::I64(v) => return Value::I64(v),
            Val::F32(bits) => return Value::F32(bits),
            Val::F64(bits) => return Value::F64(bits),
            Val::V128(bits) => return Value::V128(bits),
            Val::FuncRef(r) => (HeapType::Func, r.map(|r| (r.store, func_word(r.addr)))),
            Val::ExnRef(r) => (HeapType::Exn, r.map(|r| (r.store, r.word))),
            Val::ContRef(r) => (HeapType::Cont, r.map(|r| (r.store, r.word))),
            Val::ExternRef(r) => (HeapType::Extern, r.map(|r| (store.id, any(r.0)))),
            Val::AnyRef(r) => (HeapType::Any, r.map(|r| (store.id, any(r)))),
        };
        let Some((id, word)) = word else {
            return Value::Null;
        };
        store.check(id);
        let ty = ValType::Ref(RefType {
            nullable: true,
            heap,
        });
        store.machine.trace_value(ty, [word, 0])
    }

    /// Reads a value of a type from its slots (the second one counts for vectors only). The
    /// host has a reference from now on.
    pub(crate) fn from_slots(
        machine: &Machine,
        store: StoreId,
        ty: ValType,
        slots: [u64; 2],
    ) -> Val {
        let word = slots[0];
        let some = word != NULL;
        match ty {
            ValType::I32 => Val::I32(word as i32),
            ValType::I64 => Val::I64(word as i64),
            ValType::F32 => Val::F32(word as u32),
            ValType::F64 => Val::F64(word),
            ValType::V128 => Val::V128(u128::from(word) | u128::from(slots[1]) << 64),
            ValType::Ref(r) => match r.heap.top() {
                HeapType::Func => Val::FuncRef(some.then(|| Func {
                    store,
                    addr: word_func(word),
                })),
                HeapType::Exn => Val::ExnRef(some.then(|| {
                    machine.exceptions.pin(word_exn(word));
                    ExnRef { store, word }
                })),
                HeapType::Cont => Val::ContRef(some.then(|| {
                    machine.continuations.pin(word);
                    ContRef {
                        store,
                        word,
                        heap: r.heap,
                    }
                })),
                top => {
                    let any = some.then(|| {
                        let mut of = None;
                        if let AnyWord::Object(place) = word_any(word) {
                            machine.objects.get(place).pinned.set(true);
                            of = Some(store);
                        }
                        AnyRef { store: of, word }
                    });
                    if top == HeapType::Extern {
                        Val::ExternRef(any.map(ExternRef))
                    } else {
                        Val::AnyRef(any)
                    }
                }
            },
        }
    }

    /// The slots of a value, if it has this type.
    ///
    /// # Panics
    ///
    /// If it is a reference into another store.
    pub(crate) fn to_slots(
        self,
        machine: &Machine,
        store: StoreId,
        ty: ValType,
    ) -> Option<[u64; 2]> {
        let one = |word| Some([word, 0]);
        let reference = match (self, ty) {
            (Val::I32(v), ValType::I32) => return one(u64::from(v as u32)),
            (Val::I64(v), ValType::I64) => return one(v as u64),
            (Val::F32(v), ValType::F32) => return one(u64::from(v)),
            (Val::F64(v), ValType::F64) => return one(v),
            (Val::V128(v), ValType::V128) => return Some([v as u64, (v >> 64) as u64]),
            (_, ValType::Ref(r)) => r,
            _ => return None,
        };
        let top = reference.heap.top();
        let (word, heap) = match (self, top) {
            (Val::FuncRef(r), HeapType::Func) => match r {
                None => (NULL, HeapType::NoFunc),
                Some(f) => {
                    assert_eq!(f.store, store, "a function of another store");
                    let ty = machine.funcs[f.addr as usize].ty;
                    (func_word(f.addr), HeapType::Concrete(ty))
                }
            },
            (Val::ExternRef(r), HeapType::Extern) => match r {
                None => (NULL, HeapType::NoExtern),
                Some(r) => {
                    r.0.check(store);
                    (r.0.word, HeapType::Extern)
                }
            },
            (Val::ExnRef(r), HeapType::Exn) => match r {
                None => (NULL, HeapType::NoExn),
                Some(r) => {
                    assert_eq!(r.store, store, "an exception of another store");
                    (r.word, HeapType::Exn)
                }
            },
            (Val::ContRef(r), HeapType::Cont) => match r {
                None => (NULL, HeapType::NoCont),
                Some(r) => {
                    assert_eq!(r.store, store, "a continuation of another store");
                    (r.word, r.heap)
                }
            },
            (Val::AnyRef(r), HeapType::Any) => match r {
                None => (NULL, HeapType::None),
                Some(r) => {
                    r.check(store);
                    let heap = match word_any(r.word) {
                        AnyWord::I31(_) => HeapType::I31,
                        AnyWord::Object(place) => HeapType::Concrete(machine.objects.get(place).ty),
                        AnyWord::Host(_) => HeapType::Any,
                    };
                    (r.word, heap)
                }
            },
            _ => return None,
        };
        if word == NULL {
            return if reference.nullable { one(NULL) } else { None };
        }
        machine
            .types
            .heap_matches(heap, reference.heap)
            .then_some([word, 0])
    }
}
