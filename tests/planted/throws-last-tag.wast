;; resume_throw throws the tag that it names.
(module
  (type $f (func)) (type $k (cont $f))
  (tag $t) (tag $a) (tag $b)
  (func $body (suspend $t))
  (elem declare func $body)
  (func (export "run") (result i32)
    (local $rest (ref null $k))
    (block $h (result (ref $k))
      (resume $k (on $t $h) (cont.new $k (ref.func $body)))
      (return (i32.const 0)))
    (local.set $rest)
    (block $caught-b
      (block $caught-a
        (try_table (catch $a $caught-a) (catch $b $caught-b)
          (resume_throw $k $a (local.get $rest)))
        (unreachable))
      (return (i32.const 1)))
    (i32.const 2)))
(assert_return (invoke "run") (i32.const 1))
