;; Nothing is less than NaN, nor greater.
(module
  (func (export "run") (param f64 f64) (result i32)
    (i32.or (f64.lt (local.get 0) (local.get 1)) (f64.gt (local.get 0) (local.get 1)))))
(assert_return (invoke "run" (f64.const nan) (f64.const 1)) (i32.const 0))
(assert_return (invoke "run" (f64.const 2) (f64.const 1)) (i32.const 1))
