;; A range of an array can be copied over itself.
(module
  (type $a (array (mut i32)))
  (func (export "run") (result i32)
    (local $array (ref null $a))
    (local.set $array (array.new_fixed $a 4 (i32.const 1) (i32.const 2) (i32.const 3) (i32.const 4)))
    (array.copy $a $a (local.get $array) (i32.const 1) (local.get $array) (i32.const 0) (i32.const 3))
    (array.get $a (local.get $array) (i32.const 3))))
(assert_return (invoke "run") (i32.const 3))
