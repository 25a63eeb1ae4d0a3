;; In the deterministic profile a relaxed dot product takes the bytes of both operands as signed, and the sum of two products
;; saturates (ivdotsat, with R_idot = 0): -128 * -128 + -128 * -128 is 32768, one more than fits.
;; Otherwise an engine may take the second operand's bytes as unsigned: -128 * 128 + -128 * 128 is -32768, what a sum that wraps
;; shows as well. So a module that is to do the same everywhere has no more than seven bits in them.
(module
  (func (export "dot") (param v128 v128) (result v128)
    (i16x8.relaxed_dot_i8x16_i7x16_s (local.get 0) (local.get 1)))
  (func (export "dot and add") (param v128 v128 v128) (result v128)
    (i32x4.relaxed_dot_i8x16_i7x16_add_s (local.get 0) (local.get 1) (local.get 2))))
(assert_return
  (invoke "dot"
    (v128.const i8x16 -128 -128 -128 -128 127 127 127 127 -1 -1 -1 -1 0 0 1 2)
    (v128.const i8x16 -128 -128 127 127 -128 -128 127 127 -1 -1 127 127 5 6 7 8))
  (v128.const i16x8 32767 -32512 -32512 32258 2 -254 0 23))
(assert_return
  (invoke "dot and add"
    (v128.const i8x16 -128 -128 -128 -128 127 127 127 127 -1 -1 -1 -1 0 0 1 2)
    (v128.const i8x16 -128 -128 127 127 -128 -128 127 127 -1 -1 127 127 5 6 7 8)
    (v128.const i32x4 1 0 0 -1))
  (v128.const i32x4 256 -254 -252 22))
