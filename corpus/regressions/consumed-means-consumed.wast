;; Every instruction that uses a continuation consumes it: resume, resume_throw, cont.bind (also of nothing) and switch, and a
;; use that ends in a trap as well (the class of Wizard's issue 301).

(module
  (rec
    (type $f (func (param (ref null $k))))
    (type $k (cont $f)))
  (type $g (func))
  (type $l (cont $g))
  (tag $t)
  (tag $e)
  (global $kept (mut (ref null $l)) (ref.null $l))
  (global $target (mut (ref null $k)) (ref.null $k))
  (func $nop)
  (func $traps (unreachable))
  (func $target-body (type $f))
  (func $switches (switch $k $t (global.get $target)) (drop))
  (elem declare func $nop $traps $target-body $switches)

  (func $keep (param $body (ref $g)) (global.set $kept (cont.new $l (local.get $body))))
  (func (export "use") (resume $l (global.get $kept)))
  (func (export "use-target") (resume $k (ref.null $k) (global.get $target)))

  (func (export "resume") (call $keep (ref.func $nop)) (resume $l (global.get $kept)))
  (func (export "trap") (call $keep (ref.func $traps)) (resume $l (global.get $kept)))
  (func (export "throw") (call $keep (ref.func $nop)) (resume_throw $l $e (global.get $kept)))
  (func (export "bind") (call $keep (ref.func $nop)) (drop (cont.bind $l $l (global.get $kept))))
  (func (export "switch")
    (global.set $target (cont.new $k (ref.func $target-body)))
    (resume $l (on $t switch) (cont.new $l (ref.func $switches))))
)

(assert_return (invoke "resume"))
(assert_trap (invoke "use") "continuation already consumed")
(assert_trap (invoke "trap") "unreachable")
(assert_trap (invoke "use") "continuation already consumed")
(assert_exception (invoke "throw"))
(assert_trap (invoke "use") "continuation already consumed")
(assert_return (invoke "bind"))
(assert_trap (invoke "use") "continuation already consumed")
(assert_return (invoke "switch"))
(assert_trap (invoke "use-target") "continuation already consumed")
