;; A vector arrives whole in a continuation.
(module
  (type $f (func (param v128) (result i64))) (type $k (cont $f))
  (func $upper (type $f) (i64x2.extract_lane 1 (local.get 0)))
  (elem declare func $upper)
  (func (export "run") (result i64)
    (resume $k (v128.const i64x2 5 7) (cont.new $k (ref.func $upper)))))
(assert_return (invoke "run") (i64.const 7))
