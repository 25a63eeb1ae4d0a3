;; A global can be initialised by one before it.
(module
  (global $first i32 (i32.const 5))
  (global $second i32 (global.get $first))
  (func (export "run") (result i32)
    (global.get $second)))
(assert_return (invoke "run") (i32.const 5))
