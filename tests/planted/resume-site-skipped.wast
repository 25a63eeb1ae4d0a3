;; An exception that leaves a continuation is caught around the resume.
(module
  (type $f (func)) (type $k (cont $f))
  (tag $e)
  (func $body (throw $e))
  (elem declare func $body)
  (func $resumes (resume $k (cont.new $k (ref.func $body))))
  (func (export "run") (result i32)
    (block $caught
      (try_table (catch $e $caught) (resume $k (cont.new $k (ref.func $body))))
      (return (i32.const 0)))
    (i32.const 1)))
(assert_return (invoke "run") (i32.const 1))
