;; A switch consumes its continuation, also after that has suspended again.
(module
  (rec (type $f (func (param (ref null $k)))) (type $k (cont $f)))
  (tag $t)
  (func $other (type $f) (drop (switch $k $t (local.get 0))))
  (func $body (type $f)
    (local $old (ref null $k))
    (local.set $old (cont.new $k (ref.func $other)))
    (drop (switch $k $t (local.get $old)))
    (drop (switch $k $t (local.get $old))))
  (elem declare func $other $body)
  (func (export "run")
    (resume $k (on $t switch) (ref.null $k) (cont.new $k (ref.func $body)))))
(assert_trap (invoke "run") "continuation already consumed")
