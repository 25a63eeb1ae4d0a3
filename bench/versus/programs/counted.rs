//! The programs whose instructions the engine's tests count, besides what is timed here.

/// A round trip of `suspend` and `resume` that carries nothing.
pub const ROUND_TRIP: &str = r#"(module
  (type $f (func)) (type $k (cont $f)) (tag $t)
  (global $left (mut i32) (i32.const 0))
  (func $body (type $f)
    (loop $next
      (suspend $t)
      (br_if $next (global.get $left))))
  (elem declare func $body)
  (func (export "run") (param $n i32) (local $k (ref null $k))
    (global.set $left (i32.const 1))
    (local.set $k (cont.new $k (ref.func $body)))
    (loop $again
      (block $on (result (ref $k))
        (resume $k (on $t $on) (local.get $k))
        (return))
      (local.set $k)
      (local.set $n (i32.sub (local.get $n) (i32.const 1)))
      (global.set $left (i32.gt_s (local.get $n) (i32.const 0)))
      (br $again))))"#;

/// A continuation that is made and runs to its end.
pub const NEW_AND_RUN: &str = r#"(module
  (type $f (func)) (type $k (cont $f))
  (func $body (type $f))
  (elem declare func $body)
  (func (export "run") (param $n i32)
    (loop $again
      (resume $k (cont.new $k (ref.func $body)))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))))"#;

/// Two continuations that switch to each other.
pub const SWITCH: &str = r#"(module
  (rec (type $f (func (param (ref null $k)))) (type $k (cont $f))) (tag $t)
  (global $left (mut i32) (i32.const 0))
  (func $body (type $f) (local $other (ref null $k))
    (local.set $other (local.get 0))
    (loop $next
      (if (i32.le_s (global.get $left) (i32.const 0)) (then (return)))
      (global.set $left (i32.sub (global.get $left) (i32.const 1)))
      (local.set $other (switch $k $t (local.get $other)))
      (br $next)))
  (elem declare func $body)
  (func (export "run") (param $n i32)
    (global.set $left (local.get $n))
    (resume $k (on $t switch)
      (cont.new $k (ref.func $body))
      (cont.new $k (ref.func $body)))))"#;

/// A round trip past `depth` resumes that handle something else.
pub fn forwarded(depth: u32) -> String {
    format!(
        r#"(module
  (type $f (func)) (type $k (cont $f)) (tag $t) (tag $other)
  (type $g (func (param i32))) (type $l (cont $g))
  (global $left (mut i32) (i32.const 0))
  (func $nest (type $g)
    (if (local.get 0)
      (then
        (block $on (result (ref $k))
          (resume $l (on $other $on) (i32.sub (local.get 0) (i32.const 1)) (cont.new $l (ref.func $nest)))
          (return))
        (unreachable))
      (else
        (loop $next
          (suspend $t)
          (br_if $next (global.get $left))))))
  (func $body (type $f) (call $nest (i32.const {depth})))
  (elem declare func $nest $body)
  (func (export "run") (param $n i32) (local $k (ref null $k))
    (global.set $left (i32.const 1))
    (local.set $k (cont.new $k (ref.func $body)))
    (loop $again
      (block $on (result (ref $k))
        (resume $k (on $t $on) (local.get $k))
        (return))
      (local.set $k)
      (local.set $n (i32.sub (local.get $n) (i32.const 1)))
      (global.set $left (i32.gt_s (local.get $n) (i32.const 0)))
      (br $again))))"#
    )
}
