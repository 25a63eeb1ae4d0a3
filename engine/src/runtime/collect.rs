//! The collector: which objects and continuations can still be reached, and what becomes of the others.
//!
//! Marking starts from everything that code or the host can name: globals, tables, element segments, the pending exception,
//! handles of the host, and every stack of every activation that has not ended. Stacks are read conservatively: each
//! aligned word that, taken for an address, lies in an object keeps that object, and each that is a continuation's present
//! reference keeps that continuation. No stack map is needed, and optimised code may keep nothing but the address of a field. Objects
//! are read precisely, by their types.
//!
//! A captured continuation that is reached makes the stacks of its chain part of what is read. One that is not is given back to the
//! pool, with its objects: so a cycle of an object and a continuation goes, which no count of references would see.
//!
//! What a word on a stack happens to keep alive must never show in a result. It does not: nothing in Wasm can tell whether an
//! unreachable thing is still there, and the limits that can be reached sooner or later by it end a call as `Exhausted`, which is
//! no result to compare.

use super::exn::ExnObject;
use super::fiber::{Fiber, SLOT_MASK, State};
use super::heap::Heap;
use super::heap::object::{EXCEPTION, Header, STRUCT};
use super::layout::{ValRaw, VmStore};
use super::stacks::{PAGE, StackPool};
use super::store::StoreInner;
use crate::error::Exhaustion;
use crate::planted::planted;
use crate::types::shape::Shape;
use crate::types::{HeapTop, RefType, TypeRegistry, ValType};
use std::arch::asm;

/// Bytes that are allocated before the first collection, and at least between two.
const MIN_BYTES: usize = 1 << 20;

/// Stacks that may be in use before the first collection, and before the one after any other.
pub(crate) const MIN_STACKS: usize = 512;

/// When to collect.
#[derive(Debug)]
pub(crate) struct Pace {
    /// Collect at every so manieth allocation or switch; 0: only when it is time.
    zeal: u32,
    until_zeal: u32,
    /// Bytes that may be taken before the next collection. (For stacks it is [`VmStore::stacks_left`].)
    bytes: usize,
    /// Whether nothing may be collected now, because references are where the collector does not look.
    pub paused: bool,
    pub collections: u64,
}

impl Pace {
    pub fn new(zeal: u32) -> Pace {
        Pace {
            zeal,
            until_zeal: zeal,
            bytes: MIN_BYTES,
            paused: false,
            collections: 0,
        }
    }
}

impl StoreInner {
    /// An allocation or a switch is about to happen: collects if the configuration's zeal says so. `words` are references that
    /// the caller holds and will use.
    #[inline]
    pub(crate) fn collection_point(&mut self, words: &[u64]) {
        if self.pace.zeal != 0 {
            self.pace.until_zeal -= 1;
            if self.pace.until_zeal == 0 {
                self.pace.until_zeal = self.pace.zeal;
                self.collect(words);
            }
        }
    }

    /// An object with all fields zero. Collects first if it is time to, or if there is no room otherwise.
    ///
    /// # Errors
    /// What ran out.
    pub(crate) fn allocate_object(
        &mut self,
        header: Header,
        bytes: u64,
    ) -> Result<*mut Header, Exhaustion> {
        self.collection_point(&[]);
        let size = usize::try_from(bytes).map_err(|_| Exhaustion::Heap)?;
        match self.pace.bytes.checked_sub(size) {
            Some(left) => self.pace.bytes = left,
            None => {
                self.collect(&[]);
                self.pace.bytes = self.pace.bytes.saturating_sub(size);
            }
        }
        if header.type_id == EXCEPTION {
            let limit = self.engine.config().limits.exceptions as usize;
            if self.heap.live_exceptions() >= limit {
                self.collect(&[]);
                if self.heap.live_exceptions() >= limit {
                    return Err(Exhaustion::Exceptions);
                }
            }
        }
        if let Some(object) = self.heap.allocate(header, bytes) {
            return Ok(object);
        }
        self.collect(&[]);
        self.heap.allocate(header, bytes).ok_or(Exhaustion::Heap)
    }

