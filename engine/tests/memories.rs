//! Accesses at the edges of memories: with guard regions and without, with 32-bit and 64-bit addresses, with pages of both sizes.

use switchback_engine::{
    Config, Engine, Error, Instance, Limits, Module, OptLevel, RegallocAlgorithm, Store, TrapKind,
    Val,
};

/// Every combination of what decides how an access is compiled.
fn engines() -> Vec<Engine> {
    let mut engines = Vec::new();
    for (guard, signals) in [(false, true), (true, true), (true, false)] {
        for (level, regalloc) in [
            (OptLevel::None, RegallocAlgorithm::SinglePass),
            (OptLevel::Speed, RegallocAlgorithm::Backtracking),
        ] {
            let mut config = Config::new();
            config
                .memory_guard(guard)
                .signals_based_traps(signals)
                .opt_level(level)
                .regalloc(regalloc)
                .limits(Limits {
                    memory_pages: 4,
                    ..Limits::default()
                });
            engines.push(Engine::new(&config).expect("the engine can be made"));
        }
    }
    engines
}

struct Running {
    store: Store<()>,
    instance: Instance,
}

impl Running {
    fn new(engine: &Engine, text: &str) -> Self {
        let bytes = wat::parse_str(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let module = Module::new(engine, &bytes).expect("the module compiles");
        let mut store = Store::new(engine, ());
        let instance = Instance::new(&mut store, &module, &[]).expect("it can be instantiated");
        Running { store, instance }
    }

    fn call(&mut self, name: &str, args: &[Val]) -> Result<Vec<Val>, Error> {
        let func = self.instance.get_func(&self.store, name);
        let func = func.expect("the module exports it");
        let mut results = vec![Val::I32(0); func.ty(&self.store).results().len()];
        func.call(&mut self.store, args, &mut results)?;
        Ok(results)
    }

    fn number(&mut self, name: &str, args: &[Val]) -> i64 {
        match self.call(name, args).expect("the call returns")[..] {
            [Val::I32(value)] => value.into(),
            [Val::I64(value)] => value,
            ref other => panic!("{other:?}"),
        }
    }

    /// Whether the configuration, which can only be shown, has guard regions: an access that runs into one claims no place.
    fn may_fault(&self) -> bool {
        let config = format!("{:?}", self.store.engine().config());
        for setting in ["memory_guard: ", "signals_based_traps: "] {
            assert!(config.contains(setting), "{config}");
        }
        config.contains("memory_guard: true") && config.contains("signals_based_traps: true")
    }

    fn is_out_of_bounds(&mut self, name: &str, args: &[Val]) -> bool {
        match self.call(name, args) {
            Ok(_) => false,
            Err(Error::Trap(trap)) => {
                assert_eq!(trap.kind, TrapKind::MemoryOutOfBounds);
                let known = trap.location.is_some();
                assert!(
                    known || self.may_fault(),
                    "the place of the access is known"
                );
                true
            }
            Err(other) => panic!("{other:?}"),
        }
    }
}

/// Loads and stores of all widths, each with the offset `offset`.
fn accesses(memory: &str, address: &str, offset: u64) -> String {
    let mut functions = String::new();
    for (width, ty, load, store) in [
        (1, "i32", "i32.load8_u", "i32.store8"),
        (2, "i64", "i64.load16_s", "i64.store16"),
        (4, "f32", "f32.load", "f32.store"),
        (8, "i64", "i64.load", "i64.store"),
        (16, "v128", "v128.load", "v128.store"),
    ] {
        functions += &format!(
            "(func (export \"load{width}\") (param {address})
               (drop ({load} offset={offset} (local.get 0))))
             (func (export \"store{width}\") (param {address}) (local {ty})
               ({store} offset={offset} (local.get 0) (local.get 1)))"
        );
    }
    format!(
        "(module (memory {memory}) {functions}
           (func (export \"grow\") (param {address}) (result {address}) (memory.grow (local.get 0)))
           (func (export \"size\") (result {address}) (memory.size))
           (func (export \"last\") (param {address}) (result i32)
             (i32.store8 (local.get 0) (i32.const 77)) (i32.load8_u (local.get 0))))"
    )
}

/// Asserts that accesses at `end` minus their width succeed and that those one byte further trap.
fn check_edge(running: &mut Running, end: u64, offset: u64, address: fn(u64) -> Val) {
    for width in [1, 2, 4, 8, 16_u64] {
        for access in ["load", "store"] {
            let name = format!("{access}{width}");
            let last = end - width - offset;
            let inside = address(last);
            assert!(
                !running.is_out_of_bounds(&name, &[inside]),
                "{name} {offset}"
            );
            let outside = address(last + 1);
            assert!(
                running.is_out_of_bounds(&name, &[outside]),
                "{name} {offset}"
            );
        }
    }
}

fn narrow(address: u64) -> Val {
    Val::I32(u32::try_from(address).expect("a 32-bit address") as i32)
}

fn wide(address: u64) -> Val {
    Val::I64(address as i64)
}

#[test]
fn narrow_addresses_end_where_the_memory_ends() {
    for engine in engines() {
        for offset in [0, 1, 4096, 65_520] {
            let mut running = Running::new(&engine, &accesses("1 3", "i32", offset));
            check_edge(&mut running, 65_536, offset, narrow);
            assert!(running.is_out_of_bounds("load1", &[Val::I32(-1)]));
            assert_eq!(running.number("grow", &[Val::I32(1)]), 1);
            check_edge(&mut running, 131_072, offset, narrow);
            assert_eq!(running.number("last", &[Val::I32(131_071)]), 77);
            assert_eq!(running.number("grow", &[Val::I32(2)]), -1);
            assert_eq!(running.number("size", &[]), 2);
        }
        for offset in [0x7fff_ffff, 0x8000_0000, 0xffff_ffff] {
            let mut running = Running::new(&engine, &accesses("1", "i32", offset));
            for address in [0, 1, -1, i32::MIN, i32::MAX] {
                assert!(running.is_out_of_bounds("load16", &[Val::I32(address)]));
                assert!(running.is_out_of_bounds("store1", &[Val::I32(address)]));
            }
        }
        let mut empty = Running::new(&engine, &accesses("0", "i32", 0));
        assert!(empty.is_out_of_bounds("load1", &[Val::I32(0)]));
        assert_eq!(empty.number("grow", &[Val::I32(1)]), 0);
        assert!(!empty.is_out_of_bounds("load1", &[Val::I32(0)]));
    }
}

#[test]
fn wide_addresses_do_not_wrap_around() {
    for engine in engines() {
        for offset in [0, 1, 65_520] {
            let mut running = Running::new(&engine, &accesses("i64 1 3", "i64", offset));
            check_edge(&mut running, 65_536, offset, wide);
            assert_eq!(running.number("grow", &[Val::I64(1)]), 1);
            check_edge(&mut running, 131_072, offset, wide);
            for address in [-1, -8, -16, -65_536, i64::MIN, 1 << 32, (1 << 32) + 8] {
                assert!(running.is_out_of_bounds("load8", &[Val::I64(address)]));
                assert!(running.is_out_of_bounds("store1", &[Val::I64(address)]));
            }
            assert_eq!(running.number("grow", &[Val::I64(i64::MAX)]), -1);
            assert_eq!(running.number("grow", &[Val::I64(-1)]), -1);
            assert_eq!(running.number("size", &[]), 2);
        }
        for offset in [1 << 32, u64::MAX - 8, u64::MAX] {
            let mut running = Running::new(&engine, &accesses("i64 1", "i64", offset));
            for address in [0, 1, 8, 9, -1, i64::MIN] {
                assert!(running.is_out_of_bounds("load16", &[Val::I64(address)]));
                assert!(running.is_out_of_bounds("store1", &[Val::I64(address)]));
            }
        }
    }
}

#[test]
fn pages_of_one_byte_end_anywhere() {
    for engine in engines() {
        let mut running = Running::new(&engine, &accesses("100 (pagesize 1)", "i32", 3));
        check_edge(&mut running, 100, 3, narrow);
        assert_eq!(running.number("grow", &[Val::I32(23)]), 100);
        check_edge(&mut running, 123, 3, narrow);
        assert_eq!(running.number("size", &[]), 123);
        // The limit is four pages of 64 KiB.
        assert_eq!(running.number("grow", &[Val::I32(4 * 65_536 - 122)]), -1);
        assert_eq!(running.number("grow", &[Val::I32(4 * 65_536 - 123)]), 123);
        check_edge(&mut running, 4 * 65_536, 3, narrow);
    }
}

#[test]
fn a_store_that_traps_writes_nothing() {
    let text = "(module (memory 1)
        (func (export \"over\") (i64.store (i32.const 65532) (i64.const -1)))
        (func (export \"vector\") (v128.store (i32.const 65535) (v128.const i64x2 -1 -1)))
        (func (export \"rest\") (result i32) (i32.load (i32.const 65532))))";
    for engine in engines() {
        let mut running = Running::new(&engine, text);
        assert!(running.is_out_of_bounds("over", &[]));
        assert!(running.is_out_of_bounds("vector", &[]));
        assert_eq!(running.number("rest", &[]), 0);
    }
}

#[test]
fn a_load_whose_result_is_dropped_traps() {
    let text = "(module (memory 1)
        (func (export \"dropped\") (param i32) (drop (i32.load (local.get 0))))
        (func (export \"extended\") (param i32) (drop (v128.load8x8_s (local.get 0)))))";
    for engine in engines() {
        let mut running = Running::new(&engine, text);
        for name in ["dropped", "extended"] {
            assert!(running.is_out_of_bounds(name, &[Val::I32(65_536)]));
            assert!(!running.is_out_of_bounds(name, &[Val::I32(65_528)]));
        }
    }
}

#[test]
fn another_stack_may_grow_the_memory() {
    let text = "(module (memory 1 3) (type $f (func)) (type $k (cont $f)) (tag $t)
        (func $body (type $f)
          (drop (memory.grow (i32.const 1))) (i32.store (i32.const 131068) (i32.const 5))
          (suspend $t)
          (i32.store (i32.const 196604) (i32.const 6)))
        (elem declare func $body)
        (func (export \"run\") (result i32) (local $k (ref null $k))
          (drop (i32.load (i32.const 65532)))
          (block $on (result (ref $k))
            (resume $k (on $t $on) (cont.new $k (ref.func $body)))
            unreachable)
          (local.set $k)
          (drop (memory.grow (i32.const 1)))
          (resume $k (local.get $k))
          (i32.add (i32.load (i32.const 131068)) (i32.load (i32.const 196604)))))";
    for engine in engines() {
        assert_eq!(Running::new(&engine, text).number("run", &[]), 11);
    }
}

#[test]
fn bulk_instructions_between_memories_of_both_kinds() {
    let text = "(module (memory $a 1) (memory $b i64 1) (memory $c i64 1)
        (table $s 4 funcref) (table $t i64 4 funcref) (elem $e func 0 0)
        (data $d \"abcdef\")
        (func (export \"run\") (result i32)
          (memory.init $b $d (i64.const 10) (i32.const 1) (i32.const 4))
          (memory.copy $a $b (i32.const 0) (i64.const 10) (i32.const 4))
          (memory.copy $c $b (i64.const 65532) (i64.const 10) (i64.const 4))
          (memory.fill $b (i64.const 12) (i32.const 0x41) (i64.const 1))
          (i32.add
            (i32.sub (i32.load $a (i32.const 0)) (i32.load $c (i64.const 65532)))
            (i32.load8_u $b (i64.const 12))))
        (func (export \"far\") (memory.copy $c $b (i64.const 0) (i64.const 0) (i64.const 0x1_0000_0000)))
        (func (export \"wraps\") (memory.fill $c (i64.const -1) (i32.const 0) (i64.const 2)))
        (func (export \"tables\") (result i64)
          (table.init $t $e (i64.const 1) (i32.const 0) (i32.const 2))
          (table.copy $s $t (i32.const 0) (i64.const 1) (i32.const 2))
          (table.fill $t (i64.const 3) (table.get $s (i32.const 1)) (i64.const 1))
          (i64.add (i64.mul (table.grow $t (ref.null func) (i64.const 2)) (i64.const 100))
            (i64.add (table.size $t)
              (i64.extend_i32_u (ref.is_null (table.get $t (i64.const 3))))))))";
    for engine in engines() {
        let mut running = Running::new(&engine, text);
        assert_eq!(running.number("run", &[]), 0x41);
        assert!(running.is_out_of_bounds("far", &[]));
        assert!(running.is_out_of_bounds("wraps", &[]));
        assert_eq!(running.number("tables", &[]), 406);
    }
}

/// A load may become part of the instruction that uses its result, and where that faults, its place is the other's.
#[test]
fn an_access_that_faults_claims_no_place_that_may_be_wrong() {
    let text = r#"(module (memory 1)
        (func (export "run") (param i32) (result f32) (f32.sqrt (f32.load (local.get 0)))))"#;
    let wasm = wat::parse_str(text).expect("the text is right");
    for guard in [false, true] {
        let engine =
            Engine::new(Config::new().memory_guard(guard)).expect("the engine can be made");
        let mut store = Store::new(&engine, ());
        let module = Module::new(&engine, &wasm).expect("the module compiles");
        let instance = Instance::new(&mut store, &module, &[]).expect("it can be instantiated");
        let run = instance.get_func(&store, "run").expect("it is exported");
        let error = run.call(&mut store, &[Val::I32(-8)], &mut [Val::F32(0)]);
        let Err(Error::Trap(trap)) = error else {
            panic!("{error:?}");
        };
        let load = wasm.windows(2).position(|bytes| bytes == [0x2a, 0x02]);
        let place = trap.location.map(|at| at.offset as usize);
        assert_eq!(place, load.filter(|_| !guard), "guard: {guard}");
    }
}

/// With guard regions too: no other memory has one, and what is no load or store is checked by the runtime.
#[test]
fn an_access_that_is_checked_claims_its_place() {
    let text = r#"(module (memory $long i64 1) (memory $bytes 1 (pagesize 1)) (memory $short 1)
        (func (export "long") (drop (i32.load $long (i64.const -8))))
        (func (export "bytes") (i32.store $bytes (i32.const 1) (i32.const 0)))
        (func (export "fill") (memory.fill $short (i32.const -1) (i32.const 0) (i32.const 2))))"#;
    for engine in engines() {
        let mut running = Running::new(&engine, text);
        for export in ["long", "bytes", "fill"] {
            let Err(Error::Trap(trap)) = running.call(export, &[]) else {
                panic!("{export} traps");
            };
            assert_eq!(trap.kind, TrapKind::MemoryOutOfBounds);
            assert!(trap.location.is_some(), "{export}");
        }
    }
}
