;; configuration: traps=checks
;; A trap on a continuation's stack ends the call.
(module
  (type $f (func (param i32) (result i32))) (type $k (cont $f))
  (func $divides (type $f) (i32.div_u (i32.const 1) (local.get 0)))
  (elem declare func $divides)
  (func (export "run") (param i32) (result i32)
    (resume $k (local.get 0) (cont.new $k (ref.func $divides)))))
(assert_return (invoke "run" (i32.const 1)) (i32.const 1))
(assert_trap (invoke "run" (i32.const 0)) "integer divide by zero")
