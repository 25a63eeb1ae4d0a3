;; configuration: gc-zeal=1
;; What a structure's fields refer to is kept.
;; Made on a stack of its own: this one never had it, not even in the frame of a function that has returned.
(module
  (type $f (func)) (type $k (cont $f))
  (type $fi (func (result i32))) (type $ki (cont $fi))
  (func $three (type $fi) (i32.const 3))
  (func $nothing)
  (type $s (struct (field (ref null $ki))))
  (global $structure (mut (ref null $s)) (ref.null $s))
  (elem declare func $three $nothing $make)
  (func $make (global.set $structure (struct.new $s (cont.new $ki (ref.func $three)))))
  (func (export "run") (result i32)
    (resume $k (cont.new $k (ref.func $make)))
    (drop (cont.new $k (ref.func $nothing)))
    (resume $ki (struct.get $s 0 (global.get $structure)))))
(assert_return (invoke "run") (i32.const 3))
