;; The handlers of a resume that is over take nothing.
(module
  (type $f (func)) (type $k (cont $f))
  (tag $a) (tag $b)
  (func $nothing)
  (func $body
    (block $h (result (ref $k))
      (resume $k (on $b $h) (cont.new $k (ref.func $nothing)))
      (suspend $b)
      (return))
    (drop))
  (elem declare func $nothing $body)
  (func (export "run")
    (block $h (result (ref $k))
      (resume $k (on $a $h) (cont.new $k (ref.func $body)))
      (return))
    (drop)))
(assert_suspension (invoke "run") "unhandled")