    /// A stack for a new continuation. Collects first if it is time to, or if none is free otherwise.
    pub(crate) fn allocate_stack(&mut self) -> Option<*mut Fiber> {
        self.collection_point(&[]);
        if self.vm.stacks_left == 0 {
            self.collect(&[]);
        }
        if let Some(fiber) = self.stacks.allocate(&mut self.vm) {
            return Some(fiber);
        }
        self.collect(&[]);
        self.stacks.allocate(&mut self.vm)
    }

    /// Frees every object and every captured continuation that cannot be reached. `words` are references to keep beside those that
    /// the store knows of. Nothing happens while collecting is paused.
    #[inline(never)]
    pub(crate) fn collect(&mut self, words: &[u64]) {
        if self.pace.paused {
            return;
        }
        // Compiled code may keep a reference in a register that none of the functions between it and here has saved.
        let mut registers = [0u64; 6];
        let sp: usize;
        // SAFETY: writes six words, which the array has, and reads registers.
        unsafe {
            asm!(
                "mov [{to}], rbx",
                "mov [{to} + 8], rbp",
                "mov [{to} + 16], r12",
                "mov [{to} + 24], r13",
                "mov [{to} + 32], r14",
                "mov [{to} + 40], r15",
                "mov {sp}, rsp",
                to = in(reg) registers.as_mut_ptr(),
                sp = out(reg) sp,
                options(nostack, preserves_flags),
            );
        }
        let mut marker = Marker {
            heap: &mut self.heap,
            types: &self.types,
            stacks: &self.stacks,
            reached: vec![false; self.stacks.used() as usize + 1],
            objects: Vec::new(),
            chains: Vec::new(),
            vm: &self.vm,
        };
        for &word in words.iter().chain(&registers) {
            marker.word(word);
        }
        marker.word(self.vm.pending_exn);
        for global in &self.globals {
            if global.ty.content().as_ref().is_some_and(is_traced) {
                marker.word(global.vm.value.lo);
            }
        }
        for table in self
            .tables
            .iter()
            .filter(|table| is_traced(table.element()))
        {
            if planted!(&self.vm, TablesNotRoots)
                && table.element().heap_type().top() == HeapTop::Cont
            {
                continue;
            }
            table.words().iter().for_each(|&word| marker.word(word));
        }
        for instance in &self.instances {
            for segment in &instance.elements {
                segment.iter().for_each(|&word| marker.word(word));
            }
        }
        self.roots
            .borrow()
            .words()
            .for_each(|word| marker.word(word));
        // SAFETY: the store's code waits for us, or does not run at all; `sp` is the present stack pointer.
        unsafe { marker.activations(self.vm.current, self.vm.activation, sp) };
        marker.drain();

        let reached = marker.reached;
        let poison = self.pace.zeal != 0;
        self.heap.sweep(poison);
        self.sweep_stacks(&reached, poison);
        self.pace.bytes = self.heap.live_bytes().max(MIN_BYTES);
        // Stacks whose continuations end are given back without a collection, so only those in use count.
        let budget = (2 * self.stacks.live(&self.vm)).max(MIN_STACKS);
        self.stacks.set_budget(&mut self.vm, budget);
        self.pace.collections += 1;
    }

    /// Gives back the stacks that were not reached: those of captured continuations, since running stacks always are.
    fn sweep_stacks(&mut self, reached: &[bool], poison: bool) {
        for (slot, &reached) in reached.iter().enumerate().skip(1) {
            let fiber = self.stacks.fiber(slot as u32);
            // SAFETY: a slot that has been used has a header.
            let header = unsafe { &mut *fiber };
            if reached || header.state == State::Free {
                continue;
            }
            // A slot whose generations are used up is not used again.
            if header.consume() {
                // SAFETY: nothing refers to the continuation, and its reference was consumed just now.
                unsafe { self.stacks.release(&mut self.vm, fiber) };
                if poison {
                    // SAFETY: the page below the header is part of this stack, on which nothing will run again.
                    unsafe {
                        std::ptr::write_bytes(
                            (fiber as usize - PAGE) as *mut u8,
                            super::heap::POISON,
                            PAGE,
                        )
                    };
                }
            }
        }
    }
}

/// Whether a reference of this type may refer to something that is collected.
fn is_traced(ty: &RefType) -> bool {
    ty.heap_type().top() != HeapTop::Func
}

