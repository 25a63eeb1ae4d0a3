//! What must come of a script: the guest, the host function and the embedder, as a model.
//!
//! A continuation is the list of the programs that run in it, outermost first: each after the first runs on a stack of its own,
//! inside of the one before. Nothing here knows how an engine does any of it.

use super::operation::{Action, Answer, DEPTH, GUESTS, Operation, STORES, Script};
use super::reply::{Failure, Reply};
use switchback_engine::TrapKind;

/// The outcomes of all operations, in the order in which they end.
pub(super) fn expected(script: &Script) -> (Vec<Reply>, Met) {
    let mut model = Model {
        answers: script.answers.iter(),
        stores: [const { Slot::Closed }; STORES],
        inside: Vec::new(),
        replies: Vec::new(),
        met: Met::default(),
    };
    for operation in &script.operations {
        model.perform(operation);
    }
    (model.replies, model.met)
}

/// How often a script does what it is there for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Met {
    /// Suspensions that arrive at the embedder's call.
    pub suspended: u64,
    /// Of them those that pass through an inner resume.
    pub forwarded: u64,
    /// Suspensions that nothing handles.
    pub unhandled: u64,
    /// Exceptions that a guest catches out of another stack.
    pub caught: u64,
    /// References used a second time.
    pub consumed: u64,
    /// Operations that the host function does on the store that runs.
    pub reentered: u64,
    /// Those that it does on another store.
    pub elsewhere: u64,
    /// Operations on a continuation of another guest.
    pub foreign: u64,
}

enum Slot {
    Closed,
    Open(Store),
}

#[derive(Default)]
struct Store {
    guests: Vec<Guest>,
    continuations: Vec<Continuation>,
}

struct Guest {
    memory: Vec<u8>,
    pages: u64,
    kept: Vec<Option<Reference>>,
    count: i64,
}

/// A reference is used up when the continuation has moved on.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Reference {
    continuation: usize,
    generation: u64,
}

struct Continuation {
    generation: u64,
    /// The guest whose code it is.
    guest: usize,
    /// Empty while it runs and when it is over.
    frames: Vec<Frame>,
}

/// A program that runs.
#[derive(Clone, Copy)]
struct Frame {
    pc: usize,
    end: usize,
    acc: i32,
    /// How it was started from the one before it.
    started: Started,
    /// Where that one goes on.
    after: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Started {
    /// By a resume that handles suspensions with the first tag.
    Handled,
    /// By one that handles those with the other tag.
    HandledOther,
    /// By one that handles none, and catches exceptions.
    Caught,
    /// From outside, before it has run.
    Fresh,
    /// From outside.
    Base,
}

/// What a continuation goes on with.
enum Input {
    Value(i32),
    Exception(i32),
}

/// How a run ends.
enum End {
    Returned(i32),
    Suspended(i32),
    Failed(Failure),
}

struct Model<'a> {
    answers: std::slice::Iter<'a, Answer>,
    stores: [Slot; STORES],
    /// The stores whose code runs, innermost last.
    inside: Vec<usize>,
    replies: Vec<Reply>,
    met: Met,
}

