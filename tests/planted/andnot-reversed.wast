;; The second operand is negated.
(module
  (func (export "run") (result i64)
    (i64x2.extract_lane 0 (v128.andnot (v128.const i64x2 6 0) (v128.const i64x2 3 0)))))
(assert_return (invoke "run") (i64.const 4))
