//! A case as a script: the module, whatever it imports, and assertions that say what the reference showed.

use super::observers::{Observer, observers, presence};
use super::part::{Part, quoted};
use crate::linked::{self, Provider};
use crate::observe::{Observation, Outcome, Value};
use std::collections::BTreeSet;

/// Who provides what a module imports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// Modules in the script, so that any runner of scripts can run it. Their functions are WebAssembly, so what depends on
    /// frames of the host is different.
    InScript,
    /// The standard host, which only this toolkit's runner has.
    Standard,
}

/// Why a case is no script.
#[derive(Debug, thiserror::Error)]
pub enum CaseScriptError {
    /// The module cannot be read or printed.
    #[error("the module cannot be printed: {0}")]
    Module(String),
    /// The reference gave up or ended in a way that no assertion describes.
    #[error("no assertion describes that {0}")]
    Outcome(String),
    /// An import that no module in a script can provide.
    #[error("no module in a script provides the import {module:?} {name:?}")]
    Import {
        /// The module that it is imported from.
        module: String,
        /// Its name there.
        name: String,
    },
}

/// The script of a case: the module, after its provider if it has one and whatever else it imports, then one assertion for each
/// call, then the state at the end as far as functions that are added to the modules can look at it.
#[derive(Debug)]
pub struct CaseScript {
    provider: Option<Observed>,
    main: Observed,
    /// The assertions on calls.
    calls: Vec<String>,
    /// With what the instantiation of the module traps, if it does.
    trap: Option<&'static str>,
    /// What is looked at where nothing else is asserted: that a call or an instantiation returns is seen, but counts as none.
    presence: Observer,
}

/// A module of the script with what stands before it, and what looks at its state.
#[derive(Debug)]
struct Observed {
    host: String,
    part: Part,
    observers: Vec<Observer>,
}

impl CaseScript {
    /// Writes the script of a case.
    ///
    /// # Errors
    ///
    /// [`CaseScriptError`], if a part of it cannot be said in a script.
    pub fn new(
        wasm: &[u8],
        observation: &Observation,
        host: Host,
    ) -> Result<CaseScript, CaseScriptError> {
        let provider = Provider::of(wasm).map_err(|error| module_error(&error))?;
        let provider = provider.map(|p| Part::read(p.wasm, host)).transpose()?;
        let (provider, main) = match provider {
            // No instance of the main module was even tried, so the script has none.
            Some(provider) if observation.ended_in_provider => (None, provider),
            provider => (provider, Part::read(&linked::unlinked(wasm), host)?),
        };
        let trap = match &observation.instantiation {
            Outcome::Returned { .. } => None,
            Outcome::Trapped { trap, .. } => Some(trap.text()),
            other => return Err(CaseScriptError::Outcome(other.to_string())),
        };
        let calls = observation.calls.iter();
        let calls = calls.map(|call| assertion(&call.export, &call.outcome));
        Ok(CaseScript {
            main: Observed {
                host: main.host(provider.is_some().then_some(linked::MODULE))?,
                observers: observers(observation.state.as_ref(), &main, &BTreeSet::new()),
                part: main.clone(),
            },
            provider: match provider {
                Some(part) => Some(Observed {
                    host: part.host(None)?,
                    // What both share is looked at in the main module.
                    observers: observers(
                        observation.linked.as_ref(),
                        &part,
                        &part.shared_with(&main),
                    ),
                    part,
                }),
                None => None,
            },
            calls: calls.collect::<Result<_, _>>()?,
            trap,
            presence: presence(&main),
        })
    }

    /// The number of functions that look at the state.
    pub fn observers(&self) -> usize {
        let of_provider = self.provider.as_ref().map(|p| p.observers.len());
        match self.trap {
            Some(_) => 0,
            None => self.main.observers.len() + of_provider.unwrap_or_default(),
        }
    }

    /// The script with everything that it asserts. The last lines are the assertions on the state, one for each observer.
    pub fn text(&self) -> String {
        self.observed_by(|_| true)
    }

