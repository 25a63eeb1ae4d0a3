;; A range can be copied over itself.
(module
  (memory 1) (data (i32.const 0) "\01\02\03\04\05\06\07\08")
  (func (export "run") (result i64)
    (memory.copy (i32.const 1) (i32.const 0) (i32.const 7))
    (i64.load (i32.const 0))))
(assert_return (invoke "run") (i64.const 0x0706050403020101))
