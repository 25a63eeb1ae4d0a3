;; One tag may be thrown, suspended with and switched with. Each use must find the handler of its own kind: a clause for
;; switch does not serve a suspension, one for suspensions serves neither a switch nor an exception, and a clause that is
;; not the first is found as well (the classes of Wasmtime's issue 14085 and Wizard's issue 215).

(module
  (rec
    (type $f (func (param (ref null $k))))
    (type $k (cont $f)))
  (type $g (func))
  (type $l (cont $g))
  (tag $t)
  (tag $other)

  (func $suspends (suspend $t))
  (func $throws (throw $t))
  (func $target (type $f))
  (func $switches (switch $k $t (cont.new $k (ref.func $target))) (drop))
  (elem declare func $suspends $throws $target $switches)

  (func $run (param $body (ref $g)) (result i32)
    (block $caught
      (block $on_t (result (ref $l))
        (block $on_other (result (ref $l))
          (try_table (catch $t $caught)
            (resume $l
              (on $other switch) (on $other $on_other) (on $t switch) (on $t $on_t) (on $t $on_other)
              (cont.new $l (local.get $body))))
          (return (i32.const 0)))
        (drop) (return (i32.const 1)))
      (drop) (return (i32.const 2)))
    (i32.const 3))

  (func (export "suspend") (result i32) (call $run (ref.func $suspends)))
  (func (export "throw") (result i32) (call $run (ref.func $throws)))
  (func (export "switch") (result i32) (call $run (ref.func $switches)))
  (func (export "suspend-finds-only-switch")
    (resume $l (on $t switch) (cont.new $l (ref.func $suspends))))
  (func (export "switch-finds-only-suspend")
    (block $on_t (result (ref $l))
      (resume $l (on $t $on_t) (cont.new $l (ref.func $switches)))
      (return))
    (drop))
)

(assert_return (invoke "suspend") (i32.const 2))
(assert_return (invoke "throw") (i32.const 3))
(assert_return (invoke "switch") (i32.const 0))
(assert_suspension (invoke "suspend-finds-only-switch") "unhandled tag")
(assert_suspension (invoke "switch-finds-only-suspend") "unhandled tag")
(assert_return (invoke "suspend") (i32.const 2))
