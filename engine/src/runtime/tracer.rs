//! Recording events.
//!
//! Compiled code calls the `trace_*` functions only when it was compiled with tracing: each site passes the address of its
//! [`TraceSite`] and where its values lie. Events that the runtime itself brings about (unwinding, host calls, traps) are
//! recorded through [`StoreInner::record`].

use super::exn::ExnObject;
use super::fiber::ClauseKind;
use super::heap::object::{AnyWord, Header, STRUCT};
use super::layout::{FuncRef, ValRaw, VmStore, VmTag};
use super::store::StoreInner;
use super::switch::find_handler;
use crate::error::Location;
pub(crate) use crate::trace::EventKind;
use crate::trace::{Event, Value};
use crate::types::{HeapTop, ValType};
use std::collections::HashMap;

/// An instruction that records an event, and the types of the values that it records.
#[derive(Debug)]
pub(crate) struct TraceSite {
    pub location: Location,
    pub types: Box<[ValType]>,
}

/// The events so far, and the numbers of the continuations behind references.
pub(crate) struct Tracer {
    events: Vec<Event>,
    /// Events and values that may still be recorded, and as many again after each [`take`](Self::take).
    room: usize,
    limit: usize,
    /// Whether an event was left out for want of room.
    overflowed: bool,
    /// References never repeat (slot and generation), so consumed ones keep their number.
    numbers: HashMap<u64, u64>,
    next: u64,
}

impl Tracer {
    pub fn new(limit: usize) -> Self {
        Tracer {
            events: Vec::new(),
            room: limit,
            limit,
            overflowed: false,
            numbers: HashMap::new(),
            next: 0,
        }
    }

    fn push(&mut self, event: Event) {
        match self.room.checked_sub(1 + event.kind.values().len()) {
            Some(room) if !self.overflowed => {
                self.room = room;
                self.events.push(event);
            }
            _ => self.overflowed = true,
        }
    }

    pub fn take(&mut self) -> Vec<Event> {
        self.room = self.limit;
        self.overflowed = false;
        std::mem::take(&mut self.events)
    }

    /// The number of the continuation behind a reference.
    pub fn number(&self, word: u64) -> Option<u64> {
        self.numbers.get(&word).copied()
    }

    fn allocate(&mut self, word: u64) -> u64 {
        let number = self.next;
        self.next += 1;
        self.numbers.insert(word, number);
        number
    }
}

impl StoreInner {
    /// Records an event, when tracing.
    pub(crate) fn record(&mut self, kind: EventKind, at: Option<Location>) {
        if let Some(tracer) = &mut self.tracer {
            tracer.push(Event { kind, at });
        }
    }

    /// Whether an event could not be recorded. The functions that stubs call look at this, and end the activation; so no
    /// program goes on for long without being recorded.
    pub(crate) fn trace_overflowed(&self) -> bool {
        self.tracer.as_ref().is_some_and(|tracer| tracer.overflowed)
    }

    /// Records an event that carries values, when tracing. `values` may be longer than `types`.
    pub(crate) fn record_values(
        &mut self,
        types: &[ValType],
        values: &[ValRaw],
        event: impl FnOnce(Vec<Value>) -> EventKind,
    ) {
        if self.tracer.is_some() {
            let values = types
                .iter()
                .zip(values)
                .map(|(ty, raw)| self.value(ty, *raw))
                .collect();
            self.record(event(values), None);
        }
    }

    /// A value as events show it.
    pub(crate) fn value(&self, ty: &ValType, raw: ValRaw) -> Value {
        let top = match ty {
            ValType::I32 => return Value::I32(raw.lo as i32),
            ValType::I64 => return Value::I64(raw.lo as i64),
            ValType::F32 => return Value::F32(raw.lo as u32),
            ValType::F64 => return Value::F64(raw.lo),
            ValType::V128 => return Value::V128(raw.bits()),
            ValType::Ref(reference) => reference.heap.top(),
        };
        match (raw.lo, top) {
            (0, _) => Value::Null,
            // SAFETY: a function word that is not null is a function of this store.
            (word, HeapTop::Func) => Value::Func(unsafe { self.func_ref(word) }.address),
            (word, HeapTop::Extern | HeapTop::Any) => self.any_value(word),
            (word, HeapTop::Exn) => Value::Exn(super::exn::tag_address(word)),
            (word, HeapTop::Cont) => {
                let number = self.tracer.as_ref().and_then(|tracer| tracer.number(word));
                Value::Cont(number.expect("every continuation has got a number"))
            }
        }
    }

