;; A captured continuation can span several stacks: everything between the
;; suspension and the handler moves as one.
(module
  (type $f (func)) (type $k (cont $f))
  (type $fi (func (param i32))) (type $ki (cont $fi))
  (tag $far (param i32) (result i32))
  (tag $near)
  (global $log (mut i32) (i32.const 0))
  (func $note (param i32)
    (global.set $log (i32.add (i32.mul (global.get $log) (i32.const 10)) (local.get 0))))

  (func $inner
    (call $note (i32.const 1))
    (call $note (suspend $far (i32.const 2)))
    (suspend $near)
    (call $note (i32.const 6)))
  (func $middle
    (block $h (result (ref $k))
      (resume $k (on $near $h) (cont.new $k (ref.func $inner)))
      (unreachable))
    (call $note (i32.const 5))
    (resume $k)
    (call $note (i32.const 7)))
  (func $outer
    (resume $k (cont.new $k (ref.func $middle)))
    (call $note (i32.const 8)))
  (elem declare func $inner $middle $outer $elsewhere)

  ;; Runs $outer up to the suspension with $far; three stacks are captured.
  (func $capture (result (ref $ki))
    (local $c (ref null $ki))
    (block $h (result i32 (ref $ki))
      (resume $k (on $far $h) (cont.new $k (ref.func $outer)))
      (unreachable))
    (local.set $c)
    (call $note)
    (ref.as_non_null (local.get $c)))

  (func (export "resume-the-chain") (result i32)
    (global.set $log (i32.const 0))
    (resume $ki (i32.const 4) (call $capture))
    (global.get $log))

  ;; The chain is resumed on a stack that is itself a continuation.
  (global $kept (mut (ref null $ki)) (ref.null $ki))
  (func $elsewhere
    (call $note (i32.const 3))
    (resume $ki (i32.const 4) (global.get $kept))
    (call $note (i32.const 9)))
  (func (export "resume-the-chain-elsewhere") (result i32)
    (global.set $log (i32.const 0))
    (global.set $kept (call $capture))
    (resume $k (cont.new $k (ref.func $elsewhere)))
    (global.get $log))

  ;; An exception thrown into the chain appears in its innermost stack and
  ;; passes all of them.
  (tag $e)
  (func (export "throw-into-the-chain") (result i32)
    (global.set $log (i32.const 0))
    (block $caught
      (try_table (catch $e $caught)
        (resume_throw $ki $e (call $capture)))
      (unreachable))
    (global.get $log))
  (func (export "the-whole-chain-is-consumed")
    (local $c (ref null $ki))
    (local.set $c (call $capture))
    (resume $ki (i32.const 4) (local.get $c))
    (resume $ki (i32.const 4) (local.get $c)))
)

(assert_return (invoke "resume-the-chain") (i32.const 1245678))
(assert_return (invoke "resume-the-chain-elsewhere") (i32.const 123456789))
(assert_return (invoke "throw-into-the-chain") (i32.const 12))
(assert_trap (invoke "the-whole-chain-is-consumed") "continuation already consumed")
