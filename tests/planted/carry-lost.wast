;; A sum of 128 bits carries.
(module
  (func (export "run") (param i64) (result i64 i64)
    (i64.add128 (local.get 0) (i64.const 0) (local.get 0) (i64.const 0))))
(assert_return (invoke "run" (i64.const -1)) (i64.const -2) (i64.const 1))