    /// The script with some of the observers only. It has an assertion in any case, as a script without any is a failure.
    pub fn observed_by(&self, kept: impl Fn(usize) -> bool) -> String {
        let of_main = self.main.observers.len();
        let mut script = String::new();
        let mut asserted = String::new();
        if let Some(provider) = &self.provider {
            let observers = provider.kept(|index| self.trap.is_none() && kept(of_main + index));
            script += &provider.host;
            let name = format!("${}", linked::MODULE);
            script += &provider.part.definition(&format!(" {name}"), &observers);
            script += &format!("(register {} {name})\n", quoted(linked::MODULE));
            asserted = assertions(&format!("{name} "), &observers);
        }
        script += &self.main.host;
        if let Some(trap) = self.trap {
            let module = self.main.part.definition("", &[]);
            return script + &format!("(assert_trap\n{}\n  {trap:?})\n", module.trim_end());
        }
        let mut observers = self.main.kept(kept);
        let asserts = |call: &String| call.starts_with("(assert_");
        if observers.is_empty() && asserted.is_empty() && !self.calls.iter().any(asserts) {
            observers.push(&self.presence);
        }
        script += &self.main.part.definition("", &observers);
        for call in &self.calls {
            script += &format!("{call}\n");
        }
        script + &assertions("", &observers) + &asserted
    }
}

impl Observed {
    fn kept(&self, kept: impl Fn(usize) -> bool) -> Vec<&Observer> {
        let observers = self.observers.iter().enumerate();
        let observers = observers.filter(|(index, _)| kept(*index));
        observers.map(|(_, observer)| observer).collect()
    }
}

/// That the observers return what was observed. `instance` is the name of theirs, followed by a space.
fn assertions(instance: &str, observers: &[&Observer]) -> String {
    let assertion = |observer: &&Observer| {
        let (name, value) = (quoted(&observer.name), observer.value);
        format!("(assert_return (invoke {instance}{name}) (i64.const {value}))\n")
    };
    observers.iter().map(assertion).collect()
}

pub(super) fn module_error(error: &dyn std::fmt::Display) -> CaseScriptError {
    CaseScriptError::Module(error.to_string())
}

/// What happened in a call, as an assertion.
fn assertion(export: &str, outcome: &Outcome) -> Result<String, CaseScriptError> {
    let invoke = format!("(invoke {})", quoted(export));
    Ok(match outcome {
        Outcome::Returned { values } => {
            let patterns: Option<Vec<_>> = values.iter().map(|value| pattern(*value)).collect();
            match patterns {
                Some(patterns) => {
                    let patterns: String = patterns.iter().map(|p| format!(" {p}")).collect();
                    format!("(assert_return {invoke}{patterns})")
                }
                // That it returns is seen too, although it does not count as an assertion.
                None => invoke,
            }
        }
        Outcome::Trapped { trap, .. } => format!("(assert_trap {invoke} {:?})", trap.text()),
        Outcome::Threw { .. } => format!("(assert_exception {invoke})"),
        Outcome::Suspended { .. } => format!("(assert_suspension {invoke} \"unhandled tag\")"),
        other => {
            let message = format!("the call of {export:?} {other}");
            return Err(CaseScriptError::Outcome(message));
        }
    })
}

