//! A script, done with an engine.
//!
//! While a store's code runs, the store holds the rest of the world, so that the host function finds everything there.

use super::operation::{Action, Answer, DEPTH, GUESTS, How, Operation, STORES, Script};
use super::reply::{Failure, Reply};
use super::setup::Setup;
use std::sync::Arc;
use switchback_engine::{
    AsContextMut, Caller, Error, Extern, Func, FuncType, Global, Instance, Memory, Module, Store,
    Table, Trap, TrapKind, Val, ValType,
};

/// Does the script, and returns what came of each operation, in the order in which they end.
pub(super) fn observed(script: &Arc<Script>, setup: &Arc<Setup>) -> Vec<Reply> {
    let mut world = Box::new(World {
        script: script.clone(),
        setup: setup.clone(),
        answers: 0,
        stores: [const { Slot::Closed }; STORES],
        inside: Vec::new(),
        replies: Vec::new(),
    });
    for operation in &script.operations {
        (world, _) = perform(world, operation, None::<&mut Caller<'_, Host>>);
    }
    world.replies
}

/// All stores but those whose code runs.
struct World {
    script: Arc<Script>,
    setup: Arc<Setup>,
    /// How many answers the host function has given.
    answers: usize,
    stores: [Slot; STORES],
    /// The stores whose code runs, innermost last.
    inside: Vec<usize>,
    replies: Vec<Reply>,
}

enum Slot {
    Closed,
    Running,
    Open(Store<Host>),
}

/// What a store holds for the host.
#[derive(Default)]
pub(super) struct Host {
    guests: Vec<Guest>,
    /// The rest, while the store's code runs.
    world: Option<Box<World>>,
}

#[derive(Clone, Copy)]
struct Guest {
    memory: Memory,
    kept: Table,
    count: Global,
    error: u32,
    spawn: Func,
    step: Func,
    kill: Func,
    run: Func,
}

/// A store, or what a host function gets of one.
trait Context: AsContextMut<Data = Host> {
    fn host(&mut self) -> &mut Host;
    /// Collects, and says how many stacks are in use, where that is known.
    fn collect(&mut self) -> Option<usize>;
}

impl Context for Store<Host> {
    fn host(&mut self) -> &mut Host {
        self.data_mut()
    }

    fn collect(&mut self) -> Option<usize> {
        self.gc();
        Some(self.live_continuations())
    }
}

impl Context for Caller<'_, Host> {
    fn host(&mut self) -> &mut Host {
        self.data_mut()
    }

    fn collect(&mut self) -> Option<usize> {
        self.gc();
        None
    }
}

/// What came of an operation, with the error that it ended with.
type Ended = (Reply, Option<Error>);

/// Does an operation and notes what comes of it. `caller` is the store whose code runs.
fn perform<C: Context>(
    mut world: Box<World>,
    operation: &Operation,
    caller: Option<&mut C>,
) -> (Box<World>, Ended) {
    let (mut world, ended) = match operation {
        Operation::Open { how } => {
            let reply = world.open(*how);
            (world, (reply, None))
        }
        Operation::Close { store } => {
            let slot = &mut world.stores[usize::from(*store) % STORES];
            let reply = match slot {
                Slot::Open(_) => {
                    *slot = Slot::Closed;
                    Reply::Done
                }
                Slot::Closed | Slot::Running => Reply::Skipped,
            };
            (world, (reply, None))
        }
        Operation::On {
            store,
            guest,
            typed,
            action,
        } => {
            let at = usize::from(*store) % STORES;
            let running = world.inside.last() == Some(&at);
            let on = |world, cx: &mut C| act(world, cx, *guest, *typed, action);
            match (caller, &world.stores[at]) {
                (Some(caller), Slot::Running) if running => {
                    world.inside.push(at);
                    on(world, caller)
                }
                (_, Slot::Open(_)) => {
                    let open = std::mem::replace(&mut world.stores[at], Slot::Running);
                    let Slot::Open(mut store) = open else {
                        unreachable!("it is open")
                    };
                    world.inside.push(at);
                    let (mut world, ended) = act(world, &mut store, *guest, *typed, action);
                    world.stores[at] = Slot::Open(store);
                    (world, ended)
                }
                _ => {
                    world.replies.push(Reply::Skipped);
                    return (world, (Reply::Skipped, None));
                }
            }
        }
    };
    if matches!(operation, Operation::On { .. }) {
        world.inside.pop();
    }
    world.replies.push(ended.0);
    (world, ended)
}

impl World {
    fn open(&mut self, how: How) -> Reply {
        let closed = self
            .stores
            .iter()
            .position(|slot| matches!(slot, Slot::Closed));
        let Some(at) = closed else {
            return Reply::Skipped;
        };
        let mut store = Store::new(&self.setup.engine, Host::default());
        let guest = guest(&mut store, &self.setup, how);
        store.data_mut().guests.push(guest);
        self.stores[at] = Slot::Open(store);
        Reply::Done
    }
}

