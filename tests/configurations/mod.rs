//! The configurations under which every script runs.

use switchback::engines::{self, Engine, Settings, SetupError};

/// Every way of the compiling engine to do one thing or the other is in one of these. Unoptimised code with self-checks is what a
/// build with debug assertions does by default; without self-checks, switches of stacks are made as a release build makes them.
const CONFIGURATIONS: &[&str] = &[
    "default",
    "opt=speed,regalloc=backtracking,cpu=baseline",
    "traps=checks,switches=shared,checks=off,unwind-info=native,stack=192k",
    "memory=guard,checks=off",
    "gc-zeal=1",
];

/// An engine in each of its configurations.
pub type Engines = Vec<(&'static str, Box<dyn Engine>)>;

/// The engine of this name, set up in each of the configurations; only in its default one, if it has no axes.
pub fn in_all_configurations(name: &str) -> Result<Engines, SetupError> {
    if (engines::find(name)?.axes)().is_empty() {
        let engine = engines::create(name, &Settings::default())?;
        return Ok(vec![(engines::DEFAULT, engine)]);
    }
    let configured = |text: &&'static str| Ok((*text, in_configuration(name, text)?));
    let configurations = match name {
        "wasmtime" => &["default", "traps=checks"],
        _ => CONFIGURATIONS,
    };
    configurations.iter().map(configured).collect()
}

/// The engine of this name in one configuration.
pub fn in_configuration(name: &str, text: &str) -> Result<Box<dyn Engine>, SetupError> {
    let parsed = engines::configurations(&[engines::find(name)?], &[text])?;
    let settings = Settings {
        configuration: parsed.into_iter().flatten().next().unwrap_or_default(),
        ..Settings::default()
    };
    engines::create(name, &settings)
}
