//! Any plain data as a tree whose nodes know the names of their types.
//!
//! The plan's types describe themselves to serde. So a mutator needs no code for each of them, and what is added to a plan is
//! mutated from then on: two nodes of one name can stand in each other's place, and what a type's values are is asked of its
//! `Deserialize` (see `grow`).

use serde::ser::{self, Serialize};
use std::fmt;

/// A value of some type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tree {
    Bool(bool),
    Byte(u8),
    /// A number that stands for something as a whole, such as a set of features.
    Word(u64),
    Option(Option<Box<Tree>>),
    List(Vec<Tree>),
    /// The fields in order, by name.
    Struct(&'static str, Vec<(&'static str, Tree)>),
    /// A variant of an enumeration by its index, with what it holds.
    Variant {
        of: &'static str,
        index: u32,
        parts: Vec<Tree>,
    },
    /// Bytes that go with the structure they are a field of, and are none of its own.
    Blob(Vec<u8>),
    /// A value that is still to be drawn.
    Any,
}

impl Tree {
    /// The tree of a value. `None` if it is made of more than the kinds of nodes above.
    pub(super) fn of(value: &impl Serialize) -> Option<Tree> {
        value.serialize(Planter).ok()
    }

    /// The name of its type, of those that have one.
    pub(super) fn name(&self) -> Option<&'static str> {
        match self {
            Tree::Struct(name, _) | Tree::Variant { of: name, .. } => Some(name),
            _ => None,
        }
    }

    /// A field of a structure.
    pub(super) fn field_mut(&mut self, field: &str) -> Option<&mut Tree> {
        match self {
            Tree::Struct(_, fields) => {
                let found = fields.iter_mut().find(|(name, _)| *name == field);
                found.map(|(_, tree)| tree)
            }
            _ => None,
        }
    }

    /// The trees directly below, each with the name of what it is in and of its place there. Elements of a list have the
    /// list's.
    fn below_mut<'t>(&'t mut self, place: Place, each: &mut impl FnMut(Place, &'t mut Tree)) {
        match self {
            Tree::Option(Some(tree)) => each(place, tree),
            Tree::List(trees) => trees.iter_mut().for_each(|tree| each(place, tree)),
            Tree::Struct(name, fields) => {
                for (field, tree) in fields {
                    each(Place(name, field), tree);
                }
            }
            Tree::Variant { of, parts, .. } => {
                for tree in parts {
                    each(Place(of, ""), tree);
                }
            }
            _ => {}
        }
    }

    fn below<'t>(&'t self, place: Place, each: &mut impl FnMut(Place, &'t Tree)) {
        match self {
            Tree::Option(Some(tree)) => each(place, tree),
            Tree::List(trees) => trees.iter().for_each(|tree| each(place, tree)),
            Tree::Struct(name, fields) => {
                for (field, tree) in fields {
                    each(Place(name, field), tree);
                }
            }
            Tree::Variant { of, parts, .. } => {
                for tree in parts {
                    each(Place(of, ""), tree);
                }
            }
            _ => {}
        }
    }

    /// Calls `each` for every tree in this one, itself included, from the root on.
    pub(super) fn visit<'t>(&'t self, place: Place, each: &mut impl FnMut(Place, &'t Tree)) {
        each(place, self);
        self.below(place, &mut |place, tree| tree.visit(place, each));
    }

    /// The `n`-th of the trees of which `fits` is true, in the order of [`Tree::visit`].
    pub(super) fn nth_mut(
        &mut self,
        n: usize,
        fits: &impl Fn(Place, &Tree) -> bool,
    ) -> Option<&mut Tree> {
        let mut left = n;
        self.find_mut(Place::ROOT, &mut left, fits)
    }

    fn find_mut(
        &mut self,
        place: Place,
        left: &mut usize,
        fits: &impl Fn(Place, &Tree) -> bool,
    ) -> Option<&mut Tree> {
        if fits(place, self) {
            if *left == 0 {
                return Some(self);
            }
            *left -= 1;
        }
        let mut found = None;
        self.below_mut(place, &mut |place, tree| {
            if found.is_none() {
                found = tree.find_mut(place, left, fits);
            }
        });
        found
    }
}

/// Where a tree stands: the type that it is in, and the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place(pub(super) &'static str, pub(super) &'static str);

impl Place {
    pub(super) const ROOT: Place = Place("", "");
}

/// What has no place in a tree.
#[derive(Debug)]
pub(super) struct Unplantable(String);

impl fmt::Display for Unplantable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unplantable {}

impl ser::Error for Unplantable {
    fn custom<T: fmt::Display>(message: T) -> Unplantable {
        Unplantable(message.to_string())
    }
}

