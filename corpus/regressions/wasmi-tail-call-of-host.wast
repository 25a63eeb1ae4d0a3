;; wasmi 2.0.0 ends with a segmentation fault: after a tail call of a host function from a function that was itself called,
;; the caller's frame is not the one that it goes on with. (`switchback` is the standard host; any host function without parameters
;; and results will do.)

(module
  (import "switchback" "nothing" (func $nothing))
  (table funcref (elem $nothing))
  (func $tail (return_call $nothing))
  (func $tail_indirect (return_call_indirect (i32.const 0)))
  (func (export "direct") (result i32) (call $tail) (i32.const 1))
  (func (export "indirect") (result i32) (call $tail_indirect) (i32.const 2)))

(assert_return (invoke "direct") (i32.const 1))
(assert_return (invoke "indirect") (i32.const 2))
