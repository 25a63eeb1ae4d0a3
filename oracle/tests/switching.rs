//! Stack switching: exact traces, one-shot continuations, and what the host sees.

use switchback_oracle::{
    Config, Engine, Error, Event, EventKind, Exhausted, Extern, Func, FuncType, Instance, Limits,
    Module, Store, Tag, TagType, TrapKind, Val, ValType, Value,
};

use EventKind as E;

struct Case {
    store: Store<Vec<Result<(), String>>>,
    instance: Instance,
}

impl Case {
    /// Instantiates a module; each of its imports is a host function that calls the function
    /// it gets, keeps what came of it, and passes errors on if its second parameter says so.
    /// It has address 0, imported or not.
    fn new(text: &str) -> Case {
        Case::with(text, Config::new().trace(true))
    }

    fn with(text: &str, config: &Config) -> Case {
        let wasm = wat::parse_str(text).expect("a module");
        let engine = Engine::new(config).expect("an engine");
        let module = Module::new(&engine, &wasm).expect("a supported module");
        let mut store = Store::new(&engine, Vec::new());
        let ty = FuncType::new(
            [
                ValType::Ref(switchback_oracle::RefType::FUNCREF),
                ValType::I32,
            ],
            [],
        );
        let call = Func::new(&mut store, ty, |mut caller, args, _| {
            let [Val::FuncRef(Some(func)), Val::I32(strict)] = *args else {
                return Err(Error::host("a function is wanted"));
            };
            let result = func.call(&mut caller, &[], &mut []);
            let kept = result.as_ref().map(|_| ()).map_err(|e| e.to_string());
            caller.data_mut().push(kept);
            if strict != 0 { result } else { Ok(()) }
        });
        let imports: Vec<Extern> = module.imports().map(|_| Extern::from(call)).collect();
        let instance = Instance::new(&mut store, &module, &imports).expect("an instance");
        Case { store, instance }
    }

    fn call(&mut self, name: &str, args: &[Val]) -> Result<Vec<Val>, Error> {
        let Some(Extern::Func(func)) = self.instance.get_export(&self.store, name) else {
            panic!("no function {name}");
        };
        let mut results = vec![Val::I32(0); func.ty(&self.store).results().len()];
        func.call(&mut self.store, args, &mut results)?;
        Ok(results)
    }

    fn i32(&mut self, name: &str) -> i32 {
        match self.call(name, &[]).as_deref() {
            Ok([Val::I32(v)]) => *v,
            other => panic!("{other:?}"),
        }
    }

    fn trap(&mut self, name: &str) -> TrapKind {
        match self.call(name, &[]) {
            Err(Error::Trap(trap)) => {
                assert!(trap.location.is_some());
                trap.kind
            }
            other => panic!("{other:?}"),
        }
    }

    fn kinds(&mut self) -> Vec<EventKind> {
        let trace = self.store.take_trace();
        trace.into_iter().map(|event| event.kind).collect()
    }
}

fn ints(values: &[i32]) -> Vec<Value> {
    values.iter().map(|&v| Value::I32(v)).collect()
}

/// A generator whose handler stands two stacks away, and which is resumed as one chain.
const FORWARDING: &str = r#"(module
    (type $f (func (result i32)))
    (type $c (cont $f))
    (type $g (func (param i32) (result i32)))
    (type $d (cont $g))
    (tag $near)
    (tag $far (param i32) (result i32))
    (func $inner (type $f) (i32.add (suspend $far (i32.const 7)) (i32.const 1)))
    (func $outer (type $f)
        (block $h (result (ref $c))
            (return (i32.mul (resume $c (on $near $h) (cont.new $c (ref.func $inner))) (i32.const 10))))
        (unreachable))
    (elem declare func $inner $outer)
    (func (export "run") (result i32)
        (local $k (ref null $d))
        (block $h (result i32 (ref $d))
            (return (resume $c (on $far $h) (on $far $h)
                (cont.new $c (ref.func $outer)))))
        (local.set $k)
        (resume $d (i32.add (i32.const 100)) (local.get $k)))
)"#;

