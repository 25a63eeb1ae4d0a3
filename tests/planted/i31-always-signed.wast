;; An unsigned read of 31 bits extends them by a zero.
(module
  (func (export "run") (result i32)
    (i31.get_u (ref.i31 (i32.const -1)))))
(assert_return (invoke "run") (i32.const 0x7fffffff))
