//! Joined instructions do what the ones that they stand for do.
//!
//! Each pattern is translated twice: as it is, and with something in between that keeps the
//! parts apart. The first must have the joined instruction and the second must not, and on
//! all operands both must end in the same way.

use crate::exec::ops::Op;
use crate::{Config, Engine, Error, Extern, Func, Instance, Module, Store, Val};

const I32: &[Val] = &[
    Val::I32(0),
    Val::I32(1),
    Val::I32(37),
    Val::I32(-1),
    Val::I32(65_530),
    Val::I32(i32::MIN),
    Val::I32(i32::MAX),
];

const I64: &[Val] = &[
    Val::I64(0),
    Val::I64(1),
    Val::I64(69),
    Val::I64(-1),
    Val::I64(i64::MIN),
    Val::I64(i64::MAX),
];

const F32: &[Val] = &[
    Val::F32(0),
    Val::F32(0x8000_0000),
    Val::F32(0x3f80_0001),
    Val::F32(0x7f7f_ffff),
    Val::F32(0xff80_0000),
    Val::F32(0x7fa0_0001),
    Val::F32(0x0000_0001),
];

const F64: &[Val] = &[
    Val::F64(0),
    Val::F64(0x8000_0000_0000_0000),
    Val::F64(0x3ff0_0000_0000_0001),
    Val::F64(0x7fef_ffff_ffff_ffff),
    Val::F64(0xfff0_0000_0000_0000),
    Val::F64(0x7ff4_0000_0000_0001),
    Val::F64(0x0000_0000_0000_0001),
];

/// A module that exports the function `f`.
struct Program {
    store: Store<()>,
    func: Func,
    ops: Vec<Op>,
}

impl Program {
    fn new(func: &str) -> Program {
        let text = format!(
            r#"(module (memory 1) (data (i32.const 0) "\81\92\a3\b4\c5\d6\e7\f8")
                (data (i32.const 65528) "\18\27\36\45\54\63\72\f1") {func})"#
        );
        let wasm = wat::parse_str(&text).unwrap_or_else(|e| panic!("{e}"));
        let engine = Engine::new(&Config::new()).expect("an engine");
        let module = Module::new(&engine, &wasm).expect("a module");
        let ops = module.data.code.instrs.iter().map(|i| i.op).collect();
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).expect("an instance");
        let Some(Extern::Func(func)) = instance.get_export(&store, "f") else {
            panic!("a function");
        };
        Program { store, func, ops }
    }

    fn call(&mut self, args: &[Val]) -> Result<Vec<Val>, String> {
        let results = self.func.ty(&self.store).results().len();
        let mut results = vec![Val::I32(0); results];
        match self.func.call(&mut self.store, args, &mut results) {
            Ok(()) => Ok(results),
            Err(Error::Trap(trap)) => Err(trap.kind.to_string()),
            Err(other) => panic!("{other}"),
        }
    }
}

/// Compares the two forms of a function on all triples of operands.
fn compare(op: Op, joined: &str, apart: &str, operands: &[Val]) {
    let (mut one, mut two) = (Program::new(joined), Program::new(apart));
    assert!(
        one.ops.contains(&op),
        "{op:?} is not in {joined}: {:?}",
        one.ops
    );
    assert!(!two.ops.contains(&op), "{op:?} is in {apart}");
    for x in operands {
        for y in operands {
            for z in operands {
                let args = [*x, *y, *z];
                let (one, two) = (one.call(&args), two.call(&args));
                // Debug shows the bits of floats, which `==` would not compare.
                assert_eq!(format!("{one:?}"), format!("{two:?}"), "{op:?} on {args:?}");
            }
        }
    }
}

/// A function of three operands whose result is `$then` of `$first` of them; in the second
/// form the first result goes through a local.
fn expression(ty: &str, result: &str, first: &str, then: impl Fn(&str) -> String) -> [String; 2] {
    let head = format!(
        r#"(func (export "f") (param $x {ty}) (param $y {ty}) (param $z {ty}) (result {result})
            (local $t {ty})"#
    );
    [
        format!("{head} {})", then(first)),
        format!("{head} (local.set $t {first}) {})", then("(local.get $t)")),
    ]
}

#[test]
fn sums_of_products() {
    for (ty, operands, ops) in [
        ("i32", I32, [Op::I32MulAdd; 3]),
        ("i64", I64, [Op::I64MulAdd; 3]),
        ("f32", F32, [Op::F32MulAdd, Op::F32MulSub, Op::F32SubMul]),
        ("f64", F64, [Op::F64MulAdd, Op::F64MulSub, Op::F64SubMul]),
    ] {
        let mul = format!("({ty}.mul (local.get $x) (local.get $y))");
        let pair = |op: Op, then: &dyn Fn(&str) -> String| {
            let [joined, apart] = expression(ty, ty, &mul, then);
            compare(op, &joined, &apart, operands);
        };
        pair(ops[0], &|t| format!("({ty}.add {t} (local.get $z))"));
        pair(ops[0], &|t| format!("({ty}.add (local.get $z) {t})"));
        if ty.starts_with('f') {
            pair(ops[1], &|t| format!("({ty}.sub {t} (local.get $z))"));
            pair(ops[2], &|t| format!("({ty}.sub (local.get $z) {t})"));
        }
    }
}

