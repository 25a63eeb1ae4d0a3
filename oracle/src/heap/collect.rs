//! Reclaiming what no reference can reach: objects, exceptions, and suspended
//! continuations with their stacks. Cycles through all of them included.
//!
//! Mark and sweep, nothing moves. Slots of stacks have no types at run time, so a word in
//! one that looks like a reference counts as one (references carry bit patterns that
//! ordinary numbers hardly have); everywhere else the types are known. What the host was
//! given stays alive as long as the store, for the host's handles are not counted.

use crate::code::Instr;
use crate::error::Exhausted;
use crate::exec::Step;
use crate::exec::ops::Op;
use crate::machine::{Machine, NOWHERE, Stop};
use crate::stacks::StackId;
use crate::types::registry::{Composite, Storage};
use crate::types::{HeapType, ValType};
use crate::value::{AnyWord, NULL, exn_place, is_object_word, word_any, word_exn, word_object};

/// Slots that may be allocated before a collection is worth its time.
const LEAST: u64 = 1 << 20;

/// What a continuation counts for, beside the slots of its stacks.
const CONTINUATION_COST: u64 = 32;

/// What a collection still has to look at.
#[derive(Debug, Default)]
struct Grey {
    objects: Vec<u32>,
    exceptions: Vec<u32>,
    /// Continuations, by their innermost stacks.
    stacks: Vec<StackId>,
}

impl Machine {
    /// Slots of all structures, arrays and exceptions.
    pub fn heap_slots(&self) -> u64 {
        self.objects.slots() + self.exceptions.cost()
    }

    /// What the heap counts for at the moment.
    fn heap_cost(&self) -> u64 {
        self.heap_slots()
            + self.continuations.alive() as u64 * CONTINUATION_COST
            + self.stacks.slots
    }

    /// What an instruction does before it allocates, and before it does anything else that
    /// can be seen. It asks for a collection, after which it is executed again, if the heap
    /// has doubled since the last one, or if `full` says that there is no room; without room
    /// after the collection, `what` is exhausted.
    #[inline(always)]
    pub fn before_allocation(&mut self, what: Exhausted, full: impl Fn(&Self) -> bool) -> Step {
        let collected = std::mem::take(&mut self.collected);
        if full(self) {
            return Err(if collected {
                Stop::Exhausted(what)
            } else {
                Stop::Collect
            });
        }
        if !collected && self.should_collect() {
            return Err(Stop::Collect);
        }
        Ok(())
    }

    fn should_collect(&mut self) -> bool {
        self.allocations += 1;
        if self.allocations < 1024 && !self.collect_always {
            return false;
        }
        self.allocations = 0;
        self.collect_always || self.heap_cost() > self.collect_above.max(LEAST)
    }

    /// Reclaims what cannot be reached.
    ///
    /// Everything that a running instruction still needs has to be in a slot, and the running
    /// stack's values in the machine.
    #[cold]
    pub fn collect(&mut self) {
        let mut grey = Grey::default();
        self.mark_roots(&mut grey);
        loop {
            if let Some(place) = grey.objects.pop() {
                self.mark_fields(place, &mut grey);
            } else if let Some(place) = grey.exceptions.pop() {
                self.mark_payload(place, &mut grey);
            } else if let Some(stack) = grey.stacks.pop() {
                self.mark_chain(stack, &mut grey);
            } else {
                break;
            }
        }
        self.objects.sweep();
        self.exceptions.sweep();
        for cont in self.continuations.sweep() {
            let mut next = Some(cont.innermost);
            while let Some(stack) = next {
                next = self.stacks.get(stack).parent;
                self.stacks.release(stack);
            }
        }
        self.collect_above = 2 * self.heap_cost();
    }

    fn mark_roots(&mut self, grey: &mut Grey) {
        for place in self.objects.pinned() {
            self.mark_object(place, grey);
        }
        for place in self.exceptions.pinned() {
            self.mark_exception(place, grey);
        }
        for word in self.continuations.pinned() {
            self.mark_continuation(word, grey);
        }
        for index in 0..self.globals.len() {
            let global = &self.globals[index];
            let (ty, word) = (global.ty.content, global.value[0]);
            self.mark_value(ty, word, grey);
        }
        for index in 0..self.tables.len() {
            let ty = ValType::Ref(self.tables[index].ty.element);
            let words = std::mem::take(&mut self.tables[index].elements);
            self.mark_all(ty, &words, grey);
            self.tables[index].elements = words;
        }
        for index in 0..self.instances.len() {
            for segment in 0..self.instances[index].elements.len() {
                // A segment's references are few; looking at their patterns will do.
                let words = std::mem::take(&mut self.instances[index].elements[segment]);
                self.mark_words(&words, grey);
                self.instances[index].elements[segment] = words;
            }
        }
        let values = std::mem::take(&mut self.values);
        let used = self.used(self.instance, self.pc, self.fp, values.len());
        self.mark_words(&values[..used], grey);
        self.values = values;
        // The running stack rests empty in its place, so that its chain can be walked too.
        grey.stacks.extend(self.current);
        for index in 0..self.outer.len() {
            grey.stacks.push(self.outer[index]);
        }
    }

