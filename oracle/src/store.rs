//! The embedder's side of the store: [`Store`], access to it, and calls across the
//! boundary (specification: "Embedding").
//!
//! This is the only place where the host's stack grows: a host function that calls into
//! Wasm again runs a dispatch loop of its own, on a root stack of its own. That root is the
//! barrier which no suspension and no switch crosses.

use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::checks::Owner;
use crate::config::Engine;
use crate::coverage::{Executions, FunctionCoverage};
use crate::error::{Error, Exception, Exhausted, Trap};
use crate::exec::Step;
use crate::externs::{Func, Tag};
use crate::instance::Instance;
use crate::machine::{FuncKind, HostCall, Machine, Stop};
use crate::trace::{Event, EventKind};
use crate::types::ValType;
use crate::value::{ContRef, Val};

/// Tells the handles of one store from those of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct StoreId(u64);

/// A host function.
pub(crate) type HostFunc<T> = Rc<dyn Fn(Caller<'_, T>, &[Val], &mut [Val]) -> Result<(), Error>>;

/// Everything that instances share, and the embedder's own data.
///
/// A store is used by one thread. It stays usable whatever happens in it: after a trap, an
/// exception, an unhandled suspension or an exhausted limit. What was consumed or written
/// until then remains so.
pub struct Store<T> {
    pub(crate) id: StoreId,
    pub(crate) engine: Engine,
    pub(crate) machine: Machine,
    pub(crate) host: Vec<HostFunc<T>>,
    data: T,
}

impl<T> Store<T> {
    /// An empty store.
    pub fn new(engine: &Engine, data: T) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Store {
            id: StoreId(NEXT.fetch_add(1, Ordering::Relaxed)),
            engine: engine.clone(),
            machine: Machine::new(engine.config()),
            host: Vec::new(),
            data,
        }
    }

    /// The engine it belongs to.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The embedder's data.
    pub fn data(&self) -> &T {
        &self.data
    }

    /// The embedder's data, to be changed.
    pub fn data_mut(&mut self) -> &mut T {
        &mut self.data
    }

    /// Takes the events recorded since the last time; none unless
    /// [`Config::trace`](crate::Config::trace) is on.
    pub fn take_trace(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.machine.trace)
    }

    /// Which instructions of a function were executed; none unless
    /// [`Config::coverage`](crate::Config::coverage) is on and the function is the
    /// module's own. `function` is the index in the module.
    ///
    /// # Panics
    ///
    /// If the instance belongs to another store.
    pub fn coverage(&self, instance: Instance, function: u32) -> Option<FunctionCoverage> {
        self.check(instance.store);
        FunctionCoverage::of(&self.machine, instance.index, function)
    }

    /// Takes how often the instructions of an instance's functions were executed since the
    /// last time, ordered by event, function and offset; nothing unless
    /// [`Config::counts`](crate::Config::counts) is on. To be called before
    /// [`take_trace`](Store::take_trace), so that the events are those of that trace.
    ///
    /// # Panics
    ///
    /// If the instance belongs to another store.
    pub fn take_counts(&mut self, instance: Instance) -> Vec<Executions> {
        self.check(instance.store);
        Executions::take(&mut self.machine, instance.index)
    }

    /// Whether a continuation was consumed.
    ///
    /// # Panics
    ///
    /// If it belongs to another store.
    pub fn is_consumed(&self, cont: ContRef) -> bool {
        self.check(cont.store);
        self.machine.continuations.get(cont.word).is_none()
    }

    pub(crate) fn check(&self, id: StoreId) {
        assert!(self.id == id, "a handle was used with another store");
    }

    /// Reads values from consecutive slots of the running stack.
    fn read_values(&self, types: &[ValType], mut at: usize) -> Vec<Val> {
        let slots = &self.machine.values;
        types
            .iter()
            .map(|&ty| {
                let high = slots.get(at + 1).copied().unwrap_or(0);
                let value = Val::from_slots(&self.machine, self.id, ty, [slots[at], high]);
                at += ty.slots() as usize;
                value
            })
            .collect()
    }

    /// Writes values to consecutive slots of the running stack.
    fn write_values(
        &mut self,
        types: &[ValType],
        values: &[Val],
        mut at: usize,
    ) -> Result<(), Error> {
        if types.len() != values.len() {
            return Err(Error::Link(format!(
                "{} values where {} are expected",
                values.len(),
                types.len()
            )));
        }
        for (&ty, value) in types.iter().zip(values) {
            let Some(slots) = value.to_slots(&self.machine, self.id, ty) else {
                return Err(Error::Link(format!("{value:?} is not of type {ty}")));
            };
            let width = ty.slots() as usize;
            self.machine.values[at..at + width].copy_from_slice(&slots[..width]);
            at += width;
        }
        Ok(())
    }

    /// Calls a function from the host, on a root stack of its own.
    pub(crate) fn call(&mut self, addr: u32, args: &[Val]) -> Result<Vec<Val>, Error> {
        let func = &self.machine.funcs[addr as usize];
        let slots = func.param_slots.max(func.result_slots) as usize;
        let ty = self.machine.types.func(func.ty);
        self.enter(slots, |store| {
            store.write_values(ty.params(), args, 0)?;
            let step = store.machine.start(addr);
            store.run(step)?;
            Ok(store.read_values(ty.results(), 0))
        })
    }

    /// Runs `f` with a new root stack of at least `slots` slots, and gives up whatever is
    /// left of it and of the stacks mounted on it.
    pub(crate) fn enter<R>(
        &mut self,
        slots: usize,
        f: impl FnOnce(&mut Self) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let m = &mut self.machine;
        if m.entries >= m.limits.host_entries {
            return Err(Error::Exhausted(Exhausted::CallStack));
        }
        let (outer, chain, depth) = (m.current, m.chain, m.depth);
        m.outer.extend(outer);
        m.park();
        let root = m.stacks.allocate(Owner::Running);
        m.activate(root);
        m.chain = 1;
        m.entries += 1;
        let result = match m.reserve(slots) {
            Ok(()) => f(self),
            Err(_) => Err(Error::Exhausted(Exhausted::CallStack)),
        };
        let m = &mut self.machine;
        m.abandon();
        m.check_owners();
        m.entries -= 1;
        m.chain = chain;
        m.depth = depth;
        if let Some(outer) = outer {
            m.outer.pop();
            m.activate(outer);
        }
        result
    }

    /// Executes until the host's call is finished; `step` is the outcome of its start.
    pub(crate) fn run(&mut self, mut step: Step) -> Result<(), Error> {
        loop {
            let stop = match step {
                Ok(()) => self.machine.execute(),
                Err(stop) => stop,
            };
            step = match stop {
                Stop::Done => return Ok(()),
                Stop::Host => self.call_host()?,
                stop => return Err(self.stopped(stop)),
            };
        }
    }

    /// The error for a stop that ends the host's call.
    pub(crate) fn stopped(&mut self, stop: Stop) -> Error {
        match stop {
            Stop::Trap(kind) => {
                let m = &mut self.machine;
                let location = m.location();
                if m.tracing {
                    m.trace.push(Event {
                        kind: EventKind::Trap { kind },
                        at: location,
                    });
                }
                Error::Trap(Trap { kind, location })
            }
            Stop::Exhausted(what) => Error::Exhausted(what),
            Stop::Suspended(tag) => Error::Suspended(Tag {
                store: self.id,
                addr: tag,
            }),
            Stop::Threw(exn) => {
                let data = self.machine.exceptions.get(exn).clone();
                self.machine.exceptions.caught(exn);
                let types = self.machine.tags[data.tag as usize].ty.params.clone();
                let mut slots = data.payload.as_slice();
                let payload = types
                    .iter()
                    .map(|&ty| {
                        let high = slots.get(1).copied().unwrap_or(0);
                        let value = Val::from_slots(&self.machine, self.id, ty, [slots[0], high]);
                        slots = &slots[ty.slots() as usize..];
                        value
                    })
                    .collect();
                Error::Exception(Exception {
                    tag: Tag {
                        store: self.id,
                        addr: data.tag,
                    },
                    payload,
                })
            }
            Stop::Done | Stop::Host | Stop::Grow(_) | Stop::Collect | Stop::Throw(_) => {
                unreachable!("these do not end a call")
            }
        }
    }

    /// Calls the host function that execution stopped for, and goes on after it. The
    /// outer error ends the host's call, the inner one is another stop.
    fn call_host(&mut self) -> Result<Step, Error> {
        let HostCall {
            addr,
            base,
            returns,
        } = self.machine.host_call;
        let func = &self.machine.funcs[addr as usize];
        let FuncKind::Host(index) = func.kind else {
            unreachable!("only host functions stop execution")
        };
        let slots = func.param_slots.max(func.result_slots) as usize;
        let ty = self.machine.types.func(func.ty);
        if let Err(stop) = self.machine.reserve(base + slots) {
            return Err(self.stopped(stop));
        }
        let args = self.read_values(ty.params(), base);
        if self.machine.tracing {
            let values = self
                .machine
                .trace_values(ty.params(), &self.machine.values[base..]);
            self.machine.record(EventKind::HostCall {
                function: addr,
                values,
            });
        }
        let mut results: Vec<Val> = ty
            .results()
            .iter()
            .map(|&t| Val::default_of(t).unwrap_or_else(|| Val::null_of(t)))
            .collect();
        let host = self.host[index as usize].clone();
        match host(Caller { store: self }, &args, &mut results) {
            Ok(()) => {}
            Err(Error::Exception(exception)) => {
                let exn = self.adopt(&exception)?;
                return Ok(self.machine.unwind(exn));
            }
            Err(error) => return Err(error),
        }
        self.write_values(ty.results(), &results, base)?;
        if self.machine.tracing {
            let values = self
                .machine
                .trace_values(ty.results(), &self.machine.values[base..]);
            self.machine.record(EventKind::HostReturn {
                function: addr,
                values,
            });
        }
        Ok(if returns {
            self.machine.return_from_host()
        } else {
            Ok(())
        })
    }

    /// The exception instance for one that a host function throws.
    fn adopt(&mut self, exception: &Exception) -> Result<u32, Error> {
        self.check(exception.tag.store);
        let tag = exception.tag.addr;
        let types = self.machine.tags[tag as usize].ty.params.clone();
        let mut payload = Vec::new();
        if types.len() != exception.payload.len() {
            return Err(Error::Link(
                "an exception's payload does not fit its tag".into(),
            ));
        }
        for (&ty, value) in types.iter().zip(&exception.payload) {
            let Some(slots) = value.to_slots(&self.machine, self.id, ty) else {
                return Err(Error::Link(
                    "an exception's payload does not fit its tag".into(),
                ));
            };
            payload.extend_from_slice(&slots[..ty.slots() as usize]);
        }
        Ok(self.machine.exceptions.add(tag, &payload))
    }

    pub(crate) fn func(&self, addr: u32) -> Func {
        Func {
            store: self.id,
            addr,
        }
    }
}

