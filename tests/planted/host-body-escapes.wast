;; An exception that a host function passes on as the body of a continuation is caught around the resume.
(module
  (type $f (func (param funcref))) (type $k (cont $f))
  (import "switchback" "call" (func $call (type $f)))
  (tag $e)
  (func $throws (throw $e))
  (elem declare func $call $throws)
  (func (export "run") (result i32)
    (block $caught
      (try_table (catch $e $caught)
        (resume $k (ref.func $throws) (cont.new $k (ref.func $call))))
      (return (i32.const 0)))
    (i32.const 1)))
(assert_return (invoke "run") (i32.const 1))
