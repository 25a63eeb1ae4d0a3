//! A difference in words: what it is of, and what each side shows.

use crate::compare::{ByteDifference, Difference};
use crate::observe::Event;

/// A difference, ready to be laid out.
pub(super) struct Described {
    /// What differs.
    pub subject: String,
    /// The left side's.
    pub left: String,
    /// The right side's.
    pub right: String,
}

/// Says what a difference is.
pub(super) fn describe(difference: &Difference) -> Described {
    let (subject, left, right) = match difference {
        Difference::Outcome { left, right } => {
            ("outcome".to_owned(), left.to_string(), right.to_string())
        }
        Difference::Event { left, right, .. } => ("event".to_owned(), event(left), event(right)),
        Difference::Global { index, left, right } => (
            format!("global {index}"),
            left.to_string(),
            right.to_string(),
        ),
        Difference::MemorySize { index, left, right } => (
            format!("size of memory {index}"),
            format!("{left} pages"),
            format!("{right} pages"),
        ),
        Difference::MemoryBytes {
            index,
            count,
            first,
        } => (
            format!("memory {index}, {count} bytes"),
            bytes(first, *count, |d| d.left),
            bytes(first, *count, |d| d.right),
        ),
        Difference::TableSize { index, left, right } => (
            format!("size of table {index}"),
            format!("{left} elements"),
            format!("{right} elements"),
        ),
        Difference::TableElement {
            index,
            element,
            left,
            right,
        } => (
            format!("table {index}, element {element}"),
            left.to_string(),
            right.to_string(),
        ),
        Difference::Continuation { left, right } => {
            let subject = "continuation that the state refers to".to_owned();
            (subject, left.to_string(), right.to_string())
        }
        Difference::Shape { left, right } => {
            let show = |[globals, memories, tables, continuations]: [usize; 4]| {
                format!(
                    "{globals} globals, {memories} memories, {tables} tables, \
                     {continuations} continuations"
                )
            };
            ("shape of the state".to_owned(), show(*left), show(*right))
        }
    };
    Described {
        subject,
        left,
        right,
    }
}

fn event(event: &Option<Event>) -> String {
    match event {
        Some(event) => match event.at {
            Some(at) => format!("{} ({at})", event.kind),
            None => event.kind.to_string(),
        },
        None => "no further event".to_owned(),
    }
}

fn bytes(first: &[ByteDifference], count: usize, byte: fn(&ByteDifference) -> u8) -> String {
    let bytes = first
        .iter()
        .map(|d| format!("{:#x}: {:02x}", d.address, byte(d)));
    let more = if count > first.len() { ", …" } else { "" };
    bytes.collect::<Vec<_>>().join(", ") + more
}
