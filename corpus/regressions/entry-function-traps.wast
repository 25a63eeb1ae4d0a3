;; The function that a continuation starts with traps at once. That is a trap, not a return with whatever lies where results
;; would be, and no catch_all on the way sees it (the class of Wasmtime's issue 13028).

(module
  (type $f (func (result i32)))
  (type $k (cont $f))
  (func $traps (type $f) (unreachable))
  (func $divides (type $f) (i32.div_s (i32.const 1) (i32.const 0)))
  (func $nested (type $f) (resume $k (cont.new $k (ref.func $divides))))
  (elem declare func $traps $divides $nested)

  (func (export "at-once") (result i32)
    (resume $k (cont.new $k (ref.func $traps))))
  (func (export "two-stacks-down") (result i32)
    (resume $k (cont.new $k (ref.func $nested))))
  (func (export "not-caught") (result i32)
    (block $caught
      (try_table (catch_all $caught)
        (drop (resume $k (cont.new $k (ref.func $nested)))))
      (return (i32.const 1)))
    (i32.const 2))
  (func (export "after") (result i32) (i32.const 3))
)

(assert_trap (invoke "at-once") "unreachable")
(assert_trap (invoke "two-stacks-down") "integer divide by zero")
(assert_trap (invoke "not-caught") "integer divide by zero")
(assert_return (invoke "after") (i32.const 3))
