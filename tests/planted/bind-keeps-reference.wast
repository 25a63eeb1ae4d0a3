;; cont.bind consumes its operand, also when it binds nothing.
(module
  (type $f (func)) (type $k (cont $f))
  (func $body)
  (elem declare func $body)
  (func (export "run")
    (local $old (ref null $k))
    (local.set $old (cont.new $k (ref.func $body)))
    (drop (cont.bind $k $k (local.get $old)))
    (resume $k (local.get $old))))
(assert_trap (invoke "run") "continuation already consumed")
