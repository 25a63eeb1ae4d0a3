;; A signed load extends the sign.
(module
  (memory 1) (data (i32.const 0) "\80")
  (func (export "run") (result i32)
    (i32.load8_s (i32.const 0))))
(assert_return (invoke "run") (i32.const -128))
