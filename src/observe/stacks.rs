//! A trace as the lives of stacks: which one runs, which wait for it, which are
//! suspended, and by which steps that changes.
//!
//! This follows a trace, it does not judge it: where a trace makes no sense (it is
//! that of an engine with a bug), an unknown continuation is a new stack, and a
//! host entry's own stack is never taken away.

use super::{Event, EventKind};
use std::collections::{HashMap, HashSet};
use std::ops::Range;

/// A stack, by the order in which stacks first ran; 0 is the host's.
pub(crate) type Stack = usize;

/// What a stack does for some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    /// Its code is executing.
    Running,
    /// It resumed another one, or called the host.
    Waiting,
    /// It is part of a continuation.
    Suspended,
}

/// A stack's life between two moments. Event `i` is at moment `2 i + 1`, what is
/// between it and the one before at `2 i`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub stack: Stack,
    pub life: Life,
    pub from: usize,
    pub to: usize,
}

/// How one stack hands over to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrow {
    Resume,
    Throw,
    Suspend,
    Switch,
    Return,
    Unwind,
}

/// One event: who ran before and after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub from: Stack,
    pub to: Stack,
    pub arrow: Option<Arrow>,
    /// Stacks in all running chains after the step.
    pub depth: usize,
}

/// Under which circumstances code executes between two events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Context {
    /// Stacks in the innermost running chain; one less is the number of handler
    /// lists in force.
    pub depth: usize,
    /// Host entries.
    pub entries: usize,
    /// Whether the running stack was suspended at least once.
    pub resumed: bool,
}

/// The lives of all stacks in a trace.
#[derive(Debug, Default)]
pub(crate) struct Lives {
    /// One for each event.
    pub steps: Vec<Step>,
    /// For each part of the run what holds before its first event and after each.
    pub contexts: Vec<Vec<Context>>,
    /// In the order of their ends.
    pub spans: Vec<Span>,
    /// For each stack the function that runs on it, where it is known.
    pub functions: Vec<Option<u32>>,
}

/// The events of a trace, and which of them belong to which call.
pub(crate) fn lives(trace: &[Event], parts: &[Range<usize>]) -> Lives {
    let mut machine = Machine::default();
    machine.lives.functions.push(None);
    machine.entries.push(vec![0]);
    for part in parts {
        machine.now = 2 * part.start;
        machine.settle();
        let mut contexts = vec![machine.context()];
        for index in part.clone() {
            machine.now = 2 * index + 1;
            machine.step(&trace[index].kind);
            machine.settle();
            contexts.push(machine.context());
        }
        machine.lives.contexts.push(contexts);
        machine.now = 2 * part.end;
        machine.end();
        machine.settle();
    }
    for stack in 0..machine.now_is.len() {
        machine.close(stack);
    }
    // A continuation that is never used again needs no room until the end.
    let mut last = HashMap::new();
    for (index, span) in machine.lives.spans.iter().enumerate() {
        last.insert(span.stack, index);
    }
    let mut index = 0;
    machine.lives.spans.retain(|span| {
        let unused = last[&span.stack] == index && span.life == Life::Suspended;
        index += 1;
        !unused && span.from < span.to
    });
    machine.lives
}

/// A suspended chain, outermost stack first.
enum Captured {
    /// Made by `cont.new`, never entered.
    Fresh(u32),
    Stacks(Vec<Stack>),
}

#[derive(Default)]
struct Machine {
    lives: Lives,
    now: usize,
    /// The running chain of each host entry, innermost last; a chain's first is
    /// the entry's own stack.
    entries: Vec<Vec<Stack>>,
    continuations: HashMap<u64, Captured>,
    /// Host functions that were called and have not called back.
    pending: usize,
    /// What each stack does, and since when.
    now_is: Vec<Option<(Life, usize)>>,
    /// Which stacks were suspended at least once.
    suspended: HashSet<Stack>,
}

impl Machine {
    fn running(&self) -> Stack {
        let chain = self.entries.last().expect("the first entry stays");
        *chain.last().expect("an entry's own stack stays")
    }

    fn stack(&mut self, function: Option<u32>) -> Stack {
        self.lives.functions.push(function);
        self.lives.functions.len() - 1
    }

    fn context(&self) -> Context {
        let called = usize::from(self.pending > 0);
        Context {
            depth: match called {
                // What executes next is the callback's, on a stack of its own.
                1 => 1,
                _ => self.entries[self.entries.len() - 1].len(),
            },
            entries: self.entries.len() + self.pending,
            resumed: called == 0 && self.suspended.contains(&self.running()),
        }
    }

