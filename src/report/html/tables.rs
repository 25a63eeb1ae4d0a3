//! The traces side by side, and the differences between the states.

use super::super::align::{Aligned, Rows};
use super::super::describe::describe;
use super::super::source::Line;
use crate::compare::Difference;
use crate::observe::{Event, Observation, Outcome};
use maud::{Markup, html};
use std::collections::HashMap;

/// The table of the traces.
pub(super) struct Traces<'a> {
    pub left: Option<&'a Observation>,
    pub right: Option<&'a Observation>,
    pub names: &'a [String; 2],
    pub lines: &'a [Line],
}

impl Traces<'_> {
    pub fn render(&self, rows: &Rows) -> Markup {
        let mut by_offset = HashMap::new();
        for (index, line) in self.lines.iter().enumerate() {
            if let Some(offset) = line.offset {
                by_offset.insert(offset, index);
            }
        }
        let [left, right] = self.names;
        html! {
            div.box.tall tabindex="0" role="region" aria-label="Both traces" {
                table.traces {
                    thead { tr {
                        th.number scope="col" { "#" }
                        th.left scope="col" { (left) }
                        th.right scope="col" { (right) }
                        th scope="col" { "instruction" }
                    } }
                    tbody {
                        @for (index, row) in rows.rows.iter().enumerate() {
                            (self.row(row, rows.first == Some(index), &by_offset))
                        }
                    }
                }
            }
        }
    }

    fn row(&self, row: &Aligned, first: bool, lines: &HashMap<u64, usize>) -> Markup {
        match row {
            Aligned::Title(title) => html! {
                tr.title { td.number {} th scope="rowgroup" colspan="3" { (title) } }
            },
            Aligned::Gap(count) => html! {
                tr.title { td.number {} td colspan="3" { "… " (count) " more lines" } }
            },
            Aligned::Events { left, right, same } => {
                let l = event(self.left, *left);
                let r = event(self.right, *right);
                let number = right.or(*left).map_or(String::new(), |i| i.to_string());
                let at = [r, l].into_iter().flatten().find_map(|event| event.at);
                let line = at.and_then(|at| lines.get(&u64::from(at.offset)));
                html! {
                    tr.differs[!same].first[first] data-first[first] {
                        td.number { (number) }
                        (self.cells(l.map(|e| e.kind.to_string()), r.map(|e| e.kind.to_string()), *same))
                        td.instruction {
                            @if let Some(&line) = line {
                                a href={ "#L" (line + 1) } { (self.lines[line].text.trim()) }
                            } @else if let Some(at) = at {
                                (at)
                            }
                        }
                    }
                }
            }
            Aligned::Outcome { left, right, same } => {
                let show = |outcome: &Option<Outcome>| outcome.as_ref().map(|o| format!("⇒ {o}"));
                html! {
                    tr.outcome.differs[!same].first[first] data-first[first] {
                        td.number {}
                        (self.cells(show(left), show(right), *same))
                        td {}
                    }
                }
            }
        }
    }

    /// The two cells of a row. What is the same on both sides stands there once,
    /// as in the text format.
    fn cells(&self, left: Option<String>, right: Option<String>, same: bool) -> Markup {
        let both = left.is_some() && right.is_some();
        html! {
            @match left {
                Some(left) => td.left { (left) },
                None => td.left.absent { @if same { "" } @else { "–" } },
            }
            @if both && same {
                td.equal { "=" }
            } @else {
                @match right {
                    Some(right) => td.right { (right) },
                    None => td.right.absent { @if same { "" } @else { "–" } },
                }
            }
        }
    }
}

fn event(side: Option<&Observation>, index: Option<usize>) -> Option<&Event> {
    side?.trace.as_ref()?.get(index?)
}

/// How many differences between the states are shown.
const STATES: usize = 500;

/// The differences between two states.
pub(super) fn states(differences: &[Difference], names: &[String; 2]) -> Markup {
    let more = differences.len().saturating_sub(STATES);
    html! {
        div.box.tall tabindex="0" role="region" aria-label="Differences between the final states" {
            table {
                thead { tr {
                    th scope="col" { "what" }
                    th.left scope="col" { (names[0]) }
                    th.right scope="col" { (names[1]) }
                } }
                tbody {
                    @for described in differences.iter().take(STATES).map(describe) {
                        tr.differs {
                            td { (described.subject) }
                            td.left { (described.left) }
                            td.right { (described.right) }
                        }
                    }
                }
            }
        }
        @if more > 0 { p.faint { "… and " (more) " more differences." } }
    }
}
