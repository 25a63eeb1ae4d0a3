//! Canonical defined types and subtyping (specification: "Type Equivalence", "Matching").
//!
//! Recursion groups are compared as a whole: references inside a group are written
//! relative to it, references out of it are canonical already, so that two groups are the
//! same type exactly when these forms are equal. The list only grows; it lives as long as
//! the engine.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::{DefinedKind, DefinedType, FuncType, HeapType, RefType, ValType};

/// Marks an identity that is relative to the recursion group being built.
pub(crate) const RELATIVE: u32 = 1 << 31;

/// A subtype definition (specification: "Recursive Types").
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SubType {
    pub is_final: bool,
    pub supertype: Option<DefinedType>,
    pub composite: Composite,
}

/// A composite type.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Composite {
    Func {
        params: Arc<[ValType]>,
        results: Arc<[ValType]>,
    },
    Cont(DefinedType),
    Struct(Arc<[Field]>),
    Array(Field),
}

/// A field of a structure or array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Field {
    pub storage: Storage,
    pub mutable: bool,
}

/// How a field is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Storage {
    I8,
    I16,
    Val(ValType),
}

/// A canonical type: its definition and all its proper supertypes, nearest first.
#[derive(Debug)]
pub(crate) struct TypeDef {
    pub sub: SubType,
    pub supertypes: Vec<u32>,
}

#[derive(Debug, Default)]
struct Inner {
    groups: HashMap<Vec<SubType>, u32>,
    defs: Vec<Arc<TypeDef>>,
}

/// The canonical types of an engine.
#[derive(Debug, Default)]
pub(crate) struct Registry(Mutex<Inner>);

impl Registry {
    /// Finds or adds a recursion group whose own types are named relative to it, and
    /// returns the identity of its first type.
    pub fn add(&self, group: Vec<SubType>) -> u32 {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(&first) = inner.groups.get(&group) {
            return first;
        }
        let first = u32::try_from(inner.defs.len()).expect("fewer than 2^31 types");
        for sub in &group {
            let sub = sub.map(&mut |mut t| {
                if t.id & RELATIVE != 0 {
                    t.id = first + (t.id & !RELATIVE);
                }
                t
            });
            let supertypes = match sub.supertype {
                None => Vec::new(),
                Some(t) => {
                    let mut list = vec![t.id];
                    list.extend_from_slice(&inner.defs[t.id as usize].supertypes);
                    list
                }
            };
            inner.defs.push(Arc::new(TypeDef { sub, supertypes }));
        }
        inner.groups.insert(group, first);
        first
    }

    /// Brings a copy of the list up to date.
    pub fn update(&self, copy: &mut Types) {
        let inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = copy.0.len();
        copy.0.extend_from_slice(&inner.defs[known..]);
    }

    /// The defined type of a function type, which is added where it has none yet.
    pub fn func(&self, ty: &FuncType) -> DefinedType {
        ty.defined.unwrap_or_else(|| DefinedType {
            kind: DefinedKind::Func,
            id: self.add(vec![SubType {
                is_final: true,
                supertype: None,
                composite: Composite::Func {
                    params: ty.params.clone(),
                    results: ty.results.clone(),
                },
            }]),
        })
    }
}

impl SubType {
    /// Rewrites every mention of a defined type.
    fn map(&self, f: &mut dyn FnMut(DefinedType) -> DefinedType) -> SubType {
        let mut val = |t: ValType| match t {
            ValType::Ref(RefType {
                nullable,
                heap: HeapType::Concrete(d),
            }) => ValType::Ref(RefType {
                nullable,
                heap: HeapType::Concrete(f(d)),
            }),
            t => t,
        };
        let mut field = |x: &Field| Field {
            storage: match x.storage {
                Storage::Val(t) => Storage::Val(val(t)),
                packed => packed,
            },
            mutable: x.mutable,
        };
        let composite = match &self.composite {
            Composite::Struct(fields) => Composite::Struct(fields.iter().map(field).collect()),
            Composite::Array(x) => Composite::Array(field(x)),
            Composite::Func { params, results } => Composite::Func {
                params: params.iter().map(|&t| val(t)).collect(),
                results: results.iter().map(|&t| val(t)).collect(),
            },
            Composite::Cont(d) => Composite::Cont(f(*d)),
        };
        SubType {
            is_final: self.is_final,
            supertype: self.supertype.map(f),
            composite,
        }
    }
}

/// A copy of an engine's list of types, looked at without a lock.
#[derive(Debug, Default)]
pub(crate) struct Types(Vec<Arc<TypeDef>>);

impl Types {
    pub fn def(&self, ty: DefinedType) -> &TypeDef {
        &self.0[ty.id as usize]
    }

    /// A type's definition, for keeps.
    pub fn shared(&self, ty: DefinedType) -> Arc<TypeDef> {
        self.0[ty.id as usize].clone()
    }

    /// Slots of an array's element.
    ///
    /// # Panics
    ///
    /// If `ty` is no array type.
    pub fn array_slots(&self, ty: DefinedType) -> usize {
        match self.def(ty).sub.composite {
            Composite::Array(Field {
                storage: Storage::Val(t),
                ..
            }) => t.slots() as usize,
            Composite::Array(_) => 1,
            _ => unreachable!("validated as an array type"),
        }
    }

    /// The function type that a function type or a continuation type stands for.
    ///
    /// # Panics
    ///
    /// If `ty` defines a structure or an array: validation excludes it at every use.
    pub fn func(&self, ty: DefinedType) -> FuncType {
        match &self.def(ty).sub.composite {
            Composite::Func { params, results } => FuncType {
                params: params.clone(),
                results: results.clone(),
                defined: Some(ty),
            },
            Composite::Cont(f) => self.func(*f),
            Composite::Struct(_) | Composite::Array(_) => {
                unreachable!("validated as a function or continuation type")
            }
        }
    }

    /// Whether `a` is `b` or was declared below it.
    pub fn is_sub(&self, a: DefinedType, b: DefinedType) -> bool {
        a == b || self.def(a).supertypes.contains(&b.id)
    }

    /// Heap type matching.
    pub fn heap_matches(&self, a: HeapType, b: HeapType) -> bool {
        use HeapType as H;
        match (a, b) {
            (H::Concrete(x), H::Concrete(y)) => self.is_sub(x, y),
            (H::Concrete(x), b) => {
                b == a.top()
                    || match x.kind {
                        DefinedKind::Struct => matches!(b, H::Struct | H::Eq),
                        DefinedKind::Array => matches!(b, H::Array | H::Eq),
                        DefinedKind::Func | DefinedKind::Cont => false,
                    }
            }
            (H::None | H::NoFunc | H::NoExtern | H::NoExn | H::NoCont, b) => a.top() == b.top(),
            (H::I31 | H::Struct | H::Array, H::Eq | H::Any) | (H::Eq, H::Any) => true,
            (a, b) => a == b,
        }
    }

    /// Reference type matching.
    pub fn ref_matches(&self, a: RefType, b: RefType) -> bool {
        (b.nullable || !a.nullable) && self.heap_matches(a.heap, b.heap)
    }

    /// Value type matching.
    pub fn matches(&self, a: ValType, b: ValType) -> bool {
        match (a, b) {
            (ValType::Ref(a), ValType::Ref(b)) => self.ref_matches(a, b),
            (a, b) => a == b,
        }
    }
}
