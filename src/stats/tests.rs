use super::*;

/// Two continuations deep, the inner one suspended once and resumed again.
const MODULE: &str = r#"(module
    (type $f (func)) (type $k (cont $f)) (tag $t) (tag $e)
    (import "switchback" "call" (func $call (param funcref)))
    (func $inner (nop) (suspend $t) (nop) (memory.size) (drop))
    (func $outer (i32.const 1) (drop) (resume $k (cont.new $k (ref.func $inner))))
    (func $back (f64.const 0) (drop))
    (memory 1)
    (elem declare func $inner $outer $back)
    (func (export "run") (local $k (ref null $k))
      (block $h (result (ref $k))
        (resume $k (on $t $h) (cont.new $k (ref.func $outer)))
        (return))
      (local.set $k)
      (try_table (i64.const 1) (drop))
      (i64.const 2) (drop)
      (call $call (ref.func $back))
      (resume $k (local.get $k)))
    (func (export "trap") (f32.const 1) (drop) (unreachable)))"#;

fn statistics() -> Statistics {
    let wasm = wat::parse_str(MODULE).unwrap();
    let mut statistics = Statistics::new();
    let outcome = Counter::new().unwrap().add(&wasm, &mut statistics);
    assert!(outcome.is_returned(), "{outcome}");
    statistics
}

fn under(statistics: &Statistics, name: &str) -> Vec<(Circumstance, u64)> {
    let row = &statistics.instructions[name];
    row.under.iter().map(|(&c, &count)| (c, count)).collect()
}

#[test]
fn instructions_are_counted_under_their_circumstances() {
    use Circumstance::*;
    let statistics = statistics();
    assert_eq!(under(&statistics, "i32.const"), [(Handlers1, 1)]);
    assert_eq!(under(&statistics, "suspend"), [(Handlers2, 1)]);
    assert_eq!(
        under(&statistics, "nop"),
        [(Handlers2, 2), (ResumedAgain, 1)]
    );
    assert_eq!(
        under(&statistics, "memory.size"),
        [(Handlers2, 1), (ResumedAgain, 1)]
    );
    assert_eq!(
        under(&statistics, "i64.const"),
        [(TopLevel, 2), (InTryTable, 1)]
    );
    assert_eq!(
        under(&statistics, "f64.const"),
        [(TopLevel, 1), (InHostCall, 1)]
    );
    assert_eq!(
        under(&statistics, "resume"),
        [(TopLevel, 2), (Handlers1, 1)]
    );
    assert_eq!(under(&statistics, "f32.const"), [(TopLevel, 1)]);
    assert_eq!(statistics.instructions["switch"], Row::default());
}

#[test]
fn instructions_are_counted_by_the_outcome_of_their_call() {
    let statistics = statistics();
    let outcomes = |name: &str| statistics.instructions[name].outcomes.clone();
    assert_eq!(outcomes("f32.const"), [("trapped", 1)].into());
    assert_eq!(outcomes("unreachable"), [("trapped", 1)].into());
    assert_eq!(outcomes("resume"), [("returned", 3)].into());
    assert_eq!(statistics.outcomes(), ["returned", "trapped"].into());
}

#[test]
fn a_module_that_does_not_run_is_counted_apart() {
    let wasm = wat::parse_str("(module (func $f unreachable) (start $f))").unwrap();
    let mut statistics = Statistics::new();
    let outcome = Counter::new().unwrap().add(&wasm, &mut statistics);
    assert_eq!(outcome.name(), "trapped");
    assert_eq!(statistics.modules, 0);
    assert_eq!(statistics.discarded["trapped"].0, 1);
}

#[test]
fn the_page_has_every_instruction_and_shows_gaps() {
    let statistics = statistics();
    let page = page(&statistics, "<corpus> & \"more\"");
    assert!(page.contains("&lt;corpus&gt; &amp; &quot;more&quot;"));
    for name in statistics.instructions.keys() {
        let heading = format!("<th class=\"name\" scope=\"row\">{name}</th>");
        assert!(page.contains(&heading), "{name}");
    }
    let shown = page.matches("class=\"never\"").count() + page.matches("class=\"hot\"").count();
    let columns = 1 + Circumstance::ALL.len() + statistics.outcomes().len();
    assert_eq!(shown, statistics.instructions.len() * columns);
}