#[test]
fn a_suspension_passes_over_handlers_and_the_chain_moves_as_one() {
    let mut case = Case::new(FORWARDING);
    assert_eq!(case.i32("run"), (107 + 1) * 10);
    assert_eq!(
        case.kinds(),
        [
            E::New {
                cont: 0,
                function: 2
            },
            E::Resume {
                cont: 0,
                values: vec![],
                depth: 2
            },
            E::New {
                cont: 1,
                function: 1
            },
            E::Resume {
                cont: 1,
                values: vec![],
                depth: 3
            },
            E::Suspend {
                tag: 1,
                values: ints(&[7]),
                cont: 2,
                distance: 1,
                clause: 0
            },
            E::Resume {
                cont: 2,
                values: ints(&[107]),
                depth: 3
            },
            E::Return {
                values: ints(&[108]),
                depth: 2
            },
            E::Return {
                values: ints(&[1080]),
                depth: 1
            },
        ]
    );
}

const SWITCHING: &str = r#"(module
    (rec
        (type $f (func (param i32 (ref null $c)) (result i32)))
        (type $c (cont $f)))
    (tag $t (result i32))
    (func $pong (type $f) (param $x i32) (param $k (ref null $c)) (result i32)
        (switch $c $t (i32.add (local.get $x) (i32.const 1)) (local.get $k))
        (drop) (drop) (i32.const -1))
    (func $ping (type $f) (param $x i32) (param $k (ref null $c)) (result i32)
        (switch $c $t (i32.mul (local.get $x) (i32.const 2)) (cont.new $c (ref.func $pong)))
        (local.set $k)
        (return (i32.add (i32.const 100))))
    (elem declare func $ping $pong)
    (func (export "run") (result i32)
        (resume $c (on $t switch) (i32.const 5) (ref.null $c) (cont.new $c (ref.func $ping))))
    (func (export "unhandled") (result i32)
        (block $h (result (ref $u))
            (return (resume $c (on $t $h) (i32.const 5) (ref.null $c) (cont.new $c (ref.func $ping)))))
        (unreachable))
    (type $v (func (param i32) (result i32)))
    (type $u (cont $v))
)"#;

#[test]
fn a_switch_keeps_the_handler_and_consumes_its_target() {
    let mut case = Case::new(SWITCHING);
    assert_eq!(case.i32("run"), 111);
    assert_eq!(
        case.kinds(),
        [
            E::New {
                cont: 0,
                function: 2
            },
            E::Resume {
                cont: 0,
                values: vec![Value::I32(5), Value::Null],
                depth: 2
            },
            E::New {
                cont: 1,
                function: 1
            },
            E::Switch {
                tag: 0,
                target: 1,
                values: ints(&[10]),
                cont: 2,
                distance: 0
            },
            E::Switch {
                tag: 0,
                target: 2,
                values: ints(&[11]),
                cont: 3,
                distance: 0
            },
            E::Return {
                values: ints(&[111]),
                depth: 1
            },
        ]
    );
}

#[test]
fn a_label_clause_does_not_handle_a_switch() {
    let mut case = Case::new(SWITCHING);
    match case.call("unhandled", &[]) {
        Err(Error::Suspended(tag)) => assert_eq!(tag.address(&case.store), 0),
        other => panic!("{other:?}"),
    }
    let kinds = case.kinds();
    assert_eq!(
        kinds.last(),
        Some(&E::Unhandled {
            tag: 0,
            values: ints(&[10])
        })
    );
    assert_eq!(case.i32("run"), 111, "the store stays usable");
}

