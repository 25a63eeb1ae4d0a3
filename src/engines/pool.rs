//! Engines that are set up once for many cases.

use super::{Engine, Settings, SetupError, create};
use std::cell::RefCell;
use std::collections::HashMap;

/// Engines that are set up when they are first asked for, and kept.
#[derive(Default)]
pub struct Pool(RefCell<HashMap<(String, Settings), Box<dyn Engine>>>);

/// How many engines are kept at most.
const KEPT: usize = 256;

impl Pool {
    /// Does something with the engine of this name and these settings.
    ///
    /// # Errors
    ///
    /// [`SetupError`], if there is no such engine or it refuses the settings.
    ///
    /// # Panics
    ///
    /// If `action` does, or asks the pool for an engine itself.
    pub fn with<R>(
        &self,
        name: &str,
        settings: &Settings,
        action: impl FnOnce(&dyn Engine) -> R,
    ) -> Result<R, SetupError> {
        let mut engines = self.0.borrow_mut();
        let key = (name.to_owned(), settings.clone());
        if !engines.contains_key(&key) {
            let engine = create(name, settings)?;
            // Which of them will be needed again, nobody knows: cases draw them.
            if engines.len() >= KEPT {
                engines.clear();
            }
            engines.insert(key.clone(), engine);
        }
        Ok(action(engines[&key].as_ref()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_are_set_up_by_their_settings_and_no_more_of_them_than_are_kept() {
        let pool = Pool::default();
        let traces = |settings: &Settings| pool.with("oracle", settings, |e| e.traces().is_some());
        for instructions in 0..=KEPT as u64 {
            for trace in [true, false] {
                let settings = Settings {
                    trace,
                    instructions: Some(instructions),
                    ..Settings::default()
                };
                assert_eq!(traces(&settings).unwrap(), trace);
                assert!(pool.0.borrow().len() <= KEPT);
            }
        }
        assert!(pool.with("none", &Settings::default(), |_| ()).is_err());
    }
}
