//! What continuations cost: memory, by the store's own books, and work.

use crate::machine::{Frame, Machine};
use crate::stacks::StackId;
use crate::{Config, Engine, Extern, Func, Instance, Module, Store, Val};

const LOOPS: &str = r#"(module
    (type $f (func)) (type $c (cont $f))
    (type $g (func (param i32))) (type $d (cont $g))
    (tag $yield (param i32))
    (global $kept (mut (ref null $c)) (ref.null $c))
    (table $ring 1000 (ref null $c))
    (func $nothing)
    (func $yields (suspend $yield (i32.const 1)))
    (func $forever (loop $l (suspend $yield (i32.const 1)) (br $l)))
    (func $deep (param $depth i32)
        (if (local.get $depth)
            (then (call $deep (i32.sub (local.get $depth) (i32.const 1))))
            (else (call $forever))))
    (elem declare func $nothing $yields $deep)

    ;; Resumes $k until it suspends.
    (func $step (param $k (ref $c)) (result (ref $c))
        (local $suspended (ref $c))
        (block $h (result i32 (ref $c))
            (resume $c (on $yield $h) (local.get $k))
            (unreachable))
        (local.set $suspended)
        (drop)
        (local.get $suspended))

    (func (export "finish") (param $n i32) (result i32)
        (loop $l
            (resume $c (cont.new $c (ref.func $nothing)))
            (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (i32.const 0))

    ;; A thousand are suspended at any time; the oldest is finished when one is created.
    (func (export "ring") (param $n i32) (result i32) (local $at i32)
        (loop $l
            (local.set $at (i32.rem_u (local.get $n) (i32.const 1000)))
            (block $first
                (resume $c (br_on_null $first (table.get $ring (local.get $at)))))
            (table.set $ring (local.get $at) (call $step (cont.new $c (ref.func $yields))))
            (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (i32.const 0))

    ;; None is ever finished.
    (func (export "abandon") (param $n i32) (result i32)
        (loop $l
            (drop (call $step (cont.new $c (ref.func $yields))))
            (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (i32.const 0))

    (func (export "suspend_at_depth") (param $depth i32) (result i32)
        (global.set $kept
            (call $step (cont.bind $d $c (local.get $depth) (cont.new $d (ref.func $deep)))))
        (i32.const 0))
    (func (export "rounds") (param $n i32) (result i32)
        (loop $l
            (global.set $kept (call $step (ref.as_non_null (global.get $kept))))
            (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (i32.const 0)))"#;

const MILLION: i32 = 1_000_000;

struct Program {
    store: Store<()>,
    instance: Instance,
}

impl Program {
    fn new(config: &Config) -> Program {
        let wasm = wat::parse_str(LOOPS).unwrap_or_else(|e| panic!("{e}"));
        let engine = Engine::new(config).expect("an engine");
        let module = Module::new(&engine, &wasm).expect("a module");
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).expect("an instance");
        Program { store, instance }
    }

    fn func(&self, name: &str) -> Func {
        match self.instance.get_export(&self.store, name) {
            Some(Extern::Func(func)) => func,
            other => panic!("{other:?}"),
        }
    }

    fn call(&mut self, name: &str, argument: i32) {
        let func = self.func(name);
        func.call(&mut self.store, &[Val::I32(argument)], &mut [Val::I32(0)])
            .expect("a return");
    }

    fn machine(&self) -> &Machine {
        &self.store.machine
    }

    /// Bytes of all stacks and continuations there are, waiting ones included.
    fn bytes(&self) -> u64 {
        let m = self.machine();
        let frames: usize = m
            .stacks
            .ids()
            .map(|id| m.stacks.get(id).frames.capacity())
            .sum();
        m.stacks.slots * 8
            + (frames * size_of::<Frame>()) as u64
            + (m.stacks.count() * size_of::<crate::stacks::Stack>()) as u64
            + (m.continuations.places() * size_of::<super::Place>()) as u64
    }

    /// The stack of the continuation that the module keeps.
    fn kept(&self) -> StackId {
        let word = self.machine().globals[0].value[0];
        self.machine()
            .continuations
            .get(word)
            .expect("a continuation")
            .innermost
    }

    /// Where the frames and the values of that stack are.
    fn places(&self) -> (*const Frame, usize, *const u64) {
        let stack = self.machine().stacks.get(self.kept());
        (
            stack.frames.as_ptr(),
            stack.frames.len(),
            stack.values.as_ptr(),
        )
    }
}

#[test]
fn a_million_continuations_one_after_another() {
    let mut program = Program::new(&Config::new());
    program.call("finish", MILLION);
    assert_eq!(program.machine().continuations.numbers(), MILLION as u64);
    assert_eq!(program.machine().continuations.alive(), 0);
    // The host's own, and the one that was used a million times.
    assert_eq!(program.machine().stacks.count(), 2);
    assert!(program.bytes() < 10_000, "{} bytes", program.bytes());
}

#[test]
fn a_million_continuations_a_thousand_at_a_time() {
    let mut program = Program::new(&Config::new());
    program.call("ring", MILLION);
    assert_eq!(program.machine().continuations.alive(), 1000);
    assert!(program.machine().stacks.count() <= 1002);
    assert!(program.bytes() < 1_000_000, "{} bytes", program.bytes());
}

/// Those that nobody can resume are reclaimed long before there are a million of them.
#[test]
fn a_million_continuations_that_nobody_finishes() {
    let mut program = Program::new(&Config::new());
    program.call("abandon", MILLION);
    assert_eq!(
        program.machine().continuations.numbers(),
        2 * MILLION as u64
    );
    assert!(program.bytes() < 50_000_000, "{} bytes", program.bytes());
}

/// Suspending and resuming leaves the frames where they are, however many.
#[test]
fn rounds_do_not_move_frames() {
    let mut program = Program::new(&Config::new());
    program.call("suspend_at_depth", 1000);
    let before = program.places();
    assert_eq!(before.1, 1002);
    program.call("rounds", 100);
    assert_eq!(program.places(), before);
}

/// A round takes as many instructions at any depth.
#[test]
fn rounds_cost_the_same_at_any_depth() {
    let used = |depth: i32| {
        let mut config = Config::new();
        config.max_instructions(Some(1_000_000));
        let mut program = Program::new(&config);
        program.call("suspend_at_depth", depth);
        let before = program.machine().fuel;
        program.call("rounds", 1000);
        before
            .zip(program.machine().fuel)
            .map(|(before, after)| before - after)
    };
    let shallow = used(0);
    assert!(
        shallow.is_some_and(|n| (1000..100_000).contains(&n)),
        "{shallow:?}"
    );
    assert_eq!(used(1000), shallow);
}

fn ended(config: &Config, text: &str) -> Result<(), crate::Error> {
    let wasm = wat::parse_str(text).unwrap_or_else(|e| panic!("{e}"));
    let engine = Engine::new(config).expect("an engine");
    let module = Module::new(&engine, &wasm).expect("a module");
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).expect("an instance");
    let Some(Extern::Func(func)) = instance.get_export(&store, "f") else {
        panic!("no function")
    };
    func.call(&mut store, &[], &mut [])
}

#[test]
fn what_a_function_that_returned_left_behind_keeps_nothing() {
    let limits = crate::Limits {
        continuations: 1000,
        ..Default::default()
    };
    let text = |callee: &str| {
        format!(
            r#"(module
            (type $f (func)) (type $k (cont $f)) (type $a (array (mut (ref null $k))))
            (elem declare func $b $held) (tag $t)
            (func $b)
            ;; Fills an array that its caller never sees.
            (func $fill (param $n i32) (local i64 i64 i64 i64) (local $a (ref null $a))
                (local.set $a (array.new_default $a (local.get $n)))
                (loop $l
                    (local.set $n (i32.sub (local.get $n) (i32.const 1)))
                    (array.set $a (local.get $a) (local.get $n) (cont.new $k (ref.func $b)))
                    (br_if $l (local.get $n))))
            ;; A suspended stack on which another function has returned.
            (global $kept (mut (ref null $k)) (ref.null $k))
            (func $held (call $fill (i32.const 900)) (suspend $t))
            (func $suspended
                (block $h (result (ref $k))
                    (resume $k (on $t $h) (cont.new $k (ref.func $held)))
                    (unreachable))
                (global.set $kept))
            (func (export "f") {callee} (call $fill (i32.const 900))))"#
        )
    };
    let mut config = Config::new();
    config.limits(limits);
    for callee in ["(call $fill (i32.const 900))", "(call $suspended)"] {
        ended(&config, &text(callee)).unwrap_or_else(|e| panic!("{callee}: {e}"));
    }
}

#[test]
fn exceptions_are_limited_as_objects_are() {
    let limits = crate::Limits {
        heap_slots: 10_000,
        ..Default::default()
    };
    let mut config = Config::new();
    config.limits(limits);
    let text = |kept: &str| {
        format!(
            r#"(module (tag $e (param exnref i64 i64 i64 i64))
            (global $x (mut exnref) (ref.null exn))
            (func (export "f") (local $n i32) (local $y exnref)
                (loop $l
                    (block $c (result exnref)
                        (try_table (result exnref) (catch_all_ref $c)
                            (throw $e (global.get $x) (i64.const 1) (i64.const 1) (i64.const 1) (i64.const 1))))
                    ({kept})
                    (br_if $l (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 5000))))))"#
        )
    };
    let error = ended(&config, &text("global.set $x")).expect_err("all are reachable");
    assert!(
        matches!(
            error,
            crate::Error::Exhausted(crate::error::Exhausted::Memory)
        ),
        "{error}"
    );
    ended(&config, &text("local.set $y"))
        .unwrap_or_else(|e| panic!("only the last is reachable: {e}"));
}
