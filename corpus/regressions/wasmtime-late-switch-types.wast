;; Wasmtime issue 14085: the type of the continuation that `switch` captures is looked up by its number among the module's
;; different types, as if that were its index in the module. Two types that are the same shift these numbers, and Wasmtime 48
;; panics when it compiles the function.
(module
  (type $one (func))
  (type $same (func))
  (type $f (func))
  (type $k (cont $f))
  (type $g (func (param (ref null $k))))
  (type $target (cont $g))
  (tag $t (type $f))

  (func $body (type $g))
  (elem declare func $body)

  (func $switcher (type $f)
    (switch $target $t (cont.new $target (ref.func $body))))
  (elem declare func $switcher)

  (func (export "main") (result i32)
    (resume $k (on $t switch) (cont.new $k (ref.func $switcher)))
    (i32.const 1)))

(assert_return (invoke "main") (i32.const 1))
