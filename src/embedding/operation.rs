//! What an embedder does: a list of operations, decoded from bytes.

use arbitrary::{Arbitrary, Result, Unstructured};

/// Stores that are open at once, at most.
pub(super) const STORES: usize = 3;
/// Instances in one store, at most.
pub(super) const GUESTS: usize = 3;
/// Elements of a guest's table of continuations.
pub(super) const SLOTS: u8 = 3;
/// Bytes of a program, at most.
pub(super) const PROGRAM: usize = 24;
/// Calls of the host out of calls of the host in which the host still does something.
pub(super) const DEPTH: usize = 3;
/// Operations that a list has, at most; as many again are done by the host function.
const OPERATIONS: usize = 40;

/// How a guest is instantiated.
#[derive(Clone, Copy, Debug, Arbitrary, PartialEq, Eq)]
pub(super) enum How {
    /// From an `InstancePre`.
    Prepared,
    /// By a `Linker`.
    Linked,
    /// With a typed host function.
    Typed,
    /// With an untyped host function.
    Untyped,
}

/// One operation. Stores, guests and slots are names modulo their number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    /// Makes a store with one guest.
    Open { how: How },
    /// Drops a store.
    Close { store: u8 },
    /// What is done to a store that is open.
    On {
        store: u8,
        guest: u8,
        /// Functions are called through typed handles.
        typed: bool,
        action: Action,
    },
}

/// What is done to a guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Instantiate {
        how: How,
    },
    Spawn {
        slot: u8,
        program: Vec<u8>,
    },
    Step {
        slot: u8,
        value: i32,
    },
    Kill {
        slot: u8,
        value: i32,
    },
    Run {
        program: Vec<u8>,
        value: i32,
    },
    /// Copies a reference to a continuation to another guest's table.
    Copy {
        slot: u8,
        to: u8,
        to_slot: u8,
    },
    GrowMemory {
        delta: u8,
    },
    GrowTable {
        delta: u8,
    },
    Count {
        add: i64,
    },
    Collect,
}

/// What the host function does when a guest calls it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Returns its argument plus one.
    Next,
    /// Fails with an error of its own.
    Fail,
    /// Fails with a trap.
    Trap,
    /// Does an operation, and returns what comes of it; an error of the same store is passed on if it is to be.
    Do { operation: Operation, pass_on: bool },
}

/// A test: what is done, and what the host function does meanwhile, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Script {
    /// Which engine is used, modulo their number.
    pub engine: u8,
    /// Whether two threads do the same at once.
    pub twice: bool,
    pub operations: Vec<Operation>,
    pub answers: Vec<Answer>,
}

impl Script {
    /// Every list of bytes is a script.
    pub fn decode(bytes: &[u8]) -> Script {
        let mut bytes = Unstructured::new(bytes);
        let engine = bytes.arbitrary().unwrap_or(0);
        let twice = bytes.ratio(1, 8).unwrap_or(false);
        let mut operations = vec![Operation::Open { how: How::Prepared }];
        let mut answers = Vec::new();
        let mut focus = Focus::default();
        while !bytes.is_empty() && operations.len() < OPERATIONS {
            let Ok(operation) = operation(&mut bytes, &mut focus) else {
                break;
            };
            operations.push(operation);
            if let Ok(answer) = answer(&mut bytes, &mut focus) {
                answers.push(answer);
            }
        }
        Script {
            engine,
            twice,
            operations,
            answers,
        }
    }
}

/// What was used last: half of the operations go on with it, because what happens to one continuation is richer for it.
#[derive(Clone, Copy, Default)]
struct Focus {
    store: u8,
    guest: u8,
    slot: u8,
}

fn operation(u: &mut Unstructured<'_>, focus: &mut Focus) -> Result<Operation> {
    if !u.ratio(1, 2)? {
        *focus = Focus {
            store: if u.ratio(3, 4)? { 0 } else { u.arbitrary()? },
            guest: u.int_in_range(0..=GUESTS as u8 - 1)?,
            slot: u.int_in_range(0..=SLOTS - 1)?,
        };
    }
    Ok(match u.int_in_range(0..=31u8)? {
        0..=1 => Operation::Open {
            how: u.arbitrary()?,
        },
        2 => Operation::Close {
            store: u.arbitrary()?,
        },
        kind => {
            let Focus { store, guest, .. } = *focus;
            Operation::On {
                store,
                guest,
                typed: u.arbitrary()?,
                action: action(u, kind, focus)?,
            }
        }
    })
}

fn action(u: &mut Unstructured<'_>, kind: u8, focus: &mut Focus) -> Result<Action> {
    let slot = focus.slot;
    Ok(match kind {
        3..=4 => Action::Instantiate {
            how: u.arbitrary()?,
        },
        5..=11 => Action::Spawn {
            slot,
            program: program(u)?,
        },
        12..=21 => Action::Step {
            slot,
            value: u.arbitrary()?,
        },
        22..=23 => Action::Kill {
            slot,
            value: u.arbitrary()?,
        },
        24 => Action::Run {
            program: program(u)?,
            value: u.arbitrary()?,
        },
        25..=27 => {
            focus.guest = u.int_in_range(0..=GUESTS as u8 - 1)?;
            focus.slot = u.int_in_range(0..=SLOTS - 1)?;
            Action::Copy {
                slot,
                to: focus.guest,
                to_slot: focus.slot,
            }
        }
        28 => Action::GrowMemory {
            delta: u.int_in_range(0..=3)?,
        },
        29 => Action::GrowTable {
            delta: u.int_in_range(0..=3)?,
        },
        30 => Action::Count {
            add: u.arbitrary()?,
        },
        _ => Action::Collect,
    })
}

fn answer(u: &mut Unstructured<'_>, focus: &mut Focus) -> Result<Answer> {
    Ok(match u.int_in_range(0..=15u8)? {
        0..=3 => Answer::Next,
        4 => Answer::Fail,
        5 => Answer::Trap,
        _ => Answer::Do {
            operation: operation(u, focus)?,
            pass_on: u.arbitrary()?,
        },
    })
}

/// A program for the guest, mostly of actions that go on.
fn program(u: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    const ACTIONS: [u8; 24] = [
        1, 1, 1, 1, 10, 10, 10, 10, 2, 2, 2, 6, 6, 6, 7, 7, 7, 8, 8, 5, 9, 11, 4, 3,
    ];
    let len = u.int_in_range(1..=PROGRAM)?;
    let mut program = Vec::with_capacity(len);
    for _ in 0..len {
        program.push(ACTIONS[u.int_in_range(0..=23usize)?]);
    }
    Ok(program)
}