/// An operand that has yet to be written must not overwrite one that is joined.
#[test]
fn constants_stay_apart() {
    let mut program = Program::new(
        r#"(func (export "f") (param $x i32) (result f64)
            (f64.add
                (f64.mul (f64.convert_i32_s (local.get $x)) (f64.convert_i32_u (local.get $x)))
                (f64.const 0.5)))"#,
    );
    assert!(!program.ops.contains(&Op::F64MulAdd));
    let result = program.call(&[Val::I32(3)]).expect("a result");
    assert_eq!(
        format!("{result:?}"),
        format!("{:?}", [Val::F64(9.5f64.to_bits())])
    );
}

#[test]
fn shifts_rotations_and_masks() {
    for (ty, operands, [shl_add, xor_rotl, shr_and]) in [
        ("i32", I32, [Op::I32ShlAdd, Op::I32XorRotl, Op::I32ShrAnd]),
        ("i64", I64, [Op::I64ShlAdd, Op::I64XorRotl, Op::I64ShrAnd]),
    ] {
        for distance in [0, 1, 5, 31, 32, 33, 63, 64, -1] {
            let shl = format!("({ty}.shl (local.get $x) ({ty}.const {distance}))");
            let [joined, apart] =
                expression(ty, ty, &shl, |t| format!("({ty}.add {t} (local.get $z))"));
            compare(shl_add, &joined, &apart, operands);
            let xor = format!("({ty}.xor (local.get $x) (local.get $y))");
            let [joined, apart] = expression(ty, ty, &xor, |t| {
                format!("({ty}.rotl {t} ({ty}.const {distance}))")
            });
            compare(xor_rotl, &joined, &apart, operands);
            let shr = format!("({ty}.shr_u (local.get $x) ({ty}.const {distance}))");
            for mask in [1, 255, -2] {
                let [joined, apart] = expression(ty, ty, &shr, |t| {
                    format!("({ty}.and {t} ({ty}.const {mask}))")
                });
                compare(shr_and, &joined, &apart, operands);
            }
        }
    }
}

#[test]
fn loads() {
    let loads = [
        ("i32.load", "i32", Op::I32LoadSum, Op::I32LoadScaled),
        ("i32.load8_s", "i32", Op::I32Load8SSum, Op::I32Load8SScaled),
        ("i32.load8_u", "i32", Op::I32Load8USum, Op::I32Load8UScaled),
        (
            "i32.load16_s",
            "i32",
            Op::I32Load16SSum,
            Op::I32Load16SScaled,
        ),
        (
            "i32.load16_u",
            "i32",
            Op::I32Load16USum,
            Op::I32Load16UScaled,
        ),
        ("i64.load", "i64", Op::I64LoadSum, Op::I64LoadScaled),
        ("i64.load8_s", "i64", Op::I64Load8SSum, Op::I64Load8SScaled),
        ("i64.load8_u", "i64", Op::I64Load8USum, Op::I64Load8UScaled),
        (
            "i64.load16_s",
            "i64",
            Op::I64Load16SSum,
            Op::I64Load16SScaled,
        ),
        (
            "i64.load16_u",
            "i64",
            Op::I64Load16USum,
            Op::I64Load16UScaled,
        ),
        (
            "i64.load32_s",
            "i64",
            Op::I64Load32SSum,
            Op::I64Load32SScaled,
        ),
        (
            "i64.load32_u",
            "i64",
            Op::I64Load32USum,
            Op::I64Load32UScaled,
        ),
        ("f32.load", "f32", Op::F32LoadSum, Op::F32LoadScaled),
        ("f64.load", "f64", Op::F64LoadSum, Op::F64LoadScaled),
    ];
    let operands: Vec<Val> = [
        0,
        1,
        -1,
        7,
        65_527,
        65_528,
        65_529,
        65_535,
        65_536,
        i32::MIN,
    ]
    .into_iter()
    .map(Val::I32)
    .collect();
    for (load, result, sum, scaled) in loads {
        let add = "(i32.add (local.get $x) (local.get $y))";
        for offset in [0, 1, 65_535] {
            let [joined, apart] = expression("i32", result, add, |t| {
                format!("({load} offset={offset} {t})")
            });
            compare(sum, &joined, &apart, &operands);
        }
        let shifted = "(i32.add (i32.shl (local.get $x) (i32.const 3)) (local.get $z))";
        let [joined, apart] = expression("i32", result, shifted, |t| format!("({load} {t})"));
        compare(scaled, &joined, &apart, &operands);
    }
}