/// The pattern for a result; nothing for what scripts have no pattern for.
fn pattern(value: Value) -> Option<String> {
    Some(match value {
        Value::I32(v) => format!("(i32.const {v})"),
        Value::I64(v) => format!("(i64.const {v})"),
        // Observed NaNs are canonical, whatever bits the engine has.
        Value::F32(bits) if f32::from_bits(bits).is_nan() => "(f32.const nan:arithmetic)".into(),
        Value::F64(bits) if f64::from_bits(bits).is_nan() => "(f64.const nan:arithmetic)".into(),
        Value::F32(bits) => format!("(f32.const {})", f32::from_bits(bits)),
        Value::F64(bits) => format!("(f64.const {})", f64::from_bits(bits)),
        Value::V128(bits) => {
            let lanes = (0..4).map(|lane| format!(" {:#010x}", (bits >> (32 * lane)) as u32));
            format!("(v128.const i32x4{})", lanes.collect::<String>())
        }
        Value::Null => "(ref.null)".into(),
        Value::Func(_) => "(ref.func)".into(),
        Value::Extern(number) => format!("(ref.extern {number})"),
        Value::I31(_) => "(ref.i31)".into(),
        Value::Struct(_) => "(ref.struct)".into(),
        Value::Array(_) => "(ref.array)".into(),
        Value::Cont(_) | Value::Exn(_) => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engines::{self, Settings};
    use crate::observe::observe;
    use crate::wast::run_script;

    #[test]
    fn a_script_says_what_was_observed_and_needs_no_host() {
        let wasm = wat::parse_str(
            r#"(module
                (import "switchback" "log" (func $log (param i64 externref) (result i32 f32)))
                (import "switchback" "call" (func $call (param funcref)))
                (import "host" "t" (tag $t (param i32)))
                (import "host" "g" (global $g (mut f64)))
                (memory 1 5) (table $tab 2 funcref)
                (global $count (mut i32) (i32.const 0)) (global (mut f32) (f32.const nan))
                (elem declare func $callback)
                (func $callback
                  (global.set $count (i32.const 9)) (global.set $g (f64.const -1.5))
                  (table.set $tab (i32.const 1) (ref.func $callback))
                  (i32.store (i32.const 20) (memory.grow (i32.const 1))))
                (func (export "returns") (result i32 f32 funcref f64)
                  (call $call (ref.func $callback))
                  (call $log (i64.const 1) (ref.null extern))
                  (ref.func $callback) (f64.div (f64.const 0) (f64.const 0)))
                (func (export "traps \"\c3\a4") (drop (i32.div_u (i32.const 1) (i32.const 0))))
                (func (export "throws") (throw $t (i32.const 1)))
                (func (export "suspends") (suspend $t (i32.const 1))))"#,
        )
        .unwrap();
        let oracle = engines::create("oracle", &Settings::default()).unwrap();
        let observation = observe(oracle.as_ref(), &wasm);
        let script = CaseScript::new(&wasm, &observation, Host::InScript)
            .unwrap()
            .text();
        for part in [
            "(register \"switchback\")",
            "(assert_return (invoke \"returns\") (i32.const 0) (f32.const 0) (ref.func) (f64.const nan:arithmetic))",
            "(assert_trap (invoke \"traps \\\"\\u{e4}\") \"integer divide by zero\")",
            "(assert_exception (invoke \"throws\"))",
            "(assert_suspension (invoke \"suspends\") \"unhandled tag\")",
            "(assert_return (invoke \"size of memory 0\") (i64.const 2))",
            "(assert_return (invoke \"memory 0 at 16\") (i64.const 4294967296))",
            "(assert_return (invoke \"table 0 at 1\") (i64.const 0))",
            "(assert_return (invoke \"global 1\") (i64.const 9))",
            "(assert_return (invoke \"NaN in global 2\") (i64.const 1))",
        ] {
            assert!(script.contains(part), "{part}\n{script}");
        }
        // A NaN has no bits that could be asserted, but that it is one.
        assert!(!script.contains("\"global 2\""), "{script}");
        let result = run_script("case", &script, oracle.as_ref()).unwrap();
        assert_eq!(
            (result.failed, result.passed),
            (0, 12),
            "{:?}",
            result.failures
        );
        // Another value is another script.
        let other = script.replace("\"global 1\") (i64.const 9)", "\"global 1\") (i64.const 8)");
        assert_eq!(
            run_script("case", &other, oracle.as_ref()).unwrap().failed,
            1
        );
    }

    #[test]
    fn what_no_assertion_describes_is_refused() {
        let wasm = wat::parse_str("(module (func (export \"f\") (call 0)))").unwrap();
        let oracle = engines::create("oracle", &Settings::default()).unwrap();
        let observation = observe(oracle.as_ref(), &wasm);
        let error = CaseScript::new(&wasm, &observation, Host::InScript).unwrap_err();
        assert!(error.to_string().contains("exhausted"), "{error}");
    }

    #[test]
    fn a_provider_stands_in_the_script_with_what_only_it_has() {
        let provider = wat::parse_str(
            "(module (import \"switchback\" \"log\" (func $log (param i32)))
               (global $g (export \"g\") (mut i32) (i32.const 1)) (global $own (mut i32) (i32.const 0))
               (func (export \"f\") (result i32)
                 (global.set $own (i32.const 5)) (call $log (i32.const 1)) (global.get $g)))",
        );
        let main = wat::parse_str(
            "(module $main (import \"linked\" \"f\" (func $f (result i32)))
               (import \"linked\" \"g\" (global $g (mut i32))) (import \"switchback\" \"log\" (func $log (param i64)))
               (func (export \"run\") (result i32)
                 (call $log (i64.const 2)) (global.set $g (i32.const 7)) (call $f)))",
        );
        let wasm = linked::link(&main.unwrap(), &provider.unwrap());
        let oracle = engines::create("oracle", &Settings::default()).unwrap();
        let observation = observe(oracle.as_ref(), &wasm);
        for host in [Host::InScript, Host::Standard] {
            let script = CaseScript::new(&wasm, &observation, host).unwrap();
            let script = script.text();
            for part in [
                "(module $linked",
                "(register \"linked\" $linked)",
                "(assert_return (invoke \"run\") (i32.const 7))",
                "(assert_return (invoke \"global 0\") (i64.const 7))",
                "(assert_return (invoke $linked \"global 1\") (i64.const 5))",
            ] {
                assert!(script.contains(part), "{part}\n{script}");
            }
            assert!(!script.contains("switchback.linked"), "{script}");
            assert!(
                !script.contains("(invoke $linked \"global 0\")"),
                "{script}"
            );
            let result = run_script("case", &script, oracle.as_ref()).unwrap();
            assert_eq!(
                (result.failed, result.passed),
                (0, 3),
                "{:?}",
                result.failures
            );
        }
    }

    #[test]
    fn the_instantiation_that_traps_is_the_one_that_is_asserted() {
        let traps = wat::parse_str("(module (func $start (unreachable)) (start $start))").unwrap();
        let main = "(module (import \"linked\" \"f\" (func $f)) (start $f))";
        let main = wat::parse_str(main).unwrap();
        let provider = "(module (func (export \"f\") (unreachable)))";
        let provider = wat::parse_str(provider).unwrap();
        let oracle = engines::create("oracle", &Settings::default()).unwrap();
        for (wasm, registered) in [
            (linked::link(&main, &traps), false),
            (linked::link(&main, &provider), true),
        ] {
            let observation = observe(oracle.as_ref(), &wasm);
            assert_eq!(observation.ended_in_provider, !registered);
            for host in [Host::InScript, Host::Standard] {
                let script = CaseScript::new(&wasm, &observation, host).unwrap().text();
                assert_eq!(script.contains("(register"), registered, "{script}");
                assert!(script.contains("(assert_trap\n(module"), "{script}");
                let result = run_script("case", &script, oracle.as_ref()).unwrap();
                assert_eq!((result.failed, result.passed), (0, 1), "{script}");
            }
        }
    }

    #[test]
    fn a_script_has_an_assertion_whatever_is_left_of_it() {
        for module in [
            "(module (func $start) (start $start))",
            "(module (global i32 (i32.const 1)) (type $f (func)) (type $k (cont $f)) (func $f)
               (elem declare func $f) (func (export \"instantiated\") (result (ref $k)) (cont.new $k (ref.func $f))))",
        ] {
            let wasm = wat::parse_str(module).unwrap();
            let oracle = engines::create("oracle", &Settings::default()).unwrap();
            let observation = observe(oracle.as_ref(), &wasm);
            let script = CaseScript::new(&wasm, &observation, Host::InScript).unwrap();
            let script = script.observed_by(|_| false);
            let result = run_script("case", &script, oracle.as_ref()).unwrap();
            assert_eq!((result.failed, result.passed), (0, 1), "{script}");
        }
    }
}
