//! What references point to: continuations and exceptions (specification: "Exception
//! Instances"; the stack-switching proposal's continuation instances).
//!
//! A continuation reference is one word with its number and its place; a place is reused
//! as soon as its continuation is consumed, and the number tells an old reference from a
//! new one. That is the one-shot check. Structures and arrays are in [`object`]; what is
//! unreachable is reclaimed by [`collect`].

mod collect;
pub(crate) mod object;
#[cfg(test)]
mod tests;

use std::cell::Cell;

use crate::stacks::StackId;
use crate::value::{MAX_NUMBER, cont_place, cont_word};

/// A continuation that can still be used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Continuation {
    /// Where execution goes on; its values receive the resumption's arguments.
    pub innermost: StackId,
    /// The last stack on the way to the handler that was there.
    pub outermost: StackId,
    /// Index in the innermost stack's values of the first argument.
    pub receive_at: u32,
    /// Slots of arguments that `cont.bind` has put there already.
    pub bound: u32,
    /// The function to start with, if it never ran.
    pub fresh: Option<u32>,
    /// Stacks and frames that it consists of.
    pub stacks: u32,
    pub frames: u32,
}

#[derive(Debug)]
struct Place {
    number: u64,
    content: Option<Continuation>,
    marked: bool,
    /// Whether the host may have a reference, which keeps it alive.
    pinned: Cell<bool>,
}

/// The continuations of a store.
#[derive(Debug, Default)]
pub(crate) struct Continuations {
    places: Vec<Place>,
    free: Vec<u32>,
    /// Number of the next continuation.
    next: u64,
}

impl Continuations {
    /// How many can still be used.
    pub fn alive(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// Whether the next number fits a reference.
    pub fn numbers_left(&self) -> bool {
        self.next < MAX_NUMBER
    }

    /// Adds a continuation and returns the reference to it.
    #[inline]
    pub fn add(&mut self, content: Continuation) -> u64 {
        let number = self.next;
        self.next += 1;
        let place = match self.free.pop() {
            Some(place) => place,
            None => {
                self.places.push(Place {
                    number: 0,
                    content: None,
                    marked: false,
                    pinned: Cell::new(false),
                });
                self.places.len() as u32 - 1
            }
        };
        self.places[place as usize] = Place {
            number,
            content: Some(content),
            marked: false,
            pinned: Cell::new(false),
        };
        cont_word(number, place)
    }

    /// The continuation that a reference stands for; none if it was consumed.
    pub fn get(&self, word: u64) -> Option<&Continuation> {
        let (number, place) = cont_place(word);
        let place = self.places.get(place as usize)?;
        if place.number == number {
            place.content.as_ref()
        } else {
            None
        }
    }

    /// The same, to be changed.
    #[cfg(test)]
    pub fn get_mut(&mut self, word: u64) -> Option<&mut Continuation> {
        let (number, place) = cont_place(word);
        let place = self.places.get_mut(place as usize)?;
        place.content.as_mut().filter(|_| place.number == number)
    }

    /// Number that the next one gets.
    pub fn numbers(&self) -> u64 {
        self.next
    }

    /// Places that there are.
    pub fn places(&self) -> usize {
        self.places.len()
    }

    /// Stacks of all that can still be used.
    pub fn stacks(&self) -> usize {
        let contents = self.places.iter().filter_map(|p| p.content.as_ref());
        contents.map(|cont| cont.stacks as usize).sum()
    }

    /// Consumes a continuation; none if it was consumed before.
    #[inline]
    pub fn take(&mut self, word: u64) -> Option<Continuation> {
        let (number, index) = cont_place(word);
        let place = self.places.get_mut(index as usize)?;
        if place.number != number {
            return None;
        }
        let content = place.content.take()?;
        self.free.push(index);
        Some(content)
    }

    /// Notes that the host has a reference.
    pub fn pin(&self, word: u64) {
        let (number, index) = cont_place(word);
        if let Some(place) = self.places.get(index as usize)
            && place.number == number
        {
            place.pinned.set(true);
        }
    }

    /// References to those that the host may have.
    fn pinned(&self) -> Vec<u64> {
        (0..)
            .zip(&self.places)
            .filter(|(_, p)| p.pinned.get() && p.content.is_some())
            .map(|(index, p)| cont_word(p.number, index))
            .collect()
    }

    /// Marks what a word refers to, if it refers to a continuation that is not marked, and
    /// returns the innermost stack.
    fn mark(&mut self, word: u64) -> Option<StackId> {
        let (number, index) = cont_place(word);
        let place = self.places.get_mut(index as usize)?;
        if place.number != number || place.marked {
            return None;
        }
        let content = place.content.as_ref()?;
        place.marked = true;
        Some(content.innermost)
    }

    /// Removes and returns what is not marked, and removes the marks.
    fn sweep(&mut self) -> Vec<Continuation> {
        let mut dead = Vec::new();
        for (index, place) in (0..).zip(&mut self.places) {
            if !place.marked
                && let Some(content) = place.content.take()
            {
                dead.push(content);
                self.free.push(index);
            }
            place.marked = false;
        }
        dead
    }
}

/// An exception instance.
#[derive(Clone, Debug)]
pub(crate) struct ExceptionData {
    /// Store address of the tag.
    pub tag: u32,
    pub payload: Vec<u64>,
    state: Cell<State>,
    marked: bool,
}

/// Who may refer to an exception.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It is gone.
    Free,
    /// Only the search for its handler.
    Thrown,
    /// References in Wasm.
    Shared,
    /// The host.
    Pinned,
}

