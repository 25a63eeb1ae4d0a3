;; A store of 32 bits stores all of them.
(module
  (memory 1)
  (func (export "run") (param i64) (result i64)
    (i64.store32 (i32.const 0) (local.get 0))
    (i64.load (i32.const 0))))
(assert_return (invoke "run" (i64.const 0x123456789)) (i64.const 0x23456789))
