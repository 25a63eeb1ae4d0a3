;; The elements that a table grows by have the value that is given.
(module
  (table 0 funcref)
  (func $f)
  (elem declare func $f)
  (func (export "run") (result i32)
    (drop (table.grow 0 (ref.func $f) (i32.const 1)))
    (ref.is_null (table.get 0 (i32.const 0)))))
(assert_return (invoke "run") (i32.const 0))
