//! What must stay, wherever the only reference to it is while a collection runs.

use super::*;

#[test]
fn objects_in_locals_operands_and_fields_survive() {
    run_under_zeal(
        &format!(
            r#"(module {PRELUDE}
            (type $node (struct (field (mut (ref null $node))) (field (ref $box))))
            (global $kept (mut anyref) (ref.null any))
            (table $table 2 anyref)
            (func (export "run") (result i32) (local $list (ref null $node)) (local $i i32) (local $sum i32)
              (global.set $kept (call $box (i32.const 1000)))
              (table.set $table (i32.const 1) (call $box (i32.const 2000)))
              (loop $build
                (local.set $list (struct.new $node (local.get $list) (call $box (local.get $i))))
                (br_if $build (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 20))))
              (call $churn)
              (loop $read
                (local.set $sum (i32.add (local.get $sum) (call $open (struct.get $node 1 (local.get $list)))))
                (br_if $read (i32.eqz (ref.is_null (local.tee $list (struct.get $node 0 (local.get $list)))))))
              (i32.add (i32.add (local.get $sum) (call $open (ref.cast (ref $box) (global.get $kept))))
                (call $open (ref.cast (ref $box) (table.get $table (i32.const 1))))))) "#
        ),
        190 + 3000,
    );
}

#[test]
fn arrays_keep_their_elements_while_they_are_filled() {
    run_under_zeal(
        &format!(
            r#"(module {PRELUDE}
            (elem $elem (ref null $box) (struct.new $box (i32.const 5) (i64.const -1)) (ref.null $box))
            (func (export "run") (result i32) (local $a (ref null $boxes)) (local $b (ref null $boxes))
              (local.set $a (array.new_fixed $boxes 3 (call $box (i32.const 1)) (call $box (i32.const 2)) (call $box (i32.const 3))))
              (local.set $b (array.new $boxes (call $box (i32.const 10)) (i32.const 4)))
              (array.copy $boxes $boxes (local.get $b) (i32.const 1) (local.get $a) (i32.const 0) (i32.const 2))
              (array.set $boxes (local.get $a) (i32.const 0) (call $box (i32.const 100)))
              (array.init_elem $boxes $elem (local.get $a) (i32.const 2) (i32.const 0) (i32.const 1))
              (call $churn)
              ;; 100 + 2 + 5 + 10 + 1 + 2 + 10
              (i32.add (i32.add (i32.add (call $open (array.get $boxes (local.get $a) (i32.const 0)))
                (call $open (array.get $boxes (local.get $a) (i32.const 1))))
                (i32.add (call $open (array.get $boxes (local.get $a) (i32.const 2)))
                (call $open (array.get $boxes (local.get $b) (i32.const 0)))))
                (i32.add (i32.add (call $open (array.get $boxes (local.get $b) (i32.const 1)))
                (call $open (array.get $boxes (local.get $b) (i32.const 2))))
                (call $open (array.get $boxes (array.new_elem $boxes $elem (i32.const 0) (i32.const 2)) (i32.const 0))))))) "#
        ),
        100 + 2 + 5 + 10 + 1 + 2 + 5,
    );
}

/// Class 5: references bound, carried by a suspension, given to a resume and returned by it are nowhere else meanwhile.
#[test]
fn objects_on_their_way_between_stacks_survive() {
    run_under_zeal(
        &format!(
            r#"(module {PRELUDE}
            (type $f (func (param (ref $box) (ref $box)) (result (ref $box) (ref null $box)))) (type $k (cont $f))
            (type $f1 (func (param (ref $box)) (result (ref $box) (ref null $box)))) (type $k1 (cont $f1))
            (tag $ask (param (ref $box) (ref $box)) (result (ref $box)))
            (func $body (type $f)
              (call $churn)
              ;; 1 + 2, carried out, while 40 lies on this stack's operands
              (call $box (i32.const 40))
              (call $box (call $open (suspend $ask (local.get 0) (local.get 1))))
              (call $churn))
            (elem declare func $body)
            (func (export "run") (result i32) (local $sum i32) (local $k (ref null $k1)) (local $second (ref null $box))
              (block $on_ask (result (ref $box) (ref $box) (ref $k1))
                (resume $k1 (on $ask $on_ask)
                  (call $box (i32.const 2))
                  (cont.bind $k $k1 (call $box (i32.const 1)) (cont.new $k (ref.func $body))))
                (unreachable))
              (local.set $k)
              (call $churn)
              (local.set $sum (call $open))
              (local.set $sum (i32.add (call $open) (local.get $sum)))
              (call $churn)
              (resume $k1 (call $box (i32.const 300)) (local.get $k))
              (local.set $second)
              (call $churn)
              (local.set $sum (i32.add (call $open) (local.get $sum)))
              (i32.add (local.get $sum) (call $open (local.get $second)))))"#
        ),
        1 + 2 + 40 + 300,
    );
}