    fn step(&mut self, kind: &EventKind) {
        if let EventKind::HostReturn { .. } = kind {
            self.host_returned();
        } else if self.pending > 0 && !matches!(kind, EventKind::HostCall { .. }) {
            // The host function called back: that is an entry of its own.
            for _ in 0..std::mem::take(&mut self.pending) {
                let base = self.stack(None);
                self.entries.push(vec![base]);
            }
        }
        let from = self.running();
        let arrow = self.take(kind);
        let to = self.running();
        let depth = self.entries.iter().map(Vec::len).sum();
        self.lives.steps.push(Step {
            from,
            to,
            arrow,
            depth,
        });
    }

    /// Changes the chains as the event says.
    fn take(&mut self, kind: &EventKind) -> Option<Arrow> {
        match *kind {
            EventKind::New { cont, function } => {
                self.continuations.insert(cont, Captured::Fresh(function));
                None
            }
            EventKind::Bind { from, to, .. } => {
                if let Some(captured) = self.continuations.remove(&from) {
                    self.continuations.insert(to, captured);
                }
                None
            }
            EventKind::Resume { cont, depth, .. } => {
                let more = self.length(cont);
                self.agree(depth.saturating_sub(more));
                self.enter(cont);
                Some(Arrow::Resume)
            }
            EventKind::ResumeThrow { cont, depth, .. } => {
                let more = self.length(cont);
                self.agree(depth.saturating_sub(more));
                self.enter(cont);
                Some(Arrow::Throw)
            }
            EventKind::Suspend { cont, distance, .. } => {
                self.capture(cont, distance);
                Some(Arrow::Suspend)
            }
            EventKind::Switch {
                target,
                cont,
                distance,
                ..
            } => {
                self.capture(cont, distance);
                self.enter(target);
                Some(Arrow::Switch)
            }
            EventKind::Return { depth, .. } => {
                self.agree(depth + 1);
                self.leave();
                Some(Arrow::Return)
            }
            EventKind::Unwind { .. } => {
                // An exception that leaves a host function is not recorded there.
                while self.entries.len() > 1 && self.entries.last().is_some_and(|c| c.len() == 1) {
                    self.entries.pop();
                }
                self.leave();
                Some(Arrow::Unwind)
            }
            EventKind::HostCall { .. } => {
                self.pending += 1;
                None
            }
            EventKind::HostReturn { .. }
            | EventKind::Unhandled { .. }
            | EventKind::Throw { .. }
            | EventKind::Catch { .. }
            | EventKind::Trap { .. } => None,
        }
    }

    fn chain(&mut self) -> &mut Vec<Stack> {
        self.entries.last_mut().expect("the first entry stays")
    }

    fn enter(&mut self, cont: u64) {
        match self.continuations.remove(&cont) {
            Some(Captured::Stacks(mut stacks)) => self.chain().append(&mut stacks),
            fresh => {
                let function = match fresh {
                    Some(Captured::Fresh(function)) => Some(function),
                    _ => None,
                };
                let stack = self.stack(function);
                self.chain().push(stack);
            }
        }
    }

    /// How many stacks entering a continuation adds.
    fn length(&self, cont: u64) -> u32 {
        match self.continuations.get(&cont) {
            Some(Captured::Stacks(stacks)) => stacks.len() as u32,
            _ => 1,
        }
    }

    fn capture(&mut self, cont: u64, distance: u32) {
        let chain = self.chain();
        let at = chain.len().saturating_sub(distance as usize + 1).max(1);
        let stacks = chain.split_off(at);
        self.suspended.extend(&stacks);
        self.continuations.insert(cont, Captured::Stacks(stacks));
    }

    fn leave(&mut self) {
        let chain = self.chain();
        if chain.len() > 1 {
            chain.pop();
        }
    }

    fn host_returned(&mut self) {
        if self.pending > 0 {
            self.pending -= 1;
        } else if self.entries.len() > 1 {
            self.entries.pop();
        }
    }

    /// Drops host entries that an exception has left, by the length that the
    /// innermost chain is known to have.
    fn agree(&mut self, depth: u32) {
        let fits = |chain: &Vec<Stack>| chain.len() == depth as usize;
        let innermost = self.entries.len() - 1;
        if !fits(&self.entries[innermost])
            && let Some(entry) = self.entries[..innermost].iter().rposition(fits)
        {
            self.entries.truncate(entry + 1);
        }
    }

