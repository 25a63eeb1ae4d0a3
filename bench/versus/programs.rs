//! The programs: one text for every engine, so that all do the same.
//!
//! Every program exports `run`, which does as many operations as its parameter says.

mod counted;

pub use counted::{NEW_AND_RUN, ROUND_TRIP, SWITCH, forwarded};

/// The same, with an `i32` in both directions.
pub const ROUND_TRIP_I32: &str = r#"(module
  (type $f (func (param i32))) (type $k (cont $f)) (tag $t (param i32) (result i32))
  (func $body (type $f)
    (local.get 0)
    (loop $next (param i32)
      (suspend $t)
      (br_if $next (local.tee 0) (i32.gt_s (local.get 0) (i32.const 0)))
      (drop)))
  (elem declare func $body)
  (func (export "run") (param $n i32) (local $k (ref null $k))
    (local.set $k (cont.new $k (ref.func $body)))
    (loop $again
      (block $on (result i32 (ref $k))
        (resume $k (on $t $on) (local.get $n) (local.get $k))
        (return))
      (local.set $k)
      (local.set $n (i32.sub (i32.const 1)))
      (br $again))))"#;

/// Throwing into a suspended continuation, which catches it and suspends again.
pub const RESUME_THROW: &str = r#"(module
  (type $f (func)) (type $k (cont $f)) (tag $t) (tag $e)
  (func $body (type $f)
    (loop $next
      (block $caught
        (try_table (catch $e $caught) (suspend $t) (return)))
      (br $next)))
  (elem declare func $body)
  (func (export "run") (param $n i32) (local $k (ref null $k))
    (block $on (result (ref $k))
      (resume $k (on $t $on) (cont.new $k (ref.func $body)))
      (return))
    (local.set $k)
    (loop $again
      (block $on (result (ref $k))
        (resume_throw $k $e (on $t $on) (local.get $k))
        (return))
      (local.set $k)
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (resume $k (local.get $k))))"#;

/// What hosts call, and what calls the host.
pub const CALLS: &str = r#"(module
  (import "h" "f" (func $h (param i32) (result i32)))
  (type $f (func (param i32) (result i32)))
  (table 1 funcref) (elem (i32.const 0) $inc)
  (func $inc (export "inc") (type $f) (i32.add (local.get 0) (i32.const 1)))
  (func (export "run") (param $n i32) (local $x i32)
    (loop $again
      (local.set $x (call $h (local.get $x)))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
  (func (export "indirect") (param $n i32) (local $x i32)
    (loop $again
      (local.set $x (call_indirect (type $f) (local.get $x) (i32.const 0)))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
  (func (export "ref") (param $n i32) (local $x i32) (local $callee (ref null $f))
    (local.set $callee (ref.func $inc))
    (loop $again
      (local.set $x (call_ref $f (local.get $x) (local.get $callee)))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))))"#;

/// Suspends as many continuations as it is told, and keeps all of them.
pub const SUSPEND_MANY: &str = r#"(module
  (type $f (func)) (type $k (cont $f)) (tag $t)
  (table $kept 0 (ref null $k))
  (func $body (type $f) (suspend $t))
  (elem declare func $body)
  (func (export "run") (param $n i32)
    (loop $again
      (block $on (result (ref $k))
        (resume $k (on $t $on) (cont.new $k (ref.func $body)))
        (unreachable))
      (drop (table.grow $kept (i32.const 1)))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))))"#;
