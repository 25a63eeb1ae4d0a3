//! The engines that a subcommand compares: its options, and the command line that repeats them.

use clap::Args;
use switchback::engines::{self, Registration, Settings, SetupError};
use switchback::fuzzing::CaseRunner;
use switchback::generate::{Features, Generator, Generators};

/// The options that say what is compared.
#[derive(Args, Clone, Debug)]
pub struct Lineup {
    /// The engines to compare; modules are generated with what all of them can do. An engine may be there twice, such as
    /// compiled,compiled: then two configurations of it are compared.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = super::engine_name(),
          default_values_t = default_engines())]
    pub engines: Vec<String>,
    /// Put this planted bug into the engine that has it.
    #[arg(long, value_name = "NAME")]
    pub plant: Option<String>,
    /// The configuration of the first engine that has one, such as opt=speed,stack=192k; or `default`; or `drawn`, as without this
    /// option: the bytes of each case's module decide. Given again for the next engine.
    #[arg(long, value_name = "AXIS=CHOICE,…|default|drawn")]
    pub config: Vec<String>,
}

/// What generated modules are to use, if not what all engines can do.
#[derive(Args, Clone, Debug, Default)]
pub struct Mask {
    /// Generate modules without these features. Without `stack_switching` they are whole modules by wasm-smith, of all other
    /// features, and single instructions.
    #[arg(long, value_name = "FEATURES", value_delimiter = ',', value_parser = feature_name())]
    pub without: Vec<String>,
    /// Generate this feature although one of the engines is known to have a bug there.
    #[arg(long, value_name = "FEATURE", value_delimiter = ',')]
    pub despite: Vec<String>,
    #[command(flatten)]
    pub generation: Generation,
}

/// Which generators make the modules.
#[derive(Args, Clone, Debug, Default)]
pub struct Generation {
    /// Generate modules with these generators alone. `woven`: programs that switch stacks, in ordinary code by wasm-smith; `single`:
    /// single instructions with all kinds of operands, by themselves and across a stack switch; `scenario`: schedulers, generators,
    /// actors, effect handlers and the like [default: all, by weight].
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = generator_name())]
    pub generator: Vec<String>,
}

fn generator_name() -> clap::builder::PossibleValuesParser {
    let names = Generator::ALL.iter().map(|generator| generator.name());
    names.collect::<Vec<_>>().into()
}

impl Generation {
    /// The generators.
    pub fn generators(&self) -> Generators {
        let names = self.generator.iter();
        Generators::of(names.filter_map(|name| Generator::named(name)))
    }

    /// As arguments, as far as they are not the default.
    pub fn arguments(&self) -> Vec<String> {
        let generators = self.generators();
        if generators == Generators::default() {
            return Vec::new();
        }
        let names: Vec<_> = generators.iter().map(Generator::name).collect();
        vec!["--generator".to_owned(), names.join(",")]
    }

    /// The arguments in a command for people, each with a space before it.
    pub fn options(&self) -> String {
        options(&self.arguments())
    }
}

fn feature_name() -> clap::builder::PossibleValuesParser {
    Features::ALL.names().into()
}

pub fn default_engines() -> Vec<String> {
    engines::names().into_iter().map(String::from).collect()
}

impl Lineup {
    /// Sets up the engines.
    pub fn runner(&self) -> Result<CaseRunner, SetupError> {
        self.configured(&self.settings())
    }

    fn configured(&self, settings: &Settings) -> Result<CaseRunner, SetupError> {
        CaseRunner::configured(&self.engines, &self.config, settings)
    }

    /// The same with the configurations that this module draws, so that they stay for another one, and show in commands.
    pub fn pinned(&self, wasm: &[u8]) -> Result<Lineup, SetupError> {
        Ok(Lineup {
            config: self.runner()?.pinned(wasm),
            ..self.clone()
        })
    }

    /// Sets up the engines; the reference gives a case up after so many instructions.
    pub fn runner_within(&self, instructions: u64) -> Result<CaseRunner, SetupError> {
        let settings = Settings {
            instructions: Some(instructions),
            ..self.settings()
        };
        self.configured(&settings)
    }

    /// What the options say of every engine's settings.
    pub fn settings(&self) -> Settings {
        Settings {
            plant: self.plant.clone(),
            ..Settings::default()
        }
    }

    /// The engines, those under test first, each with what `--config` says of it.
    pub fn seats(&self) -> Result<Vec<(&'static str, Option<&str>)>, SetupError> {
        let (reference, mut engines) = engines::split_reference(&self.engines)?;
        engines.push(reference);
        let mut config = self.config.iter();
        let mut seat = |engine: &'static Registration| {
            let configured = !(engine.axes)().is_empty();
            let config = if configured { config.next() } else { None };
            (engine.name, config.map(String::as_str))
        };
        Ok(engines.into_iter().map(&mut seat).collect())
    }

    /// Which engines they are, as arguments, if not the default.
    fn engine_arguments(&self) -> Vec<String> {
        if self.engines == default_engines() {
            return Vec::new();
        }
        vec!["--engines".to_owned(), self.engines.join(",")]
    }

    /// The same in a command for people.
    pub fn engine_options(&self) -> String {
        options(&self.engine_arguments())
    }

    /// As arguments, as far as they are not the default.
    pub fn arguments(&self) -> Vec<String> {
        let mut arguments = self.engine_arguments();
        if let Some(plant) = &self.plant {
            arguments.extend(["--plant".to_owned(), plant.clone()]);
        }
        for config in &self.config {
            arguments.extend(["--config".to_owned(), config.clone()]);
        }
        arguments
    }

    /// The arguments in a command for people, each with a space before it.
    pub fn options(&self) -> String {
        options(&self.arguments())
    }
}

impl Mask {
    /// Sets up the engines, and the generator with this mask.
    pub fn runner(&self, lineup: &Lineup) -> Result<CaseRunner, SetupError> {
        let mut runner = lineup.runner()?;
        for feature in &self.despite {
            runner.generate_despite(feature)?;
        }
        for feature in self.without.iter().filter_map(|name| Features::named(name)) {
            runner.generate_without(feature);
        }
        runner.generate_with(self.generation.generators());
        Ok(runner)
    }

    /// As arguments.
    pub fn arguments(&self) -> Vec<String> {
        let mut arguments = Vec::new();
        for (option, features) in [("--without", &self.without), ("--despite", &self.despite)] {
            if !features.is_empty() {
                arguments.extend([option.to_owned(), features.join(",")]);
            }
        }
        arguments.extend(self.generation.arguments());
        arguments
    }

    /// The arguments in a command for people, each with a space before it.
    pub fn options(&self) -> String {
        options(&self.arguments())
    }
}

/// Arguments in a command for people, each with a space before it.
fn options(arguments: &[String]) -> String {
    let words = arguments.iter().map(|argument| format!(" {argument}"));
    words.collect()
}
