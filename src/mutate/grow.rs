//! From a tree back to a value; what is not decided there is drawn.

use super::random::Random;
use super::tree::{Tree, Unplantable};
use serde::de::{self, Deserialize, DeserializeSeed, Visitor};
use serde::forward_to_deserialize_any;
use std::vec;

/// The value of a tree. `None` if the tree is of another type.
pub(super) fn grow<'de, T: Deserialize<'de>>(tree: Tree, random: &mut Random) -> Option<T> {
    T::deserialize(Grower { tree, random }).ok()
}

struct Grower<'r> {
    tree: Tree,
    random: &'r mut Random,
}

fn other<T>(tree: &Tree) -> Result<T, Unplantable> {
    Err(de::Error::custom(format!("{tree:?} is of another type")))
}

impl<'de> de::Deserializer<'de> for Grower<'_> {
    type Error = Unplantable;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Unplantable> {
        Err(de::Error::custom("the type does not say what it is"))
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unplantable> {
        match self.tree {
            Tree::Bool(value) => visitor.visit_bool(value),
            Tree::Any => visitor.visit_bool(self.random.chance(50)),
            tree => other(&tree),
        }
    }

    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unplantable> {
        match self.tree {
            Tree::Byte(value) => visitor.visit_u8(value),
            // Most are indices and counts.
            Tree::Any if self.random.chance(60) => visitor.visit_u8(self.random.below(6) as u8),
            Tree::Any => visitor.visit_u8(self.random.byte()),
            tree => other(&tree),
        }
    }

    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unplantable> {
        self.deserialize_u64(visitor)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unplantable> {
        self.deserialize_u64(visitor)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unplantable> {
        match self.tree {
            Tree::Word(value) => visitor.visit_u64(value),
            Tree::Any => visitor.visit_u64(self.random.byte().into()),
            tree => other(&tree),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unplantable> {
        let random = self.random;
        let tree = match self.tree {
            Tree::Option(None) => return visitor.visit_none(),
            Tree::Option(Some(tree)) => *tree,
            Tree::Any if random.chance(50) => return visitor.visit_none(),
            Tree::Any => Tree::Any,
            tree => return other(&tree),
        };
        visitor.visit_some(Grower { tree, random })
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Unplantable> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unplantable> {
        let trees = match self.tree {
            Tree::List(trees) => trees,
            Tree::Any => vec![Tree::Any; self.random.below(4)],
            tree => return other(&tree),
        };
        visitor.visit_seq(Parts::of(trees, self.random))
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Unplantable> {
        let trees = match self.tree {
            Tree::List(trees) => trees,
            Tree::Any => vec![Tree::Any; length],
            tree => return other(&tree),
        };
        visitor.visit_seq(Parts::of(trees, self.random))
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Unplantable> {
        self.deserialize_tuple(length, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unplantable> {
        let trees = match self.tree {
            Tree::Struct(of, fields) if of == name => {
                fields.into_iter().map(|(_, tree)| tree).collect()
            }
            Tree::Any => vec![Tree::Any; fields.len()],
            tree => return other(&tree),
        };
        visitor.visit_seq(Parts::of(trees, self.random))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unplantable> {
        let (index, parts) = match self.tree {
            Tree::Variant { of, index, parts } if of == name => (index, Some(parts)),
            Tree::Any => (self.random.below(variants.len()) as u32, None),
            tree => return other(&tree),
        };
        let random = self.random;
        visitor.visit_enum(Chosen {
            index,
            parts,
            random,
        })
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u128 f32 f64 char str string bytes byte_buf unit unit_struct map identifier ignored_any
    }
}

/// The values of some trees, one after another.
struct Parts<'r> {
    trees: vec::IntoIter<Tree>,
    random: &'r mut Random,
}

impl<'r> Parts<'r> {
    fn of(trees: Vec<Tree>, random: &'r mut Random) -> Parts<'r> {
        let trees = trees.into_iter();
        Parts { trees, random }
    }
}

impl<'de> de::SeqAccess<'de> for Parts<'_> {
    type Error = Unplantable;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Unplantable> {
        let Some(tree) = self.trees.next() else {
            return Ok(None);
        };
        let random = &mut *self.random;
        seed.deserialize(Grower { tree, random }).map(Some)
    }
}

/// A variant; what it holds is drawn where it is not there.
struct Chosen<'r> {
    index: u32,
    parts: Option<Vec<Tree>>,
    random: &'r mut Random,
}

impl<'de> de::EnumAccess<'de> for Chosen<'_> {
    type Error = Unplantable;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Self), Unplantable> {
        let index: de::value::U32Deserializer<Unplantable> =
            de::IntoDeserializer::into_deserializer(self.index);
        Ok((seed.deserialize(index)?, self))
    }
}

impl<'de> de::VariantAccess<'de> for Chosen<'_> {
    type Error = Unplantable;

    fn unit_variant(self) -> Result<(), Unplantable> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<T::Value, Unplantable> {
        let part = self.parts.and_then(|parts| parts.into_iter().next());
        seed.deserialize(Grower {
            tree: part.unwrap_or(Tree::Any),
            random: self.random,
        })
    }

    fn tuple_variant<V: Visitor<'de>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Unplantable> {
        let trees = self.parts.unwrap_or_else(|| vec![Tree::Any; length]);
        visitor.visit_seq(Parts::of(trees, self.random))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unplantable> {
        self.tuple_variant(fields.len(), visitor)
    }
}
