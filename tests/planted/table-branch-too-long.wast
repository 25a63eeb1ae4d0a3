;; An index one too large goes to the default.
(module
  (func (export "run") (param i32) (result i32)
    (block $default
      (block $last
        (block $first (br_table $first $last $default (local.get 0)))
        (return (i32.const 1)))
      (return (i32.const 2)))
    (i32.const 3)))
(assert_return (invoke "run" (i32.const 1)) (i32.const 2))
(assert_return (invoke "run" (i32.const 2)) (i32.const 3))
