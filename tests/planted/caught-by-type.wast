;; Exceptions are caught by the identity of their tag, not by its type.
(module
  (tag $a) (tag $b)
  (func (export "run") (result i32)
    (block $caught-b
      (block $caught-a
        (try_table (catch $a $caught-a) (catch $b $caught-b) (throw $b))
        (unreachable))
      (return (i32.const 1)))
    (i32.const 2)))
(assert_return (invoke "run") (i32.const 2))
