;; Each memory has its size.
(module
  (memory 1) (memory 2)
  (func (export "run") (result i32)
    (memory.size 1)))
(assert_return (invoke "run") (i32.const 2))