fn guest<C: Context>(cx: &mut C, setup: &Setup, how: How) -> Guest {
    let ty = FuncType::new([ValType::I32], [ValType::I32]);
    let instance = match how {
        How::Prepared => setup.prepared.instantiate(&mut *cx),
        How::Linked => setup.linker.instantiate(&mut *cx, &setup.module),
        How::Typed => {
            let host = Func::wrap(&mut *cx, called);
            Instance::new(&mut *cx, &setup.module, &[Extern::Func(host)])
        }
        How::Untyped => {
            let host = Func::new(&mut *cx, ty, |caller, arguments, results| {
                let &[Val::I32(value)] = arguments else {
                    unreachable!("it has one parameter")
                };
                results[0] = Val::I32(called(caller, value)?);
                Ok(())
            });
            // A module that is gone before its instance.
            let module = Module::new(&setup.engine, super::setup::guest()).expect("it compiles");
            Instance::new(&mut *cx, &module, &[Extern::Func(host)])
        }
    };
    let instance = instance.expect("the guest can be instantiated");
    let func = |name| instance.get_func(&*cx, name).expect("it is exported");
    let tag = instance.get_tag(&*cx, "error").expect("it is exported");
    Guest {
        memory: instance.get_memory(&*cx, "memory").expect("it is exported"),
        kept: instance.get_table(&*cx, "kept").expect("it is exported"),
        count: instance.get_global(&*cx, "count").expect("it is exported"),
        error: tag.address(&*cx),
        spawn: func("spawn"),
        step: func("step"),
        kill: func("kill"),
        run: func("run"),
    }
}

/// Does something to a guest. The store of `cx` is the innermost one of those whose code runs.
fn act<C: Context>(
    world: Box<World>,
    cx: &mut C,
    guest_index: u8,
    typed: bool,
    action: &Action,
) -> (Box<World>, Ended) {
    let setup = world.setup.clone();
    let guests = &cx.host().guests;
    let of = |index: u8| guests[usize::from(index) % guests.len()];
    let at = of(guest_index);
    let done = |reply| (reply, None);
    let ended = match action {
        Action::Instantiate { .. } if guests.len() == GUESTS => done(Reply::Skipped),
        Action::Instantiate { how } => {
            let new = guest(cx, &setup, *how);
            cx.host().guests.push(new);
            done(Reply::Done)
        }
        Action::Spawn { slot, program } => {
            let (pc, end) = load(cx, &at, usize::from(*slot), program);
            return enter(world, cx, |cx| {
                let slot = i32::from(*slot);
                call(cx, at.spawn, typed, (slot, pc, end), |()| Reply::Done)
            });
        }
        Action::Step { slot, value } => {
            return enter(world, cx, |cx| {
                pair(cx, at.step, typed, (i32::from(*slot), *value))
            });
        }
        Action::Kill { slot, value } => {
            return enter(world, cx, |cx| {
                pair(cx, at.kill, typed, (i32::from(*slot), *value))
            });
        }
        Action::Run { program, value } => {
            let (pc, end) = load(cx, &at, super::RUN_SLOT, program);
            return enter(world, cx, |cx| {
                let values = |(value, suspended)| Reply::Values(value, suspended);
                call(cx, at.run, typed, (pc, end, *value), values)
            });
        }
        Action::Copy { slot, to, to_slot } => {
            let to = of(*to);
            let reference = at.kept.get(&*cx, u64::from(*slot));
            let reference = reference.expect("the table is large enough");
            let set = to.kept.set(&mut *cx, u64::from(*to_slot), reference);
            set.expect("the tables are of one type");
            done(Reply::Done)
        }
        Action::GrowMemory { delta } => done(match at.memory.grow(&mut *cx, u64::from(*delta)) {
            Ok(pages) => Reply::Number(pages.cast_signed()),
            Err(_) => Reply::Refused,
        }),
        Action::GrowTable { delta } => {
            let size = at
                .kept
                .grow(&mut *cx, u64::from(*delta), Val::ContRef(None));
            done(Reply::Number(
                size.expect("it has no maximum").cast_signed(),
            ))
        }
        Action::Count { add } => {
            let Val::I64(before) = at.count.get(&*cx) else {
                unreachable!("it is declared so")
            };
            let count = Val::I64(before.wrapping_add(*add));
            at.count
                .set(&mut *cx, count)
                .expect("it is mutable and of that type");
            done(Reply::Number(before))
        }
        Action::Collect => done(cx.collect().map_or(Reply::Done, Reply::Alive)),
    };
    (world, ended)
}

/// Puts a program into a guest's memory.
fn load<C: Context>(cx: &mut C, at: &Guest, slot: usize, program: &[u8]) -> (i32, i32) {
    let pc = slot * super::STRIDE;
    at.memory
        .write(&mut *cx, pc, program)
        .expect("programs lie in the first page");
    (pc as i32, (pc + program.len()) as i32)
}

