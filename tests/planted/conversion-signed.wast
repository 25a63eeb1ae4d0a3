;; The largest unsigned number is no negative one.
(module
  (func (export "run") (param i64) (result f64)
    (f64.convert_i64_u (local.get 0))))
(assert_return (invoke "run" (i64.const -1)) (f64.const 0x1p64))
