;; An exception carries a continuation to its handler. Wasmtime 48 refuses the module ("Stack switching feature not compatible
;; with GC, yet", issue 10248).
(module
  (type $f (func (result i32)))
  (type $k (cont $f))
  (tag $t (param (ref null $k)))

  (func $body (type $f) (i32.const 8))
  (elem declare func $body)

  (func $thrower (throw $t (cont.new $k (ref.func $body))))

  (func (export "main") (result i32)
    (block $caught (result (ref null $k))
      (try_table (catch $t $caught) (call $thrower))
      (unreachable))
    (resume $k)))

(assert_return (invoke "main") (i32.const 8))
