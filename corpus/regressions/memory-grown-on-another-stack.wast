;; A function that has used a memory resumes a continuation that grows it, which may move it. Base, length and size must not
;; have been kept from before (the class of Wasmtime's issue 13296).

(module
  (type $f (func))
  (type $k (cont $f))
  (tag $t)
  (memory 1 10)
  (func $grows (type $f)
    (drop (memory.grow (i32.const 3)))
    (i32.store (i32.const 0) (i32.const 42))
    (i32.store (i32.const 200000) (i32.const 43))
    (suspend $t)
    (drop (memory.grow (i32.const 1)))
    (i32.store (i32.const 0) (i32.const 44)))
  (elem declare func $grows)

  (func (export "run") (result i32 i32 i32 i32 i32 i32) (local $k (ref null $k))
    (i32.store (i32.const 0) (i32.const 1))
    (i32.load (i32.const 0))
    (block $on_t (result (ref $k))
      (resume $k (on $t $on_t) (cont.new $k (ref.func $grows)))
      (unreachable))
    (local.set $k)
    (i32.load (i32.const 0))
    (i32.load (i32.const 200000))
    (memory.size)
    (resume $k (local.get $k))
    (i32.load (i32.const 0))
    (memory.size))
)

(assert_return (invoke "run")
  (i32.const 1) (i32.const 42) (i32.const 43) (i32.const 4) (i32.const 44) (i32.const 5))