const THROWING: &str = r#"(module
    (type $f (func (result i32)))
    (type $c (cont $f))
    (tag $e (param i32))
    (tag $t (result i32))
    (global $entered (mut i32) (i32.const 0))
    (global $k (mut (ref null $c)) (ref.null $c))
    (func $body (type $f)
        (global.set $entered (i32.const 1))
        (block $h (result i32)
            (try_table (catch $e $h) (drop (suspend $s)))
            (i32.const 0)))
    (tag $s (result i32))
    (elem declare func $body)
    (func (export "fresh") (result i32)
        (block $h (result i32)
            (try_table (catch $e $h)
                (resume_throw $c $e (i32.const 42) (cont.new $c (ref.func $body)))
                (drop))
            (i32.const 0))
        (i32.mul (global.get $entered) (i32.const 1000))
        (i32.add))
    (func (export "null_exception")
        (drop (resume_throw_ref $c (ref.null exn) (cont.new $c (ref.func $body)))))
    (func (export "null_continuation")
        (drop (resume_throw_ref $c (ref.null exn) (ref.null $c))))
    (func (export "unconsumed") (result i32)
        (local $k (ref null $c))
        (local.set $k (cont.new $c (ref.func $body)))
        (global.set $k (local.get $k))
        (drop (resume_throw_ref $c (ref.null exn) (local.get $k)))
        (i32.const 0))
    (func (export "again") (result i32)
        (block $h (result i32)
            (try_table (catch $e $h)
                (drop (resume_throw $c $e (i32.const 3) (global.get $k))))
            (i32.const 0)))
)"#;

#[test]
fn throwing_into_a_fresh_continuation_does_not_enter_it() {
    let mut case = Case::new(THROWING);
    assert_eq!(case.i32("fresh"), 42);
    assert_eq!(
        case.kinds(),
        [
            E::New {
                cont: 0,
                function: 1
            },
            E::ResumeThrow {
                cont: 0,
                tag: 0,
                values: ints(&[42]),
                depth: 2
            },
            E::Unwind { tag: 0 },
            E::Catch { tag: 0, clause: 0 },
        ]
    );
}

#[test]
fn resume_throw_ref_checks_the_continuation_before_the_exception() {
    let mut case = Case::new(THROWING);
    assert_eq!(
        case.trap("null_continuation"),
        TrapKind::NullContinuationReference
    );
    assert_eq!(
        case.trap("null_exception"),
        TrapKind::NullExceptionReference
    );
    assert_eq!(case.trap("unconsumed"), TrapKind::NullExceptionReference);
    // The trap came before the continuation was consumed.
    assert_eq!(case.i32("again"), 3);
    assert_eq!(case.trap("again"), TrapKind::ContinuationConsumed);
}

#[test]
fn an_exception_reaches_a_handler_inside_a_suspended_continuation() {
    let mut case = Case::new(
        r#"(module
        (type $f (func (result i32)))
        (type $c (cont $f))
        (type $n (func (param i32) (result i32)))
        (type $d (cont $n))
        (tag $e (param i32))
        (tag $s (result i32))
        (func $body (type $f)
            (block $h (result i32)
                (try_table (result i32) (catch $e $h) (suspend $s))))
        (elem declare func $body)
        (func (export "run") (result i32)
            (local (ref null $d))
            (block $h (result (ref $d))
                (return (resume $c (on $s $h) (cont.new $c (ref.func $body)))))
            (local.set 0)
            (resume_throw $d $e (i32.const 9) (local.get 0)))
    )"#,
    );
    assert_eq!(case.i32("run"), 9);
    assert_eq!(
        case.kinds(),
        [
            E::New {
                cont: 0,
                function: 1
            },
            E::Resume {
                cont: 0,
                values: vec![],
                depth: 2
            },
            E::Suspend {
                tag: 1,
                values: vec![],
                cont: 1,
                distance: 0,
                clause: 0
            },
            E::ResumeThrow {
                cont: 1,
                tag: 0,
                values: ints(&[9]),
                depth: 2
            },
            E::Catch { tag: 0, clause: 0 },
            E::Return {
                values: ints(&[9]),
                depth: 1
            },
        ]
    );
}

