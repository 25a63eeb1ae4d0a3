;; An unsigned product of 128 bits has no sign.
(module
  (func (export "run") (param i64) (result i64 i64)
    (i64.mul_wide_u (local.get 0) (i64.const 2))))
(assert_return (invoke "run" (i64.const -1)) (i64.const -2) (i64.const 1))
