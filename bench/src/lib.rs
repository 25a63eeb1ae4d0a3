//! Measuring contestants side by side on a machine that does other things as well.
//!
//! Contestants take turns in short rounds, so that a disturbance meets all of them; a contestant's ratio is the median of
//! its ratios to the first contestant in the same round, which such disturbances hardly move.

use std::time::Duration;

/// Somebody who can do a number of operations, and says how long they took (without what had to be prepared for them).
pub struct Contestant<'a> {
    /// Who.
    pub name: &'static str,
    run: Box<dyn FnMut(u64) -> Duration + 'a>,
}

impl<'a> Contestant<'a> {
    /// `run` does as many operations as it is told.
    pub fn new(name: &'static str, run: impl FnMut(u64) -> Duration + 'a) -> Self {
        let run = Box::new(run);
        Contestant { name, run }
    }

    /// Does `operations`.
    pub fn run(&mut self, operations: u64) -> Duration {
        (self.run)(operations)
    }
}

/// What came out for one contestant.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Who.
    pub name: &'static str,
    /// Median time of an operation, in nanoseconds.
    pub nanoseconds: f64,
    /// Median of this contestant's time divided by the first one's.
    pub ratio: f64,
}

/// Lets the contestants take turns for `rounds` rounds of `operations` each, after one that does not count.
///
/// # Panics
/// `rounds` is 0.
pub fn measure(
    contestants: &mut [Contestant<'_>],
    rounds: usize,
    operations: u64,
) -> Vec<Measured> {
    let mut times = vec![Vec::with_capacity(rounds); contestants.len()];
    for contestant in &mut *contestants {
        contestant.run(operations);
    }
    for _ in 0..rounds {
        for (contestant, times) in contestants.iter_mut().zip(&mut times) {
            let time = contestant.run(operations).as_secs_f64();
            times.push(time * 1e9 / operations as f64);
        }
    }
    contestants
        .iter()
        .enumerate()
        .map(|(index, contestant)| {
            let ratios = times[index].iter().zip(&times[0]);
            Measured {
                name: contestant.name,
                nanoseconds: median(times[index].iter().copied()),
                ratio: median(ratios.map(|(own, first)| own / first)),
            }
        })
        .collect()
}

/// The median.
///
/// # Panics
/// There are no values, or one is not a number.
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    assert!(!values.is_empty(), "the median of nothing");
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        values[middle]
    } else {
        (values[middle - 1] + values[middle]) / 2.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_lies_in_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), 2.5);
    }

    #[test]
    fn a_ratio_is_taken_within_a_round() {
        // The machine gets slower and slower, and the second contestant takes twice as long as the first all the time.
        let slow = std::cell::Cell::new(1);
        let mut contestants = [
            Contestant::new("one", |count| {
                slow.set(slow.get() + 1);
                Duration::from_millis(count * slow.get())
            }),
            Contestant::new("two", |count| Duration::from_millis(2 * count * slow.get())),
        ];
        let measured = measure(&mut contestants, 5, 1);
        assert_eq!(measured[0].ratio, 1.0);
        assert_eq!(measured[1].ratio, 2.0);
    }
}