#[test]
fn binding_consumes_and_adds_arguments_in_order() {
    let mut case = Case::new(
        r#"(module
        (type $f3 (func (param i32 i64 f32) (result i32)))
        (type $f2 (func (param i64 f32) (result i32)))
        (type $f0 (func (result i32)))
        (type $c3 (cont $f3)) (type $c2 (cont $f2)) (type $c0 (cont $f0))
        (func $sum (type $f3)
            (i32.add (local.get 0)
                (i32.add (i32.wrap_i64 (local.get 1)) (i32.trunc_f32_s (local.get 2)))))
        (elem declare func $sum)
        (func (export "run") (result i32)
            (resume $c0
                (cont.bind $c2 $c0 (i64.const 20) (f32.const 300)
                    (cont.bind $c3 $c2 (i32.const 1) (cont.new $c3 (ref.func $sum))))))
        (func (export "twice") (result i32)
            (local $k (ref null $c3))
            (local.set $k (cont.new $c3 (ref.func $sum)))
            (drop (cont.bind $c3 $c3 (local.get $k)))
            (drop (cont.bind $c3 $c3 (local.get $k)))
            (i32.const 0))
    )"#,
    );
    assert_eq!(case.i32("run"), 321);
    let trace: Vec<Event> = case.store.take_trace();
    assert_eq!(
        trace.iter().map(|e| e.kind.clone()).collect::<Vec<_>>(),
        [
            E::New {
                cont: 0,
                function: 1
            },
            E::Bind {
                from: 0,
                to: 1,
                values: ints(&[1])
            },
            E::Bind {
                from: 1,
                to: 2,
                values: vec![Value::I64(20), Value::F32(300f32.to_bits())],
            },
            E::Resume {
                cont: 2,
                values: vec![],
                depth: 2
            },
            E::Return {
                values: ints(&[321]),
                depth: 1
            },
        ]
    );
    assert!(
        trace[..4]
            .iter()
            .all(|e| e.at.is_some_and(|at| at.function == 1))
    );
    assert!(trace[4].at.is_none());
    assert_eq!(case.trap("twice"), TrapKind::ContinuationConsumed);
}

/// A suspension under a re-entry finds only handlers inside of it.
const REENTRY: &str = r#"(module
    (import "host" "call" (func $call (param funcref i32)))
    (type $f (func))
    (type $c (cont $f))
    (tag $t)
    (tag $e (export "e"))
    (func $suspends (suspend $t))
    (func $throws (throw $e))
    (func $traps (unreachable))
    (func $handled
        (block $h (result (ref $c))
            (resume $c (on $t $h) (cont.new $c (ref.func $suspends)))
            (unreachable))
        (drop))
    (func $lenient (call $call (ref.func $suspends) (i32.const 0)))
    (func $strict
        (try_table (catch_all 0) (call $call (ref.func $suspends) (i32.const 1))))
    (func $inside (call $call (ref.func $handled) (i32.const 1)))
    (func $thrown
        (block $h
            (try_table (catch $e $h) (call $call (ref.func $throws) (i32.const 1)))
            (unreachable)))
    (func $trapped
        (try_table (catch_all 0) (call $call (ref.func $traps) (i32.const 1))))
    (elem declare func $suspends $throws $traps $handled $lenient $strict $inside $thrown $trapped $call)
    (func $run (param $f (ref $f))
        (block $h (result (ref $c))
            (resume $c (on $t $h) (cont.new $c (local.get $f)))
            (return))
        (unreachable))
    (func (export "lenient") (call $run (ref.func $lenient)))
    (func (export "strict") (call $run (ref.func $strict)))
    (func (export "inside") (call $run (ref.func $inside)))
    (func (export "thrown") (call $run (ref.func $thrown)))
    (func (export "trapped") (call $run (ref.func $trapped)))
    (type $hf (func (param funcref i32)))
    (type $hc (cont $hf))
    (func (export "host_body")
        (resume $hc (ref.func $handled) (i32.const 1) (cont.new $hc (ref.func $call))))
    (func $endless (export "endless") (call $call (ref.func $endless) (i32.const 1)))
)"#;

