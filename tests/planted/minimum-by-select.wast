;; The minimum of anything and NaN is NaN, and negative zero is less than zero.
(module
  (func (export "run") (param f64 f64) (result f64)
    (f64.min (local.get 0) (local.get 1))))
(assert_return (invoke "run" (f64.const nan) (f64.const 1)) (f64.const nan:canonical))
(assert_return (invoke "run" (f64.const -0) (f64.const 0)) (f64.const -0))
