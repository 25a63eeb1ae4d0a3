;; All arguments of a continuation arrive.
(module
  (type $f (func (param i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32))) (type $k (cont $f))
  (func $last (type $f) (local.get 8))
  (elem declare func $last)
  (func (export "run") (result i32)
    (resume $k (i32.const 1) (i32.const 2) (i32.const 3) (i32.const 4) (i32.const 5) (i32.const 6)
      (i32.const 7) (i32.const 8) (i32.const 9) (cont.new $k (ref.func $last)))))
(assert_return (invoke "run") (i32.const 9))
