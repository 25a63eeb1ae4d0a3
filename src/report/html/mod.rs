//! The page: one HTML file that needs nothing else, for a browser.
//!
//! Where the text shows the surroundings of the first difference, the page has
//! both observations whole. It works without scripts; the one that is in it
//! scrolls each box to the first difference.

mod picture;
mod tables;

use super::describe::{Described, describe};
use super::source::{self, Line};
use super::{Relation, Report, align};
use crate::compare::{Place, state, states};
use crate::observe::Observation;
use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// An engine that did not survive a case.
#[derive(Clone, Copy, Debug)]
pub struct Lost<'a> {
    /// What it was: `crash` or `hang`.
    pub kind: &'a str,
    /// The engines, by name; none if no engine does it alone.
    pub engines: &'a [String],
    /// How it ended.
    pub how: &'a str,
    /// The command that reproduces it.
    pub reproduce: &'a str,
}

/// Everything that a page is made from.
struct Page<'a> {
    heading: String,
    /// The name of the module's file.
    file: &'a str,
    left: Option<&'a Observation>,
    right: Option<&'a Observation>,
    /// The engines' names; the left one may have left nothing but that.
    names: [String; 2],
    lines: Vec<Line>,
    report: Option<&'a Report>,
    lost: Option<Lost<'a>>,
}

/// Lays out a divergence between two observations of the module `wasm`; `file` is
/// what the reader knows the module by.
pub fn divergence(
    report: &Report,
    file: &str,
    wasm: &[u8],
    left: &Observation,
    right: &Observation,
) -> String {
    let divergence = &report.divergence;
    let page = Page {
        heading: format!("divergence {}", divergence.kind),
        file,
        left: Some(left),
        right: Some(right),
        names: divergence.sides(),
        lines: source::lines(wasm).unwrap_or_default(),
        report: Some(report),
        lost: None,
    };
    page.render()
}

/// Lays out what is known of a case on which an engine was lost; the observation
/// is that of an engine that was not.
pub fn lost(lost: Lost<'_>, file: &str, wasm: &[u8], other: Option<&Observation>) -> String {
    let engines = match lost.engines {
        [] => "no engine alone".to_owned(),
        engines => engines.join(", "),
    };
    let page = Page {
        heading: format!("{} of {engines}", lost.kind),
        file,
        left: None,
        right: other,
        names: [engines, other.map_or(String::new(), |o| o.engine.clone())],
        lines: source::lines(wasm).unwrap_or_default(),
        report: None,
        lost: Some(lost),
    };
    page.render()
}

/// The number of lines of the module's text that are shown at most.
const LINES: usize = 4000;

