;; configuration: gc-zeal=1
;; A chain of two stacks that somebody can still resume is not given back, neither of them.
(module
  (type $f (func)) (type $k (cont $f))
  (tag $t)
  (global $sum (mut i32) (i32.const 0))
  (global $chain (mut (ref null $k)) (ref.null $k))
  (func $add (param i32) (global.set $sum (i32.add (global.get $sum) (local.get 0))))
  (func $inner (suspend $t) (call $add (i32.const 1)))
  (func $outer (resume $k (cont.new $k (ref.func $inner))) (call $add (i32.const 2)))
  (func $other (call $add (i32.const 4)))
  (elem declare func $inner $outer $other)
  (func (export "run") (result i32)
    (block $h (result (ref $k))
      (resume $k (on $t $h) (cont.new $k (ref.func $outer)))
      (return (i32.const -1)))
    (global.set $chain)
    ;; Collects, and takes the stacks that are free.
    (resume $k (cont.new $k (ref.func $other)))
    (resume $k (cont.new $k (ref.func $other)))
    (resume $k (global.get $chain))
    (global.get $sum)))
(assert_return (invoke "run") (i32.const 11))
