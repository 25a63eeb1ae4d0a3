;; configuration: gc-zeal=1
;; What an exception carries is kept with it.
;; Made on a stack of its own: this one never had it, not even in the frame of a function that has returned.
(module
  (type $f (func)) (type $k (cont $f))
  (type $fi (func (result i32))) (type $ki (cont $fi))
  (func $three (type $fi) (i32.const 3))
  (func $nothing)
  (tag $e (param (ref null $ki)))
  (global $caught (mut exnref) (ref.null exn))
  (elem declare func $three $nothing $make)
  (func $make
    (block $handler (result exnref)
      (try_table (catch_all_ref $handler) (throw $e (cont.new $ki (ref.func $three))))
      (unreachable))
    (global.set $caught))
  (func (export "run") (result i32)
    (resume $k (cont.new $k (ref.func $make)))
    (drop (cont.new $k (ref.func $nothing)))
    (block $handler (result (ref null $ki))
      (try_table (catch $e $handler) (throw_ref (global.get $caught)))
      (unreachable))
    (resume $ki)))
(assert_return (invoke "run") (i32.const 3))
