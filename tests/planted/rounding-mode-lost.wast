;; Who handles a suspension computes as before.
(module
  (type $f (func)) (type $k (cont $f))
  (tag $t)
  (func $body (suspend $t))
  (elem declare func $body)
  (func (export "run") (param f64 f64) (result f64)
    (block $h (result (ref $k))
      (resume $k (on $t $h) (cont.new $k (ref.func $body)))
      (return (f64.const 0)))
    (drop)
    (f64.div (local.get 0) (local.get 1))))
(assert_return (invoke "run" (f64.const 1) (f64.const 10)) (f64.const 0.1))