/// A collection's marking phase.
struct Marker<'a> {
    heap: &'a mut Heap,
    types: &'a TypeRegistry,
    stacks: &'a StackPool,
    /// By slot: whether the stack runs, or belongs to a continuation that was reached.
    reached: Vec<bool>,
    /// Objects that were marked and not read yet.
    objects: Vec<*mut Header>,
    /// Captured continuations that were reached and not read yet, by their outermost stacks.
    chains: Vec<*mut Fiber>,
    /// Says which bug is planted, if one is.
    vm: &'a VmStore,
}

impl Marker<'_> {
    /// Marks what `word` refers to, whatever kind of reference it may be, or none. It may be two at once: after very many uses
    /// of its stack, a continuation's reference is a number that is an object's address too.
    fn word(&mut self, word: u64) {
        if let Some(place) = self.heap.find(word)
            && self.heap.mark(place)
        {
            self.objects.push(self.heap.object(place));
        }
        let slot = word & SLOT_MASK;
        if slot == 0 || slot >= self.reached.len() as u64 || self.reached[slot as usize] {
            return;
        }
        let (fiber, current) = self.stacks.lookup(word);
        // SAFETY: a slot that has been used has a header.
        let header = unsafe { &*fiber };
        // The words of running stacks, and of others than the outermost of a chain, have not been handed out.
        if current && header.names_continuation() {
            self.reached[slot as usize] = true;
            self.chains.push(fiber);
        }
    }

    fn drain(&mut self) {
        loop {
            if let Some(object) = self.objects.pop() {
                // SAFETY: only objects are marked.
                unsafe { self.object(object) };
            } else if let Some(chain) = self.chains.pop() {
                // SAFETY: only captured continuations are.
                unsafe { self.chain(chain) };
            } else {
                break;
            }
        }
    }

    /// Marks what an object's fields refer to.
    ///
    /// # Safety
    /// `object` is one of the heap.
    unsafe fn object(&mut self, object: *mut Header) {
        // SAFETY: the caller's promise; each field named by the type's shape is a reference inside the object.
        unsafe {
            let Header { type_id, length } = *object;
            if type_id == EXCEPTION {
                return self.exception(object.cast());
            }
            match self.types.shape(type_id) {
                Shape::Struct(_) if planted!(self.vm, StructuresNotTraced) => {}
                Shape::Struct(shape) => {
                    debug_assert_eq!(length, STRUCT);
                    for &offset in &shape.references {
                        self.field(object.byte_add(offset as usize).cast::<u64>().read());
                    }
                }
                Shape::Array(shape) if shape.references => {
                    let base = object.byte_add(shape.base as usize).cast::<u64>();
                    for index in 0..length as usize {
                        self.field(base.add(index).read());
                    }
                }
                Shape::Array(_) => {}
            }
        }
    }

    /// # Safety
    /// `exception` is an object of the heap.
    unsafe fn exception(&mut self, exception: *mut ExnObject) {
        if planted!(self.vm, ExceptionsNotTraced) {
            return;
        }
        // SAFETY: the caller's promise; tags live as long as the store.
        let (tag, values): (_, &[ValRaw]) = unsafe {
            (
                &*(*exception).tag.cast::<super::objects::TagInner>(),
                ExnObject::payload(exception),
            )
        };
        for (ty, value) in tag.ty.ty().params().iter().zip(values) {
            if let ValType::Ref(ty) = ty
                && is_traced(ty)
            {
                self.field(value.lo);
            }
        }
    }

    /// Marks what a field refers to.
    fn field(&mut self, word: u64) {
        debug_assert_ne!(
            word,
            u64::from_ne_bytes([super::heap::POISON; 8]),
            "a reachable field holds what a collected object left behind"
        );
        self.word(word);
    }

    /// Reads the words from `from` to `to`, taking each for a reference.
    ///
    /// # Safety
    /// The range is part of a stack.
    unsafe fn range(&mut self, from: usize, to: usize) {
        debug_assert!(
            from <= to && to - from <= 1 << 30,
            "a stack pointer is on another stack"
        );
        for address in (from.next_multiple_of(8)..to).step_by(8) {
            let word: u64;
            // Not a read of Rust: whatever lies there belongs to other frames, and AddressSanitizer would see it so.
            // SAFETY: the caller's promise.
            unsafe {
                asm!("mov {word}, [{address}]", word = out(reg) word, address = in(reg) address,
                    options(readonly, nostack, preserves_flags));
            }
            self.word(word);
        }
    }

    /// Reads the stacks of a captured continuation. While it is suspended, a stack's context holds the state of its parent, and
    /// the outermost one's that of the innermost.
    ///
    /// # Safety
    /// `outermost` names a captured continuation.
    unsafe fn chain(&mut self, outermost: *mut Fiber) {
        // SAFETY: the stacks of a captured chain are linked from the innermost one to `outermost`, and their contexts are
        // those that stubs have written.
        unsafe {
            let mut sp = (*outermost).context.sp;
            let mut fiber = (*outermost).innermost;
            loop {
                if !planted!(self.vm, InnerStacksCollected) {
                    self.reached[((*fiber).word & SLOT_MASK) as usize] = true;
                }
                let fresh = (*fiber).is_fresh();
                if fresh && planted!(self.vm, BoundNotRoots) {
                    self.range(sp, (*fiber).values as usize);
                } else if fresh || !planted!(self.vm, SuspendedNotSearched) {
                    self.range(sp, fiber as usize);
                }
                if fiber == outermost {
                    break;
                }
                sp = (*fiber).context.sp;
                fiber = (*fiber).parent;
            }
        }
    }

    /// Reads the stacks of all activations that have not ended, innermost first: those of the running chain, then what the
    /// entry's own stack holds of it, down to the host's frames.
    ///
    /// # Safety
    /// `fiber` and `activation` are the store's current ones, and `sp` is the stack pointer.
    unsafe fn activations(
        &mut self,
        mut fiber: *mut Fiber,
        mut activation: *const super::entry::Activation,
        mut sp: usize,
    ) {
        // SAFETY: running stacks are linked outwards, and a stack's context holds its resumer's state. Activations live on
        // the stacks of their entries.
        unsafe {
            let mut forgotten = false;
            while let Some(entry) = activation.as_ref() {
                while !fiber.is_null() {
                    self.reached[((*fiber).word & SLOT_MASK) as usize] = true;
                    if !forgotten {
                        self.range(sp, fiber as usize);
                    }
                    sp = (*fiber).context.sp;
                    fiber = (*fiber).parent;
                }
                self.range(sp, entry.sp);
                (fiber, activation, sp) = (entry.home, entry.previous, entry.sp);
                forgotten = planted!(self.vm, EntryForgetsStack);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::store::AsContextMut;
    use crate::{Config, Engine, Instance, Module, Store};

    #[test]
    fn a_reference_that_is_an_address_too_keeps_its_continuation() {
        let engine = Engine::new(&Config::new()).expect("the engine can be made");
        let mut store = Store::new(&engine, ());
        let wasm = wat::parse_str(
            "(module
               (type $f (func)) (type $k (cont $f)) (type $bytes (array i8))
               (elem declare func $f) (func $f)
               (global $array (mut (ref null $bytes)) (ref.null $bytes))
               (global $cont (mut (ref null $k)) (ref.null $k))
               (func (export \"make\")
                 (global.set $array (array.new_default $bytes (i32.const 0x300000)))
                 (global.set $cont (cont.new $k (ref.func $f)))))",
        )
        .expect("the text is right");
        let module = Module::new(&engine, &wasm).expect("the module compiles");
        let instance = Instance::new(&mut store, &module, &[]).expect("it can be instantiated");
        let make = instance.get_func(&store, "make").expect("it is exported");
        make.call(&mut store, &[], &mut []).expect("it returns");

        let inner = store.inner_mut().0;
        let array = inner.globals[0].vm.value.lo;
        let slot = inner.globals[1].vm.value.lo & SLOT_MASK;
        // What the reference would be after very many uses of the slot: an address in the middle of the array.
        let word = (array + (1 << 20)).next_multiple_of(1 << 20) + slot;
        inner.globals[1].vm.value.lo = word;
        let fiber = inner.stacks.fiber(slot as u32);
        // SAFETY: the slot is in use, and no reference to its header is current.
        unsafe { (*fiber).word = word };
        inner.collect(&[]);
        // SAFETY: as above.
        let state = unsafe { (*fiber).state };
        assert!(matches!(state, State::Fresh), "{state:?}");
        assert_eq!(inner.stacks.live(&inner.vm), 1);
        inner.globals[1].vm.value.lo = 0;
        inner.collect(&[]);
        assert_eq!(inner.stacks.live(&inner.vm), 0);
    }
}
