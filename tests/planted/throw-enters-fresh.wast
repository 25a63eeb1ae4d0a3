;; An exception thrown into a continuation that has not started is raised at the resume_throw, and nothing of the continuation is executed.
(module
  (type $f (func)) (type $k (cont $f))
  (tag $e)
  (global $entered (mut i32) (i32.const 0))
  (func $body (global.set $entered (i32.const 1)))
  (elem declare func $body)
  (func (export "run") (result i32)
    (block $caught
      (try_table (catch $e $caught) (resume_throw $k $e (cont.new $k (ref.func $body))))
      (return (i32.const -1)))
    (global.get $entered)))
(assert_return (invoke "run") (i32.const 0))
