;; A memory that cannot grow says so.
(module
  (memory 1 1)
  (func (export "run") (result i32)
    (memory.grow (i32.const 1))))
(assert_return (invoke "run") (i32.const -1))
