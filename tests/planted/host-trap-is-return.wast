;; A host function that fails as the body of a continuation ends the call, and not the resume.
(module
  (type $f (func (param funcref))) (type $k (cont $f))
  (import "switchback" "call" (func $call (type $f)))
  (func $traps (unreachable))
  (elem declare func $call $traps)
  (func (export "run") (result i32)
    (resume $k (ref.func $traps) (cont.new $k (ref.func $call)))
    (i32.const 1)))
(assert_trap (invoke "run") "unreachable")