impl serde::de::Error for Unplantable {
    fn custom<T: fmt::Display>(message: T) -> Unplantable {
        Unplantable(message.to_string())
    }
}

/// Makes trees.
struct Planter;

type Planted = Result<Tree, Unplantable>;

fn no_place(what: &str) -> Planted {
    Err(Unplantable(format!("{what} has no place in a tree")))
}

macro_rules! words {
    ($($name:ident: $ty:ty,)*) => {
        $(fn $name(self, value: $ty) -> Planted {
            Ok(Tree::Word(u64::from(value)))
        })*
    };
}

macro_rules! refused {
    ($($name:ident: $ty:ty,)*) => {
        $(fn $name(self, _: $ty) -> Planted {
            no_place(stringify!($ty))
        })*
    };
}

impl ser::Serializer for Planter {
    type Ok = Tree;
    type Error = Unplantable;
    type SerializeSeq = Branch;
    type SerializeTuple = Branch;
    type SerializeTupleStruct = Branch;
    type SerializeTupleVariant = Branch;
    type SerializeMap = ser::Impossible<Tree, Unplantable>;
    type SerializeStruct = Branch;
    type SerializeStructVariant = Branch;

    words! { serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, }
    refused! {
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_f32: f32, serialize_f64: f64, serialize_char: char, serialize_str: &str, serialize_bytes: &[u8],
    }

    fn serialize_bool(self, value: bool) -> Planted {
        Ok(Tree::Bool(value))
    }

    fn serialize_u8(self, value: u8) -> Planted {
        Ok(Tree::Byte(value))
    }

    fn serialize_none(self) -> Planted {
        Ok(Tree::Option(None))
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Planted {
        Ok(Tree::Option(Some(Box::new(value.serialize(Planter)?))))
    }

    fn serialize_unit(self) -> Planted {
        no_place("()")
    }

    fn serialize_unit_struct(self, name: &'static str) -> Planted {
        Ok(Tree::Struct(name, Vec::new()))
    }

    fn serialize_unit_variant(self, of: &'static str, index: u32, _: &'static str) -> Planted {
        let parts = Vec::new();
        Ok(Tree::Variant { of, index, parts })
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Planted {
        value.serialize(Planter)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        of: &'static str,
        index: u32,
        _: &'static str,
        value: &T,
    ) -> Planted {
        let parts = vec![value.serialize(Planter)?];
        Ok(Tree::Variant { of, index, parts })
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Branch, Unplantable> {
        Ok(Branch(Tree::List(Vec::new())))
    }

    fn serialize_tuple(self, _: usize) -> Result<Branch, Unplantable> {
        self.serialize_seq(None)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Branch, Unplantable> {
        self.serialize_seq(None)
    }

    fn serialize_tuple_variant(
        self,
        of: &'static str,
        index: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Branch, Unplantable> {
        let parts = Vec::new();
        Ok(Branch(Tree::Variant { of, index, parts }))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, Unplantable> {
        Err(Unplantable("a map has no place in a tree".to_owned()))
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Branch, Unplantable> {
        Ok(Branch(Tree::Struct(name, Vec::new())))
    }

    fn serialize_struct_variant(
        self,
        of: &'static str,
        index: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Branch, Unplantable> {
        self.serialize_tuple_variant(of, index, variant, length)
    }
}

/// A tree that others are added to.
struct Branch(Tree);

impl Branch {
    fn add(
        &mut self,
        field: &'static str,
        value: &(impl Serialize + ?Sized),
    ) -> Result<(), Unplantable> {
        let tree = value.serialize(Planter)?;
        match &mut self.0 {
            Tree::Struct(_, fields) => fields.push((field, tree)),
            Tree::List(parts) | Tree::Variant { parts, .. } => parts.push(tree),
            _ => {}
        }
        Ok(())
    }
}

macro_rules! branches {
    ($($which:ident: $add:ident($($key:ident: $ty:ty)?),)*) => {
        $(impl ser::$which for Branch {
            type Ok = Tree;
            type Error = Unplantable;

            fn $add<T: Serialize + ?Sized>(&mut self, $($key: $ty,)? value: &T) -> Result<(), Unplantable> {
                #[allow(unused_mut, unused_assignments)]
                let mut field = "";
                $(field = $key;)?
                self.add(field, value)
            }

            fn end(self) -> Planted {
                Ok(self.0)
            }
        })*
    };
}

branches! {
    SerializeSeq: serialize_element(),
    SerializeTuple: serialize_element(),
    SerializeTupleStruct: serialize_field(),
    SerializeTupleVariant: serialize_field(),
    SerializeStruct: serialize_field(key: &'static str),
    SerializeStructVariant: serialize_field(key: &'static str),
}