    /// A word of the `any` or `extern` hierarchy that is not null, as events show it.
    fn any_value(&self, word: u64) -> Value {
        match AnyWord::decode(word) {
            AnyWord::I31(value) => Value::I31(value),
            AnyWord::Host(index) => Value::Extern(self.externs[index]),
            AnyWord::Object(object) => {
                // SAFETY: a word that somebody holds is an object of this store.
                let Header { type_id, length } = unsafe { *object };
                let index = self.types.declaration(type_id).index();
                if length == STRUCT {
                    Value::Struct(index)
                } else {
                    Value::Array(index)
                }
            }
        }
    }

    /// Number of stacks of the running chain.
    fn depth(&self) -> u32 {
        let mut depth = 1;
        let mut fiber = self.vm.current;
        while !fiber.is_null() {
            depth += 1;
            // SAFETY: the chain consists of valid headers.
            fiber = unsafe { (*fiber).parent };
        }
        depth
    }

    fn number(&self, word: u64) -> u64 {
        self.tracer
            .as_ref()
            .and_then(|tracer| tracer.number(word))
            .expect("every continuation has got a number")
    }

    fn allocate_number(&mut self, word: u64) -> u64 {
        self.tracer
            .as_mut()
            .expect("compiled code traces")
            .allocate(word)
    }

    /// # Safety
    /// `values` holds values of the site's types.
    unsafe fn site_values(&self, site: &TraceSite, values: *const ValRaw) -> Vec<Value> {
        // SAFETY: the caller's promise.
        let raw = unsafe { std::slice::from_raw_parts(values, site.types.len()) };
        site.types
            .iter()
            .zip(raw)
            .map(|(ty, raw)| self.value(ty, *raw))
            .collect()
    }

    /// Store address and payload of the exception behind a word that is not null.
    ///
    /// # Safety
    /// `word` is an exception of this store.
    unsafe fn exception(&self, word: u64) -> (u32, Vec<Value>) {
        // SAFETY: the caller's promise; tags live as long as the store.
        let (payload, tag) = unsafe {
            let exn = word as *const ExnObject;
            (ExnObject::payload(exn), self.tag((*exn).tag))
        };
        let values = tag
            .ty
            .ty()
            .params()
            .iter()
            .zip(payload)
            .map(|(ty, raw)| self.value(ty, *raw))
            .collect();
        (tag.vm.address, values)
    }
}

/// Number of stacks of a captured continuation.
///
/// # Safety
/// `word` names a continuation that is not consumed.
unsafe fn captured_depth(store: &StoreInner, word: u64) -> u32 {
    let (outermost, good) = store.stacks.lookup(word);
    debug_assert!(good);
    // SAFETY: the chain of a captured continuation consists of valid headers.
    let mut fiber = unsafe { (*outermost).innermost };
    let mut depth = 1;
    while fiber != outermost {
        depth += 1;
        // SAFETY: as above.
        fiber = unsafe { (*fiber).parent };
    }
    depth
}

/// # Safety
/// `vm` is a store whose code runs and waits for the runtime function that calls this.
unsafe fn store<'a>(vm: *mut VmStore) -> &'a mut StoreInner {
    // SAFETY: the caller's promise.
    unsafe { &mut *vm.cast::<StoreInner>() }
}

// All functions below are called by compiled code of the store, with a site of its module and the operands of the site's
// instruction; that is what each SAFETY comment refers to as the contract.

/// `cont.new` made `word`.
pub(crate) unsafe extern "C" fn trace_new(
    vm: *mut VmStore,
    site: *const TraceSite,
    word: u64,
    func: *const FuncRef,
) {
    // SAFETY: the contract.
    let (store, site, function) = unsafe { (store(vm), &*site, (*func).address) };
    let cont = store.allocate_number(word);
    store.record(EventKind::New { cont, function }, Some(site.location));
}

/// `cont.bind` turned `from` into `to`.
pub(crate) unsafe extern "C" fn trace_bind(
    vm: *mut VmStore,
    site: *const TraceSite,
    from: u64,
    to: u64,
    values: *const ValRaw,
) {
    // SAFETY: the contract.
    let (store, site) = unsafe { (store(vm), &*site) };
    // SAFETY: the contract.
    let values = unsafe { store.site_values(site, values) };
    let (from, to) = (store.number(from), store.allocate_number(to));
    store.record(EventKind::Bind { from, to, values }, Some(site.location));
}

