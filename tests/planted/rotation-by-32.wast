;; The distance of a 64-bit rotation is taken modulo 64.
(module
  (func (export "run") (param i64 i64) (result i64)
    (i64.rotl (local.get 0) (local.get 1))))
(assert_return (invoke "run" (i64.const 1) (i64.const 40)) (i64.const 0x10000000000))
