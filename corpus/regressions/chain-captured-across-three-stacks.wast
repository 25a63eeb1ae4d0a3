;; A suspension that passes two inner handler lists captures three stacks at once. Resumed from elsewhere, they must be
;; linked as before: the inner handlers still serve, each stack returns to its own resumer, and the outermost one to
;; whoever resumed the chain (the class of Wizard's issues 213, 285 and 456).

(module
  (type $f (func (result i32)))
  (type $k (cont $f))
  (type $g (func (param i32) (result i32)))
  (type $l (cont $g))
  (tag $far (param i32) (result i32))
  (tag $near (result i32))

  ;; Innermost: asks far away, then nearby.
  (func $inner (type $f)
    (i32.add (suspend $far (i32.const 1)) (suspend $near)))

  ;; Middle: answers $near with 20, and knows nothing of $far.
  (func $middle (type $f) (local $k (ref null $l))
    (block $on_near (result (ref $l))
      (return (i32.add (i32.const 300)
        (resume $k (on $near $on_near) (cont.new $k (ref.func $inner))))))
    (local.set $k)
    (i32.add (i32.const 300) (resume $l (i32.const 20) (local.get $k))))

  (func $outer (type $f)
    (i32.add (i32.const 4000) (resume $k (cont.new $k (ref.func $middle)))))

  (elem declare func $inner $middle $outer)

  (func $start (result (ref $l)) (local $k (ref null $l))
    (block $on_far (result i32 (ref $l))
      (resume $k (on $far $on_far) (cont.new $k (ref.func $outer)))
      (unreachable))
    (local.set $k) (drop) (ref.as_non_null (local.get $k)))

  (func (export "resumed-elsewhere") (result i32)
    (resume $l (i32.const 7) (call $start)))

  (func (export "resumed-on-another-stack") (result i32)
    (resume $k (cont.new $k (ref.func $other))))
  (func $other (type $f) (i32.add (i32.const 50000) (resume $l (i32.const 7) (call $start))))
  (elem declare func $other)
)

(assert_return (invoke "resumed-elsewhere") (i32.const 4327))
(assert_return (invoke "resumed-on-another-stack") (i32.const 54327))
(assert_return (invoke "resumed-elsewhere") (i32.const 4327))
