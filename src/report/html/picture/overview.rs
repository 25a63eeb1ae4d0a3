//! The whole run at a glance: the depth over the rows, with links to the places of the picture.

use super::Side;
use crate::report::align::{Aligned, Rows};
use maud::{Markup, html};
use std::ops::Range;

/// How many links the overview has at most.
const LINKS: usize = 80;

/// Every how-manyth row a link leads to.
pub(super) fn link_step(rows: &Rows) -> usize {
    rows.rows.len().div_ceil(LINKS).max(1)
}

/// The whole run at a glance: the depth over the rows.
pub(super) fn overview(
    rows: &Rows,
    left: &Option<Side<'_>>,
    right: &Option<Side<'_>>,
    fork: usize,
) -> Markup {
    let count = rows.rows.len();
    let depths = |side: &Option<Side<'_>>, is_left: bool| -> Vec<(usize, usize)> {
        let Some(side) = side else { return Vec::new() };
        let of = |(index, row): (usize, &Aligned)| match row {
            Aligned::Events { left, right, .. } => {
                let event = if is_left { *left } else { *right };
                Some((index, side.lives.steps.get(event?)?.depth))
            }
            _ => None,
        };
        rows.rows.iter().enumerate().filter_map(of).collect()
    };
    let (l, r) = (depths(left, true), depths(right, false));
    let deepest = l
        .iter()
        .chain(&r)
        .map(|&(_, depth)| depth)
        .max()
        .unwrap_or(1);
    let points = |depths: &[(usize, usize)], range: Range<usize>| -> String {
        let inside = depths.iter().filter(|(index, _)| range.contains(index));
        let point = |&(index, depth): &(usize, usize)| {
            format!(
                "{index},{:.1} ",
                96.0 - 92.0 * depth as f64 / deepest as f64
            )
        };
        inside.map(point).collect()
    };
    let shared = if r.is_empty() { &l } else { &r };
    let step = link_step(rows);
    html! {
        p.faint { "The whole run: how many stacks are in use (at most " (deepest) "); a click leads to the place." }
        svg.overview viewBox={ "0 0 " (count) " 100" } preserveAspectRatio="none" role="img"
            aria-label="Number of stacks in use over the whole run" {
            polyline points=(points(shared, 0..fork)) {}
            polyline.left-line points=(points(&l, fork..count)) {}
            polyline.right-line points=(points(&r, fork..count)) {}
            @if let Some(first) = rows.first {
                line.here x1=(first) x2=(first) y1="0" y2="100" {}
            }
            @for start in (0..count).step_by(step) {
                a href={ "#p" (start) } tabindex="-1" {
                    rect x=(start) y="0" width=(step) height="100" { title { "line " (start) } }
                }
            }
        }
    }
}
