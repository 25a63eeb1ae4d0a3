;; The second operand is subtracted from the first.
(module
  (func (export "run") (param i64 i64) (result i64)
    (i64.sub (local.get 0) (local.get 1))))
(assert_return (invoke "run" (i64.const 7) (i64.const 5)) (i64.const 2))
