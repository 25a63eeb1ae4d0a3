//! The picture of the stacks over time: time runs down, each stack has a lane.
//!
//! Its rows are those of the table of traces. The sides share one picture up to
//! where their traces part; from there on each has its own, left and right, at
//! the same heights.

mod overview;

use super::super::align::{Aligned, Rows};
use crate::observe::stacks::{Arrow, Lives, Stack, lives};
use crate::observe::{Event, EventKind, Observation, Outcome};
use maud::{Markup, html};
use overview::{link_step, overview};
use std::collections::BTreeMap;
use std::ops::Range;

const ROW: usize = 20;

const TOP: usize = 34;

const BANNER: usize = 34;

const MARGIN: usize = 18;

const LABEL: usize = 330;

/// Characters of a label; the rest is in its tooltip.
const LABEL_CHARS: usize = 44;

/// The number of events up to which a trace is drawn.
const EVENTS: usize = 50_000;

/// A side's trace and what its stacks do in it.
struct Side<'a> {
    trace: &'a [Event],
    lives: Lives,
    /// Moments and where they are drawn.
    heights: BTreeMap<usize, usize>,
}

impl<'a> Side<'a> {
    fn new(observation: Option<&'a Observation>) -> Option<Side<'a>> {
        let observation = observation?;
        let trace = observation.trace.as_deref()?;
        let ranges: Vec<_> = observation.parts().map(|(range, _)| range).collect();
        Some(Side {
            trace,
            lives: lives(trace, &ranges),
            heights: BTreeMap::new(),
        })
    }

    fn height(&self, moment: usize) -> usize {
        let next = self.heights.range(moment..).next();
        let last = self.heights.last_key_value();
        next.or(last).map_or(TOP, |(_, &y)| y)
    }

    /// From where to where each stack is drawn within `window`; nothing for those
    /// that are not.
    fn extents(&self, window: &Range<usize>) -> Vec<Option<(usize, usize)>> {
        let mut extents = vec![None; self.lives.functions.len()];
        for span in &self.lives.spans {
            let Some((from, to)) = self.clip(span.from, span.to, window) else {
                continue;
            };
            let extent: &mut Option<(usize, usize)> = &mut extents[span.stack];
            let (start, end) = extent.unwrap_or((from, to));
            *extent = Some((start.min(from), end.max(to)));
        }
        extents
    }

    fn clip(&self, from: usize, to: usize, window: &Range<usize>) -> Option<(usize, usize)> {
        let from = self.height(from).max(window.start);
        let to = self.height(to).min(window.end);
        (from < to).then_some((from, to))
    }
}

/// A place in the picture where one or both sides are drawn.
struct Block<'a> {
    side: &'a Side<'a>,
    class: &'static str,
    x: usize,
    /// The lane of each stack that is drawn.
    lanes: Vec<Option<usize>>,
    /// The distance between lanes.
    gap: usize,
    /// Where labels begin.
    labels: usize,
    window: Range<usize>,
    /// The rows drawn: indices into the aligned rows.
    rows: Range<usize>,
    is_left: bool,
}

