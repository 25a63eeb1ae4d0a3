;; cont.bind consumes its continuation and yields a new one, even with nothing
;; to bind. A null and a consumed continuation are two different traps.
(module
  (type $f (func)) (type $k (cont $f))
  (type $fii (func (param i32 i64) (result i64))) (type $kii (cont $fii))
  (type $fi (func (param i64) (result i64))) (type $ki (cont $fi))
  (type $fr (func (result i64))) (type $kr (cont $fr))
  (type $fs (func (param i64) (result i64))) (type $ks (cont $fs))
  (tag $yield (result i64))

  (func $nop)
  (func $sub (param i32 i64) (result i64)
    (i64.sub (i64.extend_i32_s (local.get 0)) (local.get 1)))
  (func $asks (result i64) (i64.mul (suspend $yield) (i64.const 2)))
  (elem declare func $nop $sub $asks)

  (func (export "bind-nothing-consumes")
    (local $c (ref null $k))
    (local.set $c (cont.new $k (ref.func $nop)))
    (drop (cont.bind $k $k (local.get $c)))
    (resume $k (local.get $c)))
  (func (export "bind-nothing-yields-a-new-one")
    (resume $k (cont.bind $k $k (cont.bind $k $k (cont.new $k (ref.func $nop))))))
  (func (export "bind-consumed")
    (local $c (ref null $k))
    (local.set $c (cont.new $k (ref.func $nop)))
    (resume $k (local.get $c))
    (drop (cont.bind $k $k (local.get $c))))
  (func (export "bind-twice")
    (local $c (ref null $k))
    (local.set $c (cont.new $k (ref.func $nop)))
    (drop (cont.bind $k $k (local.get $c)))
    (drop (cont.bind $k $k (local.get $c))))
  (func (export "bind-null")
    (drop (cont.bind $k $k (ref.null $k))))
  (func (export "bind-some-null")
    (drop (cont.bind $kii $ki (i32.const 1) (ref.null $kii))))

  ;; Arguments are bound from the left; what is bound stays in place.
  (func (export "bind-all-at-once") (result i64)
    (resume $kr
      (cont.bind $kii $kr (i32.const 50) (i64.const 8) (cont.new $kii (ref.func $sub)))))
  (func (export "bind-one-by-one") (result i64)
    (resume $kr
      (cont.bind $ki $kr (i64.const 8)
        (cont.bind $kii $ki (i32.const 50) (cont.new $kii (ref.func $sub))))))

  ;; A suspended continuation takes bound arguments too: the results of suspend.
  (func (export "bind-suspended") (result i64)
    (resume $kr
      (cont.bind $ks $kr (i64.const 21)
        (block $h (result (ref $ks))
          (return (resume $kr (on $yield $h) (cont.new $kr (ref.func $asks))))))))
  (func (export "bind-suspended-consumes") (result i64)
    (local $c (ref null $ks))
    (local.set $c
      (block $h (result (ref $ks))
        (return (resume $kr (on $yield $h) (cont.new $kr (ref.func $asks))))))
    (drop (cont.bind $ks $kr (i64.const 21) (local.get $c)))
    (resume $ks (i64.const 1) (local.get $c)))
)

(assert_trap (invoke "bind-nothing-consumes") "continuation already consumed")
(assert_return (invoke "bind-nothing-yields-a-new-one"))
(assert_trap (invoke "bind-consumed") "continuation already consumed")
(assert_trap (invoke "bind-twice") "continuation already consumed")
(assert_trap (invoke "bind-null") "null continuation reference")
(assert_trap (invoke "bind-some-null") "null continuation reference")
(assert_return (invoke "bind-all-at-once") (i64.const 42))
(assert_return (invoke "bind-one-by-one") (i64.const 42))
(assert_return (invoke "bind-suspended") (i64.const 42))
(assert_trap (invoke "bind-suspended-consumes") "continuation already consumed")
