;; Lanes from 16 on are those of the second operand.
(module
  (func (export "run") (result i32)
    (i8x16.extract_lane_u 0
      (i8x16.shuffle 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 (v128.const i64x2 0 0) (v128.const i64x2 -1 -1)))))
(assert_return (invoke "run") (i32.const 255))