/// The whole section.
pub(super) fn section(
    rows: &Rows,
    left: Option<&Observation>,
    right: Option<&Observation>,
    names: &[String; 2],
) -> Markup {
    let long = |side: Option<&Observation>| {
        let trace = side.and_then(|o| o.trace.as_ref());
        trace.is_some_and(|trace| trace.len() > EVENTS)
    };
    if long(left) || long(right) {
        return html! { p { "The traces are too long for a picture: more than " (EVENTS) " events." } };
    }
    let (mut left, mut right) = (Side::new(left), Side::new(right));
    if left.is_none() && right.is_none() {
        return html! { p { "No side recorded a trace." } };
    }
    let both = left.is_some() && right.is_some();
    let part = |row: &Aligned| matches!(row, Aligned::Events { same: false, .. });
    let fork = rows.rows.iter().position(part).filter(|_| both);
    let fork = fork.unwrap_or(rows.rows.len());
    let parted = fork < rows.rows.len();

    for (side, is_left) in [(&mut left, true), (&mut right, false)] {
        if let Some(side) = side {
            side.heights = heights(&rows.rows, fork, is_left);
        }
    }
    let last = rows.rows.len().saturating_sub(1);
    let bottom = top_of(last, fork) + ROW;
    let fork_y = if parted {
        top_of(fork, fork) - BANNER / 2
    } else {
        bottom
    };

    // The sides are equal up to the fork, so either can stand for both there.
    let shared = right
        .as_ref()
        .or(left.as_ref())
        .expect("a side has a trace");
    let tails: Vec<_> = [(&left, true), (&right, false)]
        .into_iter()
        .filter(|_| parted)
        .filter_map(|(side, is_left)| Some((side.as_ref()?, is_left)))
        .collect();
    let (lanes, ends) = shared_lanes(shared, &tails, fork_y);
    let mut blocks = Vec::new();
    let mut x = MARGIN;
    let tail_lanes: Vec<_> = tails
        .iter()
        .map(|(side, _)| own_lanes(side, &lanes, ends.clone(), fork_y..bottom))
        .collect();
    let count = |lanes: &[Option<usize>]| lanes.iter().flatten().max().map_or(1, |lane| lane + 1);
    let widest = tail_lanes
        .iter()
        .map(|lanes| count(lanes))
        .chain([count(&lanes)]);
    let widest = widest.max().unwrap_or(1);
    let gap = (420 / widest).clamp(8, 24);
    blocks.push(Block {
        side: shared,
        class: "shared",
        x,
        labels: x + count(&lanes).max(tail_lanes.first().map_or(1, |l| count(l))) * gap,
        lanes,
        gap,
        window: 0..fork_y,
        rows: 0..fork,
        is_left: right.is_none(),
    });
    for ((side, is_left), lanes) in tails.iter().zip(tail_lanes) {
        let labels = x + count(&lanes) * gap;
        let labels = if *is_left {
            labels.max(blocks[0].labels)
        } else {
            labels
        };
        blocks.push(Block {
            side,
            class: if *is_left { "left" } else { "right" },
            x,
            lanes,
            gap,
            labels,
            window: fork_y..bottom,
            rows: fork..rows.rows.len(),
            is_left: *is_left,
        });
        x = labels + LABEL;
    }
    let width = blocks
        .iter()
        .map(|b| b.labels + LABEL)
        .max()
        .unwrap_or(LABEL);
    let height = bottom + ROW / 2;
    html! {
        (legend())
        @if rows.rows.len() > 60 { (overview(rows, &left, &right, fork)) }
        div.box.tall tabindex="0" role="region" aria-label="The stacks over time" {
            svg #picture width=(width) height=(height) viewBox={ "0 0 " (width) " " (height) }
                role="img" aria-label="Lanes of stacks; time runs down" {
                text.faint x=(MARGIN) y="16" { "lanes: stacks, the host's first; time runs down" }
                @if let Some(first) = rows.first {
                    rect.first x="0" y=(top_of(first, fork) - ROW / 2) width=(width) height=(ROW) data-first {}
                }
                @for row in (0..rows.rows.len()).step_by(link_step(rows)) {
                    rect id={ "p" (row) } x="0" y=(top_of(row, fork) - ROW / 2) width="1" height=(ROW) fill="none" {}
                }
                @for block in &blocks { (block.render(rows, fork)) }
                @if parted {
                    line.fork x1="0" x2=(width) y1=(fork_y) y2=(fork_y) {}
                    @for block in &blocks[1..] {
                        text class={ (block.class) "-name" } x=(block.labels) y=(fork_y - 6) {
                            (names[usize::from(!block.is_left)]) ": the sides part here"
                        }
                    }
                }
            }
        }
    }
}

/// The middle of a row.
fn top_of(row: usize, fork: usize) -> usize {
    TOP + row * ROW + if row >= fork { BANNER } else { 0 }
}