impl Page<'_> {
    fn render(&self) -> String {
        let rows = align::align(self.left, self.right);
        let sections = [
            ("difference", "Difference", Some(self.difference())),
            ("module", "Module", self.module()),
            ("traces", "Traces", Some(self.traces(&rows))),
            (
                "stacks",
                "Stacks over time",
                Some(picture::section(&rows, self.left, self.right, &self.names)),
            ),
            ("states", "Final states", Some(self.states())),
        ];
        let sections: Vec<_> = sections
            .into_iter()
            .filter_map(|(id, title, body)| Some((id, title, body?)))
            .collect();
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta http-equiv="Content-Security-Policy"
                        content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'";
                    title { (self.heading) " – " (self.file) }
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    header {
                        p.tool { "Switchback" }
                        h1 { (self.heading) }
                        p.place {
                            code.break { (self.file) }
                            @if let Some(report) = self.report {
                                ", in " (report.divergence.place)
                            }
                        }
                        nav aria-label="Sections" {
                            @for (id, title, _) in &sections { a href={ "#" (id) } { (title) } }
                        }
                    }
                    main {
                        @for (id, title, body) in &sections {
                            section id=(id) aria-labelledby={ (id) "-title" } {
                                h2 id={ (id) "-title" } { (title) }
                                (body)
                            }
                        }
                    }
                    script { (PreEscaped(SCRIPT)) }
                }
            }
        };
        page.into_string()
    }

    fn difference(&self) -> Markup {
        let reproduce = match (self.report, self.lost) {
            (Some(report), _) => report.reproduce.as_deref(),
            (_, Some(lost)) => Some(lost.reproduce),
            _ => None,
        };
        html! {
            @if let Some(report) = self.report {
                (self.sides(&describe(&report.divergence.difference)))
                @for sentence in report.standing() {
                    p { (sentence) "." }
                }
                @if !report.traced {
                    p { (report.divergence.sides()[0]) " ran without recording a trace." }
                }
            }
            @if let Some(lost) = self.lost {
                pre.box tabindex="0" { (lost.how) }
            }
            @if let Some(command) = reproduce {
                h3 { "Reproduce" }
                pre.box.command tabindex="0" { (command) }
            }
        }
    }

    /// The two sides of a difference, one card each.
    fn sides(&self, described: &Described) -> Markup {
        let [left, right] = &self.names;
        html! {
            p { "The sides differ in: " strong { (described.subject) } }
            dl.sides {
                div.left { dt { (left) } dd { (described.left) } }
                div.right { dt { (right) " " span.faint { "(reference)" } } dd { (described.right) } }
            }
        }
    }

    /// The module's text with the instruction marked.
    fn module(&self) -> Option<Markup> {
        if self.lines.is_empty() {
            return None;
        }
        let instruction = self.report.and_then(|report| report.instruction.as_ref());
        let marked = instruction.and_then(|i| {
            let offset = Some(u64::from(i.location.offset));
            self.lines.iter().position(|line| line.offset == offset)
        });
        let start = match marked {
            Some(marked) if self.lines.len() > LINES => marked.saturating_sub(LINES / 2),
            _ => 0,
        };
        let end = self.lines.len().min(start + LINES);
        Some(html! {
            @if let Some(instruction) = instruction {
                p {
                    @match instruction.relation {
                        Relation::At => "The difference is at the marked instruction: ",
                        Relation::After => "The marked instruction is the last before the difference that both sides agree on: ",
                    }
                    "function " code.break { (instruction.function) }
                    ", offset " code { (format!("{:#x}", instruction.location.offset)) } "."
                }
            }
            @if end - start < self.lines.len() {
                p.faint { "Lines " (start + 1) " to " (end) " of " (self.lines.len()) "." }
            }
            pre.box.source tabindex="0" role="region" aria-label="The module's text" {
                @for (index, line) in self.lines[start..end].iter().enumerate() {
                    @let number = start + index + 1;
                    @let here = marked == Some(number - 1);
                    span.line.mark[here] id={ "L" (number) } data-first[here] {
                        i { (number) } (line.text) "\n"
                    }
                }
            }
        })
    }

    fn traces(&self, rows: &align::Rows) -> Markup {
        if self.left.is_none() && self.right.is_none() {
            return html! { p { "No engine left a trace." } };
        }
        let table = tables::Traces {
            left: self.left,
            right: self.right,
            names: &self.names,
            lines: &self.lines,
        };
        table.render(rows)
    }

    fn states(&self) -> Markup {
        let both = self.left.zip(self.right);
        let states: Vec<_> = both
            .map(|(left, right)| states(left, right).collect())
            .unwrap_or_default();
        if states.is_empty() {
            return html! {
                p { "There are no two states to compare: a side was not instantiated, or did not come to the end." }
            };
        }
        html! {
            @for (place, left, right) in states {
                @if place == Place::LinkedState { h3 { "Linked module" } }
                @let differences = state(left, right);
                @if differences.is_empty() {
                    p { "Equal: all globals, memories, tables and continuations that they refer to." }
                } @else {
                    (tables::states(&differences, &self.names))
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