#[test]
fn a_host_frame_is_a_barrier() {
    let mut case = Case::new(REENTRY);
    assert!(case.call("lenient", &[]).is_ok());
    assert_eq!(
        std::mem::take(case.store.data_mut()),
        [Err("unhandled suspension".to_owned())]
    );
    // Passed on, it goes to the host past every handler and every `catch_all`.
    assert!(matches!(case.call("strict", &[]), Err(Error::Suspended(_))));
    assert!(case.call("inside", &[]).is_ok());
}

#[test]
fn depth_counts_from_the_innermost_host_entry() {
    let mut case = Case::new(REENTRY);
    case.call("inside", &[]).expect("a return");
    let depths: Vec<u32> = case
        .kinds()
        .iter()
        .filter_map(|kind| match kind {
            E::Resume { depth, .. } | E::Return { depth, .. } => Some(*depth),
            _ => None,
        })
        .collect();
    // Outside, inside the re-entry (left by a suspension), and back outside.
    assert_eq!(depths, [2, 2, 1]);
}

#[test]
fn an_exception_passed_on_by_the_host_keeps_its_tag_and_a_trap_is_recorded_once() {
    let mut case = Case::new(REENTRY);
    assert!(case.call("thrown", &[]).is_ok());
    case.store.take_trace();
    assert_eq!(case.trap("trapped"), TrapKind::Unreachable);
    let traps = case
        .kinds()
        .into_iter()
        .filter(|k| matches!(k, E::Trap { .. }));
    assert_eq!(traps.count(), 1);
}

#[test]
fn a_host_function_is_a_continuation_s_body() {
    let mut case = Case::new(REENTRY);
    assert!(case.call("host_body", &[]).is_ok());
    let kinds = case.kinds();
    assert!(matches!(
        kinds[1],
        E::Resume {
            cont: 0,
            depth: 2,
            ..
        }
    ));
    assert!(matches!(kinds[2], E::HostCall { function: 0, .. }));
    assert_eq!(
        kinds.last(),
        Some(&E::Return {
            values: vec![],
            depth: 1
        })
    );
}

#[test]
fn endless_reentry_is_exhausted_and_the_store_stays_usable() {
    let mut case = Case::new(REENTRY);
    match case.call("endless", &[]) {
        Err(Error::Exhausted(Exhausted::CallStack)) => {}
        other => panic!("{other:?}"),
    }
    assert!(case.call("inside", &[]).is_ok());
}

#[test]
fn a_host_can_throw() {
    let wasm = wat::parse_str(
        r#"(module
        (import "" "t" (tag $t (param i32 i64)))
        (import "" "f" (func $f))
        (func (export "run") (result i32 i64)
            (block $h (result i32 i64)
                (try_table (catch $t $h) (call $f))
                (unreachable))))"#,
    )
    .expect("a module");
    let engine = Engine::new(&Config::new()).expect("an engine");
    let module = Module::new(&engine, &wasm).expect("a supported module");
    let mut store = Store::new(&engine, ());
    let ty = TagType {
        func: FuncType::new([ValType::I32, ValType::I64], []),
    };
    let tag = Tag::new(&mut store, ty);
    let func = Func::new(&mut store, FuncType::new([], []), move |_, _, _| {
        Err(Error::Exception(switchback_oracle::Exception {
            tag,
            payload: vec![Val::I32(1), Val::I64(2)],
        }))
    });
    let instance =
        Instance::new(&mut store, &module, &[tag.into(), func.into()]).expect("an instance");
    let Some(Extern::Func(run)) = instance.get_export(&store, "run") else {
        panic!("no function");
    };
    let mut results = [Val::I32(0), Val::I64(0)];
    run.call(&mut store, &[], &mut results).expect("a return");
    assert!(matches!(results, [Val::I32(1), Val::I64(2)]));
}