fn heights(rows: &[Aligned], fork: usize, is_left: bool) -> BTreeMap<usize, usize> {
    let mut heights = BTreeMap::new();
    let mut next = None;
    for (index, row) in rows.iter().enumerate() {
        let y = top_of(index, fork);
        match row {
            Aligned::Events { left, right, .. } => {
                if let Some(event) = if is_left { *left } else { *right } {
                    // What begins between two events begins at the second.
                    heights.entry(2 * event).or_insert(y);
                    heights.insert(2 * event + 1, y);
                    next = Some(2 * event + 2);
                }
            }
            Aligned::Outcome { .. } => {
                if let Some(next) = next {
                    heights.entry(next).or_insert(y);
                }
            }
            Aligned::Title(_) | Aligned::Gap(_) => {}
        }
    }
    heights
}

/// Lanes for the stacks that exist before the sides part, and where each lane
/// becomes free.
fn shared_lanes(
    shared: &Side<'_>,
    tails: &[(&Side<'_>, bool)],
    fork_y: usize,
) -> (Vec<Option<usize>>, Vec<usize>) {
    let before = shared.extents(&(0..fork_y));
    let mut order: Vec<(Stack, usize, usize)> = Vec::new();
    let whole: Vec<_> = tails
        .iter()
        .map(|(side, _)| side.extents(&(0..usize::MAX)))
        .collect();
    for (stack, extent) in before.iter().enumerate() {
        let Some((start, end)) = *extent else {
            continue;
        };
        let later = whole.iter().filter_map(|all| Some((*all.get(stack)?)?.1));
        order.push((stack, start, later.chain([end]).max().unwrap_or(end)));
    }
    let mut lanes = vec![None; before.len()];
    let mut ends = Vec::new();
    place(order, &mut lanes, &mut ends);
    (lanes, ends)
}

/// Adds lanes for the stacks that only one side has.
fn own_lanes(
    side: &Side<'_>,
    shared: &[Option<usize>],
    mut ends: Vec<usize>,
    window: Range<usize>,
) -> Vec<Option<usize>> {
    let extents = side.extents(&window);
    let mut lanes = shared.to_vec();
    lanes.resize(lanes.len().max(extents.len()), None);
    let own = extents.iter().enumerate().filter_map(|(stack, extent)| {
        let (start, end) = (*extent)?;
        lanes[stack].is_none().then_some((stack, start, end))
    });
    let own = own.collect();
    place(own, &mut lanes, &mut ends);
    lanes
}

/// Gives each stack the first lane that is free when it begins.
fn place(
    mut order: Vec<(Stack, usize, usize)>,
    lanes: &mut [Option<usize>],
    ends: &mut Vec<usize>,
) {
    order.sort_by_key(|&(stack, start, _)| (start, stack));
    for (stack, start, end) in order {
        let free = ends.iter().position(|&taken| taken < start);
        let lane = free.unwrap_or_else(|| {
            ends.push(0);
            ends.len() - 1
        });
        ends[lane] = end;
        lanes[stack] = Some(lane);
    }
}

impl Block<'_> {
    fn lane(&self, stack: Stack) -> usize {
        let lane = self.lanes.get(stack).copied().flatten().unwrap_or(0);
        self.x + lane * self.gap
    }

    fn render(&self, rows: &Rows, fork: usize) -> Markup {
        let spans = self.side.lives.spans.iter().filter_map(|span| {
            let (from, to) = self.side.clip(span.from, span.to, &self.window)?;
            Some((span, from, to))
        });
        html! {
            g class=(self.class) {
                @for (span, from, to) in spans {
                    @let x = self.lane(span.stack);
                    line class=(format!("{:?}", span.life)) x1=(x) x2=(x) y1=(from) y2=(to) {
                        title { (self.name(span.stack)) }
                    }
                }
                @for index in self.rows.clone() {
                    (self.row(&rows.rows[index], top_of(index, fork)))
                }
            }
        }
    }

    /// What a stack is, in words.
    fn name(&self, stack: Stack) -> String {
        match self.side.lives.functions[stack] {
            _ if stack == 0 => "the host's stack".to_owned(),
            Some(function) => format!("stack {stack}, function {function}"),
            None => format!("stack {stack}"),
        }
    }

    fn row(&self, row: &Aligned, y: usize) -> Markup {
        match row {
            Aligned::Title(title) => html! { (self.label(title, "title", y)) },
            Aligned::Gap(count) => {
                html! { (self.label(&format!("… {count} more lines"), "faint", y)) }
            }
            Aligned::Outcome { left, right, .. } => {
                let outcome: &Option<Outcome> = if self.is_left { left } else { right };
                html! {
                    @if let Some(outcome) = outcome {
                        (self.label(&format!("⇒ {outcome}"), "faint", y))
                    }
                }
            }
            Aligned::Events { left, right, .. } => {
                let event = if self.is_left { *left } else { *right };
                html! { @if let Some(event) = event { (self.event(event, y)) } }
            }
        }
    }

    fn event(&self, index: usize, y: usize) -> Markup {
        let event = &self.side.trace[index];
        let step = self.side.lives.steps[index];
        let (from, to) = (self.lane(step.from), self.lane(step.to));
        let text = event.kind.to_string();
        html! {
            @match (step.arrow, &event.kind) {
                (Some(arrow), _) => {
                    path class={ "arrow " (format!("{arrow:?}")) } d=(arrow_path(from, to, y)) {
                        title { (index) ": " (text) }
                    }
                    // Dashes would break the head.
                    path class=(head_class(arrow)) d=(head_path(from, to, y)) {}
                },
                (None, EventKind::Trap { .. } | EventKind::Unhandled { .. }) => {
                    path.end d=(format!("M{} {}l9 9m0 -9l-9 9", from.saturating_sub(4), y - 4)) {
                        title { (text) }
                    }
                },
                _ => circle.dot cx=(from) cy=(y) r="3.5" { title { (text) } },
            }
            (self.label(&format!("{index} {text}"), "", y))
        }
    }

    fn label(&self, text: &str, class: &str, y: usize) -> Markup {
        let short: String = if text.chars().count() > LABEL_CHARS {
            text.chars().take(LABEL_CHARS - 1).chain(['…']).collect()
        } else {
            text.to_owned()
        };
        html! {
            text class=(class) x=(self.labels) y=(y + 4) {
                (short)
                @if short != text { title { (text) } }
            }
        }
    }
}

fn head_class(arrow: Arrow) -> &'static str {
    match arrow {
        Arrow::Switch => "head Switch",
        Arrow::Throw | Arrow::Unwind => "head bad",
        _ => "head",
    }
}

