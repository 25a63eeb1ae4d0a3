;; An index of a tag means something in one instance only: a clause of `resume` names the tag that has the index in the module of the
;; `resume`, whichever instance made the continuation.

(module $linked
  (type $f (func)) (type $k (cont $f))
  (tag $other (export "other")) (tag $shared (export "shared"))
  (func $body (export "body") (suspend $shared))
  (elem declare func $body)
  (func (export "make") (result (ref $k)) (cont.new $k (ref.func $body))))
(register "linked")

(module
  (type $f (func)) (type $k (cont $f))
  ;; Here it is the first tag, there the second.
  (import "linked" "shared" (tag $shared)) (import "linked" "other" (tag $other))
  (import "linked" "body" (func $body)) (import "linked" "make" (func $make (result (ref $k))))
  (elem declare func $body)
  (func $run (param $cont (ref $k)) (result i32)
    (block $on_other (result (ref $k))
      (block $on_shared (result (ref $k))
        (resume $k (on $shared $on_shared) (on $other $on_other) (local.get $cont))
        (return (i32.const 0)))
      (drop) (return (i32.const 1)))
    (drop) (i32.const 2))
  (func (export "made there") (result i32) (call $run (call $make)))
  (func (export "made here") (result i32) (call $run (cont.new $k (ref.func $body)))))

(assert_return (invoke "made there") (i32.const 1))
(assert_return (invoke "made here") (i32.const 1))