impl Model<'_> {
    /// Does an operation, notes what comes of it, and returns it.
    fn perform(&mut self, operation: &Operation) -> Reply {
        let reply = match operation {
            Operation::Open { .. } => self.open(),
            Operation::Close { store } => {
                let at = usize::from(*store) % STORES;
                let free = !self.inside.contains(&at) && matches!(self.stores[at], Slot::Open(_));
                if free {
                    self.stores[at] = Slot::Closed;
                    Reply::Done
                } else {
                    Reply::Skipped
                }
            }
            Operation::On {
                store,
                guest,
                action,
                ..
            } => {
                let at = usize::from(*store) % STORES;
                let running = self.inside.last() == Some(&at);
                let busy = self.inside.contains(&at) && !running;
                if busy || matches!(self.stores[at], Slot::Closed) {
                    Reply::Skipped
                } else {
                    match self.inside.is_empty() {
                        true => {}
                        false if running => self.met.reentered += 1,
                        false => self.met.elsewhere += 1,
                    }
                    let guest = usize::from(*guest) % self.store(at).guests.len();
                    self.inside.push(at);
                    let reply = self.act(guest, action);
                    self.inside.pop();
                    reply
                }
            }
        };
        self.replies.push(reply);
        reply
    }

    fn open(&mut self) -> Reply {
        let closed = self
            .stores
            .iter()
            .position(|slot| matches!(slot, Slot::Closed));
        let Some(at) = closed else {
            return Reply::Skipped;
        };
        self.stores[at] = Slot::Open(Store {
            guests: vec![Guest::new()],
            continuations: Vec::new(),
        });
        Reply::Done
    }

    fn store(&mut self, at: usize) -> &mut Store {
        match &mut self.stores[at] {
            Slot::Open(store) => store,
            Slot::Closed => unreachable!("a store that is used is open"),
        }
    }

    /// The store whose turn it is.
    fn here(&mut self) -> &mut Store {
        let at = *self.inside.last().expect("something is done to a store");
        self.store(at)
    }

    fn guest(&mut self, guest: usize) -> &mut Guest {
        &mut self.here().guests[guest]
    }

    fn act(&mut self, at: usize, action: &Action) -> Reply {
        match action {
            Action::Instantiate { .. } => {
                let guests = &mut self.here().guests;
                if guests.len() == GUESTS {
                    return Reply::Skipped;
                }
                guests.push(Guest::new());
                Reply::Done
            }
            Action::Spawn { slot, program } => {
                let slot = usize::from(*slot);
                let frame = self.guest(at).load(slot, program);
                let continuations = &mut self.here().continuations;
                continuations.push(Continuation {
                    generation: 0,
                    guest: at,
                    frames: vec![frame],
                });
                let continuation = continuations.len() - 1;
                self.guest(at).kept[slot] = Some(Reference {
                    continuation,
                    generation: 0,
                });
                Reply::Done
            }
            Action::Step { slot, value } => {
                self.resume(at, usize::from(*slot), Input::Value(*value))
            }
            Action::Kill { slot, value } => {
                self.resume(at, usize::from(*slot), Input::Exception(*value))
            }
            Action::Run { program, value } => {
                let mut frame = self.guest(at).load(super::RUN_SLOT, program);
                frame.started = Started::Base;
                frame.acc = *value;
                match self.run(at, &mut vec![frame], None) {
                    End::Returned(value) => Reply::Values(value, 0),
                    // There is no handler below the host.
                    End::Suspended(_) => {
                        self.met.unhandled += 1;
                        Reply::Failed(Failure::Suspended)
                    }
                    End::Failed(failure) => Reply::Failed(failure),
                }
            }
            Action::Copy { slot, to, to_slot } => {
                let reference = self.guest(at).kept[usize::from(*slot)];
                let to = usize::from(*to) % self.here().guests.len();
                self.guest(to).kept[usize::from(*to_slot)] = reference;
                Reply::Done
            }
            Action::GrowMemory { delta } => match self.guest(at).grow(u64::from(*delta)) {
                Some(pages) => Reply::Number(pages.cast_signed()),
                None => Reply::Refused,
            },
            Action::GrowTable { delta } => {
                let kept = &mut self.guest(at).kept;
                let size = kept.len();
                kept.resize(size + usize::from(*delta), None);
                Reply::Number(size as i64)
            }
            Action::Count { add } => {
                let count = &mut self.guest(at).count;
                let before = *count;
                *count = count.wrapping_add(*add);
                Reply::Number(before)
            }
            Action::Collect => Reply::Alive(self.here().alive()),
        }
    }

    fn resume(&mut self, at: usize, slot: usize, input: Input) -> Reply {
        let Some(reference) = self.guest(at).kept[slot].take() else {
            return Reply::Failed(Failure::Trap(TrapKind::NullContinuationReference));
        };
        let index = reference.continuation;
        let continuation = &mut self.here().continuations[index];
        if continuation.generation != reference.generation {
            self.met.consumed += 1;
            return Reply::Failed(Failure::Trap(TrapKind::ContinuationConsumed));
        }
        continuation.generation += 1;
        let owner = continuation.guest;
        let mut frames = std::mem::take(&mut continuation.frames);
        self.met.foreign += u64::from(owner != at);
        match self.run(owner, &mut frames, Some(input)) {
            End::Returned(value) => Reply::Values(value, 0),
            End::Failed(failure) => Reply::Failed(failure),
            // Each guest has a tag of its own.
            End::Suspended(_) if owner != at => {
                self.met.unhandled += 1;
                Reply::Failed(Failure::Suspended)
            }
            End::Suspended(value) => {
                self.met.suspended += 1;
                self.met.forwarded += u64::from(frames.len() > 1);
                let continuation = &mut self.here().continuations[index];
                continuation.frames = frames;
                let reference = Reference {
                    continuation: index,
                    generation: continuation.generation,
                };
                self.guest(at).kept[slot] = Some(reference);
                Reply::Values(value, 1)
            }
        }
    }

    /// Runs the innermost program until the outermost ends or is suspended.
    fn run(&mut self, guest: usize, frames: &mut Vec<Frame>, input: Option<Input>) -> End {
        let mut thrown = None;
        match input {
            None => {}
            Some(Input::Exception(value)) => thrown = Some(value),
            Some(Input::Value(value)) => {
                let top = frames.last_mut().expect("it has not ended");
                match top.started {
                    Started::Fresh => top.acc = value,
                    _ => top.acc = top.acc.wrapping_add(value),
                }
            }
        }
        frames[0].started = Started::Base;
        loop {
            if let Some(value) = thrown.take() {
                let Some(at) = frames.iter().rposition(|f| f.started == Started::Caught) else {
                    return End::Failed(Failure::Exception(value));
                };
                self.met.caught += 1;
                let after = frames[at].after;
                frames.truncate(at);
                let top = frames.last_mut().expect("an inner one has an outer one");
                top.acc = top.acc.wrapping_add(value);
                top.pc = after;
            }
            let top = frames.last_mut().expect("the outermost has not ended");
            let action = (top.pc < top.end).then(|| self.guest(guest).memory[top.pc]);
            top.pc += 1;
            match action {
                None | Some(0) => {
                    let ended = frames.pop().expect("it was the last one");
                    let Some(outer) = frames.last_mut() else {
                        return End::Returned(ended.acc);
                    };
                    outer.acc ^= ended.acc;
                    outer.pc = ended.after;
                }
                Some(tag @ (1 | 10)) => {
                    let value = top.acc;
                    let (handler, arrived) = match tag {
                        1 => (Started::Handled, value),
                        _ => (Started::HandledOther, value.wrapping_neg()),
                    };
                    let Some(at) = frames.iter().rposition(|f| f.started == handler) else {
                        return End::Suspended(value);
                    };
                    let after = frames[at].after;
                    frames.truncate(at);
                    let outer = frames.last_mut().expect("an inner one has an outer one");
                    outer.acc = outer.acc.wrapping_add(arrived);
                    outer.pc = after;
                }
                Some(2) => {
                    let acc = top.acc;
                    match self.host(acc) {
                        Ok(value) => frames.last_mut().expect("it has not ended").acc = value,
                        Err(Failure::Exception(value)) => thrown = Some(value),
                        Err(failure) => return End::Failed(failure),
                    }
                }
                Some(3) => return End::Failed(Failure::Trap(TrapKind::Unreachable)),
                Some(4) => thrown = Some(top.acc),
                Some(5) => {
                    let before = self.guest(guest).grow(1).map_or(-1, |pages| pages as i32);
                    top.acc = top.acc.wrapping_add(before);
                }
                Some(kind @ 6..=8) => {
                    let after = match top.pc < top.end {
                        true => {
                            let len = usize::from(self.guest(guest).memory[top.pc] & 7);
                            top.end.min(top.pc + 1 + len)
                        }
                        false => top.end,
                    };
                    let inner = Frame {
                        pc: top.pc + 1,
                        end: after,
                        acc: top.acc,
                        started: match kind {
                            6 => Started::Handled,
                            7 => Started::HandledOther,
                            _ => Started::Caught,
                        },
                        after,
                    };
                    frames.push(inner);
                }
                Some(9) => {
                    let count = &mut self.guest(guest).count;
                    *count = count.wrapping_add(i64::from(top.acc));
                }
                Some(_) => top.acc = top.acc.wrapping_mul(31).wrapping_add(top.pc as i32),
            }
        }
    }

    /// The host function.
    fn host(&mut self, value: i32) -> Result<i32, Failure> {
        if self.inside.len() > DEPTH {
            return Ok(value.wrapping_add(1));
        }
        match self.answers.next() {
            None | Some(Answer::Next) => Ok(value.wrapping_add(1)),
            Some(Answer::Fail) => Err(Failure::Host),
            Some(Answer::Trap) => Err(Failure::Trap(TrapKind::IntegerOverflow)),
            Some(Answer::Do { operation, pass_on }) => {
                let same = operation.store_index() == self.inside.last().copied();
                match self.perform(operation) {
                    Reply::Failed(failure) if *pass_on && same => Err(failure),
                    reply => Ok(value ^ reply.value()),
                }
            }
        }
    }
}

