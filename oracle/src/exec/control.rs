//! Control instructions within a function (specification: "Control Instructions").

use super::frame::get;
use super::numeric::{Number, constant};
use super::{Pc, RELOAD, Slots};
use crate::code::Instr;
use crate::error::{Exhausted, TrapKind};
use crate::machine::{BASE, Machine, Stop};
use crate::value::NULL;

/// `unreachable`
pub(crate) fn unreachable(m: &mut Machine, _: &mut Slots, _: &Instr, pc: Pc) -> Pc {
    m.trap(pc, TrapKind::Unreachable)
}

/// `nop`; also what stands for a source instruction without code when coverage is on.
pub(crate) fn nop(_: &mut Machine, _: &mut Slots, _: &Instr, pc: Pc) -> Pc {
    pc + 1
}

/// Every function's first instruction: `a` slots of parameters are there, `b` slots of
/// other locals are set to their default value, `c` slots are the whole frame.
pub(crate) fn enter(m: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
    if m.depth > m.limits.call_depth {
        return m.stop(pc, Stop::Exhausted(Exhausted::CallStack));
    }
    if f.len() < i.c as usize {
        return m.stop(pc, Stop::Grow(m.fp + i.c as usize));
    }
    // Zero is the default of every type that has one.
    f[i.a as usize..(i.a + i.b) as usize].fill(0);
    pc + 1
}

/// `br` to `b`.
pub(crate) fn br(_: &mut Machine, _: &mut Slots, i: &Instr, _: Pc) -> Pc {
    i.b as usize
}

/// The next instruction: `target` if a condition holds.
///
/// To the compiler one way is unlikely, so that it keeps a branch here, which processors
/// predict: otherwise the next instruction's address had to wait for the comparison.
#[inline(always)]
pub(super) fn branch(holds: bool, target: u32, pc: Pc) -> Pc {
    if holds {
        target as usize
    } else {
        std::hint::cold_path();
        pc + 1
    }
}