    /// Looks at a stack and those it was resumed on.
    fn mark_chain(&mut self, innermost: StackId, grey: &mut Grey) {
        let mut next = Some(innermost);
        while let Some(id) = next {
            let stack = self.stacks.get_mut(id);
            next = stack.parent;
            let values = std::mem::take(&mut stack.values);
            let (instance, pc, fp) = (stack.instance, stack.pc, stack.fp);
            let used = self.used(instance, pc, fp, values.len());
            self.mark_words(&values[..used], grey);
            self.stacks.get_mut(id).values = values;
        }
    }

    /// The slots of a stack that its frames have, of `len` that are there; what lies above them, functions that have returned
    /// left behind. `pc`, `fp` and `instance` are where its innermost frame goes on. A stack without a frame of Wasm code has
    /// them all.
    fn used(&self, instance: u32, pc: usize, fp: usize, len: usize) -> usize {
        if instance == NOWHERE {
            return len;
        }
        let code = &self.instances[instance as usize].module.code;
        let Some(body) = pc.checked_sub(1).and_then(|pc| code.body_at(pc)) else {
            return len;
        };
        match code.instrs[body.start as usize] {
            Instr {
                op: Op::Enter, c, ..
            } => len.min(fp + c as usize),
            _ => len,
        }
    }

    fn mark_fields(&mut self, place: u32, grey: &mut Grey) {
        let ty = self.objects.get(place).ty;
        let def = self.types.shared(ty);
        let slots = std::mem::take(&mut self.objects.get_mut(place).slots);
        match &def.sub.composite {
            Composite::Array(field) => {
                if let Storage::Val(ty) = field.storage {
                    self.mark_all(ty, &slots, grey);
                }
            }
            Composite::Struct(fields) => {
                let mut at = 0;
                for field in fields.iter() {
                    if let Storage::Val(ty) = field.storage {
                        self.mark_value(ty, slots[at], grey);
                        at += ty.slots() as usize;
                    } else {
                        at += 1;
                    }
                }
            }
            Composite::Func { .. } | Composite::Cont(_) => {
                unreachable!("objects are structures and arrays")
            }
        }
        self.objects.get_mut(place).slots = slots;
    }

    fn mark_payload(&mut self, place: u32, grey: &mut Grey) {
        let data = self.exceptions.get(place);
        let types = self.tags[data.tag as usize].ty.params.clone();
        let payload = data.payload.clone();
        let mut at = 0;
        for &ty in types.iter() {
            self.mark_value(ty, payload[at], grey);
            at += ty.slots() as usize;
        }
    }

    fn mark_all(&mut self, ty: ValType, words: &[u64], grey: &mut Grey) {
        if matches!(ty, ValType::Ref(_)) {
            for &word in words {
                self.mark_value(ty, word, grey);
            }
        }
    }

    /// A value of a known type.
    fn mark_value(&mut self, ty: ValType, word: u64, grey: &mut Grey) {
        let ValType::Ref(ty) = ty else { return };
        if word == NULL {
            return;
        }
        match ty.heap.top() {
            HeapType::Func => {}
            HeapType::Cont => self.mark_continuation(word, grey),
            HeapType::Exn => self.mark_exception(word_exn(word), grey),
            _ => {
                if let AnyWord::Object(place) = word_any(word) {
                    self.mark_object(place, grey);
                }
            }
        }
    }

    /// Words of unknown types: whatever looks like a reference is one.
    fn mark_words(&mut self, words: &[u64], grey: &mut Grey) {
        for &word in words {
            if word == NULL {
                continue;
            }
            if is_object_word(word) {
                self.mark_object(word_object(word), grey);
            } else if let Some(place) = exn_place(word) {
                self.mark_exception(place, grey);
            } else {
                self.mark_continuation(word, grey);
            }
        }
    }

    fn mark_object(&mut self, place: u32, grey: &mut Grey) {
        if let Some(object) = self.objects.find(place)
            && !object.marked
        {
            object.marked = true;
            grey.objects.push(place);
        }
    }

    fn mark_exception(&mut self, place: u32, grey: &mut Grey) {
        if self.exceptions.mark(place) {
            grey.exceptions.push(place);
        }
    }

    fn mark_continuation(&mut self, word: u64, grey: &mut Grey) {
        if let Some(cont) = self.continuations.mark(word) {
            grey.stacks.push(cont);
        }
    }
}