impl Store {
    /// The stacks of the continuations that a guest's table keeps.
    fn alive(&self) -> usize {
        let kept = self.guests.iter().flat_map(|guest| &guest.kept).flatten();
        let mut counted = vec![false; self.continuations.len()];
        kept.filter(|reference| {
            let continuation = &self.continuations[reference.continuation];
            let current = continuation.generation == reference.generation;
            current && !std::mem::replace(&mut counted[reference.continuation], true)
        })
        .map(|reference| self.continuations[reference.continuation].frames.len())
        .sum()
    }
}

impl Guest {
    fn new() -> Guest {
        Guest {
            memory: vec![0; super::MEMORY],
            pages: 1,
            kept: vec![None; super::TABLE],
            count: 0,
        }
    }

    /// Puts a program into memory.
    fn load(&mut self, slot: usize, program: &[u8]) -> Frame {
        let pc = slot * super::STRIDE;
        self.memory[pc..pc + program.len()].copy_from_slice(program);
        Frame {
            pc,
            end: pc + program.len(),
            acc: 0,
            started: Started::Fresh,
            after: 0,
        }
    }

    fn grow(&mut self, delta: u64) -> Option<u64> {
        let before = self.pages;
        let after = before + delta;
        (after <= super::MAX_PAGES).then(|| {
            self.pages = after;
            before
        })
    }
}
