;; The sign is the second operand's.
(module
  (func (export "run") (param f64 f64) (result f64)
    (f64.copysign (local.get 0) (local.get 1))))
(assert_return (invoke "run" (f64.const 2) (f64.const -3)) (f64.const -2))
