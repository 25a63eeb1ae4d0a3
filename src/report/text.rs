//! The text format: for terminals and for the `.txt` file of a finding.

use super::describe::{Described, describe};
use super::{Instruction, Relation, Report, Row};
use crate::compare::Difference;
use anstyle::{AnsiColor, Style};
use std::fmt::Write;

/// The styles of a text; all empty for plain text.
#[derive(Clone, Copy, Debug, Default)]
pub struct Palette {
    heading: Style,
    left: Style,
    right: Style,
    mark: Style,
    faint: Style,
}

impl Palette {
    /// No styles: plain text.
    pub fn plain() -> Palette {
        Palette::default()
    }

    /// ANSI colours.
    pub fn colour() -> Palette {
        Palette {
            heading: Style::new().bold(),
            left: AnsiColor::Red.on_default(),
            right: AnsiColor::Green.on_default(),
            mark: AnsiColor::Yellow.on_default().bold(),
            faint: Style::new().dimmed(),
        }
    }
}

/// Lays a report out as text.
pub fn render(report: &Report, palette: Palette) -> String {
    let mut out = String::new();
    let Palette { heading, faint, .. } = palette;
    let divergence = &report.divergence;
    line(
        &mut out,
        format_args!(
            "{heading}divergence {}{heading:#} in {}",
            divergence.kind, divergence.place
        ),
    );
    if let Difference::Event { index, .. } = divergence.difference {
        line(&mut out, format_args!("first difference: event {index}"));
    }
    if !report.traced {
        line(
            &mut out,
            format_args!("{} ran without recording a trace", divergence.sides()[0]),
        );
    }
    out.push('\n');
    difference(&mut out, report, palette);
    for sentence in report.standing() {
        line(&mut out, format_args!("{sentence}"));
    }
    if let Some(instruction) = &report.instruction {
        out.push('\n');
        source(&mut out, instruction, palette);
    }
    if !report.events.is_empty() {
        out.push('\n');
        events(&mut out, report, palette);
    }
    if let Some([left, right]) = &report.outcomes
        && !matches!(divergence.difference, Difference::Outcome { .. })
    {
        let (l, r) = (left.to_string(), right.to_string());
        out.push('\n');
        line(&mut out, format_args!("{heading}outcomes{heading:#}"));
        sides(&mut out, report, palette, &l, &r);
    }
    if let Some(command) = &report.reproduce {
        out.push('\n');
        line(
            &mut out,
            format_args!("{faint}reproduce:{faint:#} {command}"),
        );
    }
    out
}

/// Appends a line; writing to a string cannot fail.
fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a string takes everything");
    out.push('\n');
}

fn sides(out: &mut String, report: &Report, palette: Palette, l: &str, r: &str) {
    let Palette { left, right, .. } = palette;
    let [a, b] = report.divergence.sides();
    let width = a.len().max(b.len());
    line(out, format_args!("  {left}{a:width$}{left:#}  {l}"));
    line(out, format_args!("  {right}{b:width$}{right:#}  {r}"));
}

fn difference(out: &mut String, report: &Report, palette: Palette) {
    let Described {
        subject,
        left,
        right,
    } = describe(&report.divergence.difference);
    let heading = palette.heading;
    line(out, format_args!("{heading}{subject}{heading:#}"));
    sides(out, report, palette, &left, &right);
}

fn source(out: &mut String, instruction: &Instruction, palette: Palette) {
    let Palette {
        heading,
        mark,
        faint,
        ..
    } = palette;
    let relation = match instruction.relation {
        Relation::At => "at",
        Relation::After => "after",
    };
    line(
        out,
        format_args!(
            "{heading}{relation} function {}, offset {:#x}{heading:#}",
            instruction.function, instruction.location.offset
        ),
    );
    let Some(excerpt) = &instruction.excerpt else {
        return;
    };
    for (index, shown) in excerpt.lines.iter().enumerate() {
        let number = excerpt.first_line + index;
        let text = &shown.text;
        if index == excerpt.marked {
            line(out, format_args!("{mark}> {number:5} | {text}{mark:#}"));
        } else {
            line(out, format_args!("  {faint}{number:5} |{faint:#} {text}"));
        }
    }
}

/// The two traces, one row per index; equal events stand there once.
fn events(out: &mut String, report: &Report, palette: Palette) {
    let Palette {
        heading,
        left,
        right,
        mark,
        faint,
    } = palette;
    let show = |event: &Option<crate::observe::Event>| match event {
        Some(event) => event.kind.to_string(),
        None => "-".to_owned(),
    };
    let shown = |row: &Row| (show(&row.left), show(&row.right));
    let (a, b) = (&report.divergence.left, &report.divergence.right);
    let width = report
        .events
        .iter()
        .map(|row| shown(row).0.chars().count())
        .chain([a.len()])
        .max()
        .unwrap_or(0);
    line(
        out,
        format_args!("{heading}  event  {left}{a:width$}{left:#}  {right}{b}{right:#}{heading:#}"),
    );
    for row in &report.events {
        let (l, r) = shown(row);
        let index = row.index;
        if row.differs {
            line(
                out,
                format_args!(
                    "{mark}> {index:5}{mark:#}  {left}{l:width$}{left:#}  {right}{r}{right:#}"
                ),
            );
        } else if row.left == row.right {
            line(
                out,
                format_args!("  {faint}{index:5}{faint:#}  {l:width$}  {faint}={faint:#}"),
            );
        } else {
            line(
                out,
                format_args!("  {faint}{index:5}{faint:#}  {l:width$}  {r}"),
            );
        }
    }
}
