;; A saturating truncation has the whole range of unsigned numbers.
(module
  (func (export "run") (param f64) (result i32)
    (i32.trunc_sat_f64_u (local.get 0))))
(assert_return (invoke "run" (f64.const 3e9)) (i32.const 3000000000))