    /// The call is over: only the host's stack is left.
    fn end(&mut self) {
        self.pending = 0;
        self.entries.truncate(1);
        self.entries[0].truncate(1);
    }

    /// Enters what every stack does now.
    fn settle(&mut self) {
        let mut does = vec![None; self.lives.functions.len()];
        for captured in self.continuations.values() {
            if let Captured::Stacks(stacks) = captured {
                for &stack in stacks {
                    does[stack] = Some(Life::Suspended);
                }
            }
        }
        for &stack in self.entries.iter().flatten() {
            does[stack] = Some(Life::Waiting);
        }
        does[self.running()] = Some(Life::Running);
        self.now_is.resize(does.len(), None);
        for (stack, life) in does.into_iter().enumerate() {
            if self.now_is[stack].map(|(life, _)| life) != life {
                self.close(stack);
                self.now_is[stack] = life.map(|life| (life, self.now));
            }
        }
    }

    fn close(&mut self, stack: Stack) {
        if let Some((life, from)) = self.now_is[stack].take() {
            self.lives.spans.push(Span {
                stack,
                life,
                from,
                to: self.now,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kinds: Vec<EventKind>) -> Lives {
        let trace: Vec<Event> = kinds
            .into_iter()
            .map(|kind| Event { kind, at: None })
            .collect();
        lives(&trace, &[0..0, 0..trace.len()])
    }

    fn new(cont: u64) -> EventKind {
        EventKind::New {
            cont,
            function: cont as u32 + 7,
        }
    }

    fn resume(cont: u64, depth: u32) -> EventKind {
        EventKind::Resume {
            cont,
            values: vec![],
            depth,
        }
    }

    fn suspend(cont: u64, distance: u32) -> EventKind {
        EventKind::Suspend {
            tag: 0,
            values: vec![],
            cont,
            distance,
            clause: 0,
        }
    }

    fn between(lives: &Lives) -> Vec<(Stack, Stack)> {
        lives
            .steps
            .iter()
            .map(|step| (step.from, step.to))
            .collect()
    }

    #[test]
    fn a_chain_is_captured_and_resumed_as_one() {
        let lives = of(vec![
            new(0),
            new(1),
            resume(0, 2),
            resume(1, 3),
            suspend(2, 1),
            resume(2, 3),
            EventKind::Return {
                values: vec![],
                depth: 2,
            },
        ]);
        let expected = [(0, 0), (0, 0), (0, 1), (1, 2), (2, 0), (0, 2), (2, 1)];
        assert_eq!(between(&lives), expected);
        assert_eq!(lives.functions, [None, Some(7), Some(8)]);
        let suspended = lives.spans.iter().filter(|s| s.life == Life::Suspended);
        let suspended: Vec<_> = suspended.map(|s| (s.stack, s.from, s.to)).collect();
        assert_eq!(suspended, [(1, 9, 11), (2, 9, 11)]);
    }

    #[test]
    fn a_switch_changes_stacks_under_the_same_handler() {
        let lives = of(vec![
            new(0),
            new(1),
            resume(0, 2),
            EventKind::Switch {
                tag: 0,
                target: 1,
                values: vec![],
                cont: 2,
                distance: 0,
            },
            EventKind::Return {
                values: vec![],
                depth: 1,
            },
        ]);
        assert_eq!(between(&lives)[2..], [(0, 1), (1, 2), (2, 0)]);
        // The switcher is never used again, so its suspension is not drawn.
        assert!(lives.spans.iter().all(|s| s.life != Life::Suspended));
    }

    #[test]
    fn an_exception_that_leaves_a_host_function_ends_its_entry() {
        let call = EventKind::HostCall {
            function: 9,
            values: vec![],
        };
        let throw = EventKind::Throw {
            tag: 0,
            values: vec![],
        };
        let unwind = EventKind::Unwind { tag: 0 };
        let lives = of(vec![new(0), resume(0, 2), call, throw, unwind]);
        assert_eq!(between(&lives)[1..], [(0, 1), (1, 1), (2, 2), (2, 0)]);
        assert_eq!(lives.steps[3].depth, 3);
        assert_eq!(lives.steps[4].depth, 1);
    }

    #[test]
    fn a_trace_without_sense_is_followed_as_far_as_it_goes() {
        let lives = of(vec![suspend(0, 9), resume(55, 8), suspend(1, 99), new(2)]);
        assert_eq!(between(&lives), [(0, 0), (0, 1), (1, 0), (0, 0)]);
    }
}
