//! The smallest module so far, and the one way to a smaller one.

use super::module::validate_all;
use super::{Judge, Measure, Progress};
use crate::fuzzing::Lost;
use crate::linked::{self, Provider};
use crate::report::Signature;
use std::collections::HashSet;
use xxhash_rust::xxh3::xxh3_128;

/// Why a reduction ends before nothing more can be taken away.
pub(super) enum Ended {
    /// It was stopped.
    Stopped,
    /// No module can be judged any more.
    Lost(Lost),
}

/// A change of a module, or of a body, by its index.
pub(super) enum Step {
    /// There are no more.
    End,
    /// There is none of this index.
    None,
    /// The new module or body.
    To(Vec<u8>),
}

impl From<Option<Vec<u8>>> for Step {
    fn from(module: Option<Vec<u8>>) -> Step {
        module.map_or(Step::None, Step::To)
    }
}

/// The steps that there are for a module; nothing, if it cannot be read.
pub(super) type Steps<'w> = Option<Box<dyn Fn(usize) -> Step + 'w>>;

/// Which module of a file is being reduced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Main,
    Provider,
}

/// The state of a reduction.
pub(super) struct State<'a> {
    /// The whole file.
    best: Vec<u8>,
    part: Part,
    measure: Measure,
    /// No result may be larger than the input was.
    most_bytes: usize,
    signature: Signature,
    judge: &'a mut dyn Judge,
    progress: &'a mut dyn Progress,
    judged: u64,
    /// Digests of what was judged in vain: different steps often lead to the same module.
    rejected: HashSet<u128>,
}

impl<'a> State<'a> {
    pub(super) fn new(
        wasm: &[u8],
        measure: Measure,
        signature: Signature,
        judge: &'a mut dyn Judge,
        progress: &'a mut dyn Progress,
    ) -> State<'a> {
        State {
            best: wasm.to_vec(),
            part: Part::Main,
            measure,
            most_bytes: measure.bytes,
            signature,
            judge,
            progress,
            judged: 1,
            rejected: HashSet::new(),
        }
    }

    /// Turns to one of the modules of the file; says whether it is there.
    pub(super) fn turn_to(&mut self, part: Part) -> bool {
        self.part = part;
        part == Part::Main || provider(&self.best).is_some()
    }

    /// The smallest module so far, of those of the file the one that it is turned to. The main module has its provider with it.
    pub(super) fn best(&self) -> &[u8] {
        match self.part {
            Part::Main => &self.best,
            Part::Provider => provider(&self.best).map_or(&self.best, |provider| provider.wasm),
        }
    }

    pub(super) fn into_best(self) -> Vec<u8> {
        self.best
    }

    pub(super) fn measure(&self) -> Measure {
        self.measure
    }

    pub(super) fn judged(&self) -> u64 {
        self.judged
    }

    /// Takes a candidate for [`State::best`] if it is valid, smaller, and shows the same; says whether it did.
    pub(super) fn offer(&mut self, candidate: Vec<u8>) -> Result<bool, Ended> {
        let candidate = match self.part {
            Part::Main => candidate,
            Part::Provider => linked::link(&linked::unlinked(&self.best), &candidate),
        };
        let Ok(measure) = Measure::of(&candidate) else {
            return Ok(false);
        };
        let stripped = candidate.len() < self.best.len() && measure == self.measure;
        if measure.bytes > self.most_bytes || (measure >= self.measure && !stripped) {
            return Ok(false);
        }
        let shows = self.shows_the_same(&candidate)?;
        if shows {
            self.best = candidate;
            self.measure = measure;
        }
        Ok(shows)
    }

    /// Tries steps of growing index on [`State::best`]; one that is taken makes place for the next one at the same index. The module
    /// is read again only after one was.
    pub(super) fn steps(
        &mut self,
        read: impl for<'w> Fn(&'w [u8]) -> Steps<'w>,
    ) -> Result<(), Ended> {
        let mut index = 0;
        loop {
            let best = self.best().to_vec();
            let Some(step) = read(&best) else {
                return Ok(());
            };
            loop {
                // Also where nothing comes to be judged: there may be many steps, and each takes time.
                self.go_on()?;
                let taken = match step(index) {
                    Step::End => return Ok(()),
                    Step::None => false,
                    Step::To(candidate) => self.offer(candidate)?,
                };
                if taken {
                    break;
                }
                index += 1;
            }
        }
    }

    /// Tells the progress; ends the reduction if that wants it.
    fn go_on(&mut self) -> Result<(), Ended> {
        match self.progress.step(self.judged, self.measure) {
            true => Ok(()),
            false => Err(Ended::Stopped),
        }
    }

    /// Whether a file is valid and shows what the input showed, whatever its size.
    pub(super) fn shows_the_same(&mut self, wasm: &[u8]) -> Result<bool, Ended> {
        let digest = xxh3_128(wasm);
        if self.rejected.contains(&digest) || validate_all(wasm).is_err() {
            return Ok(false);
        }
        self.go_on()?;
        self.judged += 1;
        let shown = self.judge.judge(wasm).map_err(Ended::Lost)?;
        let same = shown.as_ref() == Some(&self.signature);
        if !same {
            self.rejected.insert(digest);
        }
        Ok(same)
    }
}

fn provider(wasm: &[u8]) -> Option<Provider<'_>> {
    Provider::of(wasm).ok().flatten()
}
