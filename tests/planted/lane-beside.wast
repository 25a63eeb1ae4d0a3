;; The lane that is named is extracted.
(module
  (func (export "run") (result i32)
    (i16x8.extract_lane_u 2 (v128.const i16x8 0 1 2 3 4 5 6 7))))
(assert_return (invoke "run") (i32.const 2))
