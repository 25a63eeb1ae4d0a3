//! What references point to: continuations and exceptions (specification: "Exception
//! Instances"; the stack-switching proposal's continuation instances).
//!
//! A continuation reference is one word with its number and its place; a place is reused
//! as soon as its continuation is consumed, and the number tells an old reference from a
//! new one. That is the one-shot check.

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
    pub receive_at: usize,
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
    pub fn add(&mut self, content: Continuation) -> u64 {
        let number = self.next;
        self.next += 1;
        let place = match self.free.pop() {
            Some(place) => place,
            None => {
                self.places.push(Place {
                    number: 0,
                    content: None,
                });
                self.places.len() as u32 - 1
            }
        };
        self.places[place as usize] = Place {
            number,
            content: Some(content),
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

    /// Consumes a continuation; none if it was consumed before.
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
}

/// An exception instance.
#[derive(Clone, Debug)]
pub(crate) struct ExceptionData {
    /// Store address of the tag.
    pub tag: u32,
    pub payload: Vec<u64>,
    /// Whether a reference to it may be kept somewhere.
    pub shared: bool,
}

/// The exceptions of a store.
#[derive(Debug, Default)]
pub(crate) struct Exceptions {
    list: Vec<ExceptionData>,
    free: Vec<u32>,
}

impl Exceptions {
    pub fn get(&self, place: u32) -> &ExceptionData {
        &self.list[place as usize]
    }

    /// Notes that references to it exist.
    pub fn share(&mut self, place: u32) {
        self.list[place as usize].shared = true;
    }

    /// Adds an exception that no reference points to yet.
    pub fn add(&mut self, tag: u32, payload: &[u64]) -> u32 {
        if let Some(place) = self.free.pop() {
            let data = &mut self.list[place as usize];
            data.tag = tag;
            data.payload.clear();
            data.payload.extend_from_slice(payload);
            data.shared = false;
            return place;
        }
        self.list.push(ExceptionData {
            tag,
            payload: payload.to_vec(),
            shared: false,
        });
        self.list.len() as u32 - 1
    }

    /// Reclaims an exception that was caught, unless a reference to it exists.
    pub fn caught(&mut self, place: u32) {
        if !self.list[place as usize].shared {
            self.free.push(place);
        }
    }
}
