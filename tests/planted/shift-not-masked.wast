;; The distance of a shift is taken modulo the width.
(module
  (func (export "run") (param i32 i32) (result i32)
    (i32.shl (local.get 0) (local.get 1))))
(assert_return (invoke "run" (i32.const 3) (i32.const 33)) (i32.const 6))
