//! Axes of an engine's configuration: what may be set otherwise without any effect that a module could show.

use serde::{Deserialize, Serialize};
use std::fmt;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// One axis of an engine's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Axis {
    /// Its name.
    pub name: &'static str,
    /// The choices on it, the default first, each with its weight when one is drawn.
    pub choices: Vec<(&'static str, u32)>,
}

impl Axis {
    /// The choice of who makes none.
    fn default(&self) -> &'static str {
        self.choices[0].0
    }

    fn weights(&self) -> u32 {
        self.choices.iter().map(|(_, weight)| weight).sum()
    }
}

/// The choices on an engine's axes that are not the default. Displays as `axis=choice,axis=choice`, or as `default`; two that are
/// equal set an engine up alike.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Configuration(Vec<(String, String)>);

/// The configuration in which every choice is the default.
pub const DEFAULT: &str = "default";

/// How many configurations cases draw from. Setting up an engine takes about as long as a case, so that each is to serve many.
const CONFIGURATIONS: u64 = 64;

/// A choice on an axis: its name, its weight when one is drawn, what it sets in an engine's own configuration.
pub(super) type Choice<C> = (&'static str, u32, fn(&mut C));

/// The axes of a table with the choices on each, the default first.
pub(super) fn axes<C>(table: &[(&'static str, &[Choice<C>])]) -> Vec<Axis> {
    let axis = |(name, choices): &(&'static str, &[Choice<C>])| Axis {
        name,
        choices: choices
            .iter()
            .map(|(choice, weight, _)| (*choice, *weight))
            .collect(),
    };
    table.iter().map(axis).collect()
}

/// Sets what is chosen; fails on what is no axis or no choice.
pub(super) fn apply<C>(
    table: &[(&'static str, &[Choice<C>])],
    config: &mut C,
    configuration: &Configuration,
) -> Result<(), String> {
    for (axis, choice) in configuration.choices() {
        let choices = table.iter().find(|(name, _)| *name == axis);
        let choices = choices.map_or(&[][..], |(_, choices)| choices);
        let chosen = choices.iter().find(|(name, ..)| *name == choice);
        let (_, _, set) = chosen.ok_or_else(|| format!("there is no setting {axis}={choice}"))?;
        set(config);
    }
    Ok(())
}

impl Configuration {
    /// Reads what `Display` writes.
    ///
    /// # Errors
    ///
    /// A message, if an axis or a choice on it is not among `axes`, or an axis is there twice.
    pub fn parse(text: &str, axes: &[Axis]) -> Result<Configuration, String> {
        let mut chosen: Vec<(&str, &str)> = Vec::new();
        let parts = text.split(',').filter(|part| !part.is_empty());
        for part in parts.filter(|_| text != DEFAULT) {
            let (name, choice) = part
                .split_once('=')
                .ok_or_else(|| format!("{part:?} is not of the form axis=choice"))?;
            let axis = axes.iter().find(|axis| axis.name == name);
            let names = || {
                axes.iter()
                    .map(|axis| axis.name)
                    .collect::<Vec<_>>()
                    .join(", ")
            };
            let axis =
                axis.ok_or_else(|| format!("there is no axis {name:?}; there are: {}", names()))?;
            if !axis.choices.iter().any(|(other, _)| *other == choice) {
                let choices: Vec<_> = axis.choices.iter().map(|(choice, _)| *choice).collect();
                return Err(format!(
                    "{name} is one of {}, not {choice:?}",
                    choices.join(", ")
                ));
            }
            if chosen.iter().any(|(other, _)| *other == name) {
                return Err(format!("{name} is chosen twice"));
            }
            chosen.push((name, choice));
        }
        Ok(Configuration::of(axes, |axis| {
            let given = chosen.iter().find(|(name, _)| *name == axis.name);
            given.map_or(axis.default(), |(_, choice)| choice)
        }))
    }

    /// Draws a choice on every axis for the case of the module `wasm`, as one of a limited number of configurations. What is drawn
    /// on one axis depends on the module, `salt` and that axis alone, so that a new axis leaves the others as they are.
    pub fn draw(axes: &[Axis], wasm: &[u8], salt: u64) -> Configuration {
        let number = xxh3_64(wasm) % CONFIGURATIONS;
        let seed = xxh3_64_with_seed(&number.to_le_bytes(), salt);
        Configuration::of(axes, |axis| {
            let weights = u64::from(axis.weights());
            let mut rest = (xxh3_64_with_seed(axis.name.as_bytes(), seed) % weights) as u32;
            let mut choices = axis.choices.iter();
            let choice = choices.find(|(_, weight)| {
                let found = rest < *weight;
                rest = rest.saturating_sub(*weight);
                found
            });
            let (choice, _) = choice.expect("less than the sum of all weights");
            choice
        })
    }

    /// The configuration with this choice on each axis.
    fn of<'a>(axes: &[Axis], choice: impl Fn(&Axis) -> &'a str) -> Configuration {
        let chosen = axes.iter().map(|axis| (axis, choice(axis)));
        let other = chosen.filter(|(axis, choice)| *choice != axis.default());
        Configuration(
            other
                .map(|(axis, choice)| (axis.name.to_owned(), choice.to_owned()))
                .collect(),
        )
    }

    /// Whether every choice is the default.
    pub fn is_default(&self) -> bool {
        self.0.is_empty()
    }

    /// The choices that are not the default: axis, choice.
    pub fn choices(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(axis, choice)| (axis.as_str(), choice.as_str()))
    }

    /// The choices on all axes: axis, choice.
    pub fn all_choices(&self, axes: &[Axis]) -> Vec<(&'static str, String)> {
        let choice = |axis: &Axis| {
            let chosen = self.choices().find(|(name, _)| *name == axis.name);
            let choice = chosen.map_or(axis.default(), |(_, choice)| choice);
            (axis.name, choice.to_owned())
        };
        axes.iter().map(choice).collect()
    }

    /// An engine's name for people, with this configuration unless it is the default.
    pub fn label(&self, engine: &str) -> String {
        match self.is_default() {
            true => engine.to_owned(),
            false => format!("{engine}({self})"),
        }
    }
}

impl fmt::Display for Configuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_default() {
            return f.write_str(DEFAULT);
        }
        for (index, (axis, choice)) in self.choices().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{axis}={choice}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axes() -> Vec<Axis> {
        vec![
            Axis {
                name: "opt",
                choices: vec![("none", 3), ("speed", 1)],
            },
            Axis {
                name: "zeal",
                choices: vec![("0", 1), ("1", 1), ("7", 2)],
            },
        ]
    }

    #[test]
    fn what_is_shown_is_read_again_and_mistakes_are_named() {
        let both = Configuration::parse("zeal=7,opt=speed", &axes()).unwrap();
        assert_eq!(both.to_string(), "opt=speed,zeal=7");
        assert_eq!(both.label("engine"), "engine(opt=speed,zeal=7)");
        assert_eq!(Configuration::parse(&both.to_string(), &axes()), Ok(both));
        for default in ["", "default", "opt=none", "zeal=0,opt=none"] {
            let read = Configuration::parse(default, &axes()).unwrap();
            assert_eq!(read, Configuration::default());
            assert_eq!(read.to_string(), "default");
        }
        for (text, word) in [
            ("opt", "axis=choice"),
            ("default,opt=none", "axis=choice"),
            ("ops=none", "zeal"),
            ("opt=fast", "speed"),
            ("opt=none,opt=none", "twice"),
        ] {
            let error = Configuration::parse(text, &axes()).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn choices_are_drawn_by_weight_and_each_axis_by_itself() {
        let mut counts = std::collections::BTreeMap::new();
        let mut different = std::collections::BTreeSet::new();
        for case in 0u32..4000 {
            let bytes = case.to_le_bytes();
            let drawn = Configuration::draw(&axes(), &bytes, 1);
            assert_eq!(drawn, Configuration::draw(&axes(), &bytes, 1));
            let alone = Configuration::draw(&axes()[1..], &bytes, 1);
            assert_eq!(
                drawn.all_choices(&axes())[1..],
                alone.all_choices(&axes()[1..])
            );
            for (axis, choice) in drawn.all_choices(&axes()) {
                *counts.entry(format!("{axis}={choice}")).or_insert(0u32) += 1;
            }
            different.insert(drawn.to_string());
        }
        assert_eq!(different.len(), 6, "every combination: {different:?}");
        assert!((2600..3400).contains(&counts["opt=none"]), "{counts:?}");
        assert!((1600..2400).contains(&counts["zeal=7"]), "{counts:?}");
    }
}