/// Conditional branches to `b`.
macro_rules! branches {
    ($($(#[$doc:meta])* $name:ident: |$x:ident| $e:expr;)*) => {
        $($(#[$doc])*
        pub(crate) fn $name(_: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
            let $x = get(f, i.a);
            branch($e, i.b, pc)
        })*
    };
}

branches! {
    /// `br_if`
    br_if: |x| x as u32 != 0;
    /// The opposite of `br_if`: `if`, and branches that have to move values first.
    br_unless: |x| x as u32 == 0;
    /// `br_on_null`
    br_on_null: |x| x == NULL;
    /// `br_on_non_null`
    br_on_non_null: |x| x != NULL;
}

/// A comparison with the branch on it, to `c`. The second handler's second operand is the
/// constant in `b`.
macro_rules! compare_branches {
    ($($name:ident, $with_constant:ident: $t:ty => $op:tt;)*) => {
        $(pub(crate) fn $name(_: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
            let x = <$t>::from_slot(get(f, i.a));
            let y = <$t>::from_slot(get(f, i.b));
            branch(x $op y, i.c, pc)
        }
        pub(crate) fn $with_constant(_: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
            let x = <$t>::from_slot(get(f, i.a));
            let y = <$t>::from_slot(constant(i));
            branch(x $op y, i.c, pc)
        })*
    };
}

compare_branches! {
    br_if_i32_eq, br_if_i32_eq_const: i32 => ==;
    br_if_i32_ne, br_if_i32_ne_const: i32 => !=;
    br_if_i32_lt_s, br_if_i32_lt_s_const: i32 => <;
    br_if_i32_lt_u, br_if_i32_lt_u_const: u32 => <;
    br_if_i32_gt_s, br_if_i32_gt_s_const: i32 => >;
    br_if_i32_gt_u, br_if_i32_gt_u_const: u32 => >;
    br_if_i32_le_s, br_if_i32_le_s_const: i32 => <=;
    br_if_i32_le_u, br_if_i32_le_u_const: u32 => <=;
    br_if_i32_ge_s, br_if_i32_ge_s_const: i32 => >=;
    br_if_i32_ge_u, br_if_i32_ge_u_const: u32 => >=;
    br_if_i64_eq, br_if_i64_eq_const: i64 => ==;
    br_if_i64_ne, br_if_i64_ne_const: i64 => !=;
    br_if_i64_lt_s, br_if_i64_lt_s_const: i64 => <;
    br_if_i64_lt_u, br_if_i64_lt_u_const: u64 => <;
    br_if_i64_gt_s, br_if_i64_gt_s_const: i64 => >;
    br_if_i64_gt_u, br_if_i64_gt_u_const: u64 => >;
    br_if_i64_le_s, br_if_i64_le_s_const: i64 => <=;
    br_if_i64_le_u, br_if_i64_le_u_const: u64 => <=;
    br_if_i64_ge_s, br_if_i64_ge_s_const: i64 => >=;
    br_if_i64_ge_u, br_if_i64_ge_u_const: u64 => >=;
}

/// A comparison of floats with the branch on it, to `c`: the second handler branches if the
/// comparison does not hold, which is not the opposite comparison where there are NaNs.
macro_rules! float_branches {
    ($($holds:ident, $fails:ident: $t:ty => $op:tt;)*) => {
        $(pub(crate) fn $holds(_: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
            let x = <$t>::from_slot(get(f, i.a));
            let y = <$t>::from_slot(get(f, i.b));
            branch(x $op y, i.c, pc)
        }
        pub(crate) fn $fails(_: &mut Machine, f: &mut Slots, i: &Instr, pc: Pc) -> Pc {
            let x = <$t>::from_slot(get(f, i.a));
            let y = <$t>::from_slot(get(f, i.b));
            let holds = x $op y;
            branch(!holds, i.c, pc)
        })*
    };
}

float_branches! {
    br_if_f32_eq, br_unless_f32_eq: f32 => ==;
    br_if_f32_ne, br_unless_f32_ne: f32 => !=;
    br_if_f32_lt, br_unless_f32_lt: f32 => <;
    br_if_f32_gt, br_unless_f32_gt: f32 => >;
    br_if_f32_le, br_unless_f32_le: f32 => <=;
    br_if_f32_ge, br_unless_f32_ge: f32 => >=;
    br_if_f64_eq, br_unless_f64_eq: f64 => ==;
    br_if_f64_ne, br_unless_f64_ne: f64 => !=;
    br_if_f64_lt, br_unless_f64_lt: f64 => <;
    br_if_f64_gt, br_unless_f64_gt: f64 => >;
    br_if_f64_le, br_unless_f64_le: f64 => <=;
    br_if_f64_ge, br_unless_f64_ge: f64 => >=;
}

/// `br_table`: `b` is the first of `c` targets, the last one being the default.
pub(crate) fn br_table(m: &mut Machine, f: &mut Slots, i: &Instr, _: Pc) -> Pc {
    let index = (get(f, i.a) as u32).min(i.c - 1);
    m.code().branches[(i.b + index) as usize] as usize
}

/// `return`, and the end of a function: the results stand at the frame's base, which is
/// where the caller expects them.
pub(crate) fn return_(m: &mut Machine, f: &mut Slots, _: &Instr, pc: Pc) -> Pc {
    match m.frames.last() {
        Some(frame) if frame.pc != BASE && frame.instance == m.instance => {
            m.pc = frame.pc as usize;
            m.fp = frame.fp as usize;
            m.frames.pop();
            m.depth -= 1;
            RELOAD
        }
        _ => return_across(m, f, pc),
    }
}

/// The same to another instance, or from a stack's first function.
#[inline(never)]
fn return_across(m: &mut Machine, f: &Slots, pc: Pc) -> Pc {
    m.change(pc, |m| m.return_to_caller(f))
}
