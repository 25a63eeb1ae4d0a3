//! One case as a script: does an engine fail it?

use super::case::{CaseReport, Finding};
use crate::engines::{self, Engine, INSTRUCTIONS, Settings, SetupError};
use crate::observe::{Outcome, observe};
use crate::report::Signature;
use crate::wast::{CaseScriptError, Host, case_script, run_script};

/// The engines, set up to run cases as scripts: without traces, as scripts run anywhere.
pub struct ScriptRunner {
    under_test: Vec<Box<dyn Engine>>,
    reference: Box<dyn Engine>,
    host: Host,
}

/// The number of instructions after which the reference gives a case up.
const INSTRUCTION_BOUND: u64 = 1_000_000;

impl ScriptRunner {
    /// Sets up the engines, with configurations as [`CaseRunner::pinned`](super::CaseRunner::pinned) gives them; those that get
    /// none have their default. Of `settings`, only a planted bug matters here.
    ///
    /// # Errors
    ///
    /// [`SetupError`], if an engine refuses the settings.
    pub fn new(
        names: &[impl AsRef<str>],
        configurations: &[impl AsRef<str>],
        settings: &Settings,
        host: Host,
    ) -> Result<ScriptRunner, SetupError> {
        let (reference, mut all) = engines::split_reference(names)?;
        all.push(reference);
        let chosen = engines::configurations(&all, configurations)?;
        let last = all.len() - 1;
        let mut created = Vec::new();
        for (index, (engine, configuration)) in all.iter().zip(chosen).enumerate() {
            let settings = Settings {
                plant: settings.plant.clone(),
                instructions: (index == last).then_some(INSTRUCTION_BOUND),
                configuration: configuration.unwrap_or_default(),
                ..Settings::default()
            };
            created.push(engines::create(engine.name, &settings)?);
        }
        Ok(ScriptRunner {
            reference: created.pop().expect("there are at least two"),
            under_test: created,
            host,
        })
    }

    /// The script of a case. It passes on the reference.
    ///
    /// # Errors
    ///
    /// [`CaseScriptError`], if there is none: also where the reference shows something else with this host.
    pub fn script(&self, wasm: &[u8]) -> Result<String, CaseScriptError> {
        let observation = observe(self.reference.as_ref(), wasm);
        let text = case_script(wasm, &observation, self.host)?;
        match self.failure(self.reference.as_ref(), true, &text) {
            None => Ok(text),
            Some(failure) => Err(CaseScriptError::Outcome(format!(
                "the script fails on the reference itself: {failure}"
            ))),
        }
    }

    /// Runs a case as a script. It is a finding if an engine under test fails it; a case that is no script is none.
    ///
    /// # Panics
    ///
    /// If an engine does.
    pub fn run(&self, wasm: &[u8]) -> CaseReport {
        let mut report = CaseReport {
            size: wasm.len(),
            ..CaseReport::default()
        };
        let Ok(script) = self.script(wasm) else {
            return report;
        };
        let failure = |engine: &dyn Engine| self.failure(engine, false, &script);
        let failed = self.under_test.iter().find_map(|engine| {
            let engine = engine.as_ref();
            Some((engine.name(), failure(engine)?))
        });
        report.finding = failed.map(|(engine, text)| {
            let mut signature = Signature::other("script", Some(class(&text)));
            signature.engines = vec![engine.to_owned(), self.reference.name().to_owned()];
            Finding { signature, text }
        });
        report
    }

    /// The first directive of a script that fails on an engine. A limit that the engine reaches is no failure.
    fn failure(&self, engine: &dyn Engine, is_reference: bool, script: &str) -> Option<String> {
        let result = match run_script("case", script, engine) {
            Ok(result) => result,
            Err(error) => return Some(error.to_string()),
        };
        let exhausted = |what: &str| {
            let what = what.to_owned();
            Outcome::Exhausted { what }.to_string()
        };
        let limit = exhausted("");
        let bound = exhausted(INSTRUCTIONS);
        let counts = |message: &&String| {
            !message.contains(&limit) || (is_reference && message.contains(&bound))
        };
        let mut messages = result.failures.iter().map(|failure| &failure.message);
        messages.find(counts).cloned()
    }
}

/// What remains the same of a failure when the case is reduced: not which result differs, and not its value.
fn class(failure: &str) -> &str {
    match failure.find("result ") {
        Some(end) => failure[..end].trim_end_matches([' ', ':']),
        None => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_free_of_values_and_indices() {
        assert_eq!(
            class("assert_return: result 3: expected I32(1), got i32 2"),
            "assert_return"
        );
        let other = "assert_return: expected a return, got: trapped: unreachable";
        assert_eq!(class(other), other);
    }

    #[test]
    fn engines_that_agree_pass_each_others_scripts() {
        let (names, settings) = (engines::names(), Settings::default());
        let configurations = ["opt=speed,gc-zeal=7"];
        let runner = ScriptRunner::new(&names, &configurations, &settings, Host::Standard).unwrap();
        let generate =
            |seed| crate::generate::generate(seed, &crate::generate::Config::default()).wasm;
        // Not every case can be told as a script.
        let scripts = (0..8).filter_map(|seed| runner.script(&generate(seed)).ok());
        assert!(scripts.into_iter().any(|s| s.contains("(assert_return")));
        for seed in 0..8 {
            assert_eq!(runner.run(&generate(seed)).finding, None, "seed {seed}");
        }
    }
}
