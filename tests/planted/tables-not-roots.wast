;; configuration: gc-zeal=1
;; What a table of continuations holds is kept.
;; Made on a stack of its own: this one never had it, not even in the frame of a function that has returned.
(module
  (type $f (func)) (type $k (cont $f))
  (type $fi (func (result i32))) (type $ki (cont $fi))
  (func $three (type $fi) (i32.const 3))
  (func $nothing)
  (table $parked 1 (ref null $ki))
  (elem declare func $three $nothing $make)
  (func $make (table.set $parked (i32.const 0) (cont.new $ki (ref.func $three))))
  (func (export "run") (result i32)
    (resume $k (cont.new $k (ref.func $make)))
    (drop (cont.new $k (ref.func $nothing)))
    (resume $ki (table.get $parked (i32.const 0)))))
(assert_return (invoke "run") (i32.const 3))