/// The exceptions of a store.
#[derive(Debug, Default)]
pub(crate) struct Exceptions {
    list: Vec<ExceptionData>,
    free: Vec<u32>,
    cost: u64,
}

impl Exceptions {
    pub fn get(&self, place: u32) -> &ExceptionData {
        &self.list[place as usize]
    }

    /// Whether there is one at a place.
    pub fn is_alive(&self, place: u32) -> bool {
        let data = self.list.get(place as usize);
        data.is_some_and(|data| data.state.get() != State::Free)
    }

    /// Notes that references to it exist.
    pub fn share(&self, place: u32) {
        let state = &self.list[place as usize].state;
        if state.get() == State::Thrown {
            state.set(State::Shared);
        }
    }

    /// Notes that the host has a reference.
    pub fn pin(&self, place: u32) {
        self.list[place as usize].state.set(State::Pinned);
    }

    /// What all exceptions count for.
    fn cost(&self) -> u64 {
        self.cost
    }

    /// Adds an exception that no reference points to yet.
    pub fn add(&mut self, tag: u32, payload: &[u64]) -> u32 {
        self.cost += payload.len() as u64 + 8;
        if let Some(place) = self.free.pop() {
            let data = &mut self.list[place as usize];
            data.tag = tag;
            data.payload.clear();
            data.payload.extend_from_slice(payload);
            data.state.set(State::Thrown);
            return place;
        }
        self.list.push(ExceptionData {
            tag,
            payload: payload.to_vec(),
            state: Cell::new(State::Thrown),
            marked: false,
        });
        self.list.len() as u32 - 1
    }

    /// Reclaims an exception that was caught, unless a reference to it exists.
    pub fn caught(&mut self, place: u32) {
        if self.list[place as usize].state.get() == State::Thrown {
            self.remove(place);
        }
    }

    fn remove(&mut self, place: u32) {
        let data = &mut self.list[place as usize];
        data.state.set(State::Free);
        self.cost -= data.payload.len() as u64 + 8;
        self.free.push(place);
    }

    /// The places of those that the host may have.
    fn pinned(&self) -> Vec<u32> {
        (0..)
            .zip(&self.list)
            .filter(|(_, e)| e.state.get() == State::Pinned)
            .map(|(place, _)| place)
            .collect()
    }

    /// Marks an exception; false if there is none or it is marked.
    fn mark(&mut self, place: u32) -> bool {
        match self.list.get_mut(place as usize) {
            Some(data) if data.state.get() != State::Free && !data.marked => {
                data.marked = true;
                true
            }
            _ => false,
        }
    }

    /// Removes what is not marked, and the marks.
    fn sweep(&mut self) {
        for place in 0..self.list.len() as u32 {
            let data = &mut self.list[place as usize];
            if !data.marked && data.state.get() != State::Free {
                self.remove(place);
            }
            self.list[place as usize].marked = false;
        }
    }
}