/// Creates continuations: `$n` of them that run to their end, or that stay suspended.
const MANY: &str = r#"(module
    (type $f (func)) (type $c (cont $f))
    (tag $t)
    (table $kept 0 (ref null $c))
    (func $ends)
    (func $stays (suspend $t))
    (func $deep (param i32)
        (if (local.get 0) (then (call $deep (i32.sub (local.get 0) (i32.const 1)))) (else (suspend $t))))
    (func $deeper (call $deep (i32.const 1000)))
    (elem declare func $ends $stays $deeper)
    (func (export "finished") (param $n i32)
        (loop $l
            (resume $c (cont.new $c (ref.func $ends)))
            (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
    (func (export "suspended") (param $n i32)
        (drop (table.grow $kept (ref.null $c) (local.get $n)))
        (loop $l
            (local.set $n (i32.sub (local.get $n) (i32.const 1)))
            (local.get $n)
            (block $h (result (ref $c))
                (resume $c (on $t $h) (cont.new $c (ref.func $stays)))
                (unreachable))
            (table.set $kept)
            (br_if $l (local.get $n))))
    (func (export "resumed") (param $n i32)
        (loop $l
            (local.set $n (i32.sub (local.get $n) (i32.const 1)))
            (resume $c (table.get $kept (local.get $n)))
            (br_if $l (local.get $n))))
    (func (export "endless") (param $n i32)
        (loop $l (br $l)))
    (func $recursive (export "recursive") (param $n i32)
        (call $recursive (local.get $n)))
    (func $nests (resume $c (cont.new $c (ref.func $nests))))
    (elem declare func $nests)
    (func (export "nested") (param $n i32) (call $nests))
)"#;

#[test]
fn finished_continuations_are_reused_and_many_can_be_suspended() {
    let mut config = Config::new();
    let limits = Limits {
        continuations: 100_000,
        ..Limits::default()
    };
    let mut case = Case::with(MANY, config.limits(limits));
    case.call("finished", &[Val::I32(1_000_000)])
        .expect("a return");
    case.call("suspended", &[Val::I32(100_000)])
        .expect("a return");
    match case.call("finished", &[Val::I32(1)]) {
        Err(Error::Exhausted(Exhausted::Continuations)) => {}
        other => panic!("{other:?}"),
    }
    case.call("resumed", &[Val::I32(100_000)])
        .expect("a return");
    case.call("finished", &[Val::I32(1)]).expect("a return");
}

#[test]
fn limits_end_endless_programs() {
    let mut config = Config::new();
    let mut case = Case::with(MANY, config.max_instructions(Some(1_000_000)));
    for (name, what) in [
        ("recursive", Exhausted::CallStack),
        ("nested", Exhausted::CallStack),
        ("endless", Exhausted::Instructions),
    ] {
        match case.call(name, &[Val::I32(0)]) {
            Err(Error::Exhausted(found)) => assert_eq!(found, what, "{name}"),
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn coverage_names_what_was_executed() {
    let text = r#"(module (func (export "run") (param i32) (result i32)
        (if (result i32) (local.get 0) (then (i32.const 1)) (else (nop) (i32.const 2)))))"#;
    let mut config = Config::new();
    let mut case = Case::with(text, config.coverage(true));
    let of = |case: &Case| case.store.coverage(case.instance, 0).expect("coverage");
    assert_eq!((of(&case).executed.len(), of(&case).total), (0, 5));
    case.call("run", &[Val::I32(1)]).expect("a return");
    assert_eq!(of(&case).executed.len(), 3);
    case.call("run", &[Val::I32(0)]).expect("a return");
    assert_eq!(of(&case).executed.len(), 5);
}

#[test]
fn what_is_not_supported_is_named() {
    let wasm = wat::parse_str(
        "(module (func) (func (drop (i32.atomic.load (i32.const 0)))) (memory 1 1 shared))",
    )
    .expect("a module");
    let engine = Engine::new(&Config::new()).expect("an engine");
    let error = Module::new(&engine, &wasm).expect_err("threads are not supported");
    assert!(
        error.to_string().starts_with("not supported: threads ("),
        "{error}"
    );
}

/// Garbage of every kind: `$n` rounds that keep nothing.
const GARBAGE: &str = r#"(module
    (type $f (func)) (type $c (cont $f))
    (type $s (struct (field (mut (ref null $c))) (field (mut (ref null $s)))))
    (type $a (array (mut i64)))
    (tag $t (param (ref $s)))
    (tag $e (param i32))
    (func $body
        (local $s (ref $s))
        (local.set $s (struct.new_default $s))
        (suspend $t (local.get $s))
        (drop (struct.get $s 0 (local.get $s))))
    (elem declare func $body)
    ;; A suspended continuation and a structure that refer to each other.
    (func $cycle (result (ref $s))
        (local $s (ref null $s)) (local $k (ref null $c))
        (block $h (result (ref $s) (ref $c))
            (resume $c (on $t $h) (cont.new $c (ref.func $body)))
            (unreachable))
        (local.set $k) (local.tee $s)
        (struct.set $s 0 (local.get $k))
        (ref.as_non_null (local.get $s)))
    (func (export "cycles") (param $n i32)
        (loop $l
            (drop (call $cycle))
            (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
    (func (export "kept") (param $n i32) (result i32)
        (local $list (ref null $s)) (local $i i32) (local $new (ref null $s))
        (loop $l
            (local.set $new (call $cycle))
            (struct.set $s 1 (local.get $new) (local.get $list))
            (local.set $list (local.get $new))
            (drop (array.new_default $a (i32.const 100)))
            (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
        (local.set $i (i32.const 0))
        (loop $l
            (resume $c (struct.get $s 0 (local.get $list)))
            (local.set $list (struct.get $s 1 (local.get $list)))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $l (i32.eqz (ref.is_null (local.get $list)))))
        (local.get $i))
    (func (export "arrays") (param $n i32)
        (loop $l
            (drop (array.new_default $a (i32.const 100)))
            (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
    (func (export "exceptions") (param $n i32)
        (local $x exnref)
        (loop $l
            (block $h (result i32 exnref)
                (try_table (catch_ref $e $h) (throw $e (local.get $n)))
                (unreachable))
            (local.set $x) (drop)
            (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
)"#;

#[test]
fn what_cannot_be_reached_is_reclaimed() {
    let mut config = Config::new();
    let limits = Limits {
        continuations: 1000,
        heap_slots: 100_000,
        stack_slots: 100_000,
        ..Limits::default()
    };
    let mut case = Case::with(GARBAGE, config.limits(limits));
    for name in ["cycles", "arrays", "exceptions"] {
        let result = case.call(name, &[Val::I32(100_000)]);
        assert!(result.is_ok(), "{name}: {result:?}");
    }
    match case.call("kept", &[Val::I32(900)]).as_deref() {
        Ok([Val::I32(900)]) => {}
        other => panic!("{other:?}"),
    }
    match case.call("kept", &[Val::I32(1001)]) {
        Err(Error::Exhausted(Exhausted::Continuations)) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_can_be_reached_is_kept() {
    let mut config = Config::new();
    let mut case = Case::with(GARBAGE, config.collect_always(true));
    match case.call("kept", &[Val::I32(50)]).as_deref() {
        Ok([Val::I32(50)]) => {}
        other => panic!("{other:?}"),
    }
}
