//! Statistics as a heat map: one HTML file that needs nothing else.

use super::{Circumstance, Row, Statistics};
use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = include_str!("heat.css");

/// Lays statistics out as a page; `title` says of what they are.
pub fn page(statistics: &Statistics, title: &str) -> String {
    let outcomes = statistics.outcomes();
    let all = statistics.rows().map(|(_, row)| row.executed);
    let most = all.max().unwrap_or(0);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                title { "What is executed – " (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                p.tool { "Switchback" }
                h1 { "What is executed, and where" }
                p { code { (title) } ": " (statistics.modules) " modules, " (statistics.executed())
                    " instructions executed on the reference. The darker, the more often, on a logarithmic scale; a dot is never." }
                @if !statistics.crossings.is_empty() {
                    p { "Modules in which references crossed from stack to stack:"
                        @for (index, (what, modules)) in statistics.crossings.iter().enumerate() {
                            @if index > 0 { "," } " " (what) " in " (modules)
                        } "."
                    }
                }
                @for (kind, (count, example)) in &statistics.discarded {
                    p.faint { (count) " modules did not run (" (kind) "), such as: " (example) }
                }
                div.box tabindex="0" role="region" aria-label="Instructions and circumstances" {
                    table {
                        thead {
                            tr {
                                td {}
                                th colspan="2" { "in all" }
                                th.group colspan=(Circumstance::ALL.len()) { "under these circumstances" }
                                th.group colspan=(outcomes.len()) { "in calls that" }
                            }
                            tr {
                                th.name scope="col" { "instruction" }
                                th scope="col" { "modules" }
                                th scope="col" { "executed" }
                                @for (index, circumstance) in Circumstance::ALL.iter().enumerate() {
                                    th.group[index == 0] scope="col" { (circumstance.heading()) }
                                }
                                @for (index, outcome) in outcomes.iter().enumerate() {
                                    th.group[index == 0] scope="col" { (outcome) }
                                }
                            }
                        }
                        tbody {
                            @for (name, row) in statistics.rows() {
                                (line(name, row, &outcomes.iter().copied().collect::<Vec<_>>(), most))
                            }
                        }
                    }
                }
            }
        }
    };
    page.into_string()
}

fn line(name: &str, row: &Row, outcomes: &[&'static str], most: u64) -> Markup {
    let under = |circumstance| row.under.get(circumstance).copied().unwrap_or(0);
    let ended = |outcome| row.outcomes.get(outcome).copied().unwrap_or(0);
    html! {
        tr {
            th.name scope="row" { (name) }
            td { (row.modules) }
            (cell(row.executed, most))
            @for circumstance in &Circumstance::ALL { (cell(under(circumstance), most)) }
            @for outcome in outcomes { (cell(ended(outcome), most)) }
        }
    }
}

fn cell(count: u64, most: u64) -> Markup {
    if count == 0 {
        return html! { td.never { "·" } };
    }
    // From 0 for one execution to 1 for the most executed instruction.
    let heat = (count as f64).ln() / (most as f64).ln().max(f64::MIN_POSITIVE);
    html! { td.hot style=(format!("--heat:{:.0}%", 8.0 + 62.0 * heat.min(1.0))) { (count) } }
}
