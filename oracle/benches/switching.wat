;; Stack switching to measure: each export does $n rounds and returns a checksum.
(module
  (type $f (func))
  (type $c (cont $f))
  (type $g (func (param i32)))
  (type $d (cont $g))
  (tag $yield (param i32))
  (tag $other)
  (global $rounds (mut i32) (i32.const 0))

  (func $nothing)
  (func (export "calls") (param $n i32) (result i32)
    (loop $l
      (call $nothing)
      (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (i32.const 0))

  (func (export "create") (param $n i32) (result i32)
    (loop $l
      (resume $c (cont.new $c (ref.func $nothing)))
      (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (i32.const 0))

  (func $generator
    (loop $l
      (suspend $yield (i32.const 1))
      (br $l)))
  (func $deep (param $depth i32)
    (if (local.get $depth)
      (then (call $deep (i32.sub (local.get $depth) (i32.const 1))))
      (else (call $generator))))

  (func $consume (param $k (ref null $c)) (param $n i32) (result i32)
    (local $sum i32)
    (loop $l
      (block $h (result i32 (ref $c))
        (resume $c (on $yield $h) (local.get $k))
        (unreachable))
      (local.set $k)
      (local.set $sum (i32.add (local.get $sum)))
      (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum))

  (func (export "suspend") (param $n i32) (result i32)
    (call $consume (cont.new $c (ref.func $generator)) (local.get $n)))

  ;; The same, from 1000 frames down.
  (func (export "suspend_deep") (param $n i32) (result i32)
    (call $consume
      (cont.bind $d $c (i32.const 1000) (cont.new $d (ref.func $deep)))
      (local.get $n)))

  ;; The same, past 16 handler lists that do not handle it.
  (func $nest (param $depth i32)
    (if (local.get $depth)
      (then
        (block $h (result (ref $c))
          (resume $d (on $other $h)
            (i32.sub (local.get $depth) (i32.const 1)) (cont.new $d (ref.func $nest)))
          (unreachable))
        (drop))
      (else (call $generator))))
  (func (export "forward") (param $n i32) (result i32)
    (call $consume
      (cont.bind $d $c (i32.const 16) (cont.new $d (ref.func $nest)))
      (local.get $n)))

  (elem declare func $nothing $generator $deep $nest)
)
