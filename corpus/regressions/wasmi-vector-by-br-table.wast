;; wasmi 2.0.0 delivers other bytes of its own memory, addresses among them, in place of a vector that `br_table` carries while
;; there are more operands beneath it than the target takes.

(module
  (func (export "carried") (param i32) (result v128)
    (block (result v128)
      (v128.const i32x4 1 2 3 4)
      (ref.null extern)
      (v128.const i32x4 5 6 7 8)
      (br_table 0 1 (local.get 0)))))

(assert_return (invoke "carried" (i32.const 0)) (v128.const i32x4 5 6 7 8))
(assert_return (invoke "carried" (i32.const 1)) (v128.const i32x4 5 6 7 8))