/// A function that adds to its first parameter and branches on a comparison with `bound`.
fn counting(ty: &str, add: &str, compare: &str, bound: &str, between: &str) -> String {
    format!(
        r#"(func (export "f") (param $x {ty}) (param $y {ty}) (param $z {ty}) (result {ty} i32)
            (block $taken
                (local.set $x ({ty}.{add}))
                {between}
                (br_if $taken ({ty}.{compare} (local.get $x) {bound}))
                (return (local.get $x) (i32.const 0)))
            (local.get $x) (i32.const 1))"#
    )
}

/// Comparisons, and what they are called in instructions' names.
const COMPARISONS: [(&str, &str); 10] = [
    ("eq", "Eq"),
    ("ne", "Ne"),
    ("lt_s", "LtS"),
    ("lt_u", "LtU"),
    ("gt_s", "GtS"),
    ("gt_u", "GtU"),
    ("le_s", "LeS"),
    ("le_u", "LeU"),
    ("ge_s", "GeS"),
    ("ge_u", "GeU"),
];

#[test]
fn counting_loops() {
    for (ty, operands) in [("i32", I32), ("i64", I64)] {
        for (compare_name, suffix) in COMPARISONS {
            let constant = format!("({ty}.const 37)");
            for (bound, bound_suffix) in [("(local.get $z)", ""), (constant.as_str(), "Const")] {
                let by_three = format!("add (local.get $x) ({ty}.const 3)");
                let minus = format!("sub (local.get $x) ({ty}.const 32768)");
                for (add, kind) in [
                    ("add (local.get $x) (local.get $y)", "Add"),
                    ("add (local.get $y) (local.get $x)", "Add"),
                    ("add (local.get $x) (local.get $x)", "Add"),
                    (by_three.as_str(), "Inc"),
                    (minus.as_str(), "Inc"),
                ] {
                    let name = format!("{}{kind}Br{suffix}{bound_suffix}", ty.to_uppercase());
                    let joined = counting(ty, add, compare_name, bound, "");
                    let apart = counting(ty, add, compare_name, bound, "(block)");
                    let op = Program::new(&joined)
                        .ops
                        .into_iter()
                        .find(|op| format!("{op:?}") == name);
                    let op = op.unwrap_or_else(|| panic!("no {name} in {joined}"));
                    compare(op, &joined, &apart, operands);
                }
            }
        }
    }
}

/// A condition that is a number counts as a comparison with 0.
#[test]
fn counting_down_to_zero() {
    let body = |between| {
        format!(
            r#"(func (export "f") (param $x i32) (param i32) (param i32) (result i32 i32)
                (block $taken
                    (local.set $x (i32.sub (local.get $x) (i32.const 1)))
                    {between}
                    (br_if $taken (local.get $x))
                    (return (local.get $x) (i32.const 0)))
                (local.get $x) (i32.const 1))"#
        )
    };
    compare(Op::I32IncBrNeConst, &body(""), &body("(block)"), I32);
}

/// What is added too much for the instruction is not joined, and neither is an addition that
/// something jumps behind.
#[test]
fn what_does_not_fit_stays_apart() {
    let large = counting(
        "i32",
        "add (local.get $x) (i32.const 32768)",
        "eq",
        "(local.get $z)",
        "",
    );
    let ops = Program::new(&large).ops;
    assert!(
        ops.contains(&Op::I32AddConst) && ops.contains(&Op::BrIfI32Eq),
        "{ops:?}"
    );
    let mut program = Program::new(
        r#"(func (export "f") (param $x i32) (result i32)
            (block $out
                (block $skip
                    (br_if $skip (local.get $x))
                    (local.set $x (i32.add (local.get $x) (i32.const 1))))
                (br_if $out (i32.eq (local.get $x) (i32.const 1)))
                (return (i32.const 10)))
            (i32.const 20))"#,
    );
    for (argument, expected) in [(0, 20), (1, 20), (2, 10)] {
        let result = program.call(&[Val::I32(argument)]).expect("a result");
        assert_eq!(format!("{result:?}"), format!("{:?}", [Val::I32(expected)]));
    }
}

/// A loop that ends by a branch at its beginning looks there at its end already.
#[test]
fn loops_with_a_condition_in_front() {
    let mut program = Program::new(
        r#"(func (export "f") (param $n i32) (result i32) (local $i i32) (local $sum i32)
            (block $done
                (loop $l
                    (br_if $done (i32.ge_s (local.get $i) (local.get $n)))
                    (local.set $sum (i32.add (local.get $sum) (local.get $i)))
                    (local.set $i (i32.add (local.get $i) (i32.const 2)))
                    (br $l)))
            (local.get $sum))"#,
    );
    assert!(program.ops.contains(&Op::I32IncBrLtS), "{:?}", program.ops);
    for (n, expected) in [(-1, 0), (0, 0), (1, 0), (2, 0), (3, 2), (10, 20), (11, 30)] {
        let result = program.call(&[Val::I32(n)]).expect("a result");
        assert_eq!(format!("{result:?}"), format!("{:?}", [Val::I32(expected)]));
    }
}
