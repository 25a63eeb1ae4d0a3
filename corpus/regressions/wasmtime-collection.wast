;; Objects are allocated, and mostly forgotten, until any collector must have run, while a continuation is suspended. Wasmtime 48
;; panics in its walk of the suspended stack (issue 14239).
(module
  (type $f (func (result i32)))
  (type $k (cont $f))
  (type $s (struct (field i64)))
  (tag $t)
  (type $a (array (mut i64)))
  (global $kept (mut (ref null $a)) (ref.null $a))

  (func $body (type $f)
    (local $mine (ref null $s))
    (local.set $mine (struct.new $s (i64.const 7)))
    (suspend $t)
    (i32.wrap_i64 (struct.get $s 0 (local.get $mine))))
  (elem declare func $body)

  (func (export "main") (result i32)
    (local $k (ref null $k)) (local $n i32)
    (block $on (result (ref $k))
      (resume $k (on $t $on) (cont.new $k (ref.func $body)))
      (return))
    (local.set $k)
    (loop $again
      (global.set $kept (array.new_default $a (i32.const 1000)))
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $n) (i32.const 2000))))
    (resume $k (local.get $k))))

(assert_return (invoke "main") (i32.const 7))