impl<T: std::fmt::Debug> std::fmt::Debug for Store<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("id", &self.id)
            .field("data", &self.data)
            .finish_non_exhaustive()
    }
}

/// Read access to a store.
pub trait AsContext {
    /// The embedder's data.
    type Data;

    /// The store.
    fn as_context(&self) -> &Store<Self::Data>;
}

/// Full access to a store.
pub trait AsContextMut: AsContext {
    /// The store.
    fn as_context_mut(&mut self) -> &mut Store<Self::Data>;
}

impl<T> AsContext for Store<T> {
    type Data = T;

    fn as_context(&self) -> &Store<T> {
        self
    }
}

impl<T> AsContextMut for Store<T> {
    fn as_context_mut(&mut self) -> &mut Store<T> {
        self
    }
}

impl<C: AsContext> AsContext for &C {
    type Data = C::Data;

    fn as_context(&self) -> &Store<C::Data> {
        C::as_context(self)
    }
}

impl<C: AsContext> AsContext for &mut C {
    type Data = C::Data;

    fn as_context(&self) -> &Store<C::Data> {
        C::as_context(self)
    }
}

impl<C: AsContextMut> AsContextMut for &mut C {
    fn as_context_mut(&mut self) -> &mut Store<C::Data> {
        C::as_context_mut(self)
    }
}

/// What a host function gets to reach the store it was called from.
#[derive(Debug)]
pub struct Caller<'a, T> {
    store: &'a mut Store<T>,
}

impl<T> Caller<'_, T> {
    /// The embedder's data.
    pub fn data(&self) -> &T {
        self.store.data()
    }

    /// The embedder's data, to be changed.
    pub fn data_mut(&mut self) -> &mut T {
        self.store.data_mut()
    }
}

impl<T> AsContext for Caller<'_, T> {
    type Data = T;

    fn as_context(&self) -> &Store<T> {
        self.store
    }
}

impl<T> AsContextMut for Caller<'_, T> {
    fn as_context_mut(&mut self) -> &mut Store<T> {
        self.store
    }
}
