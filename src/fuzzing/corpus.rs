//! The cases that a campaign keeps because they showed something new, and how the next ones come about.
//!
//! Which cases there are must not depend on which thread was quicker. So the corpus grows in *generations*: the cases of one
//! mutate what the corpus was at the end of the one before, when all reports up to there have been folded in their order.

use super::behaviour::Behaviour;
use super::case::{CaseReport, case_module};
use crate::generate::Scope;
use crate::mutate::Mutator;
use std::collections::BTreeSet;
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// The number of cases in a generation.
pub(super) const GENERATION: u64 = 256;

/// Most bytes of a mutant: a few times what a module has on average, so that a campaign stays as quick as it is.
const MAX_SIZE: usize = 8 << 10;

/// Which part of the cases are mutants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// So many of a hundred.
    Percent(u8),
    /// Nine in ten, while mutants show more new behaviours a case than generated ones do, and one in ten while they show less. It
    /// is what showed more in the last generations, so the corpus never costs much where the generator has still more to offer.
    ByYield,
}

/// How the cases of a campaign come about.
#[derive(Clone, Debug)]
pub struct Strategy {
    /// What cases are made with.
    pub scope: Scope,
    /// Which part of the cases are mutants of cases in the corpus, once there are some. The others are generated.
    pub mutants: Share,
    /// Cases from an earlier corpus, which are run first.
    pub given: Vec<Arc<[u8]>>,
}

impl Strategy {
    /// Every case is generated.
    pub fn generate(scope: impl Into<Scope>) -> Strategy {
        Strategy {
            scope: scope.into(),
            mutants: Share::Percent(0),
            given: Vec::new(),
        }
    }
}

/// What a case's module is made of. It determines the module, given the scope.
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
    pub fn module(&self, scope: impl Into<Scope>) -> Vec<u8> {
        let scope = scope.into();
        let mutator = || Mutator::new(scope).plans_only();
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
        mutant.unwrap_or_else(|| case_module(seed, scope))
    }
}

/// What the corpus was at the end of a generation.
#[derive(Clone, Default)]
pub(super) struct Generation {
    entries: Arc<Vec<Arc<[u8]>>>,
    /// How many of a hundred cases of the next generation are mutants.
    mutants: u8,
}

/// The corpus of a campaign.
#[derive(Default)]
pub(super) struct Corpus {
    entries: Vec<Arc<[u8]>>,
    seen: BTreeSet<Behaviour>,
    /// Of generated cases, and of mutants.
    yields: [Yield; 2],
}

/// What cases of one kind showed in the last generations, those before weighing half as much each time.
#[derive(Clone, Copy, Default)]
struct Yield {
    cases: u64,
    new: u64,
}

impl Corpus {
    /// Takes the report of the next case; a case that showed something new is kept. A case with a finding shows a bug, and one
    /// that was discarded or cut shows a limit: what is made of them would mostly show the same.
    ///
    /// The answer is how many behaviours were new.
    pub(super) fn add(&mut self, report: &CaseReport, origin: &Origin, scope: Scope) -> u64 {
        let mut new = 0;
        if report.finding.is_none() && report.discard.is_none() && !report.cut {
            let before = self.seen.len();
            self.seen.extend(&report.behaviours);
            new = (self.seen.len() - before) as u64;
        }
        if new > 0 {
            self.entries.push(origin.module(scope).into());
        }
        let kind = match origin {
            Origin::Seed(_) => Some(0),
            Origin::Mutant { .. } => Some(1),
            Origin::Given { .. } => None,
        };
        if let Some(kind) = kind {
            self.yields[kind].cases += 1;
            self.yields[kind].new += new;
        }
        new
    }

    pub(super) fn entries(&self) -> &[Arc<[u8]>] {
        &self.entries
    }

    /// The number of different behaviours so far.
    pub(super) fn behaviours(&self) -> usize {
        self.seen.len()
    }

    /// Ends a generation.
    pub(super) fn generation(&mut self, share: Share) -> Generation {
        let [generated, mutants] = self.yields;
        let mutants = match share {
            Share::Percent(percent) => percent,
            // Half, until both have been seen.
            Share::ByYield if generated.cases == 0 || mutants.cases == 0 => 50,
            Share::ByYield if mutants.new * generated.cases > generated.new * mutants.cases => 90,
            Share::ByYield => 10,
        };
        for kind in &mut self.yields {
            kind.cases /= 2;
            kind.new /= 2;
        }
        Generation {
            entries: Arc::new(self.entries.clone()),
            mutants,
        }
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
    let entries = &corpus.entries;
    if entries.is_empty() || below(100) >= usize::from(corpus.mutants) {
        return Origin::Seed(seed);
    }
    let mut entry = || entries[below(entries.len())].clone();
    let (parent, other) = (entry(), entry());
    Origin::Mutant {
        parent,
        other: (below(5) == 0).then_some(other),
        seed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::Features;

    fn report(behaviours: impl IntoIterator<Item = Behaviour>) -> CaseReport {
        CaseReport {
            behaviours: behaviours.into_iter().collect(),
            ..CaseReport::default()
        }
    }

    fn mutant(seed: u64) -> Origin {
        Origin::Mutant {
            parent: case_module(0, Features::default()).into(),
            other: None,
            seed,
        }
    }

    #[test]
    fn what_shows_more_gets_more_cases() {
        let scope = Scope::from(Features::default());
        let mut corpus = Corpus::default();
        assert_eq!(corpus.generation(Share::ByYield).mutants, 50);
        corpus.add(&report(0..5), &Origin::Seed(1), scope);
        corpus.add(&report(0..7), &mutant(2), scope);
        assert_eq!(corpus.generation(Share::ByYield).mutants, 10);
        // What was before counts half.
        for seed in 0..4 {
            corpus.add(&report([]), &Origin::Seed(seed), scope);
            corpus.add(&report([100 + seed as u32]), &mutant(seed), scope);
        }
        assert_eq!(corpus.generation(Share::ByYield).mutants, 90);
        assert_eq!(corpus.generation(Share::Percent(33)).mutants, 33);
    }

    #[test]
    fn what_shows_nothing_new_or_a_limit_is_not_kept() {
        let scope = Scope::from(Features::default());
        let mut corpus = Corpus::default();
        assert_eq!(corpus.add(&report([1, 2]), &Origin::Seed(1), scope), 2);
        assert_eq!(corpus.add(&report([2]), &Origin::Seed(2), scope), 0);
        let cut = CaseReport {
            cut: true,
            ..report([3])
        };
        assert_eq!(corpus.add(&cut, &Origin::Seed(3), scope), 0);
        assert_eq!(corpus.entries().len(), 1);
        assert_eq!(corpus.entries()[0][..], case_module(1, scope));
        assert_eq!(corpus.behaviours(), 2);
    }
}
