;; configuration: gc-zeal=1
;; What a suspended continuation's locals refer to is kept.
;; Made on a stack of its own: this one never had it, not even in the frame of a function that has returned.
(module
  (type $f (func)) (type $k (cont $f))
  (type $fi (func (result i32))) (type $ki (cont $fi))
  (func $three (type $fi) (i32.const 3))
  (func $nothing)
  (tag $t)
  (global $result (mut i32) (i32.const 0))
  (global $rest (mut (ref null $k)) (ref.null $k))
  (func $body
    (local $needed (ref null $ki))
    (local.set $needed (cont.new $ki (ref.func $three)))
    (suspend $t)
    (global.set $result (resume $ki (local.get $needed))))
  (elem declare func $three $nothing $body $make)
  (func $make
    (block $h (result (ref $k))
      (resume $k (on $t $h) (cont.new $k (ref.func $body)))
      (unreachable))
    (global.set $rest))
  (func (export "run") (result i32)
    (resume $k (cont.new $k (ref.func $make)))
    (drop (cont.new $k (ref.func $nothing)))
    (resume $k (global.get $rest))
    (global.get $result)))
(assert_return (invoke "run") (i32.const 3))
