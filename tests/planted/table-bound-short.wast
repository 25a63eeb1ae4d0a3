;; The last element of a table can be read.
(module
  (table 3 funcref)
  (func (export "run") (result i32)
    (ref.is_null (table.get 0 (i32.const 2)))))
(assert_return (invoke "run") (i32.const 1))
