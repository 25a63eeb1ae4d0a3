;; A signed read of a packed field extends the sign.
(module
  (type $s (struct (field i8)))
  (func (export "run") (result i32)
    (struct.get_s $s 0 (struct.new $s (i32.const -1)))))
(assert_return (invoke "run") (i32.const -1))