#[test]
fn objects_in_exceptions_survive_stacks_that_end() {
    run_under_zeal(
        &format!(
            r#"(module {PRELUDE}
            (type $f (func)) (type $k (cont $f)) (tag $stop) (tag $e (param (ref $box) (ref null $k)))
            (func $wait (type $f) (local $mine (ref null $box))
              (local.set $mine (call $box (i32.const 9)))
              (suspend $stop)
              (if (i32.ne (call $open (local.get $mine)) (i32.const 9)) (then unreachable)))
            (func $thrower (type $f)
              (block $on (result (ref $k))
                (resume $k (on $stop $on) (cont.new $k (ref.func $wait)))
                (unreachable))
              (call $box (i32.const 50))
              (return_call $throw))
            (func $throw (param (ref $k) (ref $box)) (call $churn) (throw $e (local.get 1) (local.get 0)))
            (func $idle (type $f) (suspend $stop))
            (elem declare func $wait $thrower $idle)
            (func (export "run") (result i32) (local $k (ref null $k)) (local $exn exnref) (local $box (ref null $box))
              ;; a continuation in an exception, which is kept only as a reference
              (block $caught (result (ref $box) (ref null $k) (ref exn))
                (try_table (catch_ref $e $caught) (resume $k (cont.new $k (ref.func $thrower))))
                (unreachable))
              (local.set $exn) (drop) (drop)
              (call $churn)
              ;; thrown into a suspended stack and out of it again
              (block $on (result (ref $k))
                (resume $k (on $stop $on) (cont.new $k (ref.func $idle))) (unreachable))
              (local.set $k)
              (block $again (result (ref $box) (ref null $k))
                (try_table (catch $e $again) (resume_throw_ref $k (local.get $exn) (local.get $k)))
                (unreachable))
              (local.set $k) (local.set $box)
              (local.set $exn (ref.null exn))
              (call $churn)
              (resume $k (local.get $k))
              (call $open (local.get $box))))"#
        ),
        50,
    );
}

/// The allocation of the exception collects while the continuation is an operand only.
#[test]
fn continuations_survive_the_exception_that_is_thrown_into_them() {
    run_under_zeal(
        &format!(
            r#"(module {PRELUDE}
            (type $f (func (result i32))) (type $k (cont $f)) (tag $stop) (tag $e (param (ref $box)))
            (func $body (type $f) (local $mine (ref null $box))
              (local.set $mine (call $box (i32.const 7)))
              (block $caught (result (ref $box))
                (try_table (catch $e $caught) (suspend $stop))
                (unreachable))
              (i32.add (call $open) (call $open (local.get $mine))))
            (elem declare func $body)
            (func $start (result (ref $k))
              (block $on (result (ref $k)) (resume $k (on $stop $on) (cont.new $k (ref.func $body))) (unreachable)))
            (func (export "run") (result i32)
              (resume_throw $k $e (call $box (i32.const 30)) (call $start))))"#
        ),
        37,
    );
}

/// Classes 6 and 7: continuations in structures and arrays, chains of several stacks, and `switch`.
#[test]
fn continuations_in_objects_survive() {
    run_under_zeal(
        &format!(
            r#"(module {PRELUDE}
            (type $f (func (result i32))) (type $k (cont $f))
            (type $holder (struct (field (mut (ref null $k))) (field (mut (ref null $holder)))))
            (type $many (array (mut (ref null $k))))
            (tag $stop) (tag $never)
            (func $inner (type $f) (local $mine (ref null $box))
              (local.set $mine (call $box (i32.const 3)))
              (suspend $stop)
              (call $churn)
              (call $open (local.get $mine)))
            (func $outer (type $f) (local $mine (ref null $box))
              (local.set $mine (call $box (i32.const 4)))
              ;; forwards: two stacks are captured as one
              (block $on (result (ref $k))
                (resume $k (on $never $on) (cont.new $k (ref.func $inner)))
                (return (i32.add (call $open (local.get $mine)))))
              (unreachable))
            (elem declare func $inner $outer)
            (func $start (result (ref $k))
              (block $on (result (ref $k)) (resume $k (on $stop $on) (cont.new $k (ref.func $outer))) (unreachable)))
            (func (export "run") (result i32) (local $h (ref null $holder)) (local $a (ref null $many))
              (local.set $h (struct.new $holder (ref.null $k) (struct.new $holder (call $start) (ref.null $holder))))
              (local.set $a (array.new_fixed $many 2 (cont.new $k (ref.func $inner)) (call $start)))
              (call $churn)
              (i32.add
                (resume $k (struct.get $holder 0 (struct.get $holder 1 (local.get $h))))
                (resume $k (array.get $many (local.get $a) (i32.const 1))))))"#
        ),
        14,
    );
    run_under_zeal(
        &format!(
            r#"(module {PRELUDE}
            (rec (type $f (func (param (ref $box) (ref null $k)) (result i32))) (type $k (cont $f)))
            (tag $sw (result i32))
            (func $b (type $f) (local $r (ref null $k))
              (call $churn)
              (switch $k $sw (call $box (i32.add (i32.const 5) (call $open (local.get 0)))) (local.get 1))
              (drop) (drop) (unreachable))
            (func $a (type $f) (local $mine (ref null $box)) (local $back (ref null $box))
              (local.set $mine (call $box (i32.const 100)))
              (switch $k $sw (local.get 0) (cont.new $k (ref.func $b)))
              (drop) (local.set $back)
              (call $churn)
              (i32.add (call $open (local.get $back)) (call $open (local.get $mine))))
            (elem declare func $a $b)
            (func (export "run") (result i32)
              (resume $k (on $sw switch) (call $box (i32.const 1)) (ref.null $k) (cont.new $k (ref.func $a)))))"#
        ),
        106,
    );
}
