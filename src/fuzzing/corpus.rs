//! The cases that a campaign keeps because they showed something new, and how the next ones come about.
//!
//! Which cases there are must not depend on which thread was quicker. So the corpus grows in *generations*: the cases of one
//! mutate what the corpus was at the end of the one before, when all reports up to there have been folded in their order.

use super::behaviour::Behaviour;
use super::case::{CaseReport, case_module};
use crate::generate::Features;
use crate::mutate::Mutator;
use std::collections::BTreeSet;
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// The number of cases in a generation.
pub(super) const GENERATION: u64 = 256;

/// Most bytes of a mutant: a few times what a module has on average, so that a campaign stays as quick as it is.
const MAX_SIZE: usize = 8 << 10;

/// How the cases of a campaign come about.
#[derive(Clone, Debug)]
pub struct Strategy {
    /// What cases use: what all engines can do.
    pub features: Features,
    /// How many cases of a hundred are mutants of cases in the corpus, once there are some. The others are generated.
    pub mutants: u8,
    /// Cases from an earlier corpus, which are run first.
    pub given: Vec<Arc<[u8]>>,
}

impl Strategy {
    /// Every case is generated.
    pub fn generate(features: Features) -> Strategy {
        Strategy {
            features,
            mutants: 0,
            given: Vec::new(),
        }
    }
}

/// What a case's module is made of. It determines the module, given the features.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The module is generated from the seed.
    Seed(u64),
    /// The module is given.
    Given {
        /// The module.
        wasm: Arc<[u8]>,
        /// For what a case chooses besides its module.
        seed: u64,
    },
    /// The module is a mutation of one of the corpus, or of two.
    Mutant {
        /// What is mutated.
        parent: Arc<[u8]>,
        /// What it is crossed with.
        other: Option<Arc<[u8]>>,
        /// The seed of the mutation.
        seed: u64,
    },
}

impl Origin {
    /// The seed of the case.
    pub fn seed(&self) -> u64 {
        match *self {
            Origin::Seed(seed) | Origin::Given { seed, .. } | Origin::Mutant { seed, .. } => seed,
        }
    }

    /// The module. Where no mutation is found, it is generated from the seed.
    ///
    /// # Panics
    ///
    /// If the generator or the mutator does.
    pub fn module(&self, features: Features) -> Vec<u8> {
        let mutator = || Mutator::new(features).plans_only();
        let (seed, mutant) = match self {
            Origin::Seed(seed) => (*seed, None),
            Origin::Given { wasm, .. } => return wasm.to_vec(),
            Origin::Mutant {
                parent,
                other: None,
                seed,
            } => (*seed, mutator().mutate(parent, *seed, MAX_SIZE)),
            Origin::Mutant {
                parent,
                other: Some(other),
                seed,
            } => {
                let mutant = mutator().cross_over(parent, other, *seed, MAX_SIZE);
                (*seed, mutant)
            }
        };
        mutant.unwrap_or_else(|| case_module(seed, features))
    }
}

/// What the corpus held at the end of a generation.
pub(super) type Generation = Arc<Vec<Arc<[u8]>>>;

/// The corpus of a campaign.
#[derive(Default)]
pub(super) struct Corpus {
    entries: Vec<Arc<[u8]>>,
    seen: BTreeSet<Behaviour>,
}

impl Corpus {
    /// Takes the report of the next case; a case that showed something new is kept. A case with a finding shows a bug, and one
    /// that was discarded or cut shows a limit: what is made of them would mostly show the same.
    pub(super) fn add(&mut self, report: &CaseReport, module: impl FnOnce() -> Vec<u8>) -> bool {
        if report.finding.is_some() || report.discard.is_some() || report.cut {
            return false;
        }
        let before = self.seen.len();
        self.seen.extend(&report.behaviours);
        let is_new = self.seen.len() > before;
        if is_new {
            self.entries.push(module().into());
        }
        is_new
    }

    pub(super) fn entries(&self) -> &[Arc<[u8]>] {
        &self.entries
    }

    /// The number of different behaviours so far.
    pub(super) fn behaviours(&self) -> usize {
        self.seen.len()
    }

    pub(super) fn generation(&self) -> Generation {
        Arc::new(self.entries.clone())
    }
}

/// How case `index` of a campaign comes about, whose case seed is `seed`.
pub(super) fn origin(strategy: &Strategy, index: u64, seed: u64, corpus: &Generation) -> Origin {
    let given = usize::try_from(index)
        .ok()
        .and_then(|index| strategy.given.get(index));
    if let Some(wasm) = given {
        let wasm = wasm.clone();
        return Origin::Given { wasm, seed };
    }
    // Not the seed itself: it is what the mutation is drawn from.
    let mut draws = (0u64..).map(|draw| xxh3_64_with_seed(&draw.to_le_bytes(), seed));
    let mut below = |bound: usize| draws.next().map_or(0, |draw| draw as usize % bound);
    if corpus.is_empty() || below(100) >= usize::from(strategy.mutants) {
        return Origin::Seed(seed);
    }
    let mut entry = || corpus[below(corpus.len())].clone();
    let (parent, other) = (entry(), entry());
    Origin::Mutant {
        parent,
        other: (below(5) == 0).then_some(other),
        seed,
    }
}
