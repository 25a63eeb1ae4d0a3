//! One case as a script: does an engine fail it?

use super::case::{CaseReport, Finding};
use crate::engines::{self, Engine, INSTRUCTIONS, Settings, SetupError};
use crate::observe::{Outcome, observe};
use crate::report::Signature;
use crate::wast::{CaseScript, CaseScriptError, Host, run_script};

/// The engines, set up to run cases as scripts: without traces, as scripts run anywhere.
pub struct ScriptRunner {
    under_test: Vec<Box<dyn Engine>>,
    reference: Box<dyn Engine>,
    host: Host,
}

/// The kind of findings that are failures of scripts.
pub const SCRIPT: &str = "script";

/// The number of instructions after which the reference gives a case up.
const INSTRUCTION_BOUND: u64 = 1_000_000;

impl ScriptRunner {
    /// Sets up the engines, with configurations as [`CaseRunner::pinned`](super::CaseRunner::pinned) gives them; those that get
    /// none have their default. Of `settings`, only a planted bug and a bound on the reference's instructions matter here.
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
        let bound = settings.instructions.unwrap_or(INSTRUCTION_BOUND);
        let mut created = Vec::new();
        for (index, (engine, configuration)) in all.iter().zip(chosen).enumerate() {
            let settings = Settings {
                plant: settings.plant.clone(),
                instructions: (index == last).then_some(bound),
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
    pub fn script(&self, wasm: &[u8]) -> Result<CaseScript, CaseScriptError> {
        let observation = observe(self.reference.as_ref(), wasm);
        let script = CaseScript::new(wasm, &observation, self.host)?;
        match failures(self.reference.as_ref(), true, &script.text()).first() {
            None => Ok(script),
            Some((_, failure)) => Err(CaseScriptError::Outcome(format!(
                "the script fails on the reference itself: {failure}"
            ))),
        }
    }

    /// Runs a case as a script. It is a finding if an engine under test fails it; a case that is no script is none. The finding's
    /// text is the script with no more assertions on the state than it needs to fail.
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
        let text = script.text();
        let failed = self.under_test.iter().find_map(|engine| {
            let failures = failures(engine.as_ref(), false, &text);
            let (line, message) = failures.into_iter().next()?;
            Some((engine.as_ref(), line, message))
        });
        report.finding = failed.map(|(engine, line, message)| {
            let mut signature = Signature::other(SCRIPT, Some(&class(&message)));
            signature.engines = vec![engine.name().to_owned(), self.reference.name().to_owned()];
            // The assertions on the state are the last lines.
            let state = text.lines().count() - script.observers();
            let short = script.observed_by(|observer| state + observer + 1 == line);
            let passes = || failures(self.reference.as_ref(), true, &short).is_empty();
            let suffices = !failures(engine, false, &short).is_empty() && passes();
            let text = if suffices { short } else { text.clone() };
            Finding { signature, text }
        });
        report
    }
}

/// The directives of a script that fail on an engine, by their lines. A limit that the engine reaches is no failure.
fn failures(engine: &dyn Engine, is_reference: bool, script: &str) -> Vec<(usize, String)> {
    let result = match run_script("case", script, engine) {
        Ok(result) => result,
        Err(error) => return vec![(0, error.to_string())],
    };
    let exhausted = |what: &str| {
        let what = what.to_owned();
        Outcome::Exhausted { what }.to_string()
    };
    let limit = exhausted("");
    let bound = exhausted(INSTRUCTIONS);
    let counts =
        |message: &str| !message.contains(&limit) || (is_reference && message.contains(&bound));
    let failures = result.failures.into_iter();
    let failures = failures.filter(|failure| counts(&failure.message));
    failures.map(|f| (f.line, f.message)).collect()
}

/// What remains the same of a failure when the case is reduced: the directive and, if a call ended in another way, in which.
/// Not which result differs, and not its value; nor which trap it was, since memory that is used after it was freed leads to
/// one now and to another then.
fn class(failure: &str) -> String {
    let (directive, what) = failure.split_once(": ").unwrap_or((failure, ""));
    match what.split_once(", got: ") {
        Some((_, outcome)) => {
            let end = outcome.find([' ', ':', ',']).unwrap_or(outcome.len());
            format!("{directive}: {}", &outcome[..end])
        }
        None => directive.to_owned(),
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
        assert_eq!(
            class("assert_return: expected a return, got: trapped: unreachable"),
            "assert_return: trapped"
        );
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
        assert!(
            scripts
                .into_iter()
                .any(|s| s.text().contains("(assert_return"))
        );
        for seed in 0..8 {
            assert_eq!(runner.run(&generate(seed)).finding, None, "seed {seed}");
        }
    }
}