/// Lends the world to the store while its code runs.
fn enter<C: Context>(
    world: Box<World>,
    cx: &mut C,
    call: impl FnOnce(&mut C) -> Result<Reply, Error>,
) -> (Box<World>, Ended) {
    cx.host().world = Some(world);
    let result = call(cx);
    let world = cx.host().world.take().expect("it has been given back");
    let ended = match result {
        Ok(reply) => (reply, None),
        Err(error) => (failure(cx, &error), Some(error)),
    };
    (world, ended)
}

fn failure<C: Context>(cx: &mut C, error: &Error) -> Reply {
    Reply::Failed(match error {
        Error::Trap(trap) => Failure::Trap(trap.kind),
        Error::Suspended { .. } => Failure::Suspended,
        Error::Host(error) if error.is::<HostError>() => Failure::Host,
        Error::Exhausted(_) => return Reply::Exhausted,
        Error::Exception(exception) => {
            let tag = exception.tag_address(&*cx);
            let known = cx.host().guests.iter().any(|guest| guest.error == tag);
            assert!(known, "an exception of tag {tag}, which no guest throws");
            match exception.values(&*cx)[..] {
                [Val::I32(value)] => Failure::Exception(value),
                ref values => panic!("an exception with {values:?} in place of one number"),
            }
        }
        other => panic!("a call that cannot end so: {other}"),
    })
}

fn pair<C: Context>(
    cx: &mut C,
    func: Func,
    typed: bool,
    arguments: (i32, i32),
) -> Result<Reply, Error> {
    let values = |(value, suspended)| Reply::Values(value, suspended);
    if typed {
        let func = func.typed::<(i32, i32), (i32, i32)>(&*cx)?;
        return Ok(values(func.call(&mut *cx, arguments)?));
    }
    let arguments = [Val::I32(arguments.0), Val::I32(arguments.1)];
    untyped(cx, func, &arguments, 2).map(|results| values((results[0], results[1])))
}

/// The results of a call of three numbers.
trait Results: switchback_engine::WasmResults {
    const COUNT: usize;
    fn of(values: &[i32]) -> Self;
}

impl Results for () {
    const COUNT: usize = 0;
    fn of(_: &[i32]) {}
}

impl Results for (i32, i32) {
    const COUNT: usize = 2;
    fn of(values: &[i32]) -> Self {
        (values[0], values[1])
    }
}

fn call<C: Context, R: Results>(
    cx: &mut C,
    func: Func,
    typed: bool,
    arguments: (i32, i32, i32),
    reply: impl FnOnce(R) -> Reply,
) -> Result<Reply, Error> {
    if typed {
        let func = func.typed::<(i32, i32, i32), R>(&*cx)?;
        return Ok(reply(func.call(&mut *cx, arguments)?));
    }
    let (a, b, c) = arguments;
    let arguments = [Val::I32(a), Val::I32(b), Val::I32(c)];
    let results = untyped(cx, func, &arguments, <R as Results>::COUNT)?;
    Ok(reply(R::of(&results)))
}

fn untyped<C: Context>(
    cx: &mut C,
    func: Func,
    arguments: &[Val],
    results: usize,
) -> Result<Vec<i32>, Error> {
    let mut results = vec![Val::I32(0); results];
    func.call(&mut *cx, arguments, &mut results)?;
    let number = |value| match value {
        Val::I32(number) => number,
        other => panic!("{other:?} in place of a number"),
    };
    Ok(results.into_iter().map(number).collect())
}

/// What the host function fails with.
#[derive(Debug, thiserror::Error)]
#[error("the host function fails")]
struct HostError;

/// The host function.
pub(super) fn called(mut caller: Caller<'_, Host>, value: i32) -> Result<i32, Error> {
    let mut world = caller.data_mut().world.take();
    let there = world.as_mut().expect("the world is lent to who runs");
    let next = Ok(value.wrapping_add(1));
    if there.inside.len() > DEPTH {
        caller.data_mut().world = world;
        return next;
    }
    let script = there.script.clone();
    let answer = script.answers.get(there.answers);
    there.answers += 1;
    let Some(Answer::Do { operation, pass_on }) = answer else {
        caller.data_mut().world = world;
        return match answer {
            Some(Answer::Fail) => Err(Error::Host(Box::new(HostError))),
            Some(Answer::Trap) => Err(Trap::new(TrapKind::IntegerOverflow).into()),
            _ => next,
        };
    };
    let same = operation.store_index() == there.inside.last().copied();
    let world = world.expect("it is there");
    let (world, (reply, error)) = perform(world, operation, Some(&mut caller));
    caller.data_mut().world = Some(world);
    match error {
        Some(error) if *pass_on && same => Err(error),
        // The engine's limits end everything.
        Some(error @ Error::Exhausted(_)) => Err(error),
        _ => Ok(value ^ reply.value()),
    }
}
