;; The results of a continuation arrive.
(module
  (type $f (func (result i32))) (type $k (cont $f))
  (func $body (type $f) (i32.const 42))
  (elem declare func $body)
  (func (export "run") (result i32) (resume $k (cont.new $k (ref.func $body)))))
(assert_return (invoke "run") (i32.const 42))
