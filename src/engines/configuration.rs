//! Axes of an engine's configuration: what may be set otherwise without any effect that a module could show.

use serde::{Deserialize, Serialize};
use std::fmt;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// One axis of an engine's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Axis {
    /// Its name.
    pub name: &'static str,
    /// The choices on it, the default first, each with its weight when one is drawn.
    pub choices: Vec<(&'static str, u32)>,
}

/// Choices on some axes; what is not chosen is the engine's default. Displays as `axis=choice,axis=choice`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Configuration(Vec<(String, String)>);

impl Configuration {
    /// Reads what `Display` writes.
    ///
    /// # Errors
    ///
    /// A message, if an axis or a choice on it is not among `axes`, or an axis is there twice.
    pub fn parse(text: &str, axes: &[Axis]) -> Result<Configuration, String> {
        let mut chosen: Vec<(String, String)> = Vec::new();
        for part in text.split(',').filter(|part| !part.is_empty()) {
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
            if chosen.iter().any(|(other, _)| other == name) {
                return Err(format!("{name} is chosen twice"));
            }
            chosen.push((name.to_owned(), choice.to_owned()));
        }
        Ok(Configuration(chosen))
    }

    /// Draws a choice on every axis. What is drawn on one depends on `bytes`, `salt` and that axis alone, so that a new axis leaves
    /// the others as they are.
    pub fn draw(axes: &[Axis], bytes: &[u8], salt: u64) -> Configuration {
        let seed = xxh3_64_with_seed(bytes, salt);
        let draw = |axis: &Axis| {
            let whole: u32 = axis.choices.iter().map(|(_, weight)| weight).sum();
            let mut rest =
                (xxh3_64_with_seed(axis.name.as_bytes(), seed) % u64::from(whole)) as u32;
            let mut choices = axis.choices.iter();
            let choice = choices.find(|(_, weight)| {
                let found = rest < *weight;
                rest = rest.saturating_sub(*weight);
                found
            });
            let (choice, _) = choice.expect("less than the sum of all weights");
            (axis.name.to_owned(), (*choice).to_owned())
        };
        Configuration(axes.iter().map(draw).collect())
    }

    /// The choices: axis, choice.
    pub fn choices(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(axis, choice)| (axis.as_str(), choice.as_str()))
    }
}

impl fmt::Display for Configuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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
        assert_eq!(Configuration::parse(&both.to_string(), &axes()), Ok(both));
        assert_eq!(
            Configuration::parse("", &axes()),
            Ok(Configuration::default())
        );
        for (text, word) in [
            ("opt", "axis=choice"),
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
        for case in 0u32..4000 {
            let bytes = case.to_le_bytes();
            let drawn = Configuration::draw(&axes(), &bytes, 1);
            assert_eq!(drawn, Configuration::draw(&axes(), &bytes, 1));
            let alone = Configuration::draw(&axes()[1..], &bytes, 1);
            assert_eq!(drawn.choices().last(), alone.choices().last());
            for (axis, choice) in drawn.choices() {
                *counts.entry(format!("{axis}={choice}")).or_insert(0u32) += 1;
            }
        }
        assert!((2800..3200).contains(&counts["opt=none"]), "{counts:?}");
        assert!((1800..2200).contains(&counts["zeal=7"]), "{counts:?}");
    }
}