/// The line from one lane to another; a loop if a stack hands over to itself.
fn arrow_path(from: usize, to: usize, y: usize) -> String {
    if from == to {
        format!("M{from} {}h8v8h-8", y - 4)
    } else {
        format!("M{from} {y}H{to}")
    }
}

fn head_path(from: usize, to: usize, y: usize) -> String {
    if from <= to {
        format!("M{} {}l6 4l-6 4", to.saturating_sub(6), y - 4)
    } else {
        format!("M{} {}l-6 4l6 4", to + 6, y - 4)
    }
}

fn legend() -> Markup {
    let vertical = |class: &str| html! { svg width="8" height="16" aria-hidden="true" { line class=(class) x1="4" x2="4" y1="0" y2="16" {} } };
    let horizontal = |class: &str| {
        html! {
            svg width="30" height="10" aria-hidden="true" { path class={ "sample " (class) } d="M0 5H29m-6 -4l6 4l-6 4" {} }
        }
    };
    html! {
        ul.legend {
            li { (vertical("Running")) "runs" }
            li { (vertical("Waiting")) "waits for the stack that it resumed" }
            li { (vertical("Suspended")) "suspended, in a continuation" }
            li { (horizontal("Resume")) "resume, or return" }
            li { (horizontal("Suspend")) "suspend" }
            li { (horizontal("Switch")) "switch" }
            li { (horizontal("Unwind")) "resume_throw, or an exception that leaves" }
            li { svg width="10" height="10" aria-hidden="true" { circle.dot cx="5" cy="5" r="3.5" {} } "another event" }
            li { svg width="10" height="10" aria-hidden="true" { path.end d="M1 1l8 8m0 -8l-8 8" {} } "trap, or unhandled" }
        }
    }
}
