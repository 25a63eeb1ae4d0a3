//! Two traces as one list of rows, each part of the run aligned by itself.
//!
//! Up to the first difference equal indices stand side by side. After it they
//! mean nothing any more (one side may have taken a step more), so the rest of a
//! part is aligned by a longest common subsequence.

use crate::compare::{same_event, same_outcome};
use crate::observe::{Event, Observation, Outcome};
use similar::{Algorithm, DiffOp, capture_diff_slices};
use std::collections::HashMap;
use std::ops::Range;

/// A line of the aligned traces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Aligned {
    /// Here begins the instantiation or a call.
    Title(String),
    /// An index into each trace; `None` where the side has nothing to put there.
    Events {
        left: Option<usize>,
        right: Option<usize>,
        same: bool,
    },
    /// How the part ended on each side; `None` where a side did not come so far.
    Outcome {
        left: Option<Outcome>,
        right: Option<Outcome>,
        same: bool,
    },
    /// So many lines are left out.
    Gap(usize),
}

impl Aligned {
    /// Whether the sides differ in this line.
    pub fn differs(&self) -> bool {
        matches!(
            self,
            Aligned::Events { same: false, .. } | Aligned::Outcome { same: false, .. }
        )
    }
}

/// The aligned traces, shortened around the first difference.
pub(super) struct Rows {
    /// The lines.
    pub rows: Vec<Aligned>,
    /// The index in `rows` of the first that differs.
    pub first: Option<usize>,
}

/// How many lines are kept before and after the first difference: more than
/// anybody reads, and few enough for a browser.
const BEFORE: usize = 2000;
const AFTER: usize = 500;

/// Aligns two observations. A side that is not there, or has no trace, is no
/// difference.
pub(super) fn align(left: Option<&Observation>, right: Option<&Observation>) -> Rows {
    let list = |side: Option<&Observation>| -> Vec<(Range<usize>, Outcome)> {
        let parts = side.into_iter().flat_map(Observation::parts);
        parts.map(|(range, end)| (range, end.clone())).collect()
    };
    let (l, r) = (list(left), list(right));
    let both = left.is_some() && right.is_some();
    let mut rows = Vec::new();
    for index in 0..l.len().max(r.len()) {
        let (lp, rp) = (l.get(index), r.get(index));
        rows.push(Aligned::Title(match index.checked_sub(1) {
            None => "instantiation".to_owned(),
            Some(call) => {
                let named = [left, right].into_iter().flatten();
                let export = named.filter_map(|o| o.calls.get(call)).next();
                format!("call {call} {:?}", export.map_or("", |c| c.export.as_str()))
            }
        }));
        let trace = |side: Option<&Observation>| side.is_some_and(|o| o.trace.is_some());
        let range = |part: Option<&(Range<usize>, Outcome)>| part.map_or(0..0, |p| p.0.clone());
        match (left, right) {
            (Some(a), Some(b)) if trace(left) && trace(right) => {
                events(a, b, range(lp), range(rp), &mut rows);
            }
            _ if trace(right) => rows.extend(range(rp).map(|i| Aligned::Events {
                left: None,
                right: Some(i),
                same: true,
            })),
            _ => rows.extend(range(lp).map(|i| Aligned::Events {
                left: Some(i),
                right: None,
                same: true,
            })),
        }
        let (left, right) = (lp.map(|p| p.1.clone()), rp.map(|p| p.1.clone()));
        let same = match (&left, &right) {
            (Some(l), Some(r)) => same_outcome(l, r),
            _ => !both,
        };
        rows.push(Aligned::Outcome { left, right, same });
    }
    shorten(rows)
}

/// Aligns the events of one part.
fn events(
    left: &Observation,
    right: &Observation,
    l: Range<usize>,
    r: Range<usize>,
    rows: &mut Vec<Aligned>,
) {
    let slice = |o: &'_ Observation, range: &Range<usize>| -> Vec<Event> {
        o.trace
            .as_ref()
            .map_or(Vec::new(), |t| t[range.clone()].to_vec())
    };
    let (le, re) = (slice(left, &l), slice(right, &r));
    let pairs = le.iter().zip(&re);
    let common = pairs.take_while(|(a, b)| same_event(a, b)).count();
    rows.extend((0..common).map(|i| Aligned::Events {
        left: Some(l.start + i),
        right: Some(r.start + i),
        same: true,
    }));
    let (l0, r0) = (l.start + common, r.start + common);
    let (le, re) = (&le[common..], &re[common..]);
    // Equality "where known" is not transitive, so the search goes by what
    // happened alone, and the places are looked at afterwards.
    let mut names = HashMap::new();
    let mut name = |event: &Event| {
        let next = names.len();
        *names.entry(event.kind.to_string()).or_insert(next)
    };
    let ln: Vec<usize> = le.iter().map(&mut name).collect();
    let rn: Vec<usize> = re.iter().map(&mut name).collect();
    let mut push = |left: Option<usize>, right: Option<usize>| {
        let same = match (left, right) {
            (Some(a), Some(b)) => same_event(&le[a], &re[b]),
            _ => false,
        };
        rows.push(Aligned::Events {
            left: left.map(|i| l0 + i),
            right: right.map(|i| r0 + i),
            same,
        });
    };
    for op in capture_diff_slices(Algorithm::Myers, &ln, &rn) {
        let (a, b) = match op {
            DiffOp::Equal { .. } | DiffOp::Replace { .. } => (op.old_range(), op.new_range()),
            DiffOp::Delete { .. } => (op.old_range(), 0..0),
            DiffOp::Insert { .. } => (0..0, op.new_range()),
        };
        for i in 0..a.len().max(b.len()) {
            push(a.clone().nth(i), b.clone().nth(i));
        }
    }
}

