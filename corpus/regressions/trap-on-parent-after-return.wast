;; A continuation has returned, and then its resumer traps, overflows its stack or throws: what belongs to the running stack
;; (limits, the way back to the host) must have been swapped back (the class of Wasmtime's issues 13298 and 13584).

(module
  (type $f (func))
  (type $k (cont $f))
  (tag $t)
  (tag $e)
  (func $nop (type $f))
  (func $waits (type $f) (suspend $t))
  (func $deep (call $deep) (call $deep))
  (elem declare func $nop $waits)

  (func $run-one (resume $k (cont.new $k (ref.func $nop))))
  (func $leave-one-suspended
    (block $on_t (result (ref $k))
      (resume $k (on $t $on_t) (cont.new $k (ref.func $waits)))
      (unreachable))
    (drop))

  (func (export "trap-after-return") (call $run-one) (unreachable))
  (func (export "trap-after-suspension") (call $leave-one-suspended) (unreachable))
  (func (export "overflow-after-return") (call $run-one) (call $deep))
  (func (export "throw-after-suspension") (call $leave-one-suspended) (throw $e))
  (func (export "after") (result i32) (call $run-one) (i32.const 1))
)

(assert_trap (invoke "trap-after-return") "unreachable")
(assert_trap (invoke "trap-after-suspension") "unreachable")
(assert_exhaustion (invoke "overflow-after-return") "call stack exhausted")
(assert_exception (invoke "throw-after-suspension"))
(assert_return (invoke "after") (i32.const 1))