/// `resume` is about to run `word`.
pub(crate) unsafe extern "C" fn trace_resume(
    vm: *mut VmStore,
    site: *const TraceSite,
    word: u64,
    values: *const ValRaw,
) {
    // SAFETY: the contract.
    let (store, site) = unsafe { (store(vm), &*site) };
    // SAFETY: the contract; the reference was checked.
    let (values, depth) = unsafe {
        (
            store.site_values(site, values),
            store.depth() + captured_depth(store, word),
        )
    };
    let cont = store.number(word);
    store.record(
        EventKind::Resume {
            cont,
            values,
            depth,
        },
        Some(site.location),
    );
}

/// `resume_throw` or `resume_throw_ref` is about to raise `exception` in `word`.
pub(crate) unsafe extern "C" fn trace_resume_throw(
    vm: *mut VmStore,
    site: *const TraceSite,
    word: u64,
    exception: u64,
) {
    // SAFETY: the contract.
    let (store, site) = unsafe { (store(vm), &*site) };
    // SAFETY: the contract; the references were checked.
    let ((tag, values), depth) = unsafe {
        (
            store.exception(exception),
            store.depth() + captured_depth(store, word),
        )
    };
    let cont = store.number(word);
    store.record(
        EventKind::ResumeThrow {
            cont,
            tag,
            values,
            depth,
        },
        Some(site.location),
    );
}

/// `suspend` (when `target` is 0) or `switch` to `target` is about to happen. The search for the handler changes nothing, so
/// it is simply done here as well.
pub(crate) unsafe extern "C" fn trace_suspend(
    vm: *mut VmStore,
    site: *const TraceSite,
    tag: *const VmTag,
    target: u64,
    values: *const ValRaw,
) {
    // SAFETY: the contract.
    let (store, site) = unsafe { (store(vm), &*site) };
    // SAFETY: the contract.
    let (values, address) = unsafe { (store.site_values(site, values), (*tag).address) };
    let kind = if target == 0 {
        ClauseKind::Suspend
    } else {
        ClauseKind::Switch
    };
    // SAFETY: the store's code runs.
    let event = match unsafe { find_handler(&store.vm, tag, kind) } {
        None => EventKind::Unhandled {
            tag: address,
            values,
        },
        Some(handler) => {
            // SAFETY: the handler was found in the running chain.
            let word = unsafe { (*handler.captured).word };
            let target = (target != 0).then(|| store.number(target));
            let (cont, distance) = (store.allocate_number(word), handler.distance);
            match target {
                None => EventKind::Suspend {
                    tag: address,
                    values,
                    cont,
                    distance,
                    clause: handler.clause,
                },
                Some(target) => EventKind::Switch {
                    tag: address,
                    target,
                    values,
                    cont,
                    distance,
                },
            }
        }
    };
    store.record(event, Some(site.location));
}

/// A resume site got results.
pub(crate) unsafe extern "C" fn trace_return(
    vm: *mut VmStore,
    site: *const TraceSite,
    values: *const ValRaw,
) {
    // SAFETY: the contract.
    let (store, site) = unsafe { (store(vm), &*site) };
    // SAFETY: the contract.
    let values = unsafe { store.site_values(site, values) };
    let depth = store.depth();
    store.record(EventKind::Return { values, depth }, None);
}

/// `throw` or `throw_ref` raises `exception`.
pub(crate) unsafe extern "C" fn trace_throw(
    vm: *mut VmStore,
    site: *const TraceSite,
    exception: u64,
) {
    // SAFETY: the contract.
    let (store, site) = unsafe { (store(vm), &*site) };
    // SAFETY: the contract.
    let (tag, values) = unsafe { store.exception(exception) };
    store.record(EventKind::Throw { tag, values }, Some(site.location));
}

/// Clause `clause` of a `try_table` catches `exception`.
pub(crate) unsafe extern "C" fn trace_catch(vm: *mut VmStore, exception: u64, clause: u32) {
    // SAFETY: the contract.
    let store = unsafe { store(vm) };
    let tag = super::exn::tag_address(exception);
    store.record(EventKind::Catch { tag, clause }, None);
}
