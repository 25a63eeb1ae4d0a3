//! The engines of a comparison, each with how its configuration comes about.

use crate::engines::{self, Configuration, Registration, SetupError};

/// What stands for a configuration that each case draws.
pub const DRAWN: &str = "drawn";

/// An engine that takes part.
pub(super) struct Seat {
    pub registration: &'static Registration,
    configuration: Choice,
}

/// How the configuration of an engine comes about.
enum Choice {
    /// It is always this.
    Fixed(Configuration),
    /// Each case's module decides.
    Drawn,
}

/// The engines of a comparison, those under test first and the reference last. An engine may take part more than once.
pub(super) struct Lineup(Vec<Seat>);

impl Lineup {
    /// The engines of these names. Each that has axes gets the next of `configurations`, as [`Configuration`] displays or
    /// [`DRAWN`]; for who gets none, it is drawn.
    ///
    /// # Errors
    ///
    /// [`SetupError`], if there are less than two engines, or one is unknown, or a configuration is wrong.
    pub fn new(
        names: &[impl AsRef<str>],
        configurations: &[impl AsRef<str>],
    ) -> Result<Lineup, SetupError> {
        let (reference, mut seats) = engines::split_reference(names)?;
        seats.push(reference);
        // `drawn` is no configuration, but takes the place of one.
        let texts = configurations.iter().map(AsRef::as_ref);
        let drawn: Vec<bool> = texts.clone().map(|text| text == DRAWN).collect();
        let texts: Vec<&str> = texts
            .map(|text| if text == DRAWN { "" } else { text })
            .collect();
        let parsed = engines::configurations(&seats, &texts)?;
        let mut drawn = drawn.into_iter();
        let seat = |(registration, parsed): (_, Option<Configuration>)| Seat {
            registration,
            configuration: match parsed {
                Some(configuration) if !drawn.next().expect("one for each that was parsed") => {
                    Choice::Fixed(configuration)
                }
                _ => Choice::Drawn,
            },
        };
        Ok(Lineup(seats.into_iter().zip(parsed).map(seat).collect()))
    }

    /// The engines under test, and the reference.
    pub fn split(&self) -> (&[Seat], &Seat) {
        let (reference, under_test) = self.0.split_last().expect("there are at least two");
        (under_test, reference)
    }

    /// The configurations in the case of this module. Those that are drawn differ from one another where an engine takes part
    /// more than once.
    pub fn configurations(&self, wasm: &[u8]) -> Vec<Configuration> {
        let mut chosen: Vec<Configuration> = Vec::new();
        for (index, seat) in self.0.iter().enumerate() {
            let configuration = match &seat.configuration {
                Choice::Fixed(configuration) => configuration.clone(),
                Choice::Drawn => {
                    let axes = (seat.registration.axes)();
                    let before = self.0.iter().zip(&chosen);
                    let name = seat.registration.name;
                    let others: Vec<_> = before
                        .filter(|(other, _)| other.registration.name == name)
                        .map(|(_, configuration)| configuration)
                        .collect();
                    let draw = |attempt| {
                        let salt = index as u64 + attempt * self.0.len() as u64;
                        Configuration::draw(&axes, wasm, salt)
                    };
                    let mut attempts = (0..ATTEMPTS).map(draw);
                    let another = attempts.find(|drawn| !others.contains(&drawn));
                    another.unwrap_or_else(|| draw(0))
                }
            };
            chosen.push(configuration);
        }
        chosen
    }

    /// What makes [`Lineup::new`] choose what the case of this module draws: for a module that is made from it and has other bytes.
    pub fn pinned(&self, wasm: &[u8]) -> Vec<String> {
        let chosen = self.0.iter().zip(self.configurations(wasm));
        let with_axes = chosen.filter(|(seat, _)| !(seat.registration.axes)().is_empty());
        with_axes
            .map(|(_, configuration)| configuration.to_string())
            .collect()
    }

    /// The engines' choices in the case of this module, for counting: `engine axis=choice`. An engine that takes part more than
    /// once has a number behind its name.
    pub fn choices(&self, wasm: &[u8]) -> Vec<String> {
        let mut choices = Vec::new();
        for (index, configuration) in self.configurations(wasm).iter().enumerate() {
            let name = self.0[index].registration.name;
            let same = |seat: &&Seat| seat.registration.name == name;
            let number = match self.0.iter().filter(same).count() {
                1 => String::new(),
                _ => format!(".{}", 1 + self.0[..index].iter().filter(same).count()),
            };
            let axes = (self.0[index].registration.axes)();
            let all = configuration.all_choices(&axes).into_iter();
            choices.extend(all.map(|(axis, choice)| format!("{name}{number} {axis}={choice}")));
        }
        choices
    }
}

/// How often a configuration is drawn again because it is another's too: for engines with so few choices that there is no other.
const ATTEMPTS: u64 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: &[&str] = &[];

    #[test]
    fn what_is_drawn_can_be_pinned() {
        for names in [
            &["compiled", "oracle"][..],
            &["compiled", "compiled"],
            &["compiled", "compiled", "oracle"],
        ] {
            let drawn = Lineup::new(names, NONE).unwrap();
            let pinned = Lineup::new(names, &drawn.pinned(b"one")).unwrap();
            assert_eq!(drawn.configurations(b"one"), pinned.configurations(b"two"));
        }
    }

    #[test]
    fn an_engine_that_takes_part_twice_has_two_configurations() {
        let lineup = Lineup::new(&["compiled", "compiled"], NONE).unwrap();
        let mut seen = std::collections::BTreeSet::new();
        for case in 0..200u32 {
            let drawn = lineup.configurations(&case.to_le_bytes());
            assert_ne!(drawn[0], drawn[1]);
            seen.extend(drawn.iter().map(Configuration::to_string));
        }
        assert!(seen.len() > 100, "{}", seen.len());
        let choices = lineup.choices(b"");
        let of = |name| choices.iter().filter(move |c| c.starts_with(name)).count();
        assert_eq!(of("compiled.1 "), of("compiled.2 "));
        assert_eq!(of("compiled.1 opt="), 1);
        assert_eq!(of("compiled "), 0);
    }

    #[test]
    fn configurations_are_for_the_engines_that_have_one_in_their_order() {
        let names = ["oracle", "compiled", "wasmi", "compiled"];
        let given = ["gc-zeal=1", DRAWN];
        let lineup = Lineup::new(&names, &given).unwrap();
        let (one, other) = (
            lineup.configurations(b"one"),
            lineup.configurations(b"other"),
        );
        let names = lineup.0.iter().map(|seat| seat.registration.name);
        assert!(names.eq(["compiled", "wasmi", "compiled", "oracle"]));
        assert_eq!(
            (one[0].to_string(), &one[0]),
            ("gc-zeal=1".to_owned(), &other[0])
        );
        assert_ne!(one[2], other[2]);
        assert!(one[1].is_default() && one[3].is_default());
        let error = Lineup::new(&["compiled", "oracle"], &given).err();
        assert!(error.unwrap().to_string().contains("more configurations"));
    }
}
