//! Which generators there are, and which of them a case is drawn from.

use super::Features;
use serde::{Deserialize, Serialize};
use std::fmt;
use xxhash_rust::xxh3::xxh3_64;

macro_rules! generators {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $weight:literal;)*) => {
        /// Something that makes modules. In files with plans these are numbers, in this order.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "lowercase")]
        pub enum Generator {
            $($(#[$doc])* $variant,)*
        }

        impl Generator {
            /// All of them.
            pub const ALL: &'static [Generator] = &[$(Generator::$variant,)*];

            /// What it is called on the command line.
            pub fn name(self) -> &'static str {
                match self {
                    $(Generator::$variant => $name,)*
                }
            }

            /// How many of a hundred cases it makes, where all generators take part.
            pub fn weight(self) -> u8 {
                match self {
                    $(Generator::$variant => $weight,)*
                }
            }
        }
    };
}

// New ones go to the end. Most cases are woven, because they alone have everything at once; the others find sooner what those
// dilute, and need few cases for it.
generators! {
    /// Programs that switch stacks: ordinary code by wasm-smith with the switches woven in. For engines that do not switch stacks,
    /// whole modules by wasm-smith.
    Woven = "woven", 70;
    /// Single instructions with all kinds of operands, by themselves and across a stack switch.
    Single = "single", 15;
    /// Small programs of the kinds that people write with stack switching: schedulers, generators, actors, effect handlers.
    Scenario = "scenario", 15;
}

impl Generator {
    /// The generator of this name.
    pub fn named(name: &str) -> Option<Generator> {
        let mut all = Generator::ALL.iter().copied();
        all.find(|generator| generator.name() == name)
    }
}

impl fmt::Display for Generator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The generators that cases are drawn from, each as often as its weight among them says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Generators(u8);

impl Default for Generators {
    /// All of them.
    fn default() -> Generators {
        Generators::of(Generator::ALL.iter().copied())
    }
}

impl From<Generator> for Generators {
    fn from(generator: Generator) -> Generators {
        Generators::of([generator])
    }
}

impl Generators {
    /// These; all, if there are none.
    pub fn of(generators: impl IntoIterator<Item = Generator>) -> Generators {
        let bits = generators
            .into_iter()
            .fold(0, |bits, generator| bits | 1 << generator as u8);
        match bits {
            0 => Generators::default(),
            bits => Generators(bits),
        }
    }

    /// Those that take part.
    pub fn iter(self) -> impl Iterator<Item = Generator> + Clone {
        let all = Generator::ALL.iter().copied();
        all.filter(move |generator| self.0 >> *generator as u8 & 1 == 1)
    }

    /// The generator of the case of a seed.
    pub fn of_seed(self, seed: u64) -> Generator {
        // Not the bits from which the generator draws.
        self.draw(xxh3_64(&seed.to_le_bytes()))
    }

    /// Draws one by a byte, which is not much more than the sum of the weights: a remainder would favour the first.
    pub(super) fn draw_by(self, byte: u8) -> Generator {
        self.draw(u64::from(byte) * self.weight() / 256)
    }

    /// The sum of the weights.
    fn weight(self) -> u64 {
        let weights = self.iter().map(|generator| u64::from(generator.weight()));
        weights.sum()
    }

    /// Draws one by a number. By 0 it is the first.
    pub(super) fn draw(self, number: u64) -> Generator {
        let mut at = number % self.weight();
        let mut drawn = self.iter();
        drawn
            .find(|generator| {
                let weight = u64::from(generator.weight());
                let found = at < weight;
                at = at.saturating_sub(weight);
                found
            })
            .expect("the number is below the sum of the weights")
    }
}

/// What cases are made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope {
    /// What they may use: what all their engines can do.
    pub features: Features,
    /// Which generators make them.
    pub generators: Generators,
}

impl From<Features> for Scope {
    /// With all generators.
    fn from(features: Features) -> Scope {
        Scope {
            features,
            generators: Generators::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generators_are_drawn_by_weight_among_those_that_take_part() {
        let weights = Generator::ALL.iter().map(|g| u32::from(g.weight()));
        assert_eq!(weights.sum::<u32>(), 100);
        for &generator in Generator::ALL {
            assert_eq!(Generator::named(generator.name()), Some(generator));
            let cases =
                (0..10_000).filter(|&seed| Generators::default().of_seed(seed) == generator);
            let share = cases.count() as f64 / 100.0;
            let weight = f64::from(generator.weight());
            assert!((share - weight).abs() < 2.0, "{generator}: {share} %");
            let only = Generators::from(generator);
            assert!((0..1000).all(|seed| only.of_seed(seed) == generator));
            assert!(only.iter().eq([generator]));
        }
        assert_eq!(Generators::of([]), Generators::default());
        assert_eq!(Generators::default().draw(0), Generator::ALL[0]);
    }
}
