;; `cont.bind` of references to what a collector manages. Wasmtime 48 refuses the module ("cont.bind does not support GC types at
;; the moment"), because its collector does not look into a continuation's arguments (issue 13750).
(module
  (type $f (func (param externref) (result externref)))
  (type $k (cont $f))
  (type $g (func (result externref)))
  (type $bound (cont $g))

  (func $body (type $f) (local.get 0))
  (elem declare func $body)

  (func (export "main") (param externref) (result externref)
    (resume $bound (cont.bind $k $bound (local.get 0) (cont.new $k (ref.func $body))))))

(assert_return (invoke "main" (ref.extern 7)) (ref.extern 7))