fn shorten(mut rows: Vec<Aligned>) -> Rows {
    let mut first = rows.iter().position(Aligned::differs);
    let center = first.unwrap_or(rows.len());
    let end = center.saturating_add(1 + AFTER);
    if end < rows.len() {
        let gap = rows.len() - end;
        rows.truncate(end);
        rows.push(Aligned::Gap(gap));
    }
    let start = center.saturating_sub(BEFORE);
    if start > 0 {
        rows.splice(..start, [Aligned::Gap(start)]);
        first = first.map(|index| index + 1 - start);
    }
    Rows { rows, first }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::{Call, EventKind};

    fn side(tags: &[u32]) -> Observation {
        let event = |&tag| Event {
            kind: EventKind::Unwind { tag },
            at: None,
        };
        let returned = Outcome::Returned { values: vec![] };
        Observation {
            engine: "some".to_owned(),
            instantiation: returned.clone(),
            calls: vec![Call {
                export: "run".to_owned(),
                outcome: returned,
                events: 0..tags.len(),
                backtrace: Vec::new(),
            }],
            trace: Some(tags.iter().map(event).collect()),
            scope: crate::observe::TraceScope::All,
            state: None,
            linked: None,
            ended_in_provider: false,
        }
    }

    fn pairs(rows: &Rows) -> Vec<(Option<usize>, Option<usize>, bool)> {
        let pair = |row: &Aligned| match *row {
            Aligned::Events { left, right, same } => Some((left, right, same)),
            _ => None,
        };
        rows.rows.iter().filter_map(pair).collect()
    }

    #[test]
    fn a_step_that_one_side_lacks_does_not_shift_what_follows() {
        let (l, r) = (side(&[1, 2, 4, 5]), side(&[1, 2, 3, 4, 5]));
        let rows = align(Some(&l), Some(&r));
        assert_eq!(
            pairs(&rows),
            [
                (Some(0), Some(0), true),
                (Some(1), Some(1), true),
                (None, Some(2), false),
                (Some(2), Some(3), true),
                (Some(3), Some(4), true),
            ]
        );
        assert!(rows.rows[rows.first.unwrap()].differs());
    }

    #[test]
    fn an_outcome_may_be_the_first_difference() {
        let (mut l, r) = (side(&[1]), side(&[1]));
        l.calls[0].outcome = Outcome::Suspended { tag: Some(0) };
        let rows = align(Some(&l), Some(&r));
        let first = &rows.rows[rows.first.unwrap()];
        assert!(matches!(first, Aligned::Outcome { same: false, .. }));
    }

    #[test]
    fn a_side_without_trace_differs_in_no_event() {
        let (mut l, r) = (side(&[]), side(&[1, 2]));
        l.trace = None;
        let rows = align(Some(&l), Some(&r));
        assert_eq!(rows.first, None);
        assert_eq!(pairs(&rows), [(None, Some(0), true), (None, Some(1), true)]);
        assert_eq!(align(None, Some(&r)).first, None);
    }

    #[test]
    fn a_long_trace_is_shortened_around_the_first_difference() {
        let same: Vec<u32> = (0..10_000).collect();
        let mut other = same.clone();
        other[5000] = 0;
        let rows = align(Some(&side(&same)), Some(&side(&other)));
        let first = rows.first.unwrap();
        let expected = Aligned::Events {
            left: Some(5000),
            right: Some(5000),
            same: false,
        };
        assert_eq!(rows.rows[first], expected);
        assert_eq!(
            (first, rows.rows.len()),
            (1 + BEFORE, 1 + BEFORE + 1 + AFTER + 1)
        );
        // Instantiation's title and outcome, and the call's title, come before.
        assert_eq!(rows.rows[0], Aligned::Gap(5000 + 3 - BEFORE));
    }
}
